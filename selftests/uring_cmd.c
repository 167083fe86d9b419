// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring_cmd - the verbs as io_uring commands: results, waiting, refusals
 *
 * How commands end that nobody waits for any more is uring_end.c, whole streams are uring_stream.c.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "zpipe_uring.h"

#define SIZE	(4 * ZT_PAGE)

FIXTURE(uring_cmd)
{
	struct zt_pipe p;
	struct io_uring ring;
	struct zt_view view;
};

FIXTURE_VARIANT(uring_cmd)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring_cmd, plain) { .flags = ZU_PLAIN };
FIXTURE_VARIANT_ADD(uring_cmd, sqe128) { .flags = ZU_SQE128 };
FIXTURE_VARIANT_ADD(uring_cmd, defer) { .flags = ZU_DEFER };
FIXTURE_VARIANT_ADD(uring_cmd, sqpoll) { .flags = ZU_SQPOLL };

FIXTURE_SETUP(uring_cmd)
{
	if (zu_open(&self->ring, variant->flags))
		SKIP(return, "no such io_uring");
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, SIZE)));
}

FIXTURE_TEARDOWN(uring_cmd)
{
	zt_pipe_close(&self->p);
	io_uring_queue_exit(&self->ring);
}

TEST_F(uring_cmd, verbs_do_what_the_ioctls_do)
{
	struct zpipe_alloc_args alloc = { .min = 100, .want = 100 };
	struct zpipe_flush_args flush = { .position = 100 };
	struct zpipe_read_args read = { .min = 1, .nr_spans = ZT_SPANS,
					.spans = (uintptr_t)self->view.spans };
	struct zpipe_advance_args advance = { .consumed = 100, .examined = 100 };
	struct zpipe_complete_args complete = { .error = 0 };
	struct zpipe_reset_args reset = { .flags = 0 };
	struct zpipe_info_args info = { .flags = 0 };
	struct zpipe_set_args set = { .pause = 50, .resume = 10 };
	struct zpipe_stat_args stat = { .flags = 0 };
	int w = self->p.w.fd, r = self->p.r.fd;

	ASSERT_EQ(0, zu_call(&self->ring, w, ZPIPE_IOC_INFO, &info));
	EXPECT_EQ(ZPIPE_FEAT_URING, info.out_features & ZPIPE_FEAT_URING);
	EXPECT_EQ(self->p.id, info.out_id);
	ASSERT_EQ(0, zu_call(&self->ring, w, ZPIPE_IOC_ALLOC, &alloc));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &alloc, 100));
	ASSERT_EQ(0, zu_call(&self->ring, w, ZPIPE_IOC_FLUSH, &flush));
	ASSERT_EQ(0, zu_call(&self->ring, r, ZPIPE_IOC_READ, &read));
	EXPECT_EQ(100, read.out_end);
	self->view.args = read;
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zu_call(&self->ring, r, ZPIPE_IOC_ADVANCE, &advance));
	EXPECT_EQ(100, zt_consumed(&self->p.w));
	ASSERT_EQ(0, zu_call(&self->ring, r, ZPIPE_IOC_SET, &set));
	ASSERT_EQ(0, zu_call(&self->ring, r, ZPIPE_IOC_STAT, &stat));
	EXPECT_EQ(1, stat.out_allocs);
	EXPECT_EQ(1, stat.out_flushes);
	EXPECT_EQ(1, stat.out_reads);
	ASSERT_EQ(0, zu_call(&self->ring, r, ZPIPE_IOC_COMPLETE, &complete));
	ASSERT_EQ(0, zu_call(&self->ring, w, ZPIPE_IOC_COMPLETE, &complete));
	ASSERT_EQ(0, zu_call(&self->ring, w, ZPIPE_IOC_RESET, &reset));
	EXPECT_EQ(1, reset.out_generation);
	EXPECT_EQ(0, zu_workers());
}

TEST_F(uring_cmd, read_waits_for_its_minimum)
{
	struct zpipe_read_args args = { .min = 100, .nr_spans = ZT_SPANS,
					.spans = (uintptr_t)self->view.spans };

	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(zu_parks() ? 0 : 1, zu_workers());
	ASSERT_EQ(0, zt_put(&self->p.w, 99));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, zu_result(&self->ring, &args));
	self->view.args = args;
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(100, args.out_end);
	EXPECT_EQ(0, zt_advance(&self->p.r, 100, 100));
	EXPECT_EQ(1, zt_stat(&self->p.r).out_reads);
	EXPECT_LE(1, zt_stat(&self->p.r).out_reader_waits);
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
}

