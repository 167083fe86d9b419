// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice - splice(2) out of the reader: pages by reference, which stay what they were
 *
 * Like read(2) in everything but the copy. What comes after the splice - the writer's next turns,
 * both ends closed - must not show in the pipe that holds the pages, nor in a tee(2) of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENT	(4 * ZT_PAGE)
#define SIZE	(4 * SEGMENT)

FIXTURE(splice)
{
	struct zt_pipe p;
	int in;
	int out;
	unsigned char buffer[2 * SIZE];
};

FIXTURE_VARIANT(splice)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(splice, lifo) { .flags = 0 };
FIXTURE_VARIANT_ADD(splice, contig) { .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(splice)
{
	int fds[2];

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, SIZE, .flags = variant->flags)));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(0, fcntl(fds[1], F_SETFL, 0));
	self->in = fds[1];
	self->out = fds[0];
}

FIXTURE_TEARDOWN(splice)
{
	close(self->in);
	close(self->out);
	zt_pipe_close(&self->p);
}

/* Into the kernel's pipe, without waiting: bytes or -errno. */
static ssize_t out(FIXTURE_DATA(splice) *self, size_t length)
{
	ssize_t ret = splice(self->p.r.fd, NULL, self->in, NULL, length, SPLICE_F_NONBLOCK);

	return ret < 0 ? -errno : ret;
}

/* Whether the pipe @fd holds exactly the stream's bytes from @position on. */
static bool holds(FIXTURE_DATA(splice) *self, int fd, __u64 position, size_t length)
{
	ssize_t n = read(fd, self->buffer, sizeof(self->buffer));

	return n == (ssize_t)length && zt_mismatch(self->buffer, position, length) == -1;
}

/* The writer goes round the window more than @times times, and the reader with it. */
static int turn(FIXTURE_DATA(splice) *self, int times)
{
	int ret = 0;

	/* One segment less than all, since both may stand inside of one. */
	for (times *= 2; times && !ret; times--) {
		ret = zt_put(&self->p.w, SIZE - SEGMENT);
		if (!ret)
			ret = zt_take(&self->p.r, SIZE - SEGMENT);
	}
	return ret;
}

TEST_F(splice, bytes_come_out_and_none_is_copied)
{
	struct zpipe_stat_args s;

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE, out(self, SIZE));
	EXPECT_EQ(SIZE, zt_consumed(&self->p.r));
	EXPECT_EQ(SIZE, zt_examined(&self->p.r));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(SIZE, s.out_spliced_out);
	EXPECT_EQ(0, s.out_spliced_in);
	EXPECT_EQ(0, s.out_copied_read);
	EXPECT_EQ(0, s.out_copied_write);
	EXPECT_TRUE(holds(self, self->out, 0, SIZE));
}

TEST_F(splice, more_than_there_is_gives_what_there_is)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 5000));
	EXPECT_EQ(5000, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
	EXPECT_TRUE(holds(self, self->out, 0, 5000));
}

TEST_F(splice, less_than_there_is_leaves_the_rest)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10000));
	EXPECT_EQ(0, out(self, 0));
	EXPECT_EQ(3000, out(self, 3000));
	EXPECT_EQ(3000, zt_consumed(&self->p.r));
	EXPECT_EQ(1, out(self, 1));
	EXPECT_EQ(4000, read(self->p.r.fd, self->buffer, 4000));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 3001, 4000));
	EXPECT_EQ(2999, out(self, SIZE));
	EXPECT_EQ(6000, read(self->out, self->buffer, SIZE));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 0, 3001));
	EXPECT_EQ(-1, zt_mismatch(self->buffer + 3001, 7001, 2999));
}

/* The rest of the page is the writer's grant, and becomes bytes of the stream later. */
TEST_F(splice, part_of_an_open_segment_shows_only_that_part)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(100, out(self, SIZE));
	ASSERT_EQ(100, tee(self->out, fds[1], SIZE, 0));
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	EXPECT_TRUE(holds(self, fds[0], 0, 100));
	ASSERT_EQ(50, out(self, 50));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE - 50));
	ASSERT_EQ(0, turn(self, 3));
	EXPECT_TRUE(holds(self, self->out, 0, 150));
	close(fds[0]);
	close(fds[1]);
}

