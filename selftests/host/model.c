// SPDX-License-Identifier: MIT
/*
 * model - runs a program of bytes against the chain and a reference beside it
 *
 * The first bytes choose a geometry; then each step allocates, commits,
 * publishes, advances, rolls back or lies. After each step every invariant of
 * the chain is recomputed from scratch: counts of references, the free stack,
 * that no grant overlaps a live byte, that preserved bytes stay, that two readers - one through
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
#include "plan.h"

#define MAX_SLOTS	9
#define SHIFT		4
#define SEGMENT		(1u << SHIFT)
#define MAX_WINDOW	(MAX_SLOTS * SEGMENT)
#define ENTRIES		16
#define PAGE		4u	/* of a guarded pipe */
#define MAX_HANDLES	6
#define MAX_SPANS	(2 * MAX_SLOTS + 1 > ENTRIES ? 2 * MAX_SLOTS + 1 : ENTRIES)

#define expect(cond)							\
	do {								\
		if (!(cond))						\
			fail(#cond, __LINE__);				\
	} while (0)

/* A preserved range; no bytes for an unused one. */
struct handle {
	u64 position;
	u64 length;
	u32 nr_spans;
	struct zpipe_span spans[2 * MAX_SLOTS + 1];
};

struct world {
	struct zpipe_slot slot[2 * MAX_SLOTS];
	struct zpipe_slots slots;
	struct zpipe_descriptor table[ENTRIES];
	struct zpipe_run run[ENTRIES];
	u64 opened_word;
	u64 granted_word;
	struct zpipe_chain chain;
	u64 holds[2 * MAX_WINDOW];	/* reference: position + 1 held by each byte */
	struct handle handle[MAX_HANDLES];
	u64 seam;		/* where a view of ZPIPE_F_CONTIG may have two spans */
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

/* The reference's entry for byte @i from a data offset on. */
static u64 *cell(struct world *w, u64 offset, u64 i)
{
	u64 window = window_of(w);

	if (offset < 2 * window)
		return &w->holds[(offset + i) % window];
	expect(offset + i < 3 * window);
	/* A spare slot is alone. */
	expect(offset / SEGMENT == (offset + i) / SEGMENT);
	return &w->holds[offset + i - window];
}

static u32 first_slot(const struct world *w, const struct zpipe_span *span)
{
	return zpipe_slots_index(&w->slots, span->offset, SHIFT);
}

static u32 nr_slots(const struct zpipe_span *span)
{
	return (u32)((span->offset % SEGMENT + span->length + SEGMENT - 1) / SEGMENT);
}

static void check_positions(const struct world *w)
{
	const struct zpipe_chain *c = &w->chain;

	expect(c->consumed <= c->examined);
	expect(c->examined <= c->published);
	expect(c->published <= w->committed);
	expect(w->committed <= c->granted);
	expect(c->granted - c->consumed <= window_of(w));
	expect(c->opened == w->opened_word);
	expect(c->granted == w->granted_word);
	expect(c->opened - c->first <= c->mask + 1);
}

static u32 stacked(const struct world *w, const struct zpipe_stack *stack, bool parked, u32 kind)
{
	u32 i, n = 0, last = ZPIPE_NO_SLOT;

	for (i = stack->top; i != ZPIPE_NO_SLOT; i = w->slot[i].next) {
		expect(w->slot[i].parked == parked);
		expect(w->slot[i].refs == (u32)parked);
		expect(w->slot[i].holds == 0);
		expect(kind == ZPIPE_SLOT_KINDS || w->slot[i].kind == kind);
		expect((i >= w->slots.nr) == (kind == ZPIPE_SLOT_KINDS));
		expect(++n <= 2 * w->slots.nr);
		last = i;
	}
	expect(stack->bottom == last);
	expect(stack->nr == n);
	return n;
}

/* References follow from runs and handles, and free is what nobody refers to. */
static void check_slots(const struct world *w)
{
	const struct zpipe_chain *c = &w->chain;
	u32 refs[2 * MAX_SLOTS] = { 0 }, holds[2 * MAX_SLOTS] = { 0 };
	u32 i, j, n_free = 0, n_ring = 0, parked = 0, held = 0;
	u64 k;

	for (k = c->first; k < c->opened; k++) {
		const struct zpipe_run *run = &c->run[k & c->mask];
		u32 first = zpipe_slots_index(&w->slots, c->table[k & c->mask].offset, SHIFT);

		expect(run->given <= run->nr);
		expect(run->nr <= 1 || first < w->slots.nr);
		for (i = run->given; i < run->nr; i++)
			refs[zpipe_slots_after(&w->slots, first, i)]++;
	}
	for (i = 0; i < MAX_HANDLES; i++) {
		for (j = 0; j < w->handle[i].nr_spans; j++) {
			const struct zpipe_span *span = &w->handle[i].spans[j];

			for (k = 0; k < nr_slots(span); k++)
				holds[zpipe_slots_after(&w->slots, first_slot(w, span), k)]++;
		}
	}
	for (i = 0; i < 2 * w->slots.nr; i++) {
		expect(w->slot[i].holds == holds[i]);
		expect(w->slot[i].give == 0);
		if (w->slot[i].parked) {
			expect(i >= w->slots.nr && !refs[i] && !holds[i]);
			parked++;
			continue;
		}
		expect(w->slot[i].refs == refs[i] + holds[i]);
		n_free += w->slot[i].refs == 0;
		held += holds[i] > 0;
	}
	expect(w->slots.serving == w->slots.nr - parked);
	expect(w->slots.serving - w->slots.owed == held);
	expect(!w->slots.owed || !w->slots.spare.nr);
	expect(n_free == w->slots.nr_free);
	for (i = 0; i < ZPIPE_SLOT_KINDS; i++)
		n_ring += stacked(w, &w->slots.stack[i], false, i);
	expect(n_ring == zpipe_slots_ring_free(&w->slots));
	expect(n_ring + stacked(w, &w->slots.spare, false, ZPIPE_SLOT_KINDS) == n_free);
	expect(stacked(w, &w->slots.parked, true, ZPIPE_SLOT_KINDS) == parked);
}

/* Preserved bytes stay where they are. */
static void check_handles(struct world *w)
{
	u32 i, j;
	u64 k;

	for (i = 0; i < MAX_HANDLES; i++) {
		u64 position = w->handle[i].position;

		for (j = 0; j < w->handle[i].nr_spans; j++) {
			const struct zpipe_span *span = &w->handle[i].spans[j];

			for (k = 0; k < span->length; k++)
				expect(*cell(w, span->offset, k) == ++position);
		}
		expect(position == w->handle[i].position + w->handle[i].length);
	}
}

/* The spans of READ show each position where the reference put it. */
static void check_spans(struct world *w, struct model_counts *counts)
{
	const struct zpipe_chain *c = &w->chain;
	struct zpipe_span spans[MAX_SPANS];
	u32 nr = zpipe_chain_spans(c, c->consumed, c->published, spans, MAX_SPANS);
	u64 position = c->consumed;
	u32 i;
	u64 j;

	expect(nr <= (c->page ? ENTRIES : 2 * w->slots.nr + 1));
	if (c->contig && c->consumed >= w->seam)
		expect(nr <= 1);
	for (i = 0; i < nr; i++) {
		expect(spans[i].length > 0 && spans[i].length <= window_of(w));
		for (j = 0; j < spans[i].length; j++, position++)
			expect(*cell(w, spans[i].offset, j) == position + 1);
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
		       w->table[(k + 1) & w->chain.mask].start <= position)
			k++;
		entry = &w->table[k & w->chain.mask];
		expect(entry->start <= position);
		expect(*cell(w, entry->offset, position - entry->start) == position + 1);
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
	return zpipe_plan_grant(&copy.chain, position, min, want, &plan) == 0;
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

/* A slot of the ring is lost to the stream while it is held. */
static bool is_ring_whole(const struct world *w)
{
	return zpipe_slots_unheld(&w->slots, 0, w->slots.nr) == w->slots.nr;
}

static void check_grant(struct world *w, const struct zpipe_plan *plan, u64 min)
{
	u64 i;

	expect(plan->length >= min);
	expect(plan->offset < 3 * window_of(w));
	expect(plan->length <= window_of(w));
	for (i = 0; i < plan->length; i++) {
		u64 held = *cell(w, plan->offset, i);
		u32 slot = zpipe_slots_index(&w->slots, plan->offset, SHIFT);

		slot = zpipe_slots_after(&w->slots, slot,
					 (u32)((plan->offset % SEGMENT + i) / SEGMENT));
		/* A held slot is written to no further than it is published. */
		if (plan->nr && (i || plan->offset % SEGMENT == 0))
			expect(w->slot[slot].holds == 0 || i < SEGMENT);
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

	for (i = 0; i < 2 * window_of(w); i++) {
		if (w->holds[i] > position)
			w->holds[i] = 0;
	}
}

static void fill(struct world *w, const struct zpipe_plan *plan, u64 length)
{
	u64 i;

	forget(w, plan->position);
	for (i = 0; i < length; i++)
		*cell(w, plan->offset, i) = plan->position + i + 1;
	w->committed = plan->position + length;
}

static void alloc(struct world *w, u64 position, struct model_counts *counts)
{
	u64 min = next((u32)window_of(w) + 2), want = next((u32)window_of(w) * 2);
	struct zpipe_plan plan;
	u64 granted = w->chain.granted;
	int ret;

	zpipe_chain_reclaim(&w->chain);
	ret = zpipe_plan_grant(&w->chain, position, min, want, &plan);
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
		expect(w->chain.published < position || (min > SEGMENT && !is_ring_whole(w)));
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
		if (w->slots.serving)
			w->seam = position;
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

/*
 * The reader has seen where entries end, up to published, and does not look at
 * one again that it has consumed to its end: it may be written anew.
 */
static void remember(struct world *w)
{
	const struct zpipe_chain *c = &w->chain;

	while (w->reader_index + 1 < c->opened &&
	       w->table[(w->reader_index + 1) & c->mask].start <= c->consumed)
		w->reader_index++;
}

static void advance(struct world *w)
{
	struct zpipe_chain *c = &w->chain;
	u64 examined = c->examined + next((u32)zpipe_chain_unexamined(c) + 1);
	u64 consumed = c->consumed + next((u32)(examined - c->consumed) + 1);

	/* A lower examined changes nothing, as long as consumed stays below. */
	expect(accept_reader(c, consumed, next(4) ? examined : consumed) ==
	       (0));
	remember(w);
}

static void preserve(struct world *w, struct model_counts *counts)
{
	struct zpipe_chain *c = &w->chain;
	struct handle *h = &w->handle[next(MAX_HANDLES)];
	u64 held = zpipe_chain_held(c);
	u32 i, unheld = 0, need;

	/* The module refuses it for guarded pipes. */
	if (h->length || !held || c->page)
		return;
	h->position = c->consumed + next((u32)held);
	h->length = 1 + next((u32)(c->published - h->position));
	h->nr_spans = zpipe_chain_spans(c, h->position, h->position + h->length, h->spans,
					2 * MAX_SLOTS + 1);
	for (i = 0; i < h->nr_spans; i++)
		unheld += zpipe_slots_unheld(&w->slots, first_slot(w, &h->spans[i]),
					     nr_slots(&h->spans[i]));
	need = unheld - min(unheld, w->slots.owed);
	if (need > w->slots.nr - w->slots.serving) {
		memset(h, 0, sizeof(*h));
		counts->budget++;
		return;
	}
	while (need--) {
		u32 index = w->slots.parked.top;

		zpipe_slots_claim(&w->slots, index);
		zpipe_slots_serve(&w->slots, index);
	}
	for (i = 0; i < h->nr_spans; i++)
		zpipe_slots_hold(&w->slots, first_slot(w, &h->spans[i]), nr_slots(&h->spans[i]));
	counts->preserved += h->length;
}

static void release(struct world *w)
{
	struct handle *h = &w->handle[next(MAX_HANDLES)];
	u32 i;

	for (i = 0; i < h->nr_spans; i++)
		zpipe_slots_unhold(&w->slots, first_slot(w, &h->spans[i]), nr_slots(&h->spans[i]));
	memset(h, 0, sizeof(*h));
}

static void step(struct world *w, struct model_counts *counts)
{
	u64 unflushed = w->committed - w->chain.published;

	switch (next(12)) {
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
			expect(w->slots.nr_free == w->slots.nr);	/* whoever holds what */
		} else if (next(16) == 0) {
			zpipe_chain_discard(&w->chain);
			remember(w);
		}
		break;
	case 9:
		preserve(w, counts);
		break;
	case 10: case 11:
		release(w);
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
	/* As many as the module gives it: just enough. */
	w.chain.mask = 1;
	while (w.chain.mask < w.slots.nr)
		w.chain.mask = 2 * w.chain.mask + 1;
	w.chain.shift = SHIFT;
	switch (next(3)) {
	case 1:
		w.chain.contig = true;
		break;
	case 2:
		w.chain.page = PAGE;
		w.chain.mask = ENTRIES - 1;
		break;
	}
	w.chain.quota = w.slots.nr;
	expect(zpipe_chain_join(&w.chain));
	while (input_left) {
		step(&w, counts);
		check_positions(&w);
		check_slots(&w);
		check_spans(&w, counts);
		check_table(&w);
		check_handles(&w);
	}
}
