// SPDX-License-Identifier: MIT
/*
 * main - text through eight stages, in one thread, as far as somebody reads
 *
 *	text > gzip > gunzip > zstd > unzstd > TLS client > TLS server > reader
 *	                                       TLS client < TLS server
 *
 * Each arrow is a pipe. Nothing runs before the first read. Then the text is cut off in
 * the middle of what gzip made, which must not be taken for its end.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "stages.h"

#define LINES	20000
#define PIPES	10

static struct zp_writer *w[PIPES];
static struct zp_reader *r[PIPES];

static void open_pipes(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts), .pause = ZP_NEVER };

	for (int i = 0; i < PIPES; i++) {
		int wfd, rfd, ret = zp_create(&opts, &wfd, &rfd);

		if (!ret)
			ret = zp_writer_open(&w[i], wfd, NULL);
		if (!ret)
			ret = zp_reader_open(&r[i], rfd, NULL);
		if (ret)
			errx(1, "open: %s", strerror(-ret));
	}
}

static void close_pipes(void)
{
	for (int i = 0; i < PIPES; i++) {
		zp_writer_close(w[i]);
		zp_reader_close(r[i]);
	}
}

static size_t line(char *buf, unsigned int i)
{
	return (size_t)sprintf(buf, "line %u, and %u\n", i, i * 2654435761U);
}

static void write_text(void)
{
	char buf[64];

	for (unsigned int i = 0; i < LINES; i++)
		zp_write(w[0], buf, line(buf, i));
	zp_writer_complete(w[0], 0, 0);
	/* the server has nothing to say */
	zp_writer_complete(w[7], 0, 0);
}

/* Read everything through stages: lines that are what they should be, or an error. */
static int read_text(struct zp_stage *stages, size_t nr, struct zp_reader *from)
{
	struct zp_view view, text;
	char wanted[64];
	int lines = 0, ret;

	while (!(ret = zp_stage_read(stages, nr, from, 0, 0, &view))) {
		uint64_t end = view.end;

		if (!zp_view_len(&view) && view.flags & ZP_COMPLETED)
			return lines;
		while (!zp_view_take_line(&view, NULL, &text)) {
			size_t n = line(wanted, (unsigned int)lines++) - 1;
			struct zp_view other = zp_view_of(wanted, n);

			if (!zp_view_equal(&text, &other))
				errx(1, "line %d is wrong", lines);
		}
		zp_advance(from, view.start, end);
	}
	return ret;
}

static int through(SSL *client, SSL *server, z_stream *z, z_stream *u)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_DCtx *d = ZSTD_createDCtx();
	struct zp_stage stages[] = {
		{ .in = r[0], .out = w[1], .transform = stage_gzip, .state = z },
		{ .in = r[1], .out = w[2], .transform = stage_gunzip, .state = u },
		{ .in = r[2], .out = w[3], .transform = stage_zstd, .state = c },
		{ .in = r[3], .out = w[4], .transform = stage_unzstd, .state = d },
		{ .in = r[7], .out = w[8], .transform = stage_tls_seal, .state = server },
		{ .in = r[8], .out = w[9], .transform = stage_tls_open, .state = client },
		{ .in = r[4], .out = w[5], .transform = stage_tls_seal, .state = client },
		{ .in = r[5], .out = w[6], .transform = stage_tls_open, .state = server },
	};
	int lines;

	write_text();
	lines = read_text(stages, sizeof(stages) / sizeof(stages[0]), r[6]);
	ZSTD_freeCCtx(c);
	ZSTD_freeDCtx(d);
	return lines;
}

/* Half of what gzip makes of it. */
static int cut_off(z_stream *z, z_stream *u)
{
	struct zp_stage pack = { .in = r[0], .out = w[1], .transform = stage_gzip, .state = z };
	struct zp_stage unpack = { .in = r[2], .out = w[3], .transform = stage_gunzip, .state = u };
	struct zp_copy_opts half = { .sz = sizeof(half) };

	write_text();
	if (zp_stage_run(&pack, 1, 0))
		return -1;
	half.max = zp_position(w[1]) / 2;
	if (zp_copy(w[2], r[1], &half, NULL) || zp_writer_complete(w[2], 0, 0))
		return -1;
	return read_text(&unpack, 1, r[3]);
}

int main(void)
{
	SSL_CTX *context = stage_tls_self_signed(), *plain = SSL_CTX_new(TLS_client_method());
	SSL *client = stage_tls_new(plain, 0), *server = stage_tls_new(context, 1);
	z_stream *z = stage_gzip_new(6), *u = stage_gunzip_new();
	int lines, cut;

	open_pipes();
	lines = through(client, server, z, u);
	close_pipes();
	deflateReset(z);
	inflateReset(u);
	open_pipes();
	cut = cut_off(z, u);
	close_pipes();
	printf("%d lines over %s; cut off: %s\n", lines, SSL_get_version(client), strerror(-cut));
	stage_gzip_free(z);
	stage_gunzip_free(u);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(context);
	SSL_CTX_free(plain);
	return lines != LINES || cut != -EBADMSG;
}
