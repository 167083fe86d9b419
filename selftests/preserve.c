// SPDX-License-Identifier: GPL-2.0-only
/*
 * preserve - ranges kept beyond their advance, in place and unchanged, until they are released
 *
 * Each test looks at the bytes where they were when they were preserved, never at a copy. What the
 * writer has instead of them is preserve_spare.c's.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "preserve.h"

TEST_F(preserve, bytes_stay_in_place_while_100_times_the_capacity_goes_by)
{
	int i;

	ASSERT_EQ(0, zt_put(&self->p.w, 3000));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 1000, 1500, &self->kept));
	ASSERT_EQ(0, zt_take(&self->p.r, 3000));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, push(&self->p, CAPACITY, 3001));
		ASSERT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
	}
	EXPECT_EQ(0, zt_release(&self->p.r, self->kept.handle));
}

TEST_F(preserve, a_range_of_an_outstanding_read)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_preserve(&self->p.r, ZT_PAGE - 100, 200, &self->kept));
	ASSERT_EQ(0, zt_advance(&self->p.r, 2 * ZT_PAGE, 2 * ZT_PAGE));
	ASSERT_EQ(0, push(&self->p, 10 * CAPACITY, ZT_PAGE));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
}

TEST_F(preserve, a_range_that_a_mapped_reader_has_examined_but_not_consumed)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	zt_store_examined(&self->p.r, 2 * ZT_PAGE);
	zt_store_consumed(&self->p.r, 500);
	EXPECT_EQ(-EINVAL, zt_preserve(&self->p.r, 499, 10, &self->kept));
	EXPECT_EQ(0, zt_preserve(&self->p.r, 500, 2 * ZT_PAGE - 500, &self->kept));
	zt_store_consumed(&self->p.r, 2 * ZT_PAGE);
	ASSERT_EQ(0, push(&self->p, 10 * CAPACITY, ZT_PAGE));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
}

TEST_F(preserve, ranges_that_are_not_there_einval_and_change_nothing)
{
	static const struct {
		__u64 position, length;
	} bad[] = {
		{ 100, 0 }, { 99, 1 }, { 0, 100 }, { 300, 1 }, { 299, 2 }, { 100, 201 },
		{ 301, 1 }, { ~0ULL, 1 }, { 100, ~0ULL }, { 100, ~0ULL - 99 },
		{ 1ULL << 63, 1ULL << 63 },
	};
	struct zpipe_stat_args before, after;
	size_t i;

	ASSERT_EQ(0, zt_put(&self->p.w, 300));
	ASSERT_EQ(0, zt_take(&self->p.r, 100));
	before = zt_stat(&self->p.r);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, zt_preserve(&self->p.r, bad[i].position, bad[i].length,
					       &self->kept))
			TH_LOG("%llu+%llu", (unsigned long long)bad[i].position,
			       (unsigned long long)bad[i].length);
	}
	after = zt_stat(&self->p.r);
	EXPECT_EQ(before.out_rejects + i, after.out_rejects);
	EXPECT_EQ(0, after.out_preserved_bytes);
	EXPECT_EQ(0, after.out_preserved_handles);
	EXPECT_EQ(0, after.out_spare_pages);
	EXPECT_EQ(before.out_data_pages, after.out_data_pages);
}

TEST_F(preserve, any_number_of_handles_on_one_segment_in_any_order)
{
	enum { NR = 300 };
	static struct zt_kept kept[NR];
	__u64 state = zt_seed();
	int order[NR], i;

	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	for (i = 0; i < NR; i++) {
		__u64 at = zt_random(&state) % ZT_PAGE;

		ASSERT_EQ(0, zt_preserve(&self->p.r, at, 1 + zt_random(&state) % (ZT_PAGE - at),
					 &kept[i]));
		ASSERT_EQ(i ? 0 : 1, kept[i].args.out_segments);
		order[i] = i;
	}
	ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	EXPECT_EQ(NR, zt_stat(&self->p.r).out_preserved_handles);
	EXPECT_EQ(1, spare_pages(&self->p.r));
	for (i = NR - 1; i > 0; i--) {
		int k = zt_random(&state) % (i + 1), n = order[i];

		order[i] = order[k];
		order[k] = n;
	}
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, push(&self->p, ZT_PAGE, ZT_PAGE));
		ASSERT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[order[i]]));
		ASSERT_EQ(0, zt_release(&self->p.r, kept[order[i]].handle));
		ASSERT_EQ(-ESTALE, zt_release(&self->p.r, kept[order[i]].handle));
	}
	EXPECT_EQ(0, zt_stat(&self->p.r).out_preserved_handles);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_preserved_bytes);
	EXPECT_EQ(0, spare_pages(&self->p.r));
}

TEST_F(preserve, double_release_estale_also_when_the_entry_is_used_again)
{
	struct zt_kept again;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 10, &self->kept));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(-ESTALE, zt_release(&self->p.r, self->kept.handle));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 10, &again));
	EXPECT_NE(self->kept.handle, again.handle);
	EXPECT_EQ((__u32)self->kept.handle, (__u32)again.handle);
	EXPECT_EQ(-ESTALE, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(-ESTALE, zt_export(&self->p.r, self->kept.handle));
	EXPECT_EQ(0, zt_release(&self->p.r, again.handle));
}

TEST_F(preserve, forged_handles_einval_and_touch_nothing)
{
	__u64 forged[8];
	size_t i;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 10, &self->kept));
	forged[0] = 0;
	forged[1] = (__u32)self->kept.handle;
	forged[2] = self->kept.handle + 1;
	forged[3] = self->kept.handle + (1ULL << 32);
	forged[4] = ~0ULL;
	forged[5] = self->kept.handle | 0xffffffffULL;
	forged[6] = self->kept.handle | 0xffffffff00000000ULL;
	forged[7] = 1ULL << 32 | 7;
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(-EINVAL, zt_release(&self->p.r, forged[i]))
			TH_LOG("%#llx", (unsigned long long)forged[i]);
		EXPECT_EQ(-EINVAL, zt_export(&self->p.r, forged[i]));
	}
	EXPECT_EQ(1, zt_stat(&self->p.r).out_preserved_handles);
	EXPECT_EQ(0, zt_release(&self->p.r, self->kept.handle));
}

TEST_F(preserve, handles_are_their_readers_own)
{
	struct zt_pipe other;

	ASSERT_EQ(0, zt_pipe_open(&other, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 10, &self->kept));
	EXPECT_EQ(-EINVAL, zt_release(&other.r, self->kept.handle));
	EXPECT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	zt_pipe_close(&other);
}

/* The memory of posted buffers is the reader's anyway. */
TEST_F(preserve, pipe_with_posted_buffers_einval)
{
	struct zpipe_post_args post = { .length = ZT_PAGE, .cookie = 1 };
	struct zt_pipe p;

	if (variant->flags)
		return;
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = ZPIPE_F_POSTED)));
	ASSERT_EQ(0, zt_ioctl(p.r.fd, ZPIPE_IOC_POST, &post));
	ASSERT_EQ(0, zt_put(&p.w, 100));
	EXPECT_EQ(-EINVAL, zt_preserve(&p.r, 0, 100, &self->kept));
	zt_pipe_close(&p);
}

