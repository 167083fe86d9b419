// SPDX-License-Identifier: MIT
/*
 * future - one value, once
 *
 * A pipe whose every view is one span. The value stands behind a header with
 * its size, which tells an empty value from a writer that left: both are an end
 * of stream to the kernel. Nobody consumes it, so it can be got again.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

/* What stands in front of the value. */
struct header {
	uint64_t size;
};

int zp_future_create(size_t max, int *writer_fd, int *reader_fd)
{
	struct zp_create_opts opts = {
		.sz = sizeof(opts), .flags = ZP_CONTIG, .pause = ZP_NEVER,
	};

	if (max > SIZE_MAX / 2)
		return -EINVAL;
	opts.capacity = max + sizeof(struct header);
	return zp_create(&opts, writer_fd, reader_fd);
}

/* The writer end, and nothing written to it. */
static int open_unset(struct zp_writer **w, int fd)
{
	const struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD, .spin = -1 };
	int ret = zp_writer_open(w, fd, &keep);

	if (!ret && zp_position(*w)) {
		zp_writer_close(*w);
		ret = -EALREADY;
	}
	return ret;
}

static int unset_error(int ret)
{
	return ret == -ESHUTDOWN ? -EALREADY : ret;
}

int zp_future_set(int writer_fd, const void *value, size_t size)
{
	const struct header header = { .size = size };
	struct zp_writer *w;
	struct zp_span room;
	int ret;

	if (size > SIZE_MAX / 2)
		return -EMSGSIZE;
	ret = open_unset(&w, writer_fd);
	if (ret)
		return ret;
	ret = zp_try_alloc(w, sizeof(header) + size, &room);
	if (!ret) {
		memcpy(room.data, &header, sizeof(header));
		if (size)
			memcpy((unsigned char *)room.data + sizeof(header), value, size);
		ret = zp_commit(w, sizeof(header) + size);
		if (!ret)
			ret = zp_writer_complete(w, 0, 0);
	}
	zp_writer_close(w);
	return unset_error(ret);
}

int zp_future_fail(int writer_fd, int error)
{
	struct zp_writer *w;
	struct zp_span room;
	int ret;

	if (error <= 0)
		return -EINVAL;
	ret = open_unset(&w, writer_fd);
	if (ret)
		return ret;
	/* An end that has completed would say nothing to a second time. */
	ret = zp_try_alloc(w, 1, &room);
	if (ret >= 0)
		ret = zp_writer_complete(w, error, 0);
	zp_writer_close(w);
	return unset_error(ret);
}

/* Where the bytes are that nobody consumes: 0, or why there is no value. */
static int find(int fd, uint64_t deadline, struct zpipe_span *span)
{
	for (;;) {
		struct zpipe_read_args args = {
			.flags = ZPIPE_READ_F_NOWAIT | ZPIPE_READ_F_SHARED | ZPIPE_READ_F_REREAD,
			.nr_spans = 1,
			.spans = (uintptr_t)span,
		};
		int ret = zp_sys_read(fd, &args);

		switch (ret) {
		case 0:
			if (args.out_nr_spans == 1 && span->length >= sizeof(struct header))
				return 0;
			if (args.out_flags & ZPIPE_RES_COMPLETED)
				return -EPIPE;
			break;
		case -EAGAIN:
		case -EBUSY:
			break;
		case -ECONNRESET:
			return -EPIPE;
		default:
			return ret;
		}
		ret = zp_await(fd, POLLIN, deadline);
		if (ret)
			return ret;
	}
}

int zp_future_get(int reader_fd, void *buf, size_t size, size_t *actual, uint64_t deadline)
{
	struct zpipe_info_args info;
	struct zpipe_span span = { 0 };
	struct header header;
	unsigned char *data;
	int ret;

	ret = zp_map_info(reader_fd, &info);
	if (ret)
		return ret;
	if (info.out_role != ZPIPE_ROLE_READER || !(info.out_flags & ZPIPE_F_CONTIG))
		return -EBADF;
	ret = find(reader_fd, deadline, &span);
	if (ret)
		return ret;
	if (span.offset >= info.out_window || span.length > info.out_window - span.offset)
		return -EPROTO;
	data = mmap(NULL, (size_t)info.out_data.size, PROT_READ, MAP_SHARED, reader_fd,
		    (off_t)info.out_data.offset);
	if (data == MAP_FAILED)
		return -errno;
	memcpy(&header, data + span.offset, sizeof(header));
	if (header.size > span.length - sizeof(header)) {
		ret = -EPROTO;
	} else {
		if (actual)
			*actual = (size_t)header.size;
		if (header.size > size)
			ret = -EMSGSIZE;
		else if (header.size)
			memcpy(buf, data + span.offset + sizeof(header), (size_t)header.size);
	}
	munmap(data, (size_t)info.out_data.size);
	return ret;
}
