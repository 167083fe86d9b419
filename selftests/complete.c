// SPDX-License-Identifier: GPL-2.0-only
/*
 * complete - COMPLETE: end of stream and abort by either end, first call wins
 *
 * Ends that are closed without it are closing.c.
 */
#include <errno.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(complete)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
};

FIXTURE_SETUP(complete)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(complete)
{
	zt_pipe_close(&self->p);
}

TEST_F(complete, error_out_of_range_einval)
{
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.w, -1, 0, 0));
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.w, 4096, 0, 0));
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.r, -EIO, 0, 0));
	EXPECT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(0, zt_take(&self->p.r, 1));
}

TEST_F(complete, largest_errno_is_delivered)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 4095, 0, 0));
	EXPECT_EQ(-4095, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(complete, reader_of_an_empty_finished_pipe_is_told)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	EXPECT_EQ(self->view.args.out_start, self->view.args.out_end);
	EXPECT_EQ(0, self->view.args.out_nr_spans);
}

TEST_F(complete, last_bytes_come_with_the_flag)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	EXPECT_EQ(10, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(complete, finished_pipe_never_blocks_a_read_again)
{
	struct zpipe_read_args args = { .min = 1 };
	int i;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
		EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
		EXPECT_EQ(10, args.out_end);
		ASSERT_EQ(0, zt_advance(&self->p.r, 0, 10));
	}
}

TEST_F(complete, finished_pipe_cuts_a_minimum_short)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1000, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	EXPECT_EQ(10, self->view.args.out_end);
}

TEST_F(complete, empty_finished_read_owes_no_advance)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP));
}

TEST_F(complete, wakes_a_sleeping_reader)
{
	struct zpipe_read_args args = { .min = 100 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
	EXPECT_EQ(10, args.out_end);
}

TEST_F(complete, position_publishes_first)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 100));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 60));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(60, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(complete, what_is_not_published_is_dropped)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(10, self->view.args.out_end);
}

TEST_F(complete, position_beyond_granted_einval_and_not_finished)
{
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.w, 0, 0, 1));
	EXPECT_EQ(0, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, self->view.args.out_flags);
}

TEST_F(complete, writer_verbs_after_it_eshutdown)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
	EXPECT_EQ(-ESHUTDOWN, zt_flush(&self->p.w, 0, 0, NULL));
}

TEST_F(complete, reader_verbs_after_it_eshutdown)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(complete, second_call_succeeds_and_changes_nothing)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(complete, first_error_wins)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	EXPECT_EQ(0, zt_complete(&self->p.w, ENODATA, 0, 0));
	EXPECT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-EIO, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(complete, writers_error_reaches_every_read_before_the_data)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, ENODATA, 0, 0));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
}

TEST_F(complete, writers_error_ends_a_sleeping_read)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.w, ENODATA, 0, 0));
	EXPECT_EQ(-ENODATA, zt_bg_join(&bg));
}

TEST_F(complete, drained_error_comes_after_the_data)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, ENODATA, ZPIPE_COMPLETE_F_DRAIN, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_TRUE(self->view.args.out_flags & ZPIPE_RES_ABORTED);
	EXPECT_EQ(10, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 10));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(complete, drain_of_an_empty_pipe_is_the_error_at_once)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, ENODATA, ZPIPE_COMPLETE_F_DRAIN, 0));
	EXPECT_EQ(-ENODATA, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(complete, finished_reader_tells_flush_and_alloc)
{
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->grant.out_flags);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 100));
	ASSERT_EQ(0, zt_flush(&self->p.w, 100, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->f.out_flags);
}

/* What is written to a reader that has finished is dropped, so there is always room. */
TEST_F(complete, writer_never_runs_out_after_the_reader_finished)
{
	__u64 at = 0;
	int i;

	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	for (i = 0; i < 20; i++, at += ZT_PAGE) {
		ASSERT_EQ(0, zt_alloc(&self->p.w, at, ZT_PAGE, ZT_PAGE, &self->grant));
		ASSERT_EQ(ZPIPE_RES_COMPLETED, self->grant.out_flags);
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, ZT_PAGE));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + ZT_PAGE, 0, &self->f));
	}
	EXPECT_GE(4, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(complete, finished_reader_wakes_a_writer_that_waits_for_memory)
{
	struct zpipe_alloc_args args = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
}

TEST_F(complete, finished_reader_frees_unread_memory_at_once)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	EXPECT_EQ(4, zt_stat(&self->p.w).out_data_pages);
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_GE(1, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(complete, readers_error_reaches_every_alloc_and_flush)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.r, ECANCELED, 0, 0));
	EXPECT_EQ(-ECANCELED, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(-ECANCELED, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(-ECANCELED, zt_alloc(&self->p.w, 10, 1, 1, &self->grant));
	EXPECT_EQ(-ECANCELED, zt_alloc(&self->p.w, 10, 1, 1, &self->grant));
}

/* Numbers that mean something to the kernel itself are errnos like any other here. */
TEST_F(complete, readers_error_may_be_one_that_the_kernel_uses_inside)
{
	static const int errors[] = { EAGAIN, ETIMEDOUT, EINTR, 512, 529 };
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct zpipe_alloc_args args = { .min = 1 };
		unsigned char byte = 0;

		ASSERT_EQ(0, zt_complete(&self->p.r, errors[i], 0, 0));
		EXPECT_EQ(-errors[i], zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
		EXPECT_EQ(-errors[i], zt_flush(&self->p.w, 0, 0, NULL));
		if (errors[i] < 512) {
			EXPECT_EQ(-errors[i], zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &args));
			EXPECT_EQ(-1, write(self->p.w.fd, &byte, 1));
			EXPECT_EQ(errors[i], errno);
		}
		ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
		ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	}
}

TEST_F(complete, readers_error_wakes_a_paused_writer)
{
	struct zpipe_flush_args args = { .position = 10 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.r, ECANCELED, 0, 0));
	EXPECT_EQ(-ECANCELED, zt_bg_join(&bg));
}

TEST_F(complete, reader_may_finish_with_a_read_outstanding)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_advance(&self->p.r, 10, 10));
}

TEST_F(complete, own_sleeping_read_is_ended)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_bg_join(&bg));
}

TEST_F(complete, own_sleeping_alloc_is_ended)
{
	struct zpipe_alloc_args args = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_bg_join(&bg));
}

TEST_F(complete, own_paused_flush_is_ended)
{
	struct zpipe_flush_args args = { .position = 10 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_bg_join(&bg));
}

TEST_F(complete, both_finished_hold_no_data_whatever_was_granted)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 100));
	ASSERT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE + 100, ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(complete, wake_word_is_zero_for_a_mapped_writer_after_the_reader_finished)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_reader_wake(&self->p.w));
}

TEST_F(complete, event_word_tells_a_mapped_reader_of_an_abort)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_events(&self->p.r));
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	EXPECT_NE(0, zt_events(&self->p.r));
}

/* A mapped reader takes the bytes first; then it stands at published and calls READ anyway. */
TEST_F(complete, event_word_is_quiet_while_bytes_come_first)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, ZPIPE_COMPLETE_F_DRAIN, 0));
	EXPECT_EQ(0, zt_events(&self->p.r));
}

TEST_F(complete, both_ends_may_finish_in_either_order)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	EXPECT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_data_pages);
	EXPECT_EQ(-ESHUTDOWN, zt_flush(&self->p.w, 0, 0, NULL));
}

TEST_HARNESS_MAIN
