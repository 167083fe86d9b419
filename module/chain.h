/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chain - the positions of a pipe and the descriptors that say where bytes lie
 *
 * The kernel's own copy of every position lives here; what userspace stored is
 * only ever accepted through zpipe_chain_accept_writer() and _reader(). With
 * several readers each has a cursor, and the slowest is what counts here. The
 * chain keeps granted >= published >= examined >= consumed, and a reference on
 * every slot that holds a byte between consumed and granted. Descriptor k ends
 * where k + 1 starts; the last one is open and ends at granted. In a guarded
 * pipe no page holds both published and unpublished bytes: what follows a
 * position that was published inside a page begins on the next one, with a
 * descriptor of its own. Pure code like slots.c: the caller holds the pool's
 * lock.
 */
#ifndef ZPIPE_CHAIN_H
#define ZPIPE_CHAIN_H

#include <linux/types.h>
#include <linux/zpipe.h>

#include "slots.h"

/* Positions stay below this, so that sums with a window cannot wrap. */
#define ZPIPE_POSITION_MAX	(1ULL << 62)

/* Most bytes of a descriptor of fixed length, see struct zpipe_run. */
#define ZPIPE_FIXED_MAX		(~0U)

/**
 * struct zpipe_run - the slots a descriptor holds
 * @nr: slots of its run, from the one its offset is in
 * @given: of these, from the front, already given back
 * @fixed: bytes of the descriptor when it has not all of these slots; else 0
 * @forwarded: they are another pipe's bytes: nobody may be granted what is
 *	behind them
 */
struct zpipe_run {
	u16 nr : 15;
	u16 forwarded : 1;
	u16 given;
	u32 fixed;
};

/**
 * struct zpipe_cursor - where one of the readers is
 * @consumed: what it has given back
 * @examined: what it has looked at; at least @consumed
 */
struct zpipe_cursor {
	u64 consumed;
	u64 examined;
};

/**
 * struct zpipe_chain - descriptors and positions
 * @slots: of the pool
 * @table: shared descriptor table; in a page that only the kernel writes
 * @opened_word: shared copy of @opened
 * @granted_word: shared copy of @granted
 * @run: private side of @table, same length
 * @mask: length of both, minus one
 * @first: oldest descriptor that holds anything
 * @opened: descriptors ever opened
 * @granted: end of the open descriptor's memory
 * @published: accepted from the writer
 * @examined: the least of the readers'
 * @consumed: the least of the readers'
 * @reclaimed: what @consumed was when there was nothing left to give back
 * @sealed: guarded: what lies below is published or about to be, and not the
 *	writer's any more; at least @published
 * @page: guarded: bytes of a page; else 0
 * @quota: slots it may hold: its capacity
 * @holds: references on slots that it has, those of a reserved plan included
 * @shift: log2 of the segment size
 * @contig: ZPIPE_F_CONTIG
 */
struct zpipe_chain {
	struct zpipe_slots *slots;
	struct zpipe_descriptor *table;
	u64 *opened_word;
	u64 *granted_word;
	struct zpipe_run *run;
	u64 mask;
	u64 first;
	u64 opened;
	u64 granted;
	u64 published;
	u64 examined;
	u64 consumed;
	u64 reclaimed;
	u64 sealed;
	u32 page;
	u32 quota;
	u32 holds;
	u8 shift;
	bool contig;
};

/**
 * struct zpipe_plan - what an ALLOC would do
 * @position: where the grant begins
 * @offset: of it in the data window
 * @length: of the grant
 * @keep: descriptors before this one stay; those from it on are taken back
 * @first: first slot of a new run
 * @nr: its length; 0 when the grant is what the open descriptor still has
 * @again: its first slots that the descriptor before it holds already
 * @fixed: bytes of the new run when it has not all of its slots; else 0
 * @forwarded: they are another pipe's bytes and not a grant
 * @before: what was granted before it; only write(2) asks
 * @wait: the consumed position to wait for, when there is no memory now; 0
 *	when what this pipe's readers could give back would not do
 * @pool: what other pipes of the pool give back may help as well
 */
