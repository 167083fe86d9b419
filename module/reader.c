// SPDX-License-Identifier: GPL-2.0-only
/*
 * reader - READ and ADVANCE: snapshots, waiting for bytes, giving them back
 *
 * A READ shows everything published and not consumed. It waits while nothing
 * is unexamined or its minimum is not met, except for a reason: the writer has
 * finished, a cancel, a push, or FULL - the writer itself waits for memory
 * that only this reader can give back.
 */
#include <linux/sched/signal.h>

#include "guard.h"
#include "pipe.h"
#include "post.h"
#include "reader.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

#define READ_FLAGS	(ZPIPE_READ_F_NOWAIT | ZPIPE_READ_F_SHARED | ZPIPE_READ_F_REREAD)

/**
 * zpipe_reader_check_locked - may the reader go on
 * @reader: the reader
 *
 * Return: 0, -ESHUTDOWN, why it was detached, -EPROTO, or at once the writer's
 * errno.
 */
int zpipe_reader_check_locked(const struct zpipe_reader *reader)
{
	const struct zpipe_pipe *pipe = reader->pipe;

	lockdep_assert_held(&pipe->pool->lock);
	if (reader->ended)
		return -(reader->error ?: ESHUTDOWN);
	if (pipe->guilty == ZPIPE_ROLE_READER)
		return -EPROTO;
	if (pipe->writer_error && !pipe->drain)
		return -pipe->writer_error;
	return 0;
}

/**
 * zpipe_reader_cancel_locked - use up a CANCEL of the reader's operations
 * @reader: the reader
 *
 * Return: whether there was one.
 */
bool zpipe_reader_cancel_locked(struct zpipe_reader *reader)
{
	lockdep_assert_held(&reader->pipe->pool->lock);
	if (!reader->cancel)
		return false;
	reader->cancel = false;
	zpipe_wait_share_locked(reader->pipe);
	return true;
}

/* What is wrong once there is nothing new to see; 0 when more may come. */
static int broken_locked(const struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->guilty)
		return -EPROTO;
	return -pipe->writer_error;
}

/*
 * Is there a reason to return now, for a reader that wants target and has seen
 * what is below seen? 1 with *flags set, 0 to wait, or an errno. Posted buffers
 * are no reason for who wants bytes only.
 */
static int judge_locked(struct zpipe_reader *reader, u64 target, u64 seen, bool bytes,
			u32 *flags)
{
	struct zpipe_pipe *pipe = reader->pipe;
	const struct zpipe_chain *chain = &pipe->chain;
	bool fresh = chain->published > seen;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	*flags = 0;
	ret = zpipe_reader_check_locked(reader);
	if (ret)
		return ret;
	ret = broken_locked(pipe);
	if (pipe->writer_ended && !ret)
		*flags |= ZPIPE_RES_COMPLETED;
	if (reader->cancel) {
		*flags |= ZPIPE_RES_CANCELED;
		return 1;
	}
	if (!bytes && zpipe_post_has_finished_locked(pipe)) {
		*flags |= ZPIPE_RES_FINISHED;
		return 1;
	}
	if (ret && !fresh)
		return ret;
	if (ret)
		*flags |= ZPIPE_RES_ABORTED;
	if (chain->published >= target || *flags)
		return 1;
	if (fresh && pipe->push > seen) {
		*flags |= ZPIPE_RES_PUSHED;
		return 1;
	}
	if (zpipe_wait_is_full_locked(reader) ||
	    (!bytes && zpipe_post_is_wanted_locked(pipe))) {
		*flags |= ZPIPE_RES_FULL;
		return 1;
	}
	return 0;
}

/* Arm, lift the writer's pause, and look once more. */
static void arm_read_locked(struct zpipe_reader *reader, u64 target, bool sleep)
{
	struct zpipe_pipe *pipe = reader->pipe;
	bool paused = pipe->paused;

	lockdep_assert_held(&pipe->pool->lock);
	zpipe_wait_arm_locked(pipe, &reader->wake, target, sleep);
	if (paused && !zpipe_stream_pause_locked(pipe, false))
		zpipe_wait_wake_writer_locked(pipe);
	zpipe_stream_look_locked(pipe, reader);
}

