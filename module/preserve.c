// SPDX-License-Identifier: GPL-2.0-only
/*
 * preserve - ranges that a reader keeps beyond its advance
 *
 * A slot that is preserved for the first time is lost to the stream, so a spare
 * one goes into service in its place (slots.h). PRESERVE finds out under the
 * lock what it lacks - spare slots with pages, room for the spans, room in the
 * table - gets that without the lock, and looks again, until nothing is
 * missing; then it cannot fail. So the writer never pays, and a refused call
 * changes nothing.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "limits.h"
#include "pipe.h"
#include "pool.h"
#include "preserve.h"
#include "segment.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

/* Handles of one reader; a handle costs kernel memory whatever its length is. */
#define MAX_HANDLES	65536
#define FIRST_ROOM	8

/* What a PRESERVE has gathered so far, and what it still lacks. */
struct gathered {
	struct zpipe_hold *hold;
	u32 room;
	struct zpipe_handle *entry;
	u32 entries;
	struct zpipe_user *user;
	u32 claimed;
	u32 nr_claimed;
	u32 fresh;
	u32 zeroed;
	u32 want_spans;
	u32 want_entries;
};

/* More memory, or another: an ALLOC that waits may find what it wants. */
static void tell_writer_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->memory_wait != ZPIPE_UNARMED)
		zpipe_wait_wake_writer_locked(pipe);
}

static void hold_free(struct kref *kref)
{
	struct zpipe_hold *hold = container_of(kref, struct zpipe_hold, kref);
	struct zpipe_pool *pool = hold->pool;
	u32 i, freed = 0;

	zpipe_wait_lock_pool(pool);
	for (i = 0; i < hold->nr_spans; i++)
		freed += zpipe_slots_unhold(&pool->slots,
					    zpipe_pool_first_slot(pool, &hold->spans[i]),
					    zpipe_pool_nr_slots(pool, &hold->spans[i]));
	zpipe_wait_unlock_pool(pool);
	if (freed && READ_ONCE(pool->trimmed))
		zpipe_segment_trim_after_end(pool);
	else if (READ_ONCE(pool->slots.returned))
		zpipe_segment_sweep(pool);
	zpipe_pool_put(pool);
	kvfree(hold);
}

/**
 * zpipe_preserve_put - a handle or a buffer lets go
 * @hold: its slots go back with the last one
 *
 * Context: may sleep.
 */
void zpipe_preserve_put(struct zpipe_hold *hold)
{
	kref_put(&hold->kref, hold_free);
}

/* The entry a handle names, valid now: -ESTALE if it was once, -EINVAL if never. */
static int find_locked(struct zpipe_reader *reader, u64 handle, struct zpipe_handle **entry)
{
	struct zpipe_handles *handles = &reader->handles;
	u32 generation = (u32)(handle >> 32), index = (u32)handle;

	lockdep_assert_held(&reader->pipe->pool->lock);
	if (!generation || index >= handles->room || generation > handles->entry[index].generation)
		return -EINVAL;
	*entry = &handles->entry[index];
	if (!(*entry)->hold || generation != (*entry)->generation)
		return -ESTALE;
	return 0;
}

/* Takes a free entry, which there is. */
static u64 insert_locked(struct zpipe_reader *reader, struct zpipe_hold *hold)
{
	struct zpipe_handles *handles = &reader->handles;
	u32 index = handles->free;
	struct zpipe_handle *entry = &handles->entry[index];

	lockdep_assert_held(&reader->pipe->pool->lock);
	handles->free = entry->next;
	handles->nr++;
	handles->bytes += hold->length;
	entry->hold = hold;
	entry->generation++;
	return (u64)entry->generation << 32 | index;
}

/* The caller gets the table's reference. */
static struct zpipe_hold *remove_locked(struct zpipe_reader *reader, struct zpipe_handle *entry)
{
	struct zpipe_handles *handles = &reader->handles;
	struct zpipe_hold *hold = entry->hold;

	lockdep_assert_held(&reader->pipe->pool->lock);
	entry->hold = NULL;
	handles->nr--;
	handles->bytes -= hold->length;
	/* An entry that has had every generation is used up. */
	if (entry->generation < U32_MAX) {
		entry->next = handles->free;
		handles->free = entry - handles->entry;
	}
	return hold;
}

