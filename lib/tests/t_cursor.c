// SPDX-License-Identifier: MIT
/*
 * t_cursor - places in a view, pieces, delimiters, quotes
 *
 * The same reads over every cut of the same bytes, and over every length of
 * them: what is complete is right, what is not is ZP_MORE and moves nothing.
 */
#include <errno.h>

#include "cuts.h"
#include "tap.h"

#define WAYS	40

static struct zp_view view, out;

static bool unmoved(const struct zp_cursor *c, uint64_t position)
{
	return zp_cursor_position(c) == position && zp_cursor_left(c) == c->view.end - position;
}

static void bytes(void)
{
	static const char text[] = "every byte";
	uint32_t way;
	size_t i;

	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, 10, cuts_some, way);
		struct zp_cursor c;
		unsigned char byte = 0;

		zp_cursor_init(&c, &cut.view);
		for (i = 0; i < 10; i++) {
			ASSERT(unmoved(&c, CUTS_START + i));
			ASSERT_EQ(zp_cursor_peek(&c), text[i]);
			ASSERT(unmoved(&c, CUTS_START + i));
			ASSERT_EQ(zp_cursor_byte(&c, &byte), 0);
			ASSERT_EQ(byte, text[i]);
		}
		ASSERT_EQ(zp_cursor_peek(&c), -1);
		ASSERT_EQ(zp_cursor_byte(&c, &byte), ZP_MORE);
		ASSERT(unmoved(&c, CUTS_START + 10));
		cuts_drop(&cut);
	}
}

static void integers(void)
{
	unsigned char text[24];
	uint32_t way;
	unsigned int size, i;
	uint64_t le, be;
	size_t from;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(0xf1 + 37 * i);
	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, sizeof(text), cuts_some, way);
		struct zp_cursor c, at;

		zp_cursor_init(&c, &cut.view);
		for (from = 0; from <= sizeof(text); from++) {
			for (size = 1; size <= 8; size++) {
				uint64_t low = 0, high = 0;

				ASSERT_EQ(zp_cursor_seek(&c, CUTS_START + from), 0);
				at = c;
				if (from + size > sizeof(text)) {
					ASSERT_EQ(zp_cursor_le(&c, size, &le), ZP_MORE);
					ASSERT_EQ(zp_cursor_be(&c, size, &be), ZP_MORE);
					ASSERT(unmoved(&c, CUTS_START + from));
					continue;
				}
				for (i = 0; i < size; i++) {
					low |= (uint64_t)text[from + i] << (8 * i);
					high = high << 8 | text[from + i];
				}
				ASSERT_EQ(zp_cursor_le(&c, size, &le), 0);
				ASSERT_EQ(zp_cursor_be(&at, size, &be), 0);
				ASSERT(le == low && be == high);
				ASSERT(unmoved(&c, CUTS_START + from + size));
				ASSERT(unmoved(&at, CUTS_START + from + size));
			}
			ASSERT_EQ(zp_cursor_le(&c, 0, &le), -EINVAL);
			ASSERT_EQ(zp_cursor_be(&c, 9, &be), -EINVAL);
		}
		cuts_drop(&cut);
	}
}

static void moves(void)
{
	static const char text[] = "0123456789abcdefghij";
	uint32_t way;
	size_t a, n;

	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, 20, cuts_some, way);
		struct zp_cursor c, at;
		char buf[20];

		zp_cursor_init(&c, &cut.view);
		EXPECT_EQ(zp_cursor_seek(&c, CUTS_START - 1), -EINVAL);
		EXPECT_EQ(zp_cursor_seek(&c, CUTS_START + 21), -EINVAL);
		for (a = 0; a <= 20; a++) {
			for (n = 0; n <= 21; n++) {
				int wanted = a + n <= 20 ? 0 : ZP_MORE;

				/* back and forth */
				ASSERT_EQ(zp_cursor_seek(&c, CUTS_START + a), 0);
				ASSERT(unmoved(&c, CUTS_START + a));
				zp_cursor_rest(&c, &out);
				ASSERT(cuts_same(&out, text + a, 20 - a));
				at = c;
				ASSERT_EQ(zp_cursor_take(&at, n, &out), wanted);
				ASSERT(wanted || cuts_same(&out, text + a, n));
				ASSERT(unmoved(&at, CUTS_START + a + (wanted ? 0 : n)));
				at = c;
				ASSERT_EQ(zp_cursor_skip(&at, n), wanted);
				ASSERT(unmoved(&at, CUTS_START + a + (wanted ? 0 : n)));
				ASSERT_EQ(zp_cursor_copy(&c, buf, n), wanted);
				ASSERT(wanted || !memcmp(buf, text + a, n));
				ASSERT(unmoved(&c, CUTS_START + a + (wanted ? 0 : n)));
			}
		}
		EXPECT_EQ(zp_cursor_skip(&c, UINT64_MAX), ZP_MORE);
		cuts_drop(&cut);
	}
}

