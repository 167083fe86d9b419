// SPDX-License-Identifier: GPL-2.0-only
/*
 * plan - where a grant, or forwarded bytes, would go
 *
 * A plan changes nothing: chain.c reserves its slots, and commits it or gives
 * them up. Whether waiting can help is judged here too.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/minmax.h>
#else
#include "host.h"
#endif

#include "entry.h"
#include "plan.h"

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
	return zpipe_slots_unheld(slots, first, nr) < nr;
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

	boundary = min(boundary, slot_end(chain, k, run_of(chain, k)->given));
	return min(boundary, chain->published);
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

/* Shared: would so many slots more be too many, besides what others have? */
static bool is_over_quota(const struct zpipe_chain *chain, u32 nr)
{
	return chain->holds - chain->slots->given + nr > chain->quota;
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

/* An empty descriptor is replaced rather than left. */
static void replace_empty(const struct zpipe_chain *chain, struct zpipe_plan *plan)
{
	if (plan->keep > chain->first && start_of(chain, plan->keep - 1) == plan->position)
		plan->keep--;
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
	}
	replace_empty(chain, plan);
}

/**
 * zpipe_plan_at - the memory of an ALLOC is where somebody else says
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
int zpipe_plan_at(struct zpipe_chain *chain, u64 position, u64 min, bool go_on,
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
	replace_empty(chain, plan);
	plan->first = (u32)(offset >> chain->shift);
	plan->nr = slots_for(chain, (offset & (segment_size(chain) - 1)) + length);
	plan->offset = offset;
	plan->length = length;
	plan->fixed = length;
	return 0;
}

/**
 * zpipe_plan_grant - find memory for an ALLOC
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
int zpipe_plan_grant(struct zpipe_chain *chain, u64 position, u64 min, u64 want,
		     struct zpipe_plan *plan)
{
	u64 capacity = zpipe_chain_capacity(chain);
	/* In a shared pool the quota counts spare slots too, and so is limit enough. */
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

/* Most slots that a chain may hold with forwarded ones: a range may begin inside one. */
static u32 most_forwarded(const struct zpipe_chain *chain)
{
	return chain->slots->shared ? chain->quota + 1 : chain->quota;
}

/*
 * Does the ring have slots for pages that are forwarded? Spare slots are for
 * bytes that the writer writes. In a shared pool most need none but those that
 * the bytes stand in; who adopts looks again.
 */
static bool fit(const struct zpipe_chain *chain, u32 nr)
{
	const struct zpipe_slots *slots = chain->slots;

	return slots->shared || !slots->serving || zpipe_slots_usable(slots) >= nr;
}

/**
 * zpipe_plan_forward - may bytes that lie elsewhere be appended
 * @chain: the target's; after zpipe_chain_reclaim() there may be more room
 * @position: committed position
 * @length: bytes, at least 1
 * @nr: slots they stand in
 * @plan: the answer: @position and @keep, or what to wait for
 *
 * Changes nothing. As for a grant, waiting must be able to help (rule R3).
 *
 * Return: 0, -EAGAIN, -ENOBUFS, -EMSGSIZE, -EINVAL.
 */
int zpipe_plan_forward(struct zpipe_chain *chain, u64 position, u64 length, u32 nr,
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
	if (slots->shared)
		limit = min(most, slots->nr - (slots->committed - promised(chain)));
	/* Where consumed must be for the bytes to fit. */
	need = position + length > capacity ? position + length - capacity : 0;
	/* Mostly there is room whatever comes back, which takes long to imagine. */
	if (need <= chain->consumed && chain->holds + nr <= limit && fit(chain, nr)) {
		replace_empty(chain, plan);
		return 0;
	}
	imagine_leaving(chain, plan, keep);
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
