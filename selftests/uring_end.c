// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring_end - how io_uring commands that wait come to an end, each exactly once
 *
 * Deadlines, cancels, peers and rings that end, tasks that exit. What is left must be a pipe that
 * works on, with nothing busy.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "zpipe_uring.h"

#define SIZE	(4 * ZT_PAGE)

FIXTURE(uring_end)
{
	struct zt_pipe p;
	struct io_uring ring;
	bool gone;
	struct zt_view view;
	struct zpipe_read_args read;
	struct zpipe_alloc_args alloc;
	struct zpipe_flush_args flush;
};

FIXTURE_VARIANT(uring_end)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring_end, plain) { .flags = ZU_PLAIN };
FIXTURE_VARIANT_ADD(uring_end, defer) { .flags = ZU_DEFER };
FIXTURE_VARIANT_ADD(uring_end, sqpoll) { .flags = ZU_SQPOLL };

FIXTURE_SETUP(uring_end)
{
	if (zu_open(&self->ring, variant->flags))
		SKIP(return, "no such io_uring");
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, SIZE)));
	self->read.min = 1;
	self->alloc.min = 1;
	self->alloc.position = SIZE;
	self->flush.position = SIZE;
	self->flush.flags = ZPIPE_FLUSH_F_WAIT_EXAMINED;
}

FIXTURE_TEARDOWN(uring_end)
{
	zt_pipe_close(&self->p);
	if (!self->gone)
		io_uring_queue_exit(&self->ring);
}

static void start_read(FIXTURE_DATA(uring_end) *self)
{
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	zt_await_reader(&self->p.w);
}

/* On a full pipe. */
static void start_alloc(FIXTURE_DATA(uring_end) *self)
{
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->alloc);
	zt_await_starved(&self->p.r);
}

static void start_flush(FIXTURE_DATA(uring_end) *self)
{
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &self->flush);
	zt_await_paused(&self->p.r);
}

static bool is_idle(void *arg)
{
	struct zpipe_read_args read = { .min = 1, .flags = ZPIPE_READ_F_NOWAIT |
							   ZPIPE_READ_F_SHARED };
	struct zpipe_alloc_args alloc = { .position = SIZE, .flags = ZPIPE_ALLOC_F_NOWAIT };
	struct zpipe_flush_args flush = { .position = 0, .flags = ZPIPE_FLUSH_F_NOWAKE };
	struct zt_pipe *p = arg;

	return zt_ioctl(p->r.fd, ZPIPE_IOC_READ, &read) != -EBUSY &&
	       zt_ioctl(p->w.fd, ZPIPE_IOC_ALLOC, &alloc) != -EBUSY &&
	       zt_ioctl(p->w.fd, ZPIPE_IOC_FLUSH, &flush) != -EBUSY;
}

/* Nothing is outstanding, soon, and a byte still finds its way. */
static bool works_on(struct zt_pipe *p)
{
	__u64 held = zt_published(&p->r) - zt_consumed(&p->w);

	if (!zt_eventually(is_idle, p))
		return false;
	return (!held || !zt_take(&p->r, held)) && !zt_put(&p->w, 100) && !zt_take(&p->r, 100);
}

TEST_F(uring_end, deadline_ends_each_verb)
{
	self->read.deadline = zt_deadline(30);
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	EXPECT_EQ(-ETIMEDOUT, zu_result(&self->ring, &self->read));
	EXPECT_LE(self->read.deadline, zt_now());
	EXPECT_EQ(ZPIPE_UNARMED, zt_reader_wake(&self->p.w));

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	self->alloc.deadline = zt_deadline(30);
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC, &self->alloc);
	EXPECT_EQ(-ETIMEDOUT, zu_result(&self->ring, &self->alloc));
	EXPECT_LE(self->alloc.deadline, zt_now());
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_consumed(&self->p.r));

	self->flush.deadline = zt_deadline(30);
	zu_submit(&self->ring, self->p.w.fd, ZPIPE_IOC_FLUSH, &self->flush);
	EXPECT_EQ(-ETIMEDOUT, zu_result(&self->ring, &self->flush));
	EXPECT_LE(self->flush.deadline, zt_now());
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_examined(&self->p.r));
	EXPECT_TRUE(works_on(&self->p));
}

TEST_F(uring_end, deadline_in_the_past_still_looks_once)
{
	self->read.deadline = 1;
	EXPECT_EQ(-ETIMEDOUT, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read));
	EXPECT_EQ(10, self->read.out_end);
}

TEST_F(uring_end, deadline_that_never_comes_does_no_harm)
{
	self->read.deadline = ~0ULL;
	start_read(self);
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
}

TEST_F(uring_end, cancel_ends_each_verb_without_an_error)
{
	start_read(self);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->read.out_flags);

	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	start_alloc(self);
	ASSERT_EQ(0, zt_cancel(&self->p.r, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zu_result(&self->ring, &self->alloc));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->alloc.out_flags);
	EXPECT_EQ(0, self->alloc.out_length);

	start_flush(self);
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_FLUSH));
	EXPECT_EQ(0, zu_result(&self->ring, &self->flush));
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->flush.out_flags);
	EXPECT_TRUE(works_on(&self->p));
}

