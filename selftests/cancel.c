// SPDX-License-Identifier: GPL-2.0-only
/*
 * cancel - CANCEL: one-shot, coalescing, never an error, and no byte is lost by it
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(cancel)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
};

FIXTURE_SETUP(cancel)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(cancel)
{
	zt_pipe_close(&self->p);
}

TEST_F(cancel, unknown_what_einval)
{
	EXPECT_EQ(-EINVAL, zt_cancel(&self->p.w, 0));
	EXPECT_EQ(-EINVAL, zt_cancel(&self->p.w, 3));
	EXPECT_EQ(-EINVAL, zt_cancel(&self->p.r, ~0U));
}

TEST_F(cancel, pending_read_returns_canceled)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_CANCELED, args.out_flags);
	EXPECT_EQ(args.out_start, args.out_end);
}

TEST_F(cancel, writer_may_cancel_the_read_too)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_CANCELED, args.out_flags);
}

TEST_F(cancel, next_read_returns_canceled_once)
{
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(cancel, two_cancels_give_one_result)
{
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(cancel, canceled_read_shows_what_is_there_and_owes_no_advance)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 50));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_read(&self->p.r, 100, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
	EXPECT_EQ(50, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, self->view.args.out_flags);
	EXPECT_EQ(0, zt_advance(&self->p.r, 50, 50));
}

TEST_F(cancel, between_read_and_advance_hits_the_next_read)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 50));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	EXPECT_EQ(0, zt_advance(&self->p.r, 50, 50));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
}

TEST_F(cancel, bytes_that_come_after_it_are_not_lost)
{
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_put(&self->p.w, 50));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_take(&self->p.r, 50));
}

TEST_F(cancel, pending_read_shows_itself_to_both_mapped_ends)
{
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_NE(0, zt_events(&self->p.r));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_events(&self->p.r));
}

TEST_F(cancel, refused_reply_does_not_use_it_up)
{
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	EXPECT_EQ(-EMSGSIZE, zt_read(&self->p.r, ~0ULL, 0, &self->view));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
}

TEST_F(cancel, paused_flush_returns_canceled_and_stays_published)
{
	struct zpipe_flush_args args = { .position = 10 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 10));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_CANCELED, args.out_flags);
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(cancel, flush_after_it_waits_again)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->f.out_flags);
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 10, 0, NULL));
}

TEST_F(cancel, next_flush_returns_canceled_and_publishes)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 10));
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->f.out_flags);
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, &self->f));
	EXPECT_EQ(0, self->f.out_flags);
}

TEST_F(cancel, pending_flush_makes_a_mapped_writer_call)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, &self->f));
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
}

TEST_F(cancel, alloc_that_waits_returns_canceled_without_a_grant)
{
	struct zpipe_alloc_args args = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_CANCELED, args.out_flags);
	EXPECT_EQ(0, args.out_length);
}

TEST_F(cancel, alloc_that_need_not_wait_leaves_it_for_the_flush)
{
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	EXPECT_EQ(0, self->grant.out_flags);
	EXPECT_LE(10, self->grant.out_length);
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->f.out_flags);
}

TEST_F(cancel, read_and_flush_are_separate)
{
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->f.out_flags);
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, &self->f));
	EXPECT_EQ(0, self->f.out_flags);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
}

TEST_F(cancel, writers_error_wins_over_it)
{
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	EXPECT_EQ(-EIO, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_HARNESS_MAIN
