// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits - per-user pages and pipes, the largest capacity, and that all of it is given back
 *
 * The work is done by a child without privileges under a user id of its own, so that nothing else
 * on the machine counts. Parameters that can be written are made small and put back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define PARAMETERS	"/sys/module/zpipe/parameters/"
#define NR_PARAMETERS	4

enum { MAX_CAPACITY, SOFT, HARD, PIPES };

static const char * const names[NR_PARAMETERS] = {
	PARAMETERS "max_capacity", PARAMETERS "user_pages_soft", PARAMETERS "user_pages_hard",
	PARAMETERS "user_pipes",
};

FIXTURE(limits)
{
	long long saved[NR_PARAMETERS];
	long long value[NR_PARAMETERS];
	bool writable;
};

/* Small limits where they can be set: 2048 and 4096 pages, 100 pipes. */
FIXTURE_SETUP(limits)
{
	int k;

	for (k = 0; k < NR_PARAMETERS; k++) {
		self->saved[k] = zt_read_number(names[k]);
		ASSERT_LT(0, self->saved[k])
			TH_LOG("%s", names[k]);
	}
	self->writable = !zt_write_number(names[SOFT], 2048) &&
			 !zt_write_number(names[HARD], 4096) &&
			 !zt_write_number(names[PIPES], 100);
	for (k = 0; k < NR_PARAMETERS; k++)
		self->value[k] = zt_read_number(names[k]);
}

FIXTURE_TEARDOWN_PARENT(limits)
{
	int k;

	if (self->writable)
		for (k = 0; k < NR_PARAMETERS; k++)
			zt_write_number(names[k], self->saved[k]);
}

/* Runs @fn as a fresh user; its result. */
static int as_user(FIXTURE_DATA(limits) *self, int (*fn)(FIXTURE_DATA(limits) *))
{
	uid_t uid = zt_fresh_uid();
	pid_t child = fork();

	if (!child) {
		zt_allow_files(65536);
		zt_become(uid);
		_exit(fn(self));
	}
	return zt_wait_child(child);
}

/* How many pipes can be made until the error @want; -1 for another. */
static long long fill_pipes(int want, __u64 capacity, long long most)
{
	long long n;
	int ret;

	for (n = 0; n < most; n++) {
		ret = zt_create(ZT_ARGS(capacity ? ZT_PAGE : 0, capacity));
		if (ret)
			return ret == want ? n : -1;
	}
	return n;
}

static int user_may_use_the_device(FIXTURE_DATA(limits) *self)
{
	struct zt_pipe p;

	(void)self;
	return zt_pipe_open(&p, ZT_ARGS(0, 0)) || zt_put(&p.w, 100000) || zt_take(&p.r, 100000);
}

TEST_F(limits, anyone_may_make_a_pipe)
{
	EXPECT_EQ(0, as_user(self, user_may_use_the_device));
}

static int user_stops_at_pipes(FIXTURE_DATA(limits) *self)
{
	long long n = fill_pipes(-EDQUOT, ZT_PAGE, self->value[PIPES] + 10);

	return n != self->value[PIPES];
}

TEST_F(limits, too_many_pipes_edquot)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_stops_at_pipes));
}

static int user_gets_pipes_back(FIXTURE_DATA(limits) *self)
{
	int i, k;

	for (i = 0; i < 5; i++) {
		struct zpipe_create_args *args[50];
		static struct zpipe_create_args store[50];

		for (k = 0; k < 50 && k < self->value[PIPES] / 2; k++) {
			store[k] = *ZT_ARGS(ZT_PAGE, ZT_PAGE);
			args[k] = &store[k];
			if (zt_create(args[k]))
				return 1;
		}
		while (k--) {
			close(args[k]->out_writer_fd);
			close(args[k]->out_reader_fd);
		}
	}
	return 0;
}

TEST_F(limits, closed_pipes_count_no_more)
{
	EXPECT_EQ(0, as_user(self, user_gets_pipes_back));
}

#define NR_HOGS	20

/*
 * Pipes that are made while little is charged and take memory only then, until refused. How many
 * pages they hold, or -1 when the refusal did not come or was another.
 */
