// SPDX-License-Identifier: GPL-2.0-only
/*
 * share - pipes of one pool wait for one another's memory
 *
 * Memory that a pipe's readers have consumed stays with the pipe until its
 * writer's next ALLOC, which may never come. So a writer that finds the pool
 * empty goes round all its pipes, takes over what their readers have said,
 * and arms their words for the next segment that comes free; and whoever gives
 * a segment back, in whatever way, wakes all writers that wait so (rule R10).
 */
#include <linux/sched.h>

#include "share.h"
#include "stream.h"
#include "wait.h"

/* Pipes that are visited before others may have the lock. */
#define BATCH	16

static void visit_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	zpipe_stream_look_locked(pipe, NULL);
	zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
	zpipe_stream_offer_locked(pipe);
	/* The second look, after arming. */
	zpipe_stream_look_locked(pipe, NULL);
}

/**
 * zpipe_share_reclaim_locked - take back what the readers of a pool have consumed
 * @pool: the pool; unlocked now and then
 * @self: one of its pipes, whose wake-ups the caller sends itself; or NULL
 *
 * The list goes round as it is walked, so that everybody who does this at the
 * same time helps the others, and each pipe is visited after the caller came.
 */
void zpipe_share_reclaim_locked(struct zpipe_pool *pool, const struct zpipe_pipe *self)
	__releases(&pool->lock) __acquires(&pool->lock)
{
	u32 left = pool->slots.members, batch = 0;

	lockdep_assert_held(&pool->lock);
	while (left) {
		struct zpipe_pipe *pipe;

		pipe = list_first_entry(&pool->pipes, struct zpipe_pipe, in_pool);
		list_rotate_left(&pool->pipes);
		visit_locked(pipe);
		if (pipe != self)
			zpipe_wait_send_locked(pipe);
		left--;
		if (++batch % BATCH)
			continue;
		zpipe_wait_unlock_pool(pool);
		cond_resched();
		zpipe_wait_lock_pool(pool);
		left = min(left, pool->slots.members);
	}
}

/**
 * zpipe_share_wait_locked - the pool has no memory: be woken when it has
 * @pipe: the pipe, whose writer waits; unlocked now and then
 * @sleep: asleep, rather than with EAGAIN or by poll; the caller's task state
 *	is set already
 *
 * The caller must look once more after this.
 */
void zpipe_share_wait_locked(struct zpipe_pipe *pipe, bool sleep)
	__releases(&pipe->pool->lock) __acquires(&pipe->pool->lock)
{
	lockdep_assert_held(&pipe->pool->lock);
	zpipe_wait_join_pool_locked(pipe, sleep ? ZPIPE_HUNGER_SLEEP : ZPIPE_HUNGER_ARMED);
	zpipe_share_reclaim_locked(pipe->pool, pipe);
}
