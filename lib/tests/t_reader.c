// SPDX-License-Identifier: MIT
/*
 * t_reader - the reader end over the fake kernel, one behaviour per test
 */
#include <errno.h>
#include <string.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts plain;
static struct zp_view view;

static void send(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT(zp_flush(e->w) >= 0);
}

static void quiet(void)
{
	struct ends e = ends_open(plain);
	int i;

	for (i = 0; i < 60; i++) {
		send(&e, 64);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(view.start, i * 64);
		EXPECT_EQ(view.end, i * 64 + 64);
		EXPECT_EQ(view.nr_spans, 1);
		EXPECT_EQ(view.flags, 0);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume(e.r, 64), 0);
	}
	EXPECT_EQ(fake_calls()->reads, 0);
	EXPECT_EQ(fake_calls()->advances, 0);
	ends_close(&e);
}

static void busy(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_read(e.r, &view), -EBUSY);
	EXPECT_EQ(zp_try_read(e.r, &view), -EBUSY);
	EXPECT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	ends_close(&e);
}

static void no_read(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_advance(e.r, 0, 0), -EPROTO);
	EXPECT_EQ(zp_consume_all(e.r), -EPROTO);
	EXPECT_EQ(zp_examine_all(e.r), -EPROTO);
	EXPECT_EQ(zp_consume(e.r, 0), -EPROTO);
	send(&e, 10);
	EXPECT_EQ(zp_advance(e.r, 0, 10), -EPROTO);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_advance(e.r, 10, 10), -EPROTO);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	EXPECT_EQ(zp_advance(e.r, 10, 10), -EPROTO);
	ends_close(&e);
}

static void range(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 5), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_advance(e.r, 4, 10), -EINVAL);
	EXPECT_EQ(zp_advance(e.r, 11, 11), -EINVAL);
	EXPECT_EQ(zp_advance(e.r, 6, 5), -EINVAL);
	EXPECT_EQ(zp_advance(e.r, 6, 11), -EINVAL);
	EXPECT_EQ(zp_consume(e.r, UINT64_MAX - 4), -EINVAL);
	/* still outstanding, nothing moved */
	EXPECT_EQ(zp_read(e.r, &view), -EBUSY);
	EXPECT_EQ(*fake_consumed(), 5);
	EXPECT_EQ(zp_advance(e.r, 10, 10), 0);
	EXPECT_EQ(*fake_consumed(), 10);
	ends_close(&e);
}

static void keep(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_advance(e.r, ZP_KEEP, 4), 0);
	EXPECT_EQ(*fake_consumed(), 0);
	EXPECT_EQ(*fake_examined(), 4);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_advance(e.r, 2, ZP_KEEP), 0);
	EXPECT_EQ(*fake_consumed(), 2);
	EXPECT_EQ(*fake_examined(), 4);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_advance(e.r, ZP_KEEP, ZP_KEEP), 0);
	EXPECT_EQ(*fake_consumed(), 2);
	ends_close(&e);
}

static void examined_stays(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_examine_all(e.r), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 0);
	EXPECT_EQ(view.end, 20);
	ASSERT_EQ(zp_advance(e.r, 2, 5), 0);
	EXPECT_EQ(*fake_examined(), 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 2);
	ends_close(&e);
}

static void unexamined_returns(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 0, 9), 0);
	ASSERT_EQ(zp_try_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 0, 10), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	EXPECT_EQ(*fake_reader_wake_at(), 11);
	ends_close(&e);
}

static void lag(void)
{
	struct ends e = ends_open(plain);

	send(&e, 20);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	send(&e, 20);
	ASSERT_EQ(zp_consume(e.r, 10), 0);
	/* may lag while it has bytes... */
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 10);
	EXPECT(view.end == 20 || view.end == 40);
	/* ...but not when nothing was consumed, or a minimum asks for more */
	ASSERT_EQ(zp_advance(e.r, 10, 10), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 40);
	ASSERT_EQ(zp_consume(e.r, 5), 0);
	send(&e, 20);
	ASSERT_EQ(zp_read_min(e.r, 40, &view), 0);
	EXPECT_EQ(view.start, 15);
	EXPECT_EQ(view.end, 60);
	EXPECT_EQ(fake_calls()->reads, 0);
	ends_close(&e);
}

