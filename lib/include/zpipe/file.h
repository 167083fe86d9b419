/* SPDX-License-Identifier: MIT */
/*
 * file - a handle as a FILE of stdio
 *
 * Include <zpipe.h>, not this file. For code that takes a FILE and knows nothing of
 * pipes with mapped memory: each byte is copied once more, between the file's buffer
 * and the pipe. The handle may be used directly before and after, not meanwhile.
 */
#ifndef ZPIPE_FILE_H
#define ZPIPE_FILE_H

#include <stdio.h>

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* zp_reader_file(), zp_writer_file() */
#define ZP_LEAVE_OPEN	1	/* fclose(3) leaves the handle alone */

/**
 * zp_reader_file() - read a pipe with stdio
 * @r: the reader, without a view that is not advanced; the file's on success, and
 *	closed with it, unless ZP_LEAVE_OPEN
 * @flags: ZP_LEAVE_OPEN
 * @file: out: for fread(3), getline(3) and so on, and fclose(3)
 *
 * At the end of the stream it is at its end, as often as you look; a zp_cancel() is
 * an error, ECANCELED, after which it can be read on (clearerr(3)). What the file had
 * buffered when it is closed is consumed.
 * Source: PipeReader.AsStream(leaveOpen).
 *
 * Return: 0; -EOPNOTSUPP: @flags; -ENOMEM.
 */
ZP_API int zp_reader_file(struct zp_reader *r, unsigned int flags, FILE **file);

/**
 * zp_writer_file() - write a pipe with stdio
 * @w: the writer; the file's on success, completed and closed with it, unless
 *	ZP_LEAVE_OPEN
 * @flags: ZP_LEAVE_OPEN
 * @file: out: for fwrite(3), fprintf(3) and so on, fflush(3) and fclose(3)
 *
 * fflush() flushes the pipe. When the reader has finished writing fails with EPIPE,
 * without a signal.
 * Source: PipeWriter.AsStream(leaveOpen).
 *
 * Return: 0; -EOPNOTSUPP: @flags; -ENOMEM.
 */
ZP_API int zp_writer_file(struct zp_writer *w, unsigned int flags, FILE **file);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_FILE_H */
