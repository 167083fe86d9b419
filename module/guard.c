// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard - guarded mode: who may see which page, and taking pages away
 *
 * What a fault may map follows from the chain and two limits: the writer gets
 * pages that hold no byte below chain->sealed, a reader those with bytes from
 * reader->hidden to published. To take pages away the limit is moved first,
 * under pool->mutex, so that no fault brings them back; then their PTEs are
 * removed in every mapping of every process, which also flushes the TLBs; and
 * only then does anybody count on it.
 *
 * PTEs are removed and not write-protected. A write-protected PTE that is dirty
 * becomes writable again without a fault when mprotect(2) takes the right to
 * write away and gives it back, and on newer kernels when userfaultfd lifts a
 * write protection of its own; the pipe would not be asked.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "guard.h"
#include "pool.h"
#include "segment.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

/* Set the bits of the pages [page, end) of the window that are among nr from first on. */
static void mark_pages(unsigned long *mark, u64 first, u32 nr, u64 page, u64 end)
{
	page = max(page, first);
	end = min(end, first + nr);
	if (page < end)
		bitmap_set(mark, page - first, end - page);
}

/**
 * zpipe_guard_mark - which pages of the window may an end map now
 * @end: of a guarded pipe
 * @first: first page of the window that is asked for
 * @nr: pages, at most ZPIPE_GUARD_BATCH
 * @mark: a bit for each, set here
 *
 * The one place that decides it. The caller holds pool->mutex until the PTEs
 * are there: whoever moves a limit takes it too.
 */
void zpipe_guard_mark(const struct zpipe_end *end, u64 first, u32 nr, unsigned long *mark)
{
	const struct zpipe_reader *reader = end->reader;
	struct zpipe_pipe *pipe = end->pipe;
	const struct zpipe_chain *chain = &pipe->chain;
	u64 pages = zpipe_pool_window(pipe->pool) >> PAGE_SHIFT;
	u64 from, to, k;
	struct zpipe_span piece;

	lockdep_assert_held(&pipe->pool->mutex);
	bitmap_zero(mark, nr);
	zpipe_wait_lock(pipe);
	if (reader) {
		from = max(reader->cursor.consumed, reader->hidden);
		to = reader->ended ? 0 : chain->published;
	} else {
		from = zpipe_chain_fresh(chain);
		to = pipe->writer_ended ? 0 : chain->granted;
	}
	k = zpipe_chain_index(chain, from);
	while (zpipe_chain_piece(chain, &k, &from, to, &piece)) {
		u64 page = piece.offset >> PAGE_SHIFT;
		u64 last = (piece.offset + piece.length - 1) >> PAGE_SHIFT;

		mark_pages(mark, first, nr, page, last + 1);
		if (last >= pages)
			mark_pages(mark, first, nr, 0, last + 1 - pages);
	}
	zpipe_wait_unlock(pipe);
}

/* Remove the PTEs of a range of the window, which may pass its end, in one region. */
static void unmap_range(struct zpipe_pool *pool, u64 region, const struct zpipe_span *range)
{
	struct address_space *mapping = pool->inode->i_mapping;
	u64 before = min(range->length, zpipe_pool_window(pool) - range->offset);

	unmap_mapping_range(mapping, region + range->offset, before, 1);
	if (before < range->length)
		unmap_mapping_range(mapping, region, range->length - before, 1);
}

/*
 * The next pages that hold bytes up to @to, as many as are neighbours: a flush
 * of few bytes takes a whole page, but not a call for each. Like
 * zpipe_chain_piece().
 */
static bool next_pages_locked(const struct zpipe_chain *chain, u64 *k, u64 *from, u64 to,
			      struct zpipe_span *range)
{
	u64 next_k = *k, next_from = *from;
	struct zpipe_span piece;

