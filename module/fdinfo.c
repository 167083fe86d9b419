// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo - what /proc/PID/fdinfo says about an end
 *
 * "zpipe-name: value" lines, one consistent snapshot of what the kernel knows;
 * it does not look at the shared words, so reading it changes nothing.
 */
#include <linux/fs.h>
#include <linux/string_helpers.h>

#include "fdinfo.h"
#include "pool.h"
#include "wait.h"

static const char *wait_of(u64 position)
{
	return str_yes_no(position != ZPIPE_UNARMED);
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

	zpipe_wait_lock(pipe);
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
	}
	zpipe_wait_unlock(pipe);
}
