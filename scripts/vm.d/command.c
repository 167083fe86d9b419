// SPDX-License-Identifier: MIT
/*
 * command - see command.h
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "command.h"
#include "conf.h"
#include "port.h"

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
	struct winsize size = { .ws_row = conf.rows, .ws_col = conf.cols };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, slave = -1;
	pid_t pid;

	if (conf.use_tty) {
		child_out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (child_out < 0 || grantpt(child_out) || unlockpt(child_out))
			fail("terminal");
		slave = open(ptsname(child_out), O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (slave < 0)
			fail("terminal");
		ioctl(slave, TIOCSWINSZ, &size);
		if (!conf.use_stdin)
			make_raw_output(slave);
	} else if (pipe2(out, O_CLOEXEC) || (!conf.merge && pipe2(err, O_CLOEXEC))) {
		fail("pipes");
	}
	if (conf.use_stdin && !conf.use_tty && pipe2(in, O_CLOEXEC))
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
		if (conf.use_tty) {
			ioctl(slave, TIOCSCTTY, 0);
			dup2(conf.use_stdin ? slave : nul, 0);
			dup2(slave, 1);
			dup2(slave, 2);
		} else {
			dup2(conf.use_stdin ? in[0] : nul, 0);
			dup2(out[1], 1);
			dup2(conf.merge ? out[1] : err[1], 2);
		}
		if (chdir(conf.cwd)) {
			dprintf(2, "vm: %s: %s\n", conf.cwd, strerror(errno));
			_exit(126);
		}
		environ = conf.envs.at;
		execvp(conf.args.at[0], conf.args.at);
		dprintf(2, "vm: %s: %s\n", conf.args.at[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (conf.use_tty) {
		close(slave);
		if (conf.use_stdin)
			child_in = dup(child_out);
	} else {
		close(out[1]);
		child_out = out[0];
		if (!conf.merge) {
			close(err[1]);
			child_err = err[0];
		}
		if (conf.use_stdin) {
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

static void handle_host(void)
{
	struct wire_frame frame;

	if (!read_frame(&frame, input))
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

uint32_t run_command(int port, int kmsg)
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
			{ .fd = input_len ? -1 : port, .events = POLLIN },
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
