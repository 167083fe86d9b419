// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc - ALLOC: where a grant lies, how long it is, what rollback takes back, what is refused
 *
 * Running out of memory is memory.c; the chain's entries are chain.c.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(alloc)
{
	struct zt_pipe p;
	struct zpipe_alloc_args a;
};

FIXTURE_VARIANT(alloc)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(alloc, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(alloc, contig) { .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(alloc)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags)));
}

FIXTURE_TEARDOWN(alloc)
{
	zt_pipe_close(&self->p);
}

TEST_F(alloc, min_zero_counts_as_one)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 0, 0, &self->a));
	EXPECT_LE(1, self->a.out_length);
	EXPECT_EQ(0, self->a.out_flags);
}

TEST_F(alloc, grant_is_at_least_min)
{
	__u64 min;

	for (min = 1; min <= CAPACITY; min += 511) {
		ASSERT_EQ(0, zt_alloc(&self->p.w, 0, min, 0, &self->a));
		EXPECT_LE(min, self->a.out_length);
	}
}

TEST_F(alloc, grant_ends_at_granted)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 0, &self->a));
	EXPECT_EQ(self->a.out_length, zt_granted(&self->p.w));
	EXPECT_EQ(self->a.out_length, zt_granted(&self->p.r));
}

TEST_F(alloc, want_is_given_where_it_is_free)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 3 * ZT_PAGE, &self->a));
	EXPECT_LE(3 * ZT_PAGE, self->a.out_length);
}

TEST_F(alloc, want_beyond_the_window_gives_what_there_is)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, ~0ULL, &self->a));
	EXPECT_LE(1, self->a.out_length);
	EXPECT_GE(self->p.w.info.out_window, self->a.out_length);
}

TEST_F(alloc, whole_window_can_be_one_grant)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, self->p.w.info.out_window, 0, &self->a));
	EXPECT_EQ(self->p.w.info.out_window, self->a.out_length);
}

TEST_F(alloc, grant_is_writable_memory_over_its_whole_length)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, CAPACITY, 0, &self->a));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, CAPACITY));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data + self->a.out_offset, 0, CAPACITY));
}

TEST_F(alloc, repeated_call_answers_the_same_grant_without_memory)
{
	struct zpipe_alloc_args again;
	__u64 pages;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->a));
	pages = zt_stat(&self->p.w).out_data_pages;
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &again));
	EXPECT_EQ(self->a.out_offset, again.out_offset);
	EXPECT_EQ(self->a.out_length, again.out_length);
	EXPECT_EQ(pages, zt_stat(&self->p.w).out_data_pages);
	EXPECT_EQ(1, zt_opened(&self->p.w));
}

TEST_F(alloc, position_inside_the_grant_continues_it)
{
	struct zpipe_alloc_args more;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->a));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 60, 10, 10, &more));
	EXPECT_EQ(self->a.out_offset + 60, more.out_offset);
	EXPECT_EQ(zt_granted(&self->p.w), 60 + more.out_length);
}

TEST_F(alloc, longer_request_at_the_same_place_grows_the_grant)
{
	struct zpipe_alloc_args more;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->a));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * ZT_PAGE + 1, 0, &more));
	EXPECT_LE(2 * ZT_PAGE + 1, more.out_length);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &more, 2 * ZT_PAGE + 1));
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * ZT_PAGE + 1, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE + 1));
}

TEST_F(alloc, position_at_granted_opens_the_next_segment)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, ZT_PAGE, ZT_PAGE, &self->a));
	ASSERT_EQ(ZT_PAGE, zt_granted(&self->p.w));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, ZT_PAGE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE, 1, 1, &self->a));
	EXPECT_LT(ZT_PAGE, zt_granted(&self->p.w));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 1));
	ASSERT_EQ(0, zt_flush(&self->p.w, ZT_PAGE + 1, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, ZT_PAGE + 1));
}

TEST_F(alloc, position_beyond_granted_einval)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->a));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, zt_granted(&self->p.w) + 1, 1, 1, &self->a));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, ~0ULL, 1, 1, &self->a));
}

TEST_F(alloc, position_below_published_einval)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, 99, 1, 1, &self->a));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, 0, 1, 1, &self->a));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 100, 1, 1, &self->a));
}

TEST_F(alloc, position_on_a_new_pipe_beyond_zero_einval)
{
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, 1, 1, 1, &self->a));
}

