// SPDX-License-Identifier: GPL-2.0-only
/*
 * overload - very many pipes at once, and storms of processes that make and drop them
 *
 * Ten thousand pipes carry bytes at the same time, each its own: what stands at a position depends
 * on the pipe, too. Then several processes of one user make and close pipes and pools, and take
 * memory, as fast as they can: at no time has the user more than it may, every refusal is EDQUOT,
 * and nothing is left when they are killed in the middle of it.
 *
 * ZPIPE_PIPES: how many (10,000); ZPIPE_LIVE: pages that each carries (2); ZPIPE_STORM: rounds of
 * each process (300); ZPIPE_SEED repeats a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

static __u64 from_environment(const char *name, __u64 otherwise)
{
	const char *given = getenv(name);

	return given ? strtoull(given, NULL, 0) : otherwise;
}

/* ---- very many ---- */

#define SIDES		2	/* threads that write, and that read */
#define POOL_PIPES	64	/* pipes of a shared pool */

enum kind { BY_COPY, MAPPED, POOLED, GUARDED };

struct live {
	enum kind kind;
	int fd[2];			/* writer, reader */
	unsigned char *data[2];
	__u64 window;
	__u64 key;
	__u64 goal;
	__u64 at[2];
	bool over[2];
};

struct crowd {
	struct live *pipes;
	__u64 nr;
	int *pools;
	__u64 nr_pools;
};

/* A side's share of the crowd. */
struct keeper {
	struct crowd *crowd;
	unsigned int which;
	int side;			/* 0 writes, 1 reads */
	__u64 seed;
	__u64 lost;
	pthread_t thread;
};

static void complain(struct keeper *me, const struct live *p, const char *what, long long value)
{
	if (me->lost++ < 5)
		printf("# pipe %llu, %s at %llu of %llu: %s: %lld\n",
		       (unsigned long long)(p - me->crowd->pipes), me->side ? "reader" : "writer",
		       (unsigned long long)p->at[me->side], (unsigned long long)p->goal, what,
		       value);
}

static enum kind kind_of(__u64 k)
{
	/* A guarded one has a chain of 64 KiB. */
	return k % 16 == 15 ? GUARDED : k % 4 == 1 ? MAPPED : k % 4 == 2 ? POOLED : BY_COPY;
}

static int map_data(struct live *p, int side)
{
	struct zpipe_info_args info;
	int ret = zt_info(p->fd[side], &info);

	if (ret)
		return ret;
	p->window = info.out_window;
	p->data[side] = mmap(NULL, info.out_window, side ? PROT_READ : PROT_READ | PROT_WRITE,
			     MAP_SHARED, p->fd[side], info.out_data.offset);
	return p->data[side] == MAP_FAILED ? -errno : 0;
}

static int make(struct crowd *c, __u64 k)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, ZT_PAGE, .flags = ZPIPE_F_NONBLOCK);
	struct live *p = &c->pipes[k];
	int ret;

	p->kind = kind_of(k);
	p->key = k * 7919;
	if (p->kind == GUARDED)
		args->flags |= ZPIPE_F_GUARDED;
	if (p->kind == POOLED) {
		if (k / 4 / POOL_PIPES >= c->nr_pools) {
			c->pools[c->nr_pools] = zt_pool(ZT_PAGE, POOL_PIPES, ZPIPE_POOL_IDLE);
			if (c->pools[c->nr_pools] < 0)
				return c->pools[c->nr_pools];
			c->nr_pools++;
		}
		args->pool_fd = c->pools[c->nr_pools - 1];
	}
	ret = zt_create(args);
	if (ret)
		return ret;
	p->fd[0] = args->out_writer_fd;
	p->fd[1] = args->out_reader_fd;
	if (p->kind == MAPPED)
		ret = map_data(p, 0) ? -EIO : map_data(p, 1);
	return ret;
}

