// SPDX-License-Identifier: MIT
/*
 * put - integers, numbers in text and records, into grants
 *
 * All on top of the writer's calls. What is short and has room in the grant is
 * made there; what may lie over a border is made beside it and copied by
 * zp_write(), which splits it, so that no segment is left early for 20 bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* The most digits that 64 bits have, in base 2. */
#define MAX_DIGITS	64

static size_t room_of(const struct zp_writer *w)
{
	return (size_t)ZP_MIN(w->limit - w->position, (uint64_t)SIZE_MAX);
}

static char *memory_of(const struct zp_writer *w)
{
	return (char *)(w->bias + (uintptr_t)w->position);
}

static size_t count_digits(uint64_t value, unsigned int base)
{
	size_t n = 1;

	while (value >= base) {
		value /= base;
		n++;
	}
	return n;
}

static void make_digits(char *to, size_t n, uint64_t value, unsigned int base)
{
	while (n) {
		to[--n] = "0123456789abcdefghijklmnopqrstuvwxyz"[value % base];
		value /= base;
	}
}

static int put_number(struct zp_writer *w, bool minus, uint64_t value, unsigned int base)
{
	size_t n = count_digits(value, base), all = n + minus;
	char beside[MAX_DIGITS + 1];
	char *to = room_of(w) >= all ? memory_of(w) : beside;

	to[0] = '-';
	make_digits(to + minus, n, value, base);
	return to == beside ? zp_write(w, beside, all) : zp_commit(w, all);
}

int zp_put_uint(struct zp_writer *w, uint64_t value, unsigned int base)
{
	if (base < 2 || base > 36)
		return -EINVAL;
	return put_number(w, false, value, base);
}

int zp_put_int(struct zp_writer *w, int64_t value)
{
	if (value < 0)
		return put_number(w, true, 0 - (uint64_t)value, 10);
	return put_number(w, false, (uint64_t)value, 10);
}

int zp_put_varint(struct zp_writer *w, uint64_t value)
{
	unsigned char bytes[10];
	size_t n = 0;

	while (value > 0x7f) {
		bytes[n++] = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (unsigned char)value;
	return zp_write(w, bytes, n);
}

int zp_vprintf(struct zp_writer *w, const char *format, va_list args)
{
	struct zp_span room = { .len = 0 };
	int flags = 0, saved = errno, n;
	va_list again;

	va_copy(again, args);
	if (room_of(w))
		room = (struct zp_span){ memory_of(w), room_of(w) };
	n = vsnprintf(room.data, room.len, format, args);
	/* it ends with a zero, which is behind what is committed */
	if (n >= 0 && (size_t)n >= room.len) {
		flags = zp_alloc(w, (size_t)n + 1, &room);
		if (flags >= 0)
			n = vsnprintf(room.data, room.len, format, again);
	}
	va_end(again);
	errno = saved;
	if (n < 0 || (flags >= 0 && (size_t)n >= room.len))
		return -EINVAL;
	if (flags >= 0)
		zp_commit(w, (size_t)n);
	return flags;
}

int zp_printf(struct zp_writer *w, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = zp_vprintf(w, format, args);
	va_end(args);
	return ret;
}

static int check_prefix(unsigned int size, unsigned int flags)
{
	if (flags & ~(unsigned int)ZP_BIG_ENDIAN)
		return -EOPNOTSUPP;
	return size - 1 > 7 ? -EINVAL : 0;
}

static bool fits(uint64_t len, unsigned int size)
{
	return size == 8 || !(len >> (8 * size));
}

static int put_length(struct zp_writer *w, unsigned int size, unsigned int flags, uint64_t len)
{
	return flags & ZP_BIG_ENDIAN ? zp_put_be(w, size, len) : zp_put_le(w, size, len);
}

int zp_frame_begin(struct zp_writer *w, unsigned int size, unsigned int flags,
		   struct zp_frame *frame)
{
	struct zp_frame f = { .position = w->position, .size = size, .flags = flags };
	int ret = check_prefix(size, flags);

	if (!ret)
		ret = put_length(w, size, flags, 0);
	if (ret >= 0)
		*frame = f;
	return ret;
}

int zp_frame_end(struct zp_writer *w, const struct zp_frame *frame)
{
	unsigned char bytes[8];
	uint64_t len;
	unsigned int i;

	if (frame->size - 1 > 7 || w->position < frame->size ||
	    frame->position > w->position - frame->size)
		return -EINVAL;
	len = w->position - frame->position - frame->size;
	if (!fits(len, frame->size))
		return -EMSGSIZE;
	for (i = 0; i < frame->size; i++) {
		unsigned int at = frame->flags & ZP_BIG_ENDIAN ? frame->size - 1 - i : i;

		bytes[at] = (unsigned char)(len >> (8 * i));
	}
	return zp_patch(w, frame->position, bytes, frame->size);
}

int zp_put_frame(struct zp_writer *w, unsigned int size, unsigned int flags, const void *buf,
		 size_t n)
{
	uint64_t start = w->position;
	int ret = check_prefix(size, flags), more;

	if (!ret && !fits(n, size))
		ret = -EMSGSIZE;
	if (!ret)
		ret = put_length(w, size, flags, n);
	if (ret < 0)
		return ret;
	more = zp_write(w, buf, n);
	if (more < 0) {
		zp_rollback(w, start);
		return more;
	}
	return ret | more;
}