static long long take_all_pages(struct zt_pipe *hogs)
{
	struct zpipe_alloc_args grant;
	long long pages = 0;
	int i, ret = 0;

	for (i = 0; i < NR_HOGS; i++)
		if (zt_pipe_open(&hogs[i], ZT_ARGS(0, 0)))
			return -1;
	for (i = 0; i < NR_HOGS && !ret; i++)
		ret = zt_alloc(&hogs[i].w, 0, hogs[i].w.info.out_window, 0, &grant);
	for (i = 0; i < NR_HOGS; i++)
		pages += zt_stat(&hogs[i].w).out_data_pages;
	return ret == -EDQUOT ? pages : -1;
}

static int user_stops_at_pages(FIXTURE_DATA(limits) *self)
{
	struct zt_pipe hogs[NR_HOGS];
	long long pages = take_all_pages(hogs);

	return pages < self->value[HARD] / 2 || pages > self->value[HARD];
}

TEST_F(limits, too_many_pages_edquot)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_stops_at_pages));
}

static int user_beyond_soft_gets_two_pages(FIXTURE_DATA(limits) *self)
{
	long long soft = self->value[SOFT];
	struct zpipe_alloc_args grant;
	long long pages = 0;
	struct zt_pipe p;
	int i;

	for (i = 0; i < 64 && pages < soft; i++) {
		if (zt_pipe_open(&p, ZT_ARGS(0, 0)) ||
		    zt_alloc(&p.w, 0, p.w.info.out_window, 0, &grant))
			return 1;
		pages += zt_stat(&p.w).out_data_pages;
	}
	if (zt_create(ZT_ARGS(0, 1ULL << 20)) != -EDQUOT)
		return 2;
	if (zt_pipe_open(&p, ZT_ARGS(0, 0)))
		return 3;
	if (p.w.info.out_capacity != 2 * ZT_PAGE)
		return 4;
	return zt_put(&p.w, 2 * ZT_PAGE) || zt_take(&p.r, 2 * ZT_PAGE) ? 5 : 0;
}

TEST_F(limits, beyond_the_soft_limit_a_default_pipe_has_two_pages)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_beyond_soft_gets_two_pages));
}

static int user_refused_alloc_leaves_the_pipe(FIXTURE_DATA(limits) *self)
{
	struct zt_pipe p, hogs[NR_HOGS];
	struct zpipe_alloc_args grant;
	__u64 granted;

	(void)self;
	if (zt_pipe_open(&p, ZT_ARGS(0, 1ULL << 20)) || zt_put(&p.w, 5000))
		return 1;
	if (take_all_pages(hogs) < 0)
		return 2;
	granted = zt_granted(&p.w);
	if (zt_alloc(&p.w, 5000, p.w.info.out_window - (1 << 16), 0, &grant) != -EDQUOT)
		return 3;
	if (zt_granted(&p.w) != granted || zt_alloc(&p.w, 5000, 1000, 0, &grant))
		return 4;
	return zt_take(&p.r, 5000) ? 5 : 0;
}

TEST_F(limits, refused_alloc_changes_nothing)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_refused_alloc_leaves_the_pipe));
}

static int user_pages_come_back(FIXTURE_DATA(limits) *self)
{
	struct zpipe_alloc_args grant;
	struct zt_pipe p;
	int i;

	(void)self;
	for (i = 0; i < 30; i++) {
		if (zt_pipe_open(&p, ZT_ARGS(0, 0)) || p.w.info.out_capacity != 1ULL << 20)
			return 1;
		if (zt_alloc(&p.w, 0, p.w.info.out_window, 0, &grant))
			return 2;
		zt_pipe_close(&p);
	}
	return 0;
}

TEST_F(limits, pages_of_closed_pipes_count_no_more)
{
	EXPECT_EQ(0, as_user(self, user_pages_come_back));
}

static int user_exempt(FIXTURE_DATA(limits) *self)
{
	return fill_pipes(0, ZT_PAGE, self->value[PIPES] + 5) == self->value[PIPES] + 5 ? 0 : 1;
}

TEST_F(limits, cap_sys_resource_is_exempt)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	zt_allow_files(65536);
	EXPECT_EQ(0, user_exempt(self));
}

TEST_F(limits, capacity_above_the_largest_einval)
{
	__u64 most = self->value[MAX_CAPACITY];
	struct zt_pipe p;

	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(0, most + 1)));
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, most)));
	EXPECT_EQ(most, p.w.info.out_capacity);
	zt_pipe_close(&p);
}

