/* SPDX-License-Identifier: MIT */
/*
 * copying - all bytes of one side to another, each of them a mapped end of a zpipe or any file
 */
#ifndef ZPIPE_COPYING_H
#define ZPIPE_COPYING_H

#include <zpipe.h>

#include "progress.h"

struct copying {
	struct zp_reader *reader;	/* where they come from, or: */
	int in;
	struct zp_writer *writer;	/* where they go, or: */
	int out;
	uint64_t before;		/* bytes of earlier copies */
	struct progress progress;
};

/*
 * To the end. 0, ZP_COMPLETED when the reader of the other side has left, or -errno; as the
 * functions of zpipe/copy.h, but signals, cancels and O_NONBLOCK are dealt with.
 */
int copying_run(struct copying *copying);

/* The other side has left: end as write(2) to a pipe would end this process, or say so. -EPIPE. */
int copying_broken(void);

#endif
