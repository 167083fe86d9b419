// SPDX-License-Identifier: MIT
/*
 * supervise - a consumer that is started again when it crashes
 *
 * One child at a time, watched through a pidfd, so that other children of the program
 * are left alone; told to stop by a signalfd or a descriptor of the caller's. What the
 * child inherits is the reader fd, and with it the place in the stream.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define MS		1000000ULL
#define MIN_DELAY	(100 * MS)
#define MAX_DELAY	(10000 * MS)
#define GRACE		(5000 * MS)

/**
 * struct watch - one call
 * @opts: of the caller, with its defaults filled in
 * @fd: the reader
 * @stop: readable when it is to end
 * @mask: signals blocked before
 * @now: the consumer
 * @began: its stream position when it was started
 */
struct watch {
	struct zp_supervise_opts opts;
	int fd;
	int stop;
	sigset_t mask;
	struct zp_supervised now;
	uint64_t began;
};

static int tell(struct watch *s)
{
	int ret = s->opts.event ? s->opts.event(s->opts.arg, &s->now) : 0;

	return ret < 0 ? ret : 0;
}

static uint64_t consumed_of(int fd)
{
	struct zp_stat stat = { .sz = sizeof(stat) };

	return zp_stat(fd, &stat) ? 0 : stat.consumed;
}

/* A forked child: as from a shell, but for what is mapped. */
static int run_function(struct watch *s)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid) {
		s->now.pid = pid;
		return 0;
	}
	sigaction(SIGTERM, &usual, NULL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	_exit(s->opts.run(s->opts.arg, s->fd));
}

static int start(struct watch *s)
{
	struct zp_spawn_opts spawn = {
		.sz = sizeof(spawn),
		.argv = s->opts.argv,
		.command = s->opts.command,
	};
	int ret;

	s->began = consumed_of(s->fd);
	if (s->opts.run) {
		ret = run_function(s);
	} else {
		if (s->opts.flags & ZP_SUPERVISE_STDIN) {
			spawn.stdin_fd = s->fd;
		} else {
			spawn.fds = &s->fd;
			spawn.nr_fds = 1;
		}
		ret = zp_spawn(&spawn, &s->now.pid);
	}
	if (ret)
		return ret;
	s->now.running = 1;
	s->now.status = 0;
	s->now.consumed = s->began;
	s->now.delay_ns = 0;
	return 0;
}

/* Milliseconds until a deadline, for poll(2); 0 is for ever. */
static int left_of(uint64_t deadline)
{
	uint64_t now = zp_deadline(0);

	if (!deadline)
		return -1;
	return now >= deadline ? 0 : (int)ZP_MIN((deadline - now + MS - 1) / MS, INT_MAX);
}

#define ENDED	1
#define STOPPED	2

/*
 * Until the child has ended, or somebody says stop, or the deadline (0). Descriptors
 * below 0 are not waited for.
 */
