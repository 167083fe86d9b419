// SPDX-License-Identifier: GPL-2.0-only
/*
 * guarded - ZPIPE_F_GUARDED as honest ends use it: what is mapped when, and what a flush does
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define PAGES		8
#define CAPACITY	(PAGES * ZT_PAGE)
#define SEGMENT		(4 * ZT_PAGE)

FIXTURE(guarded)
{
	struct zt_pipe p;
	struct zt_end second;
	struct zpipe_alloc_args grant;
	struct zt_view view;
	struct zpipe_tee_args tee;
};

/* Two segments of four pages. */
FIXTURE_SETUP(guarded)
{
	self->second.fd = -1;
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, CAPACITY, .flags = ZPIPE_F_GUARDED)));
}

FIXTURE_TEARDOWN(guarded)
{
	if (self->second.fd >= 0)
		zt_end_close(&self->second);
	zt_pipe_close(&self->p);
}

/* Where a view begins. */
static unsigned char *first_byte(const struct zt_end *r, const struct zt_view *view)
{
	return r->data + view->spans[0].offset;
}

TEST_F(guarded, flag_is_told_by_both_fds)
{
	EXPECT_EQ(ZPIPE_F_GUARDED, self->p.w.info.out_flags);
	EXPECT_EQ(ZPIPE_F_GUARDED, self->p.r.info.out_flags);
	EXPECT_TRUE(self->p.w.info.out_features & ZPIPE_FEAT_GUARDED);
	EXPECT_EQ(ZPIPE_OFF_DATA, self->p.w.info.out_data.offset);
	EXPECT_EQ(ZPIPE_OFF_VIEW, self->p.r.info.out_data.offset);
}

TEST_F(guarded, contig_and_posted_do_not_go_with_it_einval)
{
	struct zt_pipe p;

	EXPECT_EQ(-EINVAL, zt_pipe_open(&p, ZT_ARGS(0, 0, .flags = ZPIPE_F_GUARDED |
								   ZPIPE_F_CONTIG)));
	EXPECT_EQ(-EINVAL, zt_pipe_open(&p, ZT_ARGS(0, 0, .flags = ZPIPE_F_GUARDED |
								   ZPIPE_F_POSTED)));
}

static int try_map(int fd, __u64 offset, int prot)
{
	void *p = mmap(NULL, ZT_PAGE, prot, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, ZT_PAGE);
	return 0;
}

TEST_F(guarded, each_end_maps_what_is_its_own)
{
	const int both = PROT_READ | PROT_WRITE;
	int w = self->p.w.fd, r = self->p.r.fd;
	struct zt_pipe plain;

	EXPECT_EQ(-EACCES, try_map(w, ZPIPE_OFF_WRITER, both));
	EXPECT_EQ(-EACCES, try_map(w, ZPIPE_OFF_READER, both));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_WRITER, both));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_READER, both));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_STATE, both));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_VIEW, both));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_DATA, PROT_READ));
	EXPECT_EQ(-EACCES, try_map(w, ZPIPE_OFF_VIEW, PROT_READ));
	EXPECT_EQ(-EACCES, try_map(r, ZPIPE_OFF_VIEW + ZPIPE_VIEW_SPAN, PROT_READ));
	EXPECT_EQ(-EINVAL, try_map(r, ZPIPE_OFF_VIEW + CAPACITY, PROT_READ));
	EXPECT_EQ(0, try_map(r, ZPIPE_OFF_VIEW + CAPACITY - ZT_PAGE, PROT_READ));
	EXPECT_EQ(-1, mprotect(self->p.r.data, ZT_PAGE, both));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->p.w.writer, ZT_PAGE, both));
	EXPECT_EQ(EACCES, errno);

	ASSERT_EQ(0, zt_pipe_open(&plain, ZT_ARGS(ZT_PAGE, CAPACITY)));
	EXPECT_EQ(-EINVAL, try_map(plain.r.fd, ZPIPE_OFF_VIEW, PROT_READ));
	zt_pipe_close(&plain);
}

TEST_F(guarded, shared_words_are_the_kernels_einval)
{
	struct zpipe_advance_args args = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
					   .flags = ZPIPE_ADVANCE_F_SHARED };

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(-EINVAL, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
	EXPECT_EQ(-EINVAL, zt_ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, &args));
	EXPECT_EQ(100, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
	EXPECT_EQ(100, zt_consumed(&self->p.w));
}

