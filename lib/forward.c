// SPDX-License-Identifier: MIT
/*
 * forward - bytes from a reader to a writer, by reference
 *
 * Between the two handles: the kernel appends, then the reader gives back.
 */
#include <errno.h>

#include "internal.h"

/* One try to move @n bytes, from what the reader has not consumed. */
static int try_forward(struct zp_writer *w, struct zp_reader *r, uint64_t n, unsigned int flags,
		       uint64_t deadline)
{
	struct zpipe_forward_args args = {
		.source_fd = zp_reader_fd(r),
		.source = r->consumed,
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

int zp_forward(struct zp_writer *w, struct zp_reader *r, size_t n, unsigned int flags,
	       uint64_t deadline, size_t *done)
{
	uint64_t moved = n, most = zp_writer_capacity(w) / 2;
	int ret, advanced;

	if (done)
		*done = 0;
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	if (!r->shown)
		return -EPROTO;
	moved = ZP_MIN(moved, r->shown - 1 - r->consumed);
	moved = ZP_MIN(moved, ZP_MAX(most, 1));
	if (!moved)
		return 0;
	/* Bytes in many small pieces may be too many segments at once. */
	while ((ret = try_forward(w, r, moved, flags, deadline)) == -EMSGSIZE && moved > 1)
		moved /= 2;
	if (ret < 0)
		return ret;
	zp_writer_skip(w, w->position + moved);
	zp_reader_forwarded(r, moved);
	advanced = zp_consume(r, (size_t)moved);
	if (done)
		*done = (size_t)moved;
	return advanced < 0 ? advanced : ret;
}