/* What was not published is taken back, and the place written over: not the part before it. */
TEST_F(splice, rollback_beside_a_part_does_not_show)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 100, 1000, 1000, &grant));
	memset(self->p.w.data + grant.out_offset, 0xee, 1000);
	ASSERT_EQ(100, out(self, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 100, SIZE, SIZE, &grant));
	memset(self->p.w.data + grant.out_offset, 0xbb, SIZE);
	EXPECT_TRUE(holds(self, self->out, 0, 100));
}

TEST_F(splice, held_bytes_stay_while_the_writer_goes_round)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE, out(self, SIZE));
	ASSERT_EQ(0, turn(self, 20));
	EXPECT_EQ(SIZE / ZT_PAGE, zt_stat(&self->p.w).out_replaced_pages);
	EXPECT_EQ(SIZE / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
	EXPECT_TRUE(holds(self, self->out, 0, SIZE));
}

TEST_F(splice, pages_that_were_read_in_time_are_used_again)
{
	int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
		ASSERT_EQ(SIZE, out(self, SIZE));
		ASSERT_TRUE(holds(self, self->out, (__u64)i * SIZE, SIZE));
	}
	EXPECT_EQ(0, zt_stat(&self->p.w).out_replaced_pages);
}

TEST_F(splice, tee_of_held_bytes_stays_too)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE - 10, out(self, SIZE - 10));
	ASSERT_EQ(SIZE - 10, tee(self->out, fds[1], SIZE, 0));
	EXPECT_TRUE(holds(self, self->out, 0, SIZE - 10));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, turn(self, 3));
	EXPECT_TRUE(holds(self, fds[0], 0, SIZE - 10));
	close(fds[0]);
	close(fds[1]);
}

/* So many references look like a pin, and pins are claims on the place; these are not. */
TEST_F(splice, page_lent_a_thousand_times_is_not_written_over)
{
	enum { PIPES = 5, EACH = 256, BYTES = PIPES * EACH };
	int fds[PIPES][2], k, i;
	struct zpipe_stat_args s;

	for (k = 0; k < PIPES; k++) {
		ASSERT_EQ(0, pipe2(fds[k], O_NONBLOCK));
		if (fcntl(fds[k][1], F_SETPIPE_SZ, EACH * ZT_PAGE) != EACH * ZT_PAGE)
			SKIP(return, "no room for pipes");
	}
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	for (i = 0; i < BYTES; i++)
		ASSERT_EQ(1, splice(self->p.r.fd, NULL, fds[i / EACH][1], NULL, 1, 0));
	s = zt_stat(&self->p.w);
	EXPECT_EQ(BYTES, s.out_spliced_out + s.out_copied_read);
	EXPECT_LT(1000, s.out_spliced_out);
	EXPECT_LT(0, s.out_copied_read);
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE - BYTES));
	ASSERT_EQ(0, turn(self, 2));
	EXPECT_EQ(1, zt_stat(&self->p.w).out_replaced_pages);
	for (k = 0; k < PIPES; k++) {
		EXPECT_TRUE(holds(self, fds[k][0], (__u64)k * EACH, EACH));
		close(fds[k][0]);
		close(fds[k][1]);
	}
}

/* It is posted again, with whatever is beside it in the page. */
TEST_F(splice, posted_memory_is_copied)
{
	struct zpipe_post_args post = { .cookie = 1, .offset = 100, .length = 1000 };
	struct zt_pipe p;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(SEGMENT, SIZE, .flags = ZPIPE_F_POSTED)));
	ASSERT_EQ(0, zt_ioctl(p.r.fd, ZPIPE_IOC_POST, &post));
	ASSERT_EQ(0, zt_put(&p.w, 1000));
	ASSERT_EQ(1000, splice(p.r.fd, NULL, self->in, NULL, SIZE, SPLICE_F_NONBLOCK));
	EXPECT_EQ(0, zt_stat(&p.r).out_spliced_out);
	EXPECT_EQ(1000, zt_stat(&p.r).out_copied_read);
	memset(p.w.data + 100, 0xbb, 1000);
	EXPECT_TRUE(holds(self, self->out, 0, 1000));
	zt_pipe_close(&p);
}

TEST_F(splice, held_bytes_outlive_the_reader)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE / 2 + 7, out(self, SIZE / 2 + 7));
	zt_end_close(&self->p.r);
	EXPECT_TRUE(holds(self, self->out, 0, SIZE / 2 + 7));
}

