// SPDX-License-Identifier: MIT
/*
 * t_number - numbers read by a cursor, against what libc makes of them
 *
 * Every text at every cut and in every length: complete or ZP_MORE, never
 * another number.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "cuts.h"
#include "tap.h"

#define WAYS	12

static struct zp_view view;

enum kind { UINT, INT, HEX, FLOAT, VARINT };

union value {
	uint64_t u;
	int64_t i;
	double f;
};

static int parse(enum kind kind, struct zp_cursor *c, union value *v)
{
	switch (kind) {
	case UINT:
		return zp_cursor_uint(c, &v->u);
	case INT:
		return zp_cursor_int(c, &v->i);
	case HEX:
		return zp_cursor_uint_base(c, 16, &v->u);
	case FLOAT:
		return zp_cursor_float(c, &v->f);
	default:
		return zp_cursor_varint(c, &v->u);
	}
}

/*
 * @text, with @used bytes of a number in front, gives @wanted or the error. With
 * @quick too, an error may show up before its end, so lengths are not looked at.
 */
static bool check(enum kind kind, const char *text, size_t len, size_t used, int error,
		  union value wanted)
{
	uint32_t way;
	size_t n;

	for (way = 0; way < WAYS; way++) {
		struct cuts cut = cuts_make(text, len, cuts_some, way);
		bool good = true;

		for (n = 0; n <= len && good; n++) {
			union value v = { .u = 0xabcdef };
			struct zp_cursor c;
			size_t moved = 0;
			int ret;

			zp_view_peek(&cut.view, n, &view);
			zp_cursor_init(&c, &view);
			ret = parse(kind, &c, &v);
			if (!ret)
				moved = used;
			if (n == len && ret != error)
				good = false;
			if (n < len && ret != ZP_MORE && ret != error)
				good = false;
			if (ret && v.u != 0xabcdef)
				good = false;
			if (!ret && v.u != wanted.u)
				good = false;
			if (zp_cursor_position(&c) != CUTS_START + moved)
				good = false;
			if (!good)
				printf("# '%.*s' way %u: %d\n", (int)n, text, way, ret);
		}
		/* at the end of the stream: the number without what is behind it */
		if (!error && kind != VARINT) {
			union value v;
			struct zp_cursor c;

			zp_view_peek(&cut.view, used, &view);
			zp_cursor_init(&c, &view);
			zp_cursor_final(&c);
			good = good && !parse(kind, &c, &v) && v.u == wanted.u &&
			       !zp_cursor_left(&c);
		}
		cuts_drop(&cut);
		if (!EXPECT(good))
			return false;
	}
	return true;
}

static void uints(void)
{
	static const uint64_t some[] = {
		0, 7, 10, 99, 1234567890123456789, UINT64_MAX, UINT64_MAX - 1, 10000000000000000000U,
	};
	char text[80];
	size_t i;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		int len = sprintf(text, "%" PRIu64, some[i]);

		strcat(text, " and what comes behind it");
		ASSERT(check(UINT, text, strlen(text), (size_t)len, 0, (union value){ some[i] }));
		len = sprintf(text, "00%" PRIu64 "x", some[i]);
		ASSERT(check(UINT, text, strlen(text), (size_t)len - 1, 0, (union value){ some[i] }));
		len = sprintf(text, "%" PRIx64 " ", some[i]);
		ASSERT(check(HEX, text, strlen(text), (size_t)len - 1, 0, (union value){ some[i] }));
		len = sprintf(text, "%" PRIX64 "G", some[i]);
		ASSERT(check(HEX, text, strlen(text), (size_t)len - 1, 0, (union value){ some[i] }));
	}
	check(UINT, "18446744073709551616 ", 21, 0, -ERANGE, (union value){ 0 });
	check(UINT, "99999999999999999999999999999999999999 ", 39, 0, -ERANGE, (union value){ 0 });
	check(HEX, "10000000000000000 ", 18, 0, -ERANGE, (union value){ 0 });
	check(UINT, "-1                      ", 24, 0, -EBADMSG, (union value){ 0 });
	check(UINT, " 1", 2, 0, -EBADMSG, (union value){ 0 });
	check(HEX, "xyz", 3, 0, -EBADMSG, (union value){ 0 });
}

