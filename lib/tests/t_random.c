// SPDX-License-Identifier: MIT
/*
 * t_random - both ends against a plain array, long and at random
 *
 * One thread, nothing blocks. The writer appends, patches and takes back; the
 * reader reads, keeps and gives back; after every read the view is held
 * against an array of what was written. Segments are handed out in four ways.
 * A failure prints the seed: run the program with it as argument to repeat.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../internal.h"
#include "ends.h"
#include "tap.h"

#define STREAM	(256U * 1024)
#define ROUNDS	12

static unsigned char model[STREAM + 65536];
static uint32_t only_seed;

static uint32_t some(uint32_t n)
{
	return fake_random() % (n + 1);
}

static bool good(const struct zp_view *view)
{
	uint64_t at = view->start;
	uint32_t i;
	size_t len;

	for (i = 0; i < view->nr_spans; i++) {
		const void *p = zp_view_span(view, i, &len);

		if (!len || memcmp(p, model + at, len))
			return false;
		at += len;
	}
	return at == view->end;
}

static void fill(uint64_t at, size_t n)
{
	while (n--)
		model[at++] = (unsigned char)fake_random();
}

/* One step of the writer; false if something is wrong. */
static bool write_step(struct ends *e, uint32_t window)
{
	uint64_t position = zp_position(e->w), published = *fake_published();
	struct zp_span room;
	struct zp_view view = { .start = 0 };
	size_t n;
	int ret;

	switch (some(9)) {
	case 0: /* rollback */
		position = published + some((uint32_t)(position - published));
		return EXPECT_EQ(zp_rollback(e->w, position), 0) &&
		       EXPECT_EQ(zp_position(e->w), position);
	case 1: /* patch */
		n = some((uint32_t)(position - published));
		position -= n;
		n = some((uint32_t)n);
		fill(position, n);
		return EXPECT_EQ(zp_patch(e->w, position, model + position, n), 0);
	case 2:
		return EXPECT_EQ(zp_pending(e->w, &view), 0) && EXPECT(good(&view)) &&
		       EXPECT_EQ(view.start, published) && EXPECT_EQ(view.end, position);
	case 3: /* copying write: all or nothing */
		n = some(fake_random() % 4 ? 200 : window);
		if (position + n > STREAM)
			return true;
		fill(position, n);
		/* the fake has no O_NONBLOCK: do not let it sleep */
		if (n > e->w->limit - position)
			return true;
		ret = zp_write(e->w, model + position, n);
		return EXPECT_EQ(ret, 0);
	case 4:
		zp_publish(e->w);
		return true;
	case 5:
	case 6:
		ret = zp_flush_flags(e->w, ZP_NOWAIT, 0);
		return EXPECT(ret == 0 || ret == -EAGAIN);
	default:
		n = 1 + some(fake_random() % 8 ? 300 : window - 1);
		if (position + n > STREAM)
			return true;
		ret = zp_try_alloc(e->w, n, &room);
		if (ret == -EAGAIN || ret == -ENOBUFS)
			return true;
		if (!EXPECT_EQ(ret, 0) || !EXPECT(room.len >= n))
			return false;
		/* scribble all over the grant, commit some of it */
		memset(room.data, 0x5a, room.len);
		n = fake_random() % 4 ? n : some((uint32_t)n);
		fill(position, n);
		memcpy(room.data, model + position, n);
		return EXPECT_EQ(zp_commit(e->w, n), 0);
	}
}

static bool read_step(struct ends *e)
{
	uint64_t consumed = zp_consumed(e->r), published = *fake_published(), c, x;
	struct zp_view view = { .start = 0 };
	uint64_t min = fake_random() % 4 ? 1 : some(3000);
	int ret = zp_read_flags(e->r, min, ZP_NOWAIT, 0, &view);

	if (ret == -EAGAIN)
		return EXPECT(*fake_examined() == published || published - consumed < min);
	if (!EXPECT_EQ(ret, 0) || !EXPECT_EQ(view.start, consumed) ||
	    !EXPECT(view.end <= published) || !EXPECT(good(&view)))
		return false;
	if (!EXPECT(zp_view_len(&view) >= min || view.flags))
		return false;
	c = view.start + some((uint32_t)zp_view_len(&view));
	if (fake_random() % 3 == 0)
		c = view.end;
	x = c + some((uint32_t)(view.end - c));
	if (fake_random() % 2)
		x = view.end;
	/* whatever the writer does while a view is out, the view stays */
	if (fake_random() % 4 == 0) {
		while (fake_random() % 4)
			write_step(e, 4096);
		if (!EXPECT(good(&view)))
			return false;
	}
	return EXPECT_EQ(zp_advance(e->r, c, x), 0) && EXPECT_EQ(*fake_consumed(), c);
}

static bool drain(struct ends *e)
{
	struct zp_view view = { .start = 0 };
	uint64_t end = zp_position(e->w);

	if (!EXPECT_EQ(zp_writer_complete(e->w, 0, 0), 0))
		return false;
	for (;;) {
		if (!EXPECT_EQ(zp_read(e->r, &view), 0) || !EXPECT(good(&view)))
			return false;
		if (view.start == end)
			return EXPECT_EQ(view.flags, ZP_COMPLETED);
		if (!EXPECT_EQ(zp_consume(e->r, 1 + some((uint32_t)zp_view_len(&view) - 1)), 0))
			return false;
	}
}

static void run(enum fake_policy policy)
{
	static const struct { uint32_t segments, pause; } shapes[] = {
		{ 1, 0 }, { 2, 0 }, { 4, 0 }, { 16, 0 }, { 4, 6000 }, { 2, 1 }, { 8, 20000 },
	};
	uint32_t i;

	for (i = 0; i < ROUNDS * 7; i++) {
		struct fake_opts opts = {
			.policy = policy,
			.nr_segments = shapes[i % 7].segments,
			/* as few as a full pipe needs: entries are reused at once */
			.table_entries = ZP_MAX(shapes[i % 7].segments, 2),
			.pause = shapes[i % 7].pause,
			.resume = shapes[i % 7].pause / 2,
		};
		uint32_t seed = only_seed ? only_seed : i * 7919 + 1;
		struct ends e;
		uint32_t steps;
		bool fine = true;

		fake_seed(seed);
		e = ends_open(opts);
		for (steps = 0; fine && steps < 30000 && zp_position(e.w) < STREAM - 300; steps++)
			fine = some(1) ? write_step(&e, opts.nr_segments * 4096) : read_step(&e);
		fine = fine && drain(&e);
		if (!fine)
			printf("# seed %u, policy %d, %u segments\n", seed, policy,
			       opts.nr_segments);
		ends_close(&e);
		if (!fine || only_seed)
			return;
	}
}

static void ring(void)
{
	run(FAKE_RING);
}

static void lifo(void)
{
	run(FAKE_LIFO);
}

static void any(void)
{
	run(FAKE_RANDOM);
}

static void scatter(void)
{
	run(FAKE_SCATTER);
}

static const struct tap_test tests[] = {
	{ "random.segments_in_ring_order", ring },
	{ "random.segments_freed_last_first", lifo },
	{ "random.segments_at_random", any },
	{ "random.segments_never_adjacent", scatter },
};

int main(int argc, char **argv)
{
	if (argc > 1)
		only_seed = (uint32_t)strtoul(argv[1], NULL, 0);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
