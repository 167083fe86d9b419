// SPDX-License-Identifier: MIT
/*
 * t_writer - the writer end over the fake kernel, one behaviour per test
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts plain;
static struct zp_span room;

static void alloc_never_empty(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_alloc(e.w, 0, &room), 0);
	EXPECT(room.len >= 1);
	EXPECT_EQ(zp_commit(e.w, room.len), 0);
	EXPECT_EQ(zp_alloc(e.w, 0, &room), 0);
	EXPECT(room.len >= 1);
	ends_close(&e);
}

static void alloc_repeats(void)
{
	struct ends e = ends_open(plain);
	struct zp_span again;

	ASSERT_EQ(zp_alloc(e.w, 10, &room), 0);
	ASSERT_EQ(zp_alloc(e.w, 10, &again), 0);
	EXPECT(room.data == again.data && room.len == again.len);
	EXPECT_EQ(fake_calls()->allocs, 1);
	memset(room.data, 1, room.len);
	EXPECT_EQ(zp_commit(e.w, 10), 0);
	ASSERT_EQ(zp_alloc(e.w, 10, &again), 0);
	EXPECT((char *)again.data == (char *)room.data + 10 && again.len == room.len - 10);
	EXPECT_EQ(fake_calls()->allocs, 1);
	ends_close(&e);
}

static void commit_bounds(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_commit(e.w, 0), 0);
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	ASSERT_EQ(zp_alloc(e.w, 10, &room), 0);
	EXPECT_EQ(zp_commit(e.w, room.len + 1), -EINVAL);
	EXPECT_EQ(zp_commit(e.w, SIZE_MAX), -EINVAL);
	EXPECT_EQ(zp_position(e.w), 0);
	EXPECT_EQ(zp_commit(e.w, room.len), 0);
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	EXPECT_EQ(zp_unflushed(e.w), room.len);
	ends_close(&e);
}

static void alloc_contiguous(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_alloc(e.w, 3 * 4096, &room), 0);
	EXPECT(room.len >= 3 * 4096);
	memset(room.data, 1, room.len);
	EXPECT_EQ(zp_position(e.w), 100);
	ends_close(&e);
}

static void alloc_wraps(void)
{
	struct ends e = ends_open(plain);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 3 * 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	ASSERT_EQ(zp_alloc(e.w, 2 * 4096, &room), 0);
	memset(room.data, 7, 2 * 4096);
	ends_close(&e);
}

static void too_long(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_alloc(e.w, 4 * 4096 + 1, &room), -EMSGSIZE);
	EXPECT_EQ(zp_alloc(e.w, SIZE_MAX, &room), -EMSGSIZE);
	EXPECT_EQ(fake_calls()->allocs, 0);
	EXPECT_EQ(zp_alloc(e.w, 4 * 4096, &room), 0);
	ends_close(&e);
}

static void own_bytes(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 4 * 4096), 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ENOBUFS);
	EXPECT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ends_close(&e);
}

static void again_then_room(void)
{
	struct ends e = ends_open(plain);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 4 * 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ASSERT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 4096), 0);
	EXPECT_EQ(fake_calls()->advances, 1);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), 0);
	EXPECT_EQ(room.len, 4096);
	ends_close(&e);
}

static void failed_alloc_changes_nothing(void)
{
	struct ends e = ends_open(plain);
	struct zp_span again;

	ASSERT_EQ(zp_alloc(e.w, 1, &room), 0);
	fake_fail_next(EINTR);
	EXPECT_EQ(zp_alloc(e.w, room.len + 1, &again), -EINTR);
	EXPECT_EQ(zp_commit(e.w, room.len), 0);
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	EXPECT_EQ(fake_calls()->allocs, 2);
	ends_close(&e);
}

static void alloc_canceled(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 4 * 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_cancel(e.wfd, ZP_CANCEL_FLUSH), 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ECANCELED);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ends_close(&e);
}

static void grant_lies(void)
{
	static const uint64_t lies[][2] = {
		{ 4 * 4096, 4096 }, { UINT64_MAX, 4096 }, { 0, 0 }, { 0, 9 },
		{ 0, 4 * 4096 + 1 }, { 0, UINT64_MAX },
	};
	struct ends e = ends_open(plain);
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		fake_lie_alloc(lies[i][0], lies[i][1]);
		EXPECT_EQ(zp_alloc(e.w, 10, &room), -EPROTO);
		EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	}
	ends_close(&e);
}

static void unknown_flags(void)
{
	struct ends e = ends_open(plain);
	struct zp_view view = { .start = 0 };

	EXPECT_EQ(zp_alloc_flags(e.w, 1, 2, 0, &room), -EOPNOTSUPP);
	EXPECT_EQ(zp_read_flags(e.r, 1, 2, 0, &view), -EOPNOTSUPP);
	ends_close(&e);
}

static void flush_is_quiet(void)
{
	struct ends e = ends_open(plain);
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(put(e.w, 10), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		EXPECT_EQ(*fake_published(), zp_position(e.w));
		EXPECT_EQ(zp_unflushed(e.w), 0);
	}
	EXPECT_EQ(fake_calls()->flushes, 0);
	EXPECT_EQ(fake_calls()->allocs, 1);
	ends_close(&e);
}

static void flush_wakes(void)
{
	struct ends e = ends_open(plain);

	*fake_reader_wake_at() = 20;
	ASSERT_EQ(put(e.w, 19), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(fake_calls()->flushes, 0);
	ASSERT_EQ(put(e.w, 1), 0);
	zp_publish(e.w);
	EXPECT_EQ(fake_calls()->flushes, 0);
	EXPECT_EQ(*fake_published(), 20);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(fake_calls()->flushes, 1);
	EXPECT_EQ(*fake_reader_wake_at(), UINT64_MAX);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(fake_calls()->flushes, 1);
	ends_close(&e);
}

static void pauses(void)
{
	struct fake_opts opts = { .pause = 100, .resume = 50 };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 99), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(fake_calls()->flushes, 0);
	ASSERT_EQ(put(e.w, 1), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	/* below pause, but not below resume: still paused */
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 40), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 11), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	EXPECT_EQ(fake_calls()->flushes, 3);
	/* and the fast path is back */
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(fake_calls()->flushes, 3);
	ends_close(&e);
}

