// SPDX-License-Identifier: MIT
/*
 * t_supervise - when a consumer is started again, when it is not, and who ends it
 *
 * What it reads does not matter here: vm_supervise.c kills readers.
 */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ends.h"
#include "tap.h"

#define MS	1000000ULL

static const struct fake_opts plain = { .policy = FAKE_RING };

/* What the consumers and the supervisor tell the test. */
static struct shared {
	int runs, good_at, advance_at, handles_term, started, ended, stop_after, stop_with;
	pid_t last_started;
	uint64_t delays[16];
	uint64_t consumed[16];
} *shared;

static struct zp_supervise_opts opts_of(int (*run)(void *arg, int fd))
{
	memset(shared, 0, sizeof(*shared));
	return (struct zp_supervise_opts){
		.sz = sizeof(struct zp_supervise_opts), .run = run, .arg = shared,
		.min_delay_ns = MS, .max_delay_ns = 6 * MS,
	};
}

static int event(void *arg, const struct zp_supervised *what)
{
	struct shared *s = arg;

	if (what->running) {
		s->started++;
		s->last_started = what->pid;
		EXPECT_EQ(what->restarts + 1, s->started);
	} else {
		EXPECT_EQ(what->pid, s->last_started);
		s->delays[s->ended % 16] = what->delay_ns;
		s->consumed[s->ended % 16] = what->consumed;
		s->ended++;
	}
	return s->stop_after && s->started >= s->stop_after ? s->stop_with : 0;
}

/* Crashes in all the ways there are, until its turn has come. */
static int crashing(void *arg, int fd)
{
	struct shared *s = arg;

	(void)fd;
	s->runs++;
	if (s->runs == s->good_at)
		return 0;
	/* the word is in shared memory, as a real reader's */
	if (s->runs == s->advance_at)
		*fake_consumed() += 8;
	if (s->runs % 3 == 1)
		return 3;
	kill(getpid(), s->runs % 3 == 2 ? SIGKILL : SIGTERM);
	return 0;
}

static void restarts(void)
{
	struct zp_supervise_opts opts = opts_of(crashing);
	struct ends e = ends_open(plain);
	struct zp_supervised last = { 0 };

	opts.event = event;
	shared->good_at = 8;
	shared->advance_at = 6;
	ASSERT_EQ(put(e.w, 64), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	*fake_examined() = 64;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, &last), 0);
	EXPECT_EQ(shared->runs, 8);
	EXPECT_EQ(shared->started, 8);
	EXPECT_EQ(shared->ended, 8);
	EXPECT_EQ(last.restarts, 7);
	EXPECT_EQ(last.status, 0);
	EXPECT_EQ(last.running, 0);
	/* longer each time, but no longer than that, and from the start after progress */
	EXPECT_EQ(shared->delays[0], MS);
	EXPECT_EQ(shared->delays[1], 2 * MS);
	EXPECT_EQ(shared->delays[2], 4 * MS);
	EXPECT_EQ(shared->delays[3], 6 * MS);
	EXPECT_EQ(shared->delays[4], 6 * MS);
	EXPECT_EQ(shared->consumed[4], 0);
	EXPECT_EQ(shared->delays[5], MS);
	EXPECT_EQ(shared->consumed[5], 8);
	EXPECT_EQ(shared->delays[6], 2 * MS);
	EXPECT_EQ(shared->delays[7], 0);
	ends_close(&e);
}

static int stubborn(void *arg, int fd)
{
	struct shared *s = arg;

	(void)fd;
	if (s->handles_term)
		signal(SIGTERM, SIG_IGN);
	__atomic_store_n(&s->runs, 1, __ATOMIC_RELAXED);
	while (s->runs)
		pause();
	return 0;
}

/* Somebody who says stop, once there is somebody to stop. */
static pid_t stop_later(int fd)
{
	const struct timespec little = { .tv_nsec = 5 * 1000000 };
	const uint64_t one = 1;
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	do {
		nanosleep(&little, NULL);
	} while (!__atomic_load_n(&shared->runs, __ATOMIC_RELAXED));
	if (fd < 0)
		kill(parent, SIGTERM);
	else if (write(fd, &one, sizeof(one)) != sizeof(one))
		_exit(1);
	_exit(0);
}

