// SPDX-License-Identifier: MIT
/*
 * zlib - gzip as a stage, both ways
 *
 * What zlib took is consumed, though it may still be inside: when there is nothing
 * more to take for now it is flushed out, so that a reader behind it sees all of it.
 */
#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "stages.h"

/* What it is given for this call; the first piece of the view is enough, the rest is next. */
static void give(z_stream *z, const struct zp_stage_io *io)
{
	size_t in = io->in.nr_spans ? io->in.first.len : 0;

	z->next_in = io->in.first.data;
	z->avail_in = in < UINT_MAX ? (uInt)in : UINT_MAX;
	z->next_out = io->out.data;
	z->avail_out = io->out.len < UINT_MAX ? (uInt)io->out.len : UINT_MAX;
}

static void take(const z_stream *z, struct zp_stage_io *io)
{
	io->taken = (uint64_t)(z->next_in - (const Bytef *)io->in.first.data);
	io->made = (size_t)(z->next_out - (Bytef *)io->out.data);
}

int stage_gzip(void *state, struct zp_stage_io *io)
{
	z_stream *z = state;
	int flush = Z_NO_FLUSH, ret;

	if (!zp_view_len(&io->in))
		flush = io->end ? Z_FINISH : Z_SYNC_FLUSH;
	give(z, io);
	ret = deflate(z, flush);
	take(z, io);
	/* Z_BUF_ERROR: there was nothing to do */
	if (ret == Z_STREAM_END)
		return ZP_COMPLETED;
	return ret == Z_OK || ret == Z_BUF_ERROR ? 0 : -EIO;
}

int stage_gunzip(void *state, struct zp_stage_io *io)
{
	z_stream *z = state;
	int ret;

	give(z, io);
	ret = inflate(z, Z_NO_FLUSH);
	take(z, io);
	if (ret == Z_STREAM_END)
		return ZP_COMPLETED;
	if (ret == Z_MEM_ERROR)
		return -ENOMEM;
	if (ret != Z_OK && ret != Z_BUF_ERROR)
		return -EBADMSG;
	/* the end of the input, but not of what is in it */
	return io->end && !io->taken && !io->made ? -EBADMSG : 0;
}

z_stream *stage_gzip_new(int level)
{
	z_stream *z = calloc(1, sizeof(*z));

	/* 16: the format of gzip */
	if (z && deflateInit2(z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

z_stream *stage_gunzip_new(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && inflateInit2(z, 15 + 16) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

void stage_gzip_free(z_stream *z)
{
	deflateEnd(z);
	free(z);
}

void stage_gunzip_free(z_stream *z)
{
	inflateEnd(z);
	free(z);
}
