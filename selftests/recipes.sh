#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# recipes - the commands of Documentation/tracing.md do what the page says
#
# Commands are the lines that begin with "    # "; those that follow each other are run by one
# shell, while other tests use the module. A remark above them says what they have to show. Also:
# the page names every event that the kernel has, and no other.

set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
page=$here/../Documentation/tracing.md
programs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# Not the folder we are in, where our own output may be.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch program=$programs/lib_stats

skip() {
	echo "1..0 # SKIP $*"
	exit 4
}
[[ -e $page ]] || skip "there is no Documentation/tracing.md"
((!EUID)) || skip "needs root"
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || skip "no tracefs"
[[ -d /sys/kernel/tracing/events/zpipe ]] || skip "the module is not loaded"
[[ -x $program ]] || skip "the tests of the library are not built"

# Switching events on rewrites code, which emulated processors must not run meanwhile: take one.
taskset -cp 0 $$ >/dev/null 2>&1 || :

number=0 failed=0
result() {
	number=$((number + 1))
	if (($1)); then
		failed=$((failed + 1))
		echo "not ok $number $2"
	else
		echo "ok $number $2"
	fi
}

cd "$scratch"
# work PROGRAM...: one after the other, for ever
work() {
	while :; do
		for name; do
			nice -n 10 "$programs/$name" >/dev/null 2>&1 || :
			sleep 0.2
		done
	done
}
work lib_kept &
workers=($!)
work thresholds stat lib_stats &
workers+=($!)
stop() {
	kill "${workers[@]}" 2>/dev/null || :
	wait "${workers[@]}" 2>/dev/null || :
	rmdir /sys/kernel/tracing/instances/zp 2>/dev/null || :
	rm -rf "$scratch"
}
trap stop EXIT

# try SHOWS COMMANDS
try() {
	local status=0 name
	name=$(head -n 1 <<<"$2")
	[[ $name != 'cd '* ]] || name+="; $(sed -n 2p <<<"$2")"
	if [[ $2 == *perf\ * ]] && ! perf --version >/dev/null 2>&1; then
		result 0 "$name # SKIP no perf (linux-perf)"
		return
	fi
	if [[ $2 == *\$program* ]] && [[ $(readelf --notes "$program") != *'Provider: zpipe'* ]]; then
		result 0 "$name # SKIP built without sys/sdt.h (systemtap-sdt-dev)"
		return
	fi
	if [[ $2 == *hist:* && ! -e /sys/kernel/tracing/events/zpipe/zpipe_copy/hist ]]; then
		result 0 "$name # SKIP this kernel has no histograms (CONFIG_HIST_TRIGGERS)"
		return
	fi
	# What it shows depends on what the others do meanwhile.
	for _ in 1 2 3; do
		bash -euc "$2" >"$scratch/out" 2>&1 || status=$?
		if ((status)) || [[ $1 == nothing ]] || grep -Eq -- "$1" "$scratch/out"; then
			break
		fi
	done
	if ((status)); then
		sed 's/^/# /' "$scratch/out" | tail -n 20
	elif [[ $1 != nothing ]] && ! grep -Eq -- "$1" "$scratch/out"; then
		head -n 20 "$scratch/out" | sed 's/^/# /'
		echo "# does not show: $1"
		status=1
	fi
	result "$status" "$name"
}

echo "TAP version 13"
(cd /sys/kernel/tracing/events/zpipe && printf '%s\n' zpipe_*) | sort >"$scratch/there"
# shellcheck disable=SC2016 # Markdown
sed -n 's/^| `\(zpipe_[a-z_]*\)` .*/\1/p' "$page" | sort >"$scratch/named"
status=0
diff "$scratch/there" "$scratch/named" | sed 's/^/# /' || status=1
result "$status" "the page names the events that there are"

shows=nothing commands=''
while IFS= read -r line <&3; do
	if [[ $line == '    # '* ]]; then
		commands+=${line#    \# }$'\n'
		continue
	fi
	if [[ $commands ]]; then
		try "$shows" "$commands"
		commands='' shows=nothing
	fi
	[[ $line != '<!-- shows: '* ]] || { shows=${line#<!-- shows: } shows=${shows% -->}; }
done 3<"$page"
echo "1..$number"
((!failed))
