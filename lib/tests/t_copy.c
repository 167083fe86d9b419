// SPDX-License-Identifier: MIT
/*
 * t_copy - between a pipe and files, sockets, memory, and what fails in between
 *
 * From pipe to pipe is in vm_copy.c: the fake kernel has only one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts scattered = {
	.policy = FAKE_SCATTER, .nr_segments = 8, .table_entries = 16,
};
static struct zp_view view;

static int file_of(size_t n)
{
	int fd = memfd_create("bytes", 0);
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char byte = byte_at(i);

		if (pwrite(fd, &byte, 1, (off_t)i) != 1)
			abort();
	}
	return fd;
}

static bool file_good(int fd, size_t n)
{
	unsigned char buf[65536];
	ssize_t got = pread(fd, buf, sizeof(buf), 0);
	size_t i;

	if (!EXPECT_EQ(got, n))
		return false;
	for (i = 0; i < n; i++) {
		if (buf[i] != byte_at(i))
			return EXPECT(false);
	}
	return true;
}

static int stop_at(void *arg, uint64_t done)
{
	uint64_t *limit = arg;

	return done >= *limit ? -ECONNABORTED : 0;
}

static void from_file(void)
{
	struct ends e = ends_open(scattered);
	int fd = file_of(20000);
	uint64_t done = 7;

	EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, &done), 0);
	EXPECT_EQ(done, 20000);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 20000);
	EXPECT(view_good(&view));
	/* at the end of the file: nothing, as often as you like */
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, &done), 0);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, NULL), 0);
	close(fd);
	ends_close(&e);
}

static void in_parts(void)
{
	struct ends e = ends_open(scattered);
	struct zp_copy_opts opts = { .sz = sizeof(opts) };
	uint64_t limit = 3000, done;
	int fd = file_of(20000);

	opts.max = 5001;
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, &opts, &done), 0);
	EXPECT_EQ(done, 5001);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5001);
	opts.max = 0;
	opts.progress = stop_at;
	opts.arg = &limit;
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, &opts, &done), -ECONNABORTED);
	EXPECT(done >= 3000 && done < 20000 - 5001);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5001 + done);
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, NULL), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 20000);
	EXPECT(view_good(&view));
	opts.sz = 1;
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, &opts, &done), -EINVAL);
	EXPECT_EQ(done, 0);
	close(fd);
	ends_close(&e);
}

static void from_errors(void)
{
	struct ends e = ends_open(scattered);
	int fd = file_of(100), pair[2];
	uint64_t done;

	EXPECT_EQ(zp_copy_from_fd(e.w, -1, NULL, &done), -EBADF);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(zp_position(e.w), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	ASSERT_EQ(write(pair[0], "abc", 3), 3);
	EXPECT_EQ(zp_copy_from_fd(e.w, pair[1], NULL, &done), -EAGAIN);
	EXPECT_EQ(done, 3);
	close(pair[0]);
	EXPECT_EQ(zp_copy_from_fd(e.w, pair[1], NULL, &done), 0);
	EXPECT_EQ(done, 0);
	close(pair[1]);
	/* the reader is gone: seen before anything is taken from the file */
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_copy_from_fd(e.w, fd, NULL, &done), ZP_COMPLETED);
	EXPECT(done <= 100);
	close(fd);
	ends_close(&e);
}

static void released(void *arg)
{
	++*(int *)arg;
}

static void from_memory(void)
{
	struct ends e = ends_open(scattered);
	struct zp_copy_opts opts = { .sz = sizeof(opts) };
	unsigned char bytes[20000];
	uint64_t done = 7, limit = 15000;
	struct zp_memory from = { .data = bytes, .len = sizeof(bytes), .release = released };
	struct zp_stats stats = { .sz = sizeof(stats) };
	int times = 0;
	size_t i;

	from.arg = &times;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i);
	/* in parts */
	opts.max = 5001;
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, &opts, &done), 0);
	EXPECT_EQ(done, 5001);
	EXPECT_EQ(from.taken, 5001);
	opts.max = 0;
	opts.progress = stop_at;
	opts.arg = &limit;
	limit = 1000;
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, &opts, &done), -ECONNABORTED);
	EXPECT(done >= 1000 && done < 20000 - 5001);
	EXPECT_EQ(from.taken, 5001 + done);
	EXPECT_EQ(times, 0);
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, NULL), 0);
	EXPECT_EQ(from.taken, 20000);
	EXPECT_EQ(times, 1);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	/* the reader has copies */
	memset(bytes, 0xee, sizeof(bytes));
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 20000);
	EXPECT(view_good(&view));
	ASSERT_EQ(zp_writer_stats(e.w, &stats), 0);
	EXPECT_EQ(stats.copied_write, 20000);
	/* once is once */
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, &done), 0);
	EXPECT_EQ(done, 0);
	zp_memory_release(&from);
	EXPECT_EQ(times, 1);
	ends_close(&e);
}

