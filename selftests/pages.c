// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages - the mapping as memory of other system calls: what reads from it, what may not write
 *
 * Pages are ordinary, so O_DIRECT, MSG_ZEROCOPY, vmsplice and process_vm_readv take them; and a
 * read-only mapping stays read-only for everyone, force included.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SIZE	(4 * ZT_PAGE)

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY	60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY	0x4000000
#endif

FIXTURE(pages)
{
	struct zt_pipe p;
};

/* The window is full; its first byte is the first of the stream. */
FIXTURE_SETUP(pages)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, SIZE, .flags = ZPIPE_F_CONTIG);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
}

FIXTURE_TEARDOWN(pages)
{
	zt_pipe_close(&self->p);
}

static void read_back(int fd, unsigned char *buffer)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags & ~O_DIRECT);
	if (pread(fd, buffer, SIZE, 0) != SIZE)
		zt_die("cannot read back: %s", strerror(errno));
	fcntl(fd, F_SETFL, flags);
}

TEST_F(pages, direct_write_from_the_readers_mapping)
{
	unsigned char buffer[SIZE];
	int fd = zt_direct_file();

	if (fd < 0)
		SKIP(return, "no file system with O_DIRECT");
	ASSERT_EQ(SIZE, write(fd, self->p.r.data, SIZE));
	read_back(fd, buffer);
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	close(fd);
}

TEST_F(pages, direct_write_across_the_seam_of_the_mirror)
{
	unsigned char buffer[SIZE];
	int fd = zt_direct_file();

	if (fd < 0)
		SKIP(return, "no file system with O_DIRECT");
	ASSERT_EQ(SIZE, write(fd, self->p.r.data + 2 * ZT_PAGE, SIZE));
	read_back(fd, buffer);
	EXPECT_EQ(-1, zt_mismatch(buffer, 2 * ZT_PAGE, 2 * ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(buffer + 2 * ZT_PAGE, 0, 2 * ZT_PAGE));
	close(fd);
}

TEST_F(pages, direct_read_into_a_grant_is_a_producer_without_a_copy)
{
	struct zpipe_alloc_args grant;
	int fd = zt_direct_file();

	if (fd < 0)
		SKIP(return, "no file system with O_DIRECT");
	ASSERT_EQ(SIZE, write(fd, self->p.r.data, SIZE));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	memset(self->p.w.data + grant.out_offset, 0, SIZE);
	ASSERT_EQ(SIZE, pread(fd, self->p.w.data + grant.out_offset, SIZE, 0));
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * SIZE, 0, NULL));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data + grant.out_offset, 0, SIZE));
	close(fd);
}

TEST_F(pages, direct_read_into_a_read_only_mapping_efault)
{
	int fd = zt_direct_file();

	if (fd < 0)
		SKIP(return, "no file system with O_DIRECT");
	ASSERT_EQ(SIZE, write(fd, self->p.r.data + ZT_PAGE, SIZE));
	EXPECT_EQ(-1, pread(fd, self->p.r.data, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
	close(fd);
}

TEST_F(pages, read_into_a_read_only_mapping_efault)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, zero);
	EXPECT_EQ(-1, read(zero, self->p.r.data, ZT_PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
	close(zero);
}

TEST_F(pages, forced_write_through_proc_mem_is_refused)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	unsigned char *maps[] = { self->p.r.data, self->p.r.state, self->p.r.writer,
				  self->p.w.state, self->p.w.reader };
	size_t k;

	ASSERT_LE(0, mem);
	for (k = 0; k < 5; k++) {
		EXPECT_EQ(-1, pwrite(mem, "xxxxxxxx", 8, (uintptr_t)maps[k]));
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
	EXPECT_EQ(SIZE, zt_published(&self->p.r));
	close(mem);
}

TEST_F(pages, debugger_cannot_poke_a_read_only_mapping)
{
	pid_t child = fork();
	int status;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(zt_mismatch(self->p.r.data, 0, SIZE) != -1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, child, self->p.r.data, (void *)0x4242L));
	EXPECT_EQ(0, ptrace(PTRACE_CONT, child, NULL, NULL));
	EXPECT_EQ(0, zt_wait_child(child));
}

TEST_F(pages, process_vm_writev_into_a_read_only_mapping_efault)
{
	struct iovec local = { .iov_base = "xxxx", .iov_len = 4 };
	struct iovec remote = { .iov_base = self->p.r.data, .iov_len = 4 };

	EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, SIZE));
}

