// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice_through - whole ways by splice(2) and sendfile(2), through pipes, files and sockets
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENT	(4 * ZT_PAGE)
#define SIZE	(4 * SEGMENT)
#define LONG	(4 << 20)

/* Beside a zpipe a pipe of the kernel. */
FIXTURE(splice_through)
{
	struct zt_pipe p;
	int in;
	int out;
	unsigned char buffer[2 * SIZE];
};

FIXTURE_SETUP(splice_through)
{
	int fds[2];

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, SIZE)));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	self->in = fds[1];
	self->out = fds[0];
}

FIXTURE_TEARDOWN(splice_through)
{
	close(self->in);
	close(self->out);
	zt_pipe_close(&self->p);
}

/* Where the bytes come from, and what brings them into the zpipe. */
struct source {
	struct zt_end *w;
	int file;
	int in;
	int out;
};

static void *send_file(void *arg)
{
	struct source *source = arg;
	size_t at = 0;

	while (at < LONG) {
		ssize_t n = sendfile(source->w->fd, source->file, NULL, LONG - at);

		if (n <= 0)
			zt_die("sendfile: %s", n ? strerror(errno) : "short");
		at += n;
	}
	if (zt_complete(source->w, 0, 0, 0))
		zt_die("COMPLETE");
	return NULL;
}

static void *splice_file(void *arg)
{
	struct source *source = arg;
	size_t at = 0;

	while (at < LONG) {
		ssize_t n = splice(source->file, NULL, source->in, NULL, LONG - at, 0), m;

		if (n <= 0)
			zt_die("splice: %s", n ? strerror(errno) : "short");
		for (at += n; n; n -= m) {
			m = splice(source->out, NULL, source->w->fd, NULL, n, 0);
			if (m <= 0)
				zt_die("splice: %s", m ? strerror(errno) : "short");
		}
	}
	if (zt_complete(source->w, 0, 0, 0))
		zt_die("COMPLETE");
	return NULL;
}

/* All of the stream by splice over a pipe to @to; what came is for the caller to check. */
static void drain(struct zt_end *r, int to)
{
	int fds[2];
	ssize_t n, m;

	if (pipe(fds))
		zt_die("pipe");
	for (;;) {
		n = splice(r->fd, NULL, fds[1], NULL, LONG, 0);
		if (n < 0)
			zt_die("splice: %s", strerror(errno));
		if (!n)
			break;
		for (; n; n -= m) {
			m = splice(fds[0], NULL, to, NULL, n, SPLICE_F_MORE);
			if (m <= 0)
				zt_die("splice: %s", m ? strerror(errno) : "short");
		}
	}
	close(fds[0]);
	close(fds[1]);
}

static bool file_is_right(int fd)
{
	unsigned char *bytes = mmap(NULL, LONG, PROT_READ, MAP_SHARED, fd, 0);
	bool ret;

	if (bytes == MAP_FAILED || lseek(fd, 0, SEEK_END) != LONG)
		return false;
	ret = zt_mismatch(bytes, 0, LONG) == -1;
	munmap(bytes, LONG);
	return ret;
}

TEST_F_TIMEOUT(splice_through, file_to_file_by_sendfile_and_splice, 90)
{
	struct source source = { .w = &self->p.w, .file = zt_file(LONG) };
	int to = memfd_create("zpipe-splice", MFD_CLOEXEC);
	struct zpipe_stat_args s;
	pthread_t thread;

	ASSERT_LE(0, to);
	zt_spawn(&thread, send_file, &source);
	drain(&self->p.r, to);
	zt_join(thread);
	EXPECT_TRUE(file_is_right(to));
	s = zt_stat(&self->p.r);
	EXPECT_EQ(LONG, s.out_spliced_in);
	EXPECT_EQ(LONG, s.out_copied_write);
	EXPECT_EQ(LONG, s.out_spliced_out);
	EXPECT_EQ(0, s.out_copied_read);
	close(source.file);
	close(to);
}

TEST_F_TIMEOUT(splice_through, file_to_file_through_two_pipes, 90)
{
	struct source source = { .w = &self->p.w, .file = zt_file(LONG), .in = self->in,
				 .out = self->out };
	int to = memfd_create("zpipe-splice", MFD_CLOEXEC);
	pthread_t thread;

	ASSERT_LE(0, to);
	zt_spawn(&thread, splice_file, &source);
	drain(&self->p.r, to);
	zt_join(thread);
	EXPECT_TRUE(file_is_right(to));
	close(source.file);
	close(to);
}

/* The other end of a socket: everything that comes must be the stream. */
static void *receive(void *arg)
{
	static unsigned char buffer[1 << 16];
	int fd = *(int *)arg;
	size_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		if (zt_mismatch(buffer, at, n) != -1)
			zt_die("wrong bytes from the socket behind %zu", at);
		at += n;
		/* Late, so that the sender's buffer holds pages while the writer goes on. */
		if (at % 7 == 0)
			zt_sleep_ms(1);
	}
	if (n || at != LONG)
		zt_die("%zu bytes from the socket", at);
	return NULL;
}

static void *put_all(void *arg)
{
	struct zt_end *w = arg;
	struct zpipe_alloc_args grant;
	__u64 at = 0, n;

	while (at < LONG) {
		grant = (struct zpipe_alloc_args){ .position = at, .min = 1, .want = 3 * ZT_PAGE };
		if (zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, &grant))
			zt_die("ALLOC");
		n = grant.out_length < LONG - at ? grant.out_length : LONG - at;
		zt_fill_grant(w, &grant, n);
		at += n;
		zt_flush(w, at, 0, NULL);
	}
	if (zt_complete(w, 0, 0, at))
		zt_die("COMPLETE");
	return NULL;
}

