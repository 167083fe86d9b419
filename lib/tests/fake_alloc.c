// SPDX-License-Identifier: MIT
/*
 * fake_alloc - the fake kernel's segments, chain and ALLOC
 */
#include <errno.h>
#include <string.h>

#include "fake_state.h"

static void segments_set(const struct entry *e, bool used)
{
	uint32_t n = (uint32_t)(e->length / fake.opts.segment_size);
	uint32_t s = (uint32_t)(e->offset / fake.opts.segment_size);
	uint32_t i, k;

	for (i = 0; i < n; i++) {
		uint32_t seg = (s + i) % fake.opts.nr_segments;

		fake.used[seg] = used;
		if (!used) {
			fake.lifo[fake.nr_free++] = seg;
			continue;
		}
		for (k = 0; fake.lifo[k] != seg; k++)
			;
		memmove(fake.lifo + k, fake.lifo + k + 1,
			(fake.nr_free - k - 1) * sizeof(fake.lifo[0]));
		fake.nr_free--;
	}
}

static bool run_free(const bool *used, uint32_t s, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (used[(s + i) % fake.opts.nr_segments])
			return false;
	}
	return n <= fake.opts.nr_segments;
}

/* Where a run of @n segments could go, or -1. */
static int find_run(const bool *used, uint32_t n, uint32_t next)
{
	uint32_t total = fake.opts.nr_segments, s = next, i;
	int fallback = -1;

	switch (fake.opts.policy) {
	case FAKE_LIFO:
		for (i = fake.nr_free; i > 0; i--) {
			if (run_free(used, fake.lifo[i - 1], n))
				return (int)fake.lifo[i - 1];
		}
		break;
	case FAKE_RANDOM:
		s = fake_random() % total;
		break;
	default:
		break;
	}
	for (i = 0; i < total; i++, s = (s + 1) % total) {
		if (!run_free(used, s, n))
			continue;
		if (fake.opts.policy != FAKE_SCATTER || s != next)
			return (int)s;
		fallback = (int)s;
	}
	return fallback;
}

static void reclaim(uint64_t position)
{
	uint64_t consumed = get(fake_consumed());

	while (fake.first + 1 < fake.opened && end_of(fake.first) <= consumed)
		segments_set(entry(fake.first++), false);
	/* all given back and nothing new: the open one goes too, sometimes */
	if (fake.first + 1 == fake.opened && consumed == position && fake_random() % 2)
		segments_set(entry(fake.first++), false);
}

static void publish_entry(uint64_t k)
{
	struct zpipe_descriptor *d = &fake_table()[k & (fake.opts.table_entries - 1)];

	__atomic_store_n(&d->offset, entry(k)->offset, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->start, entry(k)->start, __ATOMIC_SEQ_CST);
}

static void set_granted(uint64_t granted)
{
	fake.granted = granted;
	set(state_word(AT_GRANTED), granted);
}

static bool open_entry(uint64_t position, uint64_t min, uint64_t want)
{
	uint32_t seg = fake.opts.segment_size;
	uint32_t n = (uint32_t)((min + seg - 1) / seg), most = (uint32_t)(want / seg);
	struct entry *e;
	uint32_t next = 0;
	int s;

	if (fake.opened > fake.first) {
		e = entry(fake.opened - 1);
		next = (uint32_t)((e->offset + e->length) / seg) % fake.opts.nr_segments;
	}
	if (fake.opened - fake.first >= fake.opts.table_entries)
		return false;
	s = find_run(fake.used, n, next);
	if (s < 0)
		return false;
	while (n < most && run_free(fake.used, (uint32_t)s, n + 1))
		n++;
	e = entry(fake.opened);
	e->start = position;
	e->offset = (uint64_t)s * seg;
	e->length = (uint64_t)n * seg;
	segments_set(e, true);
	publish_entry(fake.opened);
	fake.opened++;
	set(fake_opened(), fake.opened);
	set_granted(position + e->length);
	return true;
}

