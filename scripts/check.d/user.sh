# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# user.sh - gates about the library and the programs: compilers, analyzers, what gets installed

warnings='-O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Werror'

# In folders of their own, so that gates do not meet.
lib_with() {
	need_part lib
	make -s -C lib CC="$1" CFLAGS="$warnings" BUILD="$scratch" all
	[[ -e $scratch/lib/libzpipe.so && -e $scratch/lib/libzpipe.a ]]
}
gate_lib_gcc() { lib_with gcc; }
gate_lib_clang() { lib_with clang; }

# The verifier's opinion is heard where they are loaded: in the tests.
gate_bpf() {
	local cc
	scripts/deps bpf
	for cc in gcc clang; do
		make -s -C bpf CC="$cc" BUILD="$scratch/$cc" tests
		[[ -x $scratch/$cc/bpf/tests/workload ]] || fail "nothing was built with $cc"
	done
}

# Not the selftests: their harness is written for gcc, with which the gate tree builds everything.
gate_programs_clang() {
	need_part lib
	local part
	scripts/deps demo
	for part in demo bench examples tools; do
		[[ ! -f $part/Makefile ]] || make -s -C "$part" CC=clang BUILD="$scratch"
	done
}

# gcc sees more without optimization.
gate_analyzer() {
	need_part lib
	analyze gcc -O0 -fanalyzer -Werror -c
}

# The analyzer behind scan-build, once for each file and not for each object.
gate_analyzer_clang() {
	need_part lib
	analyze clang --analyze --analyzer-output text -Xclang -analyzer-werror
}

# analyze COMPILER OPTION...
analyze() {
	local file found=0
	make_tools
	while IFS= read -r file; do
		"$@" -std=gnu11 -D_GNU_SOURCE "${includes[@]}" -o "$scratch/x.o" "$file" || found=1
	done < <(sources 'lib/*.c' 'tools/*.c' 'demo/*.c' 'examples/*.c' | grep -v '^lib/tests/')
	((!found))
}