#define PARAMETERS	"/sys/module/zpipe/parameters/"

TEST_F(preserve, more_bytes_than_the_modules_limit_enobufs)
{
	long long limit = zt_read_number(PARAMETERS "max_preserved");
	struct zt_kept more;
	char text[32];

	if (limit < 0 || zt_write_text(PARAMETERS "max_preserved", "1000"))
		SKIP(return, "the parameter cannot be written");
	ASSERT_EQ(0, zt_put(&self->p.w, 2000));
	EXPECT_EQ(-ENOBUFS, zt_preserve(&self->p.r, 0, 1001, &self->kept));
	EXPECT_EQ(0, zt_preserve(&self->p.r, 0, 600, &self->kept));
	EXPECT_EQ(-ENOBUFS, zt_preserve(&self->p.r, 0, 401, &more));
	EXPECT_EQ(0, zt_preserve(&self->p.r, 0, 400, &more));
	EXPECT_EQ(-ENOBUFS, zt_preserve(&self->p.r, 0, 1, &more));
	EXPECT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(0, zt_preserve(&self->p.r, 0, 600, &more));
	snprintf(text, sizeof(text), "%lld", limit);
	EXPECT_EQ(0, zt_write_text(PARAMETERS "max_preserved", text));
}

TEST_F(preserve, user_without_pages_left_edquot_and_the_writer_goes_on)
{
	long long limit = zt_read_number(PARAMETERS "user_pages_hard");
	char text[32];
	int status;
	pid_t child;

	if (limit < 0 || zt_write_text(PARAMETERS "user_pages_hard", "1"))
		SKIP(return, "the parameter cannot be written");
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	child = fork();
	if (!child) {
		struct zt_kept kept;
		int ret;

		/* Another user, with nothing of its own, and no right to pass limits. */
		if (setuid(12345))
			_exit(2);
		ret = zt_preserve(&self->p.r, 0, 10, &kept);
		/* One page is one segment here. */
		if (ret || zt_put(&self->p.w, ZT_PAGE))
			_exit(3);
		ret = zt_preserve(&self->p.r, ZT_PAGE, 10, &kept);
		_exit(ret == -EDQUOT ? 0 : 4);
	}
	status = zt_wait_child(child);
	snprintf(text, sizeof(text), "%lld", limit);
	EXPECT_EQ(0, zt_write_text(PARAMETERS "user_pages_hard", text));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, zt_stat(&self->p.r).out_preserved_handles);
	EXPECT_EQ(1, spare_pages(&self->p.r));
	EXPECT_EQ(0, push(&self->p, 4 * CAPACITY, 100));
}

