// SPDX-License-Identifier: GPL-2.0-only
/*
 * slots - which segments of a pool are free, and how often the others are held
 *
 * See slots.h. Everything here is bounded by the number of slots and is called
 * with the pool's lock.
 */
#include "slots.h"

static const struct zpipe_stack empty = { .top = ZPIPE_NO_SLOT, .bottom = ZPIPE_NO_SLOT };

static void push(struct zpipe_slots *slots, struct zpipe_stack *stack, u32 index)
{
	struct zpipe_slot *slot = &slots->slot[index];

	slot->prev = ZPIPE_NO_SLOT;
	slot->next = stack->top;
	if (stack->top != ZPIPE_NO_SLOT)
		slots->slot[stack->top].prev = (u16)index;
	else
		stack->bottom = (u16)index;
	stack->top = (u16)index;
	stack->nr++;
}

static void unlink(struct zpipe_slots *slots, struct zpipe_stack *stack, u32 index)
{
	struct zpipe_slot *slot = &slots->slot[index];

	if (slot->prev != ZPIPE_NO_SLOT)
		slots->slot[slot->prev].next = slot->next;
	else
		stack->top = slot->next;
	if (slot->next != ZPIPE_NO_SLOT)
		slots->slot[slot->next].prev = slot->prev;
	else
		stack->bottom = slot->prev;
	stack->nr--;
}

static void park(struct zpipe_slots *slots, u32 index)
{
	slots->slot[index].parked = true;
	push(slots, &slots->parked, index);
}

/* Which of the free stacks. */
static struct zpipe_stack *stack_of(struct zpipe_slots *slots, u32 index)
{
	if (zpipe_slots_is_spare(slots, index))
		return &slots->spare;
	return &slots->stack[slots->slot[index].kind];
}

static void make_free(struct zpipe_slots *slots, u32 index)
{
	push(slots, stack_of(slots, index), index);
	slots->nr_free++;
}

static void take_free(struct zpipe_slots *slots, u32 index)
{
	unlink(slots, stack_of(slots, index), index);
	slots->nr_free--;
}

/* The last reference is gone. */
static void come_free(struct zpipe_slots *slots, u32 index)
{
	if (zpipe_slots_is_spare(slots, index) && slots->owed) {
		slots->owed--;
		slots->serving--;
		slots->returned++;
		slots->slot[index].refs = 1;
		park(slots, index);
	} else {
		make_free(slots, index);
	}
}

/**
 * zpipe_slots_init - make the ring free and cold, its first slot on top, and park the rest
 * @slots: to set up
 * @slot: zeroed array of twice @nr entries; stays the caller's
 * @nr: at least 1
 */
void zpipe_slots_init(struct zpipe_slots *slots, struct zpipe_slot *slot, u32 nr)
{
	u32 i;

	*slots = (struct zpipe_slots){
		.slot = slot, .nr = nr, .spare = empty, .parked = empty,
	};
	for (i = 0; i < ZPIPE_SLOT_KINDS; i++)
		slots->stack[i] = empty;
	for (i = 2 * nr; i > nr; i--) {
		slot[i - 1].refs = 1;
		park(slots, i - 1);
	}
	for (; i > 0; i--)
		make_free(slots, i - 1);
}

/**
 * zpipe_slots_top - the free slot that is best taken next
 * @slots: the pool's
 *
 * One that has pages, the hottest of them, before one that needs some. Not a
 * spare one.
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
 * One whose own pages nobody will miss. Not a spare one.
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
 * zpipe_slots_usable - how many slots of the ring are free, or would be
 * @slots: the pool's
 *
 * Return: their number.
 */
u32 zpipe_slots_usable(const struct zpipe_slots *slots)
{
	u32 i, nr = 0;

	for (i = 0; i < slots->nr; i++)
		nr += slots->slot[i].refs == slots->slot[i].give;
	return nr;
}

/**
 * zpipe_slots_cool - a free slot of the ring loses its pages
 * @slots: the pool's
 * @index: of the slot
 */
void zpipe_slots_cool(struct zpipe_slots *slots, u32 index)
{
	take_free(slots, index);
	slots->slot[index].kind = ZPIPE_SLOT_COLD;
	make_free(slots, index);
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
			take_free(slots, index);
	}
	slots->takes++;
}

/**
 * zpipe_slots_put - drop a reference to each slot of a run
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * Return: how many became free, those that were parked then included.
 */
u32 zpipe_slots_put(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i, freed = 0;

	slots->released = true;
	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(slots, first, i);

		if (--slots->slot[index].refs == 0) {
			come_free(slots, index);
			freed++;
		}
	}
	return freed;
}

/**
 * zpipe_slots_borrow - zpipe_slots_get() for as long as a call needs
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 */
void zpipe_slots_borrow(struct zpipe_slots *slots, u32 first, u32 nr)
{
	zpipe_slots_get(slots, first, nr);
	slots->borrowed += nr;
}

