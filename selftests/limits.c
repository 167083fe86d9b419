// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits - per-user pages and pipes, the largest capacity, and that all of it is given back
 *
 * The work is done by a child without privileges under a user id of its own, so that nothing else
 * on the machine counts. Parameters that can be written are made small and put back.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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

static int set_parameter(int which, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	return zt_write_text(names[which], text);
}

/* Small limits where they can be set: 2048 and 4096 pages, 100 pipes. */
FIXTURE_SETUP(limits)
{
	int k;

	for (k = 0; k < NR_PARAMETERS; k++) {
		self->saved[k] = zt_read_number(names[k]);
		ASSERT_LT(0, self->saved[k])
			TH_LOG("%s", names[k]);
	}
	self->writable = !set_parameter(SOFT, 2048) && !set_parameter(HARD, 4096) &&
			 !set_parameter(PIPES, 100);
	for (k = 0; k < NR_PARAMETERS; k++)
		self->value[k] = zt_read_number(names[k]);
}

FIXTURE_TEARDOWN_PARENT(limits)
{
	int k;

	if (self->writable)
		for (k = 0; k < NR_PARAMETERS; k++)
			set_parameter(k, self->saved[k]);
}

/* A user nobody else is: the limits of this process start at nothing. */
static void become(uid_t uid)
{
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 65536 };

	setrlimit(RLIMIT_NOFILE, &files);
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		zt_die("setresuid %u", uid);
}

static uid_t fresh_uid(void)
{
	static uid_t next;

	if (!next)
		next = 200000 + getpid() % 100000 * 16;
	return next++;
}

/* Runs @fn as a fresh user; its result. */
static int as_user(FIXTURE_DATA(limits) *self, int (*fn)(FIXTURE_DATA(limits) *))
{
	uid_t uid = fresh_uid();
	pid_t child = fork();

	if (!child) {
		become(uid);
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
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 65536 };

	if (!self->writable)
		SKIP(return, "the parameters cannot be written");
	setrlimit(RLIMIT_NOFILE, &files);
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

TEST_HARNESS_MAIN
