// SPDX-License-Identifier: GPL-2.0-only
/*
 * idle - memory that nobody uses goes back: after a while, or under pressure
 *
 * A free segment keeps its pages, because a stream that goes on takes it again
 * at once. Once a pool has taken no segment for a second, what its readers have
 * consumed is reclaimed and all but the watermark of its free segments lose
 * their pages; when memory is short, all free segments of all pools do. The
 * shrinker waits for no lock: the task that reclaims may hold any of them.
 */
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "idle.h"
#include "pool.h"
#include "segment.h"
#include "share.h"
#include "wait.h"

#define PERIOD	HZ

static void look_at_pools(struct work_struct *unused);
static DECLARE_DEFERRABLE_WORK(work, look_at_pools);
static struct shrinker *shrinker;

/* Free segments that may lose their pages. */
static unsigned long idle_pages(const struct zpipe_pool *pool)
{
	unsigned long nr = READ_ONCE(pool->slots.stack[ZPIPE_SLOT_WARM].nr) +
			   READ_ONCE(pool->slots.stack[ZPIPE_SLOT_FOREIGN].nr);

	return nr * zpipe_segment_pages(pool);
}

/* Returns whether it is worth coming again. */
static bool look_at_pool(struct zpipe_pool *pool)
{
	u64 takes;
	u32 most;

	lockdep_assert_held(&zpipe_pools_mutex);
	spin_lock(&pool->lock);
	takes = pool->slots.takes;
	if (takes != pool->seen) {
		spin_unlock(&pool->lock);
		pool->seen = takes;
		return true;
	}
	zpipe_share_reclaim_locked(pool, NULL);
	/* A segment for the open grant of each pipe stays besides the idle ones. */
	most = pool->idle + pool->slots.members;
	zpipe_wait_unlock_pool(pool);
	zpipe_segment_trim(pool, pool->idle, false);
	return atomic_long_read(&pool->pages) > (long)most * zpipe_segment_pages(pool);
}

static void look_at_pools(struct work_struct *unused)
{
	struct zpipe_pool *pool;
	bool again = false;

	mutex_lock(&zpipe_pools_mutex);
	list_for_each_entry(pool, &zpipe_pools, entry) {
		again |= look_at_pool(pool);
		cond_resched();
	}
	mutex_unlock(&zpipe_pools_mutex);
	if (again)
		zpipe_idle_kick();
}

/**
 * zpipe_idle_kick - a pool has taken segments: look at it when it is idle again
 */
void zpipe_idle_kick(void)
{
	if (!delayed_work_pending(&work))
		queue_delayed_work(system_unbound_wq, &work, PERIOD);
}

static unsigned long count(struct shrinker *unused, struct shrink_control *control)
{
	struct zpipe_pool *pool;
	unsigned long nr = 0;

	if (!mutex_trylock(&zpipe_pools_mutex))
		return 0;
	list_for_each_entry(pool, &zpipe_pools, entry)
		nr += idle_pages(pool);
	mutex_unlock(&zpipe_pools_mutex);
	return nr ?: SHRINK_EMPTY;
}

static unsigned long scan(struct shrinker *unused, struct shrink_control *control)
{
	struct zpipe_pool *pool;
	unsigned long freed = 0;

	if (!mutex_trylock(&zpipe_pools_mutex))
		return SHRINK_STOP;
	list_for_each_entry(pool, &zpipe_pools, entry) {
		unsigned long nr = zpipe_segment_trim(pool, 0, true);

		atomic_long_add(nr, &pool->shrunk);
		freed += nr;
		if (freed >= control->nr_to_scan)
			break;
	}
	mutex_unlock(&zpipe_pools_mutex);
	return freed;
}

/**
 * zpipe_idle_init - begin
 *
 * Return: 0 or -ENOMEM.
 */
int zpipe_idle_init(void)
{
	shrinker = zpipe_shrinker_add(count, scan);
	return shrinker ? 0 : -ENOMEM;
}

/**
 * zpipe_idle_exit - end; no pool is left
 */
void zpipe_idle_exit(void)
{
	zpipe_shrinker_remove(shrinker);
	cancel_delayed_work_sync(&work);
}