/* A random walk, with what is preserved compared at every step. */
TEST_F(preserve, random_ranges_survive_a_random_stream)
{
	enum { NR = 12 };
	static struct zt_kept kept[NR];
	int steps = zt_long() ? 20000 : 3000, i, refused = 0, taken = 0;
	__u64 state = zt_seed(), rest;

	memset(kept, 0, sizeof(kept));
	for (i = 0; i < steps; i++) {
		struct zt_kept *k = &kept[zt_random(&state) % NR];
		__u64 held = zt_published(&self->p.w) - zt_consumed(&self->p.r), at;
		int ret;

		switch (zt_random(&state) % 4) {
		case 0:
			ret = zt_put(&self->p.w, 1 + zt_random(&state) % (2 * ZT_PAGE));
			ASSERT_TRUE(!ret || ret == -EAGAIN)
				TH_LOG("put: %d at step %d", ret, i);
			break;
		case 1:
			if (held)
				ASSERT_EQ(0, zt_take(&self->p.r, 1 + zt_random(&state) % held));
			break;
		case 2:
			if (k->handle || !held)
				break;
			at = zt_random(&state) % held;
			ret = zt_preserve(&self->p.r, zt_consumed(&self->p.r) + at,
					  1 + zt_random(&state) % (held - at), k);
			ASSERT_TRUE(!ret || ret == -ENOBUFS)
				TH_LOG("preserve: %d at step %d", ret, i);
			refused += ret != 0;
			taken += ret == 0;
			break;
		case 3:
			if (!k->handle)
				break;
			ASSERT_EQ(-1, zt_kept_mismatch(&self->p.r, k))
				TH_LOG("step %d", i);
			ASSERT_EQ(0, zt_release(&self->p.r, k->handle));
			k->handle = 0;
			break;
		}
	}
	EXPECT_LT(0, taken);
	EXPECT_LT(0, refused);
	for (i = 0; i < NR; i++) {
		if (!kept[i].handle)
			continue;
		EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &kept[i]));
		EXPECT_EQ(0, zt_release(&self->p.r, kept[i].handle));
	}
	rest = zt_published(&self->p.w) - zt_consumed(&self->p.r);
	if (rest)
		ASSERT_EQ(0, zt_take(&self->p.r, rest));
	ASSERT_EQ(0, push(&self->p, 2 * CAPACITY, ZT_PAGE));
	EXPECT_EQ(0, spare_pages(&self->p.r));
	/* The stream may stand within a segment. */
	EXPECT_LT(CAPACITY - ZT_PAGE, fill_up(&self->p));
}

TEST_F(preserve, writer_that_died_changes_nothing_for_the_holder)
{
	pid_t child;

	child = fork();
	if (!child) {
		if (zt_put(&self->p.w, 5000))
			_exit(1);
		pause();
	}
	zt_end_close(&self->p.w);
	self->view.args = (struct zpipe_read_args){ .min = 5000, .flags = ZPIPE_READ_F_SHARED };
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &self->view.args));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 100, 4000, &self->kept));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
	zt_store_examined(&self->p.r, 5000);
	zt_store_consumed(&self->p.r, 5000);
	self->view.args = (struct zpipe_read_args){ .min = 1, .flags = ZPIPE_READ_F_SHARED };
	EXPECT_EQ(-ECONNRESET, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &self->view.args));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
	EXPECT_EQ(0, zt_release(&self->p.r, self->kept.handle));
}

