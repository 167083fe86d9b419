// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool - slots and their segments, the inode behind them, and the list of all
 *
 * The inode is the pool's own: its address_space finds every mapping of the
 * window, and of nothing else.
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
#include "segment.h"

LIST_HEAD(zpipe_pools);
DEFINE_MUTEX(zpipe_pools_mutex);

#define ZPIPE_SUPER_MAGIC	0x7a706970	/* "zpip" */

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

/* Of exactly the size, as there may be many that are idle. */
static struct kmem_cache *pool_cache;

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

/**
 * zpipe_pool_create - make a pool that holds no pages yet
 * @nr: segments; as many spare ones come on top
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

	pool = kmem_cache_zalloc(pool_cache, GFP_KERNEL_ACCOUNT);
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
	kmem_cache_free(pool_cache, pool);
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
	for (i = 0; i < zpipe_slots_total(&pool->slots); i++)
		zpipe_segment_drop(pool, i);
	put_inode(pool->inode);
	if (pool->slots.shared)
		zpipe_user_sub_pipe(pool->user);
	zpipe_user_put(pool->user);
	kvfree(pool->segment);
	kvfree(pool->slots.slot);
	kmem_cache_free(pool_cache, pool);
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

/**
 * zpipe_pool_init - get ready to make pools
 *
 * Return: 0 or -ENOMEM.
 */
int zpipe_pool_init(void)
{
	pool_cache = KMEM_CACHE(zpipe_pool, SLAB_ACCOUNT);
	return pool_cache ? 0 : -ENOMEM;
}

/** zpipe_pool_exit - undo it, when there is no pool any more */
void zpipe_pool_exit(void)
{
	kmem_cache_destroy(pool_cache);
}
