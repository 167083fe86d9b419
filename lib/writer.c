// SPDX-License-Identifier: MIT
/*
 * writer - the out-of-line half of the writer end
 *
 * Reached when a grant is used up, when the reader must be woken or waited for,
 * and for what is not hot. What is cached about the reader (pause_limit) is a
 * hint from a word that the reader's process writes: a lie costs the liar its
 * backpressure, the kernel decides.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* No grant longer than this part of the capacity is asked for. */
#define WANT_SHARE	4

/**
 * struct writer - a writer end
 * @hot: what the inline functions use; the handle
 * @map: the mapping
 * @chain: the descriptors in it
 * @granted: the shared word (kernel)
 * @pause: the shared word (kernel)
 * @examined: the shared word (reader)
 * @consumed: the shared word (reader)
 * @sole_reader: the shared word (kernel)
 * @slowest: examined, as the kernel said last
 * @grant_start: committed position when the grant was taken
 * @grant_length: bytes of it; 0 once its use was judged
 * @open_start: start of the open descriptor: above it, memory goes on
 * @want: how long a grant to ask for
 * @spin: polls before a call that would wait for memory
 * @published: the shared word, which only the kernel writes if guarded
 * @own: guarded: what @hot.published points at: a store there publishes nothing
 * @always: guarded: what @hot.reader_wake_at points at: 0, every flush is a call
 * @paused: a flush was left before the reader caught up: no fast path
 * @done: this end has completed
 * @walk: for pending views
 * @reserved: pieces taken but not committed
 * @begin: committed position when the handle was opened
 * @stats: what is counted here and not in @hot
 */
struct writer {
	struct zp_writer hot;
	struct zp_map map;
	struct zp_chain chain;
	const uint64_t *granted;
	const uint64_t *pause;
	const uint64_t *examined;
	const uint64_t *consumed;
	const uint32_t *sole_reader;
	uint64_t slowest;
	uint64_t grant_start;
	uint64_t grant_length;
	uint64_t open_start;
	uint64_t want;
	unsigned int spin;
	const uint64_t *published;
	uint64_t own;
	uint64_t always;
	bool paused;
	bool done;
	struct zp_walk walk;
	struct zp_reserved reserved;
	uint64_t begin;
	struct zp_stats stats;
};

static struct writer *writer_of(struct zp_writer *w)
{
	return (struct writer *)(void *)w;
}

/* What the slowest reader has examined; with several, only the kernel knows. */
static uint64_t examined_hint(const struct writer *wr)
{
	if (__atomic_load_n(wr->sole_reader, __ATOMIC_RELAXED))
		return zp_load(wr->examined);
	return wr->slowest;
}

/*
 * Up to where may be published without a look at the reader? A fresh hint; 0
 * while a pause is unfinished, because only the kernel knows when it ends.
 */
static void set_pause_limit(struct writer *wr, uint64_t examined)
{
	uint64_t pause = zp_load(wr->pause);

	if (wr->done || wr->paused) {
		wr->hot.pause_limit = 0;
		return;
	}
	if (examined > wr->hot.position)
		examined = wr->hot.position;
	if (!pause || pause > UINT64_MAX - examined)
		wr->hot.pause_limit = UINT64_MAX;
	else
		wr->hot.pause_limit = examined + pause;
}

/* No room: the next zp_alloc() asks the kernel. */
static void drop_grant(struct writer *wr)
{
	wr->hot.limit = wr->hot.position;
}

