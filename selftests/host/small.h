/* SPDX-License-Identifier: MIT */
/*
 * small - a chain of four segments of 16 bytes, and what its tests report, as TAP
 */
#ifndef ZPIPE_SMALL_H
#define ZPIPE_SMALL_H

#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "plan.h"

static int failures, number;

static void result(bool ok, const char *name)
{
	printf("%s %d %s\n", ok ? "ok" : "not ok", ++number, name);
	if (!ok)
		failures++;
}

struct small {
	struct zpipe_slot slot[8];
	struct zpipe_slots slots;
	struct zpipe_descriptor table[16];
	struct zpipe_run run[16];
	u64 opened, granted;
	struct zpipe_chain chain;
};

static inline void make(struct small *s, bool contig)
{
	memset(s, 0, sizeof(*s));
	zpipe_slots_init(&s->slots, s->slot, 4);
	s->chain = (struct zpipe_chain){
		.slots = &s->slots, .table = s->table, .run = s->run, .mask = 15, .shift = 4,
		.opened_word = &s->opened, .granted_word = &s->granted, .contig = contig,
		.quota = 4,
	};
	zpipe_chain_join(&s->chain);
}

static inline int grant(struct small *s, u64 position, u64 min, u64 want, struct zpipe_plan *plan)
{
	int ret;

	zpipe_chain_reclaim(&s->chain);
	ret = zpipe_plan_grant(&s->chain, position, min, want, plan);
	if (!ret) {
		zpipe_chain_reserve(&s->chain, plan);
		zpipe_chain_commit(&s->chain, plan);
	}
	return ret;
}

static inline void advance(struct small *s, u64 consumed, u64 examined)
{
	struct zpipe_cursor cursor = { s->chain.consumed, s->chain.examined };

	zpipe_chain_accept_reader(&s->chain, &cursor, consumed, examined);
	zpipe_chain_settle(&s->chain, &cursor);
}

static inline void consume(struct small *s, u64 position)
{
	zpipe_chain_accept_writer(&s->chain, position);
	advance(s, position, position);
}

#endif /* ZPIPE_SMALL_H */
