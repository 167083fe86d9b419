// SPDX-License-Identifier: GPL-2.0-only
/*
 * races - what may end or move while somebody uses it: fds, mappings, readers, generations
 *
 * Each test does one thing again and again on one processor while others are in the middle of
 * everything else. Nothing may hang or fail in a way that the contract does not know, and who has
 * done nothing wrong gets every byte.
 *
 * ZPIPE_RACES: rounds of each test (20); ZPIPE_SEED repeats a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(8 * ZT_PAGE)

FIXTURE(races)
{
	struct zt_pipe p;
	struct zt_pipe target;
	__u64 seed;
	__u64 rounds;
	__u64 calls;
	atomic_bool stop;
	int log;
};

FIXTURE_VARIANT(races)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(races, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(races, guarded) { .flags = ZPIPE_F_GUARDED };

FIXTURE_SETUP(races)
{
	self->log = zt_log_mark();
	self->seed = zt_seed();
	self->rounds = getenv("ZPIPE_RACES") ? strtoull(getenv("ZPIPE_RACES"), NULL, 0) : 20;
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(races)
{
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

/* A thread's share. */
struct share {
	FIXTURE_DATA(races) *self;
	__u64 seed;
	__u64 calls;
	pthread_t thread;
};

static void called(struct share *me, const char *what, int ret)
{
	static const int contract[] = { 0, EINVAL, EAGAIN, EBUSY, EPROTO, EPIPE, ENOBUFS, EMSGSIZE,
					ETIMEDOUT, ESHUTDOWN, EINTR, ECANCELED, ECONNRESET, ENOENT,
					EBADF, EFAULT, ESTALE, EIO };
	size_t k;

	me->calls++;
	for (k = 0; k < sizeof(contract) / sizeof(*contract); k++)
		if (-ret == contract[k])
			return;
	zt_die("%s: %s", what, strerror(-ret));
}

static int raw(int fd, unsigned long cmd, void *args)
{
	return ioctl(fd, cmd, args) ? -errno : 0;
}

/* Any call of the writer. Where the words may be gone they are not looked at. */
static void *use_writer(void *arg)
{
	struct share *me = arg;
	int fd = me->self->p.w.fd;

	while (!atomic_load(&me->self->stop)) {
		struct zpipe_info_args info = { .flags = 0 };
		struct zpipe_alloc_args grant = { .min = 1 + zt_random(&me->seed) % 9000 };
		struct zpipe_flush_args f = { .flags = zt_random(&me->seed) % 8 };
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		called(me, "INFO", raw(fd, ZPIPE_IOC_INFO, &info));
		grant.position = info.out_published;
		grant.deadline = zt_deadline(1);
		called(me, "ALLOC", raw(fd, ZPIPE_IOC_ALLOC, &grant));
		f.position = info.out_published + grant.out_length;
		f.deadline = zt_deadline(1);
		called(me, "FLUSH", raw(fd, ZPIPE_IOC_FLUSH, &f));
		poll(&pfd, 1, 1);
		called(me, "write", write(fd, "x", 1) < 0 ? -errno : 0);
	}
	return NULL;
}

static void *use_reader(void *arg)
{
	struct share *me = arg;
	int fd = me->self->p.r.fd;
	char buffer[500];

	while (!atomic_load(&me->self->stop)) {
		struct zpipe_read_args args = { .min = zt_random(&me->seed) % 100 };
		struct zpipe_advance_args adv = { .consumed = ZPIPE_KEEP,
						  .examined = ZPIPE_KEEP };
		struct zpipe_preserve_args keep = { .length = 10 };
		struct zpipe_release_args release = { .handle = 0 };
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		args.deadline = zt_deadline(1);
		called(me, "READ", raw(fd, ZPIPE_IOC_READ, &args));
		keep.position = args.out_start;
		if (!(me->self->p.r.info.out_flags & ZPIPE_F_GUARDED) &&
		    !raw(fd, ZPIPE_IOC_PRESERVE, &keep)) {
			release.handle = keep.out_handle;
			called(me, "RELEASE", raw(fd, ZPIPE_IOC_RELEASE, &release));
		}
		adv.consumed = args.out_end;
		called(me, "ADVANCE", raw(fd, ZPIPE_IOC_ADVANCE, &adv));
		poll(&pfd, 1, 1);
		called(me, "read", read(fd, buffer, sizeof(buffer)) < 0 ? -errno : 0);
	}
	return NULL;
}

