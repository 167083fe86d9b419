/* SPDX-License-Identifier: MIT */
/*
 * reader - taking bytes out of a pipe, where they lie
 *
 * Include <zpipe.h>, not this file. The loop of a reader:
 *
 *	zp_read(r, &view);		wait for bytes nobody looked at yet
 *	... parse view ...
 *	zp_advance(r, consumed, examined);
 *
 * A view shows everything from `consumed` on. Advancing says up to where the
 * bytes are done with (their memory is the writer's again), and up to where
 * they were looked at: a reader that found half a message consumes nothing,
 * examines all, and the next read waits for more. Both are stream positions,
 * from view.start to view.end.
 *
 * Every zp_read() that showed bytes is followed by one advance; another read
 * before it is -EBUSY, an advance without a read -EPROTO. A view that is empty
 * or has ZP_CANCELED needs none.
 *
 * Neither call makes a function call or a system call while there are bytes to
 * show and no writer sleeps. To be quick with small messages, a reader that
 * consumed a part of its view is shown the rest of the first span first, though
 * more is there by now; all of it comes when that was looked at, or a minimum
 * asks for it, or nothing was consumed.
 *
 * A handle is used by one thread at a time. Functions return 0 or a negative
 * errno. Errors not listed at a function:
 *
 *	-ESHUTDOWN	this end has completed
 *	-EINTR		a signal; the call can be repeated as it was
 *	-EOPNOTSUPP	a flag that is not known
 *	-EPROTO		the other side broke the shared words; the pipe is dead
 *	others		the errno the writer completed with, each time;
 *			-ECONNRESET: it went away without completing
 */
#ifndef ZPIPE_READER_H
#define ZPIPE_READER_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * zp_reader_open() - map a reader fd
 * @r: out: the handle
 * @fd: a reader end: from zp_create(), inherited or received. The handle owns
 *	it on success (unless ZP_KEEP_FD), the caller on failure
 * @opts: NULL for the defaults
 *
 * The fd may come from anybody: what it says about itself is checked before
 * anything is mapped. The first read shows everything from `consumed` on
 * without waiting, also what a reader before this one had examined: a
 * restarted reader misses nothing. One open handle per pipe at a time; after
 * fork() either process may go on with it, not both.
 * Source: io_uring's way of mapping; rule R7 for the first read.
 *
 * Return: 0; -EBADF: not an fd of zpipe, or a writer; -EPROTO: a geometry that
 * makes no sense; -EPROTONOSUPPORT: a later version of the interface; -EINVAL,
 * -E2BIG: @opts; -ENOMEM.
 */
ZP_API int zp_reader_open(struct zp_reader **r, int fd, const struct zp_open_opts *opts);

/**
 * zp_reader_close() - unmap, close the fd, free the handle
 * @r: the handle; NULL is allowed
 *
 * The last close of a reader completes it: the writer is told ZP_COMPLETED.
 * While another process holds the fd the pipe goes on, and what was not
 * consumed waits for its next reader.
 */
ZP_API void zp_reader_close(struct zp_reader *r);

/**
 * zp_reader_fd() - the fd, for poll(2) and zp_cancel()
 * @r: the handle
 *
 * POLLIN: a read would not wait. POLLHUP: the writer has finished. Try first
 * (zp_try_read()), poll after -EAGAIN: the failed try arms the wake-up, so
 * this works level-triggered and edge-triggered.
 *
 * Return: the fd; it stays the handle's.
 */
ZP_API int zp_reader_fd(const struct zp_reader *r);

/**
 * zp_reader_set_spin() - look so often before sleeping
 * @r: the handle
 * @polls: how often to look at the writer's cursor before a read that would
 *	wait enters the kernel; 0: not at all
 *
 * Worth it when the writer runs on another CPU and answers within a few
 * microseconds; burns that time otherwise.
 */
ZP_API void zp_reader_set_spin(struct zp_reader *r, unsigned int polls);

/* The out-of-line halves of the inline functions below. Not for callers. */
ZP_API int zp_inline_read(struct zp_reader *r, uint64_t min, unsigned int flags,
			  uint64_t deadline);
ZP_API int zp_inline_advance(struct zp_reader *r, uint64_t consumed, uint64_t examined);
ZP_API int zp_inline_wake_writer(struct zp_reader *r);

