// SPDX-License-Identifier: GPL-2.0-only
/*
 * forward - FORWARD: bytes of one pipe appended to another by reference
 *
 * Every clause within a pool, and across pools, where pages are adopted.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "forward.h"

TEST_F(forward, bytes_arrive_and_none_is_copied)
{
	struct zpipe_stat_args s;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 3 * ZT_PAGE + 100));
	ASSERT_EQ(0, forward(self, 0, 3 * ZT_PAGE + 100, 0));
	EXPECT_EQ(0, self->args.out_flags);
	EXPECT_EQ(0, zt_published(&self->to.w));
	EXPECT_EQ(0, check(self, 3 * ZT_PAGE + 100, 3 * ZT_PAGE + 100));
	s = zt_stat(&self->to.w);
	EXPECT_EQ(0, s.out_copied_write + s.out_copied_read);
	EXPECT_EQ(1, s.out_forwards);
	EXPECT_EQ(3 * ZT_PAGE + 100, s.out_forwarded);
	EXPECT_EQ(variant->shared ? 0 : 4, s.out_adopted_pages);
}

/* By a store, as a mapped writer does; no call has told the kernel. */
TEST_F(forward, bytes_published_without_a_call_are_there)
{
	ASSERT_EQ(0, zt_alloc(&self->from.w, 0, 100, 0, &self->grant));
	zt_fill_grant(&self->from.w, &self->grant, 100);
	zt_store_published(&self->from.w, 100);
	EXPECT_EQ(0, forward(self, 0, 100, 0));
	EXPECT_EQ(0, check(self, 100, 100));
}

TEST_F(forward, any_part_of_the_view)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 3 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, ZT_PAGE - 3, 7, 0));
	ASSERT_EQ(0, forward(self, 10, 2 * ZT_PAGE, 7));
	ASSERT_EQ(0, forward(self, 3 * ZT_PAGE - 1, 1, 2 * ZT_PAGE + 7));
	EXPECT_EQ(0, check(self, 2 * ZT_PAGE + 8, 2 * ZT_PAGE + 8));
}

TEST_F(forward, source_may_advance_and_reuse_its_memory_at_once)
{
	int i;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY / 2));
	ASSERT_EQ(0, forward(self, 0, CAPACITY / 2, 0));
	ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY / 2));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY / 2));
		ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY / 2));
	}
	EXPECT_EQ(0, check(self, CAPACITY / 2, CAPACITY / 2));
}

/* The same with what was forwarded seen by both mappings first: counts of mappings add up. */
TEST_F(forward, source_may_reuse_what_the_target_has_mapped)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY / 2));
	ASSERT_EQ(0, forward(self, 0, CAPACITY / 2, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY / 2, 0, NULL));
	ASSERT_EQ(0, zt_read(&self->to.r, 1, 0, &self->view));
	zt_check_view(&self->to.r, &self->view);
	ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY / 2));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	zt_check_view(&self->to.r, &self->view);
	ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY));
}

TEST_F(forward, source_may_close_at_once)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE + 5));
	ASSERT_EQ(0, forward(self, 0, 2 * ZT_PAGE + 5, 0));
	zt_pipe_close(&self->from);
	EXPECT_EQ(0, check(self, 2 * ZT_PAGE + 5, 2 * ZT_PAGE + 5));
	ASSERT_EQ(0, zt_pipe_open(&self->from, ZT_ARGS(0, 0)));
}

TEST_F(forward, source_may_be_killed_at_once)
{
	pid_t child;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE + 5));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct zpipe_forward_args args;

		if (!zt_forward(&self->to.w, &self->from.r, 0, 2 * ZT_PAGE + 5, 0, &args))
			zt_flush(&self->to.w, 2 * ZT_PAGE + 5, 0, NULL);
		kill(getpid(), SIGKILL);
	}
	zt_end_close(&self->from.r);
	zt_end_close(&self->from.w);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	expect_bytes(self, 0, 0, 2 * ZT_PAGE + 5);
	EXPECT_EQ(0, check(self, 2 * ZT_PAGE + 5, 2 * ZT_PAGE + 5));
	ASSERT_EQ(0, zt_pipe_open(&self->from, ZT_ARGS(0, 0)));
}

TEST_F(forward, target_reader_that_goes_gives_everything_back)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, forward(self, 0, CAPACITY / 2, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, CAPACITY / 2, 0, NULL));
	ASSERT_EQ(0, zt_complete(&self->to.r, 0, 0, 0));
	ASSERT_EQ(0, zt_forward(&self->to.w, &self->from.r, 0, 10, CAPACITY / 2, &self->args));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->args.out_flags);
	ASSERT_EQ(0, zt_complete(&self->to.w, 0, 0, 0));
	ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	if (!variant->shared)
		EXPECT_EQ(0, zt_stat(&self->to.w).out_data_pages);
}

