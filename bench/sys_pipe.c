// SPDX-License-Identifier: MIT
/*
 * sys_pipe - pipe(2) with write(2) and read(2)
 *
 * The pipe is given the capacity that every system has, where the limit for this user allows it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"
#include "fdio.h"

/* The limit of an unprivileged user. */
#define PIPE_MAX	(1 << 20)

struct bench_link {
	struct bench_base base;
	int fds[2];
	struct fdio writer, reader;
};

static int link_open(struct bench_link *link)
{
	if (pipe2(link->fds, O_CLOEXEC))
		return -errno;
	if (fcntl(link->fds[1], F_SETPIPE_SZ, PIPE_MAX) < 0)
		return -errno;
	return 0;
}

static void link_close(struct bench_link *link)
{
	close(link->fds[0]);
	close(link->fds[1]);
}

static int attach_writer(struct bench_link *link)
{
	return fdio_open(&link->writer, link->fds[1], link->base.config.message);
}

static int attach_reader(struct bench_link *link)
{
	return fdio_open(&link->reader, link->fds[0], BENCH_STEP);
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

#include "loops.h"

const struct bench_system sys_pipe = {
	.name = "pipe",
	BENCH_LOOPS,
};
