// SPDX-License-Identifier: GPL-2.0-only
/*
 * chain - the positions of a pipe and the descriptors that say where bytes lie
 *
 * See chain.h. An ALLOC is planned first, which changes nothing; its slots are
 * reserved, so that pages can be found for them without the lock; and then it
 * is committed, or the slots are given up and nothing happened. Entries of the
 * shared table are rewritten only while published is not past their start
 * (rule R9), and reused only after consumed has passed their end.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/minmax.h>
#include <asm/barrier.h>
#else
#include "host.h"
#endif

#include "entry.h"

static void set_holds(struct zpipe_chain *chain, u32 holds)
{
	chain->slots->committed -= promised(chain);
	chain->holds = holds;
	chain->slots->committed += promised(chain);
}

static u32 put_run(struct zpipe_chain *chain, u32 first, u32 nr)
{
	set_holds(chain, chain->holds - nr);
	return zpipe_slots_put(chain->slots, first, nr);
}

/* Drop k's references on the slots [from, to) of its run. */
static u32 put_slots(struct zpipe_chain *chain, u64 k, u32 from, u32 to)
{
	return from < to ? put_run(chain, slot_of(chain, k, from), to - from) : 0;
}

/**
 * zpipe_chain_join - reserve a slot for a chain that holds none
 * @chain: new, with its slots set
 *
 * Return: false when the pool has none left to promise.
 */
bool zpipe_chain_join(struct zpipe_chain *chain)
{
	struct zpipe_slots *slots = chain->slots;

	if (slots->committed >= slots->nr)
		return false;
	slots->members++;
	slots->committed += promised(chain);
	return true;
}

/**
 * zpipe_chain_leave - give the reserve back
 * @chain: one that has joined, and holds nothing any more
 */
void zpipe_chain_leave(struct zpipe_chain *chain)
{
	chain->slots->members--;
	chain->slots->committed -= promised(chain);
	chain->slots->released = true;
}

/**
 * zpipe_chain_accept_writer - check and take over the writer's shared word
 * @chain: the pipe's
 * @published: as read, once
 *
 * Return: 0, or -EPROTO when it moved back or past the granted memory; then
 * nothing changed.
 */
int zpipe_chain_accept_writer(struct zpipe_chain *chain, u64 published)
{
	if (published < chain->published || published > chain->granted)
		return -EPROTO;
	chain->published = published;
	return 0;
}

/**
 * zpipe_chain_accept_reader - check and take over a reader's shared words
 * @chain: the pipe's; its published was loaded after both words (rule R4)
 * @cursor: the reader's
 * @consumed: as read, once, first
 * @examined: as read, once, second; a lower one than before changes nothing
 *
 * Return: 0, or -EPROTO when consumed moved back or past examined, or examined
 * past published; then nothing changed.
 */
int zpipe_chain_accept_reader(const struct zpipe_chain *chain, struct zpipe_cursor *cursor,
			      u64 consumed, u64 examined)
{
	if (examined < cursor->examined)
		examined = cursor->examined;
	if (consumed < cursor->consumed || consumed > examined || examined > chain->published)
		return -EPROTO;
	cursor->consumed = consumed;
	cursor->examined = examined;
	return 0;
}

/**
 * zpipe_chain_give_back - what zpipe_chain_reclaim() does when there may be something
 * @chain: the pipe's
 *
 * Slot by slot, so that a long run does not hold memory until its end. The
 * open descriptor stays, if without memory.
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_give_back(struct zpipe_chain *chain)
{
	struct zpipe_run *run;
	u32 given, freed = 0;
	u64 k = chain->first;

	chain->reclaimed = chain->consumed;
	if (k == chain->opened)
		return 0;
	for (; k + 1 < chain->opened && start_of(chain, k + 1) <= chain->consumed; k++) {
		run = run_of(chain, k);
		freed += put_slots(chain, k, run->given, run->nr);
		run->given = run->nr;
	}
	chain->first = k;
	run = run_of(chain, k);
	given = run->given;
	while (given < run->nr && slot_end(chain, k, given) <= chain->consumed)
		given++;
	freed += put_slots(chain, k, run->given, given);
	run->given = given;
	return freed;
}

/**
 * zpipe_chain_boundary - where the chain's next slot would come free
 * @chain: the pipe's
 *
 * Also a position that is not published yet, as long as no other descriptor is
 * opened before it.
 *
 * Return: the consumed position, or ~0 when the chain has no memory.
 */
