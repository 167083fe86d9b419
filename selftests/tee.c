// SPDX-License-Identifier: GPL-2.0-only
/*
 * tee - TEE: more readers on one stream, each with cursors, words and an end of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4ULL * ZT_PAGE)
#define MANY		64

FIXTURE(tee)
{
	struct zt_pipe p;
	struct zt_end second;
	struct zpipe_tee_args args;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
};

FIXTURE_SETUP(tee)
{
	self->second.fd = -1;
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
}

FIXTURE_TEARDOWN(tee)
{
	if (self->second.fd >= 0)
		zt_end_close(&self->second);
	zt_pipe_close(&self->p);
}

static int join(FIXTURE_DATA(tee) *self, struct zt_end *from, struct zt_end *to, __u32 flags)
{
	int ret = zt_tee(from->fd, flags, &self->args);

	return ret ?: zt_end_map(to, self->args.out_fd);
}

/* Published while there is room, without waiting. */
static int put_all(struct zt_end *w, __u64 len)
{
	for (; len; len -= ZT_PAGE) {
		int ret = zt_put(w, ZT_PAGE);

		if (ret)
			return ret;
	}
	return 0;
}

TEST_F(tee, begins_at_the_consumed_position)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 300));
	ASSERT_EQ(0, zt_take(&self->p.r, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 100, 300));
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	EXPECT_EQ(100, self->args.out_position);
	EXPECT_EQ(1, self->args.out_index);
	EXPECT_EQ(1, self->second.info.out_reader_index);
	EXPECT_EQ(ZPIPE_ROLE_READER, self->second.info.out_role);
	EXPECT_EQ(100, zt_consumed(&self->second));
	/* What the first one has only looked at is new to this one. */
	EXPECT_EQ(100, zt_examined(&self->second));
	ASSERT_EQ(0, zt_read(&self->second, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(100, self->view.args.out_start);
	EXPECT_EQ(300, self->view.args.out_end);
	zt_check_view(&self->second, &self->view);
}

TEST_F(tee, fd_is_close_on_exec_and_nonblocking_when_asked)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, ZPIPE_TEE_F_NONBLOCK));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->second.fd, F_GETFD));
	EXPECT_TRUE(fcntl(self->second.fd, F_GETFL) & O_NONBLOCK);
	EXPECT_FALSE(fcntl(self->p.r.fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(-EAGAIN, zt_read(&self->second, 1, 0, &self->view));
}

TEST_F(tee, both_read_the_same_memory)
{
	struct zt_view other;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 3 * ZT_PAGE - 7));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_read(&self->second, 1, 0, &other));
	EXPECT_EQ(self->view.args.out_nr_spans, other.args.out_nr_spans);
	EXPECT_EQ(0, memcmp(self->view.spans, other.spans,
			    other.args.out_nr_spans * sizeof(*other.spans)));
	zt_check_view(&self->second, &other);
	EXPECT_EQ(0, zt_stat(&self->second).out_copied_read);
	EXPECT_EQ(2, zt_stat(&self->p.w).out_readers);
}

TEST_F(tee, one_more_page_of_state_is_its_own)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	EXPECT_EQ(self->p.r.info.out_state.size + ZT_PAGE, self->second.info.out_state.size);
	EXPECT_LE(self->p.r.info.out_state.size, self->second.info.out_reader_events_at);
	/* Its cursors are not those of the first one. */
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_take(&self->second, 10));
	EXPECT_EQ(10, zt_consumed(&self->second));
	EXPECT_EQ(0, zt_consumed(&self->p.r));
}

TEST_F(tee, slowest_holds_the_memory)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_take(&self->second, ZT_PAGE));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY + ZT_PAGE, 1, 1, &self->grant));
}

TEST_F(tee, closing_the_slowest_frees_what_only_it_held)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	zt_end_close(&self->second);
	self->second.fd = -1;
	EXPECT_EQ(0, put_all(&self->p.w, CAPACITY));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_readers);
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * CAPACITY, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	EXPECT_FALSE(self->f.out_flags & ZPIPE_RES_COMPLETED);
}

