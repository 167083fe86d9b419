/* SPDX-License-Identifier: MIT */
/*
 * cursor - reading typed values off a view, a span, or plain memory
 *
 * Include <zpipe.h>, not this file. A cursor is a place in a view. Each function
 * reads one thing and moves behind it, and returns
 *
 *	0		here it is
 *	ZP_MORE		the bytes so far are fine, but end too early
 *	-EBADMSG	the bytes are no such thing
 *	-ERANGE		they are, but the value does not fit
 *	-EINVAL		an argument is out of its range
 *
 * and unless it returns 0, neither the cursor nor what it points to has changed.
 * So a parser is synchronous, and does not know where its bytes come from: it
 * remembers the cursor's position behind the last thing that was complete, and
 * on ZP_MORE tells that to who called it, who waits as it likes:
 *
 *	zp_read(r, &view);		or zp_try_read() and poll, or io_uring
 *	zp_cursor_init(&c, &view);
 *	do {
 *		done = zp_cursor_position(&c);
 *		ret = parse_message(&c);
 *	} while (!ret);
 *	zp_advance(r, done, view.end);	if ret is ZP_MORE: again
 *
 * When the view had ZP_FULL or ZP_COMPLETED, or there is an end to the patience,
 * ZP_MORE is an error: no more come. A number in text may end where the stream
 * does: say zp_cursor_final() before the last of it is parsed.
 *
 * While a value lies in one span, and nearly all do, it costs one comparison
 * more than reading it from an array. Nothing is allocated, and bytes are read
 * once. A cursor keeps a copy of its view; it is good as long as the view's
 * memory, may be copied to come back to a place, and is used by one thread.
 */
#ifndef ZPIPE_CURSOR_H
#define ZPIPE_CURSOR_H

#include <errno.h>
#include <string.h>

#include <zpipe/types.h>
#include <zpipe/view.h>
#include <zpipe/take.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct zp_cursor - a place in a view
 * @at: private: the next byte, if it is in this span
 * @end: private: end of the span
 * @end_position: private: stream position of @end
 * @view: private: the view
 * @span: private: which span
 * @final: private: nothing comes behind the view
 */
struct zp_cursor {
	const unsigned char *at;
	const unsigned char *end;
	uint64_t end_position;
	struct zp_view view;
	uint32_t span;
	uint32_t final;
};

/* The out-of-line halves of the inline functions below. Not for callers. */
ZP_API int zp_inline_cursor_copy(struct zp_cursor *c, void *buf, size_t n);
ZP_API int zp_inline_cursor_skip(struct zp_cursor *c, uint64_t n);
ZP_API int zp_inline_cursor_uint(struct zp_cursor *c, uint64_t *value);
ZP_API int zp_inline_cursor_int(struct zp_cursor *c, int64_t *value);
ZP_API int zp_inline_cursor_varint(struct zp_cursor *c, uint64_t *value);

/**
 * zp_cursor_init() - to the beginning of a view
 * @c: out: the cursor
 * @view: the view; zp_view_of() makes one of plain memory. It is copied, its
 *	memory is not
 */
static inline void zp_cursor_init(struct zp_cursor *c, const struct zp_view *view)
{
	c->view = *view;
	c->at = view->nr_spans ? (const unsigned char *)view->first.data :
				 (const unsigned char *)"";
	c->end = c->at + view->first.len;
	c->end_position = view->start + view->first.len;
	c->span = 0;
	c->final = 0;
}

/**
 * zp_cursor_init_memory() - to the beginning of plain memory
 * @c: out: the cursor
 * @data: the bytes
 * @len: how many. Their positions count from 0
 */
static inline void zp_cursor_init_memory(struct zp_cursor *c, const void *data, size_t len)
{
	struct zp_view view = zp_view_of(data, len);

	zp_cursor_init(c, &view);
}

/**
 * zp_cursor_final() - nothing comes behind the view
 * @c: the cursor
 *
 * Numbers in text may then end where the view does.
 */
static inline void zp_cursor_final(struct zp_cursor *c)
{
	c->final = 1;
}

/**
 * zp_cursor_position() - where the cursor is
 * @c: the cursor
 *
 * Return: stream position of the next byte; zp_advance() takes it.
 */
static inline uint64_t zp_cursor_position(const struct zp_cursor *c)
{
	return c->end_position - (uint64_t)(c->end - c->at);
}

/**
 * zp_cursor_left() - how many bytes are left
 * @c: the cursor
 *
 * Return: bytes, over all spans.
 */
static inline uint64_t zp_cursor_left(const struct zp_cursor *c)
{
	return c->view.end - zp_cursor_position(c);
}

/**
 * zp_cursor_rest() - what is left, as a view
 * @c: the cursor; it stays where it is
 * @out: out: the bytes
 */
ZP_API void zp_cursor_rest(const struct zp_cursor *c, struct zp_view *out);

/**
 * zp_cursor_seek() - go to a position
 * @c: the cursor
 * @position: within the view, or its end
 *
 * Return: 0; -EINVAL: outside of the view.
 */
ZP_API int zp_cursor_seek(struct zp_cursor *c, uint64_t position);

