/* SPDX-License-Identifier: MIT */
/*
 * ends - both handles of a fake pipe in one process, for single-thread tests
 */
#ifndef ZPIPE_TESTS_ENDS_H
#define ZPIPE_TESTS_ENDS_H

#include <stdlib.h>
#include <string.h>

#include "fake.h"

struct ends {
	int wfd, rfd;
	struct zp_writer *w;
	struct zp_reader *r;
};

static inline struct ends ends_open(struct fake_opts opts)
{
	static const struct zp_open_opts no_spin = { .sz = sizeof(no_spin), .spin = -1 };
	struct ends e;

	if (!opts.segment_size)
		opts.segment_size = 4096;
	if (!opts.nr_segments)
		opts.nr_segments = 4;
	if (!opts.table_entries)
		opts.table_entries = 8;
	fake_start(&opts, &e.wfd, &e.rfd);
	if (zp_writer_open(&e.w, e.wfd, &no_spin) || zp_reader_open(&e.r, e.rfd, &no_spin))
		abort();
	return e;
}

static inline void ends_close(struct ends *e)
{
	zp_writer_close(e->w);
	zp_reader_close(e->r);
	fake_stop();
}

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

#endif /* ZPIPE_TESTS_ENDS_H */
