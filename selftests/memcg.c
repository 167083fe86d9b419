// SPDX-License-Identifier: GPL-2.0-only
/*
 * memcg - a memory cgroup runs out, and the OOM killer takes one end of a pipe or the other
 *
 * The memory that runs out is the victim's own, or that of the pipe: the writer's grants, or what
 * the reader preserves. Who survives finds the end that any death makes: a reader gets every byte
 * that was published, each the right one, and then ECONNRESET; a writer is woken and told
 * COMPLETED. The killer's own report in the kernel log is no complaint (scripts/vm.d/scan).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CGROUPS		"/sys/fs/cgroup"
#define LIMIT		(12L << 20)
#define SEGMENT		(64U << 10)
#define CAPACITY	(32UL << 20)
#define SPANS		1024

/* How a child ends that was not killed. */
enum { FINE, NOT_READY = 10, REFUSED, NO_ROOM, WRONG, SURVIVED };

/* What the writer is about to publish, and has published. */
struct witness {
	__u64 intent;
	__u64 done;
	__u64 ready;
	__u64 relieved;
};

FIXTURE(memcg)
{
	char group[128];
	struct zt_pipe p;
	struct witness *witness;
	int device;
	int log;
};

FIXTURE_VARIANT(memcg)
{
	__u32 flags;
	bool own;		/* the victim's memory runs out; else the pipe's */
};

FIXTURE_VARIANT_ADD(memcg, plain_own_memory) { .own = true };
FIXTURE_VARIANT_ADD(memcg, plain_memory_of_the_pipe) { .own = false };
FIXTURE_VARIANT_ADD(memcg, guarded_own_memory) { .flags = ZPIPE_F_GUARDED, .own = true };
FIXTURE_VARIANT_ADD(memcg, guarded_memory_of_the_pipe) { .flags = ZPIPE_F_GUARDED };

static int set_group(const char *group, const char *file, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return zt_write_text(path, value);
}

FIXTURE_SETUP(memcg)
{
	char value[32];

	self->log = zt_log_mark();
	snprintf(self->group, sizeof(self->group), CGROUPS "/zpipe-test-%d", getpid());
	if (access(CGROUPS "/cgroup.subtree_control", W_OK))
		SKIP(return, "no cgroup2 on " CGROUPS);
	set_group(CGROUPS, "cgroup.subtree_control", "+memory");
	ASSERT_EQ(0, mkdir(self->group, 0755));
	snprintf(value, sizeof(value), "%ld", LIMIT);
	if (set_group(self->group, "memory.max", value)) {
		rmdir(self->group);
		SKIP(return, "no memory controller");
	}
	set_group(self->group, "memory.swap.max", "0");
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->witness = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			     0);
	ASSERT_NE(MAP_FAILED, self->witness);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(SEGMENT, CAPACITY, .flags = variant->flags)));
}

static bool is_gone(void *group)
{
	return !rmdir(group) || errno == ENOENT;
}

static long long oom_kills(const char *group)
{
	char path[256], line[128];
	long long nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.events", group);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "oom_kill ", 9))
			nr = strtoll(line + 9, NULL, 10);
	if (f)
		fclose(f);
	return nr;
}

/* Nothing is left of the pipe, the next one works, and the group was all that suffered. */
FIXTURE_TEARDOWN(memcg)
{
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_total_becomes(self->device, "pipes", 0));
	EXPECT_TRUE(zt_total_becomes(self->device, "user-pages", 0));
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(0, 0)));
	EXPECT_EQ(0, zt_put(&self->p.w, 100000));
	EXPECT_EQ(0, zt_take(&self->p.r, 100000));
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_eventually(is_gone, self->group));
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

/* The first that is killed, or the last. */
static void enter(const char *group, bool victim)
{
	if (set_group(group, "cgroup.procs", "0") ||
	    zt_write_text("/proc/self/oom_score_adj", victim ? "1000" : "-999"))
		_exit(NOT_READY);
}

static void use_up_memory(void)
{
	size_t size = 4 * LIMIT, at;
	unsigned char *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (at = 0; base != MAP_FAILED && at < size; at += ZT_PAGE)
		base[at] = 1;
	_exit(SURVIVED);
}