int zp_writer_open(struct zp_writer **w, int fd, const struct zp_open_opts *opts)
{
	const struct zpipe_info_args *info;
	struct zp_open_opts o;
	struct writer *wr;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	wr = calloc(1, sizeof(*wr));
	if (!wr)
		return -ENOMEM;
	ret = zp_map_open(&wr->map, fd, ZPIPE_ROLE_WRITER, o.flags);
	if (ret)
		goto err_free;

	/* a flush ends a grant there: zp_stream_writer_open() */
	ret = wr->map.info.out_flags & ZPIPE_F_POSTED ? -EINVAL : 0;
	if (ret)
		goto err_unmap;
	info = &wr->map.info;
	zp_chain_init(&wr->chain, &wr->map);
	ret = zp_walk_init(&wr->walk, &wr->chain);
	if (ret)
		goto err_unmap;
	wr->granted = zp_map_word(wr->map.state, info->out_granted_at);
	wr->pause = zp_map_word(wr->map.state, info->out_pause_at);
	wr->examined = zp_map_word(wr->map.reader, info->out_examined_at);
	wr->consumed = zp_map_word(wr->map.reader, info->out_consumed_at);
	wr->sole_reader = (const void *)(wr->map.state + info->out_sole_reader_at);
	wr->slowest = info->out_examined;
	wr->hot.published = zp_map_word(wr->map.writer, info->out_published_at);
	wr->hot.reader_wake_at = zp_map_word(wr->map.state, info->out_reader_wake_at);
	wr->published = wr->hot.published;
	if (wr->map.guarded) {
		wr->own = info->out_published;
		wr->hot.published = &wr->own;
		wr->hot.reader_wake_at = &wr->always;
	}
	wr->hot.position = info->out_published;
	wr->begin = info->out_published;
	wr->grant_start = info->out_published;
	wr->open_start = UINT64_MAX;
	wr->want = info->out_segment_size;
	wr->spin = zp_map_spin(&wr->map, o.spin);
	drop_grant(wr);
	set_pause_limit(wr, examined_hint(wr));
	*w = &wr->hot;
	ZP_PROBE3(writer_open, *w, fd, info->out_id);
	return 0;

err_unmap:
	wr->map.keep_fd = true;
	zp_map_close(&wr->map);
err_free:
	free(wr);
	return ret;
}

void zp_writer_close(struct zp_writer *w)
{
	struct writer *wr = writer_of(w);

	if (!w)
		return;
	zp_map_close(&wr->map);
	zp_walk_exit(&wr->walk);
	free(wr);
}

int zp_writer_fd(const struct zp_writer *w)
{
	return ((const struct writer *)(const void *)w)->map.fd;
}

void zp_writer_set_spin(struct zp_writer *w, unsigned int polls)
{
	writer_of(w)->spin = polls;
}

/*
 * A writer that streams uses its grants up, and makes half as many calls with
 * grants twice as long; one that leaves them mostly unused takes less.
 */
static void adapt_want(struct writer *wr)
{
	uint64_t least = wr->map.info.out_segment_size;
	uint64_t most = ZP_MAX(wr->map.info.out_capacity / WANT_SHARE, least);
	uint64_t length = wr->grant_length;
	uint64_t used = wr->hot.position - wr->grant_start;

	wr->grant_length = 0;
	if (!length || wr->hot.position < wr->grant_start)
		return;
	if (used == length)
		wr->want = ZP_MIN(wr->want * 2, most);
	else if (used < length / 2)
		wr->want = ZP_MAX(wr->want / 2, least);
}

/*
 * While the pipe looks full the reader may be about to free a segment: look
 * at its cursor for a while before sleeping. A guess only; ALLOC knows.
 */
static void spin_for_memory(struct writer *wr, uint64_t min)
{
	uint64_t granted = zp_load(wr->granted);
	uint64_t room = ZP_MAX(min, wr->map.info.out_segment_size);
	bool found = false;
	unsigned int i;

	for (i = 0; i < wr->spin; i++) {
		found = granted - zp_load_acquire(wr->consumed) + room <=
			wr->map.info.out_capacity;
		if (found || zp_load(wr->hot.reader_wake_at) == 0)
			break;
		zp_relax();
	}
	if (!i)
		return;
	wr->stats.spins++;
	wr->stats.spins_won += found;
	ZP_PROBE3(spin, &wr->hot, i, found);
}

/* Take a grant of at least @min bytes at the committed position. */
int zp_inline_alloc(struct zp_writer *w, size_t min, unsigned int flags, uint64_t deadline)
{
	struct writer *wr = writer_of(w);
	uint64_t window = wr->map.info.out_window;
	struct zpipe_alloc_args args = {
		.position = w->position,
		.min = min,
		.deadline = deadline,
		.flags = flags,
	};
	int ret;

	/* it starts where they do */
	wr->reserved.end = 0;
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (wr->done)
		return -ESHUTDOWN;
	if (min > window)
		return -EMSGSIZE;

	adapt_want(wr);
	if (!(flags & ZP_NOWAIT))
		spin_for_memory(wr, min);

	args.want = ZP_MAX(wr->want, min);
	wr->stats.allocs++;
	ret = zp_sys_alloc(wr->map.fd, &args);
	if (ret < 0)
		return ret;
	if (args.out_flags & ZPIPE_RES_CANCELED)
		return -ECANCELED;
	if (args.out_length < min || !zp_chain_has(&wr->chain, args.out_offset, args.out_length) ||
	    args.out_length > UINT64_MAX - w->position)
		return -EPROTO;

	w->limit = w->position + args.out_length;
	w->bias = (uintptr_t)wr->chain.data + (uintptr_t)args.out_offset - (uintptr_t)w->position;
	wr->grant_start = w->position;
	wr->grant_length = args.out_length;
	wr->open_start = zp_chain_open_start(&wr->chain);
	set_pause_limit(wr, examined_hint(wr));
	return (int)(args.out_flags & ZPIPE_RES_COMPLETED);
}

