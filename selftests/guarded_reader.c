// SPDX-License-Identifier: GPL-2.0-only
/*
 * guarded_reader - guarded mode against a reader that tries to keep, or to see, what it should not
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SIZE	(4 * ZT_PAGE)

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY	60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY	0x4000000
#endif

FIXTURE(guarded_reader)
{
	struct zt_pipe p;
	struct zpipe_alloc_args grant;
	struct zt_view view;
	int log;
};

/* A grant of two segments, filled but not flushed. */
FIXTURE_SETUP(guarded_reader)
{
	self->log = zt_log_mark();
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SIZE, 2 * SIZE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * SIZE, 0, &self->grant));
	ASSERT_EQ(0, self->grant.out_offset);
	zt_fill_grant(&self->p.w, &self->grant, 2 * SIZE);
}

FIXTURE_TEARDOWN(guarded_reader)
{
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

TEST_F(guarded_reader, readers_view_cannot_be_pinned)
{
	struct iovec iov = { .iov_base = self->p.r.data, .iov_len = ZT_PAGE };
	static unsigned char buffer[ZT_PAGE];
	struct iovec local = { .iov_base = buffer, .iov_len = ZT_PAGE };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), pipefd[2];

	ASSERT_EQ(0, zt_flush(&self->p.w, SIZE, 0, NULL));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
	ASSERT_EQ(0, pipe(pipefd));
	EXPECT_EQ(-1, vmsplice(pipefd[1], &iov, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, process_vm_readv(getpid(), &local, 1, &iov, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_LE(0, mem);
	EXPECT_EQ(-1, pread(mem, buffer, ZT_PAGE, (uintptr_t)self->p.r.data));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(mem, buffer, ZT_PAGE, (uintptr_t)self->p.r.data));
	EXPECT_EQ(-1, madvise(self->p.r.data, ZT_PAGE, MADV_DOFORK));
	/* A copy is what it may have. */
	EXPECT_EQ(ZT_PAGE, write(pipefd[1], self->p.r.data, ZT_PAGE));
	EXPECT_EQ(ZT_PAGE, read(pipefd[0], buffer, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, ZT_PAGE));
	close(pipefd[0]);
	close(pipefd[1]);
	close(mem);
}

TEST_F(guarded_reader, readers_view_cannot_be_sent_without_a_copy)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	ASSERT_EQ(0, zt_flush(&self->p.w, SIZE, 0, NULL));
	if (bind(listener, (void *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&addr, &len) || connect(s, (void *)&addr, len))
		SKIP(return, "no loopback");
	if (setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP(return, "no MSG_ZEROCOPY");
	EXPECT_EQ(-1, send(s, self->p.r.data, SIZE, MSG_ZEROCOPY));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(SIZE, send(s, self->p.r.data, SIZE, 0));
	close(s);
	close(listener);
}

TEST_F(guarded_reader, direct_write_from_the_readers_view_takes_no_page)
{
	int fd = zt_direct_file();
	ssize_t n;

	if (fd < 0)
		fd = zt_file(0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, zt_flush(&self->p.w, SIZE, 0, NULL));
	/* EFAULT where the file system pins, a copy where it copies. */
	n = write(fd, self->p.r.data, SIZE);
	EXPECT_TRUE(n == SIZE || (n == -1 && errno == EFAULT));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * SIZE, 0, NULL));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 2 * SIZE, 2 * SIZE, 0, &self->grant));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_replaced_pages);
	close(fd);
}

/* Every mapping of the reader, in every process, before the writer can have the memory again. */
TEST_F(guarded_reader, reader_keeps_nothing_it_has_consumed)
{
	struct zt_end *r = &self->p.r;
	unsigned char *other, *moved;
	int s[2], status;
	pid_t child;
	char c;

	other = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, r->fd, r->info.out_data.offset);
	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	ASSERT_EQ(0, zt_flush(&self->p.w, SIZE, 0, NULL));
	EXPECT_TRUE(zt_can_read(other));
	EXPECT_TRUE(zt_can_read(self->p.r.data));
	EXPECT_TRUE(zt_can_read(self->p.r.data + 2 * SIZE));
	child = fork();
	if (!child) {
		struct zt_end e;
		int before;

		if (zt_end_map(&e, self->p.r.fd))
			_exit(3);
		before = zt_can_read(e.data) && zt_can_read(other);
		if (write(s[1], "", 1) != 1 || read(s[1], &c, 1) != 1)
			_exit(2);
		_exit(!before || zt_can_read(e.data) || zt_can_read(other));
	}
	ASSERT_EQ(1, read(s[0], &c, 1));
	moved = mremap(self->p.r.data, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(-1, zt_mismatch(moved, 0, SIZE));
	ASSERT_EQ(0, zt_read(&self->p.r, SIZE, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, SIZE, SIZE));
	EXPECT_FALSE(zt_can_read(moved));
	EXPECT_FALSE(zt_can_read(other));
	EXPECT_FALSE(zt_can_read(self->p.r.data + 2 * SIZE));
	ASSERT_EQ(1, write(s[0], "", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* A reader that looks all the time sees bytes that were published, or nothing. */
TEST_F(guarded_reader, reader_never_sees_what_is_not_published)
{
	__u64 at = 0;
	int turn, status, seen = 0;
	pid_t child;

	memset(self->p.w.data, 0xee, 2 * SIZE);
	child = fork();
	if (!child) {
		/* 0xee is what a grant holds before the bytes that are to be published. */
		while (seen != 0xee)
			seen = zt_peek(self->p.r.data + ZT_PAGE * (rand() % 8));
		_exit(1);
	}
	for (turn = 0; turn < 300; turn++) {
		if (turn)
			ASSERT_EQ(0, zt_alloc(&self->p.w, at, SIZE, SIZE, &self->grant));
		memset(self->p.w.data + self->grant.out_offset, 0xee, SIZE);
		sched_yield();
		memset(self->p.w.data + self->grant.out_offset, 1, SIZE);
		at += SIZE;
		ASSERT_EQ(0, zt_flush(&self->p.w, at, 0, NULL));
		ASSERT_EQ(0, zt_read(&self->p.r, SIZE, 0, &self->view));
		sched_yield();
		ASSERT_EQ(0, zt_advance(&self->p.r, at, at));
	}
	kill(child, SIGTERM);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_HARNESS_MAIN