/* May this range be preserved at all? */
static int check_locked(struct zpipe_reader *reader, const struct zpipe_preserve_args *args)
{
	const struct zpipe_handles *handles = &reader->handles;
	struct zpipe_pipe *pipe = reader->pipe;
	u64 limit = READ_ONCE(zpipe_max_preserved);
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_stream_look_locked(pipe, reader);
	if (ret)
		return ret;
	if (reader->ended)
		return -(reader->error ?: ESHUTDOWN);
	if (pipe->guilty == ZPIPE_ROLE_READER)
		return -EPROTO;
	/* The memory of posted buffers is the reader's anyway. */
	if (pipe->flags & ZPIPE_F_POSTED)
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_PRESERVE, args->position, -EINVAL);
	if (!args->length || args->position < reader->cursor.consumed ||
	    args->position > pipe->chain.published ||
	    args->length > pipe->chain.published - args->position)
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_PRESERVE, args->position, -EINVAL);
	if (handles->nr >= MAX_HANDLES ||
	    (limit && (handles->bytes > limit || args->length > limit - handles->bytes)))
		return -ENOBUFS;
	return 0;
}

/*
 * What is still missing? Claims the spare slots, which have no pages yet from
 * g->fresh on. 1 if something is, 0 if nothing, or -ENOBUFS.
 */
static int lacks_locked(struct zpipe_reader *reader, const struct zpipe_preserve_args *args,
			struct gathered *g)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_slots *slots = &pipe->pool->slots;
	struct zpipe_handles *handles = &reader->handles;
	u32 i, unheld = 0;

	lockdep_assert_held(&pipe->pool->lock);
	g->want_spans = 0;
	g->want_entries = 0;
	if (handles->free >= handles->room && g->entries <= handles->room)
		g->want_entries = max_t(u32, 2 * handles->room, FIRST_ROOM);
	i = zpipe_chain_spans(&pipe->chain, args->position, args->position + args->length,
			      g->hold ? g->hold->spans : NULL, g->room);
	if (i > g->room) {
		g->want_spans = i;
		return 1;
	}
	g->hold->nr_spans = i;
	while (i--)
		unheld += zpipe_slots_unheld(slots,
					     zpipe_pool_first_slot(pipe->pool,
								   &g->hold->spans[i]),
					     zpipe_pool_nr_slots(pipe->pool,
								 &g->hold->spans[i]));
	while (unheld > slots->owed + g->nr_claimed) {
		u32 index = slots->parked.top;

		if (index == ZPIPE_NO_SLOT)
			return -ENOBUFS;
		zpipe_slots_claim(slots, index);
		slots->slot[index].next = g->claimed;
		g->claimed = index;
		g->nr_claimed++;
		g->fresh++;
	}
	return g->want_entries || g->fresh;
}

/* Get what is missing. */
static int provide(struct zpipe_pool *pool, struct gathered *g, bool exempt)
{
	u32 index = g->claimed;
	int ret;

	if (g->want_spans) {
		kvfree(g->hold);
		g->room = 0;
		g->hold = kvmalloc(struct_size(g->hold, spans, g->want_spans), GFP_KERNEL_ACCOUNT);
		if (!g->hold)
			return -ENOMEM;
		g->room = g->want_spans;
	}
	if (g->want_entries) {
		kvfree(g->entry);
		g->entries = 0;
		g->entry = kvcalloc(g->want_entries, sizeof(*g->entry), GFP_KERNEL_ACCOUNT);
		if (!g->entry)
			return -ENOMEM;
		g->entries = g->want_entries;
	}
	if (g->fresh && !g->user) {
		g->user = zpipe_user_get();
		if (!g->user)
			return -ENOMEM;
	}
	/* The latest are in front, so the first of them are those without pages. */
	for (; g->fresh; g->fresh--) {
		ret = zpipe_segment_provide(pool, index, g->user, exempt, &g->zeroed);
		if (ret)
			return ret;
		index = pool->slots.slot[index].next;
		cond_resched();
	}
	return 0;
}