u64 zpipe_chain_boundary(const struct zpipe_chain *chain)
{
	const struct zpipe_run *run = run_of(chain, chain->first);
	u64 boundary = ~0ULL;

	if (chain->first == chain->opened)
		return boundary;
	if (run->given < run->nr)
		boundary = slot_end(chain, chain->first, run->given);
	if (chain->first + 1 < chain->opened)
		boundary = min(boundary, start_of(chain, chain->first + 1));
	return boundary;
}

/**
 * zpipe_chain_reserve - hold the slots of a plan
 * @chain: the pipe's, unchanged since the plan was made
 * @plan: a successful one
 */
void zpipe_chain_reserve(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	zpipe_slots_get(chain->slots, plan->first, plan->nr);
	set_holds(chain, chain->holds + plan->nr);
}

/**
 * zpipe_chain_unreserve - give up a reserved plan
 * @chain: the pipe's
 * @plan: what zpipe_chain_reserve() was called with
 */
void zpipe_chain_unreserve(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	put_run(chain, plan->first, plan->nr);
}

/* The entry first, then the count, so that who sees the count sees the entry. */
static void share(struct zpipe_chain *chain)
{
	/* Pairs with the reader's load-acquire of opened, see uapi/linux/zpipe.h. */
	smp_store_release(chain->opened_word, chain->opened);
	WRITE_ONCE(*chain->granted_word, chain->granted);
}

/* Take back the descriptors that a plan does not keep. */
static u32 drop_later(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	u32 freed = 0;

	while (chain->opened > plan->keep && chain->opened > chain->first) {
		u64 k = --chain->opened;

		freed += put_slots(chain, k, run_of(chain, k)->given, run_of(chain, k)->nr);
	}
	return freed;
}

/* Let the last descriptor that stays end at the plan's position. */
static u32 cut_last(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	struct zpipe_run *run;
	u32 used, freed;

	if (chain->opened == chain->first)
		return 0;
	run = run_of(chain, chain->opened - 1);
	used = slots_used(chain, chain->opened - 1, plan->position);
	used = max_t(u32, used, run->given);
	freed = put_slots(chain, chain->opened - 1, used, run->nr);
	run->nr = used;
	if (run->forwarded)
		run->fixed = plan->position - start_of(chain, chain->opened - 1);
	return freed;
}

/* Drop all descriptors there are. */
static u32 drop_all(struct zpipe_chain *chain)
{
	u32 freed = 0;

	for (; chain->first < chain->opened; chain->first++) {
		const struct zpipe_run *run = run_of(chain, chain->first);

		freed += put_slots(chain, chain->first, run->given, run->nr);
	}
	chain->reclaimed = chain->consumed;
	return freed;
}

/**
 * zpipe_chain_retract - take back what is granted behind a position
 * @chain: the pipe's
 * @position: from published to granted; a grant can begin there
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_retract(struct zpipe_chain *chain, u64 position)
{
	struct zpipe_plan plan = { .position = position, .keep = chain->opened };
	u32 freed;

	while (plan.keep > chain->first && start_of(chain, plan.keep - 1) >= position)
		plan.keep--;
	freed = drop_later(chain, &plan);
	freed += cut_last(chain, &plan);
	chain->granted = position;
	share(chain);
	return freed;
}

/**
 * zpipe_chain_commit - carry out a reserved plan
 * @chain: the pipe's; published and consumed may have moved since the plan,
 *	but no other plan was committed
 * @plan: its references pass to the chain
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_commit(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	u32 freed = drop_later(chain, plan);

	if (plan->nr) {
		struct zpipe_descriptor *entry;
		struct zpipe_run *run;

		/* Those in front of one that begins at consumed hold nothing any more. */
		freed += plan->position == chain->consumed ? drop_all(chain) :
							     cut_last(chain, plan);
		entry = &chain->table[chain->opened & chain->mask];
		WRITE_ONCE(entry->start, plan->position);
		WRITE_ONCE(entry->offset, plan->offset);
		run = run_of(chain, chain->opened);
		run->nr = plan->nr;
		run->given = 0;
		run->fixed = plan->fixed;
		run->forwarded = plan->forwarded;
		chain->opened++;
	}
	chain->granted = plan->position + plan->length;
	share(chain);
	return freed + zpipe_chain_reclaim(chain);
}