TEST_F(splice, held_bytes_outlive_both_ends)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE, out(self, SIZE));
	zt_pipe_close(&self->p);
	EXPECT_TRUE(holds(self, self->out, 0, SIZE));
}

TEST_F(splice, held_bytes_outlive_a_writer_that_dies)
{
	pid_t child = fork();
	int i;

	if (!child) {
		if (zt_put(&self->p.w, SIZE))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(128 + SIGKILL, zt_wait_child(child));
	ASSERT_EQ(SIZE / 2, out(self, SIZE / 2));
	zt_end_close(&self->p.w);
	EXPECT_EQ(SIZE / 2, out(self, SIZE));
	EXPECT_TRUE(holds(self, self->out, 0, SIZE));
	/* The end that read(2) sees, again and again. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(read(self->p.r.fd, self->buffer, 1), out(self, 1));
}

TEST_F(splice, end_of_stream_is_zero)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(10, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
	EXPECT_EQ(0, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
	EXPECT_EQ(0, out(self, SIZE));
}

/* Verbatim, also the one that would mean "try again" otherwise. */
TEST_F(splice, error_of_the_writer_comes_after_its_bytes)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, EAGAIN, ZPIPE_COMPLETE_F_DRAIN, 0));
	EXPECT_EQ(10, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
	EXPECT_EQ(-1, splice(self->p.r.fd, NULL, self->in, NULL, SIZE, 0));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(splice, error_of_the_writer_comes_at_once)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	EXPECT_EQ(-EIO, out(self, SIZE));
	EXPECT_FALSE(holds(self, self->out, 0, 10));
}

TEST_F(splice, reader_that_completed_eshutdown)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, out(self, SIZE));
}

TEST_F(splice, nothing_there_eagain)
{
	EXPECT_EQ(-EAGAIN, out(self, 1));
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(self->p.r.fd, NULL, self->in, NULL, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(1, splice(self->p.r.fd, NULL, self->in, NULL, 2, SPLICE_F_MORE | SPLICE_F_MOVE));
}

TEST_F(splice, writers_end_ebadf)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-1, splice(self->p.w.fd, NULL, self->in, NULL, 10, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(10, out(self, 10));
}

TEST_F(splice, offset_einval)
{
	loff_t at = 0;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-1, splice(self->p.r.fd, &at, self->in, NULL, 10, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, zt_consumed(&self->p.r));
}

TEST_F(splice, outstanding_read_ebusy)
{
	struct zt_view view;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	EXPECT_EQ(-EBUSY, out(self, 10));
	EXPECT_EQ(0, zt_consumed(&self->p.r));
	ASSERT_EQ(0, zt_advance(&self->p.r, 4, 10));
	EXPECT_EQ(6, out(self, 10));
	EXPECT_EQ(6, read(self->out, self->buffer, 10));
	EXPECT_EQ(-1, zt_mismatch(self->buffer, 4, 6));
}

TEST_F(splice, sleeping_read_ebusy)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-EBUSY, out(self, 10));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(splice, only_what_went_in_is_consumed)
{
	unsigned char page[ZT_PAGE] = { 0 };
	int i;

	/* Each write has a buffer of its own, as it is a whole page. */
	for (i = 0; i < 14; i++)
		ASSERT_EQ(ZT_PAGE, write(self->in, page, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(10, out(self, 10));
	ASSERT_EQ(ZT_PAGE - 10, out(self, SIZE));
	EXPECT_EQ(ZT_PAGE, zt_consumed(&self->p.r));
	EXPECT_EQ(-EAGAIN, out(self, SIZE));
	EXPECT_EQ(ZT_PAGE, zt_consumed(&self->p.r));
	EXPECT_EQ(ZT_PAGE, zt_stat(&self->p.r).out_spliced_out);
}

TEST_F(splice, pipe_without_readers_epipe)
{
	signal(SIGPIPE, SIG_IGN);
	close(self->out);
	self->out = -1;
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EPIPE, out(self, 10));
	EXPECT_EQ(0, zt_consumed(&self->p.r));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_spliced_out);
}

TEST_F(splice, sleeps_until_there_are_bytes)
{
	struct zt_splice bg;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, zt_splice_join(&bg));
	EXPECT_TRUE(holds(self, self->out, 0, 10));
}