static void told_to_stop(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), i;

	for (i = 0; i < 4; i++) {
		struct zp_supervise_opts opts = opts_of(stubborn);
		struct ends e = ends_open(plain);
		struct zp_supervised last = { 0 };
		sigset_t before, after;
		uint64_t count;
		pid_t helper;

		opts.event = event;
		shared->handles_term = i & 1;
		opts.grace_ns = i & 1 ? 20 * MS : 0;
		opts.stop_fd = i & 2 ? fd : 0;
		sigprocmask(SIG_BLOCK, NULL, &before);
		helper = stop_later(i & 2 ? fd : -1);
		EXPECT_EQ(zp_supervise(e.rfd, &opts, &last), ZP_CANCELED);
		EXPECT(WIFSIGNALED(last.status));
		EXPECT_EQ(WTERMSIG(last.status), i & 1 ? SIGKILL : SIGTERM);
		EXPECT_EQ(shared->runs, 1);
		EXPECT_EQ(kill(last.pid, 0), -1);
		EXPECT_EQ(waitpid(helper, NULL, 0), helper);
		sigprocmask(SIG_BLOCK, NULL, &after);
		EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
		/* it was looked at, not read */
		if (i & 2)
			EXPECT_EQ(read(fd, &count, sizeof(count)), sizeof(count));
		ends_close(&e);
	}
	close(fd);
}

/* While nobody runs, and the next one is far away. */
static void stopped_between(void)
{
	struct zp_supervise_opts opts = opts_of(crashing);
	struct ends e = ends_open(plain);
	pid_t helper;

	opts.min_delay_ns = 3600000 * MS;
	helper = stop_later(-1);
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), ZP_CANCELED);
	EXPECT_EQ(shared->runs, 1);
	EXPECT_EQ(waitpid(helper, NULL, 0), helper);
	/* the event function has had enough */
	opts = opts_of(stubborn);
	opts.event = event;
	shared->stop_after = 1;
	shared->stop_with = -ECHILD;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -ECHILD);
	EXPECT_EQ(kill(shared->last_started, 0), -1);
	ends_close(&e);
}

static void commands(void)
{
	struct zp_supervise_opts opts = opts_of(NULL);
	struct ends e = ends_open(plain);
	struct zp_supervised last;
	char file[] = "/tmp/t_supervise.XXXXXX", command[256];
	int fd = mkstemp(file);

	/* its own other children stay its own */
	pid_t other = fork();

	if (!other)
		_exit(9);
	snprintf(command, sizeof(command),
		 "echo x$ZPIPE_FD >> %s; test $(wc -l < %s) -eq 3", file, file);
	opts.command = command;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, &last), 0);
	EXPECT_EQ(last.restarts, 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 3 * (e.rfd > 9 ? 4 : 3));
	ASSERT_EQ(ftruncate(fd, 0), 0);
	opts.flags = ZP_SUPERVISE_STDIN;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, &last), 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 9);
	{
		char *const argv[] = { file, NULL };
		int status = 0;

		opts.command = NULL;
		opts.argv = argv;
		EXPECT_EQ(zp_supervise(e.rfd, &opts, &last), -EACCES);
		EXPECT_EQ(waitpid(other, &status, 0), other);
		EXPECT_EQ(WEXITSTATUS(status), 9);
	}
	unlink(file);
	close(fd);
	ends_close(&e);
}

static void refused(void)
{
	struct zp_supervise_opts opts = opts_of(crashing);
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_supervise(e.rfd, NULL, NULL), -EINVAL);
	EXPECT_EQ(zp_supervise(e.wfd, &opts, NULL), -EBADF);
	EXPECT_EQ(zp_supervise(0, &opts, NULL), -EBADF);
	opts.command = "true";
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -EINVAL);
	opts.command = NULL;
	opts.flags = ZP_SUPERVISE_STDIN;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -EINVAL);
	opts.flags = 2;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -EOPNOTSUPP);
	opts.flags = 0;
	opts.stop_fd = -1;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -EINVAL);
	opts.sz = 4;
	EXPECT_EQ(zp_supervise(e.rfd, &opts, NULL), -EINVAL);
	EXPECT_EQ(shared->runs, 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "supervise.crashes_are_followed_by_restarts", restarts },
	{ "supervise.sigterm_or_a_descriptor_ends_it", told_to_stop },
	{ "supervise.ended_between_two_consumers", stopped_between },
	{ "supervise.commands_find_their_end", commands },
	{ "supervise.bad_arguments_start_nothing", refused },
};

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
