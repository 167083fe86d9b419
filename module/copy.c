// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy - read(2) and write(2): the only places where bytes are copied
 *
 * They behave like pipe(2) and mix with the mapped path: a write takes a grant
 * at the published position and publishes it, a read consumes what is there.
 * User memory is touched without the pipe's lock, so a caller that stalls in a
 * page fault holds up only others who use the same end in the same way.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "copy.h"
#include "pipe.h"
#include "pool.h"
#include "post.h"
#include "reader.h"
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
	u32 *flags = end->reader ? &end->reader->busy : &pipe->busy;
	int ret;

	if (nowait) {
		if (!mutex_trylock(mutex))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(mutex)) {
		return -ERESTARTSYS;
	}
	zpipe_wait_lock(pipe);
	ret = zpipe_pipe_look_locked(pipe, end->reader);
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
		zpipe_pipe_settle_locked(pipe);
	zpipe_wait_unlock(pipe);
	if (late) {
		zpipe_pool_trim(pipe->pool);
		zpipe_wait_lock(pipe);
		zpipe_wait_wake_all_locked(pipe);
		zpipe_wait_unlock(pipe);
	}
	mutex_unlock(mutex);
}

/* Bytes between the window and an iterator; short when user memory faults. */
static size_t copy_bytes(struct zpipe_pool *pool, u64 offset, size_t length,
			 struct iov_iter *iter, bool to_window)
{
	size_t done = 0;

	while (done < length) {
		struct page *page = zpipe_pool_page(pool, offset + done);
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

/* One grant's worth of a write. Bytes copied, or an errno. */
static ssize_t write_some(struct zpipe_pipe *pipe, struct iov_iter *from, bool nowait,
			  bool whole)
{
	size_t count = iov_iter_count(from);
	struct zpipe_alloc_args args = {
		.min = whole ? count : 1,
		.want = count,
	};
	struct zpipe_plan plan;
	int ret;

	zpipe_wait_lock(pipe);
	ret = zpipe_writer_unpause_locked(pipe, nowait);
	args.position = pipe->chain.published;
	zpipe_wait_unlock(pipe);
	if (ret)
		return ret;
	ret = zpipe_writer_grant(pipe, &args, nowait, &plan);
	if (ret == ZPIPE_GRANT_CANCELED) {
		zpipe_wait_lock(pipe);
		zpipe_writer_cancel_locked(pipe);
		zpipe_wait_unlock(pipe);
		return -ECANCELED;
	}
	if (ret)
		return ret;
	/* It may have left while this waited, which is what made room. */
	if (READ_ONCE(pipe->reader_ended))
		return -EPIPE;

	/* The chain holds the slots: unpublished memory is nobody else's. */
	count = copy_bytes(pipe->pool, plan.offset, min_t(u64, count, plan.length), from, true);
	if (!count)
		return -EFAULT;
	zpipe_wait_lock(pipe);
	zpipe_pipe_look_locked(pipe, NULL);
	/* It may have been completed by another thread while this copied. */
	ret = zpipe_writer_check_locked(pipe);
	if (!ret) {
		zpipe_pipe_publish_locked(pipe, plan.position + count);
		if (zpipe_post_is_on(pipe))
			zpipe_post_flushed_locked(pipe, false);
		pipe->stats.copied_write += count;
		/* Each write is an edge for epoll, as it is with pipe(2). */
		zpipe_wait_wake_readers_locked(pipe, ZPIPE_UNARMED);
	}
	zpipe_wait_unlock(pipe);
	if (ret)
		return ret;
	trace_zpipe_copy(pipe->id, plan.position, count, ZPIPE_COPY_WRITE);
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
	ssize_t done = 0, ret = 0;

	if (end->role != ZPIPE_ROLE_WRITER)
		return -EBADF;
	if (!iov_iter_count(from))
		return 0;
	ret = enter(end, &pipe->write_mutex, ZPIPE_BUSY_WRITE2,
		    ZPIPE_BUSY_ALLOC | ZPIPE_BUSY_FLUSH, nowait);
	if (ret)
		return ret;
	while (iov_iter_count(from)) {
		ret = write_some(pipe, from, nowait, whole);
		if (ret < 0)
			break;
		done += ret;
	}
	leave(end, &pipe->write_mutex, ZPIPE_BUSY_WRITE2);
	if (done)
		return done;
	if (ret == -EPIPE)
		send_sig(SIGPIPE, current, 0);
	return ret;
}

/* What is there now, or 0. Bytes copied, or an errno. */
static ssize_t read_some(struct zpipe_reader *reader, struct iov_iter *to)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_chain *chain = &pipe->chain;
	struct zpipe_span span;
	u64 position;
	ssize_t ret;

	zpipe_wait_lock(pipe);
	ret = zpipe_pipe_look_locked(pipe, reader);
	if (!ret)
		ret = zpipe_reader_check_locked(reader);
	position = reader->cursor.consumed;
	if (ret || !zpipe_chain_spans(chain, position, chain->published, &span, 1)) {
		zpipe_wait_unlock(pipe);
		return ret;
	}
	zpipe_wait_unlock(pipe);

	/* Being busy keeps consumed, and so the segments, where they are. */
	span.length = min_t(u64, span.length, iov_iter_count(to));
	ret = copy_bytes(pipe->pool, span.offset, span.length, to, false);

	zpipe_wait_lock(pipe);
	/* What a mapped thread of this end has stored meanwhile counts again. */
	reader->busy &= ~ZPIPE_BUSY_READ2;
	zpipe_pipe_look_locked(pipe, reader);
	reader->busy |= ZPIPE_BUSY_READ2;
	if (reader->cursor.consumed < position + ret)
		zpipe_pipe_advance_locked(reader, position + ret, position + ret);
	pipe->stats.copied_read += ret;
	zpipe_wait_unlock(pipe);
	trace_zpipe_copy(pipe->id, position, ret, ZPIPE_COPY_READ);
	return ret ?: -EFAULT;
}

/* Nothing there: sleep, or say why not. 0 to look again, 1 for end of file. */
static int wait_for_bytes(struct zpipe_reader *reader, bool nowait)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_read_args args = {};
	int ret;

	zpipe_wait_lock(pipe);
	if (pipe->writer_ended && (pipe->closed_abort || !pipe->writer_error) &&
	    reader->cursor.consumed == pipe->chain.published) {
		ret = 1;
	} else {
		ret = zpipe_reader_wait_locked(reader, &args, nowait);
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
	ret = enter(end, &reader->mutex, ZPIPE_BUSY_READ2, ZPIPE_BUSY_READ, nowait);
	if (ret)
		return ret;
	if (READ_ONCE(reader->open)) {
		ret = -EBUSY;
		goto out_leave;
	}
	while (iov_iter_count(to)) {
		ret = read_some(reader, to);
		if (ret > 0) {
			done += ret;
			continue;
		}
		if (ret < 0 || done)
			break;
		ret = wait_for_bytes(reader, nowait);
		if (ret)
			break;
	}
out_leave:
	leave(end, &reader->mutex, ZPIPE_BUSY_READ2);
	return done ?: min_t(ssize_t, ret, 0);
}
