// SPDX-License-Identifier: GPL-2.0-only
/*
 * post - buffers that the reader supplies and the writer fills in place
 *
 * See post.h. The list of a pipe is in the order in which buffers were posted:
 * finished ones, then those that the writer has left but not published, then
 * the open one, then the queued. What the writer has not published it may take
 * back, and then a buffer is open, or queued, again.
 *
 * Every slot of the window is held for the reader as long as it reads, on top
 * of what the chain holds, so that none ever comes free for the writer.
 */
#include <linux/overflow.h>
#include <linux/slab.h>

#include "pipe.h"
#include "plan.h"
#include "pool.h"
#include "post.h"
#include "reader.h"
#include "segment.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

enum post_state {
	POST_QUEUED,	/* the writer has not seen it */
	POST_OPEN,	/* it fills it now */
	POST_LEFT,	/* it goes on in the next; not all of this is published */
	POST_FINISHED,	/* the reader's, for UNPOST to collect */
};

/**
 * struct zpipe_post - a buffer
 * @entry: L, in the pipe's list
 * @cookie: I, the reader's name for it
 * @offset: I, in the data window
 * @length: I, bytes
 * @state: L, enum post_state
 * @canceled: L, the reader wants it back: it will not be granted again
 * @start: L, stream position of its first byte; unless queued
 * @end: L, position behind its last byte; once left or finished
 */
struct zpipe_post {
	struct list_head entry;
	u64 cookie;
	u64 offset;
	u64 length;
	enum post_state state;
	bool canceled;
	u64 start;
	u64 end;
};

static struct zpipe_post *first_locked(struct zpipe_pipe *pipe)
{
	return list_first_entry_or_null(&pipe->posts, struct zpipe_post, entry);
}

static u32 first_slot(const struct zpipe_chain *chain, u64 offset)
{
	return (u32)(offset >> chain->shift);
}

static u32 nr_slots(const struct zpipe_chain *chain, u64 offset, u64 length)
{
	u64 skew = offset & ((1ULL << chain->shift) - 1);

	return (u32)((skew + length + (1ULL << chain->shift) - 1) >> chain->shift);
}

static void remove_locked(struct zpipe_pipe *pipe, struct zpipe_post *post)
{
	lockdep_assert_held(&pipe->pool->lock);
	list_del(&post->entry);
	pipe->nr_posts--;
	kfree(post);
}

/**
 * zpipe_post_hold_locked - the window is the reader's
 * @pipe: made with ZPIPE_F_POSTED, or reset; nothing is held
 */
void zpipe_post_hold_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	zpipe_slots_get(&pipe->pool->slots, 0, pipe->pool->slots.nr);
	pipe->posts_held = true;
}

/**
 * zpipe_post_drop_locked - no reader is left
 * @pipe: the pipe
 */
void zpipe_post_drop_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	while ((post = first_locked(pipe)))
		remove_locked(pipe, post);
	if (pipe->posts_held)
		zpipe_slots_put(&pipe->pool->slots, 0, pipe->pool->slots.nr);
	pipe->posts_held = false;
}

/* Do two ranges of the window, which is a ring, have a byte in common? */
static bool overlap(u64 window, u64 a, u64 a_length, u64 b, u64 b_length)
{
	u64 behind = b >= a ? b - a : b + window - a;
	u64 before = a >= b ? a - b : a + window - b;

	return behind < a_length || before < b_length;
}

/* May a buffer be there? Not where another one, or an unread byte, lies. */
static int check_locked(const struct zpipe_pipe *pipe, const struct zpipe_post_args *args)
{
	u64 window = zpipe_pool_window(pipe->pool);
	const struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->nr_posts >= pipe->pool->slots.nr)
		return -ENOBUFS;
	list_for_each_entry(post, &pipe->posts, entry) {
		if (overlap(window, args->offset, args->length, post->offset, post->length))
			return -EBUSY;
		if (post->cookie == args->cookie)
			return -EEXIST;
	}
	return 0;
}

/* Does another buffer have bytes in this slot? */
static bool is_shared(struct zpipe_pipe *pipe, u32 slot)
{
	const u64 size = 1ULL << pipe->chain.shift;
	const struct zpipe_post *post;
	bool shared = false;

	zpipe_wait_lock(pipe);
	list_for_each_entry(post, &pipe->posts, entry)
		shared |= overlap(zpipe_pool_window(pipe->pool), (u64)slot << pipe->chain.shift,
				  size, post->offset, post->length);
	zpipe_wait_unlock(pipe);
	return shared;
}

