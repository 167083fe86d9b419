// SPDX-License-Identifier: MIT
/*
 * t_map - an fd of unknown origin is checked before anything is mapped
 *
 * Each test breaks one thing that INFO says and expects the open to be refused
 * with the errno that the header names, and the fd to stay the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../internal.h"
#include "fake.h"
#include "tap.h"

static const struct fake_opts plain = {
	.segment_size = 4096, .nr_segments = 4, .table_entries = 8,
};

/* clang-format off */
#define REFUSED(fn, change, wanted) \
	static void fn(void) \
	{ \
		struct zpipe_info_args info; \
		struct zp_writer *w = NULL; \
		struct zp_info out = { .sz = sizeof(out) }; \
		int wfd, rfd; \
		fake_start(&plain, &wfd, &rfd); \
		fake_info(&info); \
		change; \
		fake_override_info(&info); \
		EXPECT_EQ(zp_writer_open(&w, wfd, NULL), wanted); \
		EXPECT(!w); \
		if ((wanted) != -EBADF) \
			EXPECT_EQ(zp_query(wfd, &out), wanted); \
		EXPECT_EQ(fcntl(wfd, F_GETFD) < 0, 0); \
		fake_stop(); \
		close(wfd); \
		close(rfd); \
	}
/* clang-format on */

REFUSED(magic, info.out_magic = 0x1234, -EPROTO)
REFUSED(later_magic, info.out_magic++, -EPROTONOSUPPORT)
REFUSED(unknown_mode, info.out_flags = 1U << 20, -EPROTONOSUPPORT)
REFUSED(no_version, info.out_version = 0, -EPROTO)
REFUSED(no_role, info.out_role = 0, -EPROTO)
REFUSED(other_role, info.out_role = ZPIPE_ROLE_READER, -EBADF)
REFUSED(zero_state, info.out_state.size = 0, -EPROTO)
REFUSED(odd_state, info.out_state.size = 100, -EPROTO)
REFUSED(odd_offset, info.out_reader.offset += 8, -EPROTO)
REFUSED(negative_offset, info.out_writer.offset = 1ULL << 63, -EPROTO)
REFUSED(huge_window, (info.out_data.size = 1ULL << 63, info.out_window = 1ULL << 63), -EPROTO)
REFUSED(window_mismatch, info.out_window += 4096, -EPROTO)
REFUSED(data_mismatch, info.out_data.size -= 4096, -EPROTO)
REFUSED(odd_segment, info.out_segment_size = 5000, -EPROTO)
REFUSED(tiny_segment, (info.out_segment_size = 1024, info.out_nr_segments = 16), -EPROTO)
REFUSED(no_segments, info.out_nr_segments = 0, -EPROTO)
REFUSED(short_spare, (info.out_spare.offset = ZPIPE_OFF_SPARE, info.out_spare.size = 4096), -EPROTO)
REFUSED(odd_spare, (info.out_spare.offset = 100, info.out_spare.size = info.out_window), -EPROTO)
REFUSED(a_buffer, info.out_role = ZPIPE_ROLE_BUFFER, -EBADF)
REFUSED(no_capacity, info.out_capacity = 0, -EPROTO)
REFUSED(big_capacity, info.out_capacity = info.out_window + 1, -EPROTO)
REFUSED(odd_table, info.out_table_entries = 7, -EPROTO)
REFUSED(no_table, info.out_table_entries = 0, -EPROTO)
REFUSED(long_table, info.out_table_entries = 1U << 31, -EPROTO)
REFUSED(table_outside, info.out_table_at = (uint32_t)info.out_state.size, -EPROTO)
REFUSED(table_overlap, info.out_table_at = (uint32_t)info.out_state.size - 8, -EPROTO)
REFUSED(table_unaligned, info.out_table_at += 4, -EPROTO)
REFUSED(word_outside, info.out_opened_at = (uint32_t)info.out_state.size, -EPROTO)
REFUSED(word_at_end, info.out_granted_at = (uint32_t)info.out_state.size - 4, -EPROTO)
REFUSED(word_far, info.out_reader_wake_at = UINT32_MAX - 7, -EPROTO)
REFUSED(word_unaligned, info.out_pause_at += 4, -EPROTO)
REFUSED(sole_reader_outside, info.out_sole_reader_at = 1 << 30, -EPROTO)
REFUSED(events_unaligned, info.out_reader_events_at += 2, -EPROTO)
REFUSED(published_outside, info.out_published_at = 4096, -EPROTO)
REFUSED(examined_outside, info.out_examined_at = 8192, -EPROTO)
REFUSED(same_word, info.out_examined_at = info.out_consumed_at, -EPROTO)
REFUSED(wake_outside, info.out_writer_wake_examined_at = 1U << 30, -EPROTO)
REFUSED(wake_consumed_unaligned, info.out_writer_wake_consumed_at = 1, -EPROTO)
REFUSED(consumed_beyond, info.out_consumed = 1, -EPROTO)
REFUSED(published_beyond, info.out_published = 1, -EPROTO)
REFUSED(held_too_much, info.out_granted = info.out_window + 1, -EPROTO)

