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

#include "pipe.h"
#include "reader.h"
#include "wait.h"
#include "zpipe_trace.h"

#define READ_FLAGS	(ZPIPE_READ_F_NOWAIT | ZPIPE_READ_F_SHARED | ZPIPE_READ_F_REREAD)

/**
 * zpipe_reader_check_locked - may the reader go on
 * @pipe: the pipe
 *
 * Return: 0, -ESHUTDOWN, -EPROTO, or at once the writer's errno.
 */
int zpipe_reader_check_locked(const struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->lock);
	if (pipe->reader_ended)
		return -ESHUTDOWN;
	if (pipe->guilty == ZPIPE_ROLE_READER)
		return -EPROTO;
	if (pipe->writer_error && !pipe->drain)
		return -pipe->writer_error;
	return 0;
}

/**
 * zpipe_reader_cancel_locked - use up a CANCEL of the reader's operations
 * @pipe: the pipe
 *
 * Return: whether there was one.
 */
bool zpipe_reader_cancel_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->lock);
	if (!pipe->cancel_read)
		return false;
	pipe->cancel_read = false;
	zpipe_wait_share_locked(pipe);
	return true;
}

/* What is wrong once there is nothing new to see; 0 when more may come. */
static int broken_locked(const struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->lock);
	if (pipe->guilty)
		return -EPROTO;
	return -pipe->writer_error;
}

/*
 * Is there a reason to return now, for a reader that wants target and has seen
 * what is below seen? 1 with *flags set, 0 to wait, or an errno.
 */
static int judge_locked(struct zpipe_pipe *pipe, u64 target, u64 seen, u32 *flags)
{
	const struct zpipe_chain *chain = &pipe->chain;
	bool fresh = chain->published > seen;
	int ret;

	lockdep_assert_held(&pipe->lock);
	*flags = 0;
	ret = zpipe_reader_check_locked(pipe);
	if (ret)
		return ret;
	ret = broken_locked(pipe);
	if (pipe->writer_ended && !ret)
		*flags |= ZPIPE_RES_COMPLETED;
	if (pipe->cancel_read) {
		*flags |= ZPIPE_RES_CANCELED;
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
	if (zpipe_wait_is_full_locked(pipe)) {
		*flags |= ZPIPE_RES_FULL;
		return 1;
	}
	return 0;
}

/* Arm, lift the writer's pause, and look once more. */
static void arm_read_locked(struct zpipe_pipe *pipe, u64 target, bool sleep)
{
	bool paused = pipe->paused;

	lockdep_assert_held(&pipe->lock);
	zpipe_wait_arm_locked(pipe, &pipe->wake_reader, target, sleep);
	if (paused && !zpipe_pipe_pause_locked(pipe, false))
		zpipe_wait_wake_writer_locked(pipe);
	zpipe_pipe_look_locked(pipe, ZPIPE_ROLE_READER);
}

/* One look: 1 when a READ can return, 0 when it must wait for *target, or an errno. */
static int try_read_locked(struct zpipe_pipe *pipe, struct zpipe_read_args *args, u64 *target)
{
	const struct zpipe_chain *chain = &pipe->chain;
	u64 seen;
	int ret;

	lockdep_assert_held(&pipe->lock);
	ret = zpipe_pipe_look_locked(pipe, ZPIPE_ROLE_READER);
	if (ret)
		return ret;
	seen = args->flags & ZPIPE_READ_F_REREAD ? chain->consumed : chain->examined;
	*target = max(chain->consumed + (args->min ?: 1), seen + 1);
	return judge_locked(pipe, *target, seen, &args->out_flags);
}

/**
 * zpipe_reader_wait_locked - wait until a READ can return
 * @pipe: the pipe, unlocked while asleep; the caller has marked it busy
 * @args: min, deadline and REREAD are used; out_flags is set
 * @nowait: -EAGAIN instead of waiting
 * @park: how to wait without sleeping, or NULL
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int zpipe_reader_wait_locked(struct zpipe_pipe *pipe, struct zpipe_read_args *args, bool nowait,
			     struct zpipe_park *park)
{
	bool expired = park && park->expired;
	u64 target = 0;
	int ret;

	lockdep_assert_held(&pipe->lock);
	while (!(ret = try_read_locked(pipe, args, &target))) {
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		if (nowait) {
			arm_read_locked(pipe, target, false);
			ret = try_read_locked(pipe, args, &target) ?: -EAGAIN;
			if (ret == -EAGAIN)
				pipe->read_want = target;
			break;
		}
		if (park) {
			if (!park->probe)
				arm_read_locked(pipe, target, true);
			return zpipe_wait_park_locked(pipe, park, ZPIPE_ROLE_READER, target,
						      args->deadline);
		}
		zpipe_wait_join_locked(pipe, &pipe->read_sleeper);
		arm_read_locked(pipe, target, true);
		ret = zpipe_wait_sleep_locked(pipe, &pipe->read_sleeper, ZPIPE_ROLE_READER,
					      target, args->deadline);
		zpipe_wait_disarm_locked(pipe, &pipe->wake_reader);
		expired = ret == -ETIMEDOUT;
		if (ret && !expired)
			break;
	}
	return min(ret, 0);
}

static int enter_read_locked(struct zpipe_pipe *pipe, const struct zpipe_read_args *args)
{
	lockdep_assert_held(&pipe->lock);
	pipe->stats.reads++;
	if (args->min > zpipe_chain_window(&pipe->chain))
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_READ, args->min, -EMSGSIZE);
	if (pipe->busy & (ZPIPE_BUSY_READ | ZPIPE_BUSY_READ2))
		return -EBUSY;
	if (pipe->read_open && !(args->flags & ZPIPE_READ_F_SHARED))
		return -EBUSY;
	return 0;
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
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_chain *chain = &pipe->chain;
	int ret;

	if (args->flags & ~READ_FLAGS)
		return -EOPNOTSUPP;
	nowait = nowait || (args->flags & ZPIPE_READ_F_NOWAIT);
	zpipe_wait_lock(pipe);
	if (zpipe_park_waits(park)) {
		zpipe_wait_unpark_locked(pipe, park, ZPIPE_ROLE_READER);
		zpipe_wait_disarm_locked(pipe, &pipe->wake_reader);
	} else {
		ret = enter_read_locked(pipe, args);
		if (ret)
			goto out_unlock;
		pipe->busy |= ZPIPE_BUSY_READ;
	}
	ret = zpipe_reader_wait_locked(pipe, args, nowait, park);
	if (zpipe_park_waits(park)) {
		if (park->probe) {
			/* It comes again, and is counted then. */
			pipe->stats.reads--;
			pipe->busy &= ~ZPIPE_BUSY_READ;
		}
		zpipe_wait_unlock(pipe);
		return ret;
	}
	pipe->busy &= ~ZPIPE_BUSY_READ;
	if (ret)
		goto out_unlock;

	args->out_start = chain->consumed;
	args->out_end = chain->published;
	args->out_index = zpipe_chain_index(chain);
	args->out_nr_spans = zpipe_chain_spans(chain, args->out_start, args->out_end, spans,
					       args->nr_spans);
	pipe->read_want = 0;
	if (args->out_flags & ZPIPE_RES_CANCELED) {
		zpipe_reader_cancel_locked(pipe);
	} else if (!(args->flags & ZPIPE_READ_F_SHARED) && args->out_end > args->out_start) {
		pipe->read_open = true;
		pipe->read_end = args->out_end;
	}
