// SPDX-License-Identifier: MIT
/*
 * take - pieces off the front of a view
 *
 * Pure, on top of the slices and searches of view.c. A view of one span, the
 * usual case, is cut without them.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "internal.h"

static void make_empty(struct zp_view *view, uint64_t position)
{
	view->start = position;
	view->end = position;
	view->nr_spans = 0;
	view->first.len = 0;
}

/* The first @n bytes go to @out, unless it is NULL, and out of @view. @n is at most its length. */
static void cut(struct zp_view *view, uint64_t n, struct zp_view *out)
{
	struct zp_view whole = *view;
	uint64_t border = whole.start + n;

	if (whole.nr_spans == 1 && n && border != whole.end) {
		if (out) {
			*out = whole;
			out->end = border;
			out->first.len = (size_t)n;
		}
		view->start = border;
		view->first.data = (unsigned char *)whole.first.data + n;
		view->first.len -= (size_t)n;
		return;
	}
	zp_view_slice(&whole, border, whole.end, view);
	if (out)
		zp_view_slice(&whole, whole.start, border, out);
}

uint64_t zp_inline_view_take(struct zp_view *view, uint64_t n, struct zp_view *out)
{
	n = ZP_MIN(n, zp_view_len(view));
	cut(view, n, out);
	return n;
}

/* Where the next delimiter begins; as zp_view_take_until(). */
static int find_end(const struct zp_view *view, const void *needle, size_t n,
		    struct zp_search *search, struct zp_place *at)
{
	uint64_t max = search && search->max ? search->max : UINT64_MAX;
	uint64_t len = zp_view_len(view), from = view->start;
	struct zp_view part = *view;
	bool whole = len < n || len - n < max;
	int ret;

	if (search && search->searched > from && search->searched <= view->end)
		from = search->searched;
	/* no look at what is too far away */
	if (!whole)
		zp_view_slice(view, view->start, view->start + max + n, &part);
	from = ZP_MIN(from, part.end);
	ret = zp_view_locate(&part, from, needle, n, at);
	if (!ret)
		return 0;
	if (search && zp_view_len(&part) >= n)
		search->searched = ZP_MAX(from, part.end - n + 1);
	return whole ? ZP_MORE : -EMSGSIZE;
}

int zp_view_take_until(struct zp_view *view, const void *needle, size_t n, unsigned int flags,
		       struct zp_search *search, struct zp_view *out)
{
	struct zp_view front;
	struct zp_place at;
	int ret;

	if (flags & ~(unsigned int)ZP_INCLUDE)
		return -EOPNOTSUPP;
	if (!n)
		return -EINVAL;
	ret = find_end(view, needle, n, search, &at);
	if (ret)
		return ret;
	if (flags & ZP_INCLUDE) {
		cut(view, at.position - view->start + n, out);
	} else {
		zp_view_divide(view, &at, out ? out : &front, view);
		cut(view, n, NULL);
	}
	/* nothing is known of what is looked for next, nor of where */
	if (search)
		search->searched = 0;
	return 0;
}

static unsigned char last_byte(const struct zp_view *view)
{
	size_t len;
	const unsigned char *data = zp_view_span(view, view->nr_spans - 1, &len);

	return data[len - 1];
}

int zp_view_take_line(struct zp_view *view, struct zp_search *search, struct zp_view *out)
{
	int ret = zp_view_take_until(view, "\n", 1, 0, search, out);

	if (!ret && out->nr_spans && last_byte(out) == '\r')
		zp_view_slice(out, out->start, out->end - 1, out);
	return ret;
}

int zp_view_skip_prefix(struct zp_view *view, const void *prefix, size_t n)
{
	struct zp_view wanted = zp_view_of(prefix, n), front;
	uint64_t has;

	has = zp_view_peek(view, n, &front);
	wanted.end = has;
	wanted.nr_spans = has ? 1 : 0;
	wanted.first.len = (size_t)has;
	if (zp_view_compare(&front, &wanted) != 0)
		return -ENOENT;
	if (has < n)
		return ZP_MORE;
	cut(view, n, NULL);
	return 0;
}

int zp_view_split(const struct zp_view *view, const void *needle, size_t n,
		  struct zp_view *items, int nr)
{
	struct zp_view rest = *view;
	int used = 0;

	if (!n || nr < 1)
		return -EINVAL;
	if (view->start == view->end)
		return 0;
	while (used < nr - 1 && !zp_view_take_until(&rest, needle, n, 0, NULL, &items[used]))
		used++;
	items[used++] = rest;
	return used;
}

static size_t strip_start(const unsigned char *data, size_t len, const bool *drop)
{
	size_t i = 0;

	while (i < len && drop[data[i]])
		i++;
	return i;
}

static size_t strip_end(const unsigned char *data, size_t len, const bool *drop)
{
	size_t i = 0;

	while (i < len && drop[data[len - 1 - i]])
		i++;
	return i;
}

int zp_view_strip(struct zp_view *view, const void *set, size_t n, unsigned int flags)
{
	const unsigned char *bytes = set ? set : " \t\n\v\f\r";
	uint64_t start = view->start, end = view->end;
	bool drop[256] = { false };
	size_t len, same;
	uint32_t i;

	if (flags & ~(unsigned int)(ZP_STRIP_START | ZP_STRIP_END))
		return -EOPNOTSUPP;
	if (!flags)
		flags = ZP_STRIP_START | ZP_STRIP_END;
	if (!set)
		n = 6;
	while (n)
		drop[bytes[--n]] = true;

	for (i = 0; flags & ZP_STRIP_START && i < view->nr_spans; i++) {
		const void *data = zp_view_span(view, i, &len);

		same = strip_start(data, len, drop);
		start += same;
		if (same < len)
			break;
	}
	for (i = view->nr_spans; flags & ZP_STRIP_END && i > 0; i--) {
		const void *data = zp_view_span(view, i - 1, &len);

		same = strip_end(data, len, drop);
		end -= same;
		if (same < len)
			break;
	}
	/* nothing is left: both have met; and the bytes may change between two looks */
	if (start >= end)
		make_empty(view, ZP_MIN(start, view->end));
	else
		zp_view_slice(view, start, end, view);
	return 0;
}
