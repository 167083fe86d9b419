/* SPDX-License-Identifier: MIT */
/*
 * bytes - a stream whose every byte tells its position
 */
#ifndef ZPIPE_TESTS_BYTES_H
#define ZPIPE_TESTS_BYTES_H

#include <stdbool.h>

#include "zpipe.h"

/* Bytes whose value tells their stream position. */
static inline unsigned char byte_at(uint64_t position)
{
	return (unsigned char)(position * 131 + (position >> 8) * 17 + (position >> 16));
}

/* Commit @n such bytes; 0 or the errno. */
static inline int put(struct zp_writer *w, size_t n)
{
	while (n) {
		struct zp_span room;
		size_t i;
		int ret = zp_try_alloc(w, 1, &room);

		if (ret < 0)
			return ret;
		if (room.len > n)
			room.len = n;
		for (i = 0; i < room.len; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(w) + i);
		ret = zp_commit(w, room.len);
		if (ret)
			return ret;
		n -= room.len;
	}
	return 0;
}

/* Are all bytes of the view what put() wrote? */
static inline bool view_good(const struct zp_view *view)
{
	uint64_t position = view->start;
	uint32_t i;
	size_t k, len;

	for (i = 0; i < view->nr_spans; i++) {
		const unsigned char *p = zp_view_span(view, i, &len);

		for (k = 0; k < len; k++) {
			if (p[k] != byte_at(position++))
				return false;
		}
	}
	return position == view->end;
}

#endif /* ZPIPE_TESTS_BYTES_H */