static bool has_no_pages(void *end)
{
	return pages(end) == 0;
}

TEST_F(preserve, reader_that_was_killed_gives_everything_back)
{
	int pipefd[2];
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	child = fork();
	if (!child) {
		struct zt_kept kept;

		if (zt_preserve(&self->p.r, 0, CAPACITY, &kept) || write(pipefd[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(pipefd[0], &c, 1));
	zt_end_close(&self->p.r);
	EXPECT_EQ(2 * SEGMENTS, pages(&self->p.w));
	EXPECT_EQ(SEGMENTS, spare_pages(&self->p.w));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_TRUE(zt_eventually(has_no_pages, &self->p.w));
	EXPECT_EQ(0, spare_pages(&self->p.w));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_preserved_handles);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_F(preserve, complete_releases_and_a_reset_finds_no_handle)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 100, &self->kept));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESTALE, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(-ESHUTDOWN, zt_preserve(&self->p.r, 0, 100, &self->kept));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_preserved_bytes);
	EXPECT_EQ(0, spare_pages(&self->p.r));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, pages(&self->p.r));
	ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	EXPECT_EQ(-ESTALE, zt_release(&self->p.r, (__u64)1 << 32));
	EXPECT_EQ(0, push(&self->p, 2 * CAPACITY, 1000));
	EXPECT_EQ(CAPACITY, fill_up(&self->p));
}

TEST_F(preserve, each_reader_of_a_tee_keeps_its_own)
{
	struct zpipe_tee_args tee = { .flags = 0 };
	struct zt_end second;
	struct zt_kept kept;

	ASSERT_EQ(0, zt_put(&self->p.w, 1000));
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_TEE, &tee));
	ASSERT_EQ(0, zt_end_map(&second, tee.out_fd));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 500, &self->kept));
	ASSERT_EQ(0, zt_preserve(&second, 100, 900, &kept));
	ASSERT_EQ(0, zt_take(&self->p.r, 1000));
	ASSERT_EQ(0, zt_take(&second, 1000));
	EXPECT_EQ(500, zt_stat(&self->p.r).out_preserved_bytes);
	EXPECT_EQ(900, zt_stat(&second).out_preserved_bytes);
	EXPECT_EQ(1400, zt_stat(&self->p.w).out_preserved_bytes);
	EXPECT_EQ(1, spare_pages(&self->p.w));
	zt_end_close(&second);
	EXPECT_EQ(500, zt_stat(&self->p.w).out_preserved_bytes);
	ASSERT_EQ(0, push(&self->p, 10 * CAPACITY, 1000));
	EXPECT_EQ(-1, zt_kept_mismatch(&self->p.r, &self->kept));
}

TEST_F(preserve, spans_that_cannot_be_written_efault_and_nothing_is_kept)
{
	struct zpipe_preserve_args args = { .length = 10, .nr_spans = 1, .spans = ZT_PAGE };

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(-EFAULT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_PRESERVE, &args));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_preserved_handles);
	EXPECT_EQ(0, spare_pages(&self->p.r));
}

TEST_F(preserve, fewer_spans_than_there_are_gives_the_first_and_the_number)
{
	struct zpipe_span span[2] = { { 0, 0 }, { 7, 7 } };
	struct zpipe_preserve_args args = { .nr_spans = 1, .spans = (uintptr_t)span };

	/* A grant that does not fit leaves a segment early, if the pipe is not contiguous. */
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 100, ZT_PAGE, 0, &self->grant));
	zt_fill_grant(&self->p.w, &self->grant, 100);
	ASSERT_EQ(0, zt_flush(&self->p.w, 200, 0, NULL));
	args.length = 200;
	ASSERT_EQ(0, zt_ioctl(self->p.r.fd, ZPIPE_IOC_PRESERVE, &args));
	EXPECT_EQ(variant->flags ? 1 : 2, args.out_nr_spans);
	EXPECT_EQ(variant->flags ? 200 : 100, span[0].length);
	EXPECT_EQ(7, span[1].offset);
}

TEST_HARNESS_MAIN
