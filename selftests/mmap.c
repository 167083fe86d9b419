// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap - the permission matrix: who may map what how, and that mprotect cannot change it
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define RO	PROT_READ
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(mmap)
{
	struct zt_pipe p;
	const struct zpipe_region *region;
	int fd;
	bool writable;
};

FIXTURE_VARIANT(mmap)
{
	bool reader_end;
	size_t region_at;
	bool writable;
};

#define REGION(_name)	offsetof(struct zpipe_info_args, out_##_name)

FIXTURE_VARIANT_ADD(mmap, writer_state) { false, REGION(state), false };
FIXTURE_VARIANT_ADD(mmap, writer_writer) { false, REGION(writer), true };
FIXTURE_VARIANT_ADD(mmap, writer_reader) { false, REGION(reader), false };
FIXTURE_VARIANT_ADD(mmap, writer_data) { false, REGION(data), true };
FIXTURE_VARIANT_ADD(mmap, reader_state) { true, REGION(state), false };
FIXTURE_VARIANT_ADD(mmap, reader_writer) { true, REGION(writer), false };
FIXTURE_VARIANT_ADD(mmap, reader_reader) { true, REGION(reader), true };
FIXTURE_VARIANT_ADD(mmap, reader_data) { true, REGION(data), false };

/* One page of data is published, so that the first page of every region can be touched. */
FIXTURE_SETUP(mmap)
{
	const struct zt_end *e;

	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&self->p.w, 4 * ZT_PAGE));
	e = variant->reader_end ? &self->p.r : &self->p.w;
	self->fd = e->fd;
	self->region = (const void *)((const char *)&e->info + variant->region_at);
	self->writable = variant->writable;
}

FIXTURE_TEARDOWN(mmap)
{
	zt_pipe_close(&self->p);
}

/* The errno of an attempt to map, 0 for success. */
static int try_map(FIXTURE_DATA(mmap) *self, int prot, int flags, __u64 at, size_t len)
{
	void *p = mmap(NULL, len, prot, flags, self->fd, self->region->offset + at);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, len);
	return 0;
}

static char *map(FIXTURE_DATA(mmap) *self, int prot)
{
	void *p = mmap(NULL, self->region->size, prot, MAP_SHARED, self->fd, self->region->offset);

	if (p == MAP_FAILED)
		zt_die("mmap: %s", strerror(errno));
	return p;
}

