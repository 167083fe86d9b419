#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpcopy - it counts exactly the bytes that the workload copies, at each place

. "$(dirname "$(readlink -f "$0")")/common.sh"
zpcopy=$tools/zpcopy

# 7 * 101, 13 * 977, 11 * 4099 bytes; the second copies nothing, the third once. Each pipe takes one
# fresh segment of 64 KiB, which is zeroed.
check "it runs a command" run 0 "$zpcopy" -j -e -- "$workload" rw:7:101 verbs:13:977 splice:11:4099
check "a byte of write(2) and read(2) is copied twice" says out \
	'"delivered":707,"copied":1414,"copies_per_byte":2\.000000,.*"write":\{"bytes":707,"copies":7\},"read":\{"bytes":707,"copies":7\},"zeroed":\{"bytes":65536,"copies":1\}\}'
check "a byte of a mapped pipe is copied never" says out \
	'"delivered":12701,"copied":0,"copies_per_byte":0\.000000,.*"lost":0,"places":\{"zeroed":\{"bytes":65536,"copies":1\}\}\}'
check "a byte that is spliced out is copied by its write(2) only" says out \
	'"delivered":45089,"copied":45089,"copies_per_byte":1\.000000,"spliced":45089,.*"write":\{"bytes":45089,"copies":11\},"zeroed":\{"bytes":65536,"copies":1\}\}'
check "all pipes are the sum of each" says out \
	'"pipe":null,"delivered":58497,"copied":46503,"copies_per_byte":0\.79'

check "the table has the same numbers" run 0 "$zpcopy" -- "$workload" rw:19:1009
check "... written" says out '^  write +19171 +19 +1\.0000$'
check "... read" says out '^  read +19171 +19 +1\.0000$'
check "... delivered" says out '^  delivered +19171'
check "... copied" says out '^  copied +38342 +2\.0000$'
check "... and what was zeroed, apart from it" says out '^  zeroed +65536 +1 +3\.4185$'

check "pipes beyond the table are lost, and counted" run 0 \
	"$zpcopy" -m 3 -- "$workload" many:11:4096
check "... in a sentence" says err '^zpcopy: [0-9]+ events were lost'
check "with room for them nothing is" run 0 "$zpcopy" -j -m 11 -- "$workload" many:11:4096
check "... and all is delivered to nobody" says out '"lost":0'

"$workload" sleep:300:0 rw:23:31 & sleep 0.1
check "an interval and a count" run 0 "$zpcopy" -i 0.3 -c 3 -j
check "... print so many lines" test "$(wc -l <out)" = 3
wait
check "a bad interval is refused" run 2 "$zpcopy" -i 0
check "... with a sentence" says err 'takes seconds from 0.01 to 86400'

common_errors zpcopy zpipe_copy
done_testing
