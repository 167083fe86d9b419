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

#include "chain.h"

static u64 segment_size(const struct zpipe_chain *chain)
{
	return 1ULL << chain->shift;
}

static u64 start_of(const struct zpipe_chain *chain, u64 k)
{
	return chain->table[k & chain->mask].start;
}

static u64 offset_of(const struct zpipe_chain *chain, u64 k)
{
	return chain->table[k & chain->mask].offset;
}

static struct zpipe_run *run_of(const struct zpipe_chain *chain, u64 k)
{
	return &chain->run[k & chain->mask];
}

static u32 slots_for(const struct zpipe_chain *chain, u64 bytes)
{
	return (u32)((bytes + segment_size(chain) - 1) >> chain->shift);
}

/* A descriptor may begin inside its first slot; by so many bytes. */
static u64 skew_of(const struct zpipe_chain *chain, u64 k)
{
	return offset_of(chain, k) & (segment_size(chain) - 1);
}

static u64 capacity_of(const struct zpipe_chain *chain, u64 k)
{
	if (run_of(chain, k)->fixed)
		return run_of(chain, k)->fixed;
	return ((u64)run_of(chain, k)->nr << chain->shift) - skew_of(chain, k);
}

/* Spare slots lie behind the two turns of the window. */
static bool is_spare(const struct zpipe_chain *chain, u64 offset)
{
	return offset >= 2 * zpipe_chain_window(chain);
}

/* Where in the window a position of descriptor k lies. */
static u64 place_of(const struct zpipe_chain *chain, u64 k, u64 position)
{
	u64 offset = offset_of(chain, k) + (position - start_of(chain, k));
	u64 window = zpipe_chain_window(chain);

	return offset < window || is_spare(chain, offset_of(chain, k)) ? offset : offset - window;
}

/* The position at which slot i of k's run ends. */
static u64 slot_end(const struct zpipe_chain *chain, u64 k, u32 i)
{
	u64 end = start_of(chain, k) - skew_of(chain, k) + (((u64)i + 1) << chain->shift);
	u64 fixed = run_of(chain, k)->fixed;

	return fixed ? min(end, start_of(chain, k) + fixed) : end;
}

/* How many slots of k's run hold bytes when it ends at position. */
static u32 slots_used(const struct zpipe_chain *chain, u64 k, u64 position)
{
	if (position == start_of(chain, k))
		return 0;
	return slots_for(chain, skew_of(chain, k) + position - start_of(chain, k));
}

static u32 slot_of(const struct zpipe_chain *chain, u64 k, u32 i)
{
	const struct zpipe_slots *slots = chain->slots;

	return zpipe_slots_after(slots, zpipe_slots_index(slots, offset_of(chain, k),
							  chain->shift), i);
}

/*
 * A guarded pipe's next byte after one that was published inside a page goes on
 * the next page: by so many bytes further than it would. k is the descriptor
 * that stops there.
 */
static u64 skip_of(const struct zpipe_chain *chain, u64 k, u64 position)
{
	u64 in_page;

	if (!chain->page || position != chain->sealed || position == start_of(chain, k))
		return 0;
	in_page = place_of(chain, k, position) & (chain->page - 1);
	return in_page ? chain->page - in_page : 0;
}

/* What the pool has promised to a chain: what it holds, or else its reserve. */
static u32 promised(const struct zpipe_chain *chain)
{
	return max(chain->holds, 1U);
}

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

static void give_slots(struct zpipe_chain *chain, u64 k, u32 from, u32 to)
{
	if (from < to)
		zpipe_slots_give(chain->slots, slot_of(chain, k, from), to - from);
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
	u32 freed = 0;

	while (chain->first < chain->opened) {
		u64 k = chain->first;
		struct zpipe_run *run = run_of(chain, k);

		u32 given = run->given;

		while (given < run->nr && slot_end(chain, k, given) <= chain->consumed)
			given++;
		freed += put_slots(chain, k, run->given, given);
		run->given = given;
		if (k + 1 == chain->opened || start_of(chain, k + 1) > chain->consumed)
			break;
		freed += put_slots(chain, k, run->given, run->nr);
		run->given = run->nr;
		chain->first++;
	}
	chain->reclaimed = chain->consumed;
	return freed;
}

