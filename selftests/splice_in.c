// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice_in - splice(2) into the writer
 *
 * Like write(2) of what a pipe of the kernel holds; a copy, and counted so.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENT	(4 * ZT_PAGE)
#define SIZE	(4 * SEGMENT)

FIXTURE(splice_in)
{
	struct zt_pipe p;
	int in;
	int out;
	unsigned char buffer[2 * SIZE];
};

FIXTURE_SETUP(splice_in)
{
	int fds[2];

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, SIZE)));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	self->in = fds[1];
	self->out = fds[0];
}

FIXTURE_TEARDOWN(splice_in)
{
	close(self->in);
	close(self->out);
	zt_pipe_close(&self->p);
}

/* From the kernel's pipe, without waiting: bytes or -errno. */
static ssize_t in(FIXTURE_DATA(splice_in) *self, size_t length)
{
	ssize_t ret = splice(self->out, NULL, self->p.w.fd, NULL, length, SPLICE_F_NONBLOCK);

	return ret < 0 ? -errno : ret;
}

/* Put bytes of the oracle into the kernel's pipe. */
static ssize_t feed(FIXTURE_DATA(splice_in) *self, __u64 position, size_t length)
{
	zt_fill(self->buffer, position, length);
	return write(self->in, self->buffer, length);
}

TEST_F(splice_in, bytes_go_in_and_are_counted)
{
	struct zpipe_stat_args s;

	ASSERT_EQ(10000, feed(self, 0, 10000));
	ASSERT_EQ(10000, splice(self->out, NULL, self->p.w.fd, NULL, SIZE, SPLICE_F_MORE));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(10000, s.out_spliced_in);
	EXPECT_EQ(10000, s.out_copied_write);
	EXPECT_EQ(0, s.out_spliced_out);
	EXPECT_EQ(10000, s.out_published);
	EXPECT_EQ(0, zt_take(&self->p.r, 10000));
}

TEST_F(splice_in, no_more_than_asked_for)
{
	ASSERT_EQ(10000, feed(self, 0, 10000));
	EXPECT_EQ(0, in(self, 0));
	EXPECT_EQ(5000, in(self, 5000));
	EXPECT_EQ(1, in(self, 1));
	EXPECT_EQ(0, zt_take(&self->p.r, 5001));
	EXPECT_EQ(4999, in(self, SIZE));
	EXPECT_EQ(0, zt_take(&self->p.r, 4999));
}

/* Small writes to the pipe, then splices in odd sizes, mixed with write(2) and grants. */
TEST_F(splice_in, mixes_with_write_and_grants)
{
	__u64 at = 0;
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(777, feed(self, at, 777));
		ASSERT_EQ(777, in(self, SIZE));
		zt_fill(self->buffer, at + 777, 100);
		ASSERT_EQ(100, write(self->p.w.fd, self->buffer, 100));
		ASSERT_EQ(0, zt_put(&self->p.w, 3000));
		at += 3877;
		ASSERT_EQ(0, zt_take(&self->p.r, 3877));
	}
	EXPECT_EQ(50 * 777, zt_stat(&self->p.w).out_spliced_in);
	EXPECT_EQ(50 * 877, zt_stat(&self->p.w).out_copied_write);
}

/* With and without the gift the zpipe holds what the pages held at the time. */
TEST_F(splice_in, vmspliced_pages_are_copied)
{
	unsigned char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { .iov_base = pages, .iov_len = SIZE };
	unsigned int gift;

	ASSERT_NE(MAP_FAILED, pages);
	for (gift = 0; gift <= SPLICE_F_GIFT; gift += SPLICE_F_GIFT) {
		zt_fill(pages, zt_published(&self->p.w), SIZE);
		ASSERT_EQ(SIZE, vmsplice(self->in, &iov, 1, gift));
		ASSERT_EQ(SIZE, splice(self->out, NULL, self->p.w.fd, NULL, SIZE, SPLICE_F_MOVE));
		memset(pages, 0xbb, SIZE);
		EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
	}
	munmap(pages, SIZE);
}

TEST_F(splice_in, full_eagain_and_the_bytes_stay)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE - 10));
	ASSERT_EQ(100, feed(self, SIZE - 10, 100));
	EXPECT_EQ(10, in(self, 100));
	EXPECT_EQ(-EAGAIN, in(self, 100));
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(self->out, NULL, self->p.w.fd, NULL, 90, 0));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(90, splice(self->out, NULL, self->p.w.fd, NULL, 100, 0));
	EXPECT_EQ(0, zt_take(&self->p.r, 90));
}

