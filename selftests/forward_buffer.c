// SPDX-License-Identifier: GPL-2.0-only
/*
 * forward_buffer - FORWARD of what was preserved and exported, again, and without its pipe
 *
 * Every clause within a pool, and across pools, where pages are adopted.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(8ULL * ZT_PAGE)

/* 20000 bytes are published, of which the buffer holds 3000 to 13999. */
#define PUT		20000
#define START		3000
#define LENGTH		11000

FIXTURE(forward_buffer)
{
	struct zt_pipe from;
	struct zt_pipe to;
	struct zt_kept kept;
	struct zt_end buffer;
	struct zpipe_forward_args args;
};

FIXTURE_VARIANT(forward_buffer)
{
	bool shared;
	__u32 segment;
	__u32 source_segment;
};

FIXTURE_VARIANT_ADD(forward_buffer, in_a_pool) { .shared = true };
FIXTURE_VARIANT_ADD(forward_buffer, across_pools) { .segment = ZT_PAGE,
						    .source_segment = ZT_PAGE };
FIXTURE_VARIANT_ADD(forward_buffer, from_larger) { .segment = ZT_PAGE,
						   .source_segment = 4 * ZT_PAGE };
FIXTURE_VARIANT_ADD(forward_buffer, from_smaller) { .segment = 2 * ZT_PAGE,
						    .source_segment = ZT_PAGE };

FIXTURE_SETUP(forward_buffer)
{
	struct zpipe_create_args args = { .capacity = CAPACITY, .pool_fd = -1 };

	if (variant->shared)
		args.pool_fd = zt_pool(ZT_PAGE, 32, 0);
	args.segment_size = variant->source_segment;
	ASSERT_EQ(0, zt_pipe_open(&self->from, &args));
	args.segment_size = variant->segment;
	ASSERT_EQ(0, zt_pipe_open(&self->to, &args));
	if (variant->shared)
		close(args.pool_fd);
	ASSERT_EQ(0, zt_put_pages(&self->from.w, PUT));
	ASSERT_EQ(0, zt_preserve(&self->from.r, START, LENGTH, &self->kept));
	self->buffer.fd = zt_export(&self->from.r, self->kept.handle);
	ASSERT_LE(0, self->buffer.fd);
}

FIXTURE_TEARDOWN(forward_buffer)
{
	if (self->buffer.fd >= 0)
		close(self->buffer.fd);
	zt_pipe_close(&self->from);
	zt_pipe_close(&self->to);
}

/* Publish, and read len bytes, which must be the source's from there on. */
static int check(FIXTURE_DATA(forward_buffer) *self, __u64 position, __u64 source, __u64 len)
{
	struct zt_view view;
	__u64 at = source;
	__u32 k;
	int ret;

	ret = zt_flush(&self->to.w, position + len, 0, NULL);
	ret = ret ?: zt_read(&self->to.r, len, 0, &view);
	if (ret)
		return ret;
	for (k = 0; k < view.args.out_nr_spans; k++) {
		if (zt_mismatch(self->to.r.data + view.spans[k].offset, at,
				view.spans[k].length) != -1)
			return -EBADMSG;
		at += view.spans[k].length;
	}
	if (at != source + len)
		return -EMSGSIZE;
	return zt_advance(&self->to.r, position + len, position + len);
}

static int forward(FIXTURE_DATA(forward_buffer) *self, __u64 source, __u64 len, __u64 position)
{
	return zt_forward(&self->to.w, &self->buffer, source, len, position, &self->args);
}

TEST_F(forward_buffer, bytes_arrive_and_none_is_copied)
{
	struct zpipe_stat_args s;

	ASSERT_EQ(0, forward(self, START, LENGTH, 0));
	EXPECT_EQ(LENGTH, self->args.out_position);
	EXPECT_EQ(0, check(self, 0, START, LENGTH));
	s = zt_stat(&self->to.w);
	EXPECT_EQ(LENGTH, s.out_forwarded);
	EXPECT_EQ(0, s.out_copied_write);
	EXPECT_EQ(0, s.out_copied_read);
}

