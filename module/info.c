// SPDX-License-Identifier: GPL-2.0-only
/*
 * info - what INFO and STAT answer
 *
 * INFO tells userspace every size and offset, so that it hard-codes none; STAT
 * the positions and counters. Both look first, as every verb does.
 */
#include <linux/fs.h>
#include <linux/ktime.h>

#include "guard.h"
#include "info.h"
#include "pipe.h"
#include "pool.h"
#include "stream.h"
#include "tee.h"
#include "wait.h"

/**
 * zpipe_info_get - geometry, where everything is, and where a reader starts
 * @end: either
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_info_get(struct zpipe_end *end, struct zpipe_info_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	const struct zpipe_chain *chain = &pipe->chain;
	u64 window = zpipe_pool_window(pipe->pool);
	bool extra = end->reader && zpipe_tee_is_extra(end->reader);
	u32 words = extra ? pipe->state_size : offsetof(struct zpipe_state, reader);

	args->out_role = end->role;
	args->out_magic = ZPIPE_MAGIC;
	args->out_features = ZPIPE_FEATURES;
	args->out_id = pipe->id;
	args->out_version = ZPIPE_UAPI_VERSION;
	args->out_flags = pipe->flags;
	args->out_capacity = zpipe_chain_capacity(chain);
	args->out_window = window;
	args->out_segment_size = pipe->state->segment_size;
	args->out_nr_segments = pipe->pool->slots.nr;
	args->out_state = (struct zpipe_region){ ZPIPE_OFF_STATE, pipe->state_size };
	if (extra)
		args->out_state.size += PAGE_SIZE;
	args->out_writer = (struct zpipe_region){ ZPIPE_OFF_WRITER, PAGE_SIZE };
	args->out_reader = (struct zpipe_region){ ZPIPE_OFF_READER, PAGE_SIZE };
	args->out_data = (struct zpipe_region){ zpipe_guard_data_offset(end), window };
	args->out_spare = (struct zpipe_region){ ZPIPE_OFF_SPARE, window };
	args->out_data_at = 0;
	args->out_nr_spans = 0;
	args->out_opened_at = offsetof(struct zpipe_state, opened);
	args->out_granted_at = offsetof(struct zpipe_state, granted);
	args->out_reader_wake_at = offsetof(struct zpipe_state, reader_wake_at);
	args->out_pause_at = offsetof(struct zpipe_state, pause);
	args->out_writer_wake_examined_at =
		words + offsetof(struct zpipe_reader_words, writer_wake_examined);
	args->out_writer_wake_consumed_at =
		words + offsetof(struct zpipe_reader_words, writer_wake_consumed);
	args->out_reader_events_at = words + offsetof(struct zpipe_reader_words, events);
	args->out_table_at = offsetof(struct zpipe_state, table);
	args->out_table_entries = pipe->state->table_entries;
	args->out_published_at = offsetof(struct zpipe_writer_page, published);
	args->out_examined_at = offsetof(struct zpipe_reader_page, examined);
	args->out_consumed_at = offsetof(struct zpipe_reader_page, consumed);
	args->out_sole_reader_at = offsetof(struct zpipe_state, sole_reader);
	args->out_reader_index = end->reader ? end->reader->index : 0;

	zpipe_wait_lock(pipe);
	zpipe_stream_look_locked(pipe, end->reader);
	args->out_pause = pipe->pause;
	args->out_resume = pipe->resume;
	args->out_generation = pipe->generation;
	args->out_granted = chain->granted;
	args->out_published = chain->published;
	args->out_examined = end->reader ? end->reader->cursor.examined : chain->examined;
	args->out_consumed = end->reader ? end->reader->cursor.consumed : chain->consumed;
	args->out_index = zpipe_chain_index(chain, args->out_consumed);
	zpipe_wait_unlock(pipe);
	return 0;
}

/**
 * zpipe_info_count_locked - positions and counters, as they are known
 * @end: either
 * @args: filled
 */
void zpipe_info_count_locked(struct zpipe_end *end, struct zpipe_stat_args *args)
{
	struct zpipe_pipe *pipe = end->pipe;
	const struct zpipe_stats *stats = &pipe->stats;
	const struct zpipe_waits *readers = end->reader ? &end->reader->waits : &stats->readers;
	const struct zpipe_reader *reader;
	const struct zpipe_pool *pool = pipe->pool;
	u64 now = pipe->paused ? ktime_get_ns() - pipe->paused_at : 0;

	lockdep_assert_held(&pool->lock);
	args->out_data_pages = atomic_long_read(&pool->pages);
	args->out_replaced_pages = atomic_long_read(&pool->replaced);
	args->out_spare_pages = atomic_long_read(&pool->spare_pages);
	args->out_preserved_bytes = 0;
	args->out_preserved_handles = 0;
	args->out_control_bytes = zpipe_pipe_control_pages(pipe) * PAGE_SIZE + sizeof(*pipe) +
		(pipe->chain.mask + 1) * sizeof(*pipe->chain.run) + sizeof(*pool) +
		zpipe_slots_total(&pool->slots) *
		(sizeof(*pool->slots.slot) + sizeof(*pool->segment)) +
		2 * (sizeof(struct zpipe_end) + sizeof(struct file) + sizeof(struct dentry)) +
		sizeof(struct inode);
	args->out_granted = pipe->chain.granted;
	args->out_published = pipe->chain.published;
	args->out_examined = end->reader ? end->reader->cursor.examined : pipe->chain.examined;
	args->out_consumed = end->reader ? end->reader->cursor.consumed : pipe->chain.consumed;
	args->out_copied_write = stats->copied_write;
	args->out_copied_read = stats->copied_read;
	args->out_copied_seal = stats->copied_seal;
	args->out_zeroed = stats->zeroed;
	args->out_segments_opened = stats->segments_opened;
	args->out_segments_freed = stats->segments_freed;
	args->out_allocs = stats->allocs;
	args->out_flushes = stats->flushes;
	args->out_reads = stats->reads;
	args->out_advances = stats->advances;
	args->out_pauses = stats->pauses;
	args->out_paused_ns = stats->paused_ns + now;
	args->out_longest_pause_ns = max(stats->paused_longest, now);
	args->out_writer_waits = stats->writer.nr;
	args->out_writer_wait_ns = stats->writer.ns;
	args->out_longest_writer_wait_ns = stats->writer.longest;
	args->out_reader_waits = readers->nr;
	args->out_reader_wait_ns = readers->ns;
	args->out_longest_reader_wait_ns = readers->longest;
	args->out_reader_wakes = stats->reader_wakes;
	args->out_writer_wakes = stats->writer_wakes;
	args->out_rejects = stats->rejects;
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (end->reader && end->reader != reader)
			continue;
		args->out_preserved_bytes += reader->handles.bytes;
		args->out_preserved_handles += reader->handles.nr;
	}
	args->out_readers = pipe->nr_readers;
	args->out_posts = pipe->nr_posts;
	args->out_spliced_out = stats->spliced_out;
	args->out_spliced_in = stats->spliced_in;
	args->out_forwards = stats->forwards;
	args->out_forwarded = stats->forwarded;
	args->out_adopted_pages = stats->adopted;
}

/**
 * zpipe_info_stat - positions and counters
 * @end: either
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_info_stat(struct zpipe_end *end, struct zpipe_stat_args *args)
{
	zpipe_wait_lock(end->pipe);
	zpipe_stream_look_locked(end->pipe, end->reader);
	zpipe_info_count_locked(end, args);
	zpipe_wait_unlock(end->pipe);
	return 0;
}
