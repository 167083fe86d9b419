// SPDX-License-Identifier: MIT
/*
 * pool_test - two chains that share their slots, forward to each other and preserve, as TAP
 *
 * Random steps; after each, what the slots count is recomputed from the chains
 * and the preserved ranges, and each byte that is given back is held against what
 * was put there, whoever has used its slot since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "host.h"
#include "plan.h"

#define SLOTS		8
#define SHIFT		4
#define WINDOW		(SLOTS << SHIFT)
#define ENTRIES		16
#define SHADOW		1024
#define PROGRAMS	3000
#define STEPS		400
#define HOLDS		4

#define expect(cond)							\
	do {								\
		if (!(cond))						\
			fail(#cond, __LINE__);				\
	} while (0)

struct side {
	struct zpipe_descriptor table[ENTRIES];
	struct zpipe_run run[ENTRIES];
	u64 opened, granted;
	struct zpipe_chain chain;
	u64 committed;
	u32 expected[SHADOW];	/* by position */
};

/* A preserved range. */
struct hold {
	u32 nr;
	struct zpipe_span span[ENTRIES];
	u32 expected[WINDOW];
	u32 length;
};

static struct zpipe_slot slot[2 * SLOTS];
static struct zpipe_slots slots;
static struct side side[2];
static struct hold kept[HOLDS];
static u32 memory[3 * WINDOW];
static u32 last_value;
static unsigned long forwards, joined, waits, refused, grants, preserved, spares;

static uint64_t state = 88172645463325252ULL;

static _Noreturn void fail(const char *what, int line)
{
	fprintf(stderr, "pool_test: line %d: %s is false\n", line, what);
	abort();
}

static u32 next(u32 below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (u32)(state >> 24) % below : 0;
}

static void start(void)
{
	int i;

	memset(slot, 0, sizeof(slot));
	memset(&slots, 0, sizeof(slots));
	memset(side, 0, sizeof(side));
	memset(kept, 0, sizeof(kept));
	zpipe_slots_init(&slots, slot, SLOTS);
	slots.shared = true;
	for (i = 0; i < 2; i++) {
		side[i].chain = (struct zpipe_chain){
			.slots = &slots, .table = side[i].table, .run = side[i].run,
			.mask = ENTRIES - 1, .shift = SHIFT, .quota = 2 + next(SLOTS - 1),
			.opened_word = &side[i].opened, .granted_word = &side[i].granted,
		};
		expect(zpipe_chain_join(&side[i].chain));
	}
}

/* The spare slots lie behind the two turns of the window. */
static u32 *memory_at(u64 offset)
{
	return &memory[offset < 2 * WINDOW ? offset % WINDOW : offset];
}

static u32 slot_at(u64 offset)
{
	return zpipe_slots_index(&slots, offset, SHIFT);
}

static u32 slots_of(const struct zpipe_span *span)
{
	u64 skew = span->offset % (1 << SHIFT);

	return (u32)((skew + span->length + (1 << SHIFT) - 1) >> SHIFT);
}

/* What fdinfo shows, recounted from what chains and preserved ranges have. */
static void check_census(const u32 *refs, const u32 *held)
{
	struct zpipe_census census;
	u32 i, only_held = 0, all = 0, holds = 0;

	zpipe_slots_count(&slots, &census);
	for (i = 0; i < 2 * SLOTS; i++) {
		only_held += refs[i] && refs[i] == held[i];
		all += refs[i];
		holds += held[i];
	}
	expect(census.free == slots.nr_free && census.preserved == only_held);
	expect(census.free + census.preserved + census.taken == SLOTS + slots.serving);
	expect(census.references == all && census.holds == holds);
	expect(!slots.borrowed && !slots.claimed);
}

static void check_counts(void)
{
	u32 refs[2 * SLOTS] = { 0 }, held[2 * SLOTS] = { 0 }, committed = 0, used = 0, i, j, k;

	for (k = 0; k < 2; k++) {
		const struct zpipe_chain *c = &side[k].chain;
		u32 holds = 0;
		u64 n;

		for (n = c->first; n < c->opened; n++) {
			const struct zpipe_run *run = &c->run[n & c->mask];
			u32 first = slot_at(c->table[n & c->mask].offset);

			for (i = run->given; i < run->nr; i++)
				refs[zpipe_slots_after(&slots, first, i)]++;
			holds += run->nr - run->given;
		}
		expect(c->holds == holds);
		expect(holds <= c->quota + 1);
		expect(c->opened - c->first <= ENTRIES);
		expect(c->granted - c->consumed <= zpipe_chain_capacity(c) ||
		       c->granted == side[k].committed || holds <= c->quota);
		expect(c->published - c->consumed <= zpipe_chain_capacity(c));
		committed += max(holds, 1U);
	}
	expect(slots.committed == committed);
	expect(committed <= SLOTS);
	for (k = 0; k < HOLDS; k++) {
		for (i = 0; i < kept[k].nr; i++) {
			for (j = 0; j < slots_of(&kept[k].span[i]); j++) {
				u32 at = zpipe_slots_after(&slots, slot_at(kept[k].span[i].offset),
							   j);

				refs[at]++;
				held[at]++;
			}
		}
	}
	for (i = 0, k = 0; i < 2 * SLOTS; i++) {
		expect(slot[i].refs == refs[i] + slot[i].parked && slot[i].give == 0);
		expect(slot[i].holds == held[i]);
		used += refs[i] != 0;
		k += held[i] != 0;
	}
	expect(slots.serving == k + slots.owed);
	expect(slots.nr_free == SLOTS + slots.serving - used);
	/* So who holds nothing finds a slot, whatever is preserved. */
	expect(slots.nr_free >= SLOTS - committed);
	check_census(refs, held);
}

