#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# soak.sh SECONDS DIR PATTERN... - run tests again and again, each time with another seed
#
# Stops at the first failure, and says the seed that repeats it (ZPIPE_SEED). The last line is
# `# soak: N rounds, N passed, N failed, seeds A to B`.

set -euo pipefail

limit=$1
shift
here=$(dirname "$0")
first=${ZPIPE_SEED:-$((RANDOM << 16 | RANDOM << 1 | 1))}
seed=$first rounds=0 passed=0 failed=0
while ((!failed && (SECONDS < limit || !rounds))); do
	output=$(ZPIPE_SEED=$seed "$here/run.sh" "$@" 2>&1) || true
	read -r p f < <(sed -nE 's/^# totals: ([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' <<<"$output") ||
		{ p=0 f=1; }
	passed=$((passed + p)) failed=$((failed + f)) rounds=$((rounds + 1))
	((!f)) || printf '%s\n# with ZPIPE_SEED=%s\n' "$output" "$seed"
	last=$seed
	seed=$((seed + 1))
done
echo "# soak: $rounds rounds, $passed passed, $failed failed, seeds $first to $last"
((!failed))
