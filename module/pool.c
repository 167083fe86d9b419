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

/* Who pays for a segment, besides the pool's user; NULL for nobody. */
static struct zpipe_user *payer_of(const struct zpipe_pool *pool, u32 index)
{
	if (!pool->payer || !zpipe_slots_is_spare(&pool->slots, index))
		return NULL;
	return pool->payer[index - pool->slots.nr];
}

static void set_payer(struct zpipe_pool *pool, u32 index, struct zpipe_user *user)
{
	if (pool->payer && zpipe_slots_is_spare(&pool->slots, index))
		pool->payer[index - pool->slots.nr] = user;
}

static void count_pages(struct zpipe_pool *pool, u32 index, long nr)
{
	atomic_long_add(nr, &pool->pages);
	if (zpipe_slots_is_spare(&pool->slots, index))
		atomic_long_add(nr, &pool->spare_pages);
}

/* What a segment had; @user is its own, or NULL for the pool's. */
static void free_segment_pages(struct zpipe_pool *pool, u32 index, struct page **pages,
			       struct zpipe_user *user)
{
	u32 i, nr = zpipe_pool_segment_pages(pool);

	for (i = 0; i < nr; i++)
		put_page(pages[i]);
	kvfree(pages);
	count_pages(pool, index, -(long)nr);
	zpipe_user_sub_pages(user ?: pool->user, nr);
	if (user)
		zpipe_user_put(user);
}

static struct page **alloc_segment_pages(struct zpipe_pool *pool, u32 index,
					 struct zpipe_user *user, bool exempt)
{
	u32 i, nr = zpipe_pool_segment_pages(pool);
	struct page **pages;
	int ret;

	ret = zpipe_user_add_pages(user, nr, exempt);
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
	count_pages(pool, index, nr);
	return pages;

err_free_pages:
	while (i--)
		put_page(pages[i]);
	kvfree(pages);
err_uncharge:
	zpipe_user_sub_pages(user, nr);
	return ERR_PTR(-ENOMEM);
}

