#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# doctor - zpipe doctor: each finding is provoked, and its remedy printed
#
# What the machine has, or has not, is put in the place of the real thing in a mount namespace of
# each case alone.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/tests/tap.sh"

doctor=$built/tools/zpipe
findings=$PWD/findings
fake=$PWD/doctor-files
mkdir "$fake"

# finding NAME VERDICT FINDING REMEDY: of what the doctor said last.
finding() {
	local pair=$2' *'$3
	has "$1" "^$pair" "$text"
	[[ ! $4 ]] || has "$1: the remedy" "^      remedy: $4" "$(grep -A 1 -E -- "^$pair" <<<"$text")"
	cat <<<"$text" >>"$findings"
}

# told STATUS CMD...: run the doctor by a command, in text.
told() {
	local wanted=$1 rc=0
	shift
	text=$("$@" 2>&1) || rc=$?
	((rc == wanted)) || ok 1 "status $wanted" "status $rc: $*"$'\n'"$text"
}

# with STATUS COMMANDS: run the doctor after commands of a shell, which nobody else sees the effect of.
with() {
	told "$1" unshare -m --propagation private bash -euc "cd '$fake'"$'\n'"$2"$'\n'"exec '$doctor' doctor"
}

# as_other CMD...
as_other() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

told 0 "$doctor" doctor
finding "a pipe is made" ok 'pipe: one was made and carried a byte' ''
finding "the module" ok 'module: version [0-9.]+ is loaded$' ''
finding "the device" ok 'device: /dev/zpipe can be opened' ''
finding "the kernel" ok 'kernel: Linux 6\.(1|12)\.' ''
finding "tracing" ok 'tracepoints: can be read' ''
finding "BPF" ok 'bpf: programs can be loaded' ''
finding "capacity" ok 'capacity: a pipe may hold 256 MiB' ''
finding "addresses" ok 'addresses: a process may map what it likes' ''

# The kernel.
release=/proc/sys/kernel/osrelease
with 1 "echo 5.10.0 >file; mount --bind file $release"
finding "an old kernel" bad 'kernel: Linux 5.10.0 is older than 6.1' 'run Linux 6.1 or later'
with 0 "echo 6.6.13 >file; mount --bind file $release"
finding "an untested kernel" note 'kernel: Linux 6.6.13 is not one of the tested' '6.1 and 6.12 are'
told 0 setarch i686 "$doctor" doctor
finding "another machine" note 'kernel: i686: only x86_64 is tested' 'use x86-64'