/* Others must not wait for a zpipe because they use the same pipe. */
TEST_F(splice, sleeping_leaves_the_pipe_to_others)
{
	struct zt_splice bg;
	char c = 'x';

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(1, write(self->in, &c, 1));
	EXPECT_EQ(1, read(self->out, self->buffer, SIZE));
	EXPECT_EQ(-1, read(self->out, self->buffer, SIZE));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, zt_splice_join(&bg));
	EXPECT_TRUE(holds(self, self->out, 0, 10));
}

TEST_F(splice, waits_for_room_when_others_have_filled_the_pipe)
{
	unsigned char page[ZT_PAGE] = { 0 };
	struct zt_splice bg;
	int i;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	for (i = 0; i < 16; i++)
		ASSERT_EQ(ZT_PAGE, write(self->in, page, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	EXPECT_EQ(0, zt_consumed(&self->p.r));
	ASSERT_EQ(16 * ZT_PAGE, read(self->out, self->buffer, sizeof(self->buffer)));
	EXPECT_EQ(10, zt_splice_join(&bg));
	EXPECT_TRUE(holds(self, self->out, 0, 10));
}

TEST_F(splice, bytes_that_another_took_meanwhile_are_waited_for_no_more)
{
	unsigned char page[ZT_PAGE] = { 0 };
	struct zt_splice bg;
	int i;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	for (i = 0; i < 16; i++)
		ASSERT_EQ(ZT_PAGE, write(self->in, page, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_TRUE(zt_splice_sleeps(&bg));
	EXPECT_EQ(10, read(self->p.r.fd, self->buffer, SIZE));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(16 * ZT_PAGE, read(self->out, self->buffer, sizeof(self->buffer)));
	EXPECT_EQ(0, zt_splice_join(&bg));
}

TEST_F(splice, cancel_ends_a_sleep)
{
	struct zt_splice bg;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_EQ(-ECANCELED, zt_splice_join(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, out(self, SIZE));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST_F(splice, signal_ends_a_sleep)
{
	struct sigaction action = { .sa_handler = nothing };
	struct zt_splice bg;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	ASSERT_TRUE(zt_splice_sleeps(&bg));
	pthread_kill(bg.thread, SIGUSR1);
	EXPECT_EQ(-EINTR, zt_splice_join(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, out(self, SIZE));
}

TEST_F(splice, end_of_the_pipe_ends_a_sleep)
{
	struct zt_splice bg;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_splice_join(&bg));
}

/* Both get the bytes, each once; the memory comes free after the slower one. */
TEST_F(splice, two_readers_splice_the_same_pages)
{
	struct zpipe_tee_args args;
	int fds[2];

	ASSERT_EQ(0, zt_tee(self->p.r.fd, 0, &args));
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(SIZE, out(self, SIZE));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 1));
	ASSERT_EQ(SIZE, splice(args.out_fd, NULL, fds[1], NULL, SIZE, SPLICE_F_NONBLOCK));
	EXPECT_EQ(2 * SIZE, zt_stat(&self->p.w).out_spliced_out);
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	EXPECT_TRUE(holds(self, self->out, 0, SIZE));
	EXPECT_TRUE(holds(self, fds[0], 0, SIZE));
	close(args.out_fd);
	close(fds[0]);
	close(fds[1]);
}

/* What went out before stays; nothing comes out of memory that the writer has taken back. */
TEST_F(splice, reader_that_was_detached_enobufs)
{
	struct zpipe_tee_args args;

	ASSERT_EQ(0, zt_tee(self->p.r.fd, ZPIPE_TEE_F_DETACH, &args));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(100, splice(args.out_fd, NULL, self->in, NULL, 100, 0));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, turn(self, 1));
	EXPECT_EQ(-1, splice(args.out_fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(ENOBUFS, errno);
	EXPECT_TRUE(holds(self, self->out, 0, 100));
	close(args.out_fd);
}

TEST_F(splice, second_splice_waits_for_the_first)
{
	struct zt_splice bg, second;

	zt_splice_start(&bg, self->p.r.fd, self->in, SIZE);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(-EAGAIN, out(self, SIZE));
	zt_splice_start(&second, self->p.r.fd, self->in, SIZE);
	EXPECT_TRUE(zt_splice_sleeps(&second));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, zt_splice_join(&bg));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(10, zt_splice_join(&second));
	EXPECT_TRUE(holds(self, self->out, 0, 20));
}

TEST_HARNESS_MAIN
