#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpcheck - finds nothing in the tests of the interface, and everything in traces that lie

. "$(dirname "$(readlink -f "$0")")/common.sh"
zpcheck=$tools/zpcheck

# Programs that move the positions in all ways there are. Whether they succeed is their own matter.
for program in rw alloc flush preserve tee post guarded forward pool scribble; do
	path=$(dirname "$0")/$program
	[[ -x $path ]] || continue
	timeout 250 "$zpcheck" -i 0.2 -- "$path" >out 2>err </dev/null
	grep violated out | head -n 5 | sed 's/^/# /'
	check "no rule is violated by $program" says out ', 0 violations$'
	check "... of many events" says out '^[0-9]{3,} events of [0-9]+ new pipes and'
done

check "exactly so many events" run 0 "$zpcheck" -- "$workload" rw:7:101
# create, 7 * 2 copies, segment_open, segment_free, destroy; nobody waits
check "... are judged" says out '^18 events of 1 new pipes and [0-9]+ ends judged, 0 violations$'
"$workload" preserve:3:101 &
sleep 1
check "ends are judged, too" run 0 "$zpcheck" -i 0.1 -- sleep 0.5
check "... some of them" says out ' and [1-9][0-9]* ends judged, 0 violations$'
wait

# lie RULE LINE...: a trace, after which the last line must be reported.
lie() {
	local rule=$1 last=${*: -1:1}
	shift
	{
		printf ' prog-1 [000] ..... 1.000001: zpipe_create: pipe=7 position=0 length=8192 ret=0\n'
		printf ' prog-1 [000] ..... 1.000001: zpipe_%s\n' "$@"
	} >trace
	check "a trace: $rule" run 1 "$zpcheck" -t trace
	check "... is told" says out "^pipe 7: violated: $rule: .* at zpipe_${last/: pipe=7/}"'$'
	check "... once" test "$(grep -c violated out)" = 1
}
grant='alloc: pipe=7 position=0 length=8192 ret=0'
open='segment_open: pipe=7 position=0 length=8192 ret=2'
lie 'held <= capacity' "$grant" 'alloc: pipe=7 position=8192 length=8192 ret=0' \
	'advance: pipe=7 position=0 length=8193 ret=0'
lie 'unexamined <= capacity' "$grant" 'flush: pipe=7 position=8192 length=8193 ret=0'
lie 'published <= granted' "$grant" 'flush: pipe=7 position=8193 length=0 ret=0'
lie 'published <= granted' "$grant" 'read: pipe=7 position=4097 length=4096 ret=0'
lie 'published <= granted' "$grant" 'copy: pipe=7 position=8192 length=1 ret=1'
lie 'consumed <= granted' "$grant" 'wake: pipe=7 position=8193 length=0 ret=1'
lie 'consumed <= examined' "$grant" 'wake: pipe=7 position=101 length=0 ret=1' \
	'pause: pipe=7 position=200 length=100 ret=0'
lie 'held <= published' "$grant" 'destroy: pipe=7 position=100 length=101 ret=0'
lie 'published never goes back' "$grant" 'wake: pipe=7 position=101 length=0 ret=2' \
	'pause: pipe=7 position=100 length=50 ret=0'
lie 'consumed never goes back' "$grant" 'wake: pipe=7 position=101 length=0 ret=1' \
	'segment_free: pipe=7 position=100 length=4096 ret=1'
lie 'segments freed <= opened' "$open" 'segment_free: pipe=7 position=100 length=12288 ret=3'
lie 'released <= preserved' 'preserve: pipe=7 position=0 length=100 ret=0' \
	'release: pipe=7 position=0 length=101 ret=0'
lie 'nothing is preserved at the end' 'preserve: pipe=7 position=0 length=100 ret=0' \
	'destroy: pipe=7 position=0 length=0 ret=0'

