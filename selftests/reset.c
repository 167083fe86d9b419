// SPDX-License-Identifier: GPL-2.0-only
/*
 * reset - RESET: the same pipe again, positions that never move back
 */
#include <errno.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(reset)
{
	struct zt_pipe p;
	struct zpipe_reset_args a;
	struct zt_view view;
};

FIXTURE_SETUP(reset)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 10000,
						 .resume = 400);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	ASSERT_EQ(0, zt_put(&self->p.w, 5000));
}

FIXTURE_TEARDOWN(reset)
{
	zt_pipe_close(&self->p);
}

static int finish_both(FIXTURE_DATA(reset) *self)
{
	int ret = zt_complete(&self->p.w, 0, 0, 0);

	return ret ? ret : zt_complete(&self->p.r, 0, 0, 0);
}

TEST_F(reset, of_a_live_pipe_ebusy)
{
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(0, zt_take(&self->p.r, 5000));
}

TEST_F(reset, with_one_end_completed_ebusy)
{
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.r, &self->a));
	EXPECT_EQ(0, zt_take(&self->p.r, 5000));
}

TEST_F(reset, either_end_may_do_it)
{
	ASSERT_EQ(0, finish_both(self));
	EXPECT_EQ(0, zt_reset(&self->p.w, &self->a));
	ASSERT_EQ(0, finish_both(self));
	EXPECT_EQ(0, zt_reset(&self->p.r, &self->a));
	EXPECT_EQ(2, self->a.out_generation);
}

TEST_F(reset, second_call_ebusy)
{
	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(-EBUSY, zt_reset(&self->p.w, &self->a));
}

TEST_F(reset, generation_counts_up)
{
	struct zpipe_info_args i;
	__u64 k;

	for (k = 1; k <= 5; k++) {
		ASSERT_EQ(0, finish_both(self));
		ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
		EXPECT_EQ(k, self->a.out_generation);
		ASSERT_EQ(0, zt_info(self->p.r.fd, &i));
		EXPECT_EQ(k, i.out_generation);
	}
}

TEST_F(reset, positions_never_move_back)
{
	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_LE(5000, self->a.out_position);
	EXPECT_EQ(self->a.out_position, zt_published(&self->p.r));
	EXPECT_EQ(self->a.out_position, zt_examined(&self->p.w));
	EXPECT_EQ(self->a.out_position, zt_consumed(&self->p.w));
}

TEST_F(reset, what_was_not_consumed_is_dropped)
{
	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_data_pages);
}

TEST_F(reset, stream_goes_on_byte_exact)
{
	int k;

	for (k = 0; k < 5; k++) {
		ASSERT_EQ(0, finish_both(self));
		ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
		ASSERT_EQ(0, zt_put(&self->p.w, 9000));
		ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
		EXPECT_EQ(self->a.out_position, self->view.args.out_start);
		EXPECT_EQ(self->a.out_position + 9000, self->view.args.out_end);
		zt_check_view(&self->p.r, &self->view);
	}
}

TEST_F(reset, thresholds_stay)
{
	struct zpipe_info_args i;

	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	ASSERT_EQ(0, zt_info(self->p.r.fd, &i));
	EXPECT_EQ(10000, i.out_pause);
	EXPECT_EQ(400, i.out_resume);
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10000));
}

TEST_F(reset, errors_and_cancels_are_forgotten)
{
	struct zpipe_flush_args f;

	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, ENODATA, 0, 0));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_flush(&self->p.w, 0, 0, &f));
	EXPECT_EQ(0, f.out_flags);
	EXPECT_EQ(0, zt_events(&self->p.r));
}

TEST_F(reset, outstanding_read_is_forgotten)
{
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(reset, copied_bytes_work_again_too)
{
	char buffer[8];

	ASSERT_EQ(0, finish_both(self));
	ASSERT_EQ(0, zt_reset(&self->p.w, &self->a));
	EXPECT_EQ(5, write(self->p.w.fd, "again", 5));
	EXPECT_EQ(5, read(self->p.r.fd, buffer, sizeof(buffer)));
	EXPECT_EQ(0, memcmp(buffer, "again", 5));
}

TEST_HARNESS_MAIN
