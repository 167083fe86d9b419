// SPDX-License-Identifier: GPL-2.0-only
/*
 * forward - append bytes of another pipe, or of a buffer, by reference
 *
 * Within a pool both ends have one lock: the range is checked and a reference
 * on its segments goes into the target's chain, all at once. References are to
 * segments, never to pipes, so the two may end in any order.
 *
 * Across pools the locks are never held together. First room in the target is
 * waited for; then references are taken on the source's pages, as long as the
 * bytes are still the reader's; then slots for them, and at last these go into
 * the chain.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "forward.h"
#include "idle.h"
#include "pipe.h"
#include "pool.h"
#include "segment.h"
#include "source.h"
#include "stream.h"
#include "wait.h"
#include "writer.h"
#include "zpipe_trace.h"

#define FORWARD_FLAGS	ZPIPE_FORWARD_F_NOWAIT

/* Pages that are referred to before others may have the source's lock. */
#define BATCH		1024

/**
 * struct chunk - pages of another pool that one slot will stand for
 * @segment: whose foreign pages they are; NULL once the pool has it
 * @nr: pages that were referred to
 * @skew: bytes of the first page before the forwarded ones
 * @length: bytes that are forwarded
 * @slot: taken for it
 */
struct chunk {
	struct zpipe_segment *segment;
	u32 nr;
	u32 skew;
	u64 length;
	u32 slot;
};

/**
 * struct job - a FORWARD in progress
 * @source: where the bytes are
 * @args: of the call
 * @error: why the source does not give the bytes
 * @piece: within a pool: the first piece of the range
 * @chunk: across pools: what goes into a slot each
 * @nr: how many
 */
struct job {
	const struct zpipe_source *source;
	struct zpipe_forward_args *args;
	int error;
	struct zpipe_span piece;
	struct chunk *chunk;
	u32 nr;
};

/* Is all of the range there, and still the source's? */
static int check_source_locked(const struct job *job)
{
	return zpipe_source_check_locked(job->source, job->args->source, job->args->length);
}

static void walk_locked(const struct job *job, struct zpipe_walk *walk)
{
	zpipe_source_walk_locked(job->source, job->args->source,
				 job->args->source + job->args->length, walk);
}

/*
 * How many references the range takes; no more are counted than the pool has
 * slots. Most ranges are one piece, which is found only once, here.
 */
static u32 count_slots_locked(struct job *job)
{
	const struct zpipe_pool *pool = zpipe_source_pool(job->source);
	struct zpipe_walk walk __uninitialized;
	u32 nr;

	walk_locked(job, &walk);
	zpipe_source_piece_locked(job->source, &walk, &job->piece);
	nr = zpipe_pool_nr_slots(pool, &job->piece);
	while (walk.at < walk.end && nr <= pool->slots.nr) {
		struct zpipe_span piece;

		zpipe_source_piece_locked(job->source, &walk, &piece);
		nr += zpipe_pool_nr_slots(pool, &piece);
	}
	return nr;
}

static void append_piece_locked(struct zpipe_pipe *pipe, const struct zpipe_span *piece, u32 slots,
				struct zpipe_plan *plan)
{
	lockdep_assert_held(&pipe->pool->lock);
	plan->offset = piece->offset;
	plan->length = piece->length;
	plan->fixed = piece->length;
	plan->first = zpipe_pool_first_slot(pipe->pool, piece);
	plan->nr = slots;
	zpipe_chain_reserve(&pipe->chain, plan);
	zpipe_stream_freed_locked(pipe, zpipe_chain_append(&pipe->chain, plan, piece));
	plan->position += piece->length;
	plan->keep = pipe->chain.opened;
}

static void append_locked(struct zpipe_pipe *pipe, const struct job *job, u32 slots,
			  struct zpipe_plan *plan)
{
	lockdep_assert_held(&pipe->pool->lock);
	plan->forwarded = true;
	if (job->piece.length == job->args->length) {
		append_piece_locked(pipe, &job->piece, slots, plan);
	} else {
		struct zpipe_span piece;
		struct zpipe_walk walk;

		walk_locked(job, &walk);
		while (zpipe_source_piece_locked(job->source, &walk, &piece))
			append_piece_locked(pipe, &piece, zpipe_pool_nr_slots(pipe->pool, &piece),
					    plan);
	}
	zpipe_stream_offer_locked(pipe);
}

