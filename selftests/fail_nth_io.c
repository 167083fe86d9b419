// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail_nth_io - copies, splices, mappings, closing and io_uring commands failing: see fail_nth.h
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fail_nth.h"

/* --- preparations --- */

static int with_pipe_full(struct bed *bed)
{
	return write(bed->kernel[1], bed->buffer, BYTES) != BYTES;
}

static int with_ring(struct bed *bed)
{
	bed->has_ring = true;
	return zu_open(&bed->ring, ZU_PLAIN);
}

/* --- copies and splices --- */

static long advanced(struct bed *bed, ssize_t n)
{
	if (n < 0)
		return -errno;
	bed->done += n;
	return n;
}

static long write2(struct bed *bed)
{
	return advanced(bed, write(bed->p.w.fd, bed->buffer + bed->done, BYTES - bed->done));
}

static long read2(struct bed *bed)
{
	return advanced(bed, read(bed->p.r.fd, bed->buffer + bed->done, BYTES - bed->done));
}

static int with_bytes_unread(struct bed *bed)
{
	memset(bed->buffer, 0, BYTES);
	return with_bytes(bed);
}

static bool buffer_is_whole(struct bed *bed)
{
	return bed->done == BYTES && zt_mismatch(bed->buffer, 0, BYTES) < 0 &&
	       zt_stat(&bed->p.r).out_consumed == BYTES;
}

static long splice_out(struct bed *bed)
{
	return advanced(bed, splice(bed->p.r.fd, NULL, bed->kernel[1], NULL, BYTES - bed->done, 0));
}

static bool pipe_is_whole(struct bed *bed)
{
	__u64 got = 0;

	memset(bed->buffer, 0, BYTES);
	while (got < BYTES) {
		ssize_t n = read(bed->kernel[0], bed->buffer + got, BYTES - got);

		if (n <= 0)
			return false;
		got += n;
	}
	return buffer_is_whole(bed);
}

static long splice_in(struct bed *bed)
{
	return advanced(bed, splice(bed->kernel[0], NULL, bed->p.w.fd, NULL, BYTES - bed->done, 0));
}

static long read_buffer(struct bed *bed)
{
	size_t done = 0;
	ssize_t n;

	/* As any file, it may give less than was asked for; what comes then says why. */
	do {
		n = pread(bed->fd[0], bed->buffer + done, 30000 - done, done);
		if (n > 0)
			done += n;
	} while (n > 0 && done < 30000);
	return n < 0 ? -errno : done == 30000 ? 0 : -EIO;
}

/* --- memory --- */

static long map(struct bed *bed, int fd, const struct zpipe_region *region, int prot)
{
	void *at = mmap(NULL, region->size, prot, MAP_SHARED, fd, region->offset);

	if (at == MAP_FAILED)
		return -errno;
	bed->map = at;
	bed->length = region->size;
	return 0;
}

static long map_state(struct bed *bed)
{
	return map(bed, bed->p.w.fd, &bed->p.w.info.out_state, PROT_READ);
}

static long map_data(struct bed *bed)
{
	return map(bed, bed->p.w.fd, &bed->p.w.info.out_data, PROT_READ | PROT_WRITE);
}

static long map_view(struct bed *bed)
{
	return map(bed, bed->p.r.fd, &bed->p.r.info.out_data, PROT_READ);
}

static long map_spare(struct bed *bed)
{
	return map(bed, bed->p.r.fd, &bed->p.r.info.out_spare, PROT_READ);
}

static bool state_is_there(struct bed *bed)
{
	return *(__u64 *)bed->map == ZPIPE_MAGIC;
}

static int with_grant_untouched(struct bed *bed)
{
	return alloc(bed) || map_data(bed);
}