/**
 * zp_cursor_byte() - the next byte
 * @c: the cursor
 * @byte: out: its value
 *
 * Return: 0, ZP_MORE.
 */
static inline int zp_cursor_byte(struct zp_cursor *c, unsigned char *byte)
{
	if (zp_unlikely(c->at == c->end))
		return zp_inline_cursor_copy(c, byte, 1);
	*byte = *c->at++;
	return 0;
}

/**
 * zp_cursor_peek() - the next byte, without moving
 * @c: the cursor
 *
 * Return: its value, 0 to 255; -1 at the end of the view.
 */
static inline int zp_cursor_peek(const struct zp_cursor *c)
{
	struct zp_cursor copy;
	unsigned char byte;

	if (zp_likely(c->at != c->end))
		return *c->at;
	copy = *c;
	return zp_cursor_byte(&copy, &byte) ? -1 : byte;
}

/**
 * zp_cursor_copy() - copy bytes out
 * @c: the cursor
 * @buf: where to
 * @n: how many
 *
 * Return: 0, ZP_MORE.
 */
static inline int zp_cursor_copy(struct zp_cursor *c, void *buf, size_t n)
{
	if (zp_unlikely((size_t)(c->end - c->at) < n))
		return zp_inline_cursor_copy(c, buf, n);
	if (n)
		memcpy(buf, c->at, n);
	c->at += n;
	return 0;
}

/**
 * zp_cursor_skip() - pass over bytes
 * @c: the cursor
 * @n: how many
 *
 * Return: 0, ZP_MORE.
 */
static inline int zp_cursor_skip(struct zp_cursor *c, uint64_t n)
{
	if (zp_unlikely((size_t)(c->end - c->at) < n))
		return zp_inline_cursor_skip(c, n);
	c->at += (size_t)n;
	return 0;
}

/* A value of @size bytes as it is in memory, at the low addresses of @value. Not for callers. */
static inline int zp_inline_cursor_word(struct zp_cursor *c, unsigned int size, uint64_t *value)
{
	unsigned char bytes[8] = { 0 };
	int ret;

	if (zp_unlikely(size - 1 > 7))
		return -EINVAL;
	if (zp_likely((size_t)(c->end - c->at) >= size)) {
		memcpy(bytes, c->at, size);
		c->at += size;
	} else {
		ret = zp_inline_cursor_copy(c, bytes, size);
		if (ret)
			return ret;
	}
	memcpy(value, bytes, 8);
	return 0;
}

/**
 * zp_cursor_le() - an integer, low byte first
 * @c: the cursor
 * @size: its bytes, 1 to 8; a constant makes it one load
 * @value: out: the integer, zero-extended: cast it to a signed type of that
 *	size if it is signed
 *
 * Return: 0, ZP_MORE, -EINVAL.
 */
static inline int zp_cursor_le(struct zp_cursor *c, unsigned int size, uint64_t *value)
{
	uint64_t word;
	int ret = zp_inline_cursor_word(c, size, &word);

	if (ret)
		return ret;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	*value = word;
	return 0;
}

/**
 * zp_cursor_be() - an integer, high byte first
 * @c: the cursor
 * @size: its bytes, 1 to 8; a constant makes it one load
 * @value: out: the integer, zero-extended
 *
 * Return: 0, ZP_MORE, -EINVAL.
 */
static inline int zp_cursor_be(struct zp_cursor *c, unsigned int size, uint64_t *value)
{
	uint64_t word;
	int ret = zp_inline_cursor_word(c, size, &word);

	if (ret)
		return ret;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	*value = word >> (64 - 8 * size);
	return 0;
}

/**
 * zp_cursor_varint() - an integer in groups of seven bits, low group first
 * @c: the cursor
 * @value: out: the integer
 *
 * As protocol buffers and DWARF (ULEB128) have it, in at most ten bytes.
 *
 * Return: 0, ZP_MORE; -ERANGE: more than 64 bits.
 */
static inline int zp_cursor_varint(struct zp_cursor *c, uint64_t *value)
{
	unsigned char first = c->at == c->end ? 0xff : *c->at;

	if (zp_unlikely(first > 0x7f))
		return zp_inline_cursor_varint(c, value);
	c->at++;
	*value = first;
	return 0;
}

/**
 * zp_zigzag() - the signed integer of a zigzag-coded one
 * @value: 0, 1, 2, 3...
 *
 * Return: 0, -1, 1, -2...
 */
static inline int64_t zp_zigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* The value of at most @max digits at @at, and how many there were. Not for callers. */
static inline size_t zp_inline_digits(const unsigned char *at, size_t max, uint64_t *value)
{
	uint64_t sum = 0;
	size_t n = 0;

	while (n < max) {
		unsigned int digit = at[n] - (unsigned int)'0';

		if (digit > 9)
			break;
		sum = sum * 10 + digit;
		n++;
	}
	*value = sum;
	return n;
}

/* So many bytes hold any number that zp_inline_digits() reads, and the one behind it. */
#define ZP_INLINE_NUMBER	20

