// SPDX-License-Identifier: MIT
/*
 * view - slices, copies and searches over spans
 *
 * Pure: a view and the memory it shows are all these look at, through a cursor
 * that knows its span and the bytes left in it. Right across any number of
 * borders, one-byte spans included.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
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
	if (end == view->end) {
		last.span = view->nr_spans - 1;
		last.left = 1;
	} else {
		cursor_init(&last, view, end - 1 - view->start);
	}
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

/*
 * Of the next @border bytes, all in one span, is one the first of @n that match?
 * Moves there, or behind them.
 */
static bool find_at_border(struct cursor *c, const unsigned char *bytes, size_t n, size_t border,
			   uint64_t *from)
{
	while (border) {
		const unsigned char *hit = memchr(c->data, bytes[0], border);
		size_t step = hit ? (size_t)(hit - c->data) : border;

		*from += step;
		border -= step;
		cursor_move(c, step);
		if (!hit)
			break;
		if (cursor_matches(*c, bytes, n))
			return true;
		++*from;
		border--;
		cursor_move(c, 1);
	}
	return false;
}

uint64_t zp_view_copied(void)
{
	return __atomic_load_n(&view_copied, __ATOMIC_RELAXED);
}

/* One byte has no border to lie across. Moves there, or to the end. */
static bool find_byte(struct cursor *c, unsigned char byte, uint64_t *from)
{
	while (c->left) {
		const unsigned char *hit = memchr(c->data, byte, c->left);

		if (hit) {
			*from += (uint64_t)(hit - c->data);
			c->left -= (size_t)(hit - c->data);
			c->data = hit;
			return true;
		}
		*from += c->left;
		c->span++;
		cursor_load(c);
	}
	return false;
}

/* n bytes, more than one. Moves there, or somewhere. */
static bool find_bytes(struct cursor *c, const unsigned char *bytes, size_t n, uint64_t end,
		       uint64_t *from)
{
	while (c->left && end - *from >= n) {
		/* inside the span at the speed of libc, then where it may cross its end */
		if (c->left >= n) {
			const unsigned char *hit = memmem(c->data, c->left, bytes, n);
			size_t step = hit ? (size_t)(hit - c->data) : c->left - (n - 1);

			*from += step;
			cursor_move(c, step);
			if (hit)
				return true;
		}
		if (find_at_border(c, bytes, n, c->left, from))
			return true;
	}
	return false;
}

int zp_view_locate(const struct zp_view *view, uint64_t from, const void *needle, size_t n,
		   struct zp_place *place)
{
	const unsigned char *bytes = needle;
	struct cursor c;
	bool found;
	size_t len;

	if (view->end - from < n)
		return -ENOENT;
	cursor_init(&c, view, from - view->start);
	found = n == 1 ? find_byte(&c, *bytes, &from) : find_bytes(&c, bytes, n, view->end, &from);
	if (!found)
		return -ENOENT;
	zp_view_span(view, c.span, &len);
	place->position = from;
	place->span = c.span;
	place->offset = len - c.left;
	return 0;
}

/* @place has a byte of the view: @back is never empty. */
void zp_view_divide(const struct zp_view *view, const struct zp_place *place,
		    struct zp_view *front, struct zp_view *back)
{
	const struct zp_view whole = *view;
	size_t len, before = place->offset;
	const unsigned char *data = zp_view_span(&whole, place->span, &len);

	*back = whole;
	back->start = place->position;
	back->nr_spans = whole.nr_spans - place->span;
	back->first.data = (unsigned char *)(uintptr_t)data + place->offset;
	back->first.len = len - place->offset;
	if (whole.more)
		back->more = whole.more + place->span;

	*front = whole;
	front->end = place->position;
	front->nr_spans = place->span + (place->offset > 0);
	/* at a border: the span before it, all of it */
	if (!before && place->span)
		zp_view_span(&whole, place->span - 1, &before);
	if (front->nr_spans > 1)
		front->last = before;
	else
		front->first.len = before;
}

int zp_view_find(const struct zp_view *view, uint64_t from, const void *needle, size_t n,
		 uint64_t *position)
{
	struct zp_place place;
	int ret;

	if (from < view->start || from > view->end)
		return -EINVAL;
	if (!n) {
		*position = from;
		return 0;
	}
	ret = zp_view_locate(view, from, needle, n, &place);
	if (!ret)
		*position = place.position;
	return ret;
}

int zp_view_compare(const struct zp_view *a, const struct zp_view *b)
{
	struct cursor x, y;

	cursor_init(&x, a, 0);
	cursor_init(&y, b, 0);
	while (x.left && y.left) {
		size_t chunk = ZP_MIN(x.left, y.left);
		int ret = memcmp(x.data, y.data, chunk);

		if (ret)
			return ret;
		cursor_move(&x, chunk);
		cursor_move(&y, chunk);
	}
	return (x.left > 0) - (y.left > 0);
}

/* Does @data follow the span in memory? */
static bool follows(const struct zp_span *span, const void *data)
{
	return (const unsigned char *)span->data + span->len == (const unsigned char *)data;
}

int zp_view_merge(const struct zp_view *views, size_t nr, struct zp_span *spans, size_t room,
		  struct zp_view *out)
{
	struct zp_view merged = { .start = nr ? views[0].start : 0 };
	uint32_t used = 0;
	size_t i;

	merged.end = merged.start;
	for (i = 0; i < nr; i++) {
		uint32_t k;

		if (zp_view_len(&views[i]) > UINT64_MAX - merged.end)
			return -EINVAL;
		merged.end += zp_view_len(&views[i]);
		for (k = 0; k < views[i].nr_spans; k++) {
			size_t len;
			const void *data = zp_view_span(&views[i], k, &len);

			if (used && follows(&spans[used - 1], data)) {
				spans[used - 1].len += len;
				continue;
			}
			if (used == room || used == UINT32_MAX)
				return -EMSGSIZE;
			spans[used].data = (void *)(uintptr_t)data;
			spans[used++].len = len;
		}
	}
	merged.nr_spans = used;
	if (nr)
		merged.flags = views[nr - 1].flags;
	if (used) {
		merged.first = spans[0];
		merged.more = spans + 1;
		merged.last = spans[used - 1].len;
	}
	*out = merged;
	return 0;
}

int zp_view_flatten(struct zp_view *view, struct zp_scratch *scratch)
{
	uint64_t len = zp_view_len(view);

	if (view->nr_spans <= 1)
		return 0;
	if (len > SIZE_MAX / 2)
		return -EMSGSIZE;
	if (scratch->size < len) {
		/* a little more, so that views that grow slowly do not each allocate */
		size_t size = (size_t)len + (size_t)len / 4;
		void *data = malloc(size);

		if (!data)
			return -ENOMEM;
		free(scratch->data);
		scratch->data = data;
		scratch->size = size;
	}
	zp_view_copy(view, view->start, scratch->data, (size_t)len);
	scratch->copies++;
	scratch->copied += len;
	view->nr_spans = 1;
	view->first.data = scratch->data;
	view->first.len = (size_t)len;
	return 0;
}

void zp_scratch_free(struct zp_scratch *scratch)
{
	free(scratch->data);
	scratch->data = NULL;
	scratch->size = 0;
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
