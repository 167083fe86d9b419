#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# overhead.sh [TOOL]... - what an attached tool costs, in instructions of the benchmark
#
# Messages of 64 bytes through a mapped pipe, on a processor whose clock counts instructions: one
# process that is both ends (the fast path), and a round trip between two that sleep each time (the
# worst there is: some ten events for each). Fails when zptop costs 5 % or more of the first. K is the
# kernel series; FAST=1 leaves out the second. `make -C bpf overhead` builds what it needs.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd -P)
build=${BUILD:-$top/build}
(($#)) || set -- zptop zpcopy zplat zpcheck

# measure [COMMAND...]: what the benchmark says when the command runs it.
measure() {
	local mode
	for mode in icount-1p ${pingpong:+icount-pingpong}; do
		"$@" "$build/bench/zpipe-bench" --icount --only zpipe-mapped --size 64 --reps 3 --mode "$mode" \
			--no-header --csv /tmp/cell.csv >/tmp/said 2>&1 || { cat /tmp/said >&2; exit 1; }
		cut -d, -f9 /tmp/cell.csv
	done
}

if [[ ! ${ZPIPE_VM-} ]]; then
	exec "$top/scripts/vm" -k "${K:-6.12}" --icount --timeout 600 --env BUILD="$build" --env FAST="${FAST-}" -- \
		"$0" "$@"
fi
[[ -d /sys/kernel/tracing/events ]] || mount -t tracefs tracefs /sys/kernel/tracing
[[ ${FAST-} == 1 ]] || pingpong=1
mapfile -t without < <(measure)
printf '%-10s %24s %24s\n' '' '64 bytes, mapped' ${pingpong:+'round trip, sleeping'}
status=0
for tool; do
	mapfile -t with < <(measure "$build/bpf/$tool" --)
	printf '%-10s' "$tool"
	for k in "${!with[@]}"; do
		awk -v a="${without[k]}" -v b="${with[k]}" \
			'BEGIN { printf " %8.1f -> %7.1f %+5.1f%%", a, b, (b - a) / a * 100 }'
	done
	echo
	[[ $tool != zptop ]] ||
		awk -v a="${without[0]}" -v b="${with[0]}" 'BEGIN { exit b >= a * 1.05 }' || status=1
done
((!status)) || echo "overhead: zptop costs 5 % or more" >&2
exit "$status"
