// SPDX-License-Identifier: MIT
/*
 * vm_reader - views, advancing and cancelling, in one thread against the module
 *
 * What blocks is in vm_process.c and vm_stream.c.
 */
#include <sys/mman.h>

#include "vm.h"

static const struct zp_create_opts plain;
static struct zp_span room;
static struct zp_view view;

/* Four segments of a page. */
static const struct zp_create_opts tiny = {
	.segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER,
};

static void send(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT(zp_flush(e->w) >= 0);
}

static void quiet(void)
{
	struct ends e = ends_open(plain);
	struct zp_stat before, after;
	int i;

	send(&e, 64);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	before = stat_of(e.wfd);
	for (i = 0; i < 1000; i++) {
		send(&e, 60);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(zp_view_len(&view), 60);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume(e.r, 60), 0);
	}
	after = stat_of(e.wfd);
	EXPECT_EQ(after.allocs, before.allocs);
	EXPECT_EQ(after.flushes, before.flushes);
	EXPECT_EQ(after.reads, before.reads);
	EXPECT_EQ(after.advances, before.advances);
	EXPECT_EQ(after.rejects, 0);
	ends_close(&e);
}

static void round_and_round(void)
{
	static const struct zp_create_opts shapes[] = {
		{ .segment_size = 4096, .capacity = 4096, .pause = ZP_NEVER },
		{ .segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER },
		{ .segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER, .flags = ZP_CONTIG },
		{ .segment_size = 8192, .capacity = 131072 },
		{ .capacity = 0 },
	};
	unsigned int seed = 1;
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct ends e = ends_open(shapes[i]);
		unsigned int step;

		for (step = 0; step < 20000; step++) {
			size_t n = 1 + (size_t)rand_r(&seed) % 1500;
			int ret = zp_try_alloc(e.w, n, &room);
			size_t k;

			if (ret == 0) {
				for (k = 0; k < n; k++)
					((unsigned char *)room.data)[k] =
						byte_at(zp_position(e.w) + k);
				ASSERT_EQ(zp_commit(e.w, n), 0);
			} else if (!EXPECT(ret == -EAGAIN || ret == -ENOBUFS)) {
				return;
			}
			if (ret == -ENOBUFS || rand_r(&seed) % 4) {
				ret = zp_flush_flags(e.w, ZP_NOWAIT, 0);
				ASSERT(ret == 0 || ret == -EAGAIN);
			}
			ret = zp_try_read(e.r, &view);
			if (ret == -EAGAIN)
				continue;
			ASSERT_EQ(ret, 0);
			ASSERT(view_good(&view));
			if (shapes[i].flags & ZP_CONTIG)
				EXPECT_EQ(view.nr_spans, 1);
			k = (size_t)((uint64_t)rand_r(&seed) % (zp_view_len(&view) + 1));
			ASSERT_EQ(zp_advance(e.r, view.start + k, view.end), 0);
		}
		EXPECT_EQ(stat_of(e.rfd).rejects, 0);
		ends_close(&e);
	}
}

static void spans(void)
{
	struct ends e = ends_open(tiny);
	uint64_t end;

	send(&e, 3 * 4096 + 100);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT(view_good(&view));
	end = view.end;
	EXPECT_EQ(end, 3 * 4096 + 100);
	ASSERT_EQ(zp_consume(e.r, 5000), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 5000);
	EXPECT_EQ(view.end, end);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void reads(void)
{
	struct ends e = ends_open(tiny);

	EXPECT_EQ(zp_advance(e.r, 0, 0), -EPROTO);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	EXPECT_EQ(zp_read_flags(e.r, 1, 0, zp_deadline(10 * MS), &view), -ETIMEDOUT);
	EXPECT_EQ(zp_read_flags(e.r, 16385, ZP_NOWAIT, 0, &view), -EMSGSIZE);
	send(&e, 100);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_read(e.r, &view), -EBUSY);
	EXPECT_EQ(zp_advance(e.r, 101, 101), -EINVAL);
	EXPECT_EQ(zp_advance(e.r, 10, 9), -EINVAL);
	ASSERT_EQ(zp_advance(e.r, ZP_KEEP, 50), 0);
	ASSERT_EQ(zp_try_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 0);
	ASSERT_EQ(zp_advance(e.r, 20, 100), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	EXPECT_EQ(zp_consumed(e.r), 20);
	EXPECT_EQ(stat_of(e.rfd).examined, 100);
	EXPECT_EQ(stat_of(e.rfd).consumed, 20);
	send(&e, 1);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 20);
	EXPECT_EQ(view.end, 101);
	EXPECT(view_good(&view));
	/* examined back: clamped, not refused, and nobody is accused */
	ASSERT_EQ(zp_advance(e.r, 30, 30), 0);
	EXPECT_EQ(stat_of(e.rfd).examined, 100);
	ends_close(&e);
}

