// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring_stream - streams whose waits are io_uring commands: every byte, and no wake-up lost
 */
#include <kselftest_harness.h>

#include "zpipe_uring.h"

#define SIZE	(4 * ZT_PAGE)

FIXTURE(uring_stream)
{
	struct zt_pipe p;
	struct io_uring ring;
	struct zt_view view;
};

FIXTURE_VARIANT(uring_stream)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring_stream, plain) { .flags = ZU_PLAIN };
FIXTURE_VARIANT_ADD(uring_stream, sqe128) { .flags = ZU_SQE128 };
FIXTURE_VARIANT_ADD(uring_stream, defer) { .flags = ZU_DEFER };
FIXTURE_VARIANT_ADD(uring_stream, sqpoll) { .flags = ZU_SQPOLL };

FIXTURE_SETUP(uring_stream)
{
	if (zu_open(&self->ring, variant->flags))
		SKIP(return, "no such io_uring");
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, SIZE)));
}

FIXTURE_TEARDOWN(uring_stream)
{
	zt_pipe_close(&self->p);
	io_uring_queue_exit(&self->ring);
}

/* Both ends, by commands only and without waiting for anything but the ring, for 20 s at most. */
TEST_F_TIMEOUT(uring_stream, stream_of_ten_thousand_messages, 900)
{
	const __u64 messages = zt_long() ? 100000 : 10000;
	struct zpipe_read_args read = { .min = 1, .nr_spans = ZT_SPANS,
					.spans = (uintptr_t)self->view.spans };
	struct zpipe_complete_args complete = { .error = 0 };
	struct zpipe_advance_args advance = { .consumed = 0 };
	struct zpipe_alloc_args alloc = { .min = 1 };
	struct zpipe_flush_args flush = { .position = 0 };
	__u64 state = zt_seed(), sent = 0, at = 0, length = 0, seen = 0;
	bool over = false;

	ASSERT_EQ(0, zt_set(&self->p.w, 2 * ZT_PAGE, ZT_PAGE));
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	alloc.min = length = 1 + zt_random(&state) % 3000;
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
	while (!over) {
		void *done;

		ASSERT_EQ(0, zu_any(&self->ring, &done));
		if (done == &alloc) {
			ASSERT_EQ(0, zt_fill_grant(&self->p.w, &alloc, length));
			at += length;
			flush.position = at;
			zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
		} else if (done == &flush && ++sent < messages) {
			alloc.position = at;
			alloc.min = length = 1 + zt_random(&state) % 3000;
			zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
		} else if (done == &flush) {
			zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_COMPLETE, &complete);
		} else if (done == &read) {
			self->view.args = read;
			zt_check_view(&self->p.r, &self->view);
			EXPECT_EQ(seen, read.out_start);
			seen = read.out_end;
			over = read.out_start == read.out_end &&
			       (read.out_flags & ZPIPE_RES_COMPLETED);
			advance.consumed = seen;
			advance.examined = seen;
			if (read.out_start < read.out_end)
				zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_ADVANCE, &advance);
			else if (!over)
				zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
		} else if (done == &advance) {
			zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
		}
	}
	EXPECT_EQ(messages, sent);
	EXPECT_EQ(at, seen);
	EXPECT_LT(0, zt_stat(&self->p.r).out_reader_waits);
}

/* Each is two trips to the task of such a ring. */
static __u64 messages_for(unsigned int flags)
{
	return (flags & ZU_SQPOLL ? 1000 : 5000) * (zt_long() ? 40 : 1);
}

struct mapped {
	struct zt_pipe *p;
	__u64 messages;
};

/* Publishes by stores, and calls only when the wake word says so. */
static void *write_mapped(void *arg)
{
	struct mapped *m = arg;
	struct zt_end *w = &m->p->w;
	__u64 i, at = 0;

	for (i = 0; i < m->messages; i++, at += 64) {
		struct zpipe_alloc_args grant = { .position = at, .min = 64 };
		struct zpipe_flush_args flush = { .position = at + 64 };

		if (zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, &grant) || zt_fill_grant(w, &grant, 64))
			zt_die("no grant");
		zt_store_published(w, at + 64);
		zt_mb();
		if (zt_reader_wake(w) <= at + 64 && zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, &flush))
			zt_die("cannot flush");
	}
	return NULL;
}

TEST_F_TIMEOUT(uring_stream, waiting_read_loses_no_wake_up, 120)
{
	struct mapped m = { .p = &self->p, .messages = messages_for(variant->flags) };
	struct zpipe_read_args read = { .min = 1, .nr_spans = ZT_SPANS,
					.spans = (uintptr_t)self->view.spans };
	bool started = false;
	pthread_t thread;

	do {
		zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
		if (!started) {
			zt_await_reader(&self->p.w);
			zt_spawn(&thread, write_mapped, &m);
			started = true;
		}
		ASSERT_EQ(0, zu_result(&self->ring, &read));
		self->view.args = read;
		zt_check_view(&self->p.r, &self->view);
		ASSERT_EQ(0, zt_advance(&self->p.r, read.out_end, read.out_end));
	} while (read.out_end < m.messages * 64);
	zt_join(thread);
	EXPECT_LT(0, zt_stat(&self->p.r).out_reader_waits);
}

/* Gives back by stores, and calls only when a wake word says so. */
static void *read_mapped(void *arg)
{
	struct mapped *m = arg;
	struct zt_end *r = &m->p->r;
	__u64 at = 0;

	while (at < m->messages * 64) {
		struct zpipe_read_args read = { .min = 1, .flags = ZPIPE_READ_F_SHARED };
		struct zpipe_advance_args advance = { .consumed = ZPIPE_KEEP,
						      .examined = ZPIPE_KEEP,
						      .flags = ZPIPE_ADVANCE_F_SHARED };

		if (zt_ioctl(r->fd, ZPIPE_IOC_READ, &read))
			zt_die("cannot read");
		at = read.out_end;
		zt_store_examined(r, at);
		zt_store_consumed(r, at);
		zt_mb();
		if ((zt_wake_examined(r) <= at || zt_wake_consumed(r) <= at) &&
		    zt_ioctl(r->fd, ZPIPE_IOC_ADVANCE, &advance))
			zt_die("cannot advance");
	}
	return NULL;
}

TEST_F_TIMEOUT(uring_stream, waiting_alloc_and_flush_lose_no_wake_up, 120)
{
	struct mapped m = { .p = &self->p, .messages = messages_for(variant->flags) };
	pthread_t thread;
	__u64 at;

	ASSERT_EQ(0, zt_set(&self->p.w, 256, 128));
	for (at = 0; at < m.messages * 64; at += 64) {
		struct zpipe_alloc_args alloc = { .position = at, .min = 64 };
		struct zpipe_flush_args flush = { .position = at + 64 };

		zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
		ASSERT_EQ(0, zu_result(&self->ring, &alloc));
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &alloc, 64));
		/* Every other time there is nothing but the word to end a pause. */
		if (at & 64)
			flush.flags = ZPIPE_FLUSH_F_NOWAKE;
		zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
		if (at == 256) {
			zt_await_paused(&self->p.r);
			zt_spawn(&thread, read_mapped, &m);
		}
		ASSERT_EQ(0, zu_result(&self->ring, &flush));
	}
	zu_prep(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH,
		&(struct zpipe_flush_args){ .position = at });
	zu_go(&self->ring);
	EXPECT_EQ(0, zu_any(&self->ring, NULL));
	zt_join(thread);
	EXPECT_LT(0, zt_stat(&self->p.w).out_writer_waits);
}

TEST_HARNESS_MAIN
