#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zphold - it shows exactly what is preserved, exported and teed, by whom, and by which stack

# shellcheck disable=SC2317 # check() calls what is defined here
. "$(dirname "$(readlink -f "$0")")/common.sh"
zphold=$tools/zphold
keeper=$tools/tests/keeper

# Its last look while the keeper sleeps: 10 of 11 ranges are left, one of them also exported.
look() {
	"$zphold" "${@:2}" >out 2>err &
	local tool=$! keeper_pid rc=0
	until bpftool prog show name on_release 2>/dev/null | grep -q tracepoint; do
		sleep 0.1
	done
	"$keeper" "$1" >ready &
	keeper_pid=$!
	until [[ -s ready ]]; do
		sleep 0.1
	done
	# So long that it has looked at least once after that.
	sleep 1.5
	kill -INT "$tool"
	wait "$tool" || rc=$?
	wait "$keeper_pid"
	return "$rc"
}

# last REGEX NUMBER: so many lines of its last table match.
last() {
	local got
	got=$(tac out | sed '/^KIND/q' | grep -cE -- "$1" || true)
	[[ $got == "$2" ]] || { echo "# $got lines, not $2: $1"; return 1; }
}

check "it looks while memory is held" look keep:11:4099 -i 0.5
check "a line for each preserved range" last '^preserved +[0-9]+ +[0-9]+ +4099 ' 10
check "... but not for the released one" last '^preserved +[0-9]+ +0 ' 0
check "... with who did it" last '^preserved +[0-9]+ +[0-9]+ +4099 +[0-9.a-z]+ +[0-9]+ keeper +[0-9]+/[0-9]+$' 10
check "... the total of them" last '^total  preserved: 40K in 10, exported: 4.0K in 1, teed: ' 1
check "a line for the exported range" last '^exported +[0-9]+ +4099 +4099 .* keeper ' 1
check "a line for the teed reader" last '^teed +[0-9]+ +0 +45089 .* keeper ' 1
check "... and one for the other" last '^teed +[0-9]+ +45089 +0 +- +- \(before zphold\) ' 1
check "the stack of PRESERVE has its function" last '^ +keep\+0x[0-9a-f]+ \(.*/keeper\)$' 10
check "... and main" last '^ +main\+0x[0-9a-f]+ \(.*/keeper\)$' 12
check "... and the call" last '^ +(__)?ioctl\+0x[0-9a-f]+ \(.*libc.*\)$' 12
check "nothing is lost" test ! -s err

check "as JSON" look keep:7:1009 -i 0.5 -j
check "... that can be read" python3 -c '
import json
lines = [json.loads(line) for line in open("out")]
kept = [l for l in lines if l["kind"] == "preserved" and l["pipe"] == lines[-1]["pipe"]]
assert {l["position"] for l in kept} == set(range(1009, 7063, 1009)), kept
assert all(l["bytes"] == 1009 and l["handles"] == 1 and l["comm"] == "keeper" for l in kept)
assert any(f.startswith("keep+") for f in kept[0]["stack"]), kept[0]'

check "what comes while it looks" run 0 "$zphold" -i 0.01 -j -n -- "$keeper" keep:100:11
check "... is shown" test "$(grep -c '"kind":"preserved".*"since":' out)" -gt 1000
check "... and not taken for older" test "$(grep -v '"since":' out | grep -cE '"kind":"(preserved|exported)"')" = 0

"$keeper" keep:5:1999 >ready &
until [[ -s ready ]]; do sleep 0.1; done
check "what is older than the tool" run 0 "$zphold" -i 0.1 -c 1 -n
wait
check "... is shown all the same" last '^preserved +[0-9]+ +- +7996 +- +- \(before zphold\) [0-9]+/[0-9]+$' 1
check "... the buffer, too" last '^exported +[0-9]+ +1999 +1999 +- +- \(before zphold\) ' 1
check "... and the readers" last '^teed ' 2
check "when all is over, nothing is left" run 0 "$zphold" -i 20 -- "$keeper" keep:3:11
check "... in its table" last '^(preserved|exported|teed) ' 0
rm ready
"$workload" outrun:5:4093 >ready &
pid=$!
until [[ -s ready ]]; do sleep 0.1; done
check "readers that are over" run 0 "$zphold" -i 0.1 -c 1
kill "$pid"
wait
check "... hold nothing, while another goes on" last '^teed ' 1
check "only one pipe" run 0 "$zphold" -p 18446744073709551615 -c 1 -- "$workload" sleep:1500:0
check "... which does not exist" last '^(preserved|exported|teed) ' 0

common_errors zphold zpipe_preserve
done_testing
