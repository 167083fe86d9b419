// SPDX-License-Identifier: GPL-2.0-only
/*
 * wakes - no wake-up storm: the counters of STAT bound what waking costs
 *
 * In the prototype the sleeper's word stayed set until it ran, so the writer made a wake call per
 * message. Here the kernel clears the word when it wakes.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(wakes)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zt_bg bg;
	struct zpipe_read_args read;
};

FIXTURE_SETUP(wakes)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 16 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(wakes)
{
	zt_pipe_close(&self->p);
}

TEST_F(wakes, stream_without_a_sleeper_sends_none)
{
	struct zpipe_stat_args s;
	int i;

	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 100));
		ASSERT_EQ(0, zt_take(&self->p.r, 100));
	}
	s = zt_stat(&self->p.w);
	EXPECT_EQ(0, s.out_reader_wakes);
	EXPECT_EQ(0, s.out_writer_wakes);
	EXPECT_EQ(0, s.out_reader_waits);
	EXPECT_EQ(0, s.out_writer_waits);
}

TEST_F(wakes, sleeper_with_a_minimum_is_woken_once_for_many_messages)
{
	int i;

	self->read = (struct zpipe_read_args){ .min = 1000 };
	zt_bg_start(&self->bg, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	zt_await_reader(&self->p.w);
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 1));
	}
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_reader_waits);
	EXPECT_EQ(1, zt_stat(&self->p.w).out_reader_wakes);
}

/* The word is clear as soon as the wake-up is sent, so a mapped writer stops calling. */
TEST_F(wakes, word_is_cleared_by_the_waker_before_the_sleeper_runs)
{
	self->read = (struct zpipe_read_args){ .min = 1 };
	zt_bg_start(&self->bg, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
}

TEST_F(wakes, poller_is_woken_once_per_arming)
{
	struct pollfd pfd = { .fd = self->p.r.fd, .events = POLLIN };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->p.r.fd, &ev));
	ASSERT_EQ(0, poll(&pfd, 1, 0));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 1));
	}
	EXPECT_GE(2, zt_stat(&self->p.w).out_reader_wakes);
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 0));
	close(ep);
}

TEST_F(wakes, writer_waiting_for_a_segment_is_woken_once)
{
	struct zpipe_alloc_args grant = { .position = 16 * ZT_PAGE, .min = ZT_PAGE };
	int i;

	ASSERT_EQ(0, zt_put(&self->p.w, 16 * ZT_PAGE));
	zt_bg_start(&self->bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &grant);
	zt_await_starved(&self->p.r);
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE / 64));
	}
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_writer_wakes);
	EXPECT_EQ(1, zt_stat(&self->p.w).out_writer_waits);
}

TEST_F(wakes, paused_writer_is_woken_once)
{
	struct zpipe_flush_args f = { .position = 1000 };
	struct zpipe_alloc_args grant;
	int i;

	ASSERT_EQ(0, zt_set(&self->p.w, 1000, 100));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1000, 1000, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 1000));
	zt_bg_start(&self->bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.r);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, zt_take(&self->p.r, 10));
	}
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_writer_wakes);
}

struct stream {
	struct zt_pipe *p;
	__u64 bytes;
	__u64 calls;
};

static void *mapped_writer(void *arg)
{
	struct stream *me = arg;
	struct zt_end *w = &me->p->w;
	__u64 at = 0, granted = 0;

	while (at < me->bytes) {
		if (at + 64 > granted) {
			struct zpipe_alloc_args grant = { .position = at, .min = 64 };

			grant.deadline = zt_deadline(ZT_PATIENCE_MS);
			if (zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, &grant))
				zt_die("ALLOC");
			granted = at + grant.out_length;
		}
		at += 64;
		zt_store_published(w, at);
		zt_mb();
		if (at >= zt_reader_wake(w)) {
			struct zpipe_flush_args f = { .position = at };

			if (zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, &f))
				zt_die("FLUSH");
			me->calls++;
		}
	}
	zt_complete(w, 0, 0, 0);
	return NULL;
}

/* Wake calls stay near the number of times anybody slept, however many messages there are. */
TEST_F_TIMEOUT(wakes, mapped_stream_wakes_no_more_often_than_somebody_slept, 60)
{
	struct stream me = { .p = &self->p, .bytes = 64ULL * (zt_long() ? 10000000 : 100000) };
	struct zpipe_stat_args s;
	pthread_t writer;
	__u64 at = 0;

	zt_spawn(&writer, mapped_writer, &me);
	for (;;) {
		__u64 published = zt_published(&self->p.r);

		if (at == published) {
			self->read = (struct zpipe_read_args){
				.flags = ZPIPE_READ_F_SHARED,
				.deadline = zt_deadline(ZT_PATIENCE_MS),
			};
			ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &self->read));
			if (self->read.out_end == at)
				break;
			published = self->read.out_end;
		}
		at = published;
		zt_store_examined(&self->p.r, at);
		zt_store_consumed(&self->p.r, at);
		zt_mb();
		if (at >= zt_wake_consumed(&self->p.r) || at >= zt_wake_examined(&self->p.r)) {
			struct zpipe_advance_args adv = { .consumed = ZPIPE_KEEP,
							  .examined = ZPIPE_KEEP,
							  .flags = ZPIPE_ADVANCE_F_SHARED };

			ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &adv));
		}
	}
	zt_join(writer);
	EXPECT_EQ(me.bytes, at);
	s = zt_stat(&self->p.w);
	TH_LOG("%llu messages: %llu wake calls, reader slept %llu times, writer %llu times",
	       (unsigned long long)me.bytes / 64, (unsigned long long)me.calls,
	       (unsigned long long)s.out_reader_waits, (unsigned long long)s.out_writer_waits);
	/* One for the end of the stream; a READ that armed and found bytes may cost one too. */
	EXPECT_GE(s.out_reader_waits + 2, s.out_reader_wakes);
	EXPECT_GE(s.out_writer_waits + 2, s.out_writer_wakes);
	EXPECT_GE(s.out_reads + 2, me.calls);
}

TEST_HARNESS_MAIN
