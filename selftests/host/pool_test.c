// SPDX-License-Identifier: MIT
/*
 * pool_test - two chains that share their slots and forward to each other, as TAP
 *
 * Random steps; after each, what the slots count is recomputed from the chains,
 * and each byte that a reader gives back is held against what was put there,
 * whoever has used its slot since.
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

static struct zpipe_slot slot[2 * SLOTS];	/* the spare ones are never used */
static struct zpipe_slots slots;
static struct side side[2];
static u32 memory[WINDOW];
static u32 last_value;
static unsigned long forwards, joined, waits, refused, grants;

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

static void check_counts(void)
{
	u32 refs[SLOTS] = { 0 }, committed = 0, i, k;

	for (k = 0; k < 2; k++) {
		const struct zpipe_chain *c = &side[k].chain;
		u32 holds = 0;
		u64 n;

		for (n = c->first; n < c->opened; n++) {
			const struct zpipe_run *run = &c->run[n & c->mask];
			u32 first = (u32)(c->table[n & c->mask].offset >> SHIFT);

			for (i = run->given; i < run->nr; i++)
				refs[(first + i) % SLOTS]++;
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
	for (i = 0; i < SLOTS; i++)
		expect(slot[i].refs == refs[i] && slot[i].give == 0);
}

static void put(struct side *s, u64 offset, u64 length)
{
	u64 i;

	for (i = 0; i < length; i++) {
		memory[(offset + i) % WINDOW] = ++last_value;
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
	s->committed = position;
	put(s, plan.offset, next((u32)plan.length + 1));
	grants++;
}

static void forward(struct side *from, struct side *to)
{
	u64 at = from->chain.consumed, held = zpipe_chain_held(&from->chain), end, k, opened;
	struct zpipe_plan plan;
	struct zpipe_span piece;
	int ret;
	u32 i;

	if (!held)
		return;
	at += next((u32)held);
	end = at + 1 + next((u32)(from->chain.published - at));
	zpipe_chain_reclaim(&to->chain);
	ret = zpipe_plan_forward(&to->chain, to->committed, end - at,
				 zpipe_chain_slots(&from->chain, at, end), &plan);
	if (ret) {
		expect(ret == -EAGAIN || ret == -ENOBUFS || ret == -EMSGSIZE);
		expect(ret != -EAGAIN || plan.wait || plan.pool);
		waits += ret == -EAGAIN;
		return;
	}
	opened = to->chain.opened;
	plan.forwarded = true;
	for (i = 0; i < end - at; i++)
		to->expected[(to->committed + i) % SHADOW] = from->expected[(at + i) % SHADOW];
	to->committed += end - at;
	k = zpipe_chain_index(&from->chain, at);
	while (zpipe_chain_stretch(&from->chain, &k, at, end, &piece)) {
		u64 skew = piece.offset % (1 << SHIFT);

		plan.offset = piece.offset;
		plan.length = piece.length;
		plan.fixed = piece.length;
		plan.first = (u32)(piece.offset >> SHIFT);
		plan.nr = (u32)((skew + piece.length + (1 << SHIFT) - 1) >> SHIFT);
		for (i = 0; i < plan.nr; i++)
			zpipe_chain_take(&to->chain, (plan.first + i) % SLOTS);
		zpipe_chain_append(&to->chain, &plan, &piece);
		plan.position += piece.length;
		plan.keep = to->chain.opened;
		at += piece.length;
	}
	expect(to->chain.granted == to->committed);
	joined += to->chain.opened == opened;
	forwards++;
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
			expect(memory[(spans[i].offset + j) % WINDOW] ==
			       s->expected[at % SHADOW]);
	}
	expect(at == to);
	zpipe_chain_settle(c, &cursor);
	if (next(2))
		zpipe_chain_reclaim(c);
}

static void step(void)
{
	struct side *s = &side[next(2)];

	switch (next(8)) {
	case 0: case 1:
		alloc(s);
		break;
	case 2: case 3:
		s->chain.published += next((u32)(s->committed - s->chain.published) + 1);
		break;
	case 4: case 5:
		forward(s == side ? side + 1 : side, s);
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
		expect(slots.committed == 0 && slots.nr_free == SLOTS);
	}
	printf("# grants %lu forwards %lu joined %lu waits %lu refused %lu\n", grants, forwards,
	       joined, waits, refused);
	ok = grants && forwards && joined && waits && refused;
	printf("%s 1 two chains of a pool never lose a byte or a slot\n", ok ? "ok" : "not ok");
	return ok ? 0 : 1;
}
