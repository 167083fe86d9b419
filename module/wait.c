// SPDX-License-Identifier: GPL-2.0-only
/*
 * wait - wake positions: who sleeps for what, and how the peer finds out
 *
 * A word is the least position over its waiters and is changed only under the
 * pipe's lock. A wake-up clears it before any waiter can run and wakes them
 * all; those whose condition does not hold arm it again. Otherwise the peer,
 * which can only read the word, would make one wake ioctl for each message
 * until the sleeper has run.
 */
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "wait.h"
#include "zpipe_trace.h"

static void clear(struct zpipe_wake *wake)
{
	wake->sleep = ZPIPE_UNARMED;
	wake->armed = ZPIPE_UNARMED;
}

/**
 * zpipe_wait_init - nobody waits
 * @pipe: new, not shared yet
 */
void zpipe_wait_init(struct zpipe_pipe *pipe)
{
	init_waitqueue_head(&pipe->reader_poll);
	init_waitqueue_head(&pipe->writer_poll);
	pipe->wake_published = ZPIPE_UNARMED;
	clear(&pipe->wake_examined);
	clear(&pipe->wake_consumed);
	pipe->memory_wait = ZPIPE_UNARMED;
	pipe->pool_wake = ZPIPE_UNARMED;
	INIT_LIST_HEAD(&pipe->hungry);
	INIT_LIST_HEAD(&pipe->in_pool);
}

/**
 * zpipe_wait_init_reader - nor for this one
 * @reader: new, not shared yet
 */
void zpipe_wait_init_reader(struct zpipe_reader *reader)
{
	clear(&reader->wake);
}

/* A reader that is there already need not call: it waits for the slower ones too. */
static u64 word_for(u64 cursor, u64 at)
{
	return cursor < at ? at : ZPIPE_UNARMED;
}

/**
 * zpipe_wait_share_locked - write the words that userspace compares with
 * @pipe: the pipe
 *
 * Something that is not a position but that an end must hear of is folded in:
 * a wake position of 0 brings the writer in at its next publish, and the event
 * word does so for a reader; one that was detached comes in when it advances.
 */
void zpipe_wait_share_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;
	u64 consumed = min(zpipe_wake_at(&pipe->wake_consumed), pipe->pool_wake);
	u64 at = ZPIPE_UNARMED;
	bool sole = !pipe->reader.ended;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		struct zpipe_reader_words *words = reader->words;
		bool event = reader->cancel || reader->error || pipe->guilty ||
			     (pipe->writer_error && !pipe->drain);

		sole &= reader == &pipe->reader || reader->ended;
		at = min(at, zpipe_wake_at(&reader->wake));
		WRITE_ONCE(words->writer_wake_examined, reader->error ? 0 :
			   word_for(reader->cursor.examined, zpipe_wake_at(&pipe->wake_examined)));
		WRITE_ONCE(words->writer_wake_consumed,
			   word_for(reader->cursor.consumed, consumed));
		WRITE_ONCE(words->events, event);
	}
	pipe->wake_published = at;
	if (pipe->reader_ended || pipe->cancel_flush || pipe->guilty)
		at = 0;
	WRITE_ONCE(pipe->state->reader_wake_at, at);
	WRITE_ONCE(pipe->state->sole_reader, sole);
}

/**
 * zpipe_wait_arm_locked - wait for a position
 * @pipe: the pipe
 * @wake: one of its words
 * @position: what the peer's cursor must reach
 * @sleep: the caller is about to sleep, rather than to return EAGAIN
 *
 * The caller must look at the cursors once more after this, and a sleeper must
 * be on its queue before.
 */
void zpipe_wait_arm_locked(struct zpipe_pipe *pipe, struct zpipe_wake *wake, u64 position,
			   bool sleep)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (sleep)
		wake->sleep = min(wake->sleep, position);
	else
		wake->armed = min(wake->armed, position);
	zpipe_wait_share_locked(pipe);
	/*
	 * Pairs with the full barrier between storing a cursor (A or C in
	 * uapi/linux/zpipe.h) and loading the wake word (B or D) in the peer.
	 */
	smp_mb();
}

/**
 * zpipe_wait_disarm_locked - a sleeper needs its position no longer
 * @pipe: the pipe
 * @wake: one of its words
 *
 * What poll left armed stays so.
 */
void zpipe_wait_disarm_locked(struct zpipe_pipe *pipe, struct zpipe_wake *wake)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (wake->sleep == ZPIPE_UNARMED)
		return;
	wake->sleep = ZPIPE_UNARMED;
	zpipe_wait_share_locked(pipe);
}