/* Up to a page: bytes, or a negative errno. */
static ssize_t put_some(struct live *p, size_t length)
{
	struct zt_end w = { .fd = p->fd[0] };
	struct zpipe_alloc_args grant;
	unsigned char buffer[ZT_PAGE];
	ssize_t n;
	int ret;

	if (p->kind != MAPPED) {
		zt_fill(buffer, p->key + p->at[0], length);
		n = write(p->fd[0], buffer, length);
		return n < 0 ? -errno : n;
	}
	ret = zt_alloc(&w, p->at[0], 1, 0, &grant);
	if (ret)
		return ret;
	if (length > grant.out_length)
		length = grant.out_length;
	if (grant.out_offset + length > p->window)
		return -ERANGE;
	zt_fill(p->data[0] + grant.out_offset, p->key + p->at[0], length);
	ret = zt_flush(&w, p->at[0] + length, 0, NULL);
	return ret ? ret : (ssize_t)length;
}

/* Some, or all there are: bytes, 0 at the end, -EBADMSG when they are wrong. */
static ssize_t take_some(struct live *p, size_t length)
{
	struct zt_end r = { .fd = p->fd[1] };
	unsigned char buffer[ZT_PAGE];
	struct zt_view view;
	__u64 at = p->at[1];
	ssize_t n;
	__u32 k;
	int ret;

	if (p->kind != MAPPED) {
		n = read(p->fd[1], buffer, length);
		if (n < 0)
			return -errno;
		return zt_mismatch(buffer, p->key + at, n) < 0 ? n : -EBADMSG;
	}
	ret = zt_read(&r, 1, 0, &view);
	if (ret)
		return ret;
	if (view.args.out_start != at)
		return -ESPIPE;
	if (view.args.out_end == at)
		return view.args.out_flags & ZPIPE_RES_COMPLETED ? 0 : -ENODATA;
	for (k = 0; k < view.args.out_nr_spans; k++) {
		const struct zpipe_span *s = &view.spans[k];

		if (s->offset + s->length > p->window)
			return -ERANGE;
		if (zt_mismatch(p->data[1] + s->offset, p->key + at, s->length) >= 0)
			return -EBADMSG;
		at += s->length;
	}
	ret = zt_advance(&r, at, at);
	return ret ? ret : (ssize_t)(at - p->at[1]);
}

/* As much as goes without waiting. */
static void tend(struct keeper *me, struct live *p)
{
	while (!p->over[me->side]) {
		__u64 left = p->goal - p->at[me->side];
		size_t length = 1 + zt_random(&me->seed) % ZT_PAGE;
		ssize_t n;

		if (!me->side && length > left)
			length = left;
		if (!me->side && !left) {
			struct zt_end w = { .fd = p->fd[0] };
			int ret = zt_complete(&w, 0, 0, 0);

			if (ret)
				complain(me, p, "COMPLETE", ret);
			p->over[0] = true;
			return;
		}
		n = me->side ? take_some(p, length) : put_some(p, length);
		if (n == -EAGAIN)
			return;
		if (n > 0) {
			p->at[me->side] += n;
			continue;
		}
		/* The end, which must be where it belongs. */
		p->over[me->side] = true;
		if (n || left)
			complain(me, p, n ? strerror(-n) : "ends too early", n);
	}
}

static void *keep(void *arg)
{
	struct keeper *me = arg;
	struct crowd *c = me->crowd;
	int epoll = epoll_create1(EPOLL_CLOEXEC), n, i;
	__u64 k, waiting = 0;

	for (k = me->which; k < c->nr; k += SIDES) {
		struct epoll_event ev = { .data.u64 = k };

		ev.events = EPOLLET | (me->side ? EPOLLIN | EPOLLRDHUP : EPOLLOUT);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->pipes[k].fd[me->side], &ev))
			zt_die("EPOLL_CTL_ADD: %s", strerror(errno));
		waiting++;
	}
	while (waiting) {
		struct epoll_event evs[64];

		n = epoll_wait(epoll, evs, 64, ZT_PATIENCE_MS);
		if (n <= 0)
			break;
		for (i = 0; i < n; i++) {
			struct live *p = &c->pipes[evs[i].data.u64];

			if (p->over[me->side])
				continue;
			tend(me, p);
			waiting -= p->over[me->side];
		}
	}
	for (k = me->which; waiting && k < c->nr; k += SIDES)
		if (!c->pipes[k].over[me->side])
			complain(me, &c->pipes[k], "nothing happens any more", 0);
	close(epoll);
	return NULL;
}