/* One look: 1 when a READ can return, 0 when it must wait for *target, or an errno. */
static int try_read_locked(struct zpipe_reader *reader, struct zpipe_read_args *args, u64 *target)
{
	struct zpipe_pipe *pipe = reader->pipe;
	const struct zpipe_cursor *cursor = &reader->cursor;
	u64 seen;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_stream_look_locked(pipe, reader);
	if (ret)
		return ret;
	seen = args->flags & ZPIPE_READ_F_REREAD ? cursor->consumed : cursor->examined;
	*target = max(cursor->consumed + (args->min ?: 1), seen + 1);
	return judge_locked(reader, *target, seen, args->flags & ZPIPE_READER_BYTES,
			    &args->out_flags);
}

/**
 * zpipe_reader_wait_locked - wait until a READ can return
 * @reader: the reader; the caller has marked it busy. Unlocked while asleep
 * @args: min, deadline, REREAD and ZPIPE_READER_BYTES are used; out_flags is set
 * @nowait: -EAGAIN instead of waiting
 * @park: how to wait without sleeping, or NULL
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int zpipe_reader_wait_locked(struct zpipe_reader *reader, struct zpipe_read_args *args,
			     bool nowait, struct zpipe_park *park)
{
	struct zpipe_pipe *pipe = reader->pipe;
	bool expired = park && park->expired;
	u64 target = 0;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	while (!(ret = try_read_locked(reader, args, &target))) {
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		if (nowait) {
			arm_read_locked(reader, target, false);
			ret = try_read_locked(reader, args, &target) ?: -EAGAIN;
			if (ret == -EAGAIN)
				reader->want = target;
			break;
		}
		if (park) {
			if (!park->probe)
				arm_read_locked(reader, target, true);
			return zpipe_wait_park_locked(pipe, park, reader, target,
						      args->deadline);
		}
		zpipe_wait_join_locked(pipe, &reader->sleeper);
		arm_read_locked(reader, target, true);
		ret = zpipe_wait_sleep_locked(pipe, &reader->sleeper, reader,
					      target, args->deadline);
		zpipe_wait_disarm_locked(pipe, &reader->wake);
		expired = ret == -ETIMEDOUT;
		if (ret && !expired)
			break;
	}
	return min(ret, 0);
}

static int enter_read_locked(const struct zpipe_reader *reader, const struct zpipe_read_args *args)
{
	struct zpipe_pipe *pipe = reader->pipe;

	lockdep_assert_held(&pipe->pool->lock);
	pipe->stats.reads++;
	/* The words that a SHARED read leaves to the caller are the kernel's there. */
	if ((pipe->flags & ZPIPE_F_GUARDED) && (args->flags & ZPIPE_READ_F_SHARED))
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_READ, 0, -EINVAL);
	if (args->min > zpipe_chain_capacity(&pipe->chain))
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_READ, args->min, -EMSGSIZE);
	if (reader->busy & (ZPIPE_BUSY_READ | ZPIPE_BUSY_READ2))
		return -EBUSY;
	if (reader->open && !(args->flags & ZPIPE_READ_F_SHARED))
		return -EBUSY;
	return 0;
}

