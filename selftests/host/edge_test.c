// SPDX-License-Identifier: MIT
/*
 * edge_test - what random programs hardly ever do to the chain, as TAP
 *
 * With chain_test and pool_test every branch of chain.c, plan.c and slots.c is
 * taken both ways; `make coverage` says so. Some states here are made by hand,
 * because the module never asks for them: the code must stay within its arrays
 * there too.
 */
#include <errno.h>

#include "host.h"
#include "small.h"

static void no_slot_is_promised_twice(void)
{
	struct small s;
	struct zpipe_chain more;
	bool ok;

	make(&s, false);
	more = s.chain;
	ok = zpipe_chain_join(&more) && zpipe_chain_join(&more) && zpipe_chain_join(&more);
	ok = ok && !zpipe_chain_join(&more) && s.slots.committed == 4 && s.slots.members == 4;
	zpipe_chain_leave(&more);
	result(ok && s.slots.committed == 3 && zpipe_chain_join(&more),
	       "a pool promises each chain a slot, and no more than it has");
}

static void boundary_is_the_next_slot_or_descriptor(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = zpipe_chain_boundary(&s.chain) == ~0ULL;
	ok = ok && !grant(&s, 0, 32, 32, &plan) && zpipe_chain_boundary(&s.chain) == 16;
	consume(&s, 16);
	zpipe_chain_reclaim(&s.chain);
	ok = ok && zpipe_chain_boundary(&s.chain) == 32;
	/* the rest of the second slot is left */
	ok = ok && !grant(&s, 20, 16, 16, &plan) && zpipe_chain_boundary(&s.chain) == 20;
	consume(&s, 36);
	zpipe_chain_reclaim(&s.chain);
	ok = ok && zpipe_chain_boundary(&s.chain) == ~0ULL;
	ok = ok && !grant(&s, 36, 32, 32, &plan) && !grant(&s, 68, 16, 16, &plan);
	result(ok && zpipe_chain_boundary(&s.chain) == 52,
	       "the boundary is where a slot or a descriptor ends");
}

static void retracted_memory_comes_back(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = zpipe_chain_retract(&s.chain, 0) == 0;
	ok = ok && !grant(&s, 0, 48, 48, &plan);
	zpipe_chain_accept_writer(&s.chain, 10);
	ok = ok && zpipe_chain_retract(&s.chain, 20) == 1 && s.chain.granted == 20;
	ok = ok && !grant(&s, 20, 16, 16, &plan) && s.chain.opened == 2;
	ok = ok && zpipe_chain_retract(&s.chain, 20) == 1 && s.chain.opened == 1;
	/* consumed to the end of a slot that is then retracted into */
	ok = ok && !grant(&s, 20, 12, 12, &plan);
	consume(&s, 32);
	zpipe_chain_reclaim(&s.chain);
	ok = ok && zpipe_chain_retract(&s.chain, 32) == 0 && s.slots.nr_free == 4;
	result(ok, "what is retracted comes back, and a grant can begin there");
}

static void close_takes_back_all_behind(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	zpipe_chain_close(&s.chain, 0);
	ok = s.chain.granted == 0 && !grant(&s, 0, 40, 40, &plan);
	ok = ok && !grant(&s, 40, 16, 16, &plan) && s.chain.opened == 2;
	zpipe_chain_accept_writer(&s.chain, 18);
	advance(&s, 17, 17);
	zpipe_chain_reclaim(&s.chain);
	zpipe_chain_close(&s.chain, 18);
	ok = ok && s.chain.opened == 1 && s.chain.granted == 18 && s.slots.nr_free == 3;
	/* nothing is granted behind it: its length is fixed */
	ok = ok && grant(&s, 18, 1, 1, &plan) == 0 && plan.nr;
	make(&s, false);
	ok = ok && !grant(&s, 0, 48, 48, &plan);
	consume(&s, 32);
	zpipe_chain_reclaim(&s.chain);
	zpipe_chain_close(&s.chain, 32);
	ok = ok && s.slots.nr_free == 4;
	result(ok, "closing takes back what is behind a position");
}

