#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run - the subcommands run, cat and pv: what goes through, how they end, what they copy

# shellcheck disable=SC2016 # the shell that expands these is that of a command

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/tests/tap.sh"

PATH=$built/tools:$PATH
# Where it runs, who runs it has files.
mkdir run-files
cd run-files
seq 1 200003 >numbers
head -c 3000017 /dev/urandom >noise

# status NAME WANTED CMD...: what it says on stderr is kept in said.
status() {
	local name=$1 wanted=$2 rc=0
	shift 2
	"$@" 2>said || rc=$?
	if ((rc == wanted)); then
		ok 0 "$name"
	else
		ok 1 "$name" "status $rc, not $wanted: $(cat said)"
	fi
}

# same NAME FILE FILE
same() {
	local difference rc=0
	difference=$(cmp "$2" "$3" 2>&1) || rc=$?
	ok "$rc" "$1" "$difference"
}

# Bytes, and who has which end.
status "two commands" 0 zpipe run 'cat noise' 'cat >out'
same "and all bytes" noise out
status "five commands" 0 zpipe run 'cat numbers' tac 'sort -n' 'gzip -1' 'gunzip >out'
same "and all bytes of five" numbers out
zpipe run 'echo $ZPIPE_FD >first' 'echo $ZPIPE_FD >middle' 'echo $ZPIPE_FD >last'
is "ZPIPE_FD names the ends" "1 0,1 0" "$(cat first middle last | xargs)"
roles='for f in 0 1; do zpipe stat $$/$f 2>/dev/null | sed -n "s/^role *//p"; done | xargs'
is "a producer has a writer, a consumer a reader" $'writer\nreader' \
	"$(zpipe run "w=\$($roles); echo \$w" "cat; $roles")"
is "who is in the middle has both" "reader writer" "$(zpipe run true "$roles" cat)"
fds='cd /proc/$$/fd && echo [0-9]*'
is "nothing else is inherited" "$(sh -c "$fds")" "$(zpipe run "$fds" cat)"
is "the options arrive" "262144 8192 guarded" "$(zpipe run -c 256K -s 8K --guarded \
	'zpipe list --json -p $$' cat | python3 -c 'import json, sys
row = json.load(sys.stdin)[0]
print(row["capacity"], row["segment"], row["flags"])')"
aware=$built/tools/tests/aware
status "programs that know zpipe find their ends" 0 zpipe run "$aware 5000011" "$aware" "$aware >out"
is "and get the bytes" 5000011 "$(cat out)"
is "without a copy" "" "$(cat said)"
status "one that knows, one that does not" 0 zpipe run "$aware 5000011" 'wc -c >out'
is "agree" 5000011 "$(cat out)"
for program in 'dd bs=7001 status=none' 'tee copy' 'perl -pe 1' 'python3 -c "import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())"' 'head -c 3000017' 'tail -c +1' 'od -An -v -tx1 | xxd -r -p'; do
	[[ $program != *xxd* ]] || type xxd >/dev/null 2>&1 || continue
	zpipe run 'cat noise' "$program" 'cat >out'
	same "unmodified: ${program%%[ (]*}" noise out
done

# How it ends.
status "the last failure counts" 4 zpipe run 'exit 3' 'exit 4' true
status "of one that failed" 3 zpipe run 'exit 3' true true
status "a signal is 128 more" 137 zpipe run 'kill -9 $$' cat
status "a producer whose reader has left" 141 zpipe run yes 'head -n 1 >out'
is "but the consumer had its line" y "$(cat out)"
status "no such command" 127 zpipe run true nonsense-$$
status "one command is no pipeline" 2 zpipe run true
status "an impossible segment" 125 zpipe run -s 3000 true true
has "is explained" 'capacity and segment size' "$(cat said)"
status "nonsense for a capacity" 2 zpipe run -c 12X true true
chmod 600 /dev/zpipe
status "no permission" 125 setpriv --reuid 65534 --clear-groups "$built/tools/zpipe" run true true
has "is explained, too" 'Permission denied: see zpipe doctor' "$(cat said)"
chmod 666 /dev/zpipe

# gone PID: it is no process, or a dead one, soon.
gone() {
	local i
	for ((i = 0; i < 100; i++)); do
		[[ -e /proc/$1/stat && $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) != Z ]] || return 0
		sleep 0.1
	done
	return 1
}

# started FILE...: a process has written its number there.
started() {
	local file
	for file; do
		until [[ -s $file ]]; do
			sleep 0.05
		done
	done
}

for signal in TERM KILL; do
	rm -f one two
	zpipe run 'echo $$ >one; exec sleep 1000' 'echo $$ >two; exec cat' 2>said &
	pid=$!
	started one two
	kill -"$signal" $pid
	rc=0
	wait $pid 2>/dev/null || rc=$?
	is "ended by SIG$signal" $((128 + $(kill -l $signal))) "$rc"
	gone "$(cat one)" && gone "$(cat two)" && rc=0 || rc=1
	ok "$rc" "nobody is left after SIG$signal"
done
rm -f one two
status "a job in the background does not keep it" 0 \
	zpipe run 'sleep 1000 <&- >&- 2>&- & echo $! >one' 'cat >out'
gone "$(cat one)" && rc=0 || rc=1
ok "$rc" "and is not left behind"
rm -f one
status "nor does one that will not end" 0 \
	zpipe run "(trap '' TERM; exec sleep 1000) <&- >&- 2>&- & sleep 0.3" 'cat >out'
