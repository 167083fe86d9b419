// SPDX-License-Identifier: MIT
/*
 * t_view - slices, copies, searches at every border
 *
 * A text is cut into spans in every way that fits a table of cuts, and each
 * helper is held against what a plain array would say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "tap.h"
#include "zpipe.h"

static const char text[] = "aababcabcdabcdeabcdef\r\n-\r\r\n";
#define LEN	(sizeof(text) - 1)
#define START	1000U

static struct zp_span spans[LEN + 1];
static char *pieces[LEN + 1];
static uint32_t nr;

/* Bit i of @cuts: a border behind byte i. Pieces are heap blocks of their own. */
static struct zp_view make(uint32_t cuts)
{
	struct zp_view view = { .start = START, .end = START + LEN, .more = spans + 1 };
	size_t from = 0, i;

	nr = 0;
	for (i = 0; i < LEN; i++) {
		if (i + 1 < LEN && !(cuts >> (i % 27) & 1))
			continue;
		pieces[nr] = malloc(i + 1 - from);
		memcpy(pieces[nr], text + from, i + 1 - from);
		spans[nr] = (struct zp_span){ pieces[nr], i + 1 - from };
		nr++;
		from = i + 1;
	}
	view.nr_spans = nr;
	view.first = spans[0];
	view.last = spans[nr - 1].len;
	return view;
}

static void drop(void)
{
	while (nr)
		free(pieces[--nr]);
}

static uint32_t cuts_of(unsigned int i)
{
	static const uint32_t some[] = { 0, ~0U, 0x55555555, 0xaaaaaaaa, 1, 1U << 13, 0x11111111 };

	return i < 7 ? some[i] : (i * 2654435761U) ^ (i << 7);
}

#define EACH_CUT(i) for (i = 0; i < 200; i++)

static bool same(const struct zp_view *view, size_t from, size_t n)
{
	char buf[LEN + 1];
	size_t total = 0, len;
	uint32_t i;

	if (!EXPECT_EQ(zp_view_len(view), n))
		return false;
	for (i = 0; i < view->nr_spans; i++) {
		const void *p = zp_view_span(view, i, &len);

		if (!EXPECT(len > 0) || !EXPECT(total + len <= n) ||
		    !EXPECT(!memcmp(p, text + from + total, len)))
			return false;
		total += len;
	}
	if (!EXPECT_EQ(total, n))
		return false;
	if (n == 0)
		return EXPECT_EQ(view->nr_spans, 0);
	return EXPECT_EQ(zp_view_copy(view, view->start, buf, sizeof(buf)), n) &&
	       EXPECT(!memcmp(buf, text + from, n));
}

static void slices(void)
{
	unsigned int i;

	EACH_CUT(i) {
		struct zp_view view = make(cuts_of(i)), part, again;
		size_t a, b, c;

		for (a = 0; a <= LEN; a++) {
			for (b = a; b <= LEN; b++) {
				ASSERT_EQ(zp_view_slice(&view, START + a, START + b, &part), 0);
				ASSERT(same(&part, a, b - a));
				/* a slice of a slice, in place */
				c = a + (b - a) / 2;
				again = part;
				ASSERT_EQ(zp_view_slice(&again, START + c, START + b, &again), 0);
				ASSERT(same(&again, c, b - c));
				again = part;
				ASSERT_EQ(zp_view_slice(&again, START + a, START + c, &again), 0);
				ASSERT(same(&again, a, c - a));
			}
		}
		drop();
	}
}

static void slice_range(void)
{
	struct zp_view view = make(0x11), out = view;

	EXPECT_EQ(zp_view_slice(&view, START - 1, START, &out), -EINVAL);
	EXPECT_EQ(zp_view_slice(&view, START, START + LEN + 1, &out), -EINVAL);
	EXPECT_EQ(zp_view_slice(&view, START + 2, START + 1, &out), -EINVAL);
	EXPECT_EQ(zp_view_slice(&view, UINT64_MAX, UINT64_MAX, &out), -EINVAL);
	EXPECT(!memcmp(&out, &view, sizeof(out)));
	drop();
}

static void copies(void)
{
	unsigned int i;
	char buf[LEN] = "";

	EACH_CUT(i) {
		struct zp_view view = make(cuts_of(i));
		size_t a, n;

		for (a = 0; a < LEN; a++) {
			for (n = 0; n <= LEN; n++) {
				size_t want = n < LEN - a ? n : LEN - a;

				ASSERT_EQ(zp_view_copy(&view, START + a, buf, n), want);
				ASSERT(!memcmp(buf, text + a, want));
			}
		}
		EXPECT_EQ(zp_view_copy(&view, START + LEN, buf, 1), 0);
		EXPECT_EQ(zp_view_copy(&view, START - 1, buf, 1), 0);
		drop();
	}
}

static void finds(void)
{
	static const char *const needles[] = {
		"a", "ab", "abc", "abcdef", "f", "\r\n", "\n-", "\r\r\n", "zz", "abcdeabcdef", "",
		"aababcabcdabcdeabcdef\r\n-\r\r\n", "aababcabcdabcdeabcdef\r\n-\r\r\nx",
	};
	unsigned int i;
	size_t k, from;

	EACH_CUT(i) {
		struct zp_view view = make(cuts_of(i));

		for (k = 0; k < sizeof(needles) / sizeof(needles[0]); k++) {
			size_t n = strlen(needles[k]);

			for (from = 0; from <= LEN; from++) {
				char *hit = strstr(text + from, needles[k]);
				uint64_t at = 7;
				int ret = zp_view_find(&view, START + from, needles[k], n, &at);

				ASSERT_EQ(ret, hit ? 0 : -ENOENT);
				ASSERT_EQ(at, hit ? START + (uint64_t)(hit - text) : 7);
			}
		}
		drop();
	}
}

static void find_range(void)
{
	struct zp_view view = make(0);
	uint64_t at;

	EXPECT_EQ(zp_view_find(&view, START - 1, "a", 1, &at), -EINVAL);
	EXPECT_EQ(zp_view_find(&view, START + LEN + 1, "a", 1, &at), -EINVAL);
	drop();
}

static void iovs(void)
{
	struct zp_view view = make(~0U);
	struct iovec iov[LEN];

	EXPECT_EQ(zp_view_iov(&view, iov, LEN), LEN);
	EXPECT_EQ(iov[3].iov_len, 1);
	EXPECT_EQ(*(char *)iov[4].iov_base, text[4]);
	EXPECT_EQ(zp_view_iov(&view, iov, 5), 5);
	EXPECT_EQ(zp_view_iov(&view, iov, 0), 0);
	drop();
}

static void data(void)
{
	struct zp_view view = make(0);
	size_t len;

	EXPECT(zp_view_data(&view, &len) == pieces[0]);
	EXPECT_EQ(len, LEN);
	drop();
	view = make(1);
	EXPECT(!zp_view_data(&view, &len));
	drop();
}

static const struct tap_test tests[] = {
	{ "slice.is_the_same_bytes_at_every_cut", slices },
	{ "slice.outside_the_view_einval", slice_range },
	{ "copy.is_the_same_bytes_at_every_cut", copies },
	{ "find.agrees_with_strstr_at_every_cut", finds },
	{ "find.outside_the_view_einval", find_range },
	{ "iov.has_one_entry_per_span", iovs },
	{ "data.is_null_unless_one_span", data },
};

TAP_MAIN(tests)
