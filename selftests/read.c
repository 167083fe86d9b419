// SPDX-License-Identifier: GPL-2.0-only
/*
 * read - READ: the snapshot, its spans, the minimum, and when it waits
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(read)
{
	struct zt_pipe p;
	struct zt_view view;
};

FIXTURE_VARIANT(read)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(read, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(read, contig) { .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(read)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags)));
}

FIXTURE_TEARDOWN(read)
{
	zt_pipe_close(&self->p);
}

TEST_F(read, empty_pipe_nowait_eagain_and_armed)
{
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(1, zt_reader_wake(&self->p.w));
}

TEST_F(read, eagain_leaves_nothing_outstanding)
{
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(read, empty_pipe_with_a_deadline_etimedout)
{
	struct zpipe_read_args args = { .deadline = zt_deadline(20) };

	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_LE(args.deadline, zt_now());
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
}

TEST_F(read, past_deadline_etimedout_at_once)
{
	struct zpipe_read_args args = { .deadline = 1 };

	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
}

TEST_F(read, past_deadline_still_shows_what_is_there)
{
	struct zpipe_read_args args = { .deadline = 1 };

	ASSERT_EQ(0, zt_put(&self->p.w, 5));
	EXPECT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_EQ(5, args.out_end);
}

TEST_F(read, shows_everything_from_consumed_to_published)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 3 * ZT_PAGE + 7));
	ASSERT_EQ(0, zt_take(&self->p.r, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(100, self->view.args.out_start);
	EXPECT_EQ(3 * ZT_PAGE + 7, self->view.args.out_end);
	EXPECT_EQ(0, self->view.args.out_flags);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(read, snapshot_does_not_grow)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, 11, 11));
	EXPECT_EQ(0, zt_advance(&self->p.r, 10, 10));
}

TEST_F(read, second_read_before_advance_ebusy_and_the_first_is_untouched)
{
	struct zt_view second;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EBUSY, zt_read(&self->p.r, 1, 0, &second));
	EXPECT_EQ(0, zt_advance(&self->p.r, 10, 10));
}

TEST_F(read, second_read_while_one_sleeps_ebusy)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-EBUSY, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(10, args.out_end);
}

TEST_F(read, shared_read_owes_no_advance)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, 10, 10));
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(read, everything_examined_waits_though_bytes_are_held)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(11, zt_reader_wake(&self->p.w));
}

TEST_F(read, one_unexamined_byte_returns_everything_held)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 9));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, self->view.args.out_start);
	EXPECT_EQ(10, self->view.args.out_end);
}

TEST_F(read, min_counts_from_consumed_not_from_examined)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 4, 10));
	ASSERT_EQ(0, zt_put(&self->p.w, 2));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 9, 0, &self->view));
	EXPECT_EQ(13, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_read(&self->p.r, 8, 0, &self->view));
	EXPECT_EQ(4, self->view.args.out_start);
	EXPECT_EQ(12, self->view.args.out_end);
}

TEST_F(read, min_of_the_whole_capacity_is_met)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_read(&self->p.r, CAPACITY, 0, &self->view));
	EXPECT_EQ(CAPACITY, self->view.args.out_end);
	EXPECT_EQ(0, self->view.args.out_flags);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(read, min_longer_than_the_pipe_can_hold_emsgsize)
{
	EXPECT_EQ(-EMSGSIZE, zt_read(&self->p.r, self->p.r.info.out_window + 1, 0, &self->view));
	EXPECT_EQ(-EMSGSIZE, zt_read(&self->p.r, ~0ULL, 0, &self->view));
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
}

TEST_F(read, contig_views_are_one_span)
{
	int i;

	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 3 * ZT_PAGE - 100));
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		zt_check_view(&self->p.r, &self->view);
		if (variant->flags & ZPIPE_F_CONTIG) {
			ASSERT_EQ(1, self->view.args.out_nr_spans);
		}
		ASSERT_EQ(0, zt_advance(&self->p.r, self->view.args.out_end,
					self->view.args.out_end));
	}
}

TEST_F(read, no_room_for_spans_still_answers_positions)
{
	struct zpipe_read_args args = { .flags = ZPIPE_READ_F_NOWAIT };

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_EQ(10, args.out_end);
	EXPECT_EQ(1, args.out_nr_spans);
}

TEST_F(read, only_the_spans_there_is_room_for_are_written)
{
	struct zpipe_span spans[3];
	struct zpipe_read_args args = { .nr_spans = 1, .spans = (uintptr_t)spans };
	__u64 poison;

	memset(spans, ZT_POISON, sizeof(spans));
	memset(&poison, ZT_POISON, sizeof(poison));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_LE(1, args.out_nr_spans);
	EXPECT_NE(poison, spans[0].length);
	EXPECT_EQ(poison, spans[1].offset);
	EXPECT_EQ(poison, spans[2].length);
}

TEST_F(read, refused_read_writes_no_spans)
{
	__u64 poison;

	memset(&poison, ZT_POISON, sizeof(poison));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(poison, self->view.spans[0].offset);
}

TEST_F(read, index_names_the_entry_of_the_first_byte)
{
	struct zpipe_descriptor d;

	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE + 50));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	d = zt_entry(&self->p.r, self->view.args.out_index);
	EXPECT_GE(self->view.args.out_start, d.start);
	EXPECT_EQ((d.offset + self->view.args.out_start - d.start) % self->p.r.info.out_window,
		  self->view.spans[0].offset);
}

TEST_F(read, mapped_publication_without_an_ioctl_is_seen)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 30, 30, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 30));
	zt_store_published(&self->p.w, 30);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(30, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(read, arming_is_seen_by_a_mapped_writer_who_then_wakes_it)
{
	struct zpipe_read_args args = { .min = 20 };
	struct zpipe_alloc_args grant;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 30, 30, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 30));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	zt_store_published(&self->p.w, 30);
	zt_mb();
	ASSERT_LE(zt_reader_wake(&self->p.w), 30);
	ASSERT_EQ(0, zt_flush(&self->p.w, 30, 0, NULL));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(30, args.out_end);
}

TEST_F(read, reread_shows_what_was_examined_and_kept)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 4, 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_REREAD, &self->view));
	EXPECT_EQ(4, self->view.args.out_start);
	EXPECT_EQ(10, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(0, zt_advance(&self->p.r, 10, 10));
}

TEST_F(read, reread_with_nothing_held_eagain)
{
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, ZPIPE_READ_F_REREAD, &self->view));
}

TEST_HARNESS_MAIN
