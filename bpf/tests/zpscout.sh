#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpscout - it counts exactly what goes through pipes and Unix sockets, without the module

# shellcheck disable=SC2317 # check() calls what is defined here
. "$(dirname "$(readlink -f "$0")")/common.sh"
zpscout=$tools/zpscout
keeper=$tools/tests/keeper

# Its line for the keeper and a kind.
line() {
	grep -E "\"comm\":\"keeper\",\"kind\":\"$1\",$2" out >line
}

rmmod zpipe
for way in '' --kretprobe; do
	check "it needs no module $way" run 0 "$zpscout" $way -j -- "$keeper" pipe:7:101 unix:11:4099 \
		dgram:13:977 packet:17:31
	check "bytes and calls of pipe(2) $way" line pipe \
		'"written":707,"writes":7,"read":707,"reads":7,"copies_saved":1414,"calls_saved":13,'
	check "... of a stream socket $way" line unix-stream \
		'"written":45089,"writes":11,"read":45089,"reads":11,"copies_saved":90178,"calls_saved":20,'
	check "... with their sizes $way" line unix-stream '.*"sizes":\{"4096":11\}\}$'
	check "... of datagrams and packets $way" line unix-packet \
		'"written":13228,"writes":30,"read":13228,"reads":30,.*"sizes":\{"16":17,"512":13\}\}$'
	check "nothing is lost $way" test ! -s err
	check "JSON that can be read $way" python3 -c '
import json
lines = [json.loads(line) for line in open("out")]
assert all(l["ns_saved"] > 0 and l["ns"] > 0 for l in lines), lines
bytes = [l["written"] + l["read"] for l in lines]
assert bytes == sorted(bytes, reverse=True), bytes'
done

check "the table" run 0 "$zpscout" -s -- "$keeper" pipe:1009:4096
check "... has a line for it" says out '^ *[0-9]+ keeper +pipe +[0-9.]+[KMG]? +[0-9.]+[KMG]? +[0-9]+ +4\.0K '
check "... and the sizes" says out '^ +of its writes 1009 from 4\.0K$'
check "so many lines only" run 0 "$zpscout" -n 1 -j -- "$keeper" pipe:7:101 unix:11:4099
check "... the first" line unix-stream ''
check "... and no other" test "$(wc -l <out)" = 1
check "processes without room are lost" run 0 "$zpscout" -m 1 -- "$keeper" pipe:7:101 unix:11:4099
check "... and counted" says err '^zpscout: [0-9]+ events were lost'
check "what uses neither is not shown" run 0 "$zpscout" -j -- "$workload" sleep:10:0
check "... at all" test "$(grep -c workload out)" = 0

check "an unknown option ends with status 2" run 2 "$zpscout" --nonsense
check "... and a sentence" says err "unrecognized option '--nonsense'"
check "an ordinary user is refused" run 1 setpriv --reuid 65534 --clear-groups "$zpscout" -- true
check "... with a sentence" says err '^zpscout: needs root'
check "a command that does not exist is an error" run 1 "$zpscout" -- /does/not/exist
check "the status is the command's" run 17 "$zpscout" -- sh -c 'exit 17'
check "an interval and a count" run 0 "$zpscout" -i 0.2 -c 3
check "... print so many tables" test "$(grep -c '^ *PID' out)" = 3
insmod "$ZPIPE_MODULE"
done_testing