static void guarded_pages_are_split_by_position(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	s.chain.page = 4;
	ok = zpipe_chain_fresh(&s.chain) == 0 && !zpipe_chain_splits_page(&s.chain, 0);
	zpipe_chain_publish(&s.chain, 0);
	ok = ok && !grant(&s, 0, 1, 16, &plan) && zpipe_chain_fresh(&s.chain) == 0;
	ok = ok && !grant(&s, 0, 1, 16, &plan) && plan.offset == 0;
	ok = ok && zpipe_chain_limit(&s.chain) == 0;
	s.chain.sealed = 16;
	zpipe_chain_publish(&s.chain, 16);
	ok = ok && !zpipe_chain_splits_page(&s.chain, 0) && !zpipe_chain_splits_page(&s.chain, 4);
	ok = ok && zpipe_chain_splits_page(&s.chain, 5) && !zpipe_chain_splits_page(&s.chain, 16);
	consume(&s, 16);
	zpipe_chain_reset(&s.chain);
	s.chain.published = 20;
	ok = ok && !zpipe_chain_splits_page(&s.chain, 18);
	result(ok, "a page is split where published bytes are on both sides");
}

static void plain_publish_seals_nothing(void)
{
	struct zpipe_plan plan;
	struct small s;

	make(&s, false);
	grant(&s, 0, 16, 16, &plan);
	zpipe_chain_publish(&s.chain, 5);
	result(zpipe_chain_limit(&s.chain) == 16 && zpipe_chain_fresh(&s.chain) == 0 &&
	       s.chain.published == 5 && s.chain.sealed == 0 && s.chain.granted == 16,
	       "a pipe that is not guarded keeps its grant when it publishes");
}

static void guarded_grant_needs_an_entry(void)
{
	struct zpipe_plan plan;
	struct small s;
	u64 position;
	bool ok = true;

	make(&s, false);
	s.chain.page = 4;
	s.chain.mask = 3;
	for (position = 0; position < 4; position++) {
		ok = ok && !grant(&s, position, 1, 64, &plan);
		s.chain.sealed = position + 1;
		zpipe_chain_publish(&s.chain, position + 1);
	}
	ok = ok && grant(&s, 4, 1, 64, &plan) == -EAGAIN && plan.wait == 1;
	result(ok, "a grant that goes on in its run needs an entry of its own");
}

/* Two descriptors by hand. */
static void put_entry(struct small *s, u64 k, u64 start, u64 offset, u16 nr)
{
	s->table[k] = (struct zpipe_descriptor){ .start = start, .offset = offset };
	s->run[k] = (struct zpipe_run){ .nr = nr };
}

/* As if @nr of them were all of a stream that ends at @end. */
static void publish_entries(struct small *s, u64 nr, u64 end)
{
	s->chain.opened = nr;
	s->chain.granted = end;
	s->chain.published = end;
}

static void a_view_is_never_longer_than_the_window(void)
{
	struct zpipe_span spans[3], piece;
	struct small s;
	u64 k = 0;
	bool ok;

	make(&s, false);
	put_entry(&s, 0, 0, 0, 4);
	put_entry(&s, 1, 64, 0, 4);
	publish_entries(&s, 2, 128);
	ok = zpipe_chain_spans(&s.chain, 0, 128, spans, 3) == 2 && spans[0].length == 64;
	ok = ok && zpipe_chain_spans(&s.chain, 0, 128, spans, 1) == 2;
	ok = ok && zpipe_chain_stretch(&s.chain, &k, 0, 128, &piece) && piece.length == 64;
	k = 2;
	ok = ok && !zpipe_chain_piece(&s.chain, &k, &(u64){ 0 }, 128, &piece);
	result(ok, "spans and stretches end after a turn of the window");
}

static void a_spare_slot_stands_alone(void)
{
	struct zpipe_span piece;
	struct small s;
	u64 k = 0;
	bool ok;

	make(&s, false);
	/* behind the two turns: slots 4 and 5 */
	put_entry(&s, 0, 0, 128, 1);
	put_entry(&s, 1, 16, 144, 1);
	publish_entries(&s, 2, 32);
	ok = zpipe_chain_stretch(&s.chain, &k, 0, 32, &piece) && piece.length == 16;
	ok = ok && piece.offset == 128 && k == 1;
	result(ok, "neighbouring spare slots are two stretches");
}

