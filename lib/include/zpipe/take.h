/* SPDX-License-Identifier: MIT */
/*
 * take - pieces off the front of a view
 *
 * Include <zpipe.h>, not this file. What is taken is another view of the same
 * bytes, and the first view goes on behind it; so its start says how much was
 * used up, and a reader's loop is
 *
 *	zp_read(r, &view);
 *	while (!zp_view_take_line(&view, &search, &line))
 *		... line ...
 *	zp_advance(r, view.start, view.end);
 *
 * Nothing is copied, allocated or written; borders between spans may lie
 * anywhere. ZP_MORE says that the view ends too early: nothing was taken, and
 * after such an advance the next read shows the same bytes with more behind
 * them. When the view has ZP_COMPLETED, or ZP_FULL, no more come, and the caller
 * decides what the rest is.
 */
#ifndef ZPIPE_TAKE_H
#define ZPIPE_TAKE_H

#include <zpipe/types.h>
#include <zpipe/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/* zp_view_take(), zp_view_skip(), zp_view_peek(): all there is. */
#define ZP_ALL		UINT64_MAX

/* zp_view_take_until() flags */
#define ZP_INCLUDE	1	/* the delimiter is the end of the piece */

/* zp_view_strip() flags */
#define ZP_STRIP_START	1
#define ZP_STRIP_END	2

/**
 * struct zp_search - how far a search for a delimiter has come
 * @searched: stream position before which the delimiter does not begin; 0 when
 *	nothing is known
 * @max: most bytes in front of it; 0 for any number
 *
 * The caller's; begin with zeroes. One search looks for one delimiter until it
 * is found, which sets @searched to 0, and may then look for another; for another
 * stream, or before it is found, set that to 0 first. With it, a delimiter that takes many reads to
 * arrive costs one look at each byte.
 */
struct zp_search {
	uint64_t searched;
	uint64_t max;
};

/* The out-of-line half of the inline functions below. Not for callers. */
ZP_API uint64_t zp_inline_view_take(struct zp_view *view, uint64_t n, struct zp_view *out);

/**
 * zp_view_take() - the first bytes of a view
 * @view: the view; it loses them
 * @n: how many; fewer if it has fewer. ZP_ALL: all
 * @out: out: the bytes; empty if there are none
 *
 * Source: the chunked buffer's take.
 *
 * Return: bytes taken.
 */
static inline uint64_t zp_view_take(struct zp_view *view, uint64_t n, struct zp_view *out)
{
	if (zp_unlikely(view->nr_spans != 1 || n - 1 >= view->first.len - 1))
		return zp_inline_view_take(view, n, out);
	*out = *view;
	out->end = view->start + n;
	out->first.len = (size_t)n;
	view->start += n;
	view->first.data = (char *)view->first.data + (size_t)n;
	view->first.len -= (size_t)n;
	return n;
}

/**
 * zp_view_skip() - drop the first bytes of a view
 * @view: the view; it loses them
 * @n: how many; fewer if it has fewer. ZP_ALL: all
 *
 * Source: the chunked buffer's skip.
 *
 * Return: bytes skipped.
 */
static inline uint64_t zp_view_skip(struct zp_view *view, uint64_t n)
{
	if (zp_unlikely(view->nr_spans != 1 || n >= view->first.len))
		return zp_inline_view_take(view, n, NULL);
	view->start += n;
	view->first.data = (char *)view->first.data + (size_t)n;
	view->first.len -= (size_t)n;
	return n;
}

/**
 * zp_view_peek() - see the first bytes of a view
 * @view: the view; it stays as it is
 * @n: how many; fewer if it has fewer
 * @out: out: the bytes
 *
 * Source: the chunked buffer's peek.
 *
 * Return: bytes in @out.
 */
static inline uint64_t zp_view_peek(const struct zp_view *view, uint64_t n, struct zp_view *out)
{
	struct zp_view copy = *view;

	return zp_view_take(&copy, n, out);
}

/**
 * zp_view_take_until() - what is in front of a delimiter
 * @view: the view; it loses the piece and the delimiter
 * @needle: the delimiter
 * @n: its bytes, at least one
 * @flags: ZP_INCLUDE: it belongs to the piece. 0: it is dropped
 * @search: where an earlier call stopped, and a limit; NULL for neither
 * @out: out: the piece, perhaps empty
 *
 * Source: the chunked buffer's takeuntil; TrySliceTo of the text readers.
 *
 * Return: 0; ZP_MORE: the delimiter is not there; -EMSGSIZE: more than the
 * limit is in front of it; -EINVAL: no needle; -EOPNOTSUPP: @flags. Nothing is
 * taken unless 0.
 */
ZP_API int zp_view_take_until(struct zp_view *view, const void *needle, size_t n,
			      unsigned int flags, struct zp_search *search, struct zp_view *out);

/**
 * zp_view_take_line() - a line without its end
 * @view: the view; it loses the line and its end
 * @search: as for zp_view_take_until(); the limit counts what is in front of LF
 * @out: out: the line, perhaps empty
 *
 * It ends with LF, or with CR LF, wherever borders are. A CR before anything
 * else belongs to the line. The last line of a stream that ends without one is
 * what is left of @view.
 * Source: the chunked buffer's takeline, with its errors at seams left out.
 *
 * Return: as zp_view_take_until().
 */
ZP_API int zp_view_take_line(struct zp_view *view, struct zp_search *search,
			     struct zp_view *out);

/**
 * zp_view_skip_prefix() - drop certain bytes if the view begins with them
 * @view: the view; it loses them
 * @prefix: the bytes
 * @n: how many
 *
 * Source: the chunked buffer's skip_if_startswith.
 *
 * Return: 0; -ENOENT: it begins with others; ZP_MORE: it is too short to tell.
 */
ZP_API int zp_view_skip_prefix(struct zp_view *view, const void *prefix, size_t n);

/**
 * zp_view_split() - the pieces between delimiters
 * @view: the view; it stays as it is
 * @needle: the delimiter
 * @n: its bytes, at least one
 * @items: out: the pieces, without delimiters
 * @nr: room for so many, at least 1; when they are more, the last one is the
 *	rest, delimiters and all
 *
 * One piece more than there are delimiters; none if the view is empty.
 * Source: Split of the text primitives.
 *
 * Return: pieces; -EINVAL: no needle, or no room.
 */
ZP_API int zp_view_split(const struct zp_view *view, const void *needle, size_t n,
			 struct zp_view *items, int nr);

/**
 * zp_view_strip() - drop certain bytes at both ends
 * @view: the view; it loses them
 * @set: which bytes, in any order; NULL for white space as of ASCII
 * @n: how many are in @set
 * @flags: ZP_STRIP_START, ZP_STRIP_END; 0 for both
 *
 * Source: Trim of the text primitives, bytearray's strip.
 *
 * Return: 0; -EOPNOTSUPP: @flags.
 */
ZP_API int zp_view_strip(struct zp_view *view, const void *set, size_t n, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_TAKE_H */
