// SPDX-License-Identifier: GPL-2.0-only
/*
 * preserve_spare - the spare segments, which take the place of what is preserved
 *
 * The writer keeps its capacity whatever is held, and never gets more; a release gives the spare
 * segment back, at once or when the stream has left it.
 */
#include <errno.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "preserve.h"

TEST_F(preserve, writer_keeps_its_capacity_whatever_is_held)
{
	struct zt_kept kept[SEGMENTS];
	__u64 base;
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
		base = zt_consumed(&self->p.r);
		ASSERT_EQ(0, zt_preserve(&self->p.r, base, ZT_PAGE, &kept[i]));
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
		EXPECT_EQ(CAPACITY, fill_up(&self->p));
		ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	}
	for (i = 0; i < SEGMENTS; i++) {
		EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[i]));
	}
	EXPECT_EQ(SEGMENTS, spare_pages(&self->p.r));
}

/* The replacement is there at once, but a pipe never holds more than its capacity. */
TEST_F(preserve, writer_gets_no_more_than_its_capacity_while_the_range_is_unread)
{
	ASSERT_EQ(CAPACITY, fill_up(&self->p));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, CAPACITY, &self->kept));
	EXPECT_EQ(SEGMENTS, self->kept.args.out_segments);
	EXPECT_EQ(0, fill_up(&self->p));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_take(&self->p.r, 100));
	EXPECT_EQ(100, fill_up(&self->p));
	EXPECT_EQ(CAPACITY, zt_granted(&self->p.w) - zt_consumed(&self->p.r));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
}

TEST_F(preserve, preserving_wakes_nobody_into_too_much_and_advance_wakes_the_writer)
{
	struct zt_bg writer;

	ASSERT_EQ(CAPACITY, fill_up(&self->p));
	self->grant = (struct zpipe_alloc_args){ .position = CAPACITY, .min = 1 };
	zt_bg_start(&writer, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 1, &self->kept));
	EXPECT_TRUE(zt_bg_sleeps(&writer));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&writer));
}

/* Its run fits once the slot in its middle is free; what is held is not the reader's to consume. */
TEST_F(preserve, release_wakes_a_writer_that_waits_for_a_run)
{
	struct zt_bg writer;

	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 1, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 3 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	/* Consuming the rest would make a run of three. */
	self->grant = (struct zpipe_alloc_args){ .position = 4 * ZT_PAGE, .min = 2 * ZT_PAGE };
	zt_bg_start(&writer, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->grant);
	ASSERT_TRUE(zt_bg_sleeps(&writer));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(0, zt_bg_join(&writer));
}

TEST_F(preserve, no_spare_segment_left_enobufs_and_nothing_changed)
{
	struct zt_kept kept[SEGMENTS], more;
	struct zpipe_stat_args before, after;
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
		ASSERT_EQ(0, zt_preserve(&self->p.r, (__u64)i * ZT_PAGE, 1, &kept[i]));
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	}
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	before = zt_stat(&self->p.r);
	EXPECT_EQ(-ENOBUFS, zt_preserve(&self->p.r, SEGMENTS * ZT_PAGE, 1, &more));
	after = zt_stat(&self->p.r);
	EXPECT_EQ(before.out_data_pages, after.out_data_pages);
	EXPECT_EQ(before.out_spare_pages, after.out_spare_pages);
	EXPECT_EQ(before.out_preserved_handles, after.out_preserved_handles);
	/* More of the same is free; and one less makes room. */
	ASSERT_EQ(0, zt_release(&self->p.r, kept[1].handle));
	EXPECT_EQ(0, zt_preserve(&self->p.r, SEGMENTS * ZT_PAGE, ZT_PAGE, &more));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &more));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[0]));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[3]));
}