/**
 * zp_read_flags() - see what there is to read
 * @r: the handle
 * @min: bytes held at least, from `consumed` on; 0 counts as 1
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @view: out: the bytes; see struct zp_view for how long it is good
 *
 * Returns at once when there is anything unexamined and @min is met, when the
 * writer has finished, or when a cancel is pending. A @min that is not met
 * lifts the pause of a writer, for this read.
 *
 * view->flags: ZP_COMPLETED: the writer has finished; the rest may need more
 * than one read, and the last one is empty. ZP_CANCELED: a zp_cancel() was
 * used up. Fewer than @min bytes come with ZP_PUSHED (the writer wanted them
 * seen), ZP_FULL (the writer waits for memory: nothing more comes before some
 * is consumed), ZP_COMPLETED, ZP_ABORTED (the writer is gone without
 * completing: the next read fails) or ZP_CANCELED. None of these is an error.
 *
 * Source: PipeReader.ReadAsync, TryRead and ReadAtLeastAsync in one.
 *
 * Return: 0, and @view is filled. On a negative value @view is not touched and
 * no advance is due: -EAGAIN: would wait (ZP_NOWAIT or O_NONBLOCK; POLLIN
 * comes); -ETIMEDOUT; -EBUSY: advance first; -EMSGSIZE: @min is more than the
 * pipe can ever hold.
 */
static inline int zp_read_flags(struct zp_reader *r, uint64_t min, unsigned int flags,
				uint64_t deadline, struct zp_view *view)
{
	uint64_t start = r->consumed, end = r->ready;
	int ret;

	if (zp_unlikely(r->shown | __atomic_load_n(r->events, __ATOMIC_RELAXED)))
		goto slow;
	if (end <= r->examined || (min > 1 && end - start < min)) {
		end = __atomic_load_n(r->published, __ATOMIC_ACQUIRE);
		if (zp_unlikely(end <= r->examined || (min > 1 && end - start < min) ||
				__atomic_load_n(r->opened, __ATOMIC_RELAXED) != r->expect ||
				end > __atomic_load_n(r->granted, __ATOMIC_RELAXED)))
			goto slow;
		/* the one span there was goes on */
		r->ready = end;
	}
	r->shown = end + 1;
	view->start = start;
	view->end = end;
	view->flags = 0;
	view->nr_spans = 1;
	view->first.data = (void *)(r->bias + (uintptr_t)start);
	view->first.len = (size_t)(end - start);
	view->more = NULL;
	view->last = 0;
	return 0;
slow:
	ret = zp_inline_read(r, min, flags, deadline);
	if (ret < 0)
		return ret;
	view->start = r->consumed;
	view->end = r->shown - 1;
	view->flags = (uint32_t)ret;
	view->nr_spans = r->nr_spans;
	view->first.data = (void *)(r->bias + (uintptr_t)view->start);
	view->first.len = (size_t)(r->first_end - view->start);
	view->more = r->more;
	view->last = r->last;
	return 0;
}

/**
 * zp_read() - wait for bytes nobody looked at yet
 * @r: the handle
 * @view: out: the bytes
 *
 * Return: as zp_read_flags().
 */
static inline int zp_read(struct zp_reader *r, struct zp_view *view)
{
	return zp_read_flags(r, 1, 0, 0, view);
}

/**
 * zp_try_read() - see bytes nobody looked at yet, or -EAGAIN
 * @r: the handle
 * @view: out: the bytes
 *
 * Return: as zp_read_flags().
 */
static inline int zp_try_read(struct zp_reader *r, struct zp_view *view)
{
	return zp_read_flags(r, 1, ZP_NOWAIT, 0, view);
}

/**
 * zp_read_min() - wait until so many bytes are there
 * @r: the handle
 * @min: bytes, from `consumed` on
 * @view: out: the bytes
 *
 * Return: as zp_read_flags().
 */
static inline int zp_read_min(struct zp_reader *r, uint64_t min, struct zp_view *view)
{
	return zp_read_flags(r, min, 0, 0, view);
}

/*
 * Move to positions that were checked. C, mb and D of the contract in
 * linux/zpipe.h. Not for callers.
 */
static inline int zp_inline_move(struct zp_reader *r, uint64_t consumed, uint64_t examined)
{
	if (examined < r->examined)
		examined = r->examined;
	/* a reader that consumed nothing wants to see more than it did */
	if (consumed == r->consumed)
		r->ready = 0;
	r->consumed = consumed;
	r->examined = examined;
	r->shown = 0;
	ZP_PROBE3(advance, r, consumed, examined);
	/* C: examined first, or the kernel could see consumed > examined */
	__atomic_store_n(r->examined_word, examined, __ATOMIC_RELAXED);
	__atomic_store_n(r->consumed_word, consumed, __ATOMIC_RELEASE);
	zp_mb();
	if (zp_unlikely(examined >= __atomic_load_n(r->writer_wake_examined, __ATOMIC_RELAXED) ||
			consumed >= __atomic_load_n(r->writer_wake_consumed, __ATOMIC_RELAXED)))
		return zp_inline_wake_writer(r);
	return 0;
}