static int wait_for(int child, int stop, uint64_t deadline)
{
	struct pollfd p[2] = {
		{ .fd = child, .events = POLLIN },
		{ .fd = stop, .events = POLLIN },
	};
	int ret;

	do {
		ret = poll(p, 2, left_of(deadline));
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	if (p[0].revents)
		return ENDED;
	return p[1].revents ? STOPPED : 0;
}

/* The child has ended, or is made to. */
static int collect(struct watch *s, int child, bool ended)
{
	int ret = 0;

	if (!ended) {
		kill(s->now.pid, SIGTERM);
		if (wait_for(child, -1, zp_deadline(s->opts.grace_ns)) != ENDED)
			kill(s->now.pid, SIGKILL);
	}
	while (waitpid(s->now.pid, &s->now.status, 0) < 0) {
		if (errno != EINTR) {
			/* somebody else has waited for it */
			ret = -errno;
			break;
		}
	}
	s->now.running = 0;
	s->now.consumed = consumed_of(s->fd);
	return ret;
}

static bool is_done(const struct watch *s)
{
	return WIFEXITED(s->now.status) && !WEXITSTATUS(s->now.status);
}

/* Run one consumer until it ends: 0, ENDED (it is done), STOPPED. */
static int run_once(struct watch *s)
{
	int child, what, ret;

	ret = start(s);
	if (ret)
		return ret;
	child = pidfd_open(s->now.pid, 0);
	if (child < 0) {
		ret = -errno;
		/* unless nobody is there any more: with SIGCHLD ignored the kernel collects it */
		if (ret != -ESRCH)
			kill(s->now.pid, SIGKILL);
		waitpid(s->now.pid, &s->now.status, 0);
		return ret;
	}
	ret = tell(s);
	what = ret ? ret : wait_for(child, s->stop, 0);
	ret = collect(s, child, what == ENDED);
	close(child);
	if (what < 0)
		return what;
	if (ret)
		return ret;
	if (what == ENDED && is_done(s))
		return ENDED;
	return what == STOPPED ? STOPPED : 0;
}

/* How long to wait after a crash: longer and longer, as long as nothing is achieved. */
static uint64_t next_delay(const struct watch *s, uint64_t last)
{
	if (s->now.consumed != s->began || !last)
		return s->opts.min_delay_ns;
	return last > s->opts.max_delay_ns / 2 ? s->opts.max_delay_ns : last * 2;
}

static int supervise(struct watch *s)
{
	uint64_t delay = 0;
	int what, ret;

	for (;;) {
		what = run_once(s);
		if (what < 0)
			return what;
		if (!what) {
			delay = next_delay(s, delay);
			s->now.delay_ns = delay;
		}
		ret = tell(s);
		if (ret)
			return ret;
		if (what)
			return what == ENDED ? 0 : ZP_CANCELED;
		what = wait_for(-1, s->stop, zp_deadline(delay));
		if (what)
			return what < 0 ? what : ZP_CANCELED;
		s->now.restarts++;
	}
}

static int prepare(struct watch *s, const struct zp_supervise_opts *opts)
{
	struct zp_supervise_opts *o = &s->opts;
	struct zpipe_info_args info;
	int ret;

	ret = zp_opts_get(o, sizeof(*o), opts);
	if (ret)
		return ret;
	if (o->flags & ~(unsigned int)ZP_SUPERVISE_STDIN)
		return -EOPNOTSUPP;
	if (!!o->argv + !!o->command + !!o->run != 1 || (o->flags && o->run) || o->stop_fd < 0)
		return -EINVAL;
	ret = zp_map_info(s->fd, &info);
	if (ret)
		return ret;
	if (info.out_role != ZPIPE_ROLE_READER)
		return -EBADF;
	o->min_delay_ns = o->min_delay_ns ? o->min_delay_ns : MIN_DELAY;
	o->max_delay_ns = ZP_MAX(o->max_delay_ns ? o->max_delay_ns : MAX_DELAY, o->min_delay_ns);
	o->grace_ns = o->grace_ns ? o->grace_ns : GRACE;
	return 0;
}

int zp_supervise(int reader_fd, const struct zp_supervise_opts *opts, struct zp_supervised *last)
{
	struct watch s = { .fd = reader_fd };
	sigset_t term;
	int ret;

	ret = prepare(&s, opts);
	if (ret)
		return ret;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	s.stop = s.opts.stop_fd;
	if (s.opts.stop_fd) {
		pthread_sigmask(SIG_BLOCK, NULL, &s.mask);
	} else {
		s.stop = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
		if (s.stop < 0)
			return -errno;
		pthread_sigmask(SIG_BLOCK, &term, &s.mask);
	}
	ret = supervise(&s);
	if (!s.opts.stop_fd) {
		/* the one that has ended it is used up, or it would end the caller as well */
		struct signalfd_siginfo used;

		while (read(s.stop, &used, sizeof(used)) > 0)
			;
		pthread_sigmask(SIG_SETMASK, &s.mask, NULL);
		close(s.stop);
	}
	if (last)
		*last = s.now;
	return ret;
}
