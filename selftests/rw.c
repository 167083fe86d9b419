// SPDX-License-Identifier: GPL-2.0-only
/*
 * rw - read(2) and write(2) where they must be what a pipe(2) does
 *
 * Every test runs on pipe(2) too: what differs is a difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(16 * ZT_PAGE)

FIXTURE(rw)
{
	int writer;
	int reader;
	unsigned char buffer[2 * CAPACITY];
};

FIXTURE_VARIANT(rw)
{
	bool zpipe;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(rw, pipe) { .zpipe = false };
FIXTURE_VARIANT_ADD(rw, zpipe) { .zpipe = true };
FIXTURE_VARIANT_ADD(rw, zpipe_contig) { .zpipe = true, .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(rw)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags);
	int fds[2];

	if (variant->zpipe) {
		ASSERT_EQ(0, zt_create(args));
		self->writer = args->out_writer_fd;
		self->reader = args->out_reader_fd;
	} else {
		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		self->writer = fds[1];
		self->reader = fds[0];
	}
}

FIXTURE_TEARDOWN(rw)
{
	close(self->writer);
	close(self->reader);
}

static void nonblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		zt_die("F_SETFL");
}

/* write(2) of @len bytes of the oracle from @position. */
static ssize_t put(int fd, __u64 position, size_t len)
{
	static unsigned char buffer[2 * CAPACITY];

	zt_fill(buffer, position, len);
	return write(fd, buffer, len);
}

TEST_F(rw, bytes_come_out_as_they_went_in)
{
	ASSERT_EQ(5000, put(self->writer, 0, 5000));
	ASSERT_EQ(3000, put(self->writer, 5000, 3000));
	ASSERT_EQ(8000, read(self->reader, self->buffer, CAPACITY));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 0, 8000));
}

TEST_F(rw, short_reads_take_in_order)
{
	size_t at = 0;

	ASSERT_EQ(10000, put(self->writer, 0, 10000));
	while (at < 10000) {
		ssize_t n = read(self->reader, self->buffer, 777);

		ASSERT_LT(0, n);
		ASSERT_EQ(-1, zt_mismatch(self->buffer, at, n));
		at += n;
	}
	EXPECT_EQ(10000, at);
}

TEST_F(rw, zero_bytes_do_nothing)
{
	nonblock(self->writer);
	nonblock(self->reader);
	EXPECT_EQ(0, write(self->writer, self->buffer, 0));
	EXPECT_EQ(0, read(self->reader, self->buffer, 0));
	EXPECT_EQ(-1, read(self->reader, self->buffer, 1));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(rw, empty_nonblocking_read_eagain)
{
	nonblock(self->reader);
	EXPECT_EQ(-1, read(self->reader, self->buffer, 1));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(rw, full_nonblocking_write_eagain)
{
	nonblock(self->writer);
	ASSERT_EQ(CAPACITY, put(self->writer, 0, CAPACITY));
	EXPECT_EQ(-1, write(self->writer, "x", 1));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(rw, nonblocking_write_longer_than_the_room_is_short)
{
	nonblock(self->writer);
	EXPECT_EQ(CAPACITY, put(self->writer, 0, 2 * CAPACITY));
}

TEST_F(rw, atomic_write_that_does_not_fit_eagain_and_writes_nothing)
{
	nonblock(self->writer);
	nonblock(self->reader);
	ASSERT_EQ(CAPACITY - ZT_PAGE, put(self->writer, 0, CAPACITY - ZT_PAGE));
	ASSERT_EQ(10, put(self->writer, CAPACITY - ZT_PAGE, 10));
	EXPECT_EQ(-1, put(self->writer, 0, PIPE_BUF));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(CAPACITY - ZT_PAGE + 10, read(self->reader, self->buffer, 2 * CAPACITY));
}

TEST_F(rw, end_of_file_after_the_last_byte)
{
	ASSERT_EQ(3, write(self->writer, "end", 3));
	close(self->writer);
	self->writer = -1;
	EXPECT_EQ(3, read(self->reader, self->buffer, 100));
	EXPECT_EQ(0, read(self->reader, self->buffer, 100));
	EXPECT_EQ(0, read(self->reader, self->buffer, 100));
}

TEST_F(rw, end_of_file_of_an_empty_pipe)
{
	close(self->writer);
	self->writer = -1;
	EXPECT_EQ(0, read(self->reader, self->buffer, 100));
}

TEST_F(rw, write_without_a_reader_epipe)
{
	signal(SIGPIPE, SIG_IGN);
	close(self->reader);
	self->reader = -1;
	EXPECT_EQ(-1, write(self->writer, "x", 1));
	EXPECT_EQ(EPIPE, errno);
}

TEST_F(rw, write_without_a_reader_sends_sigpipe)
{
	pid_t child;

	close(self->reader);
	self->reader = -1;
	child = fork();
	if (!child) {
		signal(SIGPIPE, SIG_DFL);
		_exit(write(self->writer, "x", 1) == 1);
	}
	EXPECT_EQ(128 + SIGPIPE, zt_wait_child(child));
}

TEST_F(rw, wrong_end_ebadf)
{
	EXPECT_EQ(-1, read(self->writer, self->buffer, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, write(self->reader, self->buffer, 1));
	EXPECT_EQ(EBADF, errno);
}

TEST_F(rw, seeking_espipe)
{
	EXPECT_EQ(-1, lseek(self->writer, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, lseek(self->reader, 0, SEEK_CUR));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->reader, self->buffer, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pwrite(self->writer, self->buffer, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(rw, fionread_counts_what_can_be_read)
{
	int n = -1;

	ASSERT_EQ(0, ioctl(self->reader, FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(700, put(self->writer, 0, 700));
	ASSERT_EQ(0, ioctl(self->reader, FIONREAD, &n));
	EXPECT_EQ(700, n);
	ASSERT_EQ(200, read(self->reader, self->buffer, 200));
	ASSERT_EQ(0, ioctl(self->reader, FIONREAD, &n));
	EXPECT_EQ(500, n);
}

TEST_F(rw, vectors_are_gathered_and_scattered)
{
	unsigned char in[3][100], out[4][75];
	struct iovec from[3], to[4];
	int k;

	for (k = 0; k < 3; k++) {
		zt_fill(in[k], k * 100, 100);
		from[k] = (struct iovec){ .iov_base = in[k], .iov_len = 100 };
	}
	for (k = 0; k < 4; k++)
		to[k] = (struct iovec){ .iov_base = out[k], .iov_len = 75 };
	ASSERT_EQ(300, writev(self->writer, from, 3));
	ASSERT_EQ(300, readv(self->reader, to, 4));
	for (k = 0; k < 4; k++) {
		EXPECT_EQ(-1, zt_mismatch(out[k], k * 75, 75));
	}
}

TEST_F(rw, bad_source_efault_and_nothing_written)
{
	nonblock(self->reader);
	EXPECT_EQ(-1, write(self->writer, (void *)ZT_PAGE, 100));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->reader, self->buffer, 1));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(rw, bad_destination_efault_and_nothing_lost)
{
	ASSERT_EQ(100, put(self->writer, 0, 100));
	EXPECT_EQ(-1, read(self->reader, (void *)ZT_PAGE, 100));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(100, read(self->reader, self->buffer, 200));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 0, 100));
}

/* Programs depend on it: 3a34b13a88ca in the kernel's history put it back. */
TEST_F(rw, edge_triggered_epoll_sees_every_write)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->reader, &ev));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, put(self->writer, i, 1));
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 100));
	}
	close(ep);
}

