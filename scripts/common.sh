# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# common.sh - what every script here shares: where things are, how to fail, how to wait
#
# Sourced, never run. Sets `top` (the source tree) and `cache` (downloads and products that outlive
# a `make distclean`), and offers small helpers. It starts nothing by itself.

# shellcheck disable=SC2034 # for those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${ZPIPE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/zpipe}
self=${0##*/}

die() {
	printf '%s: %s\n' "$self" "$*" >&2
	exit 1
}

# One line per step, on stderr so that stdout stays the answer of the script.
say() {
	printf '%s: %s\n' "$self" "$*" >&2
}

# locked NAME CMD...: run CMD while holding the cache lock NAME, so that two users of one cache do
# the work once. CMD must test again whether there is anything left to do. Not to be called where
# bash ignores `set -e` (conditions): a failing step inside CMD ends the script.
locked() {
	local name=$1 fd
	shift
	mkdir -p "$cache" || die "cannot create $cache"
	exec {fd}>"$cache/.lock-$name"
	flock "$fd" || die "cannot lock $cache/.lock-$name"
	"$@"
	exec {fd}>&-
}

# have PACKAGE: is it installed?
have() {
	[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ?i* ]]
}

# as_root CMD...: directly, or through a sudo that asks nothing.
as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	((EUID == 0)) || sudo -n true 2>/dev/null
}

# fetch_debs DIR NAME[=VERSION]...: download packages into DIR, without installing them.
fetch_debs() {
	local dir=$1
	shift
	# Downloads need no privilege; the sandbox user could not write into DIR.
	(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) ||
		die "cannot download $*"
}
