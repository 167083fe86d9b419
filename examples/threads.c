// SPDX-License-Identifier: MIT
/*
 * threads - a server of one thread per link, and clients of two
 *
 * A handle is used by one thread at a time, and a link has two: each client writes with
 * one thread and reads with another.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zpipe.h>

#define NAME		"@zpipe example of threads"
#define NUMBERS		20000U
#define CLIENTS		4U

static atomic_uint failures, answers;

static void check(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "threads: %s: %s\n", what, strerror(-ret));
		failures++;
	}
}

/* The next number, waiting for it: 0 at the end of the stream. */
static int next_number(struct zp_reader *r, uint64_t *number)
{
	struct zp_view view;
	struct zp_cursor c;
	int ret = zp_read_min(r, 8, &view);

	if (ret)
		return ret;
	zp_cursor_init(&c, &view);
	if (zp_cursor_le(&c, 8, number))
		return zp_view_len(&view) || !(view.flags & ZP_COMPLETED) ? -EBADMSG : 0;
	ret = zp_consume(r, 8);
	return ret ? ret : 1;
}

/* The server's side of a link: the square of each number. */
static void *serve(void *arg)
{
	struct zp_duplex *d = arg;
	uint64_t number;
	int ret;

	while ((ret = next_number(d->reader, &number)) == 1) {
		if (zp_put_le(d->writer, 8, number * number) || zp_flush(d->writer))
			break;
	}
	check(ret, "server");
	zp_duplex_complete(d, 0);
	zp_duplex_close(d);
	free(d);
	return NULL;
}

static void *accept_all(void *arg)
{
	pthread_t threads[CLIENTS];
	struct zp_listener *l = arg;
	unsigned int nr = 0;
	int fds[2];

	while (nr < CLIENTS && zp_accept(l, 0, 0, fds, NULL) == 0) {
		struct zp_duplex *d = calloc(1, sizeof(*d));
		int ret = d ? zp_duplex_open(d, fds, NULL) : -ENOMEM;

		check(ret, "open");
		if (ret || pthread_create(&threads[nr++], NULL, serve, d))
			break;
	}
	while (nr--)
		pthread_join(threads[nr], NULL);
	return NULL;
}

static void *ask(void *arg)
{
	struct zp_writer *w = arg;

	for (uint64_t i = 0; i < NUMBERS; i++) {
		int ret = zp_put_le(w, 8, i);

		/* a flush may cover many */
		if (!ret && i % 8 == 7)
			ret = zp_flush(w);
		check(ret, "client, writing");
		if (ret)
			break;
	}
	check(zp_writer_complete(w, 0, 0), "complete");
	return NULL;
}

static void *client(void *arg)
{
	struct zp_duplex d;
	uint64_t square, i = 0;
	pthread_t asking;
	int fds[2], ret;

	(void)arg;
	ret = zp_connect(NAME, NULL, fds);
	if (!ret)
		ret = zp_duplex_open(&d, fds, NULL);
	check(ret, "connect");
	if (ret || pthread_create(&asking, NULL, ask, d.writer))
		return NULL;
	while ((ret = next_number(d.reader, &square)) == 1) {
		if (square != i * i)
			ret = -EILSEQ;
		check(ret, "client, reading");
		i++;
	}
	check(ret, "client");
	answers += (unsigned int)i;
	pthread_join(asking, NULL);
	zp_duplex_close(&d);
	return NULL;
}

int main(void)
{
	unsigned int i;
	pthread_t server, clients[CLIENTS];
	struct zp_listener *l;
	int ret = zp_listen(NAME, NULL, &l);

	check(ret, "listen");
	if (ret || pthread_create(&server, NULL, accept_all, l))
		return 1;
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, client, NULL);
	for (i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	pthread_join(server, NULL);
	zp_listener_close(l);
	printf("%u clients, %u answers\n", CLIENTS, (unsigned int)answers);
	return failures || answers != CLIENTS * NUMBERS;
}