static void delimited(void)
{
	static const char text[] = ",a,bc--def,--,\r\nx\ry\r\r\n\n";
	static const char *const wanted[] = { "", "x\ry\r", "" };
	size_t len = sizeof(text) - 1, i;
	uint32_t way;

	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, len, cuts_some, way);
		struct zp_search search = { 0 };
		struct zp_cursor c;

		for (i = 0; i < 2; i++) {
			struct zp_search *state = i ? &search : NULL;

			zp_cursor_init(&c, &cut.view);
			ASSERT_EQ(zp_cursor_until(&c, ",", 1, state, &out), 0);
			ASSERT(cuts_same(&out, "", 0));
			ASSERT_EQ(zp_cursor_until(&c, ",", 1, state, &out), 0);
			ASSERT(cuts_same(&out, "a", 1));
			ASSERT_EQ(zp_cursor_until(&c, "--", 2, state, &out), 0);
			ASSERT(cuts_same(&out, "bc", 2));
			ASSERT_EQ(zp_cursor_until(&c, ",--,", 4, state, &out), 0);
			ASSERT(cuts_same(&out, "def", 3));
			ASSERT_EQ(zp_cursor_until(&c, "?", 1, state, &out), ZP_MORE);
			ASSERT(unmoved(&c, CUTS_START + 14));
			search.searched = 0;
			ASSERT_EQ(zp_cursor_until(&c, "", 0, state, &out), -EINVAL);
		}
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(zp_cursor_line(&c, &search, &out), 0);
			ASSERT(cuts_same(&out, wanted[i], strlen(wanted[i])));
		}
		ASSERT_EQ(zp_cursor_line(&c, NULL, &out), ZP_MORE);
		ASSERT(unmoved(&c, CUTS_START + len));
		ASSERT_EQ(zp_cursor_seek(&c, CUTS_START + 3), 0);
		search = (struct zp_search){ .max = 6 };
		ASSERT_EQ(zp_cursor_until(&c, ",", 1, &search, &out), -EMSGSIZE);
		search.max = 7;
		ASSERT_EQ(zp_cursor_until(&c, ",", 1, &search, &out), 0);
		cuts_drop(&cut);
	}
}

static void quoted(void)
{
	static const struct {
		const char *text, *inside;
		size_t escapes;
	} good[] = {
		{ "\"\"", "", 0 },
		{ "\"abc\"", "abc", 0 },
		{ "'a\"c'", "a\"c", 0 },
		{ "`a`", "a", 0 },
		{ "\"\\\\\"", "\\\\", 1 },
		{ "\"a\\\"b\\\\\\\"c\"", "a\\\"b\\\\\\\"c", 3 },
	};
	uint32_t way;
	size_t k, n, inside;

	for (way = 0; way < WAYS; way++) {
		for (k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
			size_t len = strlen(good[k].text);
			struct cuts cut = cuts_make(good[k].text, len, cuts_some, way);
			struct zp_search search = { 0 };
			struct zp_cursor c;
			uint64_t escapes = 99;

			inside = strlen(good[k].inside);
			/* as it arrives, with and without the state */
			for (n = 0; n <= len; n++) {
				int ret = n < len ? ZP_MORE : 0;

				zp_view_peek(&cut.view, n, &view);
				zp_cursor_init(&c, &view);
				ASSERT_EQ(zp_cursor_quoted(&c, NULL, &out, &escapes), ret);
				ASSERT(unmoved(&c, CUTS_START + (ret ? 0 : len)));
				zp_cursor_init(&c, &view);
				ASSERT_EQ(zp_cursor_quoted(&c, &search, &out, &escapes), ret);
				ASSERT(unmoved(&c, CUTS_START + (ret ? 0 : len)));
			}
			ASSERT(cuts_same(&out, good[k].inside, inside));
			ASSERT_EQ(escapes, good[k].escapes);
			/* the limit is exact */
			if (inside) {
				zp_cursor_init(&c, &view);
				search = (struct zp_search){ .max = inside };
				ASSERT_EQ(zp_cursor_quoted(&c, &search, &out, &escapes), 0);
			}
			if (inside > 1) {
				zp_cursor_init(&c, &view);
				search = (struct zp_search){ .max = inside - 1 };
				ASSERT_EQ(zp_cursor_quoted(&c, &search, &out, &escapes),
					  -EMSGSIZE);
				ASSERT(unmoved(&c, CUTS_START));
			}
			cuts_drop(&cut);
		}
	}
	view = zp_view_of("abc", 3);
	{
		struct zp_cursor c;
		uint64_t escapes;

		zp_cursor_init(&c, &view);
		EXPECT_EQ(zp_cursor_quoted(&c, NULL, &out, &escapes), -EBADMSG);
		EXPECT(unmoved(&c, 0));
	}
}

