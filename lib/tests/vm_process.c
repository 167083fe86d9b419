// SPDX-License-Identifier: MIT
/*
 * vm_process - two processes: what blocks, who dies, who takes over
 *
 * A watchdog ends the program if anything sleeps for ever: the suite's alarm
 * is the test of lost wake-ups.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "vm.h"

#define WATCHDOG	120

static struct zp_view view;
static struct zp_span room;

/* ---- streams ---- */

struct stream {
	const char *name;
	struct zp_create_opts opts;
	uint64_t total;
	uint32_t message;	/* longest */
	uint64_t min;		/* of the reads */
	int spin;
	bool copying;		/* the writer uses zp_write_flush() */
	bool keep;		/* the reader keeps half of what it sees */
	bool batch;		/* one flush for several messages */
};

static int produce(int fd, const struct stream *s)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = s->spin };
	static unsigned char buf[1 << 20];
	struct zp_writer *w;
	unsigned int seed = 7;
	size_t i;

	if (zp_writer_open(&w, fd, &opts))
		return 2;
	while (zp_position(w) < s->total) {
		size_t n = 1 + (size_t)rand_r(&seed) % s->message;
		int ret;

		if (n > s->total - zp_position(w))
			n = s->total - zp_position(w);
		if (s->copying) {
			for (i = 0; i < n; i++)
				buf[i] = byte_at(zp_position(w) + i);
			if (zp_write_flush(w, buf, n, NULL))
				return 3;
			continue;
		}
		ret = zp_alloc(w, n, &room);
		if (ret == -ENOBUFS) {
			if (zp_flush(w))
				return 4;
			ret = zp_alloc(w, n, &room);
		}
		if (ret)
			return 5;
		for (i = 0; i < n; i++)
			((unsigned char *)room.data)[i] = byte_at(zp_position(w) + i);
		if (zp_commit(w, n))
			return 6;
		if (s->batch && rand_r(&seed) % 8)
			continue;
		if (zp_flush(w))
			return 7;
	}
	if (zp_writer_complete(w, 0, 0))
		return 8;
	zp_writer_close(w);
	return 0;
}

static int consume(struct zp_reader *r, const struct stream *s)
{
	unsigned int seed = 9;

	for (;;) {
		uint64_t len, n;
		int ret = zp_read_min(r, s->min, &view);

		if (ret)
			return ret;
		if (!view_good(&view))
			return 100;
		len = zp_view_len(&view);
		if (!len && view.flags & ZP_COMPLETED)
			return zp_consumed(r) == s->total ? 0 : 101;
		n = len;
		if (s->keep && len > 1 && !view.flags)
			n = (uint64_t)rand_r(&seed) % len;
		ret = zp_advance(r, view.start + n, view.end);
		if (ret)
			return ret;
	}
}

