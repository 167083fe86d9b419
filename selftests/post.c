// SPDX-License-Identifier: GPL-2.0-only
/*
 * post - POST and UNPOST: the reader supplies the buffers that the writer fills in place
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "post.h"

TEST_F(post, outcome_that_cannot_be_told_is_not_collected)
{
	struct zpipe_unpost_args *args = mmap(NULL, ZT_PAGE, PROT_READ,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, args);
	ASSERT_EQ(0, post(&self->p.r, 7, 0, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, flush(self, 50, 0));
	EXPECT_EQ(-1, ioctl(self->p.r.fd, ZPIPE_IOC_UNPOST, args));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(7, self->out.out_cookie);
	EXPECT_EQ(50, self->out.out_count);
}

TEST_F(post, no_memory_is_free_for_the_writer)
{
	EXPECT_EQ(-EAGAIN, alloc(self, 0, 1));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	EXPECT_EQ(0, alloc(self, 0, 1));
}

TEST_F(post, writer_fills_it_in_place_and_the_count_comes_back)
{
	ASSERT_EQ(0, post(&self->p.r, 77, 5000, 300));
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(5000, self->grant.out_offset);
	EXPECT_EQ(300, self->grant.out_length);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 120));
	EXPECT_EQ(-EAGAIN, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, flush(self, 120, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(77, self->out.out_cookie);
	EXPECT_EQ(5000, self->out.out_offset);
	EXPECT_EQ(0, self->out.out_start);
	EXPECT_EQ(120, self->out.out_count);
	EXPECT_EQ(ZPIPE_POST_COMPLETED, self->out.out_status);
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data + 5000, 0, 120));
	EXPECT_EQ(120, zt_consumed(&self->p.r));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_posts);
	EXPECT_EQ(-EAGAIN, collect(&self->p.r, &self->out));
}

TEST_F(post, its_length_bounds_the_commit)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	EXPECT_EQ(-EMSGSIZE, alloc(self, 0, 101));
	ASSERT_EQ(0, alloc(self, 0, 100));
	EXPECT_EQ(-EINVAL, flush(self, 101, 0));
	EXPECT_EQ(0, zt_published(&self->p.w));
	EXPECT_EQ(0, flush(self, 100, 0));
}

TEST_F(post, filled_in_the_order_of_posting)
{
	int i;

	ASSERT_EQ(0, post(&self->p.r, 10, 3 * ZT_PAGE, 50));
	ASSERT_EQ(0, post(&self->p.r, 11, 0, 60));
	ASSERT_EQ(0, post(&self->p.r, 12, ZT_PAGE, 70));
	for (i = 0; i < 3; i++) {
		__u64 position = zt_published(&self->p.w);

		ASSERT_EQ(0, alloc(self, position, 1));
		EXPECT_EQ(50U + 10 * i, self->grant.out_length);
		ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 7));
		ASSERT_EQ(0, flush(self, position + 7, 0));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, collect(&self->p.r, &self->out));
		EXPECT_EQ(10U + i, self->out.out_cookie);
		EXPECT_EQ(7U * i, self->out.out_start);
		EXPECT_EQ(7, self->out.out_count);
	}
}

TEST_F(post, going_on_in_the_next_finishes_both)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, ZT_PAGE, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 60));
	ASSERT_EQ(0, alloc(self, 60, 50));
	EXPECT_EQ(ZT_PAGE, self->grant.out_offset);
	EXPECT_EQ(100, self->grant.out_length);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 50));
	EXPECT_EQ(-EAGAIN, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, flush(self, 110, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_TRUE(self->view.args.out_flags & ZPIPE_RES_FINISHED);
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(-EBUSY, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, zt_advance(&self->p.r, ZPIPE_KEEP, 110));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(60, self->out.out_count);
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(50, self->out.out_count);
	EXPECT_EQ(60, self->out.out_start);
}

TEST_F(post, rollback_opens_the_earlier_one_again)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, ZT_PAGE, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, alloc(self, 60, 50));
	/* All of the second is taken back, and half of the first. */
	ASSERT_EQ(0, alloc(self, 30, 1));
	EXPECT_EQ(30, self->grant.out_offset);
	EXPECT_EQ(70, self->grant.out_length);
	ASSERT_EQ(0, flush(self, 40, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(1, self->out.out_cookie);
	EXPECT_EQ(40, self->out.out_count);
	ASSERT_EQ(0, alloc(self, 40, 100));
	EXPECT_EQ(ZT_PAGE, self->grant.out_offset);
}

TEST_F(post, what_is_behind_the_flush_is_taken_back)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, ZT_PAGE, 100));
	ASSERT_EQ(0, alloc(self, 0, 100));
	ASSERT_EQ(0, alloc(self, 90, 50));
	ASSERT_EQ(0, flush(self, 20, 0));
	EXPECT_EQ(20, zt_granted(&self->p.w));
	EXPECT_EQ(-EINVAL, flush(self, 21, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(20, self->out.out_count);
	ASSERT_EQ(0, alloc(self, 20, 1));
	EXPECT_EQ(ZT_PAGE, self->grant.out_offset);
}

TEST_F(post, transfer_of_nothing_is_told_from_none)
{
	EXPECT_EQ(-EAGAIN, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	ASSERT_EQ(0, post(&self->p.r, 5, 0, 100));
	ASSERT_EQ(0, flush(self, 0, 0));
	EXPECT_EQ(-EAGAIN, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_NOWAIT, &self->view));
	EXPECT_TRUE(self->view.args.out_flags & ZPIPE_RES_FINISHED);
	EXPECT_EQ(self->view.args.out_start, self->view.args.out_end);
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(ZPIPE_POST_COMPLETED, self->out.out_status);
	EXPECT_EQ(0, self->out.out_count);
	EXPECT_EQ(5, self->out.out_cookie);
	EXPECT_EQ(0, self->out.out_flags);
}

TEST_F(post, finish_of_an_open_one_without_bytes)
{
	ASSERT_EQ(0, post(&self->p.r, 5, 0, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, flush(self, 0, ZPIPE_FLUSH_F_FINISH));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(0, self->out.out_count);
	EXPECT_EQ(0, zt_granted(&self->p.w));
	EXPECT_EQ(-EAGAIN, alloc(self, 0, 1));
}

TEST_F(post, cancel_of_a_queued_one_answers_at_once)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, 200, 100));
	ASSERT_EQ(0, take_back(&self->p.r, 1, &self->out));
	EXPECT_EQ(ZPIPE_POST_CANCELED, self->out.out_status);
	EXPECT_EQ(1, self->out.out_cookie);
	EXPECT_EQ(0, self->out.out_count);
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(200, self->grant.out_offset);
	EXPECT_EQ(-ENOENT, take_back(&self->p.r, 1, &self->out));
}

