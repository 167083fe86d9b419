// SPDX-License-Identifier: MIT
/*
 * t_chain - walks over fabricated descriptor tables
 *
 * No kernel, not even a fake one: a table, a window of addresses that are never
 * touched, and what the walk makes of them.
 */
#include <errno.h>
#include <string.h>

#include "../internal.h"
#include "tap.h"

#define WINDOW	4096U
#define SEGMENT	1024U
#define ENTRIES	8

static struct zpipe_descriptor table[ENTRIES];
static uint64_t opened;
static unsigned char window[3 * WINDOW];
static struct zp_span spans[ENTRIES];
static uint64_t ends[ENTRIES];
static struct zp_walk walk;

static const struct zp_chain chain = {
	.table = table, .mask = ENTRIES - 1, .opened = &opened, .window = WINDOW, .data = window,
	.segment = SEGMENT, .spare = WINDOW,
};

static void begin(void)
{
	memset(table, 0, sizeof(table));
	memset(spans, 0, sizeof(spans));
	opened = 0;
	walk = (struct zp_walk){ .spans = spans, .ends = ends };
}

static void add(uint64_t start, uint64_t offset)
{
	table[opened & (ENTRIES - 1)] = (struct zpipe_descriptor){ start, offset };
	opened++;
}

static bool span_is(uint32_t i, size_t offset, size_t len)
{
	return EXPECT_EQ((unsigned char *)spans[i].data - window, offset) &&
	       EXPECT_EQ(spans[i].len, len);
}

static void one(void)
{
	begin();
	add(0, 512);
	ASSERT_EQ(zp_chain_walk(&chain, 10, 100, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	span_is(0, 522, 90);
	EXPECT_EQ(walk.index, 0);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 0);
}

static void two(void)
{
	begin();
	add(0, 0);
	add(100, 1024);
	ASSERT_EQ(zp_chain_walk(&chain, 40, 150, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 40, 60);
	span_is(1, 1024, 50);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 1);
}

static void adjacent(void)
{
	begin();
	add(0, 0);
	add(512, 512);
	add(1024, 1024);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 1500, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	span_is(0, 0, 1500);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 2);
}

static void wraps(void)
{
	begin();
	add(0, WINDOW - 512);
	add(512, 0);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 700, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	span_is(0, WINDOW - 512, 700);
}

