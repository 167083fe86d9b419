// SPDX-License-Identifier: MIT
/*
 * sys_memory - private memory, nothing is moved: what the loops themselves cost
 *
 * One process writes each message and reads it again. The other systems do the same and move the
 * bytes: what they cost above this is what moving costs.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"

struct bench_link {
	struct bench_base base;
	unsigned char *buffer;
	uint64_t *published;	/* of the end that writes; both are copies of one link */
	uint64_t position;	/* reader: consumed */
};

static int link_open(struct bench_link *link)
{
	link->buffer = malloc(link->base.config.capacity);
	link->published = calloc(1, sizeof(*link->published));
	return link->buffer && link->published ? 0 : -ENOMEM;
}

static void link_close(struct bench_link *link)
{
	free(link->buffer);
	free(link->published);
}

static int attach_writer(struct bench_link *link)
{
	(void)link;
	return 0;
}

static int attach_reader(struct bench_link *link)
{
	(void)link;
	return 0;
}

static inline void *writer_reserve(struct bench_link *link, size_t length)
{
	(void)length;
	return link->buffer + *link->published % link->base.config.capacity;
}

static inline int writer_publish(struct bench_link *link, size_t length)
{
	*link->published += length;
	return 0;
}

static inline ssize_t reader_take(struct bench_link *link, const uint64_t **words)
{
	uint64_t length = *link->published - link->position;
	uint64_t offset = link->position % link->base.config.capacity;

	if (length > BENCH_STEP)
		length = BENCH_STEP;
	if (length > link->base.config.capacity - offset)
		length = link->base.config.capacity - offset;
	*words = (const uint64_t *)(const void *)(link->buffer + offset);
	return (ssize_t)length;
}

static inline int reader_release(struct bench_link *link, size_t length)
{
	link->position += length;
	return 0;
}

#include "loops.h"

const struct bench_system sys_memory = {
	.name = "memory",
	.ring = true,
	.alone_only = true,
	BENCH_LOOPS,
};
