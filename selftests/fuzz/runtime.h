/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * runtime - what a program of the fuzzer works on while it runs
 *
 * A program has slots for fds, mappings and handles, two threads besides its main one, children,
 * and one io_uring. A call names slots, never what is in them, so any program with a call left out
 * is a program, too. This file, syscalls.h and calls.h are also printed in front of a reproducer,
 * so they need the C library and linux/zpipe.h, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/zpipe.h>

#define PAGE		4096UL
#define NR_SLOTS	16
#define NR_THREADS	3	/* the main one and two more */
#define MOST_ARGS	9
#define BUFFER		(1UL << 20)
#define GLANCE_NS	4000000	/* so long the main thread watches a call of another one */

/* What a program has. */
static int fds[NR_SLOTS];
static struct {
	unsigned char *at;
	size_t length;
} maps[NR_SLOTS];
static uint64_t handles[NR_SLOTS];
static pid_t children[NR_SLOTS];
static unsigned int nr_children;
static int is_child;

/* User memory that calls are given. */
static unsigned char *buffer;	/* BUFFER bytes */
static unsigned char *edge;	/* one page, and nothing behind it */
static unsigned char *fixed;	/* one page, read-only */

/* How the next verb of a thread goes, see call_via() and call_fail(). */
static unsigned int via[NR_THREADS];
static unsigned int fail_nth[NR_THREADS];
static __thread unsigned int this_thread;
static __thread sigjmp_buf *landing;

/* The fuzzer is told of each thread: 0 to 2, and 3 for a child. */
static void (*thread_began)(int thread);

/* --- slots --- */

static int fd_of(uint64_t slot)
{
	return fds[slot % NR_SLOTS];
}

