# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# zpipe.bash - completion of zpipe(1) for bash

_zpipe() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local words=''

	if ((COMP_CWORD == 1)); then
		words='run cat pv send recv bench list stat top plot doctor --help --version'
	else
		case $previous in
		-p | --pid) words=$(cd /proc && printf '%s\n' [0-9]*) ;;
		-i | --pipe) words=$(_zpipe_pipes) ;;
		*)
			case ${COMP_WORDS[1]}:$current in
			run:-*) words='--capacity --segment-size --guarded --help' ;;
			cat:-* | pv:-*) words='--progress --interval --size --keep-open --help' ;;
			send:-* | recv:-*)
				words='--wait --mode --progress --capacity --segment-size --guarded --help'
				;;
			bench:*) words='--size --target --reps --help' ;;
			run:*)
				mapfile -t COMPREPLY < <(compgen -c -- "$current")
				return
				;;
			list:*) words='--pid --pipe --look --json --help' ;;
			stat:-*) words='--watch --count --json --help' ;;
			stat:*) words=$(_zpipe_pipes) ;;
			doctor:*) words='--json --help' ;;
			cat:* | pv:* | send:* | recv:* | plot:*)
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
				return
				;;
			esac
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# The numbers of the pipes that one may see.
_zpipe_pipes() {
	zpipe list 2>/dev/null | grep -oE ' [0-9]+ (writer|reader) +[0-9]+ ' | awk '{ print $3 }' | sort -un
}

complete -F _zpipe zpipe
