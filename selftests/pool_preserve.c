// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool_preserve - PRESERVE where several pipes share a pool: nobody's stream gets less
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENTS	8
#define CAPACITY	(4ULL * ZT_PAGE)

FIXTURE(pool_preserve)
{
	int pool;
	struct zt_pipe a;
	struct zt_pipe b;
	struct zt_kept kept[2 * SEGMENTS];
	struct zpipe_alloc_args grant;
	struct zt_bg bg;
};

FIXTURE_SETUP(pool_preserve)
{
	self->pool = zt_pool(ZT_PAGE, SEGMENTS, 0);
	ASSERT_LE(0, self->pool);
	ASSERT_EQ(0, zt_pipe_open(&self->a, &(struct zpipe_create_args){
		.pool_fd = self->pool, .capacity = CAPACITY }));
	ASSERT_EQ(0, zt_pipe_open(&self->b, &(struct zpipe_create_args){
		.pool_fd = self->pool, .capacity = CAPACITY }));
}

FIXTURE_TEARDOWN(pool_preserve)
{
	zt_pipe_close(&self->a);
	zt_pipe_close(&self->b);
	if (self->pool >= 0)
		close(self->pool);
}

/* Some capacities full, whatever position they begin at. */
static int push(struct zt_pipe *p, int times)
{
	int ret = 0;

	while (times-- && !ret)
		ret = zt_put_pages(&p->w, CAPACITY - ZT_PAGE) ?: zt_take(&p->r, CAPACITY - ZT_PAGE);
	return ret;
}

TEST_F(pool_preserve, bytes_stay_while_both_pipes_go_on)
{
	int i;

	ASSERT_EQ(0, zt_put(&self->a.w, 3000));
	ASSERT_EQ(0, zt_preserve(&self->a.r, 1000, 1500, &self->kept[0]));
	EXPECT_EQ(1, zt_stat(&self->a.r).out_preserved_handles);
	ASSERT_EQ(0, zt_take(&self->a.r, 3000));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, push(&self->a, 1));
		ASSERT_EQ(0, push(&self->b, 1));
		ASSERT_EQ(-1, zt_kept_mismatch(&self->a.r, &self->kept[0]));
	}
	EXPECT_EQ(0, zt_release(&self->a.r, self->kept[0].handle));
}

/* As many segments as the pool has can be kept, and both still get their whole capacity. */
TEST_F(pool_preserve, hoarder_takes_nothing_from_anybody)
{
	int i, nr = 0, ret = 0;

	while (!ret && nr < 2 * SEGMENTS) {
		__u64 at = zt_published(&self->a.w);

		ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
		ret = zt_preserve(&self->a.r, at, ZT_PAGE, &self->kept[nr]);
		ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE));
		nr += !ret;
	}
	EXPECT_EQ(-ENOBUFS, ret);
	EXPECT_EQ(SEGMENTS, nr);
	ASSERT_EQ(0, zt_put_pages(&self->b.w, CAPACITY));
	ASSERT_EQ(0, zt_put_pages(&self->a.w, CAPACITY));
	/* And no more than that. */
	EXPECT_EQ(-EAGAIN, zt_put(&self->a.w, 1));
	ASSERT_EQ(0, zt_take(&self->b.r, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->a.r, CAPACITY));
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(-1, zt_kept_mismatch(&self->a.r, &self->kept[i]));
		EXPECT_EQ(0, zt_release(&self->a.r, self->kept[i].handle));
	}
	/* What is owed for them is given back as the streams go on. */
	ASSERT_EQ(0, push(&self->a, 2));
	ASSERT_EQ(0, push(&self->b, 2));
	EXPECT_EQ(0, zt_stat(&self->a.r).out_spare_pages);
}

/* A segment that both pipes refer to is kept once for both. */
TEST_F(pool_preserve, forwarded_bytes_kept_on_both_sides)
{
	ASSERT_EQ(0, zt_put(&self->a.w, 3000));
	ASSERT_EQ(0, zt_forward(&self->b.w, &self->a.r, 0, 3000, 0, NULL));
	ASSERT_EQ(0, zt_flush(&self->b.w, 3000, 0, NULL));
	ASSERT_EQ(0, zt_preserve(&self->a.r, 0, 3000, &self->kept[0]));
	ASSERT_EQ(0, zt_preserve(&self->b.r, 0, 3000, &self->kept[1]));
	EXPECT_EQ(1, zt_stat(&self->a.r).out_spare_pages);
	ASSERT_EQ(0, zt_take(&self->a.r, 3000));
	ASSERT_EQ(0, zt_take(&self->b.r, 3000));
	ASSERT_EQ(0, zt_release(&self->a.r, self->kept[0].handle));
	ASSERT_EQ(0, push(&self->a, 1));
	ASSERT_EQ(0, push(&self->b, 1));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->b.r, &self->kept[1]));
	EXPECT_EQ(0, zt_release(&self->b.r, self->kept[1].handle));
}

