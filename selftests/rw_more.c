// SPDX-License-Identifier: GPL-2.0-only
/*
 * rw_more - read(2) and write(2) of several threads: atomic writes, queueing, stalled copies
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)
#define NR_WRITERS	4

FIXTURE(rw_more)
{
	struct zt_pipe p;
};

FIXTURE_SETUP(rw_more)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
}

FIXTURE_TEARDOWN(rw_more)
{
	zt_pipe_close(&self->p);
}

struct copier {
	pthread_t thread;
	int fd;
	unsigned char *buffer;
	size_t len;
	int times;
	ssize_t ret;
	int error;
	atomic_int tid;
};

static void *copy_in(void *arg)
{
	struct copier *me = arg;
	int i;

	atomic_store(&me->tid, syscall(SYS_gettid));
	for (i = 0; i < me->times; i++) {
		me->ret = write(me->fd, me->buffer, me->len);
		me->error = errno;
		if (me->ret != (ssize_t)me->len)
			break;
	}
	return NULL;
}

/* A writer of records, which must all go whole. */
static void *copy_records(void *arg)
{
	struct copier *me = arg;

	copy_in(me);
	if (me->ret != (ssize_t)me->len)
		zt_die("write of %zu: %zd, %s", me->len, me->ret, strerror(me->error));
	return NULL;
}

static void *copy_out(void *arg)
{
	struct copier *me = arg;

	atomic_store(&me->tid, syscall(SYS_gettid));
	me->ret = read(me->fd, me->buffer, me->len);
	me->error = errno;
	return NULL;
}

/* Four threads write records of one letter each: no record may be torn. */
static void race_records(struct zt_pipe *p, size_t len, int times)
{
	static unsigned char records[NR_WRITERS][PIPE_BUF], out[PIPE_BUF];
	struct copier writers[NR_WRITERS];
	int counts[NR_WRITERS] = { 0 }, k;

	for (k = 0; k < NR_WRITERS; k++) {
		memset(records[k], 'a' + k, len);
		writers[k] = (struct copier){ .fd = p->w.fd, .buffer = records[k], .len = len,
					      .times = times };
		zt_spawn(&writers[k].thread, copy_records, &writers[k]);
	}
	for (k = 0; k < NR_WRITERS * times; k++) {
		size_t got = 0, i;

		while (got < len) {
			ssize_t n = read(p->r.fd, out + got, len - got);

			if (n <= 0)
				zt_die("read: %s", strerror(errno));
			got += n;
		}
		for (i = 1; i < len; i++)
			if (out[i] != out[0])
				zt_die("record %d is torn at byte %zu", k, i);
		counts[out[0] - 'a']++;
	}
	for (k = 0; k < NR_WRITERS; k++) {
		zt_join(writers[k].thread);
		if (counts[k] != times)
			zt_die("writer %d wrote %d records", k, counts[k]);
	}
}

TEST_F_TIMEOUT(rw_more, small_writes_of_many_threads_are_atomic, 90)
{
	race_records(&self->p, 37, zt_long() ? 20000 : 800);
}

TEST_F_TIMEOUT(rw_more, writes_of_pipe_buf_are_atomic, 90)
{
	race_records(&self->p, PIPE_BUF, zt_long() ? 5000 : 200);
}

TEST_F_TIMEOUT(rw_more, writes_of_pipe_buf_through_a_pipe_of_one_page_are_atomic, 90)
{
	zt_pipe_close(&self->p);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, ZT_PAGE)));
	race_records(&self->p, PIPE_BUF, 200);
}

TEST_F(rw_more, blocked_writer_can_be_killed)
{
	char buffer[CAPACITY + 1] = { 0 };
	pid_t child = fork();

	if (!child) {
		if (write(self->p.w.fd, buffer, sizeof(buffer)) < 0)
			_exit(1);
		_exit(0);
	}
	zt_await_starved(&self->p.r);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
}