TEST_F(uring_cmd, waiting_read_does_not_raise_what_poll_waits_for)
{
	struct zpipe_read_args args = { .min = 100 };
	struct pollfd pfd = { .fd = self->p.r.fd, .events = POLLIN };

	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	EXPECT_EQ(0, zu_result(&self->ring, &args));
}

TEST_F(uring_cmd, waiting_read_arms_the_word_for_a_mapped_writer)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &grant));
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	zt_store_published(&self->p.w, 10);
	zt_mb();
	ASSERT_GE(10, zt_reader_wake(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	ASSERT_EQ(0, zu_result(&self->ring, &args));
	EXPECT_EQ(10, args.out_end);
}

TEST_F(uring_cmd, alloc_waits_for_memory)
{
	struct zpipe_alloc_args args = { .position = SIZE, .min = 1 };

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.r);
	EXPECT_EQ(zu_parks() ? 0 : 1, zu_workers());
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	ASSERT_EQ(0, zu_result(&self->ring, &args));
	EXPECT_LE(1, args.out_length);
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
	EXPECT_EQ(0, zt_put(&self->p.w, 100));
}

TEST_F(uring_cmd, flush_waits_while_paused)
{
	struct zpipe_flush_args args = { .position = 10 };
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &grant, 10));
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
	zt_await_paused(&self->p.r);
	EXPECT_EQ(10, zt_published(&self->p.r));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, zu_result(&self->ring, &args));
	EXPECT_EQ(10, args.out_consumed);
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_examined(&self->p.r));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_flushes);
}

/* Both share the word for consumed; each wake-up is for both, and neither keeps the other awake. */
TEST_F(uring_cmd, alloc_and_flush_wait_side_by_side)
{
	struct zpipe_flush_args flush = { .position = SIZE,
					  .flags = ZPIPE_FLUSH_F_WAIT_CONSUMED |
						   ZPIPE_FLUSH_F_PUSH };
	struct zpipe_alloc_args alloc = { .position = SIZE, .min = 1 };
	__u64 wakes;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
	zt_await_starved(&self->p.r);
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
	EXPECT_TRUE(zu_waits(&self->ring));
	wakes = zt_stat(&self->p.w).out_writer_wakes;
	EXPECT_TRUE(zu_waits(&self->ring));
	EXPECT_EQ(wakes, zt_stat(&self->p.w).out_writer_wakes);
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	ASSERT_EQ(0, zu_result(&self->ring, &alloc));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE - ZT_PAGE));
	ASSERT_EQ(0, zu_result(&self->ring, &flush));
	EXPECT_EQ(SIZE, flush.out_consumed);
}

TEST_F(uring_cmd, reader_that_starves_while_an_alloc_waits_is_told_full)
{
	struct zpipe_alloc_args alloc = { .position = SIZE, .min = 1 };
	struct zpipe_read_args read = { .min = 1 };

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, SIZE));
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
	ASSERT_EQ(0, zu_result(&self->ring, &read));
	EXPECT_EQ(ZPIPE_RES_FULL, read.out_flags);
	ASSERT_EQ(0, zt_advance(&self->p.r, SIZE, SIZE));
	ASSERT_EQ(0, zu_result(&self->ring, &alloc));
}

TEST_F(uring_cmd, nowait_answers_at_once)
{
	struct zpipe_read_args read = { .min = 1, .flags = ZPIPE_READ_F_NOWAIT };
	struct zpipe_alloc_args alloc = { .position = SIZE, .flags = ZPIPE_ALLOC_F_NOWAIT };
	struct zpipe_flush_args flush = { .position = SIZE, .flags = ZPIPE_FLUSH_F_NOWAIT };

	EXPECT_EQ(-EAGAIN, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	EXPECT_EQ(-EAGAIN, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc));
	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	EXPECT_EQ(-EAGAIN, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush));
	EXPECT_EQ(0, zu_workers());
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
}

