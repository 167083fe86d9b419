// SPDX-License-Identifier: GPL-2.0-only
/*
 * source - where a FORWARD takes its bytes from: a reader, or a buffer
 *
 * See source.h.
 */
#include "chain.h"
#include "pool.h"
#include "reader.h"
#include "source.h"
#include "stream.h"
#include "wait.h"

/**
 * zpipe_source_lock - lock its pool
 * @source: the source
 */
void zpipe_source_lock(const struct zpipe_source *source)
	__acquires(&zpipe_source_pool(source)->lock)
{
	zpipe_wait_lock_pool(zpipe_source_pool(source));
}

/**
 * zpipe_source_unlock - the opposite
 * @source: the source
 */
void zpipe_source_unlock(const struct zpipe_source *source)
	__releases(&zpipe_source_pool(source)->lock)
{
	if (source->reader)
		zpipe_wait_unlock(source->reader->pipe);
	else
		zpipe_wait_unlock_pool(source->hold->pool);
}

static bool is_within(u64 position, u64 length, u64 from, u64 to)
{
	return position >= from && position <= to && length <= to - position;
}

/*
 * What the reader has given back does not matter, as long as that is below the
 * range: it is taken over when somebody needs the memory.
 */
static bool reader_has_locked(struct zpipe_reader *reader, u64 position, u64 length)
{
	const struct zpipe_chain *chain = &reader->pipe->chain;
	/* Pairs with the reader's release of consumed (C in uapi/linux/zpipe.h). */
	u64 consumed = smp_load_acquire(&reader->page->consumed);

	if (consumed < reader->cursor.consumed)
		return false;
	zpipe_stream_hear_writer_locked(reader);
	return is_within(position, length, consumed, chain->published);
}

/**
 * zpipe_source_check_locked - is all of a range there, and may it be taken
 * @source: the source; a reader is looked at
 * @position: stream position of the first byte
 * @length: bytes
 *
 * Return: 0, -EINVAL, or what the reader's own calls fail with.
 */
int zpipe_source_check_locked(const struct zpipe_source *source, u64 position, u64 length)
{
	const struct zpipe_hold *hold = source->hold;
	struct zpipe_reader *reader = source->reader;
	int ret;

	lockdep_assert_held(&zpipe_source_pool(source)->lock);
	if (!reader)
		return is_within(position, length, hold->position,
				 hold->position + hold->length) ? 0 : -EINVAL;
	if (likely(reader_has_locked(reader, position, length)))
		return zpipe_reader_check_locked(reader);
	/* Why not? */
	ret = zpipe_stream_look_locked(reader->pipe, reader) ?: zpipe_reader_check_locked(reader);
	if (ret)
		return ret;
	return is_within(position, length, reader->cursor.consumed,
			 reader->pipe->chain.published) ? 0 : -EINVAL;
}

/**
 * zpipe_source_walk_locked - begin to go through a range
 * @source: the source, checked in the same section of the lock
 * @from: stream position
 * @to: ditto
 * @walk: for zpipe_source_piece_locked()
 */
void zpipe_source_walk_locked(const struct zpipe_source *source, u64 from, u64 to,
			      struct zpipe_walk *walk)
{
	const struct zpipe_hold *hold = source->hold;

	lockdep_assert_held(&zpipe_source_pool(source)->lock);
	*walk = (struct zpipe_walk){ .at = from, .end = to };
	if (source->reader) {
		walk->k = zpipe_chain_index(&source->reader->pipe->chain, from);
		return;
	}
	walk->skip = from - hold->position;
	while (walk->k < hold->nr_spans && walk->skip >= hold->spans[walk->k].length)
		walk->skip -= hold->spans[walk->k++].length;
}

/**
 * zpipe_source_piece_locked - the next piece that is not interrupted
 * @source: the source
 * @walk: moved on
 * @piece: where in the pool's window it lies; within one slot if that is spare
 *
 * Return: false at the end of the range.
 */
bool zpipe_source_piece_locked(const struct zpipe_source *source, struct zpipe_walk *walk,
			       struct zpipe_span *piece)
{
	if (source->reader) {
		if (!zpipe_chain_stretch(&source->reader->pipe->chain, &walk->k, walk->at,
					 walk->end, piece))
			return false;
	} else {
		const struct zpipe_span *span = &source->hold->spans[walk->k];
		u64 window = zpipe_pool_window(source->hold->pool);

		if (walk->at >= walk->end)
			return false;
		piece->offset = span->offset + walk->skip;
		/* It may begin behind the window's end, where the first slots are again. */
		if (piece->offset >= window && piece->offset < 2 * window)
			piece->offset -= window;
		piece->length = min(span->length - walk->skip, walk->end - walk->at);
		walk->skip = 0;
		walk->k++;
	}
	walk->at += piece->length;
	return true;
}