TEST_F(guarded, flush_inside_a_page_ends_the_grant)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, SEGMENT, &self->grant));
	ASSERT_EQ(SEGMENT, self->grant.out_length);
	zt_fill_grant(&self->p.w, &self->grant, 300);
	ASSERT_EQ(0, zt_flush(&self->p.w, 100, 0, NULL));
	EXPECT_EQ(100, zt_granted(&self->p.w));
	EXPECT_EQ(-EINVAL, zt_flush(&self->p.w, 101, 0, NULL));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, 300, 1, 1, &self->grant));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 100, 1, 1, &self->grant));
	EXPECT_EQ(ZT_PAGE, self->grant.out_offset);
	EXPECT_EQ(3 * ZT_PAGE, self->grant.out_length);
	EXPECT_EQ(1, zt_stat(&self->p.w).out_segments_opened);
}

TEST_F(guarded, flush_at_a_border_leaves_the_grant)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, SEGMENT, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, SEGMENT);
	ASSERT_EQ(0, zt_flush(&self->p.w, ZT_PAGE, 0, NULL));
	EXPECT_EQ(SEGMENT, zt_granted(&self->p.w));
	ASSERT_EQ(0, zt_flush(&self->p.w, SEGMENT, 0, NULL));
	EXPECT_EQ(1, zt_opened(&self->p.w));
	ASSERT_EQ(0, zt_read(&self->p.r, SEGMENT, 0, &self->view));
	EXPECT_EQ(1, self->view.args.out_nr_spans);
	zt_check_view(&self->p.r, &self->view);
}

/* A grant left early is unpublished too: its last page ends inside, and so does the view of it. */
TEST_F(guarded, grant_left_early_for_a_longer_one)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, 200);
	memset(self->p.w.data + self->grant.out_offset + 200, 0xee, 300);
	ASSERT_EQ(0, zt_alloc(&self->p.w, 200, SEGMENT, 0, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, 5000);
	ASSERT_EQ(0, zt_flush(&self->p.w, 5200, 0, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 5200, 0, &self->view));
	EXPECT_EQ(2, self->view.args.out_nr_spans);
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(0, first_byte(&self->p.r, &self->view)[200]);
	EXPECT_EQ(0, first_byte(&self->p.r, &self->view)[ZT_PAGE - 1]);
}

TEST_F(guarded, rest_of_a_page_reads_as_zero)
{
	size_t i;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &self->grant));
	memset(self->p.w.data + self->grant.out_offset, 0xee, SEGMENT);
	ASSERT_EQ(0, zt_flush(&self->p.w, ZT_PAGE + 100, 0, NULL));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	for (i = 0; i < ZT_PAGE + 100; i++)
		ASSERT_EQ(0xee, first_byte(&self->p.r, &self->view)[i]);
	for (; i < 2 * ZT_PAGE; i++)
		ASSERT_EQ(0, first_byte(&self->p.r, &self->view)[i]);
	EXPECT_FALSE(zt_can_read(first_byte(&self->p.r, &self->view) + 2 * ZT_PAGE));
}

TEST_F(guarded, every_flush_of_a_byte_takes_a_page)
{
	int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(PAGES, self->view.args.out_nr_spans);
	zt_check_view(&self->p.r, &self->view);
	/* A segment comes free with the last of its pages. */
	ASSERT_EQ(0, zt_advance(&self->p.r, 3, 8));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 1));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_REREAD, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 4, 8));
	EXPECT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_EQ(0, zt_take(&self->p.r, 5));
}

TEST_F(guarded, writer_touches_its_grant_only)
{
	unsigned char *data = self->p.w.data;

	EXPECT_FALSE(zt_can_write(data));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SEGMENT, 0, &self->grant));
	ASSERT_EQ(0, self->grant.out_offset);
	EXPECT_TRUE(zt_can_write(data));
	EXPECT_TRUE(zt_can_read(data + SEGMENT - 1));
	EXPECT_FALSE(zt_can_write(data + SEGMENT));
	ASSERT_EQ(0, zt_flush(&self->p.w, ZT_PAGE, 0, NULL));
	EXPECT_FALSE(zt_can_write(data));
	EXPECT_FALSE(zt_can_read(data));
	EXPECT_TRUE(zt_can_write(data + ZT_PAGE));
	ASSERT_EQ(0, zt_flush(&self->p.w, ZT_PAGE + 1, 0, NULL));
	EXPECT_FALSE(zt_can_write(data + ZT_PAGE));
	EXPECT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_FALSE(zt_can_write(data + ZT_PAGE));
}