/* Append @length bytes that lie at @offset; the plan keeps what there is. */
static u32 append(struct small *s, u64 position, u64 offset, u64 length, u64 keep)
{
	struct zpipe_span piece = { .offset = offset, .length = length };
	struct zpipe_plan plan = {
		.position = position, .keep = keep, .forwarded = true, .offset = offset,
		.length = length, .fixed = length, .first = (u32)(offset >> 4),
		.nr = (u32)((offset % 16 + length + 15) >> 4),
	};
	u32 i;

	for (i = 0; i < plan.nr; i++)
		zpipe_chain_take(&s->chain, (plan.first + i) % 4);
	return zpipe_chain_append(&s->chain, &plan, &piece);
}

static void forwarded_pieces_join_only_where_they_touch(void)
{
	struct small s;
	bool ok;

	make(&s, false);
	append(&s, 0, 0, 10, 0);
	ok = s.chain.opened == 1;
	/* goes on inside its slot, then at the end of it */
	append(&s, 10, 10, 6, 1);
	append(&s, 16, 16, 16, 1);
	ok = ok && s.chain.opened == 1 && s.run[0].nr == 2 && s.run[0].fixed == 32;
	/* taken back to the middle: it does not end there */
	append(&s, 20, 20, 4, 1);
	ok = ok && s.chain.opened == 2;
	/* in the place of that one */
	append(&s, 20, 32, 4, 2);
	ok = ok && s.chain.opened == 3 && s.chain.granted == 24;
	/* behind something that is elsewhere */
	append(&s, 24, 50, 4, 3);
	ok = ok && s.chain.opened == 4;
	zpipe_chain_accept_writer(&s.chain, 28);
	consume(&s, 28);
	zpipe_chain_reclaim(&s.chain);
	ok = ok && s.slots.nr_free == 4;
	/* where the last one ends, but its slot is given back */
	append(&s, 28, 54, 4, 4);
	ok = ok && s.chain.opened == 5;
	result(ok, "forwarded pieces are joined only where one goes on where the other stops");
}

static void forwarded_run_is_at_most_a_window(void)
{
	struct small s;
	bool ok;

	make(&s, false);
	append(&s, 0, 0, 64, 0);
	ok = s.chain.opened == 1;
	append(&s, 64, 0, 16, 1);
	result(ok && s.chain.opened == 2 && s.run[0].fixed == 64,
	       "a forwarded run does not go on beyond a turn of the window");
}

/* Four segments of 2 GiB: a fixed length has 32 bits. */
static void long_ranges_have_a_length_that_fits(void)
{
	struct zpipe_plan plan = { .forwarded = true, .length = 4096, .fixed = 4096, .nr = 1 };
	struct zpipe_span piece = { .length = 4096 };
	struct small s;
	bool ok;

	make(&s, false);
	s.chain.shift = 31;
	ok = zpipe_plan_forward(&s.chain, 0, 1ULL << 32, 1, &(struct zpipe_plan){ 0 }) == -EMSGSIZE;
	zpipe_chain_take(&s.chain, 0);
	zpipe_chain_append(&s.chain, &plan, &piece);
	s.run[0].fixed = ~0U - 4095;
	s.run[0].nr = 2;
	plan.position = ~0U - 4095;
	plan.offset = plan.position;
	plan.keep = 1;
	plan.first = 1;
	piece.offset = plan.position;
	s.slot[1].refs = 1;
	zpipe_chain_take(&s.chain, 1);
	zpipe_chain_append(&s.chain, &plan, &piece);
	result(ok && s.chain.opened == 2, "a run is left before its length has more than 32 bits");
}

static void a_plan_keeps_no_fewer_than_there_are(void)
{
	struct zpipe_plan plan;
	struct small s;
	u32 free;

	make(&s, false);
	grant(&s, 0, 16, 16, &plan);
	consume(&s, 16);
	grant(&s, 16, 16, 16, &plan);
	free = s.slots.nr_free;
	plan = (struct zpipe_plan){ .position = 16, .keep = 0 };
	zpipe_chain_commit(&s.chain, &plan);
	result(s.chain.opened == s.chain.first && s.slots.nr_free == free + 1,
	       "descriptors that are given back are not taken back");
}

