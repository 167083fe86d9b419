// SPDX-License-Identifier: MIT
/*
 * reader - the out-of-line half of the reader end
 *
 * Reached when the bytes wanted are not there, when they do not simply continue
 * the span of the last view, when the kernel has something to say, and for
 * what is not hot. `published` is a word that the writer's process writes: it
 * is read once, and believed up to the kernel's `granted`, no further.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* A value `opened` never has: the inline path does not continue the span. */
#define NO_ENTRY	UINT64_MAX

/**
 * struct reader - a reader end
 * @hot: what the inline functions use; the handle
 * @map: the mapping
 * @chain: the descriptors in it
 * @spin: polls before a call that would wait
 * @loose: the outstanding view is empty or cancelled: an advance may follow,
 *	but another read may too
 * @done: this end has completed
 * @fresh: nothing was read yet: a read that is outstanding is of a reader before this one
 * @inherited: up to here a reader before this one had examined
 * @nothing: what @hot.published points at once it has; in a guarded pipe that,
 *	and the wake words, from the beginning: every call goes to the kernel
 * @always: guarded: what @hot.events points at: 1
 * @words: guarded: what the cursor words point at
 * @pieces: guarded: room for the spans of a view, as the kernel tells them
 * @walk: of the view
 * @begin: consumed position when the handle was opened
 * @stats: what is counted here and does not follow from positions
 */
struct reader {
	struct zp_reader hot;
	struct zp_map map;
	struct zp_chain chain;
	unsigned int spin;
	bool loose;
	bool done;
	bool fresh;
	uint64_t inherited;
	uint64_t nothing;
	uint32_t always;
	uint64_t words[2];
	struct zpipe_span *pieces;
	struct zp_walk walk;
	uint64_t begin;
	struct zp_stats stats;
};

static struct reader *reader_of(struct zp_reader *r)
{
	return (struct reader *)(void *)r;
}

/* No word is shared: the inline functions find that there is always something to call for. */
static int be_guarded(struct reader *rd)
{
	struct zp_reader *hot = &rd->hot;

	rd->pieces = calloc((size_t)rd->chain.mask + 1, sizeof(*rd->pieces));
	if (!rd->pieces)
		return -ENOMEM;
	rd->always = 1;
	hot->events = &rd->always;
	hot->published = &rd->nothing;
	hot->examined_word = &rd->words[0];
	hot->consumed_word = &rd->words[1];
	hot->writer_wake_examined = &rd->nothing;
	hot->writer_wake_consumed = &rd->nothing;
	return 0;
}

int zp_reader_open(struct zp_reader **r, int fd, const struct zp_open_opts *opts)
{
	const struct zpipe_info_args *info;
	struct zp_open_opts o;
	struct reader *rd;
	struct zp_reader *hot;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	rd = calloc(1, sizeof(*rd));
	if (!rd)
		return -ENOMEM;
	ret = zp_map_open(&rd->map, fd, ZPIPE_ROLE_READER, o.flags);
	if (ret)
		goto err_free;

	/* its bytes come back with their buffers: zp_stream_reader_open() */
	ret = rd->map.info.out_flags & ZPIPE_F_POSTED ? -EINVAL : 0;
	if (ret)
		goto err_unmap;
	info = &rd->map.info;
	zp_chain_init(&rd->chain, &rd->map);
	ret = zp_walk_init(&rd->walk, &rd->chain);
	if (ret)
		goto err_unmap;
	hot = &rd->hot;
	hot->published = zp_map_word(rd->map.writer, info->out_published_at);
	hot->opened = zp_map_word(rd->map.state, info->out_opened_at);
	hot->granted = zp_map_word(rd->map.state, info->out_granted_at);
	hot->events = (const void *)(rd->map.state + info->out_reader_events_at);
	hot->examined_word = zp_map_word(rd->map.reader, info->out_examined_at);
	hot->consumed_word = zp_map_word(rd->map.reader, info->out_consumed_at);
	hot->writer_wake_examined = zp_map_word(rd->map.state, info->out_writer_wake_examined_at);
	hot->writer_wake_consumed = zp_map_word(rd->map.state, info->out_writer_wake_consumed_at);
	if (rd->map.guarded) {
		ret = be_guarded(rd);
		if (ret)
			goto err_exit_walk;
	}
	hot->consumed = info->out_consumed;
	rd->begin = info->out_consumed;
	/*
	 * Not what was examined: that was another reader, which may have died
	 * before it consumed. The first read shows all there is (rule R7). The
	 * shared word may go back for that, which the kernel takes for nothing.
	 */
	hot->examined = info->out_consumed;
	hot->first_end = info->out_consumed;
	rd->inherited = info->out_examined;
	rd->fresh = true;
	hot->expect = NO_ENTRY;
	hot->more = rd->walk.spans + 1;
	rd->walk.index = info->out_index;
	rd->spin = zp_map_spin(&rd->map, o.spin);
	*r = hot;
	ZP_PROBE3(reader_open, hot, fd, info->out_id);
	return 0;

err_exit_walk:
	zp_walk_exit(&rd->walk);
err_unmap:
	rd->map.keep_fd = true;
	zp_map_close(&rd->map);
err_free:
	free(rd);
	return ret;
}

