/* SPDX-License-Identifier: MIT */
/*
 * writer - filling a pipe
 *
 * Include <zpipe.h>, not this file. The loop of a writer:
 *
 *	zp_alloc(w, min, &room);	where to write, at least min bytes
 *	... fill room.data ...
 *	zp_commit(w, n);		n of them are filled; still private
 *	zp_flush(w);			the reader may see them; wake it
 *
 * Any number of commits may go into one flush, and it is the flush that costs
 * (a barrier). The first three make no function call and no system call while
 * the grant lasts; nor does the flush, unless a sleeping reader must be woken
 * or the reader is so far behind that the writer is to pause.
 *
 * A handle is used by one thread at a time. Functions return 0 or a negative
 * errno. Where "flags" are returned, 0 is the usual case, and a positive value
 * has ZP_COMPLETED (the reader has finished: stop producing, what is written
 * is dropped) or ZP_CANCELED. Errors not listed at a function:
 *
 *	-ESHUTDOWN	this end has completed
 *	-EINTR		a signal; the call can be repeated as it was
 *	-EOPNOTSUPP	a flag that is not known
 *	-EPROTO		the other side broke the shared words; the pipe is dead
 *	others		the errno that the reader completed with, each time
 */
#ifndef ZPIPE_WRITER_H
#define ZPIPE_WRITER_H

#include <string.h>
#include <errno.h>

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * zp_writer_open() - map a writer fd
 * @w: out: the handle
 * @fd: a writer end: from zp_create(), inherited or received. The handle owns
 *	it on success (unless ZP_KEEP_FD), the caller on failure
 * @opts: NULL for the defaults
 *
 * The fd may come from anybody: what it says about itself is checked before
 * anything is mapped. The stream goes on at `published`: bytes that a previous
 * writer had committed but not published are gone. One open handle per pipe at
 * a time; after fork() either process may go on with it, not both.
 * Source: io_uring's way: the kernel tells where the words are.
 *
 * Return: 0; -EBADF: not an fd of zpipe, or a reader; -EPROTO: a geometry that
 * makes no sense; -EPROTONOSUPPORT: a later version of the interface; -EINVAL,
 * -E2BIG: @opts; -ENOMEM.
 */
ZP_API int zp_writer_open(struct zp_writer **w, int fd, const struct zp_open_opts *opts);

/**
 * zp_writer_close() - unmap, close the fd, free the handle
 * @w: the handle; NULL is allowed
 *
 * Without zp_writer_complete() the last close of a writer is an abort: the
 * reader gets what was published and then -ECONNRESET.
 * Source: the difference between EOF and a crash that pipe(2) cannot tell.
 */
ZP_API void zp_writer_close(struct zp_writer *w);

/**
 * zp_writer_fd() - the fd, for poll(2) and zp_cancel()
 * @w: the handle
 *
 * POLLOUT: a grant can be had and the writer is not paused. POLLERR: the
 * reader has finished. Try first (zp_try_alloc(), zp_flush_flags() with
 * ZP_NOWAIT), poll after -EAGAIN: the failed try arms the wake-up, so this
 * works level-triggered and edge-triggered.
 *
 * Return: the fd; it stays the handle's.
 */
ZP_API int zp_writer_fd(const struct zp_writer *w);

/**
 * zp_writer_set_spin() - look so often before sleeping
 * @w: the handle
 * @polls: how often to look at the reader's cursor before a call that would
 *	wait for memory enters the kernel; 0: not at all
 *
 * Worth it when the reader runs on another CPU and answers within a few
 * microseconds; burns that time otherwise.
 * Source: measured: half a microsecond per round trip instead of nine.
 */
ZP_API void zp_writer_set_spin(struct zp_writer *w, unsigned int polls);

/* The out-of-line halves of the inline functions below. Not for callers. */
ZP_API int zp_inline_alloc(struct zp_writer *w, size_t min, unsigned int flags,
			   uint64_t deadline);
ZP_API int zp_inline_flush(struct zp_writer *w, unsigned int flags, uint64_t deadline);
ZP_API int zp_inline_write(struct zp_writer *w, const void *buf, size_t n);