/**
 * zpipe_chain_stretch - the first stretch of a range that lies in one piece
 * @chain: the pipe's
 * @k: what zpipe_chain_index() said of @from; moved on for the next piece
 * @from: at least consumed
 * @to: at most published
 * @piece: the answer
 *
 * Unlike zpipe_chain_piece(), neighbours in the window are one stretch. A spare
 * slot is a stretch of its own.
 *
 * Return: false when @from is @to.
 */
bool zpipe_chain_stretch(const struct zpipe_chain *chain, u64 *k, u64 from, u64 to,
			 struct zpipe_span *piece)
{
	u64 end = from;

	if (from >= to)
		return false;
	piece->offset = place_of(chain, *k, from);
	do {
		end = ++*k < chain->opened ? min(start_of(chain, *k), to) : to;
		if (end == to || is_spare(chain, offset_of(chain, *k - 1)) ||
		    place_of(chain, *k - 1, end) != place_of(chain, *k, end))
			break;
	} while (end - from < zpipe_chain_window(chain));
	piece->length = end - from;
	return true;
}

/*
 * Does a piece begin where the forwarded bytes before it end? Not where they
 * are all consumed, and their slots about to come free.
 */
static bool goes_on(const struct zpipe_chain *chain, const struct zpipe_plan *plan,
		    const struct zpipe_span *piece)
{
	const struct zpipe_run *run;
	u64 k = plan->keep - 1;

	if (chain->consumed == plan->position || start_of(chain, k) == plan->position)
		return false;
	/* The neighbour of a spare slot is another one. */
	if (is_spare(chain, piece->offset) && !(piece->offset & (segment_size(chain) - 1)))
		return false;
	run = run_of(chain, k);
	return run->forwarded && start_of(chain, k) + run->fixed == plan->position &&
	       place_of(chain, k, plan->position) == piece->offset &&
	       run->fixed + piece->length <= min_t(u64, zpipe_chain_window(chain), ZPIPE_FIXED_MAX);
}

/**
 * zpipe_chain_take - hold a slot for bytes that are being forwarded
 * @chain: the target's; zpipe_chain_unreserve() gives it up
 * @index: a free one, or one that another chain holds
 */
void zpipe_chain_take(struct zpipe_chain *chain, u32 index)
{
	zpipe_slots_get(chain->slots, index, 1);
	set_holds(chain, chain->holds + 1);
}

/**
 * zpipe_chain_append - append a piece of memory that holds bytes already
 * @chain: the target's
 * @plan: of zpipe_plan_forward(), with its position moved on by what was
 *	appended before; @forwarded, @fixed bytes, and @nr slots from @first whose
 *	references pass to the chain
 * @piece: where in the window the bytes are
 *
 * A piece that goes on where the last one stops takes no new entry.
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_append(struct zpipe_chain *chain, const struct zpipe_plan *plan,
		       const struct zpipe_span *piece)
{
	struct zpipe_run *run;
	u32 shared, freed;

	if (!goes_on(chain, plan, piece))
		return zpipe_chain_commit(chain, plan);
	freed = drop_later(chain, plan);
	run = run_of(chain, chain->opened - 1);
	shared = piece->offset & (segment_size(chain) - 1) ? 1 : 0;
	if (shared)
		put_run(chain, plan->first, 1);
	run->nr += plan->nr - shared;
	run->fixed += piece->length;
	chain->granted = plan->position + piece->length;
	share(chain);
	return freed + zpipe_chain_reclaim(chain);
}

/**
 * zpipe_chain_publish - the writer publishes by system call
 * @chain: the pipe's
 * @position: more than published, at most zpipe_chain_limit()
 *
 * In a guarded pipe a position inside a page ends the grant: the rest of that
 * page shows nothing, and memory behind it is taken back.
 */
void zpipe_chain_publish(struct zpipe_chain *chain, u64 position)
{
	u64 k = zpipe_chain_index(chain, position);

	chain->published = position;
	if (!chain->page)
		return;
	chain->sealed = position;
	if (k < chain->opened && skip_of(chain, k, position)) {
		chain->granted = position;
		WRITE_ONCE(*chain->granted_word, position);
	}
}

/**
 * zpipe_chain_close - retract, so that no grant goes on in what stays
 * @chain: the pipe's
 * @position: as for zpipe_chain_retract()
 */
