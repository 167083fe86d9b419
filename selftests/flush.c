// SPDX-License-Identifier: GPL-2.0-only
/*
 * flush - FLUSH: what becomes visible, who is woken, and its flags
 *
 * Waiting because of the thresholds is thresholds.c.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(flush)
{
	struct zt_pipe p;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
	struct zt_view view;
};

/* Two hundred bytes are filled and not published. */
FIXTURE_SETUP(flush)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 200, 200, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 200));
}

FIXTURE_TEARDOWN(flush)
{
	zt_pipe_close(&self->p);
}

TEST_F(flush, bytes_are_invisible_before_it)
{
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_published(&self->p.r));
}

TEST_F(flush, publishes_up_to_its_position_and_not_beyond)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 120, 0, &self->f));
	EXPECT_EQ(0, self->f.out_flags);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(120, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(flush, moves_the_shared_word)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 120, 0, NULL));
	EXPECT_EQ(120, zt_published(&self->p.w));
	EXPECT_EQ(120, zt_published(&self->p.r));
}

TEST_F(flush, lower_position_keeps_what_is_published)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 120, 0, NULL));
	EXPECT_EQ(0, zt_flush(&self->p.w, 20, 0, NULL));
	EXPECT_EQ(0, zt_flush(&self->p.w, 0, 0, NULL));
	EXPECT_EQ(120, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 120));
}

TEST_F(flush, position_beyond_granted_einval)
{
	EXPECT_EQ(-EINVAL, zt_flush(&self->p.w, zt_granted(&self->p.w) + 1, 0, NULL));
	EXPECT_EQ(-EINVAL, zt_flush(&self->p.w, ~0ULL, 0, NULL));
	EXPECT_EQ(0, zt_published(&self->p.r));
}

TEST_F(flush, up_to_granted_publishes_the_whole_grant)
{
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, self->grant.out_length));
	ASSERT_EQ(0, zt_flush(&self->p.w, zt_granted(&self->p.w), 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, zt_granted(&self->p.w)));
}

TEST_F(flush, answers_the_readers_positions)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 100, 0, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 30, 70));
	ASSERT_EQ(0, zt_flush(&self->p.w, 100, 0, &self->f));
	EXPECT_EQ(30, self->f.out_consumed);
	EXPECT_EQ(70, self->f.out_examined);
}

TEST_F(flush, takes_up_what_the_mapped_writer_published)
{
	zt_store_published(&self->p.w, 150);
	zt_mb();
	ASSERT_EQ(0, zt_flush(&self->p.w, 150, 0, NULL));
	EXPECT_EQ(150, zt_stat(&self->p.w).out_published);
	EXPECT_EQ(0, zt_take(&self->p.r, 150));
}

TEST_F(flush, wakes_a_sleeping_reader)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(1, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, 50, 0, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(50, read.out_end);
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
}

TEST_F(flush, without_new_bytes_wakes_nobody)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, NULL));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_reader_wakes);
	ASSERT_EQ(0, zt_flush(&self->p.w, 1, 0, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(flush, below_the_readers_minimum_wakes_nobody)
{
	struct zpipe_read_args read = { .min = 100 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(100, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, 99, 0, NULL));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_reader_wakes);
	ASSERT_EQ(0, zt_flush(&self->p.w, 100, 0, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(0, read.out_flags);
	EXPECT_EQ(100, read.out_end);
}

TEST_F(flush, nowake_publishes_and_wakes_nobody)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_flush(&self->p.w, 50, ZPIPE_FLUSH_F_NOWAKE, NULL));
	EXPECT_EQ(50, zt_published(&self->p.r));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_flush(&self->p.w, 50, 0, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(50, read.out_end);
}

TEST_F(flush, nowake_is_seen_by_the_next_read)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 50, ZPIPE_FLUSH_F_NOWAKE, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 50));
}

TEST_F(flush, nowake_does_not_wait_while_paused)
{
	self->f = (struct zpipe_flush_args){ .position = 200, .flags = ZPIPE_FLUSH_F_NOWAKE };
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	EXPECT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FLUSH, &self->f));
}

TEST_F(flush, push_ends_a_read_with_a_minimum)
{
	struct zpipe_read_args read = { .min = 1000 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_flush(&self->p.w, 70, ZPIPE_FLUSH_F_PUSH, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(70, read.out_end);
	EXPECT_EQ(ZPIPE_RES_PUSHED, read.out_flags);
}

TEST_F(flush, push_before_the_read_counts_too)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 70, ZPIPE_FLUSH_F_PUSH, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 1000, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_PUSHED, self->view.args.out_flags);
	EXPECT_EQ(70, self->view.args.out_end);
}

