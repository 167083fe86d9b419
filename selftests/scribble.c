// SPDX-License-Identifier: GPL-2.0-only
/*
 * scribble - every writable shared byte is scribbled by racing threads while all verbs run
 *
 * Nothing is promised about the bytes then. The machine must stay well, every call must return
 * with an errno of the contract, a third party's pipe must not notice, and close must work.
 *
 * ZPIPE_STORES: how many stores at least (of each variant), instead of a time.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(scribble)
{
	struct zt_pipe p;
	struct zt_pipe bystander;
	atomic_bool stop;
	atomic_long calls;
	__u64 stores[2];	/* of the writer, of the reader; each counts its own */
	__u64 seed;
	__u64 until;
	__u64 wanted;
	int log;
};

FIXTURE_VARIANT(scribble)
{
	bool writer;
	bool reader;
	bool plausible;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(scribble, hostile_writer) { .writer = true };
FIXTURE_VARIANT_ADD(scribble, hostile_reader) { .reader = true };
FIXTURE_VARIANT_ADD(scribble, both_hostile) { .writer = true, .reader = true };
FIXTURE_VARIANT_ADD(scribble, plausible_writer) { .writer = true, .plausible = true };
FIXTURE_VARIANT_ADD(scribble, plausible_reader) { .reader = true, .plausible = true };
FIXTURE_VARIANT_ADD(scribble, plausible_both_contig) {
	.writer = true, .reader = true, .plausible = true, .flags = ZPIPE_F_CONTIG,
};

FIXTURE_SETUP(scribble)
{
	self->log = zt_log_mark();
	self->seed = zt_seed();
	ASSERT_EQ(0, zt_pipe_open(&self->bystander, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags |
						    ZPIPE_F_NONBLOCK, .pause = 5000)));
	self->until = zt_deadline(zt_long() ? 60000 : 1200);
	self->wanted = getenv("ZPIPE_STORES") ? strtoull(getenv("ZPIPE_STORES"), NULL, 0) : 0;
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(scribble)
{
	zt_pipe_close(&self->p);
	zt_pipe_close(&self->bystander);
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

/* A thread's share of the test. */
struct share {
	FIXTURE_DATA(scribble) *self;
	__u64 seed;
	bool plausible;
	pthread_t thread;
};

static bool known(int error)
{
	static const int contract[] = { 0, EINVAL, EAGAIN, EBUSY, EPROTO, EPIPE, ENOBUFS, EMSGSIZE,
					ETIMEDOUT, ESHUTDOWN, EINTR, ECANCELED };
	size_t k;

	for (k = 0; k < sizeof(contract) / sizeof(*contract); k++)
		if (-error == contract[k])
			return true;
	return false;
}

static void called(FIXTURE_DATA(scribble) *self, const char *what, int ret)
{
	atomic_fetch_add(&self->calls, 1);
	if (!known(ret))
		zt_die("%s: %s", what, strerror(-ret));
}

/* Any bytes, or a value near the true one, which survives more checks. */
static __u64 lie(struct share *me, __u64 truth)
{
	__u64 r = zt_random(&me->seed);

	if (me->plausible)
		return truth + (__s64)(r % (2 * CAPACITY)) - CAPACITY;
	return r >> (r & 63);
}

static void *scribble_writer(void *arg)
{
	struct share *me = arg;
	struct zt_end *w = &me->self->p.w;

	while (!atomic_load(&me->self->stop)) {
		int turn;

		/* As fast as a processor stores: back and forth between two values. */
		__u64 one = lie(me, zt_granted(w)), other = zt_published(w);

		for (turn = 0; turn < 50; turn++) {
			zt_store_published(w, one);
			zt_store_published(w, other);
		}
		zt_store_published(w, lie(me, zt_granted(w)));
		__atomic_store_n(&me->self->stores[0], me->self->stores[0] + 101, __ATOMIC_RELAXED);
		if (!me->plausible) {
			size_t at = zt_random(&me->seed) % w->info.out_writer.size;

			__atomic_store_n(w->writer + at, (unsigned char)me->seed,
					 __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void *scribble_reader(void *arg)
{
	struct share *me = arg;
	struct zt_end *r = &me->self->p.r;

	while (!atomic_load(&me->self->stop)) {
		__u64 one = lie(me, zt_published(r)), other = zt_consumed(r);
		int turn;

		for (turn = 0; turn < 50; turn++) {
			zt_store_examined(r, one);
			zt_store_consumed(r, one);
			zt_store_examined(r, other);
			zt_store_consumed(r, other);
		}
		zt_store_examined(r, lie(me, zt_published(r)));
		zt_store_consumed(r, lie(me, zt_published(r)));
		__atomic_store_n(&me->self->stores[1], me->self->stores[1] + 202, __ATOMIC_RELAXED);
		if (!me->plausible) {
			size_t at = zt_random(&me->seed) % r->info.out_reader.size;

			__atomic_store_n(r->reader + at, (unsigned char)me->seed,
					 __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void *call_writer(void *arg)
{
	struct share *me = arg;
	struct zt_end *w = &me->self->p.w;

	while (!atomic_load(&me->self->stop)) {
		__u64 at = zt_random(&me->seed) % 2 ? zt_granted(w) : zt_published(w);
		__u64 len = zt_random(&me->seed) % (2 * CAPACITY);
		struct zpipe_alloc_args grant;
		struct zpipe_flush_args f = { .position = at, .deadline = zt_deadline(1),
					      .flags = zt_random(&me->seed) % 32 };

		called(me->self, "ALLOC", zt_alloc(w, at, len, len, &grant));
		called(me->self, "FLUSH", zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, &f));
		if (write(w->fd, &grant, len % sizeof(grant)) < 0)
			called(me->self, "write", -errno);
		called(me->self, "CANCEL", zt_cancel(w, 1 + me->seed % 2));
	}
	return NULL;
}

static void *call_reader(void *arg)
{
	struct share *me = arg;
	struct zt_end *r = &me->self->p.r;
	char buffer[3000];

	while (!atomic_load(&me->self->stop)) {
		__u64 min = zt_random(&me->seed) % CAPACITY;
		__u32 shared = zt_random(&me->seed) % 2 ? ZPIPE_READ_F_SHARED : 0;
		struct zpipe_advance_args adv = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
						  .flags = ZPIPE_ADVANCE_F_SHARED };
		struct zt_view view;
		int ret = zt_read(r, min, shared, &view), waiting;

		called(me->self, "READ", ret);
		if (!ret && (view.args.out_start > view.args.out_end ||
			     view.args.out_end - view.args.out_start > r->info.out_window))
			zt_die("a view longer than the window");
		if (!ret)
			called(me->self, "ADVANCE", zt_advance(r, view.args.out_end,
							       view.args.out_end));
		called(me->self, "ADVANCE", zt_ioctl(r->fd, ZPIPE_IOC_ADVANCE, &adv));
		if (read(r->fd, buffer, zt_random(&me->seed) % sizeof(buffer)) < 0)
			called(me->self, "read", -errno);
		if (ioctl(r->fd, 0x541b, &waiting))
			called(me->self, "FIONREAD", -errno);
	}
	return NULL;
}

static void *look_around(void *arg)
{
	struct share *me = arg;
	struct zt_pipe *p = &me->self->p;

	while (!atomic_load(&me->self->stop)) {
		struct pollfd fds[] = { { .fd = p->w.fd, .events = POLLOUT },
					{ .fd = p->r.fd, .events = POLLIN } };
		struct zpipe_stat_args s = { .flags = 0 };
		struct zpipe_info_args i;

		poll(fds, 2, 1);
		zt_ioctl(p->w.fd, ZPIPE_IOC_STAT, &s);
		called(me->self, "INFO", zt_info(p->r.fd, &i));
		if (s.out_data_pages > p->w.info.out_window / ZT_PAGE)
			zt_die("%llu pages", (unsigned long long)s.out_data_pages);
		/* An ended pipe is boring: begin again when that is possible. */
		if (zt_random(&me->seed) % 64 == 0) {
			zt_complete(&p->w, 0, 0, 0);
			zt_complete(&p->r, 0, 0, 0);
			called(me->self, "RESET", zt_reset(&p->w, NULL));
		}
	}
	return NULL;
}

static __u64 stored(FIXTURE_DATA(scribble) *self)
{
	return __atomic_load_n(&self->stores[0], __ATOMIC_RELAXED) +
	       __atomic_load_n(&self->stores[1], __ATOMIC_RELAXED);
}

TEST_F_TIMEOUT(scribble, every_call_returns_and_nobody_else_notices, 100000)
{
	static void *(*const roles[])(void *) = { call_writer, call_reader, look_around,
						  scribble_writer, scribble_reader };
	struct share shares[5];
	__u64 moved = 0;
	size_t k;

	for (k = 0; k < 5; k++) {
		shares[k] = (struct share){ .self = self, .plausible = variant->plausible,
					    .seed = zt_random(&self->seed) };
		if ((k == 3 && !variant->writer) || (k == 4 && !variant->reader))
			continue;
		zt_spawn(&shares[k].thread, roles[k], &shares[k]);
	}
	while (self->wanted ? stored(self) < self->wanted : zt_now() < self->until) {
		ASSERT_EQ(0, zt_put(&self->bystander.w, 1000));
		ASSERT_EQ(0, zt_take(&self->bystander.r, 1000));
		moved += 1000;
	}
	atomic_store(&self->stop, true);
	for (k = 0; k < 5; k++)
		if (shares[k].thread)
			zt_join(shares[k].thread);
	TH_LOG("scribble: %llu stores against %ld calls, 0 lost; bystander moved %llu bytes",
	       (unsigned long long)stored(self), atomic_load(&self->calls),
	       (unsigned long long)moved);
	EXPECT_LT(0, atomic_load(&self->calls));
	EXPECT_LT(0, moved);
}

TEST_HARNESS_MAIN
