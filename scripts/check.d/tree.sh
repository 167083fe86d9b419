# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# tree.sh - gates about the tree: texts, scripts, licences, version, and that building keeps it clean

# extract_examples: write build/readme/NAME.c for each block of README.md and of the manual that is
# marked as an example.
extract_examples() {
	mkdir -p build/readme
	rm -f build/readme/*
	awk '
		/^<!-- example: [a-z0-9_-]+ -->$/ { name = $3; next }
		/^```c$/ && name { inside = name; name = ""; next }
		/^```$/ && inside { inside = ""; next }
		inside { print > ("build/readme/" inside ".c"); next }
		NF { name = "" }' README.md
	# shellcheck disable=SC2046 # names without blanks
	awk '
		/^\.\\" example: [a-z0-9_-]+$/ { name = $3; next }
		/^\.Bd / && name { inside = name; name = ""; next }
		/^\.Ed$/ && inside { inside = ""; next }
		inside { sub(/^\\&/, ""); gsub(/\\e/, "\\"); print > ("build/readme/" inside ".c") }
	' $(sources 'man/*.[1-8]')
}

# Blocks of the documentation that say where they are from must stand there, word by word.
check_quotes() {
	local doc=$1
	awk -v doc="$doc" '
		function text(file,   all, line) {
			while ((getline line < file) > 0)
				all = all line "\n"
			close(file)
			return all
		}
		/^<!-- from: [a-z0-9_\/.-]+ -->$/ { file = $3; next }
		/^```c$/ && file { inside = file; block = ""; file = ""; next }
		/^```$/ && inside {
			quotes++
			if (!index(text(inside), block)) {
				print doc ": this is not in " inside ":\n" block
				bad = 1
			}
			inside = ""
			next
		}
		inside { block = block $0 "\n"; next }
		/^```c$/ { print doc ": a block of C that does not say where it is from"; bad = 1 }
		NF { file = "" }
		END { exit bad || !quotes }' "$doc"
}

# check_names FILE...: each function of the library that they name exists.
check_names() {
	local name found=0
	while read -r name; do
		[[ ! -e man/$name.3 ]] || continue
		grep -rqw "$name" lib/include && continue
		echo "there is no $name: $(grep -lw "$name" "$@" | xargs)"
		found=1
	done < <(grep -ohE '\bzp_[a-z_0-9]*[a-z0-9]\b' "$@" | sort -u)
	((!found))
}

gate_docs() {
	local name found=0
	while read -r name; do
		grep -qE "^\.Fn $name " man/*.3 || { echo "$name is in no synopsis of the manual"; found=1; }
	done < <(sed -nE 's/^[[:space:]]+(zp_[a-z0-9_]+);$/\1/p' lib/libzpipe.map | grep -v '^zp_inline_')
	while read -r name; do
		[[ -e man/$name ]] || { echo "the manual has no page $name: $(grep -l "^\.Xr ${name%.*} ${name##*.}" man/* | xargs)"; found=1; }
	done < <(sed -nE 's/^\.Xr ((lib)?zp[a-z_]*) ([1-8]).*/\1.\3/p' man/*.[1-8] | sort -u)
	check_quotes Documentation/tutorial.md || found=1
	check_names Documentation/tutorial.md Documentation/porting.md README.md man/*.3 || found=1
	((!found))
}

gate_readme() {
	[[ -f README.md ]] || skip "there is no README.md yet"
	local target example found=0
	(($(wc -l <README.md) < 200)) || fail "README.md has $(wc -l <README.md) lines"
	while IFS= read -r target; do
		[[ -e $target ]] || { echo "README.md: there is no $target"; found=1; }
	done < <(grep -oE '\]\([^):#]+' README.md | cut -c3-)
	while IFS= read -r target; do
		grep -qE "^[a-z_ .0-9-]*\b$target\b[a-z_ .0-9-]*:" Makefile ||
			{ echo "README.md: make $target does not exist"; found=1; }
	done < <(grep -E '^ {4}' README.md | grep -oE '\bmake [a-z_]+' | cut -d' ' -f2 | sort -u)
	if [[ -f lib/Makefile ]]; then
		extract_examples
		make -s -C lib BUILD="$scratch" all
		for example in build/readme/*.c; do
			[[ -e $example ]] || fail "README.md has no example"
			gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "${includes[@]}" "$example" \
				"$scratch/lib/libzpipe.a" -o "${example%.c}" || found=1
		done
	fi
	((!found))
}

gate_man() {
	local pages
	pages=$(sources 'man/*.[1-8]')
	[[ $pages ]] || skip "there is no man/ yet"
	# shellcheck disable=SC2086 # names without blanks
	mandoc -T lint -W warning $pages
}

scripts_of_tree() {
	local file
	sources '*' | while IFS= read -r file; do
		case $(head -c 64 "$file" | head -n 1 | tr -d '\0') in
		'#!'*sh | '# shellcheck shell='*) printf '%s\n' "$file" ;;
		esac
	done
}

gate_shell() {
	local scripts
	mapfile -t scripts < <(scripts_of_tree)
	((${#scripts[@]} > 5)) || fail "only ${#scripts[@]} scripts were found"
	shellcheck -x "${scripts[@]}"
}

# log_fails TEXT...: lines of a kernel's log, with a time before each.
log_fails() {
	! printf '[    1.000000] %s\n' "$@" | scripts/vm.d/scan
}

gate_scan() {
	local oom='a.out invoked oom-killer: order=0' trace='Call Trace:'
	local vmalloc='exe: vmalloc error: size 32768, vm_struct allocation failed'
	local io='WARNING: CPU: 0 PID: 1 at io_uring/io_uring.h:137 io_get_cqe_overflow+0x1/0x2'
	local ends_ring='Workqueue: iou_exit io_ring_exit_work'
	local race=('BUG: KCSAN: data-race in a / b' '' 'read to 0x1 of 8 bytes by task 1 on cpu 1:')
	local lines

	for lines in "BUG: KASAN: x" "WARNING: CPU: 0 PID: 1 at a.c:1 f" "$trace" "$oom" "vm: 2 pages left"; do
		log_fails 'selftests: abi' "$lines" || fail "not seen: $lines"
	done
	! log_fails 'selftests: abi' 'zpipe: loaded' || fail "nothing is wrong there"
	! log_fails 'selftests: memcg' "$oom" "$trace" || fail "memcg may run out of memory"
	log_fails 'selftests: memcg' "$oom" 'selftests: read' "$trace" || fail "but no other program"
	log_fails 'selftests: memcg' "$oom" "$trace" "$trace" || fail "and has one trace"
	! log_fails 'selftests: fail_nth_io' "$vmalloc" "$trace" || fail "allocations fail there"
	log_fails 'selftests: stress' "$vmalloc" "$trace" || fail "and nowhere else"
	! log_fails "$io" "$ends_ring" "$trace" '---[ end trace 0 ]---' || fail "a ring may end"
	log_fails "$io" "$ends_ring" '---[ end trace 0 ]---' "$trace" || fail "what follows counts"
	log_fails "$io" "$trace" '---[ end trace 0 ]---' || fail "others must not complete requests"
	log_fails "$io" || fail "a log may end there"
	! log_fails "${race[@]}" ' a' ' b' ' c' ' zpipe_read+0x1/0x2 [zpipe]' '====' || fail "not ours"
	log_fails "${race[@]}" ' a' ' b' ' zpipe_read+0x1/0x2 [zpipe]' '====' || fail "our data race"
	log_fails "${race[@]}" ' a' 'WARNING: CPU: 0 PID: 1 at a.c:1 f' '====' || fail "amid a report"
	log_fails 'BUG: KCSAN: data-race in zpipe_read [zpipe] / a' '====' || fail "named in the title"
}

gate_spelling() {
	local files
	mapfile -t files < <(sources '*' | grep -v '^LICENSES/')
	# A macro of mdoc, a function of the kernel, a field of modinfo, a direction of syzlang.
	codespell -q 3 --ignore-words-list=nd,iput,parm,inout "${files[@]}"
}

gate_text() {
	local files found=0
	mapfile -t files < <(sources '*' | grep -vE '^LICENSES/|\.(png|svg|gz)$')
	! grep -nE '^(<{7}|>{7}|={7})( |$)' "${files[@]}" || found=1
	! grep -nE '[[:blank:]]+$' "${files[@]}" || found=1
	! grep -nF -e "$top/" -e "$cache" "${files[@]}" || found=1
	((!found))
}

# Folders, and what their files must be under.
gate_licences() {
	local file id wanted found=0
	while IFS= read -r file; do
		case $file in
		*.md | *.csv | *.svg | LICENSE | LICENSES/* | VERSION | MAINTAINERS | debian/*) continue ;;
		# Read by the kernel's runner of selftests, which knows no comments.
		selftests/settings | selftests/config) continue ;;
		esac
		id=$(head -n 3 "$file" | sed -nE 's/.*SPDX-License-Identifier: ([^*]*[^* ]).*/\1/p')
		case $file in
		module/* | Kbuild) wanted='GPL-2.0-only' ;;
		uapi/*) wanted='GPL-2.0-only WITH Linux-syscall-note' ;;
		bpf/*.bpf.[ch]) wanted='GPL-2.0-only' ;;
		bpf/* | lib/* | demo/* | bench/* | examples/* | tools/* | scripts/check* | Makefile) wanted=MIT ;;
		*) wanted='*' ;;
		esac
		# shellcheck disable=SC2053 # a pattern is what it is
		if [[ ! $id || $id != $wanted ]]; then
			echo "$file: licence '$id' instead of '$wanted'"
			found=1
		fi
		for id in ${id// WITH / }; do
			[[ -s LICENSES/$id.txt ]] || { echo "$file: there is no LICENSES/$id.txt"; found=1; }
		done
	done < <(sources '*')
	((!found))
}

gate_version() {
	local version other
	version=$(cat VERSION)
	[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "VERSION is '$version'"
	other=$(sed -nE 's/^MODULE_VERSION\("(.*)"\);/\1/p' module/main.c)
	[[ $other == "$version" ]] || fail "module/main.c says '$other', not $version"
	other=$(sed -nE 's/^PACKAGE_VERSION="(.*)"/\1/p' dkms.conf)
	[[ $other == "$version" ]] || fail "dkms.conf says '$other', not $version"
	grep -qF "## $version" CHANGELOG.md || fail "CHANGELOG.md has no section for $version"
	if [[ -f lib/include/zpipe.h ]]; then
		other=$(sed -nE 's/^#define[[:space:]]+ZP_VERSION_(MAJOR|MINOR|PATCH)[[:space:]]+([0-9]+).*/\2/p' \
			lib/include/zpipe.h lib/include/zpipe/*.h | paste -sd.)
		[[ ! $other || $other == "$version" ]] || fail "the library's header says $other, not $version"
	fi
}

