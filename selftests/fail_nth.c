// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail_nth - the verbs, their allocations and user copies failing one by one: see fail_nth.h
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "fail_nth.h"

/* --- preparations and checks --- */

static int with_source(struct bed *bed)
{
	return zt_put(&bed->q.w, BYTES);
}

static int with_consumed_kept(struct bed *bed)
{
	return with_kept(bed) ?: zt_take(&bed->p.r, BYTES);
}

static int with_both_completed(struct bed *bed)
{
	return zt_complete(&bed->p.w, 0, 0, 0) ?: zt_complete(&bed->p.r, 0, 0, 0);
}

static int with_epoll(struct bed *bed)
{
	bed->epoll = epoll_create1(EPOLL_CLOEXEC);
	return bed->epoll < 0;
}

static bool fd_works(struct bed *bed)
{
	struct zpipe_info_args info;

	return !zt_info(bed->fd[0], &info);
}

static bool both_fds_work(struct bed *bed)
{
	struct zpipe_info_args info;

	return fd_works(bed) && !zt_info(bed->fd[1], &info);
}

/* --- making things --- */

static long create(struct bed *bed, __u32 flags, int pool)
{
	struct zpipe_create_args args = { .flags = flags, .pool_fd = pool };
	int ret = zt_ioctl(bed->device, ZPIPE_IOC_CREATE, &args);

	if (!ret) {
		bed->fd[0] = args.out_writer_fd;
		bed->fd[1] = args.out_reader_fd;
	}
	return ret;
}

static long create_private(struct bed *bed) { return create(bed, 0, -1); }
static long create_guarded(struct bed *bed) { return create(bed, ZPIPE_F_GUARDED, -1); }
static long create_posted(struct bed *bed) { return create(bed, ZPIPE_F_POSTED, -1); }
static long create_in_pool(struct bed *bed) { return create(bed, 0, bed->pool); }

static long create_pool(struct bed *bed)
{
	struct zpipe_pool_create_args args = { .segment_size = SEGMENT, .segments = 4096 };
	int ret = zt_ioctl(bed->device, ZPIPE_IOC_POOL_CREATE, &args);

	bed->fd[0] = ret ? -1 : args.out_fd;
	return ret;
}

static long add_reader(struct bed *bed)
{
	struct zpipe_tee_args args;
	int ret = zt_tee(bed->p.r.fd, 0, &args);

	bed->fd[0] = ret ? -1 : args.out_fd;
	return ret;
}

static long make_buffer(struct bed *bed)
{
	int ret = zt_export(&bed->p.r, bed->kept.handle);

	bed->fd[0] = ret < 0 ? -1 : ret;
	return ret;
}

/* --- telling --- */

static long info(struct bed *bed)
{
	struct zpipe_info_args args;

	return zt_info(bed->p.w.fd, &args);
}

static long stat_end(struct bed *bed)
{
	struct zpipe_stat_args args = { .flags = 0 };

	return zt_ioctl(bed->p.r.fd, ZPIPE_IOC_STAT, &args);
}

static long stat_pool(struct bed *bed)
{
	struct zpipe_pool_stat_args args = { .flags = 0 };

	return zt_ioctl(bed->pool, ZPIPE_IOC_POOL_STAT, &args);
}

static long info_buffer(struct bed *bed)
{
	struct zpipe_info_args args;

	return zt_info(bed->fd[0], &args);
}

/* --- the stream --- */

static long flush(struct bed *bed)
{
	return zt_flush(&bed->p.w, BYTES, 0, NULL);
}

static long read_view(struct bed *bed)
{
	return zt_read(&bed->p.r, 1, 0, &bed->view);
}

static bool view_is_good(struct bed *bed)
{
	zt_check_view(&bed->p.r, &bed->view);
	return bed->view.args.out_end == BYTES && !zt_advance(&bed->p.r, BYTES, BYTES);
}

static long advance(struct bed *bed)
{
	return zt_advance(&bed->p.r, BYTES, BYTES);
}

static bool all_is_consumed(struct bed *bed)
{
	return zt_stat(&bed->p.r).out_consumed == BYTES && !zt_put(&bed->p.w, BYTES) &&
	       stream_is_whole(bed);
}

