/* SPDX-License-Identifier: MIT */
/*
 * copy - between a pipe and a file, a socket, memory or another pipe
 *
 * Include <zpipe.h>, not this file. Loops that a program would otherwise write:
 * what comes in is read straight into grants, what goes out is written from where
 * it lies, so each byte is copied once, by the kernel, and between two pipes it is
 * not copied at all. Memory of the caller's own cannot be lent to a pipe, whose bytes
 * lie where the reader has mapped them: it is copied once, by the library.
 *
 * What they promise when something fails, or is interrupted: each byte is either
 * still in the source or has gone to the destination, and never both. @done
 * counts those that went, also on failure; to go on, call again. Neither end is
 * completed, nor any fd closed: that is left to the caller, who knows whether
 * this was all. Handles are used by the caller meanwhile.
 */
#ifndef ZPIPE_COPY_H
#define ZPIPE_COPY_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct zp_copy_opts - how far, and who wants to know
 * @sz: sizeof(struct zp_copy_opts)
 * @max: bytes at most; 0 for all there are
 * @progress: called after each part with @arg and the bytes copied so far; NULL
 *	for nobody. A negative return value ends the copy, which returns it
 * @arg: for @progress
 */
struct zp_copy_opts {
	size_t sz;
	uint64_t max;
	int (*progress)(void *arg, uint64_t done);
	void *arg;
};

/**
 * zp_copy_from_fd() - from a file or socket into a pipe
 * @w: the writer
 * @fd: read from its present position on, up to its end
 * @opts: NULL for the defaults
 * @done: out: bytes that are in the pipe now; may be NULL
 *
 * Each part that read(2) gives is flushed at once.
 * Source: PipeReader.Create over a stream; CopyFrom of the file channels.
 *
 * Return: 0: the end of @fd, or opts->max. Flags as zp_flush(): ZP_COMPLETED,
 * ZP_CANCELED: stopped early. Negative as zp_alloc() and zp_flush(), -EINVAL,
 * -E2BIG: @opts; and what read(2) fails with: after -EAGAIN, wait for POLLIN of
 * @fd or POLLOUT of the pipe.
 */
ZP_API int zp_copy_from_fd(struct zp_writer *w, int fd, const struct zp_copy_opts *opts,
			   uint64_t *done);

/**
 * struct zp_memory - foreign memory: bytes of the caller's, and who gets them back
 * @data: the first
 * @len: how many
 * @release: called with @arg, once, when nothing of it is needed any more; NULL
 *	for nobody. NULL after it was called
 * @arg: for @release
 * @taken: bytes that are in a pipe; 0 at first
 */
struct zp_memory {
	const void *data;
	size_t len;
	void (*release)(void *arg);
	void *arg;
	size_t taken;
};

/**
 * zp_copy_from_memory() - from the caller's memory into a pipe
 * @w: the writer
 * @from: the memory. Must not change until it is released; @taken is moved on
 * @opts: NULL for the defaults
 * @done: out: bytes that this call has put into the pipe; may be NULL
 *
 * All bytes are copied, once, into grants, each of which is flushed at once; what
 * the reader is shown is the copy. So nothing of the memory is used when this
 * returns, but what is behind @taken may be wanted by another call. Released, in this
 * thread, before this returns, once all is taken, at once if @len is 0, and when the
 * reader has finished, which wants no more; else, after a failure that is not to be
 * followed by another call, by zp_memory_release().
 * Source: unowned buffers; PipeReader over existing memory.
 *
 * Return: 0: all of it, or opts->max. Flags as zp_flush(): ZP_COMPLETED,
 * ZP_CANCELED: stopped early. Negative as zp_alloc() and zp_flush(), of which
 * -EAGAIN: wait for POLLOUT of the pipe; -EINVAL, -E2BIG: @opts, or more is taken
 * than there is.
 */
ZP_API int zp_copy_from_memory(struct zp_writer *w, struct zp_memory *from,
			       const struct zp_copy_opts *opts, uint64_t *done);

/**
 * zp_memory_release() - have no more of it copied
 * @from: the memory: its @release is called, unless it was
 */
ZP_API void zp_memory_release(struct zp_memory *from);

/**
 * zp_copy_to_fd() - from a pipe into a file or socket
 * @r: the reader, without a view that is not advanced
 * @fd: written to. SIGPIPE comes only if it is a pipe
 * @opts: NULL for the defaults
 * @done: out: bytes that are in the file now, and consumed; may be NULL
 *
 * What a write that fails half-way took is consumed, the rest is not.
 *
 * A socket of which SO_ZEROCOPY is set gets parts of 16 KiB and more by reference
 * (MSG_ZEROCOPY), but from a guarded pipe. They are consumed when they are sent: the
 * pages stay as they are as long as the socket needs them, whatever the writer does.
 * Its error queue is read meanwhile; what it says of the last parts may come later,
 * and is POLLERR until somebody reads it.
 * Source: PipeReader.CopyToAsync; the send loop of the socket channels.
 *
 * Return: 0: the end of the stream, or opts->max. Negative as zp_read();
 * -ECANCELED: a zp_cancel() was used up; -EINVAL, -E2BIG: @opts; and what writev(2)
 * or sendmsg(2) fail with: after -EAGAIN, wait for POLLOUT of @fd or POLLIN of
 * the pipe.
 */
ZP_API int zp_copy_to_fd(struct zp_reader *r, int fd, const struct zp_copy_opts *opts,
			 uint64_t *done);

/**
 * zp_copy() - from a pipe into another
 * @w: the writer of the other pipe
 * @r: the reader, without a view that is not advanced
 * @opts: NULL for the defaults
 * @done: out: bytes committed there and consumed here; may be NULL
 *
 * By zp_forward(), that is by reference; where that is impossible, because @w is
 * ZP_CONTIG, one of the two is ZP_GUARDED, or a device uses a page, by a copy.
 * Each part is flushed at once; if that fails, what was committed is flushed by
 * the next flush.
 * Source: PipeReader.CopyToAsync(PipeWriter), which did not notice a finished
 * destination.
 *
 * Return: 0: the end of the stream, or opts->max. Flags as zp_flush():
 * ZP_COMPLETED, ZP_CANCELED: stopped early. Negative as zp_read(), zp_forward()
 * and zp_flush(); -ECANCELED: the read or the allocation was canceled; -EINVAL,
 * -E2BIG: @opts, or both are the same pipe.
 */
ZP_API int zp_copy(struct zp_writer *w, struct zp_reader *r, const struct zp_copy_opts *opts,
		   uint64_t *done);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_COPY_H */