static void bases(void)
{
	struct zp_cursor c;
	unsigned int base;
	uint64_t v = 5;

	for (base = 2; base <= 36; base++) {
		zp_cursor_init_memory(&c, "110 ", 4);
		ASSERT_EQ(zp_cursor_uint_base(&c, base, &v), 0);
		ASSERT_EQ(v, base * base + base);
	}
	zp_cursor_init_memory(&c, "zZ!", 3);
	EXPECT_EQ(zp_cursor_uint_base(&c, 36, &v), 0);
	EXPECT_EQ(v, 35 * 36 + 35);
	EXPECT_EQ(zp_cursor_uint_base(&c, 0, &v), -EINVAL);
	EXPECT_EQ(zp_cursor_uint_base(&c, 1, &v), -EINVAL);
	EXPECT_EQ(zp_cursor_uint_base(&c, 37, &v), -EINVAL);
}

static void ints(void)
{
	static const int64_t some[] = {
		0, 7, -7, 99, -1234567890123456789, INT64_MAX, INT64_MIN, INT64_MIN + 1, 123456789,
	};
	char text[80];
	size_t i;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		int len = sprintf(text, "%" PRId64, some[i]);

		strcat(text, " and what comes behind it");
		ASSERT(check(INT, text, strlen(text), (size_t)len, 0,
			     (union value){ .i = some[i] }));
		len = sprintf(text, "%+" PRId64 ",", some[i]);
		ASSERT(check(INT, text, strlen(text), (size_t)len - 1, 0,
			     (union value){ .i = some[i] }));
	}
	check(INT, "9223372036854775808 ", 20, 0, -ERANGE, (union value){ 0 });
	check(INT, "-9223372036854775809        ", 28, 0, -ERANGE, (union value){ 0 });
	check(INT, "--1                         ", 28, 0, -EBADMSG, (union value){ 0 });
	check(INT, "-", 1, 0, ZP_MORE, (union value){ 0 });
	check(INT, "- 1", 3, 0, -EBADMSG, (union value){ 0 });
}

