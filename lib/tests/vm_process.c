// SPDX-License-Identifier: MIT
/*
 * vm_process - two processes: what blocks, who dies, who takes over
 *
 * A watchdog ends the program if anything sleeps for ever: the suite's alarm
 * is the test of lost wake-ups.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "stream.h"

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
	int wfd = -1, rfd = -1;
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
	int wfd = -1, rfd = -1, ret;
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
	int wfd = -1, rfd = -1, round;
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
	int socks[2], wfd = -1, rfd = -1, other = -1;
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

static const struct tap_test tests[] = {
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
};

VM_MAIN(tests)
