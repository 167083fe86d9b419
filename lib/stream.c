// SPDX-License-Identifier: MIT
/*
 * stream - rendezvous: the reader supplies the buffer, the writer fills it
 *
 * Every step is a call: the kernel keeps the buffers and their order, so there
 * is nothing here that another process could have left out of date. A handle is
 * a mapping, an element size and, for the writer, its grant.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "internal.h"

#define MOST_ELEMENT	4096U

/**
 * struct stream_end - what both ends have
 * @map: the mapping
 * @element: bytes of one
 * @shift: log2 of it
 */
struct stream_end {
	struct zp_map map;
	uint32_t element;
	unsigned int shift;
};

struct zp_stream_reader {
	struct stream_end end;
};

/**
 * struct zp_stream_writer - the writer end
 * @end: see above
 * @position: committed, and published: a stream has nothing in between
 * @limit: end of the grant; @position when there is none
 * @data: where @position is
 */
struct zp_stream_writer {
	struct stream_end end;
	uint64_t position;
	uint64_t limit;
	unsigned char *data;
};

static int element_of(const struct zp_stream_opts *opts, uint32_t *element, unsigned int *shift)
{
	uint32_t size = opts->element_size ? opts->element_size : 1;

	if (size > MOST_ELEMENT || size & (size - 1))
		return -EINVAL;
	*element = size;
	*shift = (unsigned int)__builtin_ctz(size);
	return 0;
}

int zp_stream_create(const struct zp_stream_opts *opts, int *writer_fd, int *reader_fd)
{
	struct zp_create_opts create = { .sz = sizeof(create), .pause = ZP_NEVER };
	struct zp_stream_opts o;
	unsigned int shift;
	uint32_t element;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (!ret)
		ret = element_of(&o, &element, &shift);
	if (ret)
		return ret;
	if (o.flags & ~(uint32_t)ZP_NONBLOCK)
		return -EINVAL;
	create.flags = o.flags | ZP_POSTED;
	create.capacity = o.memory;
	return zp_create(&create, writer_fd, reader_fd);
}

static int open_end(struct stream_end *end, int fd, uint32_t role,
		    const struct zp_stream_opts *opts)
{
	struct zp_stream_opts o;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (!ret)
		ret = element_of(&o, &end->element, &end->shift);
	if (!ret)
		ret = zp_map_open(&end->map, fd, role, o.flags);
	if (ret)
		return ret;
	if (end->map.info.out_flags & ZPIPE_F_POSTED)
		return 0;
	end->map.keep_fd = true;
	zp_map_close(&end->map);
	return -EINVAL;
}

