// SPDX-License-Identifier: MIT
/*
 * t_take - pieces off the front of a view, comparison, merging, flattening
 *
 * Every helper is held against what it should do with a plain array, for spans
 * cut in many ways, one-byte spans included.
 */
#include <errno.h>

#include "cuts.h"
#include "tap.h"

static const char text[] = "aab\r\nabc\n\nabcd\r\r\nabcde\rf\r\n  tail";
#define LEN	(sizeof(text) - 1)
#define WAYS	60

static struct zp_view view, out, other;

static void takes(void)
{
	uint32_t way;
	size_t a, n;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		for (a = 0; a <= LEN; a++) {
			for (n = 0; n <= LEN + 2; n++) {
				size_t got = n < LEN - a ? n : LEN - a;

				view = c.view;
				ASSERT_EQ(zp_view_skip(&view, a), a);
				ASSERT(cuts_same(&view, text + a, LEN - a));
				ASSERT_EQ(view.start, CUTS_START + a);
				ASSERT_EQ(zp_view_peek(&view, n, &out), got);
				ASSERT(cuts_same(&out, text + a, got));
				ASSERT(cuts_same(&view, text + a, LEN - a));
				ASSERT_EQ(zp_view_take(&view, n, &out), got);
				ASSERT(cuts_same(&out, text + a, got));
				ASSERT(cuts_same(&view, text + a + got, LEN - a - got));
				ASSERT_EQ(out.end, view.start);
			}
		}
		view = c.view;
		EXPECT_EQ(zp_view_take(&view, ZP_ALL, &out), LEN);
		EXPECT_EQ(zp_view_len(&view), 0);
		EXPECT_EQ(zp_view_take(&view, ZP_ALL, &out), 0);
		EXPECT_EQ(zp_view_skip(&view, 1), 0);
		EXPECT_EQ(view.nr_spans, 0);
		cuts_drop(&c);
	}
}

static void untils(void)
{
	static const char *const needles[] = { "\n", "\r\n", "abcd", "\r\r\n", "f\r\n  t", "x", "l" };
	uint32_t way;
	size_t k, a;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		for (k = 0; k < sizeof(needles) / sizeof(needles[0]); k++) {
			size_t n = strlen(needles[k]);

			for (a = 0; a <= LEN; a++) {
				const char *hit = strstr(text + a, needles[k]);
				size_t len = hit ? (size_t)(hit - text) - a : 0;

				view = c.view;
				zp_view_skip(&view, a);
				other = view;
				if (!hit) {
					ASSERT_EQ(zp_view_take_until(&view, needles[k], n, 0, NULL,
								     &out), ZP_MORE);
					ASSERT(!memcmp(&view, &other, sizeof(view)));
					continue;
				}
				ASSERT_EQ(zp_view_take_until(&view, needles[k], n, 0, NULL, &out), 0);
				ASSERT(cuts_same(&out, text + a, len));
				ASSERT(cuts_same(&view, hit + n, LEN - a - len - n));
				ASSERT_EQ(zp_view_take_until(&other, needles[k], n, ZP_INCLUDE, NULL,
							     &out), 0);
				ASSERT(cuts_same(&out, text + a, len + n));
				ASSERT(cuts_same(&other, hit + n, LEN - a - len - n));
			}
		}
		cuts_drop(&c);
	}
}

static void until_limit(void)
{
	/* what is in front of "\r\r\n" at 14 */
	struct zp_search search = { 0 };
	uint32_t way;
	uint64_t max, len;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		for (max = 1; max < 20; max++) {
			for (len = 0; len <= LEN; len++) {
				int wanted = len >= 17 && max >= 14 ? 0 :
					     len >= max + 3 ? -EMSGSIZE : ZP_MORE;

				zp_view_peek(&c.view, len, &view);
				search = (struct zp_search){ .max = max };
				ASSERT_EQ(zp_view_take_until(&view, "\r\r\n", 3, 0, &search, &out),
					  wanted);
				if (wanted)
					ASSERT_EQ(zp_view_len(&view), len);
			}
		}
		cuts_drop(&c);
	}
}