TEST_F(tee, first_reader_may_leave_before_the_others)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	zt_end_close(&self->p.r);
	self->p.r.fd = -1;
	ASSERT_EQ(0, zt_flush(&self->p.w, CAPACITY, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	EXPECT_FALSE(self->f.out_flags & ZPIPE_RES_COMPLETED);
	ASSERT_EQ(0, zt_read(&self->second, CAPACITY, 0, &self->view));
	zt_check_view(&self->second, &self->view);
	ASSERT_EQ(0, zt_advance(&self->second, CAPACITY, CAPACITY));
	EXPECT_EQ(0, put_all(&self->p.w, CAPACITY));
	EXPECT_EQ(0, zt_take(&self->second, CAPACITY));
}

TEST_F(tee, writer_hears_of_the_last_one_only)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.r, EIO, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->second, 20));
	ASSERT_EQ(0, zt_complete(&self->second, ECANCELED, 0, 0));
	EXPECT_EQ(-ECANCELED, zt_flush(&self->p.w, 20, 0, &self->f));
}

TEST_F(tee, each_is_told_the_end_of_the_stream)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	ASSERT_EQ(0, zt_read(&self->second, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	EXPECT_EQ(10, self->view.args.out_end);
	zt_check_view(&self->second, &self->view);
}

TEST_F(tee, joining_after_the_end_reads_the_rest)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	EXPECT_EQ(0, zt_take(&self->second, 10));
}

TEST_F(tee, joining_a_reader_that_has_ended_eshutdown)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zt_tee(self->p.r.fd, 0, &self->args));
	EXPECT_EQ(2, zt_stat(&self->p.w).out_readers);
}

TEST_F(tee, a_reader_that_a_tee_made_can_be_teed)
{
	struct zt_end third;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_take(&self->second, 40));
	ASSERT_EQ(0, join(self, &self->second, &third, 0));
	EXPECT_EQ(40, self->args.out_position);
	EXPECT_EQ(2, self->args.out_index);
	EXPECT_EQ(0, zt_take(&third, 60));
	zt_end_close(&third);
	/* The number is free again. */
	ASSERT_EQ(0, join(self, &self->second, &third, 0));
	EXPECT_EQ(2, self->args.out_index);
	zt_end_close(&third);
}

