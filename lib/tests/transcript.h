/* SPDX-License-Identifier: MIT */
/*
 * transcript - what a parser of examples/parsers makes of bytes that arrive in parts
 *
 * Bytes are handed over as a reader's loop would: a view of all that was not
 * consumed and is there, in as many spans as the parts it came in. What the
 * parser says becomes text; pieces of one body are joined, so the text depends
 * on the bytes alone, and not on the parts.
 */
#ifndef ZPIPE_TESTS_TRANSCRIPT_H
#define ZPIPE_TESTS_TRANSCRIPT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/parsers/chunked.h"
#include "../../examples/parsers/frames.h"
#include "../../examples/parsers/ndjson.h"
#include "../../examples/parsers/resp.h"

enum parser { PARSE_CHUNKED, PARSE_RESP, PARSE_NDJSON, PARSE_FRAMES, PARSERS };

struct transcript {
	enum parser parser;
	struct chunked chunked;
	struct resp resp;
	struct ndjson ndjson;
	char *text;
	size_t len, size;
	int ret;	/* what ended it, or ZP_MORE */
};

static inline void note(struct transcript *t, const void *bytes, size_t n)
{
	if (t->size - t->len < n) {
		t->size = 2 * (t->len + n) + 64;
		t->text = realloc(t->text, t->size);
		if (!t->text)
			abort();
	}
	if (n)
		memcpy(t->text + t->len, bytes, n);
	t->len += n;
}

static inline void note_view(struct transcript *t, const struct zp_view *view)
{
	uint64_t total = 0;
	size_t len;
	uint32_t i;

	for (i = 0; i < view->nr_spans; i++) {
		const void *data = zp_view_span(view, i, &len);

		note(t, data, len);
		total += len;
	}
	if (total != zp_view_len(view))
		abort();
}

static inline void note_number(struct transcript *t, const char *what, long long number)
{
	char text[64];

	note(t, text, (size_t)snprintf(text, sizeof(text), "<%s%lld>", what, number));
}

/* One thing; ZP_MORE, an error, or the end. */
static inline int parse_one(struct transcript *t, struct zp_cursor *c)
{
	struct resp_value value;
	struct zp_view piece;
	int ret;

	switch (t->parser) {
	case PARSE_CHUNKED:
		ret = chunked_next(&t->chunked, c, &piece);
		if (!ret)
			note_view(t, &piece);
		return ret;
	case PARSE_RESP:
		ret = resp_next(&t->resp, c, &value);
		if (ret)
			return ret;
		note_number(t, "kind ", value.kind);
		note_number(t, "number ", value.number);
		note_number(t, "depth ", value.depth);
		if (value.kind == RESP_STRING || value.kind == RESP_ERROR ||
		    value.kind == RESP_BULK_STRING)
			note_view(t, &value.text);
		if (value.last)
			note_number(t, "last ", 0);
		return 0;
	case PARSE_NDJSON:
		ret = ndjson_next(&t->ndjson, c, &piece);
		break;
	default:
		ret = frames_next(c, &piece);
		break;
	}
	if (!ret) {
		note_number(t, "length ", (long long)zp_view_len(&piece));
		note_view(t, &piece);
	}
	return ret;
}

/*
 * Parts end where @border(i, arg) says, behind byte i. Spans are heap blocks of
 * their own, so that a sanitizer sees who leaves them.
 */
static inline struct transcript transcript_of(enum parser parser, const void *bytes, size_t len,
					      bool (*border)(size_t i, uint32_t arg), uint32_t arg)
{
	struct transcript t = { .parser = parser, .ret = ZP_MORE };
	struct zp_span *spans = calloc(len + 1, sizeof(*spans));
	uint64_t first_start = 0, consumed = 0, done;
	uint32_t nr = 0, first = 0;
	size_t begin = 0, i;

	if (!spans)
		abort();
	for (i = 0; i < len && t.ret == ZP_MORE; i++) {
		struct zp_view view = { .start = first_start, .end = i + 1 };
		struct zp_cursor c;

		if (i + 1 < len && !border(i, arg))
			continue;
		spans[nr] = (struct zp_span){ malloc(i + 1 - begin), i + 1 - begin };
		memcpy(spans[nr].data, (const char *)bytes + begin, i + 1 - begin);
		nr++;
		begin = i + 1;

		view.nr_spans = nr - first;
		view.first = spans[first];
		view.more = spans + first + 1;
		view.last = spans[nr - 1].len;
		if (zp_view_slice(&view, consumed, view.end, &view))
			abort();
		zp_cursor_init(&c, &view);
		do {
			done = zp_cursor_position(&c);
			t.ret = parse_one(&t, &c);
			if (!t.ret && zp_cursor_position(&c) <= done)
				abort();
		} while (!t.ret);

		/* what the parser is done with goes */
		consumed = zp_cursor_position(&c);
		while (first < nr && first_start + spans[first].len <= consumed) {
			first_start += spans[first].len;
			free(spans[first++].data);
		}
	}
	while (first < nr)
		free(spans[first++].data);
	free(spans);
	note_number(&t, "end ", t.ret);
	return t;
}

#endif /* ZPIPE_TESTS_TRANSCRIPT_H */
