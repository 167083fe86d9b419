// SPDX-License-Identifier: MIT
/*
 * sys_vmsplice - vmsplice(2) into a pipe, read(2) out of it: one copy instead of two
 *
 * The pipe then refers to the writer's memory, so a buffer may be filled again only when the reader
 * has read it. Bytes that vmsplice took are read in order and at most the pipe's size of them can
 * be unread, so a ring of that size plus one message, walked from end to end, is never overwritten
 * too early.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"
#include "fdio.h"

#define PIPE_MAX	(1UL << 20)

struct bench_link {
	struct bench_base base;
	int fds[2];
	unsigned char *ring;
	size_t size, at;
	struct fdio reader;
};

static int link_open(struct bench_link *link)
{
	if (pipe2(link->fds, O_CLOEXEC))
		return -errno;
	if (fcntl(link->fds[1], F_SETPIPE_SZ, (int)PIPE_MAX) < 0)
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
	const size_t message = link->base.config.message;

	/* A message never wraps: what does not fit at the end is skipped. */
	link->size = PIPE_MAX + 2 * message;
	link->at = 0;
	link->ring = mmap(NULL, link->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return link->ring == MAP_FAILED ? -errno : 0;
}

static int attach_reader(struct bench_link *link)
{
	return fdio_open(&link->reader, link->fds[0], BENCH_STEP);
}

static inline void *writer_reserve(struct bench_link *link, size_t length)
{
	if (link->size - link->at < length)
		link->at = 0;
	return link->ring + link->at;
}

static inline int writer_publish(struct bench_link *link, size_t length)
{
	struct iovec piece = { .iov_base = link->ring + link->at, .iov_len = length };

	link->at += length;
	while (piece.iov_len) {
		ssize_t taken = vmsplice(link->fds[1], &piece, 1, 0);

		link->base.calls++;
		if (taken < 0)
			return -errno;
		piece.iov_base = (unsigned char *)piece.iov_base + taken;
		piece.iov_len -= (size_t)taken;
	}
	return 0;
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

const struct bench_system sys_vmsplice = {
	.name = "vmsplice",
	BENCH_LOOPS,
};
