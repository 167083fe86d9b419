// SPDX-License-Identifier: GPL-2.0-only
/*
 * flush - FLUSH: publishing, and waiting while the reader has enough to do
 *
 * Only one FLUSH runs at a time (EBUSY).
 */
#include "flush.h"
#include "guard.h"
#include "pipe.h"
#include "post.h"
#include "stream.h"
#include "wait.h"
#include "writer.h"
#include "zpipe_trace.h"

#define FLUSH_FLAGS	(ZPIPE_FLUSH_F_NOWAIT | ZPIPE_FLUSH_F_NOWAKE | ZPIPE_FLUSH_F_PUSH | \
			 ZPIPE_FLUSH_F_WAIT_EXAMINED | ZPIPE_FLUSH_F_WAIT_CONSUMED | \
			 ZPIPE_FLUSH_F_FINISH)
#define FLUSH_WAITS	(ZPIPE_FLUSH_F_WAIT_EXAMINED | ZPIPE_FLUSH_F_WAIT_CONSUMED)

/* Wake the readers that wait for more than there is, if there is anything new to them. */
static void push_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (zpipe_wake_at(&reader->wake) != ZPIPE_UNARMED &&
		    reader->cursor.examined < pipe->chain.published)
			zpipe_wait_wake_reader_locked(reader);
	}
}

/* Publish and wake, the half of FLUSH that does not wait. */
static int publish_locked(struct zpipe_pipe *pipe, const struct zpipe_flush_args *args)
{
	struct zpipe_chain *chain = &pipe->chain;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_writer_enter_locked(pipe);
	if (ret)
		return ret;
	if (args->position > zpipe_chain_limit(chain))
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_FLUSH, args->position, -EINVAL);
	zpipe_stream_publish_locked(pipe, args->position);
	if (args->flags & ZPIPE_FLUSH_F_NOWAKE)
		return 0;
	if (args->flags & (ZPIPE_FLUSH_F_PUSH | ZPIPE_FLUSH_F_WAIT_EXAMINED)) {
		pipe->push = max(pipe->push, args->position);
		push_locked(pipe);
	}
	zpipe_wait_wake_readers_locked(pipe, chain->published);
	if (!zpipe_post_is_on(pipe))
		return 0;
	ret = zpipe_post_flushed_locked(pipe, args->flags & ZPIPE_FLUSH_F_FINISH);
	/* There is no buffer to finish: POLLOUT says when there is. */
	pipe->post_wanted = ret == -EAGAIN;
	return ret;
}

/* Must this FLUSH wait, and for what? Arms nothing. */
static bool must_wait_locked(struct zpipe_pipe *pipe, const struct zpipe_flush_args *args)
{
	lockdep_assert_held(&pipe->pool->lock);
	/* What FINISH has finished it would finish twice when it is repeated. */
	if (pipe->reader_ended || (args->flags & (ZPIPE_FLUSH_F_NOWAKE | ZPIPE_FLUSH_F_FINISH)))
		return false;
	return zpipe_stream_pause_locked(pipe, true) ||
	       ((args->flags & ZPIPE_FLUSH_F_WAIT_EXAMINED) &&
		pipe->chain.examined < args->position) ||
	       ((args->flags & ZPIPE_FLUSH_F_WAIT_CONSUMED) &&
		pipe->chain.consumed < args->position);
}

static void arm_flush_locked(struct zpipe_pipe *pipe, const struct zpipe_flush_args *args,
			     bool sleep)
{
	const struct zpipe_chain *chain = &pipe->chain;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->paused)
		zpipe_stream_arm_resume_locked(pipe, sleep);
	if ((args->flags & ZPIPE_FLUSH_F_WAIT_EXAMINED) && chain->examined < args->position)
		zpipe_wait_arm_locked(pipe, &pipe->wake_examined, args->position, sleep);
	if ((args->flags & ZPIPE_FLUSH_F_WAIT_CONSUMED) && chain->consumed < args->position)
		zpipe_wait_arm_locked(pipe, &pipe->wake_consumed, args->position, sleep);
	/* The second look: what came before the arming wakes us at once. */
	zpipe_stream_look_locked(pipe, NULL);
}