static long complete_writer(struct bed *bed)
{
	return zt_complete(&bed->p.w, 0, 0, BYTES);
}

static long set(struct bed *bed)
{
	return zt_set(&bed->p.w, 10, 5);
}

static long cancel(struct bed *bed)
{
	return zt_cancel(&bed->p.r, ZPIPE_CANCEL_READ);
}

static long reset(struct bed *bed)
{
	return zt_reset(&bed->p.w, NULL);
}

static bool stream_goes_on(struct bed *bed)
{
	return !zt_put(&bed->p.w, BYTES) && stream_is_whole(bed);
}

/* --- keeping and forwarding --- */

static long preserve(struct bed *bed)
{
	return zt_preserve(&bed->p.r, 100, 30000, &bed->kept);
}

static bool kept_is_good(struct bed *bed)
{
	return stream_is_whole(bed) && !zt_put(&bed->p.w, BYTES) &&
	       zt_kept_mismatch(&bed->p.r, &bed->kept) < 0 &&
	       !zt_release(&bed->p.r, bed->kept.handle);
}

static long release(struct bed *bed)
{
	return zt_release(&bed->p.r, bed->kept.handle);
}

static bool is_released(struct bed *bed)
{
	return zt_release(&bed->p.r, bed->kept.handle) == -ESTALE && stream_goes_on(bed);
}

static long forward(struct bed *bed)
{
	return zt_forward(&bed->p.w, &bed->q.r, 0, BYTES, 0, NULL);
}

static bool is_forwarded(struct bed *bed)
{
	return !zt_take(&bed->q.r, BYTES) && !zt_flush(&bed->p.w, BYTES, 0, NULL) &&
	       stream_is_whole(bed);
}

static long post(struct bed *bed)
{
	struct zpipe_post_args args = { .cookie = 7, .length = 1000 };

	return zt_ioctl(bed->p.r.fd, ZPIPE_IOC_POST, &args);
}

static int with_posted(struct bed *bed)
{
	return post(bed) || zt_alloc(&bed->p.w, 0, 1, 1, &bed->grant) ||
	       zt_flush(&bed->p.w, 1, 0, NULL);
}

static long unpost(struct bed *bed)
{
	struct zpipe_unpost_args args = { .flags = 0 };

	return zt_ioctl(bed->p.r.fd, ZPIPE_IOC_UNPOST, &args);
}

/* --- waiting --- */

static long poll_both(struct bed *bed)
{
	struct pollfd fds[2] = { { bed->p.r.fd, POLLIN, 0 }, { bed->p.w.fd, POLLOUT, 0 } };

	return poll(fds, 2, 0) < 0 ? -errno : 0;
}

static long watch(struct bed *bed)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	return epoll_ctl(bed->epoll, EPOLL_CTL_ADD, bed->p.r.fd, &event) ? -errno : 0;
}

static bool is_watched(struct bed *bed)
{
	struct epoll_event event;

	return !zt_put(&bed->p.w, 1) && epoll_wait(bed->epoll, &event, 1, 1000) == 1;
}

/* --- the tests --- */

static const struct op making[] = {
	{ "CREATE", .run = create_private, .check = both_fds_work },
	{ "CREATE guarded", .run = create_guarded, .check = both_fds_work },
	{ "CREATE posted", .run = create_posted, .check = both_fds_work },
	{ "CREATE in a pool", .pooled = true, .run = create_in_pool, .check = both_fds_work },
	{ "POOL_CREATE", .run = create_pool, .check = fd_works },
	{ "TEE", .prepare = with_bytes, .run = add_reader, .check = fd_works },
	{ "EXPORT", .prepare = with_kept, .run = make_buffer, .check = fd_works },
};

static const struct op telling[] = {
	{ "INFO", .run = info },
	{ "STAT", .run = stat_end },
	{ "STAT of a pool", .pooled = true, .run = stat_pool },
	{ "INFO of a buffer", .prepare = with_buffer, .run = info_buffer },
	{ "poll", .run = poll_both },
	{ "epoll_ctl", .prepare = with_epoll, .run = watch, .check = is_watched },
};