/* Returns whether its word was armed. */
static bool wake_one_locked(struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = reader->pipe;
	bool armed = zpipe_wake_at(&reader->wake) != ZPIPE_UNARMED;

	lockdep_assert_held(&pipe->pool->lock);
	clear(&reader->wake);
	/* Who polls joins the queue before it takes the lock to look. */
	if (reader->sleeper || waitqueue_active(&pipe->reader_poll)) {
		reader->woken = true;
		pipe->stats.reader_wakes++;
		pipe->wakes |= ZPIPE_WAKE_READER;
		trace_zpipe_wake(pipe->id, pipe->chain.published, 0, ZPIPE_ROLE_READER);
	}
	return armed;
}

/**
 * zpipe_wait_wake_reader_locked - clear a reader's word, to wake its waiters
 * @reader: the reader
 */
void zpipe_wait_wake_reader_locked(struct zpipe_reader *reader)
{
	wake_one_locked(reader);
	zpipe_wait_share_locked(reader->pipe);
}

/**
 * zpipe_wait_wake_some_locked - wake those readers who wait for so much
 * @pipe: the pipe
 * @position: reached; ZPIPE_UNARMED wakes them all
 */
void zpipe_wait_wake_some_locked(struct zpipe_pipe *pipe, u64 position)
{
	struct zpipe_reader *reader;
	bool any = false;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (position >= zpipe_wake_at(&reader->wake))
			any |= wake_one_locked(reader);
	}
	if (any)
		zpipe_wait_share_locked(pipe);
}

/**
 * zpipe_wait_wake_writer_locked - clear the writer's words and wake its waiters
 * @pipe: the pipe
 */
void zpipe_wait_wake_writer_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	clear(&pipe->wake_examined);
	clear(&pipe->wake_consumed);
	zpipe_wait_share_locked(pipe);
	/* Who polls joins the queue before it takes the lock to look. */
	if (!pipe->alloc_sleeper && !pipe->flush_sleeper && !waitqueue_active(&pipe->writer_poll))
		return;
	pipe->stats.writer_wakes++;
	pipe->wakes |= ZPIPE_WAKE_WRITER;
	trace_zpipe_wake(pipe->id, pipe->chain.consumed, 0, ZPIPE_ROLE_WRITER);
}

/**
 * zpipe_wait_wake_all_locked - an end is over: everybody must hear of it
 * @pipe: the pipe
 */
void zpipe_wait_wake_all_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		clear(&reader->wake);
		reader->woken = true;
	}
	clear(&pipe->wake_examined);
	clear(&pipe->wake_consumed);
	zpipe_wait_share_locked(pipe);
	pipe->wakes |= ZPIPE_WAKE_READER | ZPIPE_WAKE_WRITER | ZPIPE_WAKE_ENDED;
}

/* Who is woken without the lock; any more readers than this are woken with it. */
#define BATCH	8

/* The readers that were marked: their tasks, as many as there is room for. */
static u32 collect_readers_locked(struct zpipe_pipe *pipe, struct task_struct **task)
{
	struct zpipe_reader *reader;
	u32 nr = 0;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (!reader->woken)
			continue;
		reader->woken = false;
		if (!reader->sleeper)
			continue;
		if (nr < BATCH)
			task[nr++] = reader->sleeper;
		else
			wake_up_process(reader->sleeper);
	}
	return nr;
}

/**
 * zpipe_wait_join_pool_locked - wait for memory of any pipe of the pool
 * @pipe: the pipe
 * @hunger: enum zpipe_hunger
 */
void zpipe_wait_join_pool_locked(struct zpipe_pipe *pipe, u32 hunger)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (!pipe->hunger) {
		list_add_tail(&pipe->hungry, &pipe->pool->hungry);
		/* What came free before has just not been enough. */
		if (!pipe->pool->nr_hungry++)
			pipe->pool->slots.released = false;
	}
	pipe->hunger |= hunger;
}

/**
 * zpipe_wait_leave_locked - no longer
 * @pipe: the pipe
 * @hunger: which of it is over
 */
void zpipe_wait_leave_locked(struct zpipe_pipe *pipe, u32 hunger)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (!pipe->hunger)
		return;
	pipe->hunger &= ~hunger;
	if (!pipe->hunger) {
		list_del_init(&pipe->hungry);
		pipe->pool->nr_hungry--;
	}
}

/*
 * Something came free in the pool: everybody who waits for that looks again.
 * With the lock held, because it is another pipe's; it happens only when a
 * shared pool has run out.
 */