static void start_users(FIXTURE_DATA(races) *self, struct share *shares)
{
	int k;

	atomic_store(&self->stop, false);
	for (k = 0; k < 4; k++) {
		shares[k] = (struct share){ .self = self, .seed = zt_random(&self->seed) };
		zt_spawn(&shares[k].thread, k % 2 ? use_reader : use_writer, &shares[k]);
	}
}

static void stop_users(FIXTURE_DATA(races) *self, struct share *shares)
{
	int k;

	atomic_store(&self->stop, true);
	for (k = 0; k < 4; k++) {
		zt_join(shares[k].thread);
		self->calls += shares[k].calls;
	}
}

static int open_pipe(struct zt_pipe *p, __u32 flags)
{
	return zt_pipe_open(p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = flags | ZPIPE_F_NONBLOCK));
}

TEST_F_TIMEOUT(races, ends_close_while_they_are_used, 100000)
{
	struct share shares[4];
	__u64 round;

	for (round = 0; round < self->rounds; round++) {
		int first = zt_random(&self->seed) % 2, fds[2];

		ASSERT_EQ(0, open_pipe(&self->p, variant->flags));
		fds[0] = self->p.w.fd;
		fds[1] = self->p.r.fd;
		start_users(self, shares);
		usleep(zt_random(&self->seed) % 3000);
		close(fds[first]);
		usleep(zt_random(&self->seed) % 1000);
		close(fds[1 - first]);
		usleep(zt_random(&self->seed) % 500);
		stop_users(self, shares);
		self->p.w.fd = -1;
		self->p.r.fd = -1;
		zt_pipe_close(&self->p);
	}
	TH_LOG("races: close: %llu tried, 0 lost, %llu calls", (unsigned long long)round,
	       (unsigned long long)self->calls);
}

TEST_F_TIMEOUT(races, generations_pass_under_stale_users, 100000)
{
	struct share shares[4];
	__u64 round, passed = 0;

	ASSERT_EQ(0, open_pipe(&self->p, variant->flags));
	start_users(self, shares);
	for (round = 0; round < 10 * self->rounds; round++) {
		usleep(zt_random(&self->seed) % 500);
		zt_complete(&self->p.w, zt_random(&self->seed) % 2 ? EIO : 0, 0, 0);
		zt_complete(&self->p.r, 0, 0, 0);
		passed += !zt_reset(&self->p.w, NULL);
	}
	stop_users(self, shares);
	/* It is as good as new. */
	zt_complete(&self->p.w, 0, 0, 0);
	zt_complete(&self->p.r, 0, 0, 0);
	ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	EXPECT_LT(0, passed);
	EXPECT_EQ(0, zt_put(&self->p.w, 10000));
	EXPECT_EQ(0, zt_take(&self->p.r, 10000));
	TH_LOG("races: reset: %llu tried, 0 lost, %llu calls", (unsigned long long)passed,
	       (unsigned long long)self->calls);
	zt_pipe_close(&self->p);
}

/* Bytes go through until told otherwise; any wrong one is fatal in zt_take(). */
static void *run_stream(void *arg)
{
	struct share *me = arg;
	struct zt_pipe *p = &me->self->p;

	while (!atomic_load(&me->self->stop)) {
		__u64 length = 1 + zt_random(&me->seed) % 12000;

		if (zt_put(&p->w, length) || zt_take(&p->r, length))
			zt_die("the stream breaks");
		me->calls++;
	}
	return NULL;
}

TEST_F_TIMEOUT(races, mappings_come_and_go_under_a_stream, 100000)
{
	struct share me = { .self = self, .seed = zt_random(&self->seed) };
	__u64 round, forks = 0, lost = 0;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY, .flags = variant->flags)));
	zt_spawn(&me.thread, run_stream, &me);
	for (round = 0; round < 5 * self->rounds; round++) {
		struct zt_end *e = round % 2 ? &self->p.w : &self->p.r;
		size_t window = e->info.out_window;
		unsigned char *at = mmap(NULL, window, PROT_READ, MAP_SHARED, e->fd,
					 e->info.out_data.offset);
		size_t k;

		ASSERT_NE(MAP_FAILED, at);
		for (k = 0; k < 16; k++)
			zt_peek(at + zt_random(&self->seed) % window);
		if (round % 16 == 0) {
			pid_t child = fork();

			if (!child) {
				for (k = 0; k < 16; k++)
					zt_peek(at + zt_random(&self->seed) % window);
				_exit(0);
			}
			forks++;
			lost += !!zt_wait_child(child);
		}
		munmap(at, window);
	}
	atomic_store(&self->stop, true);
	zt_join(me.thread);
	EXPECT_LT(0, me.calls);
	EXPECT_EQ(0, lost);
	TH_LOG("races: mappings: %llu tried, %llu lost, %llu forks, %llu messages",
	       (unsigned long long)round, (unsigned long long)lost, (unsigned long long)forks,
	       (unsigned long long)me.calls);
	zt_pipe_close(&self->p);
}