/* Bytes arrive one by one; the search must not look at any twice. */
static void until_resumes(void)
{
	struct cuts c = cuts_make(text, LEN, cuts_some, 1);
	struct zp_search search = { 0 };
	size_t n;

	for (n = 0; n < 16; n++) {
		zp_view_peek(&c.view, n, &view);
		ASSERT_EQ(zp_view_take_until(&view, "\r\r\n", 3, 0, &search, &out), ZP_MORE);
		ASSERT_EQ(search.searched, n < 3 ? 0 : CUTS_START + n - 2);
	}
	/* it does not look back: what was put there meanwhile is not found */
	((char *)c.spans[2].data)[0] = '\r';
	((char *)c.spans[3].data)[0] = '\r';
	((char *)c.spans[4].data)[0] = '\n';
	view = c.view;
	ASSERT_EQ(zp_view_take_until(&view, "\r\r\n", 3, 0, &search, &out), 0);
	EXPECT_EQ(zp_view_len(&out), 14);
	EXPECT_EQ(search.searched, 0);
	/* a state from somewhere else is no harm */
	search.searched = UINT64_MAX;
	view = c.view;
	ASSERT_EQ(zp_view_take_until(&view, "\r\r\n", 3, 0, &search, &out), 0);
	EXPECT_EQ(zp_view_len(&out), 2);
	cuts_drop(&c);
}

static void until_bad(void)
{
	struct cuts c = cuts_make(text, LEN, cuts_some, 3);

	view = c.view;
	EXPECT_EQ(zp_view_take_until(&view, "", 0, 0, NULL, &out), -EINVAL);
	EXPECT_EQ(zp_view_take_until(&view, "a", 1, 2, NULL, &out), -EOPNOTSUPP);
	EXPECT(!memcmp(&view, &c.view, sizeof(view)));
	/* a needle longer than the view, up to the longest */
	EXPECT_EQ(zp_view_take_until(&view, text, LEN + 1, 0, NULL, &out), ZP_MORE);
	EXPECT_EQ(zp_view_take_until(&view, text, SIZE_MAX, 0, NULL, &out), ZP_MORE);
	EXPECT_EQ(zp_view_split(&view, "", 0, &out, 1), -EINVAL);
	EXPECT_EQ(zp_view_split(&view, "a", 1, &out, 0), -EINVAL);
	EXPECT_EQ(zp_view_split(&view, "a", 1, &out, -1), -EINVAL);
	EXPECT_EQ(zp_view_strip(&view, NULL, 0, 4), -EOPNOTSUPP);
	EXPECT(!memcmp(&view, &c.view, sizeof(view)));
	cuts_drop(&c);
}

static void lines(void)
{
	static const char *const wanted[] = { "aab", "abc", "", "abcd\r", "abcde\rf" };
	uint32_t way;
	size_t i;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);
		struct zp_search search = { 0 };

		view = c.view;
		for (i = 0; i < 5; i++) {
			ASSERT_EQ(zp_view_take_line(&view, &search, &out), 0);
			ASSERT(cuts_same(&out, wanted[i], strlen(wanted[i])));
		}
		ASSERT_EQ(zp_view_take_line(&view, &search, &out), ZP_MORE);
		ASSERT(cuts_same(&view, "  tail", 6));
		cuts_drop(&c);
	}
}

static void prefixes(void)
{
	uint32_t way;
	size_t n, len;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		for (n = 0; n <= LEN; n++) {
			char prefix[LEN + 1];

			memcpy(prefix, text, LEN);
			for (len = 0; len <= LEN; len++) {
				zp_view_peek(&c.view, len, &view);
				ASSERT_EQ(zp_view_skip_prefix(&view, prefix, n), len < n ? ZP_MORE : 0);
				ASSERT_EQ(zp_view_len(&view), len < n ? len : len - n);
				if (!n)
					continue;
				/* the last byte is another: seen as soon as it is there */
				prefix[n - 1] ^= 1;
				zp_view_peek(&c.view, len, &view);
				ASSERT_EQ(zp_view_skip_prefix(&view, prefix, n),
					  len < n ? ZP_MORE : -ENOENT);
				ASSERT_EQ(zp_view_len(&view), len);
				prefix[n - 1] ^= 1;
			}
		}
		cuts_drop(&c);
	}
}

