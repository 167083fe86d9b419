/* SPDX-License-Identifier: MIT */
/*
 * kept - bytes that outlive their advance, and files made of them
 *
 * Include <zpipe.h>, not this file. A reader that is not done with some bytes
 * when it advances preserves them: they stay where they are, and what they are,
 * without a copy, whatever the writer sends on. To give them to another process,
 * also one that has nothing to do with the pipe, it exports them: the result is
 * an fd to pass on, and a buffer for who gets it.
 *
 * Who has a zp_kept owns the range, until zp_release(); views of it are good that
 * long. In a library that was built for debugging (make DEBUG=1) each range has
 * a mapping of its own, so that touching one of its views after the release is
 * a SIGSEGV, and any call with a released range says so and aborts.
 *
 * Functions return 0 or a negative errno.
 */
#ifndef ZPIPE_KEPT_H
#define ZPIPE_KEPT_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct zp_kept - a preserved range; opaque
 * struct zp_buffer - a mapped buffer; opaque
 */
struct zp_kept;
struct zp_buffer;

/**
 * zp_preserve() - keep a range of the stream beyond the advance
 * @r: the reader
 * @position: stream position of the first byte; not consumed yet
 * @len: bytes, at least 1; all within what was read, or published
 * @kept: out: the range; the caller's, to be given to zp_release()
 *
 * One system call. May be called with or without a view outstanding; ranges may
 * overlap. It takes memory for what the stream loses, a segment for each that
 * the range touches first, and the caller's user pays for it; the writer notices
 * nothing. As @r is used by one thread at a time, so is this.
 * Source: PipeReader's ReadOnlySequence kept after AdvanceTo, which is a bug
 * there; Preserve() of Channels; ref-counted chunks.
 *
 * Return: 0; -EINVAL: not such a range; -ENOBUFS: the pipe has no spare segment
 * left, or the reader may keep no more; -ENOMEM, -EDQUOT; -ESHUTDOWN: this end
 * has completed.
 */
ZP_API int zp_preserve(struct zp_reader *r, uint64_t position, uint64_t len,
		       struct zp_kept **kept);

/**
 * zp_take() - keep the first bytes of the view, and consume them
 * @r: the reader, with a view that is not advanced
 * @n: bytes; fewer if the view has fewer. ZP_ALL: all
 * @kept: out: the range; the caller's, to be given to zp_release()
 *
 * zp_preserve() and zp_consume() in one: the view is over, what was not taken
 * counts as not looked at.
 * Source: the chunked buffer's take, whose result is independent.
 *
 * Return: 0; -EPROTO: no view; -EINVAL: no bytes; as zp_preserve(), and then the
 * view is still there.
 */
ZP_API int zp_take(struct zp_reader *r, uint64_t n, struct zp_kept **kept);

/**
 * zp_kept_view() - the bytes of a preserved range
 * @kept: the range
 *
 * Return: a view, good until zp_release() or until the reader is closed. It may
 * be used by any thread.
 */
ZP_API const struct zp_view *zp_kept_view(const struct zp_kept *kept);

/**
 * zp_release() - keep a range no longer
 * @kept: the range, freed in any case; NULL is allowed
 *
 * In any order, and by any thread, but before the reader is closed: closing and
 * completing release all there is.
 *
 * Return: 0; -ESTALE: the reader has completed, which released it.
 */
ZP_API int zp_release(struct zp_kept *kept);

/**
 * zp_export() - make a file of a preserved range
 * @kept: the range; it may be released afterwards, the file keeps the bytes
 * @fd: out: a buffer, close-on-exec; the caller's
 *
 * To be passed on (zp_send_fd()) and opened with zp_buffer_open(), or read as
 * any small file, with read(2), pread(2), mmap(2). It stays good when both ends
 * and the pipe are gone. Who maps it also sees what else is in its first and
 * last page.
 * Source: memfd, and dma-buf's way of handing memory on.
 *
 * Return: 0; -ESTALE: the reader has completed; -EMFILE, -ENFILE, -ENOMEM.
 */
ZP_API int zp_export(const struct zp_kept *kept, int *fd);

/**
 * zp_buffer_open() - map a buffer
 * @b: out: the handle
 * @fd: of zp_export(), perhaps received. The handle owns it on success (unless
 *	ZP_KEEP_FD), the caller on failure
 * @opts: NULL for the defaults
 *
 * The fd may come from anybody: what it says about itself is checked before
 * anything is mapped.
 *
 * Return: 0; -EBADF: not a buffer of zpipe; -EPROTO: a geometry that makes no
 * sense; -EPROTONOSUPPORT: a later version of the interface; -EINVAL, -E2BIG:
 * @opts; -ENOMEM.
 */
ZP_API int zp_buffer_open(struct zp_buffer **b, int fd, const struct zp_open_opts *opts);

/**
 * zp_buffer_view() - the bytes of a buffer
 * @b: the handle
 *
 * Return: a view, good until zp_buffer_close(); view->start is where the bytes
 * were in their stream. It may be used by any thread.
 */
ZP_API const struct zp_view *zp_buffer_view(const struct zp_buffer *b);

/**
 * zp_buffer_fd() - the fd, to pass it on
 * @b: the handle
 *
 * Return: the fd; it stays the handle's.
 */
ZP_API int zp_buffer_fd(const struct zp_buffer *b);

/**
 * zp_buffer_close() - unmap, close the fd, free the handle
 * @b: the handle; NULL is allowed
 */
ZP_API void zp_buffer_close(struct zp_buffer *b);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_KEPT_H */
