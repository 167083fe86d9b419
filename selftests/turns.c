// SPDX-License-Identifier: GPL-2.0-only
/*
 * turns - no wake-up is lost, whoever waits in whatever way
 *
 * A mapped writer and a mapped reader fill and empty a pipe of one segment, so that one of them
 * waits all the time. Between storing a cursor and looking at the peer's wake word, and between
 * trying in vain and going to sleep, each waits for a random while, where a wake-up gets lost if it
 * can. For every wait one of six ways is drawn by lot: a call that blocks, one with a deadline that
 * passes again and again, poll, epoll edge-triggered and oneshot, an io_uring command. Nobody may
 * wait for longer than ZT_PATIENCE_MS.
 *
 * ZPIPE_TURNS: how many waits (4,000); ZPIPE_SEED repeats a run's lots.
 */
#include <poll.h>
#include <sys/epoll.h>

#include <kselftest_harness.h>

#include "zpipe_uring.h"

enum way { BLOCK, DEADLINE, POLL, EDGE, ONESHOT, URING, WAYS };

static const char * const way_name[] = { "block", "deadline", "poll", "edge", "oneshot", "uring" };

/* One end, in its own thread. */
struct side {
	struct zt_end *e;
	__u64 seed;
	bool writes;
	__u64 position;			/* of the writer: published; of the reader: consumed */
	__u64 waits[WAYS];
	__u64 lost;
	int edge;
	int oneshot;
	struct io_uring ring;
	pthread_t thread;
};

FIXTURE(turns)
{
	struct zt_pipe p;
	struct side w;
	struct side r;
};

static __u64 turns;
static __u64 done;		/* by both sides */
static __u64 stopped;		/* the writer has completed, or somebody is lost */

static void open_side(struct side *s, struct zt_end *e, bool writes, __u64 seed)
{
	struct epoll_event ev = { .events = EPOLLET | (writes ? EPOLLOUT : EPOLLIN) };

	*s = (struct side){ .e = e, .writes = writes, .seed = seed };
	s->edge = epoll_create1(EPOLL_CLOEXEC);
	s->oneshot = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(s->edge, EPOLL_CTL_ADD, e->fd, &ev))
		zt_die("EPOLL_CTL_ADD");
	ev.events = EPOLLONESHOT;
	if (epoll_ctl(s->oneshot, EPOLL_CTL_ADD, e->fd, &ev))
		zt_die("EPOLL_CTL_ADD");
}

static void close_side(struct side *s)
{
	close(s->edge);
	close(s->oneshot);
}

FIXTURE_SETUP(turns)
{
	const char *how_many = getenv("ZPIPE_TURNS");
	__u64 seed = zt_seed();

	turns = how_many ? strtoull(how_many, NULL, 0) : 4000;
	done = 0;
	stopped = 0;
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, ZT_PAGE)));
	open_side(&self->w, &self->p.w, true, zt_random(&seed));
	open_side(&self->r, &self->p.r, false, zt_random(&seed));
}

FIXTURE_TEARDOWN(turns)
{
	close_side(&self->w);
	close_side(&self->r);
	zt_pipe_close(&self->p);
}

/* Mostly nothing, sometimes as long as a system call takes, rarely a time slice. */
static void dawdle(struct side *s)
{
	__u64 lot = zt_random(&s->seed), i;

	if (lot % 4096 == 0)
		sched_yield();
	for (i = (lot >> 32) % (1ULL << ((lot >> 12) % 12)); i; i--)
		__asm__ volatile("");
}

static bool is_over(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_SEQ_CST);
}

/* ALLOC of a whole segment, or READ of anything: 0, or a negative errno. */
static int attempt(struct side *s, bool nowait, __u64 deadline)
{
	if (s->writes) {
		struct zpipe_alloc_args grant = { .position = s->position, .min = ZT_PAGE,
						  .deadline = deadline };

		grant.flags = nowait ? ZPIPE_ALLOC_F_NOWAIT : 0;
		return zt_ioctl(s->e->fd, ZPIPE_IOC_ALLOC, &grant);
	}
	struct zpipe_read_args read = { .flags = ZPIPE_READ_F_SHARED, .deadline = deadline };

	if (nowait)
		read.flags |= ZPIPE_READ_F_NOWAIT;
	return zt_ioctl(s->e->fd, ZPIPE_IOC_READ, &read);
}

static int attempt_by_ring(struct side *s)
{
	struct zpipe_alloc_args grant = { .position = s->position, .min = ZT_PAGE };
	struct zpipe_read_args read = { .flags = ZPIPE_READ_F_SHARED };

	grant.deadline = zt_deadline(ZT_PATIENCE_MS);
	read.deadline = grant.deadline;
	if (s->writes)
		return zu_call(&s->ring, s->e->fd, ZPIPE_IOC_ALLOC, &grant);
	return zu_call(&s->ring, s->e->fd, ZPIPE_IOC_READ, &read);
}