/* Lengthen a free run up to want slots, forwards, then backwards. */
static void extend_run(const struct zpipe_chain *chain, struct zpipe_plan *plan, u32 want)
{
	const struct zpipe_slots *slots = chain->slots;

	if (zpipe_slots_is_spare(slots, plan->first))
		return;
	while (plan->nr < want &&
	       zpipe_slots_fits(slots, zpipe_slots_after(slots, plan->first, plan->nr), 1))
		plan->nr++;
	if (chain->contig)
		return;
	while (plan->nr < want) {
		u32 before = zpipe_slots_after(slots, plan->first, slots->nr - 1);

		if (!zpipe_slots_fits(slots, before, 1))
			break;
		plan->first = before;
		plan->nr++;
	}
}

/*
 * Reuse is LIFO: the slot given back last is taken first. But a writer that
 * wants more than a segment at once is streaming: it takes slots in the order
 * of the window, from @from on, because what the reader has just left is still
 * in the reader's cache, and runs of neighbours are found there.
 */
static bool place_anywhere(const struct zpipe_chain *chain, struct zpipe_plan *plan,
			   u64 min, u64 want, u32 from)
{
	const struct zpipe_slots *slots = chain->slots;

	plan->nr = slots_for(chain, min);
	if (slots_for(chain, want) == 1 && !chain->contig && zpipe_slots_ring_free(slots))
		plan->first = zpipe_slots_top(slots);
	else
		plan->first = zpipe_slots_find(slots, from, plan->nr);
	if (plan->first == ZPIPE_NO_SLOT)
		return false;
	extend_run(chain, plan, slots_for(chain, want));
	plan->offset = zpipe_slots_offset(slots, plan->first, chain->shift);
	plan->length = (u64)plan->nr << chain->shift;
	return true;
}

/* Does a preserved slot stand in the way, which no consuming removes? */
static bool is_held(const struct zpipe_slots *slots, u32 first, u32 nr)
{
	return nr <= slots->nr && zpipe_slots_unheld(slots, first, nr) < nr;
}

/*
 * ZPIPE_F_CONTIG: go on exactly where the last descriptor, k, stops, perhaps
 * inside its last slot, so that a view never has a seam; unless a preserved
 * slot makes one.
 */
static bool place_after(const struct zpipe_chain *chain, struct zpipe_plan *plan,
			u64 min, u64 want, u64 k)
{
	const struct zpipe_slots *slots = chain->slots;
	u64 offset = place_of(chain, k, plan->position);
	u64 skew = offset & (segment_size(chain) - 1);
	u32 shared = skew ? 1 : 0;
	u32 next;

	if (is_spare(chain, offset_of(chain, k)))
		return place_anywhere(chain, plan, min, want, 0);
	plan->first = (u32)(offset >> chain->shift);
	plan->nr = slots_for(chain, skew + min);
	next = zpipe_slots_after(slots, plan->first, shared);
	if (is_held(slots, next, plan->nr - shared))
		return place_anywhere(chain, plan, min, want, next);
	if (plan->nr > slots->nr || !zpipe_slots_fits(slots, next, plan->nr - shared))
		return false;
	extend_run(chain, plan, min_t(u32, slots_for(chain, skew + want), slots->nr));
	plan->offset = offset;
	plan->length = ((u64)plan->nr << chain->shift) - skew;
	return true;
}

/*
 * How many slots more may the chain hold, apart from those that it is imagined
 * to give back? In a shared pool no more than its quota, and no more than
 * leaves the others what they hold and have been promised.
 */
static u32 room_of(const struct zpipe_chain *chain)
{
	const struct zpipe_slots *slots = chain->slots;
	u32 own = chain->holds - slots->given;
	u32 most;

	if (!slots->shared)
		return slots->nr;
	most = min(chain->quota, slots->nr - (slots->committed - promised(chain)));
	return own < most ? most - own : 0;
}

/* Does anybody else hold slots that may come back? */
static bool others_hold(const struct zpipe_chain *chain)
{
	const struct zpipe_slots *slots = chain->slots;

	return slots->shared &&
	       (slots->committed - promised(chain) > slots->members - 1 ||
		slots->nr - slots->nr_free > chain->holds);
}

