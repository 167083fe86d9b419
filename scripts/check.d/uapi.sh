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

# Fields: struct, name, and bits or the struct they are.
header_fields() {
	awk '/^struct zpipe_[a-z_]+ \{$/ { name = $2; next }
		/^\};/ { name = "" }
		name && /;/ {
			sub(/;.*/, "")
			type = $1 == "struct" ? $2 : $1 ~ /32/ ? 32 : 64
			print name, $NF, type
		}' uapi/linux/zpipe.h
}

described_fields() {
	awk '/^zpipe_[a-z_]+ \{$/ { name = $1; next }
		/^\}/ { name = "" }
		name {
			field = $1
			type = $0
			sub(/^[^\t]*\t[^\t]*\t/, "", type)
			sub(/\t.*/, "", type)
			if (type ~ /^fd_|int32/) type = 32
			else if (type !~ /^zpipe_(region|span)$/) type = 64
			print name, field, type
		}' "$1"
}

# The description for syzkaller has every number, flag, struct and field, and no other; what the
# corpus of the fuzzer says is understood as it is written, and is C, too.
gate_fuzz() {
	local text=selftests/fuzz/zpipe.txt name program found=0
	local other='zpipe_(descriptor|uring_cmd)'
	diff <(header_fields | grep -vE "^$other " | sort) <(described_fields $text | sort) ||
		fail "fields of the header (<) and of $text (>) differ"
	while read -r name; do
		grep -qw "$name" $text || { echo "$text lacks $name"; found=1; }
	done < <(grep -oE '^#define ZPIPE_(IOC|[A-Z]*_?F|OFF|CANCEL)_[A-Z_]+' uapi/linux/zpipe.h |
		cut -d' ' -f2 | grep -vE 'IOC_MAGIC|OFF_MASK')
	((!found)) || return 1
	{
		echo '#include <stdio.h>'
		echo '#include <linux/zpipe.h>'
		echo 'int main(void) {'
		grep -v '^#' $text | grep -oE '\bZPIPE_[A-Z_0-9]+\b' | sort -u |
			sed -nE 's/.*/printf("& = %llu\\n", (unsigned long long)&);/p' | grep -v 'IOC_[A-Z]*_ '
		echo 'return 0; }'
	} >"$scratch/numbers.c"
	gcc -Iuapi -o "$scratch/numbers" "$scratch/numbers.c"
	diff <(grep -v '^#' $text.const) <("$scratch/numbers") ||
		fail "numbers of $text.const (<) and of the header (>) differ"
	make -s -C selftests BUILD="$scratch" "$scratch/selftests/fuzz/zpipe_fuzz"
	for program in selftests/fuzz/corpus/*.txt; do
		diff <(grep -v '^#' "$program") \
			<("$scratch/selftests/fuzz/zpipe_fuzz" --print "$program") || found=1
		"$scratch/selftests/fuzz/zpipe_fuzz" --to-c "$program" >"$scratch/program.c"
		gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused -Werror -fsyntax-only -Iuapi \
			"$scratch/program.c" || found=1
	done
	((!found))
}
