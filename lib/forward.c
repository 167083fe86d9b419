// SPDX-License-Identifier: MIT
/*
 * forward - bytes from a reader, or a buffer, to a writer, by reference
 *
 * Between the two handles: the kernel appends, then a reader gives back.
 */
#include <errno.h>

#include "internal.h"

/* One try to move @n bytes, from @position of what @fd stands for. */
static int try_forward(struct zp_writer *w, int fd, uint64_t position, uint64_t n,
		       unsigned int flags, uint64_t deadline)
{
	struct zpipe_forward_args args = {
		.source_fd = fd,
		.source = position,
		.length = n,
		.position = w->position,
		.deadline = deadline,
		.flags = flags,
	};
	int ret;

	ret = zp_sys_forward(zp_writer_fd(w), &args);
	if (ret < 0)
		return ret;
	if (args.out_flags & ZPIPE_RES_CANCELED)
		return -ECANCELED;
	if (args.out_position != w->position + n)
		return -EPROTO;
	return (int)(args.out_flags & ZPIPE_RES_COMPLETED);
}

/* As many of @moved bytes as can be moved at once; at most half of the capacity. */
static int forward(struct zp_writer *w, int fd, uint64_t position, uint64_t *moved,
		   unsigned int flags, uint64_t deadline)
{
	uint64_t most = ZP_MAX(zp_writer_capacity(w) / 2, 1);
	int ret;

	*moved = ZP_MIN(*moved, most);
	if (!*moved)
		return 0;
	/* Bytes in many small pieces may be too many segments at once. */
	while ((ret = try_forward(w, fd, position, *moved, flags, deadline)) == -EMSGSIZE &&
	       *moved > 1)
		*moved /= 2;
	if (ret >= 0)
		zp_writer_skip(w, w->position + *moved);
	return ret;
}

int zp_forward(struct zp_writer *w, struct zp_reader *r, size_t n, unsigned int flags,
	       uint64_t deadline, size_t *done)
{
	uint64_t moved = n;
	int ret, advanced;

	if (done)
		*done = 0;
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (!r->shown)
		return -EPROTO;
	moved = ZP_MIN(moved, r->shown - 1 - r->consumed);
	ret = forward(w, zp_reader_fd(r), r->consumed, &moved, flags, deadline);
	if (ret < 0 || !moved)
		return ret;
	zp_reader_forwarded(r, moved);
	advanced = zp_consume(r, (size_t)moved);
	if (done)
		*done = (size_t)moved;
	return advanced < 0 ? advanced : ret;
}

int zp_forward_buffer(struct zp_writer *w, const struct zp_buffer *b, size_t skip, size_t n,
		      unsigned int flags, uint64_t deadline, size_t *done)
{
	const struct zp_view *view = zp_buffer_view(b);
	uint64_t moved = n, len = view->end - view->start;
	int ret;

	if (done)
		*done = 0;
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (skip > len)
		return -EINVAL;
	moved = ZP_MIN(moved, len - skip);
	ret = forward(w, zp_buffer_fd(b), view->start + skip, &moved, flags, deadline);
	if (done && ret >= 0)
		*done = (size_t)moved;
	return ret;
}