static void matches(void)
{
	static const char text[] = "  \t\n word";
	uint32_t way;

	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, 9, cuts_some, way);
		struct zp_cursor c;

		zp_cursor_init(&c, &cut.view);
		ASSERT_EQ(zp_cursor_skip_any(&c, " ", 1), 2);
		ASSERT_EQ(zp_cursor_skip_any(&c, "abc", 3), 0);
		ASSERT_EQ(zp_cursor_skip_any(&c, NULL, 0), 3);
		ASSERT_EQ(zp_cursor_match(&c, "wore", 4), -EBADMSG);
		ASSERT_EQ(zp_cursor_match(&c, "words", 5), ZP_MORE);
		ASSERT_EQ(zp_cursor_match(&c, "wards", 5), -EBADMSG);
		ASSERT(unmoved(&c, CUTS_START + 5));
		ASSERT_EQ(zp_cursor_match(&c, "", 0), 0);
		ASSERT_EQ(zp_cursor_match(&c, "wo", 2), 0);
		ASSERT_EQ(zp_cursor_match(&c, "rd", 2), 0);
		ASSERT_EQ(zp_cursor_match(&c, "s", 1), ZP_MORE);
		ASSERT_EQ(zp_cursor_skip_any(&c, NULL, 0), 0);
		ASSERT(unmoved(&c, CUTS_START + 9));
		cuts_drop(&cut);
	}
}

static void nothing(void)
{
	struct zp_cursor c;
	uint64_t value;
	int64_t number;
	double fraction;

	zp_cursor_init_memory(&c, NULL, 0);
	EXPECT_EQ(zp_cursor_left(&c), 0);
	EXPECT_EQ(zp_cursor_peek(&c), -1);
	EXPECT_EQ(zp_cursor_le(&c, 4, &value), ZP_MORE);
	EXPECT_EQ(zp_cursor_varint(&c, &value), ZP_MORE);
	EXPECT_EQ(zp_cursor_uint(&c, &value), ZP_MORE);
	EXPECT_EQ(zp_cursor_int(&c, &number), ZP_MORE);
	EXPECT_EQ(zp_cursor_float(&c, &fraction), ZP_MORE);
	EXPECT_EQ(zp_cursor_line(&c, NULL, &out), ZP_MORE);
	EXPECT_EQ(zp_cursor_take(&c, 1, &out), ZP_MORE);
	EXPECT_EQ(zp_cursor_take(&c, 0, &out), 0);
	EXPECT_EQ(zp_cursor_seek(&c, 0), 0);
	EXPECT_EQ(zp_cursor_skip_any(&c, NULL, 0), 0);
	zp_cursor_final(&c);
	EXPECT_EQ(zp_cursor_uint(&c, &value), -EBADMSG);
	EXPECT_EQ(zp_cursor_float(&c, &fraction), -EBADMSG);
}

static const struct tap_test tests[] = {
	{ "cursor.byte_by_byte", bytes },
	{ "cursor.integers_of_both_orders_at_every_place", integers },
	{ "cursor.seek_take_skip_copy_at_every_place", moves },
	{ "cursor.until_and_line", delimited },
	{ "cursor.quoted_as_it_arrives", quoted },
	{ "cursor.match_and_skip", matches },
	{ "cursor.over_nothing", nothing },
};

TAP_MAIN(tests)
