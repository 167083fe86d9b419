/* SPDX-License-Identifier: MIT */
/*
 * future - one value, once
 *
 * Include <zpipe.h>, not this file. A future is a pipe that carries one value.
 * Whoever has the writer end sets it, whoever has the reader end gets it, as
 * often as it likes. A writer that leaves without setting it is no value and
 * not an empty one.
 * Source: the future of the native stream, whose reader could not tell.
 */
#ifndef ZPIPE_FUTURE_H
#define ZPIPE_FUTURE_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * zp_future_create() - make a future
 * @max: most bytes its value can have
 * @writer_fd: out: for zp_future_set(), close-on-exec, the caller's
 * @reader_fd: out: for zp_future_get(), close-on-exec, the caller's
 *
 * The reader's fd is POLLIN once zp_future_get() would not wait.
 *
 * Return: as zp_create(); -EINVAL: @max is more than a pipe can have.
 */
ZP_API int zp_future_create(size_t max, int *writer_fd, int *reader_fd);

/**
 * zp_future_set() - give the value
 * @writer_fd: the writer end; stays open, and of no more use
 * @value: the bytes
 * @size: how many; 0 is a value too
 *
 * Never waits. The bytes are there for the reader whatever becomes of this
 * process.
 *
 * Return: 0. ZP_COMPLETED: nobody will get it. Negative: -EALREADY: it was set;
 * -EMSGSIZE: longer than its @max; -EBADF: not the writer end of a pipe.
 */
ZP_API int zp_future_set(int writer_fd, const void *value, size_t size);

/**
 * zp_future_fail() - say that there will be no value, and why
 * @writer_fd: the writer end
 * @error: an errno, for the getter
 *
 * Return: 0; -EALREADY: it was set; -EINVAL: @error; -EBADF.
 */
ZP_API int zp_future_fail(int writer_fd, int error);

/**
 * zp_future_get() - get the value, waiting for it
 * @reader_fd: the reader end; stays open
 * @buf: where to; may be NULL when @size is 0
 * @size: room there, in bytes
 * @actual: out: bytes of the value, also when there is not enough room; may be
 *	NULL
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever, also where
 *	the fd has O_NONBLOCK
 *
 * Takes nothing: it can be called again, by anybody who has the fd.
 *
 * Return: 0; -EPIPE: the writer left without a value; -EMSGSIZE: not enough
 * room, and nothing was copied; -ETIMEDOUT; -EINTR; the errno of
 * zp_future_fail(); -EBADF: not the reader end of a future.
 */
ZP_API int zp_future_get(int reader_fd, void *buf, size_t size, size_t *actual,
			 uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_FUTURE_H */
