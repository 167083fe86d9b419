// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool - pipes that share one: geometry, quotas, reserves, and waiting for one another's memory
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

/* Arguments of CREATE in a pool. */
#define IN_POOL(_pool, _capacity, ...)							\
	(&(struct zpipe_create_args){ .pool_fd = (_pool), .capacity = (_capacity), ##__VA_ARGS__ })

/* Eight segments of a page; two pipes that may each hold six of them. */
FIXTURE(pool)
{
	int fd;
	struct zt_pipe a;
	struct zt_pipe b;
	struct zpipe_alloc_args grant;
	struct zt_bg writer;
};

FIXTURE_SETUP(pool)
{
	self->fd = zt_pool(ZT_PAGE, 8, ZPIPE_POOL_IDLE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, zt_pipe_open(&self->a, IN_POOL(self->fd, 6 * ZT_PAGE)));
	ASSERT_EQ(0, zt_pipe_open(&self->b, IN_POOL(self->fd, 6 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(pool)
{
	zt_pipe_close(&self->a);
	zt_pipe_close(&self->b);
	close(self->fd);
}

/* Consume by the shared words alone, as a mapped reader does. */
static void take_silently(struct zt_end *r, __u64 position)
{
	zt_store_examined(r, position);
	zt_store_consumed(r, position);
	zt_mb();
}

/* As the library does: call only when the word says so. */
static void take_as_told(struct zt_end *r, __u64 position)
{
	struct zpipe_advance_args args = { .flags = ZPIPE_ADVANCE_F_SHARED };

	take_silently(r, position);
	if (position >= zt_wake_examined(r) || position >= zt_wake_consumed(r))
		zt_ioctl(r->fd, ZPIPE_IOC_ADVANCE, &args);
}

static void alloc_in_background(FIXTURE_DATA(pool) *self, struct zt_end *w, __u64 position,
				__u64 min)
{
	self->grant = (struct zpipe_alloc_args){ .position = position, .min = min };
	zt_bg_start(&self->writer, w->fd, ZPIPE_IOC_ALLOC, &self->grant);
}

static bool somebody_waits(void *arg)
{
	return zt_pool_stat(*(int *)arg).out_waiting > 0;
}

TEST(pool_has_defaults)
{
	int pool = zt_pool(0, 0, ZPIPE_POOL_IDLE);
	struct zpipe_info_args info;

	ASSERT_LE(0, pool);
	ASSERT_EQ(0, zt_info(pool, &info));
	EXPECT_EQ(ZPIPE_ROLE_POOL, info.out_role);
	EXPECT_EQ(ZPIPE_MAGIC, info.out_magic);
	EXPECT_NE(0, info.out_features & ZPIPE_FEAT_POOL);
	EXPECT_EQ(65536, info.out_segment_size);
	EXPECT_EQ(16, info.out_nr_segments);
	EXPECT_EQ(1 << 20, info.out_window);
	EXPECT_EQ(0, info.out_state.size);
	EXPECT_EQ(2, zt_pool_stat(pool).out_idle);
	EXPECT_EQ(FD_CLOEXEC, fcntl(pool, F_GETFD));
	close(pool);
}

TEST(pool_geometry_is_checked)
{
	int pool, fds = zt_open_fds();

	EXPECT_EQ(-EINVAL, zt_pool(3 * ZT_PAGE, 4, 0));
	EXPECT_EQ(-EINVAL, zt_pool(4 << 20, 4, 0));
	EXPECT_EQ(-EINVAL, zt_pool(ZT_PAGE, 4097, 0));
	EXPECT_EQ(-EINVAL, zt_pool(ZT_PAGE, 4, 5));
	EXPECT_EQ(-EINVAL, zt_pool(2 << 20, 4096, 0));
	EXPECT_EQ(fds, zt_open_fds());
	pool = zt_pool(1, 1, 1);
	ASSERT_LE(0, pool);
	EXPECT_EQ(1, zt_pool_stat(pool).out_segments);
	close(pool);
	pool = zt_pool(ZT_PAGE, 4096, 0);
	ASSERT_LE(0, pool);
	EXPECT_EQ(4096, zt_pool_stat(pool).out_free);
	close(pool);
}

TEST_F(pool, verbs_of_a_pipe_ebadf)
{
	struct zpipe_alloc_args alloc = { 0 };
	struct zpipe_create_args create = { .pool_fd = -1 };
	char byte;

	EXPECT_EQ(-EBADF, zt_ioctl(self->fd, ZPIPE_IOC_ALLOC, &alloc));
	EXPECT_EQ(-EBADF, zt_ioctl(self->fd, ZPIPE_IOC_CREATE, &create));
	EXPECT_EQ(-1, ioctl(self->fd, _IO('z', 0x70), 0));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->fd, 0));
}

TEST_F(pool, pipe_in_it_is_checked)
{
	int fds = zt_open_fds();
	struct zpipe_pool_stat_args before = zt_pool_stat(self->fd), after;

	EXPECT_EQ(-EBADF, zt_create(IN_POOL(self->a.w.fd, 0)));
	EXPECT_EQ(-EBADF, zt_create(IN_POOL(0, 0)));
	EXPECT_EQ(-EINVAL, zt_create(IN_POOL(self->fd, 9 * ZT_PAGE)));
	EXPECT_EQ(-EINVAL, zt_create(IN_POOL(self->fd, 0, .segment_size = 2 * ZT_PAGE)));
	EXPECT_EQ(-EINVAL, zt_create(IN_POOL(self->fd, 0, .flags = ZPIPE_F_CONTIG)));
	EXPECT_EQ(-EINVAL, zt_create(IN_POOL(self->fd, 0, .flags = ZPIPE_F_GUARDED)));
	EXPECT_EQ(-EINVAL, zt_create(IN_POOL(self->fd, 0, .pause = 1, .resume = 2)));
	EXPECT_EQ(fds, zt_open_fds());
	after = zt_pool_stat(self->fd);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

TEST_F(pool, pipe_has_the_pools_window_and_its_own_capacity)
{
	struct zt_pipe p;

	EXPECT_EQ(8 * ZT_PAGE, self->a.w.info.out_window);
	EXPECT_EQ(8, self->a.w.info.out_nr_segments);
	EXPECT_EQ(6 * ZT_PAGE, self->a.w.info.out_capacity);
	ASSERT_EQ(0, zt_pipe_open(&p, IN_POOL(self->fd, 1, .pause = ZPIPE_DEFAULT,
					      .resume = ZPIPE_DEFAULT, .segment_size = ZT_PAGE)));
	EXPECT_EQ(ZT_PAGE, p.w.info.out_capacity);
	EXPECT_EQ(ZT_PAGE / 4 * 3, p.w.info.out_pause);
	zt_pipe_close(&p);
	ASSERT_EQ(0, zt_pipe_open(&p, IN_POOL(self->fd, 0)));
	EXPECT_EQ(8 * ZT_PAGE, p.w.info.out_capacity);
	EXPECT_EQ(3, zt_pool_stat(self->fd).out_pipes);
	zt_pipe_close(&p);
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_pipes);
}

TEST_F(pool, more_than_the_capacity_emsgsize)
{
	struct zt_view view;

	EXPECT_EQ(-EMSGSIZE, zt_alloc(&self->a.w, 0, 6 * ZT_PAGE + 1, 0, &self->grant));
	EXPECT_EQ(-EMSGSIZE, zt_read(&self->a.r, 6 * ZT_PAGE + 1, 0, &view));
	EXPECT_EQ(0, zt_alloc(&self->a.w, 0, 6 * ZT_PAGE, 0, &self->grant));
}

TEST_F(pool, want_is_cut_to_what_the_others_leave)
{
	ASSERT_EQ(0, zt_alloc(&self->a.w, 0, 1, 100 * ZT_PAGE, &self->grant));
	EXPECT_EQ(6 * ZT_PAGE, self->grant.out_length);
	ASSERT_EQ(0, zt_alloc(&self->b.w, 0, 1, 100 * ZT_PAGE, &self->grant));
	EXPECT_EQ(2 * ZT_PAGE, self->grant.out_length);
}

/* Capacity is what one pipe can take, although the pool has more. */
TEST_F(pool, pipe_at_its_capacity_waits_for_its_own_reader)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_free);
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->a.w, 6 * ZT_PAGE, 1, 1, &self->grant));
	EXPECT_EQ(ZT_PAGE, zt_wake_consumed(&self->a.r));
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
	ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE));
	EXPECT_EQ(0, zt_alloc(&self->a.w, 6 * ZT_PAGE, 1, 1, &self->grant));
}

