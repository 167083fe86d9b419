// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifetime - either side is killed at any moment: what was published is delivered, byte for byte
 *
 * Death without a last close too: a supervisor holds the fd, and the cursors a process stored in
 * its last instant must still wake the peer.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(8 * ZT_PAGE)

FIXTURE(lifetime)
{
	struct zpipe_create_args args;
	__u64 *progress;
	__u64 seed;
	int rounds;
};

/* The pipe of each round is opened by the test; nothing is mapped before the fork. */
FIXTURE_SETUP(lifetime)
{
	self->args = *ZT_ARGS(ZT_PAGE, CAPACITY);
	self->progress = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	ASSERT_NE(MAP_FAILED, self->progress);
	self->seed = zt_seed();
	self->rounds = zt_long() ? 2000 : 60;
}

FIXTURE_TEARDOWN(lifetime)
{
}

/* Publishes for ever; stores how far, after each publication that a call or a store finished. */
static void write_for_ever(int fd, __u64 *progress, bool mapped, __u64 seed)
{
	struct zt_end w;
	__u64 at;

	if (zt_end_map(&w, fd))
		_exit(1);
	at = zt_published(&w);
	for (;;) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1,
						  .want = 1 + zt_random(&seed) % 6000 };
		struct zpipe_flush_args flush = { .flags = 0 };

		if (zt_ioctl(fd, ZPIPE_IOC_ALLOC, &grant))
			_exit(2);
		zt_fill_grant(&w, &grant, grant.out_length);
		at += grant.out_length;
		if (mapped) {
			zt_store_published(&w, at);
			zt_mb();
		}
		flush.position = at;
		if (!mapped || zt_reader_wake(&w) <= at)
			if (zt_ioctl(fd, ZPIPE_IOC_FLUSH, &flush))
				_exit(3);
		__atomic_store_n(progress, at, __ATOMIC_SEQ_CST);
	}
}

/* Consumes for ever by calls; stores how far it gave memory back. */
static void read_for_ever(int fd, __u64 *progress, bool mapped)
{
	struct zt_end r;

	if (zt_end_map(&r, fd))
		_exit(1);
	for (;;) {
		struct zt_view v = { .args = { .nr_spans = ZT_SPANS,
					       .flags = mapped ? ZPIPE_READ_F_SHARED : 0 } };
		struct zpipe_advance_args adv = { .flags = mapped ? ZPIPE_ADVANCE_F_SHARED : 0 };
		__u64 to;

		v.args.spans = (uintptr_t)v.spans;
		if (zt_ioctl(fd, ZPIPE_IOC_READ, &v.args))
			_exit(2);
		zt_check_view(&r, &v);
		to = v.args.out_start + (v.args.out_end - v.args.out_start + 1) / 2;
		adv.consumed = to;
		adv.examined = to;
		if (mapped) {
			adv.consumed = ZPIPE_KEEP;
			adv.examined = ZPIPE_KEEP;
			zt_store_examined(&r, to);
			zt_store_consumed(&r, to);
			zt_mb();
		}
		if (!mapped || zt_wake_consumed(&r) <= to || zt_wake_examined(&r) <= to)
			if (zt_ioctl(fd, ZPIPE_IOC_ADVANCE, &adv))
				_exit(3);
		__atomic_store_n(progress, to, __ATOMIC_SEQ_CST);
	}
}

static void nap(__u64 *seed, unsigned int max_us)
{
	usleep(zt_random(seed) % max_us);
}

/* Reads to the end of an aborted stream, comparing; where it ended. */
static __u64 drain(struct zt_end *r)
{
	for (;;) {
		struct zt_view v = { .args = { .nr_spans = ZT_SPANS,
					       .deadline = zt_deadline(ZT_PATIENCE_MS) } };
		int ret;

		v.args.spans = (uintptr_t)v.spans;
		ret = zt_ioctl(r->fd, ZPIPE_IOC_READ, &v.args);
		if (ret == -ECONNRESET)
			return zt_consumed(r);
		if (ret)
			zt_die("READ: %s", strerror(-ret));
		zt_check_view(r, &v);
		ret = zt_advance(r, v.args.out_end, v.args.out_end);
		if (ret && ret != -EPROTO)
			zt_die("ADVANCE: %s", strerror(-ret));
	}
}

static void kill_the_writer(FIXTURE_DATA(lifetime) *self, bool mapped)
{
	struct zpipe_create_args args = self->args;
	struct zt_end r;
	__u64 end, told;
	pid_t child;

	*self->progress = 0;
	if (zt_create(&args))
		zt_die("CREATE");
	child = fork();
	if (!child) {
		close(args.out_reader_fd);
		write_for_ever(args.out_writer_fd, self->progress, mapped, self->seed);
	}
	close(args.out_writer_fd);
	if (zt_end_map(&r, args.out_reader_fd))
		zt_die("map");
	while (!__atomic_load_n(self->progress, __ATOMIC_SEQ_CST))
		zt_sleep_ms(1);
	while (zt_random(&self->seed) % 4)
		zt_take(&r, 1 + zt_random(&self->seed) % 3000);
	nap(&self->seed, 3000);
	kill(child, SIGKILL);
	if (zt_wait_child(child) != 128 + SIGKILL)
		zt_die("the writer ended by itself");
	told = *self->progress;
	end = drain(&r);
	if (end < told)
		zt_die("published to %llu, delivered to %llu", (unsigned long long)told,
		       (unsigned long long)end);
	zt_end_close(&r);
}

