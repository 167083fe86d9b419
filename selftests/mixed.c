// SPDX-License-Identifier: GPL-2.0-only
/*
 * mixed - read(2) and write(2) beside the mapped path on one pipe
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(mixed)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	unsigned char buffer[8 * ZT_PAGE];
};

FIXTURE_SETUP(mixed)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(mixed)
{
	zt_pipe_close(&self->p);
}

static ssize_t write_oracle(FIXTURE_DATA(mixed) *self, __u64 position, size_t len)
{
	zt_fill(self->buffer, position, len);
	return write(self->p.w.fd, self->buffer, len);
}

TEST_F(mixed, written_bytes_are_seen_by_the_mapped_reader)
{
	ASSERT_EQ(9000, write_oracle(self, 0, 9000));
	EXPECT_EQ(9000, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 9000));
}

TEST_F(mixed, mapped_bytes_are_seen_by_read)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 9000));
	ASSERT_EQ(9000, read(self->p.r.fd, self->buffer, sizeof(self->buffer)));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 0, 9000));
	EXPECT_EQ(9000, zt_consumed(&self->p.w));
	EXPECT_EQ(9000, zt_examined(&self->p.w));
}

TEST_F(mixed, grants_and_writes_alternate)
{
	__u64 at = 0;
	int i;

	for (i = 0; i < 50; i++) {
		size_t n = 1 + i * 97 % 1500;

		if (i & 1) {
			ASSERT_EQ((ssize_t)n, write_oracle(self, at, n));
		} else {
			ASSERT_EQ(0, zt_put(&self->p.w, n));
		}
		at += n;
		if (i % 3 == 2) {
			ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
			zt_check_view(&self->p.r, &self->view);
			ASSERT_EQ(at, self->view.args.out_end);
			ASSERT_EQ(0, zt_advance(&self->p.r, at, at));
		}
	}
}

TEST_F(mixed, reads_and_advances_alternate)
{
	__u64 at = 0;
	int i;

	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, 1000));
		ASSERT_EQ(0, zt_take(&self->p.r, 300));
		ASSERT_EQ(700, read(self->p.r.fd, self->buffer, 700));
		EXPECT_EQ(-1, zt_mismatch(self->buffer, at + 300, 700));
		at += 1000;
	}
}

TEST_F(mixed, read_takes_bytes_that_were_examined_and_kept)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 100));
	ASSERT_EQ(90, read(self->p.r.fd, self->buffer, 200));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 10, 90));
}

TEST_F(mixed, write_of_unaligned_length_then_a_run_longer_than_a_segment)
{
	ASSERT_EQ(123, write_oracle(self, 0, 123));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 123, 2 * ZT_PAGE, 0, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_flush(&self->p.w, 123 + 2 * ZT_PAGE, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 123 + 2 * ZT_PAGE));
}

TEST_F(mixed, unpublished_grant_and_write_stay_apart)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 500, 500, &self->grant));
	memset(self->p.w.data + self->grant.out_offset, 0xbb, 500);
	/* The write takes the place of what was not published. */
	ASSERT_EQ(100, write_oracle(self, 0, 100));
	EXPECT_EQ(100, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
}

/* Nothing is published, and what was granted for it is given back. */
TEST_F(mixed, write_that_faults_leaves_no_grant)
{
	unsigned char *source = mmap(NULL, 2 * ZT_PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *gone = source + ZT_PAGE;
	struct zpipe_stat_args stat;

	ASSERT_NE(MAP_FAILED, source);
	ASSERT_EQ(0, munmap(gone, ZT_PAGE));
	EXPECT_EQ(-1, write(self->p.w.fd, gone, 3 * ZT_PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, zt_stat(&self->p.w).out_granted);
	zt_fill(gone - 100, 0, 100);
	EXPECT_EQ(100, write(self->p.w.fd, gone - 100, 3 * ZT_PAGE));
	stat = zt_stat(&self->p.w);
	EXPECT_EQ(100, stat.out_granted);
	EXPECT_EQ(100, stat.out_published);
	/* A grant of the mapped path is not the write's to give back. */
	ASSERT_EQ(0, zt_alloc(&self->p.w, 100, 2 * ZT_PAGE, 2 * ZT_PAGE, &self->grant));
	stat = zt_stat(&self->p.w);
	EXPECT_EQ(-1, write(self->p.w.fd, gone, 3 * ZT_PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(stat.out_granted, zt_stat(&self->p.w).out_granted);
	/* And the stream goes on where it was. */
	ASSERT_EQ(9000, write_oracle(self, 100, 9000));
	EXPECT_EQ(0, zt_take(&self->p.r, 9100));
	munmap(source, ZT_PAGE);
}

TEST_F(mixed, fionread_counts_mapped_bytes)
{
	int n = -1;

	ASSERT_EQ(0, zt_put(&self->p.w, 5000));
	ASSERT_EQ(0, ioctl(self->p.r.fd, FIONREAD, &n));
	EXPECT_EQ(5000, n);
}

TEST_F(mixed, write_respects_the_pause)
{
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	ASSERT_EQ(0, zt_set(&self->p.w, 100, 50));
	ASSERT_EQ(100, write_oracle(self, 0, 100));
	EXPECT_EQ(-1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, zt_take(&self->p.r, 51));
	EXPECT_EQ(1, write_oracle(self, 100, 1));
}

TEST_F(mixed, nonblock_means_nowait_for_the_ioctls_too)
{
	struct zpipe_read_args read = { .min = 1 };

	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &read));
}

TEST_F(mixed, write_after_complete_epipe)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(EPIPE, errno);
}

TEST_F(mixed, read_after_complete_is_end_of_file)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(10, read(self->p.r.fd, self->buffer, 100));
	EXPECT_EQ(0, read(self->p.r.fd, self->buffer, 100));
}

TEST_F(mixed, read_after_an_abort_gives_the_errno)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, ENODATA, 0, 0));
	EXPECT_EQ(-1, read(self->p.r.fd, self->buffer, 100));
	EXPECT_EQ(ENODATA, errno);
}

TEST_F(mixed, read2_while_a_read_is_outstanding_ebusy)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-1, read(self->p.r.fd, self->buffer, 5));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, zt_advance(&self->p.r, 10, 10));
}

struct blocked {
	pthread_t thread;
	int fd;
	bool write;
	ssize_t ret;
	int error;
};

static void *block(void *arg)
{
	static unsigned char buffer[100];
	struct blocked *me = arg;

	me->ret = me->write ? write(me->fd, buffer, 100) : read(me->fd, buffer, 100);
	me->error = errno;
	return NULL;
}

/* Neither can say CANCELED in a flag. */
TEST_F(mixed, cancel_ends_a_blocked_read_with_ecanceled)
{
	struct blocked me = { .fd = self->p.r.fd };

	zt_spawn(&me.thread, block, &me);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	zt_join(me.thread);
	EXPECT_EQ(-1, me.ret);
	EXPECT_EQ(ECANCELED, me.error);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, read(self->p.r.fd, self->buffer, 100));
}

TEST_F(mixed, cancel_ends_a_blocked_write_with_ecanceled)
{
	struct blocked me = { .fd = self->p.w.fd, .write = true };

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	zt_spawn(&me.thread, block, &me);
	zt_await_starved(&self->p.r);
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	zt_join(me.thread);
	EXPECT_EQ(-1, me.ret);
	EXPECT_EQ(ECANCELED, me.error);
	EXPECT_EQ(0, zt_take(&self->p.r, 4 * ZT_PAGE));
}

TEST_HARNESS_MAIN
