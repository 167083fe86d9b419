// SPDX-License-Identifier: MIT
/*
 * cursor - places in a view: moving over borders, pieces, delimiters, quotes
 *
 * A cursor at the end of a span is taken for one at the beginning of the next
 * only when that is looked at; both are the same position. Functions work on a
 * copy and store it when all went well.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static size_t in_span(const struct zp_cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* To the next span, from the end of one; false if there is none. */
static bool next_span(struct zp_cursor *c)
{
	size_t len;

	if (c->view.nr_spans <= 1 || c->span >= c->view.nr_spans - 1)
		return false;
	c->span++;
	c->at = zp_view_span(&c->view, c->span, &len);
	c->end = c->at + len;
	c->end_position += len;
	return true;
}

/* Move by @n, of which the view has so many. */
static void forward(struct zp_cursor *c, uint64_t n)
{
	while (n > in_span(c)) {
		n -= in_span(c);
		c->at = c->end;
		if (!next_span(c))
			return;
	}
	c->at += n;
}

/* The next byte, moving behind it; -1 at the end. */
static int get_byte(struct zp_cursor *c)
{
	if (c->at == c->end && !next_span(c))
		return -1;
	return *c->at++;
}

int zp_inline_cursor_copy(struct zp_cursor *c, void *buf, size_t n)
{
	unsigned char *to = buf;

	if (zp_cursor_left(c) < n)
		return ZP_MORE;
	while (n) {
		size_t chunk = ZP_MIN(n, in_span(c));

		memcpy(to, c->at, chunk);
		c->at += chunk;
		to += chunk;
		n -= chunk;
		if (n && !next_span(c))
			return ZP_MORE;
	}
	return 0;
}

int zp_inline_cursor_skip(struct zp_cursor *c, uint64_t n)
{
	if (zp_cursor_left(c) < n)
		return ZP_MORE;
	forward(c, n);
	return 0;
}

int zp_cursor_seek(struct zp_cursor *c, uint64_t position)
{
	uint32_t final = c->final;

	if (position < c->view.start || position > c->view.end)
		return -EINVAL;
	if (position < zp_cursor_position(c)) {
		struct zp_view view = c->view;

		zp_cursor_init(c, &view);
		c->final = final;
	}
	forward(c, position - zp_cursor_position(c));
	return 0;
}

void zp_cursor_rest(const struct zp_cursor *c, struct zp_view *out)
{
	zp_view_slice(&c->view, zp_cursor_position(c), c->view.end, out);
}

/* The next @n bytes, all in this span and at least one, are @out. */
static void take_here(struct zp_cursor *c, size_t n, struct zp_view *out)
{
	out->start = zp_cursor_position(c);
	out->end = out->start + n;
	out->flags = c->view.flags;
	out->nr_spans = 1;
	out->first.data = (void *)(uintptr_t)c->at;
	out->first.len = n;
	out->more = NULL;
	out->last = 0;
	c->at += n;
}

int zp_cursor_take(struct zp_cursor *c, uint64_t n, struct zp_view *out)
{
	uint64_t from;

	if (n && n <= in_span(c)) {
		take_here(c, (size_t)n, out);
		return 0;
	}
	if (zp_cursor_left(c) < n)
		return ZP_MORE;
	from = zp_cursor_position(c);
	forward(c, n);
	return zp_view_slice(&c->view, from, from + n, out);
}

/* A delimiter of one byte in this span, but not the first: the usual case. */
static const unsigned char *find_here(const struct zp_cursor *c, unsigned char byte,
				      const struct zp_search *search)
{
	const unsigned char *hit;

	if (search && (search->max || search->searched > zp_cursor_position(c)))
		return NULL;
	hit = memchr(c->at, byte, in_span(c));
	return hit == c->at ? NULL : hit;
}

int zp_cursor_until(struct zp_cursor *c, const void *needle, size_t n, struct zp_search *search,
		    struct zp_view *out)
{
	const unsigned char *hit = n == 1 ? find_here(c, *(const unsigned char *)needle, search) :
					    NULL;
	struct zp_view rest;
	int ret;

	if (hit) {
		take_here(c, (size_t)(hit - c->at), out);
		c->at++;
		return 0;
	}
	zp_cursor_rest(c, &rest);
	ret = zp_view_take_until(&rest, needle, n, 0, search, out);
	if (!ret)
		forward(c, rest.start - zp_cursor_position(c));
	return ret;
}

