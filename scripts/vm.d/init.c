// SPDX-License-Identifier: MIT
/*
 * init - the first process of the guest
 *
 * Mounts the host's root (read-only, over 9p), what must be writable on top, loads the module, runs
 * one command and relays its streams and the kernel log to the host. /conf in the initial file
 * system holds NUL-terminated "key=value" entries written by scripts/vm. Afterwards it unloads the
 * module; where the kernel tracks its memory (kmemleak) it also looks for leaks, and loads and
 * unloads once more.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define LIST_MAX 1024
#define ROOT "/r"

struct list {
	char *at[LIST_MAX + 1];
	int n;
};

static struct list args, envs, keeps, shares;
static const char *cwd = "/", *params = "", *kmods;
static bool merge, use_tty, use_stdin, icount;
static unsigned short rows = 24, cols = 80;

static int wire = -1, kmsg = -1, module = -1;

/* --- talking to the host --- */

static void send_all(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(wire, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= n;
	}
}

static void send_frame(enum wire_type type, const void *data, size_t len)
{
	static char buf[sizeof(struct wire_frame) + WIRE_MAX];
	struct wire_frame frame = { .type = type, .len = len };

	/* One write per frame: each write of the port is one round trip to the host. */
	memcpy(buf, &frame, sizeof(frame));
	memcpy(buf + sizeof(frame), data, len);
	send_all(buf, sizeof(frame) + len);
}

static void note(enum wire_type type, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (wire >= 0)
		send_frame(type, line, n);
	else
		fprintf(stderr, "%s", line);
}

/* Forward what the kernel has logged; records written by programs are not the kernel's word. */
static void pump_log(void)
{
	char rec[8192];
	ssize_t n;

	while ((n = read(kmsg, rec, sizeof(rec) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		unsigned long long us;
		unsigned int pri;
		char *text, *end;

		if (n < 0)
			continue;
		rec[n] = 0;
		if (sscanf(rec, "%u,%*u,%llu", &pri, &us) != 2)
			continue;
		text = strchr(rec, ';');
		end = text ? strchr(text, '\n') : NULL;
		/* Of what programs have written only which test runs, see selftests/run.sh. */
		if (!end || (pri >> 3 && strncmp(text, ";selftests: ", 12)))
			continue;
		*end = 0;
		note(WIRE_LOG, "[%5llu.%06llu] %s\n", us / 1000000, us % 1000000, text + 1);
	}
}

static void finish(uint32_t status)
{
	pump_log();
	send_frame(WIRE_EXIT, &status, sizeof(status));
	/* The host ends the machine now; this is for the case that it does not. */
	sleep(20);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void fail(const char *what)
{
	note(WIRE_ERR, "vm: guest set-up: %s: %s\n", what, strerror(errno));
	finish(125);
}

/* --- set-up --- */

static void load_conf(void)
{
	static char buf[1 << 20];
	int fd = open("/conf", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	char *p = buf;

	if (n < 0)
		fail("conf");
	close(fd);
	while (p < buf + n) {
		char *key = p, *value = strchr(p, '=');
		struct list *list = NULL;

		p += strlen(p) + 1;
		if (!value)
			continue;
		*value++ = 0;
		if (!strcmp(key, "arg"))
			list = &args;
		else if (!strcmp(key, "env"))
			list = &envs;
		else if (!strcmp(key, "keep"))
			list = &keeps;
		else if (!strcmp(key, "share"))
			list = &shares;
		else if (!strcmp(key, "cwd"))
			cwd = value;
		else if (!strcmp(key, "params"))
			params = value;
		else if (!strcmp(key, "kmods"))
			kmods = value;
		else if (!strcmp(key, "merge"))
			merge = true;
		else if (!strcmp(key, "tty"))
			use_tty = true;
		else if (!strcmp(key, "stdin"))
			use_stdin = true;
		else if (!strcmp(key, "icount"))
			icount = true;
		else if (!strcmp(key, "rows"))
			rows = atoi(value);
		else if (!strcmp(key, "cols"))
			cols = atoi(value);
		if (list && list->n < LIST_MAX)
			list->at[list->n++] = value;
	}
}

static int insmod(int fd, const char *options)
{
	return syscall(SYS_finit_module, fd, options, 0);
}

/* /modules.list names the drivers in dependency order. */
static void load_drivers(void)
{
	FILE *list = fopen("/modules.list", "r");
	char path[512];

	if (!list)
		fail("modules.list");
	while (fscanf(list, "%511s", path) == 1) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || (insmod(fd, "") && errno != EEXIST))
			fail(path);
		close(fd);
	}
	fclose(list);
}

/* The port appears when the host's control messages have been handled. */
static void open_wire(void)
{
	for (int tries = 0; tries < 20000; tries++) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *e;
		char path[300];

		while (dir && (e = readdir(dir))) {
			if (strncmp(e->d_name, "vport", 5))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", e->d_name);
			wire = open(path, O_RDWR | O_CLOEXEC);
			if (wire >= 0) {
				closedir(dir);
				return;
			}
		}
		if (dir)
			closedir(dir);
		usleep(1000);
	}
	fail("no port to the host");
}

/* Make PATH below the new root, if its file system lets us. */
static void make_path(const char *path, bool is_dir)
{
	char buf[4096];
	int fd;

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	for (char *p = buf + strlen(ROOT) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(buf, 0755);
		*p = '/';
	}
	if (is_dir) {
		mkdir(buf, 0755);
	} else {
		fd = open(buf, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	}
}

static void mount_on(const char *type, const char *path, unsigned long flags, const char *options)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	if (mount(type, buf, type, flags, options))
		fail(path);
}

/* As mount_on, for what a run can do without. */
static void try_mount_on(const char *type, const char *path, const char *options)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	mkdir(buf, 0755);
	if (mount(type, buf, type, 0, options) && errno != ENODEV && errno != ENOENT)
		note(WIRE_ERR, "vm: %s is not mounted: %s\n", path, strerror(errno));
}