TEST_F(post, cancel_of_one_that_is_filled_waits_for_the_writer)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(-EAGAIN, take_back(&self->p.r, 1, &self->out));
	/* It is the writer's until then: nobody may post over it. */
	EXPECT_EQ(-EBUSY, post(&self->p.r, 2, 50, 10));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 30));
	ASSERT_EQ(0, flush(self, 30, 0));
	ASSERT_EQ(0, take_back(&self->p.r, 1, &self->out));
	EXPECT_EQ(ZPIPE_POST_COMPLETED, self->out.out_status);
	EXPECT_EQ(30, self->out.out_count);
	EXPECT_EQ(0, post(&self->p.r, 2, 50, 10));
}

TEST_F(post, canceled_and_then_not_used)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, 200, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(-EAGAIN, take_back(&self->p.r, 1, &self->out));
	/* The writer asks again, and gets the next one. */
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(200, self->grant.out_offset);
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(ZPIPE_POST_CANCELED, self->out.out_status);
	EXPECT_EQ(1, self->out.out_cookie);
	EXPECT_EQ(0, self->out.out_count);
}

TEST_F(post, canceled_with_no_other_takes_the_grant_away)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	EXPECT_EQ(-EAGAIN, take_back(&self->p.r, 1, &self->out));
	EXPECT_EQ(-EAGAIN, alloc(self, 0, 1));
	EXPECT_EQ(0, zt_granted(&self->p.w));
	EXPECT_EQ(-EINVAL, flush(self, 1, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(ZPIPE_POST_CANCELED, self->out.out_status);
}

TEST_F(post, outcomes_are_collected_in_order)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, post(&self->p.r, 2, 200, 100));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, flush(self, 10, 0));
	ASSERT_EQ(0, alloc(self, 10, 1));
	ASSERT_EQ(0, flush(self, 20, 0));
	EXPECT_EQ(-EBUSY, take_back(&self->p.r, 2, &self->out));
	EXPECT_EQ(0, take_back(&self->p.r, 1, &self->out));
	EXPECT_EQ(0, take_back(&self->p.r, 2, &self->out));
}

