// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo - what /proc/PID/fdinfo says about an end
 *
 * "zpipe-name: value" lines, one consistent snapshot of what the kernel knows;
 * it does not look at the shared words, so reading it changes nothing.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>

#include "fdinfo.h"
#include "info.h"
#include "limits.h"
#include "pool.h"
#include "wait.h"

static const char *wait_of(u64 position)
{
	return str_yes_no(position != ZPIPE_UNARMED);
}

#define COUNTER(label, member)	{ label, offsetof(struct zpipe_stat_args, out_##member) }

/* What STAT answers besides; append-only, and no label changes. */
static const struct {
	const char *label;
	size_t at;
} counters[] = {
	COUNTER("control-bytes", control_bytes),
	COUNTER("spare-pages", spare_pages),
	COUNTER("replaced-pages", replaced_pages),
	COUNTER("copied-write", copied_write),
	COUNTER("copied-read", copied_read),
	COUNTER("copied-seal", copied_seal),
	COUNTER("zeroed", zeroed),
	COUNTER("spliced-out", spliced_out),
	COUNTER("spliced-in", spliced_in),
	COUNTER("forwards", forwards),
	COUNTER("adopted-pages", adopted_pages),
	COUNTER("segments-opened", segments_opened),
	COUNTER("segments-freed", segments_freed),
	COUNTER("allocs", allocs),
	COUNTER("flushes", flushes),
	COUNTER("reads", reads),
	COUNTER("advances", advances),
	COUNTER("pauses", pauses),
	COUNTER("paused-ns", paused_ns),
	COUNTER("longest-pause-ns", longest_pause_ns),
	COUNTER("writer-wait-count", writer_waits),
	COUNTER("writer-wait-ns", writer_wait_ns),
	COUNTER("longest-writer-wait-ns", longest_writer_wait_ns),
	COUNTER("reader-wait-count", reader_waits),
	COUNTER("reader-wait-ns", reader_wait_ns),
	COUNTER("longest-reader-wait-ns", longest_reader_wait_ns),
	COUNTER("reader-wakes", reader_wakes),
	COUNTER("writer-wakes", writer_wakes),
	COUNTER("rejects", rejects),
};

static void show_counters(struct seq_file *seq, const struct zpipe_stat_args *stat)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		seq_printf(seq, "zpipe-%s:\t%llu\n", counters[i].label,
			   *(const u64 *)((const char *)stat + counters[i].at));
}

/*
 * Each slot of the pool, and who refers to it: counts that must fit together,
 * see zpipe_slots_count().
 */
static void show_segments_locked(struct seq_file *seq, const struct zpipe_pool *pool)
{
	const struct zpipe_slots *slots = &pool->slots;
	const struct zpipe_pipe *pipe;
	struct zpipe_census census;
	u64 chains = 0, posted = 0;

	lockdep_assert_held(&pool->lock);
	zpipe_slots_count(slots, &census);
	list_for_each_entry(pipe, &pool->pipes, in_pool) {
		chains += pipe->chain.holds;
		posted += pipe->posts_held ? slots->nr : 0;
	}
	seq_printf(seq, "zpipe-segments:\t%u\n", slots->nr + slots->serving + slots->claimed);
	seq_printf(seq, "zpipe-segments-free:\t%u\n", census.free);
	seq_printf(seq, "zpipe-segments-idle:\t%u\n", slots->stack[ZPIPE_SLOT_WARM].nr);
	seq_printf(seq, "zpipe-segments-preserved:\t%u\n", census.preserved);
	seq_printf(seq, "zpipe-segments-taken:\t%u\n", census.taken);
	seq_printf(seq, "zpipe-references:\t%llu\n", census.references);
	seq_printf(seq, "zpipe-references-chain:\t%llu\n", chains);
	seq_printf(seq, "zpipe-references-preserved:\t%llu\n", census.holds);
	seq_printf(seq, "zpipe-references-posted:\t%llu\n", posted);
	seq_printf(seq, "zpipe-references-calls:\t%u\n", slots->borrowed + slots->claimed);
}

