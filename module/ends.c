// SPDX-License-Identifier: GPL-2.0-only
/*
 * ends - how an end finishes: complete, close, cancel, and reset afterwards
 *
 * The order is always: look at the final cursors, mark the end, drop what
 * nobody will read, and only then tell the peer, so that it finds the memory
 * free when it hears that its reader is gone (row X15 of the semantics).
 */
#include "ends.h"
#include "guard.h"
#include "pipe.h"
#include "post.h"
#include "preserve.h"
#include "segment.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

/* The word of an end that goes is read a last time; a lie is its last act. */
static void look_finally_locked(struct zpipe_end *end)
{
	struct zpipe_pipe *pipe = end->pipe;

	if (!zpipe_stream_look_locked(pipe, end->reader) || pipe->guilty)
		return;
	if (end->reader)
		zpipe_stream_accuse_reader_locked(end->reader);
	else
		zpipe_stream_accuse_locked(pipe, ZPIPE_ROLE_WRITER);
}

static void end_writer_locked(struct zpipe_pipe *pipe, int error, bool drain)
{
	pipe->writer_ended = true;
	pipe->writer_error = error;
	pipe->drain = drain;
	pipe->memory_wait = ZPIPE_UNARMED;
	pipe->post_wanted = false;
	zpipe_post_ended_locked(pipe);
	WRITE_ONCE(pipe->state->writer_error, error);
	WRITE_ONCE(pipe->state->writer_ended, 1);
	zpipe_stream_pause_locked(pipe, false);
	if (pipe->reader_ended)
		zpipe_stream_discard_locked(pipe);
	zpipe_wait_wake_all_locked(pipe);
	trace_zpipe_complete(pipe->id, pipe->chain.published, ZPIPE_ROLE_WRITER, error);
}

/* After the second end has ended nobody has a use for the memory. */
static void trim_if_over(struct zpipe_pipe *pipe)
{
	bool over;

	zpipe_wait_lock(pipe);
	over = pipe->writer_ended && pipe->reader_ended;
	zpipe_wait_unlock(pipe);
	if (over)
		zpipe_segment_trim_after_end(pipe->pool);
}

/* Was it the last one? */
static bool all_ended_locked(const struct zpipe_pipe *pipe)
{
	const struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (!reader->ended)
			return false;
	}
	return true;
}

/*
 * Takes and leaves the lock, to give pages back before the writer hears. The
 * writer hears of the last of its readers only; the end of another one frees
 * what only that one held.
 */
static void end_reader(struct zpipe_end *end, int error)
{
	struct zpipe_reader *reader = end->reader;
	struct zpipe_pipe *pipe = end->pipe;
	bool last;

	zpipe_guard_hide_all(reader);
	zpipe_wait_lock(pipe);
	look_finally_locked(end);
	if (reader->ended) {
		zpipe_wait_unlock(pipe);
		return;
	}
	reader->ended = true;
	reader->open = false;
	last = all_ended_locked(pipe);
	if (last) {
		pipe->reader_ended = true;
		pipe->reader_error = error;
		zpipe_post_drop_locked(pipe);
	}
	zpipe_stream_settle_locked(pipe);
	zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
	zpipe_wait_unlock(pipe);

	zpipe_preserve_drop(reader);
	zpipe_segment_trim_after_end(pipe->pool);

	zpipe_wait_lock(pipe);
	if (last) {
		WRITE_ONCE(pipe->state->reader_error, error);
		WRITE_ONCE(pipe->state->reader_ended, 1);
	}
	zpipe_stream_pause_locked(pipe, false);
	zpipe_wait_wake_all_locked(pipe);
	trace_zpipe_complete(pipe->id, pipe->chain.published, ZPIPE_ROLE_READER, error);
	zpipe_wait_unlock(pipe);
}

/**
 * zpipe_ends_hook - an fd is closed or a mapping goes; others may remain
 * @end: whose
 *
 * A process that is killed between storing its cursor and the wake ioctl must
 * not leave the peer asleep beside the bytes, although a supervisor still
 * holds the fd (rule R6).
 */
void zpipe_ends_hook(struct zpipe_end *end)
{
	zpipe_wait_lock(end->pipe);
	zpipe_stream_look_locked(end->pipe, end->reader);
	zpipe_wait_unlock(end->pipe);
}