TEST_F(flush, push_is_used_up_once_its_bytes_are_examined)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 70, ZPIPE_FLUSH_F_PUSH, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 1000, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 70));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1000, 0, &self->view));
	ASSERT_EQ(0, zt_flush(&self->p.w, 80, 0, NULL));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1000, 0, &self->view));
}

TEST_F(flush, push_does_not_mark_a_read_whose_minimum_is_met)
{
	ASSERT_EQ(0, zt_flush(&self->p.w, 70, ZPIPE_FLUSH_F_PUSH, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 70, 0, &self->view));
	EXPECT_EQ(0, self->view.args.out_flags);
}

TEST_F(flush, wait_examined_returns_when_the_reader_has_looked)
{
	struct zpipe_flush_args f = { .position = 100, .flags = ZPIPE_FLUSH_F_WAIT_EXAMINED };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 99));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 100));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(100, f.out_examined);
	EXPECT_EQ(0, f.out_consumed);
}

TEST_F(flush, wait_examined_implies_push)
{
	struct zpipe_flush_args f = { .position = 100, .flags = ZPIPE_FLUSH_F_WAIT_EXAMINED };
	struct zpipe_read_args read = { .min = 1000 };
	struct zt_bg flush, reader;

	zt_bg_start(&reader, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zt_bg_start(&flush, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	EXPECT_EQ(0, zt_bg_join(&reader));
	EXPECT_EQ(ZPIPE_RES_PUSHED, read.out_flags);
	ASSERT_EQ(0, zt_advance(&self->p.r, 100, 100));
	EXPECT_EQ(0, zt_bg_join(&flush));
}

TEST_F(flush, wait_examined_nowait_eagain_and_published)
{
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 100, ZPIPE_FLUSH_F_WAIT_EXAMINED, NULL));
	EXPECT_EQ(100, zt_published(&self->p.r));
	EXPECT_EQ(100, zt_wake_examined(&self->p.r));
}

TEST_F(flush, wait_consumed_ends_when_the_reader_completes)
{
	struct zpipe_flush_args f = { .position = 100,
				      .flags = ZPIPE_FLUSH_F_WAIT_CONSUMED | ZPIPE_FLUSH_F_PUSH };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 99, 100));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, f.out_flags);
}

TEST_F(flush, second_call_while_one_waits_ebusy)
{
	struct zpipe_flush_args f = { .position = 100, .flags = ZPIPE_FLUSH_F_WAIT_EXAMINED };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.w);
	EXPECT_EQ(-EBUSY, zt_flush(&self->p.w, 150, 0, NULL));
	EXPECT_EQ(100, zt_published(&self->p.w));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(flush, wait_consumed_by_the_mapped_reader)
{
	struct zpipe_flush_args f = { .position = 100,
				      .flags = ZPIPE_FLUSH_F_WAIT_CONSUMED | ZPIPE_FLUSH_F_PUSH };
	struct zpipe_advance_args shared = { .flags = ZPIPE_ADVANCE_F_SHARED };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_starved(&self->p.w);
	EXPECT_EQ(100, zt_wake_consumed(&self->p.r));
	zt_store_examined(&self->p.r, 100);
	zt_store_consumed(&self->p.r, 100);
	zt_mb();
	shared.consumed = ZPIPE_KEEP;
	shared.examined = ZPIPE_KEEP;
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &shared));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(100, f.out_consumed);
}

TEST_F(flush, wait_consumed_with_neither_push_nor_deadline_einval)
{
	struct zpipe_flush_args f = { .position = 10, .flags = ZPIPE_FLUSH_F_WAIT_CONSUMED };

	EXPECT_EQ(-EINVAL, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FLUSH, &f));
	EXPECT_EQ(0, zt_published(&self->p.r));
}

TEST_F(flush, wait_consumed_with_a_deadline_etimedout_and_published)
{
	struct zpipe_flush_args f = { .position = 10, .deadline = zt_deadline(20),
				      .flags = ZPIPE_FLUSH_F_WAIT_CONSUMED };

	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FLUSH, &f));
	EXPECT_LE(f.deadline, zt_now());
	EXPECT_EQ(10, zt_published(&self->p.r));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
}

TEST_HARNESS_MAIN
