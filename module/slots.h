/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots - which segments of a pool are free, and how often the others are held
 *
 * Indexes and counts only: pages belong to pool.c. A slot with no references
 * stands in a stack of free ones, so that the memory used last (and still in
 * the caches) is used next, and the memory used longest ago is given up first.
 * Runs wrap from the last slot to the first because the data window is mapped
 * twice in a row.
 *
 * Behind these @nr slots, the ring, are as many spare ones. A slot that is held
 * (preserved) is lost to the stream, so for each held slot one spare slot is in
 * service in its place; the others are parked, which is neither free nor taken.
 * A spare slot is never part of a longer run. When a slot is held no longer, a
 * free spare slot is parked; if none is free, one is owed: the next to come
 * free. Always: in service - owed = held.
 *
 * Pure code: no locks, no kernel types beyond integers; the host's unit tests
 * and fuzzer compile it.
 */
#ifndef ZPIPE_SLOTS_H
#define ZPIPE_SLOTS_H

#include <linux/types.h>

/* No slot's index. Indices fit in 16 bits, and are kept so: an idle pipe has many. */
#define ZPIPE_NO_SLOT	0xffffU

/* What stands behind a slot of the ring; for each there is a stack of those that are free. */
enum zpipe_slot_kind {
	ZPIPE_SLOT_COLD,	/* no pages */
	ZPIPE_SLOT_WARM,	/* pages of its own */
	ZPIPE_SLOT_FOREIGN,	/* pages of another pool, forwarded */
	ZPIPE_SLOT_KINDS
};

/**
 * struct zpipe_slot - one segment's bookkeeping
 * @next: below it in its stack; only while free or parked
 * @prev: above it in its stack; only while free or parked
 * @refs: references; 0 is free. Being parked counts as one
 * @holds: references that preserve it
 * @give: references that a what-if would give back, see zpipe_slots_give()
 * @kind: enum zpipe_slot_kind, of a slot of the ring; who holds it may change
 *	this, so it is no bit-field
 * @parked: a spare slot out of service
 */
struct zpipe_slot {
	u16 next;
	u16 prev;
	u32 refs;
	u32 holds;
	u16 give;
	u8 kind;
	bool parked;
};

/**
 * struct zpipe_stack - slots that are free, of a kind, or parked
 * @top: given back last, or ZPIPE_NO_SLOT
 * @bottom: given back first, or ZPIPE_NO_SLOT
 * @nr: how many
 */
struct zpipe_stack {
	u16 top;
	u16 bottom;
	u16 nr;
};

/**
 * struct zpipe_slots - the slots of a pool
 * @slot: the ring's, then the spare ones; see zpipe_slots_total()
 * @nr: how many the ring has, and how many are spare
 * @nr_free: how many have no references, spare ones too
 * @stack: the ring's free ones, by kind
 * @spare: free spare slots
 * @parked: parked ones
 * @serving: spare slots in service
 * @owed: of these, how many are to be parked as they come free
 * @borrowed: references that calls under way have for themselves
 * @claimed: spare slots that calls have taken, neither parked nor in service
 * @returned: how many were, since the caller cleared this
 * @given: sum of all give counts, so that the usual what-if costs nothing
 * @shared: several chains use them, so there are quotas and reserves
 * @released: set by all that makes a slot free, for who waits for one
 * @members: chains that do
 * @committed: sum over the chains of what each holds, and at least 1 for each:
 *	its reserve. Shared: at most @nr, so that who holds nothing finds a slot
 * @takes: how often slots were taken, so that idleness shows
 */
struct zpipe_slots {
	struct zpipe_slot *slot;
	u32 nr;
	u32 nr_free;
	struct zpipe_stack stack[ZPIPE_SLOT_KINDS];
	struct zpipe_stack spare;
	struct zpipe_stack parked;
	u32 serving;
	u32 owed;
	u32 borrowed;
	u32 claimed;
	u32 returned;
	u32 given;
	bool shared;
	bool released;
	u32 members;
	u32 committed;
	u64 takes;
};

/**
 * struct zpipe_census - slots in service and references to them, counted one by one
 * @free: slots without a reference
 * @preserved: slots whose references all preserve them
 * @taken: all others
 * @references: to slots that are not parked
 * @holds: of these, those that preserve
 */
struct zpipe_census {
	u32 free;
	u32 preserved;
	u32 taken;
	u64 references;
	u64 holds;
};

void zpipe_slots_init(struct zpipe_slots *slots, struct zpipe_slot *slot, u32 nr);
u32 zpipe_slots_top(const struct zpipe_slots *slots);
u32 zpipe_slots_adoptable(const struct zpipe_slots *slots);
u32 zpipe_slots_usable(const struct zpipe_slots *slots);
void zpipe_slots_cool(struct zpipe_slots *slots, u32 index);
void zpipe_slots_get(struct zpipe_slots *slots, u32 first, u32 nr);
u32 zpipe_slots_put(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_borrow(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_give_up(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_give(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_take_back(struct zpipe_slots *slots);
bool zpipe_slots_fits(const struct zpipe_slots *slots, u32 first, u32 nr);
u32 zpipe_slots_find(const struct zpipe_slots *slots, u32 from, u32 nr);
u32 zpipe_slots_unheld(const struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_hold(struct zpipe_slots *slots, u32 first, u32 nr);
u32 zpipe_slots_unhold(struct zpipe_slots *slots, u32 first, u32 nr);
void zpipe_slots_claim(struct zpipe_slots *slots, u32 index);
void zpipe_slots_park(struct zpipe_slots *slots, u32 index);
void zpipe_slots_serve(struct zpipe_slots *slots, u32 index);
void zpipe_slots_count(const struct zpipe_slots *slots, struct zpipe_census *census);

/* The ring's and the spare ones. */
static inline u32 zpipe_slots_total(const struct zpipe_slots *slots)
{
	return 2 * slots->nr;
}

static inline bool zpipe_slots_is_spare(const struct zpipe_slots *slots, u32 index)
{
	return index >= slots->nr;
}

/* Free slots of the ring. */
static inline u32 zpipe_slots_ring_free(const struct zpipe_slots *slots)
{
	return slots->nr_free - slots->spare.nr;
}

/* The slot @by places after @index, round the window's end; a spare one is alone. */
static inline u32 zpipe_slots_after(const struct zpipe_slots *slots, u32 index, u32 by)
{
	u64 i = (u64)index + by;

	if (i < slots->nr || zpipe_slots_is_spare(slots, index))
		return (u32)i;
	return (u32)(i % slots->nr);
}

/*
 * Data offsets count the window twice, as it is mapped, and the spare slots
 * behind it.
 */
static inline u64 zpipe_slots_offset(const struct zpipe_slots *slots, u32 index, u32 shift)
{
	return ((u64)index + (zpipe_slots_is_spare(slots, index) ? slots->nr : 0)) << shift;
}

static inline u32 zpipe_slots_index(const struct zpipe_slots *slots, u64 offset, u32 shift)
{
	u32 i = (u32)(offset >> shift);

	return i < slots->nr ? i : i - slots->nr;
}

#endif /* ZPIPE_SLOTS_H */