TEST_F_TIMEOUT(lifetime, killed_writer_by_calls_loses_nothing_published, 120)
{
	int i;

	for (i = 0; i < self->rounds; i++)
		kill_the_writer(self, false);
}

TEST_F_TIMEOUT(lifetime, killed_mapped_writer_loses_nothing_published, 120)
{
	int i;

	for (i = 0; i < self->rounds; i++)
		kill_the_writer(self, true);
}

/* The writer goes on until told that the reader has finished, and is never stuck. */
static void kill_the_reader(FIXTURE_DATA(lifetime) *self, bool mapped)
{
	struct zpipe_create_args args = self->args;
	__u64 at = 0, stop;
	struct zt_end w;
	bool killed = false;
	pid_t child;

	*self->progress = 0;
	if (zt_create(&args))
		zt_die("CREATE");
	child = fork();
	if (!child) {
		close(args.out_writer_fd);
		read_for_ever(args.out_reader_fd, self->progress, mapped);
	}
	close(args.out_reader_fd);
	if (zt_end_map(&w, args.out_writer_fd))
		zt_die("map");
	stop = 1 + zt_random(&self->seed) % (4 * CAPACITY);
	for (;;) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1,
						  .want = 1 + zt_random(&self->seed) % 3000,
						  .deadline = zt_deadline(ZT_PATIENCE_MS) };
		struct zpipe_flush_args flush = { .deadline = grant.deadline };

		if (!killed && at > stop) {
			kill(child, SIGKILL);
			killed = true;
		}
		if (zt_ioctl(w.fd, ZPIPE_IOC_ALLOC, &grant))
			zt_die("the writer is stuck in ALLOC");
		zt_fill_grant(&w, &grant, grant.out_length);
		at += grant.out_length;
		flush.position = at;
		if (zt_ioctl(w.fd, ZPIPE_IOC_FLUSH, &flush))
			zt_die("the writer is stuck in FLUSH");
		if (flush.out_flags & ZPIPE_RES_COMPLETED)
			break;
	}
	if (zt_wait_child(child) != 128 + SIGKILL)
		zt_die("the reader ended by itself");
	zt_end_close(&w);
}

TEST_F_TIMEOUT(lifetime, killed_reader_by_calls_frees_the_writer, 120)
{
	int i;

	for (i = 0; i < self->rounds; i++)
		kill_the_reader(self, false);
}

TEST_F_TIMEOUT(lifetime, killed_mapped_reader_frees_the_writer, 120)
{
	int i;

	for (i = 0; i < self->rounds; i++)
		kill_the_reader(self, true);
}

/* Both are killed; the parent holds both fds and still finds a consistent pipe. */
TEST_F_TIMEOUT(lifetime, both_killed_leaves_a_consistent_pipe, 120)
{
	int i;

	for (i = 0; i < self->rounds; i++) {
		pid_t w, r;
		struct zpipe_stat_args s;
		struct zt_pipe p;
		__u64 n;

		ASSERT_EQ(0, zt_pipe_open(&p, &self->args));
		self->progress[0] = 0;
		self->progress[1] = 0;
		w = fork();
		if (!w)
			write_for_ever(p.w.fd, &self->progress[0], i & 1, self->seed);
		r = fork();
		if (!r)
			read_for_ever(p.r.fd, &self->progress[1], i & 2);
		nap(&self->seed, 5000);
		kill(i & 4 ? w : r, SIGKILL);
		nap(&self->seed, 1000);
		kill(i & 4 ? r : w, SIGKILL);
		zt_wait_child(w);
		zt_wait_child(r);
		s = zt_stat(&p.w);
		ASSERT_LE(s.out_consumed, s.out_examined);
		ASSERT_LE(s.out_examined, s.out_published);
		ASSERT_LE(s.out_published, s.out_granted);
		ASSERT_LE(self->progress[0], s.out_published);
		ASSERT_LE(self->progress[1], s.out_consumed);
		/* The killed reader may have left a READ outstanding. */
		zt_advance(&p.r, ZPIPE_KEEP, ZPIPE_KEEP);
		n = s.out_published - s.out_consumed;
		if (n && s.out_published > s.out_examined) {
			ASSERT_EQ(0, zt_take(&p.r, n));
		}
		zt_pipe_close(&p);
	}
}

TEST_HARNESS_MAIN
