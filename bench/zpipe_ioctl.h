/* SPDX-License-Identifier: MIT */
/*
 * zpipe_ioctl.h - zpipe without the shared words, cooperative or guarded
 *
 * Included by the file of each of these systems, which has defined LINK_FLAGS: ZPIPE_F_*.
 *
 * The bytes are still written and read in place. The writer makes one FLUSH per message and an
 * ALLOC when its grant is used up, or a guarded pipe has ended it; the reader makes a READ and an
 * ADVANCE for each step.
 */
#ifndef BENCH_ZPIPE_IOCTL_H
#define BENCH_ZPIPE_IOCTL_H

#include "bench.h"
#include "raw.h"

#define LINK_PAGE	4096

struct bench_link {
	struct bench_base base;
	struct raw_pipe pipe;
	unsigned char *window;
	unsigned char *grant;		/* writer: what is left of it */
	uint64_t left, position;	/* reader: position is consumed */
};

static int link_open(struct bench_link *link)
{
	return raw_create(&link->pipe, link->base.config.capacity, LINK_FLAGS);
}

static void link_close(struct bench_link *link)
{
	raw_close(&link->pipe);
}

static int attach_writer(struct bench_link *link)
{
	link->window = raw_map(link->pipe.writer, PROT_READ | PROT_WRITE);
	return link->window ? 0 : -errno;
}

static int attach_reader(struct bench_link *link)
{
	link->window = raw_map(link->pipe.reader, PROT_READ);
	return link->window ? 0 : -errno;
}

static void *take_grant(struct bench_link *link, size_t length)
{
	struct zpipe_alloc_args args = {
		.position = link->position,
		.min = length,
		.want = length > BENCH_STEP ? length : BENCH_STEP,
	};

	link->base.calls++;
	if (ioctl(link->pipe.writer, ZPIPE_IOC_ALLOC, &args))
		return NULL;
	if (args.out_flags) {
		errno = EPIPE;
		return NULL;
	}
	link->grant = link->window + args.out_offset;
	link->left = args.out_length;
	return link->grant;
}

static inline void *writer_reserve(struct bench_link *link, size_t length)
{
	return link->left >= length ? link->grant : take_grant(link, length);
}

static inline int writer_publish(struct bench_link *link, size_t length)
{
	struct zpipe_flush_args args = { .position = link->position + length };

	link->base.calls++;
	if (ioctl(link->pipe.writer, ZPIPE_IOC_FLUSH, &args))
		return -errno;
	link->position += length;
	link->grant += length;
	link->left -= length;
	/* A flush inside a page ends the grant. */
	if ((LINK_FLAGS & ZPIPE_F_GUARDED) && (uintptr_t)link->grant % LINK_PAGE)
		link->left = 0;
	return args.out_flags ? -EPIPE : 0;
}

static inline ssize_t reader_take(struct bench_link *link, const uint64_t **words)
{
	struct zpipe_span span = { 0 };
	struct zpipe_read_args args = { .nr_spans = 1, .spans = (uintptr_t)&span };

	link->base.calls++;
	if (ioctl(link->pipe.reader, ZPIPE_IOC_READ, &args))
		return -errno;
	link->position = args.out_start;
	*words = (const uint64_t *)(const void *)(link->window + span.offset);
	return (ssize_t)(span.length < BENCH_STEP ? span.length : BENCH_STEP);
}

static inline int reader_release(struct bench_link *link, size_t length)
{
	struct zpipe_advance_args args = {
		.consumed = link->position + length, .examined = ZPIPE_KEEP,
	};

	link->base.calls++;
	return ioctl(link->pipe.reader, ZPIPE_IOC_ADVANCE, &args) ? -errno : 0;
}

static int verify(struct bench_link *link, uint64_t calls, uint64_t bytes)
{
	struct zpipe_stat_args stat;

	if (raw_stat(link->pipe.reader, &stat) || stat.out_published != bytes ||
	    stat.out_copied_write || stat.out_copied_read || raw_calls(&stat) != calls)
		return -EBADMSG;
	return 0;
}

#include "loops.h"

#endif