int zp_cursor_line(struct zp_cursor *c, struct zp_search *search, struct zp_view *out)
{
	const unsigned char *hit = find_here(c, '\n', search);
	struct zp_view rest;
	int ret;

	if (hit && hit - c->at - (hit[-1] == '\r') > 0) {
		take_here(c, (size_t)(hit - c->at - (hit[-1] == '\r')), out);
		c->at = hit + 1;
		return 0;
	}
	zp_cursor_rest(c, &rest);
	ret = zp_view_take_line(&rest, search, out);
	if (!ret)
		forward(c, rest.start - zp_cursor_position(c));
	return ret;
}

/* Over what is neither quote nor backslash, up to @limit or the end. */
static void pass_plain(struct zp_cursor *c, int quote, uint64_t limit)
{
	while (c->at != c->end || next_span(c)) {
		uint64_t position = zp_cursor_position(c);
		size_t n, i;

		if (position >= limit)
			return;
		n = (size_t)ZP_MIN(limit - position, in_span(c));
		for (i = 0; i < n && c->at[i] != quote && c->at[i] != '\\'; i++)
			;
		c->at += i;
		if (c->at != c->end)
			return;
	}
}

/*
 * Behind the quote that closes, which is at @limit at most, counting pairs of
 * a backslash and what it protects. On ZP_MORE, @c is where to go on.
 */
static int find_quote(struct zp_cursor *c, int quote, uint64_t limit, uint64_t *escapes)
{
	for (;;) {
		struct zp_cursor before;
		bool escaped;
		int byte;

		pass_plain(c, quote, limit);
		before = *c;
		byte = get_byte(c);
		escaped = byte == '\\';
		if (escaped)
			byte = get_byte(c);
		if (byte < 0) {
			*c = before;
			return ZP_MORE;
		}
		if (!escaped && byte == quote)
			return 0;
		if (zp_cursor_position(c) > limit)
			return -EMSGSIZE;
		*escapes += escaped;
	}
}

int zp_cursor_quoted(struct zp_cursor *c, struct zp_search *search, struct zp_view *out,
		     uint64_t *escapes)
{
	uint64_t limit = UINT64_MAX, from, pairs = 0, ignored = 0;
	struct zp_cursor first = *c, at;
	int quote = get_byte(&first), ret;

	if (quote < 0)
		return ZP_MORE;
	if (quote != '"' && quote != '\'' && quote != '`')
		return -EBADMSG;
	from = zp_cursor_position(&first);
	if (search && search->max && search->max < UINT64_MAX - from)
		limit = from + search->max;
	at = first;
	if (search && search->searched > from && search->searched <= c->view.end) {
		forward(&at, search->searched - from);
		ret = find_quote(&at, quote, limit, &ignored);
		/* those passed by earlier calls are not known: a second look at them */
		if (!ret)
			find_quote(&first, quote, limit, &pairs);
	} else {
		ret = find_quote(&at, quote, limit, &pairs);
	}
	if (search && (!ret || ret == ZP_MORE))
		search->searched = ret ? zp_cursor_position(&at) : 0;
	if (ret)
		return ret;
	zp_view_slice(&c->view, from, zp_cursor_position(&at) - 1, out);
	*escapes = pairs;
	*c = at;
	return 0;
}

int zp_cursor_match(struct zp_cursor *c, const void *bytes, size_t n)
{
	const unsigned char *wanted = bytes;
	struct zp_cursor at = *c;

	while (n) {
		size_t chunk = ZP_MIN(n, in_span(&at));

		if (chunk && memcmp(at.at, wanted, chunk) != 0)
			return -EBADMSG;
		at.at += chunk;
		wanted += chunk;
		n -= chunk;
		if (n && !next_span(&at))
			return ZP_MORE;
	}
	*c = at;
	return 0;
}

uint64_t zp_cursor_skip_any(struct zp_cursor *c, const void *set, size_t n)
{
	const unsigned char *bytes = set ? set : " \t\n\v\f\r";
	uint64_t from = zp_cursor_position(c);
	bool skip[256] = { false };

	if (!set)
		n = 6;
	while (n)
		skip[bytes[--n]] = true;
	do {
		while (c->at != c->end && skip[*c->at])
			c->at++;
	} while (c->at == c->end && next_span(c));
	return zp_cursor_position(c) - from;
}
