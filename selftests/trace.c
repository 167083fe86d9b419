// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace - the tracepoints exist and fire once per call, with the right fields, on failure too
 *
 * Fields are checked by the kernel itself: the event's filter names the values wanted, and only
 * matching events are counted. Everything happens in a trace instance of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

static const char * const events[] = {
	"zpipe_create", "zpipe_destroy", "zpipe_alloc", "zpipe_flush", "zpipe_read",
	"zpipe_advance", "zpipe_complete", "zpipe_cancel", "zpipe_set", "zpipe_reset",
	"zpipe_reject", "zpipe_tee", "zpipe_preserve", "zpipe_release", "zpipe_export",
	"zpipe_post", "zpipe_unpost", "zpipe_forward",
	"zpipe_segment_open", "zpipe_segment_free", "zpipe_pause",
	"zpipe_resume", "zpipe_wait_begin", "zpipe_wait_end", "zpipe_wake", "zpipe_copy",
	"zpipe_seal",
	"zpipe_splice",
};

#define NR_EVENTS	(sizeof(events) / sizeof(*events))
#define NR_VERBS	11

FIXTURE(trace)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	char root[64];
	char instance[128];
};

static bool find_tracefs(char *root, size_t size)
{
	static const char * const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[128];
	size_t k;

	for (k = 0; k < 2; k++) {
		snprintf(path, sizeof(path), "%s/instances", places[k]);
		snprintf(root, size, "%s", places[k]);
		if (!access(path, W_OK))
			return true;
		if (!mount("tracefs", places[k], "tracefs", 0, NULL) && !access(path, W_OK))
			return true;
	}
	return false;
}

FIXTURE_SETUP(trace)
{
	if (!find_tracefs(self->root, sizeof(self->root)))
		SKIP(return, "no tracefs");
	snprintf(self->instance, sizeof(self->instance), "%s/instances/zpipe-%d", self->root,
		 getpid());
	ASSERT_EQ(0, mkdir(self->instance, 0700));
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(trace)
{
	char path[192];

	zt_pipe_close(&self->p);
	snprintf(path, sizeof(path), "%s/events/enable", self->instance);
	zt_write_text(path, "0");
	rmdir(self->instance);
}

/* Counts from now on the events @name for which the formatted filter holds; 0 or -errno. */
__attribute__((format(printf, 3, 4)))
static int watch(FIXTURE_DATA(trace) *self, const char *name, const char *filter, ...)
{
	char path[256], text[256];
	va_list ap;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/trace", self->instance);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	va_start(ap, filter);
	vsnprintf(text, sizeof(text), filter, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/events/zpipe/%s/filter", self->instance, name);
	ret = zt_write_text(path, text);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/events/zpipe/%s/enable", self->instance, name);
	return zt_write_text(path, "1");
}

static int counted(FIXTURE_DATA(trace) *self, const char *name)
{
	char path[192], word[64], line[1024];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", self->instance);
	snprintf(word, sizeof(word), " %s: ", name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#' && strstr(line, word))
			n++;
	fclose(f);
	return n;
}

TEST_F(trace, every_event_exists)
{
	char path[256];
	struct stat st;
	size_t k;

	for (k = 0; k < NR_EVENTS; k++) {
		snprintf(path, sizeof(path), "%s/events/zpipe/%s/format", self->root, events[k]);
		EXPECT_EQ(0, stat(path, &st))
			TH_LOG("%s", events[k]);
	}
}

TEST_F(trace, verbs_share_the_four_fields)
{
	static const char * const fields[] = {
		"field:u64 pipe;", "field:u64 position;", "field:u64 length;", "field:s32 ret;",
	};
	char path[256], text[4096];
	size_t k, m, n;
	FILE *f;

	for (k = 0; k < NR_VERBS; k++) {
		snprintf(path, sizeof(path), "%s/events/zpipe/%s/format", self->root, events[k]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		n = fread(text, 1, sizeof(text) - 1, f);
		text[n] = '\0';
		fclose(f);
		for (m = 0; m < 4; m++) {
			EXPECT_NE(NULL, strstr(text, fields[m]))
				TH_LOG("%s lacks %s", events[k], fields[m]);
		}
	}
}

TEST_F(trace, create_once_with_its_id)
{
	struct zt_pipe p;
	__u64 next = self->p.id + 1;

	ASSERT_EQ(0, watch(self, "zpipe_create", "pipe >= %llu && ret == 0",
			   (unsigned long long)next));
	ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(0, 0)));
	EXPECT_EQ(1, counted(self, "zpipe_create"));
	zt_pipe_close(&p);
}

TEST_F(trace, create_that_fails)
{
	ASSERT_EQ(0, watch(self, "zpipe_create", "ret == %d", -EINVAL));
	EXPECT_EQ(-EINVAL, zt_create(ZT_ARGS(5000, 0)));
	EXPECT_EQ(1, counted(self, "zpipe_create"));
}

struct wanted {
	FIXTURE_DATA(trace) *self;
	const char *name;
};

static bool fired(void *arg)
{
	struct wanted *me = arg;

	return counted(me->self, me->name) > 0;
}

TEST_F(trace, destroy_once_after_the_last_close)
{
	struct wanted w = { .self = self, .name = "zpipe_destroy" };

	ASSERT_EQ(0, watch(self, "zpipe_destroy", "pipe == %llu", (unsigned long long)self->p.id));
	zt_end_close(&self->p.w);
	EXPECT_EQ(0, counted(self, "zpipe_destroy"));
	zt_end_close(&self->p.r);
	EXPECT_TRUE(zt_eventually(fired, &w));
	EXPECT_EQ(1, counted(self, "zpipe_destroy"));
}

TEST_F(trace, alloc_once_with_position_and_length)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	ASSERT_EQ(0, watch(self, "zpipe_alloc",
			   "pipe == %llu && position == 10 && length == %d && ret == 0",
			   (unsigned long long)self->p.id, ZT_PAGE - 10));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 10, 1, 1, &self->grant));
	EXPECT_EQ(1, counted(self, "zpipe_alloc"));
}

