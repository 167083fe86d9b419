/* SPDX-License-Identifier: MIT */
/*
 * stream - a producer and a consumer of many bytes, for two processes
 */
#ifndef ZPIPE_TESTS_STREAM_H
#define ZPIPE_TESTS_STREAM_H

#include "vm.h"

#define WATCHDOG	120

#define PAGES(n)	.segment_size = 4096, .capacity = (n) * 4096

static struct zp_view view;
static struct zp_span room;

struct stream {
	const char *name;
	struct zp_create_opts opts;
	uint64_t total;
	uint32_t message;	/* longest */
	uint64_t min;		/* of the reads */
	int spin;
	bool copying;		/* the writer uses zp_write_flush() */
	bool keep;		/* the reader keeps half of what it sees */
	bool batch;		/* one flush for several messages */
};

static inline int produce(int fd, const struct stream *s)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = s->spin };
	static unsigned char buf[1 << 20];
	struct zp_writer *w;
	unsigned int seed = 7;
	size_t i;

	if (zp_writer_open(&w, fd, &opts))
		return 2;
	while (zp_position(w) < s->total) {
		size_t n = 1 + (size_t)rand_r(&seed) % s->message;
		int ret;

		if (n > s->total - zp_position(w))
			n = (size_t)(s->total - zp_position(w));
		if (s->copying) {
			for (i = 0; i < n; i++)
				buf[i] = byte_at(zp_position(w) + i);
			if (zp_write_flush(w, buf, n, NULL))
				return 3;
			continue;
		}
		ret = zp_alloc(w, n, &room);
		if (ret == -ENOBUFS) {
			if (zp_flush(w))
				return 4;
			ret = zp_alloc(w, n, &room);
		}
		if (ret)
			return 5;
		for (i = 0; i < n; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(w) + i);
		if (zp_commit(w, n))
			return 6;
		if (s->batch && rand_r(&seed) % 8)
			continue;
		if (zp_flush(w))
			return 7;
	}
	if (zp_writer_complete(w, 0, 0))
		return 8;
	zp_writer_close(w);
	return 0;
}

static inline int consume(struct zp_reader *r, const struct stream *s)
{
	unsigned int seed = 9;

	for (;;) {
		uint64_t len, n;
		int ret = zp_read_min(r, s->min, &view);

		if (ret)
			return ret;
		if (!view_good(&view))
			return 100;
		len = zp_view_len(&view);
		if (!len && view.flags & ZP_COMPLETED)
			return zp_consumed(r) == s->total ? 0 : 101;
		n = len;
		if (s->keep && len > 1 && !view.flags)
			n = (uint64_t)rand_r(&seed) % len;
		ret = zp_advance(r, view.start + n, view.end);
		if (ret)
			return ret;
	}
}

#endif /* ZPIPE_TESTS_STREAM_H */
