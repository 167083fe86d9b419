// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool - the memory of segments: pages, accounting, and the inode behind them
 *
 * Pages are ordinary, refcounted, zeroed when they come; "free" is always a
 * put, so a page that a mapping, a pin or a pipe buffer still refers to stays
 * what it was for them. The inode is the pool's own: its address_space finds
 * every mapping of the window, and of nothing else.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "limits.h"
#include "pool.h"

LIST_HEAD(zpipe_pools);
DEFINE_MUTEX(zpipe_pools_mutex);

#define ZPIPE_SUPER_MAGIC	0x7a706970	/* "zpip" */

/* page_private() of a page that was lent since it was last known not to be. */
#define LENT			1

static int init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, ZPIPE_SUPER_MAGIC) ? 0 : -ENOMEM;
}

/*
 * Never registered: only this module mounts it. It is pinned by each pool, not
 * for good, or the module could never be unloaded.
 */
static struct file_system_type zpipe_fs_type = {
	.owner = THIS_MODULE,
	.name = "zpipe",
	.init_fs_context = init_fs_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *zpipe_mnt;
static int zpipe_mnt_count;

static struct inode *get_inode(void)
{
	struct inode *inode;
	int ret;

	ret = simple_pin_fs(&zpipe_fs_type, &zpipe_mnt, &zpipe_mnt_count);
	if (ret)
		return ERR_PTR(ret);
	inode = alloc_anon_inode(zpipe_mnt->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&zpipe_mnt, &zpipe_mnt_count);
	return inode;
}

static void put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&zpipe_mnt, &zpipe_mnt_count);
}

static void free_segment_pages(struct zpipe_pool *pool, struct page **pages)
{
	u32 i, nr = zpipe_pool_segment_pages(pool);

	for (i = 0; i < nr; i++)
		put_page(pages[i]);
	kvfree(pages);
	atomic_long_sub(nr, &pool->pages);
	zpipe_user_sub_pages(pool->user, nr);
}

/* Those of another pool: this one has a reference on each, and no charge. */
static void free_foreign_pages(struct page **pages, u32 nr)
{
	while (nr--)
		put_page(pages[nr]);
	kvfree(pages);
}

static void free_pages_of(struct zpipe_pool *pool, struct zpipe_segment *old)
{
	if (!old->pages)
		return;
	if (old->foreign)
		free_foreign_pages(old->pages, old->foreign);
	else
		free_segment_pages(pool, old->pages);
}

static struct page **alloc_segment_pages(struct zpipe_pool *pool)
{
	u32 i, nr = zpipe_pool_segment_pages(pool);
	struct page **pages;
	int ret;

	ret = zpipe_user_add_pages(pool->user, nr, pool->exempt);
	if (ret)
		return ERR_PTR(ret);
	pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		goto err_uncharge;
	for (i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages[i])
			goto err_free_pages;
	}
	atomic_long_add(nr, &pool->pages);
	return pages;

err_free_pages:
	while (i--)
		put_page(pages[i]);
	kvfree(pages);
err_uncharge:
	zpipe_user_sub_pages(pool->user, nr);
	return ERR_PTR(-ENOMEM);
}

/**
 * zpipe_pool_create - make a pool that holds no pages yet
 * @nr: segments
 * @shift: log2 of their size
 * @idle: free segments that keep their pages while it is idle
 * @exempt: the caller may pass limits
 *
 * Context: may sleep.
 * Return: the pool with one reference, or an ERR_PTR().
 */
