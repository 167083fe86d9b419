// SPDX-License-Identifier: MIT
/*
 * sys_unix - a connected AF_UNIX stream pair with write(2) and read(2)
 *
 * The send buffer is raised to the capacity that every system has, by force where the caller may.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "fdio.h"

struct bench_link {
	struct bench_base base;
	int fds[2];
	struct fdio writer, reader;
};

static int link_open(struct bench_link *link)
{
	int size = (int)link->base.config.capacity;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link->fds))
		return -errno;
	if (setsockopt(link->fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) &&
	    setsockopt(link->fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
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

const struct bench_system sys_unix = {
	.name = "unix",
	BENCH_LOOPS,
};