TEST_F(post, over_live_memory_ebusy)
{
	ASSERT_EQ(0, post(&self->p.r, 1, 100, 100));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 2, 100, 100));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 2, 199, 1));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 2, 0, 101));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 2, WINDOW - 50, 151));
	EXPECT_EQ(0, post(&self->p.r, 2, WINDOW - 50, 150));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 3, 20, 10));
	EXPECT_EQ(0, post(&self->p.r, 3, 200, 1));
	EXPECT_EQ(3, zt_stat(&self->p.r).out_posts);
	/* Filled, but not collected: still live. */
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, flush(self, 1, 0));
	EXPECT_EQ(-EBUSY, post(&self->p.r, 4, 150, 10));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(0, post(&self->p.r, 4, 150, 10));
}

TEST_F(post, a_buffer_may_wrap)
{
	ASSERT_EQ(0, post(&self->p.r, 1, WINDOW - 10, 30));
	ASSERT_EQ(0, alloc(self, 0, 30));
	EXPECT_EQ(WINDOW - 10, self->grant.out_offset);
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 30));
	ASSERT_EQ(0, flush(self, 30, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data + WINDOW - 10, 0, 30));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 10, 20));
}

TEST_F(post, bad_arguments_are_refused)
{
	struct zt_pipe plain;

	EXPECT_EQ(-EINVAL, post(&self->p.r, 1, 0, 0));
	EXPECT_EQ(-EINVAL, post(&self->p.r, 1, 0, WINDOW + 1));
	EXPECT_EQ(-EINVAL, post(&self->p.r, 1, WINDOW, 1));
	EXPECT_EQ(-EINVAL, post(&self->p.r, 1, ~0ULL, 1));
	EXPECT_EQ(-EINVAL, post(&self->p.r, 1, 0, ~0ULL));
	EXPECT_EQ(-EBADF, post(&self->p.w, 1, 0, 1));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 1));
	EXPECT_EQ(-EEXIST, post(&self->p.r, 1, 1, 1));
	EXPECT_EQ(1, zt_stat(&self->p.r).out_posts);

	ASSERT_EQ(0, zt_pipe_open(&plain, ZT_ARGS(ZT_PAGE, WINDOW)));
	EXPECT_EQ(-EINVAL, post(&plain.r, 1, 0, 1));
	EXPECT_EQ(-EINVAL, collect(&plain.r, &self->out));
	EXPECT_EQ(-EINVAL, zt_flush(&plain.w, 0, ZPIPE_FLUSH_F_FINISH, &self->f));
	zt_pipe_close(&plain);
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(ZT_PAGE, WINDOW,
					     .flags = ZPIPE_F_POSTED | ZPIPE_F_CONTIG)));
}

TEST_F(post, as_many_as_there_are_segments)
{
	unsigned int i;

	for (i = 0; i < SEGMENTS; i++)
		ASSERT_EQ(0, post(&self->p.r, i, 10 * i, 10));
	EXPECT_EQ(-ENOBUFS, post(&self->p.r, 99, 1000, 10));
	ASSERT_EQ(0, alloc(self, 0, 1));
	ASSERT_EQ(0, flush(self, 1, 0));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(0, post(&self->p.r, 99, 1000, 10));
}

TEST_F(post, tee_is_refused)
{
	struct zpipe_tee_args tee;

	EXPECT_EQ(-EINVAL, zt_tee(self->p.r.fd, 0, &tee));
}

TEST_F(post, write2_fills_what_is_posted)
{
	unsigned char bytes[100];

	zt_fill(bytes, 0, sizeof(bytes));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 60));
	ASSERT_EQ(0, post(&self->p.r, 2, 60, 60));
	EXPECT_EQ(sizeof(bytes), write(self->p.w.fd, bytes, sizeof(bytes)));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(60, self->out.out_count);
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(40, self->out.out_count);
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, 100));
}

TEST_F(post, reset_starts_without_buffers)
{
	struct zpipe_reset_args reset;

	ASSERT_EQ(0, post(&self->p.r, 1, 0, 60));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->p.r, &reset));
	EXPECT_EQ(-EAGAIN, alloc(self, reset.out_position, 1));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 60));
	EXPECT_EQ(0, alloc(self, reset.out_position, 60));
}

