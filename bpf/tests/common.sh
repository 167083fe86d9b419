# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# common.sh - what the tests of the tools share: TAP, and where everything is
#
# A test is bpf/tests/<tool>.sh, linked as build/selftests/bpf_<tool>; selftests/run.sh runs it in
# the guest, as root, in an empty folder. It calls `check` for each sentence it proves, and `done_testing`.

set -uo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd -P)
tools=$(cd "$(dirname "$0")/../bpf" && pwd -P)
workload=$tools/tests/workload
top=$(cd "$here/../.." && pwd -P)
number=0 failures=0
# run.sh has one folder for all of them, with a file of its own that is called out.
mkdir work.$$ && cd work.$$ || exit

[[ -d /sys/kernel/tracing/events ]] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

echo "TAP version 13"

# check NAME CMD...: one test; it passes when CMD succeeds.
check() {
	local name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number - $name"
	else
		failures=$((failures + 1))
		# Once is enough for a row of tests on one output.
		[[ ! -s out || shown -nt out ]] || sed 's/^/# out: /' out | cut -c1-400 | head -n 40
		[[ ! -s err ]] || sed 's/^/# err: /' err | cut -c1-400 | head -n 20
		touch shown
		echo "not ok $number - $name"
	fi
}

done_testing() {
	echo "1..$number"
	exit $((failures > 0))
}

# run STATUS CMD...: run it, keep what it says in the files out and err; did it end with STATUS?
run() {
	local wanted=$1 rc=0
	shift
	"$@" >out 2>err </dev/null || rc=$?
	[[ $rc == "$wanted" ]] || { echo "# status $rc, not $wanted: $*"; return 1; }
}

# says FILE REGEX: a line of it matches. No grep for few lines: in an emulated machine it takes longer.
says() {
	local line lines
	mapfile -t -n 300 lines <"$1"
	for line in "${lines[@]}"; do
		[[ ! $line =~ $2 ]] || return 0
	done
	((${#lines[@]} == 300)) && grep -qE -- "$2" "$1"
}

# common_errors TOOL: what every tool has to say when it cannot work.
common_errors() {
	local tool=$tools/$1 event=${2-zpipe_create}
	local format=/sys/kernel/tracing/events/zpipe/$event/format
	check "an unknown option ends with status 2" run 2 "$tool" --nonsense
	check "... and a sentence" says err "unrecognized option '--nonsense'"
	check "--version tells the version" run 0 "$tool" --version
	check "... of the project" says out "$(cat "$top/VERSION")"
	check "--help works" run 0 "$tool" --help
	check "an ordinary user is refused" run 1 setpriv --reuid 65534 --clear-groups "$tool" -- true
	check "... with a sentence" says err "^$1: needs root"
	check "a command that does not exist is an error" run 1 "$tool" -- /does/not/exist
	check "... with a sentence" says err "^$1: cannot run /does/not/exist: No such file"
	check "the status is the command's" run 17 "$tool" -- sh -c 'exit 17'

	sed 's/u64 length;\toffset:24/u64 length;\toffset:28/' "$format" >changed
	mount --bind changed "$format"
	check "fields that differ are an error" run 1 "$tool" -- true
	check "... with a sentence" says err "tracepoint $event of the loaded module has its field length at byte 28"
	umount "$format"
	sed '/u64 position;/d' "$format" >changed
	mount --bind changed "$format"
	check "fields that lack are an error" run 1 "$tool" -- true
	check "... with a sentence" says err "tracepoint $event of the loaded module lacks fields"
	umount "$format"

	mkdir -p empty
	mount --bind empty /sys/kernel/tracing/events/zpipe/"$event"
	check "an event that lacks is an error" run 1 "$tool" -- true
	check "... with a sentence" says err "has no tracepoint $event: it is older"
	umount /sys/kernel/tracing/events/zpipe/"$event"
	rmmod zpipe
	check "a module that is not loaded is an error" run 1 "$tool" -- true
	check "... with a sentence" says err "the module zpipe is not loaded"
	insmod "$ZPIPE_MODULE"
	check "with the module back it works again" run 0 "$tool" -- true
}
