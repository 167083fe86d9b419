// SPDX-License-Identifier: MIT
/*
 * t_put - what is written in place, read back with cursors
 *
 * The pipe has small segments that never lie next to each other, and what is
 * written begins at every distance from a border.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cuts.h"
#include "ends.h"
#include "tap.h"

static const struct fake_opts scattered = { .policy = FAKE_SCATTER };
static struct zp_view view;

/* So many bytes in front of the border between two segments. */
static struct ends ends_before_border(size_t distance)
{
	struct ends e = ends_open(scattered);

	EXPECT_EQ(put(e.w, 4096 - distance), 0);
	return e;
}

static bool read_back(struct ends *e, size_t distance, struct zp_cursor *c)
{
	if (!EXPECT_EQ(zp_flush(e->w), 0) || !EXPECT_EQ(zp_read(e->r, &view), 0))
		return false;
	zp_cursor_init(c, &view);
	zp_cursor_final(c);
	return EXPECT_EQ(zp_cursor_skip(c, 4096 - distance), 0);
}

static void integers(void)
{
	static const uint64_t some[] = { 0, 1, 0x7f, 0x80, 0x123456789abcdef0, UINT64_MAX, 1ULL << 63 };
	size_t distance, i;
	unsigned int size;

	for (distance = 0; distance < 10; distance++) {
		struct ends e = ends_before_border(distance);
		struct zp_cursor c;
		uint64_t v, mask;

		EXPECT_EQ(zp_put_le(e.w, 0, 1), -EINVAL);
		EXPECT_EQ(zp_put_be(e.w, 9, 1), -EINVAL);
		for (i = 0; i < 7; i++) {
			for (size = 1; size <= 8; size++) {
				EXPECT_EQ(zp_put_le(e.w, size, some[i]), 0);
				EXPECT_EQ(zp_put_be(e.w, size, some[i]), 0);
			}
			EXPECT_EQ(zp_put_varint(e.w, some[i]), 0);
			EXPECT_EQ(zp_put_byte(e.w, (unsigned char)some[i]), 0);
		}
		ASSERT(read_back(&e, distance, &c));
		for (i = 0; i < 7; i++) {
			unsigned char byte = 0;

			for (size = 1; size <= 8; size++) {
				mask = UINT64_MAX >> (64 - 8 * size);
				ASSERT_EQ(zp_cursor_le(&c, size, &v), 0);
				ASSERT(v == (some[i] & mask));
				ASSERT_EQ(zp_cursor_be(&c, size, &v), 0);
				ASSERT(v == (some[i] & mask));
			}
			ASSERT_EQ(zp_cursor_varint(&c, &v), 0);
			ASSERT(v == some[i]);
			ASSERT_EQ(zp_cursor_byte(&c, &byte), 0);
			ASSERT_EQ(byte, (unsigned char)some[i]);
		}
		EXPECT_EQ(zp_cursor_left(&c), 0);
		ends_close(&e);
	}
}

static void texts(void)
{
	static const int64_t some[] = { 0, -1, 9, 10, -10, INT64_MIN, INT64_MAX, 1234567890 };
	char wanted[2000];
	size_t distance, i;

	for (distance = 0; distance < 80; distance++) {
		struct ends e = ends_before_border(distance);
		struct zp_cursor c;
		struct zp_view rest;
		int n = 0;

		EXPECT_EQ(zp_put_uint(e.w, 1, 1), -EINVAL);
		EXPECT_EQ(zp_put_uint(e.w, 1, 37), -EINVAL);
		for (i = 0; i < 8; i++) {
			EXPECT_EQ(zp_put_int(e.w, some[i]), 0);
			EXPECT_EQ(zp_put_byte(e.w, ' '), 0);
			EXPECT_EQ(zp_put_uint(e.w, (uint64_t)some[i], 10), 0);
			EXPECT_EQ(zp_put_byte(e.w, ' '), 0);
			EXPECT_EQ(zp_put_uint(e.w, (uint64_t)some[i], 16), 0);
			EXPECT_EQ(zp_put_byte(e.w, '\n'), 0);
			n += sprintf(wanted + n, "%" PRId64 " %" PRIu64 " %" PRIx64 "\n", some[i],
				     (uint64_t)some[i], (uint64_t)some[i]);
		}
		EXPECT_EQ(zp_put_uint(e.w, UINT64_MAX, 2), 0);
		memset(wanted + n, '1', 64);
		n += 64;
		EXPECT_EQ(zp_put_uint(e.w, 35 * 36 + 10, 36), 0);
		memcpy(wanted + n, "za", 2);
		n += 2;
		ASSERT(read_back(&e, distance, &c));
		zp_cursor_rest(&c, &rest);
		ASSERT(cuts_same(&rest, wanted, (size_t)n));
		ends_close(&e);
	}
}