TEST_F(pool, own_unpublished_bytes_up_to_the_capacity_enobufs)
{
	ASSERT_EQ(0, zt_alloc(&self->a.w, 0, 6 * ZT_PAGE, 0, &self->grant));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->a.w, 6 * ZT_PAGE, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_put(&self->b.w, ZT_PAGE));
	EXPECT_EQ(-ENOBUFS, zt_alloc(&self->a.w, 6 * ZT_PAGE, 1, 1, &self->grant));
}

/* A third one with nothing: its segment is there although the two take all they can get. */
TEST_F(pool, greedy_pipes_leave_the_others_their_reserve)
{
	struct zt_pipe c;
	int i;

	ASSERT_EQ(0, zt_pipe_open(&c, IN_POOL(self->fd, 0)));
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->b.w, ZT_PAGE, 1, 1, &self->grant));
	EXPECT_EQ(1, zt_pool_stat(self->fd).out_free);
	EXPECT_EQ(8, zt_pool_stat(self->fd).out_committed);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, zt_put(&c.w, ZT_PAGE));
		EXPECT_EQ(-EAGAIN, zt_alloc(&c.w, (i + 1) * ZT_PAGE, 1, 1, &self->grant));
		ASSERT_EQ(0, zt_take(&c.r, ZT_PAGE));
	}
	zt_pipe_close(&c);
	EXPECT_EQ(0, zt_alloc(&self->b.w, ZT_PAGE, 1, 1, &self->grant));
}

