// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring - io_uring on the ends and on the mapping: poll, read, write, registered buffers
 *
 * A ring of our own, by system calls: one request at a time is enough here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SIZE	(4 * ZT_PAGE)

struct ring {
	int fd;
	unsigned char *sq;
	unsigned char *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

FIXTURE(uring)
{
	struct zt_pipe p;
	struct ring ring;
	unsigned char buffer[SIZE];
};

static bool open_ring(struct ring *r)
{
	size_t sq, cq;

	memset(&r->p, 0, sizeof(r->p));
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return false;
	sq = r->p.sq_off.array + r->p.sq_entries * sizeof(__u32);
	cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(struct io_uring_sqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		zt_die("cannot map the ring");
	return true;
}

static __u32 *word(unsigned char *ring, __u32 at)
{
	return (__u32 *)(void *)(ring + at);
}

static void submit(struct ring *r, const struct io_uring_sqe *sqe)
{
	__u32 tail = *word(r->sq, r->p.sq_off.tail);
	__u32 slot = tail & *word(r->sq, r->p.sq_off.ring_mask);

	r->sqes[slot] = *sqe;
	word(r->sq, r->p.sq_off.array)[slot] = slot;
	__atomic_store_n(word(r->sq, r->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) != 1)
		zt_die("io_uring_enter: %s", strerror(errno));
}

static bool completed(void *arg)
{
	struct ring *r = arg;

	return __atomic_load_n(word(r->cq, r->p.cq_off.tail), __ATOMIC_ACQUIRE) !=
	       *word(r->cq, r->p.cq_off.head);
}

/* The result of the oldest request. */
static int result(struct ring *r)
{
	struct io_uring_cqe *cqes = (void *)(r->cq + r->p.cq_off.cqes);
	__u32 head = *word(r->cq, r->p.cq_off.head);
	int res;

	if (!zt_eventually(completed, r))
		zt_die("a request does not complete");
	res = cqes[head & *word(r->cq, r->p.cq_off.ring_mask)].res;
	__atomic_store_n(word(r->cq, r->p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return res;
}

static struct io_uring_sqe request(__u8 opcode, int fd, void *buffer, __u32 len)
{
	return (struct io_uring_sqe){ .opcode = opcode, .fd = fd, .off = -1ULL,
				      .addr = (uintptr_t)buffer, .len = len };
}

FIXTURE_SETUP(uring)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, SIZE, .flags = ZPIPE_F_CONTIG);

	if (!open_ring(&self->ring))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
}

FIXTURE_TEARDOWN(uring)
{
	zt_pipe_close(&self->p);
	close(self->ring.fd);
}

TEST_F(uring, poll_completes_when_bytes_come)
{
	struct io_uring_sqe sqe = request(IORING_OP_POLL_ADD, self->p.r.fd, NULL, 0);

	sqe.off = 0;
	sqe.poll32_events = POLLIN;
	submit(&self->ring, &sqe);
	EXPECT_FALSE(completed(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(POLLIN, result(&self->ring));
}

TEST_F(uring, poll_arms_the_word_for_a_mapped_writer)
{
	struct io_uring_sqe sqe = request(IORING_OP_POLL_ADD, self->p.r.fd, NULL, 0);
	struct zpipe_alloc_args grant;

	sqe.off = 0;
	sqe.poll32_events = POLLIN;
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &grant));
	submit(&self->ring, &sqe);
	zt_store_published(&self->p.w, 10);
	zt_mb();
	ASSERT_GE(10, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(POLLIN, result(&self->ring));
}

TEST_F(uring, read_waits_for_bytes)
{
	struct io_uring_sqe sqe = request(IORING_OP_READ, self->p.r.fd, self->buffer, SIZE);

	submit(&self->ring, &sqe);
	zt_sleep_ms(ZT_GLANCE_MS);
	EXPECT_FALSE(completed(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 1000));
	EXPECT_EQ(1000, result(&self->ring));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 0, 1000));
}

TEST_F(uring, write_waits_for_room)
{
	struct io_uring_sqe sqe = request(IORING_OP_WRITE, self->p.w.fd, self->buffer, ZT_PAGE);

	zt_fill(self->buffer, SIZE, ZT_PAGE);
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	submit(&self->ring, &sqe);
	zt_sleep_ms(ZT_GLANCE_MS);
	EXPECT_FALSE(completed(&self->ring));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(ZT_PAGE, result(&self->ring));
	EXPECT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
}

TEST_F(uring, pending_read_ends_with_the_ring)
{
	struct io_uring_sqe sqe = request(IORING_OP_READ, self->p.r.fd, self->buffer, SIZE);

	submit(&self->ring, &sqe);
	zt_sleep_ms(ZT_GLANCE_MS);
	close(self->ring.fd);
	self->ring.fd = -1;
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
}

/* Registering asks for memory that may be written to, also through the kernel. */
TEST_F(uring, read_only_mapping_cannot_be_registered)
{
	struct iovec iov = { .iov_base = self->p.r.data, .iov_len = SIZE };

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	EXPECT_EQ(-1, syscall(SYS_io_uring_register, self->ring.fd, IORING_REGISTER_BUFFERS, &iov,
			      1));
	EXPECT_TRUE(errno == EFAULT || errno == EOPNOTSUPP);
}

/* The window a producer registers once stays the window, however often it goes round. */
TEST_F(uring, registered_writer_mapping_is_a_destination_on_every_lap)
{
	struct iovec iov = { .iov_base = self->p.w.data, .iov_len = SIZE };
	struct zpipe_alloc_args grant;
	int lap, pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SIZE, SIZE, &grant));
	if (syscall(SYS_io_uring_register, self->ring.fd, IORING_REGISTER_BUFFERS, &iov, 1)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "this kernel registers no memory of files");
	}
	for (lap = 0; lap < 4; lap++) {
		__u64 at = (__u64)lap * SIZE;
		struct io_uring_sqe sqe;

		ASSERT_EQ(0, zt_alloc(&self->p.w, at, SIZE, SIZE, &grant));
		zt_fill(self->buffer, at, SIZE);
		ASSERT_EQ(SIZE, write(pipefd[1], self->buffer, SIZE));
		sqe = request(IORING_OP_READ_FIXED, pipefd[0],
			      self->p.w.data + grant.out_offset, SIZE);
		submit(&self->ring, &sqe);
		ASSERT_EQ(SIZE, result(&self->ring));
		ASSERT_EQ(0, zt_flush(&self->p.w, at + SIZE, 0, NULL));
		ASSERT_EQ(0, zt_take(&self->p.r, SIZE))
			TH_LOG("lap %d", lap);
	}
}