TEST_F(uring_cmd, nonblocking_file_answers_at_once)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zpipe_alloc_args alloc = { .position = SIZE };

	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	EXPECT_EQ(-EAGAIN, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc));
	EXPECT_EQ(0, zu_workers());
}

TEST_F(uring_cmd, second_one_of_a_kind_is_ebusy_by_whatever_way)
{
	struct zpipe_read_args read = { .min = 1 }, second = { .min = 1 };
	unsigned char byte;

	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-EBUSY, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &second));
	EXPECT_EQ(-EBUSY, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &second));
	EXPECT_EQ(-EBUSY, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
	EXPECT_EQ(-1, syscall(SYS_read, self->p.r.fd, &byte, 1));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zu_result(&self->ring, &read));
	EXPECT_EQ(10, read.out_end);
}

TEST_F(uring_cmd, command_is_ebusy_while_an_ioctl_sleeps)
{
	struct zpipe_read_args read = { .min = 1 }, second = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-EBUSY, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &second));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(uring_cmd, second_alloc_and_second_flush_are_ebusy)
{
	struct zpipe_alloc_args alloc = { .position = SIZE, .min = 1 }, alloc2 = alloc;
	struct zpipe_flush_args flush = { .position = SIZE }, flush2 = flush;
	struct zpipe_reset_args reset;
	unsigned char byte = 0;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
	zt_await_starved(&self->p.r);
	EXPECT_EQ(-EBUSY, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc2));
	EXPECT_EQ(-EBUSY, zt_ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc2));
	EXPECT_EQ(-1, write(self->p.w.fd, &byte, 1));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
	zt_await_paused(&self->p.r);
	EXPECT_EQ(-EBUSY, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush2));
	EXPECT_EQ(-EBUSY, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FLUSH, &flush2));
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.w, &reset));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(0, zu_any(&self->ring, NULL));
	EXPECT_EQ(0, zu_any(&self->ring, NULL));
}

TEST_F(uring_cmd, unknown_numbers_and_the_other_ends_verbs_are_refused)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zpipe_create_args create = { .pool_fd = -1 };
	int bytes = 0, device = open(ZT_DEVICE, O_RDWR);

	EXPECT_EQ(-ENOTTY, zu_call(&self->ring, self->p.r.fd, 0, &read));
	EXPECT_EQ(-ENOTTY, zu_call(&self->ring, self->p.r.fd, ZPIPE_NR_READ, &read));
	EXPECT_EQ(-ENOTTY, zu_call(&self->ring, self->p.r.fd,
				   _IOR(ZPIPE_IOC_MAGIC, ZPIPE_NR_READ, read), &read));
	EXPECT_EQ(-ENOTTY, zu_call(&self->ring, self->p.r.fd, FIONREAD, &bytes));
	EXPECT_EQ(-EBADF, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_READ, &read));
	EXPECT_EQ(-EBADF, zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_CREATE, &create));
	EXPECT_EQ(-EOPNOTSUPP, zu_call(&self->ring, device, ZPIPE_IOC_CREATE, &create));
	close(device);
}

TEST_F(uring_cmd, bad_sizes_pointers_and_reserved_bits_are_refused)
{
	struct { struct zpipe_read_args args; __u64 tail; } longer = { .args.min = 1, .tail = 1 };
	unsigned long longer_cmd = _IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_READ, longer);
	static const struct zpipe_read_args unwritable = { .min = 1 };
	struct zpipe_read_args read = { .min = 1 };
	int fd = self->p.r.fd;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(-EINVAL, zu_call(&self->ring, fd,
				   _IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_READ, __u32), &read));
	EXPECT_EQ(-E2BIG, zu_call(&self->ring, fd, longer_cmd, &longer));
	zu_submit(&self->ring, fd, ZPIPE_IOC_READ, NULL);
	EXPECT_EQ(-EFAULT, zu_result(&self->ring, NULL));
	zu_submit(&self->ring, fd, ZPIPE_IOC_READ, (void *)~0xfffUL);
	EXPECT_EQ(-EFAULT, zu_any(&self->ring, NULL));
	zu_submit(&self->ring, fd, ZPIPE_IOC_READ, (void *)&unwritable);
	EXPECT_EQ(-EFAULT, zu_result(&self->ring, &unwritable));

	sqe = zu_prep(&self->ring, fd, ZPIPE_IOC_READ, &read);
	((struct zpipe_uring_cmd *)(void *)sqe->cmd)->__reserved = 1;
	zu_go(&self->ring);
	EXPECT_EQ(-EOPNOTSUPP, zu_result(&self->ring, &read));
	sqe = zu_prep(&self->ring, fd, ZPIPE_IOC_READ, &read);
	sqe->rw_flags = 1U << 20;
	zu_go(&self->ring);
	EXPECT_EQ(-EINVAL, zu_result(&self->ring, &read));

	longer.tail = 0;
	EXPECT_EQ(0, zu_call(&self->ring, fd, longer_cmd, &longer));
	EXPECT_EQ(1, longer.args.out_end);
}