# lie_of_end RULE NAME VALUE: a copy of the fdinfo of a reader, in which one number is wrong.
lie_of_end() {
	local rule=$1 name=$2 value=$3
	sed -E "s/^zpipe-$name:.*/zpipe-$name:\t$value/" fdinfo >lying
	check "fdinfo: $rule, because of $name" run 1 "$zpcheck" -f lying
	check "... is told" says out "^pipe [0-9]+: violated: $rule: [0-9]+ (>|is not) [0-9]+ in fdinfo of the reader"'$'
	check "... once" test "$(grep -c violated out)" = 1
}
"$workload" preserve:3:101 &
pid=$!
sleep 1
for fd in "/proc/$pid/fd"/*; do
	[[ $(readlink "$fd") != *zpipe-reader* ]] || cat "/proc/$pid/fdinfo/${fd##*/}" >fdinfo
done
wait
check "a copy of fdinfo" run 0 "$zpcheck" -f fdinfo
check "... is judged" says out '^0 events of 0 new pipes and 1 ends judged, 0 violations$'
lie_of_end 'published <= granted' granted 0
lie_of_end 'examined <= published' examined 304
lie_of_end 'segments = taken \+ preserved \+ free' segments 1
lie_of_end 'segments = taken \+ preserved \+ free' segments-preserved 5
lie_of_end 'references = chain \+ preserved \+ posted \+ calls' references-chain 99
lie_of_end 'references = chain \+ preserved \+ posted \+ calls' references 0

# Readers that have ended keep their positions while the writer goes on.
"$workload" outrun:5:4093 >ready &
pid=$!
until [[ -s ready ]]; do
	sleep 0.1
done
check "ends of which some are over" run 0 "$zpcheck" -i 0.1 -- sleep 0.5
check "... hold nothing" says out ' and [1-9][0-9]* ends judged, 0 violations$'
for fd in "/proc/$pid/fd"/*; do
	cat "/proc/$pid/fdinfo/${fd##*/}" >fdinfo
	[[ $(readlink "$fd") != *zpipe-reader* ]] || grep -q 'attached:.yes' fdinfo || cat fdinfo >"over.${fd##*/}"
done
kill "$pid"
wait
for over in over.*; do
	check "one that is over" run 0 "$zpcheck" -f "$over"
	cp "$over" fdinfo
	lie_of_end 'held <= capacity' attached yes
done
check "there were two of them" test "$(echo over.* | wc -w)" = 2
check "what is no fdinfo is an error" run 1 "$zpcheck" -f trace
check "... with a sentence" says err 'there is no end of a zpipe in trace'

# What is refused moves nothing, and what is not known is not judged.
printf 'a-1 zpipe_%s\n' 'create: pipe=0 position=0 length=1 ret=-12' "$grant" \
	'flush: pipe=7 position=9000 length=0 ret=-22' 'flush: pipe=8 position=100 length=50 ret=0' >trace
check "what was refused, and what is not known" run 0 "$zpcheck" -t trace
check "... is no violation" says out '^3 events of 0 new pipes and 0 ends judged, 0 violations$'
check "quiet" run 0 "$zpcheck" -q -t trace
check "... is quiet" test ! -s out
echo nothing >trace
check "a file that is no trace is an error" run 1 "$zpcheck" -t trace
check "... with a sentence" says err 'there is no event of a zpipe in trace'
check "a file that is not there is an error" run 1 "$zpcheck" -t nowhere
check "... with a sentence" says err 'cannot read nowhere'

# What the kernel writes is what it reads.
echo 1 >/sys/kernel/tracing/events/zpipe/enable
"$workload" verbs:13:977
echo 0 >/sys/kernel/tracing/events/zpipe/enable
check "the trace of the kernel" run 0 "$zpcheck" -t /sys/kernel/tracing/trace
check "... is understood" says out '^[0-9]{2,} events of 1 new pipes and 0 ends judged, 0 violations$'

common_errors zpcheck zpipe_pause
done_testing
