#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh - build the benchmark, run it by the clock and by instructions, write bench/results.csv and
# bench/latency.csv, and draw them as build/bench/results.svg and latency.svg, and .png
#
# Environment: K (kernel series of the virtual machine, 6.12), NATIVE=1 (on this machine: no
# instruction counts), BUILD (build/), ARGS (more arguments for zpipe-bench). The figures of a
# machine that does something else at the same time mean nothing. Status: 0 when every promise is
# kept, 1 when one is missed.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd -P)
build=${BUILD:-$top/build}
series=${K:-6.12}
out=$build/bench/out
results=$top/bench/results.csv
latency=$top/bench/latency.csv

"$top/scripts/deps" build bench >&2
make -s --no-print-directory -C "$top/bench" BUILD="$build" >&2
# zpipe run is compared with the shell's pipe.
make -s --no-print-directory -C "$top/tools" BUILD="$build" >&2
bench=$build/bench/zpipe-bench
rm -rf "$out"
mkdir -p "$out"
read -ra args <<<"${ARGS-}"

# run NAME VM-OPTION... -- ARG...: one run of the benchmark; its rows go to $out/NAME.csv.
missed=''
run() {
  local name=$1 status=0 options=()
  shift
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  if [[ ${NATIVE-} == 1 ]]; then
    "$bench" --csv "$out/$name.csv" "$@" || status=$?
  else
    "$top/scripts/vm" -k "$series" --timeout 900 --share "$out" "${options[@]}" -- \
      "$bench" --csv "$out/$name.csv" "$@" || status=$?
  fi
  if [[ ! -e $out/$name.csv ]] || ((status > 1)); then
    echo "bench: the $name run ended with status $status" >&2
    exit 2
  fi
  ((!status)) || missed=1
}

read -r load _ </proc/loadavg
[[ $load == 0.[0-4]* ]] || echo "note: the load of this machine is $load: do not trust the speeds"
run clock --smp 2 -- --latency "$out/latency" "${args[@]}"
if [[ ${NATIVE-} != 1 ]]; then
  run icount --icount -- --icount --no-header "${args[@]}"
fi
cat "$out"/*.csv >"$results"
cp "$out/latency" "$latency"
echo "wrote ${results#"$top/"} ${latency#"$top/"}"
# Only some of the modes, where ARGS says so: then there may be nothing to draw.
for table in "$results" "$latency"; do
  drawn=$("$top/tools/zpipe-plot" -o "$build/bench/$(basename "$table" .csv)" "$table") && echo "drew $drawn"
done
if [[ $missed ]]; then
  echo "bench: a promise was missed"
  exit 1
fi