/**
 * zp_alloc_flags() - get memory to write to
 * @w: the handle
 * @min: bytes wanted, contiguous; 0 counts as 1. At most the window
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @room: out: at least @min bytes of writable memory at the committed
 *	position, and as many more as there are in the grant
 *
 * Nothing is taken from the stream: calling it again gives the same memory.
 * The bytes are the caller's until they are flushed. When @min does not fit
 * behind the committed position, the rest of the segment is left unused.
 *
 * Source: PipeWriter.GetMemory (at least the hint, never empty); waiting for
 * memory and -EMSGSIZE are a bounded pipe's.
 *
 * Return: 0 or flags (ZP_COMPLETED), and @room is filled. On a negative value
 * nothing changed, and a grant taken before is still there: -EAGAIN: would
 * wait (ZP_NOWAIT or O_NONBLOCK; POLLOUT comes); -ETIMEDOUT; -ECANCELED:
 * a zp_cancel() was used up; -EMSGSIZE: longer than the pipe can ever hold;
 * -ENOBUFS: the memory is full of this writer's own unflushed bytes, flush
 * first; -ENOMEM, -EDQUOT.
 */
static inline int zp_alloc_flags(struct zp_writer *w, size_t min, unsigned int flags,
				 uint64_t deadline, struct zp_span *room)
{
	int ret = 0;

	if (!min)
		min = 1;
	if (zp_unlikely(w->limit - w->position < min)) {
		ret = zp_inline_alloc(w, min, flags, deadline);
		if (ret < 0)
			return ret;
	}
	room->data = (void *)(w->bias + (uintptr_t)w->position);
	room->len = (size_t)(w->limit - w->position);
	return ret;
}

/**
 * zp_alloc() - get memory to write to, waiting for it
 * @w: the handle
 * @min: bytes wanted, contiguous
 * @room: out: the memory
 *
 * Return: as zp_alloc_flags().
 */
static inline int zp_alloc(struct zp_writer *w, size_t min, struct zp_span *room)
{
	return zp_alloc_flags(w, min, 0, 0, room);
}

/**
 * zp_try_alloc() - get memory to write to, or -EAGAIN
 * @w: the handle
 * @min: bytes wanted, contiguous
 * @room: out: the memory
 *
 * Return: as zp_alloc_flags().
 */
static inline int zp_try_alloc(struct zp_writer *w, size_t min, struct zp_span *room)
{
	return zp_alloc_flags(w, min, ZP_NOWAIT, 0, room);
}

/**
 * zp_commit() - say how many bytes were filled
 * @w: the handle
 * @n: bytes, from the committed position; 0 is legal
 *
 * Private to the writer until a flush or zp_publish().
 * Source: PipeWriter.Advance.
 *
 * Return: 0; -EINVAL: more than the grant has, and nothing was committed.
 */
static inline int zp_commit(struct zp_writer *w, size_t n)
{
	if (zp_unlikely(w->limit - w->position < n))
		return -EINVAL;
	w->position += n;
	return 0;
}

/**
 * zp_publish() - let the reader see what was committed, but wake nobody
 * @w: the handle
 *
 * A reader that is awake finds the bytes; one that sleeps does not until the
 * next zp_flush(). One store. In a guarded pipe nothing is visible before the
 * next zp_flush(), which alone can publish.
 * Source: PipeWriter's Commit without Flush, as System.IO.Channels had it.
 */
static inline void zp_publish(struct zp_writer *w)
{
	__atomic_store_n(w->published, w->position, __ATOMIC_RELEASE);
	w->publishes++;
	ZP_PROBE2(publish, w, w->position);
}

/**
 * zp_flush() - publish what was committed, wake the reader, pause if need be
 * @w: the handle
 *
 * Waits only while the reader has `pause` or more bytes unexamined, until
 * fewer than `resume` are; not for consumption. The wait is lifted while the
 * reader wants more than is there.
 * Source: PipeWriter.FlushAsync. A, mb and B of the contract in linux/zpipe.h.
 *
 * Return: 0 or flags (ZP_COMPLETED, ZP_CANCELED: the bytes stay published).
 * After -EAGAIN (O_NONBLOCK, paused) and -EINTR the bytes are published too;
 * only the wait was cut short.
 */
static inline int zp_flush(struct zp_writer *w)
{
	uint64_t position = w->position;

	__atomic_store_n(w->published, position, __ATOMIC_RELEASE);
	w->publishes++;
	ZP_PROBE2(publish, w, position);
	zp_mb();
	if (zp_unlikely(position >= __atomic_load_n(w->reader_wake_at, __ATOMIC_RELAXED) ||
			position >= w->pause_limit))
		return zp_inline_flush(w, 0, 0);
	return 0;
}

