/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fail_nth - every allocation and every user copy of a call fails once
 *
 * A call is repeated with its first, second, third ... allocation (of slabs or pages) or copy from
 * or to user memory failing, until it comes to its end without: each time on fresh pipes. One that
 * fails has an honest errno, has left no fd and has moved no position, and the same call then
 * succeeds; one that succeeds all the same has done the whole work. What it may have kept in the
 * kernel is found by scripts/vm, which looks for lost memory when the last process has ended.
 *
 * Needs a kernel with fault injection (scripts/vm -k debug); the programs skip elsewhere. Each of
 * them has tables of calls and ends with `N tried, N lost`.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_uring.h"

#define SEGMENT		(4 * ZT_PAGE)
#define CAPACITY	(16 * SEGMENT)
/* Several segments, and not whole pages. */
#define BYTES		50000
#define MOST_POINTS	3000

#define DEBUGFS		"/sys/kernel/debug/"

/* Of all tests of this run. */
static struct {
	unsigned long tried;
	unsigned long recovered;
	unsigned long lost;
} *sum;

/* What a call works on: two pipes, and what its preparation adds. */
struct bed {
	struct zt_pipe p;
	struct zt_pipe q;
	int pool;
	int device;
	int kernel[2];
	int epoll;
	struct io_uring ring;
	bool has_ring;
	bool queued;
	struct zpipe_alloc_args grant;
	struct zt_view view;
	struct zt_kept kept;
	struct zpipe_read_args read;
	unsigned char *buffer;
	unsigned char *page;
	/* What the call made; an fd, or a mapping. */
	int fd[2];
	void *map;
	size_t length;
	/* Of calls that may stop half-way, such as write(2). */
	__u64 done;
};

struct op {
	const char *name;
	__u32 flags;				/* of the pipe */
	bool pooled;				/* both pipes in one pool */
	bool partial;				/* run answers bytes of BYTES */
	int (*prepare)(struct bed *bed);
	long (*run)(struct bed *bed);		/* one call: >= 0, or -errno */
	long (*finish)(struct bed *bed, long ret);	/* not failing any more */
	bool (*check)(struct bed *bed);		/* after success */
};

struct snap {
	int fds;
	__u64 value[24];
};

/* --- failing --- */

static inline bool knob(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	return !zt_write_text(path, value);
}

/* The file to arm calls with, or -1 where the kernel has no fault injection. */
static inline int fail_nth_open(void)
{
	int nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);

	if (nth < 0)
		return -1;
	/* Also what may wait for memory; and no stack trace for each. */
	if (!knob("failslab/ignore-gfp-wait", "N") || !knob("failslab/verbose", "0") ||
	    !knob("fail_page_alloc/ignore-gfp-wait", "N") ||
	    !knob("fail_page_alloc/ignore-gfp-highmem", "N") ||
	    !knob("fail_page_alloc/min-order", "0") ||
	    !knob("fail_page_alloc/verbose", "0") || !knob("fail_usercopy/verbose", "0"))
		zt_die("no debugfs");
	return nth;
}

static inline void arm(int nth, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth, text, len, 0) != len)
		zt_die("fail-nth: %s", strerror(errno));
}

/* Whether something failed. Reading and writing the file are calls that can fail, too. */
static inline bool disarm(int nth)
{
	char text[16] = "";
	bool failed = pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	while (pwrite(nth, "0", 1, 0) != 1)
		;
	return failed;
}

/* --- the bed --- */

static inline void make_bed(struct bed *bed, const struct op *op)
{
	struct zpipe_create_args *p = ZT_ARGS(SEGMENT, CAPACITY, .flags = op->flags);
	struct zpipe_create_args *q = ZT_ARGS(SEGMENT, CAPACITY);

	*bed = (struct bed){ .pool = -1, .epoll = -1, .fd = { -1, -1 }, .kernel = { -1, -1 } };
	bed->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	if (bed->device < 0)
		zt_die("no device");
	if (op->pooled) {
		bed->pool = zt_pool(SEGMENT, 64, 2);
		p->pool_fd = bed->pool;
		q->pool_fd = bed->pool;
	}
	if (zt_pipe_open(&bed->p, p) || zt_pipe_open(&bed->q, q))
		zt_die("no pipe for %s", op->name);
	if (pipe2(bed->kernel, O_CLOEXEC | O_NONBLOCK))
		zt_die("no pipe(2)");
	fcntl(bed->kernel[0], F_SETPIPE_SZ, 1 << 18);
	bed->buffer = malloc(BYTES);
	zt_fill(bed->buffer, 0, BYTES);
	bed->page = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (op->prepare && op->prepare(bed))
		zt_die("%s cannot be prepared", op->name);
}