struct zpipe_plan {
	u64 position;
	u64 offset;
	u64 length;
	u64 keep;
	u32 first;
	u32 nr;
	u32 again;
	u64 fixed;
	bool forwarded;
	u64 before;
	u64 wait;
	bool pool;
};

bool zpipe_chain_join(struct zpipe_chain *chain);
void zpipe_chain_leave(struct zpipe_chain *chain);
int zpipe_chain_accept_writer(struct zpipe_chain *chain, u64 published);
int zpipe_chain_accept_reader(const struct zpipe_chain *chain, struct zpipe_cursor *cursor,
			      u64 consumed, u64 examined);
u32 zpipe_chain_give_back(struct zpipe_chain *chain);
void zpipe_chain_close(struct zpipe_chain *chain, u64 position);
void zpipe_chain_reserve(struct zpipe_chain *chain, const struct zpipe_plan *plan);
void zpipe_chain_unreserve(struct zpipe_chain *chain, const struct zpipe_plan *plan);
u32 zpipe_chain_commit(struct zpipe_chain *chain, const struct zpipe_plan *plan);
bool zpipe_chain_stretch(const struct zpipe_chain *chain, u64 *k, u64 from, u64 to,
			 struct zpipe_span *piece);
u32 zpipe_chain_retract(struct zpipe_chain *chain, u64 position);
void zpipe_chain_take(struct zpipe_chain *chain, u32 index);
u32 zpipe_chain_append(struct zpipe_chain *chain, const struct zpipe_plan *plan,
		       const struct zpipe_span *piece);
u32 zpipe_chain_discard(struct zpipe_chain *chain);
u32 zpipe_chain_reset(struct zpipe_chain *chain);
u64 zpipe_chain_boundary(const struct zpipe_chain *chain);
void zpipe_chain_publish(struct zpipe_chain *chain, u64 position);
u64 zpipe_chain_fresh(const struct zpipe_chain *chain);
bool zpipe_chain_splits_page(const struct zpipe_chain *chain, u64 position);
u64 zpipe_chain_index(const struct zpipe_chain *chain, u64 position);
bool zpipe_chain_piece(const struct zpipe_chain *chain, u64 *k, u64 *from, u64 to,
		       struct zpipe_span *piece);
u32 zpipe_chain_spans(const struct zpipe_chain *chain, u64 from, u64 to,
		      struct zpipe_span *spans, u32 max);

/**
 * zpipe_chain_reclaim - give back the slots whose bytes are all consumed
 * @chain: the pipe's
 *
 * Return: how many slots became free.
 */
static inline u32 zpipe_chain_reclaim(struct zpipe_chain *chain)
{
	return chain->consumed == chain->reclaimed ? 0 : zpipe_chain_give_back(chain);
}

static inline u64 zpipe_chain_window(const struct zpipe_chain *chain)
{
	return (u64)chain->slots->nr << chain->shift;
}

static inline u64 zpipe_chain_capacity(const struct zpipe_chain *chain)
{
	return (u64)chain->quota << chain->shift;
}

/*
 * The slowest reader has moved, or is another one now: the least of the readers'
 * consumed and of their examined; never less than before.
 */
static inline void zpipe_chain_settle(struct zpipe_chain *chain,
				      const struct zpipe_cursor *slowest)
{
	chain->consumed = slowest->consumed;
	chain->examined = slowest->examined;
}

/* The writer's committed position is at least this. */
static inline u64 zpipe_chain_floor(const struct zpipe_chain *chain)
{
	return chain->page ? chain->sealed : chain->published;
}

/* And up to here it may be published now. */
static inline u64 zpipe_chain_limit(const struct zpipe_chain *chain)
{
	return chain->page ? chain->sealed : chain->granted;
}

static inline u64 zpipe_chain_held(const struct zpipe_chain *chain)
{
	return chain->published - chain->consumed;
}

static inline u64 zpipe_chain_unexamined(const struct zpipe_chain *chain)
{
	return chain->published - chain->examined;
}

#endif /* ZPIPE_CHAIN_H */