/* A FLUSH does not wait any more. */
static void leave_flush_locked(struct zpipe_pipe *pipe, const struct zpipe_flush_args *args)
{
	lockdep_assert_held(&pipe->pool->lock);
	zpipe_wait_disarm_locked(pipe, &pipe->wake_examined);
	if (args->flags & ZPIPE_FLUSH_F_WAIT_CONSUMED)
		zpipe_wait_disarm_locked(pipe, &pipe->wake_consumed);
	/* An ALLOC that waits shares that word: it arms again. */
	if (pipe->busy & ZPIPE_BUSY_ALLOC)
		zpipe_wait_wake_writer_locked(pipe);
}

/*
 * The half of FLUSH that waits. Returns 0 when it need not any more, or is
 * canceled; publishing is done whatever comes out.
 */
static int wait_flush_locked(struct zpipe_pipe *pipe, struct zpipe_flush_args *args, bool nowait,
			     struct zpipe_park *park)
{
	bool expired = park && park->expired;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	for (;;) {
		zpipe_stream_look_locked(pipe, NULL);
		ret = zpipe_writer_check_locked(pipe);
		if (ret)
			break;
		if (zpipe_writer_cancel_locked(pipe)) {
			args->out_flags |= ZPIPE_RES_CANCELED;
			break;
		}
		if (!must_wait_locked(pipe, args))
			break;
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		if (park && park->probe && !nowait)
			return zpipe_wait_park_locked(pipe, park, NULL,
						      args->position, args->deadline);
		if (!nowait && !park)
			zpipe_wait_join_locked(pipe, &pipe->flush_sleeper);
		arm_flush_locked(pipe, args, !nowait);
		if (nowait) {
			ret = must_wait_locked(pipe, args) ? -EAGAIN : 0;
			break;
		}
		if (park)
			return zpipe_wait_park_locked(pipe, park, NULL,
						      args->position, args->deadline);
		ret = zpipe_wait_sleep_locked(pipe, &pipe->flush_sleeper, NULL,
					      args->position, args->deadline);
		expired = ret == -ETIMEDOUT;
		if (ret && !expired)
			break;
	}
	leave_flush_locked(pipe, args);
	return ret;
}

static int flush(struct zpipe_pipe *pipe, struct zpipe_flush_args *args, bool nowait,
		 struct zpipe_park *park)
{
	int ret;

	if (args->flags & ~FLUSH_FLAGS)
		return -EOPNOTSUPP;
	/* NOWAKE waits for nothing; wait-consumed alone could wait for ever (rule R8). */
	nowait = nowait || (args->flags & ZPIPE_FLUSH_F_NOWAIT);
	if ((args->flags & ZPIPE_FLUSH_F_NOWAKE) &&
	    (args->flags & (FLUSH_WAITS | ZPIPE_FLUSH_F_PUSH | ZPIPE_FLUSH_F_FINISH)))
		return -EINVAL;
	if ((args->flags & ZPIPE_FLUSH_F_FINISH) &&
	    (!zpipe_post_is_on(pipe) || (args->flags & FLUSH_WAITS)))
		return -EINVAL;
	if ((args->flags & FLUSH_WAITS) == ZPIPE_FLUSH_F_WAIT_CONSUMED && !args->deadline &&
	    !nowait && !(args->flags & ZPIPE_FLUSH_F_PUSH))
		return -EINVAL;
	args->out_flags = 0;

