/* SPDX-License-Identifier: MIT */
/*
 * ends - both handles of a fake pipe in one process, for single-thread tests
 */
#ifndef ZPIPE_TESTS_ENDS_H
#define ZPIPE_TESTS_ENDS_H

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
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

#endif /* ZPIPE_TESTS_ENDS_H */
