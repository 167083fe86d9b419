// SPDX-License-Identifier: MIT
/*
 * counter - a server that counts the lines of its clients, and knows them by a name alone
 *
 *	counter		starts it, and four clients, and checks what they are told
 *
 * Documentation/tutorial.md builds it step by step.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

#define CLIENTS	4

static void die(const char *what, int ret)
{
	fprintf(stderr, "counter: %s: %s\n", what, strerror(-ret));
	exit(1);
}

/* All lines of one client, where they lie. */
static int count_lines(struct zp_reader *r, uint64_t *lines)
{
	struct zp_search search = { 0 };
	struct zp_view view, line;
	uint64_t seen = 0;
	int ret;

	*lines = 0;
	while (!(ret = zp_read(r, &view))) {
		while (!zp_view_take_line(&view, &search, &line))
			++*lines;
		/* nothing new will come: what is left is a line without its end */
		if (view.flags & ZP_COMPLETED && view.end == seen) {
			*lines += zp_view_len(&view) > 0;
			return 0;
		}
		seen = view.end;
		/* a line that the pipe cannot hold counts when its end comes */
		if (view.flags & ZP_FULL)
			view.start = view.end;
		ret = zp_advance(r, view.start, view.end);
		if (ret)
			return ret;
	}
	return ret;
}

static int serve(const int fds[2])
{
	struct zp_duplex client;
	uint64_t lines;
	int ret = zp_duplex_open(&client, fds, NULL);

	if (ret)
		return ret;
	ret = count_lines(client.reader, &lines);
	if (!ret)
		ret = zp_printf(client.writer, "%llu\n", (unsigned long long)lines);
	zp_duplex_complete(&client, ret < 0 ? -ret : 0);
	zp_duplex_close(&client);
	return ret;
}

/* One process for each client: a bad one takes nobody with it. */
static void run_server(struct zp_listener *listener, int clients)
{
	while (clients--) {
		int fds[2], ret = zp_accept(listener, 0, 0, fds, NULL);

		if (ret)
			die("accept", ret);
		if (fork() == 0)
			_exit(serve(fds) ? 1 : 0);
		close(fds[0]);
		close(fds[1]);
	}
}

/* Sends so many lines and asks how many they were. */
static int run_client(const char *path, int lines)
{
	struct zp_duplex server;
	struct zp_view view;
	struct zp_cursor c;
	uint64_t answer;
	int fds[2], ret;

	ret = zp_connect(path, NULL, fds);
	if (!ret)
		ret = zp_duplex_open(&server, fds, NULL);
	if (ret)
		die("connect", ret);
	for (int i = 0; i < lines; i++) {
		ret = zp_printf(server.writer, "line %d of %d\n", i + 1, lines);
		if (!ret && i % 100 == 99)
			ret = zp_flush(server.writer);
		if (ret)
			die("write", ret);
	}
	zp_writer_complete(server.writer, 0, 0);
	ret = zp_read_min(server.reader, 1, &view);
	if (ret)
		die("read", ret);
	zp_cursor_init(&c, &view);
	if (zp_cursor_uint(&c, &answer))
		die("answer", -EBADMSG);
	zp_duplex_close(&server);
	return answer != (uint64_t)lines;
}

int main(void)
{
	struct zp_listener *listener;
	int ret, status, bad = 0;
	char path[64];

	snprintf(path, sizeof(path), "@counter-%d", getpid());
	ret = zp_listen(path, NULL, &listener);
	if (ret)
		die("listen", ret);
	for (int i = 0; i < CLIENTS; i++) {
		if (fork() == 0)
			_exit(run_client(path, 1000 * i * i));
	}
	run_server(listener, CLIENTS);
	zp_listener_close(listener);
	while (wait(&status) > 0)
		bad |= status;
	printf("%d clients, each of them told the truth: %s\n", CLIENTS, bad ? "no" : "yes");
	return bad ? 1 : 0;
}