# Left out: the analyzer, which has a gate of its own; functions of Annex K, which no libc has; two
# parameters of one type. In programs, which have one thread and end after saying what went wrong, also
# strerror and unchecked printf.
gate_clang_tidy() {
	need_part lib
	local file found=0 checks='-*,bugprone-*,misc-*,cert-*,concurrency-*,portability-*'
	checks+=',-bugprone-easily-swappable-parameters,-misc-unused-parameters'
	make_tools
	# One by one: version 14 mixes up the va_lists of several files.
	while IFS= read -r file; do
		[[ $file == lib/* ]] || checks+=',-cert-err33-c,-concurrency-mt-unsafe'
		clang-tidy --quiet --warnings-as-errors='*' --checks="$checks" "$file" -- \
			-std=gnu11 -D_GNU_SOURCE "${includes[@]}" 2>/dev/null || found=1
	done < <(sources 'lib/*.c' | grep -v '^lib/tests/' && sources 'tools/*.c' 'examples/*.c')
	((!found))
}

gate_cppcheck() {
	local parts=() part
	for part in lib tools demo bench examples selftests/host; do
		[[ ! -d $part ]] || parts+=("$part")
	done
	# Not the programs of the kernel: it does not understand SEC().
	mapfile -t -O "${#parts[@]}" parts < <(sources 'bpf/*.c' | grep -v '\.bpf\.c$')
	# As gcc sees them: without a -D it tries every #ifdef of every header. It does not see that a
	# failed ASSERT ends a test.
	local checks=(--quiet --std=c11 '--enable=warning,performance,portability' --inline-suppr
		--suppress=missingIncludeSystem --suppress='uninitvar:lib/tests/*' --error-exitcode=1
		-D_GNU_SOURCE -D__GNUC__=12 -D__x86_64__)
	cppcheck "${checks[@]}" "${includes[@]}" "${parts[@]}"
	[[ ${QUICK-} == 1 ]] || cppcheck "${checks[@]}" -DZP_DEBUG "${includes[@]}" lib
}

# The map, the shared object and the headers must name the same functions.
gate_symbols() {
	need_part lib
	local name
	make -s -C lib BUILD="$scratch" all
	sed -nE 's/^[[:space:]]+(zp_[a-z0-9_]+);$/\1/p' lib/libzpipe.map | sort >"$scratch/map"
	[[ -s $scratch/map ]] || fail "the map names nothing"
	readelf --dyn-syms --wide "$scratch/lib/libzpipe.so" |
		sed -nE 's/.* ([^ ]+)@@LIBZPIPE_[0-9.]+.*/\1/p' | grep -v '^LIBZPIPE_' | sort >"$scratch/exported"
	diff "$scratch/map" "$scratch/exported" || fail "the map (<) and the library (>) differ"
	while read -r name; do
		grep -rqw "$name" lib/include || fail "$name is in no header"
	done <"$scratch/map"
	# A function of the headers that nobody exports: the linker finds it.
	grep -rhoE '\bzp_[a-z0-9_]+\(' lib/include | tr -d '(' | sort -u >"$scratch/declared"
	nm --defined-only "$scratch/lib/libzpipe.a" | awk '$2 == "T" && $3 ~ /^zp_/ { print $3 }' |
		sort -u | comm -12 - "$scratch/declared" | comm -23 - "$scratch/map" >"$scratch/lost"
	[[ ! -s $scratch/lost ]] || fail "public, but not in the map: $(xargs <"$scratch/lost")"
}

# Programs built with the newest release run with this library: nothing of it is gone or changed. As
# long as the major version is 0, only a patch promises that. Structs that begin with their size may
# grow.
gate_abi() {
	need_part lib
	local tag major minor git=(git -c "safe.directory=$top") old=$scratch/old new=$scratch/new
	tag=$("${git[@]}" tag --list 'v[0-9]*' --merged HEAD --sort=-version:refname | head -n 1) || true
	[[ $tag ]] || skip "there is no release yet to compare with"
	IFS=. read -r major minor _ <VERSION
	[[ $tag == v"$major".* && ($major != 0 || $tag == v0."$minor".*) ]] ||
		skip "version $major.$minor may change what $tag had"
	mkdir "$old"
	"${git[@]}" archive "$tag" lib uapi man VERSION | tar -x -C "$old"
	make -s -C "$old/lib" BUILD="$old/build" CFLAGS='-O2 -g' all >/dev/null
	make -s -C lib BUILD="$new" CFLAGS='-O2 -g' all >/dev/null
	grep -hB 1 $'^\tsize_t sz;' lib/include/zpipe/*.h |
		sed -nE 's/^struct (zp_[a-z_]+) .*/[suppress_type]\nname = \1\nhas_data_member_inserted_at = end/p' \
			>"$scratch/grow"
	[[ -s $scratch/grow ]] || fail "no struct begins with its size"
	abidiff --no-added-syms --suppressions "$scratch/grow" --headers-dir1 "$old/lib/include" --headers-dir2 lib/include \
		"$old/build/lib/libzpipe.so" "$new/lib/libzpipe.so" || fail "it is not that of $tag"
}

gate_install() {
	need_part lib
	local root=$scratch/root cc flags left
	make -s install BUILD="$scratch/build" DESTDIR="$root" PREFIX=/usr
	export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
	pkg-config --validate libzpipe
	[[ $(pkg-config --modversion libzpipe) == "$(cat VERSION)" ]] || fail "libzpipe.pc: wrong version"
	[[ -f $root/usr/include/linux/zpipe.h ]] || fail "linux/zpipe.h is not installed"
	! grep -q _UAPI_LINUX "$root/usr/include/linux/zpipe.h" || fail "linux/zpipe.h: guard of the source tree"
	cat >"$scratch/use.c" <<-END
		#include <zpipe.h>
		#include <linux/zpipe.h>
		int main(void) { return zp_version() == 0; }
	END
	cp "$scratch/use.c" "$scratch/use.cc"
	read -ra flags < <(pkg-config --cflags --libs libzpipe)
	for cc in "gcc -std=c11 -D_GNU_SOURCE" "clang -std=gnu11" "g++ -std=c++17" "clang++ -std=c++20"; do
		local source=$scratch/use.c
		[[ $cc != *++* ]] || source=$scratch/use.cc
		# shellcheck disable=SC2086 # a command and its option
		$cc -Wall -Wextra -Wpedantic -Werror "$source" "${flags[@]}" -o "$scratch/use" || fail "with $cc"
		LD_LIBRARY_PATH=$root/usr/lib "$scratch/use" || fail "zp_version() does not work with $cc"
		readelf -d "$scratch/use" | grep -q 'NEEDED.*libzpipe\.so\.[0-9]*\]' || fail "no soname with $cc"
	done
	make -s uninstall BUILD="$scratch/build" DESTDIR="$root" PREFIX=/usr
	left=$(find "$root" -type f -o -type l)
	[[ ! $left ]] || fail "uninstall leaves $left"
}