static void formatted(void)
{
	size_t distance;

	for (distance = 0; distance < 40; distance++) {
		struct ends e = ends_before_border(distance);
		struct zp_cursor c;
		char text[64];
		uint64_t gap;
		int n;

		errno = 77;
		n = sprintf(text, "%s is %d and %.3f", "this", 42, 0.5);
		EXPECT_EQ(zp_printf(e.w, "%s is %d and %.3f", "this", 42, 0.5), 0);
		EXPECT_EQ(zp_printf(e.w, "%s", ""), 0);
		EXPECT_EQ(zp_position(e.w), 4096 - distance + (size_t)n);
		EXPECT_EQ(errno, 77);
		ASSERT(read_back(&e, distance, &c));
		gap = zp_cursor_left(&c) - (uint64_t)n;
		EXPECT_EQ(gap, 0);
		EXPECT_EQ(zp_cursor_match(&c, text, (size_t)n), 0);
		ends_close(&e);
	}
}

static void format_long(void)
{
	struct ends e = ends_open(scattered);
	char *text = malloc(20000);

	memset(text, 'x', 19999);
	text[19999] = 0;
	EXPECT_EQ(zp_printf(e.w, "%s", text), -EMSGSIZE);
	EXPECT_EQ(zp_position(e.w), 0);
	EXPECT_EQ(zp_printf(e.w, "%.*s", 9000, text), 0);
	EXPECT_EQ(zp_position(e.w), 9000);
	EXPECT_EQ(zp_put_int(e.w, 5), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 9001);
	free(text);
	ends_close(&e);
}

/* Records in records, of every length, at every distance. */
static void frames(void)
{
	size_t distance, n;
	unsigned int size;

	for (distance = 0; distance < 14; distance++) {
		for (size = 1; size <= 8; size++) {
			struct ends e = ends_before_border(distance);
			unsigned int flags = distance % 2 ? ZP_BIG_ENDIAN : 0;
			struct zp_frame outer, inner;
			struct zp_cursor c;
			uint64_t len = 0, total = 0;

			ASSERT_EQ(zp_frame_begin(e.w, 8, 0, &outer), 0);
			for (n = 0; n < 200; n += 39) {
				ASSERT_EQ(zp_frame_begin(e.w, size, flags, &inner), 0);
				ASSERT_EQ(zp_write(e.w, "once upon a time", (n ? 16U : 0U)), 0);
				ASSERT_EQ(put(e.w, n), 0);
				ASSERT_EQ(zp_frame_end(e.w, &inner), 0);
				total += size + n + (n ? 16U : 0U);
			}
			ASSERT_EQ(zp_put_frame(e.w, size, flags, "last", 4), 0);
			total += size + 4;
			ASSERT_EQ(zp_frame_end(e.w, &outer), 0);
			ASSERT(read_back(&e, distance, &c));
			ASSERT_EQ(zp_cursor_le(&c, 8, &len), 0);
			ASSERT_EQ(len, total);
			ASSERT_EQ(zp_cursor_left(&c), total);
			for (n = 0; n < 200; n += 39) {
				ASSERT_EQ(flags ? zp_cursor_be(&c, size, &len) :
						  zp_cursor_le(&c, size, &len), 0);
				ASSERT_EQ(len, n + (n ? 16U : 0U));
				ASSERT_EQ(zp_cursor_skip(&c, len), 0);
			}
			ASSERT_EQ(flags ? zp_cursor_be(&c, size, &len) :
					  zp_cursor_le(&c, size, &len), 0);
			ASSERT_EQ(len, 4);
			ASSERT_EQ(zp_cursor_match(&c, "last", 4), 0);
			ends_close(&e);
		}
	}
}