static int read(struct zpipe_reader *reader, struct zpipe_read_args *args,
		struct zpipe_span *spans, bool nowait, struct zpipe_park *park)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_chain *chain = &pipe->chain;
	int ret;

	if (args->flags & ~READ_FLAGS)
		return -EOPNOTSUPP;
	nowait = nowait || (args->flags & ZPIPE_READ_F_NOWAIT);
	zpipe_wait_lock(pipe);
	if (zpipe_park_waits(park)) {
		zpipe_wait_unpark_locked(pipe, park, reader);
		zpipe_wait_disarm_locked(pipe, &reader->wake);
	} else {
		ret = enter_read_locked(reader, args);
		if (ret)
			goto out_unlock;
		reader->busy |= ZPIPE_BUSY_READ;
	}
	ret = zpipe_reader_wait_locked(reader, args, nowait, park);
	if (zpipe_park_waits(park)) {
		if (park->probe) {
			/* It comes again, and is counted then. */
			pipe->stats.reads--;
			reader->busy &= ~ZPIPE_BUSY_READ;
		}
		zpipe_wait_unlock(pipe);
		return ret;
	}
	reader->busy &= ~ZPIPE_BUSY_READ;
	if (ret)
		goto out_unlock;

	args->out_start = reader->cursor.consumed;
	args->out_end = chain->published;
	args->out_index = zpipe_chain_index(chain, args->out_start);
	args->out_nr_spans = zpipe_chain_spans(chain, args->out_start, args->out_end, spans,
					       args->nr_spans);
	reader->want = 0;
	if (args->out_flags & ZPIPE_RES_CANCELED) {
		zpipe_reader_cancel_locked(reader);
	} else if (!(args->flags & ZPIPE_READ_F_SHARED) && args->out_end > args->out_start) {
		reader->open = true;
		reader->view_end = args->out_end;
	}
out_unlock:
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_reader_read - ZPIPE_IOC_READ
 * @end: the reader
 * @args: the call
 * @spans: room for args->nr_spans, to be copied out
 * @nowait: the file is O_NONBLOCK
 * @park: how to wait without sleeping, or NULL
 *
 * Context: may sleep.
 * Return: 0 or an errno, see struct zpipe_read_args.
 */
int zpipe_reader_read(struct zpipe_end *end, struct zpipe_read_args *args,
		      struct zpipe_span *spans, bool nowait, struct zpipe_park *park)
{
	int ret = spans ? read(end->reader, args, spans, nowait, park) : -ENOMEM;

	if (!zpipe_park_waits(park))
		trace_zpipe_read(end->pipe->id, ret ? 0 : args->out_start,
				 ret ? args->min : args->out_end - args->out_start, ret);
	return ret;
}

/**
 * zpipe_reader_stop_read - give up a READ that is parked
 * @end: the reader
 * @args: the call
 * @park: the call's
 */
void zpipe_reader_stop_read(struct zpipe_end *end, const struct zpipe_read_args *args,
			    struct zpipe_park *park)
{
	struct zpipe_reader *reader = end->reader;
	struct zpipe_pipe *pipe = reader->pipe;

	zpipe_wait_lock(pipe);
	zpipe_wait_unpark_locked(pipe, park, reader);
	zpipe_wait_disarm_locked(pipe, &reader->wake);
	reader->busy &= ~ZPIPE_BUSY_READ;
	zpipe_wait_unlock(pipe);
	trace_zpipe_read(pipe->id, 0, args->min, -ECANCELED);
}

/**
 * zpipe_reader_unread - the answer of a READ could not be delivered
 * @end: the reader
 * @args: the answer
 *
 * A call that fails changes nothing, so neither does one that fails last.
 */
void zpipe_reader_unread(struct zpipe_end *end, const struct zpipe_read_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;

	zpipe_wait_lock(pipe);
	if (args->out_flags & ZPIPE_RES_CANCELED)
		end->reader->cancel = true;
	else if (!(args->flags & ZPIPE_READ_F_SHARED))
		end->reader->open = false;
	zpipe_wait_share_locked(pipe);
	zpipe_wait_unlock(pipe);
}