static void from_memory_errors(void)
{
	struct ends e = ends_open(scattered);
	struct zp_copy_opts opts = { .sz = 1 };
	struct zp_memory from = { .data = "abc", .len = 3, .taken = 4, .release = released };
	struct zp_memory nothing = { .release = released };
	uint64_t done = 7;
	int times = 0;

	from.arg = &times;
	nothing.arg = &times;
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, &done), -EINVAL);
	from.taken = 0;
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, &opts, &done), -EINVAL);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(times, 0);
	EXPECT_EQ(zp_position(e.w), 0);
	/* given up by the caller */
	zp_memory_release(&from);
	zp_memory_release(&from);
	EXPECT_EQ(times, 1);
	/* nobody to be told */
	from.release = NULL;
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, NULL), 0);
	zp_memory_release(&from);
	EXPECT_EQ(zp_copy_from_memory(e.w, &nothing, NULL, &done), 0);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(times, 2);
	/* the reader wants no more: the rest is the caller's again */
	from = (struct zp_memory){ .data = "abc", .len = 3, .release = released, .arg = &times };
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, &done), ZP_COMPLETED);
	EXPECT_EQ(times, 3);
	ends_close(&e);
	/* or it failed, and the memory is wanted for something else */
	e = ends_open(scattered);
	from = (struct zp_memory){ .data = "abc", .len = 3, .release = released, .arg = &times };
	ASSERT_EQ(zp_reader_complete(e.r, ENOTUNIQ), 0);
	EXPECT_EQ(zp_copy_from_memory(e.w, &from, NULL, &done), -ENOTUNIQ);
	EXPECT_EQ(times, 3);
	zp_memory_release(&from);
	EXPECT_EQ(times, 4);
	ends_close(&e);
}

static void to_file(void)
{
	struct ends e = ends_open(scattered);
	int fd = memfd_create("copy", 0);
	uint64_t done;

	ASSERT_EQ(put(e.w, 20000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, NULL, &done), 0);
	EXPECT_EQ(done, 20000);
	EXPECT_EQ(zp_consumed(e.r), 20000);
	file_good(fd, 20000);
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, NULL, &done), 0);
	EXPECT_EQ(done, 0);
	close(fd);
	ends_close(&e);
}

static void to_limit(void)
{
	struct ends e = ends_open(scattered);
	struct zp_copy_opts opts = { .sz = sizeof(opts), .max = 9999 };
	int fd = memfd_create("copy", 0);
	uint64_t done, limit = 1;

	ASSERT_EQ(put(e.w, 20000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, &opts, &done), 0);
	EXPECT_EQ(done, 9999);
	EXPECT_EQ(zp_consumed(e.r), 9999);
	/* canceled: nothing more went */
	ASSERT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, NULL, &done), -ECANCELED);
	EXPECT_EQ(done, 0);
	opts.max = 0;
	opts.progress = stop_at;
	opts.arg = &limit;
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, &opts, &done), -ECONNABORTED);
	EXPECT_EQ(zp_consumed(e.r), 9999 + done);
	/* the writer aborts */
	ASSERT_EQ(zp_writer_complete(e.w, EOWNERDEAD, 0), 0);
	EXPECT_EQ(zp_copy_to_fd(e.r, fd, NULL, &done), -EOWNERDEAD);
	file_good(fd, 20000);
	close(fd);
	ends_close(&e);
}

/* A socket that takes part of it, then fails: each byte went once or not at all. */
static void half_way(void)
{
	struct ends e = ends_open(scattered);
	int pair[2], small = 4096, file = memfd_create("got", 0);
	uint64_t done, total = 0;
	char buf[8192];
	ssize_t n;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(put(e.w, 30000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	for (;;) {
		int ret = zp_copy_to_fd(e.r, pair[0], NULL, &done);

		total += done;
		ASSERT_EQ(zp_consumed(e.r), total);
		while ((n = read(pair[1], buf, sizeof(buf))) > 0)
			ASSERT_EQ(write(file, buf, (size_t)n), n);
		if (!ret)
			break;
		ASSERT_EQ(ret, -EAGAIN);
	}
	EXPECT_EQ(total, 30000);
	file_good(file, 30000);
	close(file);
	close(pair[0]);
	close(pair[1]);
	ends_close(&e);
}

static void to_errors(void)
{
	struct ends e = ends_open(scattered);
	struct zp_copy_opts opts = { .sz = sizeof(opts) - 1 };
	int pair[2], file;
	uint64_t done;

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	/* no SIGPIPE */
	EXPECT_EQ(zp_copy_to_fd(e.r, pair[0], NULL, &done), -EPIPE);
	EXPECT_EQ(done, 0);
	close(pair[0]);
	EXPECT_EQ(zp_copy_to_fd(e.r, -1, NULL, &done), -EBADF);
	file = open("/dev/full", O_WRONLY);
	if (file >= 0)
		EXPECT_EQ(zp_copy_to_fd(e.r, file, NULL, &done), -ENOSPC);
	close(file);
	opts.sz = 2;
	EXPECT_EQ(zp_copy_to_fd(e.r, 1, &opts, &done), -EINVAL);
	EXPECT_EQ(zp_consumed(e.r), 0);
	/* and all of it is still there */
	ASSERT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	file = memfd_create("copy", 0);
	EXPECT_EQ(zp_copy_to_fd(e.r, file, NULL, NULL), 0);
	file_good(file, 100);
	close(file);
	ends_close(&e);
}

static void to_itself(void)
{
	struct ends e = ends_open(scattered);
	uint64_t done;

	ASSERT_EQ(put(e.w, 100), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	EXPECT_EQ(zp_copy(e.w, e.r, NULL, &done), -EINVAL);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(zp_consumed(e.r), 0);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "from_fd.all_of_a_file", from_file },
	{ "from_fd.in_parts", in_parts },
	{ "from_fd.errors_lose_nothing", from_errors },
	{ "from_memory.copied_then_released_once", from_memory },
	{ "from_memory.errors_leave_it_the_callers", from_memory_errors },
	{ "to_fd.all_of_a_stream", to_file },
	{ "to_fd.limit_cancel_abort", to_limit },
	{ "to_fd.partial_writes_neither_lose_nor_repeat", half_way },
	{ "to_fd.errors_lose_nothing", to_errors },
	{ "copy.into_itself_einval", to_itself },
};

TAP_MAIN(tests)
