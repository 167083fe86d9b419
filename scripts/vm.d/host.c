// SPDX-License-Identifier: MIT
/*
 * host - supervises one virtual machine
 *
 * usage: host TIMEOUT STATUS-FILE LOG-FILE [tty] [stdin] -- QEMU ARGS...
 *
 * Starts QEMU with its end of the wire as file descriptor 3, relays the guest's streams as they
 * come, and ends the machine when the guest has reported, time is up, a signal asks for it or the
 * caller dies. Writes "exit N", "timeout", "signal N" or "lost" into STATUS-FILE.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define DUMP_MS 3000

static int wire, log_fd;
static pid_t qemu;
static struct termios saved;
static bool raw;
static const char *log_path;

static void die(const char *what)
{
	fprintf(stderr, "vm: %s: %s\n", what, strerror(errno));
	exit(125);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* False when the other side is gone. */
static bool write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/*
 * What the guest has not taken yet. Never waited for: the guest may itself be waiting for us to
 * take its output.
 */
static char outbox[4 * (sizeof(struct wire_frame) + WIRE_MAX)];
static size_t queued;

static void send_frame(enum wire_type type, const void *data, size_t len)
{
	struct wire_frame frame = { .type = type, .len = len };

	if (queued + sizeof(frame) + len > sizeof(outbox))
		return;
	memcpy(outbox + queued, &frame, sizeof(frame));
	memcpy(outbox + queued + sizeof(frame), data, len);
	queued += sizeof(frame) + len;
}

static void flush_outbox(void)
{
	ssize_t n = send(wire, outbox, queued, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n <= 0)
		return;
	queued -= n;
	memmove(outbox, outbox + n, queued);
}

static void send_size(void)
{
	struct winsize size;
	uint16_t cells[2];

	if (ioctl(1, TIOCGWINSZ, &size))
		return;
	cells[0] = size.ws_row;
	cells[1] = size.ws_col;
	send_frame(WIRE_SIZE, cells, sizeof(cells));
}

/* QEMU's own words go beside the log; it never sees the caller's streams. */
static void redirect(void)
{
	char path[4096];
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out;

	snprintf(path, sizeof(path), "%s.qemu", log_path);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		die(path);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
}

static void start_qemu(char **argv)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	qemu = fork();
	if (qemu < 0)
		die("fork");
	if (!qemu) {
		sigset_t none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(125);
		/* Out of reach of the terminal's Ctrl-C: only the supervisor ends it. */
		setpgid(0, 0);
		redirect();
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (pair[1] == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(pair[1], 3);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	close(pair[1]);
	wire = pair[0];
}

static void stop_qemu(void)
{
	kill(qemu, SIGKILL);
	while (waitpid(qemu, NULL, 0) < 0 && errno == EINTR)
		;
}

static void make_raw(void)
{
	struct termios t;

	if (tcgetattr(0, &saved))
		return;
	t = saved;
	cfmakeraw(&t);
	tcsetattr(0, TCSANOW, &t);
	raw = true;
}

/* What has arrived from the guest and is not yet a whole frame. */
static char inbox[2 * (sizeof(struct wire_frame) + WIRE_MAX)];
static size_t held;

enum verdict { GOING, ENDED, LOST, NO_READER };

static enum verdict receive(uint32_t *status)
{
	ssize_t n = recv(wire, inbox + held, sizeof(inbox) - held, MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return GOING;
	if (n <= 0)
		return LOST;
	held += n;
	while (held - at >= sizeof(struct wire_frame)) {
		struct wire_frame frame;
		char *data = inbox + at + sizeof(frame);
		bool ok = true;

		memcpy(&frame, inbox + at, sizeof(frame));
		if (frame.len > WIRE_MAX)
			return LOST;
		if (held - at < sizeof(frame) + frame.len)
			break;
		if (frame.type == WIRE_OUT)
			ok = write_all(1, data, frame.len);
		else if (frame.type == WIRE_ERR)
			ok = write_all(2, data, frame.len);
		else if (frame.type == WIRE_LOG)
			write_all(log_fd, data, frame.len);
		if (!ok)
			return NO_READER;
		if (frame.type == WIRE_EXIT) {
			memcpy(status, data, sizeof(*status));
			return ENDED;
		}
		at += sizeof(frame) + frame.len;
	}
	memmove(inbox, inbox + at, held - at);
	held -= at;
	return GOING;
}

int main(int argc, char **argv)
{
	bool tty = false, use_stdin = false, heard = false, asked = false, reading;
	char result[32] = "lost", buf[WIRE_MAX];
	int sig, status_fd, ret = 125;
	long long deadline;
	uint32_t status;
	sigset_t set;

	if (argc < 6)
		return 125;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	deadline = now_ms() + atoll(argv[1]) * 1000;
	status_fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	log_path = argv[3];
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (status_fd < 0 || log_fd < 0)
		die("result files");
	for (argv += 4; *argv && strcmp(*argv, "--"); argv++) {
		tty |= !strcmp(*argv, "tty");
		use_stdin |= !strcmp(*argv, "stdin");
	}
	if (!*argv++ || !*argv)
		return 125;

	signal(SIGPIPE, SIG_IGN);
	/* A shell starts its background jobs with these ignored. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sig = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	start_qemu(argv);
	if (tty && use_stdin)
		make_raw();
	reading = use_stdin;

	for (;;) {
		long long left = deadline - now_ms();
		struct signalfd_siginfo info;
		bool stop = false;
		struct pollfd p[] = {
			{ .fd = wire, .events = queued ? POLLIN | POLLOUT : POLLIN },
			{ .fd = sig, .events = POLLIN },
			/* Standard input is taken only as fast as the guest takes it. */
			{ .fd = reading && !queued ? 0 : -1, .events = POLLIN },
		};

		if (left <= 0 && (asked || !heard)) {
			strcpy(result, "timeout");
			ret = 124;
			break;
		}
		if (left <= 0) {
			/* A guest that still runs tells where its processes sleep. */
			asked = true;
			deadline += DUMP_MS;
			send_frame(WIRE_DUMP, NULL, 0);
			continue;
		}
		if (poll(p, 3, left > 1000000 ? 1000000 : left) < 0)
			continue;
		if (p[0].revents & POLLOUT)
			flush_outbox();
		if (p[0].revents & ~POLLOUT) {
			enum verdict v = receive(&status);

			heard = true;
			if (v == ENDED && !asked) {
				snprintf(result, sizeof(result), "exit %u", status);
				ret = status;
				break;
			}
			if (v == ENDED || (v == LOST && asked)) {
				strcpy(result, "timeout");
				ret = 124;
				break;
			}
			if (v == NO_READER) {
				strcpy(result, "signal 13");
				ret = 128 + SIGPIPE;
				break;
			}
			if (v == LOST)
				break;
		}
		if (p[2].revents) {
			ssize_t n = read(0, buf, sizeof(buf));

			if (n <= 0)
				reading = false;
			send_frame(WIRE_IN, buf, n > 0 ? n : 0);
		}
		while (p[1].revents && read(sig, &info, sizeof(info)) > 0) {
			if (info.ssi_signo == SIGWINCH && tty) {
				send_size();
			} else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGWINCH) {
				snprintf(result, sizeof(result), "signal %u", info.ssi_signo);
				ret = 128 + info.ssi_signo;
				stop = true;
			}
			/* The death of QEMU shows as the end of the wire, after its last data. */
		}
		if (stop)
			break;
	}
	stop_qemu();
	if (raw)
		tcsetattr(0, TCSANOW, &saved);
	if (write(status_fd, result, strlen(result)) < 0)
		die("status");
	return ret;
}
