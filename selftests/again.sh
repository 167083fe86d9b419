#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# again.sh SECONDS VARIABLE COUNT MOST DIR PROGRAM - run a test with a larger and larger count
#
# VARIABLE=COUNT first, then four times as many, and so on up to MOST, each time with another seed,
# until the time is up; after the first, a run is begun only when it should fit. Stops at the first
# failure. What each run says is kept in LOGS, as PROGRAM.1.log and so on. The last line is
# `# again: N runs, N failed, the last with VARIABLE=COUNT`.

set -euo pipefail

limit=$1 variable=$2 count=$3 most=$4
shift 4
here=$(dirname "$0")
runs=0 failed=0 took=0 last=$count
while ((!failed && (!runs || SECONDS + took <= limit))); do
	begin=$SECONDS
	env "$variable=$count" "$here/run.sh" "$@" || failed=1
	took=$((SECONDS - begin)) runs=$((runs + 1)) last=$count
	[[ ! ${LOGS-} || ! -e $LOGS/$2.log ]] || mv "$LOGS/$2.log" "$LOGS/$2.$runs.log"
	if ((took * 4 + SECONDS < limit)); then
		count=$((count * 4 < most ? count * 4 : most))
	fi
done
echo "# again: $runs runs, $failed failed, the last with $variable=$last"
((!failed))
