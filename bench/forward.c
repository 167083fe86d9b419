// SPDX-License-Identifier: MIT
/*
 * forward - what a proxy costs, and that nothing grows with pools and pipes, in instructions
 *
 * One process is everybody, so that nobody sleeps and every run is the same to the instruction
 * (scripts/vm --icount). Only the proxy's step is timed: to forward and flush, beside read(2) and
 * write(2) from one pipe(2) to another. Then one message goes through a pipe of a pool by the four
 * calls, with one pipe in a pool of 16 segments and with ten thousand in pools of 4096.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/zpipe.h>
#include <zpipe.h>

#include "clock.h"
#include "forward.h"
#include "report.h"

#define ROUNDS		64
#define MANY		10000
#define PER_POOL	4000

struct hop {
	struct zp_writer *from_writer, *to_writer;
	struct zp_reader *from_reader, *to_reader;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The usual one: an interrupt falls into some. */
static double median(double steps[ROUNDS])
{
	qsort(steps, ROUNDS, sizeof(*steps), compare);
	return steps[ROUNDS / 2];
}

/* What two readings of the clock take, which is in every step that is timed. */
static double clock_cost(void)
{
	double step[ROUNDS] = { 0 };

	for (int i = 0; i < 2 * ROUNDS; i++) {
		uint64_t begin = clock_ns();

		step[i % ROUNDS] = (double)(clock_ns() - begin);
	}
	return median(step);
}

static int open_pipe(int pool, struct zp_writer **writer, struct zp_reader **reader)
{
	struct zp_create_opts create = { .sz = sizeof(create), .pool_fd = pool,
					 .capacity = 1 << 20, .pause = ZP_NEVER };
	struct zp_open_opts open = { .sz = sizeof(open), .spin = -1 };
	int w, r, ret = zp_create(&create, &w, &r);

	if (!ret)
		ret = zp_writer_open(writer, w, &open);
	return ret ? ret : zp_reader_open(reader, r, &open);
}

static int open_hop(struct hop *hop, bool shared)
{
	struct zp_pool_opts opts = { .sz = sizeof(opts), .segments = 64 };
	int pool = 0, ret = shared ? zp_pool_create(&opts, &pool) : 0;

	if (!ret)
		ret = open_pipe(pool, &hop->from_writer, &hop->from_reader);
	if (!ret)
		ret = open_pipe(pool, &hop->to_writer, &hop->to_reader);
	if (pool)
		close(pool);
	return ret;
}

static void close_hop(struct hop *hop)
{
	zp_writer_close(hop->from_writer);
	zp_writer_close(hop->to_writer);
	zp_reader_close(hop->from_reader);
	zp_reader_close(hop->to_reader);
}

/* One message in, through, out; returns what going through took, or a negative errno. */
static double pass(struct hop *hop, size_t length)
{
	struct zp_view view;
	size_t done = 0;
	uint64_t begin;
	int ret = 0;

	for (size_t left = length; left && !ret; ) {
		struct zp_span room;

		ret = zp_alloc(hop->from_writer, 1, &room);
		if (ret)
			break;
		room.len = room.len < left ? room.len : left;
		memset(room.data, 1, room.len);
		ret = zp_commit(hop->from_writer, room.len);
		left -= room.len;
	}
	ret = ret ? ret : zp_flush(hop->from_writer);
	ret = ret ? ret : zp_read(hop->from_reader, &view);
	begin = clock_ns();
	ret = ret ? ret : zp_forward(hop->to_writer, hop->from_reader, length, 0, 0, &done);
	ret = ret ? ret : zp_flush(hop->to_writer);
	begin = clock_ns() - begin;
	ret = ret ? ret : zp_read(hop->to_reader, &view);
	ret = ret ? ret : zp_consume_all(hop->to_reader);
	if (!ret && done != length)
		ret = -EMSGSIZE;
	return ret ? ret : (double)begin;
}

static double forward_cost(size_t length, bool shared)
{
	struct hop hop = { 0 };
	double step[ROUNDS] = { 0 }, cost = open_hop(&hop, shared);

	for (int i = 0; i < 2 * ROUNDS && cost >= 0; i++) {
		cost = pass(&hop, length);
		step[i % ROUNDS] = cost;
	}
	close_hop(&hop);
	return cost < 0 ? cost : median(step) - clock_cost();
}

