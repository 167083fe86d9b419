// SPDX-License-Identifier: MIT
/*
 * vm_copy - memory in pieces, and copies between pipes, files and sockets, against
 * the module: every kind of pipe
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "vm.h"

#define TOTAL	300000U

static struct zp_view view;

static const struct zp_create_opts shapes[] = {
	{ .segment_size = 4096, .capacity = 32768 },
	{ .segment_size = 4096, .capacity = 32768, .flags = ZP_CONTIG },
	{ .segment_size = 4096, .capacity = 32768, .flags = ZP_GUARDED },
	{ .segment_size = 65536, .capacity = 1 << 20 },
};

#define NR_SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

/* A socket that such bytes come out of, from a child. */
static int source(size_t total, pid_t *child)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	*child = fork();
	if (!*child) {
		unsigned char buf[5000];
		size_t at = 0, i;

		close(pair[1]);
		while (at < total) {
			size_t n = total - at < sizeof(buf) ? total - at : 1 + at % sizeof(buf);

			for (i = 0; i < n; i++)
				buf[i] = byte_at(at + i);
			if (write(pair[0], buf, n) != (ssize_t)n)
				_exit(1);
			at += n;
		}
		_exit(0);
	}
	close(pair[0]);
	return pair[1];
}

/* Read all of it in a child that checks every byte. */
static pid_t sink(struct ends *e, size_t total)
{
	pid_t child = fork();

	if (child)
		return child;
	zp_writer_close(e->w);
	for (;;) {
		if (zp_read(e->r, &view))
			_exit(1);
		if (!view_good(&view))
			_exit(2);
		if (!zp_view_len(&view) && view.flags & ZP_COMPLETED)
			_exit(zp_consumed(e->r) == total ? 0 : 3);
		if (zp_consume(e->r, 1 + zp_view_len(&view) / 2 * (zp_view_len(&view) > 1)))
			_exit(4);
	}
}

static void pieces(void)
{
	size_t i;

	for (i = 0; i < NR_SHAPES; i++) {
		struct ends e = ends_open(shapes[i]);
		struct iovec iov[4];
		pid_t from, to = sink(&e, TOTAL);
		int fd = source(TOTAL, &from);
		ssize_t n = 1;

		do {
			int nr = zp_alloc_iov(e.w, 9000, iov, 4, 0, 0);

			if (nr == -ENOBUFS && zp_flush(e.w) >= 0)
				continue;
			if (!EXPECT(nr > 0))
				break;
			n = readv(fd, iov, nr);
			if (!EXPECT(n >= 0) || !EXPECT_EQ(zp_commit_iov(e.w, (size_t)n), 0) ||
			    !EXPECT(zp_flush(e.w) >= 0))
				break;
		} while (n > 0);
		EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
		EXPECT_EQ(join(from), 0);
		EXPECT_EQ(join(to), 0);
		EXPECT_EQ(stat_of(e.wfd).rejects, 0);
		close(fd);
		ends_close(&e);
	}
}

static void through(void)
{
	size_t i;

	for (i = 0; i < NR_SHAPES; i++) {
		struct ends e = ends_open(shapes[i]);
		pid_t from, to = sink(&e, TOTAL);
		int fd = source(TOTAL, &from);
		uint64_t done;

		EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, &done), 0);
		EXPECT_EQ(done, TOTAL);
		EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
		EXPECT_EQ(join(from), 0);
		EXPECT_EQ(join(to), 0);
		close(fd);
		ends_close(&e);
	}
}

static void released(void *arg)
{
	++*(int *)arg;
}

