// SPDX-License-Identifier: GPL-2.0-only
/*
 * passing - ends that travel: SCM_RIGHTS, dup, fork, exec, and a supervisor that holds one
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(passing)
{
	struct zt_pipe p;
	struct zt_view view;
	int sock[2];
	int go[2];
};

FIXTURE_SETUP(passing)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sock));
	ASSERT_EQ(0, pipe(self->go));
}

FIXTURE_TEARDOWN(passing)
{
	zt_pipe_close(&self->p);
}

static void wait_for_go(FIXTURE_DATA(passing) *self)
{
	char c;

	if (read(self->go[0], &c, 1) != 1)
		_exit(100);
}

static void say_go(FIXTURE_DATA(passing) *self)
{
	if (write(self->go[1], "g", 1) != 1)
		zt_die("go");
}

TEST_F(passing, writer_end_works_in_the_process_that_received_it)
{
	struct zt_end w;
	pid_t child;

	child = fork();
	if (!child) {
		int fd;

		zt_pipe_close(&self->p);
		fd = zt_receive_fd(self->sock[1]);
		if (fd < 0 || zt_end_map(&w, fd))
			_exit(1);
		_exit(zt_put(&w, 5000) || zt_complete(&w, 0, 0, 0));
	}
	ASSERT_EQ(0, zt_send_fd(self->sock[0], self->p.w.fd));
	zt_end_close(&self->p.w);
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(0, zt_take(&self->p.r, 5000));
}

TEST_F(passing, reader_end_works_in_the_process_that_received_it)
{
	struct zt_end r;
	pid_t child;

	ASSERT_EQ(0, zt_put(&self->p.w, 5000));
	child = fork();
	if (!child) {
		int fd;

		zt_pipe_close(&self->p);
		fd = zt_receive_fd(self->sock[1]);
		_exit(fd < 0 || zt_end_map(&r, fd) || zt_take(&r, 5000));
	}
	ASSERT_EQ(0, zt_send_fd(self->sock[0], self->p.r.fd));
	zt_end_close(&self->p.r);
	EXPECT_EQ(0, zt_wait_child(child));
}

TEST_F(passing, received_end_gives_no_more_rights_than_it_had)
{
	struct zt_end r;
	int fd;

	ASSERT_EQ(0, zt_send_fd(self->sock[0], self->p.r.fd));
	fd = zt_receive_fd(self->sock[1]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, zt_end_map(&r, fd));
	EXPECT_EQ(ZPIPE_ROLE_READER, r.info.out_role);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	zt_end_close(&r);
}

TEST_F(passing, end_in_flight_keeps_the_pipe_alive)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_send_fd(self->sock[0], self->p.w.fd));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	close(self->sock[1]);
	close(self->sock[0]);
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(passing, both_ends_sent_over_a_socket_inside_nothing_leak)
{
	int i;

	for (i = 0; i < 50; i++) {
		struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, ZT_PAGE);
		int s[2];

		ASSERT_EQ(0, zt_create(args));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		ASSERT_EQ(0, zt_send_fd(s[0], args->out_writer_fd));
		ASSERT_EQ(0, zt_send_fd(s[0], args->out_reader_fd));
		ASSERT_EQ(0, zt_send_fd(s[1], s[0]));
		close(args->out_writer_fd);
		close(args->out_reader_fd);
		close(s[0]);
		close(s[1]);
	}
}

TEST_F(passing, dup_is_the_same_end)
{
	struct zt_view v;
	int fd = dup(self->p.r.fd);
	struct zt_end other = self->p.r;

	other.fd = fd;
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EBUSY, zt_read(&other, 1, 0, &v));
	EXPECT_EQ(0, zt_advance(&other, 10, 10));
	close(fd);
}

TEST_F(passing, end_lives_until_its_last_dup_is_closed)
{
	int fd = dup(self->p.w.fd);

	ASSERT_EQ(1, write(fd, "x", 1));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, self->view.args.out_flags);
	ASSERT_EQ(0, zt_advance(&self->p.r, 1, 1));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	close(fd);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(passing, fork_shares_both_ends)
{
	pid_t child = fork();

	if (!child)
		_exit(zt_put(&self->p.w, 3000));
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(0, zt_take(&self->p.r, 3000));
}

TEST_F(passing, exec_closes_the_ends)
{
	pid_t child = fork();

	if (!child) {
		zt_end_close(&self->p.r);
		execl("/bin/sleep", "sleep", "20", NULL);
		_exit(100);
	}
	zt_end_close(&self->p.w);
	EXPECT_TRUE(true);
	while (zt_read(&self->p.r, 1, 0, &self->view) == -EAGAIN)
		zt_sleep_ms(1);
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	kill(child, SIGKILL);
	zt_wait_child(child);
}

TEST_F(passing, cleared_cloexec_survives_exec)
{
	char command[64];
	pid_t child;

	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFD, 0));
	snprintf(command, sizeof(command), "printf hello >&%d", self->p.w.fd);
	child = fork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(100);
	}
	ASSERT_EQ(0, zt_wait_child(child));
	ASSERT_EQ(0, zt_read(&self->p.r, 5, 0, &self->view));
	EXPECT_EQ(0, memcmp(self->p.r.data + self->view.spans[0].offset, "hello", 5));
}

TEST_F(passing, pidfd_getfd_takes_an_end_too)
{
#ifdef SYS_pidfd_getfd
	pid_t child = fork();
	struct zt_end r;
	int pidfd, fd;

	if (!child) {
		wait_for_go(self);
		_exit(0);
	}
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	pidfd = syscall(SYS_pidfd_open, child, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, self->p.r.fd, 0);
	if (fd < 0 && errno == EPERM)
		SKIP(return, "pidfd_getfd is not allowed");
	ASSERT_LE(0, fd);
	say_go(self);
	EXPECT_EQ(0, zt_wait_child(child));
	zt_end_close(&self->p.r);
	ASSERT_EQ(0, zt_end_map(&r, fd));
	EXPECT_EQ(0, zt_take(&r, 10));
	zt_end_close(&r);
#else
	SKIP(return, "no pidfd_getfd");
#endif
}

/* A consumer dies with bytes examined and not consumed; its successor gets exactly these. */
TEST_F(passing, supervised_reader_continues_at_consumed)
{
	__u64 position;
	pid_t child;

	ASSERT_EQ(0, zt_put(&self->p.w, 10000));
	child = fork();
	if (!child) {
		if (zt_take(&self->p.r, 3000) || zt_read(&self->p.r, 1, 0, &self->view))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(128 + SIGKILL, zt_wait_child(child));
	EXPECT_EQ(3000, zt_consumed(&self->p.r));
	position = zt_consumed(&self->p.r);
	child = fork();
	if (!child) {
		struct zpipe_info_args i;
		struct zpipe_descriptor d;

		if (zt_info(self->p.r.fd, &i) || i.out_consumed != position)
			_exit(1);
		d = zt_entry(&self->p.r, i.out_index);
		if (d.start > position || zt_mismatch(self->p.r.data + d.offset + position -
						      d.start, position, 100) >= 0)
			_exit(2);
		/* What the dead one read is still outstanding: ending it is the takeover. */
		if (zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP))
			_exit(3);
		_exit(zt_take(&self->p.r, 7000) ? 4 : 0);
	}
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(10000, zt_consumed(&self->p.r));
}

