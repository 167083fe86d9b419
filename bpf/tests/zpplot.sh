#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpplot - zpipe-plot draws what zptop records, and the table of the benchmark

. "$(dirname "$(readlink -f "$0")")/common.sh"
plot=$top/tools/zpipe-plot

# is_png FILE WIDTH HEIGHT: and not an empty picture.
# shellcheck disable=SC2317 # check calls it
is_png() {
	local head
	head=$(head -c 24 "$1" | od -An -tx1 | tr -d ' \n')
	[[ $head == "89504e470d0a1a0a0000000d49484452$(printf %08x%08x "$2" "$3")" ]] &&
		(($(stat -c %s "$1") > 5000))
}

# is_svg FILE TEXT
# shellcheck disable=SC2317 # check calls it
is_svg() {
	grep -q '<svg' "$1" && grep -q '</svg>' "$1" && grep -q "$2" "$1"
}

check "a record is made" run 0 "$tools/zptop" -C -i 0.3 -w my.csv -- \
	"$workload" stream:2000:10007 verbs:101:997
check "... and drawn" run 0 "$plot" my.csv
check "... as PNG" is_png my.png 1100 900
check "... and SVG, with a line for the pipe" is_svg my.svg 'pipe [0-9]*: workload → workload'
check "one pipe, in another size, elsewhere" run 0 "$plot" -n 1 -s 640x480 -o other my.csv
check "... PNG" is_png other.png 640 480
check "... SVG" is_svg other.svg 'zpipe: 1 of 2 pipes'
sed 's/"workload"/"a, \x60b\x60, c"/g' my.csv >odd.csv
check "odd names of processes" run 0 "$plot" odd.csv
check "... are drawn" is_svg odd.svg 'a   b   c'
check "the table of the benchmark" run 0 "$plot" -o bench "$top/bench/results.csv"
check "... PNG" is_png bench.png 1100 900
check "... SVG, with each system" is_svg bench.svg 'memfd-ring'
check "percentiles of the round trips" run 0 "$plot" -o trips "$top/bench/latency.csv"
check "... PNG" is_png trips.png 1100 900
check "... SVG, with each system" is_svg trips.svg 'zpipe-rw'

check "no file" run 2 "$plot"
check "... is a wrong call" says err 'one file is wanted'
check "an unknown option" run 2 "$plot" -z my.csv
check "... is told" says err 'there is no option -z'
check "a size that is none" run 2 "$plot" -s big my.csv
check "... is told" says err 'takes WIDTHxHEIGHT'
check "a file that is not there" run 1 "$plot" nowhere.csv
check "... is told" says err 'cannot read nowhere.csv'
echo something >text
check "another kind of file" run 1 "$plot" text
check "... is told" says err 'text is neither a record of zptop nor a table'
: >empty
check "an empty file" run 1 "$plot" empty
check "... is told" says err 'empty is empty'
head -n 1 my.csv >nothing.csv
check "a record of nothing" run 1 "$plot" nothing.csv
check "... is told" says err 'there is no pipe in nothing.csv'
check "a pipe that is not in it" run 1 "$plot" -p 999999 my.csv
check "... is told" says err 'there is no pipe 999999 in my.csv'
check "a place where nothing can be written" run 1 "$plot" -o /proc/my my.csv
check "... is told" says err 'cannot write /proc/my.svg'
done_testing
