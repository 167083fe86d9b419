// SPDX-License-Identifier: MIT
/*
 * reserve - grants of several pieces
 *
 * Taken one behind the other, each at the position where the one before it ends,
 * as if that had been filled. Then the writer goes back to where it was, without
 * a grant; the kernel learns with the next ALLOC or FLUSH how far it really came,
 * and takes what lies behind that back, as after a rollback.
 */
#include <errno.h>
#include <sys/uio.h>

#include "internal.h"

/* Where nothing is granted: the next zp_alloc() asks the kernel. */
static void go_to(struct zp_writer *w, uint64_t position)
{
	w->position = position;
	w->limit = position;
}

static bool joins(const struct iovec *piece, const struct zp_span *room)
{
	return (const char *)piece->iov_base + piece->iov_len == (const char *)room->data;
}

int zp_alloc_iov(struct zp_writer *w, size_t min, struct iovec *iov, int nr, unsigned int flags,
		 uint64_t deadline)
{
	struct zp_reserved reserved = { .start = w->position };
	size_t total = 0;
	int used = 0;

	if (nr < 1)
		return -EINVAL;
	if (min > zp_writer_capacity(w))
		return -EMSGSIZE;
	if (!min)
		min = 1;
	while (total < min) {
		size_t want = used >= nr - 1 ? min - total : 1;
		struct zp_span room;
		int ret = zp_alloc_flags(w, want, flags, deadline, &room);

		if (ret < 0) {
			go_to(w, reserved.start);
			return ret;
		}
		if (used && joins(&iov[used - 1], &room))
			iov[used - 1].iov_len += room.len;
		else
			iov[used++] = (struct iovec){ room.data, room.len };
		total += room.len;
		reserved.last = w->position;
		reserved.end = w->limit;
		reserved.bias = w->bias;
		w->position = w->limit;
	}
	go_to(w, reserved.start);
	*zp_writer_reserved(w) = reserved;
	return used;
}

int zp_commit_iov(struct zp_writer *w, size_t n)
{
	struct zp_reserved *reserved = zp_writer_reserved(w);

	if (!n)
		return 0;
	if (w->position != reserved->start || w->position > reserved->end ||
	    n > reserved->end - w->position)
		return -EINVAL;
	go_to(w, w->position + n);
	if (w->position >= reserved->last) {
		w->limit = reserved->end;
		w->bias = reserved->bias;
	}
	reserved->end = 0;
	return 0;
}