TEST_F(forward, wrong_source_is_refused)
{
	struct zpipe_stat_args before, after;
	struct zt_pipe contig, guarded;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	before = zt_stat(&self->to.w);
	EXPECT_EQ(-EBADF, zt_forward(&self->to.w, &self->from.w, 0, 1, 0, NULL));
	EXPECT_EQ(-EBADF, zt_forward(&self->to.w, &(struct zt_end){ .fd = 0 }, 0, 1, 0, NULL));
	EXPECT_EQ(-EBADF, zt_forward(&self->to.w, &(struct zt_end){ .fd = -1 }, 0, 1, 0, NULL));
	EXPECT_EQ(-EBADF, zt_forward(&self->to.r, &self->from.r, 0, 1, 0, NULL));
	EXPECT_EQ(-EINVAL, zt_forward(&self->to.w, &self->to.r, 0, 1, 0, NULL));
	ASSERT_EQ(0, zt_pipe_open(&contig, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = ZPIPE_F_CONTIG)));
	EXPECT_EQ(-EINVAL, zt_forward(&contig.w, &self->from.r, 0, 1, 0, NULL));
	zt_pipe_close(&contig);
	ASSERT_EQ(0, zt_pipe_open(&guarded, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = ZPIPE_F_GUARDED)));
	EXPECT_EQ(-EINVAL, zt_forward(&guarded.w, &self->from.r, 0, 1, 0, NULL));
	EXPECT_EQ(-EINVAL, zt_forward(&self->to.w, &guarded.r, 0, 1, 0, NULL));
	zt_pipe_close(&guarded);
	after = zt_stat(&self->to.w);
	EXPECT_EQ(before.out_granted, after.out_granted);
	EXPECT_EQ(0, after.out_forwarded);
}

TEST_F(forward, source_in_spare_segments)
{
	struct zt_kept kept;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	ASSERT_EQ(0, zt_preserve(&self->from.r, 0, CAPACITY, &kept));
	ASSERT_EQ(0, zt_take(&self->from.r, CAPACITY));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, CAPACITY, 2 * ZT_PAGE, 0));
	ASSERT_EQ(0, zt_take(&self->from.r, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_release(&self->from.r, kept.handle));
	EXPECT_EQ(0, check(self, 2 * ZT_PAGE, 2 * ZT_PAGE));
}

TEST_F(forward, target_with_nothing_but_spare_segments_enobufs)
{
	struct zt_kept kept;

	if (variant->shared)
		return;
	ASSERT_EQ(0, zt_put_pages(&self->to.w, CAPACITY));
	ASSERT_EQ(0, zt_preserve(&self->to.r, 0, CAPACITY, &kept));
	ASSERT_EQ(0, zt_take(&self->to.r, CAPACITY));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE));
	EXPECT_EQ(-ENOBUFS, zt_forward(&self->to.w, &self->from.r, 0, 2 * ZT_PAGE, CAPACITY, NULL));
	EXPECT_EQ(CAPACITY, zt_granted(&self->to.w));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->to.r, &kept));
	ASSERT_EQ(0, zt_release(&self->to.r, kept.handle));
	EXPECT_EQ(0, zt_forward(&self->to.w, &self->from.r, 0, 2 * ZT_PAGE, CAPACITY, NULL));
	EXPECT_EQ(CAPACITY + 2 * ZT_PAGE, zt_granted(&self->to.w));
}

TEST_F(forward, range_outside_of_what_the_source_has_einval)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, zt_take(&self->from.r, 10));
	EXPECT_EQ(-EINVAL, forward(self, 9, 1, 0));
	EXPECT_EQ(-EINVAL, forward(self, 10, 91, 0));
	EXPECT_EQ(-EINVAL, forward(self, 100, 1, 0));
	EXPECT_EQ(-EINVAL, forward(self, 10, 0, 0));
	EXPECT_EQ(-EINVAL, forward(self, 10, ~0ULL, 0));
	EXPECT_EQ(-EINVAL, forward(self, ~0ULL, 10, 0));
	EXPECT_EQ(0, zt_granted(&self->to.w));
	EXPECT_EQ(0, forward(self, 10, 90, 0));
	EXPECT_EQ(0, check(self, 90, 90));
}