/*
 * Pages, while the caller's own references keep the slots. Those that somebody
 * was lent are replaced, but not where that would take bytes from another
 * buffer.
 */
static int populate(struct zpipe_pipe *pipe, u64 offset, u64 length)
{
	struct zpipe_pool *pool = pipe->pool;
	u32 first = first_slot(&pipe->chain, offset);
	u32 i, nr = nr_slots(&pipe->chain, offset, length);
	u32 zeroed = 0;
	int ret = 0;

	zpipe_wait_lock(pipe);
	zpipe_slots_borrow(&pipe->pool->slots, first, nr);
	zpipe_wait_unlock(pipe);
	for (i = 0; i < nr && !ret; i++) {
		u32 slot = zpipe_slots_after(&pool->slots, first, i);

		if (zpipe_segment_page(pool, (u64)slot << pool->shift) && is_shared(pipe, slot))
			continue;
		ret = zpipe_segment_populate(pool, slot, 1, &zeroed);
	}
	zpipe_wait_lock(pipe);
	zpipe_stream_zeroed_locked(pipe, pipe->chain.published, (u64)zeroed << PAGE_SHIFT);
	zpipe_slots_give_up(&pipe->pool->slots, first, nr);
	zpipe_wait_unlock(pipe);
	return ret;
}

static int add(struct zpipe_end *end, const struct zpipe_post_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	u64 window = zpipe_pool_window(pipe->pool);
	struct zpipe_post *post;
	int ret;

	if (args->flags || args->__reserved)
		return -EOPNOTSUPP;
	if (!zpipe_post_is_on(pipe) || !args->length || args->length > window ||
	    args->offset >= window)
		return -EINVAL;
	post = kzalloc(sizeof(*post), GFP_KERNEL_ACCOUNT);
	if (!post)
		return -ENOMEM;
	post->cookie = args->cookie;
	post->offset = args->offset;
	post->length = args->length;
	/* The side that asks pays: the writer finds the pages there. */
	ret = populate(pipe, args->offset, args->length);
	if (ret)
		goto err_free;

	zpipe_wait_lock(pipe);
	ret = zpipe_stream_look_locked(pipe, end->reader);
	if (!ret)
		ret = zpipe_reader_check_locked(end->reader);
	if (!ret)
		ret = check_locked(pipe, args);
	if (ret) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_POST, args->cookie, ret);
	} else {
		list_add_tail(&post->entry, &pipe->posts);
		pipe->nr_posts++;
		/* A writer that waits for memory waits for this. */
		zpipe_wait_wake_writer_locked(pipe);
	}
	zpipe_wait_unlock(pipe);
	if (ret)
		goto err_free;
	return 0;

err_free:
	kfree(post);
	return ret;
}

/**
 * zpipe_post_add - ZPIPE_IOC_POST
 * @end: the reader
 * @args: the call
 *
 * Context: may sleep; killable.
 * Return: 0 or an errno, see struct zpipe_post_args.
 */
int zpipe_post_add(struct zpipe_end *end, const struct zpipe_post_args *args)
{
	int ret = add(end, args);

	trace_zpipe_post(end->pipe->id, args->cookie, args->length, ret);
	return ret;
}

static struct zpipe_post *find_locked(const struct zpipe_pipe *pipe, u64 cookie)
{
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(post, &pipe->posts, entry) {
		if (post->cookie == cookie)
			return post;
	}
	return NULL;
}

/* The oldest one is finished: its bytes, and the memory, are the reader's. */
static int collect_locked(struct zpipe_end *end, struct zpipe_post *post,
			  struct zpipe_unpost_args *args)
{
	struct zpipe_reader *reader = end->reader;

	lockdep_assert_held(&end->pipe->pool->lock);
	if (reader->open || reader->busy & ZPIPE_BUSY_READ2)
		return -EBUSY;
	if (reader->cursor.consumed < post->end)
		zpipe_stream_advance_locked(reader, post->end, post->end);
	args->out_status = post->canceled && post->start == post->end ?
			   ZPIPE_POST_CANCELED : ZPIPE_POST_COMPLETED;
	args->out_cookie = post->cookie;
	args->out_offset = post->offset;
	args->out_start = post->start;
	args->out_count = post->end - post->start;
	zpipe_stream_freed_locked(end->pipe, zpipe_chain_reclaim(&end->pipe->chain));
	remove_locked(end->pipe, post);
	return 0;
}