/* Make the table longer, if a longer one was brought. */
static void grow_locked(struct zpipe_reader *reader, struct gathered *g)
{
	struct zpipe_handles *handles = &reader->handles;
	struct zpipe_handle *old = handles->entry;
	u32 i;

	lockdep_assert_held(&reader->pipe->pool->lock);
	if (g->entries <= handles->room)
		return;
	for (i = 0; i < handles->room; i++)
		g->entry[i] = old[i];
	for (i = handles->room; i < g->entries; i++)
		g->entry[i].next = i + 1;
	/* What was free stays behind what is new. */
	g->entry[g->entries - 1].next = handles->free < handles->room ? handles->free : U32_MAX;
	handles->free = handles->room;
	handles->room = g->entries;
	handles->entry = g->entry;
	g->entry = old;
	g->entries = 0;
}

/* Hold its slots; for each that nobody held, one that is owed or was claimed serves. */
static void hold_span_locked(struct zpipe_pool *pool, const struct zpipe_span *span,
			     struct gathered *g)
{
	struct zpipe_slots *slots = &pool->slots;
	u32 i;

	lockdep_assert_held(&pool->lock);
	for (i = 0; i < zpipe_pool_nr_slots(pool, span); i++) {
		u32 index = zpipe_slots_after(slots, zpipe_pool_first_slot(pool, span), i);

		if (zpipe_slots_unheld(slots, index, 1) && !slots->owed) {
			u32 spare = g->claimed;

			g->claimed = slots->slot[spare].next;
			g->nr_claimed--;
			zpipe_slots_serve(slots, spare);
		}
		zpipe_slots_hold(slots, index, 1);
	}
}

static u64 commit_locked(struct zpipe_reader *reader, const struct zpipe_preserve_args *args,
			 struct gathered *g)
{
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_pool *pool = pipe->pool;
	struct zpipe_hold *hold = g->hold;
	u32 i;

	lockdep_assert_held(&pool->lock);
	for (i = 0; i < hold->nr_spans; i++)
		hold_span_locked(pool, &hold->spans[i], g);
	kref_init(&hold->kref);
	kref_get(&pool->kref);
	hold->pool = pool;
	hold->pipe = pipe->id;
	hold->position = args->position;
	hold->length = args->length;
	g->hold = NULL;
	grow_locked(reader, g);
	tell_writer_locked(pipe);
	return insert_locked(reader, hold);
}

/* What was not used; true when spare slots are left that may have pages. */
static bool unclaim_locked(struct zpipe_pool *pool, struct gathered *g)
{
	bool any = g->nr_claimed;

	lockdep_assert_held(&pool->lock);
	for (; g->nr_claimed; g->nr_claimed--) {
		u32 index = g->claimed;

		g->claimed = pool->slots.slot[index].next;
		zpipe_slots_park(&pool->slots, index);
	}
	return any;
}

static int take(struct zpipe_reader *reader, struct zpipe_preserve_args *args,
		struct zpipe_span *spans)
{
	bool exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct gathered g = { .claimed = ZPIPE_NO_SLOT };
	struct zpipe_pipe *pipe = reader->pipe;
	bool left;
	int ret;

	if (args->flags)
		return -EOPNOTSUPP;
	/* Views of guarded readers show pages, not slots; what is posted is the reader's own. */
	if (pipe->flags & (ZPIPE_F_GUARDED | ZPIPE_F_POSTED))
		return -EINVAL;
	zpipe_wait_lock(pipe);
	for (;;) {
		ret = check_locked(reader, args) ?: lacks_locked(reader, args, &g);
		if (ret <= 0)
			break;
		zpipe_wait_unlock(pipe);
		ret = provide(pipe->pool, &g, exempt);
		zpipe_wait_lock(pipe);
		if (ret)
			break;
	}
	if (!ret) {
		args->out_nr_spans = g.hold->nr_spans;
		memcpy(spans, g.hold->spans,
		       min(args->nr_spans, args->out_nr_spans) * sizeof(*spans));
		args->out_segments = g.nr_claimed;
		args->out_handle = commit_locked(reader, args, &g);
		args->out_segments -= g.nr_claimed;
	}
	zpipe_stream_zeroed_locked(pipe, args->position, (u64)g.zeroed << PAGE_SHIFT);
	left = unclaim_locked(pipe->pool, &g);
	zpipe_wait_unlock(pipe);
	if (left)
		zpipe_segment_sweep(pipe->pool);
	kvfree(g.hold);
	kvfree(g.entry);
	if (g.user)
		zpipe_user_put(g.user);
	return ret;
}

