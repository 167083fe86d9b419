// SPDX-License-Identifier: MIT
/*
 * fdpass - a server hands each client the writer end of a pipe of its own
 *
 * Over a Unix socket: the client gets an fd, opens it (which checks that it is
 * what it should be, whoever sent it), and writes records in place: a length,
 * filled in when the payload is known, and the payload. The server reads them,
 * and copies what it validates, because the client could still change it.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

#define RECORDS		1000
#define LONGEST		300

static int client(int sock)
{
	struct zp_writer *w = NULL;
	int fd, i, ret;

	ret = zp_recv_fd(sock, &fd);
	if (!ret)
		ret = zp_writer_open(&w, fd, NULL);
	for (i = 0; !ret && i < RECORDS; i++) {
		uint64_t start = zp_position(w);
		uint32_t length = 0;
		int k;

		/* the length is not known yet */
		ret = zp_write(w, &length, sizeof(length));
		for (k = 0; !ret && k <= i % 40; k++)
			ret = zp_write(w, "record ", 7);
		if (ret)
			break;
		length = (uint32_t)(zp_position(w) - start - sizeof(length));
		if (i % 10 == 9)
			/* changed its mind: nobody has seen any of it */
			ret = zp_rollback(w, start);
		else
			ret = zp_patch(w, start, &length, sizeof(length));
		if (!ret)
			ret = zp_flush(w);
	}
	if (!ret)
		ret = zp_writer_complete(w, 0, 0);
	zp_writer_close(w);
	return ret;
}

/* Records there are, or a negative errno. */
static int serve(struct zp_reader *r)
{
	struct zp_view view;
	int records = 0, ret;

	while ((ret = zp_read(r, &view)) == 0) {
		uint64_t at = view.start;
		char payload[LONGEST];
		uint32_t length;

		while (zp_view_copy(&view, at, &length, sizeof(length)) == sizeof(length)) {
			if (length > sizeof(payload)) {
				/* the client's next call fails with this */
				zp_reader_complete(r, EPROTO);
				return -EPROTO;
			}
			if (zp_view_copy(&view, at + sizeof(length), payload, length) < length)
				break;
			if (length < 7 || memcmp(payload, "record ", 7) != 0)
				return -EPROTO;
			at += sizeof(length) + length;
			records++;
		}
		if (view.start == view.end && view.flags & ZP_COMPLETED)
			return records;
		ret = zp_advance(r, at, view.end);
		if (ret)
			break;
	}
	return ret;
}

int main(void)
{
	int socks[2], wfd, rfd, status = 0, ret;
	struct zp_reader *r;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		err(1, "socketpair");
	child = fork();
	if (child == 0) {
		close(socks[0]);
		_exit(client(socks[1]) ? 1 : 0);
	}
	close(socks[1]);
	ret = zp_create(NULL, &wfd, &rfd);
	if (!ret) {
		ret = zp_send_fd(socks[0], wfd);
		/* the client's is the only writer now */
		close(wfd);
	}
	if (!ret)
		ret = zp_reader_open(&r, rfd, NULL);
	if (!ret) {
		ret = serve(r);
		zp_reader_close(r);
	}
	close(socks[0]);
	waitpid(child, &status, 0);
	if (ret < 0) {
		errno = -ret;
		warn("the pipe");
	} else {
		printf("%d records\n", ret);
	}
	return ret != RECORDS - RECORDS / 10 || status;
}