/**
 * zp_cursor_uint() - a decimal number in text
 * @c: the cursor; it moves to the byte behind the last digit
 * @value: out: the number
 *
 * Digits only: no sign, no white space. It is not known to be complete before
 * the byte behind it is there: ZP_MORE, unless zp_cursor_final().
 *
 * Return: 0, ZP_MORE; -EBADMSG: no digit; -ERANGE: more than 64 bits.
 */
static inline int zp_cursor_uint(struct zp_cursor *c, uint64_t *value)
{
	uint64_t number;
	size_t n;

	if (zp_unlikely(c->end - c->at < ZP_INLINE_NUMBER))
		return zp_inline_cursor_uint(c, value);
	n = zp_inline_digits(c->at, 19, &number);
	if (zp_unlikely(n - 1 >= 18))
		return zp_inline_cursor_uint(c, value);
	c->at += n;
	*value = number;
	return 0;
}

/**
 * zp_cursor_int() - a decimal number in text, with a sign or without
 * @c: the cursor
 * @value: out: the number
 *
 * Return: as zp_cursor_uint(); -ERANGE: more than 63 bits and the sign.
 */
static inline int zp_cursor_int(struct zp_cursor *c, int64_t *value)
{
	uint64_t number;
	size_t n, sign;

	if (zp_unlikely(c->end - c->at < ZP_INLINE_NUMBER))
		return zp_inline_cursor_int(c, value);
	sign = *c->at == '-';
	n = zp_inline_digits(c->at + sign, 18, &number);
	if (zp_unlikely(n - 1 >= 17))
		return zp_inline_cursor_int(c, value);
	c->at += n + sign;
	*value = sign ? -(int64_t)number : (int64_t)number;
	return 0;
}

/**
 * zp_cursor_uint_base() - a number in text, in any base
 * @c: the cursor
 * @base: 2 to 36; letters of either case are digits above 9
 * @value: out: the number
 *
 * Return: as zp_cursor_uint(); -EINVAL: @base.
 */
ZP_API int zp_cursor_uint_base(struct zp_cursor *c, unsigned int base, uint64_t *value);

/**
 * zp_cursor_float() - a decimal fraction in text
 * @c: the cursor
 * @value: out: the number that is closest to it
 *
 * A sign, digits, a dot and digits, an exponent; of these only digits, on one
 * side of the dot at least, are needed. The dot is a dot in any locale.
 *
 * Return: as zp_cursor_uint(); -ERANGE: too large for a double. What is too
 * small is 0.
 */
ZP_API int zp_cursor_float(struct zp_cursor *c, double *value);

/**
 * zp_cursor_take() - so many bytes, in place
 * @c: the cursor
 * @n: how many
 * @out: out: a view of them
 *
 * Return: 0, ZP_MORE.
 */
ZP_API int zp_cursor_take(struct zp_cursor *c, uint64_t n, struct zp_view *out);

/**
 * zp_cursor_until() - what is in front of a delimiter, in place
 * @c: the cursor; it moves behind the delimiter
 * @needle: the delimiter
 * @n: its bytes, at least one
 * @search: as for zp_view_take_until(); NULL for none
 * @out: out: a view of the bytes in front of it
 *
 * Return: as zp_view_take_until().
 */
ZP_API int zp_cursor_until(struct zp_cursor *c, const void *needle, size_t n,
			   struct zp_search *search, struct zp_view *out);

/**
 * zp_cursor_line() - a line without its end, in place
 * @c: the cursor; it moves behind the LF
 * @search: as for zp_view_take_until(); NULL for none
 * @out: out: the line, without LF or CR LF
 *
 * Return: as zp_view_take_until().
 */
ZP_API int zp_cursor_line(struct zp_cursor *c, struct zp_search *search, struct zp_view *out);

/**
 * zp_cursor_quoted() - a quoted string, in place
 * @c: the cursor, at the opening quote; it moves behind the closing one
 * @search: where an earlier call stopped, and a limit for what is between the
 *	quotes; NULL for neither
 * @out: out: what is between them, as it is there
 * @escapes: out: backslashes that protect the byte behind them; if there are
 *	none, @out is the string
 *
 * The quote is whatever byte the cursor is at: one of " ' and `.
 *
 * Return: 0, ZP_MORE; -EBADMSG: no quote; -EMSGSIZE: longer than the limit.
 */
ZP_API int zp_cursor_quoted(struct zp_cursor *c, struct zp_search *search, struct zp_view *out,
			    uint64_t *escapes);

/**
 * zp_cursor_match() - certain bytes
 * @c: the cursor; it moves behind them
 * @bytes: which
 * @n: how many
 *
 * Return: 0, ZP_MORE; -EBADMSG: others, even if they are fewer.
 */
ZP_API int zp_cursor_match(struct zp_cursor *c, const void *bytes, size_t n);

/**
 * zp_cursor_skip_any() - pass over bytes that are in a set
 * @c: the cursor; it moves to the first that is not, or to the end
 * @set: the set; NULL for white space as of ASCII
 * @n: bytes in it
 *
 * Return: bytes passed.
 */
ZP_API uint64_t zp_cursor_skip_any(struct zp_cursor *c, const void *set, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_CURSOR_H */
