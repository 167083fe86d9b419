#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_abi.sh - what the library exports, and that it works where it is installed
#
# Called by `make check-host` with OUT (the build directory), CC, CXX, VERSION.
# Speaks TAP.
set -u

nr=0
bad=0

# result NAME STATUS
result() {
  nr=$((nr + 1))
  if [ "$2" -eq 0 ]; then
    echo "ok $nr $1"
  else
    echo "not ok $nr $1"
    bad=1
  fi
}

so=$OUT/libzpipe.so.0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

echo "TAP version 13"
echo "1..12"

sed -n 's/^\t\t\(zp_[a-z_]*\);$/\1/p' libzpipe.map | sort > "$scratch/map"
readelf --dyn-syms --wide "$so" | grep -o '[^ ]*@@LIBZPIPE_[0-9.]*' | sed 's/@@.*//' | sort \
  > "$scratch/exported"
diff "$scratch/map" "$scratch/exported" | sed 's/^/# /'
cmp -s "$scratch/map" "$scratch/exported"
result "map.equals_the_exported_symbols" $?

cat include/zpipe.h include/zpipe/*.h | tr '\n' ' ' | grep -o 'ZP_API [^;]*(' |
  grep -o 'zp_[a-z_]*(' | tr -d '(' | grep -v likely | sort -u > "$scratch/declared"
diff "$scratch/map" "$scratch/declared" | sed 's/^/# /'
cmp -s "$scratch/map" "$scratch/declared"
result "map.equals_the_declared_functions" $?

readelf -d "$so" | grep -q 'SONAME.*\[libzpipe.so.0\]'
result "soname.is_libzpipe.so.0" $?

warn="-Wall -Wextra -Wpedantic -Wconversion -Werror"
# shellcheck disable=SC2086 # lists of options
{
  $CC -std=c11 $warn -Iinclude -c -o "$scratch/h.o" tests/header.c &&
    $CC -std=gnu11 $warn -O2 -Iinclude -c -o "$scratch/h.o" tests/header.c
} 2>&1 | sed 's/^/# /'
test -s "$scratch/h.o"
result "header.compiles_as_c11" $?

rm -f "$scratch/h.o"
# shellcheck disable=SC2086
$CXX -x c++ -std=c++17 $warn -O2 -Iinclude -c -o "$scratch/h.o" tests/header.c 2>&1 |
  sed 's/^/# /'
test -s "$scratch/h.o"
result "header.compiles_as_c++17" $?

grep -q "^#define ZP_VERSION_MAJOR.${VERSION%%.*}\$" include/zpipe/types.h &&
  v=${VERSION#*.} &&
  grep -q "^#define ZP_VERSION_MINOR.${v%%.*}\$" include/zpipe/types.h &&
  grep -q "^#define ZP_VERSION_PATCH.${v#*.}\$" include/zpipe/types.h
result "version.of_the_header_is_that_of_the_tree" $?

MAKEFLAGS='' make -s install DESTDIR="$scratch/root" PREFIX=/usr > "$scratch/log" 2>&1
export PKG_CONFIG_PATH="$scratch/root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$scratch/root"
pkg-config --validate libzpipe 2>> "$scratch/log" &&
  [ "$(pkg-config --modversion libzpipe 2>> "$scratch/log")" = "$VERSION" ]
result "pkg-config.file_is_valid" $?

# shellcheck disable=SC2046
$CC -o "$scratch/c" tests/header.c $(pkg-config --cflags --libs libzpipe) >> "$scratch/log" 2>&1 &&
  LD_LIBRARY_PATH="$scratch/root/usr/lib" "$scratch/c" &&
  $CXX -x c++ -o "$scratch/cxx" tests/header.c $(pkg-config --cflags --libs libzpipe) \
    >> "$scratch/log" 2>&1 &&
  LD_LIBRARY_PATH="$scratch/root/usr/lib" "$scratch/cxx" &&
  $CC -o "$scratch/s" tests/header.c -I"$scratch/root/usr/include" \
    "$scratch/root/usr/lib/libzpipe.a" >> "$scratch/log" 2>&1 && "$scratch/s"
result "install.then_compile_link_and_run" $?

# declared: exported or inline, but for the halves that are not for callers
cat include/zpipe.h include/zpipe/*.h | grep -o '^[a-zZ][^*]* \**zp_[a-z_]*(' |
  grep -o 'zp_[a-z_]*($' | tr -d '(' | grep -v '^zp_inline_\|^zp_mb' | sort -u |
  while read -r f; do
    [ -e "$scratch/root/usr/share/man/man3/$f.3" ] || echo "# no page: $f"
  done > "$scratch/pages"
cat "$scratch/pages"
[ ! -s "$scratch/pages" ]
result "man.has_every_function" $?

MAKEFLAGS='' make -s uninstall DESTDIR="$scratch/root" PREFIX=/usr >> "$scratch/log" 2>&1
[ -d "$scratch/root/usr" ] && [ -z "$(find "$scratch/root" ! -type d)" ]
result "uninstall.leaves_nothing" $?

# probes FILE: the names of the provider zpipe in it
probes() {
  readelf --notes --wide "$1" | grep -A1 'Provider: zpipe$' | sed -n 's/.*Name: //p' | sort -u
}

if echo '#include <sys/sdt.h>' | $CC -E -x c - > /dev/null 2>&1; then
  sed -n 's/^ \*\t\([a-z_]*\)([a-z, ]*).*/\1/p' include/zpipe/probes.h | sort > "$scratch/named"
  probes "$so" > "$scratch/probes"
  diff "$scratch/named" "$scratch/probes" | sed 's/^/# /'
  cmp -s "$scratch/named" "$scratch/probes" && [ -s "$scratch/named" ]
  result "probes.are_those_that_the_header_names" $?

  : > "$scratch/log2"
  for lang in 'c -std=gnu11' 'c++ -std=c++17'; do
    # shellcheck disable=SC2086 # lists of options
    $CC -x $lang -O2 -Iinclude -c -o "$scratch/on.o" tests/header.c &&
      $CC -x $lang -O2 -Iinclude -DZP_NO_USDT -c -o "$scratch/off.o" tests/header.c &&
      [ "$(probes "$scratch/on.o" | tr '\n' ' ')" = "advance publish write " ] &&
      [ -z "$(probes "$scratch/off.o")" ] || echo "not with $lang" >> "$scratch/log2"
  done
  sed 's/^/# /' "$scratch/log2"
  [ ! -s "$scratch/log2" ]
  result "probes.of_the_inline_functions_can_be_left_out" $?
else
  result "probes.are_those_that_the_header_names # SKIP no sys/sdt.h (systemtap-sdt-dev)" 0
  result "probes.of_the_inline_functions_can_be_left_out # SKIP no sys/sdt.h" 0
fi

[ $bad -eq 0 ] || sed 's/^/# /' "$scratch/log"
exit $bad