/**
 * zp_flush_flags() - zp_flush() with choices
 * @w: the handle
 * @flags: ZP_NOWAIT: -EAGAIN instead of pausing. ZP_FLUSH_PUSH: a read with a
 *	minimum returns early, with what there is. ZP_FLUSH_WAIT_EXAMINED: return
 *	when the reader has looked at all of it (implies PUSH).
 *	ZP_FLUSH_WAIT_CONSUMED: when it gave it all back; needs PUSH or
 *	a @deadline
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 *
 * Source: "FlushAsync does not wait for consumption" surprised its users, so
 * here are both kinds of waiting, by name.
 *
 * Return: as zp_flush(); -EAGAIN and -ETIMEDOUT: published, but the wait was
 * not finished. -EINVAL: flags that do not go together.
 */
static inline int zp_flush_flags(struct zp_writer *w, unsigned int flags, uint64_t deadline)
{
	uint64_t position = w->position;

	w->publishes++;
	ZP_PROBE2(publish, w, position);
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return zp_inline_flush(w, flags, deadline);
	__atomic_store_n(w->published, position, __ATOMIC_RELEASE);
	zp_mb();
	if (zp_unlikely(position >= __atomic_load_n(w->reader_wake_at, __ATOMIC_RELAXED) ||
			position >= w->pause_limit))
		return zp_inline_flush(w, flags, deadline);
	return 0;
}

/**
 * zp_write() - copy bytes in and commit them
 * @w: the handle
 * @buf: the bytes
 * @n: how many; 0 is legal
 *
 * The second-best path: encoding in place needs no copy. Splits over segments
 * and waits for memory as zp_alloc() does. Nothing is published.
 * Source: PipeWriter.Write.
 *
 * Return: 0 or flags (ZP_COMPLETED). Negative as zp_alloc_flags(), and then
 * nothing was committed; -EMSGSIZE: more than the capacity.
 */
static inline int zp_write(struct zp_writer *w, const void *buf, size_t n)
{
	if (zp_unlikely(w->limit - w->position < n))
		return zp_inline_write(w, buf, n);
	if (n)
		memcpy((void *)(w->bias + (uintptr_t)w->position), buf, n);
	ZP_PROBE3(write, w, w->position, n);
	w->position += n;
	w->copied += n;
	return 0;
}

/**
 * zp_write_flush() - copy bytes in, flushing as often as it takes
 * @w: the handle
 * @buf: the bytes
 * @n: how many; may be more than the pipe holds
 * @done: out: bytes committed, also on failure; may be NULL
 *
 * Flushes at the end, and in between whenever the pipe is full.
 * Source: PipeWriter.WriteAsync; write(2).
 *
 * Return: 0 when all @n bytes are flushed. Flags: ZP_COMPLETED (the rest was
 * not copied), ZP_CANCELED. Negative as zp_alloc_flags() and zp_flush(): the
 * first @done bytes are committed, go on behind them.
 */
ZP_API int zp_write_flush(struct zp_writer *w, const void *buf, size_t n, size_t *done);

/**
 * zp_position() - the committed position
 * @w: the handle
 *
 * Return: stream position, in bytes since the pipe was made.
 */
static inline uint64_t zp_position(const struct zp_writer *w)
{
	return w->position;
}

/**
 * zp_unflushed() - bytes committed but not published
 * @w: the handle
 *
 * Source: PipeWriter.UnflushedBytes.
 *
 * Return: bytes.
 */
static inline uint64_t zp_unflushed(const struct zp_writer *w)
{
	return w->position - __atomic_load_n(w->published, __ATOMIC_RELAXED);
}

struct zp_reader;