static void compares(void)
{
	uint32_t way;
	size_t n;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);
		struct cuts d = cuts_make(text, LEN, cuts_some, way * 31 + 5);

		ASSERT_EQ(zp_view_compare(&c.view, &d.view), 0);
		ASSERT(zp_view_equal(&c.view, &d.view));
		for (n = 0; n < LEN; n++) {
			out = zp_view_of(text, n);
			ASSERT(zp_view_compare(&c.view, &out) > 0);
			ASSERT(zp_view_compare(&out, &c.view) < 0);
			ASSERT(!zp_view_equal(&c.view, &out));
			zp_view_peek(&d.view, n, &view);
			ASSERT(zp_view_equal(&view, &out));
		}
		/* as unsigned bytes */
		((unsigned char *)d.spans[d.nr - 1].data)[d.view.last - 1] = 0xff;
		ASSERT(zp_view_compare(&c.view, &d.view) < 0);
		ASSERT(!zp_view_equal(&c.view, &d.view));
		cuts_drop(&d);
		cuts_drop(&c);
	}
	view = zp_view_of("", 0);
	EXPECT(zp_view_equal(&view, &view));
}

static void splits(void)
{
	static const char *const pieces[] = { "aab\r", "abc", "", "abcd\r\r", "abcde\rf\r", "  tail" };
	struct zp_view items[8];
	uint32_t way;
	int nr, i;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		for (nr = 1; nr <= 8; nr++) {
			int got = zp_view_split(&c.view, "\n", 1, items, nr);

			ASSERT_EQ(got, nr < 6 ? nr : 6);
			for (i = 0; i < got - (nr < 6); i++)
				ASSERT(cuts_same(&items[i], pieces[i], strlen(pieces[i])));
			ASSERT_EQ(items[got - 1].end, c.view.end);
		}
		cuts_drop(&c);
	}
	view = zp_view_of("", 0);
	EXPECT_EQ(zp_view_split(&view, ",", 1, items, 8), 0);
	view = zp_view_of(",", 1);
	EXPECT_EQ(zp_view_split(&view, ",", 1, items, 8), 2);
	EXPECT_EQ(zp_view_len(&items[0]) + zp_view_len(&items[1]), 0);
}

static void strips(void)
{
	static const char padded[] = "  \t\r\n in side \n\n  ";
	size_t len = sizeof(padded) - 1;
	uint32_t way;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(padded, len, cuts_some, way);

		view = c.view;
		ASSERT_EQ(zp_view_strip(&view, NULL, 0, 0), 0);
		ASSERT(cuts_same(&view, "in side", 7));
		ASSERT_EQ(view.start, CUTS_START + 6);
		view = c.view;
		ASSERT_EQ(zp_view_strip(&view, " ", 1, ZP_STRIP_START), 0);
		ASSERT(cuts_same(&view, padded + 2, len - 2));
		view = c.view;
		ASSERT_EQ(zp_view_strip(&view, " \n", 2, ZP_STRIP_END), 0);
		ASSERT(cuts_same(&view, padded, len - 5));
		view = c.view;
		ASSERT_EQ(zp_view_strip(&view, padded, len, 0), 0);
		ASSERT_EQ(zp_view_len(&view) + view.nr_spans, 0);
		ASSERT_EQ(zp_view_strip(&view, NULL, 0, 0), 0);
		view = c.view;
		ASSERT_EQ(zp_view_strip(&view, "", 0, 0), 0);
		ASSERT(cuts_same(&view, padded, len));
		cuts_drop(&c);
	}
}

static void merges(void)
{
	static const char twice[] = "one, two, threeone, two, three";
	struct zp_span spans[64];
	struct zp_view parts[3];
	uint32_t way;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(twice, 15, cuts_some, way);

		parts[0] = c.view;
		zp_view_peek(&c.view, 0, &parts[1]);
		parts[2] = c.view;
		parts[2].flags = ZP_COMPLETED;
		ASSERT_EQ(zp_view_merge(parts, 3, spans, 2 * c.nr, &out), 0);
		ASSERT(cuts_same(&out, twice, 30));
		EXPECT_EQ(out.start, CUTS_START);
		EXPECT_EQ(out.flags, ZP_COMPLETED);
		other = out;
		ASSERT_EQ(zp_view_merge(parts, 3, spans, 2 * c.nr - 1, &other), -EMSGSIZE);
		ASSERT(!memcmp(&out, &other, sizeof(out)));
		cuts_drop(&c);
	}
	/* what lies together is one piece */
	view = zp_view_of(twice, 30);
	zp_view_take(&view, 15, &parts[0]);
	parts[1] = view;
	ASSERT_EQ(zp_view_merge(parts, 2, spans, 1, &out), 0);
	EXPECT_EQ(out.nr_spans, 1);
	EXPECT(cuts_same(&out, twice, 30));
	ASSERT_EQ(zp_view_merge(parts, 0, spans, 0, &out), 0);
	EXPECT_EQ(zp_view_len(&out) + out.nr_spans, 0);
	parts[0].start = 0;
	parts[0].end = UINT64_MAX;
	EXPECT_EQ(zp_view_merge(parts, 2, spans, 64, &out), -EINVAL);
}