/* Puts bytes of the reader's mapping into a pipe by reference. */
static int lend(struct zt_end *r, __u64 offset, size_t length, int pipe_fd)
{
	struct iovec iov = { r->data + offset, length };

	return vmsplice(pipe_fd, &iov, 1, 0) == (ssize_t)length ? 0 : -errno;
}

TEST_F(post, beside_a_lent_buffer_nothing_is_lost)
{
	int to[2];

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, 100));
	ASSERT_EQ(0, alloc(self, 0, 100));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, 100));
	ASSERT_EQ(0, flush(self, 100, 0));
	ASSERT_EQ(0, lend(&self->p.r, 0, 100, to[1]));
	/* In the same page, while the first one is not collected yet. */
	ASSERT_EQ(0, post(&self->p.r, 2, 200, 100));
	ASSERT_EQ(0, alloc(self, 100, 100));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	EXPECT_EQ(-1, zt_mismatch(self->p.r.data, 0, 100));
	close(to[0]);
	close(to[1]);
}

TEST_F(post, lent_bytes_stay_when_the_place_is_posted_again)
{
	unsigned char got[ZT_PAGE];
	int to[2];

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, post(&self->p.r, 1, 0, ZT_PAGE));
	ASSERT_EQ(0, alloc(self, 0, ZT_PAGE));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, ZT_PAGE));
	ASSERT_EQ(0, flush(self, ZT_PAGE, 0));
	ASSERT_EQ(0, lend(&self->p.r, 0, ZT_PAGE, to[1]));
	ASSERT_EQ(0, collect(&self->p.r, &self->out));
	ASSERT_EQ(0, post(&self->p.r, 2, 0, ZT_PAGE));
	ASSERT_EQ(0, alloc(self, ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, ZT_PAGE));
	ASSERT_EQ(ZT_PAGE, read(to[0], got, sizeof(got)));
	EXPECT_EQ(-1, zt_mismatch(got, 0, ZT_PAGE));
	EXPECT_EQ(1, zt_stat(&self->p.r).out_replaced_pages);
	close(to[0]);
	close(to[1]);
}

/* Random buffers and random use of them, against what was really stored. */
TEST_F(post, random_use_keeps_bytes_and_counts)
{
	struct { __u64 offset, length; } at[SEGMENTS];
	__u64 random = zt_seed(), position = 0, collected = 0;
	unsigned int i, live = 0, oldest = 0, newest = 0;

	for (i = 0; i < 20000; i++) {
		__u64 what = zt_random(&random) % 4;

		if (what == 0 && live < SEGMENTS) {
			__u64 offset = newest % SEGMENTS * ZT_PAGE + zt_random(&random) % 100;
			__u64 length = zt_random(&random) % (ZT_PAGE - 100) + 1;

			ASSERT_EQ(0, post(&self->p.r, newest, offset, length));
			at[newest % SEGMENTS].offset = offset;
			at[newest++ % SEGMENTS].length = length;
			live++;
		} else if (what == 1 || what == 2) {
			int ret = zt_alloc(&self->p.w, position, 1, 1, &self->grant);
			__u64 n;

			if (ret) {
				ASSERT_EQ(-EAGAIN, ret);
				continue;
			}
			n = zt_random(&random) % (self->grant.out_length + 1);
			ASSERT_EQ(0, zt_fill_grant(&self->p.w, &self->grant, n));
			ASSERT_EQ(0, flush(self, position + n, ZPIPE_FLUSH_F_FINISH));
			position += n;
		} else {
			int ret = collect(&self->p.r, &self->out);

			if (ret) {
				ASSERT_EQ(-EAGAIN, ret);
				continue;
			}
			ASSERT_EQ(oldest, self->out.out_cookie);
			ASSERT_EQ(collected, self->out.out_start);
			ASSERT_GE(at[oldest % SEGMENTS].length, self->out.out_count);
			ASSERT_EQ(-1, zt_mismatch(self->p.r.data + at[oldest % SEGMENTS].offset,
						  collected, self->out.out_count));
			collected += self->out.out_count;
			oldest++;
			live--;
		}
	}
	EXPECT_EQ(0, zt_stat(&self->p.r).out_copied_write);
}

TEST_HARNESS_MAIN
