// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice - splice(2), sendfile(2): out by page reference, in by a counted copy
 *
 * Out: the kernel's pipe gets references on the pool's pages, with the
 * kernel's own operations, so a buffer that outlives the zpipe, or the module,
 * needs nothing of either. Offset and length bound what it, or a tee(2) of it,
 * ever shows, and the pool does not use a page again that is lent (pool.c).
 *
 * In: bytes are copied, and counted so. No page can be adopted. The kernel
 * offers three kinds of page to steal: its pipes' own pages, whose charge is
 * dropped by the theft and cannot be made again, as no module may charge a
 * page to a cgroup; pages of files, and anonymous pages of users, which both
 * stay on the reclaim lists, where a page mapped here must not be. Nor would it
 * pay: where a process has mapped the window, exchanging a page and faulting it
 * in again takes five times the instructions of copying it.
 *
 * Neither waits for the zpipe with the kernel's pipe locked: that lock is not
 * killable, and those who wait for it have nothing to do with the zpipe. The
 * order is reader->mutex or write_mutex, then the kernel's pipe, then the
 * pool's lock.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "copy.h"
#include "segment.h"
#include "splice.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

/* Buffers taken at a time: what a pipe holds unless it was made larger. */
#define MAX_PARTS	PIPE_DEF_BUFFERS

static bool is_nowait(const struct file *file, unsigned int flags)
{
	return (file->f_flags & O_NONBLOCK) || (flags & SPLICE_F_NONBLOCK);
}

/* Can a buffer be added, or nobody will take one? */
static bool has_room(const struct pipe_inode_info *to)
{
	return !pipe_full(READ_ONCE(to->head), READ_ONCE(to->tail), READ_ONCE(to->max_usage)) ||
	       !READ_ONCE(to->readers);
}

/* Can a buffer be taken, or nobody will add one? */
static bool has_buffers(const struct pipe_inode_info *from)
{
	return !pipe_empty(READ_ONCE(from->head), READ_ONCE(from->tail)) ||
	       !READ_ONCE(from->writers);
}

/**
 * struct out - bytes on their way into a pipe of the kernel
 * @reader: where from; the caller has entered
 * @to: where to; locked while parts are put, and only then
 * @begin: stream position of the first
 * @left: bytes still wanted
 * @done: bytes moved
 * @copied: of the present span, because their page could not be lent
 * @lent: of the present span, by reference
 * @full: there is no more room
 */
struct out {
	struct zpipe_reader *reader;
	struct pipe_inode_info *to;
	u64 begin;
	size_t left;
	size_t done;
	size_t copied;
	size_t lent;
	bool full;
};

/* A part of one page becomes one buffer, and shows no more than this part. */
static int put_part(struct out *out, struct page *page, u64 position, size_t offset,
		    size_t length)
{
	struct pipe_buffer buffer = {
		.page = page,
		.offset = offset,
		.len = length,
		.ops = &nosteal_pipe_buf_ops,
	};
	/* Posted memory is the reader's to post again: where it is, and what is beside it. */
	bool lent = !(out->reader->pipe->flags & ZPIPE_F_POSTED) && zpipe_segment_lend(page);
	ssize_t ret;

	if (!lent) {
		buffer.page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!buffer.page)
			return -ENOMEM;
		memcpy_page(buffer.page, offset, page, offset, length);
		zpipe_wait_lock(out->reader->pipe);
		zpipe_stream_zeroed_locked(out->reader->pipe, position, PAGE_SIZE);
		zpipe_wait_unlock(out->reader->pipe);
	}
	/* Takes over the reference, also when it fails; without readers it raises SIGPIPE. */
	ret = add_to_pipe(out->to, &buffer);
	if (ret < 0)
		return ret;
	if (lent) {
		out->lent += length;
	} else {
		out->copied += length;
		trace_zpipe_copy(out->reader->pipe->id, position, length, ZPIPE_COPY_SPLICE_OUT);
	}
	out->left -= length;
	return 0;
}

