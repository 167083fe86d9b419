// SPDX-License-Identifier: GPL-2.0-only
/*
 * info - INFO: who this fd is, where the regions and the shared words are
 *
 * Also that the words in the mapped pages say what the ioctls say.
 */
#include <errno.h>
#include <fcntl.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CURSOR_DISTANCE	128

FIXTURE(info)
{
	struct zt_pipe p;
};

FIXTURE_VARIANT(info)
{
	__u32 segment;
	__u64 capacity;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(info, plain) { .segment = 0, .capacity = 0 };
FIXTURE_VARIANT_ADD(info, contig) { .flags = ZPIPE_F_CONTIG };
FIXTURE_VARIANT_ADD(info, smallest) { .segment = ZT_PAGE, .capacity = ZT_PAGE };
FIXTURE_VARIANT_ADD(info, many_segments) { .segment = ZT_PAGE, .capacity = 1024 * ZT_PAGE };

FIXTURE_SETUP(info)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(variant->segment, variant->capacity,
						    .flags = variant->flags)));
}

FIXTURE_TEARDOWN(info)
{
	zt_pipe_close(&self->p);
}

TEST_F(info, each_end_knows_its_role)
{
	EXPECT_EQ(ZPIPE_ROLE_WRITER, self->p.w.info.out_role);
	EXPECT_EQ(ZPIPE_ROLE_READER, self->p.r.info.out_role);
}

TEST_F(info, magic_version_and_features)
{
	__u64 features = ZPIPE_FEAT_CONTIG | ZPIPE_FEAT_RW | ZPIPE_FEAT_URING;

	EXPECT_EQ(ZPIPE_MAGIC, self->p.w.info.out_magic);
	EXPECT_EQ(ZPIPE_UAPI_VERSION, self->p.w.info.out_version);
	EXPECT_EQ(features, self->p.w.info.out_features & features);
	EXPECT_EQ(0, self->p.w.info.out_generation);
}

TEST_F(info, flags_are_those_of_create)
{
	EXPECT_EQ(variant->flags, self->p.w.info.out_flags & ZPIPE_F_CONTIG);
}

TEST_F(info, both_ends_see_the_same_geometry)
{
	struct zpipe_info_args w = self->p.w.info, r = self->p.r.info;

	w.out_role = 0;
	r.out_role = 0;
	EXPECT_EQ(0, memcmp(&w, &r, sizeof(w)));
}

TEST_F(info, regions_are_whole_pages_at_their_cookies)
{
	const struct zpipe_info_args *i = &self->p.w.info;

	EXPECT_EQ(ZPIPE_OFF_STATE, i->out_state.offset);
	EXPECT_EQ(ZPIPE_OFF_WRITER, i->out_writer.offset);
	EXPECT_EQ(ZPIPE_OFF_READER, i->out_reader.offset);
	EXPECT_EQ(ZPIPE_OFF_DATA, i->out_data.offset);
	EXPECT_EQ(0, i->out_state.size % ZT_PAGE);
	EXPECT_EQ(0, i->out_writer.size % ZT_PAGE);
	EXPECT_EQ(0, i->out_reader.size % ZT_PAGE);
	EXPECT_EQ(0, i->out_data.size % ZT_PAGE);
	EXPECT_NE(0, i->out_state.size);
	EXPECT_NE(0, i->out_writer.size);
	EXPECT_NE(0, i->out_reader.size);
}

TEST_F(info, words_lie_in_their_regions_and_are_aligned)
{
	const struct zpipe_info_args *i = &self->p.w.info;
	const __u32 words[] = { i->out_opened_at, i->out_granted_at, i->out_reader_wake_at,
				i->out_pause_at, i->out_writer_wake_examined_at,
				i->out_writer_wake_consumed_at };
	size_t k, m;

	for (k = 0; k < sizeof(words) / sizeof(*words); k++) {
		EXPECT_EQ(0, words[k] % 8);
		EXPECT_GE(i->out_state.size, words[k] + 8ULL);
		for (m = 0; m < k; m++) {
			EXPECT_NE(words[m], words[k]);
		}
	}
	EXPECT_EQ(0, i->out_reader_events_at % 4);
	EXPECT_GE(i->out_state.size, i->out_reader_events_at + 4ULL);
	EXPECT_EQ(0, i->out_published_at % 8);
	EXPECT_GE(i->out_writer.size, i->out_published_at + 8ULL);
	EXPECT_EQ(0, i->out_examined_at % 8);
	EXPECT_GE(i->out_reader.size, i->out_examined_at + 8ULL);
	EXPECT_EQ(0, i->out_consumed_at % 8);
	EXPECT_GE(i->out_reader.size, i->out_consumed_at + 8ULL);
	EXPECT_NE(i->out_examined_at, i->out_consumed_at);
}

