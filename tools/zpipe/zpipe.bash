# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# zpipe.bash - completion of zpipe(1) for bash
#
# The subcommands and the options are those that zpipe --help and zpipe SUBCOMMAND --help name, so
# that none can be missing here.

_zpipe() {
	local current=${COMP_WORDS[COMP_CWORD]} sub=${COMP_WORDS[1]} words=''

	if ((COMP_CWORD == 1)); then
		words="$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -nE '/^Subcommands:/,/^$/s/^ +([a-z]+) .*/\1/p')
			--help --version"
	else
		case $sub:${COMP_WORDS[COMP_CWORD - 1]}:$current in
		list:-p:* | list:--pid:*) words=$(cd /proc && printf '%s\n' [0-9]*) ;;
		list:-i:* | list:--pipe:* | plot:-p:* | stat:*:[^-]* | stat:*:) words=$(_zpipe_pipes) ;;
		*:*:-) words=$(_zpipe_options "$sub") ;;
		*:*:-*) words=$(_zpipe_options "$sub" | grep '^--') ;;
		run:*)
			mapfile -t COMPREPLY < <(compgen -c -- "$current")
			return
			;;
		cat:* | pv:* | send:* | recv:* | plot:*)
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
			;;
		*) words=$(_zpipe_options "$sub") ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# The options in front of the lines of the help, without what they take.
_zpipe_options() {
	"${COMP_WORDS[0]}" "$1" --help 2>&1 | sed -nE 's/^ {1,8}(-[^ ,]+(, -[^ ,]+)*).*/\1/p' |
		grep -oE -- '(^|-)-[A-Za-z0-9?][a-z-]*' | sort -u
}

# The numbers of the pipes that one may see.
_zpipe_pipes() {
	"${COMP_WORDS[0]}" list 2>/dev/null | grep -oE ' [0-9]+ (writer|reader) +[0-9]+ ' | awk '{ print $3 }' | sort -un
}

complete -F _zpipe zpipe
