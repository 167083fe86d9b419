// SPDX-License-Identifier: GPL-2.0-only
/*
 * flood - whatever a user gets wrong, however often: the kernel log stays as it is
 *
 * Each way to be refused, from a number that is nobody's to a shared word that lies, is taken again
 * and again without a pause, as a user without privileges would to hide something in the log or to
 * fill a disk. Not one line may come of it.
 *
 * ZPIPE_FLOOD: how often each (2,000).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(flood)
{
	struct zt_pipe p;
	struct zt_pipe guarded;
	struct zt_kept kept;
	__u64 stale;
	unsigned char *nowhere;
	int device;
	int other;
	int kmsg;
};

FIXTURE_SETUP(flood)
{
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->other = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE,
						    .flags = ZPIPE_F_NONBLOCK)));
	ASSERT_EQ(0, zt_pipe_open(&self->guarded, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE,
							  .flags = ZPIPE_F_GUARDED |
								   ZPIPE_F_NONBLOCK)));
	ASSERT_EQ(0, zt_put(&self->p.w, 1000));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, 100, &self->kept));
	self->stale = self->kept.handle;
	ASSERT_EQ(0, zt_release(&self->p.r, self->stale));
	self->nowhere = mmap(NULL, ZT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->nowhere);
	signal(SIGPIPE, SIG_IGN);
	self->kmsg = zt_log_mark();
}

FIXTURE_TEARDOWN(flood)
{
	zt_pipe_close(&self->p);
	zt_pipe_close(&self->guarded);
	close(self->device);
	close(self->other);
}

/* Lines since the mark; what they say goes to the output. */
static long long new_lines(int kmsg)
{
	long long nr = 0;
	char line[4096];
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n > 0 && nr < 5)
			printf("# kernel: %.*s\n", (int)n, line);
		nr++;
	}
	return nr;
}

static int raw(int fd, unsigned long cmd, void *args)
{
	return ioctl(fd, cmd, args) ? -errno : 0;
}

/* ---- the device ---- */

static int create_unknown_flag(FIXTURE_DATA(flood) *self)
{
	return raw(self->device, ZPIPE_IOC_CREATE, ZT_ARGS(0, 0, .flags = 1U << 31));
}

static int create_odd_segment(FIXTURE_DATA(flood) *self)
{
	return raw(self->device, ZPIPE_IOC_CREATE, ZT_ARGS(5000, 0));
}

static int create_too_large(FIXTURE_DATA(flood) *self)
{
	return raw(self->device, ZPIPE_IOC_CREATE, ZT_ARGS(0, 1ULL << 60));
}

static int create_in_no_pool(FIXTURE_DATA(flood) *self)
{
	struct zpipe_create_args args = { .pool_fd = self->other };

	return raw(self->device, ZPIPE_IOC_CREATE, &args);
}

static int create_bad_pointer(FIXTURE_DATA(flood) *self)
{
	return raw(self->device, ZPIPE_IOC_CREATE, self->nowhere);
}

static int pool_too_large(FIXTURE_DATA(flood) *self)
{
	struct zpipe_pool_create_args args = { .segments = 1U << 30 };

	return raw(self->device, ZPIPE_IOC_POOL_CREATE, &args);
}

static int device_map(FIXTURE_DATA(flood) *self)
{
	void *at = mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->device, 0);

	return at == MAP_FAILED ? -errno : 0;
}

/* ---- numbers, structs, pointers ---- */

static int nobodys_number(FIXTURE_DATA(flood) *self)
{
	return raw(self->p.w.fd, _IOWR('z', 0xff, int), self->nowhere);
}

static int other_ends_verb(FIXTURE_DATA(flood) *self)
{
	struct zpipe_alloc_args args = { .min = 1 };

	return raw(self->p.r.fd, ZPIPE_IOC_ALLOC, &args);
}

static int tail_not_zero(FIXTURE_DATA(flood) *self)
{
	struct { struct zpipe_info_args args; __u64 more; } info = { .more = 1 };

	return raw(self->p.w.fd, _IOWR('z', ZPIPE_NR_INFO, info), &info);
}

static int verb_bad_pointer(FIXTURE_DATA(flood) *self)
{
	return raw(self->p.w.fd, ZPIPE_IOC_ALLOC, self->nowhere);
}

static int spans_bad_pointer(FIXTURE_DATA(flood) *self)
{
	struct zpipe_read_args args = { .nr_spans = 4, .spans = (uintptr_t)self->nowhere };

	return raw(self->p.r.fd, ZPIPE_IOC_READ, &args);
}

