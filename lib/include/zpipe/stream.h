/* SPDX-License-Identifier: MIT */
/*
 * stream - rendezvous: the reader supplies the buffer, the writer fills it
 *
 * Include <zpipe.h>, not this file. There is no storage between the two ends:
 * the writer writes where the reader said, and the reader gets its buffer back
 * with the number of elements placed in it.
 *
 *	reader					writer
 *	zp_stream_start_reading(r, at, n, c)
 *						zp_stream_start_writing(w, 1, &room)
 *						... fill room.data ...
 *						zp_stream_finish_writing(w, k)
 *	zp_stream_read_result(r, &result)
 *	result.cookie == c, result.count == k
 *
 * Any number of buffers may be posted ahead, up to the number of segments; they
 * are filled, and come back, in the order in which they were posted. A state is
 * never hidden in a count: "nothing yet" is -EAGAIN, "the writer has finished"
 * is ZP_COMPLETED, and a result with a count of 0 is a transfer of nothing,
 * unless its status says that it was canceled.
 *
 * Lengths are elements, of the size that was given when the end was opened;
 * both sides must give the same. A handle is used by one thread at a time.
 * Source: the native stream of symmetric component-model streams; what it left
 * open (cancel, EOF, readiness) as its descendants answer it.
 */
#ifndef ZPIPE_STREAM_H
#define ZPIPE_STREAM_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zp_stream_reader;
struct zp_stream_writer;

/**
 * struct zp_stream_opts - how to make or open a stream
 * @sz: sizeof(struct zp_stream_opts)
 * @element_size: bytes of an element, a power of two up to 4096; 0 counts as 1
 * @flags: ZP_NONBLOCK (create); ZP_KEEP_FD (open)
 * @memory: create: bytes of memory for buffers; 0 for 1 MiB
 */
struct zp_stream_opts {
	size_t sz;
	uint32_t element_size;
	uint32_t flags;
	uint64_t memory;
};

/* zp_stream_result.status */
#define ZP_STREAM_COMPLETED	1	/* the writer has filled it, if only with nothing */
#define ZP_STREAM_CANCELED	2	/* it comes back as it was */

/**
 * struct zp_stream_result - a buffer that is the reader's again
 * @cookie: which one
 * @data: where it begins; good until it is posted again or the handle is closed
 * @count: elements placed in it
 * @position: of the first of them, in elements since the stream was made
 * @status: ZP_STREAM_*
 */
struct zp_stream_result {
	uint64_t cookie;
	const void *data;
	size_t count;
	uint64_t position;
	uint32_t status;
};

/**
 * zp_stream_create() - make a stream
 * @opts: NULL for the defaults
 * @writer_fd: out: the writer end, close-on-exec, the caller's
 * @reader_fd: out: the reader end, close-on-exec, the caller's
 *
 * The ends are those of a pipe with ZP_POSTED: they can be polled, passed on
 * and inherited like any other. Writer: POLLOUT when there is a buffer. Reader:
 * POLLIN while there is a result. Both are states and not events: asking late,
 * or twice, loses nothing.
 * Source: create_stream; its read_ready and write_ready, without their counters.
 *
 * Return: as zp_create().
 */
ZP_API int zp_stream_create(const struct zp_stream_opts *opts, int *writer_fd, int *reader_fd);

/**
 * zp_stream_reader_open() - open the reader end of a stream
 * @r: out: the handle
 * @fd: the end; the handle owns it on success (unless ZP_KEEP_FD)
 * @opts: NULL for the defaults; element_size and flags are used
 *
 * Return: as zp_reader_open(); -EINVAL: not made by zp_stream_create(), or an
 * element size that makes no sense.
 */
ZP_API int zp_stream_reader_open(struct zp_stream_reader **r, int fd,
				 const struct zp_stream_opts *opts);

/**
 * zp_stream_reader_close() - unmap, close the fd, free the handle
 * @r: the handle; NULL is allowed
 *
 * The last close of a reader ends the stream for the writer, who is told.
 * Source: close_read; the state is set before anybody is woken.
 */
ZP_API void zp_stream_reader_close(struct zp_stream_reader *r);

/**
 * zp_stream_reader_fd() - the fd, for poll(2) and zp_cancel()
 * @r: the handle
 *
 * Return: the fd; it stays the handle's.
 */
ZP_API int zp_stream_reader_fd(const struct zp_stream_reader *r);

/**
 * zp_stream_memory() - where buffers can be
 * @r: the handle
 * @size: out: bytes
 *
 * The caller divides it up as it likes. Read-only: the bytes are the writer's
 * to write. It is mapped a second time right behind, so that a buffer may begin
 * near its end and go on over it.
 * Source: shared memory blocks, and the registering of an address.
 *
 * Return: its first byte; good until the handle is closed.
 */
ZP_API const void *zp_stream_memory(const struct zp_stream_reader *r, size_t *size);

/**
 * zp_stream_start_reading() - post a buffer
 * @r: the handle
 * @at: its first byte, in zp_stream_memory(), a multiple of the element size
 * @count: its elements, at least 1
 * @cookie: the caller's name for it; unique among those not collected
 *
 * The buffer is the writer's until a result has brought it back. Never waits.
 * Source: start_reading.
 *
 * Return: 0; -EBUSY: part of it is posted already, or was not collected;
 * -EEXIST: the cookie is; -ENOBUFS: as many as there are segments are posted;
 * -EINVAL: outside of the memory, or between two elements; -ESHUTDOWN;
 * -ENOMEM, -EDQUOT; the errno that the writer closed with.
 */
