// SPDX-License-Identifier: MIT
/*
 * zstd - Zstandard as a stage, both ways
 *
 * As zlib.c; the state is the library's own context.
 */
#include <errno.h>
#include <zstd.h>

#include "stages.h"

static ZSTD_inBuffer input_of(const struct zp_stage_io *io)
{
	return (ZSTD_inBuffer){ io->in.first.data, io->in.nr_spans ? io->in.first.len : 0, 0 };
}

int stage_zstd(void *state, struct zp_stage_io *io)
{
	ZSTD_outBuffer out = { io->out.data, io->out.len, 0 };
	ZSTD_inBuffer in = input_of(io);
	ZSTD_EndDirective what = ZSTD_e_continue;
	size_t left;

	if (!in.size)
		what = io->end ? ZSTD_e_end : ZSTD_e_flush;
	left = ZSTD_compressStream2(state, &out, &in, what);
	if (ZSTD_isError(left))
		return -EIO;
	io->taken = in.pos;
	io->made = out.pos;
	return what == ZSTD_e_end && !left ? ZP_COMPLETED : 0;
}

int stage_unzstd(void *state, struct zp_stage_io *io)
{
	ZSTD_outBuffer out = { io->out.data, io->out.len, 0 };
	ZSTD_inBuffer in = input_of(io);
	size_t left = ZSTD_decompressStream(state, &out, &in);

	if (ZSTD_isError(left))
		return -EBADMSG;
	io->taken = in.pos;
	io->made = out.pos;
	/* the end of a frame */
	if (!left)
		return ZP_COMPLETED;
	return io->end && !in.pos && !out.pos ? -EBADMSG : 0;
}
