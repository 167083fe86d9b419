// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy - read(2) and write(2): where bytes are copied
 *
 * They behave like pipe(2) and mix with the mapped path: a write takes a grant
 * at the published position and publishes it, a read consumes what is there.
 * User memory is touched without the pipe's lock, so a caller that stalls in a
 * page fault holds up only others who use the same end in the same way. How to
 * enter, wait and leave is shared with splice.c.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "copy.h"
#include "flush.h"
#include "guard.h"
#include "post.h"
#include "reader.h"
#include "segment.h"
#include "stream.h"
#include "wait.h"
#include "writer.h"
#include "zpipe_trace.h"

static bool is_nowait(const struct kiocb *iocb)
{
	return (iocb->ki_filp->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT);
}

/* One caller at a time, in the order they come; busy says so to the ioctls. */
static int enter(struct zpipe_end *end, struct mutex *mutex, u32 busy, u32 excludes, bool nowait)
{
	struct zpipe_pipe *pipe = end->pipe;
	u8 *flags = end->reader ? &end->reader->busy : &pipe->busy;
	int ret;

	if (nowait) {
		if (!mutex_trylock(mutex))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(mutex)) {
		return -ERESTARTSYS;
	}
	zpipe_wait_lock(pipe);
	/* What a reader has said until here is the last that is heard of it; a writer goes on. */
	ret = end->reader ? zpipe_stream_look_locked(pipe, end->reader) : 0;
	if (!ret && (*flags & excludes))
		ret = -EBUSY;
	if (!ret)
		*flags |= busy;
	zpipe_wait_unlock(pipe);
	if (ret)
		mutex_unlock(mutex);
	return ret;
}

static void leave(struct zpipe_end *end, struct mutex *mutex, u32 busy)
{
	struct zpipe_pipe *pipe = end->pipe;
	bool late;

	zpipe_wait_lock(pipe);
	if (end->reader)
		end->reader->busy &= ~busy;
	else
		pipe->busy &= ~busy;
	/* The reader completed while its read(2) was copying. */
	late = end->reader && end->reader->ended;
	if (late)
		zpipe_stream_settle_locked(pipe);
	zpipe_wait_unlock(pipe);
	if (late) {
		zpipe_segment_trim_after_end(pipe->pool);
		zpipe_wait_lock(pipe);
		zpipe_wait_wake_all_locked(pipe);
		zpipe_wait_unlock(pipe);
	}
	mutex_unlock(mutex);
}

/**
 * zpipe_copy_enter_read - be the one caller of read(2) or splice(2) out
 * @end: the reader
 * @nowait: do not wait for another
 *
 * Being busy keeps consumed, and so the segments, where they are.
 *
 * Context: may sleep, interruptibly.
 * Return: 0, then zpipe_copy_leave_read() is owed, or an errno.
 */
int zpipe_copy_enter_read(struct zpipe_end *end, bool nowait)
{
	int ret;

	ret = enter(end, &end->reader->mutex, ZPIPE_BUSY_READ2, ZPIPE_BUSY_READ, nowait);
	if (!ret && READ_ONCE(end->reader->open)) {
		zpipe_copy_leave_read(end);
		ret = -EBUSY;
	}
	return ret;
}

/**
 * zpipe_copy_leave_read - let the next one in
 * @end: the reader
 */
void zpipe_copy_leave_read(struct zpipe_end *end)
{
	leave(end, &end->reader->mutex, ZPIPE_BUSY_READ2);
}

/**
 * zpipe_copy_enter_write - be the one caller of write(2) or splice(2) in
 * @end: the writer
 * @nowait: do not wait for another
 *
 * Context: may sleep, interruptibly.
 * Return: 0, then zpipe_copy_leave_write() is owed, or an errno.
 */
int zpipe_copy_enter_write(struct zpipe_end *end, bool nowait)
{
	return enter(end, &end->pipe->write_mutex, ZPIPE_BUSY_WRITE2,
		     ZPIPE_BUSY_ALLOC | ZPIPE_BUSY_FLUSH, nowait);
}

