// SPDX-License-Identifier: MIT
/*
 * proxy - bytes go through two proxies, and nobody copies one of them
 *
 *	proxy [MIB]
 *
 * Four processes and three pipes that share a pool: a generator, two proxies
 * that forward what they read, and a checker. At the end the kernel is asked
 * how many bytes were copied.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

#define PIPES	3

static int wfd[PIPES], rfd[PIPES];

static void die(const char *what, int ret)
{
	fprintf(stderr, "proxy: %s: %s\n", what, strerror(-ret));
	exit(1);
}

/* Word i of the stream. */
static uint64_t word(uint64_t i)
{
	return i * 0x9e3779b97f4a7c15ULL;
}

/* All but what this process uses. */
static void close_others(int writer, int reader)
{
	for (int i = 0; i < PIPES; i++) {
		close(i != writer ? wfd[i] : -1);
		close(i != reader ? rfd[i] : -1);
	}
}

static struct zp_writer *open_writer(int i)
{
	struct zp_writer *w;
	int ret = zp_writer_open(&w, wfd[i], NULL);

	if (ret)
		die("open a writer", ret);
	return w;
}

static struct zp_reader *open_reader(int i)
{
	struct zp_reader *r;
	int ret = zp_reader_open(&r, rfd[i], NULL);

	if (ret)
		die("open a reader", ret);
	return r;
}

static int generate(uint64_t words)
{
	struct zp_writer *w = open_writer(0);

	for (uint64_t i = 0; i < words; ) {
		struct zp_span room;
		int ret = zp_alloc(w, 8, &room);

		if (ret < 0)
			die("alloc", ret);
		room.len = room.len / 8 < words - i ? room.len / 8 : words - i;
		for (size_t k = 0; k < room.len; k++)
			((uint64_t *)room.data)[k] = word(i++);
		zp_commit(w, room.len * 8);
		zp_flush(w);
	}
	return -zp_writer_complete(w, 0, 0);
}

static int forward(int from, int to)
{
	struct zp_writer *w = open_writer(to);
	struct zp_reader *r = open_reader(from);
	struct zp_view view;
	int ret;

	while (!(ret = zp_read(r, &view)) && view.end > view.start) {
		ret = zp_forward(w, r, view.end - view.start, 0, 0, NULL);
		if (ret >= 0)
			ret = zp_flush(w);
		if (ret)
			break;
	}
	if (ret < 0)
		die("forward", ret);
	return -zp_writer_complete(w, 0, 0);
}

static uint64_t check(void)
{
	struct zp_reader *r = open_reader(PIPES - 1);
	struct zp_view view;
	uint64_t n = 0;

	while (!zp_read(r, &view) && view.end > view.start) {
		const uint64_t *words = view.first.data;

		for (size_t k = 0; k < view.first.len / 8; k++) {
			if (words[k] != word(n++))
				die("a wrong word", -EINVAL);
		}
		zp_consume(r, view.first.len);
	}
	return n;
}

int main(int argc, char **argv)
{
	uint64_t words = (argc > 1 ? strtoull(argv[1], NULL, 0) : 64) << 17, copied = 0, seen;
	struct zp_create_opts opts = { .sz = sizeof(opts), .capacity = 1 << 20 };
	struct zp_pool_opts pool = { .sz = sizeof(pool), .segments = 64 };
	struct zp_stat stat = { .sz = sizeof(stat) };
	int i, ret, status, bad = 0;

	ret = zp_pool_create(&pool, &opts.pool_fd);
	for (i = 0; !ret && i < PIPES; i++)
		ret = zp_create(&opts, &wfd[i], &rfd[i]);
	if (ret)
		die("create", ret);
	for (i = 0; i < PIPES; i++) {
		if (fork() == 0) {
			close_others(i, i - 1);
			exit(i ? forward(i - 1, i) : generate(words));
		}
	}
	for (i = 0; i < PIPES; i++)
		close(wfd[i]);
	seen = check();
	while (wait(&status) > 0)
		bad |= status;
	for (i = 0; i < PIPES && !zp_stat(rfd[i], &stat); i++)
		copied += stat.copied_write + stat.copied_read;
	printf("%" PRIu64 " MiB through %d proxies, copied=%" PRIu64 "\n", seen >> 17, PIPES - 1,
	       copied);
	return bad || copied || seen != words;
}