TEST_F(pool, create_without_a_segment_to_reserve_enobufs)
{
	struct zpipe_create_args args[8];
	int fds = zt_open_fds(), i;

	for (i = 0; i < 6; i++) {
		args[i] = *IN_POOL(self->fd, 0);
		ASSERT_EQ(0, zt_create(&args[i]));
	}
	EXPECT_EQ(-ENOBUFS, zt_create(IN_POOL(self->fd, 0)));
	EXPECT_EQ(8, zt_pool_stat(self->fd).out_pipes);
	close(args[0].out_writer_fd);
	EXPECT_EQ(-ENOBUFS, zt_create(IN_POOL(self->fd, 0)));
	close(args[0].out_reader_fd);
	args[0] = *IN_POOL(self->fd, 0);
	EXPECT_EQ(0, zt_create(&args[0]));
	for (i = 0; i < 6; i++) {
		close(args[i].out_writer_fd);
		close(args[i].out_reader_fd);
	}
	EXPECT_EQ(fds, zt_open_fds());
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_pipes);
}

TEST_F(pool, two_streams_do_not_mix)
{
	__u64 seed = zt_seed();
	int i;

	for (i = 0; i < 2000; i++) {
		struct zt_pipe *p = zt_random(&seed) % 2 ? &self->a : &self->b;
		__u64 len = 1 + zt_random(&seed) % (2 * ZT_PAGE);

		if (zt_random(&seed) % 2) {
			int ret = zt_put(&p->w, len);

			ASSERT_TRUE(ret == 0 || ret == -EAGAIN || ret == -ENOBUFS);
		} else {
			__u64 held = zt_published(&p->w) - zt_consumed(&p->r);

			if (held)
				ASSERT_EQ(0, zt_take(&p->r, len < held ? len : held));
		}
	}
}