	range->length = 0;
	while (zpipe_chain_piece(chain, &next_k, &next_from, to, &piece)) {
		u64 begin = round_down(piece.offset, PAGE_SIZE);
		u64 end = round_up(piece.offset + piece.length, PAGE_SIZE);

		if (!range->length)
			range->offset = begin;
		else if (begin != range->offset + range->length)
			break;
		range->length = end - range->offset;
		*k = next_k;
		*from = next_from;
	}
	return range->length;
}

/* Take the pages of [from, to) away from every mapping of the writer. */
static void unmap_writer(struct zpipe_pipe *pipe, u64 from, u64 to)
{
	struct zpipe_span range;
	bool more;
	u64 k;

	zpipe_wait_lock(pipe);
	k = zpipe_chain_index(&pipe->chain, from);
	zpipe_wait_unlock(pipe);
	for (;;) {
		zpipe_wait_lock(pipe);
		more = next_pages_locked(&pipe->chain, &k, &from, to, &range);
		zpipe_wait_unlock(pipe);
		if (!more)
			return;
		unmap_range(pipe->pool, ZPIPE_OFF_DATA, &range);
		cond_resched();
	}
}

/*
 * A page without PTEs that somebody still refers to: a pin of a transfer that
 * is under way, or a loan. Whoever that is may go on with the page, but it is
 * not the pipe's any more: the readers get a copy. The order is that of KSM: no
 * new reference can come from a PTE that is gone from the TLBs too.
 */
