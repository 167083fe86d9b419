// SPDX-License-Identifier: GPL-2.0-only
/*
 * signals - a call that sleeps and a signal: EINTR or a restart, and nothing is done twice
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(2 * ZT_PAGE)

FIXTURE(signals)
{
	struct zt_pipe p;
	struct zt_bg bg;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args flush;
	struct zpipe_read_args read;
};

static atomic_int delivered;

static void count(int sig)
{
	(void)sig;
	atomic_fetch_add(&delivered, 1);
}

FIXTURE_SETUP(signals)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
}

FIXTURE_TEARDOWN(signals)
{
	zt_pipe_close(&self->p);
}

static void handle(int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
}

/* Signals the sleeping call and waits until the handler ran. */
static void interrupt(struct zt_bg *bg)
{
	int before = atomic_load(&delivered);

	while (!atomic_load(&bg->tid))
		zt_sleep_ms(1);
	zt_await_asleep(atomic_load(&bg->tid));
	pthread_kill(bg->thread, SIGUSR1);
	while (atomic_load(&delivered) == before)
		zt_sleep_ms(1);
}

static void sleep_in_read(FIXTURE_DATA(signals) *self)
{
	self->read = (struct zpipe_read_args){ .min = 1 };
	zt_bg_start(&self->bg, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	zt_await_reader(&self->p.w);
}

static void sleep_in_alloc(FIXTURE_DATA(signals) *self)
{
	if (zt_put(&self->p.w, CAPACITY))
		zt_die("put");
	self->grant = (struct zpipe_alloc_args){ .position = CAPACITY, .min = 1 };
	zt_bg_start(&self->bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant);
	zt_await_starved(&self->p.w);
}

static void sleep_in_flush(FIXTURE_DATA(signals) *self)
{
	struct zpipe_alloc_args grant;

	if (zt_set(&self->p.w, 10, 1) || zt_alloc(&self->p.w, 0, 10, 10, &grant) ||
	    zt_fill_grant(&self->p.w, &grant, 10))
		zt_die("grant");
	self->flush = (struct zpipe_flush_args){ .position = 10 };
	zt_bg_start(&self->bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &self->flush);
	zt_await_paused(&self->p.w);
}

TEST_F(signals, read_without_restart_eintr)
{
	struct zt_view view;

	handle(0);
	sleep_in_read(self);
	interrupt(&self->bg);
	EXPECT_EQ(-EINTR, zt_bg_join(&self->bg));
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &view));
}

TEST_F(signals, read_with_restart_goes_on)
{
	handle(SA_RESTART);
	sleep_in_read(self);
	interrupt(&self->bg);
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 5));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(5, self->read.out_end);
}

TEST_F(signals, alloc_without_restart_eintr_and_unchanged)
{
	handle(0);
	sleep_in_alloc(self);
	interrupt(&self->bg);
	EXPECT_EQ(-EINTR, zt_bg_join(&self->bg));
	EXPECT_EQ(CAPACITY, zt_granted(&self->p.w));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.w));
}

TEST_F(signals, alloc_with_restart_goes_on)
{
	handle(SA_RESTART);
	sleep_in_alloc(self);
	interrupt(&self->bg);
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_LE(1, self->grant.out_length);
}

