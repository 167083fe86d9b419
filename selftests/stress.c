// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress - threads and processes, mapped, by calls and by copies, random sizes, every byte checked
 *
 * A stream has one writer and one reader of some kind each; all kinds are combined, and many
 * pipes run beside each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

enum kind { BY_CALLS, MAPPED, COPYING, POLLING };

FIXTURE(stress)
{
	__u64 seed;
	__u64 bytes;
};

FIXTURE_VARIANT(stress)
{
	enum kind writer;
	enum kind reader;
	__u32 segment;
	__u64 capacity;
	__u32 flags;
	__u64 pause;
};

FIXTURE_VARIANT_ADD(stress, calls) { BY_CALLS, BY_CALLS, ZT_PAGE, 4 * ZT_PAGE, 0, 0 };
FIXTURE_VARIANT_ADD(stress, mapped) { MAPPED, MAPPED, ZT_PAGE, 4 * ZT_PAGE, 0, 0 };
FIXTURE_VARIANT_ADD(stress, contig) { MAPPED, MAPPED, ZT_PAGE, 4 * ZT_PAGE, ZPIPE_F_CONTIG, 0 };
FIXTURE_VARIANT_ADD(stress, mapped_default) { MAPPED, MAPPED, 0, 0, 0, ZPIPE_DEFAULT };
FIXTURE_VARIANT_ADD(stress, mapped_paused) { MAPPED, MAPPED, ZT_PAGE, 8 * ZT_PAGE, 0, 100 };
FIXTURE_VARIANT_ADD(stress, copies) { COPYING, COPYING, ZT_PAGE, 4 * ZT_PAGE, 0, 0 };
FIXTURE_VARIANT_ADD(stress, copy_to_mapped) { COPYING, MAPPED, ZT_PAGE, 4 * ZT_PAGE, 0, 5000 };
FIXTURE_VARIANT_ADD(stress, mapped_to_copy) { MAPPED, COPYING, ZT_PAGE, 4 * ZT_PAGE, 0, 5000 };
FIXTURE_VARIANT_ADD(stress, mapped_to_calls) { MAPPED, BY_CALLS, ZT_PAGE, 2 * ZT_PAGE, 0, 1 };
FIXTURE_VARIANT_ADD(stress, polling) { POLLING, POLLING, ZT_PAGE, 4 * ZT_PAGE, 0, 3000 };
FIXTURE_VARIANT_ADD(stress, one_segment) { BY_CALLS, MAPPED, ZT_PAGE, ZT_PAGE, 0, 0 };

FIXTURE_SETUP(stress)
{
	self->seed = zt_seed();
	self->bytes = zt_long() ? 256ULL << 20 : 3ULL << 19;
}

FIXTURE_TEARDOWN(stress)
{
}

/* One side of a stream. */
struct side {
	struct zt_end *e;
	enum kind kind;
	__u64 seed;
	__u64 bytes;
	pthread_t thread;
};

static void check(const char *what, int ret)
{
	if (ret)
		zt_die("%s: %s", what, strerror(-ret));
}

static void poll_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, ZT_PATIENCE_MS) != 1)
		zt_die("stuck in poll for %#x", events);
}

/* Takes a grant in the side's own manner. */
static void grant_more(struct side *me, struct zpipe_alloc_args *grant)
{
	int ret;

	grant->deadline = zt_deadline(ZT_PATIENCE_MS);
	grant->flags = me->kind == POLLING ? ZPIPE_ALLOC_F_NOWAIT : 0;
	while ((ret = zt_ioctl(me->e->fd, ZPIPE_IOC_ALLOC, grant)) == -EAGAIN)
		poll_for(me->e->fd, POLLOUT);
	check("ALLOC", ret);
}

