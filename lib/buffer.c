// SPDX-License-Identifier: MIT
/*
 * buffer - an exported range, mapped
 *
 * The fd may be anything: INFO and READ are asked, and what they answer is held
 * against each other, before it becomes a pointer.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct zp_buffer {
	int fd;
	bool keep_fd;
	unsigned char *data;
	size_t size;
	struct zp_view view;
	struct zp_span spans[];
};

static int check(const struct zpipe_info_args *info)
{
	const struct zpipe_region *data = &info->out_data;
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);

	if (info->out_magic != ZPIPE_MAGIC)
		return (info->out_magic ^ ZPIPE_MAGIC) & ~0xffULL ? -EPROTO : -EPROTONOSUPPORT;
	if (info->out_role != ZPIPE_ROLE_BUFFER)
		return -EBADF;
	if (!info->out_version || !data->size || data->size > SIZE_MAX / 4 ||
	    (data->offset | data->size) & (page_size - 1) ||
	    data->offset > (uint64_t)INT64_MAX - data->size)
		return -EPROTO;
	/* every span has a page of its own */
	if (!info->out_capacity || info->out_capacity > data->size || !info->out_nr_spans ||
	    info->out_nr_spans > data->size / page_size ||
	    info->out_published < info->out_consumed ||
	    info->out_published - info->out_consumed != info->out_capacity)
		return -EPROTO;
	return 0;
}

/* Where the bytes are, each piece within the mapping. */
static int ask_spans(int fd, const struct zpipe_info_args *info, struct zpipe_span *spans)
{
	struct zpipe_read_args args = {
		.nr_spans = info->out_nr_spans, .spans = (uintptr_t)spans,
	};
	uint32_t i;
	int ret;

	ret = zp_sys_read(fd, &args);
	if (ret)
		return ret > 0 ? -EPROTO : ret;
	if (args.out_nr_spans != info->out_nr_spans)
		return -EPROTO;
	for (i = 0; i < args.out_nr_spans; i++) {
		if (spans[i].offset > info->out_data.size ||
		    spans[i].length > info->out_data.size - spans[i].offset)
			return -EPROTO;
	}
	return 0;
}

static int map(struct zp_buffer *b, int fd, const struct zpipe_info_args *info,
	       const struct zpipe_span *spans)
{
	int ret;

	b->fd = fd;
	b->size = (size_t)info->out_data.size;
	b->view = (struct zp_view){ .start = info->out_consumed, .end = info->out_published };
	b->data = mmap(NULL, b->size, PROT_READ, MAP_SHARED, fd, (off_t)info->out_data.offset);
	if (b->data == MAP_FAILED)
		return -errno;
	ret = zp_view_fill(&b->view, b->spans, spans, info->out_nr_spans, b->data);
	if (ret)
		munmap(b->data, b->size);
	return ret;
}

int zp_buffer_open(struct zp_buffer **b, int fd, const struct zp_open_opts *opts)
{
	struct zpipe_info_args info;
	struct zp_buffer *buffer;
	struct zpipe_span *spans;
	struct zp_open_opts o;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (!ret && o.flags & ~(uint32_t)ZP_KEEP_FD)
		ret = -EINVAL;
	if (!ret)
		ret = zp_map_ask(fd, &info);
	if (!ret)
		ret = check(&info);
	if (ret)
		return ret;

	spans = calloc(info.out_nr_spans, sizeof(*spans));
	buffer = malloc(sizeof(*buffer) + info.out_nr_spans * sizeof(buffer->spans[0]));
	ret = spans && buffer ? ask_spans(fd, &info, spans) : -ENOMEM;
	if (!ret)
		ret = map(buffer, fd, &info, spans);
	free(spans);
	if (ret) {
		free(buffer);
		return ret;
	}
	buffer->keep_fd = o.flags & ZP_KEEP_FD;
	*b = buffer;
	return 0;
}

const struct zp_view *zp_buffer_view(const struct zp_buffer *b)
{
	return &b->view;
}

int zp_buffer_fd(const struct zp_buffer *b)
{
	return b->fd;
}

void zp_buffer_close(struct zp_buffer *b)
{
	if (!b)
		return;
	munmap(b->data, b->size);
	if (!b->keep_fd)
		close(b->fd);
	free(b);
}