TEST_F(signals, flush_without_restart_eintr_and_published)
{
	handle(0);
	sleep_in_flush(self);
	interrupt(&self->bg);
	EXPECT_EQ(-EINTR, zt_bg_join(&self->bg));
	EXPECT_EQ(10, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(signals, flush_with_restart_goes_on_and_publishes_nothing_twice)
{
	handle(SA_RESTART);
	sleep_in_flush(self);
	interrupt(&self->bg);
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	EXPECT_EQ(10, zt_published(&self->p.r));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(10, zt_published(&self->p.r));
}

TEST_F(signals, deadline_is_absolute_over_restarts)
{
	int i;

	handle(SA_RESTART);
	self->read = (struct zpipe_read_args){ .min = 1, .deadline = zt_deadline(300) };
	zt_bg_start(&self->bg, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	for (i = 0; i < 10; i++) {
		zt_sleep_ms(10);
		pthread_kill(self->bg.thread, SIGUSR1);
	}
	EXPECT_EQ(-ETIMEDOUT, zt_bg_join(&self->bg));
	EXPECT_LE(self->read.deadline, zt_now());
}

TEST_F(signals, ignored_signal_does_not_end_a_call)
{
	signal(SIGUSR1, SIG_IGN);
	sleep_in_read(self);
	pthread_kill(self->bg.thread, SIGUSR1);
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 5));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
}

TEST_F(signals, stopped_and_continued_reader_still_gets_its_bytes)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct zpipe_read_args read = { .min = 1 };

		_exit(zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &read) || read.out_end != 5);
	}
	zt_await_reader(&self->p.w);
	kill(child, SIGSTOP);
	ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
	ASSERT_EQ(0, zt_put(&self->p.w, 5));
	kill(child, SIGCONT);
	EXPECT_EQ(0, zt_wait_child(child));
}

TEST_F(signals, write_that_moved_bytes_is_short_and_not_eintr)
{
	static unsigned char buffer[2 * CAPACITY];
	struct sigaction sa = { .sa_handler = count };
	int status, out[2];
	ssize_t n = 0;
	pid_t child;

	ASSERT_EQ(0, pipe(out));
	sigaction(SIGUSR1, &sa, NULL);
	child = fork();
	if (!child) {
		n = write(self->p.w.fd, buffer, sizeof(buffer));
		_exit(write(out[1], &n, sizeof(n)) != sizeof(n));
	}
	zt_await_starved(&self->p.r);
	zt_await_asleep(child);
	kill(child, SIGUSR1);
	ASSERT_EQ((ssize_t)sizeof(n), read(out[0], &n, sizeof(n)));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(CAPACITY, n);
}

/* A storm of signals while a stream runs: every byte once. */
static void *storm(void *arg)
{
	struct zt_bg *stop = arg;

	while (!atomic_load(&stop->tid)) {
		kill(getpid(), SIGUSR1);
		usleep(200);
	}
	return NULL;
}

static void *stream_writer(void *arg)
{
	struct zt_end *w = arg;
	__u64 at = 0;

	while (at < 300000) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1, .want = 777 };
		struct zpipe_flush_args flush = { .flags = 0 };
		int ret;

		while ((ret = zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, &grant)) == -EINTR)
			;
		if (ret || zt_fill_grant(w, &grant, grant.out_length))
			zt_die("ALLOC: %s", strerror(-ret));
		at += grant.out_length;
		flush.position = at;
		while ((ret = zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, &flush)) == -EINTR)
			;
		if (ret)
			zt_die("FLUSH: %s", strerror(-ret));
	}
	zt_complete(w, 0, 0, 0);
	return NULL;
}

TEST_F_TIMEOUT(signals, storm_of_signals_loses_and_doubles_nothing, 60)
{
	struct zt_bg stop = { .fd = -1 };
	pthread_t writer, sender;
	__u64 at = 0;

	handle(0);
	ASSERT_EQ(0, zt_set(&self->p.w, 3000, 1000));
	zt_spawn(&writer, stream_writer, &self->p.w);
	zt_spawn(&sender, storm, &stop);
	for (;;) {
		struct zt_view v = { .args = { .nr_spans = ZT_SPANS } };
		int ret;

		v.args.spans = (uintptr_t)v.spans;
		ret = zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &v.args);
		if (ret == -EINTR)
			continue;
		ASSERT_EQ(0, ret);
		ASSERT_EQ(at, v.args.out_start);
		zt_check_view(&self->p.r, &v);
		at = v.args.out_end;
		if (v.args.out_start == at)
			break;
		ASSERT_EQ(0, zt_advance(&self->p.r, at, at));
	}
	atomic_store(&stop.tid, 1);
	zt_join(sender);
	zt_join(writer);
	EXPECT_LE(300000, at);
}

TEST_HARNESS_MAIN