struct zpipe_pool *zpipe_pool_create(u32 nr, u32 shift, u32 idle, bool exempt)
{
	struct zpipe_slot *slot;
	struct zpipe_pool *pool;
	int ret = -ENOMEM;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	kref_init(&pool->kref);
	mutex_init(&pool->mutex);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->pipes);
	INIT_LIST_HEAD(&pool->hungry);
	pool->shift = shift;
	pool->idle = idle;
	pool->exempt = exempt;

	slot = kvcalloc(nr, sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		goto err_free_pool;
	zpipe_slots_init(&pool->slots, slot, nr);
	pool->segment = kvcalloc(nr, sizeof(*pool->segment), GFP_KERNEL_ACCOUNT);
	if (!pool->segment)
		goto err_free_slots;
	pool->user = zpipe_user_get();
	if (!pool->user)
		goto err_free_segments;
	pool->inode = get_inode();
	if (IS_ERR(pool->inode)) {
		ret = PTR_ERR(pool->inode);
		goto err_put_user;
	}
	mutex_lock(&zpipe_pools_mutex);
	list_add_tail(&pool->entry, &zpipe_pools);
	mutex_unlock(&zpipe_pools_mutex);
	return pool;

err_put_user:
	zpipe_user_put(pool->user);
err_free_segments:
	kvfree(pool->segment);
err_free_slots:
	kvfree(slot);
err_free_pool:
	kfree(pool);
	return ERR_PTR(ret);
}

/**
 * zpipe_pool_share - make it one that several pipes may use
 * @pool: new
 *
 * It counts as a pipe of its own, or pools would be a way round that limit.
 *
 * Return: 0 or -EDQUOT.
 */
int zpipe_pool_share(struct zpipe_pool *pool)
{
	unsigned long pages = zpipe_pool_window(pool) >> PAGE_SHIFT;
	int ret;

	if (!pool->exempt && zpipe_user_is_soft(pool->user, pages))
		return -EDQUOT;
	ret = zpipe_user_add_pipe(pool->user, pool->exempt);
	if (!ret)
		pool->slots.shared = true;
	return ret;
}

/*
 * No file is left, so neither is a mapping; nothing else can look up a page.
 */
static void pool_free(struct kref *kref)
{
	struct zpipe_pool *pool = container_of(kref, struct zpipe_pool, kref);
	u32 i;

	mutex_lock(&zpipe_pools_mutex);
	list_del(&pool->entry);
	mutex_unlock(&zpipe_pools_mutex);
	for (i = 0; i < pool->slots.nr; i++)
		free_pages_of(pool, &pool->segment[i]);
	put_inode(pool->inode);
	if (pool->slots.shared)
		zpipe_user_sub_pipe(pool->user);
	zpipe_user_put(pool->user);
	kvfree(pool->segment);
	kvfree(pool->slots.slot);
	kfree(pool);
}

/**
 * zpipe_pool_put - drop a reference
 * @pool: freed with the last one; NULL is nothing
 *
 * Context: may sleep.
 */
void zpipe_pool_put(struct zpipe_pool *pool)
{
	if (pool)
		kref_put(&pool->kref, pool_free);
}

/* The first look at a segment: its pages come from nowhere. */
static int first_pages(struct zpipe_pool *pool, u32 index)
{
	struct page **pages;

	pages = alloc_segment_pages(pool);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	if (mutex_lock_killable(&pool->mutex)) {
		free_segment_pages(pool, pages);
		return -EINTR;
	}
	/* Only who holds the slot gives it pages, and the caller does. */
	WRITE_ONCE(pool->segment[index].pages, pages);
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
 * the same, so a page that zpipe_pool_lend() has marked counts as lent while
 * there are any.
 */
static bool is_lent(struct page *page)
{
	if (page_ref_count(page) <= 1 + atomic_read(&page->_mapcount) + 1) {
		set_page_private(page, 0);
		return false;
	}
	return page_private(page) == LENT || !folio_maybe_dma_pinned(page_folio(page));
}

/*
 * A page that somebody else still refers to is not written over: the segment
 * gets a fresh one, and the old one stays what it was for its holder. Looking
 * without the mutex may see a fault half done, which costs a page too many and
 * nothing else.
 */
static int renew_pages(struct zpipe_pool *pool, u32 index)
{
	struct page **pages = pool->segment[index].pages;
	u32 i, nr = zpipe_pool_segment_pages(pool);
	struct address_space *mapping = pool->inode->i_mapping;

	for (i = 0; i < nr; i++) {
		struct page *old = pages[i], *new;

		if (likely(!is_lent(old)))
			continue;
		new = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!new)
			return -ENOMEM;
		if (mutex_lock_killable(&pool->mutex)) {
			put_page(new);
			return -EINTR;
		}
		pages[i] = new;
		mutex_unlock(&pool->mutex);
		unmap_mapping_range(mapping, ZPIPE_OFF_DATA + ((u64)index << pool->shift) +
				    ((u64)i << PAGE_SHIFT), PAGE_SIZE, 1);
		put_page(old);
		atomic_long_inc(&pool->replaced);
	}
	return 0;
}