/* One turn of a FORWARD within a pool. */
static int try_refer_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
			    struct zpipe_plan *plan)
{
	struct job *job = request->data;
	const struct zpipe_forward_args *args = job->args;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	/* It may be any errno, EAGAIN as well. */
	job->error = check_source_locked(job);
	if (job->source->reader && job->source->reader->pipe->wakes)
		zpipe_wait_send_locked(job->source->reader->pipe);
	if (job->error)
		return ZPIPE_GRANT_REFUSED;
	request->slots = count_slots_locked(job);
	ret = zpipe_writer_find_room_locked(pipe, args->position, args->length, request->slots,
					    plan);
	if (!ret)
		append_locked(pipe, job, request->slots, plan);
	return ret == -EAGAIN ? ZPIPE_GRANT_WAITS : ret;
}

/* Unlocked while it waits. */
static int refer_locked(struct zpipe_pipe *pipe, struct job *job, bool nowait)
{
	struct zpipe_request request = {
		.try = try_refer_locked,
		.position = job->args->position,
		.min = job->args->length,
		.deadline = job->args->deadline,
		.data = job,
	};
	/* Each try begins with a new one. */
	struct zpipe_plan plan __uninitialized;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_writer_await_locked(pipe, &request, nowait, NULL, &plan);
	job->args->out_segments = request.slots;
	return ret == ZPIPE_GRANT_REFUSED ? job->error : ret;
}

/* The part of a piece that a slot of so many pages can stand for. */
static u64 chunk_length(const struct zpipe_span *piece, u32 per_slot)
{
	return min_t(u64, piece->length, ((u64)per_slot << PAGE_SHIFT) -
					 offset_in_page(piece->offset));
}

/* How many slots does it take? No more are counted than can ever be had. */
static int count_chunks(struct zpipe_pipe *pipe, struct job *job)
{
	u32 per_slot = zpipe_segment_pages(pipe->pool), most = pipe->chain.quota + 2;
	struct zpipe_span piece;
	struct zpipe_walk walk;
	int ret;

	zpipe_source_lock(job->source);
	ret = check_source_locked(job);
	if (!ret)
		walk_locked(job, &walk);
	while (!ret && job->nr < most && zpipe_source_piece_locked(job->source, &walk, &piece)) {
		while (piece.length && job->nr < most) {
			u64 length = chunk_length(&piece, per_slot);

			piece.offset += length;
			piece.length -= length;
			job->nr++;
		}
	}
	zpipe_source_unlock(job->source);
	return ret;
}

/* Let go of the pages that no slot has got. */
static void empty_chunks(struct job *job)
{
	u32 i;

	for (i = 0; i < job->nr; i++) {
		struct chunk *chunk = &job->chunk[i];

		while (chunk->segment && chunk->segment->foreign)
			put_page(chunk->segment->page[--chunk->segment->foreign]);
	}
}

static void free_chunks(struct job *job)
{
	u32 i;

	empty_chunks(job);
	for (i = 0; i < job->nr; i++)
		kvfree(job->chunk[i].segment);
	kvfree(job->chunk);
}