static void varints(void)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < 70; i++) {
		unsigned char text[12];
		uint64_t rest = value;
		size_t n = 0;

		do {
			text[n++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
			rest >>= 7;
		} while (rest);
		ASSERT(check(VARINT, (char *)text, n, n, 0, (union value){ value }));
		value = i < 65 ? value * 2 + 1 : value - i * 0x123456789;
	}
	check(VARINT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, 0, -ERANGE, (union value){ 0 });
	check(VARINT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, 0, -ERANGE,
	      (union value){ 0 });
	/* longer than need be, but not too long */
	check(VARINT, "\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, 10, 0, (union value){ 1 });
	EXPECT_EQ(zp_zigzag(0), 0);
	EXPECT_EQ(zp_zigzag(1), -1);
	EXPECT_EQ(zp_zigzag(2), 1);
	EXPECT(zp_zigzag(UINT64_MAX) == INT64_MIN);
	EXPECT(zp_zigzag(UINT64_MAX - 1) == INT64_MAX);
}

static void floats(void)
{
	static const char *const good[] = {
		"0", "-0", "1", "-1.5", "3.14159", ".5", "5.", "1e3", "1E-3", "+2.50e+01", "0.1",
		"1e22", "1e23", "9007199254740993", "123456789012345678901234567890",
		"1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "1e-400", "4.9e-324",
		"2.2250738585072011e-308", "0.000000000000000000000000000000000001",
		"179769313486231570000000000000000000000e270", "0e999999999999999999999",
		"1e-99999999999999999999999", "8.442911973260991817129021e-309",
	};
	static const char *const bad[] = { ".", "-", "e5", "-.e1", "x" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[100];

		/* a second part tells a number from one that could go on */
		sprintf(text, "%s;", good[i]);
		ASSERT(check(FLOAT, text, strlen(text), strlen(good[i]), 0,
			     (union value){ .f = strtod(good[i], NULL) }));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[100];

		sprintf(text, "%s;", bad[i]);
		ASSERT(check(FLOAT, text, strlen(text), 0, -EBADMSG, (union value){ 0 }));
	}
	check(FLOAT, "1e309;", 6, 0, -ERANGE, (union value){ 0 });
	check(FLOAT, "-1e99999999999999999999;", 24, 0, -ERANGE, (union value){ 0 });
	/* a letter that begins no exponent is behind the number */
	check(FLOAT, "12e;", 4, 2, 0, (union value){ .f = 12 });
	check(FLOAT, "12e+x", 5, 2, 0, (union value){ .f = 12 });
}

static void random_floats(void)
{
	unsigned int seed = 3, i;

	for (i = 0; i < 200000; i++) {
		uint64_t bits = (uint64_t)rand_r(&seed) << 42 ^ (uint64_t)rand_r(&seed) << 21 ^
				(uint64_t)rand_r(&seed);
		struct zp_cursor c;
		double d, got = 0;
		char text[64];

		memcpy(&d, &bits, 8);
		if (!isfinite(d))
			continue;
		sprintf(text, i % 2 ? "%.17g " : i % 3 ? "%.10g " : "%.25e ", d);
		zp_cursor_init_memory(&c, text, strlen(text));
		ASSERT_EQ(zp_cursor_float(&c, &got), 0);
		d = strtod(text, NULL);
		ASSERT(!memcmp(&d, &got, 8));
	}
}

/* Halfway between two doubles, and then one digit far behind. */
static void long_floats(void)
{
	static char text[3000];
	struct zp_cursor c;
	double got, below = 1, above = nextafter(1, 2);
	size_t len;
	int i;

	len = (size_t)sprintf(text, "1.00000000000000011102230246251565404236316680908203125");
	memcpy(text + len, " ", 2);
	zp_cursor_init_memory(&c, text, strlen(text));
	ASSERT_EQ(zp_cursor_float(&c, &got), 0);
	EXPECT(got == below);
	for (i = 0; i < 2000; i++)
		text[len++] = '0';
	memcpy(text + len, " ", 2);
	zp_cursor_init_memory(&c, text, strlen(text));
	ASSERT_EQ(zp_cursor_float(&c, &got), 0);
	EXPECT(got == below);
	memcpy(text + len, "4 ", 3);
	zp_cursor_init_memory(&c, text, strlen(text));
	ASSERT_EQ(zp_cursor_float(&c, &got), 0);
	EXPECT(got == above);
	/* many digits in front of the dot */
	memset(text, '7', 1200);
	memcpy(text + 1200, ".5e-1190 ", 10);
	zp_cursor_init_memory(&c, text, strlen(text));
	ASSERT_EQ(zp_cursor_float(&c, &got), 0);
	EXPECT(got == strtod(text, NULL));
}

static void locales(void)
{
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
	struct zp_cursor c;
	double got = 0;
	size_t i;

	for (i = 0; i < 3 && !setlocale(LC_ALL, names[i]); i++)
		;
	errno = 77;
	zp_cursor_init_memory(&c, "123456789.123456789123456789e1 ", 31);
	EXPECT_EQ(zp_cursor_float(&c, &got), 0);
	EXPECT(got == 1234567891.23456789123456789);
	EXPECT_EQ(errno, 77);
	setlocale(LC_ALL, "C");
}

static const struct tap_test tests[] = {
	{ "uint.every_cut_and_length", uints },
	{ "uint.every_base", bases },
	{ "int.every_cut_and_length", ints },
	{ "varint.every_cut_and_length", varints },
	{ "float.every_cut_and_length", floats },
	{ "float.random_ones_as_strtod", random_floats },
	{ "float.more_digits_than_matter", long_floats },
	{ "float.in_any_locale", locales },
};

TAP_MAIN(tests)