/* ADVANCE by arguments: within what the outstanding READ showed. */
static int advance_locked(struct zpipe_reader *reader, const struct zpipe_advance_args *args)
{
	u64 now = reader->cursor.consumed;
	u64 consumed = args->consumed == ZPIPE_KEEP ? now : args->consumed;
	u64 examined = args->examined == ZPIPE_KEEP ? consumed : args->examined;
	int ret;

	lockdep_assert_held(&reader->pipe->pool->lock);
	if (!reader->open)
		return -EPROTO;
	if (consumed < now || examined < consumed || examined > reader->view_end)
		return -EINVAL;
	ret = zpipe_guard_hide_locked(reader, consumed);
	if (ret || reader->ended)
		return ret ?: -(reader->error ?: ESHUTDOWN);
	reader->open = false;
	zpipe_stream_advance_locked(reader, consumed, examined);
	return 0;
}

static int advance(struct zpipe_reader *reader, struct zpipe_advance_args *args)
{
	struct zpipe_pipe *pipe = reader->pipe;
	int ret;

	if (args->flags & ~ZPIPE_ADVANCE_F_SHARED)
		return -EOPNOTSUPP;
	zpipe_wait_lock(pipe);
	pipe->stats.advances++;
	ret = reader->busy & (ZPIPE_BUSY_READ2 | ZPIPE_BUSY_HIDE) ? -EBUSY : 0;
	if (!ret && (pipe->flags & ZPIPE_F_GUARDED) && (args->flags & ZPIPE_ADVANCE_F_SHARED))
		ret = zpipe_pipe_reject_locked(pipe, ZPIPE_NR_ADVANCE, 0, -EINVAL);
	if (!ret)
		ret = zpipe_stream_look_locked(pipe, reader);
	if (!ret && reader->ended)
		ret = -(reader->error ?: ESHUTDOWN);
	if (!ret && pipe->guilty == ZPIPE_ROLE_READER)
		ret = -EPROTO;
	if (!ret && !(args->flags & ZPIPE_ADVANCE_F_SHARED)) {
		ret = advance_locked(reader, args);
		if (ret)
			zpipe_pipe_reject_locked(pipe, ZPIPE_NR_ADVANCE, args->consumed, ret);
	}
	args->out_flags = pipe->writer_ended && !pipe->writer_error ? ZPIPE_RES_COMPLETED : 0;
	zpipe_wait_unlock(pipe);
	return ret;
}

static void trace_advance(struct zpipe_reader *reader, int ret)
{
	struct zpipe_pipe *pipe = reader->pipe;
	u64 consumed, held;

	if (!trace_zpipe_advance_enabled())
		return;
	zpipe_wait_lock(pipe);
	consumed = reader->cursor.consumed;
	held = pipe->chain.published - consumed;
	zpipe_wait_unlock(pipe);
	trace_zpipe_advance(pipe->id, consumed, held, ret);
}

/**
 * zpipe_reader_advance - ZPIPE_IOC_ADVANCE
 * @end: the reader
 * @args: the call
 *
 * Return: 0 or an errno, see struct zpipe_advance_args.
 */
int zpipe_reader_advance(struct zpipe_end *end, struct zpipe_advance_args *args)
{
	int ret = advance(end->reader, args);

	trace_advance(end->reader, ret);
	return ret;
}

/**
 * zpipe_reader_poll - is the reader end ready
 * @reader: the reader; the caller is on its pipe's queue
 *
 * Arms the wake word when it is not, on every call, and looks once more.
 *
 * Return: the poll mask.
 */
__poll_t zpipe_reader_poll(struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = reader->pipe;
	__poll_t mask = 0;
	int turn, ret;
	u64 target;
	u32 flags;

	zpipe_wait_lock(pipe);
	if (zpipe_stream_look_locked(pipe, reader))
		mask |= EPOLLERR;
	for (turn = 0; turn < 2; turn++) {
		target = max(reader->want, reader->cursor.examined + 1);
		ret = judge_locked(reader, target, reader->cursor.examined, false, &flags);
		if (ret)
			break;
		if (turn == 0)
			arm_read_locked(reader, target, false);
	}
	if (ret)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (pipe->writer_ended || pipe->guilty)
		mask |= EPOLLHUP;
	if (pipe->guilty || pipe->writer_error)
		mask |= EPOLLERR;
	zpipe_wait_unlock(pipe);
	return mask;
}