static int alloc_chunks(struct zpipe_pipe *pipe, struct job *job)
{
	u32 i;

	job->chunk = kvcalloc(job->nr, sizeof(*job->chunk), GFP_KERNEL_ACCOUNT);
	if (!job->chunk)
		return -ENOMEM;
	for (i = 0; i < job->nr; i++) {
		job->chunk[i].segment = zpipe_segment_alloc(pipe->pool);
		if (!job->chunk[i].segment) {
			free_chunks(job);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Refer to the pages of one chunk, of which the source holds the segment. */
static int fill_chunk_locked(struct zpipe_pool *from, const struct zpipe_span *piece, u64 length,
			     struct chunk *chunk)
{
	u64 offset;

	lockdep_assert_held(&from->lock);
	chunk->skew = offset_in_page(piece->offset);
	chunk->length = length;
	for (offset = piece->offset - chunk->skew; offset < piece->offset + length;
	     offset += PAGE_SIZE) {
		struct page *page = zpipe_segment_page(from, offset);

		if (!page)
			return -EFAULT;
		/* Its pool must not use it again, which a pin would make it do. */
		if (!zpipe_segment_lend(page))
			return -EBUSY;
		chunk->segment->page[chunk->segment->foreign++] = page;
	}
	chunk->nr = chunk->segment->foreign;
	return 0;
}

/* Fill the chunks from number i on, as many as one hold of the lock is good for. */
static int fill_some_locked(struct zpipe_pipe *pipe, struct job *job, u32 *i, u64 *at)
{
	struct zpipe_pool *from = zpipe_source_pool(job->source);
	u32 per_slot = zpipe_segment_pages(pipe->pool), pages = 0;
	struct zpipe_span piece = {};
	struct zpipe_walk walk;

	zpipe_source_walk_locked(job->source, *at, job->args->source + job->args->length, &walk);
	while (*i < job->nr && pages < BATCH) {
		u64 length;
		int ret;

		if (!piece.length && !zpipe_source_piece_locked(job->source, &walk, &piece))
			return -EINVAL;
		length = chunk_length(&piece, per_slot);
		ret = fill_chunk_locked(from, &piece, length, &job->chunk[*i]);
		if (ret)
			return ret;
		pages += job->chunk[*i].nr;
		piece.offset += length;
		piece.length -= length;
		*at += length;
		++*i;
	}
	return 0;
}

static int fill_chunks(struct zpipe_pipe *pipe, struct job *job)
{
	u64 at = job->args->source;
	u32 i = 0;
	int ret = 0;

	while (!ret && i < job->nr) {
		zpipe_source_lock(job->source);
		ret = check_source_locked(job) ?: fill_some_locked(pipe, job, &i, &at);
		zpipe_source_unlock(job->source);
		cond_resched();
	}
	return ret;
}

/* One turn of waiting for slots for a FORWARD across pools; takes none. */
static int try_room_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
			   struct zpipe_plan *plan)
{
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	/* These slots have to be free. */
	zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
	ret = zpipe_writer_find_room_locked(pipe, request->position, request->min,
					    request->slots, plan);
	return ret == -EAGAIN ? ZPIPE_GRANT_WAITS : ret;
}

/* Take the slots, if there is room still. From here on nothing is refused any more. */
static int take_slots(struct zpipe_pipe *pipe, struct zpipe_request *request,
		      struct zpipe_plan *plan)
{
	struct zpipe_chain *chain = &pipe->chain;
	struct job *job = request->data;
	int ret;
	u32 i;

	zpipe_wait_lock(pipe);
	ret = try_room_locked(pipe, request, plan);
	if (!ret && zpipe_slots_ring_free(chain->slots) < job->nr)
		zpipe_stream_freed_locked(pipe, zpipe_chain_retract(chain, plan->position));
	if (!ret && zpipe_slots_ring_free(chain->slots) < job->nr)
		ret = -ENOBUFS;
	for (i = 0; !ret && i < job->nr; i++) {
		job->chunk[i].slot = zpipe_slots_adoptable(chain->slots);
		zpipe_chain_take(chain, job->chunk[i].slot);
	}
	zpipe_wait_unlock(pipe);
	return ret;
}

static void append_chunks_locked(struct zpipe_pipe *pipe, struct job *job, struct zpipe_plan *plan)
{
	u32 i;

	lockdep_assert_held(&pipe->pool->lock);
	plan->forwarded = true;
	plan->nr = 1;
	for (i = 0; i < job->nr; i++) {
		const struct chunk *chunk = &job->chunk[i];
		struct zpipe_span piece = {
			.offset = ((u64)chunk->slot << pipe->pool->shift) + chunk->skew,
			.length = chunk->length,
		};
		u64 piece_at = plan->position;

		plan->first = chunk->slot;
		plan->offset = piece.offset;
		plan->length = piece.length;
		plan->fixed = piece.length;
		zpipe_stream_freed_locked(pipe, zpipe_chain_append(&pipe->chain, plan, &piece));
		plan->position += piece.length;
		plan->keep = pipe->chain.opened;
		pipe->stats.adopted += chunk->nr;
		pipe->stats.segments_opened++;
		trace_zpipe_segment_open(pipe->id, piece_at, chunk->length, 1);
		trace_zpipe_copy(pipe->id, piece_at, chunk->length, ZPIPE_COPY_ADOPT);
	}
	zpipe_stream_offer_locked(pipe);
}

/* From the taken slots to the chain; what fails gives the slots up. */
static int adopt_chunks(struct zpipe_pipe *pipe, struct job *job, struct zpipe_plan *plan)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < job->nr; i++) {
		struct chunk *chunk = &job->chunk[i];

		ret = zpipe_segment_adopt(pipe->pool, chunk->slot, chunk->segment);
		if (!ret)
			chunk->segment = NULL;
		cond_resched();
	}
	zpipe_wait_lock(pipe);
	/* Another thread may have published past the position meanwhile. */
	if (!ret && plan->position < pipe->chain.published)
		ret = -EINVAL;
	if (!ret) {
		append_chunks_locked(pipe, job, plan);
	} else {
		for (i = 0; i < job->nr; i++) {
			struct zpipe_plan taken = { .first = job->chunk[i].slot, .nr = 1 };

			zpipe_chain_unreserve(&pipe->chain, &taken);
		}
	}
	zpipe_wait_unlock(pipe);
	zpipe_idle_kick();
	return ret;
}