static void stream(const struct stream *s)
{
	struct zp_open_opts opts = { .sz = sizeof(opts), .spin = s->spin };
	struct zp_create_opts create = s->opts;
	struct zp_reader *r;
	struct zp_stat stat;
	int wfd, rfd;
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

#define STREAM(fn, ...) \
	static void fn(void) \
	{ \
		stream(&(struct stream){ __VA_ARGS__ }); \
	}

#define PAGES(n)	.segment_size = 4096, .capacity = (n) * 4096

STREAM(s_default, .total = 40 << 20, .message = 60000)
STREAM(s_small, .total = 4 << 20, .message = 200)
STREAM(s_small_no_spin, .total = 1 << 20, .message = 200, .spin = -1)
STREAM(s_one_segment, .opts = { PAGES(1) }, .total = 1 << 20, .message = 3000, .spin = -1)
STREAM(s_two_segments, .opts = { PAGES(2), .pause = ZP_NEVER }, .total = 2 << 20, .message = 5000)
STREAM(s_contig, .opts = { PAGES(4), .flags = ZP_CONTIG }, .total = 4 << 20, .message = 6000)
STREAM(s_min, .opts = { PAGES(4), .pause = ZP_NEVER }, .total = 2 << 20, .message = 300,
	.min = 5000)
STREAM(s_min_over_pause, .opts = { PAGES(4), .pause = 1000, .resume = 1 }, .total = 1 << 20,
	.message = 300, .min = 3000)
STREAM(s_min_capacity, .opts = { PAGES(4), .pause = ZP_NEVER }, .total = 1 << 20,
	.message = 4096, .min = 16384, .spin = -1)
STREAM(s_pause, .opts = { PAGES(8), .pause = 4096, .resume = 2048 }, .total = 4 << 20,
	.message = 1000, .spin = -1)
STREAM(s_pause_one, .opts = { PAGES(8), .pause = 1, .resume = 1 }, .total = 1 << 20,
	.message = 1000)
STREAM(s_keep, .opts = { PAGES(4) }, .total = 1 << 20, .message = 500, .keep = true)
STREAM(s_copying, .opts = { PAGES(4) }, .total = 4 << 20, .message = 100000, .copying = true)
STREAM(s_batch, .total = 8 << 20, .message = 500, .batch = true)

/* ---- waiting ---- */

static void *cancel_later(void *arg)
{
	sleep_ms(50);
	zp_cancel(((int *)arg)[0], (unsigned int)((int *)arg)[1]);
	return NULL;
}

static void cancel_from_a_thread(void)
{
	struct zp_create_opts opts = { PAGES(1), .pause = 10 };
	struct ends e = ends_open(opts);
	int what[2] = { e.rfd, ZP_CANCEL_READ };
	pthread_t thread;

	alarm(WATCHDOG);
	pthread_create(&thread, NULL, cancel_later, what);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	pthread_join(thread, NULL);
	/* a read_min after part of the bytes came */
	ASSERT_EQ(put(e.w, 5), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	pthread_create(&thread, NULL, cancel_later, what);
	ASSERT_EQ(zp_read_min(e.r, 100, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(zp_view_len(&view), 5);
	pthread_join(thread, NULL);

	what[1] = ZP_CANCEL_FLUSH;
	ASSERT_EQ(put(e.w, 4091), 0);
	pthread_create(&thread, NULL, cancel_later, what);
	EXPECT_EQ(zp_flush(e.w), ZP_CANCELED);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, cancel_later, what);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -ECANCELED);
	pthread_join(thread, NULL);
	alarm(0);
	ends_close(&e);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void signals(void)
{
	struct zp_create_opts opts = { PAGES(1), .pause = ZP_NEVER };
	struct sigaction act = { .sa_handler = on_signal }, old;
	struct ends e = ends_open(opts);

	sigaction(SIGALRM, &act, &old);
	ualarm(50000, 0);
	EXPECT_EQ(zp_read(e.r, &view), -EINTR);
	EXPECT_EQ(zp_try_read(e.r, &view), -EAGAIN);
	ASSERT_EQ(put(e.w, 4096), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ualarm(50000, 0);
	EXPECT_EQ(zp_alloc(e.w, 1, &room), -EINTR);
	ualarm(50000, 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_FLUSH_WAIT_EXAMINED, 0), -EINTR);
	sigaction(SIGALRM, &old, NULL);
	ends_close(&e);
}

static void deadlines(void)
{
	struct ends e = ends_open((struct zp_create_opts){ .capacity = 0 });
	uint64_t begin = zp_deadline(0);

	EXPECT_EQ(zp_read_flags(e.r, 1, 0, zp_deadline(30 * MS), &view), -ETIMEDOUT);
	EXPECT(zp_deadline(0) - begin >= 30 * MS);
	EXPECT_EQ(zp_read_flags(e.r, 1, 0, 1, &view), -ETIMEDOUT);
	ends_close(&e);
}

static void wait_examined(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts) };
	struct zp_writer *w;
	struct zp_reader *r;
	int wfd, rfd;
	pid_t pid;

	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	pid = fork();
	if (pid == 0) {
		int bad = zp_reader_open(&r, rfd, NULL);

		alarm(WATCHDOG);
		/* WAIT_EXAMINED pushes: more than there is was asked for */
		bad = bad || zp_read_min(r, 1000, &view) || view.flags != ZP_PUSHED;
		sleep_ms(20);
		bad = bad || zp_examine_all(r);
		sleep_ms(20);
		/* all is held and examined: only the end ends this read */
		bad = bad || zp_read(r, &view) || zp_consume_all(r);
		bad = bad || zp_read(r, &view) || view.flags != ZP_COMPLETED;
		_exit(bad);
	}
	close(rfd);
	alarm(WATCHDOG);
	ASSERT_EQ(zp_writer_open(&w, wfd, NULL), 0);
	ASSERT_EQ(put(w, 100), 0);
	EXPECT_EQ(zp_flush_flags(w, ZP_FLUSH_WAIT_EXAMINED, 0), 0);
	ASSERT_EQ(put(w, 100), 0);
	EXPECT_EQ(zp_flush_flags(w, ZP_FLUSH_WAIT_CONSUMED | ZP_FLUSH_PUSH, 0), 0);
	EXPECT_EQ(stat_of(wfd).consumed, 200);
	EXPECT_EQ(zp_writer_complete(w, 0, 0), 0);
	alarm(0);
	EXPECT_EQ(join(pid), 0);
	zp_writer_close(w);
}

/* ---- dying and taking over ---- */

static void writer_is_killed(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts) };
	struct zp_writer *w;
	struct zp_reader *r;
	uint64_t total = 0;
	int wfd, rfd, ret;
	pid_t pid;

	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	pid = fork();
	if (pid == 0) {
		close(rfd);
		if (zp_writer_open(&w, wfd, NULL))
			_exit(1);
		for (;;) {
			put(w, 1000);
			zp_flush(w);
			put(w, 50);	/* never flushed when the end comes */
		}
	}
	close(wfd);
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	alarm(WATCHDOG);
	while ((ret = zp_read(r, &view)) == 0) {
		EXPECT(view_good(&view));
		total = view.end;
		ASSERT_EQ(zp_consume_all(r), 0);
		if (total > 1000000)
			kill(pid, SIGKILL);
	}
	alarm(0);
	EXPECT_EQ(ret, -ECONNRESET);
	EXPECT(total > 1000000);
	EXPECT(WIFSIGNALED(join(pid)));
	zp_reader_close(r);
}