TEST_F(limits, create_charges_control_pages_and_no_data)
{
	struct zt_pipe p;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, self->value[MAX_CAPACITY])));
	EXPECT_EQ(0, zt_stat(&p.w).out_data_pages);
	zt_pipe_close(&p);
}

/* Charged to its maker, wherever the ends are: exit of the maker alone gives nothing back. */
static int user_charged_after_passing(FIXTURE_DATA(limits) *self)
{
	long long n = fill_pipes(-EDQUOT, ZT_PAGE, self->value[PIPES] + 10);
	pid_t child;

	if (n < 0)
		return 1;
	child = fork();
	if (!child) {
		/* The same user, holding the inherited ends. */
		_exit(zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) == -EDQUOT ? 0 : 2);
	}
	return zt_wait_child(child);
}

TEST_F(limits, forking_is_no_way_round)
{
	EXPECT_EQ(0, as_user(self, user_charged_after_passing));
}

/* A pool is one more pipe; what is given back can be had again, once. */
static int user_at_the_edge_of_pipes(FIXTURE_DATA(limits) *self)
{
	long long most = self->value[PIPES];
	struct zpipe_create_args args = *ZT_ARGS(ZT_PAGE, ZT_PAGE);
	int device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC), pool, k;

	if (fill_pipes(-EDQUOT, ZT_PAGE, most - 2) != most - 2 || zt_create(&args))
		return 1;
	pool = zt_pool(ZT_PAGE, 4, ZPIPE_POOL_IDLE);
	if (pool < 0 || zt_total(device, "user-pipes") != most)
		return 2;
	if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) != -EDQUOT)
		return 3;
	if (zt_pool(ZT_PAGE, 4, ZPIPE_POOL_IDLE) != -EDQUOT)
		return 4;
	/* One end alone is still a pipe. */
	close(args.out_writer_fd);
	if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) != -EDQUOT)
		return 5;
	for (k = 0; k < 2; k++) {
		close(k ? pool : args.out_reader_fd);
		if (!zt_total_becomes(device, "user-pipes", most - 1))
			return 6;
		if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)))
			return 7;
		if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) != -EDQUOT)
			return 8;
	}
	return zt_total(device, "user-refused") == 5 ? 0 : 9;
}

TEST_F(limits, pipes_exactly_at_one_above_and_given_back)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_at_the_edge_of_pipes));
}

/* A pipe of segments of a page, and a grant of so many: 0 or -errno. */
static int take_pages(struct zt_pipe *p, __u64 pages)
{
	struct zpipe_alloc_args grant;

	return zt_alloc(&p->w, zt_granted(&p->w), pages * ZT_PAGE, 0, &grant);
}

static int open_pages(struct zt_pipe *p, __u64 pages)
{
	return zt_pipe_open(p, ZT_ARGS(ZT_PAGE, pages * ZT_PAGE));
}

#define HOGS		3
#define HOG_PAGES	1500

/* Made before anything is charged that counts: none of them is beyond the soft limit. */
static int open_hogs(struct zt_pipe *hogs)
{
	int k;

	for (k = 0; k < HOGS; k++)
		if (open_pages(&hogs[k], HOG_PAGES))
			return -1;
	return 0;
}

static void close_hogs(struct zt_pipe *hogs)
{
	int k;

	for (k = 0; k < HOGS; k++)
		zt_pipe_close(&hogs[k]);
}

/* Takes pages until @left of a limit are left. */
static int leave_pages(int device, struct zt_pipe *hogs, long long limit, long long left)
{
	int k;

	for (k = 0; k < HOGS; k++) {
		long long pages = limit - left - zt_total(device, "user-pages");

		if (pages > HOG_PAGES)
			pages = HOG_PAGES;
		if (pages && take_pages(&hogs[k], pages))
			return -1;
	}
	return zt_total(device, "user-pages") == limit - left ? 0 : -2;
}