/**
 * zpipe_copy_leave_write - let the next one in
 * @end: the writer
 */
void zpipe_copy_leave_write(struct zpipe_end *end)
{
	leave(end, &end->pipe->write_mutex, ZPIPE_BUSY_WRITE2);
}

/* Bytes between the window and an iterator; short when user memory faults. */
static size_t copy_bytes(struct zpipe_pool *pool, u64 offset, size_t length,
			 struct iov_iter *iter, bool to_window)
{
	size_t done = 0;

	while (done < length) {
		struct page *page = zpipe_segment_page(pool, offset + done);
		size_t in_page = offset_in_page(offset + done);
		size_t part = min_t(size_t, length - done, PAGE_SIZE - in_page);
		size_t copied;

		if (!page)
			break;
		if (to_window)
			copied = copy_page_from_iter(page, in_page, part, iter);
		else
			copied = copy_page_to_iter(page, in_page, part, iter);
		done += copied;
		if (copied < part)
			break;
		cond_resched();
	}
	return done;
}

/**
 * zpipe_copy_grant - wait until something can be written
 * @pipe: the pipe; the caller has entered
 * @count: bytes to be written
 * @nowait: -EAGAIN instead of waiting
 * @whole: there must be room for all of them
 * @plan: the grant
 *
 * Context: may sleep, interruptibly.
 * Return: 0 or an errno of write(2).
 */
int zpipe_copy_grant(struct zpipe_pipe *pipe, size_t count, bool nowait, bool whole,
		     struct zpipe_plan *plan)
{
	struct zpipe_alloc_args args = {
		.min = whole ? count : 1,
		.want = count,
	};
	u64 before;
	int ret;

	zpipe_wait_lock(pipe);
	ret = zpipe_flush_unpause_locked(pipe, nowait);
	args.position = pipe->chain.published;
	before = pipe->chain.granted;
	if (!ret)
		ret = zpipe_writer_grant_locked(pipe, &args, nowait, NULL, plan);
	if (ret == ZPIPE_GRANT_CANCELED) {
		zpipe_writer_cancel_locked(pipe);
		ret = -ECANCELED;
	}
	/* It may have left while this waited, which is what made room. */
	if (ret == ZPIPE_GRANT_ENDED || (!ret && pipe->reader_ended))
		ret = -EPIPE;
	plan->before = before;
	zpipe_wait_unlock(pipe);
	return ret;
}

/*
 * What was not filled is the pool's again. A grant that the mapped path has
 * taken there before stays, and so does a posted buffer.
 */
static void take_back_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan, size_t count)
{
	u64 from = max(plan->before, plan->position + count);
	u64 to = plan->position + plan->length;

	lockdep_assert_held(&pipe->pool->lock);
	if (from < to && from >= pipe->chain.published && to == pipe->chain.granted &&
	    !zpipe_post_is_on(pipe))
		zpipe_stream_freed_locked(pipe, zpipe_chain_retract(&pipe->chain, from));
}

/**
 * zpipe_copy_ungrant - nothing will be copied into a grant
 * @pipe: the pipe; the caller has entered
 * @plan: of zpipe_copy_grant()
 */
void zpipe_copy_ungrant(struct zpipe_pipe *pipe, const struct zpipe_plan *plan)
{
	zpipe_wait_lock(pipe);
	take_back_locked(pipe, plan, 0);
	zpipe_wait_unlock(pipe);
}

