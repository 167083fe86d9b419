// SPDX-License-Identifier: GPL-2.0-only
/*
 * module - the module's reference count, unloading and loading again
 *
 * Unloads the module, so it is the last program of a run. The file to load again is ZPIPE_MODULE,
 * or build/module-SERIES/zpipe.ko below the current directory, SERIES being ZPIPE_VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "zpipe_uring.h"

#define REFCNT	"/sys/module/zpipe/refcnt"

FIXTURE(module)
{
	char path[512];
	int log;
};

FIXTURE_SETUP(module)
{
	const char *given = getenv("ZPIPE_MODULE"), *series = getenv("ZPIPE_VM");

	self->log = zt_log_mark();
	if (given)
		snprintf(self->path, sizeof(self->path), "%s", given);
	else if (series)
		snprintf(self->path, sizeof(self->path), "build/module-%s/zpipe.ko", series);
	if (self->path[0] && access(self->path, R_OK))
		self->path[0] = '\0';
}

FIXTURE_TEARDOWN(module)
{
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

static int unload(void)
{
	return syscall(SYS_delete_module, "zpipe", O_NONBLOCK) ? -errno : 0;
}

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* Releases finish a moment after close. */
static bool unused(void *arg)
{
	return zt_read_number(REFCNT) <= *(long long *)arg;
}

TEST_F(module, every_pipe_holds_the_module)
{
	long long before = zt_read_number(REFCNT);
	struct zt_pipe p;

	if (before < 0)
		SKIP(return, "zpipe is built in");
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, 0)));
	EXPECT_LT(before, zt_read_number(REFCNT));
	zt_end_close(&p.w);
	EXPECT_LT(before, zt_read_number(REFCNT));
	zt_end_close(&p.r);
	EXPECT_TRUE(zt_eventually(unused, &before));
}

TEST_F(module, mapping_alone_holds_the_module)
{
	long long before = zt_read_number(REFCNT);
	struct zt_pipe p;

	if (before < 0)
		SKIP(return, "zpipe is built in");
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, 0)));
	close(p.w.fd);
	close(p.r.fd);
	EXPECT_LT(before, zt_read_number(REFCNT));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	p.w.fd = -1;
	p.r.fd = -1;
	zt_pipe_close(&p);
	EXPECT_TRUE(zt_eventually(unused, &before));
}

TEST_F(module, count_does_not_drift)
{
	long long before = zt_read_number(REFCNT);
	int i;

	if (before < 0)
		SKIP(return, "zpipe is built in");
	for (i = 0; i < 200; i++) {
		struct zpipe_create_args *args = ZT_ARGS(0, 0);

		ASSERT_EQ(0, zt_create(args));
		close(args->out_writer_fd);
		close(args->out_reader_fd);
		zt_create(ZT_ARGS(5000, 0));
	}
	EXPECT_TRUE(zt_eventually(unused, &before));
	EXPECT_EQ(before, zt_read_number(REFCNT));
}

TEST_F(module, unload_while_a_pipe_lives_is_refused)
{
	struct zt_pipe p;

	if (zt_read_number(REFCNT) < 0)
		SKIP(return, "zpipe is built in");
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, 0)));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, zt_put(&p.w, 100));
	EXPECT_EQ(0, zt_take(&p.r, 100));
	zt_end_close(&p.w);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	zt_pipe_close(&p);
}

TEST_F(module, unload_while_the_device_is_open_is_refused)
{
	int fd = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	if (zt_read_number(REFCNT) >= 0)
		EXPECT_EQ(-EWOULDBLOCK, unload());
	close(fd);
}

TEST_F(module, pages_lent_to_a_pipe_do_not_hold_the_module_nor_dangle)
{
	unsigned char buffer[ZT_PAGE];
	struct iovec iov;
	int pipefd[2];
	struct zt_pipe p;
	long long zero = 0;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, ZT_PAGE, .flags = ZPIPE_F_CONTIG)));
	ASSERT_EQ(0, zt_put(&p.w, ZT_PAGE));
	iov = (struct iovec){ .iov_base = p.r.data, .iov_len = ZT_PAGE };
	ASSERT_EQ(ZT_PAGE, vmsplice(pipefd[1], &iov, 1, 0));
	zt_pipe_close(&p);
	ASSERT_TRUE(zt_eventually(unused, &zero));
	ASSERT_EQ(0, unload());
	EXPECT_EQ(ZT_PAGE, read(pipefd[0], buffer, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, ZT_PAGE));
	ASSERT_EQ(0, load(self->path));
}

