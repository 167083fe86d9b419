// SPDX-License-Identifier: MIT
/*
 * file - a handle as a FILE of stdio
 *
 * stdio has the buffer; what it asks for is copied out of a view, what it hands over
 * is written and flushed, so that fflush(3) means what it says. errno is how its
 * functions learn of errors, so these set it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>

#include "internal.h"

/**
 * struct file - behind the FILE
 * @r: or NULL
 * @w: or NULL
 * @keep: the handle is not the file's
 */
struct file {
	struct zp_reader *r;
	struct zp_writer *w;
	bool keep;
};

static ssize_t fail(int ret)
{
	errno = -ret;
	return -1;
}

static ssize_t file_read(void *cookie, char *buf, size_t size)
{
	struct file *f = cookie;
	struct zp_view view;
	size_t n;
	int ret;

	if (!size)
		return 0;
	do {
		ret = zp_read(f->r, &view);
		if (ret < 0)
			return fail(ret);
		if (view.flags & ZP_CANCELED) {
			/* it is shown again */
			if (zp_view_len(&view))
				zp_advance(f->r, view.start, view.start);
			return fail(-ECANCELED);
		}
		if (!zp_view_len(&view) && view.flags & ZP_COMPLETED)
			return 0;
	} while (!zp_view_len(&view));
	n = zp_view_copy(&view, view.start, buf, ZP_MIN(size, SSIZE_MAX));
	ret = zp_consume(f->r, n);
	return ret < 0 ? fail(ret) : (ssize_t)n;
}

/*
 * What of it was committed counts as written, or stdio would write it again; but what
 * nobody reads any more is lost. By fopencookie(3) a write that failed says 0.
 */
static ssize_t file_write(void *cookie, const char *buf, size_t size)
{
	struct file *f = cookie;
	size_t done = 0;
	int ret = zp_write_flush(f->w, buf, size, &done);

	if (ret > 0 && ret & ZP_COMPLETED)
		ret = -EPIPE;
	else if (done)
		return (ssize_t)done;
	else if (ret > 0)
		ret = -ECANCELED;
	errno = -ret;
	return 0;
}

static int file_close(void *cookie)
{
	struct file *f = cookie;
	int ret = 0;

	if (!f->keep) {
		if (f->w)
			ret = zp_writer_complete(f->w, 0, 0);
		zp_writer_close(f->w);
		zp_reader_close(f->r);
	}
	free(f);
	return ret < 0 ? (int)fail(ret) : 0;
}

static int open_file(struct zp_reader *r, struct zp_writer *w, unsigned int flags, FILE **file)
{
	const cookie_io_functions_t calls = {
		.read = r ? file_read : NULL,
		.write = w ? file_write : NULL,
		.close = file_close,
	};
	struct file *f;

	if (flags & ~(unsigned int)ZP_LEAVE_OPEN)
		return -EOPNOTSUPP;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct file){ .r = r, .w = w, .keep = flags & ZP_LEAVE_OPEN };
	*file = fopencookie(f, r ? "r" : "w", calls);
	if (*file)
		return 0;
	free(f);
	return -ENOMEM;
}

int zp_reader_file(struct zp_reader *r, unsigned int flags, FILE **file)
{
	return open_file(r, NULL, flags, file);
}

int zp_writer_file(struct zp_writer *w, unsigned int flags, FILE **file)
{
	return open_file(NULL, w, flags, file);
}
