#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zptop - its numbers are exactly those of the workload; 10,000 pipes; a terminal that changes

. "$(dirname "$(readlink -f "$0")")/common.sh"
zptop=$tools/zptop

# shellcheck disable=SC2317 # check calls it
# field DELIVERED NAME VALUE: in the JSON, the one pipe with so many bytes has this.
field() {
	local text row rows found=''
	text=$(<out)
	mapfile -t rows <<<"${text//'{"pipe":'/$'\n{"pipe":'}"
	for row in "${rows[@]}"; do
		[[ $row != *"\"delivered\":$1,"* ]] || found+=$row$'\n'
	done
	[[ $found != *$'\n'?* && $found =~ \"$2\":$3[,}] ]]
}

# 7 * 101, 13 * 977, 11 * 4099, 17 * 31, 19 * 23: what tells the pipes apart.
check "it runs a command" run 0 "$zptop" -1 -j -- \
	"$workload" rw:7:101 verbs:13:977 splice:11:4099 wait:17:31 pause:19:23
rw=707 verbs=12701 splice=45089 waits=527 pauses=437
check "writes are counted" field $rw writes 7
check "bytes copied by read and write" field $rw copied 1414
check "flushes" field $verbs flushes 13
check "a mapped pipe copies nothing" field $verbs copied 0
check "bytes consumed" field $verbs consumed 12701
check "nothing is held at the end" field $verbs held 0
check "the capacity" field $verbs capacity 1048576
check "a splice counts as consumed, and is no copy" field $splice copied $splice
check "the reader waited so often" field $waits reader_waits 17
check "the writer did not" field $waits writer_waits 0
check "the reader was woken so often" field $waits reader_wakes 17
check "the writer waited so often" field $pauses writer_waits 19
check "the writer was paused so often" field $pauses pauses 19
check "the writer was woken so often" field $pauses writer_wakes 19
check "the reader did not wait" field $pauses reader_waits 0
check "all are gone at the end" field $pauses gone true

# 7 segments of 64 KiB, and one write that needs two of them.
check "segments" run 0 "$zptop" -1 -j -- "$workload" verbs:7:65536
check "... opened" field 458752 segments_opened 7
check "... and all given back" field 458752 segments_freed 7

"$workload" preserve:7:1009 &
pid=$!
sleep 1
check "a pipe that was there before is found" run 0 "$zptop" -j -c 1 -i 0.3
check "... with what it preserves" says out '"preserved":7063,'
check "... its capacity, and its process" says out \
	'"writer":\{"pid":'$pid',"comm":"workload","calls":0,"others":0\}.*"capacity":1048576'
wait
check "what is preserved is counted" run 0 "$zptop" -j -i 1 -c 1 -- "$workload" preserve:11:1013
check "... in bytes" field 11143 preserved 11143

"$workload" stream:100000:10007 2>/dev/null &
sleep 1
check "a stream" run 0 "$zptop" -b -c 1 -i 2
check "... has a rate, and is paused or waited for" says out \
	' workload/[0-9]+ +workload/[0-9]+ +[0-9.]+ \[[# ]{10}\]'
check "its processes" run 0 "$zptop" -P -b -c 1
check "... are two" says out '^1 pipe, 2 processes'
check "a terminal that changes its size" run 0 timeout 100 "$here/terminal.py" "$zptop" -i 0.5
check "... to the last step" says out '^quits$'
check "CSV" run 0 "$zptop" -C -c 3 -i 0.2 -w record.csv
check "... has a head" says out '^time,seconds,pipe,writer,writer_pid,reader,reader_pid,capacity,delivered,'
check "... and a line for each interval" test "$(wc -l <out)" = 4
check "the record is the same" diff out record.csv
kill %% 2>/dev/null
wait

check "sorting by what there is not is refused" run 2 "$zptop" -s nothing
check "... with a sentence" says err "there is no key 'nothing'"
check "a record that cannot be written is an error" run 1 "$zptop" -1 -w /proc/no/such -- true
check "... with a sentence" says err 'cannot write /proc/no/such'

# Tracepoints are attached one after the other: what began in between must not seem to go on for ever.
"$workload" stream:600000:101 2>/dev/null &
sleep 1
for _ in 1 2 3 4; do
	check "attaching while a reader sleeps and wakes all the time" run 0 "$zptop" -j -i 1.1 -c 2
	tail -n 1 out >last
	check "... leaves a pipe that is still seen" says last '"gone":false.*"reader_waiting_percent":'
	check "... and no sleep that never ends" test "$(grep -c '"reader_waiting_percent":100.00' last)" = 0
done
kill %% 2>/dev/null
wait

# 10,000 pipes at once, and how they go away while they are watched.
check "10,000 pipes" run 0 "$zptop" -1 -n 5 -- "$workload" many:10000:101
check "... are all seen" says out '^10000 pipes, 1 process,'
check "... and none is lost" test ! -s err
HOLD=1 "$workload" many:10000:101 >ready &
until says ready ready; do sleep 0.2; done
check "10,000 pipes that were there before" run 0 "$zptop" -j -c 1 -i 0.1
check "... are all seen, each with its bytes" test "$(grep -o '"held":101,' out | wc -l)" = 10000
kill %% && wait
check "a table with too little room" run 0 "$zptop" -m 97 -1 -- "$workload" many:101:101
check "... says so" says err '^zptop: [0-9]+ events were lost: the tables had no room'
check "... and in the table" says out '[0-9]+ EVENTS LOST'

common_errors zptop zpipe_wake
done_testing
