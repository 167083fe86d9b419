// SPDX-License-Identifier: MIT
/*
 * parse_fuzz - the example parsers, and with them the cursors, on any bytes
 *
 * The first byte says which parser, the second how the rest is split; whatever
 * it is, the outcome must be the one of the unsplit bytes.
 */
#include "cuts.h"
#include "transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(enum parser parser, const uint8_t *data, size_t size, uint32_t way)
{
	struct transcript a = transcript_of(parser, data, size, cuts_some, 0);
	struct transcript b = transcript_of(parser, data, size, cuts_some, way);

	if (a.len != b.len || memcmp(a.text, b.text, a.len) != 0) {
		fprintf(stderr, "whole: %.*s\nsplit: %.*s\n", (int)a.len, a.text, (int)b.len,
			b.text);
		abort();
	}
	free(a.text);
	free(b.text);
}

/* Every primitive at least once, at whatever is there. */
static void primitives(const uint8_t *data, size_t size, uint32_t way)
{
	struct cuts cut = cuts_make(data, size, cuts_some, way);
	struct zp_search search = { 0 };
	struct zp_view piece;
	struct zp_cursor c, at;
	uint64_t u, position;
	double fraction;
	int64_t i;

	zp_cursor_init(&c, &cut.view);
	if (way & 1)
		zp_cursor_final(&c);
	do {
		position = zp_cursor_position(&c);
		at = c;
		zp_cursor_uint(&at, &u);
		at = c;
		zp_cursor_int(&at, &i);
		at = c;
		zp_cursor_float(&at, &fraction);
		at = c;
		zp_cursor_varint(&at, &u);
		at = c;
		zp_cursor_uint_base(&at, 2 + way % 35, &u);
		at = c;
		zp_cursor_quoted(&at, &search, &piece, &u);
		search.searched = 0;
		at = c;
		zp_cursor_until(&at, data, size < 3 ? size : 1 + way % 3, &search, &piece);
		search.searched = 0;
		at = c;
		zp_cursor_line(&at, NULL, &piece);
		if (zp_cursor_position(&c) != position)
			abort();
	} while (!zp_cursor_skip(&c, 1 + way % 5));
	cuts_drop(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % (PARSERS + 1) == PARSERS)
		primitives(data + 2, size - 2, data[1]);
	else
		compare(data[0] % (PARSERS + 1), data + 2, size - 2, data[1]);
	return 0;
}
