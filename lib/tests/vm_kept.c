// SPDX-License-Identifier: MIT
/*
 * vm_kept - preserved ranges and buffers, against the module
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>

#include "vm.h"

static struct zp_view view;

/* Four segments of a page. */
static const struct zp_create_opts tiny = {
	.segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER,
};

static void send_bytes(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT(zp_flush(e->w) >= 0);
}

/* Sends @n bytes through, a part of the pipe at a time; false if one was wrong. */
static bool push(struct ends *e, size_t n)
{
	while (n) {
		size_t part = n < 3000 ? n : 3000;

		send_bytes(e, part);
		if (zp_read(e->r, &view) || !view_good(&view) || zp_consume_all(e->r))
			return false;
		n -= part;
	}
	return true;
}

static void stays(void)
{
	struct ends e = ends_open(tiny);
	struct zp_kept *kept = NULL;
	const struct zp_view *bytes;
	const void *where;
	size_t len;
	int i;

	send_bytes(&e, 6000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_preserve(e.r, 1000, 4500, &kept), 0);
	bytes = zp_kept_view(kept);
	EXPECT_EQ(bytes->start, 1000);
	EXPECT_EQ(bytes->end, 5500);
	where = zp_view_span(bytes, 0, &len);
	EXPECT(where);
#ifndef ZP_DEBUG
	EXPECT_EQ((const unsigned char *)where - (const unsigned char *)view.first.data, 1000);
#endif
	ASSERT_EQ(zp_consume_all(e.r), 0);
	for (i = 0; i < 100; i++) {
		ASSERT(push(&e, 16384));
		ASSERT(view_good(bytes));
	}
	EXPECT_EQ(stat_of(e.rfd).preserved_bytes, 4500);
	EXPECT_EQ(stat_of(e.rfd).spare_pages, 2);
	EXPECT_EQ(zp_release(kept), 0);
	EXPECT_EQ(stat_of(e.rfd).preserved_handles, 0);
	EXPECT_EQ(stat_of(e.rfd).rejects, 0);
	ends_close(&e);
}

/* The walkers of both ends meet segments behind the window. */
static void stream_in_spare_segments(void)
{
	static const struct zp_create_opts shapes[] = {
		{ .segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER },
		{ .segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER, .flags = ZP_CONTIG },
		{ .segment_size = 8192, .capacity = 131072 },
	};
	unsigned int seed = 1;
	size_t i, k;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct ends e = ends_open(shapes[i]);
		struct zp_kept *kept[6] = { NULL };
		unsigned int step, made = 0;

		for (step = 0; step < 4000; step++) {
			struct zp_kept **one = &kept[(size_t)rand_r(&seed) % 6];
			struct zp_span room;
			size_t n = 1 + (size_t)rand_r(&seed) % 4000;
			int ret = zp_try_alloc(e.w, n, &room);

			if (ret == 0) {
				for (k = 0; k < n; k++)
					((unsigned char *)room.data)[k] =
						byte_at(zp_position(e.w) + k);
				ASSERT_EQ(zp_commit(e.w, n), 0);
			} else {
				ASSERT(ret == -EAGAIN || ret == -ENOBUFS);
			}
			ret = zp_flush_flags(e.w, ZP_NOWAIT, 0);
			ASSERT(ret == 0 || ret == -EAGAIN);
			ret = zp_try_read(e.r, &view);
			if (ret == -EAGAIN)
				continue;
			ASSERT_EQ(ret, 0);
			ASSERT(view_good(&view));
			if (*one) {
				ASSERT(view_good(zp_kept_view(*one)));
				ASSERT_EQ(zp_release(*one), 0);
				*one = NULL;
			} else {
				uint64_t len = zp_view_len(&view);
				uint64_t at = (uint64_t)rand_r(&seed) % len;

				ret = zp_preserve(e.r, view.start + at, len - at, one);
				ASSERT(ret == 0 || ret == -ENOBUFS);
				made += ret == 0;
			}
			ASSERT_EQ(zp_consume_all(e.r), 0);
		}
		EXPECT(made > 100);
		for (k = 0; k < 6; k++) {
			if (kept[k])
				EXPECT(view_good(zp_kept_view(kept[k])));
			EXPECT_EQ(zp_release(kept[k]), 0);
		}
		EXPECT_EQ(stat_of(e.rfd).preserved_handles, 0);
		ends_close(&e);
	}
}

/* More pieces than the library asks for at first. */
static void many_spans(void)
{
	struct zp_create_opts opts = { .segment_size = 4096, .capacity = 65536, .pause = ZP_NEVER };
	struct ends e = ends_open(opts);
	struct zp_kept *kept = NULL;
	struct zp_span room;
	int i, k;

	/* Each grant but the first leaves a segment early. */
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(zp_alloc(e.w, 4096, &room), 0);
		for (k = 0; k < 100; k++)
			((unsigned char *)room.data)[k] = byte_at(zp_position(e.w) + (uint64_t)k);
		ASSERT_EQ(zp_commit(e.w, 100), 0);
	}
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_preserve(e.r, 50, 900, &kept), 0);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT_EQ(zp_kept_view(kept)->nr_spans, 10);
	EXPECT(push(&e, 200000));
	EXPECT(view_good(zp_kept_view(kept)));
	EXPECT_EQ(stat_of(e.rfd).preserved_handles, 1);
	EXPECT_EQ(zp_release(kept), 0);
	ends_close(&e);
}

