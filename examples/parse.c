// SPDX-License-Identifier: MIT
/*
 * parse - messages of four protocols, read where they lie
 *
 *	parse
 *
 * For each of the parsers in parsers/ a child writes a few messages through a
 * small pipe, flushing after every byte or two, and the parent parses what is
 * there so far. The parsers know nothing of the pipe: the loop in run() waits
 * when they say ZP_MORE. What they find is counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zpipe.h>

#include "parsers/chunked.h"
#include "parsers/frames.h"
#include "parsers/ndjson.h"
#include "parsers/resp.h"

#define ROUNDS	((size_t)200)

static struct chunked chunked;
static struct resp resp;
static struct ndjson ndjson;

static void check(const char *what, int ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "parse: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static int one_chunked(struct zp_cursor *c, uint64_t *bytes)
{
	struct zp_view piece;
	int ret = chunked_next(&chunked, c, &piece);

	if (ret == CHUNKED_END) {
		memset(&chunked, 0, sizeof(chunked));
		return 0;
	}
	if (!ret)
		*bytes += zp_view_len(&piece);
	return ret;
}

static int one_resp(struct zp_cursor *c, uint64_t *bytes)
{
	struct resp_value value;
	int ret = resp_next(&resp, c, &value);

	if (!ret && value.kind == RESP_BULK_STRING)
		*bytes += zp_view_len(&value.text);
	return ret;
}

static int one_ndjson(struct zp_cursor *c, uint64_t *bytes)
{
	struct zp_view text;
	int ret = ndjson_next(&ndjson, c, &text);

	if (!ret)
		*bytes += zp_view_len(&text);
	return ret;
}

static int one_frame(struct zp_cursor *c, uint64_t *bytes)
{
	struct zp_view message;
	int ret = frames_next(c, &message);

	if (!ret)
		*bytes += zp_view_len(&message);
	return ret;
}

static void produce(int fd, const char *message, size_t len)
{
	struct zp_writer *w;
	size_t i, n;
	size_t round;

	check("zp_writer_open", zp_writer_open(&w, fd, NULL));
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < len; i += n) {
			n = 1 + (i + round) % 2 * (i + 1 < len);
			check("zp_write", zp_write_flush(w, message + i, n, NULL));
		}
	}
	check("zp_writer_complete", zp_writer_complete(w, 0, 0));
	_exit(0);
}

static uint64_t run(const char *message, size_t len,
		    int (*one)(struct zp_cursor *c, uint64_t *bytes))
{
	struct zp_create_opts opts = {
		.sz = sizeof(opts), .segment_size = 4096, .capacity = 16384,
	};
	struct zp_view view = { .flags = 0 };
	struct zp_reader *r;
	struct zp_cursor c;
	uint64_t bytes = 0;
	int wfd, rfd, ret;

	check("zp_create", zp_create(&opts, &wfd, &rfd));
	if (fork() == 0)
		produce(wfd, message, len);
	close(wfd);
	check("zp_reader_open", zp_reader_open(&r, rfd, NULL));
	for (;;) {
		check("zp_read", zp_read(r, &view));
		if (!zp_view_len(&view))
			break;
		zp_cursor_init(&c, &view);
		do {
			ret = one(&c, &bytes);
		} while (!ret);
		check("parse", ret);
		check("zp_advance", zp_advance(r, zp_cursor_position(&c), view.end));
		if (view.flags & ZP_COMPLETED && zp_cursor_left(&c))
			check("parse: half a message", -EPIPE);
	}
	zp_reader_close(r);
	wait(NULL);
	return bytes;
}

int main(void)
{
	static const char chunks[] = "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
	static const char commands[] = "*2\r\n$3\r\nGET\r\n$9\r\nsome\r\nkey\r\n:1\r\n";
	static const char lines[] = "{\"a\": [1, 2]}\r\n\n\"text\"\n";
	static const char frames[] = "\0\0\0\5hello\0\0\0\0";
	int good;

	good = run(chunks, sizeof(chunks) - 1, one_chunked) == ROUNDS * 12 &&
	       run(commands, sizeof(commands) - 1, one_resp) == ROUNDS * 12 &&
	       run(lines, sizeof(lines) - 1, one_ndjson) == ROUNDS * 19 &&
	       run(frames, sizeof(frames) - 1, one_frame) == ROUNDS * 5;
	puts(good ? "parse fine" : "parse WRONG");
	return !good;
}
