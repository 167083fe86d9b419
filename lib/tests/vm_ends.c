// SPDX-License-Identifier: MIT
/*
 * vm_ends - every call of the library against the module, in one thread
 *
 * What blocks is in vm_wait.c, what takes two processes in vm_process.c.
 */
#include <fcntl.h>
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

static void create_defaults(void)
{
	struct zp_info info = { .sz = sizeof(info) };
	int wfd, rfd;

	ASSERT_EQ(zp_create(NULL, &wfd, &rfd), 0);
	EXPECT(fcntl(wfd, F_GETFD) & FD_CLOEXEC);
	EXPECT(fcntl(rfd, F_GETFD) & FD_CLOEXEC);
	ASSERT_EQ(zp_query(wfd, &info), 0);
	EXPECT_EQ(info.role, ZP_ROLE_WRITER);
	EXPECT_EQ(info.capacity, 1 << 20);
	EXPECT_EQ(info.segment_size, 65536);
	EXPECT_EQ(info.pause, 1 << 19);
	EXPECT_EQ(info.resume, 1 << 18);
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
	int wfd, rfd;

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
			k = (size_t)rand_r(&seed) % (zp_view_len(&view) + 1);
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
	{ "create.defaults_are_those_of_the_header", create_defaults },
	{ "create.options_are_taken_or_refused", create_opts },
	{ "open.foreign_fd_ebadf", foreign },
	{ "open.other_end_ebadf", wrong_end },
	{ "close.closes_the_fd_unless_kept", closes },
	{ "fast_path.makes_no_system_call", quiet },
	{ "stream.is_the_same_bytes_in_every_shape", round_and_round },
	{ "read.over_segments", spans },
	{ "alloc.errors_and_waiting", allocs },
	{ "alloc.whole_window_is_contiguous", whole_window },
	{ "pending.and_patch", pending },
	{ "rollback.anywhere_in_the_unflushed", rollback },
	{ "write.copies_all_or_nothing", writes },
	{ "publish.and_flush_flags", publishes },
	{ "flush.pauses_with_hysteresis", pauses },
	{ "thresholds.change_at_run_time", thresholds },
	{ "read.and_advance", reads },
	{ "read_min.pushed_and_full_are_short", short_reads },
	{ "cancel.read_flush_and_alloc", cancels },
	{ "complete.end_of_stream", ends_well },
	{ "complete.error_at_once_or_after_draining", fails },
	{ "close.of_the_writer_econnreset_after_the_bytes", writer_closes },
	{ "complete.by_the_reader", reader_ends },
	{ "reset.positions_go_on", resets },
	{ "nonblock.every_call_eagain", nonblocking },
	{ "view.cannot_be_made_writable", readers_may_not_write },
	{ "stat.positions_and_pages", stats },
	{ "stream.over_two_thousand_segments", many_segments },
};

VM_MAIN(tests)