TEST_F(trace, alloc_that_fails)
{
	ASSERT_EQ(0, watch(self, "zpipe_alloc", "pipe == %llu && position == 7 && ret == %d",
			   (unsigned long long)self->p.id, -EINVAL));
	EXPECT_EQ(-EINVAL, zt_alloc(&self->p.w, 7, 1, 1, &self->grant));
	EXPECT_EQ(1, counted(self, "zpipe_alloc"));
}

TEST_F(trace, flush_once_with_its_position)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, watch(self, "zpipe_flush", "pipe == %llu && position == 60 && ret == 0",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_flush(&self->p.w, 60, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_flush"));
}

TEST_F(trace, flush_that_would_block)
{
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	ASSERT_EQ(0, zt_alloc(&self->p.w, 0, 100, 100, &self->grant));
	ASSERT_EQ(0, watch(self, "zpipe_flush", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, -EAGAIN));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 60, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_flush"));
}

TEST_F(trace, read_once_with_start_and_length)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_take(&self->p.r, 30));
	ASSERT_EQ(0, watch(self, "zpipe_read",
			   "pipe == %llu && position == 30 && length == 70 && ret == 0",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(1, counted(self, "zpipe_read"));
}

TEST_F(trace, read_that_would_block)
{
	ASSERT_EQ(0, watch(self, "zpipe_read", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, -EAGAIN));
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(1, counted(self, "zpipe_read"));
}

TEST_F(trace, advance_once_with_its_position)
{
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, watch(self, "zpipe_advance", "pipe == %llu && position == 40 && ret == 0",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_advance(&self->p.r, 40, 50));
	EXPECT_EQ(1, counted(self, "zpipe_advance"));
}

TEST_F(trace, preserve_release_and_export_once_with_their_range)
{
	static const char * const names[] = { "zpipe_preserve", "zpipe_release", "zpipe_export" };
	struct zt_kept kept;
	int i, fd;

	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, watch(self, names[i],
				   "pipe == %llu && position == 20 && length == 30 && ret == 0",
				   (unsigned long long)self->p.id));
	}
	ASSERT_EQ(0, zt_preserve(&self->p.r, 20, 30, &kept));
	fd = zt_export(&self->p.r, kept.handle);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, zt_release(&self->p.r, kept.handle));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, counted(self, names[i]))
			TH_LOG("%s", names[i]);
	}
	close(fd);
}

