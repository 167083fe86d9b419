// SPDX-License-Identifier: GPL-2.0-only
/*
 * thresholds - when FLUSH waits for the reader and when it goes on
 *
 * Backpressure counts unexamined bytes, pausing is an edge with hysteresis, and a reader that
 * needs more than the pause lets through lifts it: none of these may end in two sleepers.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define PAUSE	100
#define RESUME	40

FIXTURE(thresholds)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_flush_args f;
	struct zt_bg bg;
};

FIXTURE_SETUP(thresholds)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = PAUSE,
						 .resume = RESUME);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
}

FIXTURE_TEARDOWN(thresholds)
{
	zt_pipe_close(&self->p);
}

/* Starts a FLUSH of @len more bytes that waits while paused. */
static void flush_in_background(FIXTURE_DATA(thresholds) *self, __u64 len)
{
	__u64 at = zt_published(&self->p.w);
	struct zpipe_alloc_args grant;

	if (zt_alloc(&self->p.w, at, len, len, &grant) || zt_fill_grant(&self->p.w, &grant, len))
		zt_die("no grant");
	self->f = (struct zpipe_flush_args){ .position = at + len };
	zt_bg_start(&self->bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &self->f);
}

static int examine(FIXTURE_DATA(thresholds) *self, __u64 position)
{
	int ret = zt_read(&self->p.r, 0, 0, &self->view);

	return ret ? ret : zt_advance(&self->p.r, 0, position);
}

TEST_F(thresholds, one_byte_below_the_pause_does_not_wait)
{
	EXPECT_EQ(0, zt_put(&self->p.w, PAUSE - 1));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_pauses);
}

TEST_F(thresholds, reaching_the_pause_eagain_and_published)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	EXPECT_EQ(PAUSE, zt_published(&self->p.r));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_pauses);
}

TEST_F(thresholds, eagain_arms_the_position_of_the_resume)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	EXPECT_EQ(PAUSE - RESUME + 1, zt_wake_examined(&self->p.r));
}

TEST_F(thresholds, paused_flush_waits_until_below_the_resume)
{
	flush_in_background(self, PAUSE);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, examine(self, PAUSE - RESUME));
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	ASSERT_EQ(0, examine(self, PAUSE - RESUME + 1));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(0, self->f.out_flags);
	EXPECT_EQ(PAUSE - RESUME + 1, self->f.out_examined);
	EXPECT_EQ(0, self->f.out_consumed);
}

TEST_F(thresholds, repeating_the_flush_while_paused_waits_again)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, PAUSE, 0, NULL));
	EXPECT_EQ(PAUSE, zt_published(&self->p.r));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_pauses);
}

TEST_F(thresholds, between_resume_and_pause_stays_paused)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	ASSERT_EQ(0, examine(self, 20));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, PAUSE, 0, NULL));
	ASSERT_EQ(0, examine(self, PAUSE));
	EXPECT_EQ(0, zt_flush(&self->p.w, PAUSE, 0, NULL));
}

TEST_F(thresholds, after_the_resume_the_pause_line_counts_again)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	ASSERT_EQ(0, examine(self, PAUSE));
	EXPECT_EQ(0, zt_put(&self->p.w, PAUSE - 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 1));
	EXPECT_EQ(2, zt_stat(&self->p.w).out_pauses);
}

TEST_F(thresholds, examined_bytes_that_are_held_do_not_count)
{
	int i;

	for (i = 1; i <= 10; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, PAUSE - 1));
		ASSERT_EQ(0, examine(self, i * (PAUSE - 1)));
	}
	EXPECT_EQ(0, zt_stat(&self->p.w).out_pauses);
	EXPECT_EQ(0, zt_stat(&self->p.w).out_consumed);
}

TEST_F(thresholds, one_large_flush_may_pass_the_pause)
{
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 3 * PAUSE));
	EXPECT_EQ(3 * PAUSE, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 3 * PAUSE));
}

TEST_F(thresholds, deadline_while_paused_etimedout_and_published)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, PAUSE, PAUSE, &grant));
	self->f = (struct zpipe_flush_args){ .position = PAUSE, .deadline = zt_deadline(20) };
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FLUSH, &self->f));
	EXPECT_LE(self->f.deadline, zt_now());
	EXPECT_EQ(PAUSE, zt_published(&self->p.r));
}

TEST_F(thresholds, mapped_reader_resumes_the_writer)
{
	struct zpipe_advance_args shared = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
					     .flags = ZPIPE_ADVANCE_F_SHARED };

	flush_in_background(self, PAUSE);
	zt_await_paused(&self->p.r);
	zt_store_examined(&self->p.r, PAUSE);
	zt_mb();
	ASSERT_LE(zt_wake_examined(&self->p.r), PAUSE);
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &shared));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_examined(&self->p.r));
}

TEST_F(thresholds, read_with_a_larger_minimum_lifts_the_pause)
{
	struct zpipe_read_args read = { .min = 5 * PAUSE };
	struct zt_bg reader;

	flush_in_background(self, PAUSE);
	zt_await_paused(&self->p.w);
	zt_bg_start(&reader, self->p.r.fd, ZPIPE_IOC_READ, &read);
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(0, zt_put(&self->p.w, 2 * PAUSE));
	zt_put(&self->p.w, 2 * PAUSE);
	EXPECT_EQ(0, zt_bg_join(&reader));
	EXPECT_EQ(5 * PAUSE, read.out_end);
	EXPECT_EQ(0, read.out_flags);
}

TEST_F(thresholds, flush_does_not_pause_under_a_starving_read)
{
	struct zpipe_read_args read = { .min = 3 * PAUSE };
	struct zt_bg reader;

	zt_bg_start(&reader, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(0, zt_put(&self->p.w, 2 * PAUSE));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_pauses);
	zt_put(&self->p.w, PAUSE);
	EXPECT_EQ(0, zt_bg_join(&reader));
	EXPECT_EQ(3 * PAUSE, read.out_end);
}

TEST_F(thresholds, lift_is_for_that_read_only)
{
	struct zpipe_read_args read = { .min = 2 * PAUSE };
	struct zt_bg reader;

	zt_bg_start(&reader, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zt_put(&self->p.w, 2 * PAUSE);
	EXPECT_EQ(0, zt_bg_join(&reader));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
}

TEST_F(thresholds, nowait_read_that_arms_lifts_the_pause_too)
{
	flush_in_background(self, PAUSE);
	zt_await_paused(&self->p.w);
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 2 * PAUSE, 0, &self->view));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
}

TEST_F(thresholds, reader_that_examined_all_and_waits_finds_no_pause)
{
	struct zpipe_read_args read = { .min = 2 * PAUSE };
	struct zt_bg reader;

	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, PAUSE));
	ASSERT_EQ(0, examine(self, PAUSE));
	zt_bg_start(&reader, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zt_put(&self->p.w, PAUSE);
	EXPECT_EQ(0, zt_bg_join(&reader));
	EXPECT_EQ(2 * PAUSE, read.out_end);
}

TEST_F(thresholds, pause_of_one_is_lock_step)
{
	int i;

	ASSERT_EQ(0, zt_set(&self->p.w, 1, 1));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 1));
		EXPECT_EQ(0, zt_take(&self->p.r, 1));
		EXPECT_EQ(0, zt_flush(&self->p.w, i + 1, 0, NULL));
	}
}

TEST_F(thresholds, never_paused_with_a_pause_of_zero)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 0, 0));
	EXPECT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_pauses);
}

TEST_HARNESS_MAIN
