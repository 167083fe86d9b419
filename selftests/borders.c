// SPDX-License-Identifier: GPL-2.0-only
/*
 * borders - every small combination of place, size, split and advance around segment borders
 *
 * The pipe is brought to a place in a segment, `size` bytes are published in two pieces, the
 * reader gives back `advance` of them, then the rest; every view is compared byte by byte. The
 * message is written either as a stream (whatever grants come) or as one contiguous run.
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(borders)
{
	struct zt_pipe p;
	__u64 combinations;
};

FIXTURE_VARIANT(borders)
{
	__u32 segments;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(borders, two) { .segments = 2 };
FIXTURE_VARIANT_ADD(borders, three) { .segments = 3 };
FIXTURE_VARIANT_ADD(borders, four) { .segments = 4 };
FIXTURE_VARIANT_ADD(borders, two_contig) { .segments = 2, .flags = ZPIPE_F_CONTIG };
FIXTURE_VARIANT_ADD(borders, three_contig) { .segments = 3, .flags = ZPIPE_F_CONTIG };
FIXTURE_VARIANT_ADD(borders, four_contig) { .segments = 4, .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(borders)
{
	__u64 capacity = (__u64)variant->segments * ZT_PAGE;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, capacity, .flags = variant->flags)));
}

FIXTURE_TEARDOWN(borders)
{
	zt_pipe_close(&self->p);
}

/* Places near each border, up to @limit; ascending and without doubles. */
static size_t near_borders(__u64 limit, __u64 *places, size_t room)
{
	static const int around[] = { -1, 0, 1 };
	size_t n = 0, k;
	__u64 border;

	for (border = 0; border <= limit; border += ZT_PAGE) {
		for (k = 0; k < 3; k++) {
			__u64 place = border + around[k];

			if (place <= limit && n < room)
				places[n++] = place;
		}
	}
	return n;
}

/* A view from the pipe, compared; CONTIG promises one span. */
static void look(struct zt_pipe *p, __u64 start, __u64 end)
{
	struct zt_view view;
	int ret = zt_read(&p->r, 0, 0, &view);

	if (ret)
		zt_die("READ: %s", strerror(-ret));
	if (view.args.out_start != start || view.args.out_end != end)
		zt_die("view %llu to %llu, not %llu to %llu",
		       (unsigned long long)view.args.out_start,
		       (unsigned long long)view.args.out_end, (unsigned long long)start,
		       (unsigned long long)end);
	zt_check_view(&p->r, &view);
	if (p->r.info.out_flags & ZPIPE_F_CONTIG && view.args.out_nr_spans != 1)
		zt_die("a contiguous view of %u spans", view.args.out_nr_spans);
}

static void give_back(struct zt_pipe *p, __u64 consumed)
{
	int ret = zt_advance(&p->r, consumed, consumed);

	if (ret)
		zt_die("ADVANCE to %llu: %s", (unsigned long long)consumed, strerror(-ret));
}

/* Empties the pipe and moves its end to @place bytes into a segment of the stream. */
static __u64 bring_to(struct zt_pipe *p, __u64 place)
{
	__u64 at = zt_published(&p->w), len = (place + ZT_PAGE - at % ZT_PAGE) % ZT_PAGE;
	int ret = zt_put(&p->w, len);

	if (!ret && len)
		ret = zt_take(&p->r, len);
	if (ret)
		zt_die("cannot move to %llu: %s", (unsigned long long)place, strerror(-ret));
	return at + len;
}

static int publish_stream(struct zt_end *w, __u64 start, __u64 size, __u64 split)
{
	int ret = zt_put(w, split);

	return ret ? ret : zt_put(w, start + size - zt_published(w));
}

static int publish_run(struct zt_end *w, __u64 start, __u64 size, __u64 split)
{
	struct zpipe_alloc_args grant;
	int ret = zt_alloc(w, start, size, size, &grant);

	if (!ret)
		ret = zt_fill_grant(w, &grant, size);
	if (!ret)
		ret = zt_flush(w, start + split, 0, NULL);
	if (!ret)
		ret = zt_flush(w, start + size, 0, NULL);
	return ret;
}

typedef int publish_fn(struct zt_end *w, __u64 start, __u64 size, __u64 split);

/* Whether @size bytes must fit: what is left of a segment left early is lost until consumed. */
static bool must_fit(const struct zt_pipe *p, __u64 place, __u64 size, bool run)
{
	__u64 window = p->w.info.out_window, used = place % ZT_PAGE;

	if (p->w.info.out_flags & ZPIPE_F_CONTIG)
		return size <= window - used;
	return run ? size <= window - ZT_PAGE : size <= window - used;
}

