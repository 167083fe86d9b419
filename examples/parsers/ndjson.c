// SPDX-License-Identifier: MIT
/*
 * ndjson - JSON texts, each on a line of its own
 *
 * Inside of JSON a line feed is always written with a backslash, so framing
 * needs no look at quotes.
 */
#include "ndjson.h"

static int check(const struct zp_view *text)
{
	struct zp_cursor c;
	int first;

	zp_cursor_init(&c, text);
	first = zp_cursor_peek(&c);
	return first > 0 && strchr("{[\"-0123456789tfn", first) ? 0 : -EBADMSG;
}

int ndjson_next(struct ndjson *p, struct zp_cursor *c, struct zp_view *text)
{
	for (;;) {
		struct zp_cursor at = *c;
		int ret;

		p->search.max = NDJSON_LINE;
		ret = zp_cursor_line(&at, &p->search, text);
		if (ret)
			return ret;
		zp_view_strip(text, " \t\r", 3, 0);
		if (!zp_view_len(text)) {
			*c = at;
			continue;
		}
		ret = check(text);
		if (!ret)
			*c = at;
		return ret;
	}
}

int ndjson_last(struct ndjson *p, struct zp_cursor *c, struct zp_view *text)
{
	int ret;

	(void)p;
	zp_cursor_rest(c, text);
	if (zp_view_len(text) > NDJSON_LINE)
		return -EMSGSIZE;
	zp_view_strip(text, " \t\r", 3, 0);
	if (!zp_view_len(text))
		return ZP_MORE;
	ret = check(text);
	return ret ? ret : zp_cursor_skip(c, zp_cursor_left(c));
}