	zpipe_wait_lock(pipe);
	if (!zpipe_park_waits(park) && (pipe->busy & (ZPIPE_BUSY_FLUSH | ZPIPE_BUSY_WRITE2 |
							     ZPIPE_BUSY_SEAL))) {
		zpipe_wait_unlock(pipe);
		return -EBUSY;
	}
	if (zpipe_park_waits(park)) {
		zpipe_wait_unpark_locked(pipe, park, NULL);
		ret = wait_flush_locked(pipe, args, false, park);
	} else {
		pipe->stats.flushes++;
		pipe->busy |= ZPIPE_BUSY_FLUSH;
		if (park && park->published)
			ret = zpipe_writer_enter_locked(pipe);
		else
			ret = zpipe_guard_seal_locked(pipe, args->position) ?:
			      publish_locked(pipe, args);
		zpipe_guard_sealed_locked(pipe);
		if (!ret && !(args->flags & ZPIPE_FLUSH_F_NOWAKE) &&
		    (pipe->cancel_flush || must_wait_locked(pipe, args)))
			ret = wait_flush_locked(pipe, args, nowait, park);
	}
	if (zpipe_park_waits(park)) {
		if (park->probe) {
			/* It comes again, and is counted then. */
			pipe->stats.flushes--;
			pipe->busy &= ~ZPIPE_BUSY_FLUSH;
			park->published = true;
		}
		zpipe_wait_unlock(pipe);
		return ret;
	}
	pipe->busy &= ~ZPIPE_BUSY_FLUSH;
	if (pipe->reader_ended)
		args->out_flags |= ZPIPE_RES_COMPLETED;
	args->out_examined = pipe->chain.examined;
	args->out_consumed = pipe->chain.consumed;
	zpipe_wait_unlock(pipe);
	return ret;
}

static void trace_flush(struct zpipe_pipe *pipe, const struct zpipe_flush_args *args, int ret)
{
	u64 unexamined;

	if (!trace_zpipe_flush_enabled())
		return;
	zpipe_wait_lock(pipe);
	unexamined = zpipe_chain_unexamined(&pipe->chain);
	zpipe_wait_unlock(pipe);
	trace_zpipe_flush(pipe->id, args->position, unexamined, ret);
}

/**
 * zpipe_flush - ZPIPE_IOC_FLUSH
 * @end: the writer
 * @args: the call
 * @nowait: the file is O_NONBLOCK
 * @park: how to wait without sleeping, or NULL
 *
 * Context: may sleep.
 * Return: 0 or an errno, see struct zpipe_flush_args.
 */
int zpipe_flush(struct zpipe_end *end, struct zpipe_flush_args *args, bool nowait,
		struct zpipe_park *park)
{
	int ret = flush(end->pipe, args, nowait, park);

	if (!zpipe_park_waits(park))
		trace_flush(end->pipe, args, ret);
	return ret;
}

/**
 * zpipe_flush_stop - give up a FLUSH that is parked
 * @end: the writer
 * @args: the call
 * @park: the call's
 */
void zpipe_flush_stop(struct zpipe_end *end, const struct zpipe_flush_args *args,
		      struct zpipe_park *park)
{
	struct zpipe_pipe *pipe = end->pipe;

	zpipe_wait_lock(pipe);
	zpipe_wait_unpark_locked(pipe, park, NULL);
	leave_flush_locked(pipe, args);
	pipe->busy &= ~ZPIPE_BUSY_FLUSH;
	zpipe_wait_unlock(pipe);
	trace_flush(pipe, args, -ECANCELED);
}

/**
 * zpipe_flush_unpause_locked - wait until the writer may go on, for write(2)
 * @pipe: the pipe, unlocked while asleep
 * @nowait: do not
 *
 * Context: may sleep.
 * Return: 0, -EAGAIN, -ERESTARTSYS, -ECANCELED, or why the writer may not.
 */
int zpipe_flush_unpause_locked(struct zpipe_pipe *pipe, bool nowait)
{
	struct zpipe_flush_args args = {};
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_writer_enter_locked(pipe);
	if (ret || !must_wait_locked(pipe, &args))
		return ret;
	ret = wait_flush_locked(pipe, &args, nowait, NULL);
	if (!ret && (args.out_flags & ZPIPE_RES_CANCELED))
		ret = -ECANCELED;
	return ret;
}
