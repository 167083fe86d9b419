#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fuzz_replay - the programs of the fuzzer's corpus, and changed ones, leave the kernel well
#
# Each program of fuzz/corpus is run, then for some seconds changed ones; where the kernel has kcov
# guided by what they reach. ZPIPE_FUZZ_SECONDS says how long, ZPIPE_FUZZ_SEED from which seed.

set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
programs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
fuzzer=$programs/fuzz/zpipe_fuzz

if [[ ! -x $fuzzer || ! -d $here/fuzz/corpus ]] || ((EUID)); then
	echo "1..0 # SKIP needs root, zpipe_fuzz and its corpus"
	exit 4
fi
args=(--corpus "$here/fuzz/corpus" --seconds "${ZPIPE_FUZZ_SECONDS:-4}")
[[ ! ${ZPIPE_FUZZ_SEED-} ]] || args+=(--seed "$ZPIPE_FUZZ_SEED")
[[ ! -e ${ZPIPE_MODULE-} ]] || args+=(--module "$ZPIPE_MODULE")
echo 1..1
if "$fuzzer" "${args[@]}"; then
	echo "ok 1 programs of the corpus, and changed ones, leave the kernel well"
else
	echo "not ok 1 programs of the corpus, and changed ones, leave the kernel well"
	exit 1
fi
