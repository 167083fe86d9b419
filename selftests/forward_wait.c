// SPDX-License-Identifier: GPL-2.0-only
/*
 * forward_wait - FORWARD to a target that has no room, and what its thresholds count
 */
#include <errno.h>

#include "forward.h"

TEST_F(forward, full_target_eagain_then_room)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, forward(self, 0, CAPACITY, 0));
	EXPECT_EQ(-ENOBUFS, forward(self, 0, 1, CAPACITY));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY, 0, NULL));
	EXPECT_EQ(-EAGAIN, forward(self, 0, 1, CAPACITY));
	EXPECT_NE(ZPIPE_UNARMED, zt_wake_consumed(&self->to.r));
	ASSERT_EQ(0, check(self, CAPACITY, 4 * ZT_PAGE));
	EXPECT_EQ(0, forward(self, 0, 1, CAPACITY));
	EXPECT_EQ(0, check(self, CAPACITY + 1, 4 * ZT_PAGE + 1));
}

TEST_F(forward, waits_for_the_reader_of_the_target)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, forward(self, 0, CAPACITY, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY, 0, NULL));
	self->args = (struct zpipe_forward_args){ .source_fd = self->from.r.fd,
						  .source = 100, .length = 2 * ZT_PAGE,
						  .position = CAPACITY };
	zt_bg_start(&self->bg, self->to.w.fd, ZPIPE_IOC_FORWARD, &self->args);
	zt_await_starved(&self->to.w);
	EXPECT_TRUE(zt_bg_sleeps(&self->bg));
	EXPECT_EQ(-EBUSY, zt_alloc(&self->to.w, CAPACITY, 1, 1, &self->grant));
	ASSERT_EQ(0, check(self, CAPACITY, 4 * ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(CAPACITY + 2 * ZT_PAGE, self->args.out_position);
	expect_bytes(self, CAPACITY, 100, 2 * ZT_PAGE);
	EXPECT_EQ(0, check(self, CAPACITY + 2 * ZT_PAGE, 6 * ZT_PAGE));
}

TEST_F(forward, wait_ends_with_the_deadline_or_a_cancel)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, forward(self, 0, CAPACITY, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY, 0, NULL));
	self->args = (struct zpipe_forward_args){ .source_fd = self->from.r.fd, .length = 1,
						  .position = CAPACITY,
						  .deadline = zt_deadline(20) };
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->to.w.fd, ZPIPE_IOC_FORWARD, &self->args));
	self->args.deadline = 0;
	ASSERT_EQ(0, zt_cancel(&self->to.w, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zt_ioctl(self->to.w.fd, ZPIPE_IOC_FORWARD, &self->args));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->args.out_flags);
	EXPECT_EQ(CAPACITY, self->args.out_position);
	EXPECT_EQ(CAPACITY, zt_granted(&self->to.w));
}

/* The source's bytes went while this waited for the target. */
TEST_F(forward, source_consumed_while_waiting_einval)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, forward(self, 0, CAPACITY, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY, 0, NULL));
	self->args = (struct zpipe_forward_args){ .source_fd = self->from.r.fd, .length = 1,
						  .position = CAPACITY };
	zt_bg_start(&self->bg, self->to.w.fd, ZPIPE_IOC_FORWARD, &self->args);
	zt_await_starved(&self->to.w);
	ASSERT_EQ(0, zt_take(&self->from.r, 1));
	ASSERT_EQ(0, check(self, CAPACITY, CAPACITY));
	EXPECT_EQ(-EINVAL, zt_bg_join(&self->bg));
}

TEST_F(forward, thresholds_count_forwarded_bytes)
{
	struct zpipe_flush_args f;

	zt_pipe_close(&self->from);
	zt_pipe_close(&self->to);
	ASSERT_EQ(0, open_both(self, variant, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 4 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, 0, ZT_PAGE, 0));
	EXPECT_EQ(0, zt_flush(&self->to.w, ZT_PAGE, 0, &f));
	ASSERT_EQ(0, forward(self, ZT_PAGE, ZT_PAGE, ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->to.w, 2 * ZT_PAGE, 0, &f));
}

TEST_HARNESS_MAIN
