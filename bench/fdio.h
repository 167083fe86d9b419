/* SPDX-License-Identifier: MIT */
/*
 * fdio.h - write(2) a message, read(2) what is there: the ends of every system that copies
 *
 * The writer fills one buffer again and again, the reader reads into one buffer of
 * BENCH_STEP bytes:
 * both stay in the cache. A read that ends inside a word keeps the rest for the next.
 */
#ifndef BENCH_FDIO_H
#define BENCH_FDIO_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

struct fdio {
	int fd;
	unsigned char *buffer;
	size_t taken;		/* of the buffer, by the last read */
	size_t rest;		/* bytes of an unfinished word behind those */
};

static inline int fdio_open(struct fdio *io, int fd, size_t size)
{
	io->fd = fd;
	io->buffer = aligned_alloc(4096, (size + 4095) & ~4095UL);
	if (!io->buffer)
		return -ENOMEM;
	memset(io->buffer, 0, size);
	io->taken = 0;
	io->rest = 0;
	return 0;
}

static inline int fdio_write(struct fdio *io, struct bench_base *base, size_t length)
{
	const unsigned char *from = io->buffer;

	while (length) {
		ssize_t written = write(io->fd, from, length);

		base->calls++;
		if (written < 0)
			return -errno;
		from += written;
		length -= (size_t)written;
	}
	return 0;
}

static inline ssize_t fdio_read(struct fdio *io, struct bench_base *base, const uint64_t **words)
{
	size_t have = io->rest;

	if (have)
		memmove(io->buffer, io->buffer + io->taken, have);
	do {
		ssize_t got = read(io->fd, io->buffer + have, BENCH_STEP - have);

		base->calls++;
		if (got <= 0)
			return got ? -errno : 0;
		have += (size_t)got;
	} while (have < sizeof(**words));
	io->rest = have % sizeof(**words);
	io->taken = have - io->rest;
	*words = (const uint64_t *)(const void *)io->buffer;
	return (ssize_t)io->taken;
}

#endif
