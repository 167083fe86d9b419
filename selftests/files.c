// SPDX-License-Identifier: GPL-2.0-only
/*
 * files - the ends as files: reopening, fcntl, fstat, and fd operations that must not bite
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(files)
{
	struct zt_pipe p;
	int log;
};

FIXTURE_SETUP(files)
{
	self->log = zt_log_mark();
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(files)
{
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

static void proc_path(char *path, size_t size, int fd)
{
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

/* The prototype built a second file without private data here and oopsed in release. */
TEST_F(files, reopen_through_proc_enxio)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK };
	const int fds[] = { self->p.w.fd, self->p.r.fd };
	char path[64];
	size_t i, k;

	for (i = 0; i < 2; i++) {
		proc_path(path, sizeof(path), fds[i]);
		for (k = 0; k < 4; k++) {
			EXPECT_EQ(-1, open(path, modes[k] | O_CLOEXEC));
			EXPECT_EQ(ENXIO, errno);
		}
	}
	EXPECT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(files, path_descriptor_gives_no_access)
{
	char path[64];
	int fd;

	proc_path(path, sizeof(path), self->p.w.fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	close(fd);
}

TEST_F(files, link_names_the_kind)
{
	char path[64], target[128] = "";

	proc_path(path, sizeof(path), self->p.w.fd);
	ASSERT_LT(0, readlink(path, target, sizeof(target) - 1));
	EXPECT_NE(NULL, strstr(target, "zpipe"))
		TH_LOG("%s", target);
}

TEST_F(files, nonblock_can_be_switched)
{
	struct zpipe_read_args args = { .deadline = 0 };

	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_RDWR));
	args.deadline = zt_deadline(10);
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
}

TEST_F(files, fstat_and_locks_do_no_harm)
{
	struct statfs fs;
	struct stat st;

	EXPECT_EQ(0, fstat(self->p.w.fd, &st));
	EXPECT_EQ(0, fstat(self->p.r.fd, &st));
	fstatfs(self->p.w.fd, &fs);
	flock(self->p.w.fd, LOCK_EX | LOCK_NB);
	fsync(self->p.w.fd);
	EXPECT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(files, truncate_and_allocate_are_refused)
{
	EXPECT_NE(0, ftruncate(self->p.w.fd, 0));
	EXPECT_NE(0, ftruncate(self->p.w.fd, 1 << 20));
	EXPECT_NE(0, fallocate(self->p.w.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			       ZT_PAGE));
	EXPECT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_take(&self->p.r, 10));
}

TEST_F(files, mode_cannot_be_changed_by_chmod)
{
	fchmod(self->p.r.fd, 0777);
	fchown(self->p.r.fd, 65534, 65534);
	EXPECT_EQ(-1, write(self->p.r.fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
}

TEST_F(files, device_has_no_stream_of_its_own)
{
	int fd = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	char c;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, read(fd, &c, 1));
	EXPECT_EQ(-1, write(fd, "x", 1));
	close(fd);
}

TEST_F(files, close_on_one_thread_does_not_hurt_a_sleeper_on_another)
{
	struct zpipe_read_args args = { .min = 1 };
	int fd = dup(self->p.r.fd);
	struct zt_bg bg;

	zt_bg_start(&bg, fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	close(fd);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(10, args.out_end);
}

TEST_HARNESS_MAIN
