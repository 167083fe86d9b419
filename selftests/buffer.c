// SPDX-License-Identifier: GPL-2.0-only
/*
 * buffer - preserved ranges as files: read, mapped, passed on, and outliving everything else
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define SEGMENTS	4
#define CAPACITY	(SEGMENTS * ZT_PAGE)

/* 10000 bytes are published, of which a file holds 3000 to 8999. */
#define START		3000
#define LENGTH		6000

FIXTURE(buffer)
{
	struct zt_pipe p;
	struct zt_kept kept;
	struct zpipe_info_args info;
	unsigned char bytes[CAPACITY];
	int fd;
};

FIXTURE_SETUP(buffer)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_put(&self->p.w, 10000));
	ASSERT_EQ(0, zt_preserve(&self->p.r, START, LENGTH, &self->kept));
	self->fd = zt_export(&self->p.r, self->kept.handle);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, zt_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(buffer)
{
	if (self->fd >= 0)
		close(self->fd);
	zt_pipe_close(&self->p);
}

static unsigned char *map(const struct zpipe_info_args *info, int fd)
{
	unsigned char *base = mmap(NULL, info->out_data.size, PROT_READ, MAP_SHARED, fd,
				   info->out_data.offset);

	return base == MAP_FAILED ? NULL : base;
}

/* -1 if the mapping shows the whole range, byte for byte. */
static ssize_t map_mismatch(int fd)
{
	struct zpipe_span spans[ZT_SPANS];
	struct zpipe_read_args args = { .nr_spans = ZT_SPANS, .spans = (uintptr_t)spans };
	struct zpipe_info_args info;
	unsigned char *base;
	ssize_t bad = -1;
	__u64 at;
	__u32 i;

	if (zt_info(fd, &info) || zt_ioctl(fd, ZPIPE_IOC_READ, &args))
		return -2;
	base = map(&info, fd);
	if (!base || args.out_nr_spans != info.out_nr_spans ||
	    spans[0].offset != info.out_data_at)
		return -3;
	at = args.out_start;
	for (i = 0; i < args.out_nr_spans && bad < 0; i++) {
		if (spans[i].offset + spans[i].length > info.out_data.size)
			return -4;
		bad = zt_mismatch(base + spans[i].offset, at, spans[i].length);
		at += spans[i].length;
	}
	munmap(base, info.out_data.size);
	return at == args.out_end ? bad : -5;
}

TEST_F(buffer, info_says_what_and_where)
{
	const struct zpipe_info_args *i = &self->info;

	EXPECT_EQ(ZPIPE_ROLE_BUFFER, i->out_role);
	EXPECT_EQ(ZPIPE_MAGIC, i->out_magic);
	EXPECT_EQ(self->p.id, i->out_id);
	EXPECT_EQ(START, i->out_consumed);
	EXPECT_EQ(START + LENGTH, i->out_published);
	EXPECT_EQ(LENGTH, i->out_capacity);
	EXPECT_EQ(START % ZT_PAGE, i->out_data_at);
	EXPECT_EQ(1, i->out_nr_spans);
	EXPECT_EQ(0, i->out_data.offset);
	EXPECT_EQ(3 * ZT_PAGE, i->out_data.size);
	EXPECT_EQ(0, i->out_state.size);
	EXPECT_EQ(0, i->out_spare.size);
}

TEST_F(buffer, mapping_shows_the_bytes)
{
	unsigned char *base = map(&self->info, self->fd);

	ASSERT_NE(NULL, base);
	EXPECT_EQ(-1, zt_mismatch(base + self->info.out_data_at, START, LENGTH));
	/* And what is around them in the same pages, as the manual says. */
	EXPECT_EQ(-1, zt_mismatch(base, 0, START));
	munmap(base, self->info.out_data.size);
	EXPECT_EQ(-1, map_mismatch(self->fd));
}

TEST_F(buffer, read_gives_the_range_and_nothing_else)
{
	EXPECT_EQ(1000, read(self->fd, self->bytes, 1000));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START, 1000));
	EXPECT_EQ(LENGTH - 1000, read(self->fd, self->bytes, sizeof(self->bytes)));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START + 1000, LENGTH - 1000));
	EXPECT_EQ(0, read(self->fd, self->bytes, sizeof(self->bytes)));
}