/**
 * zpipe_pool_create - make a pool that holds no pages yet
 * @nr: segments; as many spare ones come on top
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

	slot = kvcalloc(2 * nr, sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		goto err_free_pool;
	zpipe_slots_init(&pool->slots, slot, nr);
	pool->segment = kvcalloc(2 * nr, sizeof(*pool->segment), GFP_KERNEL_ACCOUNT);
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

	for (i = 0; i < zpipe_slots_total(&pool->slots); i++) {
		if (pool->segment[i].pages)
			free_segment_pages(pool, i, pool->segment[i].pages, payer_of(pool, i));
	}
	put_inode(pool->inode);
	zpipe_user_put(pool->user);
	kvfree(pool->payer);
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
static int first_pages(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt)
{
	struct page **pages;

	pages = alloc_segment_pages(pool, index, user ?: pool->user, exempt);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	if (user)
		zpipe_user_hold(user);
	if (mutex_lock_killable(&pool->mutex)) {
		free_segment_pages(pool, index, pages, user);
		return -EINTR;
	}
	/* Only who holds the slot gives it pages, and the caller does. */
	WRITE_ONCE(pool->segment[index].pages, pages);
	set_payer(pool, index, user);
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

	if (READ_ONCE(pool->trimmed))
		WRITE_ONCE(pool->trimmed, false);
	for (i = 0; i < nr; i++) {
		u32 index = zpipe_slots_after(&pool->slots, first, i);
		int ret;

		if (fatal_signal_pending(current))
			return -EINTR;
		if (pool->segment[index].pages)
			ret = renew_pages(pool, index);
		else
			ret = first_pages(pool, index, NULL, pool->exempt);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/*
 * First no new PTE can come, then the old ones go, then the pages: a later
 * touch of the memory is SIGBUS.
 */
static void take_pages(struct zpipe_pool *pool, u32 index)
{
	struct zpipe_user *user;
	struct page **pages;

	mutex_lock(&pool->mutex);
	pages = pool->segment[index].pages;
	user = payer_of(pool, index);
	WRITE_ONCE(pool->segment[index].pages, NULL);
	set_payer(pool, index, NULL);
	mutex_unlock(&pool->mutex);
	if (!pages)
		return;
	unmap(pool, index, 0, 1ULL << pool->shift);
	free_segment_pages(pool, index, pages, user);
}

/* Most pipes never preserve anything. */
static int make_payers(struct zpipe_pool *pool)
{
	struct zpipe_user **payer;

	if (READ_ONCE(pool->payer))
		return 0;
	payer = kvcalloc(pool->slots.nr, sizeof(*payer), GFP_KERNEL_ACCOUNT);
	if (!payer)
		return -ENOMEM;
	mutex_lock(&pool->mutex);
	if (!pool->payer) {
		WRITE_ONCE(pool->payer, payer);
		payer = NULL;
	}
	mutex_unlock(&pool->mutex);
	kvfree(payer);
	return 0;
}

/**
 * zpipe_pool_provide - see to it that a claimed spare segment has pages
 * @pool: the pool
 * @index: its slot, which is the caller's
 * @user: who is to pay, also for pages that are there already
 * @exempt: the caller may pass limits
 *
 * Context: may sleep; killable.
 * Return: 0, -ENOMEM, -EDQUOT or -EINTR.
 */
int zpipe_pool_provide(struct zpipe_pool *pool, u32 index, struct zpipe_user *user, bool exempt)
{
	int ret = make_payers(pool);

	if (ret)
		return ret;
	if (pool->segment[index].pages && payer_of(pool, index) != user)
		take_pages(pool, index);
	if (pool->segment[index].pages)
		return 0;
	return first_pages(pool, index, user, exempt);
}

/* Take the pages of a slot that is free, or parked, unless it is neither any more. */
static void trim_slot(struct zpipe_pool *pool, u32 index, bool parked)
{
	struct zpipe_slots *slots = &pool->slots;
	bool ours;

	if (!READ_ONCE(pool->segment[index].pages))
		return;
	spin_lock(&pool->lock);
	ours = parked ? slots->slot[index].parked : slots->slot[index].refs == 0;
	if (ours && parked)
		zpipe_slots_claim(slots, index);
	else if (ours)
		zpipe_slots_get(slots, index, 1);
	spin_unlock(&pool->lock);
	if (!ours)
		return;

	take_pages(pool, index);

	spin_lock(&pool->lock);
	if (parked)
		zpipe_slots_park(slots, index);
	else
		zpipe_slots_put(slots, index, 1);
	spin_unlock(&pool->lock);
	cond_resched();
}

/**
 * zpipe_pool_sweep - give the pages of parked segments back
 * @pool: the pool
 *
 * Slots are parked under the lock, where no page can be freed; whoever may
 * have caused it calls this afterwards.
 *
 * Context: may sleep.
 */
void zpipe_pool_sweep(struct zpipe_pool *pool)
{
	u32 i;

	spin_lock(&pool->lock);
	pool->slots.returned = 0;
	spin_unlock(&pool->lock);
	if (!atomic_long_read(&pool->spare_pages))
		return;
	for (i = pool->slots.nr; i < zpipe_slots_total(&pool->slots); i++)
		trim_slot(pool, i, true);
}

/**
 * zpipe_pool_trim - give the pages of free segments back
 * @pool: the pool
 *
 * Context: may sleep.
 */
void zpipe_pool_trim(struct zpipe_pool *pool)
{
	u32 i;

	WRITE_ONCE(pool->trimmed, true);
	for (i = 0; i < zpipe_slots_total(&pool->slots); i++)
		trim_slot(pool, i, false);
	zpipe_pool_sweep(pool);
}

/**
 * zpipe_pool_page - the page behind a byte of the window
 * @pool: the pool
 * @offset: a data offset; the caller holds a reference on its slot
 *
 * Return: the page, or NULL when the segment has none.
 */
struct page *zpipe_pool_page(struct zpipe_pool *pool, u64 offset)
{
	u32 index = zpipe_slots_index(&pool->slots, offset, pool->shift);
	struct page **pages;

	pages = READ_ONCE(pool->segment[index].pages);
	if (!pages)
		return NULL;
	return pages[(offset & ((1ULL << pool->shift) - 1)) >> PAGE_SHIFT];
}

static struct file *make_file(struct zpipe_pool *pool, const char *name, int flags,
			      const struct file_operations *fops)
{
	struct file *file;

	/* The file's end drops a module reference that nobody else takes. */
	__module_get(fops->owner);
	ihold(pool->inode);
	file = alloc_file_pseudo(pool->inode, zpipe_mnt, name, flags, fops);
	if (IS_ERR(file)) {
		iput(pool->inode);
		module_put(fops->owner);
	}
	return file;
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
	struct file *file = make_file(pool, name, O_RDWR | flags, fops);

	if (!IS_ERR(file))
		stream_open(pool->inode, file);
	return file;
}

/**
 * zpipe_pool_rofile - one that is read-only and has a position
 * @pool: the pool
 * @name: what /proc/PID/fd shows
 * @fops: of the file
 *
 * Context: may sleep.
 * Return: the file, or an ERR_PTR().
 */
struct file *zpipe_pool_rofile(struct zpipe_pool *pool, const char *name,
			       const struct file_operations *fops)
{
	struct file *file = make_file(pool, name, O_RDONLY, fops);

	if (!IS_ERR(file))
		file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_ATOMIC_POS;
	return file;
}