static inline void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void free_bed(struct bed *bed)
{
	if (bed->has_ring)
		io_uring_queue_exit(&bed->ring);
	if (bed->map)
		munmap(bed->map, bed->length);
	munmap(bed->page, ZT_PAGE);
	free(bed->buffer);
	drop(&bed->fd[0]);
	drop(&bed->fd[1]);
	drop(&bed->kernel[0]);
	drop(&bed->kernel[1]);
	drop(&bed->epoll);
	zt_pipe_close(&bed->p);
	zt_pipe_close(&bed->q);
	drop(&bed->pool);
	drop(&bed->device);
}

static inline void look_at(const struct zt_end *e, __u64 *value)
{
	struct zpipe_stat_args s;

	if (e->fd < 0)
		return;
	s = zt_stat(e);
	*value++ = s.out_granted;
	*value++ = s.out_published;
	*value++ = s.out_examined;
	*value++ = s.out_consumed;
	*value++ = s.out_readers;
	*value++ = s.out_posts;
	*value++ = s.out_preserved_bytes;
	*value++ = s.out_preserved_handles;
	*value++ = s.out_forwarded;
	*value++ = s.out_spare_pages;
	*value++ = s.out_segments_opened - s.out_segments_freed;
}

/* What a call that fails must not change. */
static inline struct snap take_snap(const struct bed *bed)
{
	struct snap snap;

	memset(&snap, 0, sizeof(snap));
	snap.fds = zt_open_fds();
	look_at(bed->p.w.fd >= 0 ? &bed->p.w : &bed->p.r, snap.value);
	look_at(&bed->q.r, snap.value + 12);
	return snap;
}

static inline bool is_honest(int error, bool uring)
{
	return error == ENOMEM || error == EFAULT || (uring && error == EAGAIN);
}

static inline long run(struct bed *bed, const struct op *op, int nth, int n, bool *failed)
{
	long ret;

	if (n)
		arm(nth, n);
	ret = op->run(bed);
	*failed = n && disarm(nth);
	if (op->finish)
		ret = op->finish(bed, ret);
	return ret;
}

/* Goes on after a part was done; whether all of it is. */
static inline bool complete(struct bed *bed, const struct op *op, long ret)
{
	bool failed;

	while (op->partial && ret > 0 && bed->done < BYTES)
		ret = run(bed, op, -1, 0, &failed);
	return ret >= 0;
}

static inline bool complain(const char *name, int n, const char *what, long ret)
{
	printf("# %s, point %d: %s (%ld)\n", name, n, what, ret);
	sum->lost++;
	return true;
}

/* Which of the values that look_at() collects, for a remark. */
static inline long changed(const struct snap *before, const struct snap *after)
{
	size_t i = 0;

	while (before->value[i] == after->value[i])
		i++;
	return i;
}

/* One point of failure: false when the call has no more. */
static inline bool try_point(const struct op *op, int nth, int n)
{
	struct snap before, after;
	struct bed bed;
	bool failed;
	long ret;

	make_bed(&bed, op);
	before = take_snap(&bed);
	ret = run(&bed, op, nth, n, &failed);
	if (failed)
		sum->tried++;
	if (ret < 0 && !failed) {
		complain(op->name, n, "fails by itself", ret);
	} else if (ret < 0) {
		after = take_snap(&bed);
		if (!is_honest(-ret, bed.has_ring))
			complain(op->name, n, "errno", ret);
		if (before.fds != after.fds)
			complain(op->name, n, "open fds changed", after.fds - before.fds);
		if (memcmp(before.value, after.value, sizeof(before.value)))
			complain(op->name, n, "a position or a count changed",
				 changed(&before, &after));
		ret = run(&bed, op, nth, 0, &(bool){ false });
		if (ret < 0)
			complain(op->name, n, "fails again", ret);
	} else if (failed) {
		sum->recovered++;
	}
	if (ret >= 0 && (!complete(&bed, op, ret) || (op->check && !op->check(&bed))))
		complain(op->name, n, "the work is not done", ret);
	free_bed(&bed);
	return failed;
}

