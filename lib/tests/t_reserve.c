// SPDX-License-Identifier: MIT
/*
 * t_reserve - grants of several pieces
 */
#include <errno.h>
#include <sys/uio.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts scattered = {
	.policy = FAKE_SCATTER, .nr_segments = 8, .table_entries = 16,
};
static struct zp_view view;

/* As readv(2) would fill them: @n bytes from the first piece on. */
static void fill(const struct iovec *iov, int nr, uint64_t position, size_t n)
{
	int i;

	for (i = 0; i < nr; i++) {
		size_t k;

		for (k = 0; k < iov[i].iov_len && n; k++, n--)
			((unsigned char *)iov[i].iov_base)[k] = byte_at(position++);
		/* the rest of it is the caller's as well */
		memset((char *)iov[i].iov_base + k, 0xee, iov[i].iov_len - k);
	}
}

static size_t sum(const struct iovec *iov, int nr)
{
	size_t total = 0;

	while (nr--)
		total += iov[nr].iov_len;
	return total;
}

static bool all_good(struct ends *e, uint64_t end)
{
	return EXPECT_EQ(zp_flush(e->w), 0) && EXPECT_EQ(zp_read(e->r, &view), 0) &&
	       EXPECT_EQ(view.end, end) && EXPECT(view_good(&view));
}

/* Every number of bytes around the borders, then more by other means. */
static void commits(void)
{
	static const size_t some[] = {
		0, 1, 95, 96, 97, 4095, 4096, 4191, 4192, 4193, 8288, 9000, 10000, 12288,
	};
	size_t i, before;

	for (before = 4000; before <= 4096; before += 48) {
		for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
			struct ends e = ends_open(scattered);
			struct iovec iov[4];
			size_t n = some[i];
			int nr;

			ASSERT_EQ(put(e.w, before), 0);
			nr = zp_alloc_iov(e.w, 12288, iov, 4, 0, 0);
			ASSERT(nr > 1 && nr <= 4);
			ASSERT(sum(iov, nr) >= 12288);
			EXPECT_EQ(zp_position(e.w), before);
			fill(iov, nr, before, n);
			ASSERT_EQ(zp_commit_iov(e.w, n), 0);
			EXPECT_EQ(zp_position(e.w), before + n);
			if (n)
				EXPECT_EQ(zp_commit_iov(e.w, 1), -EINVAL);
			ASSERT_EQ(put(e.w, 100), 0);
			ASSERT(all_good(&e, before + n + 100));
			ends_close(&e);
		}
	}
}

static void bounds(void)
{
	struct ends e = ends_open(scattered);
	struct iovec iov[8];
	size_t total;
	int nr;

	EXPECT_EQ(zp_commit_iov(e.w, 1), -EINVAL);
	EXPECT_EQ(zp_commit_iov(e.w, 0), 0);
	EXPECT_EQ(zp_alloc_iov(e.w, 1, iov, 0, 0, 0), -EINVAL);
	EXPECT_EQ(zp_alloc_iov(e.w, 1, iov, -1, 0, 0), -EINVAL);
	EXPECT_EQ(zp_alloc_iov(e.w, 1, iov, 1, 2, 0), -EOPNOTSUPP);
	EXPECT_EQ(zp_alloc_iov(e.w, 8 * 4096 + 1, iov, 8, 0, 0), -EMSGSIZE);
	EXPECT_EQ(zp_alloc_iov(e.w, SIZE_MAX, iov, 8, 0, 0), -EMSGSIZE);
	ASSERT_EQ(zp_alloc_iov(e.w, 0, iov, 8, 0, 0), 1);
	ASSERT(iov[0].iov_len >= 1);
	nr = zp_alloc_iov(e.w, 5 * 4096, iov, 8, 0, 0);
	ASSERT(nr >= 1);
	total = sum(iov, nr);
	EXPECT_EQ(zp_commit_iov(e.w, total + 1), -EINVAL);
	EXPECT_EQ(zp_commit_iov(e.w, SIZE_MAX), -EINVAL);
	EXPECT_EQ(zp_position(e.w), 0);
	fill(iov, nr, 0, total);
	EXPECT_EQ(zp_commit_iov(e.w, total), 0);
	ASSERT(all_good(&e, total));
	ends_close(&e);
}

/* One piece only: as zp_alloc(). */
static void one_piece(void)
{
	struct ends e = ends_open((struct fake_opts){ 0 });
	struct iovec iov;

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_alloc_iov(e.w, 8000, &iov, 1, 0, 0), 1);
	EXPECT(iov.iov_len >= 8000);
	fill(&iov, 1, 100, 8000);
	EXPECT_EQ(zp_commit_iov(e.w, 8000), 0);
	ASSERT(all_good(&e, 8100));
	ends_close(&e);
}