static bool inside(const struct zpipe_region *region, uint64_t at, uint64_t size)
{
	return at % size == 0 && at + size <= region->size;
}

/* One field of INFO, or what the words of two make, becomes something else. */
static void spoil(uint32_t *words)
{
	uint32_t *word = words + fake_random() % (sizeof(struct zpipe_info_args) / 4);

	switch (fake_random() % 4) {
	case 0:
		*word = fake_random();
		break;
	case 1:
		*word ^= 1U << (fake_random() % 32);
		break;
	case 2:
		*word = 0U - (fake_random() % 16);
		break;
	default:
		*word += 8 * (fake_random() % 1024);
		break;
	}
}

/* Whatever INFO says: what is let through can be mapped and used. */
static void random_geometry(void)
{
	struct zpipe_info_args good, info;
	uint32_t words[sizeof(info) / 4];
	unsigned int i, passed = 0;
	int wfd, rfd;

	fake_start(&plain, &wfd, &rfd);
	fake_info(&good);
	fake_seed(11);
	for (i = 0; i < 500000; i++) {
		uint32_t n = 1 + fake_random() % 3;

		memcpy(words, &good, sizeof(words));
		while (n--)
			spoil(words);
		memcpy(&info, words, sizeof(info));
		if (zp_map_check(&info, 4096))
			continue;
		passed++;
		ASSERT(info.out_data.size <= SIZE_MAX / 4 && info.out_data.size % 4096 == 0);
		ASSERT(info.out_window == info.out_data.size);
		ASSERT(inside(&info.out_state, info.out_opened_at, 8));
		ASSERT(inside(&info.out_state, info.out_granted_at, 8));
		ASSERT(inside(&info.out_state, info.out_reader_wake_at, 8));
		ASSERT(inside(&info.out_state, info.out_pause_at, 8));
		ASSERT(inside(&info.out_state, info.out_writer_wake_examined_at, 8));
		ASSERT(inside(&info.out_state, info.out_writer_wake_consumed_at, 8));
		ASSERT(inside(&info.out_state, info.out_reader_events_at, 4));
		ASSERT(inside(&info.out_writer, info.out_published_at, 8));
		ASSERT(inside(&info.out_reader, info.out_examined_at, 8));
		ASSERT(inside(&info.out_reader, info.out_consumed_at, 8));
		ASSERT(info.out_table_at + 16ULL * info.out_table_entries <= info.out_state.size);
		ASSERT(info.out_consumed <= info.out_examined);
		ASSERT(info.out_examined <= info.out_published);
		ASSERT(info.out_published <= info.out_granted);
	}
	EXPECT(passed > 1000);
	fake_stop();
	close(wfd);
	close(rfd);
}

static void foreign_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct zp_info info = { .sz = sizeof(info) };
	struct zp_stat stat = { .sz = sizeof(stat) };
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;

	EXPECT_EQ(zp_writer_open(&w, fd, NULL), -EBADF);
	EXPECT_EQ(zp_reader_open(&r, fd, NULL), -EBADF);
	EXPECT_EQ(zp_query(fd, &info), -EBADF);
	EXPECT_EQ(zp_stat(fd, &stat), -EBADF);
	EXPECT_EQ(zp_cancel(fd, ZP_CANCEL_READ), -EBADF);
	EXPECT_EQ(zp_reset(fd), -EBADF);
	EXPECT_EQ(zp_set_thresholds(fd, 0, 0), -EBADF);
	close(fd);
}

static void wrong_end(void)
{
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;
	int wfd, rfd;

	fake_start(&plain, &wfd, &rfd);
	EXPECT_EQ(zp_writer_open(&w, rfd, NULL), -EBADF);
	EXPECT_EQ(zp_reader_open(&r, wfd, NULL), -EBADF);
	fake_stop();
	close(wfd);
	close(rfd);
}

static void keeps_fd(void)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .flags = ZP_KEEP_FD };
	struct zp_writer *w = NULL;
	int wfd, rfd;

	fake_start(&plain, &wfd, &rfd);
	ASSERT_EQ(zp_writer_open(&w, wfd, &opts), 0);
	EXPECT_EQ(zp_writer_fd(w), wfd);
	zp_writer_close(w);
	EXPECT(fcntl(wfd, F_GETFD) >= 0);
	ASSERT_EQ(zp_writer_open(&w, wfd, NULL), 0);
	zp_writer_close(w);
	EXPECT(fcntl(wfd, F_GETFD) < 0);
	zp_writer_close(NULL);
	zp_reader_close(NULL);
	fake_stop();
	close(rfd);
}

