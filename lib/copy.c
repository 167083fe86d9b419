// SPDX-License-Identifier: MIT
/*
 * copy - between a pipe and a file, a socket, memory or another pipe
 *
 * Loops over grants and views. A byte is committed, or consumed, only after the
 * system call said that it went; so whatever fails then, it is in one place.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

/* Pieces of a view that go out with one call. */
#define MAX_PIECES	16

/* Fewer bytes are copied sooner than their pages are pinned. */
#define MIN_ZEROCOPY	16384

/**
 * struct copy - one call
 * @opts: of the caller
 * @left: bytes that may still be copied
 * @done: bytes that were
 */
struct copy {
	struct zp_copy_opts opts;
	uint64_t left;
	uint64_t done;
};

static int begin(struct copy *c, const struct zp_copy_opts *opts, uint64_t *done)
{
	int ret = zp_opts_get(&c->opts, sizeof(c->opts), opts);

	c->left = c->opts.max ? c->opts.max : UINT64_MAX;
	c->done = 0;
	if (done)
		*done = 0;
	return ret;
}

/* So many more went; negative if the caller does not want to go on. */
static int count(struct copy *c, uint64_t n)
{
	int ret;

	c->done += n;
	c->left -= n;
	if (!n || !c->opts.progress)
		return 0;
	ret = c->opts.progress(c->opts.arg, c->done);
	return ret < 0 ? ret : 0;
}

static int finish(const struct copy *c, uint64_t *done, int ret)
{
	if (done)
		*done = c->done;
	return ret;
}

/* Memory, after a flush if all of it is the writer's own. */
static int get_room(struct zp_writer *w, struct zp_span *room)
{
	int ret = zp_alloc(w, 1, room);

	if (ret != -ENOBUFS || !zp_unflushed(w))
		return ret;
	ret = zp_flush(w);
	return ret ? ret : zp_alloc(w, 1, room);
}

/* One part: 1 at the end of @fd, flags in @flags. */
static int copy_in(struct copy *c, struct zp_writer *w, int fd, int *flags)
{
	struct zp_span room;
	ssize_t n;
	int ret;

	*flags = get_room(w, &room);
	if (*flags)
		return *flags < 0 ? *flags : 0;
	n = read(fd, room.data, (size_t)ZP_MIN((uint64_t)ZP_MIN(room.len, SSIZE_MAX), c->left));
	if (n <= 0)
		return n < 0 ? -errno : 1;
	ret = zp_commit(w, (size_t)n);
	if (ret)
		return ret;
	/* they are in the pipe, whatever the flush says */
	ret = count(c, (uint64_t)n);
	*flags = zp_flush(w);
	return *flags < 0 ? *flags : ret;
}

int zp_copy_from_fd(struct zp_writer *w, int fd, const struct zp_copy_opts *opts, uint64_t *done)
{
	struct copy c;
	int saved = errno, flags = 0, ret;

	ret = begin(&c, opts, done);
	while (!ret && !flags && c.left)
		ret = copy_in(&c, w, fd, &flags);
	errno = saved;
	return finish(&c, done, ret < 0 ? ret : flags);
}

/* One part of foreign memory: flags in @flags. */
static int copy_memory(struct copy *c, struct zp_writer *w, struct zp_memory *from, int *flags)
{
	struct zp_span room;
	uint64_t n;
	int ret;

	*flags = get_room(w, &room);
	if (*flags)
		return *flags < 0 ? *flags : 0;
	n = ZP_MIN(ZP_MIN((uint64_t)room.len, c->left), (uint64_t)(from->len - from->taken));
	ret = zp_write(w, (const char *)from->data + from->taken, (size_t)n);
	if (ret < 0)
		return ret;
	from->taken += (size_t)n;
	ret = count(c, n);
	*flags = zp_flush(w);
	return *flags < 0 ? *flags : ret;
}

void zp_memory_release(struct zp_memory *from)
{
	void (*release)(void *arg) = from->release;

	from->release = NULL;
	if (release)
		release(from->arg);
}

int zp_copy_from_memory(struct zp_writer *w, struct zp_memory *from,
			const struct zp_copy_opts *opts, uint64_t *done)
{
	struct copy c;
	int flags = 0, ret;

	ret = begin(&c, opts, done);
	if (!ret && from->taken > from->len)
		ret = -EINVAL;
	if (ret)
		return ret;
	while (!ret && !flags && c.left && from->taken < from->len)
		ret = copy_memory(&c, w, from, &flags);
	/* it has all been copied, or nobody wants the rest */
	if (from->taken == from->len || (ret >= 0 && flags > 0 && flags & ZP_COMPLETED))
		zp_memory_release(from);
	return finish(&c, done, ret < 0 ? ret : flags);
}

/* The next bytes, at most what is left to copy; none and 0 at the end of the stream. */
static int get_view(const struct copy *c, struct zp_reader *r, struct zp_view *view)
{
	int ret;

	do {
		ret = zp_read(r, view);
		if (ret < 0)
			return ret;
		if (view->flags & ZP_CANCELED)
			return -ECANCELED;
	} while (!zp_view_len(view) && !(view->flags & ZP_COMPLETED));
	zp_view_peek(view, c->left, view);
	return 0;
}

/* Give back what went, and have the rest shown again. */
static int give_back(struct zp_reader *r, const struct zp_view *view, uint64_t n)
{
	return zp_advance(r, view->start + n, view->start + n);
}