static void grants_begin_where_they_may(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = !grant(&s, 0, 0, 0, &plan) && grant(&s, 17, 1, 1, &plan) == -EINVAL;
	zpipe_chain_accept_writer(&s.chain, 8);
	ok = ok && grant(&s, 7, 1, 1, &plan) == -EINVAL;
	ok = ok && zpipe_plan_forward(&s.chain, 7, 1, 1, &plan) == -EINVAL;
	ok = ok && zpipe_plan_forward(&s.chain, 17, 1, 1, &plan) == -EINVAL;
	s.chain.granted = ZPIPE_POSITION_MAX + 2;
	ok = ok && zpipe_plan_forward(&s.chain, ZPIPE_POSITION_MAX + 1, 1, 1, &plan) == -EMSGSIZE;
	ok = ok && zpipe_plan_forward(&s.chain, 16, 65, 1, &plan) == -EMSGSIZE;
	ok = ok && zpipe_plan_forward(&s.chain, 16, 1, 5, &plan) == -EMSGSIZE;
	result(ok, "a position below published or above granted is refused");
}

/* A private pool, which may have spare slots in service. */
static void forwarding_waits_for_slots_of_the_ring(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = zpipe_plan_forward(&s.chain, 0, 16, 4, &plan) == 0;
	ok = ok && !grant(&s, 0, 64, 64, &plan);
	zpipe_chain_accept_writer(&s.chain, 48);
	/* all is published, or the writer's own */
	ok = ok && zpipe_plan_forward(&s.chain, 48, 16, 4, &plan) == -EAGAIN && plan.wait == 16;
	ok = ok && zpipe_plan_forward(&s.chain, 64, 1, 1, &plan) == -EAGAIN && plan.wait == 1;
	ok = ok && zpipe_plan_forward(&s.chain, 64, 64, 1, &plan) == -ENOBUFS;
	zpipe_slots_claim(&s.slots, s.slots.parked.top);
	zpipe_slots_park(&s.slots, 5);
	zpipe_slots_claim(&s.slots, 5);
	zpipe_slots_serve(&s.slots, 5);
	ok = ok && zpipe_plan_forward(&s.chain, 48, 1, 1, &plan) == 0;
	ok = ok && zpipe_plan_forward(&s.chain, 64, 1, 1, &plan) == -EAGAIN;
	ok = ok && zpipe_plan_forward(&s.chain, 63, 1, 3, &plan) == -EAGAIN && plan.wait == 16;
	s.chain.quota = 8;
	ok = ok && zpipe_plan_forward(&s.chain, 64, 16, 4, &plan) == -ENOBUFS;
	result(ok, "forwarding to a private pool waits for slots of the ring");
}

static void memory_where_somebody_says(void)
{
	struct zpipe_plan plan = { .wait = 7 };
	struct small s;
	bool ok;

	make(&s, false);
	ok = zpipe_plan_at(&s.chain, ZPIPE_POSITION_MAX + 1, 1, false, 0, 16, &plan) == -EMSGSIZE;
	plan.wait = 7;
	ok = ok && zpipe_plan_at(&s.chain, 0, 0, true, 0, 0, &plan) == -EAGAIN && plan.wait == 7;
	ok = ok && zpipe_plan_at(&s.chain, 0, 11, false, 4, 10, &plan) == -EMSGSIZE;
	ok = ok && !zpipe_plan_at(&s.chain, 0, 10, false, 4, 10, &plan) && plan.nr == 1;
	zpipe_chain_reserve(&s.chain, &plan);
	zpipe_chain_commit(&s.chain, &plan);
	ok = ok && s.chain.granted == 10;
	/* the rest of it, the same place once more, and the next one */
	ok = ok && !zpipe_plan_at(&s.chain, 3, 7, true, 0, 0, &plan) && plan.offset == 7;
	ok = ok && !zpipe_plan_at(&s.chain, 0, 1, false, 20, 10, &plan) && plan.keep == 0;
	ok = ok && !zpipe_plan_at(&s.chain, 10, 1, true, 16, 10, &plan) && plan.keep == 1;
	/* guarded: what follows in the page is nobody's, and nothing is left behind it */
	s.chain.page = 4;
	zpipe_chain_accept_writer(&s.chain, 5);
	s.chain.sealed = 5;
	ok = ok && !zpipe_plan_at(&s.chain, 5, 1, true, 0, 0, &plan) && plan.offset == 12;
	s.chain.sealed = 9;
	s.chain.published = 9;
	ok = ok && zpipe_plan_at(&s.chain, 9, 1, true, 0, 0, &plan) == -EAGAIN;
	result(ok, "memory that somebody else names is taken or refused as a whole");
}