void zp_reader_close(struct zp_reader *r)
{
	struct reader *rd = reader_of(r);

	if (!r)
		return;
	zp_map_close(&rd->map);
	zp_walk_exit(&rd->walk);
	free(rd->pieces);
	free(rd);
}

int zp_reader_fd(const struct zp_reader *r)
{
	return ((const struct reader *)(const void *)r)->map.fd;
}

/* For kept.c. */
const struct zp_map *zp_reader_map(struct zp_reader *r, const struct zp_chain **chain)
{
	*chain = &reader_of(r)->chain;
	return &reader_of(r)->map;
}

void zp_reader_set_spin(struct zp_reader *r, unsigned int polls)
{
	reader_of(r)->spin = polls;
}

/* Guarded: the spans that the kernel told, instead of a walk. */
static int take_pieces(struct reader *rd, uint64_t end, uint32_t nr)
{
	struct zp_walk *walk = &rd->walk;
	uint64_t left = end - rd->hot.consumed;
	uint32_t i;

	if (!nr || nr > rd->chain.mask + 1)
		return -EPROTO;
	for (i = 0; i < nr; i++) {
		const struct zpipe_span *piece = &rd->pieces[i];

		if (piece->offset >= rd->chain.window || piece->length > left)
			return -EPROTO;
		walk->spans[i].data = rd->chain.data + piece->offset;
		walk->spans[i].len = (size_t)piece->length;
		left -= piece->length;
	}
	walk->nr_spans = nr;
	return left ? -EPROTO : 0;
}

/*
 * Make the bytes from consumed to @end the outstanding view. @end is at most
 * an acquired published. Guarded: in @pieces spans.
 */
static int show(struct reader *rd, uint64_t end, uint32_t flags, uint32_t pieces)
{
	struct zp_reader *r = &rd->hot;
	struct zp_walk *walk = &rd->walk;
	int ret;

	if (end < r->consumed)
		return -EPROTO;
	r->expect = NO_ENTRY;
	r->ready = 0;
	r->nr_spans = 0;
	r->first_end = r->consumed;
	if (end > r->consumed) {
		ret = rd->map.guarded ? take_pieces(rd, end, pieces) :
					zp_chain_walk(&rd->chain, r->consumed, end, walk);
		if (ret)
			return ret;
		r->nr_spans = walk->nr_spans;
		r->bias = (uintptr_t)walk->spans[0].data - (uintptr_t)r->consumed;
		r->first_end = r->consumed + walk->spans[0].len;
		r->last = walk->spans[walk->nr_spans - 1].len;
	}
	rd->loose = end == r->consumed || flags & ZP_CANCELED;
	/* the fast path may serve the next read, unless that has to end @loose */
	if (!rd->loose && !rd->map.guarded) {
		r->ready = r->first_end;
		if (walk->nr_spans == 1)
			r->expect = walk->index + walk->nr_entries;
	}
	r->shown = end + 1;
	return (int)flags;
}

/* Can a read be answered without the kernel? Then up to where? */
static bool look(const struct reader *rd, uint64_t min, uint64_t *end)
{
	const struct zp_reader *r = &rd->hot;

	if (__atomic_load_n(r->events, __ATOMIC_RELAXED))
		return false;
	*end = zp_load_acquire(r->published);
	return *end > r->examined && *end - r->consumed >= min && *end <= zp_load(r->granted);
}

/* It has looked again so often, or not at all. */
static void count_spin(struct reader *rd, unsigned int polls, bool found)
{
	if (!polls)
		return;
	rd->stats.spins++;
	rd->stats.spins_won += found;
	ZP_PROBE3(spin, &rd->hot, polls, found);
}

/*
 * A reader before this one has died between a read and its advance, which only
 * a guarded pipe or a reader without the library leaves outstanding. It has
 * consumed nothing of that view.
 */
static int read_after(struct reader *rd, struct zpipe_read_args *args)
{
	struct zpipe_advance_args over = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP };
	int ret = zp_sys_read(rd->map.fd, args);

	if (ret != -EBUSY || !rd->fresh)
		return ret;
	rd->stats.advances++;
	ret = zp_sys_advance(rd->map.fd, &over);
	return ret < 0 ? ret : zp_sys_read(rd->map.fd, args);
}

