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
 * @exempt: the caller may pass limits
 *
 * Context: may sleep.
 * Return: the pool with one reference, or an ERR_PTR().
 */
struct zpipe_pool *zpipe_pool_create(u32 nr, u32 shift, bool exempt)
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
	pool->shift = shift;
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

/*
 * No file is left, so neither is a mapping; nothing else can look up a page.
 */
static void pool_free(struct kref *kref)
{
	struct zpipe_pool *pool = container_of(kref, struct zpipe_pool, kref);
	u32 i;

	for (i = 0; i < pool->slots.nr; i++) {
		if (pool->segment[i].pages)
			free_segment_pages(pool, pool->segment[i].pages);
	}
	put_inode(pool->inode);
	zpipe_user_put(pool->user);
	kvfree(pool->segment);
	kvfree(pool->slots.slot);
	kfree(pool);
}

/**
 * zpipe_pool_put - drop a reference
 * @pool: freed with the last one
 *
 * Context: may sleep.
 */
void zpipe_pool_put(struct zpipe_pool *pool)
{
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

/* Remove every PTE of a part of the window, the readers' own views included. */
static void unmap(const struct zpipe_pool *pool, u64 offset, u64 length)
{
	struct address_space *mapping = pool->inode->i_mapping;
	int i, views = atomic_read(&pool->views);

	unmap_mapping_range(mapping, ZPIPE_OFF_DATA + offset, length, 1);
	for (i = 0; i < views; i++)
		unmap_mapping_range(mapping, ZPIPE_OFF_VIEW + i * ZPIPE_VIEW_SPAN + offset,
				    length, 1);
}

/**
 * zpipe_pool_replace - put another page in a page's place
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
int zpipe_pool_replace(struct zpipe_pool *pool, u32 index, u32 i, struct page *new)
{
	struct page *old = pool->segment[index].pages[i];

	if (mutex_lock_killable(&pool->mutex))
		return -EINTR;
	WRITE_ONCE(pool->segment[index].pages[i], new);
	mutex_unlock(&pool->mutex);
	unmap(pool, ((u64)index << pool->shift) + ((u64)i << PAGE_SHIFT), PAGE_SIZE);
	put_page(old);
	return 0;
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

	for (i = 0; i < nr; i++) {
		struct page *new;

		if (likely(!is_lent(pool, pages[i])))
			continue;
		new = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!new)
			return -ENOMEM;
		if (zpipe_pool_replace(pool, index, i, new)) {
			put_page(new);
			return -EINTR;
		}
		atomic_long_inc(&pool->replaced);
	}
	return 0;
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
		if (pool->segment[index].pages)
			ret = renew_pages(pool, index);
		else
			ret = first_pages(pool, index);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * zpipe_pool_trim - give the pages of free segments back
 * @pool: the pool
 *
 * First no new PTE can come, then the old ones go, then the pages: a later
 * touch of the memory is SIGBUS.
 *
 * Context: may sleep.
 */
void zpipe_pool_trim(struct zpipe_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->slots.nr; i++) {
		struct page **pages;
		bool is_free;

		if (!READ_ONCE(pool->segment[i].pages))
			continue;
		spin_lock(&pool->lock);
		is_free = pool->slots.slot[i].refs == 0;
		if (is_free)
			zpipe_slots_get(&pool->slots, i, 1);
		spin_unlock(&pool->lock);
		if (!is_free)
			continue;

		mutex_lock(&pool->mutex);
		pages = pool->segment[i].pages;
		WRITE_ONCE(pool->segment[i].pages, NULL);
		mutex_unlock(&pool->mutex);
		if (pages) {
			unmap(pool, (u64)i << pool->shift, 1ULL << pool->shift);
			free_segment_pages(pool, pages);
		}

		spin_lock(&pool->lock);
		zpipe_slots_put(&pool->slots, i, 1);
		spin_unlock(&pool->lock);
		cond_resched();
	}
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
