// SPDX-License-Identifier: GPL-2.0-only
/*
 * remap - mappings that are moved, split, duplicated, advised and inherited
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define PAGES	4
#define SIZE	(PAGES * ZT_PAGE)

/* Four pages of the stream are published; offsets equal positions only by the view. */
FIXTURE(remap)
{
	struct zt_pipe p;
	struct zt_view view;
	unsigned char *map;
};

FIXTURE_SETUP(remap)
{
	struct zpipe_create_args *args = ZT_ARGS(ZT_PAGE, SIZE, .flags = ZPIPE_F_CONTIG);

	ASSERT_EQ(0, zt_pipe_open(&self->p, args));
	ASSERT_EQ(0, zt_put(&self->p.w, SIZE));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, ZPIPE_READ_F_SHARED, &self->view));
	ASSERT_EQ(1, self->view.args.out_nr_spans);
	ASSERT_EQ(0, self->view.spans[0].offset);
	self->map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->p.r.fd, ZPIPE_OFF_DATA);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(remap)
{
	zt_pipe_close(&self->p);
}

TEST_F(remap, mirror_shows_the_same_bytes_in_both_processes)
{
	__u64 window = self->p.w.info.out_window;
	struct zpipe_alloc_args grant;

	EXPECT_EQ(0, memcmp(self->p.r.data, self->p.r.data + window, window));
	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, SIZE, 0, &grant));
	self->p.w.data[window + 5] = 0x17;
	__asm__ volatile("" ::: "memory");
	EXPECT_EQ(0x17, self->p.w.data[5]);
	EXPECT_EQ(0x17, self->p.r.data[5]);
	EXPECT_EQ(0x17, self->p.r.data[window + 5]);
}

TEST_F(remap, moved_whole_keeps_its_bytes)
{
	unsigned char *to = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(to, mremap(self->map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(-1, zt_mismatch(to, 0, SIZE));
}

TEST_F(remap, moved_middle_page_keeps_its_bytes)
{
	unsigned char *to = mmap(NULL, ZT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(to, mremap(self->map + ZT_PAGE, ZT_PAGE, ZT_PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(-1, zt_mismatch(to, ZT_PAGE, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(self->map + 2 * ZT_PAGE, 2 * ZT_PAGE, 2 * ZT_PAGE));
}

TEST_F(remap, moved_before_it_was_touched_finds_its_page)
{
	unsigned char *fresh = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->p.r.fd,
				    ZPIPE_OFF_DATA);
	unsigned char *to = mmap(NULL, ZT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(to, mremap(fresh + 2 * ZT_PAGE, ZT_PAGE, ZT_PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(-1, zt_mismatch(to, 2 * ZT_PAGE, ZT_PAGE));
}

TEST_F(remap, growing_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->map, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(remap, growing_a_part_over_the_end_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->map + 3 * ZT_PAGE, ZT_PAGE, 2 * ZT_PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(remap, duplicate_by_length_zero_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->map, 0, SIZE, MREMAP_MAYMOVE));
}

TEST_F(remap, shrinking_keeps_the_rest)
{
	ASSERT_EQ(self->map, mremap(self->map, SIZE, ZT_PAGE, 0));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, ZT_PAGE));
}

TEST_F(remap, partial_unmap_leaves_the_neighbours)
{
	ASSERT_EQ(0, munmap(self->map + ZT_PAGE, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(self->map + 2 * ZT_PAGE, 2 * ZT_PAGE, 2 * ZT_PAGE));
}

TEST_F(remap, hole_can_be_mapped_again)
{
	ASSERT_EQ(0, munmap(self->map + ZT_PAGE, ZT_PAGE));
	ASSERT_EQ(self->map + ZT_PAGE, mmap(self->map + ZT_PAGE, ZT_PAGE, PROT_READ,
					    MAP_SHARED | MAP_FIXED, self->p.r.fd,
					    ZPIPE_OFF_DATA + ZT_PAGE));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
}

TEST_F(remap, dontneed_loses_no_bytes)
{
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
}

TEST_F(remap, advice_that_would_destroy_is_refused)
{
	EXPECT_NE(0, madvise(self->map, SIZE, MADV_REMOVE));
	EXPECT_NE(0, madvise(self->map, SIZE, MADV_FREE));
	EXPECT_NE(0, madvise(self->p.w.data, SIZE, MADV_REMOVE));
	EXPECT_NE(0, madvise(self->p.w.data, SIZE, MADV_FREE));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
}

TEST_F(remap, other_advice_changes_no_byte)
{
	static const int advice[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
				      MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP,
				      MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_COLD,
				      MADV_PAGEOUT };
	size_t k;

	for (k = 0; k < sizeof(advice) / sizeof(*advice); k++)
		madvise(self->map, SIZE, advice[k]);
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
	EXPECT_EQ(0, zt_take(&self->p.r, SIZE));
}

TEST_F(remap, mlock_and_munlock_work)
{
	EXPECT_EQ(0, mlock(self->map, SIZE));
	EXPECT_EQ(-1, zt_mismatch(self->map, 0, SIZE));
	EXPECT_EQ(0, munlock(self->map, SIZE));
}

TEST_F(remap, child_inherits_the_mapping)
{
	pid_t child = fork();

	if (!child)
		_exit(zt_mismatch(self->map, 0, SIZE) != -1);
	EXPECT_EQ(0, zt_wait_child(child));
}

TEST_F(remap, child_writes_through_the_inherited_grant)
{
	struct zpipe_alloc_args grant;
	pid_t child;

	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, zt_alloc(&self->p.w, SIZE, 100, 100, &grant));
	child = fork();
	if (!child)
		_exit(zt_fill_grant(&self->p.w, &grant, 100) ||
		      zt_flush(&self->p.w, SIZE + 100, 0, NULL));
	ASSERT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(0, zt_take(&self->p.r, 100));
}

/* No fd is left, only a mapping in a child: the writer is still there until the child ends. */
TEST_F(remap, inherited_mapping_keeps_the_end_until_the_child_is_gone)
{
	struct zt_view view;
	int go[2];
	pid_t child;
	char c;

	ASSERT_EQ(0, zt_take(&self->p.r, SIZE));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		close(self->p.w.fd);
		_exit(read(go[0], &c, 1) < 0);
	}
	close(go[0]);
	zt_end_close(&self->p.w);
	EXPECT_EQ(-EAGAIN, zt_read(&self->p.r, 1, 0, &view));
	close(go[1]);
	EXPECT_EQ(0, zt_wait_child(child));
	EXPECT_EQ(-ECONNRESET, zt_read(&self->p.r, 1, 0, &view));
}

TEST_F(remap, many_mappings_of_one_window_agree)
{
	unsigned char *maps[50];
	int k;

	for (k = 0; k < 50; k++) {
		maps[k] = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->p.r.fd, ZPIPE_OFF_DATA);
		ASSERT_NE(MAP_FAILED, maps[k]);
	}
	for (k = 0; k < 50; k++) {
		EXPECT_EQ(-1, zt_mismatch(maps[k], 0, SIZE));
		munmap(maps[k], SIZE);
	}
}

TEST_HARNESS_MAIN