static void reader_is_replaced(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts), PAGES(8) };
	struct stream s = { .total = 4 << 20, .message = 700 };
	struct zp_reader *r;
	uint64_t before = 0;
	int wfd, rfd, round;
	pid_t writer;

	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	writer = fork();
	if (writer == 0) {
		close(rfd);
		alarm(WATCHDOG);
		_exit(produce(wfd, &s));
	}
	close(wfd);
	alarm(WATCHDOG);
	for (round = 0; round < 20; round++) {
		struct zp_info info = { .sz = sizeof(info) };
		pid_t pid = fork();

		if (pid == 0) {
			int left = 50 + round * 7;

			if (zp_reader_open(&r, rfd, NULL))
				_exit(1);
			while (left--) {
				uint64_t n;

				if (zp_read(r, &view) || !view_good(&view))
					_exit(2);
				n = zp_view_len(&view) > 900 ? 900 : zp_view_len(&view);
				if (zp_advance(r, view.start + n, view.end))
					_exit(2);
			}
			/* dies with a read outstanding and bytes examined, not consumed */
			if (zp_read(r, &view))
				_exit(3);
			kill(getpid(), SIGKILL);
		}
		EXPECT(WIFSIGNALED(join(pid)));
		ASSERT_EQ(zp_query(rfd, &info), 0);
		EXPECT(info.consumed > before);
		before = info.consumed;
	}
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	EXPECT_EQ(zp_consumed(r), before);
	EXPECT_EQ(consume(r, &s), 0);
	alarm(0);
	EXPECT_EQ(join(writer), 0);
	zp_reader_close(r);
}

/* All was examined by the one before, and the writer is silent. */
static void kept_bytes_are_shown(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct ends e = ends_open((struct zp_create_opts){ .capacity = 0 });
	struct zp_reader *second;

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_advance(e.r, 40, 100), 0);
	alarm(WATCHDOG);
	ASSERT_EQ(zp_reader_open(&second, e.rfd, &keep), 0);
	/* with a cancel in the way the kernel has to be asked */
	ASSERT_EQ(zp_cancel(e.wfd, ZP_CANCEL_READ), 0);
	ASSERT_EQ(zp_read(second, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	EXPECT_EQ(view.start, 40);
	EXPECT_EQ(view.end, 100);
	ASSERT_EQ(zp_read(second, &view), 0);
	EXPECT_EQ(view.end, 100);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume(second, 10), 0);
	EXPECT_EQ(stat_of(e.rfd).examined, 100);
	zp_reader_close(second);
	alarm(0);
	ends_close(&e);
}