static int take_over(struct zpipe_pipe *pipe, u32 index, u32 i, u64 position, u32 bytes)
{
	struct page *old = pipe->pool->segment[index]->page[i], *new;
	/* Known as long as the page is ours. */
	bool pinned = folio_maybe_dma_pinned(page_folio(old));

	new = alloc_page(GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	copy_highpage(new, old);
	if (zpipe_segment_replace(pipe->pool, index, i, new)) {
		put_page(new);
		return -EINTR;
	}
	zpipe_wait_lock(pipe);
	pipe->stats.copied_seal += bytes;
	zpipe_wait_unlock(pipe);
	trace_zpipe_copy(pipe->id, position, bytes, pinned ? ZPIPE_COPY_PIN : ZPIPE_COPY_SEAL);
	return 0;
}

/* The part of a piece that lies in one segment. */
static int take_over_part(struct zpipe_pipe *pipe, u64 position, u64 offset, u32 length)
{
	struct zpipe_pool *pool = pipe->pool;
	u32 index = zpipe_slots_after(&pool->slots, 0, offset >> pool->shift);
	u32 at = offset & ((1ULL << pool->shift) - 1);
	struct zpipe_segment *segment = pool->segment[index];
	u32 end = at + length;
	int ret;

	if (!segment)
		return -EFAULT;
	while (at < end) {
		u32 i = at >> PAGE_SHIFT;
		u32 bytes = min_t(u32, PAGE_SIZE - offset_in_page(at), end - at);

		if (unlikely(page_ref_count(segment->page[i]) != 1)) {
			ret = take_over(pipe, index, i, position, bytes);
			if (ret)
				return ret;
		}
		at += bytes;
		position += bytes;
	}
	/* Whatever the writer has put behind the last byte is not for the readers. */
	if (offset_in_page(end)) {
		u32 rest = PAGE_SIZE - offset_in_page(end);

		memzero_page(segment->page[end >> PAGE_SHIFT], offset_in_page(end), rest);
		zpipe_wait_lock(pipe);
		zpipe_stream_zeroed_locked(pipe, position, rest);
		zpipe_wait_unlock(pipe);
	}
	return 0;
}

/* One piece, unmapped: each page must be the pipe's alone, and show nothing behind its bytes. */
static int seal_piece(struct zpipe_pipe *pipe, u64 position, const struct zpipe_span *piece)
{
	u64 segment = 1ULL << pipe->pool->shift;
	u64 done = 0;

	while (done < piece->length) {
		u64 offset = piece->offset + done;
		u64 part = min(segment - (offset & (segment - 1)), piece->length - done);
		int ret = take_over_part(pipe, position + done, offset, part);

		if (ret)
			return ret;
		done += part;
		cond_resched();
	}
	return 0;
}

static int seal(struct zpipe_pipe *pipe, u64 from, u64 to)
{
	struct zpipe_span piece;
	u64 k, next = from;
	int ret = 0;
	bool more;

	unmap_writer(pipe, from, to);
	zpipe_wait_lock(pipe);
	k = zpipe_chain_index(&pipe->chain, from);
	zpipe_wait_unlock(pipe);
	while (!ret) {
		zpipe_wait_lock(pipe);
		more = zpipe_chain_piece(&pipe->chain, &k, &next, to, &piece);
		zpipe_wait_unlock(pipe);
		if (!more)
			break;
		ret = seal_piece(pipe, next - piece.length, &piece);
	}
	trace_zpipe_seal(pipe->id, from, to - from, ret);
	return ret;
}

/* Is there anything that may be sealed up to a position? */
static bool can_seal_locked(const struct zpipe_pipe *pipe, u64 position)
{
	lockdep_assert_held(&pipe->pool->lock);
	return zpipe_is_guarded(pipe) && position > pipe->chain.published &&
	       position <= pipe->chain.granted && !pipe->writer_ended;
}

/**
 * zpipe_guard_seal_locked - take bytes away from the writer, to publish them
 * @pipe: the pipe; unlocked meanwhile
 * @position: what is about to be published; one that cannot be is left to the
 *	caller to refuse, by zpipe_chain_limit()
 *
 * After this they cannot change any more, whatever mapping, pin or transfer the
 * writer has. zpipe_guard_sealed_locked() must follow, in the same section of
 * the lock that publishes.
 *
 * Context: may sleep; killable.
 * Return: 0, -EBUSY, -ENOMEM, -EINTR; then the grant is what it was, though its
 * pages are mapped anew.
 */
int zpipe_guard_seal_locked(struct zpipe_pipe *pipe, u64 position)
	__releases(&pipe->pool->lock) __acquires(&pipe->pool->lock)
{
	struct zpipe_pool *pool = pipe->pool;
	u64 from = 0;
	int ret = 0;

	lockdep_assert_held(&pool->lock);
	if (!can_seal_locked(pipe, position))
		return 0;
	if (pipe->sealer)
		return -EBUSY;
	pipe->sealer = current;
	pipe->busy |= ZPIPE_BUSY_SEAL;
	zpipe_wait_unlock(pipe);

	if (mutex_lock_killable(&pool->mutex)) {
		ret = -EINTR;
	} else {
		zpipe_wait_lock(pipe);
		/* Another thread may have rolled back, or completed. */
		if (can_seal_locked(pipe, position)) {
			from = pipe->chain.published;
			pipe->chain.sealed = position;
		} else {
			from = position;
		}
		zpipe_wait_unlock(pipe);
		mutex_unlock(&pool->mutex);
	}
	if (!ret && from < position)
		ret = seal(pipe, from, position);
	zpipe_wait_lock(pipe);
	return ret;
}

/**
 * zpipe_guard_sealed_locked - what was sealed is published, or stays the writer's
 * @pipe: the pipe
 */
void zpipe_guard_sealed_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->sealer != current)
		return;
	pipe->sealer = NULL;
	pipe->busy &= ~ZPIPE_BUSY_SEAL;
	pipe->chain.sealed = pipe->chain.published;
}

/* The next pages that a reader is not to see any more. */
static bool next_hidden_locked(const struct zpipe_reader *reader, u64 *k, u64 *from,
			       struct zpipe_span *range)
{
	const struct zpipe_chain *chain = &reader->pipe->chain;

	lockdep_assert_held(&reader->pipe->pool->lock);
	/* Dropped meanwhile: then all of it goes, before the memory is used again. */
	if (reader->ended || !next_pages_locked(chain, k, from, reader->hidden, range))
		return false;
	if (*from == reader->hidden && zpipe_chain_splits_page(chain, reader->hidden))
		range->length -= PAGE_SIZE;
	return range->length;
}