# The module.
with 0 "mount -t tmpfs none /sys/module; mkdir -p /sys/module/zpipe; echo 9.9.9 >/sys/module/zpipe/version"
finding "another version" note 'module: version 9.9.9 is loaded, the tools are of' 'unload it'
# A folder of libraries with the same in it, but other modules: it is complete before it takes its place.
lib=$(readlink -f /lib)
gone="mount -t tmpfs none /sys/module; mkdir -p old new; mount --bind $lib old; mount -t tmpfs none new
	ln -s \$PWD/old/* new; rm -f new/modules"
there="mkdir -p \"new/modules/\$(uname -r)/updates\"; touch \"new/modules/\$(uname -r)/updates/zpipe.ko.xz\""
with 1 "$gone; mount --bind new $lib"
finding "no module" bad 'module: not loaded, and not installed for Linux' 'make modules_install'
for skipped in device pipe limits tracepoints; do
	finding "no module, and so no $skipped" skip "$skipped: " ''
done
gone="$gone; $there; mount --bind new $lib"
with 1 "$gone"
finding "one that is not loaded" bad 'module: installed, but not loaded' 'modprobe zpipe'
with 1 "$gone; mount -t tmpfs none /sys/kernel; mkdir /sys/kernel/security
	echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown"
finding "one that may not be loaded" bad 'module: not loaded; the kernel is locked down' 'sign it'

# The device, and permission.
with 1 "mount -t tmpfs none /dev"
finding "no device" bad 'device: /dev/zpipe does not exist' 'start udev'
finding "no device, and so no pipe" skip 'pipe: no device' ''
with 1 "touch file; mount --bind file /dev/zpipe"
finding "a file in its place" bad 'device: /dev/zpipe is no character device' 'remove it'
with 1 "mount -t tmpfs -o nodev none /mnt; mknod /mnt/zpipe c 1 3; chmod 666 /mnt/zpipe
	mount --bind /mnt/zpipe /dev/zpipe"
finding "a device on a disk without devices" bad 'device: .* cannot be opened: Permission denied' 'mount what it is on'
with 1 "mknod /dev/zpipe-test c 60 77; mount --bind /dev/zpipe-test /dev/zpipe"
rm /dev/zpipe-test
finding "a device of nobody's" bad 'device: .* cannot be opened: No such device' 'see the error'
chmod 600 /dev/zpipe
told 1 as_other "$doctor" doctor
finding "no permission" bad 'device: /dev/zpipe .mode 600, gid [0-9]+. cannot be opened: Permission denied' 'join the group'
chmod 666 /dev/zpipe

# Making a pipe.
refuse=$built/tools/tests/refuse
told 1 "$refuse" 12 "$doctor" doctor
finding "no memory" bad 'pipe: there is no memory for a pipe' 'raise memory.max'
told 1 "$refuse" 5 "$doctor" doctor
finding "a broken module" bad 'pipe: cannot be made: Input/output error' 'report it'
told 0 env LD_PRELOAD="$built/tools/tests/newer.so" "$doctor" doctor
finding "another interface" note 'pipe: the interface has version 2, the tools know 1' 'use tools and module of one version'
told 1 bash -c "ulimit -n 4; exec '$doctor' doctor"
finding "no fds" bad 'pipe: no fds are left' 'ulimit -n'
finding "few fds" note 'fds: a process may have 4, ' 'ulimit -n 1024'
told 0 bash -c "ulimit -v 100000; exec '$doctor' doctor"
finding "few addresses" note 'addresses: a process may map 97 MiB' 'ulimit -v unlimited'

# The limits.
parameters=/sys/module/zpipe/parameters
pipes=$(<$parameters/user_pipes) pages=$(<$parameters/user_pages_soft) capacity=$(<$parameters/max_capacity)
coproc HOLDER { exec "$built/tools/tests/holder" many 20; }
exec {hold}>&"${HOLDER[1]}"
until [[ ${line-} == ready ]]; do
	read -r line <&"${HOLDER[0]}"
done
echo 21 >$parameters/user_pipes
told 0 "$doctor" doctor
finding "many pipes" note 'pipes: 20 are yours, one user may have 21' "raise $parameters/user_pipes"
echo 0 >$parameters/user_pipes
told 0 "$doctor" doctor
finding "no limit" ok 'pipes: 20 are yours, there is no limit' ''
echo "$pipes" >$parameters/user_pipes
held=$(sed -nE 's/^ok +pages: ([0-9]+) are yours.*/\1/p' <<<"$text")
echo "$held" >$parameters/user_pages_soft
told 0 "$doctor" doctor
finding "many pages" note "pages: $held are yours, one user may have $held" "raise $parameters/user_pages_soft"
echo "$pages" >$parameters/user_pages_soft
echo 65536 >$parameters/max_capacity
told 0 "$doctor" doctor
finding "small pipes" note 'capacity: a pipe may hold 65536 bytes' "raise $parameters/max_capacity"
echo "$capacity" >$parameters/max_capacity
exec {hold}>&-
eval "exec ${HOLDER[1]}>&-"
wait
coproc HOLDER { as_other "$built/tools/tests/holder" many 1; }
exec {hold}>&"${HOLDER[1]}"
line=''
until [[ $line == ready ]]; do
	read -r line <&"${HOLDER[0]}"
done
echo 1 >$parameters/user_pipes
told 1 as_other "$doctor" doctor
finding "a limit that is used up" bad 'pipe: your limit of pipes or pages is used up' 'close pipes'
echo "$pipes" >$parameters/user_pipes
exec {hold}>&-
eval "exec ${HOLDER[1]}>&-"
wait

