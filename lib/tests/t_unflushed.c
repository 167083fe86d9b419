// SPDX-License-Identifier: MIT
/*
 * t_unflushed - what a writer may do with bytes nobody has seen, and copying
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts plain;
static struct zp_span room;

static void pending(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 }, read = view;

	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 0);
	EXPECT_EQ(view.nr_spans, 0);
	ASSERT_EQ(put(e.w, 1000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(put(e.w, 3 * 4096), 0);
	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT_EQ(view.start, 1000);
	EXPECT_EQ(view.end, 1000 + 3 * 4096);
	EXPECT(view.nr_spans > 1);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_read(e.r, &read), 0);
	EXPECT_EQ(read.end, 1000);
	EXPECT(view_good(&read));
	ends_close(&e);
}

static void patch(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };
	unsigned char mark[2000];
	size_t i;

	memset(mark, 0xee, sizeof(mark));
	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(put(e.w, 2 * 4096), 0);
	EXPECT_EQ(zp_patch(e.w, 9, mark, 1), -EINVAL);
	EXPECT_EQ(zp_patch(e.w, 10, mark, 2 * 4096 + 1), -EINVAL);
	EXPECT_EQ(zp_patch(e.w, zp_position(e.w), mark, 1), -EINVAL);
	EXPECT_EQ(zp_patch(e.w, zp_position(e.w), mark, 0), 0);
	EXPECT_EQ(zp_patch(e.w, UINT64_MAX, mark, 2), -EINVAL);
	/* over the border, then back to what it was */
	ASSERT_EQ(zp_patch(e.w, 3500, mark, sizeof(mark)), 0);
	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT(!view_good(&view));
	for (i = 0; i < sizeof(mark); i++)
		mark[i] = byte_at(3500 + i);
	ASSERT_EQ(zp_patch(e.w, 3500, mark, sizeof(mark)), 0);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void rollback_inside(void)
{
	struct ends e = ends_open(plain);
	struct zp_span again;

	ASSERT_EQ(zp_alloc(e.w, 100, &room), 0);
	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_rollback(e.w, 40), 0);
	EXPECT_EQ(zp_position(e.w), 40);
	ASSERT_EQ(zp_alloc(e.w, 1, &again), 0);
	EXPECT((char *)again.data == (char *)room.data + 40);
	EXPECT_EQ(fake_calls()->allocs, 1);
	ends_close(&e);
}

static void rollback_below(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 3 * 4096), 0);
	ASSERT_EQ(zp_rollback(e.w, 100), 0);
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	ASSERT_EQ(put(e.w, 50), 0);
	EXPECT_EQ(fake_last_alloc()->position, 100);
	EXPECT_EQ(*fake_opened(), 1);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 150);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void rollback_over_wrap(void)
{
	struct fake_opts opts = { .policy = FAKE_RING };
	struct ends e = ends_open(opts);
	unsigned char buf[4096];
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 3 * 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 4096), 0);
	/* segments 3 and 0, over the end of the window; then the grant again, from behind it */
	ASSERT_EQ(zp_alloc(e.w, 2 * 4096, &room), 0);
	ASSERT_EQ(put(e.w, 4096 + 100), 0);
	ASSERT_EQ(zp_inline_alloc(e.w, 1, 0, 0), 0);
	ASSERT_EQ(zp_rollback(e.w, 3 * 4096 + 10), 0);
	ASSERT_EQ(zp_alloc(e.w, 4096, &room), 0);
	memset(room.data, 0xee, 4096);
	ASSERT_EQ(zp_commit(e.w, 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read_min(e.r, 3 * 4096, &view), 0);
	EXPECT_EQ(zp_view_copy(&view, 3 * 4096 + 10, buf, sizeof(buf)), 4096);
	EXPECT(buf[0] == 0xee && buf[4095] == 0xee);
	ends_close(&e);
}

static void rollback_and_flush(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 2 * 4096), 0);
	ASSERT_EQ(zp_rollback(e.w, 10), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 10);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void rollback_range(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_rollback(e.w, 9), -EINVAL);
	EXPECT_EQ(zp_rollback(e.w, 21), -EINVAL);
	EXPECT_EQ(zp_position(e.w), 20);
	EXPECT_EQ(zp_rollback(e.w, 20), 0);
	EXPECT_EQ(zp_rollback(e.w, 10), 0);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	ends_close(&e);
}

static void writes(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	unsigned char buf[3 * 4096];
	struct zp_view view = { .start = 0 };
	size_t i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = byte_at(i);
	EXPECT_EQ(zp_write(e.w, buf, 0), 0);
	EXPECT_EQ(zp_write(e.w, buf, 100), 0);
	EXPECT_EQ(zp_write(e.w, buf + 100, sizeof(buf) - 100), 0);
	EXPECT_EQ(zp_unflushed(e.w), sizeof(buf));
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), sizeof(buf));
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void write_all_or_nothing(void)
{
	struct ends e = ends_open(plain);
	unsigned char *buf = calloc(1, 5 * 4096);

	ASSERT_EQ(put(e.w, 100), 0);
	EXPECT_EQ(zp_write(e.w, buf, 4 * 4096), -ENOBUFS);
	EXPECT_EQ(zp_position(e.w), 100);
	EXPECT_EQ(zp_write(e.w, buf, 4 * 4096 + 1), -EMSGSIZE);
	EXPECT_EQ(zp_write(e.w, buf, 3 * 4096), 0);
	EXPECT_EQ(zp_position(e.w), 100 + 3 * 4096);
	free(buf);
	ends_close(&e);
}

static void write_flush(void)
{
	struct ends e = ends_open(plain);
	unsigned char buf[5000] = "";
	size_t done = 99;

	EXPECT_EQ(zp_write_flush(e.w, buf, sizeof(buf), &done), 0);
	EXPECT_EQ(done, sizeof(buf));
	EXPECT_EQ(*fake_published(), sizeof(buf));
	EXPECT_EQ(zp_write_flush(e.w, buf, 0, NULL), 0);
	fake_fail_next(EINTR);
	EXPECT_EQ(zp_write_flush(e.w, buf, sizeof(buf), &done), -EINTR);
	EXPECT_EQ(done, 8192 - sizeof(buf));
	EXPECT_EQ(zp_write_flush(e.w, buf + done, sizeof(buf) - done, &done), 0);
	EXPECT_EQ(zp_position(e.w), 2 * sizeof(buf));
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "pending.shows_unflushed_bytes_only", pending },
	{ "patch.over_a_border", patch },
	{ "rollback.inside_the_open_segment_makes_no_call", rollback_inside },
	{ "rollback.below_the_open_segment_asks_for_memory_again", rollback_below },
	{ "rollback.back_over_the_end_of_the_window", rollback_over_wrap },
	{ "rollback.then_flush_publishes_the_rest", rollback_and_flush },
	{ "rollback.out_of_range_einval", rollback_range },
	{ "write.splits_over_segments", writes },
	{ "write.fails_with_nothing_committed", write_all_or_nothing },
	{ "write_flush.tells_how_far_it_got", write_flush },
};

TAP_MAIN(tests)