static void note(__u64 *to, __u64 value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

static bool is_set(void *word)
{
	return __atomic_load_n((__u64 *)word, __ATOMIC_SEQ_CST);
}

/* Up to @length, or for as long as there is memory: 0, or what ALLOC or FLUSH answered. */
static int publish(struct zt_end *w, struct witness *witness, __u64 length)
{
	__u64 at = zt_published(w);

	while (at < length) {
		struct zpipe_alloc_args grant = { .position = at, .min = 1, .want = SEGMENT };
		struct zpipe_flush_args flush = { .flags = 0 };
		int ret;

		grant.deadline = zt_deadline(ZT_PATIENCE_MS);
		ret = zt_ioctl(w->fd, ZPIPE_IOC_ALLOC, &grant);
		if (ret)
			return ret;
		if (grant.out_flags & ZPIPE_RES_COMPLETED)
			return -EPIPE;
		zt_fill_grant(w, &grant, grant.out_length);
		at += grant.out_length;
		note(&witness->intent, at);
		flush.position = at;
		flush.deadline = grant.deadline;
		ret = zt_ioctl(w->fd, ZPIPE_IOC_FLUSH, &flush);
		if (ret)
			return ret;
		note(&witness->done, at);
		if (flush.out_flags & ZPIPE_RES_COMPLETED)
			return -EPIPE;
	}
	return 0;
}

/* To the end: what READ says there; *to is where, or all ones when a byte was wrong. */
static int read_all(struct zt_end *r, __u64 *to)
{
	static struct zpipe_span spans[SPANS];
	struct zpipe_read_args args;

	for (;;) {
		__u64 at;
		__u32 k;
		int ret;

		args = (struct zpipe_read_args){ .min = 1, .nr_spans = SPANS,
						 .spans = (uintptr_t)spans,
						 .deadline = zt_deadline(ZT_PATIENCE_MS) };
		ret = zt_ioctl(r->fd, ZPIPE_IOC_READ, &args);
		if (ret)
			return ret;
		at = args.out_start;
		for (k = 0; k < args.out_nr_spans && k < SPANS; k++) {
			if (zt_mismatch(r->data + spans[k].offset, at, spans[k].length) >= 0)
				break;
			at += spans[k].length;
		}
		if (at != args.out_end || zt_advance(r, at, at)) {
			*to = ~0ULL;
			return 0;
		}
		*to = at;
		if (args.out_flags & ZPIPE_RES_COMPLETED && args.out_start == args.out_end)
			return 0;
	}
}

/* The children have only what they need, so that a death closes their end. */
static pid_t start(struct zt_pipe *p, bool writer)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		zt_end_close(writer ? &p->r : &p->w);
	}
	return pid;
}

TEST_F_TIMEOUT(memcg, writer_is_taken_and_the_reader_gets_all_then_econnreset, 90)
{
	__u64 to = 0;
	pid_t child;

	child = start(&self->p, true);
	if (!child) {
		enter(self->group, true);
		if (!variant->own)
			_exit(publish(&self->p.w, self->witness, CAPACITY) ? REFUSED : NO_ROOM);
		if (publish(&self->p.w, self->witness, LIMIT / 3))
			_exit(REFUSED);
		use_up_memory();
	}
	zt_end_close(&self->p.w);
	if (variant->own)
		EXPECT_EQ(-ECONNRESET, read_all(&self->p.r, &to));
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	if (!variant->own)
		EXPECT_EQ(-ECONNRESET, read_all(&self->p.r, &to));
	EXPECT_LE(self->witness->done, to);
	EXPECT_GE(self->witness->intent, to);
	EXPECT_LT(1 << 20, to);
	EXPECT_LT(0, oom_kills(self->group));
}

/* Preserves all there is, and more than its group may hold; or fills memory of its own. */
static void be_a_greedy_reader(struct zt_end *r, struct witness *witness, bool own)
{
	struct zt_kept kept;
	__u64 at = 0;

	while (at < LIMIT * 2 && !own) {
		int ret = zt_preserve(r, at, SEGMENT, &kept);

		if (ret)
			_exit(ret == -ENOMEM ? REFUSED : NO_ROOM);
		if (zt_kept_mismatch(r, &kept) >= 0)
			_exit(WRONG);
		at += SEGMENT;
		note(&witness->ready, 1);
	}
	note(&witness->ready, 1);
	/* The writer is asleep by then. */
	zt_sleep_ms(200);
	use_up_memory();
}