TEST_F(alloc, min_longer_than_the_window_emsgsize)
{
	EXPECT_EQ(-EMSGSIZE, zt_alloc(&self->p.w, 0, self->p.w.info.out_window + 1, 0, &self->a));
	EXPECT_EQ(-EMSGSIZE, zt_alloc(&self->p.w, 0, ~0ULL, 0, &self->a));
	EXPECT_EQ(-EMSGSIZE, zt_alloc(&self->p.w, 0, 1ULL << 63, 0, &self->a));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->a));
}

TEST_F(alloc, refused_call_leaves_the_grant)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 200, 200, &self->a));
	EXPECT_EQ(-EMSGSIZE, zt_alloc(&self->p.w, 0, ~0ULL, 0, &(struct zpipe_alloc_args){ 0 }));
	EXPECT_EQ(self->a.out_length, zt_granted(&self->p.w));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 200));
	EXPECT_EQ(0, zt_flush(&self->p.w, 200, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 200));
}

/* A position below what was filled drops the rest: it was never published. */
TEST_F(alloc, rollback_drops_what_was_not_published)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->a));
	memset(self->p.w.data + self->a.out_offset, 0xbb, 100);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10, 90, 90, &self->a));
	zt_fill(self->p.w.data + self->a.out_offset, 10, 90);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->a));
	zt_fill(self->p.w.data + self->a.out_offset, 0, 10);
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(10, zt_published(&self->p.r));
}

TEST_F(alloc, rollback_over_several_segments_gives_them_back)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10, 1, 1, &self->a));
	while (zt_granted(&self->p.w) < 3 * ZT_PAGE) {
		ASSERT_EQ(0, zt_alloc(&self->p.w, zt_granted(&self->p.w), 1, 1, &self->a));
	}
	EXPECT_LE(3, zt_stat(&self->p.w).out_data_pages);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10, 1, 1, &self->a));
	EXPECT_EQ(zt_granted(&self->p.w), 10 + self->a.out_length);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 100));
	ASSERT_EQ(0, zt_flush(&self->p.w, 110, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 110));
}

TEST_F(alloc, rolled_back_memory_can_be_granted_again)
{
	__u64 window = self->p.w.info.out_window;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, zt_alloc(&self->p.w, 0, window, 0, &self->a));
		ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->a));
	}
	EXPECT_GE(window / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(alloc, published_up_to_the_grant_without_a_call_is_reclaimed)
{
	int i;

	for (i = 0; i < 40; i++) {
		__u64 at = i * 1000ULL;

		ASSERT_EQ(0, zt_alloc(&self->p.w, at, 1000, 1000, &self->a));
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 1000));
		zt_store_published(&self->p.w, at + 1000);
		zt_mb();
		zt_store_examined(&self->p.r, at + 1000);
		zt_store_consumed(&self->p.r, at + 1000);
	}
	EXPECT_EQ(40000, zt_stat(&self->p.w).out_consumed);
}

TEST_F(alloc, offset_is_inside_the_window_always)
{
	__u64 window = self->p.w.info.out_window;
	int i;

	for (i = 0; i < 60; i++) {
		__u64 at = zt_published(&self->p.w);

		ASSERT_EQ(0, zt_alloc(&self->p.w, at, 2777, 0, &self->a));
		ASSERT_GT(window, self->a.out_offset);
		ASSERT_GE(window, self->a.out_length);
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 2777));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + 2777, 0, NULL));
		ASSERT_EQ(0, zt_take(&self->p.r, 2777));
	}
}

TEST_F(alloc, granted_never_passes_consumed_by_more_than_the_capacity)
{
	__u64 at;

	for (at = 0; !zt_alloc(&self->p.w, at, 100, 100, &self->a); at += 100) {
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->a, 100));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + 100, 0, NULL));
		ASSERT_GE(self->p.w.info.out_capacity, zt_granted(&self->p.w));
	}
	EXPECT_GE(self->p.w.info.out_capacity, at);
	EXPECT_LT(self->p.w.info.out_capacity, at + 4 * 100 + 1);
	EXPECT_EQ(0, zt_take(&self->p.r, at));
}

TEST_F(alloc, past_deadline_still_takes_what_is_free)
{
	self->a = (struct zpipe_alloc_args){ .min = 10, .deadline = 1 };
	EXPECT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &self->a));
}

TEST_F(alloc, second_call_while_one_waits_ebusy)
{
	struct zpipe_alloc_args waiting = { .position = CAPACITY, .min = ZT_PAGE };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &waiting);
	zt_await_starved(&self->p.w);
	EXPECT_EQ(-EBUSY, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->a));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_LE(ZT_PAGE, waiting.out_length);
}

TEST_HARNESS_MAIN
