/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * segment - the memory of a pool's slots: pages, who pays, and when they go
 *
 * slots.c says which slots are free; here is what they are made of. A slot gets
 * its pages when it is first taken, and keeps them until zpipe_segment_trim()
 * gives those of the free ones back. A spare slot gets them before it goes into
 * service, and has none while parked, once zpipe_segment_sweep() has been there.
 */
#ifndef ZPIPE_SEGMENT_H
#define ZPIPE_SEGMENT_H

#include <linux/types.h>

#include "types.h"

int zpipe_segment_populate(struct zpipe_pool *pool, u32 first, u32 nr, u32 *zeroed);
struct zpipe_segment *zpipe_segment_alloc(const struct zpipe_pool *pool);
int zpipe_segment_adopt(struct zpipe_pool *pool, u32 index, struct zpipe_segment *segment);
int zpipe_segment_provide(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt,
			  u32 *zeroed);
void zpipe_segment_sweep(struct zpipe_pool *pool);
unsigned long zpipe_segment_trim(struct zpipe_pool *pool, u32 keep, bool trylock);
void zpipe_segment_trim_after_end(struct zpipe_pool *pool);
int zpipe_segment_replace(struct zpipe_pool *pool, u32 index, u32 i, struct page *new);
struct page *zpipe_segment_page(struct zpipe_pool *pool, u64 offset);
bool zpipe_segment_lend(struct page *page);
void zpipe_segment_drop(struct zpipe_pool *pool, u32 index);

/* Pages of a segment. */
static inline u32 zpipe_segment_pages(const struct zpipe_pool *pool)
{
	return 1U << (pool->shift - PAGE_SHIFT);
}

#endif /* ZPIPE_SEGMENT_H */
