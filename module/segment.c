// SPDX-License-Identifier: GPL-2.0-only
/*
 * segment - the memory of a pool's slots: pages, who pays, and when they go
 *
 * Pages are ordinary, refcounted, zeroed when they come; "free" is always a
 * put, so a page that a mapping, a pin or a pipe buffer still refers to stays
 * what it was for them.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "limits.h"
#include "segment.h"

/* Blocks that pages are cut from have at most so many: what is rarely in short supply. */
#define BLOCK_ORDER		PAGE_ALLOC_COSTLY_ORDER

/* page_private() of a page that was lent since it was last known not to be. */
#define LENT			1

static void count_pages(struct zpipe_pool *pool, u32 index, long nr)
{
	atomic_long_add(nr, &pool->pages);
	if (zpipe_slots_is_spare(&pool->slots, index))
		atomic_long_add(nr, &pool->spare_pages);
}

/* How many pages does a slot have? */
static u32 segment_pages(const struct zpipe_pool *pool, const struct zpipe_segment *segment)
{
	if (!segment)
		return 0;
	return segment->foreign ?: zpipe_segment_pages(pool);
}

/**
 * zpipe_segment_alloc - room for the pages of a slot
 * @pool: the pool
 *
 * Context: may sleep.
 * Return: an own one without pages, for kvfree(); or NULL.
 */
struct zpipe_segment *zpipe_segment_alloc(const struct zpipe_pool *pool)
{
	struct zpipe_segment *segment;

	return kvzalloc(struct_size(segment, page, zpipe_segment_pages(pool)),
			GFP_KERNEL_ACCOUNT);
}

/*
 * What a slot had, or NULL. Pages of another pool were never charged: there is a
 * reference on each, and no more.
 */
static void free_segment(struct zpipe_pool *pool, u32 index, struct zpipe_segment *segment)
{
	u32 i, nr = segment_pages(pool, segment);

	for (i = 0; i < nr; i++)
		put_page(segment->page[i]);
	if (segment && !segment->foreign) {
		count_pages(pool, index, -(long)nr);
		zpipe_user_sub_pages(segment->payer ?: pool->user, nr);
		if (segment->payer)
			zpipe_user_put(segment->payer);
	}
	kvfree(segment);
}

/*
 * Zeroed pages, as many at once as the allocator has without effort: a block is
 * split into pages at once, so each of them is freed, lent and replaced alone.
 * How many there are now.
 */
static u32 alloc_block(struct page **page, u32 nr)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	u32 i, order = min_t(u32, ilog2(nr), BLOCK_ORDER);
	struct page *block = NULL;

	if (order)
		block = alloc_pages(gfp | __GFP_NORETRY | __GFP_NOWARN, order);
	if (block) {
		split_page(block, order);
	} else {
		order = 0;
		block = alloc_page(gfp);
	}
	if (!block)
		return 0;
	for (i = 0; i < 1U << order; i++)
		page[i] = nth_page(block, i);
	return 1U << order;
}

static struct zpipe_segment *alloc_segment(struct zpipe_pool *pool, u32 index,
					   struct zpipe_user *user, bool exempt)
{
	u32 i, more, nr = zpipe_segment_pages(pool);
	struct zpipe_segment *segment;
	int ret;

	ret = zpipe_user_add_pages(user ?: pool->user, nr, exempt);
	if (ret)
		return ERR_PTR(ret);
	segment = zpipe_segment_alloc(pool);
	if (!segment)
		goto err_uncharge;
	for (i = 0; i < nr; i += more) {
		more = alloc_block(&segment->page[i], nr - i);
		if (!more)
			goto err_free_pages;
	}
	if (user)
		zpipe_user_hold(user);
	segment->payer = user;
	count_pages(pool, index, nr);
	return segment;

err_free_pages:
	while (i--)
		put_page(segment->page[i]);
	kvfree(segment);
err_uncharge:
	zpipe_user_sub_pages(user ?: pool->user, nr);
	return ERR_PTR(-ENOMEM);
}

/* The first look at a segment: its pages come from nowhere. Counted in *zeroed. */
static int first_pages(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt,
		       u32 *zeroed)
{
	struct zpipe_segment *segment;

	segment = alloc_segment(pool, index, user, exempt);
	if (IS_ERR(segment))
		return PTR_ERR(segment);
	*zeroed += zpipe_segment_pages(pool);
	if (mutex_lock_killable(&pool->mutex)) {
		free_segment(pool, index, segment);
		return -EINTR;
	}
	/* Only who holds the slot gives it pages, and the caller does. */
	WRITE_ONCE(pool->segment[index], segment);
	pool->slots.slot[index].kind = ZPIPE_SLOT_WARM;
	mutex_unlock(&pool->mutex);
	return 0;
}