static void one(struct zt_pipe *p, publish_fn *publish, __u64 place, __u64 size, __u64 split,
		__u64 advance)
{
	__u64 start = bring_to(p, place), end = start + size;
	int ret = publish(&p->w, start, size, split);

	if (ret) {
		__u64 done = zt_published(&p->w);

		if (ret != -EAGAIN || must_fit(p, place, size, publish == publish_run))
			zt_die("place %llu size %llu split %llu: %s", (unsigned long long)place,
			       (unsigned long long)size, (unsigned long long)split,
			       strerror(-ret));
		if (done > start) {
			look(p, start, done);
			give_back(p, done);
		}
		return;
	}
	look(p, start, end);
	give_back(p, start + advance);
	if (advance == size)
		return;
	look(p, start + advance, end);
	give_back(p, end);
}

static __u64 sweep(struct zt_pipe *p, publish_fn *publish)
{
	static const __u64 inside[] = { 0, 1, 2, 2048, 4094, 4095 };
	__u64 places[32], splits[32], n = 0;
	__u64 capacity = p->w.info.out_capacity;
	size_t nr_sizes = near_borders(capacity, places, 32);
	size_t a, b, c, d;

	for (a = 0; a < sizeof(inside) / sizeof(*inside); a++) {
		for (b = 0; b < nr_sizes; b++) {
			size_t nr = near_borders(places[b], splits, 32);

			if (!places[b])
				continue;
			for (c = 0; c < nr; c++)
				for (d = 0; d < nr; d++, n++)
					one(p, publish, inside[a], places[b], splits[c],
					    splits[d]);
		}
	}
	return n;
}

TEST_F_TIMEOUT(borders, stream_of_every_combination_is_byte_exact, 120)
{
	TH_LOG("%llu combinations", (unsigned long long)sweep(&self->p, publish_stream));
}

TEST_F_TIMEOUT(borders, contiguous_run_of_every_combination_is_byte_exact, 120)
{
	TH_LOG("%llu combinations", (unsigned long long)sweep(&self->p, publish_run));
}

/* Two messages are held while a third is written: the chain is never empty. */
TEST_F(borders, overlapping_messages_are_byte_exact)
{
	__u64 sizes[32], last = 0, held = 0;
	size_t nr = near_borders(self->p.w.info.out_capacity * 2 / 3, sizes, 32), a, b;

	for (a = 0; a < nr; a++) {
		for (b = 0; b < nr; b++) {
			__u64 size = sizes[(a + b) % nr];
			int ret = zt_put(&self->p.w, size);

			held = zt_published(&self->p.w) - last;
			if (ret) {
				ASSERT_EQ(-EAGAIN, ret);
			}
			if (!held)
				continue;
			look(&self->p, last, last + held);
			last += ret ? held : held / 2 + sizes[a] % (held - held / 2 + 1);
			give_back(&self->p, last);
		}
	}
	EXPECT_LT(ZT_PAGE, last);
}

/* Unpublished bytes are rolled back to every place near a border, then written again. */
TEST_F(borders, rollback_to_every_place_is_byte_exact)
{
	__u64 places[32], capacity = self->p.w.info.out_capacity, start;
	size_t nr = near_borders(capacity - ZT_PAGE, places, 32), a, b;
	struct zpipe_alloc_args grant;

	for (a = 1; a < nr; a++) {
		for (b = 0; b < nr && places[b] <= places[a]; b++) {
			__u64 at;

			start = bring_to(&self->p, a % 3);
			at = start;
			while (at < start + places[a]) {
				__u64 n;

				ASSERT_EQ(0, zt_alloc(&self->p.w, at, 1, start + places[a] - at,
						      &grant));
				n = start + places[a] - at;
				if (n > grant.out_length)
					n = grant.out_length;
				zt_fill(self->p.w.data + grant.out_offset, at, n);
				at += n;
			}
			at = start + places[b];
			ASSERT_EQ(0, zt_alloc(&self->p.w, at, 1, 10, &grant));
			ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 1));
			ASSERT_EQ(0, zt_flush(&self->p.w, at + 1, 0, NULL));
			look(&self->p, start, at + 1);
			give_back(&self->p, at + 1);
		}
	}
}

TEST_HARNESS_MAIN
