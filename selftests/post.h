/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * post - a small pipe whose reader supplies the memory, and its calls
 */
#ifndef POST_H
#define POST_H

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENTS	4ULL
#define WINDOW		(SEGMENTS * ZT_PAGE)

FIXTURE(post)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	struct zpipe_flush_args f;
	struct zpipe_unpost_args out;
};

FIXTURE_SETUP(post)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, WINDOW, .flags = ZPIPE_F_POSTED)));
}

FIXTURE_TEARDOWN(post)
{
	zt_pipe_close(&self->p);
}

static int post(struct zt_end *r, __u64 cookie, __u64 offset, __u64 length)
{
	struct zpipe_post_args args = { .cookie = cookie, .offset = offset, .length = length };

	return zt_ioctl(r->fd, ZPIPE_IOC_POST, &args);
}

static int collect(struct zt_end *r, struct zpipe_unpost_args *out)
{
	*out = (struct zpipe_unpost_args){ 0 };
	return zt_ioctl(r->fd, ZPIPE_IOC_UNPOST, out);
}

static int take_back(struct zt_end *r, __u64 cookie, struct zpipe_unpost_args *out)
{
	*out = (struct zpipe_unpost_args){ .flags = ZPIPE_UNPOST_F_CANCEL, .cookie = cookie };
	return zt_ioctl(r->fd, ZPIPE_IOC_UNPOST, out);
}

static int alloc(FIXTURE_DATA(post) *self, __u64 position, __u64 min)
{
	return zt_alloc(&self->p.w, position, min, min, &self->grant);
}

static int flush(FIXTURE_DATA(post) *self, __u64 position, __u32 flags)
{
	return zt_flush(&self->p.w, position, flags | ZPIPE_FLUSH_F_NOWAIT, &self->f);
}

#endif