/**
 * zp_forward() - append bytes of another pipe without copying them
 * @w: the writer of the pipe they go to
 * @r: the reader of the pipe they come from, with a view that is not advanced
 * @n: bytes, from the view's start on; cut to what the view has, and to half of
 *	the capacity of @w
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @done: out, if not NULL: how many bytes were moved
 *
 * They count as committed: zp_flush() publishes them. At the source they are
 * consumed and the view is over, as with zp_consume(), whatever becomes of @w;
 * what was not moved is shown by the next read. Within a pool the cost does not
 * depend on @n; from another pool the pages change hands one by one. The memory
 * behind the committed position is given up, so alternating with small writes
 * takes a segment for each. Forwarded bytes are not the writer's: zp_patch() must
 * leave them alone, and those of another pool cannot even be read through
 * zp_pending(). Both handles are used by the caller meanwhile.
 * Source: WritableBuffer.Append, and CopyTo that does not copy.
 *
 * Return: 0 or ZP_COMPLETED. On a negative value nothing changed, and the view
 * is still there: -EPROTO: no view; -EAGAIN: would wait; -ETIMEDOUT;
 * -ECANCELED; -ENOBUFS: flush first; -EINVAL: both are the same pipe, or that of
 * @w is ZP_CONTIG; -ENOMEM; the source reader's own errors.
 */
ZP_API int zp_forward(struct zp_writer *w, struct zp_reader *r, size_t n, unsigned int flags,
		      uint64_t deadline, size_t *done);

struct zp_buffer;

/**
 * zp_forward_buffer() - append bytes of a buffer without copying them
 * @w: the writer of the pipe they go to
 * @b: an exported range; it stays, and can be forwarded any number of times, from
 *	any thread
 * @skip: bytes of it to leave out at its beginning
 * @n: bytes; cut to what follows, and to half of the capacity of @w
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @done: out, if not NULL: how many bytes were appended
 *
 * As zp_forward(), but nothing is used up at the source, whose pipe may be gone.
 * Source: FORWARD of the kernel interface.
 *
 * Return: 0 or ZP_COMPLETED. On a negative value nothing changed: -EINVAL: @skip is
 * beyond the end, or the buffer came out of this very pipe, which is in no pool; and
 * as zp_forward().
 */
ZP_API int zp_forward_buffer(struct zp_writer *w, const struct zp_buffer *b, size_t skip,
			     size_t n, unsigned int flags, uint64_t deadline, size_t *done);

/**
 * zp_rollback() - take back what was committed and not published
 * @w: the handle
 * @position: where to go on; from published to committed
 *
 * Get memory again (zp_alloc()) before writing.
 * Source: what is not flushed is nobody else's; rule R9 of the ordering.
 *
 * Return: 0; -EINVAL: not in that range, and nothing changed.
 */
ZP_API int zp_rollback(struct zp_writer *w, uint64_t position);

/**
 * zp_pending() - a view of what was committed and not published
 * @w: the handle
 * @view: out: the bytes, good until the writer's next call. They may still be
 *	changed in place: a length in front, for instance
 *
 * Source: WritableBuffer.AsReadableBuffer.
 *
 * Return: 0; the view is empty when all is flushed.
 */
ZP_API int zp_pending(struct zp_writer *w, struct zp_view *view);

/**
 * zp_patch() - overwrite bytes that were committed and not published
 * @w: the handle
 * @position: stream position of the first
 * @buf: the bytes
 * @n: how many
 *
 * For a length prefix that is known only after its payload; right across any
 * border.
 * Source: the length prefixes of framed protocols.
 *
 * Return: 0; -EINVAL: not all of the range is pending, and nothing changed.
 */
ZP_API int zp_patch(struct zp_writer *w, uint64_t position, const void *buf, size_t n);

/**
 * zp_writer_complete() - finish: end of stream, or abort
 * @w: the handle; only close it afterwards
 * @error: 0: what is committed is published, then the stream ends. An errno
 *	(positive): unpublished bytes are dropped, and the reader's calls fail
 *	with it
 * @flags: ZP_DRAIN: with an error, the reader first gets what was published
 *
 * The first call wins; later ones change nothing and succeed.
 * Source: PipeWriter.Complete(exception).
 *
 * Return: 0; -EINVAL: @error.
 */
ZP_API int zp_writer_complete(struct zp_writer *w, int error, unsigned int flags);

/**
 * zp_writer_stats() - what this writer has done
 * @w: the handle
 * @stats: out: see struct zp_stats; its sz is set by the caller
 *
 * Always counted: what the fast path does follows from the positions, the rest
 * is counted where it is slow anyway, and the kernel is asked for the waits, by
 * one call. zp_stats() is this for either end.
 * Source: what the kernel's tracepoints say, without a tracer.
 *
 * Return: 0; -EINVAL: sz is too small.
 */
ZP_API int zp_writer_stats(struct zp_writer *w, struct zp_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_WRITER_H */
