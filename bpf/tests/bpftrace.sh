#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bpftrace - the scripts of bpf/scripts work, and count right

# shellcheck disable=SC2317 # check() calls what is defined here
. "$(dirname "$(readlink -f "$0")")/common.sh"
keeper=$tools/tests/keeper

# script NAME COMMAND: run it around the command.
script() {
	run 0 timeout 120 bpftrace "$top/bpf/scripts/$1.bt" -c "$2"
}

if ! command -v bpftrace >/dev/null; then
	echo "1..0 # SKIP there is no bpftrace"
	exit 4
fi

check "verbs.bt runs" script verbs "$workload verbs:13:977"
check "... and counts allocs" says out '^@calls\[workload, tracepoint:zpipe:zpipe_alloc, 0\]: 13$'
check "... and flushes" says out '^@calls\[workload, tracepoint:zpipe:zpipe_flush, 0\]: 13$'
check "pauses.bt runs" script pauses "$workload pause:7:4099"
check "... and counts pauses" says out '^@pauses\[[0-9]+\]: 7$'
check "... with how far the reader was behind" says out '^\[4K, 8K\) +7 '
check "waits.bt runs" script waits "$workload wait:11:101"
check "... and counts the reader's" says out '^@reader_waits\[workload\]: 11$'
check "copies.bt runs" script copies "$workload rw:7:101"
check "... and sums bytes of write(2)" says out '^@bytes\[workload, 1\]: 707$'
check "... and of read(2)" says out '^@bytes\[workload, 2\]: 707$'
check "... with the stacks" says out '^@stacks\[workload, 2, *$'
check "memory.bt runs" script memory "$workload verbs:3:65536"
check "... and sums what was taken" says out '^@taken\[[0-9]+\]: 196608$'
check "... and given back" says out '^@given_back\[[0-9]+\]: 196608$'
check "mistakes.bt runs" script mistakes "$keeper reject:5:1"
check "... and counts refused calls" says out '^@refused: 5$'
check "... and shows them" says out '^keeper +[0-9]+ pipe [0-9]+: verb 133 refused: -22$'
check "... and the end that was bad" says out 'writer ended with errno 125$'
done_testing