/* R10: memory that an idle pipe's reader gave back long ago, and nobody reclaimed. */
TEST_F(pool, memory_consumed_in_an_idle_pipe_is_found)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->b.w, ZT_PAGE));
	take_silently(&self->a.r, 6 * ZT_PAGE);
	EXPECT_EQ(1, zt_pool_stat(self->fd).out_free);
	EXPECT_EQ(0, zt_alloc(&self->b.w, ZT_PAGE, 5 * ZT_PAGE, 0, &self->grant));
	EXPECT_EQ(5 * ZT_PAGE, self->grant.out_length);
}

/* R10: the reader of another pipe is told to call, although its own writer does not wait. */
TEST_F(pool, writer_wakes_when_another_pipes_reader_advances)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	EXPECT_TRUE(zt_bg_sleeps(&self->writer));
	EXPECT_EQ(ZT_PAGE, zt_wake_consumed(&self->a.r));
	take_as_told(&self->a.r, ZT_PAGE - 1);
	EXPECT_TRUE(zt_bg_sleeps(&self->writer));
	take_as_told(&self->a.r, ZT_PAGE);
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
}

TEST_F(pool, writer_wakes_when_its_own_reader_advances)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	take_as_told(&self->b.r, ZT_PAGE);
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
}

/* The other pipe leaves its segment early: the boundary it was armed at is gone. */
TEST_F(pool, writer_wakes_when_another_pipe_opens_a_descriptor_early)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_put_pages(&self->a.w, 4 * ZT_PAGE));
	ASSERT_EQ(0, zt_alloc(&self->b.w, 0, 3 * ZT_PAGE, 0, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->b.w, &grant, 10));
	ASSERT_EQ(0, zt_flush(&self->b.w, 10, 0, NULL));
	alloc_in_background(self, &self->a.w, 4 * ZT_PAGE, 2 * ZT_PAGE);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	EXPECT_EQ(ZT_PAGE, zt_wake_consumed(&self->b.r));
	/* It leaves two unused segments and takes these and the last free one. */
	ASSERT_EQ(0, zt_alloc(&self->b.w, 10, 3 * ZT_PAGE, 0, &grant));
	EXPECT_EQ(10, zt_wake_consumed(&self->b.r));
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_free);
	take_as_told(&self->b.r, 10);
	EXPECT_EQ(1, zt_pool_stat(self->fd).out_free);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	take_as_told(&self->a.r, 4 * ZT_PAGE);
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

TEST_F(pool, writer_wakes_when_another_pipe_is_closed)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	zt_pipe_close(&self->a);
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	ASSERT_EQ(0, zt_pipe_open(&self->a, IN_POOL(self->fd, ZT_PAGE)));
}

TEST_F(pool, writer_wakes_when_another_pipe_is_over)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_alloc(&self->a.w, 0, 6 * ZT_PAGE, 0, &grant));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	ASSERT_EQ(0, zt_alloc(&self->a.w, 0, 0, 0, &grant));
	EXPECT_TRUE(zt_bg_sleeps(&self->writer));
	ASSERT_EQ(0, zt_complete(&self->a.w, EIO, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->a.r, 0, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

TEST_F(pool, waiting_alloc_can_be_canceled_and_forgotten)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	ASSERT_EQ(0, zt_cancel(&self->b.w, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->grant.out_flags);
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
	self->grant = (struct zpipe_alloc_args){ .position = 2 * ZT_PAGE,
						 .deadline = zt_deadline(20) };
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->b.w.fd, ZPIPE_IOC_ALLOC, &self->grant));
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
}

