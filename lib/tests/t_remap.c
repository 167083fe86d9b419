// SPDX-License-Identifier: MIT
/*
 * t_remap - views in one piece without a copy
 */
#include <errno.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts scattered = {
	.policy = FAKE_SCATTER, .nr_segments = 8, .table_entries = 16,
};
static struct zp_view view;

static void pieces(void)
{
	struct ends e = ends_open(scattered);
	struct zp_remap remap = { 0 };
	uint64_t shown = 0;
	unsigned int i;

	/* from everywhere in a page, over every border, more than once around */
	for (i = 0; i < 40; i++) {
		size_t n = 5000 + 977 * i % 20000;
		uint32_t pieces;

		ASSERT_EQ(put(e.w, n), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		ASSERT_EQ(zp_read_min(e.r, n, &view), 0);
		pieces = view.nr_spans;
		ASSERT_EQ(zp_remap(e.r, &view, &remap), 0);
		EXPECT_EQ(view.nr_spans, 1);
		EXPECT_EQ(view.first.len, zp_view_len(&view));
		EXPECT(view_good(&view));
		shown += pieces > 1 ? zp_view_len(&view) : 0;
		EXPECT_EQ(remap.mapped, shown);
		ASSERT_EQ(zp_consume_all(e.r), 0);
	}
	EXPECT(remap.maps > 30);
	zp_remap_free(&remap);
	EXPECT_EQ(remap.size, 0);
	zp_remap_free(&remap);
	ends_close(&e);
}

static void slices(void)
{
	struct ends e = ends_open(scattered);
	struct zp_remap remap = { 0 };
	struct zp_view part;

	ASSERT_EQ(put(e.w, 20000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read_min(e.r, 20000, &view), 0);
	ASSERT_EQ(zp_view_slice(&view, 4000, 13001, &part), 0);
	ASSERT_EQ(zp_remap(e.r, &part, &remap), 0);
	EXPECT_EQ(part.start, 4000);
	EXPECT_EQ(part.first.len, 9001);
	EXPECT(view_good(&part));
	/* one piece, and none */
	ASSERT_EQ(zp_view_slice(&view, 10, 20, &part), 0);
	EXPECT_EQ(zp_remap(e.r, &part, &remap), 0);
	EXPECT(part.first.data == (unsigned char *)view.first.data + 10);
	ASSERT_EQ(zp_view_slice(&view, 10, 10, &part), 0);
	EXPECT_EQ(zp_remap(e.r, &part, &remap), 0);
	EXPECT_EQ(remap.maps, 1);
	zp_remap_free(&remap);
	ends_close(&e);
}

static void cannot(void)
{
	struct ends e = ends_open(scattered);
	struct zp_remap remap = { 0 };
	struct zp_scratch scratch = { 0 };
	struct zp_span room, spans[2];
	struct zp_view parts[2], other;
	static const char foreign[8192];

	/* a segment that was left early */
	ASSERT_EQ(put(e.w, 1000), 0);
	ASSERT_EQ(zp_alloc(e.w, 4000, &room), 0);
	ASSERT_EQ(put(e.w, 4000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read_min(e.r, 5000, &view), 0);
	ASSERT_EQ(view.nr_spans, 2);
	EXPECT_EQ(zp_remap(e.r, &view, &remap), -EINVAL);
	EXPECT_EQ(view.nr_spans, 2);
	EXPECT_EQ(zp_view_flatten(&view, &scratch), 0);
	EXPECT(view_good(&view));
	/* memory that is not the pipe's */
	parts[0] = zp_view_of(foreign, 4096);
	parts[1] = zp_view_of(scratch.data, 4096);
	ASSERT_EQ(zp_view_merge(parts, 2, spans, 2, &other), 0);
	EXPECT_EQ(zp_remap(e.r, &other, &remap), -EINVAL);
	EXPECT_EQ(remap.size, 0);
	zp_scratch_free(&scratch);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "remap.pieces_next_to_each_other", pieces },
	{ "remap.slices_keep_their_positions", slices },
	{ "remap.what_does_not_meet_einval", cannot },
};

TAP_MAIN(tests)