/* What a span names, as far as it is wanted and there is room. */
static int put_span(struct out *out, u64 position, const struct zpipe_span *span)
{
	u64 length = min_t(u64, span->length, out->left);
	u64 done = 0;
	int ret = 0;

	out->copied = 0;
	out->lent = 0;
	while (!ret && done < length) {
		struct zpipe_pool *pool = out->reader->pipe->pool;
		struct page *page = zpipe_segment_page(pool, span->offset + done);
		size_t in_page = offset_in_page(span->offset + done);
		size_t part = min_t(u64, length - done, PAGE_SIZE - in_page);

		out->full = !has_room(out->to);
		if (out->full)
			break;
		ret = page ? put_part(out, page, position + done, in_page, part) : -EFAULT;
		done += part;
	}
	return ret;
}

/* Put what is there, waiting for the first bytes. 0 also at the end of the stream. */
static int put_some(struct out *out, bool nowait)
{
	struct zpipe_span span;
	u64 position;
	int ret;

	out->full = false;
	for (;;) {
		ret = zpipe_copy_look(out->reader, &position, &span);
		if (ret)
			return ret;
		if (!out->done)
			out->begin = position;
		if (!span.length) {
			ret = out->done ? 1 : zpipe_copy_wait(out->reader, nowait);
			if (ret)
				return min(ret, 0);
			continue;
		}
		pipe_lock(out->to);
		ret = put_span(out, position, &span);
		pipe_unlock(out->to);
		zpipe_copy_consume(out->reader, position, out->copied, out->lent);
		out->done += out->copied + out->lent;
		if (ret || out->full || !out->left)
			return ret;
		cond_resched();
	}
}

/**
 * zpipe_splice_read - splice(2) out of the reader
 * @in: the reader's file
 * @pos: not used, this is a stream
 * @to: the kernel's pipe, locked; unlocked while this waits
 * @length: bytes wanted
 * @flags: SPLICE_F_NONBLOCK
 *
 * As read(2), but the pages stay where they are. Only what has gone into the
 * pipe is consumed.
 *
 * Context: may sleep, interruptibly.
 * Return: bytes, 0 at the end of the stream, or an errno.
 */
ssize_t zpipe_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *to,
			  size_t length, unsigned int flags)
{
	struct zpipe_end *end = in->private_data;
	struct out out = { .reader = end->reader, .to = to, .left = length };
	bool nowait = is_nowait(in, flags);
	int ret;

	if (end->role != ZPIPE_ROLE_READER) {
		trace_zpipe_splice(end->pipe->id, 0, 0, -EBADF);
		return -EBADF;
	}
	if (!length)
		return 0;
	pipe_unlock(to);
	do {
		ret = zpipe_copy_enter_read(end, nowait);
		if (ret)
			break;
		ret = put_some(&out, nowait);
		zpipe_copy_leave_read(end);
		if (ret || out.done || !out.full)
			break;
		/* Another one has filled the pipe meanwhile. */
		if (nowait)
			ret = -EAGAIN;
		else
			ret = wait_event_interruptible(to->wr_wait, has_room(to));
		/* That does not look at signals when it need not sleep. */
		if (!ret && signal_pending(current))
			ret = -ERESTARTSYS;
	} while (!ret);
	trace_zpipe_splice(end->pipe->id, out.begin, out.done, out.done ? end->role : ret);
	pipe_lock(to);
	return out.done ?: ret;
}

/*
 * Name up to length bytes of the pipe's buffers. How many parts, or an errno;
 * -ENODATA for a page of a file that was cut off meanwhile.
 */
static int name_parts(struct pipe_inode_info *from, struct bio_vec *parts, size_t length,
		      size_t *count)
{
	unsigned int tail, nr = 0;

	*count = 0;
	for (tail = from->tail; !pipe_empty(from->head, tail) && nr < MAX_PARTS; tail++) {
		struct pipe_buffer *buffer = &from->bufs[tail & (from->ring_size - 1)];
		size_t part = min_t(size_t, buffer->len, length - *count);
		int ret;

		if (*count == length)
			break;
		if (!part)
			continue;
		ret = pipe_buf_confirm(from, buffer);
		if (ret)
			return *count ? nr : ret;
		parts[nr].bv_page = buffer->page;
		parts[nr].bv_offset = buffer->offset;
		parts[nr++].bv_len = part;
		*count += part;
	}
	return nr;
}

