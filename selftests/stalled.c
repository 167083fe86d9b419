// SPDX-License-Identifier: GPL-2.0-only
/*
 * stalled - a peer whose memory never comes blocks nobody
 *
 * A process makes a call with a buffer whose page fault nobody answers (userfaultfd): it is stuck
 * in the middle of it, inside the kernel. Meanwhile another process makes every call that must not
 * wait, on both ends; each has to return, whatever it says. Both stay killable. With pipe(2) the
 * same experiment leaves the other process asleep beside a lock, deaf to SIGKILL; that is shown,
 * not judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

/* What may take so long is blocked; a call takes microseconds. */
#define BLOCKED_MS	3000

#define NR_PROBES	11

struct shared {
	atomic_int stalls;	/* about to fault */
	atomic_int probes;	/* calls that have returned */
};

FIXTURE(stalled)
{
	struct zt_pipe p;
	struct shared *shared;
	pid_t stuck;
	pid_t prober;
};

FIXTURE_VARIANT(stalled)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(stalled, plain)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(stalled, guarded)
{
	.flags = ZPIPE_F_GUARDED,
};

FIXTURE_SETUP(stalled)
{
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE,
						    .flags = variant->flags)));
	self->shared = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, zt_put(&self->p.w, 2000));
	ASSERT_EQ(0, fcntl(self->p.w.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(self->p.r.fd, F_SETFL, O_NONBLOCK));
}

FIXTURE_TEARDOWN(stalled)
{
	munmap(self->shared, ZT_PAGE);
	zt_pipe_close(&self->p);
}

/* A page whose first fault waits for ever; NULL where that is not to be had. */
static void *endless_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	void *page = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (fd < 0 || page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api))
		return NULL;
	reg.range.start = (uintptr_t)page;
	reg.range.len = ZT_PAGE;
	return ioctl(fd, UFFDIO_REGISTER, &reg) ? NULL : page;
}

static bool can_stall(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The ways to get stuck. */
enum stall { READ_INTO, WRITE_FROM, READ_ARGS, READ_SPANS, ALLOC_ARGS, FLUSH_ARGS, PIPE_READ };

static void get_stuck(enum stall how, const struct zt_pipe *p, int pipe_fd, void *page)
{
	struct zpipe_read_args read_args = { .nr_spans = 4, .spans = (uintptr_t)page,
					     .flags = ZPIPE_READ_F_REREAD };

	switch (how) {
	case READ_INTO:
		read(p->r.fd, page, 1000);
		break;
	case WRITE_FROM:
		write(p->w.fd, page, 1000);
		break;
	case READ_ARGS:
		ioctl(p->r.fd, ZPIPE_IOC_READ, page);
		break;
	case READ_SPANS:
		ioctl(p->r.fd, ZPIPE_IOC_READ, &read_args);
		break;
	case ALLOC_ARGS:
		ioctl(p->w.fd, ZPIPE_IOC_ALLOC, page);
		break;
	case FLUSH_ARGS:
		ioctl(p->w.fd, ZPIPE_IOC_FLUSH, page);
		break;
	case PIPE_READ:
		read(pipe_fd, page, 1000);
		break;
	}
}

static pid_t start_stuck(struct shared *shared, enum stall how, const struct zt_pipe *p,
			 int pipe_fd)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	void *page = endless_page();

	if (!page)
		_exit(4);
	atomic_store(&shared->stalls, 1);
	get_stuck(how, p, pipe_fd, page);
	_exit(5);
}

/* Calls that must not wait, in turn; what they answer is not the question. */
static void probe(const struct zt_pipe *p, int nr)
{
	struct zpipe_alloc_args grant = { .position = p->w.info.out_published + 2000, .min = 1 };
	struct zpipe_flush_args flush = { .position = 2000 };
	struct zpipe_read_args read_args = { .flags = ZPIPE_READ_F_REREAD };
	struct zpipe_advance_args advance = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP };
	struct pollfd fds[] = { { .fd = p->w.fd, .events = POLLOUT },
				{ .fd = p->r.fd, .events = POLLIN } };
	struct zpipe_stat_args stat = { .flags = 0 };
	struct zpipe_info_args info = { .flags = 0 };
	char byte = 0;
	int waiting;

	switch (nr) {
	case 0:
		ioctl(p->w.fd, ZPIPE_IOC_ALLOC, &grant);
		break;
	case 1:
		ioctl(p->w.fd, ZPIPE_IOC_FLUSH, &flush);
		break;
	case 2:
		write(p->w.fd, &byte, 1);
		break;
	case 3:
		ioctl(p->r.fd, ZPIPE_IOC_READ, &read_args);
		break;
	case 4:
		ioctl(p->r.fd, ZPIPE_IOC_ADVANCE, &advance);
		break;
	case 5:
		read(p->r.fd, &byte, 1);
		break;
	case 6:
		poll(fds, 2, 0);
		break;
	case 7:
		ioctl(p->w.fd, ZPIPE_IOC_STAT, &stat);
		break;
	case 8:
		ioctl(p->r.fd, ZPIPE_IOC_INFO, &info);
		break;
	case 9:
		ioctl(p->r.fd, FIONREAD, &waiting);
		break;
	default:
		ioctl(p->w.fd, ZPIPE_IOC_STAT, &stat);
		write(p->w.fd, &byte, 1);
		break;
	}
}

