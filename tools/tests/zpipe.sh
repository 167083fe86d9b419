#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zpipe - the subcommands list, stat and doctor against pipes whose numbers are known: see holder.c

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/tests/tap.sh"

zpipe=$built/tools/zpipe
declare -A pid=() fd=() id=()
coproc HOLDER { exec "$built/tools/tests/holder"; }
exec {hold}>&"${HOLDER[1]}"
while read -r name p f i <&"${HOLDER[0]}"; do
	[[ $name != ready ]] || break
	pid[$name]=$p fd[$name]=$f id[$name]=$i
done
is "the holder is ready" ready "$name"
me=${pid[pool]}

# row NAME: its line of the table, blanks made single.
row() {
	awk -v p="${pid[$1]}" -v f="${fd[$1]}" '$1 == p && $3 == f { $1 = $1; print }' <<<"$table"
}

table=$("$zpipe" list -p "$me")
is "list has a line for each fd and a headline" 19 "$(wc -l <<<"$table")"
is "list shows a writer" "$me hol\"d\\er ${fd[stream.writer]} writer ${id[stream.writer]} - 1048576 92084 92084 no -" \
	"$(row stream.writer)"
is "list shows flags and a paused writer" \
	"$me hol\"d\\er ${fd[paused.reader]} reader ${id[paused.reader]} contig 65536 6007 6007 yes -" \
	"$(row paused.reader)"
is "list tells who has ended, and how" \
	"$me hol\"d\\er ${fd[ended.writer]} writer ${id[ended.writer]} guarded 16384 0 0 no writer,reader=EPROTO" \
	"$(row ended.writer)"
is "list tells of each reader whether it has ended" $'2001 -\n0 reader=ENOBUFS\n0 reader\n2001 -' \
	"$(for end in reader slow over writer; do row "outrun.$end" | cut -d' ' -f8,11; done)"
is "list shows a buffer" "$me hol\"d\\er ${fd[buffer]} buffer ${id[buffer]} - 1009 1009 - - -" \
	"$(row buffer)"
is "list shows a pool" "$me hol\"d\\er ${fd[pool]} pool pool:${id[pool]} - 53248 20480 - - -" \
	"$(row pool)"
is "list shows what the kernel knew" "0 0" "$(row mapped.writer | cut -d' ' -f8,9)"
is "list of one pipe" 3 "$("$zpipe" list -i "${id[stream.writer]}" | wc -l)"
table=$("$zpipe" list --look)
is "list --look shows what the shared words say" "20011 20011" "$(row mapped.writer | cut -d' ' -f8,9)"