/* They are taken: release what is used up. */
static void drop_parts(struct pipe_inode_info *from, size_t length)
{
	while (!pipe_empty(from->head, from->tail)) {
		struct pipe_buffer *buffer = &from->bufs[from->tail & (from->ring_size - 1)];

		if (buffer->len > length) {
			buffer->offset += length;
			buffer->len -= length;
			return;
		}
		length -= buffer->len;
		pipe_buf_release(from, buffer);
		from->tail++;
	}
}

static void wake_fillers(struct pipe_inode_info *from)
{
	wake_up_interruptible(&from->wr_wait);
	kill_fasync(&from->fasync_writers, SIGIO, POLL_OUT);
}

/*
 * Take what there is room for, waiting for the first byte of it. Bytes, 0 when
 * another one has emptied the pipe, or an errno.
 */
static ssize_t take_some(struct zpipe_end *end, struct pipe_inode_info *from, size_t length,
			 bool nowait, struct zpipe_plan *plan, bool *cut)
{
	struct bio_vec parts[MAX_PARTS];
	struct iov_iter iter;
	size_t count;
	ssize_t ret;

	ret = zpipe_copy_enter_write(end, nowait);
	if (ret)
		return ret;
	ret = zpipe_copy_grant(end->pipe, length, nowait, false, plan);
	if (ret)
		goto out_leave;
	pipe_lock(from);
	ret = name_parts(from, parts, min_t(u64, length, plan->length), &count);
	*cut = ret == -ENODATA;
	if (ret > 0) {
		iov_iter_bvec(&iter, ITER_SOURCE, parts, ret, count);
		ret = zpipe_copy_fill(end->pipe, &iter, plan, ZPIPE_COPY_SPLICE_IN);
	} else {
		zpipe_copy_ungrant(end->pipe, plan);
	}
	if (ret >= 0)
		drop_parts(from, ret);
	pipe_unlock(from);
	if (ret > 0)
		wake_fillers(from);
out_leave:
	zpipe_copy_leave_write(end);
	return ret;
}

/* 0 when there may be something to take, 1 when there never will, or an errno. */
static int wait_for_buffers(struct pipe_inode_info *from, bool nowait)
{
	int ret;

	if (nowait && !has_buffers(from))
		return -EAGAIN;
	ret = wait_event_interruptible(from->rd_wait, has_buffers(from));
	if (ret)
		return ret;
	return pipe_empty(READ_ONCE(from->head), READ_ONCE(from->tail));
}

/**
 * zpipe_splice_write - splice(2) or sendfile(2) into the writer
 * @from: the kernel's pipe, not locked
 * @out: the writer's file
 * @pos: not used, this is a stream
 * @length: bytes at most
 * @flags: SPLICE_F_NONBLOCK
 *
 * As write(2) of what the pipe holds; waits for the pipe only for the first
 * byte.
 *
 * Context: may sleep, interruptibly.
 * Return: bytes, 0 when the pipe is at its end, or an errno; EPIPE also raises
 * SIGPIPE.
 */
ssize_t zpipe_splice_write(struct pipe_inode_info *from, struct file *out, loff_t *pos,
			   size_t length, unsigned int flags)
{
	struct zpipe_end *end = out->private_data;
	bool nowait = is_nowait(out, flags);
	struct zpipe_plan plan = {};
	size_t done = 0;
	bool cut = false;
	u64 begin = 0;
	ssize_t ret = 0;

	if (end->role != ZPIPE_ROLE_WRITER) {
		trace_zpipe_splice(end->pipe->id, 0, 0, -EBADF);
		return -EBADF;
	}
	while (done < length) {
		ret = wait_for_buffers(from, done || (flags & SPLICE_F_NONBLOCK));
		if (ret)
			break;
		ret = take_some(end, from, length - done, nowait, &plan, &cut);
		if (!ret && signal_pending(current))
			ret = -ERESTARTSYS;
		if (ret < 0)
			break;
		if (!done)
			begin = plan.position;
		done += ret;
		cond_resched();
	}
	/* As for other files: what was cut off is the end, not an error. */
	if (done || cut)
		ret = done;
	else
		ret = min_t(ssize_t, ret, 0);
	trace_zpipe_splice(end->pipe->id, begin, done, done ? end->role : (int)ret);
	if (ret == -EPIPE)
		send_sig(SIGPIPE, current, 0);
	return ret;
}
