// SPDX-License-Identifier: MIT
/*
 * pipe - what is done to a pipe as a whole, by fd
 *
 * Making one, asking about one, and the few verbs that either end may use from
 * any thread. Nothing here maps anything or keeps state.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define DEVICE	"/dev/zpipe"

unsigned int zp_version(void)
{
	return ZP_VERSION_MAJOR * 10000 + ZP_VERSION_MINOR * 100 + ZP_VERSION_PATCH;
}

/*
 * Thresholds of the library to those of the kernel: 0 is what zero means in an
 * options struct. The kernel has one number for "default" (CREATE) and "leave
 * it" (SET).
 */
static uint64_t pause_to_uapi(uint64_t pause)
{
	if (!pause)
		return ZPIPE_DEFAULT;
	return pause == ZP_NEVER ? 0 : pause;
}

static uint64_t resume_to_uapi(uint64_t resume)
{
	return resume ? resume : ZPIPE_DEFAULT;
}

int zp_pool_create(const struct zp_pool_opts *opts, int *pool_fd)
{
	struct zpipe_pool_create_args args = { .out_fd = -1 };
	struct zp_pool_opts o;
	int fd, ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	args.segment_size = o.segment_size;
	args.segments = o.segments;
	args.idle = o.idle ? o.idle : ZPIPE_POOL_IDLE;
	if (o.idle == ZP_POOL_KEEP_NONE)
		args.idle = 0;

	fd = open(o.device ? o.device : DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = zp_sys_pool_create(fd, &args);
	close(fd);
	if (ret < 0)
		return ret;
	if (args.out_fd < 0)
		return -EPROTO;
	*pool_fd = args.out_fd;
	return 0;
}

int zp_create(const struct zp_create_opts *opts, int *writer_fd, int *reader_fd)
{
	struct zpipe_create_args args = {
		.pool_fd = -1,
		.out_writer_fd = -1,
		.out_reader_fd = -1,
	};
	struct zp_create_opts o;
	int fd, ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	args.flags = o.flags;
	args.segment_size = o.segment_size;
	args.capacity = o.capacity;
	args.pause = pause_to_uapi(o.pause);
	args.resume = resume_to_uapi(o.resume);
	if (o.pool_fd)
		args.pool_fd = o.pool_fd;

	fd = open(o.device ? o.device : DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = zp_sys_create(fd, &args);
	close(fd);
	if (ret < 0)
		return ret;
	if (args.out_writer_fd < 0 || args.out_reader_fd < 0)
		return -EPROTO;
	*writer_fd = args.out_writer_fd;
	*reader_fd = args.out_reader_fd;
	return 0;
}

int zp_query(int fd, struct zp_info *info)
{
	struct zpipe_info_args args;
	struct zp_info out;
	int ret;

	ret = zp_map_info(fd, &args);
	if (ret)
		return ret;
	out = (struct zp_info){
		.role = args.out_role,
		.flags = args.out_flags,
		.id = args.out_id,
		.features = args.out_features,
		.capacity = args.out_capacity,
		.window = args.out_window,
		.segment_size = args.out_segment_size,
		.nr_segments = args.out_nr_segments,
		.pause = args.out_pause,
		.resume = args.out_resume,
		.generation = args.out_generation,
		.granted = args.out_granted,
		.published = args.out_published,
		.examined = args.out_examined,
		.consumed = args.out_consumed,
	};
	return zp_opts_put(info, &out, sizeof(out));
}

/* STAT and the verbs below answer ENOTTY on an fd that is not ours. */
static int not_ours(int ret)
{
	if (ret == -ENOTTY)
		return -EBADF;
	return ret < 0 ? ret : 0;
}

int zp_stat(int fd, struct zp_stat *stat)
{
	struct zpipe_stat_args args = { 0 };
	struct zp_stat out;
	int ret;

	ret = not_ours(zp_sys_stat(fd, &args));
	if (ret)
		return ret;
	out = (struct zp_stat){
		.granted = args.out_granted,
		.published = args.out_published,
		.examined = args.out_examined,
		.consumed = args.out_consumed,
		.data_pages = args.out_data_pages,
		.control_bytes = args.out_control_bytes,
		.copied_write = args.out_copied_write,
		.copied_read = args.out_copied_read,
		.segments_opened = args.out_segments_opened,
		.segments_freed = args.out_segments_freed,
		.allocs = args.out_allocs,
		.flushes = args.out_flushes,
		.reads = args.out_reads,
		.advances = args.out_advances,
		.pauses = args.out_pauses,
		.paused_ns = args.out_paused_ns,
		.writer_waits = args.out_writer_waits,
		.writer_wait_ns = args.out_writer_wait_ns,
		.reader_waits = args.out_reader_waits,
		.reader_wait_ns = args.out_reader_wait_ns,
		.reader_wakes = args.out_reader_wakes,
		.writer_wakes = args.out_writer_wakes,
		.rejects = args.out_rejects,
		.replaced_pages = args.out_replaced_pages,
		.copied_seal = args.out_copied_seal,
		.readers = args.out_readers,
		.spliced_out = args.out_spliced_out,
		.spliced_in = args.out_spliced_in,
		.preserved_bytes = args.out_preserved_bytes,
		.preserved_handles = args.out_preserved_handles,
		.spare_pages = args.out_spare_pages,
		.forwards = args.out_forwards,
		.forwarded = args.out_forwarded,
		.adopted_pages = args.out_adopted_pages,
		.zeroed = args.out_zeroed,
		.longest_pause_ns = args.out_longest_pause_ns,
		.longest_writer_wait_ns = args.out_longest_writer_wait_ns,
		.longest_reader_wait_ns = args.out_longest_reader_wait_ns,
	};
	return zp_opts_put(stat, &out, sizeof(out));
}

/* Complete what a handle has counted with the kernel's part, and hand it out. */
int zp_stats_finish(int fd, uint32_t role, struct zp_stats *stats, struct zp_stats *to)
{
	struct zpipe_stat_args args = { 0 };
	int ret;

	ret = not_ours(zp_sys_stat(fd, &args));
	if (ret)
		return ret;
	stats->copied_view = zp_view_copied();
	stats->pauses = args.out_pauses;
	stats->paused_ns = args.out_paused_ns;
	stats->longest_pause_ns = args.out_longest_pause_ns;
	if (role == ZPIPE_ROLE_WRITER) {
		stats->waits = args.out_writer_waits;
		stats->wait_ns = args.out_writer_wait_ns;
		stats->longest_wait_ns = args.out_longest_writer_wait_ns;
	} else {
		stats->waits = args.out_reader_waits;
		stats->wait_ns = args.out_reader_wait_ns;
		stats->longest_wait_ns = args.out_longest_reader_wait_ns;
	}
	return zp_opts_put(to, stats, sizeof(*stats));
}

int zp_pool_stat(int fd, struct zp_pool_stat *stat)
{
	struct zpipe_pool_stat_args args = { 0 };
	struct zpipe_info_args info = { 0 };
	struct zp_pool_stat out;
	int ret;

	/* an end answers STAT as well, with other numbers */
	ret = not_ours(zp_sys_info(fd, &info));
	if (ret)
		return ret;
	if (info.out_magic != ZPIPE_MAGIC || info.out_role != ZPIPE_ROLE_POOL)
		return -EBADF;
	ret = not_ours(zp_sys_pool_stat(fd, &args));
	if (ret)
		return ret;
	out = (struct zp_pool_stat){
		.segments = args.out_segments,
		.free = args.out_free,
		.pages = args.out_pages,
		.idle_pages = args.out_idle_pages,
		.idle = args.out_idle,
		.pipes = args.out_pipes,
		.committed = args.out_committed,
		.waiting = args.out_waiting,
		.shrunk_pages = args.out_shrunk_pages,
		.replaced_pages = args.out_replaced_pages,
	};
	return zp_opts_put(stat, &out, sizeof(out));
}

int zp_cancel(int fd, unsigned int what)
{
	struct zpipe_cancel_args args = { .what = what };

	return not_ours(zp_sys_cancel(fd, &args));
}

int zp_set_thresholds(int fd, uint64_t pause, uint64_t resume)
{
	struct zpipe_set_args args = {
		.pause = pause_to_uapi(pause),
		.resume = resume_to_uapi(resume),
	};

	return not_ours(zp_sys_set(fd, &args));
}

int zp_tee(int reader_fd, unsigned int flags, int *fd)
{
	struct zpipe_tee_args args = { .flags = flags };
	int ret;

	ret = not_ours(zp_sys_tee(reader_fd, &args));
	if (ret)
		return ret;
	*fd = args.out_fd;
	return 0;
}

int zp_reset(int fd)
{
	struct zpipe_reset_args args = { 0 };

	return not_ours(zp_sys_reset(fd, &args));
}

uint64_t zp_deadline(uint64_t timeout_ns)
{
	struct timespec now;
	uint64_t ns;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return 1;
	ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	/* far enough away to be for ever, near enough for signed nanoseconds */
	if (timeout_ns > (uint64_t)INT64_MAX - ns)
		return INT64_MAX;
	return ZP_MAX(ns + timeout_ns, 1);
}

int zp_await(int fd, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int left = -1, ret;

	if (deadline) {
		uint64_t now = zp_deadline(0);

		if (now >= deadline)
			return -ETIMEDOUT;
		left = (int)ZP_MIN((deadline - now + 999999) / 1000000, INT_MAX);
	}
	ret = poll(&p, 1, left);
	if (ret < 0)
		return -errno;
	return p.revents & POLLNVAL ? -EBADF : 0;
}
