// SPDX-License-Identifier: MIT
/*
 * vm_guarded - the library on guarded pipes: the same calls, each a system call
 */
#include "vm.h"

static const struct zp_create_opts guarded = {
	.segment_size = 16384, .capacity = 65536, .pause = ZP_NEVER, .flags = ZP_GUARDED,
};
static struct zp_span room;
static struct zp_view view;

static void send(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT(zp_flush(e->w) >= 0);
}

static void told(void)
{
	struct ends e = ends_open(guarded);
	struct zp_info info = { .sz = sizeof(info) };
	struct zp_create_opts both = guarded;

	EXPECT_EQ(zp_query(e.rfd, &info), 0);
	EXPECT_EQ(info.flags, ZP_GUARDED);
	EXPECT_EQ(zp_query(e.wfd, &info), 0);
	EXPECT_EQ(info.flags, ZP_GUARDED);
	ends_close(&e);
	both.sz = sizeof(both);
	both.flags |= ZP_CONTIG;
	EXPECT_EQ(zp_create(&both, &e.wfd, &e.rfd), -EINVAL);
}

/* Sizes around the border of a page, so that grants end and go on. */
static void stream(void)
{
	static const size_t sizes[] = { 1, 4096, 4095, 4097, 100, 8192, 16384, 3, 20000 };
	struct ends e = ends_open(guarded);
	unsigned int i;

	for (i = 0; i < 900; i++) {
		size_t n = sizes[i % 9];

		send(&e, n);
		ASSERT_EQ(zp_unflushed(e.w), 0);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		ASSERT_EQ(zp_view_len(&view), n);
		ASSERT(view_good(&view));
		ASSERT_EQ(zp_consume_all(e.r), 0);
	}
	EXPECT_EQ(stat_of(e.wfd).flushes, 900);
	EXPECT_EQ(stat_of(e.wfd).rejects, 0);
	EXPECT_EQ(stat_of(e.wfd).copied_seal, 0);
	ends_close(&e);
}

static void many_spans(void)
{
	struct ends e = ends_open(guarded);
	int i;

	for (i = 0; i < 16; i++)
		send(&e, 10);
	EXPECT_EQ(zp_try_alloc(e.w, 1, &room), -EAGAIN);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.nr_spans, 16);
	EXPECT(view_good(&view));
	/* examined but not consumed: no more comes before the writer can go on */
	ASSERT_EQ(zp_advance(e.r, 45, 160), 0);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 45);
	EXPECT_EQ(view.end, 170);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_read(e.r, &view), -EBUSY);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_consume(e.r, 0), -EPROTO);
	ends_close(&e);
}

static void rolled_back(void)
{
	struct ends e = ends_open(guarded);
	unsigned char patch[3] = { byte_at(2), byte_at(3), byte_at(4) };

	ASSERT_EQ(put(e.w, 30000), 0);
	ASSERT_EQ(zp_rollback(e.w, 100), 0);
	ASSERT_EQ(put(e.w, 50), 0);
	ASSERT_EQ(zp_pending(e.w, &view), 0);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_patch(e.w, 2, patch, 3), 0);
	EXPECT_EQ(zp_unflushed(e.w), 150);
	EXPECT(zp_flush(e.w) >= 0);
	EXPECT_EQ(zp_rollback(e.w, 149), -EINVAL);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 150);
	EXPECT(view_good(&view));
	ends_close(&e);
}

/* As if the one before had died between a read and its advance. */
static void taken_over(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct ends e = ends_open(guarded);
	struct zp_reader *second;

	send(&e, 5000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_reader_open(&second, e.rfd, &keep), 0);
	ASSERT_EQ(zp_read(second, &view), 0);
	EXPECT_EQ(view.start, 0);
	EXPECT_EQ(view.end, 5000);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_read(second, &view), -EBUSY);
	ASSERT_EQ(zp_consume(second, 100), 0);
	ASSERT_EQ(zp_read(second, &view), 0);
	EXPECT_EQ(view.start, 100);
	zp_reader_close(second);
	ends_close(&e);
}

static void canceled(void)
{
	struct ends e = ends_open(guarded);

	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(zp_consume_all(e.r), 0);
	send(&e, 5000);
	EXPECT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(zp_view_len(&view), 5000);
	/* a view with CANCELED may be consumed, or another read may follow */
	EXPECT_EQ(zp_consume(e.r, 1000), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 1000);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_consume_all(e.r), 0);
	ends_close(&e);
}

static void ended(void)
{
	struct ends e = ends_open(guarded);

	ASSERT_EQ(put(e.w, 9000), 0);
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 9000);
	EXPECT(view_good(&view));
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	EXPECT_EQ(zp_consume_all(e.r), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 0);
	EXPECT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_read(e.r, &view), -ESHUTDOWN);
	ends_close(&e);
}

/* A restarted reader is shown what the one before it had examined. */
static void restarted(void)
{
	static const struct zp_open_opts keep = {
		.sz = sizeof(keep), .flags = ZP_KEEP_FD,
	};
	struct ends e = ends_open(guarded);
	struct zp_reader *again;

	send(&e, 5000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 100, 5000), 0);
	ASSERT_EQ(zp_reader_open(&again, e.rfd, &keep), 0);
	ASSERT_EQ(zp_read(again, &view), 0);
	EXPECT_EQ(view.start, 100);
	EXPECT_EQ(view.end, 5000);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_consume_all(again), 0);
	zp_reader_close(again);
	ends_close(&e);
}

static void two_processes(void)
{
	static const size_t total = 8 << 20;
	struct zp_create_opts opts = guarded;
	struct ends e;
	pid_t child;
	size_t n;

	opts.pause = 0;
	e = ends_open(opts);
	child = fork();
	if (!child) {
		uint64_t at = 0;

		while (at < total) {
			if (zp_read(e.r, &view) || !view_good(&view) || view.start != at)
				_exit(1);
			at = view.end;
			if (zp_consume_all(e.r))
				_exit(2);
		}
		_exit(0);
	}
	for (n = 0; n < total; n += 8192) {
		size_t i;

		ASSERT(zp_alloc(e.w, 8192, &room) >= 0);
		for (i = 0; i < 8192; i++)
			((unsigned char *)room.data)[i] = byte_at(n + i);
		ASSERT_EQ(zp_commit(e.w, 8192), 0);
		ASSERT(zp_flush(e.w) >= 0);
	}
	EXPECT_EQ(join(child), 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "a query tells that the pipe is guarded", told },
	{ "messages of all sizes arrive", stream },
	{ "a flush takes a page, a view has a span for each", many_spans },
	{ "what is not flushed can be rolled back and patched", rolled_back },
	{ "a reader takes over from one that died with a view", taken_over },
	{ "a cancelled view may be consumed or left", canceled },
	{ "completing publishes, and ends", ended },
	{ "a restarted reader sees all that is not consumed", restarted },
	{ "a stream between two processes", two_processes },
};

VM_MAIN(tests)
