// SPDX-License-Identifier: GPL-2.0-only
/*
 * create - CREATE: geometry, defaults, rounding, thresholds and the two new fds
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define KIB	1024ULL
#define MIB	(1024 * KIB)

FIXTURE(create)
{
	struct zt_pipe p;
};

FIXTURE_SETUP(create)
{
	self->p = (struct zt_pipe){ .w.fd = -1, .r.fd = -1 };
}

FIXTURE_TEARDOWN(create)
{
	zt_pipe_close(&self->p);
}

TEST_F(create, all_zero_takes_the_default_geometry)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	EXPECT_EQ(MIB, self->p.w.info.out_capacity);
	EXPECT_EQ(64 * KIB, self->p.w.info.out_segment_size);
}

TEST_F(create, small_capacity_takes_a_smaller_segment)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 64 * KIB)));
	EXPECT_EQ(64 * KIB, self->p.w.info.out_capacity);
	EXPECT_GT(64 * KIB, self->p.w.info.out_segment_size);
	EXPECT_LE(ZT_PAGE, self->p.w.info.out_segment_size);
}

TEST_F(create, segment_below_a_page_is_raised)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(512, 4 * ZT_PAGE)));
	EXPECT_EQ(ZT_PAGE, self->p.w.info.out_segment_size);
}

TEST_F(create, capacity_is_raised_to_whole_segments)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(8192, 8193)));
	EXPECT_EQ(16384, self->p.w.info.out_capacity);
}

TEST_F(create, capacity_of_one_byte_holds_one_segment)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 1)));
	EXPECT_EQ(ZT_PAGE, self->p.w.info.out_capacity);
}

TEST_F(create, window_is_whole_segments_and_no_less_than_the_capacity)
{
	const struct zpipe_info_args *i = &self->p.w.info;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 3 * ZT_PAGE)));
	EXPECT_EQ(3 * ZT_PAGE, i->out_capacity);
	EXPECT_LE(i->out_capacity, i->out_window);
	EXPECT_EQ(i->out_window, (__u64)i->out_nr_segments * i->out_segment_size);
	EXPECT_EQ(i->out_window, i->out_data.size);
}

TEST_F(create, segment_not_a_power_of_two_einval)
{
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(3 * ZT_PAGE, 0)));
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(4097, 0)));
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(3, 0)));
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(~0U, 0)));
}

TEST_F(create, capacity_near_the_end_of_64_bits_is_refused)
{
	EXPECT_NE(0, zt_create(ZT_ARGS(ZT_PAGE, ~0ULL)));
	EXPECT_NE(0, zt_create(ZT_ARGS(ZT_PAGE, ~0ULL - ZT_PAGE)));
	EXPECT_NE(0, zt_create(ZT_ARGS(ZT_PAGE, 1ULL << 63)));
	EXPECT_NE(0, zt_create(ZT_ARGS(1U << 31, 1ULL << 40)));
}

TEST_F(create, thresholds_default_to_three_quarters_and_half_of_that)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = ZPIPE_DEFAULT,
						 .resume = ZPIPE_DEFAULT);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	EXPECT_EQ(3 * ZT_PAGE, self->p.w.info.out_pause);
	EXPECT_EQ(3 * ZT_PAGE / 2, self->p.w.info.out_resume);
}

TEST_F(create, resume_defaults_to_half_of_the_pause)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 1000,
						 .resume = ZPIPE_DEFAULT);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	EXPECT_EQ(1000, self->p.w.info.out_pause);
	EXPECT_EQ(500, self->p.w.info.out_resume);
}

TEST_F(create, pause_of_one_with_default_resume_resumes_at_one)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 1,
						 .resume = ZPIPE_DEFAULT);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	EXPECT_EQ(1, self->p.w.info.out_pause);
	EXPECT_EQ(1, self->p.w.info.out_resume);
}

TEST_F(create, resume_zero_counts_as_one)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 100)));
	EXPECT_EQ(1, self->p.w.info.out_resume);
}

TEST_F(create, resume_equal_to_pause_succeeds)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 100,
						 .resume = 100);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	EXPECT_EQ(100, self->p.w.info.out_resume);
}

TEST_F(create, resume_above_pause_einval)
{
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .pause = 100, .resume = 101)));
}

TEST_F(create, pool_fd_ebadf)
{
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	EXPECT_EQ(-EBADF, zt_create(&(struct zpipe_create_args){ .pool_fd = pipefd[0] }));
	EXPECT_EQ(-EBADF, zt_create(&(struct zpipe_create_args){ .pool_fd = 12345 }));
	EXPECT_EQ(-EBADF, zt_create(&(struct zpipe_create_args){ .pool_fd = -2 }));
}

TEST_F(create, ends_are_close_on_exec_blocking_and_read_write)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->p.w.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->p.r.fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->p.w.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(O_RDWR, fcntl(self->p.r.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

TEST_F(create, nonblock_reaches_both_ends)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0, .flags = ZPIPE_F_NONBLOCK)));
	EXPECT_TRUE(fcntl(self->p.w.fd, F_GETFL) & O_NONBLOCK);
	EXPECT_TRUE(fcntl(self->p.r.fd, F_GETFL) & O_NONBLOCK);
}

TEST_F(create, ids_differ_and_are_the_ones_of_info)
{
	struct zt_pipe other;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	ASSERT_EQ(0, zt_pipe_open(&other, ZT_ARGS(0, 0)));
	EXPECT_NE(self->p.id, other.id);
	EXPECT_EQ(self->p.id, self->p.w.info.out_id);
	EXPECT_EQ(self->p.id, self->p.r.info.out_id);
	zt_pipe_close(&other);
}

TEST_F(create, id_is_not_used_again)
{
	__u64 last = 0;
	int i;

	for (i = 0; i < 64; i++) {
		struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, ZT_PAGE);

		ASSERT_EQ(0, zt_create(args));
		EXPECT_LT(last, args->out_id);
		last = args->out_id;
		close(args->out_writer_fd);
		close(args->out_reader_fd);
	}
}

/* With room for none, then for one of the two: nothing stays behind. */
TEST_F(create, without_room_for_both_fds_emfile)
{
	int device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC), i;
	struct rlimit was, limit;

	ASSERT_LE(0, device);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &was));
	for (i = 1; i <= 2; i++) {
		limit = (struct rlimit){ .rlim_cur = device + i, .rlim_max = was.rlim_max };
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		EXPECT_EQ(-EMFILE, zt_ioctl(device, ZPIPE_IOC_CREATE, ZT_ARGS(0, 0)));
		EXPECT_EQ(-1, fcntl(device + 1, F_GETFD));
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &was));
	EXPECT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
}