TEST_F(uring_end, cancel_is_a_command_too)
{
	struct zpipe_cancel_args cancel = { .what = ZPIPE_CANCEL_READ };
	void *first, *second;

	start_read(self);
	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_CANCEL, &cancel);
	EXPECT_EQ(0, zu_any(&self->ring, &first));
	EXPECT_EQ(0, zu_any(&self->ring, &second));
	EXPECT_TRUE(first != second);
	EXPECT_EQ(ZPIPE_RES_CANCELED, self->read.out_flags);
}

TEST_F(uring_end, writer_that_completes_ends_a_read)
{
	start_read(self);
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->read.out_flags);
}

TEST_F(uring_end, writer_that_dies_ends_a_read)
{
	struct zpipe_alloc_args grant;

	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 1, 1, &grant));
	start_read(self);
	zt_end_close(&self->p.w);
	EXPECT_EQ(-ECONNRESET, zu_result(&self->ring, &self->read));
}

TEST_F(uring_end, reader_that_goes_ends_alloc_and_flush)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	start_alloc(self);
	start_flush(self);
	zt_end_close(&self->p.r);
	EXPECT_EQ(0, zu_any(&self->ring, NULL));
	EXPECT_EQ(0, zu_any(&self->ring, NULL));
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->alloc.out_flags);
	EXPECT_EQ(ZPIPE_RES_COMPLETED, self->flush.out_flags);
}

TEST_F(uring_end, own_end_that_completes_ends_its_command)
{
	start_read(self);
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, zu_result(&self->ring, &self->read));
}

/* Among them those with which a driver speaks to io_uring. */
TEST_F(uring_end, peers_errno_is_delivered_whatever_it_is)
{
	static const int errors[] = { EIO, EAGAIN, ECANCELED, ETIMEDOUT, 529, 530, 4095 };
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		start_read(self);
		ASSERT_EQ(0, zt_complete(&self->p.w, errors[i], 0, 0));
		EXPECT_EQ(-errors[i], zu_result(&self->ring, &self->read));
		EXPECT_EQ(-errors[i], zu_call(&self->ring, self->p.r.fd, ZPIPE_IOC_READ,
					      &self->read));
		ASSERT_EQ(0, zt_complete(&self->p.r, errors[i], 0, 0));
		ASSERT_EQ(0, zt_reset(&self->p.r, NULL));

		ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
		self->alloc.position = zt_published(&self->p.w);
		self->flush.position = self->alloc.position;
		start_alloc(self);
		start_flush(self);
		ASSERT_EQ(0, zt_complete(&self->p.r, errors[i], 0, 0));
		EXPECT_EQ(-errors[i], zu_any(&self->ring, NULL));
		EXPECT_EQ(-errors[i], zu_any(&self->ring, NULL));
		EXPECT_EQ(-errors[i], zu_call(&self->ring, self->p.w.fd, ZPIPE_IOC_ALLOC,
					      &self->alloc));
		ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
		ASSERT_EQ(0, zt_reset(&self->p.r, NULL));
	}
}

/* It holds its end like a call that sleeps. */
TEST_F(uring_end, closing_the_fd_does_not_end_its_command)
{
	start_read(self);
	zt_end_close(&self->p.r);
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
	EXPECT_EQ(10, self->read.out_end);
}

TEST_F(uring_end, ring_that_exits_leaves_nothing_behind)
{
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 0, 0));
	start_alloc(self);
	self->flush.deadline = zt_deadline(3600000);
	start_flush(self);
	io_uring_queue_exit(&self->ring);
	self->gone = true;
	ASSERT_TRUE(works_on(&self->p));
	EXPECT_EQ(ZPIPE_UNARMED, zt_wake_examined(&self->p.r));

	ASSERT_EQ(0, zu_open(&self->ring, variant->flags));
	self->gone = false;
	start_read(self);
	io_uring_queue_exit(&self->ring);
	self->gone = true;
	EXPECT_TRUE(works_on(&self->p));
}

static void *submit_and_exit(void *arg)
{
	FIXTURE_DATA(uring_end) *self = arg;

	zu_submit(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
	zt_await_reader(&self->p.w);
	return NULL;
}

TEST_F(uring_end, command_of_a_thread_that_has_exited_is_canceled)
{
	pthread_t thread;
	int ret;

	if (variant->flags)
		SKIP(return, "the ring has a task of its own");
	zt_spawn(&thread, submit_and_exit, self);
	zt_join(thread);
	/* Without a thread of its own it is found out when it would look again. */
	if (zu_parks())
		ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ret = zu_result(&self->ring, &self->read);
	EXPECT_TRUE(ret == -ECANCELED || (!zu_parks() && ret == -EINTR));
	EXPECT_TRUE(works_on(&self->p));
}

TEST_F(uring_end, process_that_is_killed_leaves_nothing_behind)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct io_uring ring;

		if (zu_open(&ring, variant->flags))
			_exit(1);
		zu_submit(&ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
		for (;;)
			zu_waits(&ring);
	}
	zt_await_reader(&self->p.w);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	EXPECT_TRUE(works_on(&self->p));
}