static int publish_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan, size_t count,
			  int place)
{
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	zpipe_stream_look_locked(pipe, NULL);
	/* It may have been completed by another thread while this copied. */
	ret = zpipe_guard_seal_locked(pipe, plan->position + count) ?:
	      zpipe_writer_check_locked(pipe);
	if (!ret) {
		zpipe_stream_publish_locked(pipe, plan->position + count);
		if (zpipe_post_is_on(pipe))
			zpipe_post_flushed_locked(pipe, false);
		pipe->stats.copied_write += count;
		if (place == ZPIPE_COPY_SPLICE_IN)
			pipe->stats.spliced_in += count;
		/* Each write is an edge for epoll, as it is with pipe(2). */
		zpipe_wait_wake_readers_locked(pipe, ZPIPE_UNARMED);
	}
	zpipe_guard_sealed_locked(pipe);
	return ret;
}

/**
 * zpipe_copy_fill - copy into a grant and publish it
 * @pipe: the pipe; the caller has entered
 * @from: what to copy
 * @plan: of zpipe_copy_grant()
 * @place: for the trace, enum zpipe_copy_place
 *
 * Context: may sleep.
 * Return: bytes copied, at least one, or an errno.
 */
ssize_t zpipe_copy_fill(struct zpipe_pipe *pipe, struct iov_iter *from,
			const struct zpipe_plan *plan, int place)
{
	size_t count = min_t(u64, iov_iter_count(from), plan->length);
	int ret;

	/* The chain holds the slots: unpublished memory is nobody else's. */
	count = copy_bytes(pipe->pool, plan->offset, count, from, true);
	zpipe_wait_lock(pipe);
	ret = count ? publish_locked(pipe, plan, count, place) : -EFAULT;
	if (ret || count < plan->length)
		take_back_locked(pipe, plan, ret ? 0 : count);
	zpipe_wait_unlock(pipe);
	if (ret)
		return ret;
	trace_zpipe_copy(pipe->id, plan->position, count, place);
	return count;
}

/**
 * zpipe_copy_write - write(2), writev(2) and their kin
 * @iocb: of the writer's file
 * @from: what to copy
 *
 * As pipe(7): blocks until all is written; O_NONBLOCK writes up to PIPE_BUF
 * bytes whole or not at all. Writers do not interleave.
 *
 * Context: may sleep.
 * Return: bytes written, or an errno; EPIPE also raises SIGPIPE.
 */
ssize_t zpipe_copy_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct zpipe_end *end = iocb->ki_filp->private_data;
	struct zpipe_pipe *pipe = end->pipe;
	bool nowait = is_nowait(iocb);
	bool whole = nowait && iov_iter_count(from) <= PIPE_BUF;
	struct zpipe_plan plan;
	ssize_t done = 0, ret = 0;

	if (end->role != ZPIPE_ROLE_WRITER)
		return -EBADF;
	if (!iov_iter_count(from))
		return 0;
	ret = zpipe_copy_enter_write(end, nowait);
	if (ret)
		return ret;
	while (iov_iter_count(from)) {
		ret = zpipe_copy_grant(pipe, iov_iter_count(from), nowait, whole, &plan);
		if (!ret)
			ret = zpipe_copy_fill(pipe, from, &plan, ZPIPE_COPY_WRITE);
		if (ret < 0)
			break;
		done += ret;
	}
	zpipe_copy_leave_write(end);
	if (done)
		return done;
	if (ret == -EPIPE)
		send_sig(SIGPIPE, current, 0);
	return ret;
}

/**
 * zpipe_copy_look - what is there now
 * @reader: the reader; the caller has entered
 * @position: where in the stream
 * @span: and in the window, the first piece of it; of length 0 for nothing
 *
 * Return: 0 or an errno of read(2).
 */
int zpipe_copy_look(struct zpipe_reader *reader, u64 *position, struct zpipe_span *span)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_chain *chain = &pipe->chain;
	int ret;

	span->length = 0;
	zpipe_wait_lock(pipe);
	ret = zpipe_stream_look_locked(pipe, reader);
	if (!ret)
		ret = zpipe_reader_check_locked(reader);
	*position = reader->cursor.consumed;
	if (!ret)
		zpipe_chain_spans(chain, *position, chain->published, span, 1);
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_copy_consume - give bytes back
 * @reader: the reader; the caller has entered
 * @position: where zpipe_copy_look() said
 * @copied: bytes that were copied
 * @spliced: and that were not
 */
