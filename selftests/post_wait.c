// SPDX-License-Identifier: GPL-2.0-only
/*
 * post_wait - who waits for a posted buffer, or for what comes of it, and ends that leave meanwhile
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "post.h"

TEST_F(post, poll_of_the_writer_waits_for_a_buffer)
{
	struct pollfd p = { .fd = self->p.w.fd, .events = POLLOUT };

	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 10));
	EXPECT_EQ(1, poll(&p, 1, 0));
	ASSERT_EQ(0, alloc(self, 0, 10));
	ASSERT_EQ(0, flush(self, 10, 0));
	EXPECT_EQ(0, poll(&p, 1, 0));
}

TEST_F(post, poll_of_the_reader_is_level_triggered)
{
	struct pollfd p = { .fd = self->p.r.fd, .events = POLLIN };

	ASSERT_EQ(0, post(&self->p.r, 1, 0, 10));
	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(1, poll(&p, 1, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(0, poll(&p, 1, 0));
}

TEST_F(post, sleeping_writer_is_woken_by_a_post)
{
	struct zpipe_alloc_args args = { .position = 0, .min = 10 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, post(&self->p.r, 1, 64, 10));
	ASSERT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(64, args.out_offset);
}

TEST_F(post, sleeping_reader_is_told_of_a_finished_buffer)
{
	struct zpipe_read_args read = { .flags = ZPIPE_READ_F_SHARED };
	struct zt_bg bg;

	ASSERT_EQ(0, post(&self->p.r, 1, 0, 10));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	ASSERT_EQ(0, zt_bg_join(&bg));
	EXPECT_TRUE(read.out_flags & ZPIPE_RES_FINISHED);
}

TEST_F(post, reader_that_posted_nothing_is_told_full)
{
	struct zpipe_alloc_args args = { .position = 0, .min = 10 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_FULL, self->view.args.out_flags);
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

/* What READ reports of buffers is no byte: read(2) and splice(2) went round without end over it. */
TEST_F(post, read2_and_splice_wait_for_bytes_only)
{
	struct zpipe_alloc_args args = { .position = 0, .min = 10 };
	struct zt_splice sleeper;
	struct zt_bg bg;
	int to[2];
	char byte;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 10));
	ASSERT_EQ(0, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(-1, read(self->p.r.fd, &byte, 1));
	EXPECT_EQ(EAGAIN, errno);
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	ASSERT_TRUE(zt_bg_sleeps(&bg));
	ASSERT_EQ(-1, splice(self->p.r.fd, NULL, to[1], NULL, 10, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, 0));
	zt_splice_start(&sleeper, self->p.r.fd, to[1], 10);
	ASSERT_TRUE(zt_splice_sleeps(&sleeper));
	ASSERT_EQ(0, post(&self->p.r, 2, 64, 10));
	ASSERT_EQ(0, zt_bg_join(&bg));
	ASSERT_TRUE(zt_splice_sleeps(&sleeper));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &args, 10));
	ASSERT_EQ(0, flush(self, 10, 0));
	EXPECT_EQ(10, zt_splice_join(&sleeper));
	close(to[0]);
	close(to[1]);
}

TEST_F(post, writer_that_completes_leaves_the_rest_to_be_taken_back)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 60));
	ASSERT_EQ(0, post(&self->p.r, 2, 60, 60));
	ASSERT_EQ(0, alloc(self, 0, 60));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 25));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(ZPIPE_POST_COMPLETED, self->out.out_status);
	EXPECT_EQ(25, self->out.out_count);
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->out.out_flags);
	EXPECT_EQ(-EAGAIN, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, take_back(&self->p.r, 2, &self->out));
	EXPECT_EQ(ZPIPE_POST_CANCELED, self->out.out_status);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(post, killed_writer_gives_its_buffer_back)
{
	pid_t child = fork();

	if (!child) {
		struct zpipe_alloc_args grant = { .min = 1 };

		if (post(&self->p.r, 1, 0, 60) || ioctl(self->p.w.fd, ZPIPE_IOC_ALLOC, &grant))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	zt_wait_child(child);
	EXPECT_EQ(-EAGAIN, take_back(&self->p.r, 1, &self->out));
	zt_end_close(&self->p.w);
	self->p.w.fd = -1;
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(ZPIPE_POST_CANCELED, self->out.out_status);
	EXPECT_EQ(0, self->out.out_count);
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(post, reader_that_ends_drops_all)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 60));
	ASSERT_EQ(0, alloc(self, 0, 60));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, post(&self->p.r, 2, 100, 60));
	EXPECT_EQ(-ESHUTDOWN, collect(&self->p.r, &self->out));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_posts);
	ASSERT_EQ(0, flush(self, 10, 0));
	EXPECT_TRUE(self->f.out_flags & ZPIPE_RES_COMPLETED);
	/* And a writer that waits for a buffer does not wait for ever. */
	ASSERT_EQ(0, alloc(self, 10, 1));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->grant.out_flags);
	EXPECT_EQ(0, self->grant.out_length);
}

TEST_HARNESS_MAIN