static void writer_is_replaced(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct ends e = ends_open((struct zp_create_opts){ .capacity = 0 });
	struct zp_writer *second;

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_writer_open(&second, e.wfd, &keep), 0);
	EXPECT_EQ(zp_position(second), 100);
	ASSERT_EQ(put(second, 50), 0);
	ASSERT_EQ(zp_flush(second), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.end, 150);
	EXPECT(view_good(&view));
	zp_writer_close(second);
	ends_close(&e);
}

static void handle_over_fork(void)
{
	struct ends e = ends_open((struct zp_create_opts){ .capacity = 0 });
	pid_t pid;

	alarm(WATCHDOG);
	pid = fork();
	if (pid == 0) {
		zp_reader_close(e.r);
		if (put(e.w, 5000) || zp_flush(e.w) || zp_writer_complete(e.w, 0, 0))
			_exit(1);
		zp_writer_close(e.w);
		_exit(0);
	}
	zp_writer_close(e.w);
	ASSERT_EQ(zp_read_min(e.r, 5000, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 5000);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_consume_all(e.r), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	alarm(0);
	EXPECT_EQ(join(pid), 0);
	zp_reader_close(e.r);
}

static void fds_are_passed(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts) };
	struct stream s = { .total = 1 << 20, .message = 3000 };
	int socks[2], wfd, rfd, other = -1;
	struct zp_reader *r;
	struct zp_writer *w;
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
	alarm(WATCHDOG);
	pid = fork();
	if (pid == 0) {
		close(socks[0]);
		if (zp_recv_fd(socks[1], &wfd))
			_exit(90);
		/* a writer, whatever the sender says */
		if (zp_reader_open(&r, wfd, NULL) != -EBADF)
			_exit(91);
		_exit(produce(wfd, &s));
	}
	ASSERT_EQ(zp_create(&opts, &wfd, &rfd), 0);
	EXPECT_EQ(zp_writer_open(&w, rfd, NULL), -EBADF);
	ASSERT_EQ(zp_send_fd(socks[0], wfd), 0);
	close(wfd);
	close(socks[1]);
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	EXPECT_EQ(consume(r, &s), 0);
	EXPECT_EQ(join(pid), 0);
	EXPECT_EQ(zp_recv_fd(socks[0], &other), -ECONNRESET);
	alarm(0);
	close(socks[0]);
	zp_reader_close(r);
}

/* ---- event loops: try until EAGAIN, then poll ---- */

static void event_loop(uint32_t mode)
{
	struct zp_create_opts opts = { .sz = sizeof(opts), PAGES(4), .pause = 9000 };
	struct epoll_event ev = { .events = EPOLLOUT | mode };
	uint64_t total = 2 << 20;
	struct zp_writer *w;
	struct zp_reader *r;
	int wfd, rfd, ep, ret;
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
				n = total - zp_position(w);
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
	int there[2], back[2], i, spin;

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
	{ "wait.canceled_by_a_thread", cancel_from_a_thread },
	{ "wait.interrupted_eintr", signals },
	{ "wait.until_the_deadline", deadlines },
	{ "flush.waits_for_examined_and_consumed", wait_examined },
	{ "killed.writer_all_it_flushed_then_econnreset", writer_is_killed },
	{ "killed.readers_replaced_lose_nothing", reader_is_replaced },
	{ "replaced.reader_sees_examined_bytes_again", kept_bytes_are_shown },
	{ "replaced.writer_goes_on_at_published", writer_is_replaced },
	{ "fork.handle_used_in_the_child", handle_over_fork },
	{ "fds.passed_over_a_socket", fds_are_passed },
	{ "epoll.level_triggered", level },
	{ "epoll.edge_triggered", edge },
};

VM_MAIN(tests)
