// SPDX-License-Identifier: GPL-2.0-only
/*
 * fds - no fd left, and no file left, for whatever makes one
 *
 * Each call that answers with fds is made while the process may open one, two, three fewer than it
 * takes (EMFILE), and while the machine may hold any number of files around the present one
 * (ENFILE), so that it fails at each file it makes. A refused call leaves nothing behind, and the
 * next one works.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define FILE_MAX	"/proc/sys/fs/file-max"
#define FILE_NR		"/proc/sys/fs/file-nr"

/* The kernel counts files by processor, and so much at a time in all. */
#define BATCH		64

FIXTURE(fds)
{
	struct zt_pipe p;
	struct zt_kept kept;
	long long file_max;
	int device;
	int pool;
};

/* Later fds are numbered from the number of those that are open on. */
static void leave_no_hole(int device)
{
	int fd, open_fds;

	do {
		fd = dup(device);
		/* Without the directory's two entries and its own fd. */
		open_fds = zt_open_fds() - 3;
	} while (fd >= 0 && fd < open_fds - 1);
	close(fd);
}

FIXTURE_SETUP(fds)
{
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->pool = zt_pool(ZT_PAGE, 16, ZPIPE_POOL_IDLE);
	ASSERT_LE(0, self->pool);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&self->p.w, 2 * ZT_PAGE));
	ASSERT_EQ(0, zt_preserve(&self->p.r, 0, ZT_PAGE, &self->kept));
	self->file_max = zt_read_number(FILE_MAX);
	leave_no_hole(self->device);
}

/* Also when the test died. */
FIXTURE_TEARDOWN_PARENT(fds)
{
	if (self->file_max > 0 && zt_read_number(FILE_MAX) != self->file_max)
		zt_write_number(FILE_MAX, self->file_max);
}

/* Whatever was refused: 0 when the stream goes on, and nothing is left when it is over. */
static int finish(FIXTURE_DATA(fds) *self)
{
	int ret;

	if (zt_take(&self->p.r, 2 * ZT_PAGE) || zt_put(&self->p.w, ZT_PAGE) ||
	    zt_take(&self->p.r, ZT_PAGE))
		return -EIO;
	ret = zt_release(&self->p.r, self->kept.handle);
	zt_pipe_close(&self->p);
	close(self->pool);
	return ret || !zt_total_becomes(self->device, "user-pages", 0) ? -EIO : 0;
}

static int make_pipe(FIXTURE_DATA(fds) *self, int *made)
{
	struct zpipe_create_args *args = ZT_ARGS(0, 0);
	int ret = zt_ioctl(self->device, ZPIPE_IOC_CREATE, args);

	made[0] = args->out_writer_fd;
	made[1] = args->out_reader_fd;
	return ret;
}

static int make_guarded(FIXTURE_DATA(fds) *self, int *made)
{
	struct zpipe_create_args *args = ZT_ARGS(0, 0, .flags = ZPIPE_F_GUARDED);
	int ret = zt_ioctl(self->device, ZPIPE_IOC_CREATE, args);

	made[0] = args->out_writer_fd;
	made[1] = args->out_reader_fd;
	return ret;
}

static int make_in_pool(FIXTURE_DATA(fds) *self, int *made)
{
	struct zpipe_create_args args = { .pool_fd = self->pool };
	int ret = zt_ioctl(self->device, ZPIPE_IOC_CREATE, &args);

	made[0] = args.out_writer_fd;
	made[1] = args.out_reader_fd;
	return ret;
}

static int make_pool(FIXTURE_DATA(fds) *self, int *made)
{
	struct zpipe_pool_create_args args = { .idle = ZPIPE_POOL_IDLE };
	int ret = zt_ioctl(self->device, ZPIPE_IOC_POOL_CREATE, &args);

	made[0] = args.out_fd;
	return ret;
}

static int make_reader(FIXTURE_DATA(fds) *self, int *made)
{
	struct zpipe_tee_args args;
	int ret = zt_tee(self->p.r.fd, 0, &args);

	made[0] = args.out_fd;
	return ret;
}

static int make_buffer(FIXTURE_DATA(fds) *self, int *made)
{
	made[0] = zt_export(&self->p.r, self->kept.handle);
	return made[0] < 0 ? made[0] : 0;
}

static const struct maker {
	const char *name;
	int (*make)(FIXTURE_DATA(fds) *self, int *made);
	int fds;
} makers[] = {
	{ "CREATE", make_pipe, 2 },
	{ "CREATE, guarded", make_guarded, 2 },
	{ "CREATE in a pool", make_in_pool, 2 },
	{ "POOL_CREATE", make_pool, 1 },
	{ "TEE", make_reader, 1 },
	{ "EXPORT", make_buffer, 1 },
};

#define NR_MAKERS	(sizeof(makers) / sizeof(*makers))

static int make_and_close(FIXTURE_DATA(fds) *self, const struct maker *maker)
{
	int made[2], ret = maker->make(self, made), k;

	for (k = 0; !ret && k < maker->fds; k++)
		close(made[k]);
	return ret;
}

static const char * const counted[] = { "pipes", "readers", "pools", "buffers", "handles",
					"user-pipes", "users" };

