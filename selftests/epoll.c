// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll - level and edge triggers, one shot and exclusive, without a lost event
 */
#include <errno.h>
#include <sys/epoll.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(epoll)
{
	struct zt_pipe p;
	int ep;
	struct zt_view view;
};

FIXTURE_SETUP(epoll)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
	self->ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->ep);
}

FIXTURE_TEARDOWN(epoll)
{
	close(self->ep);
	zt_pipe_close(&self->p);
}

static int watch(int ep, const struct zt_end *e, __u32 events)
{
	struct epoll_event ev = { .events = events, .data.fd = e->fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, e->fd, &ev) ? -errno : 0;
}

/* The events of the one file watched; 0 when nothing comes within @ms. */
static __u32 wait_ms(int ep, int ms)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, ms) == 1 ? ev.events : 0;
}

TEST_F(epoll, level_repeats_until_the_bytes_are_examined)
{
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, 0));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
}

TEST_F(epoll, edge_comes_once_per_flush)
{
	int i;

	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLET));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 10));
		EXPECT_EQ(EPOLLIN, wait_ms(self->ep, ZT_PATIENCE_MS));
		EXPECT_EQ(0, wait_ms(self->ep, 0));
		ASSERT_EQ(0, zt_take(&self->p.r, 10));
		EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	}
}

/* The reader drained and got EAGAIN, which armed; what comes between then and now is an edge. */
TEST_F(epoll, edge_is_not_lost_after_eagain)
{
	int i;

	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLET));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
		ASSERT_EQ(0, zt_put(&self->p.w, 1));
		ASSERT_EQ(EPOLLIN, wait_ms(self->ep, ZT_PATIENCE_MS));
		ASSERT_EQ(0, zt_take(&self->p.r, 1));
	}
}

TEST_F(epoll, edge_after_eagain_is_armed_for_a_mapped_writer)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLET));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 100));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	zt_store_published(&self->p.w, 50);
	zt_mb();
	ASSERT_LE(zt_reader_wake(&self->p.w), 50);
	ASSERT_EQ(0, zt_flush(&self->p.w, 50, 0, NULL));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, ZT_PATIENCE_MS));
}

TEST_F(epoll, bytes_already_there_are_the_first_edge)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLET));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, 0));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
}

TEST_F(epoll, writer_edge_when_memory_comes_free)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &grant));
	ASSERT_EQ(0, watch(self->ep, &self->p.w, EPOLLOUT | EPOLLET));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(EPOLLOUT, wait_ms(self->ep, ZT_PATIENCE_MS));
	EXPECT_EQ(0, zt_alloc(&self->p.w, CAPACITY, 1, 1, &grant));
}

TEST_F(epoll, writer_edge_when_the_pause_ends)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	ASSERT_EQ(0, watch(self->ep, &self->p.w, EPOLLOUT | EPOLLET));
	EXPECT_EQ(EPOLLOUT, wait_ms(self->ep, 0));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(EPOLLOUT, wait_ms(self->ep, ZT_PATIENCE_MS));
}

TEST_F(epoll, hang_up_is_an_edge)
{
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLET));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, wait_ms(self->ep, ZT_PATIENCE_MS));
}

TEST_F(epoll, oneshot_is_quiet_until_armed_again)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };

	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLONESHOT));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(0, wait_ms(self->ep, 0));
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_MOD, self->p.r.fd, &ev));
	EXPECT_EQ(EPOLLIN, wait_ms(self->ep, 0));
}

TEST_F(epoll, closed_file_leaves_the_set)
{
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	zt_end_close(&self->p.r);
	EXPECT_EQ(0, wait_ms(self->ep, 0));
}

TEST_F(epoll, nested_set_sees_the_event)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int outer = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, outer);
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN));
	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, self->ep, &ev));
	EXPECT_EQ(0, wait_ms(outer, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(EPOLLIN, wait_ms(outer, ZT_PATIENCE_MS));
	close(outer);
}

/* Two sets, each exclusive: the event may wake one, but none may sleep beside bytes for ever. */
TEST_F(epoll, exclusive_sets_lose_nothing)
{
	int other = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, watch(self->ep, &self->p.r, EPOLLIN | EPOLLEXCLUSIVE));
	ASSERT_EQ(0, watch(other, &self->p.r, EPOLLIN | EPOLLEXCLUSIVE));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 1));
		EXPECT_TRUE(wait_ms(self->ep, 0) || wait_ms(other, 0));
		ASSERT_EQ(0, zt_take(&self->p.r, 1));
	}
	close(other);
}

struct ponger {
	struct zt_pipe *p;
	int rounds;
	__u64 taken;
};

static void *drain_by_edges(void *arg)
{
	struct ponger *me = arg;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0 || watch(ep, &me->p->r, EPOLLIN | EPOLLET))
		zt_die("epoll");
	for (;;) {
		struct zt_view view;
		int ret;

		while (!(ret = zt_read(&me->p->r, 1, 0, &view)) && view.args.out_nr_spans) {
			zt_check_view(&me->p->r, &view);
			me->taken = view.args.out_end;
			zt_advance(&me->p->r, me->taken, me->taken);
		}
		if (!ret)
			break;
		if (ret != -EAGAIN)
			zt_die("READ: %s", strerror(-ret));
		if (!wait_ms(ep, ZT_PATIENCE_MS))
			zt_die("an edge was lost at %llu", (unsigned long long)me->taken);
	}
	close(ep);
	return NULL;
}

TEST_F(epoll, edge_triggered_reader_drains_a_whole_stream)
{
	struct ponger me = { .p = &self->p };
	__u64 seed = zt_seed(), end = zt_long() ? 64ULL << 20 : 1ULL << 20, at;
	pthread_t thread;

	zt_spawn(&thread, drain_by_edges, &me);
	while ((at = zt_published(&self->p.w)) < end) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1,
						  .want = 1 + zt_random(&seed) % 5000 };

		ASSERT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &grant));
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, grant.out_length));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + grant.out_length, 0, NULL));
	}
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	zt_join(thread);
	EXPECT_EQ(at, me.taken);
}

TEST_HARNESS_MAIN