static void short_reads(void)
{
	struct ends e = ends_open(tiny);

	send(&e, 10);
	EXPECT_EQ(zp_read_flags(e.r, 20, ZP_NOWAIT, 0, &view), -EAGAIN);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_PUSH, 0), 0);
	ASSERT_EQ(zp_read_min(e.r, 20, &view), 0);
	EXPECT_EQ(view.flags, ZP_PUSHED);
	EXPECT_EQ(zp_view_len(&view), 10);
	ASSERT_EQ(zp_examine_all(e.r), 0);
	/* the writer waits for memory the reader holds */
	send(&e, 2 * 4096);
	EXPECT_EQ(zp_try_alloc(e.w, 3 * 4096, &room), -EAGAIN);
	ASSERT_EQ(zp_read_min(e.r, 16384, &view), 0);
	EXPECT_EQ(view.flags, ZP_FULL);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 3 * 4096, &room), 0);
	ends_close(&e);
}

static void cancels(void)
{
	struct ends e = ends_open(tiny);

	EXPECT_EQ(zp_cancel(e.rfd, 9), -EINVAL);
	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	EXPECT_EQ(poll_now(e.rfd, POLLIN), POLLIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(view.nr_spans, 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	send(&e, 10);
	EXPECT_EQ(zp_cancel(e.wfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(zp_view_len(&view), 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);

	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_FLUSH), 0);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_flush(e.w), ZP_CANCELED);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	send(&e, 16384 - 10 - 4096);
	while (zp_try_alloc(e.w, 1, &room) == 0)
		zp_commit(e.w, room.len);
	zp_flush(e.w);
	EXPECT_EQ(zp_cancel(e.wfd, ZP_CANCEL_FLUSH), 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ECANCELED);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ends_close(&e);
}

static void nonblocking(void)
{
	struct zp_create_opts opts = tiny;
	struct ends e;

	opts.flags = ZP_NONBLOCK;
	opts.pause = 12000;
	e = ends_open(opts);
	EXPECT_EQ(zp_read(e.r, &view), -EAGAIN);
	ASSERT_EQ(put(e.w, 12000), 0);
	EXPECT_EQ(zp_flush(e.w), -EAGAIN);
	ASSERT_EQ(put(e.w, 16384 - 12000), 0);
	EXPECT_EQ(zp_flush(e.w), -EAGAIN);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -EAGAIN);
	EXPECT_EQ(zp_write(e.w, "x", 1), -EAGAIN);
	ends_close(&e);
}

static void readers_may_not_write(void)
{
	struct ends e = ends_open(plain);
	size_t len;
	void *page;

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	page = (void *)((uintptr_t)zp_view_data(&view, &len) & ~(uintptr_t)4095);
	EXPECT_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), -1);
	EXPECT_EQ(errno, EACCES);
	ends_close(&e);
}

static void many_segments(void)
{
	struct zp_create_opts opts = {
		.segment_size = 4096, .capacity = 2048 * 4096, .pause = ZP_NEVER,
	};
	struct ends e = ends_open(opts);
	uint64_t total = 0;

	while (total < 3ULL * 2048 * 4096) {
		int ret = zp_try_alloc(e.w, 4000, &room);
		size_t i;

		if (ret == -EAGAIN) {
			ASSERT_EQ(zp_read(e.r, &view), 0);
			ASSERT(view_good(&view));
			ASSERT_EQ(zp_consume(e.r, zp_view_len(&view) / 3 + 1), 0);
			continue;
		}
		ASSERT_EQ(ret, 0);
		for (i = 0; i < 4000; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(e.w) + i);
		ASSERT_EQ(zp_commit(e.w, 4000), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		total += 4000;
	}
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "fast_path.makes_no_system_call", quiet },
	{ "stream.is_the_same_bytes_in_every_shape", round_and_round },
	{ "read.over_segments", spans },
	{ "read.and_advance", reads },
	{ "read_min.pushed_and_full_are_short", short_reads },
	{ "cancel.read_flush_and_alloc", cancels },
	{ "nonblock.every_call_eagain", nonblocking },
	{ "view.cannot_be_made_writable", readers_may_not_write },
	{ "stream.over_two_thousand_segments", many_segments },
};

VM_MAIN(tests)
