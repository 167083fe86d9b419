// SPDX-License-Identifier: GPL-2.0-only
/*
 * poolfd - a pool that pipes share, and the fd that stands for it
 *
 * The fd holds a reference on the pool as each of its pipes does, and nothing
 * else: what it answers is read from the pool under its lock.
 */
#include <linux/capability.h>
#include <linux/log2.h>
#include <linux/seq_file.h>

#include "info.h"
#include "limits.h"
#include "pool.h"
#include "poolfd.h"
#include "segment.h"

#define DEFAULT_SEGMENT		(1U << 16)
#define DEFAULT_SEGMENTS	16

static atomic64_t last_id = ATOMIC64_INIT(0);

/* What POOL_CREATE was asked for, worked out. */
struct geometry {
	u32 segment;
	u32 nr;
	u32 idle;
};

static int work_out(const struct zpipe_pool_create_args *args, struct geometry *geometry)
{
	u32 segment = args->segment_size ?: DEFAULT_SEGMENT;
	u32 nr = args->segments ?: DEFAULT_SEGMENTS;
	u32 idle = args->idle == ZPIPE_POOL_IDLE ? min_t(u32, ZPIPE_IDLE, nr) : args->idle;

	if (!is_power_of_2(segment) || segment > ZPIPE_MAX_SEGMENT)
		return -EINVAL;
	segment = max_t(u32, segment, PAGE_SIZE);
	if (nr > ZPIPE_MAX_SEGMENTS || idle > nr ||
	    (u64)nr * segment > READ_ONCE(zpipe_max_capacity))
		return -EINVAL;
	*geometry = (struct geometry){ .segment = segment, .nr = nr, .idle = idle };
	return 0;
}

/**
 * zpipe_poolfd_create - ZPIPE_IOC_POOL_CREATE
 * @args: the call
 * @fops: of the file, whose private_data is the pool
 *
 * Context: may sleep.
 * Return: the pool's file, or an ERR_PTR(), see struct zpipe_pool_create_args.
 */
struct file *zpipe_poolfd_create(struct zpipe_pool_create_args *args,
				 const struct file_operations *fops)
{
	bool exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct geometry geometry;
	struct zpipe_pool *pool;
	struct file *file;
	int ret;

	if (args->flags || args->__reserved)
		return ERR_PTR(-EOPNOTSUPP);
	ret = work_out(args, &geometry);
	if (ret)
		return ERR_PTR(ret);
	pool = zpipe_pool_create(geometry.nr, ilog2(geometry.segment), geometry.idle, exempt);
	if (IS_ERR(pool))
		return ERR_CAST(pool);
	ret = zpipe_pool_share(pool);
	if (ret)
		goto err_put_pool;
	pool->id = atomic64_inc_return(&last_id);
	file = zpipe_pool_file(pool, "zpipe-pool", 0, fops);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_put_pool;
	}
	/* The file has the reference from here on. */
	file->private_data = pool;
	args->out_id = pool->id;
	return file;

err_put_pool:
	zpipe_pool_put(pool);
	return ERR_PTR(ret);
}

/**
 * zpipe_poolfd_info - ZPIPE_IOC_INFO on a pool
 * @pool: the pool
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_poolfd_info(struct zpipe_pool *pool, struct zpipe_info_args *args)
{
	*args = (struct zpipe_info_args){
		.out_role = ZPIPE_ROLE_POOL,
		.out_magic = ZPIPE_MAGIC,
		.out_features = ZPIPE_FEATURES,
		.out_id = pool->id,
		.out_version = ZPIPE_UAPI_VERSION,
		.out_capacity = zpipe_pool_window(pool),
		.out_window = zpipe_pool_window(pool),
		.out_segment_size = 1U << pool->shift,
		.out_nr_segments = pool->slots.nr,
	};
	return 0;
}

/**
 * zpipe_poolfd_stat - ZPIPE_IOC_POOL_STAT
 * @pool: the pool
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_poolfd_stat(struct zpipe_pool *pool, struct zpipe_pool_stat_args *args)
{
	const struct zpipe_slots *slots = &pool->slots;

	args->out_segments = slots->nr;
	args->out_idle = pool->idle;
	args->out_shrunk_pages = atomic_long_read(&pool->shrunk);
	args->out_replaced_pages = atomic_long_read(&pool->replaced);
	spin_lock(&pool->lock);
	args->out_pages = atomic_long_read(&pool->pages);
	args->out_free = slots->nr_free;
	args->out_idle_pages = (u64)slots->stack[ZPIPE_SLOT_WARM].nr *
			       zpipe_segment_pages(pool);
	args->out_pipes = slots->members;
	args->out_committed = slots->committed;
	args->out_waiting = pool->nr_hungry;
	spin_unlock(&pool->lock);
	return 0;
}

/**
 * zpipe_poolfd_show - f_op->show_fdinfo of a pool
 * @seq: where to
 * @file: the pool's
 */
void zpipe_poolfd_show(struct seq_file *seq, struct file *file)
{
	struct zpipe_pool *pool = file->private_data;
	struct zpipe_pool_stat_args stat = {};

	zpipe_poolfd_stat(pool, &stat);
	seq_printf(seq, "zpipe-pool:\t%llu\n", pool->id);
	seq_printf(seq, "zpipe-segment:\t%u\n", 1U << pool->shift);
	seq_printf(seq, "zpipe-segments:\t%llu\n", stat.out_segments);
	seq_printf(seq, "zpipe-free:\t%llu\n", stat.out_free);
	seq_printf(seq, "zpipe-data-pages:\t%llu\n", stat.out_pages);
	seq_printf(seq, "zpipe-pipes:\t%llu\n", stat.out_pipes);
	seq_printf(seq, "zpipe-waiting:\t%llu\n", stat.out_waiting);
	seq_puts(seq, "zpipe-role:\tpool\n");
	seq_printf(seq, "zpipe-committed:\t%llu\n", stat.out_committed);
	seq_printf(seq, "zpipe-idle-pages:\t%llu\n", stat.out_idle_pages);
	seq_printf(seq, "zpipe-idle:\t%llu\n", stat.out_idle);
	seq_printf(seq, "zpipe-shrunk-pages:\t%llu\n", stat.out_shrunk_pages);
	seq_printf(seq, "zpipe-replaced-pages:\t%llu\n", stat.out_replaced_pages);
}