void zpipe_copy_consume(struct zpipe_reader *reader, u64 position, u64 copied, u64 spliced)
{
	struct zpipe_pipe *pipe = reader->pipe;
	u64 end = position + copied + spliced;

	zpipe_wait_lock(pipe);
	/* Killed: what the mapping still shows is not given back. */
	if (zpipe_guard_hide_locked(reader, end)) {
		zpipe_wait_unlock(pipe);
		return;
	}
	/* What a mapped thread of this end has stored meanwhile counts again. */
	reader->busy &= ~ZPIPE_BUSY_READ2;
	zpipe_stream_look_locked(pipe, reader);
	reader->busy |= ZPIPE_BUSY_READ2;
	if (reader->cursor.consumed < end)
		zpipe_stream_advance_locked(reader, end, end);
	pipe->stats.copied_read += copied;
	pipe->stats.spliced_out += spliced;
	zpipe_wait_unlock(pipe);
}

/* What is there now, or 0. Bytes copied, or an errno. */
static ssize_t read_some(struct zpipe_reader *reader, struct iov_iter *to)
{
	struct zpipe_span span;
	u64 position;
	ssize_t ret;

	ret = zpipe_copy_look(reader, &position, &span);
	if (ret || !span.length)
		return ret;
	span.length = min_t(u64, span.length, iov_iter_count(to));
	ret = copy_bytes(reader->pipe->pool, span.offset, span.length, to, false);
	zpipe_copy_consume(reader, position, ret, 0);
	if (!ret)
		return -EFAULT;
	trace_zpipe_copy(reader->pipe->id, position, ret, ZPIPE_COPY_READ);
	return ret;
}

/**
 * zpipe_copy_wait - nothing is there: sleep, or say why not
 * @reader: the reader; the caller has entered
 * @nowait: -EAGAIN instead of waiting
 *
 * Context: may sleep, interruptibly.
 * Return: 0 to look again, 1 for end of file, or an errno of read(2).
 */
int zpipe_copy_wait(struct zpipe_reader *reader, bool nowait)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_read_args args = { .flags = ZPIPE_READER_BYTES };
	int ret;

	zpipe_wait_lock(pipe);
	if (pipe->writer_ended && (pipe->closed_abort || !pipe->writer_error) &&
	    reader->cursor.consumed == pipe->chain.published) {
		ret = 1;
	} else {
		ret = zpipe_reader_wait_locked(reader, &args, nowait, NULL);
		if (ret == -ECONNRESET && pipe->closed_abort)
			ret = 1;
		else if (!ret && zpipe_reader_cancel_locked(reader))
			ret = -ECANCELED;
	}
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_copy_read - read(2), readv(2) and their kin
 * @iocb: of the reader's file
 * @to: where to copy
 *
 * Context: may sleep.
 * Return: bytes read, 0 at the end of the stream, or an errno.
 */
ssize_t zpipe_copy_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct zpipe_end *end = iocb->ki_filp->private_data;
	struct zpipe_reader *reader = end->reader;
	bool nowait = is_nowait(iocb);
	ssize_t done = 0, ret;

	if (end->role != ZPIPE_ROLE_READER)
		return -EBADF;
	if (!iov_iter_count(to))
		return 0;
	ret = zpipe_copy_enter_read(end, nowait);
	if (ret)
		return ret;
	while (iov_iter_count(to)) {
		ret = read_some(reader, to);
		if (ret > 0) {
			done += ret;
			continue;
		}
		if (ret < 0 || done)
			break;
		ret = zpipe_copy_wait(reader, nowait);
		if (ret)
			break;
	}
	zpipe_copy_leave_read(end);
	return done ?: min_t(ssize_t, ret, 0);
}