TEST_F_TIMEOUT(memcg, reader_is_taken_and_the_writer_is_told_completed, 90)
{
	struct pollfd pfd = { .events = POLLOUT };
	__u64 room = variant->own ? LIMIT : 2 * LIMIT;
	pid_t child;
	int ret;

	if (!variant->own && variant->flags & ZPIPE_F_GUARDED)
		SKIP(return, "nothing of a guarded pipe can be preserved");
	/* The memory of the stream is the writer's, who is not in the group. */
	ASSERT_EQ(0, publish(&self->p.w, self->witness, room));
	child = start(&self->p, false);
	if (!child) {
		enter(self->group, true);
		be_a_greedy_reader(&self->p.r, self->witness, variant->own);
	}
	zt_end_close(&self->p.r);
	ASSERT_TRUE(zt_eventually(is_set, &self->witness->ready));
	/* Fills the pipe, and sleeps until the reader has gone. */
	ret = publish(&self->p.w, self->witness, ~0ULL);
	EXPECT_EQ(-EPIPE, ret) {
		TH_LOG("%s", strerror(-ret));
	}
	EXPECT_EQ(128 + SIGKILL, zt_wait_child(child));
	pfd.fd = self->p.w.fd;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	signal(SIGPIPE, SIG_IGN);
	EXPECT_EQ(-1, write(self->p.w.fd, "x", 1));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_LT(0, oom_kills(self->group));
}

/* A reader that has seen all there is, and then wants the rest. */
static void read_in_the_group(struct zt_end *r, struct witness *witness)
{
	struct pollfd pfd = { .fd = r->fd, .events = POLLRDHUP };
	__u64 to = 0;
	int ret;

	note(&witness->ready, 1);
	/* Consumes nothing until the writer has gone. */
	if (poll(&pfd, 1, ZT_PATIENCE_MS) != 1 || !zt_eventually(is_set, &witness->relieved))
		_exit(SURVIVED);
	ret = read_all(r, &to);
	if (ret != -ECONNRESET)
		_exit(ret ? REFUSED : WRONG);
	_exit(to >= witness->done && to <= witness->intent ? FINE : WRONG);
}

/*
 * Both are in it, and the writer's grants use it up: the score says whom the
 * killer takes. What the pipe holds stays with a reader that survives, so that
 * its group is given more before it touches it. A writer may be next where the
 * killer does not wait until the reader's files are closed.
 */
static void share_a_group(struct __test_metadata *_metadata, FIXTURE_DATA(memcg) *self,
			  bool writer_first)
{
	struct witness *witness = self->witness;
	pid_t writer, reader;
	int w, r;

	reader = start(&self->p, false);
	if (!reader) {
		enter(self->group, !writer_first);
		read_in_the_group(&self->p.r, witness);
	}
	ASSERT_TRUE(zt_eventually(is_set, &witness->ready));
	writer = start(&self->p, true);
	if (!writer) {
		enter(self->group, writer_first);
		_exit(publish(&self->p.w, witness, ~0ULL) == -EPIPE ? FINE : REFUSED);
	}
	zt_end_close(&self->p.w);
	zt_end_close(&self->p.r);
	w = zt_wait_child(writer);
	ASSERT_EQ(0, set_group(self->group, "memory.max", "max"));
	note(&witness->relieved, 1);
	r = zt_wait_child(reader);
	if (writer_first) {
		EXPECT_EQ(128 + SIGKILL, w);
		EXPECT_EQ(FINE, r);
	} else {
		EXPECT_EQ(128 + SIGKILL, r);
		EXPECT_TRUE(w == FINE || w == 128 + SIGKILL) {
			TH_LOG("the writer ended with %d", w);
		}
		TH_LOG("the writer %s", w == FINE ? "found the end" : "was taken, too");
	}
	EXPECT_LT(0, oom_kills(self->group));
}

TEST_F_TIMEOUT(memcg, both_share_a_group_and_the_writer_is_taken, 90)
{
	if (variant->own)
		SKIP(return, "the memory of the pipe is what is shared");
	share_a_group(_metadata, self, true);
}

TEST_F_TIMEOUT(memcg, both_share_a_group_and_the_reader_is_taken, 90)
{
	if (variant->own)
		SKIP(return, "the memory of the pipe is what is shared");
	share_a_group(_metadata, self, false);
}

TEST_HARNESS_MAIN
