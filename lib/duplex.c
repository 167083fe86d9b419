// SPDX-License-Identifier: MIT
/*
 * duplex - two pipes, for both directions
 *
 * Nothing here but keeping two of everything together: what fails in the second
 * undoes the first.
 */
#include <errno.h>
#include <unistd.h>

#include "internal.h"

int zp_pair(const struct zp_create_opts *opts, int a[2], int b[2])
{
	int there[2], back[2], ret;

	ret = zp_create(opts, &there[1], &there[0]);
	if (ret)
		return ret;
	ret = zp_create(opts, &back[1], &back[0]);
	if (ret) {
		close(there[0]);
		close(there[1]);
		return ret;
	}
	a[1] = there[1];
	b[0] = there[0];
	b[1] = back[1];
	a[0] = back[0];
	return 0;
}

int zp_duplex_open(struct zp_duplex *d, const int fds[2], const struct zp_open_opts *opts)
{
	struct zp_open_opts o;
	struct zp_writer *w;
	bool keep;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	keep = o.flags & ZP_KEEP_FD;
	o.sz = sizeof(o);
	/* the first to be opened may still have to give its fd back */
	o.flags |= ZP_KEEP_FD;
	ret = zp_writer_open(&w, fds[1], &o);
	if (ret)
		return ret;
	ret = zp_reader_open(&d->reader, fds[0], opts);
	if (ret) {
		zp_writer_close(w);
		return ret;
	}
	if (!keep)
		zp_writer_own_fd(w);
	d->writer = w;
	return 0;
}

int zp_duplex_complete(struct zp_duplex *d, int error)
{
	int written = zp_writer_complete(d->writer, error, 0);
	int read = zp_reader_complete(d->reader, error);

	return written ? written : read;
}

void zp_duplex_close(struct zp_duplex *d)
{
	zp_writer_close(d->writer);
	zp_reader_close(d->reader);
	*d = (struct zp_duplex){ 0 };
}

int zp_duplex_spawn(struct zp_duplex *d, const struct zp_spawn_opts *opts,
		    const struct zp_create_opts *create, pid_t *pid)
{
	struct zp_duplex side = { 0 };
	struct zp_spawn_opts o;
	int ours[2], theirs[2], ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (ret)
		return ret;
	o.sz = sizeof(o);
	if (o.stdin_fd || o.stdout_fd)
		return -EINVAL;
	ret = zp_pair(create, ours, theirs);
	if (ret)
		return ret;
	ret = zp_duplex_open(&side, ours, NULL);
	if (ret) {
		close(ours[0]);
		close(ours[1]);
	} else {
		o.stdin_fd = theirs[0];
		o.stdout_fd = theirs[1];
		/* last: a child cannot be taken back */
		ret = zp_spawn(&o, pid);
		if (ret)
			zp_duplex_close(&side);
	}
	close(theirs[0]);
	close(theirs[1]);
	if (!ret)
		*d = side;
	return ret;
}