static void publish(struct side *me, __u64 position)
{
	struct zpipe_flush_args f = { .position = position,
				      .deadline = zt_deadline(ZT_PATIENCE_MS) };
	int ret;

	if (me->kind == MAPPED) {
		__u64 pause = zt_load(me->e->state, me->e->info.out_pause_at);

		zt_store_published(me->e, position);
		zt_mb();
		if (position < zt_reader_wake(me->e) &&
		    (!pause || position - zt_examined(me->e) < pause))
			return;
	}
	f.flags = me->kind == POLLING ? ZPIPE_FLUSH_F_NOWAIT : 0;
	while ((ret = zt_ioctl(me->e->fd, ZPIPE_IOC_FLUSH, &f)) == -EAGAIN)
		poll_for(me->e->fd, POLLOUT);
	check("FLUSH", ret);
}

static void *copy_in(struct side *me)
{
	unsigned char buffer[9000];
	__u64 at = 0;

	while (at < me->bytes) {
		size_t len = 1 + zt_random(&me->seed) % sizeof(buffer);
		ssize_t n;

		zt_fill(buffer, at, len);
		n = write(me->e->fd, buffer, len);
		if (n <= 0)
			zt_die("write: %s", strerror(errno));
		at += n;
	}
	check("COMPLETE", zt_complete(me->e, 0, 0, 0));
	return NULL;
}

static void *write_side(void *arg)
{
	struct side *me = arg;
	__u64 at = 0, window = me->e->info.out_window;

	if (me->kind == COPYING)
		return copy_in(me);
	while (at < me->bytes) {
		__u64 r = zt_random(&me->seed), limit = r % 5 ? 600 : window;
		struct zpipe_alloc_args grant = { .position = at,
						  .min = 1 + (r >> 8) % limit };
		__u64 end;

		grant.want = grant.min + (r >> 32) % 2000;
		grant_more(me, &grant);
		check("grant", zt_fill_grant(me->e, &grant, grant.out_length));
		end = at + (r % 3 ? grant.min : grant.out_length);
		if (r % 11)
			publish(me, end);
		else
			continue;
		at = end;
	}
	check("COMPLETE", zt_complete(me->e, 0, 0, at));
	return NULL;
}

static void copy_out(struct side *me)
{
	unsigned char buffer[9000];
	ssize_t n;
	__u64 at = 0;

	while ((n = read(me->e->fd, buffer, 1 + zt_random(&me->seed) % sizeof(buffer))) > 0) {
		if (zt_mismatch(buffer, at, n) >= 0)
			zt_die("wrong byte after %llu", (unsigned long long)at);
		at += n;
	}
	if (n < 0)
		zt_die("read: %s", strerror(errno));
	if (at < me->bytes)
		zt_die("the stream ended at %llu", (unsigned long long)at);
}

static void give_back(struct side *me, __u64 consumed, __u64 examined)
{
	struct zpipe_advance_args adv = { .consumed = consumed, .examined = examined };

	if (me->kind == MAPPED) {
		zt_store_examined(me->e, examined);
		zt_store_consumed(me->e, consumed);
		zt_mb();
		if (examined < zt_wake_examined(me->e) && consumed < zt_wake_consumed(me->e))
			return;
		adv.consumed = ZPIPE_KEEP;
		adv.examined = ZPIPE_KEEP;
		adv.flags = ZPIPE_ADVANCE_F_SHARED;
	}
	check("ADVANCE", zt_ioctl(me->e->fd, ZPIPE_IOC_ADVANCE, &adv));
}