/*
 * Does anybody besides the pool and the page tables refer to it? Then it was
 * lent: to a pipe by splice(2) or vmsplice(2), or to a socket. The reader took
 * that reference before it consumed the bytes, and consumed was read before
 * this. A pin is not a loan but a claim on the place: buffers registered with
 * io_uring mean whatever the window holds there. Pins and many references look
 * the same, so a page that zpipe_segment_lend() has marked counts as lent while
 * there are any. In guarded mode nobody has such a claim.
 */
static bool is_lent(const struct zpipe_pool *pool, struct page *page)
{
	if (page_ref_count(page) <= 1 + atomic_read(&page->_mapcount) + 1) {
		set_page_private(page, 0);
		return false;
	}
	return page_private(page) == LENT || atomic_read(&pool->views) ||
	       !folio_maybe_dma_pinned(page_folio(page));
}

/* Where a slot's memory is in the files of the pool. */
static u64 file_offset(const struct zpipe_pool *pool, u32 index)
{
	u32 nr = pool->slots.nr;

	return index < nr ? ZPIPE_OFF_DATA + ((u64)index << pool->shift) :
			    ZPIPE_OFF_SPARE + ((u64)(index - nr) << pool->shift);
}

/*
 * Take a part of a slot out of every mapping, the views of guarded readers
 * included; those do not show spare slots.
 */
static void unmap(const struct zpipe_pool *pool, u32 index, u64 from, u64 length)
{
	struct address_space *mapping = pool->inode->i_mapping;
	int i, views = atomic_read(&pool->views);

	unmap_mapping_range(mapping, file_offset(pool, index) + from, length, 1);
	for (i = 0; i < views && !zpipe_slots_is_spare(&pool->slots, index); i++)
		unmap_mapping_range(mapping, ZPIPE_OFF_VIEW + i * ZPIPE_VIEW_SPAN +
				    ((u64)index << pool->shift) + from, length, 1);
}

/**
 * zpipe_segment_replace - put another page in a page's place
 * @pool: the pool
 * @index: the segment; the caller holds a reference on its slot
 * @i: which of its pages
 * @new: the pool's from here on; not on failure
 *
 * The old page stays what it was for those who still refer to it.
 *
 * Context: may sleep; killable.
 * Return: 0 or -EINTR.
 */
int zpipe_segment_replace(struct zpipe_pool *pool, u32 index, u32 i, struct page *new)
{
	struct page *old = pool->segment[index]->page[i];

	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	WRITE_ONCE(pool->segment[index]->page[i], new);
	mutex_unlock(&pool->mutex);
	unmap(pool, index, (u64)i << PAGE_SHIFT, PAGE_SIZE);
	put_page(old);
	return 0;
}

/*
 * A page that somebody else still refers to is not written over: the segment
 * gets a fresh one, and the old one stays what it was for its holder. Looking
 * without the mutex may see a fault half done, which costs a page too many and
 * nothing else.
 */
static int renew_pages(struct zpipe_pool *pool, u32 index, u32 *zeroed)
{
	const struct zpipe_segment *segment = pool->segment[index];
	u32 i, nr = zpipe_segment_pages(pool);

	for (i = 0; i < nr; i++) {
		struct page *new;

		if (likely(!is_lent(pool, segment->page[i])))
			continue;
		new = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!new)
			return -ENOMEM;
		++*zeroed;
		if (zpipe_segment_replace(pool, index, i, new)) {
			put_page(new);
			return -EINTR;
		}
		atomic_long_inc(&pool->replaced);
	}
	return 0;
}

/*
 * Other memory for a slot, or none. First no new PTE can come, then the old ones
 * go, and only then may the caller free what is returned.
 */
static struct zpipe_segment *swap_segment_locked(struct zpipe_pool *pool, u32 index,
						 struct zpipe_segment *segment)
{
	struct zpipe_segment *old = pool->segment[index];

	lockdep_assert_held(&pool->mutex);
	WRITE_ONCE(pool->segment[index], segment);
	if (old)
		unmap(pool, index, 0, 1ULL << pool->shift);
	return old;
}

/**
 * zpipe_segment_adopt - let a slot stand for pages of another pool
 * @pool: the pool
 * @index: the slot, of the ring; the caller holds it
 * @segment: from zpipe_segment_alloc(), with at least one foreign page;
 *	taken over with a reference on each, when this succeeds
 *
 * Readers see them from the next touch on; no writer of this pool does, who has
 * no right to write to them.
 *
 * Context: may sleep; killable.
 * Return: 0 or -EINTR.
 */
