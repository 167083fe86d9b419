// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace_bytes - what events tell of bytes and of time: segments, copies, seals, pauses, sleeps
 *
 * The sums of what they tell are those of STAT, to the byte and to the nanosecond.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "trace.h"

/* enum zpipe_copy_place in module/zpipe_trace.h */
#define ADOPTED		"6"
#define ZEROED		"7"

TEST_F(trace, segments_are_opened_and_freed_as_often_as_stat_says)
{
	struct zpipe_stat_args s;
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_segment_open", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_segment_free", "pipe == %llu",
			   (unsigned long long)self->p.id));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	}
	s = zt_stat(&self->p.w);
	EXPECT_EQ((int)s.out_segments_opened, counted(self, "zpipe_segment_open"));
	EXPECT_EQ((int)s.out_segments_freed, counted(self, "zpipe_segment_free"));
}

/* The call that tells of the reader's look comes from the mapped reader here. */
TEST_F(trace, mapped_stream_is_visible_by_its_segments)
{
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_segment_open", "pipe == %llu",
			   (unsigned long long)self->p.id));
	for (i = 0; i < 5; i++) {
		__u64 at = (__u64)i * ZT_PAGE;

		ASSERT_EQ(0, zt_alloc(&self->p.w, at, ZT_PAGE, ZT_PAGE, &self->grant));
		zt_store_published(&self->p.w, at + ZT_PAGE);
		zt_store_examined(&self->p.r, at + ZT_PAGE);
		zt_store_consumed(&self->p.r, at + ZT_PAGE);
	}
	EXPECT_EQ(5, counted(self, "zpipe_segment_open"));
}

TEST_F(trace, pause_and_resume_once_each)
{
	ASSERT_EQ(0, watch(self, "zpipe_pause", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_resume", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_pause"));
	EXPECT_EQ(0, counted(self, "zpipe_resume"));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_resume"));
}

TEST_F(trace, one_sleep_is_one_begin_one_wake_and_one_end)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, watch(self, "zpipe_wait_begin", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_wait_end", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_wake", "pipe == %llu", (unsigned long long)self->p.id));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zt_sleep_ms(ZT_GLANCE_MS);
	EXPECT_EQ(1, counted(self, "zpipe_wait_begin"));
	EXPECT_EQ(0, counted(self, "zpipe_wait_end"));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(1, counted(self, "zpipe_wait_begin"));
	EXPECT_EQ(1, counted(self, "zpipe_wake"));
	EXPECT_EQ(1, counted(self, "zpipe_wait_end"));
}

TEST_F(trace, copies_are_counted_in_bytes)
{
	char buffer[100] = { 0 };

	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && length == 77",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(77, write(self->p.w.fd, buffer, 77));
	EXPECT_EQ(1, counted(self, "zpipe_copy"));
	ASSERT_EQ(77, read(self->p.r.fd, buffer, 100));
	EXPECT_EQ(2, counted(self, "zpipe_copy"));
}