static void slots_are_taken_by_kind(void)
{
	struct small s;
	u32 i;
	bool ok;

	make(&s, false);
	ok = zpipe_slots_top(&s.slots) == 0 && zpipe_slots_adoptable(&s.slots) == 0;
	for (i = 0; i < 4; i++) {
		zpipe_slots_get(&s.slots, i, 1);
		s.slot[i].kind = ZPIPE_SLOT_WARM;
		zpipe_slots_put(&s.slots, i, 1);
	}
	ok = ok && zpipe_slots_top(&s.slots) == 3 && zpipe_slots_adoptable(&s.slots) == 0;
	zpipe_slots_cool(&s.slots, 1);
	ok = ok && zpipe_slots_top(&s.slots) == 3 && zpipe_slots_adoptable(&s.slots) == 1;
	for (i = 0; i < 4; i++) {
		zpipe_slots_get(&s.slots, i, 1);
		s.slot[i].kind = ZPIPE_SLOT_FOREIGN;
		zpipe_slots_put(&s.slots, i, 1);
	}
	ok = ok && zpipe_slots_top(&s.slots) == 3 && zpipe_slots_adoptable(&s.slots) == 3;
	ok = ok && zpipe_slots_usable(&s.slots) == 4;
	zpipe_slots_get(&s.slots, 2, 1);
	ok = ok && zpipe_slots_usable(&s.slots) == 3;
	ok = ok && !zpipe_slots_fits(&s.slots, 0, 5);
	ok = ok && zpipe_slots_find(&s.slots, 0, 5) == ZPIPE_NO_SLOT;
	result(ok, "slots with pages are taken first, foreign ones last");
}

static void what_calls_have_is_counted(void)
{
	struct zpipe_census census;
	struct small s;
	bool ok;

	make(&s, false);
	zpipe_slots_borrow(&s.slots, 1, 2);
	zpipe_slots_claim(&s.slots, s.slots.parked.top);
	zpipe_slots_count(&s.slots, &census);
	ok = census.free == 2 && census.taken == 3 && census.preserved == 0;
	ok = ok && census.references == 3 && s.slots.borrowed == 2 && s.slots.claimed == 1;
	zpipe_slots_give_up(&s.slots, 1, 2);
	zpipe_slots_park(&s.slots, 4);
	zpipe_slots_count(&s.slots, &census);
	ok = ok && census.free == 4 && !census.taken && !census.references;
	ok = ok && !s.slots.borrowed && !s.slots.claimed;
	result(ok, "what calls have of the slots is counted as theirs");
}

int main(void)
{
	static void (*const tests[])(void) = {
		no_slot_is_promised_twice,
		boundary_is_the_next_slot_or_descriptor,
		retracted_memory_comes_back,
		close_takes_back_all_behind,
		guarded_pages_are_split_by_position,
		plain_publish_seals_nothing,
		guarded_grant_needs_an_entry,
		a_view_is_never_longer_than_the_window,
		a_spare_slot_stands_alone,
		forwarded_pieces_join_only_where_they_touch,
		forwarded_run_is_at_most_a_window,
		long_ranges_have_a_length_that_fits,
		a_plan_keeps_no_fewer_than_there_are,
		grants_begin_where_they_may,
		forwarding_waits_for_slots_of_the_ring,
		memory_where_somebody_says,
		slots_are_taken_by_kind,
		what_calls_have_is_counted,
	};
	size_t i;

	printf("TAP version 13\n1..%zu\n", sizeof(tests) / sizeof(tests[0]));
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tests[i]();
	return failures ? 1 : 0;
}