TEST_F(preserve, release_gives_the_replacement_back_at_once_when_it_is_free)
{
	__u64 before;

	ASSERT_EQ(0, push(&self->p, 2 * CAPACITY, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	before = pages(&self->p.r);
	ASSERT_EQ(0, zt_preserve(&self->p.r, 2 * CAPACITY, 100, &self->kept));
	EXPECT_EQ(before + 1, pages(&self->p.r));
	EXPECT_EQ(1, spare_pages(&self->p.r));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(before, pages(&self->p.r));
	EXPECT_EQ(0, spare_pages(&self->p.r));
}

TEST_F(preserve, release_gives_the_replacement_back_when_it_comes_free)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 1, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	/* The stream stands in the spare segment now. */
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(1, spare_pages(&self->p.r));
	EXPECT_EQ(0, fill_up(&self->p));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	ASSERT_EQ(0, push(&self->p, CAPACITY, ZT_PAGE));
	EXPECT_EQ(0, spare_pages(&self->p.r));
	EXPECT_EQ(CAPACITY, fill_up(&self->p));
}

TEST_F(preserve, bytes_in_a_spare_segment_can_be_preserved_too)
{
	struct zt_kept kept[SEGMENTS];
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_NE(0, fill_up(&self->p));
		ASSERT_EQ(0, zt_preserve(&self->p.r, zt_published(&self->p.r) - 1, 1, &kept[i]));
		ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	}
	for (i = 0; i < SEGMENTS; i++) {
		EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[i]));
		EXPECT_EQ(0, zt_release(&self->p.r, kept[i].handle));
		EXPECT_EQ(0, push(&self->p, 2 * CAPACITY, 1000));
	}
	EXPECT_EQ(0, spare_pages(&self->p.r));
}

TEST_F(preserve, table_of_a_walker_agrees_while_segments_are_spare)
{
	struct zpipe_descriptor entry;
	bool spare = false;
	__u64 k;

	ASSERT_EQ(CAPACITY, fill_up(&self->p));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, CAPACITY, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	ASSERT_EQ(CAPACITY, fill_up(&self->p));
	for (k = zt_opened(&self->p.r); k-- > 0; ) {
		entry = zt_entry(&self->p.r, k);
		if (entry.start < CAPACITY)
			break;
		spare = spare || entry.offset >= 2 * CAPACITY;
		EXPECT_EQ(-1, zt_mismatch(self->p.r.data + entry.offset, entry.start, ZT_PAGE));
	}
	EXPECT_TRUE(spare);
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
}

TEST_F(preserve, contig_is_one_span_again_after_release)
{
	int i, seams = 0;

	if (!variant->flags)
		return;
	ASSERT_EQ(0, push(&self->p, ZT_PAGE + 100, 1000));
	ASSERT_EQ(0, zt_put(&self->p.w, 200));
	ASSERT_EQ(0, zt_preserve(&self->p.r, ZT_PAGE + 100, 200, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, 200));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 3000));
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		zt_check_view(&self->p.r, &self->view);
		seams += self->view.args.out_nr_spans > 1;
		ASSERT_EQ(0, zt_advance(&self->p.r, self->view.args.out_end,
					self->view.args.out_end));
	}
	EXPECT_LT(0, seams);
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	ASSERT_EQ(0, push(&self->p, 2 * CAPACITY, ZT_PAGE));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 3000));
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		EXPECT_EQ(1, self->view.args.out_nr_spans);
		ASSERT_EQ(0, zt_advance(&self->p.r, self->view.args.out_end,
					self->view.args.out_end));
	}
}

TEST_F(preserve, a_run_that_preserved_memory_prevents_enobufs_and_release_helps)
{
	ASSERT_EQ(0, push(&self->p, ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_preserve(&self->p.r, ZT_PAGE, 100, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, 100));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->p.w, ZT_PAGE + 100, CAPACITY, 0, &self->grant));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE + 100, CAPACITY, 0, &self->grant));
}

TEST_F(preserve, another_pipe_does_not_notice)
{
	struct zt_pipe other;

	ASSERT_EQ(0, zt_pipe_open(&other, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(CAPACITY, fill_up(&self->p));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, CAPACITY, &self->kept));
	EXPECT_EQ(CAPACITY, fill_up(&other));
	EXPECT_EQ(0, zt_take(&other.r, CAPACITY));
	EXPECT_EQ(0, spare_pages(&other.r));
	zt_pipe_close(&other);
}

/* The spare region is mapped as the window is: by a reader not writable, and never later. */
TEST_F(preserve, spare_region_has_the_rights_of_the_window)
{
	struct zpipe_region spare = self->p.r.info.out_spare;
	void *map;

	EXPECT_EQ(ZPIPE_OFF_SPARE, spare.offset);
	EXPECT_EQ(CAPACITY, spare.size);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, spare.size, PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->p.r.fd, spare.offset));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, spare.size, PROT_READ, MAP_PRIVATE, self->p.r.fd,
				   spare.offset));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, spare.size + ZT_PAGE, PROT_READ, MAP_SHARED,
				   self->p.r.fd, spare.offset));
	map = mmap(NULL, spare.size, PROT_READ, MAP_SHARED, self->p.r.fd, spare.offset);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, mprotect(map, spare.size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(map, spare.size);
}

TEST_HARNESS_MAIN