static void bind_fd(int fd, const char *path)
{
	char from[64], to[4096];
	struct stat st;

	if (fstat(fd, &st))
		fail(path);
	make_path(path, S_ISDIR(st.st_mode));
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	snprintf(to, sizeof(to), "%s%s", ROOT, path);
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL))
		fail(path);
	close(fd);
}

static int open_below_root(const char *path)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	return open(buf, O_PATH | O_CLOEXEC);
}

static void mount_all(void)
{
	static const char nine[] = "trans=virtio,version=9p2000.L,msize=512000";
	int kept[LIST_MAX], mods = -1, libmods = -1;
	char options[128];

	mkdir(ROOT, 0755);
	snprintf(options, sizeof(options), "%s,cache=loose", nine);
	if (mount("root", ROOT, "9p", MS_RDONLY, options))
		fail("host root");
	for (int i = 0; i < keeps.n; i++) {
		kept[i] = open_below_root(keeps.at[i]);
		if (kept[i] < 0)
			fail(keeps.at[i]);
	}
	if (kmods)
		mods = open_below_root(kmods);
	libmods = open_below_root("/lib/modules");

	mount_on("devtmpfs", "/dev", 0, "mode=0755");
	mount_on("proc", "/proc", 0, NULL);
	mount_on("sysfs", "/sys", 0, NULL);
	mkdir(ROOT "/dev/shm", 01777);
	mkdir(ROOT "/dev/pts", 0755);
	if (symlink("/proc/self/fd", ROOT "/dev/fd") || symlink("fd/0", ROOT "/dev/stdin") ||
	    symlink("fd/1", ROOT "/dev/stdout") || symlink("fd/2", ROOT "/dev/stderr"))
		fail("/dev/fd");
	mount_on("devpts", "/dev/pts", 0, "mode=0620,ptmxmode=0666");
	mount_on("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/var/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mkdir(ROOT "/run/lock", 01777);
	mkdir(ROOT "/run/home", 0700);
	try_mount_on("tracefs", "/sys/kernel/tracing", NULL);
	try_mount_on("debugfs", "/sys/kernel/debug", NULL);
	try_mount_on("cgroup2", "/sys/fs/cgroup", NULL);
	try_mount_on("bpf", "/sys/fs/bpf", NULL);

	for (int i = 0; i < keeps.n; i++)
		bind_fd(kept[i], keeps.at[i]);
	if (mods >= 0 && libmods >= 0)
		bind_fd(mods, "/lib/modules");
	/* Written through at once, so that ending the machine loses nothing. */
	for (int i = 0; i < shares.n; i++) {
		char tag[16], to[4096];

		snprintf(tag, sizeof(tag), "share%d", i);
		snprintf(to, sizeof(to), "%s%s", ROOT, shares.at[i]);
		snprintf(options, sizeof(options), "%s,cache=mmap", nine);
		make_path(shares.at[i], true);
		if (mount(tag, to, "9p", 0, options))
			fail(shares.at[i]);
	}
}

/* What switch_root does: a chroot alone would forbid user namespaces. */
static void switch_root(void)
{
	if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switch to host root");
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		note(WIRE_ERR, "vm: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void set_up_kernel(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = 524288 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock >= 0) {
		ioctl(sock, SIOCSIFFLAGS, &lo);
		close(sock);
	}
	if (sethostname("zpipe-vm", 8))
		fail("host name");
	setrlimit(RLIMIT_NOFILE, &files);
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu");
	put("/proc/sys/kernel/sysrq", "1");
	put("/proc/sys/kernel/panic_on_oops", "1");
	put("/proc/sys/kernel/printk_ratelimit", "0");
	/* Virtual time jumps over idle waits with an instruction clock: no watchdog makes sense. */
	put("/proc/sys/kernel/hung_task_timeout_secs", icount ? "0" : "60");
	put("/proc/sys/kernel/hung_task_panic", icount ? "0" : "1");
	if (!icount)
		put("/proc/sys/kernel/softlockup_panic", "1");
}

/*
 * The kernel boots on one processor: it rewrites its own code most while booting, and an emulated
 * processor that runs code while another rewrites it can keep the old instructions for ever.
 */
static void start_processors(void)
{
	char path[64];

	for (int cpu = 1; ; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (access(path, F_OK))
			break;
		put(path, "1");
	}
}

static void load_module(void)
{
	if (insmod(module, params)) {
		note(WIRE_ERR, "vm: the module does not load: %s\n", strerror(errno));
		finish(125);
	}
}

/* All processes are gone, so a module still in use has lost a reference. */
static void unload_module(void)
{
	for (int tries = 0; tries < 300; tries++) {
		if (!syscall(SYS_delete_module, "zpipe", O_NONBLOCK) || errno == ENOENT)
			return;
		usleep(10000);
	}
	note(WIRE_LOG, "vm: zpipe cannot be unloaded after the last process ended: %s\n",
	     strerror(errno));
}

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

/* Before the module comes: what booting has left is not of interest, nor are scans at any time. */
static void forget_leaks(void)
{
	put(KMEMLEAK, "scan=off");
	put(KMEMLEAK, "scan");
	put(KMEMLEAK, "clear");
}

/*
 * Each report is a complaint of the kernel's (see scan). An object has to be five seconds old to be
 * one, and what two scans in a row do not find is what no register held by chance.
 */
static void report_leaks(const char *when)
{
	char line[512];
	FILE *f;

	if (access(KMEMLEAK, F_OK))
		return;
	pump_log();
	sleep(6);
	put(KMEMLEAK, "scan");
	put(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "re");
	while (f && fgets(line, sizeof(line), f))
		note(WIRE_LOG, "[    0.000000] %s", line);
	if (f)
		fclose(f);
	note(WIRE_LOG, "[    0.000000] vm, leaks: looked %s\n", when);
	pump_log();
}

/*
 * kmemleak does not track pages that no slab has. Who has allocated a page is told by its record
 * in page_owner: one for each read, as long as the module is loaded with its name.
 */
static void report_pages(void)
{
	static char record[16384];
	int fd, found = 0, all = 0;
	ssize_t n;

	fd = open("/sys/kernel/debug/page_owner", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Fewer pages to look at. */
	put("/proc/sys/vm/drop_caches", "3");
	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		all++;
		/* What a slab or a stack depot takes stays with it; KASAN's shadow is lazy. */
		if (!strstr(record, "[zpipe]") || strstr(record, "slab") ||
		    strstr(record, "depot") || strstr(record, "kasan_"))
			continue;
		if (found++ < 5)
			for (char *line = strtok(record, "\n"); line; line = strtok(NULL, "\n"))
				note(WIRE_LOG, "[    0.000000] vm, pages: %s\n", line);
	}
	close(fd);
	if (found)
		note(WIRE_LOG, "[    0.000000] vm: %d pages of zpipe's are left\n", found);
	note(WIRE_LOG, "[    0.000000] vm, pages: looked at %d\n", all);
}

static void end_module(void)
{
	bool tracked = !access(KMEMLEAK, F_OK);

	report_leaks("after the last process ended");
	report_pages();
	unload_module();
	if (!tracked)
		return;
	load_module();
	unload_module();
	report_leaks("after unloading, loading and unloading");
}

/* --- running the command --- */

static int child_in = -1, child_out = -1, child_err = -1;

static void make_raw_output(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	t.c_oflag &= ~OPOST;
	tcsetattr(fd, TCSANOW, &t);
}

static pid_t start(void)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, slave = -1;
	pid_t pid;

	if (use_tty) {
		child_out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (child_out < 0 || grantpt(child_out) || unlockpt(child_out))
			fail("terminal");
		slave = open(ptsname(child_out), O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (slave < 0)
			fail("terminal");
		ioctl(slave, TIOCSWINSZ, &size);
		if (!use_stdin)
			make_raw_output(slave);
	} else if (pipe2(out, O_CLOEXEC) || (!merge && pipe2(err, O_CLOEXEC))) {
		fail("pipes");
	}
	if (use_stdin && !use_tty && pipe2(in, O_CLOEXEC))
		fail("pipes");

	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		sigset_t none;
		int nul = open("/dev/null", O_RDWR | O_CLOEXEC);

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setsid();
		if (use_tty) {
			ioctl(slave, TIOCSCTTY, 0);
			dup2(use_stdin ? slave : nul, 0);
			dup2(slave, 1);
			dup2(slave, 2);
		} else {
			dup2(use_stdin ? in[0] : nul, 0);
			dup2(out[1], 1);
			dup2(merge ? out[1] : err[1], 2);
		}
		if (chdir(cwd)) {
			dprintf(2, "vm: %s: %s\n", cwd, strerror(errno));
			_exit(126);
		}
		environ = envs.at;
		execvp(args.at[0], args.at);
		dprintf(2, "vm: %s: %s\n", args.at[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (use_tty) {
		close(slave);
		if (use_stdin)
			child_in = dup(child_out);
	} else {
		close(out[1]);
		child_out = out[0];
		if (!merge) {
			close(err[1]);
			child_err = err[0];
		}
		if (use_stdin) {
			close(in[0]);
			child_in = in[1];
		}
	}
	if (child_in >= 0)
		fcntl(child_in, F_SETFL, O_NONBLOCK);
	if (child_out >= 0)
		fcntl(child_out, F_SETFL, O_NONBLOCK);
	if (child_err >= 0)
		fcntl(child_err, F_SETFL, O_NONBLOCK);
	return pid;
}

/* Move what a stream holds to the host; false when nothing was there. */
static bool pump(int *fd, enum wire_type type)
{
	char buf[WIRE_MAX];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, buf, sizeof(buf));
	if (n > 0) {
		send_frame(type, buf, n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	close(*fd);
	*fd = -1;
	return false;
}

static void dump_file(const char *dir, const char *file, const char *prefix)
{
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		note(WIRE_ERR, "%s%s", prefix, line);
	if (f)
		fclose(f);
}

/* Where every user thread sleeps: asked for when time is up. */
static void dump_tasks(void)
{
	DIR *procs = opendir("/proc");
	struct dirent *p, *t;

	while (procs && (p = readdir(procs))) {
		char path[300], exe[16];
		DIR *tasks;

		if (atoi(p->d_name) <= 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", p->d_name);
		if (readlink(path, exe, sizeof(exe)) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", p->d_name);
		tasks = opendir(path);
		while (tasks && (t = readdir(tasks))) {
			char dir[600];

			if (t->d_name[0] == '.')
				continue;
			snprintf(dir, sizeof(dir), "%s/%s", path, t->d_name);
			note(WIRE_ERR, "vm: thread %s of process %s:\n", t->d_name, p->d_name);
			dump_file(dir, "comm", "vm:   ");
			dump_file(dir, "stack", "vm:     ");
		}
		if (tasks)
			closedir(tasks);
	}
	if (procs)
		closedir(procs);
}

/* One frame from the host at a time; input that the child does not take yet waits here. */
static char input[WIRE_MAX];
static size_t input_len, input_at;

static bool read_exact(void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t n = read(wire, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void handle_host(void)
{
	struct wire_frame frame;

	if (!read_exact(&frame, sizeof(frame)) || frame.len > WIRE_MAX ||
	    !read_exact(input, frame.len))
		return;
	if (frame.type == WIRE_DUMP) {
		dump_tasks();
	} else if (frame.type == WIRE_SIZE && frame.len == 4) {
		struct winsize size = {};

		memcpy(&size.ws_row, input, 2);
		memcpy(&size.ws_col, input + 2, 2);
		ioctl(child_out, TIOCSWINSZ, &size);
	} else if (frame.type == WIRE_IN && child_in >= 0) {
		input_at = 0;
		input_len = frame.len;
		if (!frame.len) {
			close(child_in);
			child_in = -1;
		}
	}
}

static void feed_child(void)
{
	ssize_t n = write(child_in, input + input_at, input_len - input_at);

	if (n > 0) {
		input_at += n;
	} else if (n < 0 && errno != EAGAIN) {
		close(child_in);
		child_in = -1;
		input_len = 0;
	}
	if (input_at == input_len)
		input_at = input_len = 0;
}

static uint32_t run(void)
{
	int status = 0, sig, wstatus;
	bool ended = false;
	sigset_t set;
	pid_t child, pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sig = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	child = start();

	while (!ended) {
		struct signalfd_siginfo info;
		struct pollfd p[] = {
			{ .fd = sig, .events = POLLIN },
			{ .fd = kmsg, .events = POLLIN },
			{ .fd = child_out, .events = POLLIN },
			{ .fd = child_err, .events = POLLIN },
			{ .fd = input_len ? -1 : wire, .events = POLLIN },
			{ .fd = input_len ? child_in : -1, .events = POLLOUT },
		};

		if (poll(p, sizeof(p) / sizeof(*p), -1) < 0)
			continue;
		if (p[1].revents)
			pump_log();
		if (p[2].revents)
			pump(&child_out, WIRE_OUT);
		if (p[3].revents)
			pump(&child_err, WIRE_ERR);
		if (p[4].revents & POLLIN)
			handle_host();
		if (p[5].revents)
			feed_child();
		if (!p[0].revents)
			continue;
		while (read(sig, &info, sizeof(info)) > 0)
			;
		while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
			if (pid != child)
				continue;
			ended = true;
			status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) :
						      128 + WTERMSIG(wstatus);
		}
	}

	/* What the command left behind may not outlive it. */
	kill(-1, SIGKILL);
	for (int tries = 0; tries < 5000; tries++) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			break;
		if (!pid)
			usleep(1000);
		if (tries == 4999)
			note(WIRE_LOG, "vm: a process does not die of SIGKILL\n");
	}
	while (pump(&child_out, WIRE_OUT))
		;
	while (pump(&child_err, WIRE_ERR))
		;
	return status;
}

int main(void)
{
	uint32_t status;

	signal(SIGPIPE, SIG_IGN);
	umask(0);
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		fail("/dev");
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	load_drivers();
	open_wire();
	load_conf();
	module = open("/zpipe.ko", O_RDONLY | O_CLOEXEC);
	pump_log();
	mount_all();
	umask(022);
	switch_root();
	set_up_kernel();
	if (module >= 0) {
		forget_leaks();
		load_module();
	}
	start_processors();

	status = run();

	if (module >= 0)
		end_module();
	sync();
	finish(status);
}