static void bad_opts(void)
{
	struct {
		struct zp_open_opts known;
		uint64_t more;
	} grown = { .known = { .sz = sizeof(grown) } };
	struct zp_open_opts opts = { .sz = 1 };
	size_t only_sz = sizeof(only_sz);
	struct zp_writer *w = NULL;
	int wfd, rfd;

	fake_start(&plain, &wfd, &rfd);
	EXPECT_EQ(zp_writer_open(&w, wfd, &opts), -EINVAL);
	opts.sz = sizeof(opts);
	opts.flags = 1U << 31;
	EXPECT_EQ(zp_writer_open(&w, wfd, &opts), -EINVAL);
	grown.more = 1;
	EXPECT_EQ(zp_writer_open(&w, wfd, &grown.known), -E2BIG);
	grown.more = 0;
	grown.known.flags = ZP_KEEP_FD;
	ASSERT_EQ(zp_writer_open(&w, wfd, &grown.known), 0);
	zp_writer_close(w);
	ASSERT_EQ(zp_writer_open(&w, wfd, (const struct zp_open_opts *)(void *)&only_sz), 0);
	zp_writer_close(w);
	fake_stop();
	close(rfd);
}

static void results_by_size(void)
{
	struct {
		struct zp_stat known;
		uint64_t more;
	} grown = { .known = { .sz = sizeof(grown) }, .more = 5 };
	struct zp_stat stat;
	struct zp_info info;
	int wfd, rfd;

	fake_start(&plain, &wfd, &rfd);
	memset(&stat, 0xa5, sizeof(stat));
	stat.sz = offsetof(struct zp_stat, rejects);
	EXPECT_EQ(zp_stat(wfd, &stat), 0);
	EXPECT_EQ(stat.granted, 0);
	EXPECT(stat.rejects == 0xa5a5a5a5a5a5a5a5ULL);
	EXPECT_EQ(zp_stat(wfd, &grown.known), 0);
	EXPECT_EQ(grown.known.rejects, 7);
	EXPECT_EQ(grown.known.sz, sizeof(grown));
	EXPECT_EQ(grown.more, 0);
	stat.sz = 0;
	EXPECT_EQ(zp_stat(wfd, &stat), -EINVAL);
	info.sz = sizeof(info);
	EXPECT_EQ(zp_query(rfd, &info), 0);
	EXPECT_EQ(info.role, ZP_ROLE_READER);
	EXPECT_EQ(info.window, 4 * 4096);
	fake_stop();
	close(wfd);
	close(rfd);
}

static const struct tap_test tests[] = {
	{ "open.wrong_magic_eproto", magic },
	{ "open.later_generation_eprotonosupport", later_magic },
	{ "open.mode_unknown_eprotonosupport", unknown_mode },
	{ "open.version_zero_eproto", no_version },
	{ "open.no_role_eproto", no_role },
	{ "open.role_of_the_other_end_ebadf", other_role },
	{ "open.empty_region_eproto", zero_state },
	{ "open.region_not_whole_pages_eproto", odd_state },
	{ "open.region_offset_unaligned_eproto", odd_offset },
	{ "open.region_offset_negative_eproto", negative_offset },
	{ "open.window_too_large_to_map_twice_eproto", huge_window },
	{ "open.window_not_its_segments_eproto", window_mismatch },
	{ "open.window_not_its_region_eproto", data_mismatch },
	{ "open.segment_no_power_of_two_eproto", odd_segment },
	{ "open.segment_below_a_page_eproto", tiny_segment },
	{ "open.no_segments_eproto", no_segments },
	{ "open.spare_region_of_another_size_eproto", short_spare },
	{ "open.odd_spare_region_eproto", odd_spare },
	{ "open.a_buffer_is_no_end_ebadf", a_buffer },
	{ "open.no_capacity_eproto", no_capacity },
	{ "open.capacity_above_window_eproto", big_capacity },
	{ "open.table_no_power_of_two_eproto", odd_table },
	{ "open.table_empty_eproto", no_table },
	{ "open.table_longer_than_region_eproto", long_table },
	{ "open.table_outside_eproto", table_outside },
	{ "open.table_across_the_end_eproto", table_overlap },
	{ "open.table_unaligned_eproto", table_unaligned },
	{ "open.word_outside_eproto", word_outside },
	{ "open.word_across_the_end_eproto", word_at_end },
	{ "open.word_offset_overflows_eproto", word_far },
	{ "open.word_unaligned_eproto", word_unaligned },
	{ "open.sole_reader_outside_eproto", sole_reader_outside },
	{ "open.events_unaligned_eproto", events_unaligned },
	{ "open.published_outside_eproto", published_outside },
	{ "open.examined_outside_eproto", examined_outside },
	{ "open.two_cursors_in_one_word_eproto", same_word },
	{ "open.wake_word_outside_eproto", wake_outside },
	{ "open.wake_word_unaligned_eproto", wake_consumed_unaligned },
	{ "open.consumed_beyond_examined_eproto", consumed_beyond },
	{ "open.published_beyond_granted_eproto", published_beyond },
	{ "open.more_held_than_fits_eproto", held_too_much },
	{ "open.random_geometry_passes_only_if_it_can_be_mapped", random_geometry },
	{ "open.not_a_zpipe_ebadf", foreign_fd },
	{ "open.other_end_ebadf", wrong_end },
	{ "close.keep_fd_leaves_it_open", keeps_fd },
	{ "opts.sizes_and_unknown_tails_are_judged", bad_opts },
	{ "results.are_cut_and_filled_by_size", results_by_size },
};

TAP_MAIN(tests)
