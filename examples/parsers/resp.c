// SPDX-License-Identifier: MIT
/*
 * resp - the protocol of Redis, version 2
 *
 * A value is read whole or not at all; of arrays, how many members are missing
 * is remembered, so one of any size goes through a small pipe.
 */
#include "resp.h"

/* All of the line is one number. */
static int line_number(const struct zp_view *line, int64_t *number)
{
	struct zp_cursor in;
	int ret;

	zp_cursor_init(&in, line);
	zp_cursor_final(&in);
	ret = zp_cursor_int(&in, number);
	return !ret && zp_cursor_left(&in) ? -EBADMSG : ret;
}

static int read_bulk(struct zp_cursor *c, struct resp_value *value)
{
	int ret;

	if (value->number < 0) {
		value->kind = RESP_NULL;
		return value->number == -1 ? 0 : -EBADMSG;
	}
	if (value->number > RESP_BULK)
		return -EMSGSIZE;
	ret = zp_cursor_take(c, (uint64_t)value->number, &value->text);
	return ret ? ret : zp_cursor_match(c, "\r\n", 2);
}

static int check_list(const struct resp *p, struct resp_value *value)
{
	if (value->number < 0) {
		value->kind = RESP_NULL;
		return value->number == -1 ? 0 : -EBADMSG;
	}
	if (value->number > RESP_ARRAY || (value->number && p->depth == RESP_DEPTH))
		return -EMSGSIZE;
	return 0;
}

static int read_value(struct resp *p, struct zp_cursor *c, struct resp_value *value)
{
	unsigned char sign;
	uint64_t position;
	int ret;

	ret = zp_cursor_byte(c, &sign);
	if (ret)
		return ret;
	switch (sign) {
	case '+':
		value->kind = RESP_STRING;
		break;
	case '-':
		value->kind = RESP_ERROR;
		break;
	case ':':
		value->kind = RESP_INTEGER;
		break;
	case '$':
		value->kind = RESP_BULK_STRING;
		break;
	case '*':
		value->kind = RESP_LIST;
		break;
	default:
		return -EBADMSG;
	}
	p->search.max = RESP_LINE;
	ret = zp_cursor_until(c, "\r\n", 2, &p->search, &value->text);
	if (ret)
		return ret;
	if (value->kind == RESP_STRING || value->kind == RESP_ERROR)
		return zp_view_find(&value->text, value->text.start, "\n", 1, &position) ?
		       0 : -EBADMSG;
	ret = line_number(&value->text, &value->number);
	if (ret)
		return ret;
	if (value->kind == RESP_BULK_STRING)
		return read_bulk(c, value);
	return value->kind == RESP_LIST ? check_list(p, value) : 0;
}

/* One value less is missing, and perhaps that was the end of arrays. */
static void count(struct resp *p, struct resp_value *value)
{
	value->depth = p->depth;
	if (value->kind == RESP_LIST && value->number) {
		p->left[p->depth++] = value->number;
		return;
	}
	while (p->depth && !--p->left[p->depth - 1])
		p->depth--;
	value->last = !p->depth;
}

int resp_next(struct resp *p, struct zp_cursor *c, struct resp_value *value)
{
	struct resp_value v = { .number = 0 };
	struct zp_cursor at = *c;
	int ret = read_value(p, &at, &v);

	if (ret)
		return ret;
	count(p, &v);
	*c = at;
	*value = v;
	return 0;
}
