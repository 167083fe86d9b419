/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool - slots and their segments, the inode behind them, and the list of all
 *
 * slots.c says which slots are free, segment.c what they are made of.
 */
#ifndef ZPIPE_POOL_H
#define ZPIPE_POOL_H

#include <linux/types.h>

#include "types.h"

#define ZPIPE_MAX_SEGMENT	(1ULL << 21)
#define ZPIPE_MAX_SEGMENTS	4096
static_assert(2 * ZPIPE_MAX_SEGMENTS <= ZPIPE_NO_SLOT);

/* Free segments that keep their pages: what a reader that keeps up goes round in. */
#define ZPIPE_IDLE		2

/* All pools, and what guards the list; taken with trylock where memory is reclaimed. */
extern struct list_head zpipe_pools;
extern struct mutex zpipe_pools_mutex;

int zpipe_pool_init(void);
void zpipe_pool_exit(void);
struct zpipe_pool *zpipe_pool_create(u32 nr, u32 shift, u32 idle, bool exempt);
int zpipe_pool_share(struct zpipe_pool *pool);
void zpipe_pool_put(struct zpipe_pool *pool);
struct file *zpipe_pool_file(struct zpipe_pool *pool, const char *name, int flags,
			     const struct file_operations *fops);
struct file *zpipe_pool_rofile(struct zpipe_pool *pool, const char *name,
			       const struct file_operations *fops);

static inline u64 zpipe_pool_window(const struct zpipe_pool *pool)
{
	return (u64)pool->slots.nr << pool->shift;
}

/* The first slot that a piece of the window stands in, and how many it does. */
static inline u32 zpipe_pool_first_slot(const struct zpipe_pool *pool,
					const struct zpipe_span *span)
{
	return zpipe_slots_index(&pool->slots, span->offset, pool->shift);
}

static inline u32 zpipe_pool_nr_slots(const struct zpipe_pool *pool, const struct zpipe_span *span)
{
	u64 mask = (1ULL << pool->shift) - 1;

	return (u32)(((span->offset & mask) + span->length + mask) >> pool->shift);
}

#endif /* ZPIPE_POOL_H */