TEST_F(trace, preserve_and_release_that_fail)
{
	struct zt_kept kept;

	ASSERT_EQ(0, watch(self, "zpipe_preserve", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, -EINVAL));
	ASSERT_EQ(0, watch(self, "zpipe_release", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, -EINVAL));
	EXPECT_EQ(-EINVAL, zt_preserve(&self->p.r, 0, 1, &kept));
	EXPECT_EQ(-EINVAL, zt_release(&self->p.r, 1));
	EXPECT_EQ(1, counted(self, "zpipe_preserve"));
	EXPECT_EQ(1, counted(self, "zpipe_release"));
}

TEST_F(trace, refused_call_is_a_reject_too)
{
	ASSERT_EQ(0, watch(self, "zpipe_reject", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, -EPROTO));
	EXPECT_EQ(-EPROTO, zt_advance(&self->p.r, 1, 1));
	EXPECT_EQ(1, counted(self, "zpipe_reject"));
}

TEST_F(trace, complete_cancel_set_and_reset_once_each)
{
	static const char * const names[] = { "zpipe_complete", "zpipe_cancel", "zpipe_set",
					      "zpipe_reset" };
	int k;

	for (k = 0; k < 4; k++) {
		ASSERT_EQ(0, watch(self, names[k], "pipe == %llu && ret == 0",
				   (unsigned long long)self->p.id));
	}
	ASSERT_EQ(0, zt_set(&self->p.w, 100, 10));
	ASSERT_EQ(0, zt_cancel(&self->p.w, ZPIPE_CANCEL_READ));
	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	EXPECT_EQ(1, counted(self, "zpipe_complete"));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	ASSERT_EQ(0, zt_reset(&self->p.w, NULL));
	EXPECT_EQ(2, counted(self, "zpipe_complete"));
	EXPECT_EQ(1, counted(self, "zpipe_cancel"));
	EXPECT_EQ(1, counted(self, "zpipe_set"));
	EXPECT_EQ(1, counted(self, "zpipe_reset"));
}

TEST_F(trace, segments_are_opened_and_freed_as_often_as_stat_says)
{
	struct zpipe_stat_args s;
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_segment_open", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_segment_free", "pipe == %llu",
			   (unsigned long long)self->p.id));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, zt_put(&self->p.w, ZT_PAGE));
		ASSERT_EQ(0, zt_take(&self->p.r, ZT_PAGE));
	}
	s = zt_stat(&self->p.w);
	EXPECT_EQ((int)s.out_segments_opened, counted(self, "zpipe_segment_open"));
	EXPECT_EQ((int)s.out_segments_freed, counted(self, "zpipe_segment_free"));
}

/* The call that tells of the reader's look comes from the mapped reader here. */
TEST_F(trace, mapped_stream_is_visible_by_its_segments)
{
	int i;

	ASSERT_EQ(0, watch(self, "zpipe_segment_open", "pipe == %llu",
			   (unsigned long long)self->p.id));
	for (i = 0; i < 5; i++) {
		__u64 at = (__u64)i * ZT_PAGE;

		ASSERT_EQ(0, zt_alloc(&self->p.w, at, ZT_PAGE, ZT_PAGE, &self->grant));
		zt_store_published(&self->p.w, at + ZT_PAGE);
		zt_store_examined(&self->p.r, at + ZT_PAGE);
		zt_store_consumed(&self->p.r, at + ZT_PAGE);
	}
	EXPECT_EQ(5, counted(self, "zpipe_segment_open"));
}