static void pause_looks_first(void)
{
	struct fake_opts opts = { .pause = 100, .resume = 50 };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(put(e.w, 60), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume_all(e.r), 0);
	}
	EXPECT_EQ(fake_calls()->flushes, 0);
	ends_close(&e);
}

static void set_is_noticed(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 4000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_set_thresholds(e.rfd, 2000, 1), 0);
	ASSERT_EQ(put(e.w, 1000), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), -EAGAIN);
	EXPECT_EQ(zp_set_thresholds(e.rfd, ZP_NEVER, 0), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	ends_close(&e);
}

static void lying_examined(void)
{
	struct fake_opts opts = { .pause = 100, .resume = 50 };
	struct ends e = ends_open(opts);

	*fake_examined() = 1ULL << 40;
	ASSERT_EQ(put(e.w, 99), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	*fake_examined() = UINT64_MAX;
	ASSERT_EQ(put(e.w, 4096), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	ends_close(&e);
}

static void flush_flags(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 5), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_PUSH, 0), 0);
	EXPECT_EQ(fake_calls()->flushes, 1);
	EXPECT_EQ(*fake_published(), 5);
	EXPECT_EQ(zp_cancel(e.wfd, ZP_CANCEL_FLUSH), 0);
	EXPECT_EQ(zp_flush(e.w), ZP_CANCELED);
	EXPECT_EQ(zp_flush(e.w), 0);
	ends_close(&e);
}

static void want_adapts(void)
{
	struct fake_opts opts = { .nr_segments = 64, .table_entries = 64 };
	struct ends e = ends_open(opts);
	struct zp_view view = { .start = 0 };
	uint64_t want = 0;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(zp_alloc(e.w, 1, &room), 0);
		EXPECT(fake_last_alloc()->want >= want);
		want = fake_last_alloc()->want;
		EXPECT_EQ(zp_commit(e.w, room.len), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		ASSERT_EQ(zp_consume_all(e.r), 0);
	}
	EXPECT_EQ(want, 64 * 4096 / 4);
	/* leaving grants nearly unused, by asking for more than is left of them */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(zp_alloc(e.w, 1, &room), 0);
		EXPECT_EQ(zp_commit(e.w, 1), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		ASSERT_EQ(zp_consume_all(e.r), 0);
		ASSERT_EQ(zp_alloc(e.w, room.len, &room), 0);
	}
	EXPECT_EQ(zp_commit(e.w, room.len), 0);
	ASSERT_EQ(zp_alloc(e.w, 1, &room), 0);
	EXPECT(fake_last_alloc()->want <= 2 * 4096);
	ends_close(&e);
}