static const struct op streaming[] = {
	{ "ALLOC", .run = alloc, .check = grant_is_good },
	{ "ALLOC in a pool", .pooled = true, .run = alloc, .check = grant_is_good },
	{ "ALLOC guarded", ZPIPE_F_GUARDED, .run = alloc, .check = grant_is_good },
	{ "FLUSH", .prepare = with_grant, .run = flush, .check = stream_is_whole },
	{ "FLUSH guarded", ZPIPE_F_GUARDED, .prepare = with_grant, .run = flush,
	  .check = stream_is_whole },
	{ "READ", .prepare = with_bytes, .run = read_view, .check = view_is_good },
	{ "ADVANCE", .prepare = with_view, .run = advance, .check = all_is_consumed },
	{ "ADVANCE guarded", ZPIPE_F_GUARDED, .prepare = with_view, .run = advance },
	{ "COMPLETE", .prepare = with_grant, .run = complete_writer, .check = stream_is_whole },
	{ "COMPLETE guarded", ZPIPE_F_GUARDED, .prepare = with_grant, .run = complete_writer,
	  .check = stream_is_whole },
	{ "SET", .run = set },
	{ "CANCEL", .run = cancel },
	{ "RESET", .prepare = with_both_completed, .run = reset, .check = stream_goes_on },
};

static const struct op keeping[] = {
	{ "PRESERVE", .prepare = with_bytes, .run = preserve, .check = kept_is_good },
	{ "RELEASE", .prepare = with_consumed_kept, .run = release, .check = is_released },
	{ "FORWARD in a pool", .pooled = true, .prepare = with_source, .run = forward,
	  .check = is_forwarded },
	{ "FORWARD across pools", .prepare = with_source, .run = forward, .check = is_forwarded },
	{ "POST", ZPIPE_F_POSTED, .run = post },
	{ "UNPOST", ZPIPE_F_POSTED, .prepare = with_posted, .run = unpost },
};

FIXTURE_VARIANT_ADD(fail_nth, making) { making, sizeof(making) / sizeof(*making) };
FIXTURE_VARIANT_ADD(fail_nth, telling) { telling, sizeof(telling) / sizeof(*telling) };
FIXTURE_VARIANT_ADD(fail_nth, streaming) { streaming, sizeof(streaming) / sizeof(*streaming) };
FIXTURE_VARIANT_ADD(fail_nth, keeping) { keeping, sizeof(keeping) / sizeof(*keeping) };

#define TRACING		"/sys/kernel/tracing/"

/* Events of a verb that failed for want of memory. */
static int told(const char *event)
{
	char line[512], name[64];
	FILE *trace = fopen(TRACING "trace", "r");
	int number = 0;

	snprintf(name, sizeof(name), " %s: ", event);
	while (trace && fgets(line, sizeof(line), trace))
		number += strstr(line, name) && strstr(line, " ret=-12\n");
	if (trace)
		fclose(trace);
	return number;
}

/* Also where the call had not begun, for want of room for more spans than usual. */
TEST(failures_of_preserve_and_read_are_told)
{
	static const struct op op = { "PRESERVE", .prepare = with_bytes };
	int nth = fail_nth_open(), n, no_memory[2] = { 0, 0 }, ret;
	bool failed = true;

	if (nth < 0)
		SKIP(return, "no fault injection in this kernel");
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	ASSERT_EQ(0, zt_write_text(TRACING "events/zpipe/enable", "1"));
	zt_write_text(TRACING "trace", "");
	for (n = 1; failed && n < MOST_POINTS; n++) {
		struct bed bed;

		make_bed(&bed, &op);
		arm(nth, n);
		ret = (int)preserve(&bed);
		failed = disarm(nth);
		no_memory[0] += ret == -ENOMEM;
		arm(nth, n);
		ret = zt_read(&bed.p.r, 1, 0, &bed.view);
		failed |= disarm(nth);
		no_memory[1] += ret == -ENOMEM;
		free_bed(&bed);
	}
	zt_write_text(TRACING "events/zpipe/enable", "0");
	EXPECT_LT(0, no_memory[0]);
	EXPECT_LT(0, no_memory[1]);
	EXPECT_EQ(no_memory[0], told("zpipe_preserve"));
	EXPECT_EQ(no_memory[1], told("zpipe_read"));
	close(nth);
}

TEST_HARNESS_MAIN