/*
 * May its bytes be sent from where they lie? Who sets SO_ZEROCOPY says so. They are consumed all
 * the same once they are sent: the pipe replaces pages that somebody else still refers to. Pages
 * of a guarded one cannot be referred to.
 */
static bool sends_in_place(struct zp_reader *r, int fd)
{
	const struct zp_chain *chain;
	socklen_t size = sizeof(int);
	int on = 0;

	return !(zp_reader_map(r, &chain)->info.out_flags & ZPIPE_F_GUARDED) &&
	       !getsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, &size) && on;
}

/* Take what a socket says about parts that it has sent: each holds memory of the socket. */
static void forget_sent(int fd)
{
	char control[256];
	struct msghdr message;

	do {
		message = (struct msghdr){ .msg_control = control,
					   .msg_controllen = sizeof(control) };
	} while (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

static ssize_t write_out(int fd, struct iovec *iov, int nr, bool in_place)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)nr };
	ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | (in_place ? MSG_ZEROCOPY : 0));

	if (in_place) {
		const int error = errno;

		forget_sent(fd);
		errno = error;
		/* so much may not be pinned, or not be waiting to be sent */
		if (n < 0 && error == ENOBUFS)
			n = sendmsg(fd, &message, MSG_NOSIGNAL);
	}
	if (n < 0 && errno == ENOTSOCK)
		n = writev(fd, iov, nr);
	return n < 0 ? -errno : n;
}

/* One part: 1 at the end of the stream. */
static int copy_out(struct copy *c, struct zp_reader *r, int fd, bool in_place)
{
	struct iovec iov[MAX_PIECES];
	struct zp_view view;
	int ret, advanced;
	ssize_t n;

	ret = get_view(c, r, &view);
	if (ret)
		return ret;
	if (!zp_view_len(&view))
		return 1;
	n = write_out(fd, iov, zp_view_iov(&view, iov, MAX_PIECES),
		      in_place && zp_view_len(&view) >= MIN_ZEROCOPY);
	/* a file that takes nothing, and has no reason, takes nothing the next time */
	if (!n)
		n = -EIO;
	advanced = give_back(r, &view, n < 0 ? 0 : (uint64_t)n);
	if (n < 0)
		return (int)n;
	ret = count(c, (uint64_t)n);
	return advanced < 0 ? advanced : ret;
}

int zp_copy_to_fd(struct zp_reader *r, int fd, const struct zp_copy_opts *opts, uint64_t *done)
{
	struct copy c;
	int saved = errno, ret;
	bool in_place;

	ret = begin(&c, opts, done);
	in_place = sends_in_place(r, fd);
	while (!ret && c.left)
		ret = copy_out(&c, r, fd, in_place);
	errno = saved;
	return finish(&c, done, ret < 0 ? ret : 0);
}

/* By reference. The view is over if anything was moved. */
static int move(struct zp_writer *w, struct zp_reader *r, const struct zp_view *view, size_t *moved)
{
	size_t n = (size_t)ZP_MIN(zp_view_len(view), (uint64_t)SIZE_MAX);
	int ret = zp_forward(w, r, n, 0, 0, moved);

	if (ret != -ENOBUFS || !zp_unflushed(w))
		return ret;
	ret = zp_flush(w);
	return ret ? ret : zp_forward(w, r, n, 0, 0, moved);
}

/* By a copy, as much as there is room for. */
static int copy_bytes(struct zp_writer *w, struct zp_reader *r, const struct zp_view *view,
		      size_t *moved)
{
	struct zp_span room;
	int ret = get_room(w, &room);

	/* the reader of that pipe has finished */
	if (ret)
		return ret;
	*moved = zp_view_copy(view, view->start, room.data, room.len);
	ret = zp_commit(w, *moved);
	return ret ? ret : give_back(r, view, *moved);
}

/* One part: 1 at the end of the stream, flags in @flags. */
static int copy_over(struct copy *c, struct zp_writer *w, struct zp_reader *r, bool by_reference,
		     int *flags)
{
	struct zp_view view;
	size_t moved = 0;
	int ret, stop;

	ret = get_view(c, r, &view);
	if (ret)
		return ret;
	if (!zp_view_len(&view))
		return 1;
	ret = by_reference ? move(w, r, &view, &moved) : -EBUSY;
	/* somebody has pinned a page of it: then this part is copied */
	if (ret == -EBUSY)
		ret = copy_bytes(w, r, &view, &moved);
	if (!moved) {
		give_back(r, &view, 0);
		*flags = ret > 0 ? ret : 0;
		return ret < 0 ? ret : 0;
	}
	stop = count(c, moved);
	*flags = zp_flush(w);
	if (ret < 0 || *flags < 0)
		return ret < 0 ? ret : *flags;
	*flags |= ret;
	return stop;
}

int zp_copy(struct zp_writer *w, struct zp_reader *r, const struct zp_copy_opts *opts,
	    uint64_t *done)
{
	const struct zpipe_info_args *to = &zp_writer_map(w)->info, *from;
	const struct zp_chain *chain;
	struct copy c;
	int flags = 0, ret;
	bool refuses;

	from = &zp_reader_map(r, &chain)->info;
	refuses = to->out_flags & (ZPIPE_F_CONTIG | ZPIPE_F_GUARDED) ||
		  from->out_flags & ZPIPE_F_GUARDED;
	ret = begin(&c, opts, done);
	/* it would wait for itself */
	if (!ret && to->out_id == from->out_id)
		ret = -EINVAL;
	while (!ret && !flags && c.left)
		ret = copy_over(&c, w, r, !refuses, &flags);
	return finish(&c, done, ret < 0 ? ret : flags);
}