static long put_fd(uint64_t slot, int fd)
{
	int old;

	if (fd < 0)
		return -errno;
	old = __atomic_exchange_n(&fds[slot % NR_SLOTS], fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
	return fd;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* 0 for ever, 1 over already, up to a second: microseconds from now, more: as it is. */
static uint64_t deadline_of(uint64_t d)
{
	return d > 1 && d <= 1000000 ? now_ns() + d * 1000 : d;
}

/* What a letter and a slot stand for: a position of the pipe of that fd, or a handle's value. */
static uint64_t value_of(char what, uint64_t slot)
{
	struct zpipe_stat_args s = { .flags = 0 };

	if (what == 'v')
		return handles[slot % NR_SLOTS];
	if (fd_of(slot) < 0 || ioctl(fd_of(slot), ZPIPE_IOC_STAT, &s))
		return 0;
	switch (what) {
	case 'g':
		return s.out_granted;
	case 'p':
		return s.out_published;
	case 'e':
		return s.out_examined;
	default:
		return s.out_consumed;
	}
}

/* User memory: ours, none, the end of a page, read-only, or a mapping. */
static unsigned char *memory(uint64_t which, uint64_t *length)
{
	if (*length > BUFFER)
		*length = BUFFER;
	switch (which) {
	case 0:
		return buffer;
	case 1:
		return NULL;
	case 2:
		return edge + PAGE - 24;
	case 3:
		return fixed;
	default:
		which = (which - 4) % NR_SLOTS;
		if (*length > maps[which].length)
			*length = maps[which].length;
		return maps[which].at;
	}
}

/* --- faults of ours --- */

static void on_fault(int sig)
{
	if (landing)
		siglongjmp(*landing, sig);
	_exit(100);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* --- io_uring, without a library --- */

static struct {
	int fd;
	pthread_mutex_t lock;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail;
	unsigned char *sqes;
	unsigned char *sq_ring, *cq_ring;
	unsigned int turn;
	unsigned char args[32][512];	/* they stay while a command is under way */
} ring = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* Of struct io_uring_params: bytes, and where the fields are. */
#define PARAMS		120
#define SQ_OFFSETS	40
#define CQ_OFFSETS	80
#define OP_URING_CMD	46
#define SQE_ASYNC	16

static int ring_open(void)
{
	unsigned char params[PARAMS] = { 0 };
	unsigned int *sq = (unsigned int *)(params + SQ_OFFSETS);
	unsigned int *cq = (unsigned int *)(params + CQ_OFFSETS);

	if (ring.fd >= 0)
		return 0;
	ring.fd = syscall(SYS_io_uring_setup, 32, params);
	if (ring.fd < 0)
		return -errno;
	ring.sq_ring = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	ring.cq_ring = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
			    0x8000000);
	ring.sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0x10000000);
	if (ring.sq_ring == MAP_FAILED || ring.cq_ring == MAP_FAILED || ring.sqes == MAP_FAILED)
		_exit(102);
	ring.sq_tail = (unsigned int *)(ring.sq_ring + sq[1]);
	ring.sq_mask = (unsigned int *)(ring.sq_ring + sq[2]);
	ring.sq_array = (unsigned int *)(ring.sq_ring + sq[6]);
	ring.cq_head = (unsigned int *)(ring.cq_ring + cq[0]);
	ring.cq_tail = (unsigned int *)(ring.cq_ring + cq[1]);
	return 0;
}

static void ring_close(void)
{
	pthread_mutex_lock(&ring.lock);
	if (ring.fd >= 0) {
		munmap(ring.sq_ring, 2 * PAGE);
		munmap(ring.cq_ring, 2 * PAGE);
		munmap(ring.sqes, PAGE);
		close(ring.fd);
	}
	ring.fd = -1;
	pthread_mutex_unlock(&ring.lock);
}

static long ring_submit_locked(unsigned int op, unsigned int flags, int fd, uint64_t off,
			       uint64_t address, uint64_t length, uint64_t args)
{
	unsigned int tail = *ring.sq_tail, index = tail & *ring.sq_mask;
	unsigned char *sqe = ring.sqes + 64 * index;
	uint32_t short_length = length;

	memset(sqe, 0, 64);
	sqe[0] = op;
	sqe[1] = flags;
	memcpy(sqe + 4, &fd, 4);
	memcpy(sqe + 8, &off, 8);
	memcpy(sqe + 16, &address, 8);
	memcpy(sqe + 24, &short_length, 4);
	memcpy(sqe + 48, &args, 8);
	ring.sq_array[index] = index;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) < 0 ? -errno : 0;
}

static long ring_submit(unsigned int op, unsigned int flags, int fd, uint64_t off,
			uint64_t address, uint64_t length, uint64_t args)
{
	long ret;

	pthread_mutex_lock(&ring.lock);
	ret = ring_open();
	if (!ret)
		ret = ring_submit_locked(op, flags, fd, off, address, length, args);
	pthread_mutex_unlock(&ring.lock);
	return ret;
}

