// SPDX-License-Identifier: GPL-2.0-only
/*
 * closing - the last close of an end that has not completed
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(closing)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
};

FIXTURE_SETUP(closing)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(closing)
{
	zt_pipe_close(&self->p);
}

TEST_F(closing, writer_with_grants_aborts_after_the_published_bytes)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_TRUE(self->view.args.out_flags & ZPIPE_RES_ABORTED);
	EXPECT_EQ(10, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 10));
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(closing, writer_with_a_grant_and_nothing_published_aborts)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
	zt_end_close(&self->p.w);
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(closing, unpublished_bytes_never_appear)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 100));
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 100, 0, &self->view));
	EXPECT_EQ(10, self->view.args.out_end);
}

TEST_F(closing, bytes_published_without_a_call_do_appear)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 100));
	zt_store_published(&self->p.w, 80);
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(80, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
}

TEST_F(closing, read2_sees_plain_eof_after_an_abort)
{
	char buffer[20];

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_end_close(&self->p.w);
	EXPECT_EQ(10, read(self->p.r.fd, buffer, sizeof(buffer)));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, 10));
	EXPECT_EQ(0, read(self->p.r.fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, read(self->p.r.fd, buffer, sizeof(buffer)));
}

TEST_F(closing, writer_that_only_used_write2_ends_the_stream)
{
	ASSERT_EQ(3, write(self->p.w.fd, "abc", 3));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
	EXPECT_EQ(3, self->view.args.out_end);
	ASSERT_EQ(0, zt_advance(&self->p.r, 3, 3));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(closing, writer_that_did_nothing_ends_the_stream)
{
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(closing, completed_writer_ends_the_stream)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->view.args.out_flags);
}

TEST_F(closing, writer_wakes_a_sleeping_reader)
{
	struct zpipe_read_args args = { .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	zt_end_close(&self->p.w);
	EXPECT_EQ(-ECONNRESET, zt_bg_join(&bg));
}

TEST_F(closing, mapping_keeps_the_writer_open)
{
	int fd = self->p.w.fd;

	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	close(fd);
	self->p.w.fd = -1;
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	zt_end_unmap(&self->p.w);
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(closing, reader_makes_flush_answer_completed)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_end_close(&self->p.r);
	ASSERT_EQ(0, zt_flush(&self->p.w, 10, 0, &self->f));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->f.out_flags);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10, 5, 5, &self->grant));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->grant.out_flags);
	EXPECT_LE(5, self->grant.out_length);
}

TEST_F(closing, reader_frees_unread_memory_at_once)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	EXPECT_EQ(4, zt_stat(&self->p.w).out_data_pages);
	zt_end_close(&self->p.r);
	EXPECT_GE(1, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(closing, reader_wakes_a_paused_writer)
{
	struct zpipe_flush_args args = { .position = 10 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_set(&self->p.w, 5, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 10, 10, &self->grant));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
	zt_await_paused(&self->p.w);
	zt_end_close(&self->p.r);
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
}

TEST_F(closing, reader_wakes_a_writer_that_waits_for_memory)
{
	struct zpipe_alloc_args args = { .position = 4 * ZT_PAGE, .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_await_starved(&self->p.w);
	zt_end_close(&self->p.r);
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
	EXPECT_LE(1, args.out_length);
}

TEST_F(closing, reader_sends_no_signal_for_ioctls)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	zt_end_close(&self->p.r);
	signal(SIGPIPE, SIG_DFL);
	EXPECT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(0, zt_alloc(&self->p.w, 10, 1, 1, &self->grant));
}

TEST_F(closing, data_stays_readable_in_the_mapping_of_a_closed_writer)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 3 * ZT_PAGE));
	zt_end_close(&self->p.w);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	zt_check_view(&self->p.r, &self->view);
}

/* Both ends go while a mapping of each stays: the memory stays valid for them. */
TEST_F(closing, mappings_outlive_both_fds)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	close(self->p.w.fd);
	close(self->p.r.fd);
	self->p.w.fd = -1;
	self->p.r.fd = -1;
	zt_check_view(&self->p.r, &self->view);
	zt_fill(self->p.w.data + self->view.spans[0].offset, 0, 100);
	EXPECT_EQ(100, zt_published(&self->p.r));
}

TEST_F(closing, closing_in_any_order_a_thousand_times)
{
	int i;

	for (i = 0; i < 1000; i++) {
		struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE);

		ASSERT_EQ(0, zt_create(args));
		ASSERT_EQ(5, write(args->out_writer_fd, "hello", 5));
		close(i & 1 ? args->out_writer_fd : args->out_reader_fd);
		close(i & 1 ? args->out_reader_fd : args->out_writer_fd);
	}
}

TEST_HARNESS_MAIN