/*
 * Guarded: what the kernel has published, which may be less than was wanted, is
 * not the writer's any more; inside a page that was the end of the grant.
 */
static void after_seal(struct writer *wr)
{
	uint64_t granted = zp_load(wr->granted);

	wr->reserved.end = 0;
	wr->own = zp_load(wr->published);
	if (wr->hot.limit > granted)
		wr->hot.limit = ZP_MAX(granted, wr->hot.position);
}

/*
 * Publish, wake, wait. For a plain flush the words are stored already, and it
 * may turn out that the reader has moved on, so that nothing is to be done.
 */
int zp_inline_flush(struct zp_writer *w, unsigned int flags, uint64_t deadline)
{
	struct writer *wr = writer_of(w);
	struct zpipe_flush_args args = {
		.position = w->position,
		.deadline = deadline,
		.flags = flags,
	};
	bool wakes = !wr->map.guarded && w->position >= zp_load(w->reader_wake_at);
	bool waits = flags & ~(unsigned int)ZP_NOWAIT;
	int ret;

	if (!waits) {
		set_pause_limit(wr, examined_hint(wr));
		waits = w->position >= w->pause_limit;
		if (w->position < zp_load(w->reader_wake_at) && !waits)
			return 0;
	}
	wr->stats.flushes++;
	wr->stats.wakes += wakes;
	if (waits)
		ZP_PROBE2(pause_begin, w, w->position);
	ret = zp_sys_flush(wr->map.fd, &args);
	if (waits)
		ZP_PROBE3(pause_end, w, w->position, ret);
	if (wr->map.guarded)
		after_seal(wr);
	wr->paused = ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EINTR;
	if (ret >= 0)
		wr->slowest = args.out_examined;
	set_pause_limit(wr, ret < 0 ? examined_hint(wr) : args.out_examined);
	if (ret < 0)
		return ret;
	return (int)(args.out_flags & (ZPIPE_RES_COMPLETED | ZPIPE_RES_CANCELED));
}

/* Copy @n bytes to the committed position, over as many grants as it takes. */
int zp_inline_write(struct zp_writer *w, const void *buf, size_t n)
{
	struct writer *wr = writer_of(w);
	const unsigned char *from = buf;
	uint64_t start = w->position;
	int flags = 0;

	if (n > wr->map.info.out_capacity)
		return -EMSGSIZE;
	while (n) {
		struct zp_span room;
		int ret = zp_alloc(w, 1, &room);

		if (ret < 0) {
			zp_rollback(w, start);
			return ret;
		}
		flags |= ret;
		room.len = ZP_MIN(room.len, n);
		memcpy(room.data, from, room.len);
		ZP_PROBE3(write, w, w->position, room.len);
		w->position += room.len;
		w->copied += room.len;
		from += room.len;
		n -= room.len;
	}
	return flags;
}

int zp_write_flush(struct zp_writer *w, const void *buf, size_t n, size_t *done)
{
	struct writer *wr = writer_of(w);
	const unsigned char *from = buf;
	size_t copied = 0;
	int ret = 0;

	while (copied < n) {
		struct zp_span room;

		ret = zp_alloc(w, 1, &room);
		if (ret == -ENOBUFS && zp_unflushed(w)) {
			/* all of it is ours: let the reader have it */
			ret = zp_flush(w);
			if (ret)
				break;
			continue;
		}
		if (ret)
			break;
		room.len = ZP_MIN(room.len, n - copied);
		memcpy(room.data, from + copied, room.len);
		ZP_PROBE3(write, w, w->position, room.len);
		w->position += room.len;
		wr->stats.copied_write_flush += room.len;
		copied += room.len;
		/* a reader can work on this while the rest is copied */
		if (copied < n) {
			ret = zp_flush(w);
			if (ret)
				break;
		}
	}
	if (done)
		*done = copied;
	return ret ? ret : zp_flush(w);
}

uint64_t zp_writer_capacity(const struct zp_writer *w)
{
	return ((const struct writer *)(const void *)w)->map.info.out_capacity;
}

const struct zp_map *zp_writer_map(const struct zp_writer *w)
{
	return &((const struct writer *)(const void *)w)->map;
}

