// SPDX-License-Identifier: GPL-2.0-only
/*
 * writer - ALLOC: grants, and waiting for memory
 *
 * A grant is planned under the lock, gets its pages without it, and is then
 * committed, so a slow allocation holds up nobody. Only one ALLOC and one
 * FLUSH run at a time (EBUSY), which is what makes that sound: nobody else can
 * commit in between.
 */
#include <linux/sched/signal.h>

#include "guard.h"
#include "idle.h"
#include "pipe.h"
#include "plan.h"
#include "post.h"
#include "segment.h"
#include "share.h"
#include "stream.h"
#include "tee.h"
#include "wait.h"
#include "writer.h"
#include "zpipe_trace.h"

#define ALLOC_FLAGS	ZPIPE_ALLOC_F_NOWAIT

/**
 * zpipe_writer_check_locked - may the writer go on
 * @pipe: the pipe, looked at
 *
 * Return: 0, -ESHUTDOWN, -EPROTO, or the reader's errno.
 */
int zpipe_writer_check_locked(const struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->writer_ended)
		return -ESHUTDOWN;
	if (pipe->guilty)
		return -EPROTO;
	return -pipe->reader_error;
}

/**
 * zpipe_writer_enter_locked - how every verb of the writer begins
 * @pipe: the pipe, looked at
 *
 * Return: as zpipe_writer_check_locked().
 */
int zpipe_writer_enter_locked(struct zpipe_pipe *pipe)
{
	return zpipe_stream_look_locked(pipe, NULL) ?: zpipe_writer_check_locked(pipe);
}

/**
 * zpipe_writer_cancel_locked - use up a CANCEL of the writer's operations
 * @pipe: the pipe
 *
 * Return: whether there was one.
 */
bool zpipe_writer_cancel_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (!pipe->cancel_flush)
		return false;
	pipe->cancel_flush = false;
	zpipe_wait_share_locked(pipe);
	return true;
}

/*
 * No memory: arm, tell a starving reader that it is FULL, and look once more.
 * It is the reader's arming or this, whichever comes second, that finds both
 * waiting (rule R1).
 */
static void wait_for_memory_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan,
				   bool sleep)
{
	struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	pipe->memory_wait = plan->wait ?: ZPIPE_UNARMED;
	pipe->post_wanted = zpipe_post_is_on(pipe);
	if (plan->wait)
		zpipe_wait_arm_locked(pipe, &pipe->wake_consumed, plan->wait, sleep);
	zpipe_stream_look_locked(pipe, NULL);
	if (plan->pool)
		zpipe_share_wait_locked(pipe, sleep);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (zpipe_wait_is_starving_locked(reader) &&
		    (zpipe_wait_is_full_locked(reader) || zpipe_post_is_wanted_locked(pipe)))
			zpipe_wait_wake_reader_locked(reader);
	}
}

/* What the readers have given back, and what slow ones are made to. */
static int find_memory_locked(struct zpipe_pipe *pipe, u64 position, u64 min, u64 want,
			      struct zpipe_plan *plan)
{
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	do {
		zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
		ret = zpipe_plan_grant(&pipe->chain, position, min, want, plan);
	} while (ret == -EAGAIN && zpipe_tee_outrun_locked(pipe, plan->wait));
	return ret;
}

/**
 * zpipe_writer_find_room_locked - may forwarded bytes be appended now
 * @pipe: the pipe, looked at
 * @position: committed position
 * @length: bytes
 * @slots: that they stand in
 * @plan: the answer
 *
 * Return: as zpipe_plan_forward().
 */
int zpipe_writer_find_room_locked(struct zpipe_pipe *pipe, u64 position, u64 length, u32 slots,
				  struct zpipe_plan *plan)
{
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	/* Appending gives back what it can; mostly that is soon enough. */
	ret = zpipe_plan_forward(&pipe->chain, position, length, slots, plan);
	if (likely(!ret))
		return 0;
	do {
		zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
		ret = zpipe_plan_forward(&pipe->chain, position, length, slots, plan);
	} while (ret == -EAGAIN && zpipe_tee_outrun_locked(pipe, plan->wait));
	return ret;
}

/*
 * One turn of an ALLOC. Returns 0 with a plan whose slots are reserved (if it
 * needs any), ZPIPE_GRANT_WAITS when the caller is to wait for plan->wait, or an error.
 */