TEST_F(forward, position_outside_of_the_grant_einval)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, zt_put(&self->to.w, 50));
	EXPECT_EQ(-EINVAL, forward(self, 0, 10, 49));
	EXPECT_EQ(-EINVAL, forward(self, 0, 10, zt_granted(&self->to.w) + 1));
	EXPECT_EQ(0, forward(self, 0, 10, 50));
	EXPECT_EQ(60, zt_granted(&self->to.w));
}

TEST_F(forward, ended_source_says_so)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, zt_complete(&self->from.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, forward(self, 0, 10, 0));
}

TEST_F(forward, aborted_source_gives_its_errno_and_the_target_its_own)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, zt_complete(&self->from.w, EAGAIN, 0, 0));
	EXPECT_EQ(-EAGAIN, forward(self, 0, 10, 0));
	ASSERT_EQ(0, zt_complete(&self->to.w, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, forward(self, 0, 10, 0));
}

TEST_F(forward, more_than_the_capacity_emsgsize)
{
	struct zt_pipe big;

	ASSERT_EQ(0, zt_pipe_open(&big, ZT_ARGS(ZT_PAGE, 2 * CAPACITY)));
	if (!variant->shared) {
		ASSERT_EQ(0, zt_put_pages(&big.w, CAPACITY + 1));
		EXPECT_EQ(-EMSGSIZE, zt_forward(&self->to.w, &big.r, 0, CAPACITY + 1, 0, NULL));
		EXPECT_EQ(0, zt_forward(&self->to.w, &big.r, 0, CAPACITY, 0, NULL));
	}
	zt_pipe_close(&big);
}

TEST_F(forward, grants_and_forwards_interleave)
{
	__u64 at = 0;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 4 * ZT_PAGE));
	ASSERT_EQ(0, zt_alloc(&self->to.w, 0, 100, ZT_PAGE, &self->grant));
	zt_fill_grant(&self->to.w, &self->grant, 100);
	expect_bytes(self, 0, 0, 100);
	ASSERT_EQ(0, forward(self, 50, ZT_PAGE, 100));
	at = 100 + ZT_PAGE;
	ASSERT_EQ(0, zt_alloc(&self->to.w, at, 10, 0, &self->grant));
	zt_fill_grant(&self->to.w, &self->grant, 10);
	expect_bytes(self, at, at, 10);
	ASSERT_EQ(0, forward(self, 4 * ZT_PAGE - 9, 9, at + 10));
	EXPECT_EQ(0, check(self, at + 19, at + 19));
}

TEST_F(forward, rollback_takes_forwarded_bytes_back)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 4 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, 0, 3 * ZT_PAGE, 0));
	ASSERT_EQ(0, forward(self, 0, ZT_PAGE, ZT_PAGE + 10));
	ASSERT_EQ(0, zt_alloc(&self->to.w, ZT_PAGE + 20, 30, 0, &self->grant));
	zt_fill_grant(&self->to.w, &self->grant, 30);
	expect_bytes(self, ZT_PAGE + 20, ZT_PAGE + 20, 30);
	EXPECT_EQ(0, check(self, ZT_PAGE + 50, ZT_PAGE + 50));
	/* The source's bytes are what they were. */
	EXPECT_EQ(0, zt_take(&self->from.r, 4 * ZT_PAGE));
}

/* Nobody can be granted what was forwarded: it is the source's. */
TEST_F(forward, alloc_after_forward_gets_memory_of_its_own)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, forward(self, 0, 50, 0));
	ASSERT_EQ(0, zt_alloc(&self->to.w, 20, 1, 1, &self->grant));
	memset(self->to.w.data + self->grant.out_offset, 0xee, self->grant.out_length);
	EXPECT_EQ(0, zt_take(&self->from.r, 100));
}

TEST_F(forward, unpublished_forward_dies_with_the_writer)
{
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 100));
	ASSERT_EQ(0, forward(self, 0, 50, 0));
	ASSERT_EQ(0, check(self, 20, 20));
	zt_end_close(&self->to.w);
	EXPECT_EQ(-ECONNRESET, zt_read(&self->to.r, 1, 0, &self->view));
	self->to.w.fd = -1;
}

TEST_F(forward, small_ones_that_go_on_take_no_new_segments)
{
	__u64 at;

	if (!variant->shared)
		return;
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY));
	for (at = 0; at < CAPACITY; at += 64)
		ASSERT_EQ(0, forward(self, at, 64, at));
	EXPECT_EQ(1, zt_opened(&self->to.w));
	EXPECT_EQ(0, check(self, CAPACITY, CAPACITY));
}

