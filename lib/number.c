// SPDX-License-Identifier: MIT
/*
 * number - numbers that a cursor reads over borders, and fractions
 *
 * What the inline functions leave: numbers near the end of a span or with as
 * many digits as there can be, other bases, variable lengths. All work byte by
 * byte on a copy of the cursor.
 */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A double is decided by so many digits, and whether there is anything behind them. */
#define DIGITS		800

/* No exponent of a number with so many digits in memory is larger. */
#define MAX_EXPONENT	1000000000

/* The value of a digit, or 36. */
static unsigned int digit_of(int byte)
{
	if (byte >= '0' && byte <= '9')
		return (unsigned int)byte - '0';
	if (byte >= 'a' && byte <= 'z')
		return (unsigned int)byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'Z')
		return (unsigned int)byte - 'A' + 10;
	return 36;
}

/* A byte that is known to be there. */
static void pass(struct zp_cursor *c)
{
	unsigned char byte;

	zp_cursor_byte(c, &byte);
}

/* Digits up to the byte behind them. */
static int read_digits(struct zp_cursor *c, unsigned int base, uint64_t *value)
{
	bool any = false, over = false;
	uint64_t sum = 0;

	for (;;) {
		int byte = zp_cursor_peek(c);
		unsigned int digit = digit_of(byte);

		if (byte < 0 && !c->final)
			return ZP_MORE;
		if (digit >= base)
			break;
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			over = true;
		/* one digit too many, and it will never fit */
		if (over)
			return -ERANGE;
		any = true;
		pass(c);
	}
	if (!any)
		return -EBADMSG;
	*value = sum;
	return 0;
}

int zp_cursor_uint_base(struct zp_cursor *c, unsigned int base, uint64_t *value)
{
	struct zp_cursor at = *c;
	int ret;

	if (base < 2 || base > 36)
		return -EINVAL;
	ret = read_digits(&at, base, value);
	if (!ret)
		*c = at;
	return ret;
}

int zp_inline_cursor_uint(struct zp_cursor *c, uint64_t *value)
{
	return zp_cursor_uint_base(c, 10, value);
}

int zp_inline_cursor_int(struct zp_cursor *c, int64_t *value)
{
	struct zp_cursor at = *c;
	uint64_t number, most = INT64_MAX;
	int sign = zp_cursor_peek(&at), ret;

	if (sign == '-' || sign == '+')
		pass(&at);
	ret = read_digits(&at, 10, &number);
	if (ret)
		return ret;
	most += sign == '-';
	if (number > most)
		return -ERANGE;
	*value = sign == '-' ? (int64_t)(0 - number) : (int64_t)number;
	*c = at;
	return 0;
}

int zp_inline_cursor_varint(struct zp_cursor *c, uint64_t *value)
{
	struct zp_cursor at = *c;
	uint64_t sum = 0;
	unsigned int shift;

	for (shift = 0; shift < 70; shift += 7) {
		unsigned char byte;
		int ret = zp_cursor_byte(&at, &byte);

		if (ret)
			return ret;
		/* of the tenth, one bit is left */
		if (shift == 63 && byte > 1)
			return -ERANGE;
		sum |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = sum;
			*c = at;
			return 0;
		}
	}
	return -ERANGE;
}

/**
 * struct decimal - what was read of a fraction
 * @digits: the significant ones, without a dot
 * @nr: how many
 * @seen: was there a digit at all?
 * @exponent: of the last one
 */
struct decimal {
	char digits[DIGITS + 2];
	int nr;
	bool seen;
	int64_t exponent;
};

/* A digit; @behind the dot or not. */
static void add_digit(struct decimal *d, int byte, bool behind)
{
	d->seen = true;
	if (!d->nr && byte == '0') {
		d->exponent -= behind;
	} else if (d->nr < DIGITS) {
		d->digits[d->nr++] = (char)byte;
		d->exponent -= behind;
	} else {
		/* that it is there decides ties, no matter what it is */
		if (byte != '0')
			d->digits[DIGITS - 1] |= 1;
		d->exponent += !behind;
	}
}

/* Digits, and perhaps a dot among them. */
static int read_mantissa(struct zp_cursor *c, struct decimal *d)
{
	bool behind = false;

	for (;;) {
		int byte = zp_cursor_peek(c);

		if (byte < 0 && !c->final)
			return ZP_MORE;
		if (byte >= '0' && byte <= '9')
			add_digit(d, byte, behind);
		else if (byte == '.' && !behind)
			behind = true;
		else
			return d->seen ? 0 : -EBADMSG;
		pass(c);
	}
}

/* An exponent, if there is one: without digits, the letter is not part of the number. */
static int read_exponent(struct zp_cursor *c, struct decimal *d)
{
	struct zp_cursor at = *c;
	int64_t sum = 0, sign = 1;
	bool any = false;
	int byte = zp_cursor_peek(&at);

	if (byte != 'e' && byte != 'E')
		return 0;
	pass(&at);
	byte = zp_cursor_peek(&at);
	if (byte == '-' || byte == '+') {
		sign = byte == '-' ? -1 : 1;
		pass(&at);
	}
	for (;;) {
		byte = zp_cursor_peek(&at);
		if (byte < 0 && !at.final)
			return ZP_MORE;
		if (byte < '0' || byte > '9')
			break;
		sum = ZP_MIN(sum * 10 + (byte - '0'), (int64_t)MAX_EXPONENT * 1000);
		any = true;
		pass(&at);
	}
	if (any) {
		d->exponent += sign * sum;
		*c = at;
	}
	return 0;
}

/* Digits that a double has, times a power of ten that it has too: one rounding. */
static bool convert_exact(const struct decimal *d, double *value)
{
	static const double tens[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
		1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	};
	uint64_t number = 0;
	int i;

	/* not where the processor computes with more */
	if (FLT_EVAL_METHOD != 0 || d->nr > 15 || d->exponent < -22 || d->exponent > 22)
		return false;
	for (i = 0; i < d->nr; i++)
		number = number * 10 + (uint64_t)(d->digits[i] - '0');
	*value = (double)number;
	if (d->exponent < 0)
		*value /= tens[-d->exponent];
	else
		*value *= tens[d->exponent];
	return true;
}

/* Without a dot, because that is another sign in some locales. */
static int convert(struct decimal *d, double *value)
{
	char text[DIGITS + 32];
	int saved = errno, range;

	if (!d->nr) {
		*value = 0;
		return 0;
	}
	if (convert_exact(d, value))
		return 0;
	if (d->exponent > MAX_EXPONENT)
		return -ERANGE;
	if (d->exponent < -MAX_EXPONENT) {
		*value = 0;
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%.*se%lld", d->nr, d->digits, (long long)d->exponent);
	errno = 0;
	*value = strtod(text, NULL);
	range = errno;
	errno = saved;
	/* and a denormal is what is closest */
	return range == ERANGE && (*value > 1 || *value < -1) ? -ERANGE : 0;
}

int zp_cursor_float(struct zp_cursor *c, double *value)
{
	struct decimal d = { .nr = 0 };
	struct zp_cursor at = *c;
	int sign = zp_cursor_peek(&at), ret;
	double number = 0;

	if (sign == '-' || sign == '+')
		pass(&at);
	ret = read_mantissa(&at, &d);
	if (!ret)
		ret = read_exponent(&at, &d);
	if (!ret)
		ret = convert(&d, &number);
	if (ret)
		return ret;
	*value = sign == '-' ? -number : number;
	*c = at;
	return 0;
}