#define NR_COUNTED	(sizeof(counted) / sizeof(*counted))

struct census {
	long long total[NR_COUNTED];
	long long pages;
	int fds;
};

static struct census take_census(int device)
{
	struct census c = { .fds = zt_open_fds() };
	size_t k;

	for (k = 0; k < NR_COUNTED; k++)
		c.total[k] = zt_total(device, counted[k]);
	c.pages = zt_total(device, "user-pages");
	return c;
}

/* The name of what is not as it was, or NULL. */
static const char *find_difference(int device, const struct census *before)
{
	size_t k;

	for (k = 0; k < NR_COUNTED; k++)
		if (!zt_total_becomes(device, counted[k], before->total[k]))
			return counted[k];
	/* Free segments give theirs back after a while. */
	if (zt_total(device, "user-pages") > before->pages)
		return "user-pages";
	return zt_open_fds() == before->fds ? NULL : "fds";
}

/* With room for so many more fds. */
static int make_with_room(FIXTURE_DATA(fds) *self, const struct maker *maker, int room)
{
	struct rlimit was, limit;
	int next = dup(self->device), ret;

	close(next);
	if (next < 0 || getrlimit(RLIMIT_NOFILE, &was))
		return -EBADF;
	limit = (struct rlimit){ .rlim_cur = next + room, .rlim_max = was.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -EPERM;
	ret = make_and_close(self, maker);
	if (setrlimit(RLIMIT_NOFILE, &was))
		return -EPERM;
	return ret;
}

TEST_F(fds, one_two_or_three_too_few_emfile_and_nothing_is_left)
{
	struct census before = take_census(self->device);
	const char *different;
	size_t k;
	int room;

	for (k = 0; k < NR_MAKERS; k++) {
		const struct maker *maker = &makers[k];

		/* The last of them finds the table full below its own fds. */
		for (room = maker->fds - 1; room >= maker->fds - 3; room--) {
			EXPECT_EQ(-EMFILE, make_with_room(self, maker, room)) {
				TH_LOG("%s with room for %d", maker->name, room);
			}
			different = find_difference(self->device, &before);
			ASSERT_EQ(NULL, different) {
				TH_LOG("%s with room for %d leaves %s", maker->name, room,
				       different);
			}
		}
		/* The next one works, with not a single fd to spare. */
		EXPECT_EQ(0, make_with_room(self, maker, maker->fds)) {
			TH_LOG("%s", maker->name);
		}
		different = find_difference(self->device, &before);
		ASSERT_EQ(NULL, different) {
			TH_LOG("%s leaves %s", maker->name, different);
		}
	}
	EXPECT_EQ(0, finish(self));
}

/* Only those without it are bound by the number of files. */
static int drop_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/*
 * Each processor counts for itself, up to a batch. Files that were opened by
 * the batch and closed one by one are still in the sum that is looked at
 * first; then the exact sum decides.
 */
static void leave_counters_high(void)
{
	int fd[BATCH + 8], cpu, k;
	cpu_set_t set;

	for (cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1; cpu >= 0; cpu--) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			continue;
		for (k = 0; k < BATCH + 8; k++)
			fd[k] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		for (k = 0; k < BATCH + 8; k++)
			close(fd[k]);
	}
}

static int open_another(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(fds, machine_without_files_enfile_and_nothing_is_left)
{
	struct census before = take_census(self->device);
	int refused = 0, made = 0, halfway = 0;
	size_t k;

	if (self->file_max < 0 || drop_admin() || zt_write_number(FILE_MAX, self->file_max))
		SKIP(return, "the number of files cannot be limited");
	leave_counters_high();
	for (k = 0; k < NR_MAKERS; k++) {
		long long now = zt_read_number(FILE_NR), most;
		const char *different;

		for (most = now - 2 * BATCH; most < now + 2 * BATCH; most++) {
			char text[32];
			int fd = open(FILE_MAX, O_WRONLY | O_CLOEXEC), ret, other;

			ASSERT_LE(0, fd);
			snprintf(text, sizeof(text), "%lld", most > 1 ? most : 1);
			ASSERT_LT(0, pwrite(fd, text, strlen(text), 0));
			other = open_another();
			ret = make_and_close(self, &makers[k]);
			snprintf(text, sizeof(text), "%lld", self->file_max);
			ASSERT_LT(0, pwrite(fd, text, strlen(text), 0));
			close(fd);
			ASSERT_TRUE(!ret || ret == -ENFILE) {
				TH_LOG("%s with %lld files: %s", makers[k].name, most,
				       strerror(-ret));
			}
			made += !ret;
			refused += !!ret;
			halfway += ret && !other;
		}
		different = find_difference(self->device, &before);
		ASSERT_EQ(NULL, different) {
			TH_LOG("%s leaves %s", makers[k].name, different);
		}
		EXPECT_EQ(0, make_and_close(self, &makers[k]));
	}
	TH_LOG("fds: %d tried, 0 lost, %d refused, %d of them after the first file",
	       made + refused, refused, halfway);
	EXPECT_LT(0, refused);
	EXPECT_LT(0, made);
	EXPECT_LT(0, halfway);
	EXPECT_EQ(0, finish(self));
}

TEST_HARNESS_MAIN
