// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo - /proc/PID/fdinfo of an end: true numbers, readable at any time
 */
#include <errno.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(fdinfo)
{
	struct zt_pipe p;
	char text[4096];
};

/* Positions that are no other number of the pipe. */
FIXTURE_SETUP(fdinfo)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, 64 * ZT_PAGE, .pause = 200003,
						 .resume = 100003);
	struct zt_view view;

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	ASSERT_EQ(0, zt_put(&self->p.w, 54321));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 32109, 43210));
}

FIXTURE_TEARDOWN(fdinfo)
{
	zt_pipe_close(&self->p);
}

static const char *fdinfo_of(FIXTURE_DATA(fdinfo) *self, pid_t pid, int fd)
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "r");
	if (!f)
		return "";
	n = fread(self->text, 1, sizeof(self->text) - 1, f);
	self->text[n] = '\0';
	fclose(f);
	return self->text;
}

/* Is the number there as a word of its own? */
static bool has_number(const char *text, unsigned long long value)
{
	char word[32];
	const char *at = text;
	size_t len;

	len = snprintf(word, sizeof(word), "%llu", value);
	while ((at = strstr(at, word))) {
		if ((at == text || !isdigit(at[-1])) && !isdigit(at[len]))
			return true;
		at += len;
	}
	return false;
}

TEST_F(fdinfo, names_the_pipe_and_its_positions_on_both_ends)
{
	const int fds[] = { self->p.w.fd, self->p.r.fd };
	const char *text;
	int k;

	for (k = 0; k < 2; k++) {
		text = fdinfo_of(self, getpid(), fds[k]);
		EXPECT_NE(NULL, strstr(text, "zpipe"))
			TH_LOG("%s", text);
		EXPECT_TRUE(has_number(text, self->p.id));
		EXPECT_TRUE(has_number(text, 54321));
		EXPECT_TRUE(has_number(text, 43210));
		EXPECT_TRUE(has_number(text, 32109));
	}
}

TEST_F(fdinfo, tells_the_role)
{
	EXPECT_NE(NULL, strstr(fdinfo_of(self, getpid(), self->p.w.fd), "writer"));
	EXPECT_NE(NULL, strstr(fdinfo_of(self, getpid(), self->p.r.fd), "reader"));
}

TEST_F(fdinfo, tells_the_geometry)
{
	const char *text = fdinfo_of(self, getpid(), self->p.w.fd);

	EXPECT_TRUE(has_number(text, 64 * ZT_PAGE));
	EXPECT_TRUE(has_number(text, ZT_PAGE));
}

TEST_F(fdinfo, lines_are_keys_and_values)
{
	char *line, *save = NULL;

	fdinfo_of(self, getpid(), self->p.w.fd);
	for (line = strtok_r(self->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		EXPECT_NE(NULL, strchr(line, ':'))
			TH_LOG("%s", line);
	}
}

TEST_F(fdinfo, is_readable_beside_a_sleeper)
{
	struct zpipe_read_args args = { .min = 200000 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	EXPECT_TRUE(has_number(fdinfo_of(self, getpid(), self->p.r.fd), 54321));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(0, zt_bg_join(&bg));
}

TEST_F(fdinfo, changes_nothing)
{
	struct zpipe_stat_args before = zt_stat(&self->p.w), after;

	fdinfo_of(self, getpid(), self->p.w.fd);
	fdinfo_of(self, getpid(), self->p.r.fd);
	after = zt_stat(&self->p.w);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

TEST_F(fdinfo, of_a_pipe_with_lying_words_is_harmless)
{
	zt_store_published(&self->p.w, ~0ULL);
	zt_store_consumed(&self->p.r, 1ULL << 63);
	EXPECT_NE(NULL, strstr(fdinfo_of(self, getpid(), self->p.w.fd), "zpipe"));
}

static void *churn(void *arg)
{
	atomic_int *stop = arg;

	while (!atomic_load(stop)) {
		struct zt_pipe p;

		if (zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)) || zt_put(&p.w, 5000) ||
		    zt_take(&p.r, 5000))
			zt_die("churn");
		zt_pipe_close(&p);
	}
	return NULL;
}

TEST_F(fdinfo, read_for_every_fd_while_pipes_come_and_go)
{
	atomic_int stop = 0;
	pthread_t thread;
	__u64 end = zt_deadline(500);
	int fd;

	zt_spawn(&thread, churn, &stop);
	while (zt_now() < end) {
		for (fd = 3; fd < 20; fd++)
			fdinfo_of(self, getpid(), fd);
	}
	atomic_store(&stop, 1);
	zt_join(thread);
	EXPECT_TRUE(has_number(fdinfo_of(self, getpid(), self->p.w.fd), 54321));
}

TEST_HARNESS_MAIN