/* The struct goes away while the command waits: it fails last, and so does nothing. */
TEST_F(uring_cmd, answer_that_cannot_be_delivered_leaves_no_read_open)
{
	struct zpipe_read_args *args = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)args);
	args->min = 1;
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, args);
	zt_await_reader(&self->p.w);
	munmap(args, ZT_PAGE);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EFAULT, zu_result(&self->ring, args));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(uring_cmd, registered_file_may_go_while_its_command_waits)
{
	int fds[2] = { self->p.r.fd, self->p.w.fd };
	struct zpipe_read_args args = { .min = 1 };
	struct zpipe_info_args info = { .flags = 0 };

	ASSERT_EQ(0, io_uring_register_files(&self->ring, fds, 2));
	zu_prep(&self->ring, 1, ZPIPE_IOC_INFO, &info)->flags |= IOSQE_FIXED_FILE;
	zu_go(&self->ring);
	ASSERT_EQ(0, zu_result(&self->ring, &info));
	EXPECT_EQ(ZPIPE_ROLE_WRITER, info.out_role);
	zu_prep(&self->ring, 0, ZPIPE_IOC_READ, &args)->flags |= IOSQE_FIXED_FILE;
	zu_go(&self->ring);
	zt_await_reader(&self->p.w);
	fds[0] = -1;
	ASSERT_EQ(1, io_uring_register_files_update(&self->ring, 0, fds, 1));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zu_result(&self->ring, &args));
	EXPECT_EQ(10, args.out_end);
}

TEST_F(uring_cmd, linked_commands_run_in_their_order)
{
	struct zpipe_alloc_args alloc = { .position = SIZE, .min = 1 };
	struct zpipe_flush_args flush = { .position = SIZE + 1 };

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	zu_prep(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc)->flags |= IOSQE_IO_LINK;
	zu_prep(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
	zu_go(&self->ring);
	zt_await_starved(&self->p.r);
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	EXPECT_EQ(0, zu_result(&self->ring, &alloc));
	EXPECT_EQ(0, zu_result(&self->ring, &flush));
	EXPECT_EQ(SIZE + 1, zt_published(&self->p.r));
}

TEST_F(uring_cmd, multishot_poll_tells_of_each_arrival)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	int i;

	io_uring_prep_poll_multishot(sqe, self->p.r.fd, POLLIN);
	sqe->user_data = 1;
	zu_go(&self->ring);
	for (i = 1; i <= 5; i++) {
		zt_await_reader(&self->p.w);
		ASSERT_EQ(0, zt_put(&self->p.w, 10));
		EXPECT_EQ(POLLIN, zu_result(&self->ring, (void *)1) & POLLIN);
		ASSERT_EQ(0, zt_take(&self->p.r, 10));
		/* What finds nothing arms again, for who polls too. */
		EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	}
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(POLLHUP, zu_result(&self->ring, (void *)1) & POLLHUP);
}

/* There is nothing to poll for completions. */
TEST(uring_cmd_of_a_polled_ring_is_refused)
{
	struct zpipe_info_args info = { .flags = 0 };
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct zt_pipe p;

	if (zu_open(&ring, IORING_SETUP_IOPOLL))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, SIZE)));
	zu_submit(&ring, p.r.fd, ZPIPE_IOC_INFO, &info);
	ASSERT_EQ(0, io_uring_peek_cqe(&ring, &cqe));
	EXPECT_EQ(-EOPNOTSUPP, cqe->res);
	io_uring_queue_exit(&ring);
	zt_pipe_close(&p);
}

TEST_HARNESS_MAIN