TEST_F(tee, cancel_by_a_reader_is_its_own)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_cancel(&self->second, ZPIPE_CANCEL_READ));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(0, zt_events(&self->p.r));
	EXPECT_NE(0, zt_events(&self->second));
	ASSERT_EQ(0, zt_read(&self->second, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
}

TEST_F(tee, cancel_by_the_writer_reaches_all)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
	ASSERT_EQ(0, zt_read(&self->second, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->view.args.out_flags);
}

TEST_F(tee, pause_counts_what_the_slowest_has_not_examined)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_set(&self->p.w, 2 * ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 2 * ZT_PAGE, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	ASSERT_EQ(0, zt_take(&self->second, ZT_PAGE + 1));
	EXPECT_EQ(0, zt_flush(&self->p.w, 2 * ZT_PAGE, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	EXPECT_EQ(ZT_PAGE + 1, self->f.out_examined);
}

TEST_F(tee, a_reader_that_starves_does_not_lift_the_pause_of_another)
{
	struct zpipe_read_args read = { .min = 3 * ZT_PAGE };
	struct zt_bg bg;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_set(&self->p.w, 2 * ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, ZT_PAGE));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 2 * ZT_PAGE, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	/* When both starve nobody is in the way. */
	ASSERT_EQ(0, zt_take(&self->second, 2 * ZT_PAGE));
	EXPECT_EQ(0, zt_flush(&self->p.w, 2 * ZT_PAGE, ZPIPE_FLUSH_F_NOWAIT, &self->f));
	/* Published, and the first one has what it wanted: now it is in the way itself. */
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(3 * ZT_PAGE, read.out_end);
}

TEST_F(tee, full_is_told_to_those_who_hold_the_memory)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	ASSERT_EQ(0, zt_read(&self->second, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->second, 0, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	ASSERT_EQ(0, zt_read(&self->second, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(ZPIPE_RES_FULL, self->view.args.out_flags);
}

TEST_F(tee, waits_of_the_writer_end_with_the_slowest)
{
	struct zpipe_alloc_args alloc = { .position = CAPACITY, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &alloc);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_TRUE(zt_bg_sleeps(&bg));
	/* The word of the one that is there already is not armed any more. */
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
	EXPECT_NE(ZPIPE_UNARMED, zt_wake_consumed(&self->second));
	ASSERT_EQ(0, zt_take(&self->second, ZT_PAGE));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(tee, flush_waits_for_all)
{
	struct zpipe_flush_args flush = {
		.position = 10, .flags = ZPIPE_FLUSH_F_WAIT_EXAMINED,
	};
	struct zt_bg bg;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &flush);
	ASSERT_EQ(0, zt_take(&self->second, 10));
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(10, flush.out_examined);
}

TEST_F(tee, wakes_every_sleeping_reader)
{
	struct zpipe_read_args read[MANY] = { { 0 } };
	struct zpipe_tee_args args;
	struct zt_bg bg[MANY];
	int fd[MANY], i;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, zt_tee(self->p.r.fd, 0, &args));
		fd[i] = args.out_fd;
		zt_bg_start(&bg[i], fd[i], ZPIPE_IOC_READ, &read[i]);
	}
	for (i = 0; i < MANY; i++)
		ASSERT_TRUE(zt_bg_sleeps(&bg[i]));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(0, zt_bg_join(&bg[i]));
		EXPECT_EQ(10, read[i].out_end);
		close(fd[i]);
	}
	EXPECT_EQ(1, zt_stat(&self->p.w).out_readers);
}

TEST_F(tee, too_many_edquot)
{
	struct zpipe_tee_args args;
	int fds[256], nr = 0, ret = 0;

	while (nr < 256 && !(ret = zt_tee(self->p.r.fd, 0, &args)))
		fds[nr++] = args.out_fd;
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(255, nr);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
	while (nr--)
		close(fds[nr]);
}

TEST_F(tee, poll_and_fionread_are_each_ones_own)
{
	struct pollfd p = { .events = POLLIN };
	int held = -1;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	p.fd = self->p.r.fd;
	EXPECT_EQ(0, poll(&p, 1, 0));
	p.fd = self->second.fd;
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(0, ioctl(self->p.r.fd, FIONREAD, &held));
	EXPECT_EQ(0, held);
	EXPECT_EQ(0, ioctl(self->second.fd, FIONREAD, &held));
	EXPECT_EQ(10, held);
}

TEST_F(tee, read2_copies_for_each)
{
	unsigned char a[300], b[300];

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, sizeof(a)));
	EXPECT_EQ(sizeof(a), read(self->p.r.fd, a, sizeof(a)));
	EXPECT_EQ(sizeof(b), read(self->second.fd, b, sizeof(b)));
	EXPECT_EQ(-1, zt_mismatch(a, 0, sizeof(a)));
	EXPECT_EQ(-1, zt_mismatch(b, 0, sizeof(b)));
}

TEST_F(tee, a_lie_costs_only_the_liar)
{
	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_store_consumed(&self->second, 1000);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EPROTO, zt_read(&self->second, 1, 0, &self->view));
	EXPECT_EQ(0, zt_take(&self->p.r, 20));
	EXPECT_EQ(0, zt_put(&self->p.w, 10));
}

TEST_F(tee, wrong_end_and_bad_flags_are_refused)
{
	EXPECT_EQ(-EBADF, zt_tee(self->p.w.fd, 0, &self->args));
	EXPECT_EQ(-EOPNOTSUPP, zt_tee(self->p.r.fd, 4, &self->args));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_readers);
}

