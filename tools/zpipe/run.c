// SPDX-License-Identifier: MIT
/*
 * run - commands joined by zpipes
 *
 * Each command is a child of this process, by the shell, in the process group that zpipe was
 * started in: what the terminal sends reaches all of them, as it does a pipeline of the shell's.
 * A signal that somebody sends to this process alone is handed on. It adopts whatever the commands
 * leave behind (PR_SET_CHILD_SUBREAPER), so that it can end that, and the commands end when it is
 * killed (PR_SET_PDEATHSIG). All signals are taken one by one, in wait_for_all(); there is no
 * handler.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "making.h"

/* The pipeline was not started; as timeout(1) and env(1) have it. */
#define STATUS_UNTRIED	125

/* What was left behind and does not end when asked to: seconds until it is killed. */
#define PATIENCE	1

struct part {
	const char *command;
	pid_t pid;	/* 0: it has ended, with: */
	int status;	/* as the shell says it */
};

struct pipeline {
	struct zp_create_opts opts;
	struct part *part;
	size_t nr;
	sigset_t handled;	/* what this process waits for */
	sigset_t before;	/* what was blocked when it began: so the commands begin */
};

/* So that no pipe gets a number that a command expects to be something else. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * The child: never returns. `in` and `out` are -1 where the standard ones stay. Not zp_spawn():
 * what it starts does not end with this process (PR_SET_PDEATHSIG), and has no signal blocked.
 */
__attribute__((noreturn))
static void become(const struct pipeline *line, const char *command, int in, int out, pid_t parent)
{
	/* A zpipe-aware program finds its end, or its two, in ZPIPE_FD. */
	const char *ends = in < 0 ? "1" : out < 0 ? "0" : "0,1";

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_UNTRIED);
	sigprocmask(SIG_SETMASK, &line->before, NULL);
	if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) ||
	    (out >= 0 && dup2(out, STDOUT_FILENO) < 0) || setenv("ZPIPE_FD", ends, 1)) {
		complain("'%s': %s", command, strerror(errno));
		_exit(STATUS_UNTRIED);
	}
	execl("/bin/sh", "sh", "-c", command, NULL);
	complain("/bin/sh: %s", strerror(errno));
	_exit(127);
}

/* 0 or -errno, with a complaint; what was started then is still to be waited for. */
static int start(struct pipeline *line)
{
	const pid_t self = getpid();
	int in = -1, ret = 0;

	for (size_t i = 0; i < line->nr && !ret; i++) {
		int out = -1, next = -1;

		if (i + 1 < line->nr)
			ret = make_pipe(&line->opts, &out, &next);
		if (!ret) {
			line->part[i].pid = fork();
			if (!line->part[i].pid)
				become(line, line->part[i].command, in, out, self);
			if (line->part[i].pid < 0) {
				ret = -errno;
				line->part[i].pid = 0;
				complain("fork: %s", strerror(-ret));
			}
		}
		/* The commands alone hold the ends: their peers must notice when they go. */
		if (in >= 0)
			close(in);
		if (out >= 0)
			close(out);
		in = next;
	}
	if (in >= 0)
		close(in);
	return ret;
}

static size_t running(const struct pipeline *line)
{
	size_t nr = 0;

	for (size_t i = 0; i < line->nr; i++)
		nr += line->part[i].pid > 0;
	return nr;
}

static void tell_all(const struct pipeline *line, int signal)
{
	for (size_t i = 0; i < line->nr; i++) {
		if (line->part[i].pid > 0)
			kill(line->part[i].pid, signal);
	}
}

/* All that have ended, the adopted ones included. False when no child is left. */
static bool reap(struct pipeline *line)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < line->nr; i++) {
			if (line->part[i].pid != pid)
				continue;
			line->part[i].pid = 0;
			line->part[i].status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
								     WEXITSTATUS(status);
		}
	}
	return !pid;
}

static void wait_for_all(struct pipeline *line)
{
	siginfo_t info;

	while (reap(line) && running(line)) {
		if (sigwaitinfo(&line->handled, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		/* What the terminal sends, the commands have got themselves. */
		if (info.si_code != SI_KERNEL)
			tell_all(line, info.si_signo);
	}
}

/* Of our children, those of our process group: who left it wants to stay. How many there are. */
static size_t signal_adopted(int signal)
{
	char path[64], word[16];
	size_t nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	while (f && fscanf(f, "%15s", word) == 1) {
		const pid_t pid = (pid_t)strtol(word, NULL, 10);

		if (getpgid(pid) != getpgrp())
			continue;
		nr++;
		kill(pid, signal);
	}
	if (f)
		fclose(f);
	return nr;
}

/* Nothing that the commands have started in the background outlives them. */
static void sweep(struct pipeline *line)
{
	static const struct timespec moment = { .tv_nsec = 10000000 };
	struct timespec begin, now;
	siginfo_t info;
	int signal = SIGTERM;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (reap(line) && signal_adopted(signal)) {
		sigtimedwait(&line->handled, &info, &moment);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > PATIENCE)
			signal = SIGKILL;
	}
}

/* As the shell's option pipefail: of those that failed, the last one in the line. */
static int status_of(const struct pipeline *line)
{
	for (size_t i = line->nr; i--;) {
		if (line->part[i].status)
			return line->part[i].status;
	}
	return STATUS_OK;
}

static int run(struct pipeline *line)
{
	static const int handled[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction usual = { .sa_handler = SIG_DFL };
	int ret;

	fill_standard_fds();
	sigemptyset(&line->handled);
	for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++) {
		struct sigaction now;

		/* What nohup(1) or a shell's & made us ignore stays so, for the commands, too. */
		if (handled[i] != SIGCHLD &&
		    (sigaction(handled[i], NULL, &now) || now.sa_handler == SIG_IGN))
			continue;
		sigaddset(&line->handled, handled[i]);
	}
	/* Where it is ignored, the kernel would reap for us. */
	sigaction(SIGCHLD, &usual, NULL);
	sigprocmask(SIG_BLOCK, &line->handled, &line->before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ret = start(line);
	if (ret)
		tell_all(line, SIGTERM);
	wait_for_all(line);
	sweep(line);
	return ret ? STATUS_UNTRIED : status_of(line);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pipeline *line = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &line->opts;
		return 0;
	case ARGP_KEY_ARG:
		line->part[line->nr++].command = arg;
		return 0;
	case ARGP_KEY_END:
		if (line->nr < 2)
			argp_error(state, "it takes two commands at least, each in quotes");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_run(int argc, char **argv)
{
	static const struct argp_child children[] = { { &making_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND COMMAND...",
		.doc = "Join commands of the shell by zpipes, as | does by pipes. Exits as a "
		       "pipeline of the shell does with pipefail; with 125 when it could not be "
		       "started.",
		.children = children,
	};
	struct pipeline line = { .opts = { .sz = sizeof(line.opts) } };
	int status = STATUS_USAGE;

	line.part = calloc((size_t)argc + 1, sizeof(*line.part));
	if (!line.part) {
		complain("%s", strerror(errno));
		return STATUS_UNTRIED;
	}
	if (!argp_parse(&argp, argc, argv, 0, NULL, &line))
		status = run(&line);
	free(line.part);
	return status;
}