static void minimum(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	EXPECT_EQ(zp_read_flags(e.r, 20, ZP_NOWAIT, 0, &view), -EAGAIN);
	EXPECT_EQ(*fake_reader_wake_at(), 20);
	send(&e, 9);
	EXPECT_EQ(fake_calls()->flushes, 0);
	send(&e, 1);
	EXPECT_EQ(fake_calls()->flushes, 1);
	ASSERT_EQ(zp_read_min(e.r, 20, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 20);
	EXPECT_EQ(fake_calls()->reads, 1);
	ASSERT_EQ(zp_advance(e.r, 15, 20), 0);
	/* enough is held, but all of it was looked at */
	EXPECT_EQ(zp_read_flags(e.r, 5, ZP_NOWAIT, 0, &view), -EAGAIN);
	ends_close(&e);
}

static void pushed(void)
{
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_flush_flags(e.w, ZP_FLUSH_PUSH, 0), 0);
	ASSERT_EQ(zp_read_min(e.r, 20, &view), 0);
	EXPECT_EQ(view.flags, ZP_PUSHED);
	EXPECT_EQ(zp_view_len(&view), 10);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	ends_close(&e);
}

static void full(void)
{
	struct ends e = ends_open(plain);
	struct zp_span room;

	send(&e, 2 * 4096);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_examine_all(e.r), 0);
	EXPECT_EQ(zp_try_alloc(e.w, 3 * 4096, &room), -EAGAIN);
	EXPECT_EQ(zp_read_min(e.r, 4 * 4096, &view), 0);
	EXPECT_EQ(view.flags, ZP_FULL);
	EXPECT_EQ(zp_view_len(&view), 2 * 4096);
	ASSERT_EQ(zp_consume(e.r, 4096), 0);
	EXPECT_EQ(fake_calls()->advances, 1);
	ends_close(&e);
}

static void wakes(void)
{
	struct ends e = ends_open(plain);

	send(&e, 100);
	*fake_wake_consumed() = 50;
	*fake_wake_examined() = 80;
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 49, 79), 0);
	EXPECT_EQ(fake_calls()->advances, 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 50, 79), 0);
	EXPECT_EQ(fake_calls()->advances, 1);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 50, 80), 0);
	EXPECT_EQ(fake_calls()->advances, 2);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 100, 100), 0);
	EXPECT_EQ(fake_calls()->advances, 2);
	ends_close(&e);
}

static void spans(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER };
	struct ends e = ends_open(opts);
	uint64_t end = 3 * 4096 + 10, first_end;

	send(&e, end);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT(view.nr_spans > 1);
	EXPECT_EQ(view.end, end);
	EXPECT(view_good(&view));
	first_end = view.start + view.first.len;
	/* consumed in part: the rest of the first span may come alone */
	ASSERT_EQ(zp_consume(e.r, 10), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT(view.end == first_end || view.end == end);
	EXPECT(view_good(&view));
	/* but all of it once that is not enough */
	ASSERT_EQ(zp_examine_all(e.r), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, end);
	EXPECT(view_good(&view));
	/* examined beyond the first span: a later part of it is not new */
	ASSERT_EQ(zp_advance(e.r, 20, first_end + 1), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, end);
	ASSERT_EQ(zp_advance(e.r, 30, 30), 0);
	while (zp_consumed(e.r) < end) {
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume(e.r, zp_view_len(&view) < 7 ? 1 : 7), 0);
	}
	EXPECT_EQ(fake_calls()->reads, 0);
	ends_close(&e);
}

static void contiguous(void)
{
	struct fake_opts opts = { .policy = FAKE_RING };
	struct ends e = ends_open(opts);
	int i;

	/* in ring order, three quarters full: always one span, wraps included */
	send(&e, 4096);
	for (i = 0; i < 20; i++) {
		send(&e, 4096 + 1024);
		ASSERT_EQ(zp_read_min(e.r, 2 * 4096 + 1024, &view), 0);
		EXPECT_EQ(view.nr_spans, 1);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume(e.r, 4096 + 1024), 0);
	}
	ends_close(&e);
}

static void attach(void)
{
	static const struct zp_open_opts opts = { .sz = sizeof(opts), .flags = ZP_KEEP_FD };
	struct ends e = ends_open(plain);
	struct zp_reader *second;

	send(&e, 5000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 4500, 5000), 0);
	/* it dies; another goes on and sees the kept bytes without waiting */
	ASSERT_EQ(zp_reader_open(&second, e.rfd, &opts), 0);
	ASSERT_EQ(zp_try_read(second, &view), 0);
	EXPECT_EQ(view.start, 4500);
	EXPECT_EQ(view.end, 5000);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_advance(second, 4600, 4600), 0);
	EXPECT_EQ(*fake_consumed(), 4600);
	ASSERT_EQ(zp_try_read(second, &view), 0);
	EXPECT_EQ(view.end, 5000);
	ASSERT_EQ(zp_examine_all(second), 0);
	EXPECT_EQ(zp_try_read(second, &view), -EAGAIN);
	zp_reader_close(second);
	ends_close(&e);
}