/*
 * Other pages for a segment, or none. First no new PTE can come, then the old
 * ones go, and only then may the caller free what *old has got.
 */
static void swap_pages_locked(struct zpipe_pool *pool, u32 index, struct page **pages,
			      u32 foreign, struct zpipe_segment *old)
{
	struct zpipe_segment *segment = &pool->segment[index];

	lockdep_assert_held(&pool->mutex);
	*old = *segment;
	WRITE_ONCE(segment->pages, pages);
	segment->foreign = foreign;
	if (old->pages)
		unmap_mapping_range(pool->inode->i_mapping,
				    ZPIPE_OFF_DATA + ((u64)index << pool->shift),
				    1ULL << pool->shift, 1);
}

/**
 * zpipe_pool_adopt - let a segment stand for pages of another pool
 * @pool: the pool
 * @index: the slot; the caller holds it
 * @pages: array with room for a segment's pages; taken over with a reference on
 *	each, when this succeeds
 * @nr: how many there are, from the front
 *
 * Readers see them from the next touch on; no writer of this pool does, who has
 * no right to write to them.
 *
 * Context: may sleep; killable.
 * Return: 0 or -EINTR.
 */
int zpipe_pool_adopt(struct zpipe_pool *pool, u32 index, struct page **pages, u32 nr)
{
	struct zpipe_segment old;

	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	swap_pages_locked(pool, index, pages, nr, &old);
	pool->slots.slot[index].kind = ZPIPE_SLOT_FOREIGN;
	mutex_unlock(&pool->mutex);
	free_pages_of(pool, &old);
	return 0;
}

/* A segment whose forwarded bytes are over gets memory of its own. */
static int disown_pages(struct zpipe_pool *pool, u32 index)
{
	struct zpipe_segment old;

	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	swap_pages_locked(pool, index, NULL, 0, &old);
	pool->slots.slot[index].kind = ZPIPE_SLOT_COLD;
	mutex_unlock(&pool->mutex);
	free_pages_of(pool, &old);
	return first_pages(pool, index);
}

/**
 * zpipe_pool_populate - see to it that a run of segments can be written to
 * @pool: the pool
 * @first: first slot; the caller holds references on the run
 * @nr: length of the run
 *
 * Allocates without locks, so a fault of the other process does not wait for
 * memory. Segments that got pages keep them when a later one fails.
 *
 * Context: may sleep; killable.
 * Return: 0, -ENOMEM, -EDQUOT or -EINTR.
 */