FIXTURE(overload)
{
	__u64 seed;
	int device;
};

FIXTURE_SETUP(overload)
{
	self->seed = zt_seed();
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(overload)
{
	close(self->device);
}

TEST_F_TIMEOUT(overload, ten_thousand_live_pipes_lose_nothing, 100000)
{
	__u64 nr = from_environment("ZPIPE_PIPES", 10000);
	__u64 pages = from_environment("ZPIPE_LIVE", 2);
	__u64 seed = self->seed, k, bytes = 0, held = 0, lost = 0;
	struct keeper keepers[2 * SIDES];
	struct crowd c = { .nr = nr };
	int device = self->device;
	long long before;

	if (getuid())
		SKIP(return, "only root may have so many");
	before = zt_total(device, "pipes");
	zt_allow_files(2 * nr + nr / 16 + 200);
	c.pipes = calloc(nr, sizeof(*c.pipes));
	c.pools = calloc(nr, sizeof(*c.pools));
	for (k = 0; k < nr; k++) {
		ASSERT_EQ(0, make(&c, k)) {
			TH_LOG("pipe %llu", (unsigned long long)k);
		}
	}
	/* All of them are full before anybody reads. */
	for (k = 0; k < nr; k++) {
		struct live *p = &c.pipes[k];
		ssize_t n = put_some(p, 1 + zt_random(&seed) % ZT_PAGE);

		ASSERT_LT(0, n) {
			TH_LOG("pipe %llu: %s", (unsigned long long)k, strerror(-n));
		}
		p->at[0] = n;
		p->goal = n + pages * ZT_PAGE + zt_random(&seed) % ZT_PAGE;
		held += n;
		bytes += p->goal;
	}
	EXPECT_EQ(before + (long long)nr, zt_total(device, "pipes"));
	EXPECT_LE(held, zt_total(device, "held"));
	for (k = 0; k < 2 * SIDES; k++) {
		keepers[k] = (struct keeper){ .crowd = &c, .which = k / 2, .side = k % 2,
					      .seed = zt_random(&seed) };
		zt_spawn(&keepers[k].thread, keep, &keepers[k]);
	}
	for (k = 0; k < 2 * SIDES; k++) {
		pthread_join(keepers[k].thread, NULL);
		lost += keepers[k].lost;
	}
	TH_LOG("overload: live: %llu tried, %llu lost, %llu bytes", (unsigned long long)nr,
	       (unsigned long long)lost, (unsigned long long)bytes);
	EXPECT_EQ(0, lost);
	for (k = 0; k < nr; k++) {
		close(c.pipes[k].fd[0]);
		close(c.pipes[k].fd[1]);
		if (c.pipes[k].data[0])
			munmap(c.pipes[k].data[0], c.pipes[k].window);
		if (c.pipes[k].data[1])
			munmap(c.pipes[k].data[1], c.pipes[k].window);
	}
	for (k = 0; k < c.nr_pools; k++)
		close(c.pools[k]);
	EXPECT_TRUE(zt_total_becomes(device, "pipes", before));
	EXPECT_TRUE(zt_total_becomes(device, "held", 0));
	EXPECT_TRUE(zt_total_becomes(device, "pools", 0));
}

/* ---- storms ---- */

#define PARAMETERS	"/sys/module/zpipe/parameters/"
#define PROCESSES	4
#define MOST_PIPES	60
#define MOST_PAGES	900
#define OWN		32	/* things a process may have at a time */

enum { PIPES, HARD, SOFT, NR_LIMITS };

static const char * const limit[NR_LIMITS] = {
	PARAMETERS "user_pipes", PARAMETERS "user_pages_hard", PARAMETERS "user_pages_soft",
};

/* What each process surely has, and what it has seen. */
struct tally {
	__u64 pipes;
	__u64 pages;
	__u64 made;
	__u64 refused[2];	/* pipes, pages */
	__u64 lost;
};

FIXTURE(storm)
{
	long long saved[NR_LIMITS];
	struct tally *tallies;
	uid_t uid;
	int device;
	__u64 seed;
	__u64 rounds;
};

FIXTURE_SETUP(storm)
{
	int k;

	if (getuid())
		SKIP(return, "only root may set limits");
	for (k = 0; k < NR_LIMITS; k++)
		self->saved[k] = zt_read_number(limit[k]);
	self->rounds = from_environment("ZPIPE_STORM", 300);
	self->uid = zt_fresh_uid();
	self->seed = zt_seed();
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->tallies = mmap(NULL, sizeof(struct tally) * PROCESSES, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tallies);
	if (zt_write_number(limit[PIPES], MOST_PIPES) || zt_write_number(limit[HARD], MOST_PAGES) ||
	    zt_write_number(limit[SOFT], 0))
		SKIP(return, "the parameters cannot be written");
}

FIXTURE_TEARDOWN_PARENT(storm)
{
	int k;

	for (k = 0; k < NR_LIMITS; k++)
		if (self->saved[k] > 0)
			zt_write_number(limit[k], self->saved[k]);
}

static void add(__u64 *to, __s64 by)
{
	__atomic_add_fetch(to, by, __ATOMIC_SEQ_CST);
}

/* A process counts after it got something, and counts back before it gives it back. */
static bool too_much(const struct tally *tallies)
{
	__u64 pipes = 0, pages = 0;
	int k;

	for (k = 0; k < PROCESSES; k++) {
		pipes += __atomic_load_n(&tallies[k].pipes, __ATOMIC_SEQ_CST);
		pages += __atomic_load_n(&tallies[k].pages, __ATOMIC_SEQ_CST);
	}
	return pipes > MOST_PIPES || pages > MOST_PAGES;
}

struct thing {
	int fd[2];
	__u64 pages;
};

/* A pipe of some kind, or a pool, with some memory. */
static int get_thing(struct thing *t, struct tally *mine, __u64 *seed)
{
	__u32 flags[] = { 0, ZPIPE_F_CONTIG, ZPIPE_F_GUARDED };
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 64 * ZT_PAGE);
	__u64 lot = zt_random(seed), pages = 1 + (lot >> 8) % 64;
	struct zpipe_alloc_args grant;
	struct zt_end w;
	int ret;

	*t = (struct thing){ .fd = { -1, -1 } };
	if (lot % 8 == 7) {
		t->fd[0] = zt_pool(ZT_PAGE, 16, ZPIPE_POOL_IDLE);
		return t->fd[0] < 0 ? t->fd[0] : 0;
	}
	args->flags = flags[lot % 3];
	ret = zt_create(args);
	if (ret)
		return ret;
	t->fd[0] = args->out_writer_fd;
	t->fd[1] = args->out_reader_fd;
	w = (struct zt_end){ .fd = t->fd[0] };
	ret = zt_alloc(&w, 0, pages * ZT_PAGE, 0, &grant);
	if (!ret)
		t->pages = pages;
	else if (ret != -EDQUOT)
		mine->lost++;
	else
		mine->refused[1]++;
	return 0;
}

