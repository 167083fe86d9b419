// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace - the tracepoints: an ABI that only grows, and fire once per call, on failure too
 *
 * The list and the format below are committed: what is there stays, and what is new is added here.
 * What events tell of bytes and of time is trace_bytes.c's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "trace.h"

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

/* Of each event's format file, what follows the fields that every event of the kernel has. */
static const char format[] =
	"\tfield:u64 pipe;\toffset:8;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 position;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 length;\toffset:24;\tsize:8;\tsigned:0;\n"
	"\tfield:s32 ret;\toffset:32;\tsize:4;\tsigned:1;\n"
	"\n"
	"print fmt: \"pipe=%llu position=%llu length=%llu ret=%d\", "
	"REC->pipe, REC->position, REC->length, REC->ret\n";

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

TEST_F(trace, no_event_is_unlisted)
{
	struct dirent *entry;
	char path[256];
	size_t k;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/events/zpipe", self->root);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "zpipe_", 6))
			continue;
		for (k = 0; k < NR_EVENTS && strcmp(entry->d_name, events[k]); k++)
			;
		EXPECT_GT(NR_EVENTS, k)
			TH_LOG("%s", entry->d_name);
	}
	closedir(dir);
}

TEST_F(trace, format_of_every_event_is_the_committed_one)
{
	char path[256], text[4096];
	const char *at;
	size_t k, n;
	FILE *f;

	for (k = 0; k < NR_EVENTS; k++) {
		snprintf(path, sizeof(path), "%s/events/zpipe/%s/format", self->root, events[k]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		n = fread(text, 1, sizeof(text) - 1, f);
		text[n] = '\0';
		fclose(f);
		/* After the empty line. */
		at = strstr(text, "\n\n");
		ASSERT_NE(NULL, at);
		EXPECT_EQ(0, strcmp(at + 2, format))
			TH_LOG("%s: %s", events[k], text);
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

/* A verb with a flag, or a reserved word, that nobody knows. */
#define FLAGGED(nr, type, member)						\
	{									\
		.name = "zpipe_" #type,						\
		.command = ZPIPE_IOC_##nr,					\
		.number = ZPIPE_NR_##nr,					\
		.size = sizeof(struct zpipe_##type##_args),			\
		.at = offsetof(struct zpipe_##type##_args, member),		\
	}

static const struct flagged {
	const char *name;
	unsigned long command;
	int number;
	size_t size;
	size_t at;
} flagged_verbs[] = {
	FLAGGED(ALLOC, alloc, flags), FLAGGED(FLUSH, flush, flags), FLAGGED(READ, read, flags),
	FLAGGED(ADVANCE, advance, flags), FLAGGED(COMPLETE, complete, flags),
	FLAGGED(CANCEL, cancel, flags), FLAGGED(SET, set, flags), FLAGGED(RESET, reset, flags),
	FLAGGED(PRESERVE, preserve, flags), FLAGGED(RELEASE, release, flags),
	FLAGGED(EXPORT, export, flags), FLAGGED(TEE, tee, flags), FLAGGED(FORWARD, forward, flags),
	FLAGGED(POST, post, flags), FLAGGED(UNPOST, unpost, flags),
};

#define NR_FLAGGED	(sizeof(flagged_verbs) / sizeof(*flagged_verbs))

/* An end that has the verb. */
static int fd_of(FIXTURE_DATA(trace) *self, const struct flagged *v)
{
	return v->number == ZPIPE_NR_ALLOC || v->number == ZPIPE_NR_FLUSH ||
	       v->number == ZPIPE_NR_FORWARD ? self->p.w.fd : self->p.r.fd;
}

TEST_F(trace, verb_refused_for_its_flags_fires_once)
{
	unsigned char buffer[512];
	struct zt_pipe other;
	size_t k;

	ASSERT_EQ(0, zt_pipe_open(&other, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	for (k = 0; k < NR_FLAGGED; k++)
		ASSERT_EQ(0, watch(self, flagged_verbs[k].name, "pipe == %llu",
				   (unsigned long long)self->p.id));
	for (k = 0; k < NR_FLAGGED; k++) {
		const struct flagged *v = &flagged_verbs[k];
		__u32 unknown = 1U << 31;

		memset(buffer, 0, sizeof(buffer));
		memcpy(buffer + v->at, &unknown, sizeof(unknown));
		if (v->number == ZPIPE_NR_FORWARD)
			((struct zpipe_forward_args *)(void *)buffer)->source_fd = other.r.fd;
		ASSERT_EQ(0, watch(self, v->name, "pipe == %llu && ret == %d",
				   (unsigned long long)self->p.id, -EOPNOTSUPP));
		EXPECT_EQ(-EOPNOTSUPP, zt_ioctl(fd_of(self, v), v->command, buffer))
			TH_LOG("%s", v->name);
		EXPECT_EQ(1, counted(self, v->name))
			TH_LOG("%s", v->name);
	}
	zt_pipe_close(&other);
}

TEST_F(trace, busy_verbs_fire_once)
{
	struct zpipe_read_args wait = { .min = 1 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &wait);
	zt_await_reader(&self->p.w);
	ASSERT_EQ(0, watch(self, "zpipe_read", "pipe == %llu", (unsigned long long)self->p.id));
	EXPECT_EQ(-EBUSY, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(1, counted(self, "zpipe_read"));
	ASSERT_EQ(0, zt_put(&self->p.w, 10));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(2, counted(self, "zpipe_read"));
}

TEST_F(trace, wrong_end_and_wrong_size_are_rejects)
{
	struct zpipe_flush_args flush = { .position = 0 };
	struct zpipe_alloc_args alloc = { .min = 1 };
	__u64 before = zt_stat(&self->p.w).out_rejects;

	ASSERT_EQ(0, watch(self, "zpipe_flush", "pipe == %llu", (unsigned long long)self->p.id));
	ASSERT_EQ(0, watch(self, "zpipe_reject", "pipe == %llu && length == %d && ret == %d",
			   (unsigned long long)self->p.id, ZPIPE_NR_FLUSH, -EBADF));
	EXPECT_EQ(-EBADF, zt_ioctl(self->p.r.fd, ZPIPE_IOC_FLUSH, &flush));
	EXPECT_EQ(1, counted(self, "zpipe_reject"));
	EXPECT_EQ(0, counted(self, "zpipe_flush"));
	ASSERT_EQ(0, watch(self, "zpipe_reject", "pipe == %llu && length == %d && ret == %d",
			   (unsigned long long)self->p.id, ZPIPE_NR_ALLOC, -EINVAL));
	EXPECT_EQ(-1, ioctl(self->p.w.fd, _IOC(_IOC_READ | _IOC_WRITE, 'z', ZPIPE_NR_ALLOC, 4),
			    &alloc));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, counted(self, "zpipe_reject"));
	EXPECT_EQ(before + 2, zt_stat(&self->p.w).out_rejects);
}

TEST_F(trace, create_that_cannot_answer_has_its_number_and_is_destroyed)
{
	struct wanted w = { .self = self, .name = "zpipe_destroy" };
	struct zpipe_create_args *args;
	unsigned long long next = self->p.id + 1;
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, device);
	args = mmap(NULL, ZT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, args);
	args->pool_fd = -1;
	ASSERT_EQ(0, mprotect(args, ZT_PAGE, PROT_READ));
	ASSERT_EQ(0, watch(self, "zpipe_create", "pipe >= %llu && length > 0 && ret == %d", next,
			   -EFAULT));
	ASSERT_EQ(0, watch(self, "zpipe_destroy", "pipe >= %llu", next));
	EXPECT_EQ(-1, ioctl(device, ZPIPE_IOC_CREATE, args));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, counted(self, "zpipe_create"));
	EXPECT_TRUE(zt_eventually(fired, &w));
	munmap(args, ZT_PAGE);
	close(device);
}

TEST_F(trace, end_that_is_over_completes_once)
{
	ASSERT_EQ(0, watch(self, "zpipe_complete", "pipe == %llu && ret == %d",
			   (unsigned long long)self->p.id, EIO));
	ASSERT_EQ(0, zt_complete(&self->p.w, EIO, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.w, EPIPE, 0, 0));
	EXPECT_EQ(1, counted(self, "zpipe_complete"));
	ASSERT_EQ(0, watch(self, "zpipe_complete", "pipe == %llu && ret == %d && length == %d",
			   (unsigned long long)self->p.id, -EINVAL, ZPIPE_ROLE_READER));
	EXPECT_EQ(-EINVAL, zt_complete(&self->p.r, -1, 0, 0));
	EXPECT_EQ(1, counted(self, "zpipe_complete"));
}

TEST_HARNESS_MAIN
