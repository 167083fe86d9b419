#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# commands - what Documentation/bpf.md tells users to type works, of bpftrace and of bpftool

. "$(dirname "$(readlink -f "$0")")/common.sh"

if ! command -v bpftrace >/dev/null; then
	echo "1..0 # SKIP there is no bpftrace"
	exit 4
fi

# What users type.
mapfile -t one_liners < <(sed -nE 's/^    # (bpftrace -e .*)/\1/p' "$top/Documentation/bpf.md")
check "the document has one-liners" test "${#one_liners[@]}" -ge 3
for line in "${one_liners[@]}"; do
	check "$line" run 0 timeout 120 bash -c "$line -c '$workload verbs:13:977 rw:7:101 wait:3:5'"
	check "... prints something" says out '^@'
done

# With the programs of a tool attached.
"$tools/zpcopy" -- "$workload" sleep:20000:0 verbs:1:1 >/dev/null &
tool=$!
until bpftool prog show name on_flush | grep -q tracepoint; do
	sleep 0.2
done
mapfile -t one_liners < <(sed -nE 's/^    # (bpftool .*)/\1/p' "$top/Documentation/bpf.md")
check "the document has lines of bpftool" test "${#one_liners[@]}" -ge 3
"$workload" rw:7:101
for line in "${one_liners[@]}"; do
	check "$line" run 0 bash -c "$line"
	check "... prints something" test -s out
done
check "bpftool sees what the tool has counted" run 0 bpftool -j map dump name pipes
check "... to the byte" python3 -c 'import json
assert any(707 in e["formatted"]["value"]["bytes"] for e in json.load(open("out")))'
kill $tool
wait $tool 2>/dev/null
done_testing