static void frame_errors(void)
{
	struct ends e = ends_open(scattered);
	struct zp_frame frame = { .size = 77 };
	static const char bytes[300];

	EXPECT_EQ(zp_frame_begin(e.w, 0, 0, &frame), -EINVAL);
	EXPECT_EQ(zp_frame_begin(e.w, 9, 0, &frame), -EINVAL);
	EXPECT_EQ(zp_frame_begin(e.w, 1, 2, &frame), -EOPNOTSUPP);
	EXPECT_EQ(frame.size, 77);
	EXPECT_EQ(zp_frame_end(e.w, &frame), -EINVAL);
	EXPECT_EQ(zp_put_frame(e.w, 1, 0, bytes, 256), -EMSGSIZE);
	EXPECT_EQ(zp_put_frame(e.w, 9, 0, bytes, 1), -EINVAL);
	EXPECT_EQ(zp_put_frame(e.w, 1, 4, bytes, 1), -EOPNOTSUPP);
	EXPECT_EQ(zp_put_frame(e.w, 4, 0, bytes, SIZE_MAX), -EMSGSIZE);
	EXPECT_EQ(zp_put_frame(e.w, 8, 0, bytes, 1 << 20), -EMSGSIZE);
	EXPECT_EQ(zp_position(e.w), 0);
	EXPECT_EQ(zp_put_frame(e.w, 1, 0, bytes, 255), 0);
	/* one byte too long: dropped as a whole */
	ASSERT_EQ(zp_frame_begin(e.w, 1, 0, &frame), 0);
	ASSERT_EQ(zp_write(e.w, bytes, 255), 0);
	EXPECT_EQ(zp_frame_end(e.w, &frame), 0);
	ASSERT_EQ(zp_write(e.w, bytes, 1), 0);
	EXPECT_EQ(zp_frame_end(e.w, &frame), -EMSGSIZE);
	EXPECT_EQ(zp_frame_drop(e.w, &frame), 0);
	EXPECT_EQ(zp_position(e.w), 256);
	EXPECT_EQ(zp_frame_end(e.w, &frame), -EINVAL);
	/* flushed: too late */
	ASSERT_EQ(zp_frame_begin(e.w, 2, 0, &frame), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_write(e.w, bytes, 10), 0);
	EXPECT_EQ(zp_frame_end(e.w, &frame), -EINVAL);
	EXPECT_EQ(zp_frame_drop(e.w, &frame), -EINVAL);
	EXPECT_EQ(zp_position(e.w), 268);
	ends_close(&e);
}

/* Whatever fails in the middle has committed nothing. */
static void full(void)
{
	size_t room;

	for (room = 0; room < 30; room++) {
		struct ends e = ends_open(scattered);
		static char bytes[30];

		ASSERT_EQ(put(e.w, 4 * 4096 - room), 0);
		EXPECT_EQ(zp_put_le(e.w, 8, 1), room < 8 ? -ENOBUFS : 0);
		zp_rollback(e.w, 4 * 4096 - room);
		EXPECT_EQ(zp_put_uint(e.w, UINT64_MAX, 10), room < 20 ? -ENOBUFS : 0);
		zp_rollback(e.w, 4 * 4096 - room);
		EXPECT_EQ(zp_put_varint(e.w, UINT64_MAX), room < 10 ? -ENOBUFS : 0);
		zp_rollback(e.w, 4 * 4096 - room);
		EXPECT_EQ(zp_put_frame(e.w, 2, 0, bytes, 20), room < 22 ? -ENOBUFS : 0);
		EXPECT_EQ(zp_position(e.w), 4 * 4096 - room + (room < 22 ? 0 : 22));
		ends_close(&e);
	}
}

static const struct tap_test tests[] = {
	{ "put.integers_over_a_border", integers },
	{ "put.numbers_in_text_over_a_border", texts },
	{ "printf.in_place", formatted },
	{ "printf.longer_than_a_segment_or_the_pipe", format_long },
	{ "frame.lengths_are_filled_in", frames },
	{ "frame.errors_change_nothing", frame_errors },
	{ "put.into_a_full_pipe_commits_nothing", full },
};

TAP_MAIN(tests)
