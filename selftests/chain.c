// SPDX-License-Identifier: GPL-2.0-only
/*
 * chain - the descriptor table as a mapped reader walks it, without a system call
 *
 * The walker obeys the contract of the header: it steps into entry k only when an acquired
 * `published` is beyond its start, and remembers an end only when it is no greater than one.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENTS	4
#define CAPACITY	(SEGMENTS * ZT_PAGE)

/* A mapped reader: where it stands in the stream and in the table. */
struct walker {
	__u64 position;
	__u64 index;
	struct zpipe_descriptor entry;
	bool inside;
};

FIXTURE(chain)
{
	struct zt_pipe p;
	struct walker walk;
	struct zpipe_alloc_args grant;
};

FIXTURE_VARIANT(chain)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(chain, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(chain, contig) { .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(chain)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags)));
}

FIXTURE_TEARDOWN(chain)
{
	zt_pipe_close(&self->p);
}

/* Checks what is published, byte by byte of every entry, and consumes it; how much that was. */
static __u64 walk(struct zt_end *r, struct walker *w)
{
	__u64 published = zt_published(r), begun = w->position;

	while (w->position < published) {
		__u64 opened = zt_opened(r), end = published;
		ssize_t bad;

		if (!w->inside) {
			w->entry = zt_entry(r, w->index);
			w->inside = true;
		}
		if (w->index + 1 < opened) {
			struct zpipe_descriptor next = zt_entry(r, w->index + 1);

			if (next.start <= w->position) {
				w->index++;
				w->inside = false;
				continue;
			}
			if (next.start < end)
				end = next.start;
		}
		if (w->entry.start > w->position || w->entry.offset >= r->info.out_window)
			zt_die("entry %llu begins at %llu, offset %llu; the reader stands at %llu",
			       (unsigned long long)w->index, (unsigned long long)w->entry.start,
			       (unsigned long long)w->entry.offset,
			       (unsigned long long)w->position);
		bad = zt_mismatch(r->data + w->entry.offset + w->position - w->entry.start,
				  w->position, end - w->position);
		if (bad >= 0)
			zt_die("wrong byte at %llu", (unsigned long long)w->position + bad);
		w->position = end;
	}
	zt_store_examined(r, w->position);
	zt_store_consumed(r, w->position);
	zt_mb();
	return w->position - begun;
}

/* One record that must be contiguous, published without a wake-up. */
static int record(struct zt_end *w, __u64 len)
{
	__u64 at = zt_published(w);
	struct zpipe_alloc_args grant;
	int ret = zt_alloc(w, at, len, len, &grant);

	if (ret)
		return ret;
	ret = zt_fill_grant(w, &grant, len);
	zt_store_published(w, at + len);
	return ret;
}

TEST_F(chain, first_entry_starts_at_zero)
{
	struct zpipe_descriptor d;

	ASSERT_EQ(0, record(&self->p.w, 10));
	EXPECT_EQ(1, zt_opened(&self->p.r));
	d = zt_entry(&self->p.r, 0);
	EXPECT_EQ(0, d.start);
	EXPECT_GT(self->p.r.info.out_window, d.offset);
	EXPECT_EQ(10, walk(&self->p.r, &self->walk));
}

TEST_F(chain, walker_crosses_every_segment)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	EXPECT_EQ(CAPACITY, walk(&self->p.r, &self->walk));
}

TEST_F(chain, entry_left_early_ends_where_the_next_begins)
{
	ASSERT_EQ(0, record(&self->p.w, 3000));
	ASSERT_EQ(0, record(&self->p.w, 3000));
	EXPECT_EQ(6000, walk(&self->p.r, &self->walk));
	if (!variant->flags) {
		EXPECT_EQ(2, zt_opened(&self->p.r));
		EXPECT_EQ(3000, zt_entry(&self->p.r, 1).start);
	}
}

TEST_F(chain, reader_standing_at_the_end_of_an_entry_steps_late)
{
	ASSERT_EQ(0, record(&self->p.w, 3000));
	EXPECT_EQ(3000, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 3000, 1, 1, &self->grant));
	EXPECT_EQ(0, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, record(&self->p.w, 4000));
	EXPECT_EQ(4000, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, record(&self->p.w, 4000));
	EXPECT_EQ(4000, walk(&self->p.r, &self->walk));
}

