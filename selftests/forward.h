/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * forward - two pipes, within a pool and across pools, and what the second must show
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdlib.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(8ULL * ZT_PAGE)
#define SHADOW		(1U << 16)

FIXTURE(forward)
{
	struct zt_pipe from;
	struct zt_pipe to;
	struct zpipe_forward_args args;
	struct zpipe_alloc_args grant;
	struct zt_view view;
	struct zt_bg bg;
	unsigned char *expected;	/* of the target, by position */
};

FIXTURE_VARIANT(forward)
{
	bool shared;
	__u32 segment;
	__u32 source_segment;
};

FIXTURE_VARIANT_ADD(forward, in_a_pool) { .shared = true, .segment = ZT_PAGE };
FIXTURE_VARIANT_ADD(forward, across_pools) { .segment = ZT_PAGE, .source_segment = ZT_PAGE };
FIXTURE_VARIANT_ADD(forward, from_larger) { .segment = ZT_PAGE, .source_segment = 4 * ZT_PAGE };
FIXTURE_VARIANT_ADD(forward, from_smaller) { .segment = 2 * ZT_PAGE, .source_segment = ZT_PAGE };

static int open_both(FIXTURE_DATA(forward) *self, const FIXTURE_VARIANT(forward) *variant,
		     __u64 pause)
{
	struct zpipe_create_args args = { .capacity = CAPACITY, .pool_fd = -1 };
	int ret, pool = -1;

	if (variant->shared)
		pool = args.pool_fd = zt_pool(variant->segment, 32, 0);
	args.segment_size = variant->shared ? 0 : variant->source_segment;
	ret = zt_pipe_open(&self->from, &args);
	args.segment_size = variant->shared ? 0 : variant->segment;
	args.pause = pause;
	args.resume = pause ? 1 : 0;
	if (!ret)
		ret = zt_pipe_open(&self->to, &args);
	if (pool >= 0)
		close(pool);
	return ret;
}

FIXTURE_SETUP(forward)
{
	self->expected = calloc(1, SHADOW);
	ASSERT_NE(NULL, self->expected);
	ASSERT_EQ(0, open_both(self, variant, 0));
}

FIXTURE_TEARDOWN(forward)
{
	zt_pipe_close(&self->from);
	zt_pipe_close(&self->to);
	free(self->expected);
}

static void expect_bytes(FIXTURE_DATA(forward) *self, __u64 position, __u64 source, __u64 len)
{
	__u64 i;

	for (i = 0; i < len; i++)
		zt_fill(self->expected + (position + i) % SHADOW, source + i, 1);
}

/* Forward without waiting, and remember what the target must show. */
static int forward(FIXTURE_DATA(forward) *self, __u64 source, __u64 len, __u64 position)
{
	int ret = zt_forward(&self->to.w, &self->from.r, source, len, position, &self->args);

	if (ret)
		return ret;
	if (self->args.out_position != position + len)
		zt_die("position %llu", (unsigned long long)self->args.out_position);
	expect_bytes(self, position, source, len);
	return 0;
}

/* Publish, and read len bytes as they are expected. */
static int check(FIXTURE_DATA(forward) *self, __u64 position, __u64 len)
{
	__u64 at, i, j;
	__u32 k;
	int ret;

	ret = zt_flush(&self->to.w, position, 0, NULL);
	ret = ret ?: zt_read(&self->to.r, len, 0, &self->view);
	if (ret)
		return ret;
	at = self->view.args.out_start;
	for (k = 0; k < self->view.args.out_nr_spans && k < ZT_SPANS; k++) {
		for (j = 0; j < self->view.spans[k].length; j++, at++) {
			unsigned char seen = self->to.r.data[self->view.spans[k].offset + j];

			if (seen != self->expected[at % SHADOW])
				zt_die("byte %llu is %#x", (unsigned long long)at, seen);
		}
	}
	i = self->view.args.out_start + len;
	return zt_advance(&self->to.r, i, i);
}

#endif
