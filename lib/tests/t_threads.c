// SPDX-License-Identifier: MIT
/*
 * t_threads - a writer thread and a reader thread, blocking for real
 *
 * Small pipes, small pauses, so that both sides sleep and wake all the time.
 * Under ThreadSanitizer (with fake_mmap.c) this is the test of the ordering
 * contract: bytes are plain memory, the words must order them. Lost wake-ups
 * show as the alarm.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ends.h"
#include "tap.h"

#define TOTAL	(2U * 1024 * 1024)

struct plan {
	uint32_t message;	/* longest message of the writer */
	uint64_t min;		/* read_min, or 0 */
	bool keep;		/* the reader keeps half of what it sees */
	bool copying;		/* zp_write_flush() instead of alloc and commit */
	int spin;
};

static struct ends ends;
static const struct plan *plan;
static unsigned int seed;

static void *write_all(void *failed)
{
	static unsigned char buf[65536];
	unsigned int state = seed;

	while (zp_position(ends.w) < TOTAL) {
		size_t n = 1 + (size_t)rand_r(&state) % plan->message, i;
		struct zp_span room;
		int ret;

		if (n > TOTAL - zp_position(ends.w))
			n = TOTAL - zp_position(ends.w);
		if (plan->copying) {
			for (i = 0; i < n; i++)
				buf[i] = byte_at(zp_position(ends.w) + i);
			if (zp_write_flush(ends.w, buf, n, NULL))
				*(int *)failed = __LINE__;
			continue;
		}
		ret = zp_alloc(ends.w, n, &room);
		if (ret == -ENOBUFS) {
			/* what was not flushed is in the way */
			ret = zp_flush(ends.w);
			if (!ret)
				ret = zp_alloc(ends.w, n, &room);
		}
		if (ret) {
			*(int *)failed = __LINE__;
			break;
		}
		for (i = 0; i < n; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(ends.w) + i);
		if (zp_commit(ends.w, n) || (rand_r(&state) % 4 && zp_flush(ends.w)))
			*(int *)failed = __LINE__;
	}
	if (zp_writer_complete(ends.w, 0, 0))
		*(int *)failed = __LINE__;
	return NULL;
}

static void *read_all(void *failed)
{
	unsigned int state = seed + 1;
	struct zp_view view = { .start = 0 };

	for (;;) {
		uint64_t len, n;
		int ret = zp_read_min(ends.r, plan->min, &view);

		if (ret || !view_good(&view)) {
			printf("# read: %d, %llu to %llu\n", ret, (unsigned long long)view.start,
			       (unsigned long long)view.end);
			*(int *)failed = __LINE__;
			zp_reader_complete(ends.r, EIO);
			return NULL;
		}
		len = zp_view_len(&view);
		if (view.flags & ZP_COMPLETED && !len)
			break;
		n = len;
		/* FULL means that something has to be given back */
		if (plan->keep && len > 1 && !view.flags)
			n = (uint64_t)rand_r(&state) % len;
		if (zp_advance(ends.r, view.start + n, view.end))
			*(int *)failed = __LINE__;
	}
	if (zp_consumed(ends.r) != TOTAL)
		*(int *)failed = __LINE__;
	return NULL;
}

static void run(const struct plan *p, struct fake_opts opts)
{
	int failed[2] = { 0, 0 };
	pthread_t threads[2];

	plan = p;
	for (seed = 1; seed < 4; seed++) {
		fake_seed(seed);
		ends = ends_open(opts);
		zp_writer_set_spin(ends.w, (unsigned int)p->spin);
		zp_reader_set_spin(ends.r, (unsigned int)p->spin);
		alarm(120);
		pthread_create(&threads[0], NULL, write_all, &failed[0]);
		pthread_create(&threads[1], NULL, read_all, &failed[1]);
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		alarm(0);
		EXPECT_EQ(failed[0], 0);
		EXPECT_EQ(failed[1], 0);
		ends_close(&ends);
	}
}

static void small(void)
{
	run(&(struct plan){ .message = 200 }, (struct fake_opts){ .nr_segments = 2 });
}

static void spinning(void)
{
	run(&(struct plan){ .message = 200, .spin = 300 }, (struct fake_opts){ .nr_segments = 4 });
}

static void large(void)
{
	run(&(struct plan){ .message = 8000 },
	    (struct fake_opts){ .nr_segments = 8, .policy = FAKE_SCATTER });
}

static void paused(void)
{
	run(&(struct plan){ .message = 900 },
	    (struct fake_opts){ .nr_segments = 4, .pause = 1000, .resume = 500 });
}

static void minimum(void)
{
	run(&(struct plan){ .message = 300, .min = 5000 },
	    (struct fake_opts){ .nr_segments = 4, .policy = FAKE_RANDOM });
}

static void minimum_paused(void)
{
	run(&(struct plan){ .message = 300, .min = 3000 },
	    (struct fake_opts){ .nr_segments = 4, .pause = 1000, .resume = 1 });
}

static void keeping(void)
{
	run(&(struct plan){ .message = 300, .keep = true },
	    (struct fake_opts){ .nr_segments = 4, .policy = FAKE_LIFO });
}

static void copying(void)
{
	run(&(struct plan){ .message = 40000, .copying = true },
	    (struct fake_opts){ .nr_segments = 4, .pause = 8192, .resume = 4096 });
}

static const struct tap_test tests[] = {
	{ "threads.small_messages", small },
	{ "threads.spinning", spinning },
	{ "threads.long_messages_over_scattered_segments", large },
	{ "threads.paused_and_resumed", paused },
	{ "threads.with_a_minimum", minimum },
	{ "threads.with_a_minimum_above_the_pause", minimum_paused },
	{ "threads.reader_keeps_bytes", keeping },
	{ "threads.copying_more_than_fits", copying },
};

TAP_MAIN(tests)