static void drop_thing(struct thing *t, struct tally *mine)
{
	add(&mine->pipes, -1);
	add(&mine->pages, -(__s64)t->pages);
	close(t->fd[0]);
	if (t->fd[1] >= 0)
		close(t->fd[1]);
}

static void storm(struct tally *tallies, int which, __u64 rounds, __u64 seed)
{
	struct tally *mine = &tallies[which];
	struct thing things[OWN];
	int nr = 0;

	while (rounds--) {
		struct thing t;
		int ret;

		if (nr == OWN || (nr && zt_random(&seed) % 5 < 2)) {
			int k = zt_random(&seed) % nr;

			drop_thing(&things[k], mine);
			things[k] = things[--nr];
			continue;
		}
		ret = get_thing(&t, mine, &seed);
		if (ret) {
			mine->refused[0]++;
			mine->lost += ret != -EDQUOT;
			continue;
		}
		add(&mine->pipes, 1);
		add(&mine->pages, t.pages);
		mine->made++;
		mine->lost += too_much(tallies);
		things[nr++] = t;
	}
	while (nr)
		drop_thing(&things[--nr], mine);
}

static pid_t start(FIXTURE_DATA(storm) *self, int which, __u64 rounds)
{
	__u64 seed = zt_random(&self->seed);
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	zt_become(self->uid);
	storm(self->tallies, which, rounds, seed);
	_exit(0);
}

