// SPDX-License-Identifier: GPL-2.0-only
/*
 * idle - what a pipe costs while nothing happens, and how little memory a good reader needs
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(idle)
{
	struct zt_pipe p;
};

FIXTURE_VARIANT(idle)
{
	__u32 segment;
	__u64 capacity;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(idle, default_geometry) { .segment = 0, .capacity = 0 };
FIXTURE_VARIANT_ADD(idle, contig) { .flags = ZPIPE_F_CONTIG };
FIXTURE_VARIANT_ADD(idle, smallest) { .segment = ZT_PAGE, .capacity = ZT_PAGE };

FIXTURE_SETUP(idle)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(variant->segment, variant->capacity,
						    .flags = variant->flags)));
}

FIXTURE_TEARDOWN(idle)
{
	zt_pipe_close(&self->p);
}

TEST_F(idle, new_pipe_holds_no_data_pages)
{
	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(idle, control_memory_is_at_most_16_kib)
{
	if (!access("/proc/lockdep_stats", F_OK))
		SKIP(return, "locks are larger where the kernel proves their order");
	if (!access("/sys/kernel/realtime", F_OK))
		SKIP(return, "locks are larger where they sleep");
	EXPECT_GE(16384, zt_stat(&self->p.w).out_control_bytes);
}

TEST_F(idle, mapping_and_polling_take_no_data_pages)
{
	struct zt_view view;

	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &view));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(idle, drained_and_finished_pipe_holds_no_data_pages)
{
	__u64 capacity = self->p.w.info.out_capacity;

	ASSERT_EQ(0, zt_put(&self->p.w, capacity));
	EXPECT_EQ(capacity / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
	ASSERT_EQ(0, zt_take(&self->p.r, capacity));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(idle, control_memory_does_not_grow_with_traffic)
{
	__u64 before = zt_stat(&self->p.w).out_control_bytes;
	__u64 len = variant->capacity ? ZT_PAGE : 30000;
	int i;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, len));
		ASSERT_EQ(0, zt_take(&self->p.r, len));
	}
	EXPECT_EQ(before, zt_stat(&self->p.w).out_control_bytes);
}

TEST_F(idle, reader_that_keeps_up_needs_three_segments_at_most)
{
	__u64 segment = self->p.w.info.out_segment_size, at;

	if (variant->flags & ZPIPE_F_CONTIG)
		return;
	for (at = 0; at < 4 * self->p.w.info.out_capacity; at += segment / 2) {
		ASSERT_EQ(0, zt_put(&self->p.w, segment / 2));
		ASSERT_GE(3 * segment / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
		ASSERT_EQ(0, zt_take(&self->p.r, segment / 2));
	}
}

TEST_F(idle, two_hundred_idle_pipes_hold_no_data)
{
	struct zpipe_create_args args[200];
	struct zt_end e;
	int k;

	for (k = 0; k < 200; k++) {
		args[k] = *ZT_ARGS(variant->segment, variant->capacity, .flags = variant->flags);
		ASSERT_EQ(0, zt_create(&args[k]));
	}
	for (k = 0; k < 200; k++) {
		e = (struct zt_end){ .fd = args[k].out_writer_fd };
		EXPECT_EQ(0, zt_stat(&e).out_data_pages);
		close(args[k].out_writer_fd);
		close(args[k].out_reader_fd);
	}
}

TEST_HARNESS_MAIN