/* The fault is repeated when it fails, so a touch always succeeds. */
static long touch_write(struct bed *bed)
{
	unsigned char *at = (unsigned char *)bed->map + bed->grant.out_offset;
	size_t i;

	for (i = 0; i < BYTES; i += ZT_PAGE)
		__atomic_store_n(&at[i], 1, __ATOMIC_RELAXED);
	return 0;
}

static int with_bytes_untouched(struct bed *bed)
{
	return with_view(bed) || map_view(bed);
}

static long touch_read(struct bed *bed)
{
	unsigned char *at = (unsigned char *)bed->map + bed->view.spans[0].offset;
	size_t i;

	for (i = 0; i < bed->view.spans[0].length; i += ZT_PAGE)
		__atomic_load_n(&at[i], __ATOMIC_RELAXED);
	return 0;
}

static bool touched_is_right(struct bed *bed)
{
	return zt_mismatch((unsigned char *)bed->map + bed->view.spans[0].offset, 0,
			   bed->view.spans[0].length) < 0;
}

static long fork_mapped(struct bed *bed)
{
	pid_t child = fork();

	if (!child)
		_exit(zt_mismatch(bed->p.r.data + bed->view.spans[0].offset, 0,
				  bed->view.spans[0].length) >= 0);
	bed->length = child;
	return child < 0 ? -errno : 0;
}

/* Before the bed is taken apart: the child uses it, and has an fd of each. */
static long wait_for_child(struct bed *bed, long ret)
{
	int status = 1;

	if (!ret && (waitpid(bed->length, &status, 0) < 0 || status))
		return -ECHILD;
	bed->length = 0;
	return ret;
}

static int with_inherited(struct bed *bed)
{
	size_t size = 2 * bed->p.r.info.out_data.size;

	return with_view(bed) || madvise(bed->p.r.data, size, MADV_DOFORK);
}

/* --- ends --- */

static long close_one(int *fd)
{
	int ret = close(*fd);

	*fd = -1;
	return ret ? -errno : 0;
}

static long close_writer(struct bed *bed)
{
	zt_end_unmap(&bed->p.w);
	return close_one(&bed->p.w.fd);
}

static long close_reader(struct bed *bed)
{
	return close_one(&bed->p.r.fd);
}

static long close_buffer(struct bed *bed)
{
	return close_one(&bed->fd[0]);
}

static long unmap_part(struct bed *bed)
{
	return munmap((unsigned char *)bed->map + ZT_PAGE, ZT_PAGE) ? -errno : 0;
}

/* --- io_uring --- */

static long submit(struct bed *bed, int fd, unsigned long cmd, void *args)
{
	int ret;

	if (!bed->queued)
		zu_prep(&bed->ring, fd, cmd, args);
	bed->queued = true;
	ret = io_uring_submit(&bed->ring);
	if (ret > 0)
		bed->queued = false;
	return ret == 1 ? 0 : ret < 0 ? ret : -EAGAIN;
}

static long uring_alloc(struct bed *bed)
{
	bed->grant = (struct zpipe_alloc_args){ .min = BYTES, .want = BYTES };
	return submit(bed, bed->p.w.fd, ZPIPE_IOC_ALLOC, &bed->grant);
}

static long uring_result(struct bed *bed, long ret)
{
	return ret ?: zu_any(&bed->ring, NULL);
}

static long uring_read(struct bed *bed)
{
	bed->read = (struct zpipe_read_args){ .min = 1, .nr_spans = ZT_SPANS,
					      .spans = (uintptr_t)bed->view.spans };
	return submit(bed, bed->p.r.fd, ZPIPE_IOC_READ, &bed->read);
}

/* It has failed, or it waits: then the writer ends that. */
static long uring_read_result(struct bed *bed, long ret)
{
	struct io_uring_cqe *cqe;

	if (ret)
		return ret;
	if (!io_uring_peek_cqe(&bed->ring, &cqe) && cqe->res)
		return zu_any(&bed->ring, NULL);
	if (zt_put(&bed->p.w, BYTES))
		return -EIO;
	return zu_any(&bed->ring, NULL);
}

