// SPDX-License-Identifier: MIT
/*
 * tee - one stream to four readers, in instructions
 *
 * One process is the writer and all readers, so that nobody sleeps and every run is the same to
 * the instruction (scripts/vm --icount). The same messages go to four readers of one zpipe, through
 * four zpipes that are each filled, and through four pipe(2)s that are each written to from one
 * buffer. With "look" each reader adds up every word of what it gets, which costs the same
 * everywhere; without, it only takes and gives back, which is what the transport itself costs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zpipe.h>

#include "clock.h"
#include "report.h"
#include "tee.h"

#define READERS		4
#define MESSAGE		(64UL << 10)
#define WORDS		(MESSAGE / sizeof(uint64_t))
#define MESSAGES	256
#define NEED		3

struct ways {
	struct zp_writer *writer[READERS];
	struct zp_reader *reader[READERS];
	int fds[READERS][2];
	uint64_t *from, *to;
	uint64_t sum;
	bool look;
};

static void fill(uint64_t *to, uint64_t next)
{
	for (size_t i = 0; i < WORDS; i++)
		to[i] = next + i;
}

static void look_at(struct ways *ways, const uint64_t *words)
{
	uint64_t sum = 0;

	for (size_t i = 0; ways->look && i < WORDS; i++)
		sum += words[i];
	ways->sum += sum;
}

static int send(struct zp_writer *writer, uint64_t next)
{
	struct zp_span room;
	int ret = zp_alloc(writer, MESSAGE, &room);

	if (ret)
		return ret;
	fill(room.data, next);
	ret = zp_commit(writer, MESSAGE);
	return ret ? ret : zp_flush(writer);
}

static int take(struct ways *ways, struct zp_reader *reader)
{
	struct zp_view view;
	int ret = zp_read(reader, &view);

	if (ret)
		return ret;
	if (view.first.len < MESSAGE)
		return -EBADMSG;
	look_at(ways, view.first.data);
	return zp_consume(reader, MESSAGE);
}

static int by_tee(struct ways *ways, uint64_t next)
{
	int ret = send(ways->writer[0], next);

	for (int i = 0; i < READERS && !ret; i++)
		ret = take(ways, ways->reader[i]);
	return ret;
}

static int by_zpipes(struct ways *ways, uint64_t next)
{
	int ret = 0;

	for (int i = 0; i < READERS && !ret; i++) {
		ret = send(ways->writer[i], next);
		if (!ret)
			ret = take(ways, ways->reader[i]);
	}
	return ret;
}

static int by_pipes(struct ways *ways, uint64_t next)
{
	fill(ways->from, next);
	for (int i = 0; i < READERS; i++) {
		if (write(ways->fds[i][1], ways->from, MESSAGE) != (ssize_t)MESSAGE ||
		    read(ways->fds[i][0], ways->to, MESSAGE) != (ssize_t)MESSAGE)
			return -EIO;
		look_at(ways, ways->to);
	}
	return 0;
}

static int open_zpipe(struct ways *ways, int i)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = -1 };
	int writer, reader;
	int ret = zp_create(NULL, &writer, &reader);

	if (!ret)
		ret = zp_writer_open(&ways->writer[i], writer, &opts);
	return ret ? ret : zp_reader_open(&ways->reader[i], reader, &opts);
}

static int open_tee(struct ways *ways)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = -1 };
	int ret = open_zpipe(ways, 0);

	for (int i = 1; i < READERS && !ret; i++) {
		int fd;

		ret = zp_tee(zp_reader_fd(ways->reader[0]), 0, &fd);
		if (!ret)
			ret = zp_reader_open(&ways->reader[i], fd, &opts);
	}
	return ret;
}

static int open_zpipes(struct ways *ways)
{
	int ret = 0;

	for (int i = 0; i < READERS && !ret; i++)
		ret = open_zpipe(ways, i);
	return ret;
}

static int open_pipes(struct ways *ways)
{
	for (int i = 0; i < READERS; i++)
		if (pipe2(ways->fds[i], O_CLOEXEC) ||
		    fcntl(ways->fds[i][1], F_SETPIPE_SZ, 1 << 20) < 0)
			return -errno;
	ways->from = aligned_alloc(4096, MESSAGE);
	ways->to = aligned_alloc(4096, MESSAGE);
	if (!ways->from || !ways->to)
		return -ENOMEM;
	memset(ways->to, 0, MESSAGE);
	return 0;
}

static void close_all(struct ways *ways)
{
	for (int i = 0; i < READERS; i++) {
		zp_writer_close(ways->writer[i]);
		zp_reader_close(ways->reader[i]);
		if (ways->fds[i][0]) {
			close(ways->fds[i][0]);
			close(ways->fds[i][1]);
		}
	}
	free(ways->from);
	free(ways->to);
}

/* Instructions per message to all readers, or -1. */
static double measure(int (*open)(struct ways *ways), int (*move)(struct ways *ways, uint64_t next),
		      bool look)
{
	struct ways ways = { .look = look };
	const uint64_t n = MESSAGES * WORDS;
	uint64_t begin = 0;
	int ret = open(&ways);

	/* The first half touches all memory. */
	for (uint64_t i = 0; i < 2 * MESSAGES && !ret; i++) {
		if (i == MESSAGES) {
			ways.sum = 0;
			begin = clock_ns();
		}
		ret = move(&ways, i % MESSAGES * WORDS);
	}
	begin = clock_ns() - begin;
	if (!ret && look && ways.sum != READERS * (n / 2 * (n - 1)))
		ret = -EBADMSG;
	if (ret)
		fprintf(stderr, "bench: tee: %s\n", strerror(-ret));
	close_all(&ways);
	return ret ? -1 : (double)begin / MESSAGES;
}

int tee_report(void)
{
	int missed = 0;

	printf("64 KiB to %d readers, instructions for all\n", READERS);
	for (int look = 0; look < 2; look++) {
		const double tee = measure(open_tee, by_tee, look);
		const double zpipes = measure(open_zpipes, by_zpipes, look);
		const double pipes = measure(open_pipes, by_pipes, look);

		if (tee < 0 || zpipes < 0 || pipes < 0)
			return missed + 1;
		printf("  %-8s one zpipe %.0f, four zpipes %.0f, four pipes %.0f\n",
		       look ? "looking" : "moving", tee, zpipes, pipes);
		/* Who looks at every word spends most of the time on that. */
		if (!look)
			missed += !report_verdict("tee to 4 / 4 pipes 64KiB", pipes / tee, false,
						  NEED);
	}
	return missed;
}