/* Pieces that are given up are memory again, and cannot be committed. */
static void given_up(void)
{
	struct ends e = ends_open(scattered);
	struct zp_span room;
	struct iovec iov[8];
	int i, nr;

	ASSERT_EQ(put(e.w, 100), 0);
	for (i = 0; i < 50; i++) {
		nr = zp_alloc_iov(e.w, 20000, iov, 8, 0, 0);
		ASSERT(nr > 1);
		fill(iov, nr, 100, 0);
	}
	EXPECT_EQ(zp_commit(e.w, 1), -EINVAL);
	ASSERT_EQ(zp_alloc(e.w, 10, &room), 0);
	EXPECT_EQ(zp_commit_iov(e.w, 10), -EINVAL);
	EXPECT_EQ(zp_position(e.w), 100);
	ASSERT_EQ(put(e.w, 6 * 4096), 0);
	ASSERT(all_good(&e, 100 + 6 * 4096));
	ends_close(&e);
}

static void too_full(void)
{
	struct ends e = ends_open(scattered);
	struct iovec iov[8];
	int nr;

	ASSERT_EQ(put(e.w, 5 * 4096 + 10), 0);
	EXPECT_EQ(zp_alloc_iov(e.w, 3 * 4096, iov, 8, 0, 0), -ENOBUFS);
	EXPECT_EQ(zp_position(e.w), 5 * 4096 + 10);
	nr = zp_alloc_iov(e.w, 3 * 4096 - 10, iov, 8, 0, 0);
	ASSERT(nr > 0);
	fill(iov, nr, zp_position(e.w), 3 * 4096 - 10);
	ASSERT_EQ(zp_commit_iov(e.w, 3 * 4096 - 10), 0);
	ASSERT(all_good(&e, 8 * 4096));
	/* the reader has it all: wait, or say so */
	EXPECT_EQ(zp_alloc_iov(e.w, 10, iov, 8, ZP_NOWAIT, 0), -EAGAIN);
	ASSERT_EQ(zp_consume_all(e.r), 0);
	nr = zp_alloc_iov(e.w, 8 * 4096, iov, 8, ZP_NOWAIT, 0);
	ASSERT(nr > 0);
	EXPECT_EQ(zp_commit_iov(e.w, 0), 0);
	ends_close(&e);
}

/* In any order with everything else that moves the committed position. */
static void mixed(void)
{
	unsigned int seed = 5, round;

	for (round = 0; round < 300; round++) {
		struct fake_opts opts = scattered;
		struct ends e;
		int i;

		opts.policy = round % 4;
		e = ends_open(opts);
		for (i = 0; i < 40; i++) {
			uint64_t at = zp_position(e.w);
			struct iovec iov[5];
			size_t n = 1 + (size_t)rand_r(&seed) % 9000;
			int nr;

			switch (rand_r(&seed) % 6) {
			case 0:
			case 1:
				nr = zp_alloc_iov(e.w, n, iov, 1 + rand_r(&seed) % 5, ZP_NOWAIT, 0);
				if (nr < 0)
					break;
				ASSERT(sum(iov, nr) >= n);
				n = (size_t)rand_r(&seed) % (sum(iov, nr) + 1);
				fill(iov, nr, at, n);
				ASSERT_EQ(zp_commit_iov(e.w, n), 0);
				break;
			case 2:
				put(e.w, n / 4);
				break;
			case 3:
				at -= (uint64_t)rand_r(&seed) % (zp_unflushed(e.w) + 1);
				ASSERT_EQ(zp_rollback(e.w, at), 0);
				break;
			case 4:
				if (zp_unflushed(e.w) > n) {
					unsigned char byte = byte_at(at - n);

					ASSERT_EQ(zp_patch(e.w, at - n, &byte, 1), 0);
				}
				break;
			default:
				ASSERT(zp_flush_flags(e.w, ZP_NOWAIT, 0) >= -EAGAIN);
				if (zp_try_read(e.r, &view))
					break;
				ASSERT(view_good(&view));
				ASSERT_EQ(zp_consume(e.r, n < zp_view_len(&view) ? n :
						     zp_view_len(&view)), 0);
				break;
			}
		}
		ASSERT(zp_pending(e.w, &view) == 0);
		ASSERT(view_good(&view));
		ends_close(&e);
	}
}

static const struct tap_test tests[] = {
	{ "alloc_iov.any_number_is_committed", commits },
	{ "alloc_iov.bounds", bounds },
	{ "alloc_iov.one_piece", one_piece },
	{ "alloc_iov.given_up_is_memory_again", given_up },
	{ "alloc_iov.enobufs_and_eagain_change_nothing", too_full },
	{ "alloc_iov.mixed_with_everything_else", mixed },
};

TAP_MAIN(tests)