static struct tally sum(const struct tally *tallies)
{
	struct tally all = { 0 };
	int k;

	for (k = 0; k < PROCESSES; k++) {
		all.made += tallies[k].made;
		all.refused[0] += tallies[k].refused[0];
		all.refused[1] += tallies[k].refused[1];
		all.lost += tallies[k].lost;
	}
	return all;
}

/* Exactly what the user may have can be had again. */
static int get_all_again(void)
{
	int k;

	for (k = 0; k < MOST_PIPES; k++)
		if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)))
			return 1;
	return zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) == -EDQUOT ? 0 : 2;
}

static int as_user(uid_t uid, int (*fn)(void))
{
	pid_t pid = fork();

	if (!pid) {
		zt_become(uid);
		_exit(fn());
	}
	return zt_wait_child(pid);
}

TEST_F_TIMEOUT(storm, nobody_gets_past_a_limit_and_all_comes_back, 100000)
{
	long long users = zt_total(self->device, "users"), pipes = zt_total(self->device, "pipes");
	pid_t pids[PROCESSES];
	struct tally all;
	int k, status;

	for (k = 0; k < PROCESSES; k++)
		pids[k] = start(self, k, self->rounds);
	for (k = 0; k < PROCESSES; k++) {
		ASSERT_EQ(pids[k], waitpid(pids[k], &status, 0));
		EXPECT_EQ(0, status);
	}
	all = sum(self->tallies);
	TH_LOG("overload: storm: %llu tried, %llu lost, %llu pipes and %llu grants refused",
	       (unsigned long long)(all.made + all.refused[0]), (unsigned long long)all.lost,
	       (unsigned long long)all.refused[0], (unsigned long long)all.refused[1]);
	EXPECT_EQ(0, all.lost);
	EXPECT_LT(0, all.refused[0]);
	EXPECT_LT(0, all.refused[1]);
	EXPECT_TRUE(zt_total_becomes(self->device, "pipes", pipes));
	EXPECT_TRUE(zt_total_becomes(self->device, "users", users));
	EXPECT_EQ(0, as_user(self->uid, get_all_again));
}

TEST_F_TIMEOUT(storm, killed_in_the_middle_nothing_stays_charged, 100000)
{
	long long users = zt_total(self->device, "users"), pipes = zt_total(self->device, "pipes");
	__u64 round, rounds = 1 + self->rounds / 60;
	pid_t pids[PROCESSES];
	int k;

	for (round = 0; round < rounds; round++) {
		for (k = 0; k < PROCESSES; k++)
			pids[k] = start(self, k, ~0ULL);
		usleep(20000 + zt_random(&self->seed) % 50000);
		for (k = 0; k < PROCESSES; k++)
			kill(pids[k], SIGKILL);
		for (k = 0; k < PROCESSES; k++)
			EXPECT_EQ(128 + SIGKILL, zt_wait_child(pids[k]));
		ASSERT_TRUE(zt_total_becomes(self->device, "pipes", pipes));
		ASSERT_TRUE(zt_total_becomes(self->device, "users", users));
		memset(self->tallies, 0, sizeof(struct tally) * PROCESSES);
	}
	TH_LOG("overload: kills: %llu tried, 0 lost", (unsigned long long)(rounds * PROCESSES));
	EXPECT_EQ(0, as_user(self->uid, get_all_again));
}

TEST_HARNESS_MAIN