/* What may be left of a pipe, one by one: each holds the module, and the last one lets it go. */
enum leftover {
	PRESERVED, BUFFER, BUFFER_MAPPED, IN_FLIGHT, POLLED, CHILD, URING_FILE, URING_POLL,
	URING_COMMAND, LEFTOVERS
};

struct rest {
	struct io_uring ring;
	bool has_ring;
	void *mapped;
	int fds[2];
	pid_t child;
};

static int keep_range(enum leftover what, struct zt_pipe *p, struct rest *rest)
{
	struct zt_kept kept;

	if (zt_preserve(&p->r, 0, ZT_PAGE, &kept))
		return -1;
	rest->fds[0] = what == PRESERVED ? dup(p->r.fd) : zt_export(&p->r, kept.handle);
	if (rest->fds[0] < 0 || what != BUFFER_MAPPED)
		return rest->fds[0];
	rest->mapped = mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, rest->fds[0], 0);
	close(rest->fds[0]);
	rest->fds[0] = -1;
	return rest->mapped == MAP_FAILED ? -1 : 0;
}

/* A ring that has the reader registered, polls it, or waits in a command of it. */
static int leave_in_ring(enum leftover what, struct zt_pipe *p, struct rest *rest)
{
	static struct zpipe_read_args read;
	struct io_uring_sqe *sqe;

	if (zu_open(&rest->ring, 0))
		return -1;
	rest->has_ring = true;
	/* The end of the writer would complete the others. */
	if (what != URING_FILE)
		rest->fds[0] = dup(p->w.fd);
	switch (what) {
	case URING_FILE:
		return io_uring_register_files(&rest->ring, &p->r.fd, 1);
	case URING_POLL:
		sqe = io_uring_get_sqe(&rest->ring);
		io_uring_prep_poll_add(sqe, p->r.fd, POLLPRI);
		zu_go(&rest->ring);
		break;
	default:
		/* More than there is. */
		read = (struct zpipe_read_args){ .min = 2 * ZT_PAGE + 1 };
		zu_submit(&rest->ring, p->r.fd, ZPIPE_IOC_READ, &read);
		zt_await_reader(&p->w);
	}
	return zu_waits(&rest->ring) ? 0 : -1;
}

static int leave(enum leftover what, struct zt_pipe *p, struct rest *rest)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	*rest = (struct rest){ .fds = { -1, -1 } };
	switch (what) {
	case IN_FLIGHT:
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, rest->fds) ||
		    zt_send_fd(rest->fds[0], p->r.fd))
			return -1;
		close(rest->fds[0]);
		rest->fds[0] = -1;
		return 0;
	case POLLED:
		/* Epoll itself holds nothing: the dup does. */
		rest->fds[0] = epoll_create1(EPOLL_CLOEXEC);
		rest->fds[1] = dup(p->r.fd);
		return epoll_ctl(rest->fds[0], EPOLL_CTL_ADD, rest->fds[1], &ev);
	case CHILD:
		rest->child = fork();
		if (!rest->child) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		return rest->child;
	case URING_FILE:
	case URING_POLL:
	case URING_COMMAND:
		return leave_in_ring(what, p, rest);
	default:
		return keep_range(what, p, rest);
	}
}

static void clean_up(struct rest *rest)
{
	int k;

	if (rest->mapped)
		munmap(rest->mapped, ZT_PAGE);
	if (rest->has_ring)
		io_uring_queue_exit(&rest->ring);
	for (k = 0; k < 2; k++)
		if (rest->fds[k] >= 0)
			close(rest->fds[k]);
	if (rest->child) {
		kill(rest->child, SIGKILL);
		zt_wait_child(rest->child);
	}
}

TEST_F_TIMEOUT(module, every_leftover_of_a_pipe_holds_the_module, 90)
{
	static const char * const names[] = { "preserved range", "buffer", "mapping of a buffer",
					      "end in flight", "armed poll", "child",
					      "file of a ring", "poll of a ring",
					      "command of a ring" };
	long long zero = 0;
	int what;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	for (what = PRESERVED; what < LEFTOVERS; what++) {
		struct rest rest;
		struct zt_pipe p;
		long long both;

		ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
		both = zt_read_number(REFCNT);
		ASSERT_EQ(0, zt_put(&p.w, 2 * ZT_PAGE));
		ASSERT_LE(0, leave(what, &p, &rest));
		zt_pipe_close(&p);
		EXPECT_EQ(-EWOULDBLOCK, unload()) {
			TH_LOG("%s does not hold the module", names[what]);
		}
		/* The ring has the reader, besides the writer here. */
		if (what == URING_POLL || what == URING_COMMAND)
			EXPECT_EQ(both, zt_read_number(REFCNT));
		clean_up(&rest);
		ASSERT_TRUE(zt_eventually(unused, &zero)) {
			TH_LOG("%s is not let go", names[what]);
		}
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(self->path));
	}
}

