/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * preserve - a small pipe whose ranges are preserved, and what it costs
 *
 * What preserving costs is looked up in STAT: the spare segments, and that they go back.
 */
#ifndef PRESERVE_H
#define PRESERVE_H

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENTS	4
#define CAPACITY	(SEGMENTS * ZT_PAGE)

FIXTURE(preserve)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zt_kept kept;
	struct zpipe_alloc_args grant;
};

FIXTURE_VARIANT(preserve)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(preserve, lifo) { };
FIXTURE_VARIANT_ADD(preserve, contig) { .flags = ZPIPE_F_CONTIG };

FIXTURE_SETUP(preserve)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags)));
}

FIXTURE_TEARDOWN(preserve)
{
	zt_pipe_close(&self->p);
}

/* Sends @len bytes through, at most @step at a time, all of them compared; 0 or -errno. */
static inline int push(struct zt_pipe *p, __u64 len, __u64 step)
{
	while (len) {
		__u64 n = len < step ? len : step;
		int ret = zt_put(&p->w, n);

		if (!ret)
			ret = zt_take(&p->r, n);
		if (ret)
			return ret;
		len -= n;
	}
	return 0;
}

/* Fills the pipe as far as it goes without the reader; how many bytes. */
static inline __u64 fill_up(struct zt_pipe *p)
{
	__u64 begin = zt_published(&p->w);

	while (!zt_put(&p->w, 1))
		;
	return zt_published(&p->w) - begin;
}

static inline __u64 pages(const struct zt_end *e)
{
	return zt_stat(e).out_data_pages;
}

static inline __u64 spare_pages(const struct zt_end *e)
{
	return zt_stat(e).out_spare_pages;
}

#endif
