// SPDX-License-Identifier: MIT
/*
 * uv - a server in a libuv loop: links by name, and no thread waits
 *
 * For a loop a link is two descriptors, with a poll handle each; the rule is as
 * everywhere: try until -EAGAIN, then wait. That libuv's polling is level-triggered
 * does not matter. While something did not fit, nothing more is read.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include <zpipe.h>

#define NAME		"@zpipe example of uv"
#define CLIENTS		4
#define LINES		5000

struct link {
	uv_poll_t readable, writable;
	struct zp_duplex d;
};

static void on_event(uv_poll_t *handle, int status, int events);

static struct zp_listener *listener;
static uv_poll_t incoming;
static int open_links = CLIENTS, waiting_for = CLIENTS;

static void closed(uv_handle_t *handle)
{
	struct link *l = handle->data;

	/* both handles lie in it, and the second is closed last */
	if (handle == (uv_handle_t *)&l->writable) {
		zp_duplex_close(&l->d);
		free(l);
		open_links--;
	}
}

/* Wait for the one or for the other, if waiting is what is to be done. */
static int wait_for(struct link *l, int room, int why)
{
	uv_poll_stop(room ? &l->readable : &l->writable);
	uv_poll_start(room ? &l->writable : &l->readable, room ? UV_WRITABLE : UV_READABLE,
		      on_event);
	return why == -EAGAIN ? 0 : why;
}

/* Everything that can be done now: each line goes back as it came. 1 at the end. */
static int turn(struct link *l)
{
	struct zp_view view, line;
	struct zp_span room;
	int ret;

	while (!(ret = zp_try_read(l->d.reader, &view))) {
		uint64_t seen = view.end;

		if (!zp_view_len(&view))
			return 1;
		while (!zp_view_take_line(&view, NULL, &line)) {
			size_t n = (size_t)zp_view_len(&line);

			ret = zp_try_alloc(l->d.writer, n + 1, &room);
			if (ret) {
				/* this line is shown again */
				zp_advance(l->d.reader, line.start, line.start);
				return wait_for(l, 1, ret);
			}
			zp_view_copy(&line, line.start, room.data, n);
			((char *)room.data)[n] = '\n';
			zp_commit(l->d.writer, n + 1);
			zp_flush_flags(l->d.writer, ZP_NOWAIT, 0);
		}
		zp_advance(l->d.reader, view.start, seen);
	}
	return wait_for(l, 0, ret);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
	struct link *l = handle->data;
	int ret = status < 0 ? status : turn(l);

	(void)events;
	if (!ret)
		return;
	zp_duplex_complete(&l->d, ret < 0 ? -ret : 0);
	uv_close((uv_handle_t *)&l->readable, closed);
	uv_close((uv_handle_t *)&l->writable, closed);
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
	struct link *l;
	int fds[2];

	(void)status;
	(void)events;
	while (zp_accept(listener, ZP_NOWAIT, 0, fds, NULL) == 0) {
		l = calloc(1, sizeof(*l));
		if (!l || zp_duplex_open(&l->d, fds, NULL))
			errx(1, "cannot open a link");
		uv_poll_init(handle->loop, &l->readable, zp_reader_fd(l->d.reader));
		uv_poll_init(handle->loop, &l->writable, zp_writer_fd(l->d.writer));
		l->readable.data = l;
		l->writable.data = l;
		uv_poll_start(&l->readable, UV_READABLE, on_event);
		if (!--waiting_for)
			uv_close((uv_handle_t *)handle, NULL);
	}
}

static int client(int who)
{
	struct zp_duplex d;
	struct zp_view view;
	uint64_t got = 0;
	int fds[2], i;

	if (zp_connect(NAME, NULL, fds) || zp_duplex_open(&d, fds, NULL))
		return 1;
	for (i = 0; i < LINES; i++) {
		if (zp_printf(d.writer, "client %d, line %04d\n", who, i) || zp_flush(d.writer))
			return 1;
	}
	zp_writer_complete(d.writer, 0, 0);
	for (; !zp_read(d.reader, &view) && zp_view_len(&view); zp_consume_all(d.reader))
		got += zp_view_len(&view);
	return got != LINES * UINT64_C(20);
}

int main(void)
{
	int ret = zp_listen(NAME, NULL, &listener), i, status, bad = 0;
	uv_loop_t *loop = uv_default_loop();

	if (ret)
		errx(1, "listen: %s", strerror(-ret));
	for (i = 0; i < CLIENTS; i++) {
		if (!fork())
			_exit(client(i));
	}
	uv_poll_init(loop, &incoming, zp_listener_fd(listener));
	uv_poll_start(&incoming, UV_READABLE, on_connection);
	uv_run(loop, UV_RUN_DEFAULT);
	while (wait(&status) > 0)
		bad |= status;
	zp_listener_close(listener);
	printf("%d clients, %d lines each\n", CLIENTS - open_links, LINES);
	return bad || open_links;
}
