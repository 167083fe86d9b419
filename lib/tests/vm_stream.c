// SPDX-License-Identifier: MIT
/*
 * vm_stream - two processes stream, in pipes of many shapes and in event loops
 *
 * A watchdog ends the program if anything sleeps for ever: it is the test of
 * lost wake-ups.
 */
#include <sys/epoll.h>

#include "stream.h"

static void stream(const struct stream *s)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = s->spin };
	struct zp_create_opts create = s->opts;
	struct zp_reader *r;
	struct zp_stat stat;
	int wfd = -1, rfd = -1;
	pid_t pid;

	create.sz = sizeof(create);
	ASSERT_EQ(zp_create(&create, &wfd, &rfd), 0);
	pid = fork();
	if (pid == 0) {
		close(rfd);
		alarm(WATCHDOG);
		_exit(produce(wfd, s));
	}
	close(wfd);
	ASSERT_EQ(zp_reader_open(&r, rfd, &opts), 0);
	alarm(WATCHDOG);
	EXPECT_EQ(consume(r, s), 0);
	alarm(0);
	stat = stat_of(rfd);
	EXPECT_EQ(stat.rejects, 0);
	EXPECT_EQ(stat.copied_write + stat.copied_read, 0);
	zp_reader_close(r);
	EXPECT_EQ(join(pid), 0);
}

#define STREAMS(fn, ...) \
	static void fn(void) \
	{ \
		stream(&(struct stream){ __VA_ARGS__ }); \
	}

STREAMS(s_default, .total = 40 << 20, .message = 60000)
STREAMS(s_small, .total = 4 << 20, .message = 200)
STREAMS(s_small_no_spin, .total = 1 << 20, .message = 200, .spin = -1)
STREAMS(s_one_segment, .opts = { PAGES(1) }, .total = 1 << 20, .message = 3000, .spin = -1)
STREAMS(s_two_segments, .opts = { PAGES(2), .pause = ZP_NEVER },
	.total = 2 << 20, .message = 5000)
STREAMS(s_contig, .opts = { PAGES(4), .flags = ZP_CONTIG }, .total = 4 << 20, .message = 6000)
STREAMS(s_min, .opts = { PAGES(4), .pause = ZP_NEVER },
	.total = 2 << 20, .message = 300, .min = 5000)
STREAMS(s_min_over_pause, .opts = { PAGES(4), .pause = 1000, .resume = 1 },
	.total = 1 << 20, .message = 300, .min = 3000)
STREAMS(s_min_capacity, .opts = { PAGES(4), .pause = ZP_NEVER },
	.total = 1 << 20, .message = 4096, .min = 16384, .spin = -1)
STREAMS(s_pause, .opts = { PAGES(8), .pause = 4096, .resume = 2048 },
	.total = 4 << 20, .message = 1000, .spin = -1)
STREAMS(s_pause_one, .opts = { PAGES(8), .pause = 1, .resume = 1 },
	.total = 1 << 20, .message = 1000)
STREAMS(s_keep, .opts = { PAGES(4) }, .total = 1 << 20, .message = 500, .keep = true)
STREAMS(s_copying, .opts = { PAGES(4) }, .total = 4 << 20, .message = 100000, .copying = true)
STREAMS(s_batch, .total = 8 << 20, .message = 500, .batch = true)

/* ---- event loops: try until EAGAIN, then poll ---- */

