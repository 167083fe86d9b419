/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry - a descriptor of the chain: where it begins, what it holds
 *
 * For chain.c and plan.c only; k is the number of the descriptor.
 */
#ifndef ZPIPE_ENTRY_H
#define ZPIPE_ENTRY_H

#ifdef __KERNEL__
#include <linux/minmax.h>
#else
#include "host.h"
#endif

#include "chain.h"

static inline u64 segment_size(const struct zpipe_chain *chain)
{
	return 1ULL << chain->shift;
}

static inline u64 start_of(const struct zpipe_chain *chain, u64 k)
{
	return chain->table[k & chain->mask].start;
}

static inline u64 offset_of(const struct zpipe_chain *chain, u64 k)
{
	return chain->table[k & chain->mask].offset;
}

static inline struct zpipe_run *run_of(const struct zpipe_chain *chain, u64 k)
{
	return &chain->run[k & chain->mask];
}

static inline u32 slots_for(const struct zpipe_chain *chain, u64 bytes)
{
	return (u32)((bytes + segment_size(chain) - 1) >> chain->shift);
}

/* A descriptor may begin inside its first slot; by so many bytes. */
static inline u64 skew_of(const struct zpipe_chain *chain, u64 k)
{
	return offset_of(chain, k) & (segment_size(chain) - 1);
}

static inline u64 capacity_of(const struct zpipe_chain *chain, u64 k)
{
	if (run_of(chain, k)->fixed)
		return run_of(chain, k)->fixed;
	return ((u64)run_of(chain, k)->nr << chain->shift) - skew_of(chain, k);
}

/* Spare slots lie behind the two turns of the window. */
static inline bool is_spare(const struct zpipe_chain *chain, u64 offset)
{
	return offset >= 2 * zpipe_chain_window(chain);
}

/* Where in the window a position of descriptor k lies. */
static inline u64 place_of(const struct zpipe_chain *chain, u64 k, u64 position)
{
	u64 offset = offset_of(chain, k) + (position - start_of(chain, k));
	u64 window = zpipe_chain_window(chain);

	return offset < window || is_spare(chain, offset_of(chain, k)) ? offset : offset - window;
}

/* The position at which slot i of k's run ends. */
static inline u64 slot_end(const struct zpipe_chain *chain, u64 k, u32 i)
{
	u64 end = start_of(chain, k) - skew_of(chain, k) + (((u64)i + 1) << chain->shift);
	u64 fixed = run_of(chain, k)->fixed;

	return fixed ? min(end, start_of(chain, k) + fixed) : end;
}

/* How many slots of k's run hold bytes when it ends at position. */
static inline u32 slots_used(const struct zpipe_chain *chain, u64 k, u64 position)
{
	if (position == start_of(chain, k))
		return 0;
	return slots_for(chain, skew_of(chain, k) + position - start_of(chain, k));
}

static inline u32 slot_of(const struct zpipe_chain *chain, u64 k, u32 i)
{
	const struct zpipe_slots *slots = chain->slots;

	return zpipe_slots_after(slots, zpipe_slots_index(slots, offset_of(chain, k),
							  chain->shift), i);
}

/*
 * A guarded pipe's next byte after one that was published inside a page goes on
 * the next page: by so many bytes further than it would. k is the descriptor
 * that stops there.
 */
static inline u64 skip_of(const struct zpipe_chain *chain, u64 k, u64 position)
{
	u64 in_page;

	if (!chain->page || position != chain->sealed || position == start_of(chain, k))
		return 0;
	in_page = place_of(chain, k, position) & (chain->page - 1);
	return in_page ? chain->page - in_page : 0;
}

/* What the pool has promised to a chain: what it holds, or else its reserve. */
static inline u32 promised(const struct zpipe_chain *chain)
{
	return max(chain->holds, 1U);
}

static inline void give_slots(struct zpipe_chain *chain, u64 k, u32 from, u32 to)
{
	if (from < to)
		zpipe_slots_give(chain->slots, slot_of(chain, k, from), to - from);
}

#endif /* ZPIPE_ENTRY_H */