TEST_F(rw_more, writer_queued_behind_another_can_be_killed)
{
	static unsigned char buffer[2 * CAPACITY];
	struct copier first = { .fd = self->p.w.fd, .buffer = buffer, .len = sizeof(buffer),
				.times = 1 };
	static unsigned char drain[CAPACITY];
	size_t got = 0;
	pid_t child;

	zt_spawn(&first.thread, copy_in, &first);
	zt_await_starved(&self->p.r);
	child = fork();
	if (!child)
		_exit(write(self->p.w.fd, "queued", 6) != 6);
	zt_await_asleep(child);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	while (got < sizeof(buffer)) {
		ssize_t n = read(self->p.r.fd, drain, sizeof(drain));

		ASSERT_LT(0, n);
		got += n;
	}
	zt_join(first.thread);
	EXPECT_EQ(sizeof(buffer), got);
}

#ifdef SYS_userfaultfd
/* Memory whose first touch stalls until resolve_stall(). */
static unsigned char *stalling_memory(int *uffd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	unsigned char *p = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*uffd < 0)
		return NULL;
	reg.range.start = (uintptr_t)p;
	reg.range.len = ZT_PAGE;
	if (ioctl(*uffd, UFFDIO_API, &api) || ioctl(*uffd, UFFDIO_REGISTER, &reg))
		return NULL;
	return p;
}

static void resolve_stall(int uffd, unsigned char *p)
{
	struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)p, .len = ZT_PAGE } };

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero))
		zt_die("UFFDIO_ZEROPAGE: %s", strerror(errno));
}

static void await_stall(struct copier *me)
{
	while (!atomic_load(&me->tid))
		zt_sleep_ms(1);
	zt_await_asleep(atomic_load(&me->tid));
}

/* Where pipe(2) itself hangs: the other side's copy stalls in a page fault. */
TEST_F(rw_more, stalled_reader_does_not_block_a_nonblocking_writer)
{
	struct copier reader = { .fd = self->p.r.fd, .len = 100 };
	int uffd;

	reader.buffer = stalling_memory(&uffd);
	if (!reader.buffer)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(100, write(self->p.w.fd, self->p.w.writer, 100));
	zt_spawn(&reader.thread, copy_out, &reader);
	await_stall(&reader);
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(50, write(self->p.w.fd, self->p.w.writer, 50));
	EXPECT_EQ(0, zt_stat(&self->p.w).out_copied_read);
	resolve_stall(uffd, reader.buffer);
	zt_join(reader.thread);
	EXPECT_LE(100, reader.ret);
}

TEST_F(rw_more, stalled_writer_does_not_block_the_reader)
{
	struct copier writer = { .fd = self->p.w.fd, .len = 100, .times = 1 };
	char buffer[200];
	int uffd;

	writer.buffer = stalling_memory(&uffd);
	if (!writer.buffer)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(10, write(self->p.w.fd, "0123456789", 10));
	zt_spawn(&writer.thread, copy_in, &writer);
	await_stall(&writer);
	EXPECT_EQ(10, read(self->p.r.fd, buffer, sizeof(buffer)));
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-1, read(self->p.r.fd, buffer, sizeof(buffer)));
	EXPECT_EQ(EAGAIN, errno);
	resolve_stall(uffd, writer.buffer);
	zt_join(writer.thread);
	EXPECT_EQ(100, writer.ret);
	EXPECT_EQ(100, read(self->p.r.fd, buffer, sizeof(buffer)));
}

/* The copy holds a segment for a moment: that is a reason to wait, not the writer's own doing. */
TEST_F(rw_more, full_pipe_beside_a_stalled_reader_is_eagain_and_not_enobufs)
{
	struct copier reader = { .fd = self->p.r.fd, .len = ZT_PAGE };
	struct zpipe_alloc_args grant;
	int uffd;

	reader.buffer = stalling_memory(&uffd);
	if (!reader.buffer)
		SKIP(return, "no userfaultfd");
	zt_pipe_close(&self->p);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, ZT_PAGE)));
	reader.fd = self->p.r.fd;
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	zt_spawn(&reader.thread, copy_out, &reader);
	await_stall(&reader);
	EXPECT_EQ(-EAGAIN, zt_alloc(&self->p.w, ZT_PAGE, 1, 1, &grant));
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(EAGAIN, errno);
	resolve_stall(uffd, reader.buffer);
	zt_join(reader.thread);
	EXPECT_EQ(ZT_PAGE, reader.ret);
	EXPECT_EQ(0, zt_alloc(&self->p.w, ZT_PAGE, 1, 1, &grant));
}