TEST_F(pages, process_vm_readv_reads_the_mapping)
{
	unsigned char buffer[SIZE];
	struct iovec local = { .iov_base = buffer, .iov_len = SIZE };
	struct iovec remote = { .iov_base = self->p.r.data, .iov_len = SIZE };

	ASSERT_EQ(SIZE, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
}

TEST_F(pages, vmsplice_lends_pages_that_stay_valid_after_the_end)
{
	struct iovec iov = { .iov_base = self->p.r.data, .iov_len = SIZE };
	unsigned char buffer[SIZE];
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(SIZE, vmsplice(pipefd[1], &iov, 1, 0));
	zt_pipe_close(&self->p);
	ASSERT_EQ(SIZE, read(pipefd[0], buffer, SIZE));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	close(pipefd[0]);
	close(pipefd[1]);
}

/* The writer's next turn on a lent page gets a fresh one; the holder keeps what it was lent. */
TEST_F(pages, lent_pages_are_not_written_over)
{
	struct iovec iov = { .iov_base = self->p.r.data, .iov_len = 2 * ZT_PAGE };
	unsigned char buffer[2 * ZT_PAGE];
	struct zpipe_alloc_args grant;
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(2 * ZT_PAGE, vmsplice(pipefd[1], &iov, 1, 0));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_replaced_pages);
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	EXPECT_EQ(2, zt_stat(&self->p.w).out_replaced_pages);
	EXPECT_EQ(SIZE / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
	memset(self->p.w.data + grant.out_offset, 0xbb, SIZE);
	ASSERT_EQ(2 * ZT_PAGE, read(pipefd[0], buffer, sizeof(buffer)));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, sizeof(buffer)));
	zt_fill_grant(&self->p.w, &grant, SIZE);
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * SIZE, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_F(pages, pages_that_were_given_back_in_time_are_used_again)
{
	struct iovec iov = { .iov_base = self->p.r.data, .iov_len = SIZE };
	unsigned char buffer[SIZE];
	struct zpipe_alloc_args grant;
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(SIZE, vmsplice(pipefd[1], &iov, 1, 0));
	ASSERT_EQ(SIZE, read(pipefd[0], buffer, SIZE));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_replaced_pages);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_F(pages, many_mappings_and_processes_are_no_loan)
{
	unsigned char *more = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->p.r.fd,
				   ZPIPE_OFF_DATA);
	struct zpipe_alloc_args grant;
	pid_t child;

	ASSERT_NE(MAP_FAILED, more);
	EXPECT_EQ(-1, zt_mismatch(more, 0, SIZE));
	child = fork();
	if (!child) {
		if (zt_mismatch(self->p.r.data, 0, SIZE) >= 0)
			_exit(1);
		pause();
	}
	zt_await_asleep(child);
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_replaced_pages);
	kill(child, SIGKILL);
	zt_wait_child(child);
}

TEST_F(pages, send_from_the_mapping_over_a_socket)
{
	unsigned char buffer[SIZE];
	int s[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	ASSERT_EQ(SIZE, send(s[0], self->p.r.data, SIZE, 0));
	ASSERT_EQ(SIZE, recv(s[1], buffer, SIZE, MSG_WAITALL));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	close(s[0]);
	close(s[1]);
}

/* A connected pair over the loopback; false when there is none. */
static bool tcp_pair(int *a, int *b)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);

	*a = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || *a < 0 || bind(listener, (struct sockaddr *)&at, len) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&at, &len) ||
	    connect(*a, (struct sockaddr *)&at, len))
		return false;
	*b = accept(listener, NULL, NULL);
	close(listener);
	return *b >= 0;
}

TEST_F(pages, zerocopy_send_from_the_readers_mapping)
{
	unsigned char buffer[SIZE];
	int a, b, one = 1;

	if (!tcp_pair(&a, &b))
		SKIP(return, "no loopback interface");
	if (setsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP(return, "no MSG_ZEROCOPY");
	ASSERT_EQ(SIZE, send(a, self->p.r.data, SIZE, MSG_ZEROCOPY));
	ASSERT_EQ(SIZE, recv(b, buffer, SIZE, MSG_WAITALL));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	close(a);
	close(b);
}

TEST_F(pages, zerocopy_send_survives_the_end_of_the_pipe)
{
	unsigned char buffer[SIZE];
	int a, b, one = 1;

	if (!tcp_pair(&a, &b))
		SKIP(return, "no loopback interface");
	if (setsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP(return, "no MSG_ZEROCOPY");
	ASSERT_EQ(SIZE, send(a, self->p.r.data, SIZE, MSG_ZEROCOPY));
	zt_pipe_close(&self->p);
	ASSERT_EQ(SIZE, recv(b, buffer, SIZE, MSG_WAITALL));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	close(a);
	close(b);
}

TEST_F(pages, arguments_may_lie_in_the_grant_itself)
{
	struct zpipe_alloc_args grant;
	struct zpipe_stat_args *s;

	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	s = (void *)(self->p.w.data + grant.out_offset);
	memset(s, 0, sizeof(*s));
	EXPECT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_STAT, s));
	EXPECT_EQ(SIZE, s->out_published);
}

TEST_F(pages, arguments_in_a_page_that_was_never_granted_efault)
{
	struct zt_pipe fresh;

	ASSERT_EQ(0, zt_pipe_open(&fresh, ZT_ARGS(ZT_PAGE, SIZE)));
	EXPECT_EQ(-1, ioctl(fresh.w.fd, ZPIPE_IOC_STAT, fresh.w.data));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(-1, write(self->p.w.fd, fresh.w.data, 10));
	EXPECT_EQ(EFAULT, errno);
	zt_pipe_close(&fresh);
}

/*
 * What the kernel does not own it cannot isolate: the page stays, and the machine reports it again
 * when it is touched. Nobody else is to notice.
 */
TEST_F(pages, memory_failure_of_a_page_is_survived)
{
	unsigned char bytes[SIZE];
	int ret = madvise(self->p.r.data, ZT_PAGE, MADV_HWPOISON);

	if (ret && (errno == EPERM || errno == EINVAL))
		SKIP(return, "this kernel does not simulate memory failures");
	if (ret)
		EXPECT_EQ(EBUSY, errno);
	/* The other pages are what they were, and so are all of the next lap. */
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data + ZT_PAGE, ZT_PAGE, SIZE - ZT_PAGE));
	ASSERT_EQ(SIZE, read(self->p.r.fd, bytes, SIZE));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
}

TEST_HARNESS_MAIN
