/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots - which segments of a pool are free, and how often the others are held
 *
 * Indexes and counts only: pages belong to pool.c. A slot with no references
 * stands in the free list, which is a stack, so that the memory used last (and
 * still in the caches) is used next. Runs wrap from the last slot to the first
 * because the data window is mapped twice in a row. Pure code: no locks, no
 * kernel types beyond integers; the host's unit tests and fuzzer compile it.
 */
#ifndef ZPIPE_SLOTS_H
#define ZPIPE_SLOTS_H

#include <linux/types.h>

#define ZPIPE_NO_SLOT	(~0U)

/**
 * struct zpipe_slot - one segment's bookkeeping
 * @next: below it in the free stack; only while free
 * @prev: above it in the free stack; only while free
 * @refs: references; 0 is free
 * @give: references that a what-if would give back, see zpipe_slots_give()
 */
struct zpipe_slot {
	u32 next;
	u32 prev;
	u32 refs;
	u32 give;
};

/**
 * struct zpipe_slots - the slots of a pool
 * @slot: @nr of them
 * @nr: how many
 * @nr_free: how many have no references
 * @top: of the free stack, or ZPIPE_NO_SLOT
 * @given: sum of all give counts, so that the usual what-if costs nothing
 */
struct zpipe_slots {
	struct zpipe_slot *slot;
	u32 nr;
	u32 nr_free;
	u32 top;
	u32 given;
};

void zpipe_slots_init(struct zpipe_slots *slots, struct zpipe_slot *slot, u32 nr);
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