/**
 * zpipe_fdinfo_show - f_op->show_fdinfo
 * @seq: where to
 * @file: an end's
 */
void zpipe_fdinfo_show(struct seq_file *seq, struct file *file)
{
	struct zpipe_end *end = file->private_data;
	struct zpipe_pipe *pipe = end->pipe;
	const struct zpipe_reader *reader = end->reader;
	const struct zpipe_chain *chain = &pipe->chain;
	struct zpipe_stat_args stat = {};

	zpipe_wait_lock(pipe);
	zpipe_info_count_locked(end, &stat);
	seq_printf(seq, "zpipe-id:\t%llu\n", pipe->id);
	seq_printf(seq, "zpipe-role:\t%s\n",
		   end->role == ZPIPE_ROLE_WRITER ? "writer" : "reader");
	seq_printf(seq, "zpipe-flags:\t%x\n", pipe->flags);
	seq_printf(seq, "zpipe-pool:\t%llu\n", pipe->pool->id);
	seq_printf(seq, "zpipe-generation:\t%llu\n", pipe->generation);
	seq_printf(seq, "zpipe-capacity:\t%llu\n", zpipe_chain_capacity(chain));
	seq_printf(seq, "zpipe-segment:\t%u\n", 1U << chain->shift);
	seq_printf(seq, "zpipe-data-pages:\t%ld\n", atomic_long_read(&pipe->pool->pages));
	seq_printf(seq, "zpipe-granted:\t%llu\n", chain->granted);
	seq_printf(seq, "zpipe-published:\t%llu\n", chain->published);
	seq_printf(seq, "zpipe-examined:\t%llu\n",
		   reader ? reader->cursor.examined : chain->examined);
	seq_printf(seq, "zpipe-consumed:\t%llu\n",
		   reader ? reader->cursor.consumed : chain->consumed);
	seq_printf(seq, "zpipe-forwarded:\t%llu\n", pipe->stats.forwarded);
	seq_printf(seq, "zpipe-readers:\t%u\n", pipe->nr_readers);
	seq_printf(seq, "zpipe-posts:\t%u\n", pipe->nr_posts);
	seq_printf(seq, "zpipe-pause:\t%llu\n", pipe->pause);
	seq_printf(seq, "zpipe-resume:\t%llu\n", pipe->resume);
	seq_printf(seq, "zpipe-paused:\t%s\n", str_yes_no(pipe->paused));
	seq_printf(seq, "zpipe-reader-waits:\t%s\n",
		   wait_of(READ_ONCE(pipe->state->reader_wake_at)));
	seq_printf(seq, "zpipe-writer-waits:\t%s\n",
		   wait_of(min(zpipe_wake_at(&pipe->wake_examined),
			       zpipe_wake_at(&pipe->wake_consumed))));
	seq_printf(seq, "zpipe-writer-ended:\t%d\n",
		   pipe->writer_ended ? pipe->writer_error : -1);
	seq_printf(seq, "zpipe-reader-ended:\t%d\n",
		   pipe->reader_ended ? pipe->reader_error : -1);
	if (reader) {
		seq_printf(seq, "zpipe-handles:\t%u\n", reader->handles.nr);
		seq_printf(seq, "zpipe-preserved:\t%llu\n", reader->handles.bytes);
		seq_printf(seq, "zpipe-index:\t%u\n", reader->index);
		seq_printf(seq, "zpipe-detached:\t%d\n", reader->error);
		seq_printf(seq, "zpipe-attached:\t%s\n", str_yes_no(!reader->ended));
	}
	show_segments_locked(seq, pipe->pool);
	zpipe_wait_unlock(pipe);
	seq_printf(seq, "zpipe-uid:\t%u\n",
		   from_kuid_munged(seq_user_ns(seq), zpipe_user_uid(pipe->user)));
	show_counters(seq, &stat);
}
