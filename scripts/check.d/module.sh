# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# module.sh - gates about the kernel module: compilers, sparse, style, semantic patches, metadata

# Not the older one when it has to be quick.
both=$([[ ${QUICK-} == 1 ]] && echo 6.12 || echo 6.1 6.12)

gate_module_6_1() { scripts/build-module 6.1; }
gate_module_6_12() { scripts/build-module 6.12; }

# C=2 looks at all files, also at those whose object is up to date.
sparse() {
	scripts/build-module "$1" C=2 CF="-D__CHECK_ENDIAN__ -Wcontext -Wsparse-error"
}
gate_sparse_6_1() { sparse 6.1; }
gate_sparse_6_12() { sparse 6.12; }

# What checkpatch says in vain: where (user: not in module/ and uapi/), which type, and why.
accepted='
module/compat.h       LINUX_VERSION_CODE             the one home of kernel versions
module/compat.h       CONSTANT_COMPARISON            KERNEL_VERSION() is taken for a constant
module/zpipe_trace.h  PARENTHESIS_ALIGNMENT          trace macros are laid out so everywhere
module/zpipe_trace.h  OPEN_ENDED_LINE                trace macros are laid out so everywhere
module/types.h        LINE_SPACING                   a member with __aligned() is no declaration
module/*              UNCOMMENTED_DEFINITION         kernel-doc above the struct has the comment
*                     BIT_MACRO                      not for UAPI, nor for sizes that are no flags
user                  PREFER_KERNEL_TYPES            has the types of C
user                  PREFER_DEFINED_ATTRIBUTE_MACRO has no such macros
user                  CAMELCASE                      _Atomic and others are keywords of C
user                  LINE_SPACING                   _Alignas and _Atomic members are not known
user                  USE_NEGATIVE_ERRNO             an enumerator is taken for an errno
user                  STRCPY                         there is no strscpy
user                  SPLIT_STRING                   nobody searches a log for a usage text
user                  ARCH_DEFINES                   there is no asm/ to ask
user                  ARRAY_SIZE                     has no such macro
user                  MULTIPLE_ASSIGNMENTS           pairs of cursors start equal
user                  AVOID_EXTERNS                  nobody else declares __real_ functions
bpf/*.bpf.[ch]         VOLATILE                       constants that the loader writes, shared words
bpf/*.bpf.c            MACRO_ARG_REUSE                stamps out programs
bpf/zpsnoop.c          COMPLEX_MACRO                  an item of a list
bpf/zpcheck.h          MACRO_WITH_FLOW_CONTROL        a rule that is broken ends the judgement
bpf/*                  PREFER_FALLTHROUGH             has no such macro
bpf/*                  SPACING                        a pointer and a number without blanks
bpf/tests/*            EMBEDDED_FUNCTION_NAME         the word waits is no function name here
bench/views.c         COMPLEX_MACRO                  stamps out functions, and a table of them
bench/views.c         TRAILING_SEMICOLON             ditto
bench/views.c         MACRO_ARG_REUSE                ditto
bench/*               EMBEDDED_FUNCTION_NAME         the word run is no function name here
lib/*                 NEW_TYPEDEFS                   a public header has a vocabulary of its own
selftests/*.[ch]      SPACING                        FIXTURE_DATA(x) *self is no product
selftests/*.c         BRACES                         TEST_F(x, y) { is no conditional
selftests/fuzz/*      COMPLEX_MACRO                  a table of calls
selftests/fuzz/*      VOLATILE                       a load or a store that must be made
selftests/fuzz/*      SPDX_LICENSE_TAG               of the files that it writes
lib/include/zpipe.h   SPACING                        _Generic is not known
lib/include/zpipe.h   MACRO_ARG_REUSE                the first one of _Generic is not evaluated
*/probes.h            SPACING                        names a header, and no comparison
*/probes.h            COMPLEX_MACRO                  is a statement, which asm must be
*/probes.h            INLINE                         asm inline, for old and for strict C
*/probes.h            MACRO_ARG_REUSE                a number that is written there
*/probes.h            MACRO_ARG_UNUSED               nothing is done without sys/sdt.h
lib/internal.h        MACRO_ARG_REUSE                MIN and MAX of one library
*/tests/*             MACRO_ARG_REUSE                macros of one test
*/tests/*             PARENTHESIS_ALIGNMENT          fields of a struct in an argument
*/tests/*             STATIC_CONST_CHAR_ARRAY        changed by the test
*/tests/*             NAKED_SSCANF                   within an expectation, which checks it
*/tests/*             VOLATILE                       a sum that must be made
lib/spawn.c           STATIC_CONST_CHAR_ARRAY        execve(2) takes no constant ones
examples/*            EMBEDDED_FUNCTION_NAME         a word that is the name of a function too
*/tests/*             MACRO_WITH_FLOW_CONTROL        an assertion has to end its test
selftests/*           MACRO_ARG_REUSE                stands in for macros of the kernel
selftests/host/host.h MEMORY_BARRIER                 stands in for macros of the kernel
selftests/host/proof.c BLOCK_COMMENT_STYLE           contracts begin with an @
selftests/host/proof.c CODE_INDENT                   contracts are indented by blanks
selftests/host/proof.c MACRO_ARG_UNUSED              there is one thread
'

is_accepted() {
	local where what
	while read -r where what _; do
		[[ $what == "$2" ]] || continue
		[[ $where != user || $1 == module/* || $1 == uapi/* ]] || return 0
		# shellcheck disable=SC2053 # a pattern is what it is
		[[ $1 != $where ]] || return 0
	done <<<"$accepted"
	return 1
}

gate_checkpatch() {
	local ksrc files found=0 line
	ksrc=$(scripts/ksrc)
	mapfile -t files < <(sources '*.[ch]' | grep -v '^scripts/cocci/samples/' |
		grep -E "$([[ ${QUICK-} == 1 ]] && echo '^(module|uapi)/' || echo .)")
	# It leaves a cache in the folder where it runs. Spelling is a gate by itself, a much faster one.
	(
		cd "$scratch" || exit
		"$ksrc/scripts/checkpatch.pl" --no-tree --strict --terse --show-types --max-line-length=100 \
			-f "${files[@]/#/$top/}" || true
	) >"$scratch/all" 2>"$scratch/errors"
	grep -q '^total: ' "$scratch/all" || { cat "$scratch/errors"; fail "checkpatch did not run"; }
	while IFS= read -r line; do
		[[ $line == "$top"/* ]] || continue
		line=${line#"$top/"}
		if ! is_accepted "${line%%:*}" "$(cut -d: -f4 <<<"$line")"; then
			echo "$line"
			found=1
		fi
	done <"$scratch/all"
	((!found))
}

gate_kernel_doc() {
	local files
	mapfile -t files < <(sources 'module/*.[ch]' 'uapi/linux/*.h')
	"$(scripts/ksrc)/scripts/kernel-doc" -none -Wall -Werror "${files[@]}"
}

cocci() {
	spatch -D report --very-quiet --no-show-diff --no-includes --include-headers --cocci-file "$@"
}

# Each rule has a sample; its lines marked "caught", and no others, must be reported.
gate_rules() {
	local rule sample found=0
	for rule in scripts/cocci/*.cocci; do
		sample=scripts/cocci/samples/$(basename "$rule" .cocci).c
		if ! diff <(grep -n '/\* caught \*/' "$sample" | cut -d: -f1) \
			<(cocci "$rule" "$sample" | cut -d: -f2 | sort -nu) >"$scratch/diff"; then
			echo "$rule: not the lines of $sample that it should report (< expected, > reported):"
			cat "$scratch/diff"
			found=1
		fi
		cocci "$rule" --dir module >"$scratch/report" 2>"$scratch/errors" || found=1
		[[ ! -s $scratch/report && ! -s $scratch/errors ]] || found=1
		cat "$scratch/report" "$scratch/errors"
	done
	((!found))
}