static int try_grant_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
			    struct zpipe_plan *plan)
{
	struct zpipe_chain *chain = &pipe->chain;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	if (zpipe_post_is_on(pipe) && pipe->reader_ended)
		return ZPIPE_GRANT_ENDED;
	if (zpipe_post_is_on(pipe))
		ret = zpipe_post_plan_locked(pipe, request->position, request->min, plan);
	else
		ret = find_memory_locked(pipe, request->position, request->min, request->want,
					 plan);
	if (!ret && plan->nr)
		zpipe_chain_reserve(chain, plan);
	return ret == -EAGAIN ? ZPIPE_GRANT_WAITS : ret;
}

/* An ALLOC does not wait for memory any more. */
static void leave_memory_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	pipe->memory_wait = ZPIPE_UNARMED;
	pipe->post_wanted = false;
	zpipe_wait_disarm_locked(pipe, &pipe->wake_consumed);
	zpipe_wait_leave_locked(pipe, ZPIPE_HUNGER_SLEEP);
	/* A FLUSH that waits for consumed shares the word: it arms again. */
	if (pipe->busy & ZPIPE_BUSY_FLUSH)
		zpipe_wait_wake_writer_locked(pipe);
}

/* One turn of whatever needs memory. */
static int turn_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
		       struct zpipe_plan *plan)
{
	return zpipe_writer_enter_locked(pipe) ?: request->try(pipe, request, plan);
}

static int sleep_for_memory_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
				   struct zpipe_park *park, struct zpipe_plan *plan)
{
	bool expired = park && park->expired;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	for (;;) {
		ret = turn_locked(pipe, request, plan);
		if (ret != ZPIPE_GRANT_WAITS)
			break;
		if (pipe->cancel_flush || expired) {
			ret = pipe->cancel_flush ? ZPIPE_GRANT_CANCELED : -ETIMEDOUT;
			break;
		}
		if (park) {
			wait_for_memory_locked(pipe, plan, true);
			return zpipe_wait_park_locked(pipe, park, NULL,
						      plan->wait ?: request->position,
						      request->deadline);
		}
		zpipe_wait_join_locked(pipe, &pipe->alloc_sleeper);
		wait_for_memory_locked(pipe, plan, true);
		ret = zpipe_wait_sleep_locked(pipe, &pipe->alloc_sleeper, NULL,
					      plan->wait ?: request->position, request->deadline);
		expired = ret == -ETIMEDOUT;
		if (ret && !expired)
			break;
	}
	leave_memory_locked(pipe);
	return ret;
}

/**
 * zpipe_writer_await_locked - do what needs memory, waiting for it
 * @pipe: the pipe; the caller has marked it busy. Unlocked while asleep
 * @request: what
 * @nowait: -EAGAIN instead of waiting
 * @park: how to wait without sleeping, or NULL
 * @plan: of the last try
 *
 * Context: may sleep.
 * Return: 0 after a try that succeeded, what it answered, or
 * ZPIPE_GRANT_CANCELED when a cancel came instead of memory (it is not used up).
 */
int zpipe_writer_await_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
			      bool nowait, struct zpipe_park *park, struct zpipe_plan *plan)
{
	int ret = ZPIPE_GRANT_WAITS;
	bool pool = false;

	lockdep_assert_held(&pipe->pool->lock);
	if (zpipe_park_waits(park))
		zpipe_wait_unpark_locked(pipe, park, NULL);
	else
		ret = turn_locked(pipe, request, plan);
	/* Memory may have come free between looking and arming. */
	while (ret == ZPIPE_GRANT_WAITS && nowait) {
		u64 consumed = pipe->chain.consumed;

		pipe->alloc_at = request->position;
		pipe->alloc_want = request->min;
		pipe->alloc_slots = request->slots;
		wait_for_memory_locked(pipe, plan, false);
		/* Once all pipes were asked, what comes free wakes whoever polls. */
		if (pipe->chain.consumed == consumed && !pipe->reader_ended &&
		    pool == plan->pool) {
			ret = -EAGAIN;
		} else {
			pool = plan->pool;
			ret = turn_locked(pipe, request, plan);
		}
	}
	if (!ret) {
		pipe->memory_wait = ZPIPE_UNARMED;
		pipe->post_wanted = false;
		pipe->alloc_want = 0;
	}
	if (ret == ZPIPE_GRANT_WAITS && park && park->probe && !pipe->cancel_flush)
		ret = zpipe_wait_park_locked(pipe, park, NULL,
					     plan->wait ?: request->position,
					     request->deadline);
	else if (ret == ZPIPE_GRANT_WAITS)
		ret = sleep_for_memory_locked(pipe, request, park, plan);
	return ret;
}