static int user_at_the_hard_edge(FIXTURE_DATA(limits) *self)
{
	int device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	long long hard = self->value[HARD], used;
	struct zt_pipe a, b, hogs[HOGS];

	/* Made before: control pages count as well. */
	if (open_pages(&a, 64) || open_pages(&b, 64) || open_hogs(hogs) ||
	    leave_pages(device, hogs, hard, 10))
		return 1;
	/* What it got before it was refused stays ready, for a pipe that can do with less. */
	if (take_pages(&a, 11) != -EDQUOT || zt_total(device, "user-pages") > hard)
		return 2;
	if (take_pages(&a, 10) || zt_total(device, "user-pages") != hard)
		return 3;
	if (take_pages(&b, 1) != -EDQUOT || zt_create(ZT_ARGS(0, 0)) != -EDQUOT)
		return 4;
	if (zt_total(device, "user-pages") != hard)
		return 5;
	/* What is there can still be used. */
	if (zt_put(&a.w, 10 * ZT_PAGE) || zt_take(&a.r, 10 * ZT_PAGE))
		return 6;
	zt_pipe_close(&a);
	used = hard - 10;
	while (zt_total(device, "user-pages") > used)
		zt_sleep_ms(1);
	used = zt_total(device, "user-pages");
	if (take_pages(&b, hard - used + 1) != -EDQUOT)
		return 7;
	if (take_pages(&b, hard - used) || zt_total(device, "user-pages") != hard)
		return 8;
	close_hogs(hogs);
	zt_pipe_close(&b);
	return zt_total_becomes(device, "user-pages", 0) ? 0 : 9;
}

TEST_F(limits, hard_pages_exactly_at_one_above_and_given_back)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_at_the_hard_edge));
}

static int user_at_the_soft_edge(FIXTURE_DATA(limits) *self)
{
	int device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	long long soft = self->value[SOFT], full = (1 << 20) / ZT_PAGE;
	struct zt_pipe hogs[HOGS], p;

	if (open_hogs(hogs) || leave_pages(device, hogs, soft, full))
		return 1;
	/* It counts what a pipe may come to hold. */
	if (zt_pipe_open(&p, ZT_ARGS(0, 0)) || p.w.info.out_capacity != 1 << 20)
		return 2;
	zt_pipe_close(&p);
	if (!zt_total_becomes(device, "user-pages", soft - full) || take_pages(&hogs[2], 1))
		return 3;
	if (zt_create(ZT_ARGS(0, 1 << 20)) != -EDQUOT)
		return 4;
	if (open_pages(&p, full - 1))
		return 5;
	zt_pipe_close(&p);
	if (!zt_total_becomes(device, "user-pages", soft - full + 1))
		return 6;
	if (zt_pipe_open(&p, ZT_ARGS(0, 0)) || p.w.info.out_capacity != 2 * ZT_PAGE)
		return 7;
	zt_pipe_close(&p);
	close_hogs(hogs);
	if (!zt_total_becomes(device, "user-pages", 0))
		return 8;
	return zt_pipe_open(&p, ZT_ARGS(0, 0)) || p.w.info.out_capacity != 1 << 20 ? 9 : 0;
}

TEST_F(limits, soft_pages_exactly_at_one_above_and_given_back)
{
	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	EXPECT_EQ(0, as_user(self, user_at_the_soft_edge));
}

/* Pipes that are there outlive a limit that comes down below them. */
static int user_lives_with_a_lower_limit(int ready, int lowered)
{
	struct zt_pipe p[3];
	char byte = 0;
	int k;

	for (k = 0; k < 3; k++)
		if (zt_pipe_open(&p[k], ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE)))
			return 1;
	if (write(ready, &byte, 1) != 1 || read(lowered, &byte, 1) != 1)
		return 2;
	if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) != -EDQUOT)
		return 3;
	zt_pipe_close(&p[2]);
	if (zt_create(ZT_ARGS(ZT_PAGE, ZT_PAGE)) != -EDQUOT)
		return 4;
	for (k = 0; k < 2; k++)
		if (zt_put(&p[k].w, 8 * ZT_PAGE) || zt_take(&p[k].r, 8 * ZT_PAGE))
			return 5;
	return 0;
}

TEST_F(limits, lowered_below_what_is_used_refuses_only_new_pipes)
{
	int ready[2], lowered[2];
	uid_t uid = zt_fresh_uid();
	char byte = 0;
	pid_t child;

	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(lowered));
	child = fork();
	if (!child) {
		zt_become(uid);
		_exit(user_lives_with_a_lower_limit(ready[1], lowered[0]));
	}
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(0, zt_write_number(names[PIPES], 2));
	EXPECT_EQ(1, write(lowered[1], &byte, 1));
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(0, zt_write_number(names[PIPES], self->value[PIPES]));
}

TEST_HARNESS_MAIN