static int poll_now(const struct stream_end *end, short events)
{
	struct pollfd p = { .fd = end->map.fd, .events = events };

	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static int complete(struct stream_end *end, int error, uint64_t position)
{
	struct zpipe_complete_args args = { .error = error, .position = position };
	int ret = zp_sys_complete(end->map.fd, &args);

	return ret < 0 ? ret : 0;
}

int zp_stream_reader_open(struct zp_stream_reader **r, int fd, const struct zp_stream_opts *opts)
{
	struct zp_stream_reader *reader = calloc(1, sizeof(*reader));
	int ret;

	if (!reader)
		return -ENOMEM;
	ret = open_end(&reader->end, fd, ZPIPE_ROLE_READER, opts);
	if (ret) {
		free(reader);
		return ret;
	}
	*r = reader;
	return 0;
}

void zp_stream_reader_close(struct zp_stream_reader *r)
{
	if (!r)
		return;
	zp_map_close(&r->end.map);
	free(r);
}

int zp_stream_reader_fd(const struct zp_stream_reader *r)
{
	return r->end.map.fd;
}

const void *zp_stream_memory(const struct zp_stream_reader *r, size_t *size)
{
	*size = (size_t)r->end.map.info.out_window;
	return r->end.map.data;
}

int zp_stream_start_reading(struct zp_stream_reader *r, const void *at, size_t count,
			    uint64_t cookie)
{
	const struct stream_end *end = &r->end;
	uint64_t window = end->map.info.out_window;
	uint64_t offset = (uint64_t)((uintptr_t)at - (uintptr_t)end->map.data);
	struct zpipe_post_args args = { .cookie = cookie };
	int ret;

	if ((uintptr_t)at < (uintptr_t)end->map.data || offset >= window ||
	    offset & (end->element - 1) || !count || count > window >> end->shift)
		return -EINVAL;
	args.offset = offset;
	args.length = (uint64_t)count << end->shift;
	ret = zp_sys_post(end->map.fd, &args);
	return ret < 0 ? ret : 0;
}

/* Collect, or cancel; the answer in elements. */
static int unpost(struct zp_stream_reader *r, struct zpipe_unpost_args *args,
		  struct zp_stream_result *result)
{
	const struct stream_end *end = &r->end;
	int ret = zp_sys_unpost(end->map.fd, args);

	if (ret < 0)
		return ret;
	if (args->out_offset >= end->map.info.out_window ||
	    args->out_count > end->map.info.out_window ||
	    (args->out_count | args->out_start) & (end->element - 1))
		return -EPROTO;
	*result = (struct zp_stream_result){
		.cookie = args->out_cookie,
		.data = end->map.data + args->out_offset,
		.count = (size_t)(args->out_count >> end->shift),
		.position = args->out_start >> end->shift,
		.status = args->out_status,
	};
	return 0;
}

int zp_stream_read_result(struct zp_stream_reader *r, struct zp_stream_result *result,
			  unsigned int flags, uint64_t deadline)
{
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	for (;;) {
		/* Bytes alone are no reason to return: more than there can be are wanted. */
		struct zpipe_read_args wait = {
			.min = r->end.map.info.out_window,
			.deadline = deadline,
			.flags = flags | ZPIPE_READ_F_SHARED,
		};
		struct zpipe_unpost_args args = { 0 };
		int ret = unpost(r, &args, result);

		if (ret != -EAGAIN)
			return ret;
		ret = zp_sys_read(r->end.map.fd, &wait);
		if (ret < 0)
			return ret;
		if (wait.out_flags & ZPIPE_RES_FINISHED)
			continue;
		if (wait.out_flags & ZPIPE_RES_CANCELED)
			return -ECANCELED;
		if (wait.out_flags & ZPIPE_RES_COMPLETED)
			return ZP_COMPLETED;
		/* The writer waits for a buffer, and none is posted. */
		return -EAGAIN;
	}
}

int zp_stream_cancel_reading(struct zp_stream_reader *r, uint64_t cookie,
			     struct zp_stream_result *result)
{
	struct zpipe_unpost_args args = { .flags = ZPIPE_UNPOST_F_CANCEL, .cookie = cookie };

	return unpost(r, &args, result);
}

int zp_stream_is_write_closed(const struct zp_stream_reader *r)
{
	return poll_now(&r->end, 0) & POLLHUP ? 1 : 0;
}

int zp_stream_close_read(struct zp_stream_reader *r, int error)
{
	return complete(&r->end, error, 0);
}

int zp_stream_writer_open(struct zp_stream_writer **w, int fd, const struct zp_stream_opts *opts)
{
	struct zp_stream_writer *writer = calloc(1, sizeof(*writer));
	int ret;

	if (!writer)
		return -ENOMEM;
	ret = open_end(&writer->end, fd, ZPIPE_ROLE_WRITER, opts);
	if (ret) {
		free(writer);
		return ret;
	}
	writer->position = writer->end.map.info.out_published;
	writer->limit = writer->position;
	*w = writer;
	return 0;
}

void zp_stream_writer_close(struct zp_stream_writer *w)
{
	if (!w)
		return;
	zp_map_close(&w->end.map);
	free(w);
}

int zp_stream_writer_fd(const struct zp_stream_writer *w)
{
	return w->end.map.fd;
}

int zp_stream_is_ready_to_write(struct zp_stream_writer *w)
{
	return poll_now(&w->end, POLLOUT) & POLLOUT ? 1 : 0;
}

int zp_stream_start_writing(struct zp_stream_writer *w, size_t min, unsigned int flags,
			    uint64_t deadline, struct zp_span *room)
{
	const struct stream_end *end = &w->end;
	uint64_t window = end->map.info.out_window;
	struct zpipe_alloc_args args = {
		.position = w->position,
		.deadline = deadline,
		.flags = flags,
	};
	int ret;

	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (min > window >> end->shift)
		return -EMSGSIZE;
	args.min = (uint64_t)(min ? min : 1) << end->shift;
	ret = zp_sys_alloc(end->map.fd, &args);
	if (ret < 0)
		return ret;
	if (args.out_flags & ZPIPE_RES_CANCELED)
		return -ECANCELED;
	if (args.out_flags & ZPIPE_RES_COMPLETED) {
		*room = (struct zp_span){ 0 };
		return ZP_COMPLETED;
	}
	if (args.out_offset >= window || args.out_length > window || args.out_length < args.min)
		return -EPROTO;
	w->limit = w->position + args.out_length;
	w->data = end->map.data + args.out_offset;
	room->data = w->data;
	room->len = (size_t)(args.out_length >> end->shift);
	return 0;
}

int zp_stream_finish_writing(struct zp_stream_writer *w, size_t count)
{
	const struct stream_end *end = &w->end;
	struct zpipe_flush_args args = {
		.flags = ZPIPE_FLUSH_F_FINISH | ZPIPE_FLUSH_F_NOWAIT,
	};
	int ret;

	if (count > (w->limit - w->position) >> end->shift)
		return -EINVAL;
	args.position = w->position + ((uint64_t)count << end->shift);
	ret = zp_sys_flush(end->map.fd, &args);
	if (ret < 0)
		return ret;
	w->position = args.position;
	w->limit = args.position;
	return (int)(args.out_flags & ZPIPE_RES_COMPLETED);
}

int zp_stream_close_write(struct zp_stream_writer *w, int error)
{
	return complete(&w->end, error, 0);
}
