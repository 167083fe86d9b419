/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool - the memory of segments: pages, accounting, and the inode behind them
 *
 * slots.c says which segments are free; here is what they are made of. A
 * segment gets its pages when it is first taken, and keeps them until
 * zpipe_pool_trim() gives those of the free ones back. A spare segment gets
 * them before it goes into service, and has none while parked, once
 * zpipe_pool_sweep() has been there.
 */
#ifndef ZPIPE_POOL_H
#define ZPIPE_POOL_H

#include <linux/types.h>

#include "types.h"

#define ZPIPE_MAX_SEGMENT	(1ULL << 21)
#define ZPIPE_MAX_SEGMENTS	4096

/* Free segments that keep their pages: what a reader that keeps up goes round in. */
#define ZPIPE_IDLE		2

/* All pools, and what guards the list; taken with trylock where memory is reclaimed. */
extern struct list_head zpipe_pools;
extern struct mutex zpipe_pools_mutex;

struct zpipe_pool *zpipe_pool_create(u32 nr, u32 shift, u32 idle, bool exempt);
int zpipe_pool_share(struct zpipe_pool *pool);
void zpipe_pool_put(struct zpipe_pool *pool);
int zpipe_pool_populate(struct zpipe_pool *pool, u32 first, u32 nr);
int zpipe_pool_adopt(struct zpipe_pool *pool, u32 index, struct page **pages, u32 nr);
int zpipe_pool_provide(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt);
void zpipe_pool_sweep(struct zpipe_pool *pool);
unsigned long zpipe_pool_trim(struct zpipe_pool *pool, u32 keep, bool trylock);
void zpipe_pool_trim_after_end(struct zpipe_pool *pool);
int zpipe_pool_replace(struct zpipe_pool *pool, u32 index, u32 i, struct page *new);
struct page *zpipe_pool_page(struct zpipe_pool *pool, u64 offset);
bool zpipe_pool_lend(struct page *page);
struct file *zpipe_pool_file(struct zpipe_pool *pool, const char *name, int flags,
			     const struct file_operations *fops);
struct file *zpipe_pool_rofile(struct zpipe_pool *pool, const char *name,
			       const struct file_operations *fops);

static inline u32 zpipe_pool_segment_pages(const struct zpipe_pool *pool)
{
	return 1U << (pool->shift - PAGE_SHIFT);
}

static inline u64 zpipe_pool_window(const struct zpipe_pool *pool)
{
	return (u64)pool->slots.nr << pool->shift;
}

#endif /* ZPIPE_POOL_H */
