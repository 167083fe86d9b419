#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpsnoop - it prints exactly one line for each event, and the filters leave out exactly the others

# shellcheck disable=SC2317 # check() calls what is defined here
. "$(dirname "$(readlink -f "$0")")/common.sh"
zpsnoop=$tools/zpsnoop
keeper=$tools/tests/keeper

# lines NUMBER REGEX: so many lines of the output match.
lines() {
	local got
	got=$(grep -cE -- "$2" out)
	[[ $got == "$1" ]] || { echo "# $got lines, not $1: $2"; return 1; }
}

check "it runs a command" run 0 "$zpsnoop" -- "$workload" rw:7:101 verbs:13:977 wait:11:31
check "one line for each alloc" lines 24 ' alloc +[0-9]+ +[0-9]+ 0$'
check "one line for each flush" lines 24 ' flush '
check "one line for each copy in, with its bytes" lines 7 ' copy +[0-9]+ +101 write$'
check "one line for each copy out" lines 7 ' copy +[0-9]+ +101 read$'
check "the reader's waits" lines 11 ' wait_begin +[0-9]+ +0 reader$'
check "... end" lines 11 ' wait_end .* reader$'
check "the last flush is at its position" lines 1 ' flush +12701 '
check "every pipe is made" lines 3 ' create +0 +1048576 0$'
check "... and destroyed" lines 3 ' destroy '
check "it names the process" lines 3 '^ +[0-9.]+ +[0-9]+ workload +[0-9]+ create '
check "nothing is lost" test ! -s err

check "only some events" run 0 "$zpsnoop" -e flush,create -e destroy -- "$workload" verbs:17:19
check "... and no other" lines 20 ' (flush|create|destroy|SECONDS)|SECONDS'
check "... at all" test "$(wc -l <out)" = 20
check "only failures" run 0 "$zpsnoop" -x -- "$keeper" reject:5:1 reject:3:0
check "... of the flushes" lines 8 ' flush .* EINVAL$'
check "... refused for their arguments" lines 8 ' reject +4099 +133 EINVAL$'
check "... and the end that was bad" lines 1 ' complete +0 +1 writer ECANCELED$'
check "... and no other" test "$(grep -cvE ' (flush|reject|complete) |SECONDS' out)" = 0
check "only one errno" run 0 "$zpsnoop" -E ecanceled -j -- "$keeper" reject:5:1
check "... once" test "$(wc -l <out)" = 1
check "... as JSON" says out \
	'"comm":"keeper","pipe":[0-9]+,"event":"complete","position":0,"length":1,"ret":125,"result":"writer ECANCELED"'
check "JSON that can be read" python3 -c 'import json; json.load(open("out"))'

"$workload" sleep:60000:0 &
sleeper=$!
check "only one process" run 0 "$zpsnoop" -p $sleeper -- "$workload" rw:7:101
check "... which does nothing" test "$(wc -l <out)" = 1
kill $sleeper
check "only one pipe" run 0 "$zpsnoop" -i 18446744073709551615 -- "$workload" rw:7:101
check "... which does not exist" test "$(wc -l <out)" = 1
check "it ends after so many lines" run 0 "$zpsnoop" -c 5 -j -- "$workload" rw:7:101
check "... of 5" test "$(wc -l <out)" = 5

check "lines without room are lost" run 0 "$zpsnoop" -b 4096 -j -- "$workload" rw:20011:1
check "... and counted" says err '^zpsnoop: [0-9]+ events were lost'
whole() {
	local lost
	lost=$(sed -nE 's/^zpsnoop: ([0-9]+) events.*/\1/p' err)
	wanted=$("$zpsnoop" -b 67108864 -j -- "$workload" rw:20011:1 2>again | wc -l)
	[[ ! -s again ]] || { cat again; return 1; }
	# Segments come free when the writer looks, which is not always at the same time.
	got=$(($(wc -l <out) + lost))
	((got > wanted - wanted / 100 && got < wanted + wanted / 100)) ||
		{ echo "# $got with the lost ones, $wanted with room"; return 1; }
}
check "... to the last" whole

check "an event that does not exist is refused" run 2 "$zpsnoop" -e nonsense
check "... with a sentence" says err "there is no event 'nonsense'"
check "an errno that does not exist is refused" run 2 "$zpsnoop" -E ENONSENSE
check "a buffer of a strange size is refused" run 2 "$zpsnoop" -b 5000
check "... with a sentence" says err 'takes a power of two'

common_errors zpsnoop
done_testing