/* See to it that the slots of a plan have pages, without the lock. */
static int populate_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan)
	__releases(&pipe->pool->lock) __acquires(&pipe->pool->lock)
{
	/* A run that begins inside a segment shares it with bytes that are alive. */
	u32 shared = plan->nr && (plan->offset & ((1ULL << pipe->chain.shift) - 1)) ? 1 : 0;
	u32 first, zeroed = 0;
	int ret;

	first = zpipe_slots_after(&pipe->pool->slots, plan->first, shared);
	zpipe_wait_unlock(pipe);
	/* What readers that were dropped can still see is about to be written to. */
	zpipe_guard_hide_dropped(pipe);
	ret = zpipe_segment_populate(pipe->pool, first, plan->nr - shared, &zeroed);
	zpipe_idle_kick();
	zpipe_wait_lock(pipe);
	zpipe_stream_zeroed_locked(pipe, plan->position, (u64)zeroed << PAGE_SHIFT);
	/* Another thread may have published past the position meanwhile. */
	if (!ret && (plan->position < zpipe_chain_floor(&pipe->chain) ||
		     plan->position > pipe->chain.granted))
		ret = -EINVAL;
	return ret;
}

static int commit_grant_locked(struct zpipe_pipe *pipe, struct zpipe_plan *plan)
{
	int ret = 0;

	lockdep_assert_held(&pipe->pool->lock);
	/*
	 * The rest of the open descriptor is the writer's already. What is posted
	 * is complete, and has to be granted at once: unlocked, the reader might
	 * leave with it, or a FINISH make it the reader's.
	 */
	if ((plan->nr && !zpipe_post_is_on(pipe)) || zpipe_is_guarded(pipe))
		ret = populate_locked(pipe, plan);
	if (ret) {
		if (plan->nr)
			zpipe_chain_unreserve(&pipe->chain, plan);
		return ret;
	}
	if (plan->nr) {
		pipe->stats.segments_opened += plan->nr - plan->again;
		if (plan->again < plan->nr)
			trace_zpipe_segment_open(pipe->id, plan->position, plan->length,
						 plan->nr - plan->again);
	}
	if (zpipe_post_is_on(pipe))
		zpipe_post_granted_locked(pipe, plan);
	zpipe_stream_freed_locked(pipe, zpipe_chain_commit(&pipe->chain, plan));
	zpipe_stream_offer_locked(pipe);
	pipe->alloc_want = 0;
	return 0;
}

/**
 * zpipe_writer_grant_locked - get memory at a position, waiting for it
 * @pipe: the pipe, unlocked meanwhile; the caller has marked it busy
 * @args: position, min, want and deadline are used
 * @nowait: -EAGAIN instead of waiting
 * @park: how to wait without sleeping, or NULL
 * @plan: what was granted
 *
 * Context: may sleep.
 * Return: 0, an errno of ALLOC, ZPIPE_GRANT_CANCELED when a cancel came instead
 * of memory (it is not used up), or ZPIPE_GRANT_ENDED.
 */
int zpipe_writer_grant_locked(struct zpipe_pipe *pipe, const struct zpipe_alloc_args *args,
			      bool nowait, struct zpipe_park *park, struct zpipe_plan *plan)
	__releases(&pipe->pool->lock) __acquires(&pipe->pool->lock)
{
	struct zpipe_request request = {
		.try = try_grant_locked,
		.position = args->position,
		.min = args->min,
		.want = args->want,
		.deadline = args->deadline,
	};
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_writer_await_locked(pipe, &request, nowait, park, plan) ?:
	      commit_grant_locked(pipe, plan);
	/* Spare slots that came free, and replace what is preserved no longer. */
	if (unlikely(pipe->pool->slots.returned)) {
		zpipe_wait_unlock(pipe);
		zpipe_segment_sweep(pipe->pool);
		zpipe_wait_lock(pipe);
	}
	return ret;
}

static int alloc(struct zpipe_pipe *pipe, struct zpipe_alloc_args *args, bool nowait,
		 struct zpipe_park *park)
{
	struct zpipe_plan plan = {};
	int ret;

	if (args->flags & ~ALLOC_FLAGS)
		return -EOPNOTSUPP;
	nowait = nowait || (args->flags & ZPIPE_ALLOC_F_NOWAIT);
	zpipe_wait_lock(pipe);
	if (!zpipe_park_waits(park)) {
		if (pipe->busy & (ZPIPE_BUSY_ALLOC | ZPIPE_BUSY_WRITE2)) {
			zpipe_wait_unlock(pipe);
			return -EBUSY;
		}
		pipe->busy |= ZPIPE_BUSY_ALLOC;
		pipe->stats.allocs++;
	}

