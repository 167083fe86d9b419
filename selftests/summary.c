// SPDX-License-Identifier: GPL-2.0-only
/*
 * summary - fdinfo of an fd of /dev/zpipe: what the whole module holds
 *
 * Nothing else uses the module while this runs, but what other programs have left may still go
 * away: every number is compared with the one before.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define USER_PIPES	"/sys/module/zpipe/parameters/user_pipes"
#define SOMEBODY	54321

static const char * const keys[] = {
	"pipes", "readers", "pools", "data-pages", "idle-pages", "spare-pages", "held", "preserved",
	"handles", "buffers", "exported", "posts", "paused", "readers-asleep", "writers-asleep",
	"users", "refused-pipes", "refused-pages", "limited-pages", "user-pipes", "user-pages",
	"user-refused",
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

FIXTURE(summary)
{
	int device;
};

FIXTURE_SETUP(summary)
{
	self->device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_TRUE(zt_total_becomes(self->device, "pipes", 0));
	ASSERT_TRUE(zt_total_becomes(self->device, "users", 0));
}

FIXTURE_TEARDOWN(summary)
{
	close(self->device);
}

TEST_F(summary, every_key_is_there_and_nothing_is_held)
{
	size_t k;

	for (k = 0; k < NR_KEYS; k++) {
		long long value = zt_total(self->device, keys[k]);

		EXPECT_LE(0, value)
			TH_LOG("%s", keys[k]);
		if (strncmp(keys[k], "refused", 7) && strncmp(keys[k], "limited", 7))
			EXPECT_EQ(0, value)
				TH_LOG("%s", keys[k]);
	}
}

TEST_F(summary, pipes_and_their_memory_come_and_go)
{
	struct zt_pipe p[7];
	long long pages = 0;
	int i;

	for (i = 0; i < 7; i++) {
		ASSERT_EQ(0, zt_pipe_open(&p[i], ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE)));
		ASSERT_EQ(0, zt_put(&p[i].w, 1000 + i));
		pages += zt_stat(&p[i].w).out_data_pages;
	}
	EXPECT_EQ(7, zt_total(self->device, "pipes"));
	EXPECT_EQ(7, zt_total(self->device, "readers"));
	EXPECT_EQ(7, zt_total(self->device, "user-pipes"));
	EXPECT_EQ(1, zt_total(self->device, "users"));
	EXPECT_EQ(pages, zt_total(self->device, "data-pages"));
	EXPECT_LT(pages, zt_total(self->device, "user-pages"));
	EXPECT_EQ(7 * 1000 + 21, zt_total(self->device, "held"));
	for (i = 0; i < 7; i++)
		zt_pipe_close(&p[i]);
	EXPECT_TRUE(zt_total_becomes(self->device, "pipes", 0));
	EXPECT_TRUE(zt_total_becomes(self->device, "data-pages", 0));
	EXPECT_TRUE(zt_total_becomes(self->device, "user-pages", 0));
	EXPECT_EQ(0, zt_total(self->device, "held"));
}

TEST_F(summary, preserved_and_exported_bytes)
{
	struct zt_kept kept[3];
	struct zt_pipe p;
	int i, fd[2];

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&p.w, 3 * ZT_PAGE));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, zt_preserve(&p.r, i * ZT_PAGE, 101 + 2 * i, &kept[i]));
	EXPECT_EQ(3, zt_total(self->device, "handles"));
	EXPECT_EQ(101 + 103 + 105, zt_total(self->device, "preserved"));
	EXPECT_EQ(3, zt_total(self->device, "spare-pages"));
	for (i = 0; i < 2; i++) {
		fd[i] = zt_export(&p.r, kept[i].handle);
		ASSERT_LE(0, fd[i]);
	}
	EXPECT_EQ(2, zt_total(self->device, "buffers"));
	EXPECT_EQ(101 + 103, zt_total(self->device, "exported"));
	ASSERT_EQ(0, zt_release(&p.r, kept[0].handle));
	EXPECT_EQ(2, zt_total(self->device, "handles"));
	EXPECT_EQ(2, zt_total(self->device, "buffers"));
	/* A buffer outlives its pipe. */
	zt_pipe_close(&p);
	EXPECT_TRUE(zt_total_becomes(self->device, "pipes", 0));
	EXPECT_EQ(0, zt_total(self->device, "handles"));
	EXPECT_EQ(2, zt_total(self->device, "buffers"));
	close(fd[0]);
	EXPECT_TRUE(zt_total_becomes(self->device, "exported", 103));
	close(fd[1]);
	EXPECT_TRUE(zt_total_becomes(self->device, "buffers", 0));
}