# Builds a copy of the tree, as somebody would who has just got it.
gate_tree() {
	local git=(git -C "$scratch/tree" -c user.name=x -c user.email=x -c safe.directory='*')
	mkdir "$scratch/tree"
	sources '*' | cpio --quiet -pdm "$scratch/tree"
	"${git[@]}" init -q
	"${git[@]}" add -A
	"${git[@]}" commit -qm x
	(
		cd "$scratch/tree" || exit
		eval "$(scripts/kernels 6.12)"
		make -s modules modules_install KDIR="$KDIR" INSTALL_MOD_PATH="$scratch/root" \
			>"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
		make -s lib bpf tools examples selftests
		scripts/deps demo
		for part in demo bench selftests/host; do
			[[ ! -f lib/Makefile || ! -f $part/Makefile ]] || make -s -C "$part" BUILD="$PWD/build"
		done
	)
	[[ $(find "$scratch/root" -name 'zpipe.ko*') ]] || fail "modules_install installs no module"
	"${git[@]}" status --porcelain --ignored >"$scratch/status"
	diff <(echo '!! build/') "$scratch/status" || fail "the build leaves more than build/"
	make -s -C "$scratch/tree" distclean
	quietly "${git[@]}" status --porcelain --ignored || fail "distclean leaves something"
}

# A promise may only name a test that there is.
gate_named_tests() {
	# shellcheck disable=SC2016 # not to be expanded
	local pattern='`[a-z_0-9]+\.[a-z_0-9]{12,}`' name program test bad=0 nr=0
	while IFS= read -r name; do
		program=${name%%.*} test=${name#*.}
		nr=$((nr + 1))
		grep -qE "^TEST(_F|_F_TIMEOUT)?\(([a-z_0-9]+, ?)?${test}[,)]" "selftests/$program.c" 2>/dev/null || {
			echo "there is no test $name"
			bad=1
		}
	done < <(grep -ohE "$pattern" SECURITY.md Documentation/bug-classes.md | tr -d '\140')
	((nr > 60)) || fail "only $nr tests are named"
	((!bad))
}
