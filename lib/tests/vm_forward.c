// SPDX-License-Identifier: MIT
/*
 * vm_forward - pools and zp_forward(), against the module
 */
#include <fcntl.h>
#include <stdint.h>

#include "vm.h"

#define CAPACITY	(16 * 4096U)

struct link {
	struct ends from;
	struct ends to;
	int pool;
};

static struct link open_link(bool shared)
{
	struct zp_pool_opts pool = { .sz = sizeof(pool), .segment_size = 4096, .segments = 64 };
	struct zp_create_opts opts = { .capacity = CAPACITY, .pause = ZP_NEVER };
	struct link l = { .pool = -1 };

	if (shared)
		EXPECT_EQ(zp_pool_create(&pool, &l.pool), 0);
	else
		opts.segment_size = 4096;
	opts.pool_fd = shared ? l.pool : 0;
	l.from = ends_open(opts);
	l.to = ends_open(opts);
	return l;
}

static void close_link(struct link *l)
{
	ends_close(&l->from);
	ends_close(&l->to);
	if (l->pool >= 0)
		close(l->pool);
}

static void fill(struct zp_writer *w, size_t n)
{
	EXPECT_EQ(put(w, n), 0);
	EXPECT(zp_flush(w) >= 0);
}

static void pool_and_its_pipes(void)
{
	struct link l = open_link(true);
	struct zp_pool_stat stat = { .sz = sizeof(stat) };
	struct zp_info info = { .sz = sizeof(info) };

	EXPECT_EQ(zp_pool_stat(l.pool, &stat), 0);
	EXPECT_EQ(stat.segments, 64);
	EXPECT_EQ(stat.pipes, 2);
	EXPECT_EQ(stat.committed, 2);
	EXPECT_EQ(stat.idle, 2);
	EXPECT_EQ(zp_query(l.from.wfd, &info), 0);
	EXPECT_EQ(info.window, 64 * 4096);
	EXPECT_EQ(info.capacity, CAPACITY);
	close_link(&l);
}

static void pool_refused(void)
{
	struct zp_pool_opts opts = { .sz = sizeof(opts), .segment_size = 12345 };
	struct zp_create_opts create = { .sz = sizeof(create) };
	struct zp_pool_stat stat = { .sz = sizeof(stat) };
	int fd = -1, other = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(zp_pool_create(&opts, &fd), -EINVAL);
	opts.segment_size = 0;
	opts.idle = 17;
	EXPECT_EQ(zp_pool_create(&opts, &fd), -EINVAL);
	opts.device = "/dev/null";
	EXPECT_EQ(zp_pool_create(&opts, &fd), -ENOTTY);
	EXPECT_EQ(fd, -1);
	EXPECT_EQ(zp_pool_stat(null, &stat), -EBADF);
	create.pool_fd = null;
	EXPECT_EQ(zp_create(&create, &fd, &other), -EBADF);
	create.pool_fd = 0;
	EXPECT_EQ(zp_create(&create, &fd, &other), 0);
	EXPECT_EQ(zp_pool_stat(fd, &stat), -EBADF);
	close(fd);
	close(other);
	EXPECT_EQ(zp_pool_create(NULL, &fd), 0);
	close(fd);
	close(null);
}

static void moves(bool shared)
{
	struct link l = open_link(shared);
	struct zp_view view;
	size_t done = 99;

	fill(l.from.w, 10000);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, 0, 0, &done), -EPROTO);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	/* nothing is nothing, and the view goes on */
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 0, 0, 0, &done), 0);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(zp_unflushed(l.to.w), 0);
	ASSERT_EQ(zp_forward(l.to.w, l.from.r, 4000, 0, 0, &done), 0);
	EXPECT_EQ(done, 4000);
	EXPECT_EQ(zp_consumed(l.from.r), 4000);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, 0, 0, &done), -EPROTO);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	EXPECT_EQ(view.start, 4000);
	ASSERT_EQ(zp_forward(l.to.w, l.from.r, SIZE_MAX, 0, 0, &done), 0);
	EXPECT_EQ(done, 6000);
	EXPECT_EQ(zp_unflushed(l.to.w), 10000);
	EXPECT(zp_flush(l.to.w) >= 0);
	ASSERT_EQ(zp_read(l.to.r, &view), 0);
	EXPECT_EQ(view.end, 10000);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_consume_all(l.to.r), 0);
	EXPECT_EQ(stat_of(l.to.wfd).forwarded, 10000);
	EXPECT_EQ(stat_of(l.to.wfd).copied_write + stat_of(l.to.wfd).copied_read, 0);
	close_link(&l);
}

static void moves_in_a_pool(void)
{
	moves(true);
}

static void moves_across_pools(void)
{
	moves(false);
}