/* Memory of this process, in rounds that wait and rounds that do not. */
static void from_memory(void)
{
	static unsigned char bytes[TOTAL];
	size_t i;

	for (i = 0; i < TOTAL; i++)
		bytes[i] = byte_at(i);
	for (i = 0; i < 2 * NR_SHAPES; i++) {
		struct zp_create_opts shape = shapes[i / 2];
		struct zp_memory from = { .data = bytes, .len = TOTAL, .release = released };
		uint64_t done, sum = 0;
		int times = 0, ret;
		struct ends e;
		pid_t to;

		shape.flags |= i % 2 ? ZP_NONBLOCK : 0;
		from.arg = &times;
		e = ends_open(shape);
		if (i % 2) {
			/* nobody reads: it fills up, and the rest is still the caller's */
			ret = zp_copy_from_memory(e.w, &from, NULL, &sum);
			EXPECT_EQ(ret, shape.capacity > TOTAL ? 0 : -EAGAIN);
			EXPECT_EQ(sum, from.taken);
			EXPECT_EQ(times, from.taken == TOTAL);
			/* this end alone: the child's file is the same one */
			ASSERT_EQ(fcntl(e.rfd, F_SETFL, 0), 0);
		}
		to = sink(&e, TOTAL);
		while ((ret = zp_copy_from_memory(e.w, &from, NULL, &done)) == -EAGAIN) {
			struct pollfd p = { .fd = e.wfd, .events = POLLOUT };

			EXPECT_EQ(poll(&p, 1, 60000), 1);
			sum += done;
		}
		EXPECT_EQ(ret, 0);
		EXPECT_EQ(sum + done, TOTAL);
		EXPECT_EQ(times, 1);
		EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
		EXPECT_EQ(join(to), 0);
		EXPECT_EQ(times, 1);
		EXPECT_EQ(stat_of(e.wfd).rejects, 0);
		ends_close(&e);
	}
}

/* From one kind of pipe into every other, and out into a file. */
static void between(void)
{
	size_t i, k;

	for (i = 0; i < NR_SHAPES; i++) {
		for (k = 0; k < NR_SHAPES; k++) {
			struct ends a = ends_open(shapes[i]), b = ends_open(shapes[k]);
			pid_t from, copier, to = sink(&b, TOTAL);
			int fd = source(TOTAL, &from);
			uint64_t done;

			copier = fork();
			if (!copier) {
				zp_writer_close(a.w);
				if (zp_copy(b.w, a.r, NULL, &done) || done != TOTAL)
					_exit(1);
				_exit(zp_writer_complete(b.w, 0, 0) ? 2 : 0);
			}
			EXPECT_EQ(zp_copy_from_fd(a.w, fd, NULL, &done), 0);
			EXPECT_EQ(zp_writer_complete(a.w, 0, 0), 0);
			EXPECT_EQ(join(from), 0);
			EXPECT_EQ(join(copier), 0);
			if (!EXPECT_EQ(join(to), 0))
				printf("# from shape %zu to %zu\n", i, k);
			close(fd);
			ends_close(&a);
			ends_close(&b);
		}
	}
}

static void out(void)
{
	size_t i, n;

	for (i = 0; i < NR_SHAPES; i++) {
		struct ends e = ends_open(shapes[i]);
		FILE *file = tmpfile();
		uint64_t done;
		int byte;

		ASSERT(file);
		EXPECT_EQ(put(e.w, 20000), 0);
		EXPECT(zp_flush_flags(e.w, ZP_NOWAIT, 0) >= -EAGAIN);
		EXPECT_EQ(zp_writer_complete(e.w, EOWNERDEAD, ZP_DRAIN), 0);
		EXPECT_EQ(zp_copy_to_fd(e.r, fileno(file), NULL, &done), -EOWNERDEAD);
		EXPECT_EQ(done, 20000);
		rewind(file);
		for (n = 0; (byte = getc(file)) != EOF && byte == byte_at(n); n++)
			;
		EXPECT_EQ(n, 20000);
		fclose(file);
		ends_close(&e);
	}
}

