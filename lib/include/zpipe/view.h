/* SPDX-License-Identifier: MIT */
/*
 * view - looking at bytes where they lie
 *
 * Include <zpipe.h>, not this file. A view is a short list of spans, nearly
 * always one. Nothing here makes a system call, allocates, or changes the
 * stream. Any thread may use a view as long as nobody ends it meanwhile.
 */
#ifndef ZPIPE_VIEW_H
#define ZPIPE_VIEW_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * zp_view_len() - how many bytes a view shows
 * @view: the view
 *
 * Return: bytes, over all spans.
 */
static inline uint64_t zp_view_len(const struct zp_view *view)
{
	return view->end - view->start;
}

/**
 * zp_view_data() - the bytes of a view, if they are one piece
 * @view: the view
 * @len: out: how many bytes
 *
 * The fast path of a consumer that has another for pieces:
 *
 *	p = zp_view_data(&view, &len);
 *	if (!p)
 *		... zp_view_span() in a loop, or zp_view_copy()
 *
 * Return: their address; NULL if the view has more than one span or none.
 */
static inline const void *zp_view_data(const struct zp_view *view, size_t *len)
{
	*len = view->first.len;
	return zp_likely(view->nr_spans == 1) ? view->first.data : NULL;
}

/**
 * zp_view_span() - one piece of a view
 * @view: the view
 * @i: which, from 0 to view->nr_spans - 1
 * @len: out: its bytes
 *
 * Return: its address, read-only.
 */
static inline const void *zp_view_span(const struct zp_view *view, uint32_t i, size_t *len)
{
	if (i == 0) {
		*len = view->first.len;
		return view->first.data;
	}
	*len = i == view->nr_spans - 1 ? view->last : view->more[i - 1].len;
	return view->more[i - 1].data;
}

/**
 * zp_view_slice() - a part of a view, in place
 * @view: the view
 * @start: stream position
 * @end: stream position, not below @start
 * @out: the part; may be @view itself. Its flags are those of @view
 *
 * Source: ReadOnlySequence<T>.Slice, with plain numbers for cursors.
 *
 * Return: 0; -EINVAL if the range is not within the view.
 */
ZP_API int zp_view_slice(const struct zp_view *view, uint64_t start, uint64_t end,
			 struct zp_view *out);

/**
 * zp_view_copy() - copy bytes out of a view
 * @view: the view
 * @position: stream position of the first byte wanted
 * @buf: where to
 * @n: bytes wanted
 *
 * For a header that lies across a border, or a caller that has to keep it.
 * Source: ReadOnlySequence<T>.CopyTo.
 *
 * Return: bytes copied: @n, or fewer where the view ends; 0 if @position is
 * not within it.
 */
ZP_API size_t zp_view_copy(const struct zp_view *view, uint64_t position, void *buf, size_t n);

/**
 * zp_view_find() - where a needle first occurs
 * @view: the view
 * @from: stream position to start at
 * @needle: what to look for; it may lie across any number of borders
 * @n: its length in bytes; 0 is found at @from
 * @position: out: stream position of its first byte
 *
 * A consumer that finds nothing examines all it saw but the last @n - 1 bytes
 * and starts there next time, so that repeated searches are linear.
 * Source: chunkedbuffer's find, with its errors at seams left out.
 *
 * Return: 0; -ENOENT if it does not occur; -EINVAL if @from is not within the
 * view.
 */
ZP_API int zp_view_find(const struct zp_view *view, uint64_t from, const void *needle, size_t n,
			uint64_t *position);

struct iovec;

/**
 * zp_view_iov() - a view as an array for writev(2)
 * @view: the view
 * @iov: the array
 * @nr: room in it
 *
 * Source: chunkedbuffer's chunks().
 *
 * Return: entries filled; fewer than view->nr_spans if @nr is.
 */
ZP_API int zp_view_iov(const struct zp_view *view, struct iovec *iov, int nr);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_VIEW_H */