TEST_F(create, device_opened_for_reading_only_makes_pipes_too)
{
	struct zpipe_create_args *args = ZT_ARGS(0, 0);
	int device = open(ZT_DEVICE, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, device);
	EXPECT_EQ(0, zt_ioctl(device, ZPIPE_IOC_CREATE, args));
	close(args->out_writer_fd);
	close(args->out_reader_fd);
	close(device);
}

TEST_F(create, pipe_outlives_its_device_fd)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	EXPECT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
}

TEST_F(create, device_is_open_to_everyone)
{
	struct stat st;

	ASSERT_EQ(0, stat(ZT_DEVICE, &st));
	EXPECT_EQ(0666, st.st_mode & 0777);
}

TEST_F(create, new_pipe_stands_at_zero_with_nobody_waiting)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	EXPECT_EQ(0, zt_granted(&self->p.r));
	EXPECT_EQ(0, zt_published(&self->p.r));
	EXPECT_EQ(0, zt_examined(&self->p.w));
	EXPECT_EQ(0, zt_consumed(&self->p.w));
	EXPECT_EQ(0, zt_opened(&self->p.r));
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_examined(&self->p.r));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));
	EXPECT_EQ(0, zt_events(&self->p.r));
}

TEST_F(create, two_pipes_do_not_share_bytes)
{
	struct zt_pipe other;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_pipe_open(&other, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	EXPECT_EQ(0, zt_put(&self->p.w, 1000));
	EXPECT_EQ(0, zt_stat(&other.r).out_published);
	EXPECT_EQ(0, zt_put(&other.w, 3000));
	EXPECT_EQ(0, zt_take(&self->p.r, 1000));
	EXPECT_EQ(0, zt_take(&other.r, 3000));
	zt_pipe_close(&other);
}

/* Bytes of one pipe's life never show up in the next one's memory. */
TEST_F(create, memory_of_a_new_pipe_is_zero)
{
	struct zpipe_alloc_args grant;
	__u64 k, n;
	int round;

	for (round = 0; round < 8; round++) {
		ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
		n = self->p.w.info.out_capacity;
		ASSERT_EQ(0, zt_alloc(&self->p.w, 0, n, n, &grant));
		for (k = 0; k < n; k++) {
			ASSERT_EQ(0, self->p.w.data[grant.out_offset + k]);
		}
		memset(self->p.w.data + grant.out_offset, 0xee, n);
		zt_pipe_close(&self->p);
	}
}

TEST_HARNESS_MAIN