static void event_loop(uint32_t mode)
{
	struct zp_create_opts opts = { .sz = sizeof(opts), PAGES(4), .pause = 9000 };
	struct epoll_event ev = { .events = EPOLLOUT | mode };
	uint64_t total = 2 << 20;
	struct zp_writer *w;
	struct zp_reader *r;
	int wfd = -1, rfd = -1, ep, ret;
	pid_t pid;

	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	pid = fork();
	ep = epoll_create1(0);
	alarm(WATCHDOG);
	if (pid == 0) {
		bool paused = false;

		close(rfd);
		if (zp_writer_open(&w, wfd, NULL) || epoll_ctl(ep, EPOLL_CTL_ADD, wfd, &ev))
			_exit(1);
		while (zp_position(w) < total) {
			size_t n = 1 + (size_t)zp_position(w) % 3000;

			if (paused)
				ret = zp_flush_flags(w, ZP_NOWAIT, 0);
			else
				ret = zp_try_alloc(w, n, &room);
			if (ret == -EAGAIN) {
				if (epoll_wait(ep, &ev, 1, -1) != 1)
					_exit(2);
				continue;
			}
			if (ret)
				_exit(3);
			if (paused) {
				paused = false;
				continue;
			}
			if (n > total - zp_position(w))
				n = (size_t)(total - zp_position(w));
			if (put(w, n))
				_exit(4);
			ret = zp_flush_flags(w, ZP_NOWAIT, 0);
			if (ret && ret != -EAGAIN)
				_exit(5);
			paused = ret == -EAGAIN;
		}
		_exit(zp_writer_complete(w, 0, 0) ? 6 : 0);
	}
	close(wfd);
	ev.events = EPOLLIN | mode;
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	ASSERT_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, rfd, &ev), 0);
	for (;;) {
		uint64_t len;

		ret = zp_try_read(r, &view);
		if (ret == -EAGAIN) {
			ASSERT_EQ(epoll_wait(ep, &ev, 1, -1), 1);
			continue;
		}
		ASSERT_EQ(ret, 0);
		ASSERT(view_good(&view));
		len = zp_view_len(&view);
		if (!len && view.flags & ZP_COMPLETED)
			break;
		ASSERT_EQ(zp_advance(r, view.start + (len + 1) / 2, view.end), 0);
	}
	alarm(0);
	EXPECT_EQ(zp_consumed(r), total);
	EXPECT_EQ(join(pid), 0);
	zp_reader_close(r);
	close(ep);
}

static void level(void)
{
	event_loop(0);
}

static void edge(void)
{
	event_loop(EPOLLET);
}

/* Two processes play ball: each message waits for the one before. */
static void ping_pong(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts) };
	int there[2] = { -1, -1 }, back[2] = { -1, -1 }, i, spin;

	for (spin = -1; spin <= 1; spin += 2) {
		struct zp_open_opts open = { .sz = sizeof(open), .spin = spin * 1000 };
		struct zp_writer *w;
		struct zp_reader *r;
		pid_t pid;

		ASSERT_EQ(zp_create(&opts, &there[1], &there[0]), 0);
		ASSERT_EQ(zp_create(&opts, &back[1], &back[0]), 0);
		alarm(WATCHDOG);
		pid = fork();
		if (pid == 0) {
			if (zp_reader_open(&r, there[0], &open) ||
			    zp_writer_open(&w, back[1], &open))
				_exit(1);
			for (i = 0; i < 5000; i++) {
				if (zp_read(r, &view) || zp_consume(r, 8) || put(w, 8) ||
				    zp_flush(w))
					_exit(2);
			}
			_exit(0);
		}
		ASSERT_EQ(zp_writer_open(&w, there[1], &open), 0);
		ASSERT_EQ(zp_reader_open(&r, back[0], &open), 0);
		for (i = 0; i < 5000; i++) {
			ASSERT_EQ(put(w, 8), 0);
			ASSERT_EQ(zp_flush(w), 0);
			ASSERT_EQ(zp_read(r, &view), 0);
			EXPECT(view_good(&view));
			ASSERT_EQ(zp_consume(r, 8), 0);
		}
		alarm(0);
		EXPECT_EQ(join(pid), 0);
		zp_writer_close(w);
		zp_reader_close(r);
		close(there[0]);
		close(back[1]);
	}
}

static const struct tap_test tests[] = {
	{ "stream.default_pipe", s_default },
	{ "stream.small_messages", s_small },
	{ "stream.small_messages_never_spinning", s_small_no_spin },
	{ "stream.one_segment", s_one_segment },
	{ "stream.two_segments", s_two_segments },
	{ "stream.contiguous", s_contig },
	{ "stream.with_a_minimum", s_min },
	{ "stream.with_a_minimum_above_the_pause", s_min_over_pause },
	{ "stream.with_the_capacity_as_minimum", s_min_capacity },
	{ "stream.paused_and_resumed", s_pause },
	{ "stream.paused_at_every_byte", s_pause_one },
	{ "stream.reader_keeps_bytes", s_keep },
	{ "stream.copying_more_than_fits", s_copying },
	{ "stream.many_messages_per_flush", s_batch },
	{ "stream.ping_pong", ping_pong },
	{ "epoll.level_triggered", level },
	{ "epoll.edge_triggered", edge },
};

VM_MAIN(tests)
