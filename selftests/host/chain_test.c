// SPDX-License-Identifier: MIT
/*
 * chain_test - unit tests of the pure chain code, as TAP
 *
 * Random programs against the reference model, with the seed in the output,
 * and the edges that deserve a name of their own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "model.h"
#include "small.h"

#define PROGRAMS	20000
#define LENGTH		400

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void random_programs(uint64_t seed)
{
	struct model_counts counts = { 0 };
	uint64_t state = seed;
	uint8_t program[LENGTH];
	int i, j;

	printf("# seed %llu, %d programs of %d bytes\n", (unsigned long long)seed, PROGRAMS,
	       LENGTH);
	for (i = 0; i < PROGRAMS; i++) {
		for (j = 0; j < LENGTH; j++)
			program[j] = (uint8_t)(random_next(&state) >> 24);
		model_run(program, sizeof(program), &counts);
	}
	printf("# grants %lu again %lu nobufs %lu rollbacks %lu refused %lu bytes %lu\n",
	       counts.grants, counts.again, counts.nobufs, counts.rollbacks, counts.refused,
	       counts.bytes);
	printf("# preserved %lu, over budget %lu\n", counts.preserved, counts.budget);
	result(counts.grants && counts.again && counts.nobufs && counts.rollbacks &&
	       counts.refused && counts.bytes && counts.preserved && counts.budget,
	       "random programs agree with the reference");
}

static void hot_memory_is_reused_first(void)
{
	struct zpipe_plan plan;
	struct small s;
	u64 position;
	bool ok = true;

	make(&s, false);
	for (position = 0; position < 160; position += 16) {
		ok = ok && !grant(&s, position, 1, 1, &plan) && plan.offset == 0;
		consume(&s, position + 16);
	}
	result(ok, "a reader that keeps up keeps the pipe in one segment");
}

static void long_grant_wraps(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, true);
	ok = !grant(&s, 0, 40, 40, &plan) && plan.offset == 0 && plan.length == 48;
	zpipe_chain_accept_writer(&s.chain, 40);
	advance(&s, 36, 40);
	ok = ok && !grant(&s, 40, 40, 40, &plan) && plan.offset == 40 && plan.length == 56 - 16;
	result(ok, "a long grant goes on across the end of the window");
}

static void whole_window_only_when_empty(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = !grant(&s, 0, 1, 1, &plan);
	ok = ok && grant(&s, 1, 64, 64, &plan) == -ENOBUFS;
	zpipe_chain_accept_writer(&s.chain, 1);
	ok = ok && grant(&s, 1, 64, 64, &plan) == -EAGAIN && plan.wait == 1;
	consume(&s, 1);
	ok = ok && !grant(&s, 1, 64, 64, &plan) && plan.length == 64;
	ok = ok && grant(&s, 1, 65, 65, &plan) == -EMSGSIZE;
	result(ok, "the whole window is granted once everything is consumed");
}

static void partial_run_comes_back(void)
{
	struct zpipe_plan plan;
	struct small s;
	bool ok;

	make(&s, false);
	ok = !grant(&s, 0, 64, 64, &plan) && s.slots.nr_free == 0;
	zpipe_chain_accept_writer(&s.chain, 64);
	advance(&s, 17, 17);
	zpipe_chain_reclaim(&s.chain);
	result(ok && s.slots.nr_free == 1, "a long run gives its segments back one by one");
}

static void positions_do_not_wrap(void)
{
	struct zpipe_plan plan;
	struct small s;

	make(&s, false);
	s.chain.granted = ZPIPE_POSITION_MAX + 1;
	s.chain.published = ZPIPE_POSITION_MAX + 1;
	s.chain.examined = ZPIPE_POSITION_MAX + 1;
	s.chain.consumed = ZPIPE_POSITION_MAX + 1;
	result(grant(&s, ZPIPE_POSITION_MAX + 1, 1, 1, &plan) == -EMSGSIZE,
	       "a position that might wrap is refused");
}

/* A byte for each page of four, until the table, which has half as many entries, is full. */
static void full_table_is_waited_for(void)
{
	struct zpipe_plan plan;
	struct small s;
	u64 position;
	bool ok = true;

	make(&s, false);
	s.chain.page = 4;
	s.chain.mask = 7;
	for (position = 0; position < 8; position++) {
		ok = ok && !grant(&s, position, 1, 1, &plan) && plan.offset == position * 4;
		s.chain.sealed = position + 1;
		zpipe_chain_publish(&s.chain, position + 1);
	}
	ok = ok && grant(&s, 8, 1, 1, &plan) == -EAGAIN && plan.wait == 1;
	advance(&s, 1, 1);
	ok = ok && !grant(&s, 8, 1, 1, &plan) && plan.offset == 32;
	result(ok, "a guarded pipe with a full table is waited for");
}

int main(int argc, char **argv)
{
	printf("TAP version 13\n1..8\n");
	random_programs(argc > 1 ? strtoull(argv[1], NULL, 0) : 88172645463325252ULL);
	random_programs(0x9e3779b97f4a7c15ULL);
	hot_memory_is_reused_first();
	long_grant_wraps();
	whole_window_only_when_empty();
	partial_run_comes_back();
	positions_do_not_wrap();
	full_table_is_waited_for();
	return failures ? 1 : 0;
}