out_unlock:
	zpipe_wait_unlock(pipe);
	trace_zpipe_read(pipe->id, ret ? 0 : args->out_start,
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
	struct zpipe_pipe *pipe = end->pipe;

	zpipe_wait_lock(pipe);
	zpipe_wait_unpark_locked(pipe, park, ZPIPE_ROLE_READER);
	zpipe_wait_disarm_locked(pipe, &pipe->wake_reader);
	pipe->busy &= ~ZPIPE_BUSY_READ;
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
		pipe->cancel_read = true;
	else if (!(args->flags & ZPIPE_READ_F_SHARED))
		pipe->read_open = false;
	zpipe_wait_share_locked(pipe);
	zpipe_wait_unlock(pipe);
}

/* ADVANCE by arguments: within what the outstanding READ showed. */
static int advance_locked(struct zpipe_pipe *pipe, const struct zpipe_advance_args *args)
{
	struct zpipe_chain *chain = &pipe->chain;
	u64 consumed = args->consumed == ZPIPE_KEEP ? chain->consumed : args->consumed;
	u64 examined = args->examined == ZPIPE_KEEP ? consumed : args->examined;

	lockdep_assert_held(&pipe->lock);
	if (!pipe->read_open)
		return -EPROTO;
	if (consumed < chain->consumed || examined < consumed || examined > pipe->read_end)
		return -EINVAL;
	pipe->read_open = false;
	zpipe_pipe_advance_locked(pipe, consumed, examined);
	return 0;
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
	struct zpipe_pipe *pipe = end->pipe;
	u64 consumed, held;
	int ret;

	if (args->flags & ~ZPIPE_ADVANCE_F_SHARED)
		return -EOPNOTSUPP;
	zpipe_wait_lock(pipe);
	pipe->stats.advances++;
	ret = pipe->busy & ZPIPE_BUSY_READ2 ? -EBUSY : 0;
	if (!ret)
		ret = zpipe_pipe_look_locked(pipe, ZPIPE_ROLE_READER);
	if (!ret && pipe->reader_ended)
		ret = -ESHUTDOWN;
	if (!ret && pipe->guilty == ZPIPE_ROLE_READER)
		ret = -EPROTO;
	if (!ret && !(args->flags & ZPIPE_ADVANCE_F_SHARED)) {
		ret = advance_locked(pipe, args);
		if (ret)
			zpipe_pipe_reject_locked(pipe, ZPIPE_NR_ADVANCE, args->consumed, ret);
	}
	args->out_flags = pipe->writer_ended && !pipe->writer_error ? ZPIPE_RES_COMPLETED : 0;
	consumed = pipe->chain.consumed;
	held = zpipe_chain_held(&pipe->chain);
	zpipe_wait_unlock(pipe);
	trace_zpipe_advance(pipe->id, consumed, held, ret);
	return ret;
}

/**
 * zpipe_reader_poll - is the reader end ready
 * @pipe: the pipe; the caller is on its queue
 *
 * Arms the wake word when it is not, on every call, and looks once more.
 *
 * Return: the poll mask.
 */
__poll_t zpipe_reader_poll(struct zpipe_pipe *pipe)
{
	__poll_t mask = 0;
	int turn, ret;
	u64 target;
	u32 flags;

	zpipe_wait_lock(pipe);
	if (zpipe_pipe_look_locked(pipe, ZPIPE_ROLE_READER))
		mask |= EPOLLERR;
	for (turn = 0; turn < 2; turn++) {
		target = max(pipe->read_want, pipe->chain.examined + 1);
		ret = judge_locked(pipe, target, pipe->chain.examined, &flags);
		if (ret)
			break;
		if (turn == 0)
			arm_read_locked(pipe, target, false);
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