int zpipe_segment_adopt(struct zpipe_pool *pool, u32 index, struct zpipe_segment *segment)
{
	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	segment = swap_segment_locked(pool, index, segment);
	pool->slots.slot[index].kind = ZPIPE_SLOT_FOREIGN;
	mutex_unlock(&pool->mutex);
	free_segment(pool, index, segment);
	return 0;
}

/* A segment whose forwarded bytes are over gets memory of its own. */
static int disown_pages(struct zpipe_pool *pool, u32 index, u32 *zeroed)
{
	struct zpipe_segment *old;

	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	old = swap_segment_locked(pool, index, NULL);
	pool->slots.slot[index].kind = ZPIPE_SLOT_COLD;
	mutex_unlock(&pool->mutex);
	free_segment(pool, index, old);
	return first_pages(pool, index, NULL, pool->exempt, zeroed);
}

/**
 * zpipe_segment_populate - see to it that a run of segments can be written to
 * @pool: the pool
 * @first: first slot; the caller holds references on the run
 * @nr: length of the run
 * @zeroed: pages that came fresh are added, also when this fails
 *
 * Allocates without locks, so a fault of the other process does not wait for
 * memory. Segments that got pages keep them when a later one fails.
 *
 * Context: may sleep; killable.
 * Return: 0, -ENOMEM, -EDQUOT or -EINTR.
 */