static void wake_hungry_locked(struct zpipe_pool *pool)
{
	struct zpipe_pipe *pipe, *next;

	lockdep_assert_held(&pool->lock);
	pool->slots.released = false;
	list_for_each_entry_safe(pipe, next, &pool->hungry, hungry) {
		zpipe_wait_leave_locked(pipe, pipe->hunger);
		pipe->stats.writer_wakes++;
		trace_zpipe_wake(pipe->id, pipe->chain.consumed, 0, ZPIPE_ROLE_WRITER);
		if (pipe->alloc_sleeper)
			wake_up_process(pipe->alloc_sleeper);
		/* Who polls joins the queue before it takes the lock to look. */
		if (waitqueue_active(&pipe->writer_poll))
			wake_up_interruptible_poll(&pipe->writer_poll, EPOLLOUT | EPOLLWRNORM);
	}
}

/**
 * zpipe_wait_unlock_pool - drop the lock, when no pipe is the caller's
 * @pool: the pool
 */
void zpipe_wait_unlock_pool(struct zpipe_pool *pool)
	__releases(&pool->lock)
{
	lockdep_assert_held(&pool->lock);
	if (pool->nr_hungry && pool->slots.released)
		wake_hungry_locked(pool);
	spin_unlock(&pool->lock);
}

/**
 * zpipe_wait_send_locked - send what was decided for another pipe of the pool
 * @pipe: not the one that the lock will be dropped for
 *
 * Like zpipe_wait_unlock_and_wake(), with the lock held.
 */
void zpipe_wait_send_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;
	u32 wakes = pipe->wakes;

	lockdep_assert_held(&pipe->pool->lock);
	pipe->wakes = 0;
	if (!wakes)
		return;
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (reader->woken && reader->sleeper)
			wake_up_process(reader->sleeper);
		reader->woken = false;
	}
	if ((wakes & ZPIPE_WAKE_WRITER) && pipe->alloc_sleeper)
		wake_up_process(pipe->alloc_sleeper);
	if ((wakes & ZPIPE_WAKE_WRITER) && pipe->flush_sleeper)
		wake_up_process(pipe->flush_sleeper);
	if (wakes & ZPIPE_WAKE_READER)
		wake_up_interruptible_all(&pipe->reader_poll);
	if (wakes & ZPIPE_WAKE_WRITER)
		wake_up_interruptible_all(&pipe->writer_poll);
}

/**
 * zpipe_wait_unlock_and_wake - drop the lock, then send what was decided under it
 * @pipe: the pipe; the caller's file keeps it alive
 *
 * Holding nothing, because the first thing that a woken task does is to take
 * the lock: on another processor it would spin until the waker is done, which
 * in a virtual machine can be a time slice of the host. For the same reason
 * sleepers are tasks and not entries of a queue, whose lock is held while it
 * wakes. A task that has woken by itself meanwhile is woken once too often; it
 * cannot go away before the RCU section ends.
 */
void zpipe_wait_unlock_and_wake(struct zpipe_pipe *pipe)
	__releases(&pipe->pool->lock)
{
	struct task_struct *readers[BATCH], *alloc = NULL, *flush = NULL;
	u32 i, nr = 0, wakes = pipe->wakes;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->pool->nr_hungry && pipe->pool->slots.released)
		wake_hungry_locked(pipe->pool);
	if (!wakes) {
		spin_unlock(&pipe->pool->lock);
		return;
	}
	pipe->wakes = 0;
	rcu_read_lock();
	if (wakes & ZPIPE_WAKE_READER)
		nr = collect_readers_locked(pipe, readers);
	if (wakes & ZPIPE_WAKE_WRITER) {
		alloc = pipe->alloc_sleeper;
		flush = pipe->flush_sleeper;
	}
	spin_unlock(&pipe->pool->lock);
	for (i = 0; i < nr; i++)
		wake_up_process(readers[i]);
	if (alloc)
		wake_up_process(alloc);
	if (flush)
		wake_up_process(flush);
	rcu_read_unlock();

	if (wakes & ZPIPE_WAKE_ENDED) {
		wake_up_interruptible_all(&pipe->reader_poll);
		wake_up_interruptible_all(&pipe->writer_poll);
		return;
	}
	/* Who joined before the lock was dropped is seen here; who joins later looks. */
	if ((wakes & ZPIPE_WAKE_READER) && waitqueue_active(&pipe->reader_poll))
		wake_up_interruptible_poll(&pipe->reader_poll, EPOLLIN | EPOLLRDNORM);
	/* The same. */
	if ((wakes & ZPIPE_WAKE_WRITER) && waitqueue_active(&pipe->writer_poll))
		wake_up_interruptible_poll(&pipe->writer_poll, EPOLLOUT | EPOLLWRNORM);
}

