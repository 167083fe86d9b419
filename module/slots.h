/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots - which segments of a pool are free, and how often the others are held
 *
 * Indexes and counts only: pages belong to pool.c. A slot with no references
 * stands in a stack of free ones, so that the memory used last (and still in
 * the caches) is used next, and the memory used longest ago is given up first.
 * Runs wrap from the last slot to the first
 * because the data window is mapped twice in a row. Pure code: no locks, no
 * kernel types beyond integers; the host's unit tests and fuzzer compile it.
 */
#ifndef ZPIPE_SLOTS_H
#define ZPIPE_SLOTS_H

#include <linux/types.h>

#define ZPIPE_NO_SLOT	(~0U)

/* What stands behind a slot; for each there is a stack of those that are free. */
enum zpipe_slot_kind {
	ZPIPE_SLOT_COLD,	/* no pages */
	ZPIPE_SLOT_WARM,	/* pages of its own */
	ZPIPE_SLOT_FOREIGN,	/* pages of another pool, forwarded */
	ZPIPE_SLOT_KINDS
};

/**
 * struct zpipe_slot - one segment's bookkeeping
 * @next: below it in its free stack; only while free
 * @prev: above it in its free stack; only while free
 * @refs: references; 0 is free
 * @give: references that a what-if would give back, see zpipe_slots_give()
 * @kind: enum zpipe_slot_kind; who holds the slot may change it
 */
struct zpipe_slot {
	u32 next;
	u32 prev;
	u32 refs;
	u32 give;
	u32 kind;
};

/**
 * struct zpipe_stack - free slots of a kind
 * @top: given back last, or ZPIPE_NO_SLOT
 * @bottom: given back first, or ZPIPE_NO_SLOT
 * @nr: how many
 */
struct zpipe_stack {
	u32 top;
	u32 bottom;
	u32 nr;
};

/**
 * struct zpipe_slots - the slots of a pool
 * @slot: @nr of them
 * @nr: how many
 * @nr_free: how many have no references
 * @stack: of the free ones, by kind
 * @given: sum of all give counts, so that the usual what-if costs nothing
 * @shared: several chains use them, so there are quotas and reserves
 * @members: chains that do
 * @committed: sum over the chains of what each holds, and at least 1 for each:
 *	its reserve. At most @nr, so that who holds nothing finds a free slot
 * @released: set by every put, for who waits for one
 * @takes: how often a free slot was taken, so that idleness shows
 */
struct zpipe_slots {
	struct zpipe_slot *slot;
	u32 nr;
	u32 nr_free;
	struct zpipe_stack stack[ZPIPE_SLOT_KINDS];
	u32 given;
	bool shared;
	u32 members;
	u32 committed;
	bool released;
	u64 takes;
};

void zpipe_slots_init(struct zpipe_slots *slots, struct zpipe_slot *slot, u32 nr);
u32 zpipe_slots_top(const struct zpipe_slots *slots);
u32 zpipe_slots_adoptable(const struct zpipe_slots *slots);
void zpipe_slots_cool(struct zpipe_slots *slots, u32 index);
void zpipe_slots_get(struct zpipe_slots *slots, u32 first, u32 nr);
u32 zpipe_slots_put(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_give(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_take_back(struct zpipe_slots *slots);
bool zpipe_slots_fits(const struct zpipe_slots *slots, u32 first, u32 nr);
u32 zpipe_slots_find(const struct zpipe_slots *slots, u32 from, u32 nr);

/* The slot @by places after @index, round the window's end. */
static inline u32 zpipe_slots_after(const struct zpipe_slots *slots, u32 index, u32 by)
{
	u64 i = (u64)index + by;

	return i < slots->nr ? (u32)i : (u32)(i % slots->nr);
}

#endif /* ZPIPE_SLOTS_H */
