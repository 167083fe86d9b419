// SPDX-License-Identifier: MIT
/*
 * view - slices, copies and searches over spans
 *
 * Pure: a view and the memory it shows are all these look at, through a cursor
 * that knows its span and the bytes left in it. Right across any number of
 * borders, one-byte spans included.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "internal.h"

/* A place in a view: @left bytes from @data on are in span @span. */
struct cursor {
	const struct zp_view *view;
	const unsigned char *data;
	size_t left;
	uint32_t span;
};

static void cursor_load(struct cursor *c)
{
	c->left = 0;
	if (c->span < c->view->nr_spans)
		c->data = zp_view_span(c->view, c->span, &c->left);
}

/* To @skip bytes behind the start of the view, which is within it. */
static void cursor_init(struct cursor *c, const struct zp_view *view, uint64_t skip)
{
	c->view = view;
	c->data = (const unsigned char *)"";
	c->span = 0;
	cursor_load(c);
	while (skip && skip >= c->left && c->span < view->nr_spans) {
		skip -= c->left;
		c->span++;
		cursor_load(c);
	}
	if (skip) {
		c->data += skip;
		c->left -= (size_t)skip;
	}
}

/* Move by at most what is left in the span, into the next one if need be. */
static void cursor_move(struct cursor *c, size_t n)
{
	c->data += n;
	c->left -= n;
	if (!c->left) {
		c->span++;
		cursor_load(c);
	}
}

static bool cursor_matches(struct cursor c, const unsigned char *bytes, size_t n)
{
	while (n) {
		size_t chunk = ZP_MIN(n, c.left);

		if (!chunk || memcmp(c.data, bytes, chunk) != 0)
			return false;
		bytes += chunk;
		n -= chunk;
		cursor_move(&c, chunk);
	}
	return true;
}

/*
 * Spans of the kernel, checked by the caller, from @data on. @view's start, end
 * and flags are the caller's; @spans has room for @nr.
 */
int zp_view_fill(struct zp_view *view, struct zp_span *spans, const struct zpipe_span *from,
		 uint32_t nr, unsigned char *data)
{
	uint64_t length = 0;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		spans[i].data = data + from[i].offset;
		spans[i].len = (size_t)from[i].length;
		length += from[i].length;
	}
	if (!nr || length != view->end - view->start)
		return -EPROTO;
	view->nr_spans = nr;
	view->first = spans[0];
	view->more = spans + 1;
	view->last = spans[nr - 1].len;
	return 0;
}

int zp_view_slice(const struct zp_view *view, uint64_t start, uint64_t end, struct zp_view *out)
{
	struct zp_view slice = *view;
	struct cursor first, last;

	if (start < view->start || end < start || end > view->end)
		return -EINVAL;
	slice.start = start;
	slice.end = end;
	if (start == end) {
		slice.nr_spans = 0;
		slice.first.len = 0;
		*out = slice;
		return 0;
	}

	cursor_init(&first, view, start - view->start);
	/* of the last byte, so that an end at a border is the span before it */
	cursor_init(&last, view, end - 1 - view->start);
	slice.nr_spans = last.span - first.span + 1;
	slice.first.data = (unsigned char *)(uintptr_t)first.data;
	slice.first.len = first.left;
	if (slice.nr_spans == 1) {
		slice.first.len = (size_t)(end - start);
	} else {
		size_t len;

		slice.more = view->more + first.span;
		zp_view_span(view, last.span, &len);
		slice.last = len - last.left + 1;
	}
	*out = slice;
	return 0;
}

/* By all threads. */
static uint64_t view_copied;

size_t zp_view_copy(const struct zp_view *view, uint64_t position, void *buf, size_t n)
{
	unsigned char *to = buf;
	size_t copied = 0;
	struct cursor c;

	if (position < view->start || position >= view->end)
		return 0;
	cursor_init(&c, view, position - view->start);
	while (copied < n && c.left) {
		size_t chunk = ZP_MIN(n - copied, c.left);

		memcpy(to + copied, c.data, chunk);
		copied += chunk;
		cursor_move(&c, chunk);
	}
	__atomic_fetch_add(&view_copied, copied, __ATOMIC_RELAXED);
	ZP_PROBE2(view_copy, position, copied);
	return copied;
}

uint64_t zp_view_copied(void)
{
	return __atomic_load_n(&view_copied, __ATOMIC_RELAXED);
}

int zp_view_find(const struct zp_view *view, uint64_t from, const void *needle, size_t n,
		 uint64_t *position)
{
	const unsigned char *bytes = needle;
	struct cursor c;

	if (from < view->start || from > view->end)
		return -EINVAL;
	if (!n) {
		*position = from;
		return 0;
	}
	if (from == view->end)
		return -ENOENT;

	cursor_init(&c, view, from - view->start);
	while (c.left && view->end - from >= n) {
		const unsigned char *hit = memchr(c.data, bytes[0], c.left);
		size_t step = hit ? (size_t)(hit - c.data) : c.left;

		from += step;
		cursor_move(&c, step);
		if (!hit)
			continue;
		if (view->end - from >= n && cursor_matches(c, bytes, n)) {
			*position = from;
			return 0;
		}
		from++;
		cursor_move(&c, 1);
	}
	return -ENOENT;
}

int zp_view_iov(const struct zp_view *view, struct iovec *iov, int nr)
{
	uint32_t i;

	for (i = 0; i < view->nr_spans && (int)i < nr; i++) {
		const void *data = zp_view_span(view, i, &iov[i].iov_len);

		iov[i].iov_base = (void *)(uintptr_t)data;
	}
	return (int)i;
}