# The machine.
meminfo() {
	printf 'MemTotal: %s kB\nHugePages_Total: %s\nHugePages_Free: %s\nHugepagesize: 2048 kB\n' "$@" >"$fake/file"
}
meminfo 1048576 0 0
with 0 'mount --bind file /proc/meminfo'
finding "no huge pages" ok 'hugepages: none are reserved' ''
meminfo 1048576 200 200
with 0 'mount --bind file /proc/meminfo'
finding "many huge pages" note 'hugepages: 400 of 1024 MiB wait' 'reserve fewer'
meminfo 1048576 200 100
with 0 'mount --bind file /proc/meminfo'
finding "used huge pages" ok 'hugepages: 200 MiB are reserved and unused' ''
with 0 'echo 0 >file; mount --bind file /sys/devices/system/cpu/online'
finding "one processor" note 'processors: only one' 'give the machine a second'
with 0 'echo 0-3 >file; mount --bind file /sys/devices/system/cpu/online'
finding "several" ok 'processors: 4' ''

# What the tools need.
with 0 'mount -t tmpfs none /sys/kernel/tracing'
finding "no tracing" note 'tracepoints: /sys/kernel/tracing/.* is not there' 'mount -t tracefs'
told 0 as_other "$doctor" doctor
finding "tracing is not for all" note 'tracepoints: /sys/kernel/tracing is for root' 'trace as root'
finding "nor is BPF" note 'bpf: you may not load' 'run zptop and its like as root'
with 0 "cp $release file; mount -t tmpfs none /proc/sys/kernel; cp file $release"
finding "no BPF" note 'bpf: this kernel has no BPF' 'use the events'
cp "$doctor" alone
told 0 env PATH=/nonexistent ./alone doctor
finding "no BPF tools" note 'zptop: not found; zpipe top' 'make bpf, then make install'
finding "no benchmark" note 'zpipe-bench: not found; ' 'make install'
finding "no plots" note 'zpipe-plot: not found; ' 'make install'
finding "no gnuplot" note 'gnuplot: not found; ' 'apt-get install gnuplot-nox'
finding "no bpftrace" note 'bpftrace: not found; ' 'apt-get install bpftrace'
mkdir "$fake/bin"
for program in zptop zpipe-bench zpipe-plot gnuplot bpftrace; do
	install -m 755 /dev/null "$fake/bin/$program"
done
told 0 env PATH="$fake/bin" ./alone doctor
for program in zptop zpipe-bench zpipe-plot gnuplot bpftrace; do
	finding "$program" ok "$program: found" ''
done

# Completion.
# shellcheck disable=SC2016 # the shell of the case expands it
bare='mount -t tmpfs none /usr/share/bash-completion; mount -t tmpfs none /usr/local/share; export HOME=$PWD/home'
with 0 "$bare"
finding "no completion" note 'completion: bash does not know' 'make install, or source'
bare="$bare; mkdir -p home/.local/share/bash-completion/completions; touch home/.local/share/bash-completion/completions/zpipe"
with 0 "$bare"
finding "completion that nobody looks for" note 'completion: is installed, but' 'apt-get install bash-completion'
with 0 "$bare; touch /usr/share/bash-completion/bash_completion"
finding "completion" ok 'completion: is installed' ''

# In all that was said above.
is "what is bad or missing has a remedy" "" "$(awk '/^(bad|note) / { line = $0; next }
	line && !/^      remedy: ./ { print line }
	{ line = "" }' "$findings")"
is "and what is neither has none" "" "$(awk '/^(ok|skip) / { line = $0; next }
	line && /remedy/ { print line }
	{ line = "" }' "$findings")"
is "JSON has the same" "$(sed -nE 's/^([a-z]+) +([a-z-]+): .*/\1 \2/p' <<<"$("$doctor" doctor)")" \
	"$("$doctor" doctor --json | python3 -c '
import json, sys
for r in json.load(sys.stdin):
	print(r["verdict"], r["check"])
	assert ("remedy" in r) == (r["verdict"] in ("bad", "note"))')"
fails "an argument too many" 2 'one argument too many' "$doctor" doctor now
finish