ZP_API int zp_stream_start_reading(struct zp_stream_reader *r, const void *at, size_t count,
				   uint64_t cookie);

/**
 * zp_stream_read_result() - collect the oldest buffer
 * @r: the handle
 * @result: out
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 *
 * Source: read_amount and read_result, with an answer of its own for each case.
 *
 * Return: 0, and @result is filled. ZP_COMPLETED: the writer has finished and
 * there is no result any more; buffers still posted can be canceled. Negative:
 * -EAGAIN: nothing yet; -ETIMEDOUT; -EINTR; -ECANCELED: a zp_cancel(); -ECONNRESET:
 * the writer died; the errno that it closed with.
 */
ZP_API int zp_stream_read_result(struct zp_stream_reader *r, struct zp_stream_result *result,
				 unsigned int flags, uint64_t deadline);

/**
 * zp_stream_cancel_reading() - get a buffer back
 * @r: the handle
 * @cookie: which one
 * @result: out
 *
 * One that the writer has not begun comes back at once, ZP_STREAM_CANCELED. One
 * that it fills stays its until its next call: then the outcome is collected
 * with zp_stream_read_result(), with what was placed until then.
 * Source: what the native stream left open: a cancel is a request, and the
 * buffer belongs to the reader only when the operation has returned.
 *
 * Return: 0, and @result is filled; -EAGAIN: the outcome will come; -EBUSY: it
 * is finished, but an older one must be collected first; -ENOENT: no such
 * buffer; -ESHUTDOWN.
 */
ZP_API int zp_stream_cancel_reading(struct zp_stream_reader *r, uint64_t cookie,
				    struct zp_stream_result *result);

/**
 * zp_stream_is_write_closed() - has the writer finished
 * @r: the handle
 *
 * True also while results are still to be collected.
 * Source: is_write_closed.
 *
 * Return: 1 or 0.
 */
ZP_API int zp_stream_is_write_closed(const struct zp_stream_reader *r);

/**
 * zp_stream_close_read() - stop reading
 * @r: the handle; only close it afterwards
 * @error: 0, or an errno for the writer
 *
 * Source: close_read.
 *
 * Return: 0; -EINVAL: @error.
 */
ZP_API int zp_stream_close_read(struct zp_stream_reader *r, int error);

/**
 * zp_stream_writer_open() - open the writer end of a stream
 * @w: out: the handle
 * @fd: the end; the handle owns it on success (unless ZP_KEEP_FD)
 * @opts: NULL for the defaults; element_size and flags are used
 *
 * Return: as zp_stream_reader_open().
 */
ZP_API int zp_stream_writer_open(struct zp_stream_writer **w, int fd,
				 const struct zp_stream_opts *opts);

/**
 * zp_stream_writer_close() - unmap, close the fd, free the handle
 * @w: the handle; NULL is allowed
 *
 * Without zp_stream_close_write() the reader is told that the writer died, if
 * it ever began to write.
 */
ZP_API void zp_stream_writer_close(struct zp_stream_writer *w);

/**
 * zp_stream_writer_fd() - the fd, for poll(2) and zp_cancel()
 * @w: the handle
 *
 * Return: the fd; it stays the handle's.
 */
ZP_API int zp_stream_writer_fd(const struct zp_stream_writer *w);

/**
 * zp_stream_is_ready_to_write() - is there a buffer
 * @w: the handle
 *
 * Source: is_ready_to_write.
 *
 * Return: 1 or 0; ZP_COMPLETED's place is start_writing: also 1 when the reader
 * is gone, because then nothing waits. Negative: as zp_stream_start_writing().
 */
ZP_API int zp_stream_is_ready_to_write(struct zp_stream_writer *w);

/**
 * zp_stream_start_writing() - get the oldest buffer
 * @w: the handle
 * @min: elements that must fit; 0 counts as 1
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @room: out: the buffer; len is in elements. Never empty on success
 *
 * Calling it again gives the same buffer.
 * Source: start_writing; there is no null buffer.
 *
 * Return: 0. ZP_COMPLETED: the reader is gone, and @room is empty. Negative:
 * -EAGAIN: none is posted; -ETIMEDOUT; -EINTR; -ECANCELED: a zp_cancel();
 * -EMSGSIZE: the next buffer is shorter than @min; -ESHUTDOWN; the errno that
 * the reader closed with.
 */
ZP_API int zp_stream_start_writing(struct zp_stream_writer *w, size_t min, unsigned int flags,
				   uint64_t deadline, struct zp_span *room);

/**
 * zp_stream_finish_writing() - the buffer is the reader's
 * @w: the handle
 * @count: elements that were filled; 0 is a transfer of nothing, and needs no
 *	zp_stream_start_writing() before
 *
 * Source: finish_writing. End of stream is zp_stream_close_write(), not a count.
 *
 * Return: 0. ZP_COMPLETED: the reader is gone. Negative: -EINVAL: more than the
 * buffer has, and nothing happened; -EAGAIN: none is posted to finish;
 * -ESHUTDOWN; the errno that the reader closed with.
 */
ZP_API int zp_stream_finish_writing(struct zp_stream_writer *w, size_t count);

/**
 * zp_stream_close_write() - end of the stream
 * @w: the handle; only close it afterwards
 * @error: 0, or an errno for the reader
 *
 * May be called at any time, and again; the first call counts. Results that the
 * reader has not collected stay.
 * Source: close_write; finish_writing with none.
 *
 * Return: 0; -EINVAL: @error.
 */
ZP_API int zp_stream_close_write(struct zp_stream_writer *w, int error);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_STREAM_H */
