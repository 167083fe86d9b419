// SPDX-License-Identifier: MIT
/*
 * vm_writer - grants, flushes and what is not flushed, against the module
 */
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

static void allocs(void)
{
	struct ends e = ends_open(tiny);

	EXPECT_EQ(zp_alloc(e.w, 16385, &room), -EMSGSIZE);
	ASSERT_EQ(zp_alloc(e.w, 0, &room), 0);
	EXPECT(room.len > 0);
	ASSERT_EQ(put(e.w, 16384), 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ENOBUFS);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	EXPECT_EQ(zp_alloc_flags(e.w, 1, 0, zp_deadline(20 * MS), &room), -ETIMEDOUT);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 4095), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 1), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), 0);
	EXPECT_EQ(room.len, 4096);
	ends_close(&e);
}

static void whole_window(void)
{
	struct ends e = ends_open(tiny);
	int i;

	/* from a different offset each time, over the end of the window */
	for (i = 0; i < 8; i++) {
		size_t k;

		ASSERT_EQ(zp_alloc(e.w, 16384, &room), 0);
		for (k = 0; k < 16384; k++)
			((unsigned char *)room.data)[k] = byte_at(zp_position(e.w) + k);
		ASSERT_EQ(zp_commit(e.w, 16384 - 4096), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(view.nr_spans, 1);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume_all(e.r), 0);
	}
	ends_close(&e);
}

static void pending(void)
{
	struct ends e = ends_open(tiny);
	unsigned char mark[2000];
	size_t i;

	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT_EQ(view.nr_spans, 0);
	send(&e, 10);
	ASSERT_EQ(put(e.w, 9000), 0);
	EXPECT_EQ(zp_unflushed(e.w), 9000);
	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT_EQ(view.start, 10);
	EXPECT_EQ(view.end, 9010);
	EXPECT(view_good(&view));
	memset(mark, 0xee, sizeof(mark));
	EXPECT_EQ(zp_patch(e.w, 3000, mark, sizeof(mark)), 0);
	EXPECT(!view_good(&view));
	for (i = 0; i < sizeof(mark); i++)
		mark[i] = byte_at(3000 + i);
	EXPECT_EQ(zp_patch(e.w, 3000, mark, sizeof(mark)), 0);
	EXPECT_EQ(zp_patch(e.w, 9, mark, 1), -EINVAL);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 9010);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void rollback(void)
{
	struct ends e = ends_open(tiny);
	unsigned int seed = 5;
	int i;

	for (i = 0; i < 3000; i++) {
		uint64_t position;

		while (put(e.w, 1 + (size_t)rand_r(&seed) % 3000) == 0 && rand_r(&seed) % 3)
			;
		position = zp_position(e.w) - (unsigned int)rand_r(&seed) % (zp_unflushed(e.w) + 1);
		ASSERT_EQ(zp_rollback(e.w, position), 0);
		EXPECT_EQ(zp_position(e.w), position);
		if (rand_r(&seed) % 2)
			put(e.w, (size_t)rand_r(&seed) % 500);
		ASSERT_EQ(zp_pending(e.w, &view), 0);
		ASSERT(view_good(&view));
		ASSERT_EQ(zp_flush(e.w), 0);
		if (zp_try_read(e.r, &view))
			continue;
		ASSERT(view_good(&view));
		ASSERT_EQ(zp_advance(e.r, view.start + zp_view_len(&view) / 2, view.end), 0);
	}
	EXPECT_EQ(zp_rollback(e.w, zp_position(e.w) + 1), -EINVAL);
	EXPECT_EQ(stat_of(e.wfd).rejects, 0);
	ends_close(&e);
}

static void writes(void)
{
	struct ends e = ends_open(tiny);
	unsigned char buf[16385];
	size_t i, done = 0;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = byte_at(i);
	EXPECT_EQ(zp_write(e.w, buf, sizeof(buf)), -EMSGSIZE);
	EXPECT_EQ(zp_write(e.w, buf, 100), 0);
	EXPECT_EQ(zp_write(e.w, buf, 16384), -ENOBUFS);
	EXPECT_EQ(zp_position(e.w), 100);
	EXPECT_EQ(zp_write(e.w, buf + 100, 8900), 0);
	EXPECT_EQ(zp_write_flush(e.w, buf + 9000, 100, &done), 0);
	EXPECT_EQ(done, 100);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 9100);
	EXPECT(view_good(&view));
	ends_close(&e);
}

static void publishes(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	ASSERT_EQ(put(e.w, 10), 0);
	zp_publish(e.w);
	EXPECT_EQ(stat_of(e.wfd).flushes, 0);
	ASSERT_EQ(zp_try_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_NOWAKE, 0), 0);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_NOWAKE | ZP_FLUSH_PUSH, 0), -EINVAL);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_WAIT_CONSUMED, 0), -EINVAL);
	EXPECT_EQ(zp_flush_flags(e.w, 1U << 20, 0), -EOPNOTSUPP);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_WAIT_EXAMINED, zp_deadline(10 * MS)), -ETIMEDOUT);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_examine_all(e.r), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_WAIT_EXAMINED, 0), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_WAIT_CONSUMED, zp_deadline(10 * MS)), -ETIMEDOUT);
	ends_close(&e);
}

static void pauses(void)
{
	struct zp_create_opts opts = { .pause = 100, .resume = 50 };
	struct ends e = ends_open(opts);

	send(&e, 99);
	EXPECT_EQ(stat_of(e.wfd).flushes, 0);
	ASSERT_EQ(put(e.w, 1), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	EXPECT_EQ(zp_flush_flags(e.w, 0, zp_deadline(10 * MS)), -ETIMEDOUT);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	EXPECT_EQ(poll_now(e.wfd, POLLOUT), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 50), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 1), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	EXPECT_EQ(poll_now(e.wfd, POLLOUT), POLLOUT);
	EXPECT_EQ(stat_of(e.wfd).pauses, 1);
	ends_close(&e);
}

static void thresholds(void)
{
	struct ends e = ends_open(plain);
	struct zp_info info = { .sz = sizeof(info) };

	EXPECT_EQ(zp_set_thresholds(e.rfd, 100, 10), 0);
	ASSERT_EQ(zp_query(e.wfd, &info), 0);
	EXPECT_EQ(info.pause, 100);
	EXPECT_EQ(info.resume, 10);
	EXPECT_EQ(zp_set_thresholds(e.wfd, 5, 0), -EINVAL);
	ASSERT_EQ(put(e.w, 200), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	EXPECT_EQ(zp_set_thresholds(e.wfd, ZP_NEVER, 0), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "alloc.errors_and_waiting", allocs },
	{ "alloc.whole_window_is_contiguous", whole_window },
	{ "pending.and_patch", pending },
	{ "rollback.anywhere_in_the_unflushed", rollback },
	{ "write.copies_all_or_nothing", writes },
	{ "publish.and_flush_flags", publishes },
	{ "flush.pauses_with_hysteresis", pauses },
	{ "thresholds.change_at_run_time", thresholds },
};

VM_MAIN(tests)