/* The reader's words move past what read(2) is copying: whoever waits for that memory gets it. */
TEST_F(rw_more, memory_that_a_stalled_read_held_wakes_the_writer_afterwards)
{
	struct copier reader = { .fd = -1, .len = 100 };
	struct zpipe_alloc_args grant = { .position = ZT_PAGE, .min = 1 };
	struct zt_bg bg;
	int uffd;

	reader.buffer = stalling_memory(&uffd);
	if (!reader.buffer)
		SKIP(return, "no userfaultfd");
	zt_pipe_close(&self->p);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, ZT_PAGE)));
	reader.fd = self->p.r.fd;
	ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
	zt_spawn(&reader.thread, copy_out, &reader);
	await_stall(&reader);
	zt_store_examined(&self->p.r, ZT_PAGE);
	zt_store_consumed(&self->p.r, ZT_PAGE);
	zt_bg_start(&bg, self->p.w.fd, ZPIPE_IOC_ALLOC, &grant);
	zt_bg_sleeps(&bg);
	resolve_stall(uffd, reader.buffer);
	zt_join(reader.thread);
	EXPECT_EQ(0, zt_bg_join(&bg));
}

/* The end of a stream is its end: a write that was still copying comes too late. */
TEST_F(rw_more, stalled_write_adds_nothing_after_complete)
{
	struct copier writer = { .fd = self->p.w.fd, .len = 100, .times = 1 };
	struct zt_view view;
	int uffd;

	writer.buffer = stalling_memory(&uffd);
	if (!writer.buffer)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(10, write(self->p.w.fd, "0123456789", 10));
	zt_spawn(&writer.thread, copy_in, &writer);
	await_stall(&writer);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &view));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, view.args.out_flags);
	EXPECT_EQ(10, view.args.out_end);
	resolve_stall(uffd, writer.buffer);
	zt_join(writer.thread);
	EXPECT_EQ(-1, writer.ret);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &view));
	EXPECT_EQ(10, view.args.out_end);
}

TEST_F(rw_more, second_nonblocking_writer_behind_a_stalled_one_eagain)
{
	struct copier writer = { .fd = self->p.w.fd, .len = 100, .times = 1 };
	int uffd;

	writer.buffer = stalling_memory(&uffd);
	if (!writer.buffer)
		SKIP(return, "no userfaultfd");
	zt_spawn(&writer.thread, copy_in, &writer);
	await_stall(&writer);
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(EAGAIN, errno);
	resolve_stall(uffd, writer.buffer);
	zt_join(writer.thread);
	EXPECT_EQ(100, writer.ret);
}

TEST_F(rw_more, close_and_stat_work_beside_a_stalled_copy)
{
	struct copier writer = { .fd = self->p.w.fd, .len = 100, .times = 1 };
	int uffd;

	signal(SIGPIPE, SIG_IGN);
	writer.buffer = stalling_memory(&uffd);
	if (!writer.buffer)
		SKIP(return, "no userfaultfd");
	zt_spawn(&writer.thread, copy_in, &writer);
	await_stall(&writer);
	zt_stat(&self->p.r);
	zt_end_close(&self->p.r);
	resolve_stall(uffd, writer.buffer);
	zt_join(writer.thread);
}

TEST_F(rw_more, stalled_copy_can_be_killed)
{
	unsigned char *p;
	pid_t child;
	int uffd;

	p = stalling_memory(&uffd);
	if (!p)
		SKIP(return, "no userfaultfd");
	child = fork();
	if (!child) {
		p = stalling_memory(&uffd);
		if (p && write(self->p.w.fd, p, 100) < 0)
			_exit(1);
		_exit(0);
	}
	zt_await_asleep(child);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	EXPECT_EQ(1, write(self->p.w.fd, "x", 1));
}
#endif

TEST_HARNESS_MAIN
