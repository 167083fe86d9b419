// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo - /proc/PID/fdinfo of an end: true numbers, readable at any time
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(fdinfo)
{
	struct zt_pipe p;
	char text[8192];
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

static long long value_of(const char *text, const char *key)
{
	char word[64];
	const char *at;

	snprintf(word, sizeof(word), "zpipe-%s:\t", key);
	at = strstr(text, word);
	return at ? strtoll(at + strlen(word), NULL, 10) : -1;
}

#define COUNTER(key, member)	{ key, offsetof(struct zpipe_stat_args, out_##member) }

static const struct {
	const char *key;
	size_t at;
} counters[] = {
	COUNTER("control-bytes", control_bytes),
	COUNTER("spare-pages", spare_pages),
	COUNTER("replaced-pages", replaced_pages),
	COUNTER("copied-write", copied_write),
	COUNTER("copied-read", copied_read),
	COUNTER("copied-seal", copied_seal),
	COUNTER("zeroed", zeroed),
	COUNTER("spliced-out", spliced_out),
	COUNTER("spliced-in", spliced_in),
	COUNTER("forwards", forwards),
	COUNTER("adopted-pages", adopted_pages),
	COUNTER("segments-opened", segments_opened),
	COUNTER("segments-freed", segments_freed),
	COUNTER("allocs", allocs),
	COUNTER("flushes", flushes),
	COUNTER("reads", reads),
	COUNTER("advances", advances),
	COUNTER("pauses", pauses),
	COUNTER("paused-ns", paused_ns),
	COUNTER("longest-pause-ns", longest_pause_ns),
	COUNTER("writer-wait-count", writer_waits),
	COUNTER("writer-wait-ns", writer_wait_ns),
	COUNTER("longest-writer-wait-ns", longest_writer_wait_ns),
	COUNTER("reader-wait-count", reader_waits),
	COUNTER("reader-wait-ns", reader_wait_ns),
	COUNTER("longest-reader-wait-ns", longest_reader_wait_ns),
	COUNTER("reader-wakes", reader_wakes),
	COUNTER("writer-wakes", writer_wakes),
	COUNTER("rejects", rejects),
};

#define NR_COUNTERS	(sizeof(counters) / sizeof(*counters))

TEST_F(fdinfo, has_the_counters_of_stat)
{
	struct zpipe_read_args args = { .min = 200000, .deadline = zt_deadline(5) };
	const int fds[] = { self->p.w.fd, self->p.r.fd };
	char buffer[1009];
	const char *text;
	struct zpipe_stat_args s;
	__u64 value;
	size_t i;
	int k;

	memset(buffer, 0, sizeof(buffer));
	EXPECT_EQ(-ETIMEDOUT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	ASSERT_EQ(1009, write(self->p.w.fd, buffer, 1009));
	ASSERT_EQ(757, read(self->p.r.fd, buffer, 757));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, 1, 1));
	for (k = 0; k < 2; k++) {
		s = zt_stat(k ? &self->p.r : &self->p.w);
		text = fdinfo_of(self, getpid(), fds[k]);
		for (i = 0; i < NR_COUNTERS; i++) {
			memcpy(&value, (const char *)&s + counters[i].at, sizeof(value));
			EXPECT_EQ((long long)value, value_of(text, counters[i].key))
				TH_LOG("%s", counters[i].key);
		}
		EXPECT_EQ(1009, value_of(text, "copied-write"));
		EXPECT_EQ(757, value_of(text, "copied-read"));
		EXPECT_EQ(1, value_of(text, "reader-wait-count"));
		EXPECT_EQ(1, value_of(text, "rejects"));
		EXPECT_EQ((long long)getuid(), value_of(text, "uid"));
		EXPECT_EQ(k ? 0 : -1, value_of(text, "index"));
	}
}

static bool says(const char *text, const char *key, const char *value)
{
	char line[64];

	snprintf(line, sizeof(line), "zpipe-%s:\t%s\n", key, value);
	return strstr(text, line);
}

/* While others go on: their positions stay, and would look like a pipe that holds too much. */
TEST_F(fdinfo, tells_which_readers_are_over)
{
	struct zpipe_complete_args complete = { 0 };
	struct zpipe_tee_args outrun, completed;
	struct zt_pipe p;
	const char *text;
	int k;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 2 * ZT_PAGE)));
	ASSERT_EQ(0, zt_tee(p.r.fd, ZPIPE_TEE_F_DETACH, &outrun));
	ASSERT_EQ(0, zt_tee(p.r.fd, 0, &completed));
	EXPECT_TRUE(says(fdinfo_of(self, getpid(), outrun.out_fd), "attached", "yes"));
	EXPECT_TRUE(says(self->text, "detached", "0"));
	ASSERT_EQ(0, ioctl(completed.out_fd, ZPIPE_IOC_COMPLETE, &complete));
	for (k = 0; k < 3; k++) {
		ASSERT_EQ(0, zt_put(&p.w, ZT_PAGE));
		ASSERT_EQ(0, zt_take(&p.r, ZT_PAGE));
	}
	text = fdinfo_of(self, getpid(), outrun.out_fd);
	EXPECT_TRUE(says(text, "attached", "no"));
	EXPECT_EQ(ENOBUFS, value_of(text, "detached"));
	EXPECT_EQ(0, value_of(text, "consumed"));
	EXPECT_EQ(3 * ZT_PAGE, value_of(text, "published"));
	text = fdinfo_of(self, getpid(), completed.out_fd);
	EXPECT_TRUE(says(text, "attached", "no"));
	EXPECT_EQ(0, value_of(text, "detached"));
	EXPECT_EQ(0, value_of(text, "consumed"));
	text = fdinfo_of(self, getpid(), p.r.fd);
	EXPECT_TRUE(says(text, "attached", "yes"));
	EXPECT_EQ(NULL, strstr(fdinfo_of(self, getpid(), p.w.fd), "zpipe-attached"));
	close(outrun.out_fd);
	close(completed.out_fd);
	zt_pipe_close(&p);
}