void zpipe_chain_close(struct zpipe_chain *chain, u64 position)
{
	u64 k;

	zpipe_chain_retract(chain, position);
	k = chain->opened - 1;
	if (chain->opened > chain->first)
		run_of(chain, k)->fixed = position - start_of(chain, k);
}

/**
 * zpipe_chain_discard - consume everything published
 * @chain: of a pipe whose reader is gone
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_discard(struct zpipe_chain *chain)
{
	chain->examined = chain->published;
	chain->consumed = chain->published;
	return zpipe_chain_reclaim(chain);
}

/**
 * zpipe_chain_reset - drop everything, unpublished grants too
 * @chain: of a pipe whose ends have both completed
 *
 * Positions go on from published.
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_reset(struct zpipe_chain *chain)
{
	u32 freed = zpipe_chain_discard(chain);

	freed += drop_all(chain);
	chain->granted = chain->published;
	chain->sealed = chain->published;
	share(chain);
	return freed;
}

/**
 * zpipe_chain_index - the entry that holds a position
 * @chain: the pipe's
 * @position: at least consumed
 *
 * Return: its index, which is the number of entries opened when none does.
 */
u64 zpipe_chain_index(const struct zpipe_chain *chain, u64 position)
{
	u64 k = chain->opened;

	while (k > chain->first && start_of(chain, k - 1) > position)
		k--;
	return k > chain->first ? k - 1 : k;
}

/**
 * zpipe_chain_fresh - from where on memory is the writer's alone, guarded
 * @chain: the pipe's
 *
 * Return: the least position whose page holds no byte below sealed.
 */
u64 zpipe_chain_fresh(const struct zpipe_chain *chain)
{
	u64 k = zpipe_chain_index(chain, chain->sealed);

	return chain->sealed + (k < chain->opened ? skip_of(chain, k, chain->sealed) : 0);
}

/**
 * zpipe_chain_splits_page - does a page hold bytes on both sides of a position
 * @chain: of a guarded pipe
 * @position: from consumed to published
 *
 * Return: whether it does, counting published bytes only.
 */
bool zpipe_chain_splits_page(const struct zpipe_chain *chain, u64 position)
{
	u64 k = zpipe_chain_index(chain, position);

	return position < chain->published && k < chain->opened &&
	       start_of(chain, k) < position &&
	       (place_of(chain, k, position) & (chain->page - 1));
}

/**
 * zpipe_chain_piece - the next piece of a range of bytes
 * @chain: the pipe's
 * @k: in: zpipe_chain_index() of @from, or what this left; out: for the next call
 * @from: in: at least consumed; out: where the piece ends
 * @to: at most granted
 * @piece: where it lies; may pass the window's end
 *
 * Return: whether there is one.
 */
bool zpipe_chain_piece(const struct zpipe_chain *chain, u64 *k, u64 *from, u64 to,
		       struct zpipe_span *piece)
{
	u64 end = to;

	if (*from >= to || *k >= chain->opened)
		return false;
	if (*k + 1 < chain->opened)
		end = min(start_of(chain, *k + 1), to);
	piece->offset = place_of(chain, *k, *from);
	piece->length = end - *from;
	*from = end;
	(*k)++;
	return true;
}

/**
 * zpipe_chain_spans - where a range of published bytes lies
 * @chain: the pipe's
 * @from: at least consumed
 * @to: at most published
 * @spans: filled from the front
 * @max: room there, in entries
 *
 * Neighbours in the window are one span, also across its end. A spare slot is
 * a span of its own.
 *
 * Return: how many spans the range makes, which may be more than @max.
 */
u32 zpipe_chain_spans(const struct zpipe_chain *chain, u64 from, u64 to,
		      struct zpipe_span *spans, u32 max)
{
	u64 window = zpipe_chain_window(chain);
	u64 k = zpipe_chain_index(chain, from);
	struct zpipe_span last = { 0, 0 }, piece;
	u32 nr = 0;

	while (zpipe_chain_piece(chain, &k, &from, to, &piece)) {
		u64 next = last.offset + last.length;

		if (next >= window)
			next -= window;
		if (nr && next == piece.offset && !is_spare(chain, last.offset) &&
		    last.length + piece.length <= window) {
			last.length += piece.length;
		} else {
			nr++;
			last = piece;
		}
		if (nr <= max)
			spans[nr - 1] = last;
	}
	return nr;
}
