// SPDX-License-Identifier: MIT
/*
 * sys_zpipe_mapped - zpipe as it is meant to be used: the inline functions of libzpipe
 *
 * One commit and one flush per message; the reader shows a view, takes a step of its first span and
 * gives that back. The system calls are the library's, so the linker sends its ioctl(2) through the
 * counter here (--wrap=ioctl), and the pipe's own counters are compared with it.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <zpipe.h>

#include "bench.h"

struct bench_link {
	struct bench_base base;
	int writer_fd, reader_fd;
	struct zp_writer *writer;
	struct zp_reader *reader;
};

/* Whose call it is: a process holds at most two ends. */
static struct attached {
	int fd;
	uint64_t *calls;
} attached[2] = { { -1, NULL }, { -1, NULL } };

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	for (int i = 0; i < 2; i++)
		if (attached[i].fd == fd)
			++*attached[i].calls;
	return __real_ioctl(fd, request, arg);
}

/* After the handle is open: what that took belongs to no message. */
static void count_calls_of(struct bench_link *link, int fd)
{
	const int i = attached[0].fd < 0 ? 0 : 1;

	attached[i].fd = fd;
	attached[i].calls = &link->base.calls;
}

static int link_open(struct bench_link *link)
{
	struct zp_create_opts opts = {
		.sz = sizeof(opts),
		.capacity = link->base.config.capacity,
	};

	return zp_create(&opts, &link->writer_fd, &link->reader_fd);
}

static void link_close(struct bench_link *link)
{
	close(link->writer_fd);
	close(link->reader_fd);
}

static struct zp_open_opts open_opts(const struct bench_link *link)
{
	const unsigned int spins = link->base.config.spins;

	return (struct zp_open_opts) {
		.sz = sizeof(struct zp_open_opts),
		.flags = ZP_KEEP_FD,
		.spin = spins ? (int32_t)spins : -1,
	};
}

static int attach_writer(struct bench_link *link)
{
	const struct zp_open_opts opts = open_opts(link);
	int err = zp_writer_open(&link->writer, link->writer_fd, &opts);

	count_calls_of(link, link->writer_fd);
	return err;
}

static int attach_reader(struct bench_link *link)
{
	const struct zp_open_opts opts = open_opts(link);
	int err = zp_reader_open(&link->reader, link->reader_fd, &opts);

	count_calls_of(link, link->reader_fd);
	return err;
}

static inline void *writer_reserve(struct zp_writer *writer, size_t length)
{
	struct zp_span room;
	int ret = zp_alloc(writer, length, &room);

	if (!ret)
		return room.data;
	errno = ret < 0 ? -ret : EPIPE;
	return NULL;
}

static inline int writer_publish(struct zp_writer *writer, size_t length)
{
	int ret = zp_commit(writer, length);

	if (!ret)
		ret = zp_flush(writer);
	return ret > 0 ? -EPIPE : ret;
}

static inline ssize_t reader_take(struct zp_reader *reader, const uint64_t **words)
{
	struct zp_view view;
	int ret = zp_read(reader, &view);

	if (ret)
		return ret;
	*words = view.first.data;
	return (ssize_t)(view.first.len < BENCH_STEP ? view.first.len : BENCH_STEP);
}

static inline int reader_release(struct zp_reader *reader, size_t length)
{
	return zp_consume(reader, length);
}

static int verify(struct bench_link *link, uint64_t calls, uint64_t bytes)
{
	struct zp_stat stat = { .sz = sizeof(stat) };

	if (zp_stat(link->reader_fd, &stat) || stat.published != bytes || stat.copied_write ||
	    stat.copied_read || stat.allocs + stat.flushes + stat.reads + stat.advances != calls)
		return -EBADMSG;
	return 0;
}

#define LINK_WRITER(link)	((link)->writer)
#define LINK_READER(link)	((link)->reader)
#include "loops.h"

const struct bench_system sys_zpipe_mapped = {
	.name = "zpipe-mapped",
	.ring = true,
	.spins = true,
	.zpipe = true,
	.verify = verify,
	BENCH_LOOPS,
};