/* R9: an entry that begins at published may be rewritten; only then is it stepped into. */
TEST_F(chain, empty_entry_that_does_not_fit_is_replaced)
{
	ASSERT_EQ(0, record(&self->p.w, ZT_PAGE));
	EXPECT_EQ(ZT_PAGE, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE, 1, 1, &self->grant));
	EXPECT_EQ(0, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, record(&self->p.w, 3 * ZT_PAGE));
	EXPECT_EQ(3 * ZT_PAGE, walk(&self->p.r, &self->walk));
}

TEST_F(chain, rollback_below_an_open_entry_takes_it_back)
{
	ASSERT_EQ(0, record(&self->p.w, 1000));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 1000, 2000, 2000, &self->grant));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 3000, 2000, 2000, &self->grant));
	memset(self->p.w.data + self->grant.out_offset, 0xbb, 2000);
	EXPECT_EQ(1000, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 2000, 100, 100, &self->grant));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 1000, 3000, 3000, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 3000));
	zt_store_published(&self->p.w, 4000);
	EXPECT_EQ(3000, walk(&self->p.r, &self->walk));
}

TEST_F(chain, run_longer_than_a_segment_is_contiguous)
{
	ASSERT_EQ(0, record(&self->p.w, 100));
	EXPECT_EQ(100, walk(&self->p.r, &self->walk));
	ASSERT_EQ(0, record(&self->p.w, 3 * ZT_PAGE - 200));
	EXPECT_EQ(3 * ZT_PAGE - 200, walk(&self->p.r, &self->walk));
}

TEST_F(chain, table_wraps_and_entries_are_used_again)
{
	__u32 i, rounds = 3 * self->p.r.info.out_table_entries + 5;

	if (rounds > 5000)
		rounds = 5000;
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, record(&self->p.w, 2500));
		ASSERT_EQ(2500, walk(&self->p.r, &self->walk));
	}
	EXPECT_EQ(2500ULL * rounds, self->walk.position);
}

TEST_F(chain, entry_not_yet_consumed_is_never_rewritten)
{
	struct zpipe_descriptor before[SEGMENTS], after;
	__u64 k, opened;

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	opened = zt_opened(&self->p.r);
	ASSERT_GE(SEGMENTS, opened);
	for (k = 0; k < opened; k++)
		before[k] = zt_entry(&self->p.r, k);
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, ZT_PAGE, 1, &self->grant));
	EXPECT_EQ(opened, zt_opened(&self->p.r));
	for (k = 0; k < opened; k++) {
		after = zt_entry(&self->p.r, k);
		EXPECT_EQ(before[k].start, after.start);
		EXPECT_EQ(before[k].offset, after.offset);
	}
	EXPECT_EQ(CAPACITY, walk(&self->p.r, &self->walk));
}

TEST_F(chain, random_records_and_rollbacks_are_byte_exact)
{
	__u64 seed = zt_seed(), at = 0, total = 0;
	int i, rounds = zt_long() ? 200000 : 4000;

	for (i = 0; i < rounds; i++) {
		__u64 len = 1 + zt_random(&seed) % (i % 7 ? 3000 : 2 * ZT_PAGE);
		int ret;

		if (zt_random(&seed) % 3 == 0)
			total += walk(&self->p.r, &self->walk);
		if (zt_random(&seed) % 4 == 0 &&
		    !zt_alloc(&self->p.w, at, 1, len, &self->grant) &&
		    !zt_alloc(&self->p.w, zt_granted(&self->p.w), 1, 1, &self->grant))
			self->p.w.data[self->grant.out_offset] ^= 0xbb;
		ret = record(&self->p.w, len);
		if (ret) {
			ASSERT_EQ(-EAGAIN, ret);
			total += walk(&self->p.r, &self->walk);
			ASSERT_EQ(0, record(&self->p.w, len));
		}
		at += len;
	}
	total += walk(&self->p.r, &self->walk);
	EXPECT_EQ(at, total);
	EXPECT_EQ(at, zt_stat(&self->p.w).out_consumed);
	EXPECT_GE(SEGMENTS, zt_stat(&self->p.w).out_data_pages);
}

TEST_HARNESS_MAIN