TEST_F(tee, answer_that_cannot_be_delivered_leaves_nothing)
{
	int before = zt_open_fds();

	EXPECT_EQ(-1, ioctl(self->p.r.fd, ZPIPE_IOC_TEE, (void *)8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(before, zt_open_fds());
	EXPECT_EQ(1, zt_stat(&self->p.w).out_readers);
}

TEST_F(tee, reset_brings_all_back_to_one_position)
{
	struct zpipe_reset_args reset;

	ASSERT_EQ(0, join(self, &self->p.r, &self->second, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.w, &reset));
	ASSERT_EQ(0, zt_complete(&self->second, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->p.w, &reset));
	EXPECT_EQ(10, zt_consumed(&self->p.r));
	EXPECT_EQ(10, zt_consumed(&self->second));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_take(&self->second, 10));
}

/* A reader that is killed holds nothing any more. */
TEST_F(tee, killed_reader_holds_nothing)
{
	pid_t child;
	char byte;
	int to[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, to));
	child = fork();
	if (!child) {
		struct zpipe_tee_args args;

		close(to[0]);
		if (zt_tee(self->p.r.fd, 0, &args))
			_exit(1);
		if (write(to[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(to[1]);
	ASSERT_EQ(1, read(to[0], &byte, 1));
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	kill(child, SIGKILL);
	zt_wait_child(child);
	EXPECT_EQ(0, put_all(&self->p.w, CAPACITY));
	close(to[0]);
}

FIXTURE(detach)
{
	struct zt_pipe p;
	struct zt_end slow;
	struct zpipe_tee_args args;
	struct zt_view view;
	struct zpipe_alloc_args grant;
};

FIXTURE_SETUP(detach)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_tee(self->p.r.fd, ZPIPE_TEE_F_DETACH, &self->args));
	ASSERT_EQ(0, zt_end_map(&self->slow, self->args.out_fd));
}

FIXTURE_TEARDOWN(detach)
{
	zt_end_close(&self->slow);
	zt_pipe_close(&self->p);
}

TEST_F(detach, reader_that_falls_behind_gets_enobufs)
{
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(-ENOBUFS, zt_read(&self->slow, 1, 0, &self->view));
	EXPECT_EQ(-ENOBUFS, zt_read(&self->slow, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_EQ(-ENOBUFS, zt_tee(self->slow.fd, 0, &self->args));
	EXPECT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
}

TEST_F(detach, not_before_the_memory_is_needed)
{
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	ASSERT_EQ(0, zt_read(&self->slow, 1, 0, &self->view));
	zt_check_view(&self->slow, &self->view);
	ASSERT_EQ(0, zt_advance(&self->slow, CAPACITY, CAPACITY));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(0, zt_take(&self->slow, ZT_PAGE));
}

TEST_F(detach, not_for_memory_that_another_holds_too)
{
	/* The first reader does not allow it and holds just as much. */
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	EXPECT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
}

TEST_F(detach, mapped_reader_is_told_when_it_advances)
{
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	zt_store_examined(&self->slow, ZT_PAGE);
	zt_store_consumed(&self->slow, ZT_PAGE);
	zt_mb();
	EXPECT_EQ(0, zt_wake_examined(&self->slow));
	EXPECT_NE(0, zt_events(&self->slow));
}

TEST_F(detach, it_never_pauses_the_writer)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 2 * ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
}

TEST_F(detach, poll_of_the_writer_knows_that_it_can_go_on)
{
	struct pollfd p = { .fd = self->p.w.fd, .events = POLLOUT };

	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
}

TEST_F(detach, last_reader_is_never_detached)
{
	ASSERT_EQ(0, put_all(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	EXPECT_EQ(0, zt_take(&self->slow, CAPACITY));
}

TEST_HARNESS_MAIN