struct copier {
	pthread_t thread;
	int fd;
	void *buffer;
	size_t len;
	ssize_t ret;
};

static void *copy_in(void *arg)
{
	struct copier *me = arg;

	me->ret = write(me->fd, me->buffer, me->len);
	return NULL;
}

static void *copy_out(void *arg)
{
	struct copier *me = arg;

	me->ret = read(me->fd, me->buffer, me->len);
	return NULL;
}

TEST_F(rw, blocking_read_wakes_at_the_first_byte)
{
	struct copier me = { .fd = self->reader, .buffer = self->buffer, .len = 100 };

	zt_spawn(&me.thread, copy_out, &me);
	zt_sleep_ms(ZT_GLANCE_MS);
	ASSERT_EQ(1, put(self->writer, 0, 1));
	zt_join(me.thread);
	EXPECT_EQ(1, me.ret);
}

TEST_F(rw, blocking_read_wakes_at_the_end)
{
	struct copier me = { .fd = self->reader, .buffer = self->buffer, .len = 100 };

	zt_spawn(&me.thread, copy_out, &me);
	zt_sleep_ms(ZT_GLANCE_MS);
	close(self->writer);
	self->writer = -1;
	zt_join(me.thread);
	EXPECT_EQ(0, me.ret);
}

TEST_F(rw, blocking_write_longer_than_the_pipe_completes)
{
	struct copier me = { .fd = self->writer, .len = 2 * CAPACITY };
	unsigned char out[2 * CAPACITY];
	size_t at = 0;

	me.buffer = self->buffer;
	zt_fill(self->buffer, 0, me.len);
	zt_spawn(&me.thread, copy_in, &me);
	while (at < me.len) {
		ssize_t n = read(self->reader, out + at, 5000);

		ASSERT_LT(0, n);
		at += n;
	}
	zt_join(me.thread);
	EXPECT_EQ(2 * CAPACITY, me.ret);
	EXPECT_EQ(-1, zt_mismatch(out, 0, sizeof(out)));
}

static bool is_full(void *reader)
{
	int bytes = 0;

	return !ioctl(*(int *)reader, FIONREAD, &bytes) && bytes == CAPACITY;
}

TEST_F(rw, reader_that_leaves_ends_a_blocked_write_with_its_short_count)
{
	struct copier me = { .fd = self->writer, .len = 2 * CAPACITY };

	signal(SIGPIPE, SIG_IGN);
	me.buffer = self->buffer;
	zt_spawn(&me.thread, copy_in, &me);
	ASSERT_TRUE(zt_eventually(is_full, &self->reader));
	zt_sleep_ms(ZT_GLANCE_MS);
	close(self->reader);
	self->reader = -1;
	zt_join(me.thread);
	EXPECT_EQ(CAPACITY, me.ret);
}

TEST_HARNESS_MAIN