TEST_F(uring_end, process_that_executes_another_program_leaves_nothing_behind)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct io_uring ring;

		if (zu_open(&ring, variant->flags))
			_exit(1);
		zu_submit(&ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read);
		zt_await_reader(&self->p.w);
		execl("/bin/true", "true", NULL);
		_exit(2);
	}
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_TRUE(works_on(&self->p));
}

TEST_F(uring_end, child_that_exits_does_not_disturb_its_parents_commands)
{
	pid_t child;

	start_read(self);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(0);
	ASSERT_EQ(0, zt_wait_child(child));
	EXPECT_TRUE(zu_waits(&self->ring));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
}

/* In a worker it is io_uring that cancels, on every kernel. */
TEST_F(uring_end, async_cancel_ends_a_command_in_a_worker)
{
	struct io_uring_sqe *sqe;
	void *data;
	int ret, i;

	zu_prep(&self->ring, self->p.r.fd, ZPIPE_IOC_READ, &self->read)->flags |= IOSQE_ASYNC;
	zu_go(&self->ring);
	zt_await_reader(&self->p.w);
	EXPECT_EQ(1, zu_workers());
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_cancel(sqe, &self->read, 0);
	sqe->user_data = 1;
	zu_go(&self->ring);
	for (i = 0; i < 2; i++) {
		ret = zu_any(&self->ring, &data);
		if (data == &self->read) {
			EXPECT_EQ(-EINTR, ret);
		} else {
			EXPECT_TRUE(ret == 0 || ret == -EALREADY);
		}
	}
	EXPECT_TRUE(works_on(&self->p));
}

/* There io_uring has no way to reach it: the header says so, and what to use. */
TEST_F(uring_end, async_cancel_does_not_reach_a_command_without_a_thread)
{
	struct io_uring_sqe *sqe;

	if (!zu_parks())
		SKIP(return, "commands that wait have a thread on this kernel");
	start_read(self);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_cancel(sqe, &self->read, 0);
	sqe->user_data = 1;
	zu_go(&self->ring);
	EXPECT_EQ(-ENOENT, zu_result(&self->ring, (void *)1));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zu_result(&self->ring, &self->read));
}

struct peer {
	struct zt_pipe *p;
	__u64 seed;
	atomic_bool stop;
};

/* Bytes, cancels and thresholds at random moments. */
static void *disturb(void *arg)
{
	struct peer *peer = arg;
	struct zt_pipe *p = peer->p;

	while (!atomic_load(&peer->stop)) {
		__u64 r = zt_random(&peer->seed);

		switch (r % 4) {
		case 0:
			zt_cancel(&p->w, r & 4 ? ZPIPE_CANCEL_READ : ZPIPE_CANCEL_FLUSH);
			break;
		case 1:
			zt_set(&p->w, r & 4 ? 0 : 100, 1);
			break;
		default:
			zt_put(&p->w, 1 + r / 8 % 2000);
		}
		if (r & 64)
			zt_sleep_ms(r / 128 % 2);
	}
	return NULL;
}

/*
 * READ commands against bytes, cancels, deadlines and rings that end, all at once: each command
 * completes once, and the pipe is idle in the end.
 */
TEST_F(uring_end, every_command_completes_exactly_once)
{
	__u64 end = zt_deadline(zt_long() ? 20000 : 1500), state = zt_seed(), rounds = 0;
	struct peer peer = { .p = &self->p, .seed = state + 1 };
	pthread_t thread;

	zt_spawn(&thread, disturb, &peer);
	while (zt_now() < end) {
		struct zpipe_read_args args[4];
		unsigned int done = 0;
		struct io_uring ring;
		int i;

		ASSERT_EQ(0, zu_open(&ring, variant->flags));
		for (i = 0; i < 4; i++) {
			__u64 r = zt_random(&state);

			args[i] = (struct zpipe_read_args){
				.min = 1 + r % 64,
				.flags = r & 64 ? ZPIPE_READ_F_SHARED : 0,
				.deadline = r & 128 ? zt_deadline(r / 256 % 3) : 0,
			};
			zu_submit(&ring, self->p.r.fd, ZPIPE_IOC_READ, &args[i]);
			if (r & 4096)
				zt_sleep_ms(1);
			if (r & 8192)
				zt_advance(&self->p.r, zt_published(&self->p.r),
					   zt_published(&self->p.r));
			while (io_uring_cq_ready(&ring)) {
				struct zpipe_read_args *which;
				void *data;

				zu_any(&ring, &data);
				which = data;
				ASSERT_TRUE(which >= args && which <= &args[i]);
				ASSERT_EQ(0, done & (1U << (which - args)));
				done |= 1U << (which - args);
			}
		}
		io_uring_queue_exit(&ring);
		rounds++;
	}
	atomic_store(&peer.stop, true);
	zt_join(thread);
	EXPECT_LT(10, rounds);
	EXPECT_TRUE(zt_eventually(is_idle, &self->p));
}

TEST_HARNESS_MAIN
