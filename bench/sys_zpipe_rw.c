// SPDX-License-Identifier: MIT
/*
 * sys_zpipe_rw - zpipe with write(2) and read(2): what an unmodified program does
 */
#include "bench.h"
#include "fdio.h"
#include "raw.h"

struct bench_link {
	struct bench_base base;
	struct raw_pipe pipe;
	struct fdio writer, reader;
};

static int link_open(struct bench_link *link)
{
	return raw_create(&link->pipe, link->base.config.capacity, 0);
}

static void link_close(struct bench_link *link)
{
	raw_close(&link->pipe);
}

static int attach_writer(struct bench_link *link)
{
	return fdio_open(&link->writer, link->pipe.writer, link->base.config.message);
}

static int attach_reader(struct bench_link *link)
{
	return fdio_open(&link->reader, link->pipe.reader, BENCH_STEP);
}

static inline void *writer_reserve(struct bench_link *link, size_t length)
{
	(void)length;
	return link->writer.buffer;
}

static inline int writer_publish(struct bench_link *link, size_t length)
{
	return fdio_write(&link->writer, &link->base, length);
}

static inline ssize_t reader_take(struct bench_link *link, const uint64_t **words)
{
	return fdio_read(&link->reader, &link->base, words);
}

static inline int reader_release(struct bench_link *link, size_t length)
{
	(void)link;
	(void)length;
	return 0;
}

/* Both copies of every byte are counted. */
static int verify(struct bench_link *link, uint64_t calls, uint64_t bytes)
{
	struct zpipe_stat_args stat;

	(void)calls;
	if (raw_stat(link->pipe.reader, &stat) || stat.out_published != bytes ||
	    stat.out_copied_write != bytes || stat.out_copied_read != bytes || raw_calls(&stat))
		return -EBADMSG;
	return 0;
}

#include "loops.h"

const struct bench_system sys_zpipe_rw = {
	.name = "zpipe-rw",
	.zpipe = true,
	.verify = verify,
	BENCH_LOOPS,
};