/**
 * zpipe_guard_hide_locked - take what it is about to consume away from a reader
 * @reader: the reader; its pipe is unlocked meanwhile
 * @position: the consumed position that the caller will set
 *
 * Before it is consumed, since after that the writer may have the memory.
 *
 * Context: may sleep; killable.
 * Return: 0 or -EINTR.
 */
int zpipe_guard_hide_locked(struct zpipe_reader *reader, u64 position)
	__releases(&reader->pipe->pool->lock) __acquires(&reader->pipe->pool->lock)
{
	u64 k, from = max(reader->cursor.consumed, reader->hidden);
	struct zpipe_pipe *pipe = reader->pipe;
	struct zpipe_pool *pool = pipe->pool;
	struct zpipe_span range;
	bool more;

	lockdep_assert_held(&pool->lock);
	if (!zpipe_is_guarded(pipe) || position <= from)
		return 0;
	reader->busy |= ZPIPE_BUSY_HIDE;
	zpipe_wait_unlock(pipe);
	if (mutex_lock_killable(&pool->mutex)) {
		zpipe_wait_lock(pipe);
		reader->busy &= ~ZPIPE_BUSY_HIDE;
		return -EINTR;
	}
	zpipe_wait_lock(pipe);
	reader->hidden = max(reader->hidden, position);
	k = zpipe_chain_index(&pipe->chain, from);
	more = next_hidden_locked(reader, &k, &from, &range);
	zpipe_wait_unlock(pipe);
	mutex_unlock(&pool->mutex);
	while (more) {
		unmap_range(pool, ZPIPE_OFF_VIEW + reader->index * ZPIPE_VIEW_SPAN, &range);
		cond_resched();
		zpipe_wait_lock(pipe);
		more = next_hidden_locked(reader, &k, &from, &range);
		zpipe_wait_unlock(pipe);
	}
	zpipe_wait_lock(pipe);
	reader->busy &= ~ZPIPE_BUSY_HIDE;
	return 0;
}

static void unmap_view(struct zpipe_pool *pool, u32 index)
{
	const struct zpipe_span all = { 0, zpipe_pool_window(pool) };

	unmap_range(pool, ZPIPE_OFF_VIEW + index * ZPIPE_VIEW_SPAN, &all);
}

/**
 * zpipe_guard_hide_all - a reader is about to end: its mapping shows nothing any more
 * @reader: the reader
 *
 * Context: may sleep.
 */
void zpipe_guard_hide_all(struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = reader->pipe;

	if (!zpipe_is_guarded(pipe))
		return;
	mutex_lock(&pipe->pool->mutex);
	zpipe_wait_lock(pipe);
	reader->hidden = ZPIPE_HIDE_ALL;
	zpipe_wait_unlock(pipe);
	mutex_unlock(&pipe->pool->mutex);
	unmap_view(pipe->pool, reader->index);
}

/**
 * zpipe_guard_hide_dropped - the same for readers that were detached
 * @pipe: the pipe, whose memory is about to be granted again
 *
 * They end under the lock, where no PTE can be removed.
 *
 * Context: may sleep.
 */
void zpipe_guard_hide_dropped(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;
	u32 index;
	bool found;

	if (!zpipe_is_guarded(pipe))
		return;
	do {
		found = false;
		zpipe_wait_lock(pipe);
		list_for_each_entry(reader, &pipe->readers, entry) {
			if (!reader->ended || reader->hidden == ZPIPE_HIDE_ALL)
				continue;
			reader->hidden = ZPIPE_HIDE_ALL;
			index = reader->index;
			found = true;
			break;
		}
		zpipe_wait_unlock(pipe);
		if (!found)
			break;
		/* A fault that has not seen that the reader has ended is over after this. */
		mutex_lock(&pipe->pool->mutex);
		mutex_unlock(&pipe->pool->mutex);
		unmap_view(pipe->pool, index);
	} while (found);
}
