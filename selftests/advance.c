// SPDX-License-Identifier: GPL-2.0-only
/*
 * advance - ADVANCE: what is given back, what counts as seen, what is refused
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

/* A hundred bytes are shown by a READ that is outstanding. */
FIXTURE(advance)
{
	struct zt_pipe p;
	struct zt_view view;
};

FIXTURE_SETUP(advance)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

FIXTURE_TEARDOWN(advance)
{
	zt_pipe_close(&self->p);
}

TEST_F(advance, moves_both_words)
{
	EXPECT_EQ(0, zt_advance(&self->p.r, 40, 70));
	EXPECT_EQ(40, zt_consumed(&self->p.w));
	EXPECT_EQ(70, zt_examined(&self->p.w));
	EXPECT_EQ(40, zt_consumed(&self->p.r));
	EXPECT_EQ(70, zt_examined(&self->p.r));
}

TEST_F(advance, ends_the_read)
{
	EXPECT_EQ(0, zt_advance(&self->p.r, 0, 0));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, 0, 0));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(advance, consumed_beyond_the_view_einval_and_still_outstanding)
{
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 101, 101));
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 1ULL << 63, 1ULL << 63));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(0, zt_advance(&self->p.r, 100, 100));
}

TEST_F(advance, examined_beyond_the_view_einval_and_still_outstanding)
{
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 50, 101));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(0, zt_advance(&self->p.r, 50, 100));
}

TEST_F(advance, examined_below_consumed_einval_and_still_outstanding)
{
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 50, 49));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(0, zt_advance(&self->p.r, 50, 50));
}

TEST_F(advance, consumed_below_the_view_einval)
{
	ASSERT_EQ(0, zt_advance(&self->p.r, 50, 50));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 49, 100));
	EXPECT_EQ(0, zt_advance(&self->p.r, 50, 100));
}

TEST_F(advance, consumed_keep_gives_nothing_back)
{
	EXPECT_EQ(0, zt_advance(&self->p.r, ZPIPE_KEEP, 60));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(60, zt_examined(&self->p.w));
}

TEST_F(advance, examined_keep_is_at_least_consumed)
{
	EXPECT_EQ(0, zt_advance(&self->p.r, 60, ZPIPE_KEEP));
	EXPECT_EQ(60, zt_consumed(&self->p.w));
	EXPECT_EQ(60, zt_examined(&self->p.w));
}

TEST_F(advance, examined_keep_leaves_what_was_seen)
{
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 80));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_advance(&self->p.r, 20, ZPIPE_KEEP));
	EXPECT_EQ(20, zt_consumed(&self->p.w));
	EXPECT_EQ(80, zt_examined(&self->p.w));
}

TEST_F(advance, both_keep_ends_the_read_and_changes_nothing)
{
	EXPECT_EQ(0, zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(0, zt_examined(&self->p.w));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(advance, lower_examined_is_accepted_and_never_moves_back)
{
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 80));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_advance(&self->p.r, 20, 30));
	EXPECT_EQ(20, zt_consumed(&self->p.w));
	EXPECT_EQ(80, zt_examined(&self->p.w));
}

TEST_F(advance, without_a_read_eproto)
{
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, 10, 10));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
}

TEST_F(advance, memory_comes_back_to_the_writer)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_advance(&self->p.r, 100, 100));
	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE - 100));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, 4 * ZT_PAGE, ZT_PAGE, 0, &grant));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE - 100));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 4 * ZT_PAGE, ZT_PAGE, 0, &grant));
}

TEST_F(advance, examining_alone_gives_no_memory_back)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE - 100));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 100));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, 4 * ZT_PAGE, 1, 1, &grant));
}

TEST_F(advance, shared_takes_the_words_of_the_page)
{
	struct zpipe_advance_args args = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
					   .flags = ZPIPE_ADVANCE_F_SHARED };

	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	zt_store_examined(&self->p.r, 90);
	zt_store_consumed(&self->p.r, 80);
	EXPECT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &args));
	EXPECT_EQ(0, args.out_flags);
	EXPECT_EQ(80, zt_stat(&self->p.w).out_consumed);
	EXPECT_EQ(90, zt_stat(&self->p.w).out_examined);
}

TEST_F(advance, shared_wakes_a_writer_that_waits_for_memory)
{
	struct zpipe_advance_args args = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
					   .flags = ZPIPE_ADVANCE_F_SHARED };
	struct zpipe_alloc_args grant = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE - 100));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &grant);
	zt_await_starved(&self->p.r);
	zt_store_examined(&self->p.r, ZT_PAGE);
	zt_store_consumed(&self->p.r, ZT_PAGE);
	zt_mb();
	ASSERT_LE(zt_wake_consumed(&self->p.r), ZT_PAGE);
	EXPECT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &args));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
}

TEST_F(advance, tells_that_the_writer_has_finished)
{
	struct zpipe_advance_args args = { .consumed = 10, .examined = 10 };

	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &args));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
}

TEST_F(advance, after_own_completion_eshutdown)
{
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_advance(&self->p.r, 10, 10));
}

TEST_HARNESS_MAIN