/**
 * zpipe_slots_give_up - drop what was borrowed
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 */
void zpipe_slots_give_up(struct zpipe_slots *slots, u32 first, u32 nr)
{
	slots->borrowed -= nr;
	zpipe_slots_put(slots, first, nr);
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
	for (i = 0; i < zpipe_slots_total(slots); i++)
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

/*
 * A spare slot that is free, or would be. Of those that a what-if gives back,
 * as many as are owed would be parked instead.
 */
static u32 find_spare(const struct zpipe_slots *slots)
{
	u32 i, owed = slots->owed;

	if (slots->spare.nr || !slots->serving || !slots->given)
		return slots->spare.top;
	for (i = slots->nr; i < zpipe_slots_total(slots); i++) {
		if (slots->slot[i].refs == slots->slot[i].give && owed-- == 0)
			return i;
	}
	return ZPIPE_NO_SLOT;
}

/**
 * zpipe_slots_find - look for a run that is free, or would be
 * @slots: the pool's
 * @from: index where the search begins
 * @nr: length of the run, at least 1
 *
 * Return: its first slot, a spare one only when nothing else fits, or
 * ZPIPE_NO_SLOT.
 */
u32 zpipe_slots_find(const struct zpipe_slots *slots, u32 from, u32 nr)
{
	u32 i, len = 0;

	if (nr > slots->nr)
		return ZPIPE_NO_SLOT;
	if (zpipe_slots_is_spare(slots, from))
		from = 0;
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
	return nr == 1 ? find_spare(slots) : ZPIPE_NO_SLOT;
}

/**
 * zpipe_slots_unheld - how many slots of a run does nobody hold
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * Return: as many spare slots as zpipe_slots_hold() wants in service, less
 * those that are owed.
 */
u32 zpipe_slots_unheld(const struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i, unheld = 0;

	for (i = 0; i < nr; i++)
		unheld += slots->slot[zpipe_slots_after(slots, first, i)].holds == 0;
	return unheld;
}

/**
 * zpipe_slots_hold - preserve each slot of a run
 * @slots: the pool's
 * @first: index of the run's first slot; the caller knows that they are taken
 * @nr: length of the run
 *
 * For each slot that nobody held before, a spare one that was owed stays in
 * service; where none was, the caller has called zpipe_slots_serve().
 */
void zpipe_slots_hold(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		struct zpipe_slot *slot = &slots->slot[zpipe_slots_after(slots, first, i)];

		slot->refs++;
		if (slot->holds++ == 0)
			slots->owed--;
	}
}

/**
 * zpipe_slots_unhold - the opposite
 * @slots: the pool's
 * @first: index of the run's first slot
 * @nr: length of the run
 *
 * For each slot that nobody holds now, a spare one is parked, or owed.
 *
 * Return: how many slots became free.
 */
u32 zpipe_slots_unhold(struct zpipe_slots *slots, u32 first, u32 nr)
{
	u32 i, freed = 0;

	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(slots, first, i);

		if (--slots->slot[index].holds == 0)
			slots->owed++;
		freed += zpipe_slots_put(slots, index, 1);
	}
	while (slots->owed && slots->spare.nr) {
		u32 index = slots->spare.top;

		take_free(slots, index);
		come_free(slots, index);
	}
	return freed;
}

/**
 * zpipe_slots_claim - take a parked slot, to give it pages or take them away
 * @slots: the pool's
 * @index: a parked one
 */
void zpipe_slots_claim(struct zpipe_slots *slots, u32 index)
{
	unlink(slots, &slots->parked, index);
	slots->slot[index].parked = false;
	slots->claimed++;
}

/**
 * zpipe_slots_park - put a claimed slot back
 * @slots: the pool's
 * @index: a spare slot whose only reference is the caller's
 */
void zpipe_slots_park(struct zpipe_slots *slots, u32 index)
{
	slots->claimed--;
	park(slots, index);
}

/**
 * zpipe_slots_serve - a claimed slot goes into service
 * @slots: the pool's
 * @index: as for zpipe_slots_park(); it is free then, and owed
 */
void zpipe_slots_serve(struct zpipe_slots *slots, u32 index)
{
	slots->slot[index].refs = 0;
	slots->claimed--;
	slots->released = true;
	slots->serving++;
	slots->owed++;
	make_free(slots, index);
}

/**
 * zpipe_slots_count - look at every slot
 * @slots: the pool's
 * @census: the result
 *
 * No count that is kept here is believed, so that who compares them finds out when
 * one is wrong: @free + @preserved + @taken is what the ring has, what serves and
 * what is claimed; @references the sum of what chains, preserved ranges, posted
 * buffers and calls have.
 */
void zpipe_slots_count(const struct zpipe_slots *slots, struct zpipe_census *census)
{
	u32 i;

	*census = (struct zpipe_census){};
	for (i = 0; i < zpipe_slots_total(slots); i++) {
		const struct zpipe_slot *slot = &slots->slot[i];

		if (slot->parked)
			continue;
		census->references += slot->refs;
		census->holds += slot->holds;
		if (!slot->refs)
			census->free++;
		else if (slot->refs == slot->holds)
			census->preserved++;
		else
			census->taken++;
	}
}
