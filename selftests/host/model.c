// SPDX-License-Identifier: MIT
/*
 * model - runs a program of bytes against the chain and a reference beside it
 *
 * The first bytes choose a geometry; then each step allocates, commits,
 * publishes, advances, rolls back or lies. After each step every invariant of
 * the chain is recomputed from scratch: counts of references, the free stack,
 * that no grant overlaps a live byte, that two readers - one through
 * zpipe_chain_spans(), one that walks the shared table as userspace does - see
 * each position where the reference put it, and that EAGAIN and ENOBUFS tell
 * the truth about what the reader could give back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "host.h"
#include "model.h"

#define MAX_SLOTS	9
#define SHIFT		4
#define SEGMENT		(1u << SHIFT)
#define MAX_WINDOW	(MAX_SLOTS * SEGMENT)
#define ENTRIES		16
#define PAGE		4u	/* of a guarded pipe */

#define expect(cond)							\
	do {								\
		if (!(cond))						\
			fail(#cond, __LINE__);				\
	} while (0)

struct world {
	struct zpipe_slot slot[MAX_SLOTS];
	struct zpipe_slots slots;
	struct zpipe_descriptor table[ENTRIES];
	struct zpipe_run run[ENTRIES];
	u64 opened_word;
	u64 granted_word;
	struct zpipe_chain chain;
	u64 holds[MAX_WINDOW];	/* reference: position + 1 held by each byte */
	u64 committed;
	u64 reader_index;	/* of the reader who walks the table */
};

static const uint8_t *input;
static size_t input_left;

static _Noreturn void fail(const char *what, int line)
{
	fprintf(stderr, "model: line %d: %s is false\n", line, what);
	abort();
}

static u32 next(u32 below)
{
	u32 value;

	if (input_left == 0 || below == 0)
		return 0;
	value = *input++;
	input_left--;
	return value % below;
}

/* Pointers of a copied world must point into the copy. */
static void relocate(struct world *w)
{
	w->slots.slot = w->slot;
	w->chain.slots = &w->slots;
	w->chain.table = w->table;
	w->chain.run = w->run;
	w->chain.opened_word = &w->opened_word;
	w->chain.granted_word = &w->granted_word;
}

static u64 window_of(const struct world *w)
{
	return zpipe_chain_window(&w->chain);
}

static void check_positions(const struct world *w)
{
	const struct zpipe_chain *c = &w->chain;

	expect(c->consumed <= c->examined);
	expect(c->examined <= c->published);
	expect(c->published <= w->committed);
	expect(w->committed <= c->granted);
	expect(zpipe_chain_held(c) <= window_of(w));
	expect(c->opened == w->opened_word);
	expect(c->granted == w->granted_word);
	expect(c->opened - c->first <= ENTRIES);
}

/* References follow from the runs, and free is what nobody refers to. */
static void check_slots(const struct world *w)
{
	const struct zpipe_chain *c = &w->chain;
	u32 refs[MAX_SLOTS] = { 0 };
	u32 i, n_free = 0, stacked = 0;
	u64 k;

	for (k = c->first; k < c->opened; k++) {
		const struct zpipe_run *run = &c->run[k & c->mask];
		u32 first = (u32)(c->table[k & c->mask].offset >> SHIFT);

		expect(run->given <= run->nr);
		for (i = run->given; i < run->nr; i++)
			refs[(first + i) % w->slots.nr]++;
	}
	for (i = 0; i < w->slots.nr; i++) {
		expect(w->slot[i].refs == refs[i]);
		expect(w->slot[i].give == 0);
		n_free += refs[i] == 0;
	}
	for (i = w->slots.top; i != ZPIPE_NO_SLOT; i = w->slot[i].next) {
		expect(refs[i] == 0);
		expect(++stacked <= w->slots.nr);
	}
	expect(n_free == w->slots.nr_free);
	expect(stacked == n_free);
}

/* The spans of READ show each position where the reference put it. */
static void check_spans(const struct world *w, struct model_counts *counts)
{
	const struct zpipe_chain *c = &w->chain;
	struct zpipe_span spans[ENTRIES];
	u32 nr = zpipe_chain_spans(c, c->consumed, c->published, spans, ENTRIES);
	u64 position = c->consumed;
	u32 i;
	u64 j;

	expect(nr <= (c->page ? ENTRIES : MAX_SLOTS + 1));
	if (c->contig)
		expect(nr <= 1);
	for (i = 0; i < nr; i++) {
		expect(spans[i].offset < window_of(w));
		expect(spans[i].length > 0 && spans[i].length <= window_of(w));
		for (j = 0; j < spans[i].length; j++, position++)
			expect(w->holds[(spans[i].offset + j) % window_of(w)] == position + 1);
	}
	expect(position == c->published);
	counts->bytes += c->published - c->consumed;
}

/* So does the table, walked by rule R9 from where this reader stands. */
static void check_table(struct world *w)
{
	u64 published = w->chain.published, position = w->chain.consumed;
	u64 k = w->reader_index;
	bool moved = false;

	while (position < published) {
		const struct zpipe_descriptor *entry;

		while (k + 1 < w->opened_word &&
		       w->table[(k + 1) & (ENTRIES - 1)].start <= position)
			k++;
		entry = &w->table[k & (ENTRIES - 1)];
		expect(entry->start <= position);
		expect(w->holds[(entry->offset + position - entry->start) % window_of(w)] ==
		       position + 1);
		if (!moved)
			w->reader_index = k;
		moved = true;
		position++;
	}
	/* What INFO tells a new reader is never behind what may be reused. */
	expect(zpipe_chain_index(&w->chain, w->chain.consumed) >= w->chain.first);
}

/* Would the plan succeed if the reader consumed all that is published? */
static bool reader_could_help(const struct world *w, u64 position, u64 min, u64 want)
{
	static struct world copy;
	struct zpipe_plan plan;

	copy = *w;
	relocate(&copy);
	copy.chain.examined = copy.chain.published;
	copy.chain.consumed = copy.chain.published;
	zpipe_chain_reclaim(&copy.chain);
	return zpipe_chain_plan(&copy.chain, position, min, want, &plan) == 0;
}

/* Guarded: nor over a page that has such a byte. */
static void check_page(const struct world *w, const struct zpipe_plan *plan, u64 offset)
{
	u64 page = offset % window_of(w) / PAGE * PAGE, i;

	for (i = page; i < page + PAGE; i++) {
		u64 held = w->holds[i];

		expect(held == 0 || held - 1 < w->chain.consumed || held - 1 >= w->chain.sealed);
	}
	expect(plan->position > w->chain.sealed || plan->offset % PAGE == 0);
}

static void check_grant(const struct world *w, const struct zpipe_plan *plan, u64 min)
{
	u64 i;

	expect(plan->length >= min);
	expect(plan->offset < window_of(w));
	expect(plan->length <= window_of(w));
	for (i = 0; i < plan->length; i++) {
		u64 held = w->holds[(plan->offset + i) % window_of(w)];

		/* Not over a byte that somebody may still read, or is to publish. */
		expect(held == 0 || held - 1 < w->chain.consumed || held - 1 >= plan->position);
		if (w->chain.page)
			check_page(w, plan, plan->offset + i);
	}
}

/* What was rolled back is nowhere any more. */
static void forget(struct world *w, u64 position)
{
	u64 i;

	for (i = 0; i < window_of(w); i++) {
		if (w->holds[i] > position)
			w->holds[i] = 0;
	}
}

static void fill(struct world *w, const struct zpipe_plan *plan, u64 length)
{
	u64 i;

	forget(w, plan->position);
	for (i = 0; i < length; i++)
		w->holds[(plan->offset + i) % window_of(w)] = plan->position + i + 1;
	w->committed = plan->position + length;
}

static void alloc(struct world *w, u64 position, struct model_counts *counts)
{
	u64 min = next((u32)window_of(w) + 2), want = next((u32)window_of(w) * 2);
	struct zpipe_plan plan;
	u64 granted = w->chain.granted;
	int ret;

	zpipe_chain_reclaim(&w->chain);
	ret = zpipe_chain_plan(&w->chain, position, min, want, &plan);
	expect(w->chain.granted == granted);
	if (min > window_of(w)) {
		expect(ret == -EMSGSIZE);
		return;
	}
	if (ret == -EAGAIN) {
		counts->again++;
		expect(plan.wait > w->chain.consumed && plan.wait <= w->chain.published);
		expect(reader_could_help(w, position, min, want));
		return;
	}
	if (ret == -ENOBUFS) {
		counts->nobufs++;
		expect(w->chain.published < position);
		expect(!reader_could_help(w, position, min, want));
		return;
	}
	expect(ret == 0);
	if (plan.nr) {
		zpipe_chain_reserve(&w->chain, &plan);
		if (next(8) == 0) {	/* no pages for it */
			zpipe_chain_unreserve(&w->chain, &plan);
			return;
		}
		counts->grants++;
	}
	check_grant(w, &plan, max(min, 1));
	zpipe_chain_commit(&w->chain, &plan);
	if (position < w->committed)
		counts->rollbacks++;
	fill(w, &plan, next((u32)plan.length + 1));
}

/* What the one reader says, and the chain then takes for its slowest. */
static int accept_reader(struct zpipe_chain *c, u64 consumed, u64 examined)
{
	struct zpipe_cursor cursor = { c->consumed, c->examined };
	int ret = zpipe_chain_accept_reader(c, &cursor, consumed, examined);

	expect(!ret || (cursor.consumed == c->consumed && cursor.examined == c->examined));
	zpipe_chain_settle(c, &cursor);
	return ret;
}

/* Words that a hostile or torn store could leave. */
static void lie(struct world *w, struct model_counts *counts)
{
	struct zpipe_chain *c = &w->chain;
	struct zpipe_chain before = *c;
	u64 far = (u64)next(255) << (8 * next(8));
	int ret = 0;

	switch (next(5)) {
	case 0:
		ret = zpipe_chain_accept_writer(c, c->granted + 1 + far);
		break;
	case 1:
		ret = c->published ? zpipe_chain_accept_writer(c, c->published - 1) : -EPROTO;
		break;
	case 2:
		ret = accept_reader(c, c->consumed, c->published + 1 + far);
		break;
	case 3:
		ret = c->consumed ? accept_reader(c, c->consumed - 1, c->examined) :
				    -EPROTO;
		break;
	case 4:
		ret = accept_reader(c, c->examined + 1, c->examined);
		break;
	}
	expect(ret == -EPROTO);
	expect(memcmp(&before, c, sizeof(before)) == 0);
	counts->refused++;
}

static void publish(struct world *w)
{
	struct zpipe_chain *c = &w->chain;
	u64 ready = w->committed - c->published;
	u64 position = c->published + next((u32)ready + 1);

	if (c->page) {
		if (position == c->published)
			return;
		c->sealed = position;
		zpipe_chain_publish(c, position);
		/* Inside a page the grant has ended. */
		w->committed = min(w->committed, c->granted);
		forget(w, w->committed);
		expect(c->published == position && c->sealed == position);
		expect(zpipe_chain_fresh(c) >= position && zpipe_chain_fresh(c) < position + PAGE);
		return;
	}
	expect(zpipe_chain_accept_writer(c, position) == 0);
}

static void advance(struct world *w)
{
	struct zpipe_chain *c = &w->chain;
	u64 examined = c->examined + next((u32)zpipe_chain_unexamined(c) + 1);
	u64 consumed = c->consumed + next((u32)(examined - c->consumed) + 1);

	/* A lower examined changes nothing, as long as consumed stays below. */
	expect(accept_reader(c, consumed, next(4) ? examined : consumed) ==
	       (0));
}

static void step(struct world *w, struct model_counts *counts)
{
	u64 unflushed = w->committed - w->chain.published;

	switch (next(9)) {
	case 0: case 1: case 2:
		alloc(w, w->committed, counts);
		break;
	case 3:
		alloc(w, w->chain.published + next((u32)unflushed + 1), counts);
		break;
	case 4: case 5:
		publish(w);
		break;
	case 6:
		advance(w);
		break;
	case 7:
		if (next(4) == 0)
			lie(w, counts);
		else
			advance(w);
		break;
	case 8:
		if (next(16) == 0) {
			zpipe_chain_reset(&w->chain);
			w->committed = w->chain.published;
			w->reader_index = w->chain.opened;
			expect(w->slots.nr_free == w->slots.nr);
		} else if (next(16) == 0) {
			zpipe_chain_discard(&w->chain);
		}
		break;
	}
}

void model_run(const uint8_t *program, size_t length, struct model_counts *counts)
{
	static struct world w;

	input = program;
	input_left = length;
	memset(&w, 0, sizeof(w));
	relocate(&w);
	zpipe_slots_init(&w.slots, w.slot, 1 + next(MAX_SLOTS));
	w.chain.mask = ENTRIES - 1;
	w.chain.shift = SHIFT;
	switch (next(3)) {
	case 1:
		w.chain.contig = true;
		break;
	case 2:
		w.chain.page = PAGE;
		break;
	}
	while (input_left) {
		step(&w, counts);
		check_positions(&w);
		check_slots(&w);
		check_spans(&w, counts);
		check_table(&w);
	}
}