static inline void sweep(const struct op *op, int nth)
{
	unsigned long lost = sum->lost, tried = sum->tried;
	int n;

	for (n = 1; n < MOST_POINTS && try_point(op, nth, n) && sum->lost < lost + 5; n++)
		;
	printf("# %s: %lu tried, %lu lost\n", op->name, sum->tried - tried, sum->lost - lost);
}

/* Sweeps a table of calls; whether nothing was lost. */
static inline bool sweep_all(const struct op *ops, size_t nr, int nth)
{
	unsigned long lost = sum->lost;
	size_t i;

	for (i = 0; i < nr; i++)
		sweep(&ops[i], nth);
	return lost == sum->lost;
}

static pid_t first_process;

static void tell_sum(void)
{
	if (getpid() == first_process && sum->tried)
		printf("# fail_nth: %lu tried, %lu lost (%lu succeeded all the same)\n",
		       sum->tried, sum->lost, sum->recovered);
}

/*
 * Without restartable sequences: the kernel writes to a task's area when it was preempted, a write
 * that fails like any other while this is armed, and then the task gets SIGSEGV.
 */
static void leave_rseq(char **argv)
{
	const char *name = "GLIBC_TUNABLES";

	if (getenv(name))
		return;
	setenv(name, "glibc.pthread.rseq=0", 1);
	execv("/proc/self/exe", argv);
	zt_die("cannot start again");
}

__attribute__((constructor)) static void share_sum(int argc, char **argv)
{
	(void)argc;
	leave_rseq(argv);
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED)
		zt_die("no memory");
	first_process = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	atexit(tell_sum);
}

/* --- preparations and checks --- */

static inline int with_bytes(struct bed *bed)
{
	return zt_put(&bed->p.w, BYTES);
}

static inline int with_grant(struct bed *bed)
{
	return zt_alloc(&bed->p.w, 0, BYTES, BYTES, &bed->grant) ?:
	       zt_fill_grant(&bed->p.w, &bed->grant, BYTES);
}

static inline int with_view(struct bed *bed)
{
	return with_bytes(bed) ?: zt_read(&bed->p.r, 1, 0, &bed->view);
}

static inline int with_kept(struct bed *bed)
{
	return with_bytes(bed) ?: zt_preserve(&bed->p.r, 100, 30000, &bed->kept);
}

static inline int with_buffer(struct bed *bed)
{
	int ret = with_kept(bed);

	bed->fd[0] = ret ? -1 : zt_export(&bed->p.r, bed->kept.handle);
	return ret ?: bed->fd[0] < 0;
}

static inline bool stream_is_whole(struct bed *bed)
{
	return !zt_take(&bed->p.r, BYTES);
}

static inline long alloc(struct bed *bed)
{
	return zt_alloc(&bed->p.w, 0, BYTES, BYTES, &bed->grant);
}

static inline bool grant_is_good(struct bed *bed)
{
	return !zt_fill_grant(&bed->p.w, &bed->grant, BYTES) &&
	       !zt_flush(&bed->p.w, BYTES, 0, NULL) && stream_is_whole(bed);
}

/* --- the test: a variant for each table of operations, in the program --- */

FIXTURE(fail_nth)
{
	int nth;
};

FIXTURE_VARIANT(fail_nth)
{
	const struct op *ops;
	size_t nr;
};

FIXTURE_SETUP(fail_nth)
{
	self->nth = fail_nth_open();
	if (self->nth < 0)
		SKIP(return, "no fault injection in this kernel");
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (self->nth >= 0)
		close(self->nth);
}

TEST_F_TIMEOUT(fail_nth, every_failure_is_clean, 1200)
{
	EXPECT_TRUE(sweep_all(variant->ops, variant->nr, self->nth));
}

#endif