static void completes(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_writer_complete(e.w, -1, 0), -EINVAL);
	EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	EXPECT_EQ(*fake_published(), 10);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ESHUTDOWN);
	EXPECT_EQ(zp_write(e.w, "x", 1), -ESHUTDOWN);
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	EXPECT_EQ(zp_flush(e.w), -ESHUTDOWN);
	EXPECT_EQ(zp_writer_complete(e.w, 5, 0), 0);
	ends_close(&e);
}

static void complete_drops(void)
{
	struct ends e = ends_open(plain);
	struct zp_view view = { .start = 0 };

	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_writer_complete(e.w, EIO, ZP_DRAIN), 0);
	EXPECT_EQ(zp_flush(e.w), -ESHUTDOWN);
	EXPECT_EQ(*fake_published(), 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 10);
	ends_close(&e);
}

static void reader_gone(void)
{
	struct ends e = ends_open(plain);
	unsigned char buf[10] = "";
	size_t done = 99;

	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_flush(e.w), ZP_COMPLETED);
	EXPECT_EQ(zp_flush(e.w), ZP_COMPLETED);
	EXPECT_EQ(zp_alloc(e.w, 4096, &room), ZP_COMPLETED);
	EXPECT(room.len >= 4096);
	zp_commit(e.w, room.len);
	EXPECT_EQ(zp_write_flush(e.w, buf, sizeof(buf), &done), ZP_COMPLETED);
	EXPECT_EQ(done, 0);
	ends_close(&e);
}

static void reader_error(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_reader_complete(e.r, EILSEQ), 0);
	EXPECT_EQ(zp_flush(e.w), -EILSEQ);
	EXPECT_EQ(zp_flush(e.w), -EILSEQ);
	EXPECT_EQ(zp_alloc(e.w, 3 * 4096 + 5000 - 4096, &room), -EILSEQ);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "alloc.is_never_empty", alloc_never_empty },
	{ "alloc.again_is_the_same_memory", alloc_repeats },
	{ "commit.beyond_the_grant_einval", commit_bounds },
	{ "alloc.longer_than_a_segment_is_contiguous", alloc_contiguous },
	{ "alloc.over_the_end_of_the_window_is_contiguous", alloc_wraps },
	{ "alloc.longer_than_the_window_emsgsize_without_a_call", too_long },
	{ "alloc.all_memory_unflushed_enobufs", own_bytes },
	{ "alloc.full_eagain_then_room_after_advance", again_then_room },
	{ "alloc.failed_leaves_the_grant_as_it_was", failed_alloc_changes_nothing },
	{ "alloc.canceled_ecanceled_once", alloc_canceled },
	{ "alloc.grant_outside_the_window_eproto", grant_lies },
	{ "flags.unknown_eopnotsupp", unknown_flags },
	{ "flush.nobody_waits_no_call", flush_is_quiet },
	{ "flush.reaching_the_wake_position_calls_once", flush_wakes },
	{ "flush.pauses_and_resumes_with_hysteresis", pauses },
	{ "flush.looks_at_the_reader_before_it_pauses", pause_looks_first },
	{ "flush.changed_threshold_is_noticed", set_is_noticed },
	{ "flush.examined_that_lies_does_no_harm", lying_examined },
	{ "flush.push_and_cancel_reach_the_kernel", flush_flags },
	{ "want.grows_when_used_up_and_shrinks_when_not", want_adapts },
	{ "complete.publishes_then_eshutdown", completes },
	{ "complete.with_error_drops_the_unflushed", complete_drops },
	{ "reader_completed.every_call_says_so", reader_gone },
	{ "reader_failed.its_errno_each_time", reader_error },
};

TAP_MAIN(tests)