TEST_F(trace, pause_and_resume_once_each)
{
	ASSERT_EQ(0, watch(self, "zpipe_pause", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_resume", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_set(&self->p.w, 10, 1));
	EXPECT_EQ(-EAGAIN, zt_put(&self->p.w, 10));
	EXPECT_EQ(-EAGAIN, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_pause"));
	EXPECT_EQ(0, counted(self, "zpipe_resume"));
	ASSERT_EQ(0, zt_take(&self->p.r, 10));
	EXPECT_EQ(0, zt_flush(&self->p.w, 10, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_resume"));
}

TEST_F(trace, one_sleep_is_one_begin_one_wake_and_one_end)
{
	struct zpipe_read_args read = { .min = 1 };
	struct zt_bg bg;

	ASSERT_EQ(0, watch(self, "zpipe_wait_begin", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_wait_end", "pipe == %llu",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_wake", "pipe == %llu", (unsigned long long)self->p.id));
	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &read);
	zt_await_reader(&self->p.w);
	zt_sleep_ms(ZT_GLANCE_MS);
	EXPECT_EQ(1, counted(self, "zpipe_wait_begin"));
	EXPECT_EQ(0, counted(self, "zpipe_wait_end"));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(1, counted(self, "zpipe_wait_begin"));
	EXPECT_EQ(1, counted(self, "zpipe_wake"));
	EXPECT_EQ(1, counted(self, "zpipe_wait_end"));
}

TEST_F(trace, copies_are_counted_in_bytes)
{
	char buffer[100] = { 0 };

	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && length == 77",
			   (unsigned long long)self->p.id));
	ASSERT_EQ(77, write(self->p.w.fd, buffer, 77));
	EXPECT_EQ(1, counted(self, "zpipe_copy"));
	ASSERT_EQ(77, read(self->p.r.fd, buffer, 100));
	EXPECT_EQ(2, counted(self, "zpipe_copy"));
}

TEST_F(trace, seal_once_with_what_is_published)
{
	struct zpipe_alloc_args grant;
	struct zt_pipe g;

	ASSERT_EQ(0, zt_pipe_open(&g, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE, .flags = ZPIPE_F_GUARDED)));
	ASSERT_EQ(0, watch(self, "zpipe_seal", "pipe == %llu && position == 100 && length == 50",
			   (unsigned long long)g.id));
	ASSERT_EQ(0, zt_put(&g.w, 100));
	EXPECT_EQ(0, counted(self, "zpipe_seal"));
	ASSERT_EQ(0, zt_alloc(&g.w, 100, 50, 50, &grant));
	ASSERT_EQ(0, zt_flush(&g.w, 150, 0, NULL));
	ASSERT_EQ(0, zt_flush(&g.w, 150, 0, NULL));
	EXPECT_EQ(1, counted(self, "zpipe_seal"));
	zt_pipe_close(&g);
}

TEST_F(trace, mapped_bytes_are_no_copy)
{
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_take(&self->p.r, 2 * ZT_PAGE));
	EXPECT_EQ(0, counted(self, "zpipe_copy"));
}

TEST_F(trace, splice_is_seen_once_and_copies_only_on_the_way_in)
{
	unsigned long long id = self->p.id;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu", id));
	ASSERT_EQ(0, watch(self, "zpipe_splice",
			   "pipe == %llu && position == 0 && length == 6000 && ret == %d", id,
			   ZPIPE_ROLE_READER));
	ASSERT_EQ(0, zt_put(&self->p.w, 6000));
	ASSERT_EQ(6000, splice(self->p.r.fd, NULL, fds[1], NULL, 6000, 0));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	EXPECT_EQ(0, counted(self, "zpipe_copy"));
	ASSERT_EQ(0, watch(self, "zpipe_copy", "pipe == %llu && ret == 4", id));
	ASSERT_EQ(0, watch(self, "zpipe_splice",
			   "pipe == %llu && position == 6000 && length == 6000 && ret == %d", id,
			   ZPIPE_ROLE_WRITER));
	ASSERT_EQ(6000, splice(fds[0], NULL, self->p.w.fd, NULL, 6000, 0));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	EXPECT_LT(0, counted(self, "zpipe_copy"));
	ASSERT_EQ(0, watch(self, "zpipe_splice", "pipe == %llu && length == 0 && ret == %d", id,
			   -EAGAIN));
	EXPECT_EQ(-1, splice(fds[0], NULL, self->p.w.fd, NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(1, counted(self, "zpipe_splice"));
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