TEST_F(buffer, pread_and_lseek)
{
	EXPECT_EQ(LENGTH, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, read(self->fd, self->bytes, 1));
	EXPECT_EQ(10, pread(self->fd, self->bytes, 10, 4095));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START + 4095, 10));
	EXPECT_EQ(5, pread(self->fd, self->bytes, 10, LENGTH - 5));
	EXPECT_EQ(0, pread(self->fd, self->bytes, 10, LENGTH));
	EXPECT_EQ(0, pread(self->fd, self->bytes, 10, 1LL << 62));
	EXPECT_EQ(LENGTH, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(17, lseek(self->fd, 17, SEEK_SET));
	EXPECT_EQ(1, read(self->fd, self->bytes, 1));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START + 17, 1));
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, LENGTH + 1, SEEK_SET));
	EXPECT_EQ(18, lseek(self->fd, 0, SEEK_CUR));
}

TEST_F(buffer, read_to_a_bad_pointer_efault_and_the_position_stays)
{
	void *bad = mmap(NULL, ZT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(-1, read(self->fd, bad, 10));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	munmap(bad, ZT_PAGE);
}

TEST_F(buffer, nothing_can_be_written)
{
	struct zpipe_region data = self->info.out_data;
	unsigned char *base;

	EXPECT_EQ(-1, write(self->fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(O_RDONLY, fcntl(self->fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, data.size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, data.size, PROT_READ | PROT_EXEC, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, data.size, PROT_READ, MAP_PRIVATE, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	base = map(&self->info, self->fd);
	ASSERT_NE(NULL, base);
	EXPECT_EQ(-1, mprotect(base, data.size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(base, data.size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(base, data.size, data.size + ZT_PAGE, MREMAP_MAYMOVE));
	munmap(base, data.size);
}

static void write_through_mem(const void *at, int *ret)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	*ret = pwrite(fd, "x", 1, (uintptr_t)at) < 0 ? -errno : 0;
	close(fd);
}

TEST_F(buffer, proc_mem_cannot_write_either)
{
	unsigned char *base = map(&self->info, self->fd);
	int ret;

	ASSERT_NE(NULL, base);
	write_through_mem(base + self->info.out_data_at, &ret);
	EXPECT_GT(0, ret);
	EXPECT_EQ(-1, map_mismatch(self->fd));
	munmap(base, self->info.out_data.size);
}

TEST_F(buffer, mapping_reaches_no_further_than_its_pages)
{
	size_t size = self->info.out_data.size;
	unsigned char *base;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, size + ZT_PAGE, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->fd, size));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->fd,
				   (off_t)ZPIPE_OFF_DATA));
	base = mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->fd, size - ZT_PAGE);
	ASSERT_NE(MAP_FAILED, base);
	EXPECT_EQ(-1, zt_mismatch(base, START - self->info.out_data_at + size - ZT_PAGE, 100));
	munmap(base, ZT_PAGE);
}

TEST_F(buffer, always_readable_for_poll_and_epoll)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN, p.revents);
	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	close(ep);
}

TEST_F(buffer, fd_is_close_on_exec_and_cannot_be_reopened)
{
	char path[64];

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(-1, open(path, O_RDONLY));
}

