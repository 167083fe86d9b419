/* SPDX-License-Identifier: MIT */
/*
 * cuts - a view of given bytes, cut into spans as told
 *
 * Each piece is a heap block of its own, so a sanitizer sees who leaves it.
 */
#ifndef ZPIPE_TESTS_CUTS_H
#define ZPIPE_TESTS_CUTS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "zpipe.h"

#define CUTS_START	1000U

struct cuts {
	struct zp_view view;
	struct zp_span *spans;
	uint32_t nr;
};

/* A border behind byte i where @border says so. */
static inline struct cuts cuts_make(const void *bytes, size_t len,
				    bool (*border)(size_t i, uint32_t arg), uint32_t arg)
{
	struct cuts c = { .view = { .start = CUTS_START, .end = CUTS_START + len } };
	const char *from = bytes;
	size_t begin = 0, i;

	c.spans = calloc(len + 1, sizeof(*c.spans));
	for (i = 0; i < len; i++) {
		char *piece;

		if (i + 1 < len && !border(i, arg))
			continue;
		piece = malloc(i + 1 - begin);
		memcpy(piece, from + begin, i + 1 - begin);
		c.spans[c.nr++] = (struct zp_span){ piece, i + 1 - begin };
		begin = i + 1;
	}
	c.view.nr_spans = c.nr;
	if (c.nr) {
		c.view.first = c.spans[0];
		c.view.more = c.spans + 1;
		c.view.last = c.spans[c.nr - 1].len;
	}
	return c;
}

static inline void cuts_drop(struct cuts *c)
{
	while (c->nr)
		free(c->spans[--c->nr].data);
	free(c->spans);
	c->spans = NULL;
}

/* One border, behind @at bytes; none if that is 0. */
static inline bool cuts_one(size_t i, uint32_t at)
{
	return i + 1 == at;
}

/* 0: none, 1: everywhere, others: anywhere. */
static inline bool cuts_some(size_t i, uint32_t seed)
{
	if (seed < 2)
		return seed;
	return ((((uint32_t)i + 1) * 2654435761U) ^ (seed * 40503U * (uint32_t)(i + 7))) >> 13 & 1;
}

/* Is the view the @n bytes at @bytes? */
static inline bool cuts_same(const struct zp_view *view, const void *bytes, size_t n)
{
	const char *wanted = bytes;
	size_t total = 0, len;
	uint32_t i;

	if (zp_view_len(view) != n)
		return false;
	for (i = 0; i < view->nr_spans; i++) {
		const void *p = zp_view_span(view, i, &len);

		if (!len || total + len > n || memcmp(p, wanted + total, len) != 0)
			return false;
		total += len;
	}
	return total == n;
}

#endif /* ZPIPE_TESTS_CUTS_H */