static pid_t start_prober(struct shared *shared, const struct zt_pipe *p, int pipe_fd)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int nr = 0; nr < NR_PROBES; nr++) {
		if (pipe_fd >= 0)
			write(pipe_fd, "x", 1);
		else
			probe(p, nr);
		atomic_store(&shared->probes, nr + 1);
	}
	_exit(0);
}

/* Has it ended after so long? It is reaped then. */
static bool ends_within(pid_t pid, int *status, unsigned int ms)
{
	__u64 until = zt_deadline(ms);

	do {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		zt_sleep_ms(1);
	} while (zt_now() < until);
	return false;
}

static void experiment(struct __test_metadata *_metadata, FIXTURE_DATA(stalled) *self,
		       enum stall how, const char *name)
{
	int status = 0;

	atomic_store(&self->shared->stalls, 0);
	atomic_store(&self->shared->probes, 0);
	self->stuck = start_stuck(self->shared, how, &self->p, -1);
	ASSERT_LT(0, self->stuck);
	zt_await_asleep(self->stuck);
	ASSERT_EQ(1, self->shared->stalls);
	self->prober = start_prober(self->shared, &self->p, -1);
	EXPECT_TRUE(ends_within(self->prober, &status, BLOCKED_MS)) {
		TH_LOG("%s: call %d does not return", name, self->shared->probes);
		kill(self->prober, SIGKILL);
		EXPECT_TRUE(ends_within(self->prober, &status, BLOCKED_MS));
	}
	EXPECT_EQ(NR_PROBES, self->shared->probes);
	/* It is still stuck, and goes when it is told to. */
	EXPECT_EQ(0, waitpid(self->stuck, &status, WNOHANG));
	kill(self->stuck, SIGKILL);
	EXPECT_TRUE(ends_within(self->stuck, &status, BLOCKED_MS));
	TH_LOG("stalled: %s: %d tried, %d lost", name, NR_PROBES,
	       NR_PROBES - self->shared->probes);
}

TEST_F_TIMEOUT(stalled, nobody_waits_for_a_process_whose_fault_is_not_answered, 120)
{
	static const char * const names[] = { "read(2)", "write(2)", "arguments of READ",
					      "spans of READ", "arguments of ALLOC",
					      "arguments of FLUSH" };

	if (!can_stall())
		SKIP(return, "there is no userfaultfd for faults of the kernel");
	for (int how = READ_INTO; how <= FLUSH_ARGS; how++)
		experiment(_metadata, self, how, names[how]);
}

TEST_F_TIMEOUT(stalled, pipe_keeps_its_peer_waiting_for_comparison, 60)
{
	int fds[2], status = 0;
	bool ended, died;

	if (variant->flags)
		SKIP(return, "the same again");
	if (!can_stall())
		SKIP(return, "there is no userfaultfd for faults of the kernel");
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	ASSERT_EQ(10, write(fds[1], "0123456789", 10));
	atomic_store(&self->shared->stalls, 0);
	atomic_store(&self->shared->probes, 0);
	self->stuck = start_stuck(self->shared, PIPE_READ, &self->p, fds[0]);
	zt_await_asleep(self->stuck);
	self->prober = start_prober(self->shared, &self->p, fds[1]);
	ended = ends_within(self->prober, &status, 300);
	if (!ended)
		kill(self->prober, SIGKILL);
	died = ended || ends_within(self->prober, &status, 300);
	TH_LOG("pipe(2): write with O_NONBLOCK %s%s", ended ? "returned" : "is blocked",
	       died ? "" : ", and SIGKILL is not heard");
	kill(self->stuck, SIGKILL);
	EXPECT_TRUE(ends_within(self->stuck, &status, BLOCKED_MS));
	EXPECT_TRUE(died || ends_within(self->prober, &status, BLOCKED_MS));
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