/**
 * zpipe_wait_join_locked - the caller is going to sleep
 * @pipe: the pipe
 * @sleeper: which of its three; being busy keeps it the caller's
 *
 * Before arming, so that whoever finds the word armed finds the sleeper too.
 */
void zpipe_wait_join_locked(struct zpipe_pipe *pipe, struct task_struct **sleeper)
{
	lockdep_assert_held(&pipe->pool->lock);
	*sleeper = current;
	set_current_state(TASK_INTERRUPTIBLE);
}

static u32 role_of(const struct zpipe_reader *reader)
{
	return reader ? ZPIPE_ROLE_READER : ZPIPE_ROLE_WRITER;
}

static void add_wait(struct zpipe_waits *waits, u64 ns)
{
	waits->nr++;
	waits->ns += ns;
	waits->longest = max(waits->longest, ns);
}

static void count_wait_locked(struct zpipe_pipe *pipe, struct zpipe_reader *reader, u64 ns)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (reader) {
		add_wait(&reader->waits, ns);
		add_wait(&pipe->stats.readers, ns);
	} else {
		add_wait(&pipe->stats.writer, ns);
	}
}

/**
 * zpipe_wait_sleep_locked - sleep until a wake-up, a signal or the deadline
 * @pipe: the pipe; unlocked while asleep
 * @sleeper: what the caller has joined as; left when this returns
 * @reader: whose call it is, NULL for the writer's
 * @position: for the trace
 * @deadline: CLOCK_MONOTONIC nanoseconds, 0 for none
 *
 * Whoever decides to wake the caller does so under the lock, and what it sends
 * after that ends this sleep, also when it comes before it.
 *
 * Context: sleeps, interruptibly.
 * Return: 0 to look again, -ETIMEDOUT, -ERESTARTSYS.
 */
int zpipe_wait_sleep_locked(struct zpipe_pipe *pipe, struct task_struct **sleeper,
			    struct zpipe_reader *reader, u64 position, u64 deadline)
	__releases(&pipe->pool->lock) __acquires(&pipe->pool->lock)
{
	s64 begin = local_clock();
	int ret = 0;

	lockdep_assert_held(&pipe->pool->lock);
	zpipe_wait_unlock(pipe);
	trace_zpipe_wait_begin(pipe->id, position, 0, role_of(reader));
	if (signal_pending(current)) {
		ret = -ERESTARTSYS;
	} else if (!deadline) {
		schedule();
	} else {
		ktime_t expires = ns_to_ktime(min_t(u64, deadline, KTIME_MAX));

		if (!schedule_hrtimeout(&expires, HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	__set_current_state(TASK_RUNNING);
	begin = max_t(s64, local_clock() - begin, 0);
	trace_zpipe_wait_end(pipe->id, position, begin, role_of(reader));

	zpipe_wait_lock(pipe);
	*sleeper = NULL;
	count_wait_locked(pipe, reader, begin);
	return ret;
}

/**
 * zpipe_wait_park_locked - wait without sleeping
 * @pipe: the pipe
 * @park: the call's
 * @reader: whose call it is, NULL for the writer's
 * @position: for the trace
 * @deadline: CLOCK_MONOTONIC nanoseconds, 0 for none
 *
 * In the place of joining and sleeping: the caller has armed its word and
 * looked once more, and returns with what it is busy with.
 *
 * Return: what the call returns then; @park->waits tells.
 */
int zpipe_wait_park_locked(struct zpipe_pipe *pipe, struct zpipe_park *park,
			   struct zpipe_reader *reader, u64 position, u64 deadline)
{
	lockdep_assert_held(&pipe->pool->lock);
	park->waits = true;
	park->deadline = deadline;
	if (park->probe)
		return -EAGAIN;
	park->position = position;
	park->since = local_clock();
	trace_zpipe_wait_begin(pipe->id, position, 0, role_of(reader));
	return -EIOCBQUEUED;
}

/**
 * zpipe_wait_unpark_locked - the call looks again, or is given up
 * @pipe: the pipe
 * @park: the call's; it waits
 * @reader: whose call it is, NULL for the writer's
 */
void zpipe_wait_unpark_locked(struct zpipe_pipe *pipe, struct zpipe_park *park,
			      struct zpipe_reader *reader)
{
	s64 ns = max_t(s64, local_clock() - park->since, 0);

	lockdep_assert_held(&pipe->pool->lock);
	park->waits = false;
	trace_zpipe_wait_end(pipe->id, park->position, ns, role_of(reader));
	count_wait_locked(pipe, reader, ns);
}