TEST_F(buffer, other_verbs_ebadf)
{
	struct zpipe_alloc_args alloc = { .flags = ZPIPE_ALLOC_F_NOWAIT };
	struct zpipe_export_args export = { .handle = self->kept.handle };
	struct zpipe_release_args release = { .handle = self->kept.handle };

	EXPECT_EQ(-EBADF, zt_ioctl(self->fd, ZPIPE_IOC_ALLOC, &alloc));
	EXPECT_EQ(-EBADF, zt_ioctl(self->fd, ZPIPE_IOC_EXPORT, &export));
	EXPECT_EQ(-EBADF, zt_ioctl(self->fd, ZPIPE_IOC_RELEASE, &release));
	EXPECT_EQ(-1, ioctl(self->fd, _IOWR('z', 0xf0, __u64), &alloc));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(buffer, read_verb_says_where_and_never_waits)
{
	struct zpipe_read_args args = { .min = LENGTH };

	EXPECT_EQ(0, zt_ioctl(self->fd, ZPIPE_IOC_READ, &args));
	EXPECT_EQ(START, args.out_start);
	EXPECT_EQ(START + LENGTH, args.out_end);
	EXPECT_EQ(ZPIPE_RES_COMPLETED, args.out_flags);
	args = (struct zpipe_read_args){ .min = LENGTH + 1 };
	EXPECT_EQ(-EMSGSIZE, zt_ioctl(self->fd, ZPIPE_IOC_READ, &args));
	args = (struct zpipe_read_args){ .flags = 8 };
	EXPECT_EQ(-EOPNOTSUPP, zt_ioctl(self->fd, ZPIPE_IOC_READ, &args));
}

TEST_F(buffer, stat_and_fdinfo_know_it)
{
	struct zt_end e = { .fd = self->fd };
	struct zpipe_stat_args stat = zt_stat(&e);
	char path[64], text[1024];
	size_t n;
	FILE *f;

	EXPECT_EQ(LENGTH, stat.out_preserved_bytes);
	EXPECT_EQ(3, stat.out_data_pages);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	EXPECT_NE(NULL, strstr(text, "zpipe-role:\tbuffer\n"));
	EXPECT_NE(NULL, strstr(text, "zpipe-position:\t3000\n"));
	EXPECT_NE(NULL, strstr(text, "zpipe-length:\t6000\n"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->p.r.fd);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	EXPECT_NE(NULL, strstr(text, "zpipe-handles:\t1\n"));
	EXPECT_NE(NULL, strstr(text, "zpipe-preserved:\t6000\n"));
}

TEST_F(buffer, export_twice_gives_two_files_with_a_position_each)
{
	int second = zt_export(&self->p.r, self->kept.handle);

	ASSERT_LE(0, second);
	EXPECT_EQ(100, read(self->fd, self->bytes, 100));
	EXPECT_EQ(100, read(second, self->bytes, 100));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START, 100));
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(-1, map_mismatch(second));
	close(second);
}

TEST_F(buffer, handle_may_be_released_at_once_and_the_stream_goes_on)
{
	int i;

	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_preserved_handles);
	ASSERT_EQ(0, zt_take(&self->p.r, 10000));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY - ZT_PAGE));
	}
	EXPECT_EQ(-1, map_mismatch(self->fd));
	EXPECT_EQ(3, zt_stat(&self->p.r).out_spare_pages);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY - ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE));
	EXPECT_EQ(0, zt_stat(&self->p.r).out_spare_pages);
}

TEST_F(buffer, outlives_both_ends_and_the_pipe)
{
	unsigned char *base = map(&self->info, self->fd);

	ASSERT_NE(NULL, base);
	zt_pipe_close(&self->p);
	EXPECT_EQ(-1, zt_mismatch(base + self->info.out_data_at, START, LENGTH));
	EXPECT_EQ(-1, map_mismatch(self->fd));
	EXPECT_EQ(LENGTH, pread(self->fd, self->bytes, sizeof(self->bytes), 0));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START, LENGTH));
	/* And the mapping outlives the fd. */
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-1, zt_mismatch(base + self->info.out_data_at, START, LENGTH));
	munmap(base, self->info.out_data.size);
}

TEST_F(buffer, stays_after_complete_and_reset)
{
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-1, map_mismatch(self->fd));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(-1, map_mismatch(self->fd));
	ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY));
	EXPECT_EQ(-1, map_mismatch(self->fd));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	close(self->fd);
	self->fd = -1;
	/* With the last of it all memory is back, although the ends are open. */
	EXPECT_EQ(0, zt_stat(&self->p.w).out_data_pages);
}

/* Here a grant did not fit, so the writer left a segment early. */
TEST_F(buffer, range_with_a_gap_is_several_pieces_of_the_mapping_and_one_of_read)
{
	struct zpipe_alloc_args grant;
	struct zpipe_info_args info;
	struct zt_kept kept;
	int fd;

	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	ASSERT_EQ(0, zt_take(&self->p.r, 10000));
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10100, ZT_PAGE, 0, &grant));
	zt_fill_grant(&self->p.w, &grant, ZT_PAGE);
	ASSERT_EQ(0, zt_flush(&self->p.w, 10100 + ZT_PAGE, 0, NULL));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 10050, ZT_PAGE, &kept));
	fd = zt_export(&self->p.r, kept.handle);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, zt_info(fd, &info));
	EXPECT_EQ(2, info.out_nr_spans);
	EXPECT_EQ(2 * ZT_PAGE, info.out_data.size);
	EXPECT_EQ(-1, map_mismatch(fd));
	EXPECT_EQ(ZT_PAGE, read(fd, self->bytes, sizeof(self->bytes)));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, 10050, ZT_PAGE));
	close(fd);
}