void zp_writer_own_fd(struct zp_writer *w)
{
	writer_of(w)->map.keep_fd = false;
}

struct zp_reserved *zp_writer_reserved(struct zp_writer *w)
{
	return &writer_of(w)->reserved;
}

/* The kernel has appended what is no grant: the next zp_alloc() begins anew. */
void zp_writer_skip(struct zp_writer *w, uint64_t position)
{
	struct writer *wr = writer_of(w);

	wr->reserved.end = 0;
	wr->stats.forwarded += position - w->position;
	w->position = position;
	wr->grant_start = position;
	wr->grant_length = 0;
	wr->open_start = UINT64_MAX;
	drop_grant(wr);
}

int zp_rollback(struct zp_writer *w, uint64_t position)
{
	struct writer *wr = writer_of(w);

	if (position > w->position || position < zp_load(w->published))
		return -EINVAL;
	wr->reserved.end = 0;
	wr->stats.rolled_back += w->position - position;
	w->position = position;
	/* below the open start the memory is another: ALLOC before writing (R9) */
	if (position < wr->open_start)
		drop_grant(wr);
	else if (w->bias + (uintptr_t)position < (uintptr_t)wr->chain.data)
		/* back over the wrap: use the second mapping */
		w->bias += (uintptr_t)wr->chain.window;
	return 0;
}

int zp_pending(struct zp_writer *w, struct zp_view *view)
{
	struct writer *wr = writer_of(w);
	struct zp_walk *walk = &wr->walk;
	int ret;

	*view = (struct zp_view){
		.start = zp_load(w->published),
		.end = w->position,
	};
	if (view->start == view->end)
		return 0;

	ret = zp_chain_find(&wr->chain, view->start, &walk->index);
	if (!ret)
		ret = zp_chain_walk(&wr->chain, view->start, view->end, walk);
	if (ret)
		return ret;
	view->nr_spans = walk->nr_spans;
	view->first = walk->spans[0];
	view->more = walk->spans + 1;
	view->last = walk->spans[walk->nr_spans - 1].len;
	return 0;
}

int zp_patch(struct zp_writer *w, uint64_t position, const void *buf, size_t n)
{
	struct writer *wr = writer_of(w);
	const unsigned char *from = buf;
	struct zp_view view;
	uint32_t i;
	int ret;

	/* in the open descriptor: one piece, of which the grant is a part */
	if (n && position >= wr->open_start && position >= zp_load(w->published) &&
	    position <= w->position && n <= w->position - position) {
		uintptr_t at = w->bias + (uintptr_t)position;

		if (at < (uintptr_t)wr->chain.data)
			at += (uintptr_t)wr->chain.window;
		memcpy((void *)at, buf, n);
		goto out_count;
	}

	ret = zp_pending(w, &view);
	if (ret)
		return ret;
	if (position < view.start || position > view.end || n > view.end - position)
		return -EINVAL;
	if (!n)
		return 0;
	ret = zp_view_slice(&view, position, position + n, &view);
	if (ret)
		return ret;
	for (i = 0; i < view.nr_spans; i++) {
		size_t len;
		const void *to = zp_view_span(&view, i, &len);

		memcpy((void *)(uintptr_t)to, from, len);
		from += len;
	}
out_count:
	wr->stats.patched += n;
	ZP_PROBE3(patch, w, position, n);
	return 0;
}

int zp_writer_complete(struct zp_writer *w, int error, unsigned int flags)
{
	struct writer *wr = writer_of(w);
	struct zpipe_complete_args args = {
		.error = error,
		.flags = flags,
		.position = error ? 0 : w->position,
	};
	int ret;

	ret = zp_sys_complete(wr->map.fd, &args);
	if (wr->map.guarded)
		after_seal(wr);
	if (ret < 0)
		return ret;
	/* what was dropped must not be published by a flush that comes too late */
	wr->stats.rolled_back += w->position - zp_load(w->published);
	w->position = zp_load(w->published);
	wr->done = true;
	drop_grant(wr);
	set_pause_limit(wr, w->position);
	return 0;
}

int zp_writer_stats(struct zp_writer *w, struct zp_stats *stats)
{
	struct writer *wr = writer_of(w);
	struct zp_stats out = wr->stats;

	out.position = w->position;
	out.bytes = w->position - wr->begin + out.rolled_back;
	out.copied_write = w->copied;
	out.mapped = out.bytes - out.copied_write - out.copied_write_flush - out.forwarded;
	out.publishes = w->publishes;
	return zp_stats_finish(wr->map.fd, ZPIPE_ROLE_WRITER, &out, stats);
}