static double copy_cost(size_t length)
{
	int from[2], to[2];
	char *bytes = aligned_alloc(4096, length);
	double step[ROUNDS] = { 0 };

	if (!bytes || pipe2(from, O_CLOEXEC) || pipe2(to, O_CLOEXEC) ||
	    fcntl(from[1], F_SETPIPE_SZ, 1 << 20) < 0 || fcntl(to[1], F_SETPIPE_SZ, 1 << 20) < 0)
		return -ENOMEM;
	memset(bytes, 1, length);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		ssize_t n = write(from[1], bytes, length);
		uint64_t begin = clock_ns();

		n += read(from[0], bytes, length);
		n += write(to[1], bytes, length);
		step[i % ROUNDS] = (double)(clock_ns() - begin);
		n += read(to[0], bytes, length);
		if (n != 4 * (ssize_t)length)
			return -EIO;
	}
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
	free(bytes);
	return median(step) - clock_cost();
}

/* One message of a segment by the four calls. */
static int call_all(const struct zpipe_create_args *ends, __u64 at)
{
	struct zpipe_alloc_args alloc = { .position = at, .min = 4096 };
	struct zpipe_flush_args flush = { .position = at + 4096 };
	struct zpipe_read_args read = { .min = 1 };
	struct zpipe_advance_args advance = { .consumed = at + 4096, .examined = at + 4096 };

	if (ioctl(ends->out_writer_fd, ZPIPE_IOC_ALLOC, &alloc) ||
	    ioctl(ends->out_writer_fd, ZPIPE_IOC_FLUSH, &flush) ||
	    ioctl(ends->out_reader_fd, ZPIPE_IOC_READ, &read) ||
	    ioctl(ends->out_reader_fd, ZPIPE_IOC_ADVANCE, &advance))
		return -errno;
	return 0;
}

static int open_many(int device, __u32 segments, int nr, struct zpipe_create_args *ends)
{
	struct zpipe_pool_create_args pool = { .segment_size = 4096, .segments = segments };

	for (int i = 0; i < nr; i++) {
		if (i % PER_POOL == 0 && ioctl(device, ZPIPE_IOC_POOL_CREATE, &pool))
			return -errno;
		ends[i] = (struct zpipe_create_args){ .pool_fd = pool.out_fd, .capacity = 65536 };
		if (ioctl(device, ZPIPE_IOC_CREATE, &ends[i]))
			return -errno;
	}
	return 0;
}

/* Instructions for a message through one of nr pipes. All of it stays open until the end. */
static double calls_cost(__u32 segments, int nr)
{
	struct rlimit files = { 2 * MANY + 100, 2 * MANY + 100 };
	struct zpipe_create_args *ends = calloc((size_t)nr, sizeof(*ends));
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC), ret = -ENOMEM;
	uint64_t begin = 0;

	if (ends && device >= 0 && !setrlimit(RLIMIT_NOFILE, &files))
		ret = open_many(device, segments, nr, ends);
	for (__u64 i = 0; i < 2 * ROUNDS && !ret; i++) {
		if (i == ROUNDS)
			begin = clock_ns();
		ret = call_all(&ends[nr / 2], i * 4096);
	}
	begin = clock_ns() - begin;
	for (int i = 0; ends && i < nr; i++) {
		close(ends[i].out_writer_fd);
		close(ends[i].out_reader_fd);
	}
	free(ends);
	close(device);
	return ret ? ret : (double)begin / ROUNDS;
}

int forward_report(void)
{
	const double small = forward_cost(4096, true), large = forward_cost(64 << 10, true);
	const double huge = forward_cost(512 << 10, true), across = forward_cost(64 << 10, false);
	const double copied = copy_cost(64 << 10);
	const double few = calls_cost(16, 1), many = calls_cost(4096, MANY);
	int missed = 0;

	if (small < 0 || large < 0 || huge < 0 || across < 0 || copied < 0 || few < 0 ||
	    many < 0) {
		fprintf(stderr, "bench: forward: %g %g %g %g %g %g %g\n", small, large, huge,
			across, copied, few, many);
		return 1;
	}
	printf("a proxy's step, instructions, without the %.0f of the clock\n", clock_cost());
	printf("  in a pool: 4KiB %.0f, 64KiB %.0f, 512KiB %.0f; across pools: 64KiB %.0f\n", small,
	       large, huge, across);
	printf("  pipe(2), read and write: 64KiB %.0f\n", copied);
	printf("four calls: %.0f with one pipe of 16 segments, %.0f with %d of 4096\n", few, many,
	       MANY);
	missed += !report_verdict("copy / forward 64KiB", copied / large, false, 20);
	missed += !report_verdict("forward 512KiB / 4KiB", huge / small, true, 1.5);
	missed += !report_verdict("calls, 10000 pipes / 1", many / few, true, 1.2);
	return missed;
}