static void put(struct side *s, u64 offset, u64 length)
{
	u64 i;

	for (i = 0; i < length; i++) {
		*memory_at(offset + i) = ++last_value;
		s->expected[(s->committed + i) % SHADOW] = last_value;
	}
	s->committed += length;
}

static void alloc(struct side *s)
{
	u64 min = 1 + next(2 * (1 << SHIFT)), position = s->committed;
	struct zpipe_plan plan;
	int ret;

	if (next(8) == 0)
		position -= next((u32)(position - s->chain.published + 1));
	zpipe_chain_reclaim(&s->chain);
	ret = zpipe_plan_grant(&s->chain, position, min, next(3 * (1 << SHIFT)), &plan);
	if (ret) {
		/* Its reserve is always there. */
		expect(s->chain.holds || min > 1 << SHIFT);
		expect(ret != -EAGAIN || plan.wait || plan.pool);
		waits += ret == -EAGAIN;
		refused += ret == -ENOBUFS;
		return;
	}
	if (plan.nr)
		zpipe_chain_reserve(&s->chain, &plan);
	zpipe_chain_commit(&s->chain, &plan);
	spares += plan.nr && zpipe_slots_is_spare(&slots, plan.first);
	s->committed = position;
	put(s, plan.offset, next((u32)plan.length + 1));
	grants++;
}

static u32 count_slots(const struct zpipe_span *span, u32 nr)
{
	u32 sum = 0;

	while (nr--)
		sum += slots_of(span++);
	return sum;
}

static void append(struct side *to, const struct zpipe_span *span, u32 nr, const u32 *values,
		   u64 length)
{
	struct zpipe_plan plan;
	u64 opened;
	u32 i, j;
	int ret;

	zpipe_chain_reclaim(&to->chain);
	ret = zpipe_plan_forward(&to->chain, to->committed, length, count_slots(span, nr), &plan);
	if (ret) {
		expect(ret == -EAGAIN || ret == -ENOBUFS || ret == -EMSGSIZE);
		expect(ret != -EAGAIN || plan.wait || plan.pool);
		waits += ret == -EAGAIN;
		return;
	}
	opened = to->chain.opened;
	plan.forwarded = true;
	for (i = 0; i < length; i++)
		to->expected[(to->committed + i) % SHADOW] = values[i];
	to->committed += length;
	for (i = 0; i < nr; i++) {
		plan.offset = span[i].offset;
		plan.length = span[i].length;
		plan.fixed = span[i].length;
		plan.first = slot_at(span[i].offset);
		plan.nr = slots_of(&span[i]);
		for (j = 0; j < plan.nr; j++)
			zpipe_chain_take(&to->chain, zpipe_slots_after(&slots, plan.first, j));
		zpipe_chain_append(&to->chain, &plan, &span[i]);
		plan.position += span[i].length;
		plan.keep = to->chain.opened;
	}
	expect(to->chain.granted == to->committed);
	joined += to->chain.opened == opened;
	forwards++;
}

/* A range of what is there, and its values; 0 when nothing is. */
static u32 choose(const struct side *from, u64 *at, u64 *end, u32 values[WINDOW])
{
	u64 held = zpipe_chain_held(&from->chain);
	u32 i;

	if (!held)
		return 0;
	*at = from->chain.consumed + next((u32)held);
	*end = *at + 1 + next((u32)(from->chain.published - *at));
	if (*end - *at > WINDOW)
		*end = *at + WINDOW;
	for (i = 0; i < *end - *at; i++)
		values[i] = from->expected[(*at + i) % SHADOW];
	return i;
}

static void forward(const struct side *from, struct side *to)
{
	u32 values[WINDOW], nr = 0, length;
	struct zpipe_span piece[ENTRIES];
	u64 at, end, k;

	length = choose(from, &at, &end, values);
	if (!length)
		return;
	k = zpipe_chain_index(&from->chain, at);
	while (zpipe_chain_stretch(&from->chain, &k, at, end, &piece[nr]))
		at += piece[nr++].length;
	append(to, piece, nr, values, length);
}

