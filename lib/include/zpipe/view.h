/* SPDX-License-Identifier: MIT */
/*
 * view - looking at bytes where they lie
 *
 * Include <zpipe.h>, not this file. A view is a short list of spans, nearly
 * always one. Nothing here makes a system call or changes the stream, and only
 * zp_view_flatten() allocates. Any thread may use a view as long as nobody ends
 * it meanwhile.
 *
 * A view owns nothing: it is good as long as the memory that it shows, which is
 * the reader's until it advances. What outlives the advance is a zp_kept, or
 * a copy.
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
 * zp_view_of() - a view of plain memory
 * @data: the bytes; they stay the caller's and are not written to
 * @len: how many
 *
 * So that whatever takes a view takes any bytes. Positions count from 0.
 *
 * Return: the view, good as long as @data.
 */
static inline struct zp_view zp_view_of(const void *data, size_t len)
{
	struct zp_view view = { 0, len, 0, len ? 1U : 0U, { NULL, 0 }, NULL, 0 };

	view.first.data = (void *)(uintptr_t)data;
	view.first.len = len;
	return view;
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

/**
 * zp_view_compare() - which of two views comes first
 * @a: a view
 * @b: a view; zp_view_of() makes one of plain memory
 *
 * By bytes, as memcmp(3); where one begins with the other, the shorter is first.
 * Positions do not count.
 * Source: bytes comparison of the chunked buffers.
 *
 * Return: below, at or above 0.
 */
ZP_API int zp_view_compare(const struct zp_view *a, const struct zp_view *b);

/**
 * zp_view_equal() - do two views show the same bytes?
 * @a: a view
 * @b: a view; zp_view_of() makes one of plain memory
 *
 * Source: ReadOnlySequence<T>.SequenceEqual.
 *
 * Return: 1 or 0.
 */
static inline int zp_view_equal(const struct zp_view *a, const struct zp_view *b)
{
	return zp_view_len(a) == zp_view_len(b) && zp_view_compare(a, b) == 0;
}

/**
 * zp_view_merge() - several views as one
 * @views: the views, in order
 * @nr: how many
 * @spans: room for the pieces, the caller's; @out needs it as long as it is used
 * @room: how many pieces fit; the sum of nr_spans is enough
 * @out: the view. It starts at the first view's start, counts on from there, and
 *	has the flags of the last one
 *
 * Nothing is copied. Pieces that lie next to each other become one.
 * Source: the chunked buffer's merge.
 *
 * Return: 0; -EMSGSIZE: more than @room pieces; -EINVAL: more bytes than
 * positions. @out is not touched then.
 */
ZP_API int zp_view_merge(const struct zp_view *views, size_t nr, struct zp_span *spans,
			 size_t room, struct zp_view *out);

/**
 * struct zp_scratch - memory for what has to be in one piece
 * @data: private: allocated as needed, and used again
 * @size: private: bytes of it
 * @copies: how often something was copied into it
 * @copied: bytes copied into it, in all
 *
 * The caller's; begin with all zeroes, end with zp_scratch_free(). Used by one
 * thread at a time.
 */
struct zp_scratch {
	void *data;
	size_t size;
	uint64_t copies;
	uint64_t copied;
};

/**
 * zp_view_flatten() - bring a view into one piece
 * @view: the view. Afterwards it has one span (or none, if it is empty), with the
 *	same positions
 * @scratch: where to copy to if it has more
 *
 * Free when the view has one span already, which is the usual case; otherwise
 * one copy, which @scratch counts. The copy is good until the next call with the
 * same @scratch; @view must not lie in it. Memory is allocated only when a view
 * is longer than any before. With ZP_CONTIG, views are in one piece from the
 * beginning.
 * Source: the chunked buffer, which compacts once when it is asked for a pointer.
 *
 * Return: 0; -ENOMEM, -EMSGSIZE: more than memory has, and @view is as it was.
 */
ZP_API int zp_view_flatten(struct zp_view *view, struct zp_scratch *scratch);

/**
 * zp_scratch_free() - give the memory back
 * @scratch: may be used again afterwards; its counts go on
 */
ZP_API void zp_scratch_free(struct zp_scratch *scratch);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_VIEW_H */