TEST_F(splice_in, paused_eagain)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	ASSERT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	ASSERT_EQ(10, feed(self, 10, 10));
	EXPECT_EQ(-EAGAIN, in(self, 10));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(10, in(self, 10));
}

TEST_F(splice_in, empty_pipe_eagain_and_its_end_is_zero)
{
	EXPECT_EQ(-EAGAIN, in(self, 10));
	ASSERT_EQ(10, feed(self, 0, 10));
	close(self->in);
	self->in = -1;
	EXPECT_EQ(10, splice(self->out, NULL, self->p.w.fd, NULL, 100, 0));
	EXPECT_EQ(0, splice(self->out, NULL, self->p.w.fd, NULL, 100, 0));
	EXPECT_EQ(0, in(self, 10));
}

TEST_F(splice_in, readers_end_ebadf)
{
	ASSERT_EQ(10, feed(self, 0, 10));
	EXPECT_EQ(-1, splice(self->out, NULL, self->p.r.fd, NULL, 10, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(10, in(self, 10));
}

TEST_F(splice_in, offset_einval)
{
	loff_t at = 0;

	ASSERT_EQ(10, feed(self, 0, 10));
	EXPECT_EQ(-1, splice(self->out, NULL, self->p.w.fd, &at, 10, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(10, in(self, 10));
}

TEST_F(splice_in, writer_that_completed_eshutdown)
{
	ASSERT_EQ(10, feed(self, 0, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, in(self, 10));
	EXPECT_EQ(10, read(self->out, self->buffer, 100));
}

TEST_F(splice_in, without_a_reader_epipe_and_sigpipe)
{
	pid_t child;

	ASSERT_EQ(10, feed(self, 0, 10));
	zt_end_close(&self->p.r);
	child = fork();
	if (!child) {
		in(self, 10);
		_exit(0);
	}
	EXPECT_EQ(128 + SIGPIPE, zt_wait_child(child));
	signal(SIGPIPE, SIG_IGN);
	EXPECT_EQ(-EPIPE, in(self, 10));
}

TEST_F(splice_in, sleeping_alloc_ebusy)
{
	struct zpipe_alloc_args args = { .position = SIZE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(10, feed(self, SIZE, 10));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.w);
	EXPECT_EQ(-EBUSY, in(self, 10));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(10, in(self, 10));
}

/* Others must not wait for a zpipe because they use the same pipe. */
TEST_F(splice_in, waiting_for_memory_leaves_the_pipe_to_others)
{
	struct zt_splice bg;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(10, feed(self, SIZE, 10));
	zt_splice_start(&bg, self->out, self->p.w.fd, 100);
	zt_await_starved(&self->p.w);
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	EXPECT_EQ(10, feed(self, SIZE + 10, 10));
	EXPECT_EQ(10, read(self->out, self->buffer, 10));
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(10, zt_splice_join(&bg));
	EXPECT_EQ(10, read(self->p.r.fd, self->buffer, 100));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, SIZE + 10, 10));
}

TEST_F(splice_in, waiting_for_the_pipe_leaves_the_zpipe_to_others)
{
	struct zt_splice bg;

	zt_splice_start(&bg, self->out, self->p.w.fd, 100);
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 50));
	ASSERT_EQ(0, zt_take(&self->p.r, 50));
	ASSERT_EQ(10, feed(self, 50, 10));
	EXPECT_EQ(10, zt_splice_join(&bg));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(splice_in, waits_until_all_the_pipe_holds_is_in)
{
	struct zt_splice bg;
	int i;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE - SEGMENT));
	ASSERT_EQ(SIZE, feed(self, SIZE - SEGMENT, SIZE));
	zt_splice_start(&bg, self->out, self->p.w.fd, SIZE);
	zt_await_starved(&self->p.w);
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	EXPECT_EQ(SIZE, zt_published(&self->p.w));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, zt_take(&self->p.r, SEGMENT));
	EXPECT_EQ(SIZE, zt_splice_join(&bg));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
}

TEST_F(splice_in, cancel_and_the_reader_leaving_end_a_wait)
{
	struct zt_splice bg;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(10, feed(self, SIZE, 10));
	zt_splice_start(&bg, self->out, self->p.w.fd, 10);
	zt_await_starved(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(-ECANCELED, zt_splice_join(&bg));

	signal(SIGPIPE, SIG_IGN);
	zt_splice_start(&bg, self->out, self->p.w.fd, 10);
	zt_await_starved(&self->p.w);
	zt_end_close(&self->p.r);
	EXPECT_EQ(-EPIPE, zt_splice_join(&bg));
	EXPECT_EQ(10, read(self->out, self->buffer, 100));
}

TEST_HARNESS_MAIN