static int verb_unknown_flag(FIXTURE_DATA(flood) *self)
{
	struct zpipe_flush_args args = { .flags = 1U << 31 };

	return raw(self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
}

/* ---- verbs ---- */

static int alloc_never_fits(FIXTURE_DATA(flood) *self)
{
	struct zpipe_alloc_args args = { .position = zt_published(&self->p.w), .min = 1ULL << 40 };

	return raw(self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
}

static int flush_beyond(FIXTURE_DATA(flood) *self)
{
	struct zpipe_flush_args args = { .position = 1ULL << 50 };

	return raw(self->p.w.fd, ZPIPE_IOC_FLUSH, &args);
}

static int read_too_much(FIXTURE_DATA(flood) *self)
{
	struct zpipe_read_args args = { .min = 1ULL << 40 };

	return raw(self->p.r.fd, ZPIPE_IOC_READ, &args);
}

static int advance_without_read(FIXTURE_DATA(flood) *self)
{
	struct zpipe_advance_args args = { .consumed = 1, .examined = 1 };

	return raw(self->p.r.fd, ZPIPE_IOC_ADVANCE, &args);
}

static int preserve_nothing_there(FIXTURE_DATA(flood) *self)
{
	struct zpipe_preserve_args args = { .position = 1ULL << 40, .length = 1 };

	return raw(self->p.r.fd, ZPIPE_IOC_PRESERVE, &args);
}

static int release_stale(FIXTURE_DATA(flood) *self)
{
	struct zpipe_release_args args = { .handle = self->stale };

	return raw(self->p.r.fd, ZPIPE_IOC_RELEASE, &args);
}

static int export_stale(FIXTURE_DATA(flood) *self)
{
	struct zpipe_export_args args = { .handle = self->stale };

	return raw(self->p.r.fd, ZPIPE_IOC_EXPORT, &args);
}

static int forward_no_source(FIXTURE_DATA(flood) *self)
{
	struct zpipe_forward_args args = { .source_fd = self->other, .length = 1 };

	return raw(self->p.w.fd, ZPIPE_IOC_FORWARD, &args);
}

static int forward_itself(FIXTURE_DATA(flood) *self)
{
	struct zpipe_forward_args args = { .source_fd = self->p.r.fd, .length = 1 };

	return raw(self->p.w.fd, ZPIPE_IOC_FORWARD, &args);
}

static int post_not_posted(FIXTURE_DATA(flood) *self)
{
	struct zpipe_post_args args = { .length = 1 };

	return raw(self->p.r.fd, ZPIPE_IOC_POST, &args);
}

static int reset_alive(FIXTURE_DATA(flood) *self)
{
	struct zpipe_reset_args args = { .flags = 0 };

	return raw(self->p.w.fd, ZPIPE_IOC_RESET, &args);
}

static int set_upside_down(FIXTURE_DATA(flood) *self)
{
	struct zpipe_set_args args = { .pause = 1, .resume = 100 };

	return raw(self->p.w.fd, ZPIPE_IOC_SET, &args);
}

static int complete_no_errno(FIXTURE_DATA(flood) *self)
{
	struct zpipe_complete_args args = { .error = -12345678 };

	return raw(self->p.w.fd, ZPIPE_IOC_COMPLETE, &args);
}

static int tee_unknown_flag(FIXTURE_DATA(flood) *self)
{
	struct zpipe_tee_args args = { .flags = 1U << 31 };

	return raw(self->p.r.fd, ZPIPE_IOC_TEE, &args);
}

/* ---- other system calls ---- */

static int write_bad_pointer(FIXTURE_DATA(flood) *self)
{
	return write(self->p.w.fd, self->nowhere, 10) < 0 ? -errno : 0;
}

static int read_at_the_writer(FIXTURE_DATA(flood) *self)
{
	char byte;

	return read(self->p.w.fd, &byte, 1) < 0 ? -errno : 0;
}

static int seek(FIXTURE_DATA(flood) *self)
{
	return lseek(self->p.r.fd, 1, SEEK_SET) < 0 ? -errno : 0;
}

static int splice_nowhere(FIXTURE_DATA(flood) *self)
{
	return splice(self->p.r.fd, NULL, self->other, NULL, 10, 0) < 0 ? -errno : 0;
}

static int map_for_writing(FIXTURE_DATA(flood) *self)
{
	void *at = mmap(NULL, self->p.r.info.out_data.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			self->p.r.fd, self->p.r.info.out_data.offset);

	return at == MAP_FAILED ? -errno : 0;
}

static int map_elsewhere(FIXTURE_DATA(flood) *self)
{
	void *at = mmap(NULL, ZT_PAGE, PROT_READ, MAP_SHARED, self->p.r.fd, 0x7f0000000000);

	return at == MAP_FAILED ? -errno : 0;
}

static int map_private(FIXTURE_DATA(flood) *self)
{
	void *at = mmap(NULL, self->p.r.info.out_data.size, PROT_READ, MAP_PRIVATE, self->p.r.fd,
			self->p.r.info.out_data.offset);

	return at == MAP_FAILED ? -errno : 0;
}

/* ---- what is caught by SIGBUS, and words that lie ---- */

static int store_to_published(FIXTURE_DATA(flood) *self)
{
	return zt_can_write(self->guarded.w.data) ? 0 : -EFAULT;
}

static int look_at_nothing(FIXTURE_DATA(flood) *self)
{
	return zt_can_read(self->guarded.r.data + 2 * ZT_PAGE) ? 0 : -EFAULT;
}

/* The word is put right again, or the pipe would end. */
static int lie_about_published(FIXTURE_DATA(flood) *self)
{
	__u64 truth = zt_published(&self->p.w);
	struct zpipe_alloc_args args = { .position = truth, .min = 1 };
	int ret;

	zt_store_published(&self->p.w, 1ULL << 60);
	ret = raw(self->p.w.fd, ZPIPE_IOC_ALLOC, &args);
	zt_store_published(&self->p.w, truth);
	return ret;
}

static const struct way {
	const char *name;
	int (*go)(FIXTURE_DATA(flood) *self);
} ways[] = {
#define WAY(_name)	{ #_name, _name }
	WAY(create_unknown_flag), WAY(create_odd_segment), WAY(create_too_large),
	WAY(create_in_no_pool), WAY(create_bad_pointer), WAY(pool_too_large), WAY(device_map),
	WAY(nobodys_number), WAY(other_ends_verb), WAY(tail_not_zero), WAY(verb_bad_pointer),
	WAY(spans_bad_pointer), WAY(verb_unknown_flag), WAY(alloc_never_fits), WAY(flush_beyond),
	WAY(read_too_much), WAY(advance_without_read), WAY(preserve_nothing_there),
	WAY(release_stale), WAY(export_stale), WAY(forward_no_source), WAY(forward_itself),
	WAY(post_not_posted), WAY(reset_alive), WAY(set_upside_down), WAY(complete_no_errno),
	WAY(tee_unknown_flag), WAY(write_bad_pointer), WAY(read_at_the_writer), WAY(seek),
	WAY(splice_nowhere), WAY(map_for_writing), WAY(map_elsewhere), WAY(map_private),
	WAY(store_to_published), WAY(look_at_nothing), WAY(lie_about_published),
};

#define NR_WAYS	(sizeof(ways) / sizeof(*ways))

static __u64 rounds(void)
{
	const char *given = getenv("ZPIPE_FLOOD");

	return given ? strtoull(given, NULL, 0) : 2000;
}

TEST_F_TIMEOUT(flood, no_refusal_however_often_reaches_the_kernel_log, 100000)
{
	__u64 nr = rounds(), i, tried = 0;
	long long lines;
	size_t k;

	if (self->kmsg < 0)
		SKIP(return, "the kernel log cannot be read");
	/* What was published is not the guarded writer's any more. */
	ASSERT_EQ(0, zt_put(&self->guarded.w, ZT_PAGE));
	for (k = 0; k < NR_WAYS; k++) {
		for (i = 0; i < nr; i++) {
			int ret = ways[k].go(self);

			ASSERT_GT(0, ret) {
				TH_LOG("%s: not refused", ways[k].name);
			}
			tried++;
		}
	}
	lines = new_lines(self->kmsg);
	TH_LOG("flood: %llu tried, %lld lost, %zu ways to be refused", (unsigned long long)tried,
	       lines, NR_WAYS);
	EXPECT_EQ(0, lines);
}

/* A pipe each time: it does not survive that. */
TEST_F_TIMEOUT(flood, neither_does_a_pipe_that_ends_badly, 100000)
{
	__u64 nr = rounds() / 10, i;
	long long lines;

	if (self->kmsg < 0)
		SKIP(return, "the kernel log cannot be read");
	for (i = 0; i < nr; i++) {
		struct zt_view view;
		struct zt_pipe p;

		ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, ZT_PAGE)));
		ASSERT_EQ(0, zt_put(&p.w, 100));
		if (i % 2)
			zt_store_published(&p.w, 1ULL << 60);
		else
			zt_end_close(&p.w);
		/* What is known to be published comes first. */
		ASSERT_EQ(0, zt_take(&p.r, 100));
		ASSERT_EQ(i % 2 ? -EPROTO : -ECONNRESET, zt_read(&p.r, 1, 0, &view));
		zt_pipe_close(&p);
	}
	lines = new_lines(self->kmsg);
	TH_LOG("flood: ends: %llu tried, %lld lost", (unsigned long long)nr, lines);
	EXPECT_EQ(0, lines);
}

TEST_HARNESS_MAIN
