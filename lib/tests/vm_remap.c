// SPDX-License-Identifier: MIT
/*
 * vm_remap - views in one piece without a copy, of real pipes; and what that costs
 */
#include <fcntl.h>

#include "vm.h"

static struct zp_view view;

#define PAGE	4096U

/* Pages of a view in another order: pieces that do not lie next to each other. */
static int shuffled(struct zp_span *spans, struct zp_view *out)
{
	static const unsigned int order[][2] = {
		{ 2, 4 }, { 1, 2 }, { 8, 11 }, { 0, 1 }, { 4, 5 },
	};
	struct zp_view parts[5];
	uint64_t first = (view.start + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	unsigned int i;

	for (i = 0; i < 5; i++) {
		uint64_t from = first + order[i][0] * PAGE, to = first + order[i][1] * PAGE;

		/* the ends need not be at borders */
		if (zp_view_slice(&view, from + (i ? 0 : 100), to - (i < 4 ? 0 : 77), &parts[i]))
			return -EINVAL;
	}
	return zp_view_merge(parts, 5, spans, 64, out);
}

static void every_kind(void)
{
	const struct zp_create_opts shapes[] = {
		{ .segment_size = 4096, .capacity = 16 * PAGE, .pause = ZP_NEVER },
		{ .segment_size = 16384, .capacity = 16 * PAGE, .pause = ZP_NEVER },
		{ .segment_size = 4096, .capacity = 16 * PAGE, .pause = ZP_NEVER,
		  .flags = ZP_CONTIG },
		{ .segment_size = 4096, .capacity = 16 * PAGE, .pause = ZP_NEVER,
		  .flags = ZP_GUARDED },
	};
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct ends e = ends_open(shapes[i]);
		struct zp_remap remap = { 0 };
		int round;

		/* more than once around the window */
		for (round = 0; round < 10; round++) {
			struct zp_span spans[64];
			struct zp_view pages, mapped;

			ASSERT_EQ(put(e.w, 12 * PAGE), 0);
			ASSERT_EQ(zp_flush(e.w), 0);
			ASSERT_EQ(zp_read_min(e.r, 12 * PAGE, &view), 0);
			EXPECT(view_good(&view));
			ASSERT_EQ(shuffled(spans, &pages), 0);
			EXPECT(pages.nr_spans >= 4);
			mapped = pages;
			ASSERT_EQ(zp_remap(e.r, &mapped, &remap), 0);
			EXPECT_EQ(mapped.nr_spans, 1);
			EXPECT(zp_view_equal(&pages, &mapped));
			EXPECT_EQ(((unsigned char *)mapped.first.data)[0],
				  byte_at(view.start + 2 * PAGE + 100));
			ASSERT_EQ(zp_consume_all(e.r), 0);
		}
		EXPECT_EQ(remap.maps, 10);
		zp_remap_free(&remap);
		EXPECT_EQ(stat_of(e.rfd).rejects, 0);
		ends_close(&e);
	}
}

/* Until it is freed the mapping keeps the end open, as any does. */
static void keeps_open(void)
{
	struct zp_create_opts opts = { .segment_size = 4096, .capacity = 65536, .pause = ZP_NEVER };
	struct ends e = ends_open(opts);
	struct zp_remap remap = { 0 };
	struct zp_span spans[64];
	struct zp_view pages;

	ASSERT_EQ(put(e.w, 12 * PAGE), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(shuffled(spans, &pages), 0);
	ASSERT_EQ(zp_remap(e.r, &pages, &remap), 0);
	zp_reader_close(e.r);
	e.r = NULL;
	EXPECT_EQ(zp_write_flush(e.w, "x", 1, NULL), 0);
	zp_remap_free(&remap);
	EXPECT_EQ(zp_write_flush(e.w, "x", 1, NULL), ZP_COMPLETED);
	ends_close(&e);
}

/* Told, not judged: it depends on the machine. Two pieces of each size. */
static void costs(void)
{
	const size_t size = 8 << 20;
	struct zp_create_opts opts = { .capacity = size, .segment_size = 65536, .pause = ZP_NEVER };
	struct ends e = ends_open(opts);
	struct zp_scratch scratch = { 0 };
	struct zp_remap remap = { 0 };
	size_t n;

	ASSERT_EQ(put(e.w, size / 2), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read_min(e.r, size / 2, &view), 0);
	for (n = 16384; n <= size / 4; n *= 4) {
		uint64_t took[2] = { 0, 0 };
		struct zp_view parts[2], both;
		struct zp_span spans[2];
		int round;

		ASSERT_EQ(zp_view_slice(&view, view.start + n, view.start + 2 * n, &parts[0]), 0);
		ASSERT_EQ(zp_view_slice(&view, view.start, view.start + n, &parts[1]), 0);
		for (round = 0; round < 20; round++) {
			volatile unsigned char sum = 0;
			uint64_t begin;
			size_t i;

			ASSERT_EQ(zp_view_merge(parts, 2, spans, 2, &both), 0);
			begin = zp_deadline(0);
			if (round & 1)
				EXPECT_EQ(zp_view_flatten(&both, &scratch), 0);
			else
				EXPECT_EQ(zp_remap(e.r, &both, &remap), 0);
			for (i = 0; i < both.first.len; i += 64)
				sum = (unsigned char)(sum + ((unsigned char *)both.first.data)[i]);
			took[round & 1] += zp_deadline(0) - begin;
		}
		printf("# two pieces of %zu KiB, looked at: mapped %llu us, copied %llu us\n",
		       n >> 10, (unsigned long long)took[0] / 10000,
		       (unsigned long long)took[1] / 10000);
	}
	zp_scratch_free(&scratch);
	zp_remap_free(&remap);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "remap.every_kind_of_pipe", every_kind },
	{ "remap.keeps_the_reader_open", keeps_open },
	{ "remap.what_it_costs", costs },
};

VM_MAIN(tests)