static int adopt(struct zpipe_pipe *pipe, struct job *job, bool nowait)
{
	struct zpipe_request request = {
		.try = try_room_locked,
		.position = job->args->position,
		.min = job->args->length,
		.deadline = job->args->deadline,
		.data = job,
	};
	struct zpipe_plan plan = {};
	int ret;

	ret = count_chunks(pipe, job) ?: alloc_chunks(pipe, job);
	if (ret)
		return ret;
	request.slots = job->nr;
	job->args->out_segments = job->nr;
	do {
		zpipe_wait_lock(pipe);
		ret = zpipe_writer_await_locked(pipe, &request, nowait, NULL, &plan);
		zpipe_wait_unlock(pipe);
		if (ret)
			break;
		ret = fill_chunks(pipe, job);
		if (ret)
			break;
		ret = take_slots(pipe, &request, &plan);
		if (!ret) {
			ret = adopt_chunks(pipe, job, &plan);
			break;
		}
		/* Another pipe was faster: wait again. */
		empty_chunks(job);
	} while (ret == ZPIPE_GRANT_WAITS);
	free_chunks(job);
	return ret;
}

/* May bytes go from the one to the other at all? */
static bool is_fit(const struct zpipe_pipe *pipe, const struct zpipe_source *source)
{
	const struct zpipe_pipe *from = source->reader ? source->reader->pipe : NULL;

	if (pipe->flags & (ZPIPE_F_CONTIG | ZPIPE_F_POSTED | ZPIPE_F_GUARDED))
		return false;
	if (from)
		return from != pipe && !(from->flags & ZPIPE_F_GUARDED);
	/* What a private pool has preserved came out of this very pipe. */
	return source->hold->pool != pipe->pool || pipe->pool->slots.shared;
}

static int forward(struct zpipe_pipe *pipe, const struct zpipe_source *source,
		   struct zpipe_forward_args *args, bool nowait)
{
	struct job job = { .source = source, .args = args };
	int ret;

	if (args->flags & ~FORWARD_FLAGS)
		return -EOPNOTSUPP;
	if (!args->length || !is_fit(pipe, source))
		return -EINVAL;
	nowait = nowait || (args->flags & ZPIPE_FORWARD_F_NOWAIT);
	zpipe_wait_lock(pipe);
	if (pipe->busy & (ZPIPE_BUSY_ALLOC | ZPIPE_BUSY_WRITE2)) {
		zpipe_wait_unlock(pipe);
		return -EBUSY;
	}
	pipe->busy |= ZPIPE_BUSY_ALLOC;
	pipe->stats.forwards++;
	if (zpipe_source_pool(source) == pipe->pool) {
		ret = refer_locked(pipe, &job, nowait);
	} else {
		ret = zpipe_writer_enter_locked(pipe);
		zpipe_wait_unlock(pipe);
		ret = ret ?: adopt(pipe, &job, nowait);
		zpipe_wait_lock(pipe);
	}
	pipe->busy &= ~ZPIPE_BUSY_ALLOC;
	args->out_flags = pipe->reader_ended ? ZPIPE_RES_COMPLETED : 0;
	args->out_position = args->position + args->length;
	if (ret == ZPIPE_GRANT_CANCELED) {
		ret = 0;
		zpipe_writer_cancel_locked(pipe);
		args->out_flags |= ZPIPE_RES_CANCELED;
		args->out_position = args->position;
		args->out_segments = 0;
	} else if (!ret) {
		pipe->grants = true;
		pipe->stats.forwarded += args->length;
	} else if (ret == -EINVAL || ret == -EMSGSIZE) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_FORWARD, args->position, ret);
	}
	zpipe_wait_unlock(pipe);
	return ret;
}

/**
 * zpipe_forward - ZPIPE_IOC_FORWARD
 * @end: the writer
 * @source: where the bytes are; of neither kind when the fd was of another one
 * @args: the call
 * @nowait: the writer's file is O_NONBLOCK
 *
 * Context: may sleep.
 * Return: 0 or an errno, see struct zpipe_forward_args.
 */
int zpipe_forward(struct zpipe_end *end, const struct zpipe_source *source,
		  struct zpipe_forward_args *args, bool nowait)
{
	u64 appended = args->length;
	int ret = -EBADF;

	if (source->reader || source->hold)
		ret = forward(end->pipe, source, args, nowait);
	if (!ret && (args->out_flags & ZPIPE_RES_CANCELED))
		appended = 0;
	trace_zpipe_forward(end->pipe->id, args->position, appended, ret);
	return ret;
}
