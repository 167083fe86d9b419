// SPDX-License-Identifier: GPL-2.0-only
/*
 * set - SET: thresholds at run time, by either end, also under a paused writer
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(set)
{
	struct zt_pipe p;
	struct zpipe_info_args i;
};

FIXTURE_SETUP(set)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 100,
						 .resume = 40);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
}

FIXTURE_TEARDOWN(set)
{
	zt_pipe_close(&self->p);
}

TEST_F(set, either_end_may_change_them)
{
	EXPECT_EQ(0, zt_set(&self->p.w, 200, 80));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(200, self->i.out_pause);
	EXPECT_EQ(80, self->i.out_resume);
	EXPECT_EQ(0, zt_set(&self->p.r, 300, 90));
	ASSERT_EQ(0, zt_info(self->p.w.fd, &self->i));
	EXPECT_EQ(300, self->i.out_pause);
	EXPECT_EQ(90, self->i.out_resume);
}

TEST_F(set, keep_leaves_each)
{
	EXPECT_EQ(0, zt_set(&self->p.w, 200, ZPIPE_KEEP));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(200, self->i.out_pause);
	EXPECT_EQ(40, self->i.out_resume);
	EXPECT_EQ(0, zt_set(&self->p.w, ZPIPE_KEEP, 10));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(200, self->i.out_pause);
	EXPECT_EQ(10, self->i.out_resume);
}

TEST_F(set, resume_zero_counts_as_one)
{
	EXPECT_EQ(0, zt_set(&self->p.w, ZPIPE_KEEP, 0));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(1, self->i.out_resume);
}

TEST_F(set, resume_above_pause_einval_and_unchanged)
{
	EXPECT_EQ(-EINVAL, zt_set(&self->p.w, 200, 201));
	EXPECT_EQ(-EINVAL, zt_set(&self->p.w, ZPIPE_KEEP, 101));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(100, self->i.out_pause);
	EXPECT_EQ(40, self->i.out_resume);
}

TEST_F(set, pause_below_the_kept_resume_einval)
{
	EXPECT_EQ(-EINVAL, zt_set(&self->p.w, 39, ZPIPE_KEEP));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &self->i));
	EXPECT_EQ(100, self->i.out_pause);
}

TEST_F(set, new_pause_counts_for_the_next_flush)
{
	EXPECT_EQ(0, zt_put(&self->p.w, 50));
	EXPECT_EQ(0, zt_set(&self->p.r, 60, 10));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
}

TEST_F(set, no_pause_any_more_wakes_a_paused_writer)
{
	struct zpipe_flush_args f = { .position = 100 };
	struct zpipe_alloc_args grant;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &grant));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_set(&self->p.r, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(0, f.out_flags);
}

TEST_F(set, resume_above_what_is_unexamined_wakes_a_paused_writer)
{
	struct zpipe_flush_args f = { .position = 100 };
	struct zpipe_alloc_args grant;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &grant));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_set(&self->p.r, 1000, 101));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(set, lower_resume_keeps_a_paused_writer_asleep)
{
	struct zpipe_flush_args f = { .position = 100 };
	struct zpipe_alloc_args grant;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 100));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &f);
	zt_await_paused(&self->p.w);
	ASSERT_EQ(0, zt_set(&self->p.r, ZPIPE_KEEP, 5));
	ASSERT_EQ(0, zt_take(&self->p.r, 95));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_take(&self->p.r, 1));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_HARNESS_MAIN