	ret = zpipe_writer_grant_locked(pipe, args, nowait, park, &plan);
	if (zpipe_park_waits(park) && !park->probe) {
		zpipe_wait_unlock(pipe);
		return ret;
	}
	pipe->busy &= ~ZPIPE_BUSY_ALLOC;
	if (zpipe_park_waits(park)) {
		/* It comes again, and is counted then. */
		pipe->stats.allocs--;
		zpipe_wait_unlock(pipe);
		return ret;
	}
	args->out_flags = pipe->reader_ended ? ZPIPE_RES_COMPLETED : 0;
	args->out_offset = plan.offset;
	args->out_length = plan.length;
	if (ret > 0) {
		args->out_offset = 0;
		args->out_length = 0;
		if (ret == ZPIPE_GRANT_CANCELED) {
			zpipe_writer_cancel_locked(pipe);
			args->out_flags |= ZPIPE_RES_CANCELED;
		}
		ret = 0;
	} else if (!ret) {
		pipe->grants = true;
	} else if (ret == -EINVAL || ret == -EMSGSIZE) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_ALLOC, args->position, ret);
	}
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_writer_alloc - ZPIPE_IOC_ALLOC
 * @end: the writer
 * @args: the call
 * @nowait: the file is O_NONBLOCK
 * @park: how to wait without sleeping, or NULL
 *
 * Context: may sleep.
 * Return: 0 or an errno, see struct zpipe_alloc_args.
 */
int zpipe_writer_alloc(struct zpipe_end *end, struct zpipe_alloc_args *args, bool nowait,
		       struct zpipe_park *park)
{
	int ret = alloc(end->pipe, args, nowait, park);

	if (!zpipe_park_waits(park))
		trace_zpipe_alloc(end->pipe->id, args->position,
				  ret ? args->min : args->out_length, ret);
	return ret;
}

/**
 * zpipe_writer_stop_alloc - give up an ALLOC that is parked
 * @end: the writer
 * @args: the call
 * @park: the call's
 */
void zpipe_writer_stop_alloc(struct zpipe_end *end, const struct zpipe_alloc_args *args,
			     struct zpipe_park *park)
{
	struct zpipe_pipe *pipe = end->pipe;

	zpipe_wait_lock(pipe);
	zpipe_wait_unpark_locked(pipe, park, NULL);
	leave_memory_locked(pipe);
	pipe->busy &= ~ZPIPE_BUSY_ALLOC;
	zpipe_wait_unlock(pipe);
	trace_zpipe_alloc(pipe->id, args->position, args->min, -ECANCELED);
}

static bool has_room_locked(struct zpipe_pipe *pipe, struct zpipe_plan *plan)
{
	struct zpipe_chain *chain = &pipe->chain;
	u64 position = chain->published;
	u64 need = min_t(u64, PIPE_BUF, zpipe_chain_capacity(chain));
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->alloc_want) {
		position = clamp(pipe->alloc_at, zpipe_chain_floor(chain), chain->granted);
		need = pipe->alloc_want;
	}
	if (zpipe_post_is_on(pipe))
		ret = zpipe_post_plan_locked(pipe, position, pipe->alloc_want, plan);
	else if (pipe->alloc_want && pipe->alloc_slots)
		ret = zpipe_writer_find_room_locked(pipe, position, need, pipe->alloc_slots, plan);
	else
		ret = find_memory_locked(pipe, position, need, 0, plan);
	/* What only the writer can help with must not look like a wait. */
	return ret != -EAGAIN;
}

/**
 * zpipe_writer_poll - is the writer end ready
 * @pipe: the pipe; the caller is on its queue
 *
 * Arms the wake words when it is not, on every call, and looks once more.
 *
 * Return: the poll mask.
 */
__poll_t zpipe_writer_poll(struct zpipe_pipe *pipe)
{
	struct zpipe_plan plan = {};
	__poll_t mask = 0;
	int turn;

	zpipe_wait_lock(pipe);
	if (zpipe_stream_look_locked(pipe, NULL))
		mask |= EPOLLERR;
	for (turn = 0; turn < 2; turn++) {
		if (pipe->reader_ended || pipe->guilty) {
			mask |= EPOLLERR | EPOLLOUT | EPOLLWRNORM;
			break;
		}
		if (pipe->writer_ended || pipe->cancel_flush) {
			mask |= EPOLLOUT | EPOLLWRNORM;
			break;
		}
		if (zpipe_stream_pause_locked(pipe, true)) {
			zpipe_stream_arm_resume_locked(pipe, false);
			/* The second look: what came before the arming wakes us at once. */
			zpipe_stream_look_locked(pipe, NULL);
		} else if (!has_room_locked(pipe, &plan)) {
			wait_for_memory_locked(pipe, &plan, false);
		} else {
			mask |= EPOLLOUT | EPOLLWRNORM;
			break;
		}
	}
	zpipe_wait_unlock(pipe);
	return mask;
}