/* The destination finishes: told, and the source still has what was not moved. */
static void finished(void)
{
	size_t i;

	for (i = 0; i < NR_SHAPES; i++) {
		struct ends a = ends_open(shapes[i]), b = ends_open(shapes[i]);
		uint64_t done = 0;

		EXPECT_EQ(put(a.w, 10000), 0);
		EXPECT_EQ(zp_flush(a.w), 0);
		EXPECT_EQ(zp_reader_complete(b.r, EHOSTDOWN), 0);
		EXPECT_EQ(zp_copy(b.w, a.r, NULL, &done), -EHOSTDOWN);
		EXPECT_EQ(zp_consumed(a.r), done);
		EXPECT_EQ(done, 0);
		EXPECT_EQ(zp_read(a.r, &view), 0);
		EXPECT_EQ(zp_view_len(&view), 10000);
		EXPECT(view_good(&view));
		ends_close(&a);
		ends_close(&b);
	}
}

/* A connected pair over the loopback; false where there is none. */
static bool tcp_pair(int pair[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);

	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || pair[0] < 0 || bind(listener, (struct sockaddr *)&at, len) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&at, &len) ||
	    connect(pair[0], (struct sockaddr *)&at, len))
		return false;
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	return pair[1] >= 0;
}

/*
 * Nobody receives while the writer uses the same memory again: what was sent stays as it was. The
 * pages that it then needs tell whether it was sent by reference.
 */
static void send_around(struct zp_create_opts shape, int in_place, bool may_pin)
{
	enum { PART = 32768, PARTS = 6 };
	static unsigned char got[PART * PARTS];
	struct zp_copy_opts opts = { .sz = sizeof(opts), .max = PART };
	const struct timeval limit = { .tv_sec = 20 };
	int pair[2], large = 4 * PART * PARTS;
	uint64_t done;
	struct ends e;
	size_t i;

	shape.capacity = shape.segment_size < PART ? PART : 4 * PART;
	ASSERT(tcp_pair(pair));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ASSERT_EQ(setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &in_place, sizeof(in_place)), 0);
	e = ends_open(shape);
	if (!may_pin) {
		ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0 }), 0);
		ASSERT_EQ(setuid(65534), 0);
	}
	for (i = 0; i < PARTS; i++) {
		ASSERT_EQ(put(e.w, PART), 0);
		EXPECT(zp_flush_flags(e.w, ZP_NOWAIT, 0) >= -EAGAIN);
		EXPECT_EQ(zp_copy_to_fd(e.r, pair[0], &opts, &done), 0);
		EXPECT_EQ(done, PART);
		EXPECT_EQ(zp_consumed(e.r), (i + 1) * PART);
	}
	ASSERT_EQ(recv(pair[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	for (i = 0; i < sizeof(got) && got[i] == byte_at(i); i++)
		;
	EXPECT_EQ(i, sizeof(got));
	EXPECT_EQ(stat_of(e.rfd).replaced_pages > 0,
		  in_place && may_pin && !(shape.flags & ZP_GUARDED));
	close(pair[0]);
	close(pair[1]);
	ends_close(&e);
}

static void sent_in_place(void)
{
	size_t i;

	for (i = 0; i < NR_SHAPES; i++) {
		send_around(shapes[i], 1, true);
		send_around(shapes[i], 0, true);
	}
}

/* Who may pin nothing has it copied. */
static void sent_by_a_copy(void)
{
	size_t i;

	for (i = 0; i < NR_SHAPES; i++) {
		pid_t child = fork();

		if (!child) {
			send_around(shapes[i], 1, false);
			_exit(tap_failed ? 1 : 0);
		}
		EXPECT_EQ(join(child), 0);
	}
}

static const struct tap_test tests[] = {
	{ "alloc_iov.readv_into_every_kind_of_pipe", pieces },
	{ "from_fd.a_socket_into_every_kind_of_pipe", through },
	{ "from_memory.into_every_kind_of_pipe_released_once", from_memory },
	{ "copy.from_every_kind_of_pipe_into_every_other", between },
	{ "to_fd.what_was_published_then_the_error", out },
	{ "to_fd.what_is_sent_in_place_stays_as_it_was", sent_in_place },
	{ "to_fd.what_may_not_be_pinned_is_copied", sent_by_a_copy },
	{ "copy.destination_finished_loses_nothing", finished },
};

VM_MAIN(tests)