static void is_cut_to_half_the_capacity_and_waits(void)
{
	struct link l = open_link(true);
	struct zp_view view;
	size_t done;
	int i;

	fill(l.from.w, CAPACITY);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(zp_read(l.from.r, &view), 0);
		EXPECT_EQ(zp_forward(l.to.w, l.from.r, CAPACITY, ZP_NOWAIT, 0, &done), 0);
		EXPECT_EQ(done, CAPACITY / 2);
	}
	fill(l.from.w, 100);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, 0, 0, &done), -ENOBUFS);
	EXPECT(zp_flush(l.to.w) >= 0);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, ZP_NOWAIT, 0, &done), -EAGAIN);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, 0, zp_deadline(20 * MS), &done), -ETIMEDOUT);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 1, 8, 0, &done), -EOPNOTSUPP);
	EXPECT_EQ(done, 0);
	ASSERT_EQ(zp_read(l.to.r, &view), 0);
	EXPECT(view_good(&view));
	EXPECT_EQ(zp_consume_all(l.to.r), 0);
	EXPECT_EQ(zp_forward(l.to.w, l.from.r, 100, 0, 0, &done), 0);
	EXPECT_EQ(done, 100);
	close_link(&l);
}

static void writes_after_it_get_memory_of_their_own(void)
{
	struct link l = open_link(true);
	struct zp_view view;
	size_t done;

	fill(l.from.w, 300);
	ASSERT_EQ(put(l.to.w, 100), 0);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	ASSERT_EQ(zp_consume(l.from.r, 100), 0);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	ASSERT_EQ(zp_forward(l.to.w, l.from.r, 200, 0, 0, &done), 0);
	ASSERT_EQ(put(l.to.w, 50), 0);
	/* back into what was forwarded, and on from there */
	ASSERT_EQ(zp_rollback(l.to.w, 250), 0);
	ASSERT_EQ(put(l.to.w, 50), 0);
	EXPECT(zp_flush(l.to.w) >= 0);
	ASSERT_EQ(zp_read(l.to.r, &view), 0);
	EXPECT_EQ(view.end, 300);
	EXPECT(view_good(&view));
	close_link(&l);
}

/* Bytes 3000 to 8999, each at its own position again, behind 3000 that are put there. */
static void buffer_goes_on(bool shared)
{
	struct link l = open_link(shared);
	struct zp_kept *kept = NULL;
	struct zp_buffer *b = NULL;
	struct zp_view view;
	size_t done = 99;
	int fd = -1;

	fill(l.from.w, 10000);
	ASSERT_EQ(zp_read(l.from.r, &view), 0);
	ASSERT_EQ(zp_preserve(l.from.r, 2000, 7000, &kept), 0);
	ASSERT_EQ(zp_export(kept, &fd), 0);
	ASSERT_EQ(zp_release(kept), 0);
	ASSERT_EQ(zp_buffer_open(&b, fd, NULL), 0);
	ends_close(&l.from);
	l.from.w = NULL;
	l.from.r = NULL;
	ASSERT_EQ(put(l.to.w, 3000), 0);
	EXPECT_EQ(zp_forward_buffer(l.to.w, b, 7001, 1, 0, 0, &done), -EINVAL);
	EXPECT_EQ(zp_forward_buffer(l.to.w, b, 0, 1, 8, 0, &done), -EOPNOTSUPP);
	EXPECT_EQ(zp_forward_buffer(l.to.w, b, 7000, 1, 0, 0, &done), 0);
	EXPECT_EQ(done, 0);
	ASSERT_EQ(zp_forward_buffer(l.to.w, b, 1000, 1500, 0, 0, &done), 0);
	EXPECT_EQ(done, 1500);
	ASSERT_EQ(zp_forward_buffer(l.to.w, b, 2500, SIZE_MAX, ZP_NOWAIT, 0, &done), 0);
	EXPECT_EQ(done, 4500);
	zp_buffer_close(b);
	EXPECT(zp_flush(l.to.w) >= 0);
	ASSERT_EQ(zp_read(l.to.r, &view), 0);
	EXPECT_EQ(view.end, 9000);
	EXPECT(view_good(&view));
	EXPECT_EQ(stat_of(l.to.wfd).forwarded, 6000);
	close_link(&l);
}

static void buffer_goes_on_in_a_pool(void)
{
	buffer_goes_on(true);
}

static void buffer_goes_on_across_pools(void)
{
	buffer_goes_on(false);
}

static const struct tap_test tests[] = {
	{ "forward.pool_and_its_pipes", pool_and_its_pipes },
	{ "forward.pool_refused", pool_refused },
	{ "forward.moves_in_a_pool", moves_in_a_pool },
	{ "forward.moves_across_pools", moves_across_pools },
	{ "forward.is_cut_to_half_the_capacity_and_waits",
	  is_cut_to_half_the_capacity_and_waits },
	{ "forward.buffer_goes_on_in_a_pool", buffer_goes_on_in_a_pool },
	{ "forward.buffer_goes_on_across_pools", buffer_goes_on_across_pools },
	{ "forward.writes_after_it_get_memory_of_their_own",
	  writes_after_it_get_memory_of_their_own },
};

VM_MAIN(tests)
