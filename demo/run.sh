#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh - build the demonstration and run it: in a virtual machine, or here with NATIVE=1
#
# Environment: FILE (the Debian kernel source tarball), K (kernel series of the virtual machine,
# 6.12), NATIVE=1 (the module is loaded on this machine), BUILD (build/). The last line is
# `demo: PASS ...` or `demo: FAIL why`.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd -P)
build=${BUILD:-$top/build}
series=${K:-6.12}

fail() {
  echo "demo: FAIL $*"
  exit 1
}

file=${FILE:-}
if [[ ! $file ]]; then
  file=$("$top/scripts/ksrc" --tarball) || fail "no kernel source tarball; FILE=... chooses another file"
fi
file=$(realpath -e -- "$file") || fail "there is no such file"
(($(stat -c %s -- "$file") >= 100000000)) || echo "note: less than 100 MB: figures of short runs vary"

"$top/scripts/deps" build demo >&2 || fail "something needed is missing"
make -s --no-print-directory -C "$top/demo" BUILD="$build" >&2 || fail "it does not build"
sum=$(sha256sum -- "$file") || fail "sha256sum does not work"
sum=${sum%% *}
sum=${sum#\\}

status=0
if [[ ${NATIVE-} == 1 ]]; then
  [[ -e /dev/zpipe ]] || fail "NATIVE=1, but the module is not loaded"
  "$build/demo/zpipe-demo" "$file" "$sum" || status=$?
else
  "$top/scripts/vm" -k "$series" -- "$build/demo/zpipe-demo" "$file" "$sum" || status=$?
fi
case $status in
0) ;;
1) exit 1 ;;
99) fail "the kernel complained" ;;
124) fail "time was up" ;;
*) fail "the run ended with status $status" ;;
esac