TEST_F(fdinfo, of_a_pool_tells_what_it_holds)
{
	struct zpipe_pool_create_args pool = { .segment_size = ZT_PAGE, .segments = 13,
					       .idle = ZPIPE_POOL_IDLE };
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	struct zpipe_create_args create = { .segment_size = ZT_PAGE, .capacity = 4 * ZT_PAGE,
					    .resume = ZPIPE_DEFAULT };
	struct zt_pipe p;
	const char *text;

	ASSERT_LE(0, device);
	ASSERT_EQ(0, ioctl(device, ZPIPE_IOC_POOL_CREATE, &pool));
	create.pool_fd = pool.out_fd;
	ASSERT_EQ(0, zt_pipe_open(&p, &create));
	ASSERT_EQ(0, zt_put(&p.w, 3 * ZT_PAGE));
	text = fdinfo_of(self, getpid(), pool.out_fd);
	EXPECT_NE(NULL, strstr(text, "zpipe-role:\tpool\n"));
	EXPECT_EQ((long long)pool.out_id, value_of(text, "pool"));
	EXPECT_EQ(13, value_of(text, "segments"));
	EXPECT_EQ(10, value_of(text, "free"));
	EXPECT_EQ(3, value_of(text, "data-pages"));
	EXPECT_EQ(0, value_of(text, "idle-pages"));
	EXPECT_EQ(1, value_of(text, "pipes"));
	EXPECT_EQ(3, value_of(text, "committed"));
	EXPECT_EQ(2, value_of(text, "idle"));
	zt_pipe_close(&p);
	close(pool.out_fd);
	close(device);
}

/* Do the counts of segments and of references to them fit together? */
static bool fits(FIXTURE_DATA(fdinfo) *self, int fd)
{
	const char *text = fdinfo_of(self, getpid(), fd);

	return value_of(text, "segments") > 0 && value_of(text, "references-calls") == 0 &&
	       value_of(text, "segments") == value_of(text, "segments-free") +
			value_of(text, "segments-preserved") + value_of(text, "segments-taken") &&
	       value_of(text, "references") == value_of(text, "references-chain") +
			value_of(text, "references-preserved") +
			value_of(text, "references-posted");
}

TEST_F(fdinfo, tells_who_has_the_segments)
{
	struct zt_kept kept;
	struct zt_view view;

	/* 54321 bytes are in 14 of 64 pages; what is consumed comes free when somebody wants it. */
	EXPECT_TRUE(fits(self, self->p.w.fd));
	EXPECT_EQ(64, value_of(self->text, "segments"));
	EXPECT_EQ(50, value_of(self->text, "segments-free"));
	EXPECT_EQ(0, value_of(self->text, "segments-idle"));
	EXPECT_EQ(0, value_of(self->text, "segments-preserved"));
	EXPECT_EQ(14, value_of(self->text, "segments-taken"));

	/* Another one serves for each that is preserved. */
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 8 * ZT_PAGE, 2 * ZT_PAGE, &kept));
	EXPECT_TRUE(fits(self, self->p.r.fd));
	EXPECT_EQ(66, value_of(self->text, "segments"));
	EXPECT_EQ(2, value_of(self->text, "references-preserved"));
	EXPECT_EQ(0, value_of(self->text, "segments-preserved"));
	ASSERT_EQ(0, zt_advance(&self->p.r, 54321, 54321));
	ASSERT_EQ(0, zt_put(&self->p.w, 1));
	EXPECT_TRUE(fits(self, self->p.r.fd));
	EXPECT_EQ(2, value_of(self->text, "segments-preserved"));
	EXPECT_EQ(1, value_of(self->text, "segments-taken"));
	EXPECT_EQ(11, value_of(self->text, "segments-idle"));

	ASSERT_EQ(0, zt_release(&self->p.r, kept.handle));
	EXPECT_TRUE(fits(self, self->p.w.fd));
	EXPECT_EQ(64, value_of(self->text, "segments"));
	EXPECT_EQ(0, value_of(self->text, "references-preserved"));
}

TEST_F(fdinfo, of_a_posted_pipe_tells_that_its_segments_are_the_readers)
{
	struct zt_pipe p;

	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, 8 * ZT_PAGE, .flags = ZPIPE_F_POSTED)));
	EXPECT_TRUE(fits(self, p.w.fd));
	EXPECT_EQ(8, value_of(self->text, "references-posted"));
	EXPECT_EQ(8, value_of(self->text, "segments-taken"));
	zt_pipe_close(&p);
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