is "it was killed" "" "$(pgrep -f 'sleep 1000' || true)"
rm -f one
(trap '' HUP && exec zpipe run 'echo $$ >one; exec sleep 2' cat) &
pid=$!
started one
kill -HUP $pid "$(cat one)"
wait $pid && rc=0 || rc=$?
is "what nohup ignores stays ignored" 0 "$rc"

# cat
copies='zpipe stat $$/0 | awk '"'"'/^(copied-write|copied-read|forwarded|published) / { print $2 }'"'"' | xargs >counted'
zpipe run 'zpipe cat noise' "zpipe cat >out; $copies"
same "cat to cat" noise out
is "nothing was copied between them" "3000017 0 0 0" "$(cut -d' ' -f1-3 counted) $(cut -d' ' -f4 counted)"
zpipe run 'zpipe cat noise' 'zpipe cat' "zpipe cat >out; $copies"
same "cat in the middle" noise out
has "it forwards" ' 3000017$' "$(cat counted)"
zpipe run -g 'zpipe cat noise' 'zpipe cat' 'zpipe cat >out'
same "guarded" noise out
zpipe run 'cat noise' 'zpipe cat >out'
same "cat behind a program that knows nothing" noise out
zpipe run 'zpipe cat noise' 'cat >out'
same "and before one" noise out
zpipe cat <noise | cat >out
same "cat without a zpipe" noise out
cat numbers noise numbers >wanted
zpipe run 'zpipe cat numbers - numbers <noise' 'cat >out'
same "files, and standard input among them" wanted out
status "a file that is not there" 1 zpipe run 'zpipe cat numbers nonsense noise' 'cat >out'
has "is named" 'cat: nonsense: No such file' "$(cat said)"
cat numbers noise >wanted
same "the others come" wanted out
status "the end of the stream is its end" 1 zpipe run 'zpipe cat numbers; echo more' 'cat >out'
echo more | cat numbers - >wanted
status "unless others write after it" 0 zpipe run 'zpipe cat -k numbers; echo more' 'zpipe cat >out'
same "which they do" wanted out
status "a reader that leaves" 141 zpipe run 'zpipe cat /dev/zero' 'head -c 100 >out'
status "a full disk" 1 zpipe run 'zpipe cat noise; exit 0' 'zpipe cat >/dev/full'
has "is told" 'copying standard input: No space left' "$(cat said)"
status "a directory" 1 zpipe run 'zpipe cat /; exit 0' 'zpipe cat'
is "is an error on both sides" 2 "$(grep -c 'Is a directory' said)"
mkfifo fifo
zpipe run 'echo $$ >one; exec zpipe cat fifo' 'zpipe cat >out' 2>said &
pid=$!
exec {fifo}>fifo
echo begun >&$fifo
until [[ -s out ]]; do
	sleep 0.1
done
kill -9 "$(cat one)"
wait $pid && rc=0 || rc=$?
is "a producer that is killed is no end of stream" 1 "$rc"
has "but an error" 'went away before it was done' "$(cat said)"
exec {fifo}>&-
python3 -c 'import os, sys, time
r, w = os.pipe2(os.O_NONBLOCK)
if os.fork() == 0:
	os.close(r)
	for i in range(20):
		os.write(w, b"word\n")
		time.sleep(0.02)
	os._exit(0)
os.close(w)
os.dup2(r, 0)
os.execlp("zpipe", "zpipe", "run", "zpipe cat", "zpipe cat >out")'
is "an input that would block" 20 "$(wc -l <out)"

# pv
zpipe run 'zpipe pv -i 0.1 noise' 'sleep 0.5; cat >out' 2>said
same "pv" noise out
has "the size is known" '^ *2\.86MiB 0:00:0[0-9] \[.*/s\] 100%$' "$(tail -n 1 said)"
has "and what is left" '% ETA [0-9]+:[0-9]{2}:[0-9]{2}$' "$(cat said)"
sleep 0.6 | zpipe pv -i 0.1 2>said >out
(($(wc -l <said) >= 4)) && rc=0 || rc=1
ok "$rc" "it goes on when nothing moves" "$(cat said)"
{ cat noise; sleep 0.4; } | zpipe cat -p -i 0.15 -s 6000034 2>said >out
has "a size that was given" '^ *2\.86MiB .* 50% ETA' "$(cat said)"
has "of which not all came" ' 50%$' "$(tail -n 1 said)"
zpipe cat noise >out 2>said
is "cat says nothing" "" "$(cat said)"
status "nonsense for an interval" 2 zpipe pv -i 0

if [[ -x $built/bench/zpipe-bench ]]; then
	text=$(zpipe bench -r 1 -t 5 -z 4096)
	has "bench compares" '^ +4KiB +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+x$' "$text"
	has "and says what that is worth" 'emulated|virtual machine' "$text"
fi

has "subcommands are completed" "run" "$(PATH=$built/tools:$PATH bash -c '. "$1"; COMP_WORDS=(zpipe ru)
	COMP_CWORD=1; _zpipe; echo "${COMPREPLY[*]}"' bash "$built/../tools/zpipe/zpipe.bash")"
is "no pipe is left" "" "$(zpipe list | tail -n +2)"
finish
