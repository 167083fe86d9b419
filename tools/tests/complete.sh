#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# complete - bash completes each subcommand and each option, and the manual has them

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/tests/tap.sh"

PATH=$built/tools:$PATH
# shellcheck source=../zpipe/zpipe.bash
. "$built/../tools/zpipe/zpipe.bash"

# completed WORD...: what the last one can become, a line each.
completed() {
	COMP_WORDS=(zpipe "$@") COMP_CWORD=$#
	_zpipe
	printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort
}

subs=$(zpipe --help | awk '/^Subcommands:/ { inside = 1; next } !NF { inside = 0 } inside { print $1 }')
is "there are subcommands" 11 "$(wc -l <<<"$subs")"
is "all of them are completed" "$(printf '%s\n' "$subs" --help --version | LC_ALL=C sort)" "$(completed '')"

# What the help of each says, read by somebody else: "SUBCOMMAND OPTION".
options=$(for sub in $subs; do
	zpipe "$sub" --help 2>/dev/null | sed "s/^/$sub:/"
done | python3 -c 'import re, sys
for line in sys.stdin:
	match = re.match(r"([a-z]+): {1,8}(-\S.*?)(  |$)", line.rstrip())
	for word in match[2].split(", ") if match else []:
		print(match[1], re.split(r"[ =\[]", word)[0])' | LC_ALL=C sort -u)
for sub in $subs; do
	mine=$(sed -n "s/^$sub //p" <<<"$options")
	if [[ ! $mine ]]; then
		[[ $sub == top || $sub == bench ]] && rc=0 || rc=1
		ok "$rc" "$sub is a program that was not built"
		continue
	fi
	is "the options of $sub are completed" "$mine" "$(completed "$sub" -)"
	is "the long ones of $sub, too" "$(grep '^--' <<<"$mine" || true)" "$(completed "$sub" -- | sed '/^$/d')"
	# Those of other programs are in their own pages.
	[[ $sub != bench && $sub != top && $sub != plot ]] || continue
	is "all options of $sub are in the manual" "" \
		"$(grep -- '^--' <<<"$mine" | grep -vE '^--(help|usage|version)$' | while read -r option; do
			grep -qE -- "-${option#--}( |\$)" "$built/../man/zpipe.1" || echo "$option"
		done)"
done
touch a-file
is "files are completed" a-file "$(completed cat a-fi)"
has "commands are completed" '^bash$' "$(completed run bas)"
has "processes are completed" "^$$\$" "$(completed list --pid '')"
finish
