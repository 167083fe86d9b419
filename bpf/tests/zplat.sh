#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zplat - as many samples in each histogram as the workload has waits, pauses and messages

. "$(dirname "$(readlink -f "$0")")/common.sh"
zplat=$tools/zplat

# has PIPE KIND COUNT: the slots add up to it, too.
# shellcheck disable=SC2317 # check calls it
has() {
	local row slots sum=0
	row=$(grep -F "{\"pipe\":$1,\"kind\":\"$2\",\"count\":$3," out) || return
	[[ $row != *$'\n'* && $row == *'"lost":0,'* ]] || return
	slots=${row#*\"slots\":\{}
	while [[ $slots =~ ^\"[0-9]+\":([0-9]+)[,}](.*) ]]; do
		sum=$((sum + BASH_REMATCH[1]))
		slots=${BASH_REMATCH[2]}
	done
	((sum == $3))
}

check "it runs a command" run 0 "$zplat" -j -e -- \
	"$workload" rw:7:101 verbs:13:977 wait:17:31 pause:19:23 splice:11:4099
check "each wait of the reader" has null reader_wait 17
check "each wait of the writer" has null writer_wait 19
check "each pause" has null paused 19
check "each message, from published to consumed" has null publish_to_consume 67
id=$(sed -n 's/^{"pipe":\([0-9]*\),"kind":"publish_to_consume","count":7,.*/\1/p' out)
check "the pipe of write(2) and read(2)" has "$id" publish_to_consume 7
check "... of the verbs" has $((id + 1)) publish_to_consume 13
check "... whose reader waits" has $((id + 2)) reader_wait 17
check "... and its messages" has $((id + 2)) publish_to_consume 17
check "... whose writer is paused" has $((id + 3)) paused 19
check "... and waits" has $((id + 3)) writer_wait 19
check "... and its messages" has $((id + 3)) publish_to_consume 19
check "... that is spliced out of" has $((id + 4)) publish_to_consume 11
check "... and nothing else" test "$(grep -c "\"pipe\":$((id + 4))," out)" = 1
check "nothing was left out" says out '"untimed":0'

check "a table" run 0 "$zplat" -- "$workload" wait:23:41
check "... tells how many there were" says out '^reader waits: 23, mean '
check "... and messages" says out '^publish to consume: 23, mean '
check "... and what did not happen" says out '^writer paused: 0$'
check "... with bars" says out '^ +[0-9.]+[mun]?s to [0-9.]+[mun]?s +[0-9]+ \|#+'

"$workload" wait:37:43 verbs:41:47 & sleep 0.2
check "intervals" run 0 "$zplat" -j -i 0.5 -c 3
check "... are so many" test "$(wc -l <out)" = 12
wait
check "more messages on their way than there is room for" run 0 \
	"$zplat" -- "$workload" many:3:101 fill:101:103
check "... are counted" says out '^37 publishes could not be timed'

common_errors zplat zpipe_resume
done_testing