TEST_F(info, pause_shares_the_line_of_the_reader_wake_word)
{
	const struct zpipe_info_args *i = &self->p.w.info;

	EXPECT_EQ(i->out_reader_wake_at / 64, i->out_pause_at / 64);
}

TEST_F(info, wake_words_of_the_two_sides_are_on_lines_apart)
{
	const struct zpipe_info_args *i = &self->p.w.info;

	EXPECT_LE(CURSOR_DISTANCE, abs((int)i->out_reader_wake_at -
				       (int)i->out_writer_wake_examined_at));
	EXPECT_LE(CURSOR_DISTANCE, abs((int)i->out_reader_wake_at -
				       (int)i->out_writer_wake_consumed_at));
}

TEST_F(info, table_is_a_power_of_two_and_holds_every_segment)
{
	const struct zpipe_info_args *i = &self->p.w.info;
	__u64 bytes = (__u64)i->out_table_entries * sizeof(struct zpipe_descriptor);

	EXPECT_NE(0, i->out_table_entries);
	EXPECT_EQ(0, i->out_table_entries & (i->out_table_entries - 1));
	EXPECT_LE(i->out_nr_segments, i->out_table_entries);
	EXPECT_EQ(0, i->out_table_at % 8);
	EXPECT_GE(i->out_state.size, i->out_table_at + bytes);
}

TEST_F(info, state_page_holds_the_magic)
{
	__u64 magic = ZPIPE_MAGIC;
	size_t k;

	for (k = 0; k + 8 <= ZT_PAGE; k += 8)
		if (!memcmp(self->p.r.state + k, &magic, 8))
			return;
	EXPECT_TRUE(false)
		TH_LOG("no magic in the first page");
}

TEST_F(info, shared_words_say_what_info_says)
{
	struct zpipe_info_args i;
	struct zpipe_alloc_args grant;
	struct zt_view view;

	ASSERT_EQ(0, zt_put(&self->p.w, 300));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 300, 50, 50, &grant));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 100, 200));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &i));
	EXPECT_LE(350, i.out_granted);
	EXPECT_EQ(i.out_granted, zt_granted(&self->p.r));
	EXPECT_EQ(300, i.out_published);
	EXPECT_EQ(300, zt_published(&self->p.r));
	EXPECT_EQ(200, i.out_examined);
	EXPECT_EQ(200, zt_examined(&self->p.w));
	EXPECT_EQ(100, i.out_consumed);
	EXPECT_EQ(100, zt_consumed(&self->p.w));
}

TEST_F(info, pause_word_follows_set)
{
	struct zpipe_info_args i;

	EXPECT_EQ(0, zt_load(self->p.r.state, self->p.r.info.out_pause_at));
	ASSERT_EQ(0, zt_set(&self->p.w, 777, 77));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &i));
	EXPECT_EQ(777, i.out_pause);
	EXPECT_EQ(77, i.out_resume);
	EXPECT_EQ(777, zt_load(self->p.r.state, self->p.r.info.out_pause_at));
}

TEST_F(info, index_of_an_empty_chain_is_opened)
{
	EXPECT_EQ(0, self->p.r.info.out_index);
	EXPECT_EQ(zt_opened(&self->p.r), self->p.r.info.out_index);
}

TEST_F(info, index_names_the_entry_that_holds_consumed)
{
	__u32 segment = self->p.w.info.out_segment_size;
	struct zpipe_info_args i;
	struct zpipe_descriptor d;
	int k;

	if (self->p.w.info.out_nr_segments == 1)
		return;
	for (k = 0; k < 5; k++) {
		ASSERT_EQ(0, zt_put(&self->p.w, segment / 2 + 10));
		ASSERT_EQ(0, zt_take(&self->p.r, segment / 2));
		ASSERT_EQ(0, zt_info(self->p.r.fd, &i));
		ASSERT_GT(zt_opened(&self->p.r), i.out_index);
		d = zt_entry(&self->p.r, i.out_index);
		EXPECT_GE(i.out_consumed, d.start);
		if (i.out_index + 1 < zt_opened(&self->p.r)) {
			EXPECT_LT(i.out_consumed, zt_entry(&self->p.r, i.out_index + 1).start);
		}
		EXPECT_EQ(-1, zt_mismatch(self->p.r.data + d.offset + i.out_consumed - d.start,
					  i.out_consumed, 10));
		ASSERT_EQ(0, zt_take(&self->p.r, 10));
	}
}

TEST_F(info, answers_after_both_ends_have_completed)
{
	struct zpipe_info_args i;

	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(0, zt_info(self->p.w.fd, &i));
	EXPECT_EQ(0, zt_info(self->p.r.fd, &i));
}

TEST_HARNESS_MAIN
