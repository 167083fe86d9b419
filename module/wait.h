/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wait - wake positions: who sleeps for what, and how the peer finds out
 *
 * The sleeping side arms a word, then looks at the cursors again, then sleeps.
 * The waking side (userspace) stores its cursor, and after a full barrier
 * compares it with the word. Rules R1, R2 and R5 of the protocol live here.
 */
#ifndef ZPIPE_WAIT_H
#define ZPIPE_WAIT_H

#include <linux/types.h>

#include "types.h"

/* Decided under the lock, sent by zpipe_wait_unlock(). */
enum zpipe_wakes {
	ZPIPE_WAKE_READER	= 1,
	ZPIPE_WAKE_WRITER	= 2,
	ZPIPE_WAKE_ENDED	= 4,	/* with the two above: whatever is polled for */
};

/**
 * struct zpipe_park - a call that waits without a task, for uring.c
 * @probe: it must not wait at all yet: tell with @waits, and leave nothing behind
 * @published: of a FLUSH: the half that does not wait is done
 * @waits: out: the call is not over but waits, whatever it returned (any errno
 *	may be the peer's); unless it was a probe it stays busy and armed. in:
 *	it did, and this goes on with it
 * @expired: in: the deadline has passed, this is the last look
 * @deadline: out: of the call that waits, 0 for none
 * @position: what it waits for, for the trace
 * @since: local_clock() when it began to
 *
 * Whoever parks a call has an entry on the end's poll queue before, whose
 * wake-up makes the call go on. All is kept by the one who owns the call.
 */
struct zpipe_park {
	bool probe;
	bool published;
	bool waits;
	bool expired;
	u64 deadline;
	u64 position;
	s64 since;
};

/* Before a call: is this the rest of one that is busy? After it: is it not over? */
static inline bool zpipe_park_waits(const struct zpipe_park *park)
{
	return park && park->waits;
}

void zpipe_wait_init(struct zpipe_pipe *pipe);
void zpipe_wait_init_reader(struct zpipe_reader *reader);
void zpipe_wait_share_locked(struct zpipe_pipe *pipe);
void zpipe_wait_arm_locked(struct zpipe_pipe *pipe, struct zpipe_wake *wake, u64 position,
			   bool sleep);
void zpipe_wait_disarm_locked(struct zpipe_pipe *pipe, struct zpipe_wake *wake);
void zpipe_wait_wake_reader_locked(struct zpipe_reader *reader);
void zpipe_wait_wake_some_locked(struct zpipe_pipe *pipe, u64 position);
void zpipe_wait_wake_writer_locked(struct zpipe_pipe *pipe);
void zpipe_wait_wake_all_locked(struct zpipe_pipe *pipe);
void zpipe_wait_join_locked(struct zpipe_pipe *pipe, struct task_struct **sleeper);
int zpipe_wait_sleep_locked(struct zpipe_pipe *pipe, struct task_struct **sleeper,
			    struct zpipe_reader *reader, u64 position, u64 deadline);
void zpipe_wait_join_pool_locked(struct zpipe_pipe *pipe, u32 hunger);
void zpipe_wait_leave_locked(struct zpipe_pipe *pipe, u32 hunger);
void zpipe_wait_send_locked(struct zpipe_pipe *pipe);
int zpipe_wait_park_locked(struct zpipe_pipe *pipe, struct zpipe_park *park,
			   struct zpipe_reader *reader, u64 position, u64 deadline);
void zpipe_wait_unpark_locked(struct zpipe_pipe *pipe, struct zpipe_park *park,
			      struct zpipe_reader *reader);
void zpipe_wait_unlock_and_wake(struct zpipe_pipe *pipe) __releases(&pipe->pool->lock);

/* The pipe's lock, and dropping it: what was decided meanwhile is sent then. */
static inline void zpipe_wait_lock(struct zpipe_pipe *pipe)
	__acquires(&pipe->pool->lock)
{
	spin_lock(&pipe->pool->lock);
}

static inline void zpipe_wait_unlock(struct zpipe_pipe *pipe)
	__releases(&pipe->pool->lock)
{
	if (unlikely(pipe->wakes || pipe->pool->nr_hungry))
		zpipe_wait_unlock_and_wake(pipe);
	else
		spin_unlock(&pipe->pool->lock);
}

/* When no pipe is the caller's. */
static inline void zpipe_wait_lock_pool(struct zpipe_pool *pool)
	__acquires(&pool->lock)
{
	spin_lock(&pool->lock);
}

void zpipe_wait_unlock_pool(struct zpipe_pool *pool) __releases(&pool->lock);

static inline u64 zpipe_wake_at(const struct zpipe_wake *wake)
{
	return min(wake->sleep, wake->armed);
}

/* Wake the readers that wait for a position, if there are any; ZPIPE_UNARMED: all readers. */
static inline void zpipe_wait_wake_readers_locked(struct zpipe_pipe *pipe, u64 position)
{
	if (position >= pipe->wake_published)
		zpipe_wait_wake_some_locked(pipe, position);
}

/* May the present state of the chain end somebody's wait? Or does it take a closer look? */
static inline bool zpipe_wait_is_reached_locked(const struct zpipe_pipe *pipe)
{
	const struct zpipe_chain *chain = &pipe->chain;

	return chain->published >= pipe->wake_published ||
	       chain->examined >= zpipe_wake_at(&pipe->wake_examined) ||
	       chain->consumed >= zpipe_wake_at(&pipe->wake_consumed) ||
	       chain->consumed >= pipe->pool_wake || pipe->paused || pipe->nr_readers > 1;
}

/* Rule R1: the reader waits for more than there is, whatever it has examined. */
static inline bool zpipe_wait_is_starving_locked(const struct zpipe_reader *reader)
{
	u64 at = zpipe_wake_at(&reader->wake);

	return at != ZPIPE_UNARMED && at > reader->pipe->chain.published;
}

/* Rule R2: an ALLOC waits for memory that this reader really holds. */
static inline bool zpipe_wait_is_full_locked(const struct zpipe_reader *reader)
{
	const struct zpipe_pipe *pipe = reader->pipe;

	return pipe->memory_wait != ZPIPE_UNARMED &&
	       reader->cursor.consumed < pipe->memory_wait &&
	       reader->cursor.consumed < pipe->chain.published;
}

#endif /* ZPIPE_WAIT_H */
