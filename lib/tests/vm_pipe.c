// SPDX-License-Identifier: MIT
/*
 * vm_pipe - making, opening, asking, ending and resetting, against the module
 */
#include <fcntl.h>

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

static void create_defaults(void)
{
	struct zp_info info = { .sz = sizeof(info) };
	int wfd = -1, rfd = -1;

	ASSERT_EQ(zp_create(NULL, &wfd, &rfd), 0);
	EXPECT(fcntl(wfd, F_GETFD) & FD_CLOEXEC);
	EXPECT(fcntl(rfd, F_GETFD) & FD_CLOEXEC);
	ASSERT_EQ(zp_query(wfd, &info), 0);
	EXPECT_EQ(info.role, ZP_ROLE_WRITER);
	EXPECT_EQ(info.capacity, 1 << 20);
	EXPECT_EQ(info.segment_size, 65536);
	EXPECT_EQ(info.pause, 3 << 18);
	EXPECT_EQ(info.resume, 3 << 17);
	EXPECT_EQ((uint64_t)info.segment_size * info.nr_segments, info.window);
	ASSERT_EQ(zp_query(rfd, &info), 0);
	EXPECT_EQ(info.role, ZP_ROLE_READER);
	close(wfd);
	close(rfd);
}

static void create_opts(void)
{
	struct zp_create_opts opts = {
		.sz = sizeof(opts), .flags = ZP_CONTIG | ZP_NONBLOCK, .segment_size = 8192,
		.capacity = 65536, .pause = ZP_NEVER,
	};
	struct zp_info info = { .sz = sizeof(info) };
	int wfd = -1, rfd = -1;

	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	EXPECT(fcntl(wfd, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(zp_query(wfd, &info), 0);
	EXPECT(info.flags & ZP_CONTIG);
	EXPECT_EQ(info.segment_size, 8192);
	EXPECT_EQ(info.pause, 0);
	close(wfd);
	close(rfd);
	opts.segment_size = 5000;
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -EINVAL);
	opts.segment_size = 0;
	opts.pause = 10;
	opts.resume = 11;
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -EINVAL);
	opts.resume = 0;
	opts.flags = 1U << 30;
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -EOPNOTSUPP);
	opts.flags = 0;
	opts.device = "/dev/null";
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -ENOTTY);
	opts.device = "/nonexistent";
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -ENOENT);
	opts.sz = 1;
	EXPECT_EQ(zp_create(&opts, &wfd, &rfd), -EINVAL);
}

static void foreign(void)
{
	static const char *const paths[] = { "/dev/null", "/dev/zpipe", "/proc/self/exe", "/" };
	struct zp_info info = { .sz = sizeof(info) };
	struct zp_stat stat = { .sz = sizeof(stat) };
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		EXPECT(fd >= 0);
		EXPECT_EQ(zp_writer_open(&w, fd, NULL), -EBADF);
		EXPECT_EQ(zp_reader_open(&r, fd, NULL), -EBADF);
		EXPECT_EQ(zp_query(fd, &info), -EBADF);
		EXPECT_EQ(zp_stat(fd, &stat), -EBADF);
		EXPECT_EQ(zp_cancel(fd, ZP_CANCEL_READ), -EBADF);
		EXPECT_EQ(zp_set_thresholds(fd, 0, 0), -EBADF);
		EXPECT_EQ(zp_reset(fd), -EBADF);
		EXPECT(fcntl(fd, F_GETFD) >= 0);
		close(fd);
	}
	EXPECT_EQ(zp_reader_open(&r, -1, NULL), -EBADF);
}

static void wrong_end(void)
{
	struct ends e = ends_open(plain);
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;

	EXPECT_EQ(zp_writer_open(&w, e.rfd, NULL), -EBADF);
	EXPECT_EQ(zp_reader_open(&r, e.wfd, NULL), -EBADF);
	ends_close(&e);
}

static void closes(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;
	int wfd = -1, rfd = -1;

	ASSERT_EQ(zp_create(NULL, &wfd, &rfd), 0);
	ASSERT_EQ(zp_writer_open(&w, wfd, &keep), 0);
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	EXPECT_EQ(zp_writer_fd(w), wfd);
	EXPECT_EQ(zp_reader_fd(r), rfd);
	zp_writer_close(w);
	zp_reader_close(r);
	EXPECT(fcntl(wfd, F_GETFD) >= 0);
	EXPECT(fcntl(rfd, F_GETFD) < 0);
	close(wfd);
}

static void ends_well(void)
{
	struct ends e = ends_open(plain);
	int i;

	send(&e, 10);
	ASSERT_EQ(put(e.w, 5), 0);
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	EXPECT_EQ(zp_writer_complete(e.w, EIO, 0), 0);
	EXPECT_EQ(zp_flush(e.w), -ESHUTDOWN);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ESHUTDOWN);
	EXPECT(poll_now(e.rfd, POLLIN) & POLLHUP);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 15);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(view.flags, ZP_COMPLETED);
		EXPECT_EQ(zp_view_len(&view), 0);
	}
	ends_close(&e);
}