/* R6: the writer publishes and dies before its FLUSH, while this process holds the fd. */
TEST_F(passing, dead_writer_of_a_held_fd_wakes_the_reader)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;
	pid_t child = fork();

	if (!child) {
		struct zpipe_alloc_args grant;

		if (zt_alloc(&self->p.w, 0, 100, 100, &grant) ||
		    zt_fill_grant(&self->p.w, &grant, 100))
			_exit(1);
		wait_for_go(self);
		zt_store_published(&self->p.w, 100);
		kill(getpid(), SIGKILL);
	}
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	say_go(self);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(100, read.out_end);
	EXPECT_EQ(0, read.out_flags);
}

/* R6, the other side: the reader gave memory back and dies before its ADVANCE. */
TEST_F(passing, dead_reader_of_a_held_fd_wakes_the_writer)
{
	struct zpipe_alloc_args grant = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;
	pid_t child;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	child = fork();
	if (!child) {
		wait_for_go(self);
		zt_store_examined(&self->p.r, 2 * ZT_PAGE);
		zt_store_consumed(&self->p.r, 2 * ZT_PAGE);
		kill(getpid(), SIGKILL);
	}
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &grant);
	zt_await_starved(&self->p.w);
	say_go(self);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_LE(1, grant.out_length);
}

TEST_F(passing, dead_sleeper_leaves_no_operation_behind)
{
	struct zpipe_read_args read = { .min = 1 };
	pid_t child = fork();

	if (!child) {
		zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &read);
		_exit(1);
	}
	zt_await_reader(&self->p.w);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_HARNESS_MAIN
