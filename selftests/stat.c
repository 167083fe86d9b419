// SPDX-License-Identifier: GPL-2.0-only
/*
 * stat - STAT: every counter moves by what happened and by nothing else
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(stat)
{
	struct zt_pipe p;
};

FIXTURE_SETUP(stat)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(stat)
{
	zt_pipe_close(&self->p);
}

TEST_F(stat, new_pipe_has_counted_nothing)
{
	struct zpipe_stat_args s = zt_stat(&self->p.w), zero = { .out_readers = 1 };

	EXPECT_NE(0, s.out_control_bytes);
	s.out_control_bytes = 0;
	EXPECT_EQ(0, memcmp(&zero, &s, sizeof(s)));
}

TEST_F(stat, both_ends_answer_the_same)
{
	struct zpipe_stat_args w, r;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_take(&self->p.r, 60));
	w = zt_stat(&self->p.w);
	r = zt_stat(&self->p.r);
	EXPECT_EQ(0, memcmp(&w, &r, sizeof(w)));
}

TEST_F(stat, verbs_are_counted_once_each)
{
	struct zpipe_alloc_args grant;
	struct zpipe_stat_args s;
	struct zt_view view;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &grant));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &grant));
	ASSERT_EQ(0, zt_flush(&self->p.w, 1, 0, NULL));
	ASSERT_EQ(0, zt_flush(&self->p.w, 1, 0, NULL));
	ASSERT_EQ(0, zt_flush(&self->p.w, 1, 0, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 1, 1));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(2, s.out_allocs);
	EXPECT_EQ(3, s.out_flushes);
	EXPECT_EQ(1, s.out_reads);
	EXPECT_EQ(1, s.out_advances);
}

TEST_F(stat, positions_are_those_of_the_stream)
{
	struct zpipe_stat_args s;
	struct zt_view view;

	ASSERT_EQ(0, zt_put(&self->p.w, 40));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 30));
	s = zt_stat(&self->p.w);
	EXPECT_LE(40, s.out_granted);
	EXPECT_EQ(40, s.out_published);
	EXPECT_EQ(30, s.out_examined);
	EXPECT_EQ(10, s.out_consumed);
}

TEST_F(stat, positions_of_the_shared_words_are_seen_without_an_ioctl)
{
	struct zpipe_alloc_args grant;
	struct zpipe_stat_args s;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 40, 40, &grant));
	zt_store_published(&self->p.w, 40);
	zt_store_examined(&self->p.r, 30);
	zt_store_consumed(&self->p.r, 10);
	s = zt_stat(&self->p.w);
	EXPECT_EQ(40, s.out_published);
	EXPECT_EQ(30, s.out_examined);
	EXPECT_EQ(10, s.out_consumed);
}

TEST_F(stat, data_pages_are_taken_by_alloc_and_not_before)
{
	struct zpipe_alloc_args grant;

	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &grant));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_data_pages);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 3 * ZT_PAGE, 3 * ZT_PAGE, &grant));
	EXPECT_LE(3, zt_stat(&self->p.w).out_data_pages);
	EXPECT_GE(4, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(stat, data_pages_never_pass_the_window)
{
	__u64 pages = self->p.w.info.out_window / ZT_PAGE;
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 3000));
		ASSERT_GE(pages, zt_stat(&self->p.w).out_data_pages);
		ASSERT_EQ(0, zt_take(&self->p.r, 3000));
	}
}

TEST_F(stat, segments_opened_and_freed_balance)
{
	struct zpipe_stat_args s;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	}
	s = zt_stat(&self->p.w);
	EXPECT_EQ(20, s.out_segments_opened);
	EXPECT_LE(15, s.out_segments_freed);
	EXPECT_GE(s.out_segments_opened, s.out_segments_freed);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(s.out_segments_opened, s.out_segments_freed);
	EXPECT_EQ(0, s.out_data_pages);
}

TEST_F(stat, mapped_bytes_are_not_copied_bytes)
{
	struct zpipe_stat_args s;

	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(0, s.out_copied_write);
	EXPECT_EQ(0, s.out_copied_read);
}

TEST_F(stat, copied_bytes_are_counted_per_side)
{
	char buffer[100] = { 0 };
	struct zpipe_stat_args s;

	ASSERT_EQ(100, write(self->p.w.fd, buffer, 100));
	ASSERT_EQ(70, read(self->p.r.fd, buffer, 70));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(100, s.out_copied_write);
	EXPECT_EQ(70, s.out_copied_read);
}

TEST_F(stat, refused_arguments_are_counted)
{
	__u64 before = zt_stat(&self->p.w).out_rejects;

	EXPECT_EQ(-EINVAL, zt_flush(&self->p.w, 1ULL << 40, 0, NULL));
	EXPECT_EQ(before + 1, zt_stat(&self->p.w).out_rejects);
}

TEST_F(stat, would_block_is_not_a_reject)
{
	struct zt_view view;

	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &view));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_rejects);
}

TEST_F(stat, sleeping_reader_is_counted_with_its_time)
{
	struct zpipe_read_args args = { .deadline = zt_deadline(20) };
	struct zpipe_stat_args s;

	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(1, s.out_reader_waits);
	EXPECT_LE(5000000, s.out_reader_wait_ns);
	EXPECT_EQ(0, s.out_writer_waits);
}

TEST_F(stat, pause_is_counted_with_its_time)
{
	struct zpipe_flush_args flush = { .position = 10 };
	struct zpipe_alloc_args grant;
	struct zpipe_stat_args s;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 10));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
	zt_await_paused(&self->p.w);
	zt_sleep_ms(ZT_GLANCE_MS);
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(1, s.out_pauses);
	EXPECT_LE(5000000, s.out_paused_ns);
	EXPECT_EQ(1, s.out_writer_waits);
	EXPECT_EQ(1, s.out_writer_wakes);
}

TEST_HARNESS_MAIN
