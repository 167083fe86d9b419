// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll - poll(2): what each end's mask says, and that a sleeper in it is woken
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(poll)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
};

FIXTURE_SETUP(poll)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
}

FIXTURE_TEARDOWN(poll)
{
	zt_pipe_close(&self->p);
}

/* What poll reports now. */
static int now(const struct zt_end *e)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents & (POLLIN | POLLOUT | POLLERR | POLLHUP);
}

struct poller {
	pthread_t thread;
	int fd;
	int events;
	int revents;
};

static void *sleep_in_poll(void *arg)
{
	struct poller *me = arg;
	struct pollfd p = { .fd = me->fd, .events = me->events };

	me->revents = poll(&p, 1, ZT_PATIENCE_MS) == 1 ? p.revents : -ETIME;
	return NULL;
}

static void start_poll(struct poller *me, const struct zt_end *e, int events)
{
	*me = (struct poller){ .fd = e->fd, .events = events };
	zt_spawn(&me->thread, sleep_in_poll, me);
}

static int join_poll(struct poller *me)
{
	zt_join(me->thread);
	return me->revents;
}

TEST_F(poll, new_pipe_is_writable_and_not_readable)
{
	EXPECT_EQ(0, now(&self->p.r));
	EXPECT_EQ(POLLOUT, now(&self->p.w));
}

TEST_F(poll, readable_with_one_byte)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, not_readable_when_everything_is_examined)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 10));
	EXPECT_EQ(0, now(&self->p.r));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, sees_what_was_published_without_a_call)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	zt_store_published(&self->p.w, 10);
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, arms_the_reader_for_a_mapped_writer)
{
	EXPECT_EQ(0, now(&self->p.r));
	EXPECT_EQ(1, zt_reader_wake(&self->p.w));
}

TEST_F(poll, remembers_the_minimum_of_a_read_that_would_block)
{
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 100, 0, &self->view));
	ASSERT_EQ(0, zt_put(&self->p.w, 99));
	EXPECT_EQ(0, now(&self->p.r));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, minimum_is_forgotten_when_read2_takes_what_there_is)
{
	char buffer[100];

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 100, 0, &self->view));
	ASSERT_EQ(10, read(self->p.r.fd, buffer, sizeof(buffer)));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, readable_while_a_cancel_is_pending)
{
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_EQ(POLLIN, now(&self->p.r));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, now(&self->p.r));
}

TEST_F(poll, readable_when_full_applies)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE + 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, CAPACITY - ZT_PAGE + 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, CAPACITY, 0, &self->view));
	EXPECT_EQ(0, now(&self->p.r));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY - ZT_PAGE + 10, ZT_PAGE, 0,
				    &self->grant));
	EXPECT_EQ(POLLIN, now(&self->p.r));
}

TEST_F(poll, finished_writer_hangs_up)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(POLLIN | POLLHUP, now(&self->p.r));
}

TEST_F(poll, aborted_writer_is_an_error)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, now(&self->p.r));
}

TEST_F(poll, writer_that_died_with_grants_is_an_error)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_end_close(&self->p.w);
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, now(&self->p.r));
}

TEST_F(poll, writable_while_the_pause_is_not_reached)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 100, 50));
	ASSERT_EQ(0, zt_put(&self->p.w, 99));
	EXPECT_EQ(POLLOUT, now(&self->p.w));
}

TEST_F(poll, not_writable_while_paused)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 100, 50));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 100));
	EXPECT_EQ(0, now(&self->p.w));
	ASSERT_EQ(0, zt_take(&self->p.r, 50));
	EXPECT_EQ(0, now(&self->p.w));
	ASSERT_EQ(0, zt_take(&self->p.r, 1));
	EXPECT_EQ(POLLOUT, now(&self->p.w));
}

TEST_F(poll, not_writable_while_full)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	EXPECT_EQ(0, now(&self->p.w));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(POLLOUT, now(&self->p.w));
}

TEST_F(poll, not_writable_below_an_atomic_write)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - PIPE_BUF + 1));
	EXPECT_EQ(0, now(&self->p.w));
}

TEST_F(poll, remembers_the_minimum_of_an_alloc_that_would_block)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 2 * ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, now(&self->p.w));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(POLLOUT, now(&self->p.w));
}

TEST_F(poll, reader_that_is_gone_is_an_error_for_the_writer)
{
	zt_end_close(&self->p.r);
	EXPECT_EQ(POLLOUT | POLLERR, now(&self->p.w));
}

TEST_F(poll, reader_that_finished_is_an_error_for_the_writer)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(POLLOUT | POLLERR, now(&self->p.w));
}

TEST_F(poll, sleeping_reader_is_woken_by_flush)
{
	struct poller me;

	start_poll(&me, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, join_poll(&me));
}

TEST_F(poll, sleeping_reader_is_woken_by_write)
{
	struct poller me;

	start_poll(&me, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(POLLIN, join_poll(&me));
}

TEST_F(poll, sleeping_reader_is_woken_by_close)
{
	struct poller me;

	start_poll(&me, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	zt_end_close(&self->p.w);
	EXPECT_EQ(POLLIN | POLLHUP, join_poll(&me));
}

TEST_F(poll, sleeping_reader_is_woken_by_cancel)
{
	struct poller me;

	start_poll(&me, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_EQ(POLLIN, join_poll(&me));
}

TEST_F(poll, sleeping_writer_is_woken_by_advance)
{
	struct poller me;

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	start_poll(&me, &self->p.w, POLLOUT);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(POLLOUT, join_poll(&me));
}

TEST_F(poll, sleeping_writer_is_woken_by_read2)
{
	struct poller me;
	char buffer[ZT_PAGE];

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	start_poll(&me, &self->p.w, POLLOUT);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(ZT_PAGE, read(self->p.r.fd, buffer, ZT_PAGE));
	EXPECT_EQ(POLLOUT, join_poll(&me));
}

TEST_F(poll, paused_writer_is_woken_by_examining)
{
	struct poller me;

	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	start_poll(&me, &self->p.w, POLLOUT);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 10));
	EXPECT_EQ(POLLOUT, join_poll(&me));
}

TEST_F(poll, sleeping_writer_is_woken_by_the_readers_end)
{
	struct poller me;

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	start_poll(&me, &self->p.w, POLLOUT);
	zt_await_starved(&self->p.w);
	zt_end_close(&self->p.r);
	EXPECT_EQ(POLLOUT | POLLERR, join_poll(&me));
}

TEST_F(poll, two_pollers_are_both_woken)
{
	struct poller a, b;

	start_poll(&a, &self->p.r, POLLIN);
	start_poll(&b, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	zt_sleep_ms(ZT_GLANCE_MS);
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, join_poll(&a));
	EXPECT_EQ(POLLIN, join_poll(&b));
}

/* R5: a READ that need not sleep leaves the position that a poller armed. */
TEST_F(poll, armed_position_survives_another_readers_call)
{
	struct zpipe_read_args args = { .min = 1000, .deadline = 1 };
	struct poller me;

	start_poll(&me, &self->p.r, POLLIN);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_EQ(1, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(POLLIN, join_poll(&me));
}

TEST_HARNESS_MAIN