int zp_inline_read(struct zp_reader *r, uint64_t min, unsigned int flags, uint64_t deadline)
{
	struct reader *rd = reader_of(r);
	struct zpipe_read_args args = { 0 };
	unsigned int i;
	uint64_t end;
	int ret;

	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (rd->done)
		return -ESHUTDOWN;
	if (r->shown && !rd->loose)
		return -EBUSY;
	r->shown = 0;
	rd->loose = false;
	if (!min)
		min = 1;

	/* the entries before this one may be written anew: forget them */
	rd->walk.index = zp_walk_entry(&rd->walk, r->consumed);
	rd->walk.nr_entries = 0;

	for (i = 0; ; i++) {
		if (look(rd, min, &end)) {
			count_spin(rd, i, true);
			ret = show(rd, end, 0, 0);
			if (ret != -EPROTO)
				return ret;
			/* the table makes no sense from here: let the kernel say where */
			break;
		}
		if (flags & ZP_NOWAIT || i >= rd->spin ||
		    __atomic_load_n(r->events, __ATOMIC_RELAXED)) {
			count_spin(rd, i, false);
			break;
		}
		zp_relax();
	}

	args.min = min;
	args.deadline = deadline;
	args.flags = flags;
	if (rd->map.guarded) {
		args.spans = (uintptr_t)rd->pieces;
		args.nr_spans = (uint32_t)rd->chain.mask + 1;
	} else {
		args.flags |= ZPIPE_READ_F_SHARED;
	}
	/* what a reader before this one examined is new to us */
	if (r->examined < rd->inherited)
		args.flags |= ZPIPE_READ_F_REREAD;
	rd->stats.reads++;
	ret = read_after(rd, &args);
	if (ret < 0)
		return ret;
	rd->fresh = false;
	rd->walk.index = args.out_index;
	return show(rd, args.out_end, args.out_flags & INT32_MAX, args.out_nr_spans);
}

/* What the inline path refused: an error, or ZP_KEEP. */
int zp_inline_advance(struct zp_reader *r, uint64_t consumed, uint64_t examined)
{
	if (reader_of(r)->done)
		return -ESHUTDOWN;
	if (!r->shown)
		return -EPROTO;
	if (consumed == ZP_KEEP)
		consumed = r->consumed;
	if (examined == ZP_KEEP)
		examined = consumed;
	if (consumed < r->consumed || examined < consumed || examined >= r->shown)
		return -EINVAL;
	return zp_inline_move(r, consumed, examined);
}

/* A view that was cancelled is not outstanding for the kernel; make it so. */
static int read_again(struct reader *rd)
{
	struct zpipe_read_args args = { .flags = ZPIPE_READ_F_NOWAIT | ZPIPE_READ_F_REREAD };
	int ret;

	rd->stats.reads++;
	ret = zp_sys_read(rd->map.fd, &args);

	return ret < 0 ? ret : 0;
}

/*
 * The words are stored: the kernel looks at them and wakes. In a guarded pipe
 * it is told the positions.
 */
int zp_inline_wake_writer(struct zp_reader *r)
{
	struct reader *rd = reader_of(r);
	struct zpipe_advance_args args = {
		.consumed = r->consumed,
		.examined = r->examined,
		.flags = rd->map.guarded ? 0 : ZPIPE_ADVANCE_F_SHARED,
	};
	int ret;

	if (rd->map.guarded && rd->loose) {
		rd->loose = false;
		/* an empty view, or nothing new: there is nothing to tell */
		ret = read_again(rd);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
	}
	rd->stats.advances++;
	rd->stats.wakes += !rd->map.guarded;
	ret = zp_sys_advance(rd->map.fd, &args);
	return ret < 0 ? ret : 0;
}

/* For forward.c: what comes next is consumed because it went there. */
void zp_reader_forwarded(struct zp_reader *r, uint64_t n)
{
	reader_of(r)->stats.forwarded += n;
}

int zp_reader_stats(struct zp_reader *r, struct zp_stats *stats)
{
	struct reader *rd = reader_of(r);
	struct zp_stats out = rd->stats;

	out.position = r->consumed;
	out.bytes = r->consumed - rd->begin;
	out.mapped = out.bytes - out.forwarded;
	return zp_stats_finish(rd->map.fd, ZPIPE_ROLE_READER, &out, stats);
}

int zp_reader_complete(struct zp_reader *r, int error)
{
	struct reader *rd = reader_of(r);
	struct zpipe_complete_args args = { .error = error };
	int ret;

	ret = zp_sys_complete(rd->map.fd, &args);
	if (ret < 0)
		return ret;
	/* no fast path any more: nothing ready, and nothing ever published */
	rd->done = true;
	r->shown = 0;
	r->ready = 0;
	r->expect = NO_ENTRY;
	r->published = &rd->nothing;
	return 0;
}