static void preserve(const struct side *from, struct hold *hold)
{
	u32 i, j, unheld = 0;
	u64 at, end;

	hold->length = choose(from, &at, &end, hold->expected);
	if (!hold->length)
		return;
	hold->nr = zpipe_chain_spans(&from->chain, at, end, hold->span, ENTRIES);
	for (i = 0; i < hold->nr; i++)
		unheld += zpipe_slots_unheld(&slots, slot_at(hold->span[i].offset),
					     slots_of(&hold->span[i]));
	if (unheld > slots.owed + slots.parked.nr) {
		hold->nr = 0;
		return;
	}
	for (i = 0; i < hold->nr; i++) {
		for (j = 0; j < slots_of(&hold->span[i]); j++) {
			u32 index = zpipe_slots_after(&slots, slot_at(hold->span[i].offset), j);

			if (zpipe_slots_unheld(&slots, index, 1) && !slots.owed) {
				u32 spare = slots.parked.top;

				zpipe_slots_claim(&slots, spare);
				zpipe_slots_serve(&slots, spare);
			}
			zpipe_slots_hold(&slots, index, 1);
		}
	}
	preserved++;
}

/* What is preserved stays as it was. */
static void release(struct hold *hold)
{
	u32 i, j, k = 0;

	for (i = 0; i < hold->nr; i++) {
		for (j = 0; j < hold->span[i].length; j++)
			expect(*memory_at(hold->span[i].offset + j) == hold->expected[k++]);
	}
	expect(k == hold->length);
	for (i = 0; i < hold->nr; i++)
		zpipe_slots_unhold(&slots, slot_at(hold->span[i].offset),
				   slots_of(&hold->span[i]));
	hold->nr = 0;
}

/* What is preserved is forwarded, as a buffer would be. */
static void forward_hold(const struct hold *hold, struct side *to)
{
	struct zpipe_span piece[ENTRIES];
	u32 i;

	for (i = 0; i < hold->nr; i++) {
		piece[i] = hold->span[i];
		if (piece[i].offset >= WINDOW && piece[i].offset < 2 * WINDOW)
			piece[i].offset -= WINDOW;
	}
	append(to, piece, hold->nr, hold->expected, hold->length);
}

static void keep(struct side *s)
{
	struct hold *hold = &kept[next(HOLDS)];

	if (!hold->nr)
		preserve(s, hold);
	else if (next(2))
		forward_hold(hold, s);
	else
		release(hold);
}

static void consume(struct side *s)
{
	struct zpipe_chain *c = &s->chain;
	u64 to = c->consumed + next((u32)zpipe_chain_held(c) + 1), at = c->consumed, j;
	struct zpipe_cursor cursor = { to, to };
	struct zpipe_span spans[ENTRIES];
	u32 i, nr = zpipe_chain_spans(c, at, to, spans, ENTRIES);

	for (i = 0; i < nr; i++) {
		for (j = 0; j < spans[i].length; j++, at++)
			expect(*memory_at(spans[i].offset + j) == s->expected[at % SHADOW]);
	}
	expect(at == to);
	zpipe_chain_settle(c, &cursor);
	if (next(2))
		zpipe_chain_reclaim(c);
}

static void step(void)
{
	struct side *s = &side[next(2)];

	switch (next(9)) {
	case 0: case 1:
		alloc(s);
		break;
	case 2: case 3:
		s->chain.published += next((u32)(s->committed - s->chain.published) + 1);
		break;
	case 4: case 5:
		forward(s == side ? side + 1 : side, s);
		break;
	case 6:
		keep(s);
		break;
	default:
		consume(s);
		break;
	}
	if (next(500) == 0) {
		zpipe_chain_reset(&s->chain);
		s->committed = s->chain.published;
	}
}

int main(void)
{
	bool ok;
	int i, k;

	printf("TAP version 13\n1..1\n");
	for (i = 0; i < PROGRAMS; i++) {
		start();
		for (k = 0; k < STEPS; k++) {
			step();
			check_counts();
		}
		for (k = 0; k < 2; k++) {
			zpipe_chain_reset(&side[k].chain);
			zpipe_chain_leave(&side[k].chain);
		}
		for (k = 0; k < HOLDS; k++) {
			if (kept[k].nr)
				release(&kept[k]);
		}
		expect(slots.committed == 0 && slots.nr_free == SLOTS && !slots.serving);
	}
	printf("# grants %lu forwards %lu joined %lu waits %lu refused %lu\n", grants, forwards,
	       joined, waits, refused);
	printf("# preserved %lu spares %lu\n", preserved, spares);
	ok = grants && forwards && joined && waits && refused && preserved && spares;
	printf("%s 1 two chains of a pool never lose a byte or a slot\n", ok ? "ok" : "not ok");
	return ok ? 0 : 1;
}