static void flattens(void)
{
	struct zp_scratch scratch = { 0 };
	uint64_t copies = 0;
	void *memory = NULL;
	uint32_t way;
	size_t len;

	for (way = 0; way < WAYS; way++) {
		struct cuts c = cuts_make(text, LEN, cuts_some, way);

		view = c.view;
		ASSERT_EQ(zp_view_flatten(&view, &scratch), 0);
		ASSERT(zp_view_data(&view, &len));
		ASSERT(cuts_same(&view, text, LEN));
		ASSERT_EQ(view.start, CUTS_START);
		copies += c.nr > 1;
		ASSERT_EQ(scratch.copies, copies);
		ASSERT_EQ(scratch.copied, copies * LEN);
		/* and again: free, in place */
		ASSERT_EQ(zp_view_flatten(&view, &scratch), 0);
		ASSERT_EQ(scratch.copies, copies);
		ASSERT(c.nr > 1 ? view.first.data == scratch.data : view.first.data == c.spans[0].data);
		/* no second allocation */
		ASSERT(!memory || memory == scratch.data);
		memory = scratch.data;
		cuts_drop(&c);
	}
	zp_scratch_free(&scratch);
	zp_scratch_free(&scratch);
	view = zp_view_of("", 0);
	EXPECT_EQ(zp_view_flatten(&view, &scratch), 0);
	EXPECT_EQ(scratch.copies, copies);
}

/* Needles that begin everywhere, in spans shorter and longer than they are. */
static void finds(void)
{
	static char bytes[3000];
	unsigned int seed = 11, round;
	size_t i;

	for (round = 0; round < 400; round++) {
		size_t len = 1 + (size_t)rand_r(&seed) % (round % 2 ? 60 : sizeof(bytes));
		size_t n = 1 + (size_t)rand_r(&seed) % (round % 3 ? 6 : 40);
		char needle[40];
		struct cuts c;
		uint64_t from, at;

		for (i = 0; i < len; i++)
			bytes[i] = (char)('a' + rand_r(&seed) % 2);
		for (i = 0; i < n; i++)
			needle[i] = (char)('a' + rand_r(&seed) % 2);
		if (n < len && round % 4 == 0)
			memcpy(bytes + (size_t)rand_r(&seed) % (len - n), needle, n);
		c = cuts_make(bytes, len, cuts_some, (uint32_t)rand_r(&seed) % 500);
		for (from = 0; from <= len; from++) {
			const char *hit = memmem(bytes + from, len - from, needle, n);
			int ret = zp_view_find(&c.view, CUTS_START + from, needle, n, &at);

			if (!EXPECT_EQ(ret, hit ? 0 : -ENOENT) ||
			    !EXPECT(!hit || at == CUTS_START + (uint64_t)(hit - bytes)))
				break;
		}
		cuts_drop(&c);
	}
}

static const struct tap_test tests[] = {
	{ "take.skip_and_peek_at_every_place", takes },
	{ "take_until.agrees_with_strstr", untils },
	{ "take_until.limit_is_exact", until_limit },
	{ "take_until.resumes_where_it_stopped", until_resumes },
	{ "take_until.bad_arguments_change_nothing", until_bad },
	{ "take_line.lf_and_crlf_at_every_border", lines },
	{ "skip_prefix.tells_short_from_different", prefixes },
	{ "compare.ignores_borders", compares },
	{ "split.one_more_than_delimiters", splits },
	{ "strip.either_end", strips },
	{ "merge.copies_nothing", merges },
	{ "flatten.one_counted_copy_or_none", flattens },
	{ "find.agrees_with_memmem_in_random_spans", finds },
};

TAP_MAIN(tests)