TEST_F(guarded, reader_touches_what_is_published_and_not_consumed)
{
	unsigned char *at = self->p.r.data;

	EXPECT_FALSE(zt_can_read(at));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SEGMENT, 0, &self->grant));
	ASSERT_EQ(0, self->grant.out_offset);
	zt_fill_grant(&self->p.w, &self->grant, SEGMENT);
	EXPECT_FALSE(zt_can_read(at));
	ASSERT_EQ(0, zt_flush(&self->p.w, 2 * ZT_PAGE, 0, NULL));
	EXPECT_TRUE(zt_can_read(at));
	EXPECT_TRUE(zt_can_read(at + 2 * ZT_PAGE - 1));
	EXPECT_FALSE(zt_can_read(at + 2 * ZT_PAGE));
	EXPECT_FALSE(zt_can_write(at));
	/* The second mapping of the window, and another one. */
	EXPECT_TRUE(zt_can_read(at + CAPACITY));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, ZT_PAGE - 1, ZT_PAGE));
	EXPECT_TRUE(zt_can_read(at));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, ZT_PAGE, ZT_PAGE));
	EXPECT_FALSE(zt_can_read(at));
	EXPECT_FALSE(zt_can_read(at + CAPACITY));
	EXPECT_TRUE(zt_can_read(at + ZT_PAGE));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_FALSE(zt_can_read(at + ZT_PAGE));
}

/* The page of a short flush ends with the flush, so its last byte is the page's. */
TEST_F(guarded, consumed_page_of_a_short_flush_is_gone)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, zt_read(&self->p.r, 20, 0, &self->view));
	ASSERT_EQ(2, self->view.args.out_nr_spans);
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zt_advance(&self->p.r, 10, 20));
	EXPECT_FALSE(zt_can_read(self->p.r.data + self->view.spans[0].offset));
	EXPECT_TRUE(zt_can_read(self->p.r.data + self->view.spans[1].offset));
}

TEST_F(guarded, refused_advance_hides_nothing)
{
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EINVAL, zt_advance(&self->p.r, ZT_PAGE + 1, ZT_PAGE + 1));
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(0, zt_advance(&self->p.r, ZT_PAGE, ZT_PAGE));
}

TEST_F(guarded, write_seals_and_read_hides)
{
	unsigned char in[5000], out[5000];

	zt_fill(in, 0, sizeof(in));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SEGMENT, 0, &self->grant));
	EXPECT_TRUE(zt_can_write(self->p.w.data + self->grant.out_offset));
	ASSERT_EQ(sizeof(in), write(self->p.w.fd, in, sizeof(in)));
	EXPECT_FALSE(zt_can_write(self->p.w.data + self->grant.out_offset));
	ASSERT_EQ(0, zt_read(&self->p.r, sizeof(in), 0, &self->view));
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	ASSERT_EQ(sizeof(out), read(self->p.r.fd, out, sizeof(out)));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	EXPECT_FALSE(zt_can_read(first_byte(&self->p.r, &self->view)));
	EXPECT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
}

TEST_F(guarded, complete_seals_what_it_publishes)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, SEGMENT, 0, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, SEGMENT);
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.w, 0, 0, CAPACITY + 1));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 6000));
	EXPECT_FALSE(zt_can_write(self->p.w.data + self->grant.out_offset));
	ASSERT_EQ(0, zt_read(&self->p.r, 6000, 0, &self->view));
	EXPECT_EQ(6000, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	EXPECT_EQ(0, first_byte(&self->p.r, &self->view)[6000]);
}

TEST_F(guarded, each_reader_of_a_tee_has_its_view)
{
	struct zt_end *second = &self->second;

	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	ASSERT_EQ(0, zt_tee(self->p.r.fd, 0, &self->tee));
	ASSERT_EQ(0, zt_end_map(second, self->tee.out_fd));
	EXPECT_EQ(ZPIPE_OFF_VIEW + ZPIPE_VIEW_SPAN, second->info.out_data.offset);
	EXPECT_EQ(-EACCES, try_map(second->fd, ZPIPE_OFF_VIEW, PROT_READ));
	EXPECT_TRUE(zt_can_read(self->p.r.data));
	EXPECT_TRUE(zt_can_read(second->data));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_FALSE(zt_can_read(self->p.r.data));
	EXPECT_TRUE(zt_can_read(second->data));
	ASSERT_EQ(0, zt_take(second, ZT_PAGE));
	EXPECT_FALSE(zt_can_read(second->data));
}