/**
 * zpipe_ends_close - the last file of an end is gone
 * @end: the end; not freed here
 *
 * A writer that used grants and did not COMPLETE has died: the reader gets
 * everything published and then ECONNRESET. One that only used write(2) is at
 * its end of stream.
 *
 * Context: may sleep; perhaps not in the process that used the end.
 */
void zpipe_ends_close(struct zpipe_end *end)
{
	struct zpipe_pipe *pipe = end->pipe;

	if (end->reader) {
		end_reader(end, 0);
		/* One that was detached has ended before, and kept what it had. */
		zpipe_preserve_drop(end->reader);
		zpipe_wait_lock(pipe);
		list_del_init(&end->reader->entry);
		pipe->nr_readers--;
		pipe->closed |= list_empty(&pipe->readers);
		zpipe_wait_unlock(pipe);
		return;
	}
	zpipe_wait_lock(pipe);
	pipe->closed = true;
	look_finally_locked(end);
	if (!pipe->writer_ended) {
		pipe->closed_abort = pipe->grants;
		end_writer_locked(pipe, pipe->grants ? ECONNRESET : 0, true);
	}
	zpipe_wait_unlock(pipe);
	trim_if_over(pipe);
}

/* The lock is dropped meanwhile in a guarded pipe, so another call may come first. */
static int publish_last_locked(struct zpipe_pipe *pipe, u64 position)
{
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_guard_seal_locked(pipe, position);
	if (!ret && !pipe->writer_ended) {
		if (position > zpipe_chain_limit(&pipe->chain))
			ret = zpipe_pipe_reject_locked(pipe, ZPIPE_NR_COMPLETE, position, -EINVAL);
		else
			zpipe_stream_publish_locked(pipe, position);
	}
	zpipe_guard_sealed_locked(pipe);
	return ret;
}

static int complete_end(struct zpipe_end *end, struct zpipe_complete_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	int ret = 0;

	if (args->flags & ~ZPIPE_COMPLETE_F_DRAIN)
		return -EOPNOTSUPP;
	if (args->error < 0 || args->error > MAX_ERRNO)
		return -EINVAL;
	if (end->reader) {
		end_reader(end, args->error);
		return 0;
	}

	zpipe_wait_lock(pipe);
	if (pipe->writer_ended)
		goto out_unlock;
	ret = zpipe_stream_look_locked(pipe, NULL);
	if (ret)
		goto out_unlock;
	if (!args->error) {
		ret = publish_last_locked(pipe, args->position);
		if (ret || pipe->writer_ended)
			goto out_unlock;
	}
	end_writer_locked(pipe, args->error, args->flags & ZPIPE_COMPLETE_F_DRAIN);
out_unlock:
	zpipe_wait_unlock(pipe);
	trim_if_over(pipe);
	return ret;
}

/**
 * zpipe_ends_complete - ZPIPE_IOC_COMPLETE
 * @end: either
 * @args: the call
 *
 * Return: 0, also when the end has completed before; -EINVAL, -EOPNOTSUPP,
 * -EPROTO.
 */
int zpipe_ends_complete(struct zpipe_end *end, struct zpipe_complete_args *args)
{
	int ret = complete_end(end, args);

	/* Success is told by what ends the end, which need not be a call. */
	if (ret)
		trace_zpipe_complete(end->pipe->id, READ_ONCE(end->pipe->chain.published),
				     end->role, ret);
	return ret;
}

/* A reader cancels its own READ, the writer that of every reader. */
static void cancel_read_locked(struct zpipe_end *end)
{
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (end->reader && end->reader != reader)
			continue;
		reader->cancel = true;
		zpipe_wait_wake_reader_locked(reader);
	}
}

/**
 * zpipe_ends_cancel - ZPIPE_IOC_CANCEL
 * @end: either
 * @args: the call
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP.
 */