TEST_F(forward_buffer, any_part_of_it)
{
	const struct {
		__u64 source, len;
	} part[] = {
		{ START, 1 }, { START + LENGTH - 1, 1 }, { START + 1, ZT_PAGE },
		{ 2 * ZT_PAGE, ZT_PAGE }, { 2 * ZT_PAGE - 1, 2 }, { START + 5000, 6000 },
	};
	__u64 at = 0;
	size_t i;

	for (i = 0; i < sizeof(part) / sizeof(*part); i++) {
		ASSERT_EQ(0, forward(self, part[i].source, part[i].len, at));
		ASSERT_EQ(0, check(self, at, part[i].source, part[i].len));
		at += part[i].len;
	}
}

/* It is not used up: what a reader could forward once goes to any number of places. */
TEST_F(forward_buffer, again_and_again_when_the_pipe_is_gone)
{
	__u64 at = 0;
	int i;

	zt_pipe_close(&self->from);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, forward(self, START, LENGTH, at));
		ASSERT_EQ(0, check(self, at, START, LENGTH));
		at += LENGTH;
	}
}

TEST_F(forward_buffer, bytes_stay_when_the_buffer_is_closed)
{
	ASSERT_EQ(0, forward(self, START, LENGTH, 0));
	close(self->buffer.fd);
	self->buffer.fd = -1;
	zt_pipe_close(&self->from);
	EXPECT_EQ(0, check(self, 0, START, LENGTH));
}

TEST_F(forward_buffer, range_outside_of_it_einval)
{
	const struct {
		__u64 source, len;
	} bad[] = {
		{ START - 1, 1 }, { START - 1, 10 }, { START + LENGTH, 1 }, { START, LENGTH + 1 },
		{ START + 1, ~0ULL }, { 0, 1 }, { ~0ULL, 1 }, { START, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(-EINVAL, forward(self, bad[i].source, bad[i].len, 0));
	EXPECT_EQ(0, zt_granted(&self->to.w));
	EXPECT_EQ(0, zt_stat(&self->to.w).out_forwarded);
}

/* In a pool of several pipes it may come back; a pipe's own memory has no room for it twice. */
TEST_F(forward_buffer, to_the_pipe_it_came_from)
{
	int ret = zt_forward(&self->from.w, &self->buffer, START, 100, PUT, NULL);

	EXPECT_EQ(variant->shared ? 0 : -EINVAL, ret);
	ASSERT_EQ(0, zt_take(&self->from.r, PUT));
	if (!ret) {
		struct zt_view view;

		ASSERT_EQ(0, zt_flush(&self->from.w, PUT + 100, 0, NULL));
		ASSERT_EQ(0, zt_read(&self->from.r, 100, 0, &view));
		EXPECT_EQ(-1, zt_mismatch(self->from.r.data + view.spans[0].offset, START, 100));
	}
}

static int take_unseen(struct zt_end *r, __u64 position)
{
	struct zt_view view;

	return zt_read(r, 1, 0, &view) ?: zt_advance(r, position, position);
}

TEST_F(forward_buffer, waits_for_room_like_any_forward)
{
	struct zt_bg bg;

	ASSERT_EQ(0, forward(self, START, LENGTH, 0));
	ASSERT_EQ(0, forward(self, START, LENGTH, LENGTH));
	ASSERT_EQ(0, zt_flush(&self->to.w, 2 * LENGTH, 0, NULL));
	EXPECT_EQ(-EAGAIN, forward(self, START, LENGTH, 2 * LENGTH));
	self->args = (struct zpipe_forward_args){ .source_fd = self->buffer.fd, .source = START,
						  .length = LENGTH, .position = 2 * LENGTH };
	zt_bg_start(&bg, self->to.w.fd, ZPIPE_IOC_FORWARD, &self->args);
	zt_await_starved(&self->to.w);
	ASSERT_EQ(0, take_unseen(&self->to.r, 2 * LENGTH));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(0, check(self, 2 * LENGTH, START, LENGTH));
}

TEST_HARNESS_MAIN