/* R10: a stage reads a and writes b; a holds all there is, and b needs its reserve only. */
TEST_F(pool, stage_between_two_pipes_does_not_lock_up)
{
	__u64 at = 0;
	int i;

	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, zt_alloc(&self->b.w, at, ZT_PAGE, 0, &self->grant));
		ASSERT_EQ(0, zt_fill_grant(&self->b.w, &self->grant, ZT_PAGE));
		at += ZT_PAGE;
		ASSERT_EQ(0, zt_flush(&self->b.w, at, 0, NULL));
		ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE));
		ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->b.r, ZT_PAGE));
	}
}

TEST_F(pool, polled_writer_gets_an_edge_when_another_pipe_gives_back)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->b.w.fd, &event));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->b.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	while (epoll_wait(epoll, &event, 1, 0) > 0)
		;
	take_as_told(&self->a.r, ZT_PAGE);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, ZT_PATIENCE_MS));
	EXPECT_EQ(0, zt_alloc(&self->b.w, 2 * ZT_PAGE, 1, 1, &self->grant));
	close(epoll);
}

/* Its reader wants more than is there: it is told FULL, although others could help too. */
TEST_F(pool, starving_reader_is_told_full)
{
	struct zt_view view;

	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_put_pages(&self->b.w, 2 * ZT_PAGE));
	alloc_in_background(self, &self->b.w, 2 * ZT_PAGE, 1);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->fd));
	ASSERT_EQ(0, zt_read(&self->b.r, 3 * ZT_PAGE, 0, &view));
	EXPECT_EQ(ZPIPE_RES_FULL, view.args.out_flags);
	ASSERT_EQ(0, zt_advance(&self->b.r, ZT_PAGE, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&self->writer));
}

TEST_F(pool, pipes_go_on_without_the_pools_fd)
{
	close(self->fd);
	ASSERT_EQ(0, zt_put(&self->a.w, 100));
	ASSERT_EQ(0, zt_take(&self->a.r, 100));
	zt_pipe_close(&self->a);
	ASSERT_EQ(0, zt_put(&self->b.w, 100));
	ASSERT_EQ(0, zt_take(&self->b.r, 100));
	self->fd = zt_pool(ZT_PAGE, 8, 0);
	ASSERT_EQ(0, zt_pipe_open(&self->a, IN_POOL(self->fd, ZT_PAGE)));
}

TEST_F(pool, end_gives_back_all_but_the_idle_pages)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	EXPECT_EQ(6, zt_pool_stat(self->fd).out_pages);
	ASSERT_EQ(0, zt_complete(&self->a.r, 0, 0, 0));
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_pages);
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_idle_pages);
	EXPECT_EQ(8, zt_pool_stat(self->fd).out_free);
}

static bool only_idle_pages_left(void *arg)
{
	return zt_pool_stat(*(int *)arg).out_pages <= 2;
}

/* No call by anybody: the readers have consumed, and that is all. */
TEST_F(pool, drained_pool_keeps_the_idle_pages_only)
{
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	take_silently(&self->a.r, 6 * ZT_PAGE);
	EXPECT_TRUE(zt_eventually(only_idle_pages_left, &self->fd));
	EXPECT_EQ(2, zt_pool_stat(self->fd).out_pages);
	ASSERT_EQ(0, zt_put_pages(&self->a.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->a.r, 6 * ZT_PAGE));
}

static bool few_pages_left(void *arg)
{
	return zt_stat(arg).out_data_pages <= 2;
}

TEST(drained_private_pipe_keeps_two_segments)
{
	struct zt_pipe p;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 16 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put_pages(&p.w, 16 * ZT_PAGE));
	EXPECT_EQ(16, zt_stat(&p.w).out_data_pages);
	ASSERT_EQ(0, zt_take(&p.r, 15 * ZT_PAGE + 10));
	take_silently(&p.r, 16 * ZT_PAGE);
	EXPECT_TRUE(zt_eventually(few_pages_left, &p.w));
	zt_pipe_close(&p);
}