static void run_wraps_inside(void)
{
	begin();
	add(0, WINDOW - 100);
	ASSERT_EQ(zp_chain_walk(&chain, 150, 300, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	/* normalized: the address is in the first mapping */
	span_is(0, 50, 150);
}

static void not_longer_than_window(void)
{
	begin();
	add(0, 0);
	add(2048, 2048);
	add(4096, 0);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 5000, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 0, 4096);
	span_is(1, 0, 904);
}

static void left_early(void)
{
	begin();
	add(0, 0);
	add(100, 512); /* its 512 bytes were left after 100 */
	ASSERT_EQ(zp_chain_walk(&chain, 0, 200, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 0, 100);
	span_is(1, 512, 100);
}

static void stands_at_a_border(void)
{
	begin();
	add(0, 0);
	add(100, 512);
	ASSERT_EQ(zp_chain_walk(&chain, 100, 120, &walk), 0);
	EXPECT_EQ(walk.index, 1);
	EXPECT_EQ(walk.nr_spans, 1);
	span_is(0, 512, 20);
}

static void empty_entries(void)
{
	begin();
	add(0, 0);
	add(100, 512);
	add(100, 1024);
	add(100, 2048);
	ASSERT_EQ(zp_chain_walk(&chain, 50, 130, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 50, 50);
	span_is(1, 2048, 30);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 3);
}

static void entry_at_published(void)
{
	begin();
	add(0, 0);
	add(100, 512); /* not final while published is 100 */
	ASSERT_EQ(zp_chain_walk(&chain, 0, 100, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 0);
	/* taken back and opened anew elsewhere, further on */
	table[1] = (struct zpipe_descriptor){ 140, 2048 };
	ASSERT_EQ(zp_chain_walk(&chain, 100, 200, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 100, 40);
	span_is(1, 2048, 60);
}

static void end_not_remembered(void)
{
	begin();
	add(0, 0);
	add(300, 1024); /* beyond published: may move */
	ASSERT_EQ(zp_chain_walk(&chain, 0, 200, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 1);
	span_is(0, 0, 200);
	table[1].start = 250;
	ASSERT_EQ(zp_chain_walk(&chain, 200, 260, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 2);
	span_is(0, 200, 50);
}

static void table_wraps(void)
{
	uint64_t i;

	begin();
	for (i = 0; i < 20; i++)
		add(i * 10, i % 2 ? 0 : 2048);
	walk.index = 13;
	ASSERT_EQ(zp_chain_walk(&chain, 135, 200, &walk), 0);
	EXPECT_EQ(walk.index, 13);
	EXPECT_EQ(walk.index + walk.nr_entries - 1, 19);
	EXPECT_EQ(walk.nr_spans, 7);
}

static void nothing_opened(void)
{
	begin();
	EXPECT_EQ(zp_chain_walk(&chain, 0, 1, &walk), -EPROTO);
}

static void offset_outside(void)
{
	begin();
	add(0, WINDOW);
	EXPECT_EQ(zp_chain_walk(&chain, 0, 1, &walk), -EPROTO);
	table[0].offset = UINT64_MAX;
	EXPECT_EQ(zp_chain_walk(&chain, 0, 1, &walk), -EPROTO);
}

static void run_outside(void)
{
	begin();
	add(0, 0);
	EXPECT_EQ(zp_chain_walk(&chain, 0, WINDOW + 1, &walk), -EPROTO);
	EXPECT_EQ(zp_chain_walk(&chain, WINDOW, WINDOW + 1, &walk), -EPROTO);
}

static void start_in_the_future(void)
{
	begin();
	add(50, 0);
	EXPECT_EQ(zp_chain_walk(&chain, 10, 60, &walk), -EPROTO);
}

static void endless(void)
{
	uint64_t i;

	begin();
	for (i = 0; i < ENTRIES; i++)
		table[i] = (struct zpipe_descriptor){ 5, 0 };
	opened = UINT64_MAX;
	EXPECT_EQ(zp_chain_walk(&chain, 5, 6, &walk), -EPROTO);
}

static void starts_go_back(void)
{
	begin();
	add(100, 0);
	add(50, 512);
	add(10, 1024);
	/* a table that lies: no crash, no pointer outside, whatever it says */
	if (!zp_chain_walk(&chain, 120, 200, &walk)) {
		EXPECT(walk.nr_spans <= ENTRIES);
		EXPECT((unsigned char *)spans[0].data + spans[0].len <= window + sizeof(window));
	}
}

static void passed_is_not_read(void)
{
	uint64_t i;

	begin();
	for (i = 0; i < ENTRIES; i++)
		add(i * 10, i * 100);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 25, &walk), 0);
	EXPECT_EQ(ends[0], 10);
	EXPECT_EQ(ends[1], 20);
	EXPECT(ends[2] == UINT64_MAX);
	EXPECT_EQ(zp_walk_entry(&walk, 0), 0);
	EXPECT_EQ(zp_walk_entry(&walk, 9), 0);
	EXPECT_EQ(zp_walk_entry(&walk, 10), 1);
	EXPECT_EQ(zp_walk_entry(&walk, 25), 2);
	/* entry 2 ended at 30, and a read stands there; it is written anew */
	walk.index = 2;
	table[0] = (struct zpipe_descriptor){ 80, 0 };
	table[1] = (struct zpipe_descriptor){ 90, 0 };
	table[2] = (struct zpipe_descriptor){ 100, 0 };
	opened = ENTRIES + 3;
	ASSERT_EQ(zp_chain_walk(&chain, 30, 35, &walk), 0);
	EXPECT_EQ(walk.index, 3);
	span_is(0, 300, 5);
}

static void end_at_published_is_known(void)
{
	begin();
	add(0, 0);
	add(100, 512);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 100, &walk), 0);
	EXPECT_EQ(ends[0], 100);
	EXPECT_EQ(zp_walk_entry(&walk, 100), 1);
	ASSERT_EQ(zp_chain_walk(&chain, 0, 99, &walk), 0);
	EXPECT(ends[0] == UINT64_MAX);
	EXPECT_EQ(zp_walk_entry(&walk, 99), 0);
}

static void finds(void)
{
	uint64_t index = 99;

	begin();
	EXPECT_EQ(zp_chain_find(&chain, 0, &index), -EPROTO);
	add(0, 0);
	add(100, 512);
	add(100, 1024);
	add(200, 2048);
	ASSERT_EQ(zp_chain_find(&chain, 99, &index), 0);
	EXPECT_EQ(index, 0);
	ASSERT_EQ(zp_chain_find(&chain, 100, &index), 0);
	EXPECT_EQ(index, 2);
	ASSERT_EQ(zp_chain_find(&chain, 1000, &index), 0);
	EXPECT_EQ(index, 3);
	EXPECT_EQ(zp_chain_open_start(&chain), 200);
}

static void spare_segments(void)
{
	begin();
	add(0, WINDOW - SEGMENT);
	add(SEGMENT, 2 * WINDOW + SEGMENT);
	add(2 * SEGMENT, 2 * WINDOW + 2 * SEGMENT);
	add(3 * SEGMENT, 3 * WINDOW - SEGMENT);
	add(4 * SEGMENT, 2 * WINDOW);
	add(5 * SEGMENT, 0);
	ASSERT_EQ(zp_chain_walk(&chain, 100, 5 * SEGMENT + 10, &walk), 0);
	EXPECT_EQ(walk.nr_spans, 6);
	span_is(0, WINDOW - SEGMENT + 100, SEGMENT - 100);
	span_is(1, 2 * WINDOW + SEGMENT, SEGMENT);
	span_is(2, 2 * WINDOW + 2 * SEGMENT, SEGMENT);
	span_is(3, 3 * WINDOW - SEGMENT, SEGMENT);
	span_is(4, 2 * WINDOW, SEGMENT);
	span_is(5, 0, 10);
}

static void spare_outside(void)
{
	static const struct {
		uint64_t offset, length;
	} bad[] = {
		{ 3 * WINDOW, 1 }, { 2 * WINDOW, SEGMENT + 1 }, { WINDOW, 1 },
		{ 2 * WINDOW - 1, 1 }, { 2 * WINDOW + SEGMENT - 1, 2 }, { UINT64_MAX, 1 },
	};
	struct zp_chain none = chain;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		add(0, bad[i].offset);
		EXPECT_EQ(zp_chain_walk(&chain, 0, bad[i].length, &walk), -EPROTO);
	}
	none.spare = 0;
	begin();
	add(0, 2 * WINDOW);
	EXPECT_EQ(zp_chain_walk(&chain, 0, 1, &walk), 0);
	EXPECT_EQ(zp_chain_walk(&none, 0, 1, &walk), -EPROTO);
}

static const struct tap_test tests[] = {
	{ "walk.spare_segments_are_spans_of_their_own", spare_segments },
	{ "walk.offset_outside_the_spare_segments_eproto", spare_outside },
	{ "walk.inside_one_entry_is_one_span", one },
	{ "walk.over_two_entries_is_two_spans", two },
	{ "walk.adjacent_entries_are_one_span", adjacent },
	{ "walk.last_to_first_segment_is_one_span", wraps },
	{ "walk.start_behind_the_wrap_is_normalized", run_wraps_inside },
	{ "walk.a_span_is_no_longer_than_the_window", not_longer_than_window },
	{ "walk.a_segment_left_early_ends_where_the_next_starts", left_early },
	{ "walk.a_border_belongs_to_the_next_entry", stands_at_a_border },
	{ "walk.empty_entries_are_skipped", empty_entries },
	{ "walk.an_entry_starting_at_published_is_not_entered", entry_at_published },
	{ "walk.an_end_beyond_published_is_not_remembered", end_not_remembered },
	{ "walk.the_table_wraps", table_wraps },
	{ "walk.nothing_opened_eproto", nothing_opened },
	{ "walk.offset_outside_the_window_eproto", offset_outside },
	{ "walk.run_longer_than_the_window_eproto", run_outside },
	{ "walk.first_entry_behind_the_position_eproto", start_in_the_future },
	{ "walk.no_end_of_entries_eproto", endless },
	{ "walk.starts_that_go_back_stay_inside", starts_go_back },
	{ "walk.an_entry_consumed_to_its_end_is_not_read", passed_is_not_read },
	{ "walk.an_end_at_published_is_remembered", end_at_published_is_known },
	{ "find.is_the_newest_entry_at_or_before", finds },
};

TAP_MAIN(tests)
