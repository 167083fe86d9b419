#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# missing.sh ZPIPE_KO FILE - where the blocks are that were not reached
#
# FILE is what zpipe_fuzz --missing has written: a section and an offset a line. Prints each as
# `section file:line function`, and before them how many each source file has.

set -euo pipefail

module=${1?usage: missing.sh ZPIPE_KO FILE} list=${2?usage: missing.sh ZPIPE_KO FILE}
places=$(mktemp)
trap 'rm -f "$places"' EXIT
cut -d' ' -f1 "$list" | sort -u | while read -r section; do
	awk -v s="$section" '$1 == s { print $2 }' "$list" |
		addr2line -j "$section" -f -s -e "$module" | paste - - | sed "s/^/$section	/"
done | awk '{ print $1, $3, $2 }' >"$places"
awk '{ sub(/:.*/, "", $2); print $1 == ".text" ? $2 : $2 " " $1 }' "$places" | sort | uniq -c | sort -rn
sort -k 2 "$places"