/* A reader of its own that looks at everything, until it is killed. */
static pid_t start_tee(struct zt_pipe *p)
{
	struct zpipe_tee_args args = { .flags = 0 };
	pid_t pid;

	if (zt_tee(p->r.fd, 0, &args))
		return -1;
	pid = fork();
	if (pid) {
		close(args.out_fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct zt_end r;

	if (zt_end_map(&r, args.out_fd))
		_exit(1);
	/* Else only the original would count. */
	for (;;) {
		struct zt_view view;

		int ret = zt_read(&r, 1, 0, &view);

		if (ret == -EAGAIN)
			continue;
		if (ret)
			_exit(2);
		zt_check_view(&r, &view);
		if (zt_advance(&r, view.args.out_end, view.args.out_end))
			_exit(3);
	}
}

TEST_F_TIMEOUT(races, readers_by_tee_are_killed_under_a_stream, 100000)
{
	__u64 round, lost = 0;

	if (variant->flags & ZPIPE_F_GUARDED)
		SKIP(return, "the children inherit no view of their own");
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
	for (round = 0; round < self->rounds; round++) {
		pid_t child = start_tee(&self->p);
		__u64 length;

		ASSERT_LT(0, child);
		/* It stops where the child does not read, as long as that lives. */
		length = 1 + zt_random(&self->seed) % 6000;
		ASSERT_EQ(0, zt_put(&self->p.w, length));
		ASSERT_EQ(0, zt_take(&self->p.r, length));
		usleep(zt_random(&self->seed) % 1500);
		kill(child, SIGKILL);
		lost += zt_wait_child(child) != 128 + SIGKILL;
		ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY / 2));
		ASSERT_EQ(0, zt_take(&self->p.r, CAPACITY / 2));
	}
	EXPECT_EQ(0, lost);
	TH_LOG("races: tee: %llu tried, %llu lost", (unsigned long long)round,
	       (unsigned long long)lost);
	zt_pipe_close(&self->p);
}

/* The source's reader goes while its bytes are being forwarded. */
static void *close_source(void *arg)
{
	struct share *me = arg;

	usleep(zt_random(&me->seed) % 400);
	close(me->self->p.r.fd);
	return NULL;
}

TEST_F_TIMEOUT(races, source_of_a_forward_dies_meanwhile, 100000)
{
	__u64 round, forwarded = 0;

	if (variant->flags & ZPIPE_F_GUARDED)
		SKIP(return, "guarded pipes forward nothing");
	for (round = 0; round < self->rounds; round++) {
		struct share me = { .self = self, .seed = zt_random(&self->seed) };
		__u64 at = 0;

		ASSERT_EQ(0, open_pipe(&self->p, 0));
		ASSERT_EQ(0, open_pipe(&self->target, 0));
		ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY));
		zt_spawn(&me.thread, close_source, &me);
		while (at < CAPACITY) {
			int ret = zt_forward(&self->target.w, &self->p.r, at, 512, at, NULL);

			if (ret)
				break;
			at += 512;
		}
		zt_join(me.thread);
		self->p.r.fd = -1;
		if (at) {
			ASSERT_EQ(0, zt_flush(&self->target.w, at, 0, NULL));
			ASSERT_EQ(0, zt_take(&self->target.r, at));
		}
		forwarded += at;
		zt_pipe_close(&self->p);
		zt_pipe_close(&self->target);
	}
	TH_LOG("races: forward: %llu tried, 0 lost, %llu bytes", (unsigned long long)round,
	       (unsigned long long)forwarded);
}

/* Two calls at once, the second one a little later or earlier. */
struct pair {
	void (*second)(struct pair *pair);
	struct zt_pipe p;
	unsigned int delay;
	atomic_int there;
	int ret;
};

static void together(struct pair *pair)
{
	atomic_fetch_add(&pair->there, 1);
	while (atomic_load(&pair->there) < 2)
		;
}

static void *run_second(void *arg)
{
	struct pair *pair = arg;
	unsigned int i;

	together(pair);
	for (i = 0; i < pair->delay; i++)
		__asm__ volatile("pause");
	pair->second(pair);
	return NULL;
}