/* Bytes in a spare segment go to another pipe like others. */
TEST_F(pool_preserve, spare_segments_are_forwarded)
{
	__u64 at = 0;
	int i;

	for (i = 0; i < SEGMENTS; i++, at += ZT_PAGE) {
		ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
		ASSERT_EQ(0, zt_preserve(&self->a.r, at, 1, &self->kept[i]));
		ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE));
	}
	/* The ring is kept whole: these two can only be spare. */
	ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->a.w, 100));
	ASSERT_EQ(0, zt_forward(&self->b.w, &self->a.r, at, ZT_PAGE + 100, 0, NULL));
	ASSERT_EQ(0, zt_flush(&self->b.w, ZT_PAGE + 100, 0, NULL));
	ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE + 100));
	for (i = 0; i < SEGMENTS; i++)
		ASSERT_EQ(0, zt_release(&self->a.r, self->kept[i].handle));
	ASSERT_EQ(0, push(&self->a, 1));
	{
		struct zt_view view;
		__u64 seen = 0;
		__u32 k;

		ASSERT_EQ(0, zt_read(&self->b.r, ZT_PAGE + 100, 0, &view));
		for (k = 0; k < view.args.out_nr_spans; k++) {
			EXPECT_EQ(-1, zt_mismatch(self->b.r.data + view.spans[k].offset, at + seen,
						  view.spans[k].length));
			seen += view.spans[k].length;
		}
		EXPECT_EQ(ZT_PAGE + 100, seen);
		EXPECT_EQ(0, zt_advance(&self->b.r, seen, seen));
	}
}

static bool somebody_waits(void *arg)
{
	return zt_pool_stat(*(int *)arg).out_waiting > 0;
}

/* What stands in the way of a run is another pipe's: its RELEASE wakes. */
TEST_F(pool_preserve, release_wakes_another_pipe_that_waits_for_a_run)
{
	__u64 at = 0;
	int i;

	/* Every other segment of the ring is kept. */
	for (i = 0; i < 4; i++, at += ZT_PAGE) {
		ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
		ASSERT_EQ(0, zt_put(&self->b.w, ZT_PAGE));
		ASSERT_EQ(0, zt_preserve(&self->a.r, at, ZT_PAGE, &self->kept[i]));
	}
	/* Two pages stay, so that others hold something, and waiting may help. */
	ASSERT_EQ(0, zt_take(&self->a.r, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->b.r, CAPACITY));
	ASSERT_EQ(0, zt_release(&self->a.r, self->kept[0].handle));
	self->grant = (struct zpipe_alloc_args){ .position = CAPACITY, .min = CAPACITY };
	zt_bg_start(&self->bg, self->b.w.fd, ZPIPE_IOC_ALLOC, &self->grant);
	ASSERT_TRUE(zt_eventually(somebody_waits, &self->pool));
	ASSERT_EQ(0, zt_release(&self->a.r, self->kept[1].handle));
	EXPECT_EQ(0, zt_bg_join(&self->bg));
	EXPECT_EQ(CAPACITY, self->grant.out_length);
}

TEST_F(pool_preserve, outlives_both_pipes_and_the_pools_fd)
{
	unsigned char *base;
	int fd;

	ASSERT_EQ(0, zt_put(&self->a.w, 3000));
	ASSERT_EQ(0, zt_preserve(&self->a.r, 0, 3000, &self->kept[0]));
	fd = zt_export(&self->a.r, self->kept[0].handle);
	ASSERT_LE(0, fd);
	zt_pipe_close(&self->a);
	ASSERT_EQ(0, push(&self->b, 4));
	zt_pipe_close(&self->b);
	close(self->pool);
	self->pool = -1;
	base = mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, base);
	EXPECT_EQ(-1, zt_mismatch(base, 0, 3000));
	munmap(base, ZT_PAGE);
	close(fd);
}

/* The death of a reader gives the others what it kept. */
TEST_F(pool_preserve, closing_the_reader_releases_all)
{
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_EQ(0, zt_put(&self->a.w, ZT_PAGE));
		ASSERT_EQ(0, zt_preserve(&self->a.r, i * ZT_PAGE, ZT_PAGE, &self->kept[i]));
		ASSERT_EQ(0, zt_take(&self->a.r, ZT_PAGE));
	}
	EXPECT_LT(0, zt_stat(&self->b.r).out_spare_pages);
	zt_pipe_close(&self->a);
	EXPECT_EQ(0, zt_stat(&self->b.r).out_spare_pages);
	ASSERT_EQ(0, zt_put(&self->b.w, ZT_PAGE));
	EXPECT_EQ(0, zt_preserve(&self->b.r, 0, ZT_PAGE, &self->kept[0]));
}

TEST_HARNESS_MAIN