TEST_F(trace, seal_once_with_what_is_published)
{
	struct zpipe_alloc_args grant;
	struct zt_pipe g;

	ASSERT_EQ(0, zt_pipe_open(&g, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, watch(self, "zpipe_seal", "pipe == %llu && position == 100 && length == 50",
			   (unsigned long long)g.id));
	ASSERT_EQ(0, zt_put(&g.w, 100));
	EXPECT_EQ(0, counted(self, "zpipe_seal"));
	ASSERT_EQ(0, zt_alloc(&g.w, 100, 50, 50, &grant));
	ASSERT_EQ(0, zt_flush(&g.w, 150, 0, NULL));
	ASSERT_EQ(0, zt_flush(&g.w, 150, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_seal"));
	zt_pipe_close(&g);
}

TEST_F(trace, mapped_bytes_are_no_copy)
{
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret != " ZEROED,
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	EXPECT_EQ(0, counted(self, "zpipe_copy"));
}

TEST_F(trace, splice_is_seen_once_and_copies_only_on_the_way_in)
{
	unsigned long long id = self->p.id;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret != " ZEROED, id));
	ASSERT_EQ(0, watch(self, "zpipe_splice",
			   "pipe == %llu && position == 0 && length == 6000 && ret == %d", id,
			   ZPIPE_ROLE_READER));
	ASSERT_EQ(0, zt_put(&self->p.w, 6000));
	ASSERT_EQ(6000, splice(self->p.r.fd, NULL, fds[1], NULL, 6000, 0));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	EXPECT_EQ(0, counted(self, "zpipe_copy"));
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret == 4", id));
	ASSERT_EQ(0, watch(self, "zpipe_splice",
			   "pipe == %llu && position == 6000 && length == 6000 && ret == %d", id,
			   ZPIPE_ROLE_WRITER));
	ASSERT_EQ(6000, splice(fds[0], NULL, self->p.w.fd, NULL, 6000, 0));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	EXPECT_LT(0, counted(self, "zpipe_copy"));
	ASSERT_EQ(0, watch(self, "zpipe_splice", "pipe == %llu && length == 0 && ret == %d", id,
			   -EAGAIN));
	EXPECT_EQ(-1, splice(fds[0], NULL, self->p.w.fd, NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(trace, memory_that_was_zeroed_is_told_to_the_byte)
{
	unsigned long long id = self->p.id;
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret == " ZEROED, id));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(3 * ZT_PAGE, summed(self, "zpipe_copy", "length="));
	ASSERT_EQ(0, zt_take(&self->p.r, 3 * ZT_PAGE));
	/* Memory that is used again was the pipe's before. */
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(3 * ZT_PAGE, summed(self, "zpipe_copy", "length="));
	EXPECT_EQ(3 * ZT_PAGE, zt_stat(&self->p.r).out_zeroed);
}

TEST_F(trace, pages_of_another_pool_are_adopted_and_none_of_their_bytes_copied)
{
	struct zpipe_forward_args args = { .length = 7919 };
	unsigned long long id = self->p.id;
	struct zt_pipe from;

	ASSERT_EQ(0, zt_pipe_open(&from, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&from.w, 7919));
	args.source_fd = from.r.fd;
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu", id));
	ASSERT_EQ(0, watch(self, "zpipe_forward",
			   "pipe == %llu && position == 0 && length == 7919 && ret == 0", id));
	ASSERT_EQ(0, watch(self, "zpipe_segment_open", "pipe == %llu", id));
	ASSERT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FORWARD, &args));
	EXPECT_EQ(1, counted(self, "zpipe_forward"));
	EXPECT_EQ(7919, summed(self, "zpipe_copy", "length="));
	EXPECT_EQ(2, summed(self, "zpipe_segment_open", "ret="));
	EXPECT_EQ(2, zt_stat(&self->p.w).out_segments_opened);
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret != " ADOPTED, id));
	args.position = 7919;
	args.length = 1;
	ASSERT_EQ(0, zt_ioctl(self->p.w.fd, ZPIPE_IOC_FORWARD, &args));
	EXPECT_EQ(0, counted(self, "zpipe_copy"));
	zt_pipe_close(&from);
}

TEST_F(trace, pause_is_over_when_the_writer_is)
{
	ASSERT_EQ(0, watch(self, "zpipe_resume", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, counted(self, "zpipe_resume"));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 10));
	EXPECT_EQ(1, counted(self, "zpipe_resume"));
	EXPECT_EQ(summed(self, "zpipe_resume", "length="), zt_stat(&self->p.r).out_paused_ns);
	EXPECT_EQ(zt_stat(&self->p.r).out_paused_ns, zt_stat(&self->p.r).out_longest_pause_ns);
}

TEST_F(trace, times_are_those_of_stat_to_the_nanosecond)
{
	struct zpipe_stat_args s;
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_wait_end", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, ZPIPE_ROLE_READER));
	for (i = 0; i < 3; i++) {
		struct zpipe_read_args args = { .deadline = zt_deadline(5 + 10 * i) };

		EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	}
	s = zt_stat(&self->p.r);
	EXPECT_EQ(3, counted(self, "zpipe_wait_end"));
	EXPECT_EQ(3, s.out_reader_waits);
	EXPECT_EQ(summed(self, "zpipe_wait_end", "length="), s.out_reader_wait_ns);
	EXPECT_GT(s.out_reader_wait_ns, s.out_longest_reader_wait_ns);
	EXPECT_LE(s.out_reader_wait_ns, 3 * s.out_longest_reader_wait_ns);
	EXPECT_EQ(0, s.out_longest_writer_wait_ns);
}

/* What goes which way is a prime number of bytes: each place must tell its own, and no other. */
TEST_F(trace, places_of_copies_are_those_of_stat_to_the_byte)
{
	static const int primes[] = { 1009, 757, 2003, 1301 };
	static char bytes[4096];
	unsigned long long id = self->p.id, sum[5] = { 0 };
	struct zpipe_stat_args s;
	int fds[2], k;

	ASSERT_EQ(0, pipe(fds));
	for (k = 1; k <= 4; k++) {
		ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret == %d", id, k));
		ASSERT_EQ(primes[0], write(self->p.w.fd, bytes, primes[0]));
		ASSERT_EQ(primes[1], read(self->p.r.fd, bytes, primes[1]));
		ASSERT_EQ(primes[2], write(fds[1], bytes, primes[2]));
		ASSERT_EQ(primes[2], splice(fds[0], NULL, self->p.w.fd, NULL, primes[2], 0));
		ASSERT_EQ(primes[3], splice(self->p.r.fd, NULL, fds[1], NULL, primes[3], 0));
		ASSERT_EQ(primes[3], read(fds[0], bytes, primes[3]));
		sum[k] = summed(self, "zpipe_copy", "length=");
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		ASSERT_EQ(0, zt_advance(&self->p.r, self->view.args.out_end, ZPIPE_KEEP));
	}
	s = zt_stat(&self->p.w);
	EXPECT_EQ(primes[0], sum[1]);
	EXPECT_EQ(primes[1], sum[2]);
	EXPECT_EQ(0, sum[3]);
	EXPECT_EQ(primes[2], sum[4]);
	EXPECT_EQ(4 * (primes[0] + primes[2]), s.out_copied_write);
	EXPECT_EQ(4 * primes[2], s.out_spliced_in);
	EXPECT_EQ(4 * primes[1], s.out_copied_read);
	EXPECT_EQ(4 * primes[3], s.out_spliced_out);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(trace, guarded_page_that_is_referred_to_is_copied_at_its_seal)
{
	struct zpipe_alloc_args grant;
	struct zpipe_stat_args s;
	struct zt_pipe g;
	struct iovec iov;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, zt_pipe_open(&g, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&g.w, 0, 3001, 3001, &grant));
	ASSERT_EQ(0, zt_fill_grant(&g.w, &grant, 3001));
	iov.iov_base = g.w.data + grant.out_offset;
	iov.iov_len = 3001;
	ASSERT_EQ(3001, vmsplice(fds[1], &iov, 1, 0));
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && (ret == 5 || ret == 8)",
			   (unsigned long long)g.id));
	ASSERT_EQ(0, zt_flush(&g.w, 3001, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_copy"));
	EXPECT_EQ(3001, summed(self, "zpipe_copy", "length="));
	s = zt_stat(&g.w);
	EXPECT_EQ(3001, s.out_copied_seal);
	/* The page when it came, and what is behind the bytes when they were sealed. */
	EXPECT_EQ(ZT_PAGE + ZT_PAGE - 3001, s.out_zeroed);
	zt_pipe_close(&g);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