/* Backwards, so that none goes on: each counts, until the table would be full. */
TEST_F(forward, small_ones_from_everywhere_wait_when_they_are_too_many)
{
	__u64 at = 0, seen = 0;
	int ret = 0, turn;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 3000));
	for (turn = 0; turn < 4; turn++) {
		while (!(ret = forward(self, 2900 - at % 2800, 3, at)))
			at += 3;
		EXPECT_EQ(-ENOBUFS, ret);
		ASSERT_EQ(0, zt_flush(&self->to.w, at, 0, NULL));
		EXPECT_EQ(-EAGAIN, forward(self, 0, 3, at));
		EXPECT_LE(12, at - seen);
		EXPECT_EQ(0, check(self, at, at - seen));
		seen = at;
	}
}

TEST_F(forward, two_hops)
{
	struct zt_pipe last;

	ASSERT_EQ(0, zt_pipe_open(&last, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, 3 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, 0, 3 * ZT_PAGE, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, 3 * ZT_PAGE, 0, NULL));
	ASSERT_EQ(0, zt_forward(&last.w, &self->to.r, 0, 3 * ZT_PAGE, 0, NULL));
	ASSERT_EQ(0, zt_flush(&last.w, 3 * ZT_PAGE, 0, NULL));
	ASSERT_EQ(0, check(self, 3 * ZT_PAGE, 3 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->from.r, 3 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->from.w, CAPACITY / 2));
	EXPECT_EQ(0, zt_take(&last.r, 3 * ZT_PAGE));
	zt_pipe_close(&last);
}

TEST_F(forward, read_copies_forwarded_bytes)
{
	unsigned char bytes[3000];

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, 2000, 3000, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, 3000, 0, NULL));
	EXPECT_EQ(3000, read(self->to.r.fd, bytes, 3000));
	EXPECT_EQ(-1, zt_mismatch(bytes, 2000, 3000));
}

TEST_F(forward, reset_of_the_target_lets_go)
{
	struct zpipe_reset_args reset;

	ASSERT_EQ(0, zt_put_pages(&self->from.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, forward(self, 0, 2 * ZT_PAGE, 0));
	ASSERT_EQ(0, zt_flush(&self->to.w, ZT_PAGE, 0, NULL));
	ASSERT_EQ(0, zt_complete(&self->to.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->to.r, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->to.r, &reset));
	ASSERT_EQ(0, forward(self, 0, 2 * ZT_PAGE, ZT_PAGE));
	EXPECT_EQ(0, check(self, 3 * ZT_PAGE, 2 * ZT_PAGE));
}

/* One random step; returns the new committed position of the target. */
static __u64 step(FIXTURE_DATA(forward) *self, __u64 *seed, __u64 at)
{
	__u64 from = zt_consumed(&self->from.r), held = zt_published(&self->from.w) - from;
	__u64 published = zt_published(&self->to.w), len, skip;
	int ret = 0;

	switch (zt_random(seed) % 6) {
	case 0:
		ret = zt_put(&self->from.w, 1 + zt_random(seed) % (2 * ZT_PAGE));
		break;
	case 1:
		len = 1 + zt_random(seed) % ZT_PAGE;
		ret = zt_alloc(&self->to.w, at, len, 0, &self->grant);
		if (!ret) {
			zt_fill_grant(&self->to.w, &self->grant, len);
			expect_bytes(self, at, at, len);
			at += len;
		}
		break;
	case 2:
	case 3:
		if (!held)
			break;
		skip = zt_random(seed) % held;
		len = 1 + zt_random(seed) % (held - skip);
		ret = forward(self, from + skip, len, at);
		at += ret ? 0 : len;
		break;
	case 4:
		if (held)
			ret = zt_take(&self->from.r, 1 + zt_random(seed) % held);
		/* And now and then some of what was not published is taken back. */
		if (zt_random(seed) % 8 == 0)
			at -= zt_random(seed) % (at - published + 1);
		break;
	case 5:
		published += zt_random(seed) % (at - published + 1);
		held = published - zt_consumed(&self->to.r);
		if (held)
			ret = check(self, published, 1 + zt_random(seed) % held);
		break;
	}
	if (ret && ret != -EAGAIN && ret != -ENOBUFS && ret != -EMSGSIZE)
		zt_die("a random call: %s", strerror(-ret));
	return at;
}

TEST_F(forward, random_steps_show_every_byte_where_it_belongs)
{
	__u64 seed = zt_seed(), at = 0;
	int i, steps = zt_long() ? 200000 : 6000;

	for (i = 0; i < steps; i++)
		at = step(self, &seed, at);
	EXPECT_LT(0, zt_stat(&self->to.w).out_forwarded);
}

TEST_HARNESS_MAIN