TEST_F(guarded, detached_reader_sees_nothing_that_is_written_later)
{
	struct zt_end *second = &self->second;
	int i;

	ASSERT_EQ(0, zt_tee(self->p.r.fd, ZPIPE_TEE_F_DETACH, &self->tee));
	ASSERT_EQ(0, zt_end_map(second, self->tee.out_fd));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, SEGMENT));
		EXPECT_TRUE(zt_can_read(second->data + i * SEGMENT));
		ASSERT_EQ(0, zt_take(&self->p.r, SEGMENT));
	}
	/* All memory is what the second one has not read. */
	ASSERT_EQ(0, zt_put(&self->p.w, SEGMENT));
	EXPECT_EQ(-ENOBUFS, zt_read(second, 1, 0, &self->view));
	for (i = 0; i < PAGES; i++)
		EXPECT_FALSE(zt_can_read(second->data + i * ZT_PAGE));
	EXPECT_EQ(0, zt_take(&self->p.r, SEGMENT));
}

TEST_F(guarded, reset_starts_again)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 5000));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 5000, 1, 1, &self->grant));
	EXPECT_EQ(0, self->grant.out_offset % ZT_PAGE);
	ASSERT_EQ(0, zt_put(&self->p.w, 9000));
	ASSERT_EQ(0, zt_read(&self->p.r, 9000, 0, &self->view));
	zt_check_view(&self->p.r, &self->view);
}

/* All of a new pipe's memory, as its writer finds it; run with init_on_alloc=0 this tells more. */
TEST_F(guarded, memory_of_other_pipes_was_cleared)
{
	struct zpipe_alloc_args grant;
	size_t i;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, CAPACITY, 0, &self->grant));
	memset(self->p.w.data, 0xee, CAPACITY);
	ASSERT_EQ(0, zt_flush(&self->p.w, CAPACITY, 0, NULL));
	zt_pipe_close(&self->p);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, CAPACITY, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, CAPACITY, 0, &grant));
	for (i = 0; i < CAPACITY; i++)
		ASSERT_EQ(0, self->p.w.data[i]);
}

TEST_F(guarded, child_of_the_reader_loses_the_page_too)
{
	int s[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	EXPECT_TRUE(zt_can_read(self->p.r.data));
	child = fork();
	if (!child) {
		int before = zt_can_read(self->p.r.data);

		if (write(s[1], "", 1) != 1 || read(s[1], &c, 1) != 1)
			_exit(2);
		_exit(!before || zt_can_read(self->p.r.data));
	}
	ASSERT_EQ(1, read(s[0], &c, 1));
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	ASSERT_EQ(1, write(s[0], "", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(s[0]);
	close(s[1]);
}

/* Any mix of sizes, flushes and advances; the oracle is checked through the views. */
TEST_F(guarded, random_stream_arrives)
{
	__u64 state = zt_seed(), sent = 0, taken = 0;
	int i;

	for (i = 0; i < 3000; i++) {
		__u64 len = 1 + zt_random(&state) % (zt_random(&state) % 4 ? 3000 : SEGMENT);
		int ret = zt_put(&self->p.w, len);

		ASSERT_TRUE(ret == 0 || ret == -EAGAIN) TH_LOG("put %d", ret);
		sent = zt_published(&self->p.w);
		if (sent > taken && (ret || zt_random(&state) % 3)) {
			__u64 part = 1 + zt_random(&state) % (sent - taken);

			ASSERT_EQ(0, zt_read(&self->p.r, part, ZPIPE_READ_F_REREAD, &self->view));
			zt_check_view(&self->p.r, &self->view);
			taken += part;
			ASSERT_EQ(0, zt_advance(&self->p.r, taken, ZPIPE_KEEP));
		}
	}
	ASSERT_EQ(0, zt_take(&self->p.r, zt_published(&self->p.w) - taken));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->p.r, NULL));
	EXPECT_EQ(zt_stat(&self->p.w).out_segments_opened, zt_stat(&self->p.w).out_segments_freed);
	EXPECT_EQ(0, zt_stat(&self->p.w).out_copied_seal);
	EXPECT_GE(CAPACITY / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
}

TEST_HARNESS_MAIN