/* In a guarded pipe the registered pages are nobody's as soon as they are published. */
TEST_F(uring, registered_memory_of_a_guarded_writer_reaches_no_reader)
{
	struct zpipe_alloc_args grant;
	struct io_uring_sqe sqe;
	struct zt_pipe g;
	struct iovec iov;
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, zt_pipe_open(&g, ZT_ARGS(SIZE, 2 * SIZE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&g.w, 0, SIZE, SIZE, &grant));
	iov = (struct iovec){ g.w.data + grant.out_offset, SIZE };
	if (syscall(SYS_io_uring_register, self->ring.fd, IORING_REGISTER_BUFFERS, &iov, 1)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "this kernel registers no memory of files");
	}
	ASSERT_EQ(0, zt_fill_grant(&g.w, &grant, SIZE));
	ASSERT_EQ(0, zt_flush(&g.w, SIZE, 0, NULL));
	EXPECT_EQ(SIZE, zt_stat(&g.w).out_copied_seal);
	memset(self->buffer, 0xbb, SIZE);
	ASSERT_EQ(SIZE, write(pipefd[1], self->buffer, SIZE));
	sqe = request(IORING_OP_READ_FIXED, pipefd[0], iov.iov_base, SIZE);
	submit(&self->ring, &sqe);
	EXPECT_EQ(SIZE, result(&self->ring));
	EXPECT_EQ(0, zt_take(&g.r, SIZE));
	zt_pipe_close(&g);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* Nor have they a claim on memory that was rolled back and is granted again. */
TEST_F(uring, registered_memory_of_a_guarded_writer_is_not_granted_again)
{
	struct zpipe_alloc_args grant;
	struct zt_pipe g;
	struct iovec iov;

	ASSERT_EQ(0, zt_pipe_open(&g, ZT_ARGS(SIZE, 2 * SIZE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&g.w, 0, SIZE, SIZE, &grant));
	iov = (struct iovec){ g.w.data + grant.out_offset, SIZE };
	if (syscall(SYS_io_uring_register, self->ring.fd, IORING_REGISTER_BUFFERS, &iov, 1)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "this kernel registers no memory of files");
	}
	ASSERT_EQ(0, zt_alloc(&g.w, 0, 2 * SIZE, 0, &grant));
	EXPECT_EQ(SIZE / ZT_PAGE, zt_stat(&g.w).out_replaced_pages);
	zt_pipe_close(&g);
}

TEST_HARNESS_MAIN
