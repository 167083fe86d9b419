// SPDX-License-Identifier: GPL-2.0-only
/*
 * guarded_hostile - guarded mode against a writer that tries to change what it has published
 *
 * Through every mapping it can have, from other processes, and by transfers that were under way.
 * For readers that cheat see guarded_reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SIZE	(4 * ZT_PAGE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif

FIXTURE(guarded_hostile)
{
	struct zt_pipe p;
	struct zpipe_alloc_args grant;
	struct zt_view view;
	unsigned char *at;	/* the grant, as the writer sees it */
	int log;
};

/* A grant of two segments, filled but not flushed. */
FIXTURE_SETUP(guarded_hostile)
{
	self->log = zt_log_mark();
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SIZE, 2 * SIZE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 2 * SIZE, 0, &self->grant));
	ASSERT_EQ(0, self->grant.out_offset);
	zt_fill_grant(&self->p.w, &self->grant, 2 * SIZE);
	self->at = self->p.w.data;
}

FIXTURE_TEARDOWN(guarded_hostile)
{
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

/* Publish the first segment. */
static int flush(FIXTURE_DATA(guarded_hostile) *self)
{
	return zt_flush(&self->p.w, SIZE, 0, NULL);
}

/* What the reader is shown of it is what was in the grant. */
static bool is_intact(FIXTURE_DATA(guarded_hostile) *self)
{
	return zt_mismatch(self->p.r.data, 0, SIZE) == -1;
}

static unsigned char *map_again(const struct zt_end *e, int prot)
{
	return mmap(NULL, SIZE, prot, MAP_SHARED, e->fd, e->info.out_data.offset);
}

TEST_F(guarded_hostile, store_after_the_flush_sigbus)
{
	ASSERT_EQ(0, flush(self));
	EXPECT_FALSE(zt_can_write(self->at));
	EXPECT_FALSE(zt_can_write(self->at + SIZE - 1));
	EXPECT_FALSE(zt_can_write(self->at + 2 * SIZE));
	EXPECT_TRUE(is_intact(self));
}

TEST_F(guarded_hostile, store_through_the_second_mapping_sigbus)
{
	unsigned char *other = map_again(&self->p.w, PROT_READ | PROT_WRITE);

	ASSERT_NE(MAP_FAILED, other);
	other[0] = self->at[0];
	self->at[2 * SIZE] = self->at[0];
	ASSERT_EQ(0, flush(self));
	EXPECT_FALSE(zt_can_write(other));
	EXPECT_FALSE(zt_can_write(self->at + 2 * SIZE));
	EXPECT_TRUE(is_intact(self));
	munmap(other, SIZE);
}

/* One that was read-only when the flush came, and one made after it. */
TEST_F(guarded_hostile, store_through_a_later_mapping_sigbus)
{
	unsigned char *early = map_again(&self->p.w, PROT_READ), *late;

	ASSERT_NE(MAP_FAILED, early);
	EXPECT_TRUE(zt_can_read(early));
	ASSERT_EQ(0, flush(self));
	ASSERT_EQ(0, mprotect(early, SIZE, PROT_READ | PROT_WRITE));
	late = map_again(&self->p.w, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, late);
	EXPECT_FALSE(zt_can_write(early));
	EXPECT_FALSE(zt_can_write(late));
	EXPECT_TRUE(is_intact(self));
}

TEST_F(guarded_hostile, store_through_a_moved_mapping_sigbus)
{
	unsigned char *moved;

	moved = mremap(self->at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, moved);
	moved[0] = moved[0] + 0;
	ASSERT_EQ(0, flush(self));
	EXPECT_FALSE(zt_can_write(moved));
	moved = mremap(moved, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_FALSE(zt_can_write(moved));
	EXPECT_TRUE(is_intact(self));
}

/* Taking the right to write away and giving it back would make a dirty, protected PTE writable. */
TEST_F(guarded_hostile, store_after_mprotect_there_and_back_sigbus)
{
	ASSERT_EQ(0, mprotect(self->at, SIZE, PROT_READ));
	ASSERT_EQ(0, flush(self));
	ASSERT_EQ(0, mprotect(self->at, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_FALSE(zt_can_write(self->at));
	ASSERT_EQ(0, mprotect(self->at, SIZE, PROT_READ));
	ASSERT_EQ(0, mprotect(self->at, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_FALSE(zt_can_write(self->at));
	EXPECT_TRUE(is_intact(self));
}

/* So would lifting a write protection of userfaultfd. */
TEST_F(guarded_hostile, store_after_a_lifted_write_protection_sigbus)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC |
							      UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register reg = {
		.range = { (uintptr_t)self->at, SIZE }, .mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no asynchronous write protection");
	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		SKIP(return, "not for this memory: %s", strerror(errno));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	ASSERT_EQ(0, flush(self));
	wp.mode = 0;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	EXPECT_FALSE(zt_can_write(self->at));
	EXPECT_TRUE(is_intact(self));
	close(fd);
}

/* Forked with the page mapped; it stores when told to. */
TEST_F(guarded_hostile, store_by_a_forked_child_sigbus)
{
	int to[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(to));
	child = fork();
	if (!child) {
		if (read(to[0], &c, 1) != 1)
			_exit(2);
		_exit(zt_can_write(self->at));
	}
	ASSERT_EQ(0, flush(self));
	ASSERT_EQ(1, write(to[1], "", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_intact(self));
	close(to[0]);
	close(to[1]);
}

/* Another process that was given the fd, and maps it itself. */
TEST_F(guarded_hostile, store_by_a_second_process_sigbus)
{
	int s[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	child = fork();
	if (!child) {
		unsigned char *at;
		struct zt_end e = { .fd = zt_receive_fd(s[1]) };

		if (e.fd < 0 || zt_end_map(&e, e.fd))
			_exit(3);
		at = e.data;
		at[0] = at[0] + 0;
		if (write(s[1], "", 1) != 1 || read(s[1], &c, 1) != 1)
			_exit(2);
		_exit(zt_can_write(at));
	}
	ASSERT_EQ(0, zt_send_fd(s[0], self->p.w.fd));
	ASSERT_EQ(1, read(s[0], &c, 1));
	ASSERT_EQ(0, flush(self));
	ASSERT_EQ(1, write(s[0], "", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_intact(self));
	close(s[0]);
	close(s[1]);
}

TEST_F(guarded_hostile, system_calls_store_no_more_either)
{
	struct iovec local = { .iov_base = "xxxx", .iov_len = 4 };
	struct iovec remote = { .iov_base = self->at, .iov_len = 4 };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), zero;

	ASSERT_LE(0, mem);
	/* While it is granted they do. */
	ASSERT_EQ(4, pwrite(mem, self->at, 4, (uintptr_t)self->at));
	ASSERT_EQ(0, flush(self));
	EXPECT_EQ(-1, pwrite(mem, "xxxx", 4, (uintptr_t)self->at));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-1, read(zero, self->at, ZT_PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_NE(0, madvise(self->at, ZT_PAGE, MADV_POPULATE_WRITE));
	EXPECT_NE(0, madvise(self->at, ZT_PAGE, MADV_POPULATE_READ));
	EXPECT_TRUE(is_intact(self));
	close(mem);
	close(zero);
}

TEST_F(guarded_hostile, debugger_stores_no_more_either)
{
	pid_t child = fork();
	int status;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, flush(self));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, child, self->at, (void *)0x4242L));
	EXPECT_EQ(0, ptrace(PTRACE_CONT, child, NULL, NULL));
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_TRUE(is_intact(self));
}

/* A process_vm_writev() that has pinned the grant, and waits for the source of its bytes. */
struct transfer {
	unsigned char *to;
	unsigned char *from;
	ssize_t done;
};

static void *run_transfer(void *arg)
{
	struct transfer *t = arg;
	struct iovec local = { .iov_base = t->from, .iov_len = ZT_PAGE };
	struct iovec remote = { .iov_base = t->to, .iov_len = ZT_PAGE };

	t->done = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	return NULL;
}

TEST_F(guarded_hostile, transfer_under_way_ends_in_a_page_that_is_nobodys)
{
	struct transfer t = { .to = self->at + ZT_PAGE };
	struct uffdio_api api = { .api = UFFD_API };
	static unsigned char evil[ZT_PAGE];
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_copy copy = { .src = (uintptr_t)evil, .len = ZT_PAGE };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffd_msg msg;
	pthread_t thread;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd");
	memset(evil, 0xbb, sizeof(evil));
	t.from = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, t.from);
	reg.range.start = (uintptr_t)t.from;
	reg.range.len = ZT_PAGE;
	copy.dst = (uintptr_t)t.from;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	zt_spawn(&thread, run_transfer, &t);
	ASSERT_EQ(sizeof(msg), read(fd, &msg, sizeof(msg)));

	ASSERT_EQ(0, flush(self));
	EXPECT_EQ(ZT_PAGE, zt_stat(&self->p.w).out_copied_seal);
	EXPECT_TRUE(is_intact(self));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	zt_join(thread);
	EXPECT_EQ(ZT_PAGE, t.done);
	EXPECT_TRUE(is_intact(self));
	close(fd);
}

/* A file read into the grant again and again, by the kernel, while it is flushed. */
struct racer {
	unsigned char *to;
	int file;
	atomic_bool stop;
	atomic_uint rounds;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		if (pread(r->file, r->to, SIZE, 0) == -2)
			break;
		r->rounds++;
	}
	return NULL;
}

TEST_F(guarded_hostile, file_read_into_the_grant_stops_with_the_flush)
{
	static unsigned char now[SIZE] __attribute__((aligned(ZT_PAGE)));
	struct racer r = { .to = self->at };
	pthread_t thread;
	unsigned int rounds, turn;
	__u64 at = 0;

	r.file = zt_direct_file();
	if (r.file < 0)
		r.file = zt_file(0);
	ASSERT_LE(0, r.file);
	ASSERT_EQ(SIZE, write(r.file, self->at, SIZE));
	zt_spawn(&thread, race, &r);
	for (turn = 0; turn < 50; turn++) {
		size_t i;

		if (turn)
			ASSERT_EQ(0, zt_alloc(&self->p.w, at, SIZE, SIZE, &self->grant));
		r.to = self->p.w.data + self->grant.out_offset;
		rounds = r.rounds;
		while (r.rounds - rounds < 3)
			sched_yield();
		for (i = 0; i < SIZE; i += ZT_PAGE)
			memset(self->p.w.data + self->grant.out_offset + i, turn, 64);
		at += SIZE;
		ASSERT_EQ(0, zt_flush(&self->p.w, at, 0, NULL));
		ASSERT_EQ(0, zt_read(&self->p.r, SIZE, 0, &self->view));
		memcpy(now, self->p.r.data + self->view.spans[0].offset, SIZE);
		rounds = r.rounds;
		while (r.rounds - rounds < 3)
			sched_yield();
		ASSERT_EQ(0, memcmp(now, self->p.r.data + self->view.spans[0].offset, SIZE))
			TH_LOG("turn %u", turn);
		ASSERT_EQ(0, zt_advance(&self->p.r, at, at));
	}
	r.stop = true;
	zt_join(thread);
	close(r.file);
}

/* Another process of the writer stores all the time; what is published must stand still. */
static void store_for_ever(unsigned char *at)
{
	for (;;)
		zt_can_write(at + ZT_PAGE * (rand() % 8) + rand() % ZT_PAGE);
}

TEST_F(guarded_hostile, what_was_published_stands_still_under_a_storm_of_stores)
{
	static unsigned char now[2 * SIZE];
	__u64 at = 0, end;
	pid_t child[2];
	int turn, i;

	for (i = 0; i < 2; i++) {
		child[i] = fork();
		if (!child[i])
			store_for_ever(self->p.w.data);
	}
	for (turn = 0; turn < 300; turn++) {
		if (turn)
			ASSERT_EQ(0, zt_alloc(&self->p.w, at, 1, 2 * SIZE, &self->grant));
		end = at + 1 + (turn * 977) % self->grant.out_length;
		memset(self->p.w.data + self->grant.out_offset, turn, end - at);
		ASSERT_EQ(0, zt_flush(&self->p.w, end, 0, NULL));
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		ASSERT_EQ(1, self->view.args.out_nr_spans);
		memcpy(now, self->p.r.data + self->view.spans[0].offset, end - at);
		if (turn % 8 == 0)
			zt_sleep_ms(2);
		else
			sched_yield();
		ASSERT_EQ(0, memcmp(now, self->p.r.data + self->view.spans[0].offset, end - at))
			TH_LOG("turn %d", turn);
		ASSERT_EQ(0, zt_advance(&self->p.r, end, end));
		at = end;
	}
	for (i = 0; i < 2; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
}

/* The pipe keeps the page it was lent, the reader gets another one, the writer none. */
TEST_F(guarded_hostile, vmspliced_grant_is_replaced_by_a_copy)
{
	struct iovec iov = { .iov_base = self->at, .iov_len = SIZE };
	static unsigned char buffer[SIZE];
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(SIZE, vmsplice(pipefd[1], &iov, 1, SPLICE_F_GIFT));
	ASSERT_EQ(0, flush(self));
	EXPECT_EQ(SIZE, zt_stat(&self->p.w).out_copied_seal);
	EXPECT_EQ(2 * SIZE / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
	EXPECT_FALSE(zt_can_write(self->at));
	ASSERT_EQ(SIZE, read(pipefd[0], buffer, SIZE));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, SIZE));
	EXPECT_TRUE(is_intact(self));
	EXPECT_EQ(-1, vmsplice(pipefd[1], &iov, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* Rolled back and granted again, the memory is the writer's; a loan of it counts all the same. */
TEST_F(guarded_hostile, loan_of_rolled_back_memory_is_not_published)
{
	struct iovec iov = { .iov_base = self->at, .iov_len = SIZE };
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(SIZE, vmsplice(pipefd[1], &iov, 1, 0));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SIZE, 0, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, SIZE);
	ASSERT_EQ(0, flush(self));
	EXPECT_TRUE(is_intact(self));
	EXPECT_LE(1, zt_stat(&self->p.w).out_copied_seal + zt_stat(&self->p.w).out_replaced_pages);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_HARNESS_MAIN
