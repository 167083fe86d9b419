// SPDX-License-Identifier: GPL-2.0-only
/*
 * summary - what the whole module holds, in the fdinfo of an fd of /dev/zpipe
 *
 * Readable by everybody who may open the device, without BPF, debugfs or a
 * privilege:
 *
 *	cat /proc/self/fdinfo/3 3</dev/zpipe
 *
 * Counted when somebody asks, pool by pool, so no number is paid for before,
 * and they need not be of the same instant.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "buffer.h"
#include "limits.h"
#include "pool.h"
#include "segment.h"
#include "summary.h"
#include "wait.h"

/* Sums over all pools. */
struct sums {
	u64 pipes;
	u64 readers;
	u64 pools;
	u64 pages;
	u64 idle_pages;
	u64 spare_pages;
	u64 held;
	u64 preserved;
	u64 handles;
	u64 posts;
	u64 paused;
	u64 reader_waits;
	u64 writer_waits;
};

static void add_pipe_locked(struct sums *sums, const struct zpipe_pipe *pipe)
{
	const struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	sums->pipes++;
	sums->held += zpipe_chain_held(&pipe->chain);
	sums->posts += pipe->nr_posts;
	sums->paused += pipe->paused;
	sums->writer_waits += pipe->alloc_sleeper || pipe->flush_sleeper;
	list_for_each_entry(reader, &pipe->readers, entry) {
		sums->readers++;
		sums->reader_waits += !!reader->sleeper;
		sums->preserved += reader->handles.bytes;
		sums->handles += reader->handles.nr;
	}
}

static void add_pool(struct sums *sums, struct zpipe_pool *pool)
{
	const struct zpipe_pipe *pipe;

	sums->pools += pool->slots.shared;
	sums->pages += atomic_long_read(&pool->pages);
	sums->spare_pages += atomic_long_read(&pool->spare_pages);
	zpipe_wait_lock_pool(pool);
	sums->idle_pages += (u64)pool->slots.stack[ZPIPE_SLOT_WARM].nr * zpipe_segment_pages(pool);
	list_for_each_entry(pipe, &pool->pipes, in_pool)
		add_pipe_locked(sums, pipe);
	zpipe_wait_unlock_pool(pool);
}

/**
 * zpipe_summary_show - f_op->show_fdinfo of the device
 * @seq: where to
 * @file: the device's; whoever opened it is told of its own account too
 *
 * Context: may sleep.
 */
void zpipe_summary_show(struct seq_file *seq, struct file *file)
{
	struct zpipe_user_totals users;
	struct sums sums = {};
	struct zpipe_pool *pool;
	u64 buffers, buffered;

	if (mutex_lock_killable(&zpipe_pools_mutex))
		return;
	list_for_each_entry(pool, &zpipe_pools, entry) {
		add_pool(&sums, pool);
		cond_resched();
	}
	mutex_unlock(&zpipe_pools_mutex);
	zpipe_buffer_totals(&buffers, &buffered);
	zpipe_user_sum(file->f_cred->uid, &users);

	seq_puts(seq, "zpipe-role:\tdevice\n");
	seq_printf(seq, "zpipe-pipes:\t%llu\n", sums.pipes);
	seq_printf(seq, "zpipe-readers:\t%llu\n", sums.readers);
	seq_printf(seq, "zpipe-pools:\t%llu\n", sums.pools);
	seq_printf(seq, "zpipe-data-pages:\t%llu\n", sums.pages);
	seq_printf(seq, "zpipe-idle-pages:\t%llu\n", sums.idle_pages);
	seq_printf(seq, "zpipe-spare-pages:\t%llu\n", sums.spare_pages);
	seq_printf(seq, "zpipe-held:\t%llu\n", sums.held);
	seq_printf(seq, "zpipe-preserved:\t%llu\n", sums.preserved);
	seq_printf(seq, "zpipe-handles:\t%llu\n", sums.handles);
	seq_printf(seq, "zpipe-buffers:\t%llu\n", buffers);
	seq_printf(seq, "zpipe-exported:\t%llu\n", buffered);
	seq_printf(seq, "zpipe-posts:\t%llu\n", sums.posts);
	seq_printf(seq, "zpipe-paused:\t%llu\n", sums.paused);
	seq_printf(seq, "zpipe-readers-asleep:\t%llu\n", sums.reader_waits);
	seq_printf(seq, "zpipe-writers-asleep:\t%llu\n", sums.writer_waits);
	seq_printf(seq, "zpipe-users:\t%llu\n", users.users);
	seq_printf(seq, "zpipe-refused-pipes:\t%llu\n", users.refused_pipes);
	seq_printf(seq, "zpipe-refused-pages:\t%llu\n", users.refused_pages);
	seq_printf(seq, "zpipe-limited-pages:\t%llu\n", users.limited);
	seq_printf(seq, "zpipe-user-pipes:\t%llu\n", users.own_pipes);
	seq_printf(seq, "zpipe-user-pages:\t%llu\n", users.own_pages);
	seq_printf(seq, "zpipe-user-refused:\t%llu\n", users.own_refused);
}
