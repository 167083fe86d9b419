// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory - running out of it: EAGAIN, waiting, FULL, ENOBUFS, and never two sleepers
 *
 * These are the rules that model checking gave: each test is the run that breaks without one.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(memory)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_read_args read;
	struct zt_bg writer;
	struct zt_bg reader;
};

/* Two segments. */
FIXTURE_SETUP(memory)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 2 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(memory)
{
	zt_pipe_close(&self->p);
}

static void alloc_in_background(FIXTURE_DATA(memory) *self, __u64 position, __u64 min)
{
	self->grant = (struct zpipe_alloc_args){ .position = position, .min = min };
	zt_bg_start(&self->writer, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant);
}

static void read_in_background(FIXTURE_DATA(memory) *self, __u64 min)
{
	self->read = (struct zpipe_read_args){ .min = min };
	zt_bg_start(&self->reader, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
}

TEST_F(memory, full_pipe_nowait_eagain_and_armed_at_the_oldest_end)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	EXPECT_EQ(ZT_PAGE, zt_wake_consumed(&self->p.r));
}

TEST_F(memory, full_pipe_with_a_deadline_etimedout)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	self->grant = (struct zpipe_alloc_args){ .position = 2 * ZT_PAGE,
						 .deadline = zt_deadline(20) };
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant));
	EXPECT_LE(self->grant.deadline, zt_now());
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
	EXPECT_EQ(2 * ZT_PAGE, zt_granted(&self->p.w));
}

TEST_F(memory, waiting_alloc_wakes_when_a_whole_segment_came_free)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	alloc_in_background(self, 2 * ZT_PAGE, 1);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE - 1));
	EXPECT_TRUE(zt_bg_sleeps(&self->writer));
	ASSERT_EQ(0, zt_take(&self->p.r, 1));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	EXPECT_LE(1, self->grant.out_length);
}

TEST_F(memory, waiting_alloc_wakes_only_when_its_run_fits)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	alloc_in_background(self, 2 * ZT_PAGE, 2 * ZT_PAGE);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_TRUE(zt_bg_sleeps(&self->writer));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	EXPECT_LE(2 * ZT_PAGE, self->grant.out_length);
}

TEST_F(memory, all_of_it_unpublished_enobufs)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * ZT_PAGE, 0, &self->grant));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	self->grant = (struct zpipe_alloc_args){ .position = 2 * ZT_PAGE };
	EXPECT_EQ(-ENOBUFS, zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
}

TEST_F(memory, flush_helps_after_enobufs)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 2 * ZT_PAGE));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * ZT_PAGE, 0, NULL));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
}

TEST_F(memory, rollback_helps_after_enobufs)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * ZT_PAGE, 0, &self->grant));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 100, 100, 100, &self->grant));
}

/* R3: the unpublished tail shares a segment with published bytes: consuming frees nothing. */
TEST_F(memory, enobufs_is_judged_by_whole_descriptors)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 1, ZT_PAGE - 1, 0, &self->grant));
	ASSERT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE, ZT_PAGE, 0, &self->grant));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_take(&self->p.r, 1));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
}

/* R1: the reader came first; it is told FULL when the writer begins to wait. */
TEST_F(memory, alloc_that_waits_tells_a_starving_reader_full)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 100));
	read_in_background(self, 2 * ZT_PAGE);
	zt_await_reader(&self->p.w);
	alloc_in_background(self, ZT_PAGE + 100, ZT_PAGE);
	EXPECT_EQ(0, zt_bg_join(&self->reader));
	EXPECT_EQ(ZPIPE_RES_FULL, self->read.out_flags);
	EXPECT_EQ(ZT_PAGE + 100, self->read.out_end);
	ASSERT_EQ(0, zt_advance(&self->p.r, ZT_PAGE + 100, ZT_PAGE + 100));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

/* R1: the writer came first. */
TEST_F(memory, read_that_would_starve_a_waiting_writer_is_told_full)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 100));
	alloc_in_background(self, ZT_PAGE + 100, ZT_PAGE);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 2 * ZT_PAGE, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_FULL, self->view.args.out_flags);
	ASSERT_EQ(0, zt_advance(&self->p.r, ZT_PAGE + 100, ZT_PAGE + 100));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

/* R1: FULL comes although one byte is unexamined. */
TEST_F(memory, full_does_not_need_everything_examined)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	read_in_background(self, 2 * ZT_PAGE - 10);
	zt_await_reader(&self->p.w);
	alloc_in_background(self, ZT_PAGE + 1, ZT_PAGE);
	EXPECT_EQ(0, zt_bg_join(&self->reader));
	EXPECT_EQ(ZPIPE_RES_FULL, self->read.out_flags);
	ASSERT_EQ(0, zt_advance(&self->p.r, ZT_PAGE + 1, ZT_PAGE + 1));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

/* R2: no segment is free, but nobody waits for one. */
TEST_F(memory, no_free_segment_alone_is_not_full)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 1));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, ZT_PAGE + 10, 0, &self->view));
}

/* R2: everything is consumed and only not yet reclaimed. */
TEST_F(memory, consumed_memory_not_reclaimed_is_not_full)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(memory, full_after_an_eagain_alloc)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 100));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, ZT_PAGE + 100, ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_read(&self->p.r, 2 * ZT_PAGE, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_FULL, self->view.args.out_flags);
}

TEST_F(memory, full_always_has_something_to_give_back)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE + 100));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, ZT_PAGE + 100, ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_read(&self->p.r, 2 * ZT_PAGE, 0, &self->view));
	EXPECT_LT(self->view.args.out_start, self->view.args.out_end);
}

/* A message as long as the pipe passes again and again wherever it begins. */
TEST_F(memory, message_of_the_whole_window_passes_from_any_place)
{
	__u64 window = self->p.w.info.out_window, at = 0;
	int i;

	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 1 + i * 137 % ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->p.r, 1 + i * 137 % ZT_PAGE));
		at = zt_published(&self->p.w);
		ASSERT_EQ(0, zt_alloc(&self->p.w, at, window, 0, &self->grant));
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, window));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + window, 0, NULL));
		ASSERT_EQ(0, zt_take(&self->p.r, window));
	}
}

TEST_HARNESS_MAIN