# The JSON, read by somebody else.
json=$("$zpipe" list --json -p "$me" | python3 -c '
import json, sys
rows = json.load(sys.stdin)
at = {(r["fd"]): r for r in rows}
kept, stream, pool = (at[int(n)] for n in sys.argv[1:4])
print(len(rows), kept["preserved"], kept["handles"], kept["command"], kept["paused"])
print(stream["published"], stream["consumed"], stream["held"], stream["pause"], stream["flags"])
print(pool["role"], pool["segments"], pool["free"], "held" in pool)' \
	"${fd[kept.reader]}" "${fd[stream.writer]}" "${fd[pool]}")
is "list --json can be read, whatever a process calls itself" \
	$'18 4099 3 hol"d\\er False\n100003 7919 92084 524287 -\npool 13 8 False' "$json"

# pairs TITLE NAME=VALUE...: lines of $text, "NAME VALUE"
pairs() {
	local title=$1 name value pair
	local -A got=()
	shift
	while read -r name value; do
		got[$name]=$value
	done <<<"$text"
	for pair; do
		is "$title: ${pair%%=*}" "${pair#*=}" "${got[${pair%%=*}]-nothing}"
	done
}

text=$("$zpipe" stat "${id[stream.writer]}")
pairs stat reader-waits=no writer-wait-count=0 published=100003 consumed=7919 copied-write=100003 copied-read=7919 held=92084 pause=524287 \
	resume=262139 readers=1 pauses=0 rejects=0 role=writer fd="${fd[stream.writer]}" pid="$me"
is "stat shows each name once" "" "$(cut -d' ' -f1 <<<"$text" | sort | uniq -d)"
is "stat shows every field of STAT" "" "$(sed -nE '/^struct zpipe_stat_args/,/^}/s/.*out_(.*);/\1/p' \
	"$built/../uapi/linux/zpipe.h" | sed "s/_waits$/_wait-count/; s/_/-/g" | sort | comm -23 - <(cut -d' ' -f1 <<<"$text" | sort))"
text=$("$zpipe" stat "$me/${fd[kept.reader]}")
pairs "stat of a reader" preserved-bytes=4099 preserved-handles=3 preserved=4099
text=$("$zpipe" stat "$me/${fd[pool]}")
pairs "stat of a pool" segments=13 free=8 pipes=1 role=pool
text=$("$zpipe" stat "$me/${fd[buffer]}")
pairs "stat of a buffer" role=buffer length=1009
text=$("$zpipe" stat --watch=0.1 --count 3 "$me/${fd[stream.reader]}")
is "stat --watch --count" "3 2" "$(grep -c '^published ' <<<"$text") $(grep -cE '^published +100003  \+0.0/s' <<<"$text")"
is "stat --json can be read" "100003 7919 True 1" "$("$zpipe" stat --json "${id[stream.writer]}" | python3 -c '
import json, sys
r = json.load(sys.stdin)
print(r["published"], r["copied-read"], r["paused"] is False, r["readers"])')"

text=$("$zpipe" stat)
pairs summary seen-processes=1 seen-pipes=7 seen-writer-fds=7 seen-reader-fds=9 \
	seen-pool-fds=1 seen-buffer-fds=1 \
	seen-paused=1 seen-ended-writers=1 seen-ended-readers=1 seen-preserved=4099 \
	seen-held=$((92084 + 6007 + 20011 + 10007 + 17497 + 2001)) user_pipes=4096
is "the summary's JSON can be read" "7 4096" "$("$zpipe" stat --json | python3 -c '
import json, sys
r = json.load(sys.stdin)
print(r["seen-pipes"], r["parameters"]["user_pipes"])')"

is "doctor --json can be read" "kernel ok" "$("$zpipe" doctor --json | python3 -c '
import json, sys
r = json.load(sys.stdin)[0]
print(r["check"], r["verdict"])')"
fails "list of no process" 1 'there is no process 999999$' "$zpipe" list -p 999999
fails "list of no pipe" 1 'nobody you may see holds pipe 987654321' "$zpipe" list -i 987654321
fails "stat of no pipe" 1 'no process holds pipe 987654321' "$zpipe" stat 987654321
fails "stat of another fd" 1 "has no fd 0 that is a zpipe" "$zpipe" stat "$me/0"
fails "stat of nonsense" 2 "'a/b' is no process id|'a' is no process id" "$zpipe" stat a/b
fails "stat with too much" 2 "one argument too many" "$zpipe" stat 1 2
fails "stat --count without --watch" 2 "--count is for --watch" "$zpipe" stat --count 2
fails "stat --watch with nonsense" 2 "takes seconds" "$zpipe" stat --watch=-1 1
fails "an unknown option" 2 "unrecognized option" "$zpipe" list --nonsense
fails "an unknown subcommand" 2 "there is no subcommand 'nonsense'" "$zpipe" nonsense
fails "nothing" 2 "Usage: zpipe" "$zpipe"
fails "stat of another user's process" 1 "is not yours; root may look at it" \
	setpriv --reuid 65534 --clear-groups "$zpipe" stat "$me/${fd[pool]}"
fails "list tells that it does not see all" 0 "processes of other users are not shown" \
	setpriv --reuid 65534 --clear-groups "$zpipe" list
cp "$zpipe" alone
fails "plot without its program" 1 "^zpipe plot: there is no zpipe-plot beside zpipe or in PATH" \
	env PATH=/nonexistent ./alone plot /nonexistent
if [[ -x $built/bpf/zptop ]]; then
	has "top runs zptop" '^zptop \(zpipe ' "$("$zpipe" top --version)"
fi
complete_zpipe() {
	PATH=$built/tools:$PATH bash -c '. "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _zpipe
		echo "${COMPREPLY[*]}"' bash "$built/../tools/zpipe/zpipe.bash" zpipe "$@"
}
is "subcommands are completed" "list" "$(complete_zpipe li)"
is "options are completed" "--pid --pipe" "$(complete_zpipe list --pi | tr ' ' '\n' | sort | xargs)"
is "pipes are completed" "${id[stream.writer]}" "$(complete_zpipe stat '' | cut -d' ' -f1)"
has "help names the subcommands" '^ +doctor ' "$("$zpipe" --help)"

# A pipe that dies while it is watched.
"$zpipe" stat --watch=0.1 "$me/${fd[stream.reader]}" >watched 2>said &
watcher=$!
until [[ -s watched ]]; do
	sleep 0.1
done
exec {hold}>&-
eval "exec ${HOLDER[1]}>&-"
wait "$watcher" && rc=0 || rc=$?
is "stat --watch ends with the pipe" 0 "$rc"
has "and says so" 'is gone$' "$(cat said)"
is "the watcher has not kept the pipe alive" "" "$("$zpipe" list | tail -n +2)"

# More than a screen.
nr=10007
ulimit -n $((2 * nr + 100))
coproc MANY { exec "$built/tools/tests/holder" many $nr; }
exec {hold}>&"${MANY[1]}"
while read -r name p _ <&"${MANY[0]}"; do
	[[ $name != ready ]] || break
	many=$p
done
is "many pipes at once" $((2 * nr + 1)) "$("$zpipe" list -p "$many" | wc -l)"
text=$("$zpipe" stat)
pairs "summary of many" seen-pipes=$nr seen-writer-fds=$nr seen-capacity=$((nr * 4096))
has "doctor sees that there are too many" "^note +pipes: $nr are (seen|yours)" "$("$zpipe" doctor)"
exec {hold}>&-
eval "exec ${MANY[1]}>&-"
wait
finish