static long ring_reap(int ms)
{
	struct pollfd pfd = { .fd = ring.fd, .events = POLLIN };
	long nr = 0;

	if (ring.fd < 0)
		return 0;
	/* Runs what waits for this task. */
	syscall(SYS_io_uring_enter, ring.fd, 0, 0, 1, NULL, 0);
	poll(&pfd, 1, ms);
	pthread_mutex_lock(&ring.lock);
	if (ring.fd >= 0) {
		nr = *ring.cq_tail - *ring.cq_head;
		__atomic_store_n(ring.cq_head, *ring.cq_tail, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ring.lock);
	return nr;
}

/* --- verbs --- */

#define VERB_OF(nr, size)	_IOC(_IOC_READ | _IOC_WRITE, ZPIPE_IOC_MAGIC, nr, size)

/* A copy of the arguments, which stays: an answer to it is not looked at. */
static unsigned char *keep_args(const void *args, size_t size)
{
	unsigned int turn = __atomic_fetch_add(&ring.turn, 1, __ATOMIC_RELAXED);
	unsigned char *kept = ring.args[turn % 32];

	memset(kept, 0, sizeof(ring.args[0]));
	memcpy(kept, args, size);
	return kept;
}

/* One ioctl of zpipe, in the way that this thread was told to. */
static long verb(int fd, unsigned int nr, void *args, size_t size)
{
	unsigned int how = via[this_thread];
	unsigned char *kept;
	long ret;

	via[this_thread] = 0;
	switch (how) {
	case 1:	/* a command of io_uring */
	case 2:	/* one for a worker of it */
	case 3:	/* and wait a little */
		kept = keep_args(args, size);
		ret = ring_submit(OP_URING_CMD, how == 2 ? SQE_ASYNC : 0, fd, VERB_OF(nr, size), 0,
				  0, (uintptr_t)kept);
		return how == 3 ? ring_reap(10) : ret;
	case 4:
		ret = ioctl(fd, VERB_OF(nr, size), NULL);
		break;
	case 5:	/* the answer cannot be written */
		mprotect(fixed, PAGE, PROT_READ | PROT_WRITE);
		memcpy(fixed, args, size);
		mprotect(fixed, PAGE, PROT_READ);
		ret = ioctl(fd, VERB_OF(nr, size), fixed);
		break;
	case 6:	/* not all of it is there */
		memcpy(edge + PAGE - size / 2, args, size / 2);
		ret = ioctl(fd, VERB_OF(nr, size), edge + PAGE - size / 2);
		break;
	case 7:	/* a longer struct, whose tail is 0 */
	case 8:	/* or is not */
		kept = keep_args(args, size);
		kept[size + 8] = how == 8;
		ret = ioctl(fd, VERB_OF(nr, size + 16), kept);
		break;
	case 9:	/* shorter ones */
		ret = ioctl(fd, VERB_OF(nr, size - 8), args);
		break;
	case 10:
		ret = ioctl(fd, VERB_OF(nr, 4), args);
		break;
	case 11:	/* a wrong direction */
		ret = ioctl(fd, _IOC(_IOC_WRITE, ZPIPE_IOC_MAGIC, nr, size), args);
		break;
	case 12:	/* for the ring, with a bad area or a bad pointer */
		return ring_submit(OP_URING_CMD, 0, fd, VERB_OF(nr, size), 0, 0, 64);
	default:
		ret = ioctl(fd, VERB_OF(nr, size), args);
	}
	return ret < 0 ? -errno : ret;
}

static int info_of(uint64_t slot, struct zpipe_info_args *info)
{
	memset(info, 0, sizeof(*info));
	return ioctl(fd_of(slot), ZPIPE_IOC_INFO, info);
}

/* --- failing allocations --- */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* The nth allocation or user copy of this thread fails from now on. */
static int arm(unsigned int nth)
{
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && dprintf(fd, "%u", nth) < 0)
		errno = 0;
	return fd;
}

/* What disarms can fail, too. */
static void disarm(int fd)
{
	while (fd >= 0 && write(fd, "0", 1) < 0 && errno != EBADF)
		;
	if (fd >= 0)
		close(fd);
}

static void let_fail(void)
{
	static const char *const knobs[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(knobs) / sizeof(*knobs); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", knobs[i][0]);
		write_text(path, knobs[i][1]);
	}
}

/* --- threads and children --- */

/* One call, in a form that can be handed to another thread. */
struct job {
	long (*call)(const uint64_t *a);
	int keeps;	/* it says how the next one goes */
	uint64_t a[MOST_ARGS];
};

static struct worker {
	pthread_t thread;
	int runs;
	int busy;
	sem_t go;
	sem_t done;
	struct job job;
} workers[NR_THREADS];

static long run_job(const struct job *job)
{
	unsigned int nth = fail_nth[this_thread];
	volatile int armed = -1;
	sigjmp_buf here;
	long ret;

	/* What `via' and `fail' say is for the call after both. */
	if (!job->keeps)
		fail_nth[this_thread] = 0;
	else
		nth = 0;
	landing = &here;
	if (sigsetjmp(here, 1)) {
		ret = -EFAULT;
	} else {
		if (nth)
			armed = arm(nth);
		ret = job->call(job->a);
	}
	disarm(armed);
	landing = NULL;
	return ret;
}