/**
 * zpipe_preserve_take - ZPIPE_IOC_PRESERVE
 * @end: the reader
 * @args: the call
 * @spans: room for args->nr_spans, to be copied out; NULL when there was no memory
 *
 * Context: may sleep.
 * Return: 0 or an errno, see struct zpipe_preserve_args.
 */
int zpipe_preserve_take(struct zpipe_end *end, struct zpipe_preserve_args *args,
			struct zpipe_span *spans)
{
	int ret = spans ? take(end->reader, args, spans) : -ENOMEM;

	trace_zpipe_preserve(end->pipe->id, args->position, args->length, ret);
	return ret;
}

/**
 * zpipe_preserve_release - ZPIPE_IOC_RELEASE
 * @end: the reader
 * @args: the call
 *
 * Context: may sleep.
 * Return: 0, -ESTALE, -EINVAL or -EOPNOTSUPP.
 */
int zpipe_preserve_release(struct zpipe_end *end, struct zpipe_release_args *args)
{
	struct zpipe_reader *reader = end->reader;
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_hold *hold = NULL;
	struct zpipe_handle *entry;
	u64 position = 0, length = 0;
	int ret;

	if (args->flags || args->__reserved) {
		ret = -EOPNOTSUPP;
		goto out_trace;
	}
	zpipe_wait_lock(pipe);
	ret = find_locked(reader, args->handle, &entry);
	if (ret) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_RELEASE, 0, ret);
	} else {
		hold = remove_locked(reader, entry);
		position = hold->position;
		length = hold->length;
	}
	zpipe_wait_unlock(pipe);
	if (hold) {
		zpipe_preserve_put(hold);
		zpipe_wait_lock(pipe);
		tell_writer_locked(pipe);
		zpipe_wait_unlock(pipe);
	}
out_trace:
	trace_zpipe_release(pipe->id, position, length, ret);
	return ret;
}

/**
 * zpipe_preserve_drop - a reader ends: its handles are released
 * @reader: the reader, marked as ended, so that no new one comes
 *
 * The table stays, or a handle that is stale could be given out again.
 *
 * Context: may sleep.
 */
void zpipe_preserve_drop(struct zpipe_reader *reader)
{
	struct zpipe_handles *handles = &reader->handles;
	struct zpipe_pipe *pipe = reader->pipe;
	u32 i = 0;

	for (;;) {
		struct zpipe_hold *hold = NULL;

		zpipe_wait_lock(pipe);
		while (handles->nr && i < handles->room && !hold) {
			if (handles->entry[i].hold)
				hold = remove_locked(reader, &handles->entry[i]);
			i++;
		}
		zpipe_wait_unlock(pipe);
		if (!hold)
			return;
		trace_zpipe_release(pipe->id, hold->position, hold->length, 0);
		zpipe_preserve_put(hold);
		cond_resched();
	}
}

/**
 * zpipe_preserve_exit - a reader is freed
 * @reader: nobody else uses it any more; it has no handles
 */
void zpipe_preserve_exit(struct zpipe_reader *reader)
{
	kvfree(reader->handles.entry);
}

/**
 * zpipe_preserve_find - what a handle stands for
 * @end: the reader
 * @handle: as userspace gave it
 *
 * Return: a reference, or -ESTALE or -EINVAL as an ERR_PTR().
 */
struct zpipe_hold *zpipe_preserve_find(struct zpipe_end *end, u64 handle)
{
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_handle *entry;
	struct zpipe_hold *hold;
	int ret;

	zpipe_wait_lock(pipe);
	ret = find_locked(end->reader, handle, &entry);
	if (ret) {
		zpipe_pipe_reject_locked(pipe, ZPIPE_NR_EXPORT, 0, ret);
		hold = ERR_PTR(ret);
	} else {
		hold = entry->hold;
		kref_get(&hold->kref);
	}
	zpipe_wait_unlock(pipe);
	return hold;
}