/* What is not consumed is nobody's to take; what is free goes, watermark or not. */
TEST(memory_pressure_takes_pages_of_free_segments)
{
	struct zpipe_pool_stat_args s;
	struct zpipe_alloc_args grant;
	struct zt_pipe p;
	int pool = zt_pool(ZT_PAGE, 8, 8);

	ASSERT_LE(0, pool);
	ASSERT_EQ(0, zt_pipe_open(&p, IN_POOL(pool, 0)));
	ASSERT_EQ(0, zt_put_pages(&p.w, 6 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&p.r, 4 * ZT_PAGE));
	ASSERT_EQ(0, zt_alloc(&p.w, 6 * ZT_PAGE, 1, 1, &grant));
	ASSERT_EQ(0, zt_fill_grant(&p.w, &grant, 100));
	EXPECT_EQ(6, zt_pool_stat(pool).out_pages);
	EXPECT_EQ(3, zt_pool_stat(pool).out_idle_pages);
	ASSERT_EQ(0, zt_write_text("/proc/sys/vm/drop_caches", "2"));
	s = zt_pool_stat(pool);
	EXPECT_EQ(3, s.out_pages);
	EXPECT_EQ(0, s.out_idle_pages);
	EXPECT_EQ(3, s.out_shrunk_pages);
	ASSERT_EQ(0, zt_flush(&p.w, 6 * ZT_PAGE + 100, 0, NULL));
	ASSERT_EQ(0, zt_take(&p.r, 2 * ZT_PAGE + 100));
	ASSERT_EQ(0, zt_put_pages(&p.w, 5 * ZT_PAGE));
	EXPECT_EQ(0, zt_take(&p.r, 5 * ZT_PAGE));
	zt_pipe_close(&p);
	close(pool);
}

struct stream {
	struct zt_pipe *p;
	__u64 bytes;
};

static void *produce(void *arg)
{
	struct stream *s = arg;
	struct zpipe_alloc_args grant;
	__u64 at = 0, len;

	while (at < s->bytes) {
		grant = (struct zpipe_alloc_args){ .position = at, .min = 1, .want = 3 * ZT_PAGE };
		if (zt_ioctl(s->p->w.fd, ZPIPE_IOC_ALLOC, &grant))
			zt_die("alloc");
		len = grant.out_length;
		if (len > s->bytes - at)
			len = s->bytes - at;
		zt_fill_grant(&s->p->w, &grant, len);
		at += len;
		if (zt_flush(&s->p->w, at, 0, NULL))
			zt_die("flush");
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct stream *s = arg;
	struct zt_view view;
	__u64 at = 0;

	while (at < s->bytes) {
		view.args = (struct zpipe_read_args){ .min = 1, .nr_spans = ZT_SPANS,
						      .spans = (uintptr_t)view.spans };
		if (zt_ioctl(s->p->r.fd, ZPIPE_IOC_READ, &view.args))
			zt_die("read");
		zt_check_view(&s->p->r, &view);
		at = view.args.out_end;
		if (zt_advance(&s->p->r, at, at))
			zt_die("advance");
	}
	return NULL;
}

/* Three pipes at once, each blocking, in a pool too small for all: nobody sleeps for ever. */
TEST_F(pool, streams_at_the_same_time_all_finish)
{
	struct zt_pipe c;
	struct stream s[3] = { { &self->a, 1 << 20 }, { &self->b, 1 << 20 }, { &c, 1 << 20 } };
	pthread_t threads[6];
	int i;

	ASSERT_EQ(0, zt_pipe_open(&c, IN_POOL(self->fd, 0)));
	for (i = 0; i < 6; i++)
		zt_spawn(&threads[i], i % 2 ? consume : produce, &s[i / 2]);
	for (i = 0; i < 6; i++)
		zt_join(threads[i]);
	EXPECT_EQ(0, zt_pool_stat(self->fd).out_waiting);
	zt_pipe_close(&c);
}

TEST_HARNESS_MAIN
