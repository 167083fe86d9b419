# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# tap.sh - what the tests of the tools share: results as TAP, comparisons, a background process
#
# Sourced by a test, which ends with `finish`. Sets `built` (the folder of the programs).

set -euo pipefail
# shellcheck disable=SC2034 # for those who source this
built=$(cd "$(dirname "$0")/.." && pwd -P)
number=0 failed=0

# ok STATUS NAME [TEXT]: one test; the text explains a failure.
ok() {
	number=$((number + 1))
	if (($1 == 0)); then
		echo "ok $number $2"
		return
	fi
	failed=$((failed + 1))
	[[ ! ${3-} ]] || head -n 30 <<<"$3" | sed 's/^/# /'
	echo "not ok $number $2"
}

# is NAME WANTED GOT
is() {
	if [[ $2 == "$3" ]]; then
		ok 0 "$1"
	else
		ok 1 "$1" "wanted: $2"$'\n'"got:    $3"
	fi
}

# matches PATTERN TEXT: an extended regular expression, on any line. No grep: in an emulated machine it
# takes longer.
matches() {
	local line lines
	mapfile -t lines <<<"$2"
	for line in "${lines[@]}"; do
		[[ ! $line =~ $1 ]] || return 0
	done
	return 1
}

# has NAME PATTERN TEXT: a line matches.
has() {
	if matches "$2" "$3"; then
		ok 0 "$1"
	else
		ok 1 "$1" "no line has: $2"$'\n'"$3"
	fi
}

# fails NAME STATUS PATTERN CMD...: it must end with the status and one such line on stderr.
fails() {
	local name=$1 wanted=$2 pattern=$3 said rc=0
	shift 3
	said=$("$@" 2>&1 >/dev/null) || rc=$?
	if ((rc == wanted)) && matches "$pattern" "$said"; then
		ok 0 "$name"
	else
		ok 1 "$name" "status $rc, said: $said"
	fi
}

finish() {
	echo "1..$number"
	((!failed))
}