/* Find memory as if everything below floor were consumed. */
static bool place(const struct zpipe_chain *chain, struct zpipe_plan *plan,
		  u64 min, u64 want, u64 keep, u64 floor)
{
	bool go_on = chain->contig && keep > chain->first;
	u32 from = 0, room = room_of(chain);

	if (slots_for(chain, min) > room)
		return false;
	want = min(want, (u64)room << chain->shift);
	if (go_on && floor != plan->position)
		return place_after(chain, plan, min, want, keep - 1);
	/* Where the last descriptor stops; its entry outlives its memory. */
	if (keep > 0)
		from = zpipe_slots_index(chain->slots, place_of(chain, keep - 1, plan->position),
					 chain->shift);
	if (place_anywhere(chain, plan, min, want, from))
		return true;
	/* The rest of a slot that is preserved in front may help. */
	return go_on && place_after(chain, plan, min, want, keep - 1);
}

/* Where the next slot, or descriptor, would come free. */
static u64 next_boundary(const struct zpipe_chain *chain, u64 keep, u64 position)
{
	u64 k = chain->first;
	u64 boundary = k + 1 < keep ? start_of(chain, k + 1) : position;
	const struct zpipe_run *run = run_of(chain, k);

	if (run->given < run->nr)
		boundary = min(boundary, slot_end(chain, k, run->given));
	return min(boundary, chain->published);
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

/* What if all that is published below keep were consumed? */
static void give_published(struct zpipe_chain *chain, u64 keep, u64 position)
{
	u64 k;

	for (k = chain->first; k < keep; k++) {
		u64 end = k + 1 < keep ? start_of(chain, k + 1) : position;
		const struct zpipe_run *run = run_of(chain, k);
		u32 used = k + 1 < keep ? run->nr : slots_used(chain, k, position);
		u32 i = run->given;

		if (end <= chain->published) {
			give_slots(chain, k, i, used);
			continue;
		}
		while (i < used && slot_end(chain, k, i) <= chain->published)
			i++;
		give_slots(chain, k, run->given, i);
	}
}

/* Would so many slots more be too many, besides what others have? */
static bool is_over_quota(const struct zpipe_chain *chain, u32 nr)
{
	return chain->slots->shared && chain->holds - chain->slots->given + nr > chain->quota;
}

/* Does the table have an entry for one more descriptor after those before keep? */
static bool has_entry(const struct zpipe_chain *chain, u64 keep)
{
	return keep - chain->first <= chain->mask;
}

/*
 * Go on in descriptor k, the one that position is in or at the end of: the
 * same grant again, or in a guarded pipe a new one, on the next page of k's
 * run.
 */
static bool go_on_in(const struct zpipe_chain *chain, struct zpipe_plan *plan, u64 min, u64 k)
{
	u64 skip = skip_of(chain, k, plan->position);
	u64 left = start_of(chain, k) + capacity_of(chain, k) - plan->position;

	if (run_of(chain, k)->forwarded)
		return false;
	if (left < skip || left - skip < min || (skip && !has_entry(chain, plan->keep)))
		return false;
	plan->offset = place_of(chain, k, plan->position + skip);
	plan->length = left - skip;
	if (skip) {
		plan->first = (u32)(plan->offset >> chain->shift);
		plan->nr = slots_for(chain, (plan->offset & (segment_size(chain) - 1)) +
				     plan->length);
		plan->again = plan->nr;
	}
	return true;
}

/*
 * Spare slots add neither to the capacity nor to the table: there may be memory
 * where there is no room for bytes, or for an entry. Is it the reader who makes
 * room? Then *wait says where, if not at once.
 */
static int wait_for_room(const struct zpipe_chain *chain, u64 min, bool full,
			 struct zpipe_plan *plan)
{
	u64 need = plan->position + min, window = zpipe_chain_window(chain);

	plan->wait = full ? start_of(chain, chain->first + 1) : 0;
	if (need > chain->consumed + window)
		plan->wait = max(plan->wait, need - window);
	return plan->wait <= chain->published ? -EAGAIN : -ENOBUFS;
}

/*
 * No memory now. Could anybody but the writer itself change that? In a private
 * pool the readers, unless what they have preserved stands in the way.
 */
static int judge_private(struct zpipe_chain *chain, struct zpipe_plan *plan, u64 min, u64 want,
			 u64 keep, bool full)
{
	int ret;

	if (plan->position != chain->consumed)
		give_published(chain, keep, plan->position);
	ret = wait_for_room(chain, min, full, plan);
	if (!place(chain, plan, min, want, keep, chain->published))
		ret = -ENOBUFS;
	if (ret == -EAGAIN)
		plan->wait = next_boundary(chain, keep, plan->position);
	return ret;
}

/* In a shared pool, other pipes too. */
static int judge_shared(struct zpipe_chain *chain, struct zpipe_plan *plan, u64 min, u64 want,
			u64 keep)
{
	u32 given = chain->slots->given;

	plan->pool = others_hold(chain) && !is_over_quota(chain, slots_for(chain, min));
	if (plan->position != chain->consumed)
		give_published(chain, keep, plan->position);
	if (is_over_quota(chain, slots_for(chain, min)))
		return -ENOBUFS;
	if (chain->slots->given > given)
		plan->wait = next_boundary(chain, keep, plan->position);
	if (place(chain, plan, min, want, keep, chain->published)) {
		plan->wait = next_boundary(chain, keep, plan->position);
		return -EAGAIN;
	}
	plan->pool = others_hold(chain);
	return plan->pool ? -EAGAIN : -ENOBUFS;
}

/* A plan that does nothing yet. Returns how many descriptors are not taken back. */
static u64 begin_plan(const struct zpipe_chain *chain, u64 position, struct zpipe_plan *plan)
{
	u64 keep = chain->opened;

	while (keep > chain->first && start_of(chain, keep - 1) > position)
		keep--;
	*plan = (struct zpipe_plan){ .position = position, .keep = keep };
	return keep;
}

/* What leaving the open descriptor at the plan's position gives back at once. */
static void imagine_leaving(struct zpipe_chain *chain, struct zpipe_plan *plan, u64 keep)
{
	u64 k, position = plan->position;

	for (k = keep; k < chain->opened; k++)
		give_slots(chain, k, run_of(chain, k)->given, run_of(chain, k)->nr);
	if (keep > chain->first) {
		const struct zpipe_run *run = run_of(chain, keep - 1);
		u32 used = position == chain->consumed ? 0 : slots_used(chain, keep - 1, position);

		give_slots(chain, keep - 1, max_t(u32, used, run->given), run->nr);
		/* An empty one is replaced rather than left. */
		if (start_of(chain, keep - 1) == position)
			plan->keep = keep - 1;
	}
}

/**
 * zpipe_chain_plan_at - the memory of an ALLOC is where somebody else says
 * @chain: the pipe's
 * @position: committed position, from published to granted
 * @min: bytes needed; 0 counts as 1
 * @go_on: the rest of the open descriptor may be granted
 * @offset: in the window, of memory to go on in otherwise
 * @length: of it; 0 when there is none
 * @plan: the answer
 *
 * Whether that memory is free is the caller's business.
 *
 * Return: 0, -EAGAIN when there is none, -EMSGSIZE when it is too short.
 */
int zpipe_chain_plan_at(struct zpipe_chain *chain, u64 position, u64 min, bool go_on,
			u64 offset, u64 length, struct zpipe_plan *plan)
{
	u64 wait = plan->wait;
	u64 keep = begin_plan(chain, position, plan);

	plan->wait = wait;
	if (min == 0)
		min = 1;
	if (position > ZPIPE_POSITION_MAX)
		return -EMSGSIZE;
	if (go_on && keep > chain->first && go_on_in(chain, plan, min, keep - 1))
		return 0;
	if (!length)
		return -EAGAIN;
	if (length < min)
		return -EMSGSIZE;
	if (keep > chain->first && start_of(chain, keep - 1) == position)
		plan->keep = keep - 1;
	plan->first = (u32)(offset >> chain->shift);
	plan->nr = slots_for(chain, (offset & (segment_size(chain) - 1)) + length);
	plan->offset = offset;
	plan->length = length;
	plan->fixed = length;
	return 0;
}

/**
 * zpipe_chain_plan - find memory for an ALLOC
 * @chain: the pipe's, after zpipe_chain_reclaim()
 * @position: committed position
 * @min: bytes needed; 0 counts as 1
 * @want: bytes wished for
 * @plan: the answer, also where to wait
 *
 * Changes nothing. Whether waiting can help is judged by descriptors (rule
 * R3): if consuming all that is published would not make a fitting run, and
 * nobody else holds any of the pool, only the writer itself can, or the end of
 * a preserve. A table without a free entry is like a window without a free
 * slot. Never grants more than a window beyond consumed, however many spare
 * slots are in service.
 *
 * Return: 0, -EAGAIN to wait for @plan->wait, or with @plan->pool for others,
 * -ENOBUFS, -EMSGSIZE, -EINVAL.
 */
int zpipe_chain_plan(struct zpipe_chain *chain, u64 position, u64 min, u64 want,
		     struct zpipe_plan *plan)
{
	u64 capacity = zpipe_chain_capacity(chain);
	/* A shared pool has no spare slots, and so its quota is limit enough. */
	u64 limit = chain->slots->shared ? ~0ULL : chain->consumed + capacity;
	u64 keep;
	bool full;
	int ret;

	if (position < zpipe_chain_floor(chain) || position > chain->granted)
		return -EINVAL;
	if (min == 0)
		min = 1;
	if (min > capacity || position > ZPIPE_POSITION_MAX)
		return -EMSGSIZE;
	want = max(min, min(want, min(capacity, limit - position)));

	keep = begin_plan(chain, position, plan);
	if (keep > chain->first && go_on_in(chain, plan, min, keep - 1)) {
		plan->length = min(plan->length, limit - position);
		return plan->length >= min ? 0 : wait_for_room(chain, min, false, plan);
	}
	imagine_leaving(chain, plan, keep);
	full = !has_entry(chain, plan->keep);
	if (place(chain, plan, min, want, keep, chain->consumed)) {
		plan->length = min(plan->length, limit - position);
		ret = 0;
		if (full || plan->length < min)
			ret = wait_for_room(chain, min, full, plan);
	} else if (chain->slots->shared) {
		ret = judge_shared(chain, plan, min, want, keep);
	} else {
		ret = judge_private(chain, plan, min, want, keep, full);
	}
	zpipe_slots_take_back(chain->slots);
	return ret;
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

/**
 * zpipe_chain_retract - take back what is granted behind a plan's position
 * @chain: the pipe's
 * @plan: one that is about to be reserved
 *
 * Return: how many slots became free.
 */
u32 zpipe_chain_retract(struct zpipe_chain *chain, const struct zpipe_plan *plan)
{
	u32 freed = drop_later(chain, plan) + cut_last(chain, plan);

	chain->granted = plan->position;
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

		freed += cut_last(chain, plan);
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
	/* A descriptor that begins at consumed is the end of one that held nothing any more. */
	return freed + (plan->position == chain->consumed ? zpipe_chain_give_back(chain) :
							    zpipe_chain_reclaim(chain));
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

/**
 * zpipe_chain_slots - how many references a range would take in another chain
 * @chain: the pipe's
 * @from: at least consumed
 * @to: at most published
 *
 * Return: as many as its pieces have slots, or what was counted by then when
 * it is more than the pool has.
 */
u32 zpipe_chain_slots(const struct zpipe_chain *chain, u64 from, u64 to)
{
	u64 k = zpipe_chain_index(chain, from);
	struct zpipe_span piece;
	u32 nr = 0;

	while (nr <= chain->slots->nr && zpipe_chain_stretch(chain, &k, from, to, &piece)) {
		nr += slots_for(chain, (piece.offset & (segment_size(chain) - 1)) + piece.length);
		from += piece.length;
	}
	return nr;
}

/* Does a piece begin where the forwarded bytes before it end, in a slot that is still held? */
static bool goes_on(const struct zpipe_chain *chain, const struct zpipe_plan *plan,
		    const struct zpipe_span *piece)
{
	const struct zpipe_run *run;
	u64 k = plan->keep - 1;

	if (plan->keep <= chain->first || start_of(chain, k) == plan->position)
		return false;
	run = run_of(chain, k);
	return run->forwarded && start_of(chain, k) + run->fixed == plan->position &&
	       run->given < run->nr && place_of(chain, k, plan->position) == piece->offset &&
	       run->fixed + piece->length <= min_t(u64, zpipe_chain_window(chain), ZPIPE_FIXED_MAX);
}

/* Most slots that a chain may hold with forwarded ones: a range may begin inside one. */
static u32 most_forwarded(const struct zpipe_chain *chain)
{
	return chain->slots->shared ? chain->quota + 1 : chain->quota;
}

/*
 * Does the ring have slots for pages that are forwarded? In a shared pool the
 * quotas say so. Spare slots are for bytes that the writer writes.
 */
static bool fit(const struct zpipe_chain *chain, u32 nr)
{
	return !chain->slots->serving || zpipe_slots_usable(chain->slots) >= nr;
}

/**
 * zpipe_chain_plan_forward - may bytes that lie elsewhere be appended
 * @chain: the target's, after zpipe_chain_reclaim()
 * @position: committed position
 * @length: bytes, at least 1
 * @nr: slots they stand in
 * @plan: the answer: @position and @keep, or what to wait for
 *
 * Changes nothing. As for a grant, waiting must be able to help (rule R3).
 *
 * Return: 0, -EAGAIN, -ENOBUFS, -EMSGSIZE, -EINVAL.
 */
int zpipe_chain_plan_forward(struct zpipe_chain *chain, u64 position, u64 length, u32 nr,
			     struct zpipe_plan *plan)
{
	struct zpipe_slots *slots = chain->slots;
	u64 capacity = zpipe_chain_capacity(chain);
	u32 most = most_forwarded(chain), limit = most, given;
	u64 keep, need;
	int ret = -EAGAIN;

	if (position < chain->published || position > chain->granted)
		return -EINVAL;
	if (length > min_t(u64, capacity, ZPIPE_FIXED_MAX) || nr > most ||
	    position > ZPIPE_POSITION_MAX)
		return -EMSGSIZE;
	keep = begin_plan(chain, position, plan);
	imagine_leaving(chain, plan, keep);
	if (slots->shared)
		limit = min(most, slots->nr - (slots->committed - promised(chain)));
	/* Where consumed must be for the bytes to fit. */
	need = position + length > capacity ? position + length - capacity : 0;
	given = slots->given;
	if (need <= chain->consumed && chain->holds - given + nr <= limit && fit(chain, nr)) {
		ret = 0;
		goto out_take_back;
	}
	plan->pool = need <= chain->consumed && chain->holds - given + nr <= most &&
		     others_hold(chain);
	if (position != chain->consumed)
		give_published(chain, keep, position);
	if (need > chain->published || chain->holds - slots->given + nr > most ||
	    !fit(chain, nr))
		ret = -ENOBUFS;
	else if (need > chain->consumed)
		plan->wait = need;
	else if (slots->given > given)
		plan->wait = next_boundary(chain, keep, position);
	else if (!plan->pool)
		ret = -ENOBUFS;
out_take_back:
	zpipe_slots_take_back(slots);
	return ret;
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
 * @plan: of zpipe_chain_plan_forward(), with its position moved on by what was
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
	/* A descriptor that begins at consumed is the end of one that held nothing any more. */
	return freed + (plan->position == chain->consumed ? zpipe_chain_give_back(chain) :
							    zpipe_chain_reclaim(chain));
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
 * zpipe_chain_close - take back what was granted behind a position
 * @chain: the pipe's
 * @position: from published to granted
 */
void zpipe_chain_close(struct zpipe_chain *chain, u64 position)
{
	while (chain->opened > chain->first && start_of(chain, chain->opened - 1) >= position) {
		u64 k = --chain->opened;

		put_slots(chain, k, run_of(chain, k)->given, run_of(chain, k)->nr);
	}
	if (chain->opened > chain->first) {
		u64 k = chain->opened - 1;
		struct zpipe_run *run = run_of(chain, k);
		u32 used = max_t(u32, slots_used(chain, k, position), run->given);

		put_slots(chain, k, used, run->nr);
		run->nr = used;
		run->fixed = position - start_of(chain, k);
	}
	chain->granted = position;
	share(chain);
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

	for (; chain->first < chain->opened; chain->first++) {
		const struct zpipe_run *run = run_of(chain, chain->first);

		freed += put_slots(chain, chain->first, run->given, run->nr);
	}
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