static void refused(void)
{
	struct ends e = ends_open(tiny);
	struct zp_buffer *b = NULL;
	struct zp_kept *kept = NULL;
	struct zp_info info = { .sz = sizeof(info) };
	int fd = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	send_bytes(&e, 100);
	EXPECT_EQ(zp_preserve(e.r, 0, 0, &kept), -EINVAL);
	EXPECT_EQ(zp_preserve(e.r, 0, 101, &kept), -EINVAL);
	EXPECT_EQ(zp_preserve(e.r, 100, 1, &kept), -EINVAL);
	EXPECT(!kept);
	EXPECT_EQ(zp_release(NULL), 0);
	EXPECT_EQ(zp_buffer_open(&b, null, NULL), -EBADF);
	EXPECT_EQ(zp_buffer_open(&b, e.rfd, NULL), -EBADF);
	EXPECT_EQ(zp_buffer_open(&b, -1, NULL), -EBADF);
	EXPECT(!b);
	zp_buffer_close(NULL);

	ASSERT_EQ(zp_preserve(e.r, 0, 100, &kept), 0);
	ASSERT_EQ(zp_export(kept, &fd), 0);
	EXPECT_EQ(zp_reader_open(&e.r, fd, NULL), -EBADF);
	EXPECT_EQ(zp_query(fd, &info), -EBADF);
	close(fd);
	EXPECT_EQ(zp_reader_complete(e.r, 0), 0);
	fd = -1;
	EXPECT_EQ(zp_export(kept, &fd), -ESTALE);
	EXPECT_EQ(fd, -1);
	EXPECT_EQ(zp_release(kept), -ESTALE);
	EXPECT_EQ(zp_preserve(e.r, 0, 1, &kept), -ESHUTDOWN);
	close(null);
	ends_close(&e);
}

/* Another process gets the fd by mail, when all else is closed. */
static void buffer_passed_on(void)
{
	struct ends e = ends_open(tiny);
	struct zp_kept *kept = NULL;
	int sock[2], fd = -1;
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	send_bytes(&e, 10000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_preserve(e.r, 3000, 6000, &kept), 0);
	ASSERT_EQ(zp_export(kept, &fd), 0);
	ASSERT_EQ(zp_release(kept), 0);
	pid = fork();
	if (!pid) {
		struct zp_buffer *b = NULL;
		int received = -1;

		zp_writer_close(e.w);
		zp_reader_close(e.r);
		close(fd);
		if (zp_recv_fd(sock[1], &received) || zp_buffer_open(&b, received, NULL))
			_exit(1);
		if (zp_buffer_fd(b) != received || zp_buffer_view(b)->start != 3000 ||
		    zp_buffer_view(b)->end != 9000 || !view_good(zp_buffer_view(b)))
			_exit(2);
		zp_buffer_close(b);
		_exit(fcntl(received, F_GETFD) < 0 ? 0 : 3);
	}
	ASSERT_EQ(zp_consume_all(e.r), 0);
	EXPECT(push(&e, 100000));
	ends_close(&e);
	ASSERT_EQ(zp_send_fd(sock[0], fd), 0);
	close(fd);
	EXPECT_EQ(join(pid), 0);
	close(sock[0]);
	close(sock[1]);
}

static void buffer_keeps_the_fd(void)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .flags = ZP_KEEP_FD };
	struct ends e = ends_open(tiny);
	struct zp_kept *kept = NULL;
	struct zp_buffer *b = NULL;
	char text[100];
	int fd = -1;

	send_bytes(&e, 100);
	ASSERT_EQ(zp_preserve(e.r, 10, 50, &kept), 0);
	ASSERT_EQ(zp_export(kept, &fd), 0);
	EXPECT_EQ(zp_release(kept), 0);
	ends_close(&e);
	ASSERT_EQ(zp_buffer_open(&b, fd, &opts), 0);
	EXPECT(view_good(zp_buffer_view(b)));
	zp_buffer_close(b);
	EXPECT_EQ(read(fd, text, sizeof(text)), 50);
	EXPECT_EQ((unsigned char)text[0], byte_at(10));
	opts.flags = 1U << 20;
	EXPECT_EQ(zp_buffer_open(&b, fd, &opts), -EINVAL);
	close(fd);
}

static const struct tap_test tests[] = {
	{ "preserve.bytes_stay_in_place", stays },
	{ "preserve.streams_go_on_in_spare_segments", stream_in_spare_segments },
	{ "preserve.a_range_of_many_spans", many_spans },
	{ "preserve.refused_calls", refused },
	{ "buffer.another_process_maps_it", buffer_passed_on },
	{ "buffer.the_fd_may_be_kept", buffer_keeps_the_fd },
};

VM_MAIN(tests)
