// SPDX-License-Identifier: MIT
/*
 * chunked - the body of an HTTP/1.1 message in chunks
 *
 * Strict, because who is lenient here disagrees with somebody about where
 * a message ends: lines end with CR LF and have neither inside, sizes are
 * hexadecimal digits with nothing in front.
 */
#include "chunked.h"

static int read_line(struct chunked *p, struct zp_cursor *c, struct zp_view *line)
{
	uint64_t position;
	int ret;

	p->search.max = CHUNKED_LINE;
	ret = zp_cursor_until(c, "\r\n", 2, &p->search, line);
	if (!ret && (!zp_view_find(line, line->start, "\n", 1, &position) ||
		     !zp_view_find(line, line->start, "\r", 1, &position)))
		return -EBADMSG;
	return ret;
}

static int read_size(struct chunked *p, struct zp_cursor *c)
{
	struct zp_cursor in;
	struct zp_view line;
	int ret, next;

	ret = read_line(p, c, &line);
	if (ret)
		return ret;
	zp_cursor_init(&in, &line);
	zp_cursor_final(&in);
	ret = zp_cursor_uint_base(&in, 16, &p->left);
	if (ret)
		return ret;
	/* extensions are for others */
	zp_cursor_skip_any(&in, " \t", 2);
	next = zp_cursor_peek(&in);
	if (next >= 0 && next != ';')
		return -EBADMSG;
	p->state = p->left ? CHUNKED_DATA : CHUNKED_TRAILER;
	return 0;
}

static int read_border(struct chunked *p, struct zp_cursor *c)
{
	int ret = zp_cursor_match(c, "\r\n", 2);

	if (!ret)
		p->state = CHUNKED_SIZE;
	return ret;
}

static int read_trailer(struct chunked *p, struct zp_cursor *c)
{
	struct zp_view line;
	int ret = read_line(p, c, &line);

	if (ret)
		return ret;
	if (!zp_view_len(&line))
		p->state = CHUNKED_DONE;
	else if (++p->trailers > CHUNKED_TRAILERS)
		return -EMSGSIZE;
	return 0;
}

int chunked_next(struct chunked *p, struct zp_cursor *c, struct zp_view *piece)
{
	struct zp_cursor before = *c;
	int ret = 0;

	while (!ret) {
		before = *c;
		switch (p->state) {
		case CHUNKED_SIZE:
			ret = read_size(p, c);
			break;
		case CHUNKED_DATA:
			if (!zp_cursor_left(c))
				return ZP_MORE;
			if (!zp_cursor_take(c, p->left, piece)) {
				p->left = 0;
				p->state = CHUNKED_BORDER;
				return 0;
			}
			p->left -= zp_cursor_left(c);
			return zp_cursor_take(c, zp_cursor_left(c), piece);
		case CHUNKED_BORDER:
			ret = read_border(p, c);
			break;
		case CHUNKED_TRAILER:
			ret = read_trailer(p, c);
			break;
		case CHUNKED_DONE:
			return CHUNKED_END;
		}
	}
	*c = before;
	return ret;
}