static void fails(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(put(e.w, 10), 0);
	ASSERT_EQ(zp_writer_complete(e.w, EILSEQ, 0), 0);
	EXPECT_EQ(zp_flush(e.w), -ESHUTDOWN);
	EXPECT_EQ(zp_read(e.r, &view), -EILSEQ);
	EXPECT_EQ(zp_try_read(e.r, &view), -EILSEQ);
	ends_close(&e);

	e = ends_open(plain);
	send(&e, 10);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_writer_complete(e.w, -1, 0), -EINVAL);
	EXPECT_EQ(zp_writer_complete(e.w, 4096, 0), -EINVAL);
	EXPECT_EQ(zp_writer_complete(e.w, 5, 2), -EOPNOTSUPP);
	ASSERT_EQ(zp_writer_complete(e.w, EILSEQ, ZP_DRAIN), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 10);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_read(e.r, &view), -EILSEQ);
	ends_close(&e);
}

static void writer_closes(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	zp_writer_close(e.w);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 10);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_read(e.r, &view), -ECONNRESET);
	zp_reader_close(e.r);
}

static void reader_ends(void)
{
	struct ends e = ends_open(plain);

	send(&e, 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_advance(e.r, 10, 10), -ESHUTDOWN);
	EXPECT_EQ(zp_read(e.r, &view), -ESHUTDOWN);
	EXPECT(poll_now(e.wfd, POLLOUT) & POLLERR);
	ASSERT_EQ(put(e.w, 10), 0);
	EXPECT_EQ(zp_flush(e.w), ZP_COMPLETED);
	EXPECT_EQ(zp_write_flush(e.w, "abc", 3, NULL), ZP_COMPLETED);
	ends_close(&e);

	e = ends_open(tiny);
	send(&e, 16384);
	ASSERT_EQ(zp_reader_complete(e.r, EPERM), 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -EPERM);
	EXPECT_EQ(zp_flush(e.w), -EPERM);
	ends_close(&e);

	e = ends_open(tiny);
	send(&e, 16384);
	zp_reader_close(e.r);
	EXPECT_EQ(zp_alloc(e.w, 16384, &room), ZP_COMPLETED);
	memset(room.data, 1, room.len);
	EXPECT_EQ(zp_commit(e.w, room.len), 0);
	EXPECT_EQ(zp_flush(e.w), ZP_COMPLETED);
	zp_writer_close(e.w);
}

static void resets(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct zp_info info = { .sz = sizeof(info) };
	struct ends e;
	int round;

	ASSERT_EQ(zp_create(NULL, &e.wfd, &e.rfd), 0);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(zp_writer_open(&e.w, e.wfd, &keep), 0);
		ASSERT_EQ(zp_reader_open(&e.r, e.rfd, &keep), 0);
		EXPECT_EQ(zp_position(e.w), zp_consumed(e.r));
		send(&e, 1000);
		ASSERT_EQ(zp_read(e.r, &view), 0);
		EXPECT_EQ(zp_view_len(&view), 1000);
		EXPECT(view_good(&view));
		ASSERT_EQ(zp_consume(e.r, 600), 0);
		EXPECT_EQ(zp_reset(e.wfd), -EBUSY);
		ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
		ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
		zp_writer_close(e.w);
		zp_reader_close(e.r);
		ASSERT_EQ(zp_reset(e.rfd), 0);
		ASSERT_EQ(zp_query(e.wfd, &info), 0);
		EXPECT_EQ(info.generation, round + 1);
	}
	close(e.wfd);
	close(e.rfd);
}

static void stats(void)
{
	struct ends e = ends_open(plain);
	struct zp_stat stat;

	send(&e, 100);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 10, 20), 0);
	stat = stat_of(e.rfd);
	EXPECT_EQ(stat.published, 100);
	EXPECT_EQ(stat.examined, 20);
	EXPECT_EQ(stat.consumed, 10);
	EXPECT(stat.granted >= 100);
	EXPECT(stat.data_pages > 0);
	EXPECT_EQ(stat.copied_write, 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "create.defaults_are_those_of_the_header", create_defaults },
	{ "create.options_are_taken_or_refused", create_opts },
	{ "open.foreign_fd_ebadf", foreign },
	{ "open.other_end_ebadf", wrong_end },
	{ "close.closes_the_fd_unless_kept", closes },
	{ "complete.end_of_stream", ends_well },
	{ "complete.error_at_once_or_after_draining", fails },
	{ "close.of_the_writer_econnreset_after_the_bytes", writer_closes },
	{ "complete.by_the_reader", reader_ends },
	{ "reset.positions_go_on", resets },
	{ "stat.positions_and_pages", stats },
};

VM_MAIN(tests)