static void *work(void *arg)
{
	struct worker *me = arg;

	this_thread = me - workers;
	if (thread_began)
		thread_began(this_thread);
	for (;;) {
		while (sem_wait(&me->go))
			;
		run_job(&me->job);
		__atomic_store_n(&me->busy, 0, __ATOMIC_RELEASE);
		sem_post(&me->done);
	}
	return NULL;
}

static void watch(struct worker *worker)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += GLANCE_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (__atomic_load_n(&worker->busy, __ATOMIC_ACQUIRE))
		if (sem_timedwait(&worker->done, &until) && errno == ETIMEDOUT)
			break;
}

/* A call of another thread is watched a while; when it sleeps, the main thread goes on. */
static void run_on(unsigned int thread, const struct job *job)
{
	struct worker *worker = &workers[thread];

	if (!thread || is_child) {
		run_job(job);
		return;
	}
	if (!worker->runs) {
		sem_init(&worker->go, 0, 0);
		sem_init(&worker->done, 0, 0);
		if (pthread_create(&worker->thread, NULL, work, worker))
			return;
		worker->runs = 1;
	}
	watch(worker);
	if (__atomic_load_n(&worker->busy, __ATOMIC_ACQUIRE))
		return;
	worker->job = *job;
	__atomic_store_n(&worker->busy, 1, __ATOMIC_RELEASE);
	sem_post(&worker->go);
	watch(worker);
}

#define CHILD_WAIT	0	/* until it ends */
#define CHILD_BESIDE	1	/* go on beside it */
#define CHILD_KILL	2	/* and kill it soon */

static void sleep_us(unsigned long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

/* 0 in the child. Children have no children. */
static pid_t child_begin(unsigned int mode)
{
	pid_t pid;
	int i;

	if (is_child || nr_children == NR_SLOTS)
		return -1;
	pid = fork();
	if (pid < 0)
		return pid;
	if (!pid) {
		is_child = 1;
		/* The ring is its parent's, and another thread may have held the lock. */
		ring.fd = -1;
		pthread_mutex_init(&ring.lock, NULL);
		if (thread_began)
			thread_began(NR_THREADS);
		return 0;
	}
	children[nr_children++] = pid;
	if (mode == CHILD_KILL) {
		sleep_us(1000);
		kill(pid, SIGKILL);
	}
	for (i = 0; mode != CHILD_BESIDE && i < 100; i++) {
		if (waitpid(pid, NULL, WNOHANG)) {
			nr_children--;
			break;
		}
		sleep_us(1000);
	}
	return pid;
}

static void set_up(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction signaled = { .sa_handler = on_signal };
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		fds[i] = -1;
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGUSR1, &signaled, NULL);
	signal(SIGPIPE, SIG_IGN);
	buffer = mmap(NULL, BUFFER + 3 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		_exit(101);
	edge = buffer + BUFFER;
	munmap(edge + PAGE, PAGE);
	fixed = edge + 2 * PAGE;
	mprotect(fixed, PAGE, PROT_READ);
	for (i = 0; i < 65536; i++)
		buffer[i] = i * 7;
}

/* Closes all by hand: what an exit does is not seen by the fuzzer. */
static void clean_up(void)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		if (maps[i].at)
			munmap(maps[i].at, maps[i].length);
		maps[i].at = NULL;
		maps[i].length = 0;
		handles[i] = 0;
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	if (is_child)
		_exit(0);
	ring_reap(0);
	ring_close();
	while (nr_children) {
		kill(children[--nr_children], SIGKILL);
		waitpid(children[nr_children], NULL, 0);
	}
	memset(via, 0, sizeof(via));
	memset(fail_nth, 0, sizeof(fail_nth));
}
