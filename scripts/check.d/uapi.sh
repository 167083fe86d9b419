# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# uapi.sh - gates about the header that kernel and userspace share

gate_uapi_alone() {
	local flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iuapi -include linux/zpipe.h)
	for std in c90 c11; do
		gcc -std=$std "${flags[@]}" -x c /dev/null
		clang -std=$std "${flags[@]}" -x c /dev/null
	done
	g++ -std=c++17 "${flags[@]}" -x c++ /dev/null
	gcc -m32 -I/usr/include/x86_64-linux-gnu "${flags[@]}" -x c /dev/null
}

# Compiles a variable of every struct, and compares what pahole makes of them.
gate_uapi_holes() {
	local structs name bits
	structs=$(sed -nE 's/^struct (zpipe_[a-z_]+) \{$/\1/p' uapi/linux/zpipe.h)
	[[ $structs ]] || fail "no struct was found"
	{
		echo '#include <linux/zpipe.h>'
		for name in $structs; do
			echo "struct $name a_$name;"
		done
	} >"$scratch/all.c"
	for bits in 32 64; do
		gcc -m$bits -I/usr/include/x86_64-linux-gnu -g -c -Iuapi -o "$scratch/$bits.o" "$scratch/all.c"
		for name in $structs; do
			pahole -C "$name" "$scratch/$bits.o"
		done >"$scratch/$bits"
		(($(grep -c '^struct zpipe_' "$scratch/$bits") == $(wc -w <<<"$structs"))) ||
			fail "pahole does not know every struct"
		! grep -B 20 -E 'hole|padding:' "$scratch/$bits" || fail "there is padding for $bits bits"
	done
	# The types of libc's headers have different names.
	diff <(grep -oE '[a-z_0-9]+(\[[0-9]*\])?; +/\* +[0-9]+ +[0-9]+ \*/|size: [0-9]+' "$scratch/32") \
		<(grep -oE '[a-z_0-9]+(\[[0-9]*\])?; +/\* +[0-9]+ +[0-9]+ \*/|size: [0-9]+' "$scratch/64")
}
