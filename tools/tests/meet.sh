#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# meet - the subcommands send and recv: who comes first, who may, how it ends

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/tests/tap.sh"

PATH=$built/tools:$PATH
mkdir meet-files
cd meet-files
head -c 3000017 /dev/urandom >noise
rc=0

# both NAME STATUS FILE: the sender in the background has ended with the status, and FILE is there.
both() {
	wait "$pid" && rc=0 || rc=$?
	is "$1: the other side ends with $2" "$2" "$rc"
	[[ ! ${3-} ]] || { cmp "$3" out && rc=0 || rc=1; ok "$rc" "$1: all bytes"; }
}

zpipe send one <noise &
pid=$!
sleep 0.5
zpipe recv one >out
both "the sender first" 0 noise
zpipe recv one >out &
pid=$!
sleep 0.5
zpipe send one <noise
both "the receiver first" 0 noise
for ((i = 0; i < 10; i++)); do
	zpipe send same <noise &
	pid=$!
	zpipe recv same >out
	wait "$pid" && cmp noise out || rc=1
done
ok "$rc" "both at once, ten times"
zpipe recv -g one >out &
pid=$!
zpipe send -g -c 64K one <noise
both "guarded" 0 noise
: | zpipe send nothing &
pid=$!
zpipe recv nothing >out
both "nothing is sent" 0 /dev/null
zpipe send -p one <noise 2>said &
pid=$!
zpipe recv one >out
both "with a line of progress" 0 noise
has "which ends" '^ *2\.86MiB 0:' "$(tail -n 1 said)"

# Who may.
nobody=(setpriv --reuid 65534 --clear-groups "$built/tools/zpipe")
chmod 755 .
zpipe send -m 666 ./door <noise &
pid=$!
until [[ -S door ]]; do
	sleep 0.05
done
is "the mode of the socket" 666 "$(stat -c %a door)"
"${nobody[@]}" recv ./door >out
both "another user, who may" 0 noise
is "the socket is gone" "" "$(ls door 2>/dev/null || true)"
zpipe send ./door <noise &
pid=$!
until [[ -S door ]]; do
	sleep 0.05
done
fails "another user, who may not" 1 'door: Permission denied' "${nobody[@]}" recv ./door
zpipe recv ./door >out
both "nor is the one kept away who may" 0 noise

# What goes wrong.
fails "nobody comes" 1 'lonely: no sender has come' zpipe recv -w 0.3 lonely
zpipe send two <noise 2>said &
pid=$!
sleep 0.5
fails "two senders" 1 'two: there is a sender already' zpipe send two </dev/null
both "two senders" 1
zpipe send full <noise 2>said &
pid=$!
fails "a full disk" 1 'full: No space left' sh -c 'zpipe recv full >/dev/full'
both "a full disk" 1
has "is told to the sender" 'full: No space left' "$(cat said)"
zpipe send folder </ 2>said &
pid=$!
fails "an input that fails" 1 'folder: Is a directory' zpipe recv folder
both "an input that fails" 1
mkfifo fifo
# What is there from before is not what came.
: >out
zpipe send killed <fifo &
pid=$!
zpipe recv killed >out 2>said &
other=$!
exec {fifo}>fifo
echo begun >&$fifo
until [[ -s out ]]; do
	sleep 0.1
done
kill -9 $pid
wait $other && rc=0 || rc=$?
is "a sender that is killed is no end of stream" 1 "$rc"
has "and that is said" 'the sender went away' "$(cat said)"
exec {fifo}>&-
zpipe send killed </dev/zero 2>said &
pid=$!
zpipe recv killed >/dev/null &
other=$!
sleep 0.5
kill -9 $other
both "a receiver that is killed" 1
has "is gone" 'the receiver went away' "$(cat said)"
echo precious >file
fails "a file that is no socket" 1 'no socket' zpipe send ./file </dev/null
is "which stays" precious "$(cat file)"
fails "a name too long" 1 'too long' zpipe send "$(printf '%0200d' 1)"
fails "no name" 2 'which NAME' zpipe recv
fails "two names" 2 'one argument too many' zpipe recv a b
fails "a mode that is none" 2 'permission bits' zpipe recv -m 888 a
python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind("fake")
s.listen()
print("ready", flush=True)
c = s.accept()[0]
c.send(b"nonsense")
c.close()' >ready &
until [[ -s ready ]]; do
	sleep 0.05
done
fails "a listener that talks nonsense" 1 'is no zpipe send' zpipe recv ./fake
is "no pipe is left" "" "$(zpipe list | tail -n +2)"
finish