static void *read_side(void *arg)
{
	struct side *me = arg;
	__u64 at = 0;

	if (me->kind == COPYING) {
		copy_out(me);
		return NULL;
	}
	for (;;) {
		__u64 r = zt_random(&me->seed), to;
		struct zt_view v = { .args = { .nr_spans = ZT_SPANS } };
		int ret;

		v.args.spans = (uintptr_t)v.spans;
		v.args.deadline = zt_deadline(ZT_PATIENCE_MS);
		v.args.min = r % 4 ? 0 : (r >> 8) % me->e->info.out_capacity;
		v.args.flags = (me->kind == POLLING ? ZPIPE_READ_F_NOWAIT : 0) |
			       (me->kind == MAPPED ? ZPIPE_READ_F_SHARED : 0);
		while ((ret = zt_ioctl(me->e->fd, ZPIPE_IOC_READ, &v.args)) == -EAGAIN)
			poll_for(me->e->fd, POLLIN);
		check("READ", ret);
		if (v.args.out_start != at)
			zt_die("the view begins at %llu, not %llu",
			       (unsigned long long)v.args.out_start, (unsigned long long)at);
		zt_check_view(me->e, &v);
		if (v.args.out_start == v.args.out_end) {
			if (v.args.out_flags & ZPIPE_RES_COMPLETED)
				break;
			zt_die("an empty view: flags %#x", v.args.out_flags);
		}
		to = v.args.out_end;
		if (r % 2 && !(v.args.out_flags & ZPIPE_RES_FULL))
			to = at + 1 + (r >> 16) % (to - at);
		give_back(me, to, r % 8 ? to : v.args.out_end);
		at = to;
	}
	if (at < me->bytes)
		zt_die("the stream ended at %llu", (unsigned long long)at);
	return NULL;
}

static void open_pipe(struct zt_pipe *p, const FIXTURE_VARIANT(stress) *variant)
{
	check("CREATE", zt_pipe_open(p, ZT_ARGS(variant->segment, variant->capacity,
						.flags = variant->flags,
						.pause = variant->pause,
						.resume = variant->pause == ZPIPE_DEFAULT ?
							  ZPIPE_DEFAULT : variant->pause / 2)));
}

TEST_F_TIMEOUT(stress, two_threads_move_every_byte, 120)
{
	struct zt_pipe p;
	struct side w, r;

	open_pipe(&p, variant);
	w = (struct side){ .e = &p.w, .kind = variant->writer, .bytes = self->bytes,
			   .seed = zt_random(&self->seed) };
	r = (struct side){ .e = &p.r, .kind = variant->reader, .bytes = self->bytes,
			   .seed = zt_random(&self->seed) };
	zt_spawn(&w.thread, write_side, &w);
	read_side(&r);
	zt_join(w.thread);
	EXPECT_LE(self->bytes, zt_stat(&p.r).out_consumed);
	zt_pipe_close(&p);
}

TEST_F_TIMEOUT(stress, two_processes_move_every_byte, 120)
{
	struct zt_pipe p;
	struct side w, r;
	pid_t child;

	open_pipe(&p, variant);
	child = fork();
	if (!child) {
		zt_end_close(&p.r);
		w = (struct side){ .e = &p.w, .kind = variant->writer, .bytes = self->bytes,
				   .seed = zt_random(&self->seed) };
		write_side(&w);
		_exit(0);
	}
	zt_end_close(&p.w);
	r = (struct side){ .e = &p.r, .kind = variant->reader, .bytes = self->bytes,
			   .seed = self->seed };
	read_side(&r);
	EXPECT_EQ(0, zt_wait_child(child));
	zt_pipe_close(&p);
}

#define NR_PIPES	6

TEST_F_TIMEOUT(stress, many_pipes_at_once_do_not_mix, 120)
{
	struct zt_pipe p[NR_PIPES];
	struct side w[NR_PIPES], r[NR_PIPES];
	int k;

	for (k = 0; k < NR_PIPES; k++) {
		open_pipe(&p[k], variant);
		w[k] = (struct side){ .e = &p[k].w, .kind = variant->writer,
				      .bytes = self->bytes / 16, .seed = zt_random(&self->seed) };
		r[k] = (struct side){ .e = &p[k].r, .kind = variant->reader,
				      .bytes = self->bytes / 16, .seed = zt_random(&self->seed) };
		zt_spawn(&w[k].thread, write_side, &w[k]);
		zt_spawn(&r[k].thread, read_side, &r[k]);
	}
	for (k = 0; k < NR_PIPES; k++) {
		zt_join(w[k].thread);
		zt_join(r[k].thread);
		zt_pipe_close(&p[k]);
	}
}

TEST_HARNESS_MAIN