int zpipe_ends_cancel(struct zpipe_end *end, struct zpipe_cancel_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	int ret = 0;

	zpipe_wait_lock(pipe);
	if (args->flags) {
		ret = -EOPNOTSUPP;
	} else if (args->what == ZPIPE_CANCEL_READ) {
		cancel_read_locked(end);
	} else if (args->what == ZPIPE_CANCEL_FLUSH) {
		pipe->cancel_flush = true;
		zpipe_wait_wake_writer_locked(pipe);
	} else {
		ret = -EINVAL;
	}
	trace_zpipe_cancel(pipe->id, pipe->chain.published, args->what, ret);
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_ends_set - ZPIPE_IOC_SET
 * @end: either
 * @args: the call
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP.
 */
int zpipe_ends_set(struct zpipe_end *end, struct zpipe_set_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	u64 pause, resume;
	int ret;

	zpipe_wait_lock(pipe);
	pause = args->pause == ZPIPE_KEEP ? pipe->pause : args->pause;
	resume = args->resume == ZPIPE_KEEP ? pipe->resume : args->resume;
	ret = zpipe_pipe_thresholds(&pause, &resume, zpipe_chain_capacity(&pipe->chain));
	if (args->flags || args->__reserved) {
		ret = -EOPNOTSUPP;
	} else if (ret) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_SET, pause, ret);
	} else {
		pipe->pause = pause;
		pipe->resume = resume;
		WRITE_ONCE(pipe->state->pause, pause);
		zpipe_stream_look_locked(pipe, end->reader);
		zpipe_stream_pause_locked(pipe, false);
		/* Whoever was paused judges by the new ones. */
		zpipe_wait_wake_writer_locked(pipe);
	}
	trace_zpipe_set(pipe->id, pause, resume, ret);
	zpipe_wait_unlock(pipe);
	return ret;
}

static void reset_reader_locked(struct zpipe_reader *reader)
{
	const u64 position = reader->pipe->chain.published;

	reader->cursor.consumed = position;
	reader->cursor.examined = position;
	reader->hidden = position;
	WRITE_ONCE(reader->page->examined, position);
	WRITE_ONCE(reader->page->consumed, position);
	reader->ended = false;
	reader->error = 0;
	reader->cancel = false;
	reader->open = false;
	reader->want = 0;
}

static int reset_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_chain *chain = &pipe->chain;
	struct zpipe_reader *reader;

	if (pipe->closed)
		return -ESHUTDOWN;
	if (!pipe->writer_ended || !pipe->reader_ended || pipe->busy)
		return -EBUSY;
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (reader->busy)
			return -EBUSY;
	}
	zpipe_stream_freed_locked(pipe, zpipe_chain_reset(chain));
	WRITE_ONCE(pipe->writer_page->published, chain->published);
	list_for_each_entry(reader, &pipe->readers, entry)
		reset_reader_locked(reader);
	if (zpipe_post_is_on(pipe))
		zpipe_post_hold_locked(pipe);

	pipe->writer_ended = false;
	pipe->reader_ended = false;
	pipe->writer_error = 0;
	pipe->reader_error = 0;
	pipe->drain = false;
	pipe->closed_abort = false;
	pipe->guilty = 0;
	pipe->grants = false;
	pipe->cancel_flush = false;
	pipe->push = 0;
	pipe->alloc_want = 0;
	pipe->generation++;

	WRITE_ONCE(pipe->state->writer_ended, 0);
	WRITE_ONCE(pipe->state->writer_error, 0);
	WRITE_ONCE(pipe->state->reader_ended, 0);
	WRITE_ONCE(pipe->state->reader_error, 0);
	WRITE_ONCE(pipe->state->guilty, 0);
	WRITE_ONCE(pipe->state->generation, pipe->generation);
	zpipe_wait_wake_all_locked(pipe);
	return 0;
}

/**
 * zpipe_ends_reset - ZPIPE_IOC_RESET
 * @end: either
 * @args: the call
 *
 * Return: 0, -EBUSY, -ESHUTDOWN when the other end was closed, -EOPNOTSUPP.
 */
int zpipe_ends_reset(struct zpipe_end *end, struct zpipe_reset_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	int ret;

	zpipe_wait_lock(pipe);
	ret = args->flags || args->__reserved ? -EOPNOTSUPP : reset_locked(pipe);
	zpipe_wait_unlock(pipe);
	if (!ret)
		zpipe_segment_trim_after_end(pipe->pool);
	zpipe_wait_lock(pipe);
	args->out_generation = pipe->generation;
	args->out_position = pipe->chain.published;
	trace_zpipe_reset(pipe->id, pipe->chain.published, pipe->generation, ret);
	zpipe_wait_unlock(pipe);
	return ret;
}
