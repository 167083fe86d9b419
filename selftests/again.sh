#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# again.sh SECONDS VARIABLE COUNT MOST DIR PROGRAM - run a test with a larger and larger count
#
# VARIABLE=COUNT first, then four times as many, and so on up to MOST, each time with another seed,
# until the time is up; the last has as many as should fit. Stops at the first failure. What each run
# says is kept in LOGS, as PROGRAM.1.log and so on. The last line is
# `# again: N runs, N failed, the last with VARIABLE=COUNT`.

set -euo pipefail

limit=$1 variable=$2 count=$3 most=$4
shift 4
here=$(dirname "$0")
runs=0 failed=0 last=$count
while :; do
	begin=$SECONDS
	env "$variable=$count" "$here/run.sh" "$@" || failed=1
	took=$((SECONDS - begin + 1)) runs=$((runs + 1)) last=$count
	[[ ! ${LOGS-} || ! -e $LOGS/$2.log ]] || mv "$LOGS/$2.log" "$LOGS/$2.$runs.log"
	left=$(((limit - SECONDS) * 9 / 10))
	next=$((took * 4 < left ? count * 4 : count * left / took))
	((!failed && left * 4 >= took && next)) || break
	count=$((next < most ? next : most))
done
echo "# again: $runs runs, $failed failed, the last with $variable=$last"
((!failed))