static bool read_is_good(struct bed *bed)
{
	bed->view.args = bed->read;
	zt_check_view(&bed->p.r, &bed->view);
	return !zt_advance(&bed->p.r, bed->read.out_end, bed->read.out_end);
}

/* --- the tests --- */

static const struct op copying[] = {
	{ "write(2)", .partial = true, .run = write2, .check = stream_is_whole },
	{ "write(2) guarded", ZPIPE_F_GUARDED, .partial = true, .run = write2,
	  .check = stream_is_whole },
	{ "read(2)", .partial = true, .prepare = with_bytes_unread, .run = read2,
	  .check = buffer_is_whole },
	{ "read(2) guarded", ZPIPE_F_GUARDED, .partial = true, .prepare = with_bytes_unread,
	  .run = read2, .check = buffer_is_whole },
	{ "splice out", .partial = true, .prepare = with_bytes, .run = splice_out,
	  .check = pipe_is_whole },
	{ "splice out, guarded", ZPIPE_F_GUARDED, .partial = true, .prepare = with_bytes,
	  .run = splice_out, .check = pipe_is_whole },
	{ "splice in", .partial = true, .prepare = with_pipe_full, .run = splice_in,
	  .check = stream_is_whole },
	{ "splice in, guarded", ZPIPE_F_GUARDED, .partial = true, .prepare = with_pipe_full,
	  .run = splice_in, .check = stream_is_whole },
	{ "pread of a buffer", .prepare = with_buffer, .run = read_buffer },
};

static const struct op memory[] = {
	{ "mmap of the state", .run = map_state, .check = state_is_there },
	{ "mmap of the data", .run = map_data },
	{ "mmap of the spare", .run = map_spare },
	{ "mmap of a view", ZPIPE_F_GUARDED, .run = map_view },
	{ "writer's first touch", .prepare = with_grant_untouched, .run = touch_write },
	{ "writer's first touch, guarded", ZPIPE_F_GUARDED, .prepare = with_grant_untouched,
	  .run = touch_write },
	{ "reader's first touch", .prepare = with_bytes_untouched, .run = touch_read,
	  .check = touched_is_right },
	{ "reader's first touch, guarded", ZPIPE_F_GUARDED, .prepare = with_bytes_untouched,
	  .run = touch_read, .check = touched_is_right },
	{ "munmap in the middle", .prepare = with_grant_untouched, .run = unmap_part },
	{ "fork", .prepare = with_inherited, .run = fork_mapped, .finish = wait_for_child },
};

static const struct op ending[] = {
	{ "close of a writer", .prepare = with_bytes, .run = close_writer },
	{ "close of a guarded writer", ZPIPE_F_GUARDED, .prepare = with_bytes,
	  .run = close_writer },
	{ "close of a writer in a pool", .pooled = true, .prepare = with_bytes,
	  .run = close_writer },
	{ "close of a reader", .prepare = with_kept, .run = close_reader },
	{ "close of a buffer", .prepare = with_buffer, .run = close_buffer },
};

static const struct op uring[] = {
	{ "ALLOC as a command", .prepare = with_ring, .run = uring_alloc, .finish = uring_result,
	  .check = grant_is_good },
	{ "READ as a command that waits", .prepare = with_ring, .run = uring_read,
	  .finish = uring_read_result, .check = read_is_good },
};

FIXTURE_VARIANT_ADD(fail_nth, copying) { copying, sizeof(copying) / sizeof(*copying) };
FIXTURE_VARIANT_ADD(fail_nth, memory) { memory, sizeof(memory) / sizeof(*memory) };
FIXTURE_VARIANT_ADD(fail_nth, ending) { ending, sizeof(ending) / sizeof(*ending) };
FIXTURE_VARIANT_ADD(fail_nth, uring) { uring, sizeof(uring) / sizeof(*uring) };

TEST_HARNESS_MAIN