static void canceled(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(view.nr_spans, 0);
	EXPECT_EQ(zp_view_len(&view), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	/* with bytes there: shown, and neither an advance nor its absence harms */
	send(&e, 10);
	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(zp_view_len(&view), 10);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, 0);
	ASSERT_EQ(zp_advance(e.r, 0, 0), 0);
	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 4), 0);
	EXPECT_EQ(zp_advance(e.r, 4, 4), -EPROTO);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 4);
	EXPECT_EQ(zp_read(e.r, &view), -EBUSY);
	ends_close(&e);
}

static void end_of_stream(void)
{
	struct ends e = ends_open(plain);
	int i;

	send(&e, 10);
	ASSERT_EQ(put(e.w, 5), 0);
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 15);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(view.flags, ZP_COMPLETED);
		EXPECT_EQ(zp_view_len(&view), 0);
	}
	/* an advance is not due, but allowed */
	EXPECT_EQ(zp_consume_all(e.r), 0);
	ASSERT_EQ(zp_read_min(e.r, 100, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	ends_close(&e);
}

static void writer_error(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_writer_complete(e.w, EIO, 0), 0);
	EXPECT_EQ(zp_read(e.r, &view), -EIO);
	EXPECT_EQ(zp_try_read(e.r, &view), -EIO);
	ends_close(&e);
}

static void completed(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_advance(e.r, 10, 10), -ESHUTDOWN);
	EXPECT_EQ(zp_read(e.r, &view), -ESHUTDOWN);
	EXPECT_EQ(zp_consume_all(e.r), -ESHUTDOWN);
	EXPECT_EQ(zp_reader_complete(e.r, 3), 0);
	ends_close(&e);
}

static void published_lies(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	/* beyond what the kernel granted: the kernel is asked */
	*fake_published() = 4097;
	EXPECT_EQ(zp_try_read(e.r, &view), -EPROTO);
	EXPECT_EQ(fake_calls()->reads, 1);
	*fake_published() = UINT64_MAX;
	EXPECT_EQ(zp_try_read(e.r, &view), -EPROTO);
	*fake_published() = 3;
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	*fake_published() = 10;
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	ends_close(&e);
}

static void table_lies(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	fake_table()[0].offset = 1ULL << 50;
	EXPECT_EQ(zp_read(e.r, &view), -EPROTO);
	EXPECT_EQ(zp_advance(e.r, 0, 0), -EPROTO);
	fake_table()[0].offset = 0;
	EXPECT_EQ(zp_read(e.r, &view), 0);
	ends_close(&e);
}

static void read_fails(void)
{
	struct ends e = ends_open(plain);

	fake_fail_next(EINTR);
	EXPECT_EQ(zp_read(e.r, &view), -EINTR);
	EXPECT_EQ(zp_advance(e.r, 0, 0), -EPROTO);
	fake_fail_next(ETIMEDOUT);
	EXPECT_EQ(zp_read_flags(e.r, 1, 0, zp_deadline(0), &view), -ETIMEDOUT);
	send(&e, 1);
	EXPECT_EQ(zp_read(e.r, &view), 0);
	ends_close(&e);
}

static void zero_min(void)
{
	struct ends e = ends_open(plain);

	EXPECT_EQ(zp_read_flags(e.r, 0, ZP_NOWAIT, 0, &view), -EAGAIN);
	send(&e, 1);
	EXPECT_EQ(zp_read_flags(e.r, 0, ZP_NOWAIT, 0, &view), 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "read.message_by_message_makes_no_call", quiet },
	{ "read.again_before_advance_ebusy", busy },
	{ "advance.without_a_read_eproto", no_read },
	{ "advance.outside_the_view_einval_and_still_outstanding", range },
	{ "advance.keep_leaves_a_position_alone", keep },
	{ "advance.examined_never_moves_back", examined_stays },
	{ "read.returns_at_once_unless_all_was_examined", unexamined_returns },
	{ "read.lags_only_while_it_is_consumed_in_part", lag },
	{ "read_min.waits_for_its_bytes", minimum },
	{ "read_min.pushed_is_short", pushed },
	{ "read_min.full_is_short", full },
	{ "advance.calls_when_a_wake_position_is_reached", wakes },
	{ "read.over_scattered_segments", spans },
	{ "read.in_ring_order_is_one_span", contiguous },
	{ "open.second_reader_sees_what_the_first_kept", attach },
	{ "cancel.is_no_error_and_needs_no_advance", canceled },
	{ "complete.end_of_stream_after_the_last_byte", end_of_stream },
	{ "complete.error_of_the_writer_each_time", writer_error },
	{ "complete.own_end_eshutdown", completed },
	{ "published.that_lies_is_not_believed", published_lies },
	{ "table.that_lies_eproto", table_lies },
	{ "read.failed_leaves_nothing_outstanding", read_fails },
	{ "read_min.zero_counts_as_one", zero_min },
};

TAP_MAIN(tests)
