# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
#
# common.sh - what several gates need; see check-static
#
# A gate is run by itself, in the top folder, with `set -e`; $scratch is a folder of its own. It
# fails when a command of it does, or when it says so.

# fail WHY
fail() {
	echo "$*"
	exit 1
}

# skip WHY: the subject of the gate is missing. Never a way to get past a tool that is missing.
skip() {
	echo "$*"
	exit 4
}

# sources PATTERN...: the files of the tree that match, one a line; * matches slashes, too.
sources() {
	local file pattern
	if [[ -e .git ]]; then
		git -c safe.directory="$top" ls-files -co --exclude-standard
	else
		find . -path ./build -prune -o -type f -printf '%P\n'
	fi | sort | while IFS= read -r file; do
		[[ -f $file ]] || continue
		for pattern; do
			# shellcheck disable=SC2053 # a pattern is what it is
			if [[ $file == $pattern ]]; then
				printf '%s\n' "$file"
				break
			fi
		done
	done
}

# need_part FOLDER: skip where there is no such part yet.
need_part() {
	[[ -f $1/Makefile ]] || skip "there is no $1/ yet"
}

# quietly CMD...: must succeed and say nothing.
quietly() {
	local output rc=0
	output=$("$@" 2>&1) || rc=$?
	[[ ! $output ]] || printf '%s\n' "$output"
	[[ $rc == 0 && ! $output ]]
}

# Where headers and the static library are: for programs outside the tree's own Makefiles.
includes=(-Ilib/include -Iuapi)

# make_tools: build tools/ in $scratch, for the headers that its Makefile writes.
make_tools() {
	[[ -f tools/Makefile ]] || return 0
	make -s -C tools BUILD="$scratch"
	includes+=(-I"$scratch/tools/obj" "-DZPIPE_VERSION=\"$(cat VERSION)\"")
}
