// SPDX-License-Identifier: GPL-2.0-only
/*
 * slots - which segments of a pool are free, and how often the others are held
 *
 * See slots.h. Everything here is bounded by the number of slots and is called
 * with the pool's lock.
 */
#include "slots.h"

static void push(struct zpipe_slots *slots, u32 index)
{
	struct zpipe_slot *slot = &slots->slot[index];
	struct zpipe_stack *stack = &slots->stack[slot->kind];

	slot->prev = ZPIPE_NO_SLOT;
	slot->next = stack->top;
	if (stack->top != ZPIPE_NO_SLOT)
		slots->slot[stack->top].prev = index;
	else
		stack->bottom = index;
	stack->top = index;
	stack->nr++;
	slots->nr_free++;
}

static void unlink(struct zpipe_slots *slots, u32 index)
{
	struct zpipe_slot *slot = &slots->slot[index];
	struct zpipe_stack *stack = &slots->stack[slot->kind];

	if (slot->prev != ZPIPE_NO_SLOT)
		slots->slot[slot->prev].next = slot->next;
	else
		stack->top = slot->next;
	if (slot->next != ZPIPE_NO_SLOT)
		slots->slot[slot->next].prev = slot->prev;
	else
		stack->bottom = slot->prev;
	stack->nr--;
	slots->nr_free--;
}

/**
 * zpipe_slots_init - make all slots free and cold, the first on top
 * @slots: to set up, zeroed
 * @slot: zeroed array of @nr entries; stays the caller's
 * @nr: at least 1
 */
void zpipe_slots_init(struct zpipe_slots *slots, struct zpipe_slot *slot, u32 nr)
{
	u32 i;

	slots->slot = slot;
	slots->nr = nr;
	for (i = 0; i < ZPIPE_SLOT_KINDS; i++) {
		slots->stack[i].top = ZPIPE_NO_SLOT;
		slots->stack[i].bottom = ZPIPE_NO_SLOT;
	}
	for (i = nr; i > 0; i--)
		push(slots, i - 1);
}

/**
 * zpipe_slots_top - the free slot that is best taken next
 * @slots: the pool's
 *
 * One that has pages, the hottest of them, before one that needs some.
 *
 * Return: its index, or ZPIPE_NO_SLOT.
 */
u32 zpipe_slots_top(const struct zpipe_slots *slots)
{
	if (slots->stack[ZPIPE_SLOT_WARM].nr)
		return slots->stack[ZPIPE_SLOT_WARM].top;
	if (slots->stack[ZPIPE_SLOT_COLD].nr)
		return slots->stack[ZPIPE_SLOT_COLD].top;
	return slots->stack[ZPIPE_SLOT_FOREIGN].top;
}

/**
 * zpipe_slots_adoptable - the free slot that foreign pages are best put in
 * @slots: the pool's
 *
 * One whose own pages nobody will miss.
 *
 * Return: its index, or ZPIPE_NO_SLOT.
 */
u32 zpipe_slots_adoptable(const struct zpipe_slots *slots)
{
	if (slots->stack[ZPIPE_SLOT_FOREIGN].nr)
		return slots->stack[ZPIPE_SLOT_FOREIGN].top;
	if (slots->stack[ZPIPE_SLOT_COLD].nr)
		return slots->stack[ZPIPE_SLOT_COLD].top;
	return slots->stack[ZPIPE_SLOT_WARM].bottom;
}

/**
 * zpipe_slots_cool - a free slot loses its pages
 * @slots: the pool's
 * @index: of the slot
 */
void zpipe_slots_cool(struct zpipe_slots *slots, u32 index)
{
	unlink(slots, index);
	slots->slot[index].kind = ZPIPE_SLOT_COLD;
	push(slots, index);
}

/**
 * zpipe_slots_get - take a reference to each slot of a run
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run, at most the number of slots
 */
void zpipe_slots_get(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(slots, first, i);

		if (slots->slot[index].refs++ == 0)
			unlink(slots, index);
	}
	slots->takes++;
}

/**
 * zpipe_slots_put - drop a reference to each slot of a run
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * Return: how many became free.
 */
u32 zpipe_slots_put(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i, freed = 0;

	slots->released = true;
	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(slots, first, i);

		if (--slots->slot[index].refs == 0) {
			push(slots, index);
			freed++;
		}
	}
	return freed;
}

/**
 * zpipe_slots_give - what if these references were dropped
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * Until zpipe_slots_take_back() the slots count as free for zpipe_slots_fits()
 * and zpipe_slots_find() when nobody else holds them.
 */
void zpipe_slots_give(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		slots->slot[zpipe_slots_after(slots, first, i)].give++;
	slots->given += nr;
}

/**
 * zpipe_slots_take_back - end of all what-ifs
 * @slots: the pool's
 */
void zpipe_slots_take_back(struct zpipe_slots *slots)
{
	u32 i;

	if (!slots->given)
		return;
	for (i = 0; i < slots->nr; i++)
		slots->slot[i].give = 0;
	slots->given = 0;
}

/**
 * zpipe_slots_fits - is a run free, or would it be
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * Return: whether all of it is.
 */
bool zpipe_slots_fits(const struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i;

	if (nr > slots->nr)
		return false;
	for (i = 0; i < nr; i++) {
		const struct zpipe_slot *slot;

		slot = &slots->slot[zpipe_slots_after(slots, first, i)];
		if (slot->refs != slot->give)
			return false;
	}
	return true;
}

/**
 * zpipe_slots_find - look for a run that is free, or would be
 * @slots: the pool's
 * @from: index where the search begins
 * @nr: length of the run, at least 1
 *
 * Return: its first slot, or ZPIPE_NO_SLOT.
 */
u32 zpipe_slots_find(const struct zpipe_slots *slots, u32 from, u32 nr)
{
	u32 i, len = 0;

	if (nr > slots->nr)
		return ZPIPE_NO_SLOT;
	/* One turn, and then far enough to finish a run begun in it. */
	for (i = 0; i < slots->nr + nr - 1; i++) {
		u32 index = zpipe_slots_after(slots, from, i);

		if (slots->slot[index].refs == slots->slot[index].give)
			len++;
		else
			len = 0;
		if (len == nr)
			return zpipe_slots_after(slots, from, i + 1 - nr);
	}
	return ZPIPE_NO_SLOT;
}