/* By name: what the writer has not begun comes back at once. */
static int cancel_locked(struct zpipe_end *end, struct zpipe_unpost_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_post *post = find_locked(pipe, args->cookie);

	lockdep_assert_held(&pipe->pool->lock);
	if (!post)
		return -ENOENT;
	switch (post->state) {
	case POST_FINISHED:
		/* Outcomes come in order: what was posted before goes first. */
		return post == first_locked(pipe) ? collect_locked(end, post, args) : -EBUSY;
	case POST_QUEUED:
		/* A call of the writer may be about to take it. */
		if (pipe->busy & ZPIPE_BUSY_WRITER) {
			post->canceled = true;
			return -EAGAIN;
		}
		args->out_status = ZPIPE_POST_CANCELED;
		args->out_cookie = post->cookie;
		args->out_offset = post->offset;
		args->out_start = pipe->chain.published;
		args->out_count = 0;
		remove_locked(pipe, post);
		return 0;
	default:
		/* A request: the writer has it until its next call, or its end. */
		post->canceled = true;
		return -EAGAIN;
	}
}

static int take(struct zpipe_end *end, struct zpipe_unpost_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_post *post;
	int ret;

	if (args->flags & ~ZPIPE_UNPOST_F_CANCEL || args->__reserved)
		return -EOPNOTSUPP;
	if (!zpipe_post_is_on(pipe))
		return -EINVAL;
	zpipe_wait_lock(pipe);
	ret = zpipe_stream_look_locked(pipe, end->reader);
	if (!ret && end->reader->ended)
		ret = -ESHUTDOWN;
	if (ret)
		goto out_unlock;
	if (args->flags & ZPIPE_UNPOST_F_CANCEL) {
		ret = cancel_locked(end, args);
	} else {
		post = first_locked(pipe);
		ret = post && post->state == POST_FINISHED ? collect_locked(end, post, args) :
							    -EAGAIN;
	}
	args->out_flags = pipe->writer_ended && !pipe->writer_error ? ZPIPE_RES_COMPLETED : 0;
out_unlock:
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_post_take - ZPIPE_IOC_UNPOST
 * @end: the reader
 * @args: the call
 *
 * Return: 0 or an errno, see struct zpipe_unpost_args.
 */
int zpipe_post_take(struct zpipe_end *end, struct zpipe_unpost_args *args)
{
	int ret = take(end, args);

	trace_zpipe_unpost(end->pipe->id, ret ? args->cookie : args->out_cookie,
			   ret ? 0 : args->out_count, ret);
	return ret;
}

/* It is the reader's from here on. */
static void finish_locked(struct zpipe_pipe *pipe, struct zpipe_post *post, u64 start, u64 end)
{
	lockdep_assert_held(&pipe->pool->lock);
	post->state = POST_FINISHED;
	post->start = start;
	post->end = end;
	zpipe_wait_wake_readers_locked(pipe, ZPIPE_UNARMED);
}

/* The buffer that holds a committed position, and the one to go on in. */
static struct zpipe_post *current_locked(const struct zpipe_pipe *pipe, u64 position,
					 struct zpipe_post **next)
{
	struct zpipe_post *post, *current_post = NULL;

	lockdep_assert_held(&pipe->pool->lock);
	*next = NULL;
	list_for_each_entry(post, &pipe->posts, entry) {
		if (post->state == POST_FINISHED)
			continue;
		if (post->state == POST_QUEUED || post->start > position) {
			*next = post;
			break;
		}
		current_post = post;
	}
	return current_post;
}

/**
 * zpipe_post_plan_locked - find posted memory for an ALLOC
 * @pipe: the pipe, looked at
 * @position: committed position
 * @min: bytes needed
 * @plan: the answer
 *
 * Return: 0; -EAGAIN when none is posted; -EMSGSIZE when the next buffer is
 * too short; -EINVAL.
 */
int zpipe_post_plan_locked(struct zpipe_pipe *pipe, u64 position, u64 min,
			   struct zpipe_plan *plan)
{
	struct zpipe_chain *chain = &pipe->chain;
	struct zpipe_post *now, *next;

	lockdep_assert_held(&pipe->pool->lock);
	if (position < chain->published || position > chain->granted)
		return -EINVAL;
	for (;;) {
		now = current_locked(pipe, position, &next);
		/* An open one in which nothing is must not be passed over. */
		if (now && now->start == position) {
			next = now;
			now = NULL;
		}
		if (!next || !next->canceled)
			break;
		if (next->state == POST_OPEN)
			zpipe_chain_close(chain, position);
		finish_locked(pipe, next, position, position);
	}
	plan->wait = ZPIPE_UNARMED;
	return zpipe_plan_at(chain, position, min, now && !now->canceled,
				   next ? next->offset : 0, next ? next->length : 0, plan);
}

/**
 * zpipe_post_granted_locked - a plan is being carried out
 * @pipe: the pipe
 * @plan: whose slots are reserved
 */
void zpipe_post_granted_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan)
{
	struct zpipe_post *post, *now, *next;

	lockdep_assert_held(&pipe->pool->lock);
	now = current_locked(pipe, plan->position, &next);
	if (plan->nr) {
		if (now && now->start == plan->position) {
			next = now;
		} else if (now) {
			now->state = POST_LEFT;
			now->end = plan->position;
		}
		next->state = POST_OPEN;
		next->start = plan->position;
		post = next;
	} else {
		now->state = POST_OPEN;
		post = now;
	}
	/* What came behind it was taken back. */
	list_for_each_entry_continue(post, &pipe->posts, entry)
		post->state = POST_QUEUED;
}