TEST_F(buffer, splice_out_of_it_gives_the_bytes)
{
	loff_t at = 1000;
	int fds[2];
	ssize_t n;

	ASSERT_EQ(0, pipe(fds));
	n = splice(self->fd, &at, fds[1], NULL, 2000, 0);
	EXPECT_EQ(2000, n);
	EXPECT_EQ(3000, at);
	/* What is lent stays what it is, also when the buffer is gone and its memory used again. */
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, zt_take(&self->p.r, 10000));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY - ZT_PAGE));
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - ZT_PAGE));
	EXPECT_EQ(2000, read(fds[0], self->bytes, sizeof(self->bytes)));
	EXPECT_EQ(-1, zt_mismatch(self->bytes, START + 1000, 2000));
	close(fds[0]);
	close(fds[1]);
}

/* The process gets nothing but the file, when all the rest is closed. */
TEST_F(buffer, third_process_maps_what_it_was_passed)
{
	int sockets[2], fd, started[2];
	char c = 0;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, pipe(started));
	child = fork();
	if (!child) {
		zt_pipe_close(&self->p);
		close(self->fd);
		close(sockets[0]);
		close(started[1]);
		/* Until the parent has closed everything too. */
		if (read(started[0], &c, 1) != 1)
			_exit(1);
		fd = zt_receive_fd(sockets[1]);
		if (fd < 0)
			_exit(2);
		_exit(map_mismatch(fd) == -1 ? 0 : 3);
	}
	ASSERT_EQ(0, zt_send_fd(sockets[0], self->fd));
	close(self->fd);
	self->fd = -1;
	zt_pipe_close(&self->p);
	ASSERT_EQ(1, write(started[1], &c, 1));
	EXPECT_EQ(0, zt_wait_child(child));
	close(sockets[0]);
	close(sockets[1]);
	close(started[0]);
	close(started[1]);
}

/* In the mail only: nobody has the file open, and still it lives, and dies with the socket. */
TEST_F(buffer, in_flight_it_keeps_its_bytes)
{
	int sockets[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, zt_send_fd(sockets[0], self->fd));
	close(self->fd);
	zt_pipe_close(&self->p);
	fd = zt_receive_fd(sockets[1]);
	self->fd = fd;
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, map_mismatch(fd));
	ASSERT_EQ(0, zt_send_fd(sockets[0], fd));
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(buffer, module_is_busy_while_one_is_open)
{
	long long with, without;

	zt_pipe_close(&self->p);
	with = zt_read_number("/sys/module/zpipe/refcnt");
	if (with < 0)
		SKIP(return, "no refcnt");
	EXPECT_LT(0, with);
	close(self->fd);
	self->fd = -1;
	without = zt_read_number("/sys/module/zpipe/refcnt");
	EXPECT_LT(without, with);
}

TEST_F(buffer, export_of_a_bad_handle_makes_no_fd)
{
	int before = zt_open_fds();

	EXPECT_EQ(-EINVAL, zt_export(&self->p.r, 0));
	ASSERT_EQ(0, zt_release(&self->p.r, self->kept.handle));
	EXPECT_EQ(-ESTALE, zt_export(&self->p.r, self->kept.handle));
	EXPECT_EQ(before, zt_open_fds());
}

TEST_F(buffer, reply_that_cannot_be_written_leaks_no_fd)
{
	struct zpipe_export_args *args;
	int before = zt_open_fds();

	args = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)args);
	args->handle = self->kept.handle;
	ASSERT_EQ(0, mprotect(args, ZT_PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->p.r.fd, ZPIPE_IOC_EXPORT, args));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(before, zt_open_fds());
	munmap(args, ZT_PAGE);
}

TEST_HARNESS_MAIN