int zpipe_pool_populate(struct zpipe_pool *pool, u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(&pool->slots, first, i);
		int ret;

		if (fatal_signal_pending(current))
			return -EINTR;
		if (pool->segment[index].foreign)
			ret = disown_pages(pool, index);
		else if (pool->segment[index].pages)
			ret = renew_pages(pool, index);
		else
			ret = first_pages(pool, index);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/*
 * Take the pages from the free segment whose turn is last, if more than keep
 * have some; those of other pools at any rate. Whoever takes the segment at
 * once finds it without pages, and waits for pool->mutex to give it new ones.
 */
static bool take_pages_locked(struct zpipe_pool *pool, u32 keep, struct zpipe_segment *old)
{
	const struct zpipe_stack *warm = &pool->slots.stack[ZPIPE_SLOT_WARM];
	u32 index;

	lockdep_assert_held(&pool->mutex);
	spin_lock(&pool->lock);
	index = pool->slots.stack[ZPIPE_SLOT_FOREIGN].bottom;
	if (index == ZPIPE_NO_SLOT && warm->nr > keep)
		index = warm->bottom;
	if (index == ZPIPE_NO_SLOT) {
		spin_unlock(&pool->lock);
		return false;
	}
	/* Cold from here on; nobody sees the pages go before the mutex is dropped. */
	zpipe_slots_cool(&pool->slots, index);
	*old = pool->segment[index];
	WRITE_ONCE(pool->segment[index].pages, NULL);
	pool->segment[index].foreign = 0;
	spin_unlock(&pool->lock);
	unmap_mapping_range(pool->inode->i_mapping, ZPIPE_OFF_DATA + ((u64)index << pool->shift),
			    1ULL << pool->shift, 1);
	return true;
}

/**
 * zpipe_pool_trim - give pages of free segments back
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
unsigned long zpipe_pool_trim(struct zpipe_pool *pool, u32 keep, bool trylock)
{
	const struct zpipe_stack *stack = pool->slots.stack;
	unsigned long freed = 0;

	while (READ_ONCE(stack[ZPIPE_SLOT_WARM].nr) > keep ||
	       READ_ONCE(stack[ZPIPE_SLOT_FOREIGN].nr)) {
		struct zpipe_segment old;
		bool any;

		if (!trylock)
			mutex_lock(&pool->mutex);
		else if (!mutex_trylock(&pool->mutex))
			break;
		any = take_pages_locked(pool, keep, &old);
		mutex_unlock(&pool->mutex);
		if (!any)
			break;
		freed += old.foreign ?: zpipe_pool_segment_pages(pool);
		free_pages_of(pool, &old);
		cond_resched();
	}
	return freed;
}

/**
 * zpipe_pool_page - the page behind a byte of the window
 * @pool: the pool
 * @offset: below twice the window; the caller holds a reference on its slot
 *
 * Return: the page, or NULL when the segment has none.
 */
struct page *zpipe_pool_page(struct zpipe_pool *pool, u64 offset)
{
	u64 window = zpipe_pool_window(pool);
	struct page **pages;

	if (offset >= window)
		offset -= window;
	pages = READ_ONCE(pool->segment[offset >> pool->shift].pages);
	if (!pages)
		return NULL;
	return pages[(offset & ((1ULL << pool->shift) - 1)) >> PAGE_SHIFT];
}

/**
 * zpipe_pool_lend - take a reference for somebody who reads the page later
 * @page: of a slot that the caller holds a reference on
 *
 * What is published in it stays as it is until the reference is dropped, also
 * when its slot is used again. A page that may be pinned is not lent: replacing
 * it would take the place away from who has pinned it.
 *
 * Return: whether the page was lent; if not, copy it.
 */
bool zpipe_pool_lend(struct page *page)
{
	if (folio_maybe_dma_pinned(page_folio(page)))
		return false;
	set_page_private(page, LENT);
	get_page(page);
	return true;
}

/**
 * zpipe_pool_file - a file over the pool's inode
 * @pool: the pool
 * @name: what /proc/PID/fd shows
 * @flags: O_NONBLOCK or 0
 * @fops: of the file
 *
 * The inode keeps its own i_fop, so that opening /proc/PID/fd/N is ENXIO and a
 * weaker fd cannot be made a stronger one.
 *
 * Context: may sleep.
 * Return: the file, or an ERR_PTR().
 */
struct file *zpipe_pool_file(struct zpipe_pool *pool, const char *name, int flags,
			     const struct file_operations *fops)
{
	struct file *file;

	/* The file's end drops a module reference that nobody else takes. */
	__module_get(fops->owner);
	ihold(pool->inode);
	file = alloc_file_pseudo(pool->inode, zpipe_mnt, name, O_RDWR | flags, fops);
	if (IS_ERR(file)) {
		iput(pool->inode);
		module_put(fops->owner);
		return file;
	}
	stream_open(pool->inode, file);
	return file;
}
