#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh DIR [PATTERN]... - run the test programs of a folder on a machine with /dev/zpipe
#
# Runs as root every program of DIR, or those whose names match a shell pattern, one after the
# other, and sums up what they report as TAP. A program that dies, hangs, exits with an error but
# without a "not ok", or reports fewer tests than it planned counts as one failure more; exit status
# 4 as a skip. The last line is `# totals: P passed, F failed, S skipped`.
#
# Environment: TEST_TIMEOUT (seconds per program, 300), LOGS (an existing folder that keeps each
# program's output).

set -euo pipefail

limit=${TEST_TIMEOUT:-300}
if [[ ! -d ${1-} ]]; then
	echo "usage: selftests/run.sh DIR [PATTERN]..." >&2
	exit 2
fi
dir=$(cd "$1" && pwd -P)
shift
(($#)) || set -- '*'

[[ -c /dev/zpipe ]] || echo "# there is no /dev/zpipe: is the module loaded?"
# The programs run in an empty folder, so what they find by its place is named here.
built=$(cd "$(dirname "$0")/.." && pwd -P)/build/module-${ZPIPE_VM-}/zpipe.ko
[[ ${ZPIPE_MODULE-} || ! -e $built ]] || export ZPIPE_MODULE=$built
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out
cd "$scratch"

passed=0 failed=0 skipped=0
# What count() says of a program.
ok=0 bad=0 skip=0 plan='' note='' lines=()

indent() {
	sed 's/^/    /'
}

# excerpt: what somebody wants to see of a failed program: each failed test with its remarks.
excerpt() {
	local lines
	lines=$(awk '/^ok / { kept = ""; next }
		/^not ok / { printf "%s%s\n", kept, $0; kept = ""; next }
		!/^# +(RUN|OK|FAIL) |^# (FAILED|Totals):|: Test failed$|^TAP |^1\.\./ { kept = kept $0 "\n" }
		END { printf "%s", kept }' "$out" | head -n 40)
	printf '%s\n' "${lines:-no output}" | indent
}

# count: what the program has reported, without a process: in an emulated machine that takes longer than
# most programs.
count() {
	local line
	ok=0 bad=0 skip=0 plan='' note=''
	mapfile -t lines <"$out"
	for line in "${lines[@]}"; do
		case $line in
		'ok '[0-9]*'# '[Ss][Kk][Ii][Pp]*) ((++skip)) ;;
		'ok '[0-9]*) ((++ok)) ;;
		'not ok '[0-9]*) ((++bad)) ;;
		1..[0-9]*) plan=${plan:-${line#1..}} ;;
		esac
		[[ $note || $line != *SKIP* ]] || note=SKIP${line#*SKIP}
	done
	plan=${plan%%[!0-9]*}
}

run() {
	local name=$1 rc=0 begin=${EPOCHREALTIME/./} why=''
	# Says in the kernel log whose fault a complaint is.
	echo "<6>selftests: $name" 2>/dev/null >/dev/kmsg || true
	# The shell's own remark about a signal is not wanted.
	{ timeout -k 5 "$limit" "$dir/$name" >"$out" 2>&1 </dev/null || rc=$?; } 2>/dev/null
	local spent=$(((${EPOCHREALTIME/./} - begin) / 100000))
	local took="$((spent / 10)).$((spent % 10)) s"

	count

	((rc != 137 || spent >= limit * 10)) || rc=265
	case $rc in
	0) ((ok + bad + skip)) || ok=1 ;;
	4)
		((bad || skip)) || skip=1
		;;
	124 | 137) why="no end after $limit s" ;;
	12[6-7]) why="cannot be run" ;;
	*)
		if ((rc > 128)); then
			why="killed by signal $((rc % 128))"
		elif ((!bad)); then
			why="exit status $rc"
		fi
		;;
	esac
	if [[ ! $why && $plan ]] && ((rc != 4 && plan != ok + bad + skip)); then
		why="planned $plan tests, reported $((ok + bad + skip))"
	fi
	[[ ! $why ]] || ((++bad))
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))

	[[ ! ${LOGS-} ]] || printf '%s\n' "${lines[@]}" >"$LOGS/$name.log"
	if ((bad)); then
		echo "not ok - $name ($bad of $((ok + bad + skip)) tests failed${why:+: $why}, $took)"
		excerpt
	elif ((!ok)); then
		echo "ok - $name # ${note:-SKIP} ($took)"
	elif ((skip)); then
		echo "ok - $name ($ok tests, $skip skipped, $took)"
	else
		echo "ok - $name ($ok tests, $took)"
	fi
}

names=()
for path in "$dir"/*; do
	[[ ! -f $path || ! -x $path || $path == */module ]] || names+=("${path##*/}")
done
# The last, because it unloads the module.
[[ ! -x $dir/module ]] || names+=(module)
for name in "${names[@]}"; do
	for pattern; do
		# shellcheck disable=SC2053 # a pattern is what it is
		if [[ $name == $pattern ]]; then
			run "$name"
			break
		fi
	done
done

# Who names a program wants it to run.
for name; do
	if [[ $name != *[*?[]* && ! -x $dir/$name ]]; then
		echo "not ok - $name (there is no such program)"
		failed=$((failed + 1))
	fi
done
if ((!passed && !failed && !skipped)); then
	echo "not ok - nothing matches: $*"
	failed=1
fi
echo "# totals: $passed passed, $failed failed, $skipped skipped"
((!failed))