/* The signal that ends a child which reads or stores there; 0 when it lives. */
static int touch(char *p, bool store)
{
	pid_t child = fork();
	int status;

	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		if (store)
			__atomic_fetch_add(p, 0, __ATOMIC_SEQ_CST);
		else
			(void)__atomic_load_n(p, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	status = zt_wait_child(child);
	return status > 128 ? status - 128 : status;
}

TEST_F(mmap, shared_read_only_succeeds)
{
	EXPECT_EQ(0, try_map(self, RO, MAP_SHARED, 0, self->region->size));
}

TEST_F(mmap, shared_writable_only_where_it_is_ours)
{
	EXPECT_EQ(self->writable ? 0 : EACCES,
		  try_map(self, RW, MAP_SHARED, 0, self->region->size));
}

TEST_F(mmap, write_without_read_only_where_it_is_ours)
{
	EXPECT_EQ(self->writable ? 0 : EACCES,
		  try_map(self, PROT_WRITE, MAP_SHARED, 0, self->region->size));
}

TEST_F(mmap, shared_validate_succeeds)
{
	EXPECT_EQ(0, try_map(self, RO, MAP_SHARED_VALIDATE, 0, self->region->size));
}

TEST_F(mmap, private_einval)
{
	EXPECT_EQ(EINVAL, try_map(self, RO, MAP_PRIVATE, 0, self->region->size));
	EXPECT_EQ(EINVAL, try_map(self, RW, MAP_PRIVATE, 0, self->region->size));
}

TEST_F(mmap, executable_eacces)
{
	EXPECT_EQ(EACCES, try_map(self, PROT_READ | PROT_EXEC, MAP_SHARED, 0,
				  self->region->size));
}

TEST_F(mmap, beyond_the_region_einval)
{
	EXPECT_EQ(EINVAL, try_map(self, RO, MAP_SHARED, 0, self->region->size + ZT_PAGE));
	EXPECT_EQ(EINVAL, try_map(self, RO, MAP_SHARED, self->region->size, ZT_PAGE));
	EXPECT_EQ(EINVAL, try_map(self, RO, MAP_SHARED, 1ULL << 39, ZT_PAGE));
}

TEST_F(mmap, unknown_cookie_einval)
{
	__u64 cookie;

	for (cookie = 5; cookie < 256; cookie++) {
		__u64 offset = cookie << 40;
		void *p = mmap(NULL, ZT_PAGE, RO, MAP_SHARED, self->fd, offset);

		/* mmap itself refuses what is negative or too large for the system. */
		EXPECT_EQ(MAP_FAILED, p)
			TH_LOG("cookie %#llx", (unsigned long long)cookie);
		EXPECT_TRUE(errno == EINVAL || errno == EOVERFLOW);
	}
}

TEST_F(mmap, last_page_alone_succeeds)
{
	EXPECT_EQ(0, try_map(self, RO, MAP_SHARED, self->region->size - ZT_PAGE, ZT_PAGE));
}

TEST_F(mmap, page_can_be_read)
{
	EXPECT_EQ(0, touch(map(self, RO), false));
}

TEST_F(mmap, store_into_a_read_only_mapping_sigsegv)
{
	EXPECT_EQ(SIGSEGV, touch(map(self, RO), true));
}

TEST_F(mmap, mprotect_write_only_where_it_is_ours)
{
	char *p = map(self, RO);
	int ret = mprotect(p, self->region->size, RW);

	if (self->writable) {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(0, touch(p, true));
	} else {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(SIGSEGV, touch(p, true));
	}
}

TEST_F(mmap, mprotect_of_one_page_is_no_way_round)
{
	char *p = map(self, RO);

	EXPECT_EQ(self->writable ? 0 : -1, mprotect(p, ZT_PAGE, RW));
}

TEST_F(mmap, mprotect_exec_eacces)
{
	char *p = map(self, RO);

	EXPECT_EQ(-1, mprotect(p, self->region->size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(mmap, mprotect_none_and_back)
{
	char *p = map(self, RO);

	ASSERT_EQ(0, mprotect(p, self->region->size, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(p, false));
	ASSERT_EQ(0, mprotect(p, self->region->size, RO));
	EXPECT_EQ(0, touch(p, false));
}

TEST_F(mmap, dropped_write_right_of_our_own_can_be_taken_back)
{
	char *p;

	if (!self->writable)
		return;
	p = map(self, RW);
	ASSERT_EQ(0, mprotect(p, self->region->size, RO));
	EXPECT_EQ(SIGSEGV, touch(p, true));
	ASSERT_EQ(0, mprotect(p, self->region->size, RW));
	EXPECT_EQ(0, touch(p, true));
}

TEST_F(mmap, is_left_out_of_core_dumps_and_cannot_grow)
{
	char *p = map(self, RO);
	char line[256], want[32], *flags = NULL;
	bool found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	ASSERT_NE(NULL, f);
	snprintf(want, sizeof(want), "%08lx-", (unsigned long)p);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, strlen(want)))
			found = true;
		if (found && !strncmp(line, "VmFlags:", 8)) {
			flags = line;
			break;
		}
	}
	fclose(f);
	ASSERT_NE(NULL, flags);
	EXPECT_NE(NULL, strstr(flags, " dd"));
	EXPECT_NE(NULL, strstr(flags, " de"));
	EXPECT_EQ(NULL, strstr(flags, " me"));
	if (!self->writable) {
		EXPECT_EQ(NULL, strstr(flags, " mw"));
	}
}

TEST_F(mmap, page_that_was_never_granted_sigbus)
{
	struct zt_pipe fresh;
	char *p;

	if (self->region->offset != ZPIPE_OFF_DATA)
		return;
	ASSERT_EQ(0, zt_pipe_open(&fresh, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	p = (char *)(self->writable ? fresh.w.data : fresh.r.data);
	EXPECT_EQ(SIGBUS, touch(p, false));
	if (self->writable) {
		EXPECT_EQ(SIGBUS, touch(p, true));
	}
	zt_pipe_close(&fresh);
}

TEST_F(mmap, device_itself_cannot_be_mapped)
{
	int device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, device);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, ZT_PAGE, RO, MAP_SHARED, device, self->region->offset));
	EXPECT_EQ(ENODEV, errno);
	close(device);
}

TEST_HARNESS_MAIN
