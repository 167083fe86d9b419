/* SPDX-License-Identifier: MIT */
/*
 * put - integers, numbers in text, and records, written straight into grants
 *
 * Include <zpipe.h>, not this file. The counterpart of the cursors: each function
 * commits one thing, as zp_write() does, and publishes nothing. They wait for
 * memory, return what zp_write() returns, and on a negative value have committed
 * nothing. One thread at a time, as the handle.
 */
#ifndef ZPIPE_PUT_H
#define ZPIPE_PUT_H

#include <stdarg.h>

#include <zpipe/types.h>
#include <zpipe/writer.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

/**
 * zp_put_byte() - one byte
 * @w: the handle
 * @byte: its value
 *
 * Return: as zp_write().
 */
static inline int zp_put_byte(struct zp_writer *w, unsigned char byte)
{
	return zp_write(w, &byte, 1);
}

/**
 * zp_put_le() - an integer, low byte first
 * @w: the handle
 * @size: its bytes, 1 to 8; a constant makes it one store
 * @value: the integer; what does not fit is cut off
 *
 * Return: as zp_write(); -EINVAL: @size.
 */
static inline int zp_put_le(struct zp_writer *w, unsigned int size, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	if (zp_unlikely(size - 1 > 7))
		return -EINVAL;
	return zp_write(w, &value, size);
}

/**
 * zp_put_be() - an integer, high byte first
 * @w: the handle
 * @size: its bytes, 1 to 8; a constant makes it one store
 * @value: the integer; what does not fit is cut off
 *
 * Return: as zp_write(); -EINVAL: @size.
 */
static inline int zp_put_be(struct zp_writer *w, unsigned int size, uint64_t value)
{
	if (zp_unlikely(size - 1 > 7))
		return -EINVAL;
	value <<= 64 - 8 * size;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return zp_write(w, &value, size);
}

/**
 * zp_put_varint() - an integer in groups of seven bits, low group first
 * @w: the handle
 * @value: the integer
 *
 * As zp_cursor_varint() reads it: ULEB128, as short as possible.
 *
 * Return: as zp_write().
 */
ZP_API int zp_put_varint(struct zp_writer *w, uint64_t value);

/**
 * zp_put_uint() - a number in text
 * @w: the handle
 * @value: the number
 * @base: 2 to 36; digits above 9 are small letters
 *
 * Return: as zp_write(); -EINVAL: @base.
 */
ZP_API int zp_put_uint(struct zp_writer *w, uint64_t value, unsigned int base);

/**
 * zp_put_int() - a decimal number in text, with a minus if it is negative
 * @w: the handle
 * @value: the number
 *
 * Return: as zp_write().
 */
ZP_API int zp_put_int(struct zp_writer *w, int64_t value);

/**
 * zp_printf() - text as printf(3) makes it
 * @w: the handle
 * @format: as for printf(3)
 *
 * Formats into the grant; only when that is too short, a second time, into
 * a longer one.
 *
 * Return: as zp_alloc(): the text must fit in one piece; -EINVAL: what printf(3)
 * fails with.
 */
ZP_API int zp_printf(struct zp_writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * zp_vprintf() - zp_printf() with a list of arguments
 * @w: the handle
 * @format: as for printf(3)
 * @args: the arguments
 *
 * Return: as zp_printf().
 */
ZP_API int zp_vprintf(struct zp_writer *w, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* zp_frame_begin() flags */
#define ZP_BIG_ENDIAN	1	/* the length has its high byte first */

/**
 * struct zp_frame - a record whose length is not known yet
 * @position: private: of the length
 * @size: private: bytes of it
 * @flags: private: ZP_BIG_ENDIAN
 */
struct zp_frame {
	uint64_t position;
	uint32_t size;
	uint32_t flags;
};

/**
 * zp_frame_begin() - leave room for a length in front of a record
 * @w: the handle
 * @size: bytes of the length, 1 to 8
 * @flags: ZP_BIG_ENDIAN, or 0: low byte first
 * @frame: out: what zp_frame_end() needs
 *
 * Write the record by any means, in as many segments as it takes, but flush only
 * behind zp_frame_end(): a length that was published cannot be filled in. So it
 * has to fit into the pipe. Records may be in records.
 * Source: the length prefixes of framed protocols.
 *
 * Return: as zp_write(); -EINVAL: @size; -EOPNOTSUPP: @flags.
 */
ZP_API int zp_frame_begin(struct zp_writer *w, unsigned int size, unsigned int flags,
			  struct zp_frame *frame);

/**
 * zp_frame_end() - fill in the length
 * @w: the handle
 * @frame: from zp_frame_begin()
 *
 * The length is that of what was committed since.
 *
 * Return: 0; -EMSGSIZE: it does not fit into its bytes: zp_frame_drop() it;
 * -EINVAL: the length has been flushed, or rolled back.
 */
ZP_API int zp_frame_end(struct zp_writer *w, const struct zp_frame *frame);

/**
 * zp_frame_drop() - take the record back, with its length
 * @w: the handle
 * @frame: from zp_frame_begin()
 *
 * Return: as zp_rollback().
 */
static inline int zp_frame_drop(struct zp_writer *w, const struct zp_frame *frame)
{
	return zp_rollback(w, frame->position);
}

/**
 * zp_put_frame() - a record and its length
 * @w: the handle
 * @size: bytes of the length, 1 to 8
 * @flags: ZP_BIG_ENDIAN or 0
 * @buf: the record
 * @n: its bytes
 *
 * Return: as zp_write(); -EMSGSIZE also if the length does not fit; -EINVAL:
 * @size; -EOPNOTSUPP: @flags.
 */
ZP_API int zp_put_frame(struct zp_writer *w, unsigned int size, unsigned int flags,
			const void *buf, size_t n);

/**
 * zp_alloc_iov() - memory for bytes that need not be in one piece
 * @w: the handle
 * @min: bytes wanted, over all pieces; 0 counts as 1
 * @iov: out: the pieces, for readv(2) or recvmsg(2)
 * @nr: how many there may be, at least 1. The last of them takes all that is
 *	missing
 * @flags: ZP_NOWAIT or 0
 * @deadline: as for zp_alloc_flags()
 *
 * What is left of the segment is used first, so that nothing is wasted, and
 * a long read costs no copy. Say with zp_commit_iov() how many bytes were
 * filled; until then the reservation goes with any other call that gets memory
 * (zp_alloc(), zp_write()...) or flushes.
 * Source: the sequence writers that hand out several blocks; readv(2).
 *
 * Return: pieces filled in, with at least @min bytes. Negative as
 * zp_alloc_flags(), and then the grant is given up, and nothing else changed;
 * -EINVAL: @nr. A reader that has finished shows with the flush.
 */
ZP_API int zp_alloc_iov(struct zp_writer *w, size_t min, struct iovec *iov, int nr,
			unsigned int flags, uint64_t deadline);

/**
 * zp_commit_iov() - say how many bytes of the pieces were filled
 * @w: the handle
 * @n: bytes, from the beginning of the first piece; 0 is legal
 *
 * Return: 0; -EINVAL: more than there are, or no reservation: nothing was
 * committed.
 */
ZP_API int zp_commit_iov(struct zp_writer *w, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_PUT_H */