/* By splice and tee, a part too: nothing of the module is in the pipes, so it can go. */
TEST_F(module, pages_spliced_to_a_pipe_do_not_hold_the_module_nor_dangle)
{
	unsigned char buffer[2 * ZT_PAGE];
	size_t length = ZT_PAGE + 100;
	int fds[2], copy[2], null;
	struct zt_pipe p;
	long long zero = 0;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, null);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, pipe(copy));
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 2 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&p.w, 2 * ZT_PAGE));
	ASSERT_EQ(length, splice(p.r.fd, NULL, fds[1], NULL, length, 0));
	zt_pipe_close(&p);
	ASSERT_TRUE(zt_eventually(unused, &zero));
	ASSERT_EQ(0, unload());
	EXPECT_EQ(length, tee(fds[0], copy[1], length, 0));
	EXPECT_EQ(length, read(fds[0], buffer, sizeof(buffer)));
	EXPECT_EQ(-1, zt_mismatch(buffer, 0, length));
	EXPECT_EQ(length, splice(copy[0], NULL, null, NULL, length, SPLICE_F_MOVE));
	close(fds[0]);
	close(fds[1]);
	close(copy[0]);
	close(copy[1]);
	close(null);
	ASSERT_EQ(0, load(self->path));
}

/*
 * A process whose ring alone still refers to the pipe: as long as it lives the
 * module stays, whatever is tried, and when it is killed nothing is left.
 */
TEST_F_TIMEOUT(module, armed_uring_requests_of_a_process_that_dies_let_go, 90)
{
	long long zero = 0;
	int what, tries;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	for (what = URING_FILE; what < LEFTOVERS; what++) {
		int ready[2];
		char byte;
		pid_t child;

		ASSERT_EQ(0, pipe(ready));
		child = fork();
		if (!child) {
			struct rest rest = { .fds = { -1, -1 } };
			struct zt_pipe p;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)) ||
			    zt_put(&p.w, 2 * ZT_PAGE) || leave_in_ring(what, &p, &rest))
				_exit(1);
			zt_pipe_close(&p);
			if (write(ready[1], "", 1) != 1)
				_exit(2);
			pause();
		}
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		for (tries = 0; tries < 100; tries++)
			ASSERT_EQ(-EWOULDBLOCK, unload());
		kill(child, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
		ASSERT_TRUE(zt_eventually(unused, &zero)) {
			TH_LOG("request %d is not let go", what);
		}
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(self->path));
		close(ready[0]);
	}
}

TEST_F_TIMEOUT(module, unloads_and_loads_again, 90)
{
	long long zero = 0;
	struct zt_pipe p;
	int i;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(zt_eventually(unused, &zero));
		ASSERT_EQ(0, unload());
		EXPECT_EQ(-1, access(ZT_DEVICE, F_OK));
		ASSERT_EQ(0, load(self->path));
		ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, 0)));
		EXPECT_EQ(0, zt_put(&p.w, 100000));
		EXPECT_EQ(0, zt_take(&p.r, 100000));
		zt_pipe_close(&p);
	}
}

/* Pipes come and go on one processor while the other tries to unload. */
TEST_F_TIMEOUT(module, unloading_races_with_users, 90)
{
	int i, unloaded = 0;
	pid_t child;

	if (!self->path[0])
		SKIP(return, "no module file: set ZPIPE_MODULE");
	child = fork();
	if (!child) {
		for (;;) {
			struct zt_pipe p;

			if (!zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, ZT_PAGE))) {
				if (zt_put(&p.w, 100) || zt_take(&p.r, 100))
					_exit(1);
				zt_pipe_close(&p);
			}
			usleep(500);
		}
	}
	for (i = 0; i < 200; i++) {
		if (!unload()) {
			unloaded++;
			ASSERT_EQ(0, load(self->path));
		}
		usleep(1000);
	}
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	TH_LOG("unloaded %d times", unloaded);
}

TEST_HARNESS_MAIN