gate_coccinelle() {
	local patch used=0 found=0
	while IFS= read -r patch; do
		grep -q 'virtual report' "$patch" || continue
		# Some want the compiler of OCaml.
		! grep -q 'script:ocaml' "$patch" || continue
		used=$((used + 1))
		# Without its Python library it says so, reports nothing, and is content.
		if ! cocci "$patch" --dir module >"$scratch/report" 2>"$scratch/errors" ||
			grep -q '^Py\.' "$scratch/errors"; then
			echo "$patch cannot be used:"
			cat "$scratch/errors"
			found=1
		fi
		grep . "$scratch/report" && found=1
	done < <(find "$(scripts/ksrc)/scripts/coccinelle" -name '*.cocci' | sort)
	((used > 40)) || fail "only $used semantic patches were found"
	((!found))
}

gate_stack() {
	local series ksrc
	ksrc=$(scripts/ksrc)
	for series in $both; do
		scripts/build-module "$series"
		# checkstack adds what a function gives back to what it takes.
		objdump -d "build/module-$series/zpipe.ko" |
			sed '/add  *.0xffffffff/!{/add  *.0x.*,%rsp/d}' >"$scratch/code"
		grep -q '<zpipe_' "$scratch/code" || fail "objdump shows no code"
		perl "$ksrc/scripts/checkstack.pl" x86_64 512 <"$scratch/code" >>"$scratch/deep"
	done
	quietly cat "$scratch/deep"
}

gate_metadata() {
	local series ko field
	for series in $both; do
		scripts/build-module "$series"
		eval "$(scripts/kernels "$series")"
		ko=build/module-$series/zpipe.ko
		for field in description author license version; do
			[[ $(modinfo -F "$field" "$ko") ]] || fail "modinfo knows no $field"
		done
		[[ $(modinfo -F license "$ko") == GPL ]] || fail "the licence of the module is not GPL"
		[[ $(modinfo -F vermagic "$ko") == "$KREL "* ]] || fail "it is not for $KREL"
		diff <(modinfo -F parmtype "$ko" | cut -d: -f1 | sort) <(modinfo -F parm "$ko" | sed -nE 's/^([a-z_]+):[^ ].*/\1/p' | sort) ||
			fail "a parameter (<) has no description (>)"
		mkdir -p "$scratch/lib/modules/$KREL"
		cp "$ko" "$scratch/lib/modules/$KREL/"
		touch "$scratch/lib/modules/$KREL"/modules.{order,builtin,builtin.modinfo}
		depmod -w -b "$scratch" "$KREL" 2>"$scratch/errors" || true
		grep -E 'ERROR|WARNING' "$scratch/errors" && exit 1
	done
	true
}