/* 0 when there is an event. */
static int await_event(struct side *s, enum way way)
{
	short events = s->writes ? POLLOUT : POLLIN;
	struct epoll_event ev = { .events = events | EPOLLONESHOT };
	struct pollfd fd = { .fd = s->e->fd, .events = events };
	int n;

	switch (way) {
	case POLL:
		n = poll(&fd, 1, ZT_PATIENCE_MS);
		break;
	case EDGE:
		n = epoll_wait(s->edge, &ev, 1, ZT_PATIENCE_MS);
		break;
	default:
		if (epoll_ctl(s->oneshot, EPOLL_CTL_MOD, s->e->fd, &ev))
			zt_die("EPOLL_CTL_MOD");
		dawdle(s);
		n = epoll_wait(s->oneshot, &ev, 1, ZT_PATIENCE_MS);
		break;
	}
	return n == 1 ? 0 : -ETIMEDOUT;
}

/* Try, and wait in some way until it works. */
static int get(struct side *s)
{
	enum way way = zt_random(&s->seed) % WAYS;
	__u64 end = zt_deadline(ZT_PATIENCE_MS);
	int ret;

	if (way == BLOCK) {
		ret = attempt(s, false, end);
	} else if (way == URING) {
		ret = attempt_by_ring(s);
	} else if (way == DEADLINE) {
		do {
			ret = attempt(s, false, zt_now() + zt_random(&s->seed) % 100000);
		} while (ret == -ETIMEDOUT && zt_now() < end);
	} else {
		while ((ret = attempt(s, true, 0)) == -EAGAIN) {
			dawdle(s);
			ret = await_event(s, way);
			if (ret)
				break;
		}
	}
	s->waits[way]++;
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	return ret;
}

static void lose(struct side *s, int ret)
{
	s->lost++;
	__atomic_store_n(&stopped, 1, __ATOMIC_SEQ_CST);
	printf("# the %s is stuck at %llu: %s\n", s->writes ? "writer" : "reader",
	       (unsigned long long)s->position, strerror(-ret));
}

static void *run_writer(void *arg)
{
	struct side *s = arg;
	struct zt_end *e = s->e;

	if (zu_open(&s->ring, 0))
		zt_die("io_uring_queue_init");
	while (!is_over() && __atomic_load_n(&done, __ATOMIC_SEQ_CST) < turns) {
		__u64 end = s->position + ZT_PAGE;
		int ret = get(s);

		if (ret) {
			lose(s, ret);
			break;
		}
		while (s->position < end) {
			__u64 length = 1 + zt_random(&s->seed) % (end - s->position);

			s->position += length;
			zt_store_published(e, s->position);
			dawdle(s);
			zt_mb();
			dawdle(s);
			if (s->position >= zt_reader_wake(e)) {
				struct zpipe_flush_args f = { .position = s->position };

				ret = zt_ioctl(e->fd, ZPIPE_IOC_FLUSH, &f);
				if (ret)
					zt_die("FLUSH: %s", strerror(-ret));
			}
			dawdle(s);
		}
	}
	zt_complete(e, 0, 0, 0);
	io_uring_queue_exit(&s->ring);
	return NULL;
}

static void *run_reader(void *arg)
{
	struct side *s = arg;
	struct zt_end *e = s->e;

	if (zu_open(&s->ring, 0))
		zt_die("io_uring_queue_init");
	for (;;) {
		__u64 published;
		int ret = zt_published(e) > s->position ? 0 : get(s);

		if (ret) {
			lose(s, ret);
			break;
		}
		published = zt_published(e);
		if (published == s->position)
			break;			/* what else does it return for */
		while (s->position < published) {
			struct zpipe_advance_args adv = { .consumed = ZPIPE_KEEP,
							  .examined = ZPIPE_KEEP,
							  .flags = ZPIPE_ADVANCE_F_SHARED };

			s->position += 1 + zt_random(&s->seed) % (published - s->position);
			zt_store_examined(e, s->position);
			zt_store_consumed(e, s->position);
			dawdle(s);
			zt_mb();
			dawdle(s);
			if (s->position < zt_wake_consumed(e) && s->position < zt_wake_examined(e))
				continue;
			ret = zt_ioctl(e->fd, ZPIPE_IOC_ADVANCE, &adv);
			if (ret)
				zt_die("ADVANCE: %s", strerror(-ret));
		}
	}
	zt_complete(e, 0, 0, 0);
	io_uring_queue_exit(&s->ring);
	return NULL;
}

TEST_F_TIMEOUT(turns, none_of_many_waits_is_lost, 100000)
{
	__u64 position;
	int way;

	zt_spawn(&self->w.thread, run_writer, &self->w);
	zt_spawn(&self->r.thread, run_reader, &self->r);
	pthread_join(self->w.thread, NULL);
	pthread_join(self->r.thread, NULL);
	position = self->w.position;
	TH_LOG("turns: %llu tried, %llu lost, %llu bytes", (unsigned long long)done,
	       (unsigned long long)(self->w.lost + self->r.lost), (unsigned long long)position);
	for (way = 0; way < WAYS; way++) {
		TH_LOG("%s: %llu by the writer, %llu by the reader", way_name[way],
		       (unsigned long long)self->w.waits[way],
		       (unsigned long long)self->r.waits[way]);
		EXPECT_LT(0, self->w.waits[way]);
		EXPECT_LT(0, self->r.waits[way]);
	}
	EXPECT_EQ(0, self->w.lost + self->r.lost);
	EXPECT_EQ(position, self->r.position);
	EXPECT_LE(turns, done);
}

TEST_HARNESS_MAIN