/**
 * zp_advance() - give memory back, and say what was looked at
 * @r: the handle
 * @consumed: stream position; the bytes before it are the writer's again.
 *	ZP_KEEP: none
 * @examined: stream position, not below @consumed; the next read waits for
 *	bytes behind it. One below an earlier one is accepted and changes
 *	nothing. ZP_KEEP: nothing beyond @consumed
 *
 * Source: PipeReader.AdvanceTo(consumed, examined); positions replace its
 * cursors.
 *
 * Return: 0; -EINVAL: not within the view, and the read is still outstanding;
 * -EPROTO: no read is outstanding.
 */
static inline int zp_advance(struct zp_reader *r, uint64_t consumed, uint64_t examined)
{
	if (zp_unlikely(consumed < r->consumed || examined < consumed || examined >= r->shown))
		return zp_inline_advance(r, consumed, examined);
	return zp_inline_move(r, consumed, examined);
}

/**
 * zp_consume() - give back the first bytes of the view
 * @r: the handle
 * @n: how many bytes; the rest counts as not looked at
 *
 * Source: PipeReader.AdvanceTo(consumed).
 *
 * Return: as zp_advance().
 */
static inline int zp_consume(struct zp_reader *r, uint64_t n)
{
	return zp_advance(r, r->consumed + n, r->consumed + n);
}

/**
 * zp_consume_all() - give back everything the view showed
 * @r: the handle
 *
 * Return: as zp_advance().
 */
static inline int zp_consume_all(struct zp_reader *r)
{
	return zp_advance(r, r->shown - 1, r->shown - 1);
}

/**
 * zp_examine_all() - keep everything, and wait for more with the next read
 * @r: the handle
 *
 * Return: as zp_advance().
 */
static inline int zp_examine_all(struct zp_reader *r)
{
	return zp_advance(r, r->consumed, r->shown - 1);
}

/**
 * struct zp_remap - addresses at which pieces of a pipe are mapped next to each other
 * @memory: private
 * @size: private: bytes of it
 * @used: private: of these, bytes that show something
 * @maps: how often something was mapped into it
 * @mapped: bytes that it showed, in all
 *
 * The caller's; begin with all zeroes, end with zp_remap_free(). Used by one thread
 * at a time.
 */
struct zp_remap {
	void *memory;
	size_t size;
	size_t used;
	uint64_t maps;
	uint64_t mapped;
};

/**
 * zp_remap() - bring a view into one piece without copying it
 * @r: the reader whose view it is
 * @view: the view, or a slice of it. Afterwards it has one span (or none, if it is
 *	empty), with the same positions
 * @remap: where to map it
 *
 * Its pieces are mapped a second time, one behind the other; so they must meet at
 * borders of pages, as those of segments do that were filled up. Free when the view
 * has one span already. It is good until the advance, or the next call with the same
 * @remap. Each piece costs a call of mmap(2) and the faults of its segments, so for
 * pieces below some ten KiB zp_view_flatten(), which copies, is faster.
 * Source: ring buffers mapped twice; contiguous buffers that pipelines were asked for.
 *
 * Return: 0; -EINVAL: the pieces do not meet so, or are not this reader's: copy
 * them; what mmap(2) fails with. @view is as it was then.
 */
ZP_API int zp_remap(struct zp_reader *r, struct zp_view *view, struct zp_remap *remap);

/**
 * zp_remap_free() - unmap what zp_remap() has mapped
 * @remap: all zeroes afterwards
 *
 * A mapping keeps the reader open, so free it before closing the reader.
 */
ZP_API void zp_remap_free(struct zp_remap *remap);

/**
 * zp_consumed() - where the reader is
 * @r: the handle
 *
 * Return: stream position up to which bytes were given back.
 */
static inline uint64_t zp_consumed(const struct zp_reader *r)
{
	return r->consumed;
}

/**
 * zp_reader_complete() - finish reading
 * @r: the handle; only close it afterwards
 * @error: 0: the writer's calls say ZP_COMPLETED and what it writes is
 *	dropped. An errno (positive): they fail with it
 *
 * What was not consumed is dropped, and the memory of views with it: touching
 * it raises SIGBUS. The first call wins; later ones change nothing and succeed.
 * Source: PipeReader.Complete(exception).
 *
 * Return: 0; -EINVAL: @error.
 */
ZP_API int zp_reader_complete(struct zp_reader *r, int error);

/**
 * zp_reader_stats() - what this reader has done
 * @r: the handle
 * @stats: out: see struct zp_stats; its sz is set by the caller
 *
 * As zp_writer_stats(). zp_stats() is this for either end.
 * Source: what the kernel's tracepoints say, without a tracer.
 *
 * Return: 0; -EINVAL: sz is too small.
 */
ZP_API int zp_reader_stats(struct zp_reader *r, struct zp_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_READER_H */