int zpipe_segment_populate(struct zpipe_pool *pool, u32 first, u32 nr, u32 *zeroed)
{
	u32 i;

	if (READ_ONCE(pool->trimmed))
		WRITE_ONCE(pool->trimmed, false);
	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(&pool->slots, first, i);
		const struct zpipe_segment *segment = READ_ONCE(pool->segment[index]);
		int ret;

		if (fatal_signal_pending(current))
			return -EINTR;
		if (!segment)
			ret = first_pages(pool, index, NULL, pool->exempt, zeroed);
		else if (segment->foreign)
			ret = disown_pages(pool, index, zeroed);
		else
			ret = renew_pages(pool, index, zeroed);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/*
 * A spare segment's. First no new PTE can come, then the old ones go, then the
 * pages: a later touch of the memory is SIGBUS.
 */
static void take_pages(struct zpipe_pool *pool, u32 index)
{
	struct zpipe_segment *old;

	mutex_lock(&pool->mutex);
	old = swap_segment_locked(pool, index, NULL);
	mutex_unlock(&pool->mutex);
	free_segment(pool, index, old);
}

/**
 * zpipe_segment_provide - see to it that a claimed spare segment has pages
 * @pool: the pool
 * @index: its slot, which is the caller's
 * @user: who is to pay, also for pages that are there already
 * @exempt: the caller may pass limits
 * @zeroed: pages that came fresh are added, also when this fails
 *
 * Context: may sleep; killable.
 * Return: 0, -ENOMEM, -EDQUOT or -EINTR.
 */
int zpipe_segment_provide(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt,
			  u32 *zeroed)
{
	if (pool->segment[index] && pool->segment[index]->payer != user)
		take_pages(pool, index);
	if (pool->segment[index])
		return 0;
	return first_pages(pool, index, user, exempt, zeroed);
}

/* Take the pages of a spare slot that is free, or parked, unless it is neither any more. */
static void trim_spare(struct zpipe_pool *pool, u32 index, bool parked)
{
	struct zpipe_slots *slots = &pool->slots;
	bool ours;

	if (!READ_ONCE(pool->segment[index]))
		return;
	spin_lock(&pool->lock);
	ours = parked ? slots->slot[index].parked : slots->slot[index].refs == 0;
	if (ours && parked)
		zpipe_slots_claim(slots, index);
	else if (ours)
		zpipe_slots_borrow(slots, index, 1);
	spin_unlock(&pool->lock);
	if (!ours)
		return;

	take_pages(pool, index);

	spin_lock(&pool->lock);
	if (parked)
		zpipe_slots_park(slots, index);
	else
		zpipe_slots_give_up(slots, index, 1);
	spin_unlock(&pool->lock);
	cond_resched();
}

/**
 * zpipe_segment_sweep - give the pages of parked segments back
 * @pool: the pool
 *
 * Slots are parked under the lock, where no page can be freed; whoever may
 * have caused it calls this afterwards.
 *
 * Context: may sleep.
 */
void zpipe_segment_sweep(struct zpipe_pool *pool)
{
	u32 i;

	spin_lock(&pool->lock);
	pool->slots.returned = 0;
	spin_unlock(&pool->lock);
	if (!atomic_long_read(&pool->spare_pages))
		return;
	for (i = pool->slots.nr; i < zpipe_slots_total(&pool->slots); i++)
		trim_spare(pool, i, true);
}

/*
 * Take the pages from the free segment whose turn is last, if more than keep
 * have some; those of other pools at any rate. Whoever takes the segment at
 * once finds it without pages, and waits for pool->mutex to give it new ones.
 */
static struct zpipe_segment *take_last_locked(struct zpipe_pool *pool, u32 keep, u32 *taken)
{
	const struct zpipe_stack *warm = &pool->slots.stack[ZPIPE_SLOT_WARM];
	struct zpipe_segment *old;
	u32 index;

	lockdep_assert_held(&pool->mutex);
	spin_lock(&pool->lock);
	index = pool->slots.stack[ZPIPE_SLOT_FOREIGN].bottom;
	if (index == ZPIPE_NO_SLOT && warm->nr > keep)
		index = warm->bottom;
	if (index == ZPIPE_NO_SLOT) {
		spin_unlock(&pool->lock);
		return NULL;
	}
	/* Cold from here on; nobody sees the pages go before the mutex is dropped. */
	zpipe_slots_cool(&pool->slots, index);
	old = pool->segment[index];
	WRITE_ONCE(pool->segment[index], NULL);
	spin_unlock(&pool->lock);
	*taken = index;
	unmap(pool, index, 0, 1ULL << pool->shift);
	return old;
}

/**
 * zpipe_segment_trim - give pages of the ring's free segments back
 * @pool: the pool
 * @keep: free segments that keep theirs, those used last
 * @trylock: rather stop than wait for a fault: the caller reclaims memory
 *
 * First no new PTE can come, then the old ones go, then the pages: a later
 * touch of the memory is SIGBUS. The work is as much as there is to give back.
 *
 * Context: may sleep, unless @trylock.
 * Return: pages given back.
 */
unsigned long zpipe_segment_trim(struct zpipe_pool *pool, u32 keep, bool trylock)
{
	const struct zpipe_stack *stack = pool->slots.stack;
	unsigned long freed = 0;

	while (READ_ONCE(stack[ZPIPE_SLOT_WARM].nr) > keep ||
	       READ_ONCE(stack[ZPIPE_SLOT_FOREIGN].nr)) {
		struct zpipe_segment *old;
		u32 index;

		if (!trylock)
			mutex_lock(&pool->mutex);
		else if (!mutex_trylock(&pool->mutex))
			break;
		old = take_last_locked(pool, keep, &index);
		mutex_unlock(&pool->mutex);
		if (!old)
			break;
		freed += segment_pages(pool, old);
		free_segment(pool, index, old);
		cond_resched();
	}
	return freed;
}

/**
 * zpipe_segment_trim_after_end - an end has gone: give pages of free segments back
 * @pool: a private one is of no more use, a shared one is
 *
 * Context: may sleep.
 */
void zpipe_segment_trim_after_end(struct zpipe_pool *pool)
{
	u32 i;

	if (pool->slots.shared) {
		zpipe_segment_trim(pool, pool->idle, false);
		return;
	}
	WRITE_ONCE(pool->trimmed, true);
	zpipe_segment_trim(pool, 0, false);
	if (!atomic_long_read(&pool->spare_pages))
		return;
	for (i = pool->slots.nr; i < zpipe_slots_total(&pool->slots); i++)
		trim_spare(pool, i, false);
	zpipe_segment_sweep(pool);
}

/**
 * zpipe_segment_page - the page behind a byte of the window
 * @pool: the pool
 * @offset: a data offset; the caller holds a reference on its slot
 *
 * Return: the page, or NULL when the segment has none.
 */
struct page *zpipe_segment_page(struct zpipe_pool *pool, u64 offset)
{
	u32 index = zpipe_slots_index(&pool->slots, offset, pool->shift);
	struct zpipe_segment *segment = READ_ONCE(pool->segment[index]);

	if (!segment)
		return NULL;
	return segment->page[(offset & ((1ULL << pool->shift) - 1)) >> PAGE_SHIFT];
}

/**
 * zpipe_segment_lend - take a reference for somebody who reads the page later
 * @page: of a slot that the caller holds a reference on
 *
 * What is published in it stays as it is until the reference is dropped, also
 * when its slot is used again. A page that may be pinned is not lent: replacing
 * it would take the place away from who has pinned it.
 *
 * Return: whether the page was lent; if not, copy it.
 */
bool zpipe_segment_lend(struct page *page)
{
	if (folio_maybe_dma_pinned(page_folio(page)))
		return false;
	set_page_private(page, LENT);
	get_page(page);
	return true;
}

/**
 * zpipe_segment_drop - the end of a slot of a pool that nobody can reach
 * @pool: the pool
 * @index: of the slot
 */
void zpipe_segment_drop(struct zpipe_pool *pool, u32 index)
{
	free_segment(pool, index, pool->segment[index]);
}