/* Would a fitting run come free if the reader gave everything back? */
static bool reader_could_help(uint64_t min)
{
	uint32_t n = (uint32_t)((min + fake.opts.segment_size - 1) / fake.opts.segment_size);
	uint64_t published = get(fake_published()), k;
	bool used[MAX_SEGMENTS];

	memcpy(used, fake.used, sizeof(used));
	for (k = fake.first; k < fake.opened && end_of(k) <= published; k++) {
		uint64_t s = entry(k)->offset / fake.opts.segment_size, i;

		for (i = 0; i < entry(k)->length / fake.opts.segment_size; i++)
			used[(s + i) % fake.opts.nr_segments] = false;
	}
	/* a published position inside the open one: it ends there */
	return find_run(used, n, 0) >= 0 || published == fake.last_alloc.position;
}

static int try_alloc(struct zpipe_alloc_args *args)
{
	struct entry *e;
	uint64_t room;

	/* rollback: what begins behind @position, or is still empty, goes */
	while (fake.opened > fake.first && entry(fake.opened - 1)->start > args->position) {
		segments_set(entry(--fake.opened), false);
		set(fake_opened(), fake.opened);
	}
	if (fake.opened > fake.first) {
		e = entry(fake.opened - 1);
		room = e->start + e->length - args->position;
		if (room >= args->min)
			goto grant;
	}
	reclaim(args->position);
	if (fake.opened > fake.first && entry(fake.opened - 1)->start == args->position) {
		/* an empty descriptor that does not fit is written anew */
		segments_set(entry(--fake.opened), false);
		set(fake_opened(), fake.opened);
	}
	if (!open_entry(args->position, args->min, args->want))
		return reader_could_help(args->min) ? -EAGAIN : -ENOBUFS;
	e = entry(fake.opened - 1);
grant:
	set_granted(e->start + e->length);
	args->out_length = e->start + e->length - args->position;
	args->out_offset = (e->offset + (args->position - e->start)) % fake.window;
	args->out_flags = fake.reader_done ? ZPIPE_RES_COMPLETED : 0;
	return 0;
}

int zp_sys_alloc(int fd, struct zpipe_alloc_args *args)
{
	uint64_t published;
	int ret;

	if (fd != fake.writer_fd)
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	fake.calls.allocs++;
	fake.last_alloc = *args;
	if (!args->min)
		args->min = 1;
	published = get(fake_published());
	ret = fake_take_failure();
	if (!ret && fake.writer_done)
		ret = -ESHUTDOWN;
	if (!ret && (args->position < published || args->position > fake.granted))
		ret = -EINVAL;
	if (!ret && args->min > fake.window)
		ret = -EMSGSIZE;
	while (!ret) {
		if (fake.reader_error) {
			ret = -fake.reader_error;
			break;
		}
		ret = try_alloc(args);
		if (ret != -EAGAIN)
			break;
		if (fake.cancel_flush) {
			fake.cancel_flush = false;
			args->out_flags = ZPIPE_RES_CANCELED;
			args->out_length = 0;
			ret = 0;
			break;
		}
		if (fake.opened > fake.first)
			set(fake_wake_consumed(), ZP_MIN(end_of(fake.first), published));
		fake.writer_waits = true;
		fake_update_events();
		pthread_cond_broadcast(&fake.changed);
		if (args->flags & ZPIPE_ALLOC_F_NOWAIT)
			break;
		if (get(fake_consumed()) < get(fake_wake_consumed()) && !fake.reader_done)
			pthread_cond_wait(&fake.changed, &fake.lock);
		ret = 0;
	}
	if (!ret) {
		fake.writer_waits = false;
		set(fake_wake_consumed(), ZPIPE_UNARMED);
		fake_update_events();
	}
	if (fake.lie) {
		fake.lie = false;
		args->out_offset = fake.lie_offset;
		args->out_length = fake.lie_length;
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}