static void leave(struct pair *pair)
{
	struct zpipe_complete_args args = { .flags = 0 };

	pair->ret = raw(pair->p.r.fd, ZPIPE_IOC_COMPLETE, &args);
}

static void finish(struct pair *pair)
{
	struct zpipe_flush_args args = { .flags = ZPIPE_FLUSH_F_FINISH };

	pair->ret = raw(pair->p.w.fd, ZPIPE_IOC_FLUSH, &args);
}

/* Two buffers are posted, with the cookies 1 and 2, a page each. */
static int open_posted(struct pair *pair)
{
	struct zpipe_post_args post = { .cookie = 1, .length = ZT_PAGE };
	int ret = open_pipe(&pair->p, ZPIPE_F_POSTED);

	if (!ret)
		ret = raw(pair->p.r.fd, ZPIPE_IOC_POST, &post);
	post.cookie = 2;
	post.offset = ZT_PAGE;
	return ret ?: raw(pair->p.r.fd, ZPIPE_IOC_POST, &post);
}

/* How far apart the two are: mostly nearly at once. */
static unsigned int random_delay(__u64 *seed)
{
	return zt_random(seed) % (1U << zt_random(seed) % 12);
}

/* The writer found a buffer, and it was gone with the reader: NULL was dereferenced. */
TEST_F_TIMEOUT(races, reader_leaves_with_what_it_has_posted, 100000)
{
	__u64 round;

	if (variant->flags)
		SKIP(return, "posted buffers and guarded pages exclude each other");
	for (round = 0; round < self->rounds * 10; round++) {
		struct pair pair = { .second = leave, .delay = random_delay(&self->seed) };
		pthread_t other;
		ssize_t ret;

		ASSERT_EQ(0, open_posted(&pair));
		zt_spawn(&other, run_second, &pair);
		together(&pair);
		ret = write(pair.p.w.fd, "0123456789", 10);
		ASSERT_TRUE(ret == 10 || (ret < 0 && errno == EPIPE));
		zt_join(other);
		ASSERT_EQ(0, pair.ret);
		ASSERT_EQ(-1, write(pair.p.w.fd, "x", 1));
		ASSERT_EQ(EPIPE, errno);
		zt_pipe_close(&pair.p);
	}
	TH_LOG("races: posted, left: %llu tried, 0 lost", (unsigned long long)round);
}

/* What FINISH has given back to the reader is not what ALLOC hands out. */
TEST_F_TIMEOUT(races, finished_buffer_is_not_granted, 100000)
{
	__u64 round;

	if (variant->flags)
		SKIP(return, "posted buffers and guarded pages exclude each other");
	for (round = 0; round < self->rounds * 10; round++) {
		struct pair pair = { .second = finish, .delay = random_delay(&self->seed) };
		struct zpipe_alloc_args grant = { .min = 10 };
		struct zpipe_flush_args f = { .position = 10 };
		struct zpipe_unpost_args out = { .flags = 0 };
		pthread_t other;

		ASSERT_EQ(0, open_posted(&pair));
		zt_spawn(&other, run_second, &pair);
		together(&pair);
		ASSERT_EQ(0, raw(pair.p.w.fd, ZPIPE_IOC_ALLOC, &grant));
		zt_join(other);
		ASSERT_EQ(0, pair.ret);
		/* Nothing of the first buffer is used, whoever came first. */
		ASSERT_EQ(0, raw(pair.p.r.fd, ZPIPE_IOC_UNPOST, &out));
		ASSERT_EQ(1, out.out_cookie);
		ASSERT_EQ(0, out.out_count);
		/* The grant is gone with it, or is in the second. */
		zt_fill(pair.p.w.data + grant.out_offset, 0, 10);
		if (raw(pair.p.w.fd, ZPIPE_IOC_FLUSH, &f)) {
			ASSERT_EQ(0, grant.out_offset);
		} else {
			ASSERT_EQ(0, raw(pair.p.r.fd, ZPIPE_IOC_UNPOST, &out));
			ASSERT_EQ(2, out.out_cookie);
			ASSERT_EQ(10, out.out_count);
			ASSERT_EQ(-1, zt_mismatch(pair.p.r.data + out.out_offset, 0, 10));
		}
		zt_pipe_close(&pair.p);
	}
	TH_LOG("races: posted, finished: %llu tried, 0 lost", (unsigned long long)round);
}

TEST_HARNESS_MAIN