TEST_F(summary, pools_and_readers)
{
	struct zpipe_pool_create_args pool = { .segment_size = ZT_PAGE, .segments = 16,
					       .idle = ZPIPE_POOL_IDLE };
	struct zpipe_tee_args tee;
	struct zt_pipe p;

	ASSERT_EQ(0, ioctl(self->device, ZPIPE_IOC_POOL_CREATE, &pool));
	EXPECT_EQ(1, zt_total(self->device, "pools"));
	EXPECT_EQ(0, zt_total(self->device, "pipes"));
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE)));
	ASSERT_EQ(0, zt_tee(p.r.fd, 0, &tee));
	EXPECT_EQ(1, zt_total(self->device, "pipes"));
	EXPECT_EQ(2, zt_total(self->device, "readers"));
	close(tee.out_fd);
	EXPECT_TRUE(zt_total_becomes(self->device, "readers", 1));
	zt_pipe_close(&p);
	close(pool.out_fd);
	EXPECT_TRUE(zt_total_becomes(self->device, "pools", 0));
}

TEST_F(summary, sleepers_and_paused_writers)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_pipe p;
	struct zt_bg bg;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE)));
	zt_bg_start(&bg, p.r.fd, ZPIPE_IOC_READ, &read);
	EXPECT_TRUE(zt_total_becomes(self->device, "readers-asleep", 1));
	ASSERT_EQ(0, zt_put(&p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_TRUE(zt_total_becomes(self->device, "readers-asleep", 0));
	ASSERT_EQ(0, zt_advance(&p.r, ZPIPE_KEEP, ZPIPE_KEEP));
	ASSERT_EQ(0, zt_set(&p.w, 5, 1));
	EXPECT_EQ(-EAGAIN, zt_flush(&p.w, 10, 0, NULL));
	EXPECT_EQ(1, zt_total(self->device, "paused"));
	zt_pipe_close(&p);
}

/* As somebody else: three pipes, and the fourth is refused. The exit status. */
static int make_four(void)
{
	struct zt_pipe p[4];
	int i, device;

	zt_become(SOMEBODY);
	device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return 11;
	for (i = 0; i < 3; i++) {
		if (zt_pipe_open(&p[i], ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)))
			return 12;
	}
	if (zt_create(ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)) != -EDQUOT)
		return 13;
	if (zt_total(device, "user-pipes") != 3 || zt_total(device, "user-refused") != 1)
		return 14;
	/* The maker of the others is told apart. */
	return zt_total(device, "users") == 2 ? 0 : 15;
}

TEST_F(summary, limit_hits_are_counted_for_all_and_for_the_caller)
{
	long long before = zt_total(self->device, "refused-pipes");
	long long saved = zt_read_number(USER_PIPES);
	struct zt_pipe p;
	int status = -1;
	pid_t child;

	if (getuid() || zt_write_number(USER_PIPES, 3))
		SKIP(return, "needs root and a module parameter that can be written");
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	child = fork();
	if (!child)
		_exit(make_four());
	waitpid(child, &status, 0);
	EXPECT_EQ(0, status)
		TH_LOG("status %d", WEXITSTATUS(status));
	EXPECT_EQ(before + 1, zt_total(self->device, "refused-pipes"));
	EXPECT_EQ(1, zt_total(self->device, "user-pipes"));
	EXPECT_EQ(0, zt_total(self->device, "user-refused"));
	zt_pipe_close(&p);
	ASSERT_EQ(0, zt_write_number(USER_PIPES, saved));
}

TEST_HARNESS_MAIN