/* What the writer had taken behind published, it has not any more. */
static void requeue_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(post, &pipe->posts, entry) {
		if (post->state != POST_FINISHED && pipe->chain.granted == pipe->chain.published)
			post->state = POST_QUEUED;
	}
}

/**
 * zpipe_post_flushed_locked - FLUSH has published
 * @pipe: the pipe
 * @finish: also a buffer in which nothing is
 *
 * Return: 0; -EAGAIN when there is no buffer to finish.
 */
int zpipe_post_flushed_locked(struct zpipe_pipe *pipe, bool finish)
{
	u64 published = pipe->chain.published;
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(post, &pipe->posts, entry) {
		if (post->state == POST_FINISHED)
			continue;
		if (post->state == POST_LEFT && post->end <= published) {
			finish_locked(pipe, post, post->start, post->end);
			continue;
		}
		/* The oldest that is not the reader's yet. */
		if (post->state != POST_QUEUED && post->start < published) {
			zpipe_chain_close(&pipe->chain, published);
			finish_locked(pipe, post, post->start, published);
			finish = false;
		} else if (finish || (post->state != POST_QUEUED && post->canceled)) {
			zpipe_chain_close(&pipe->chain, published);
			finish_locked(pipe, post, published, published);
			finish = false;
		}
		break;
	}
	requeue_locked(pipe);
	return finish ? -EAGAIN : 0;
}

/**
 * zpipe_post_ended_locked - the writer has no use for buffers any more
 * @pipe: the pipe; its writer has ended
 *
 * What it had taken is finished with what is published; the rest stays queued,
 * for the reader to take back.
 */
void zpipe_post_ended_locked(struct zpipe_pipe *pipe)
{
	u64 published = pipe->chain.published;
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(post, &pipe->posts, entry) {
		u64 end = post->state == POST_LEFT ? min(post->end, published) : published;

		if (post->state != POST_OPEN && post->state != POST_LEFT)
			continue;
		/* Nothing of it was published: it comes back as it was. */
		if (post->start >= published)
			post->canceled = true;
		finish_locked(pipe, post, min(post->start, published), end);
	}
}

/**
 * zpipe_post_has_finished_locked - is there something for UNPOST to collect
 * @pipe: the pipe
 *
 * Return: whether the oldest buffer is finished.
 */
bool zpipe_post_has_finished_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	if (!zpipe_post_is_on(pipe))
		return false;
	post = first_locked(pipe);
	return post && post->state == POST_FINISHED;
}

/**
 * zpipe_post_is_wanted_locked - does the writer wait for a buffer
 * @pipe: the pipe
 *
 * Return: whether it does, and none is posted that it could use.
 */
bool zpipe_post_is_wanted_locked(const struct zpipe_pipe *pipe)
{
	const struct zpipe_post *post;

	lockdep_assert_held(&pipe->pool->lock);
	if (!zpipe_post_is_on(pipe) || !pipe->post_wanted)
		return false;
	list_for_each_entry(post, &pipe->posts, entry) {
		if (post->state != POST_FINISHED)
			return false;
	}
	return true;
}