static void through_socket(FIXTURE_DATA(splice_through) *self, int from, int to)
{
	pthread_t writer, receiver;

	zt_spawn(&receiver, receive, &to);
	zt_spawn(&writer, put_all, &self->p.w);
	drain(&self->p.r, from);
	shutdown(from, SHUT_WR);
	zt_join(writer);
	zt_join(receiver);
	close(from);
	close(to);
}

TEST_F_TIMEOUT(splice_through, grants_to_a_unix_socket, 90)
{
	int s[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	through_socket(self, s[0], s[1]);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_copied_read);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_copied_write);
	EXPECT_EQ(LONG, zt_stat(&self->p.r).out_spliced_out);
}

TEST_F_TIMEOUT(splice_through, grants_to_a_tcp_socket, 90)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_STREAM, 0), b;
	socklen_t len = sizeof(at);

	if (listener < 0 || a < 0 || bind(listener, (struct sockaddr *)&at, len) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&at, &len) ||
	    connect(a, (struct sockaddr *)&at, len))
		SKIP(return, "no loopback interface");
	b = accept(listener, NULL, NULL);
	ASSERT_LE(0, b);
	close(listener);
	through_socket(self, a, b);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_copied_read);
	EXPECT_EQ(LONG, zt_stat(&self->p.r).out_spliced_out);
}

/* Everything that has gone through the kernel's pipe, read late so that it holds pages. */
static void *check_pipe(void *arg)
{
	static unsigned char buffer[1 << 16];
	__u64 seed = 1, at = 0;
	int fd = *(int *)arg;
	ssize_t n;

	while ((n = read(fd, buffer, 1 + zt_random(&seed) % sizeof(buffer))) > 0) {
		if (zt_mismatch(buffer, at, n) != -1)
			zt_die("wrong bytes from the pipe behind %llu", (unsigned long long)at);
		at += n;
		if (zt_random(&seed) % 16 == 0)
			zt_sleep_ms(1);
	}
	if (n || at != LONG)
		zt_die("%llu bytes from the pipe", (unsigned long long)at);
	return NULL;
}

/* Any size, a quarter of them tee'd first into a pipe that keeps them for long. */
TEST_F_TIMEOUT(splice_through, any_sizes_while_others_hold_copies, 90)
{
	__u64 random = zt_seed(), at = 0, kept = 0, length = 0;
	pthread_t writer, checker;
	int fds[2], keep[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(keep, O_CLOEXEC | O_NONBLOCK));
	zt_spawn(&checker, check_pipe, &self->out);
	zt_spawn(&writer, put_all, &self->p.w);
	while (at < LONG) {
		size_t want = 1 + zt_random(&random) % (zt_random(&random) % 2 ? 100 : SIZE);
		ssize_t n = splice(self->p.r.fd, NULL, fds[1], NULL, want, 0);

		ASSERT_LT(0, n);
		if (zt_random(&random) % 4 == 0) {
			if (length) {
				ASSERT_EQ(length, read(keep[0], self->buffer, 2 * SIZE));
				ASSERT_EQ(-1, zt_mismatch(self->buffer, kept, length));
			}
			kept = at;
			length = tee(fds[0], keep[1], n, 0);
			ASSERT_LT(0, (ssize_t)length);
		}
		at += n;
		while (n) {
			ssize_t m = splice(fds[0], NULL, self->in, NULL, n, 0);

			ASSERT_LT(0, m);
			n -= m;
		}
	}
	close(self->in);
	self->in = -1;
	zt_join(writer);
	zt_join(checker);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_copied_read);
	EXPECT_EQ(LONG, zt_stat(&self->p.r).out_spliced_out);
	close(fds[0]);
	close(fds[1]);
	close(keep[0]);
	close(keep[1]);
}

/* The kernel refuses a source that has no positions; nothing is consumed. */
TEST_F(splice_through, sendfile_out_of_the_reader_einval)
{
	int to = memfd_create("zpipe-splice", MFD_CLOEXEC);

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-1, sendfile(to, self->p.r.fd, NULL, 10));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, zt_consumed(&self->p.r));
	close(to);
}

TEST_F(splice_through, sendfile_to_a_full_nonblocking_writer_is_short)
{
	int file = zt_file(1 << 18);

	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(SIZE, sendfile(self->p.w.fd, file, NULL, 1 << 18));
	EXPECT_EQ(SIZE, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(-1, sendfile(self->p.w.fd, file, NULL, 1 << 18));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(SIZE, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(SIZE, sendfile(self->p.w.fd, file, NULL, 1 << 18));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
	close(file);
}

/* Two zpipes: the middle is the kernel's pipe, which holds pages of the first. */
TEST_F(splice_through, zpipe_to_zpipe)
{
	struct zt_pipe second;
	__u64 at;

	ASSERT_EQ(0, zt_pipe_open(&second, ZT_ARGS(ZT_PAGE, SIZE)));
	for (at = 0; at < 8 * SIZE; at += SIZE) {
		ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
		ASSERT_EQ(SIZE, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
		ASSERT_EQ(SIZE, splice(self->out, NULL, second.w.fd, NULL, SIZE, 0));
		ASSERT_EQ(0, zt_take(&second.r, SIZE));
	}
	EXPECT_EQ(0, zt_stat(&self->p.r).out_replaced_pages);
	zt_pipe_close(&second);
}

TEST_HARNESS_MAIN
