/* SPDX-License-Identifier: MIT */
/*
 * resp - the protocol of Redis, version 2
 */
#ifndef EXAMPLES_RESP_H
#define EXAMPLES_RESP_H

#include <zpipe.h>

#define RESP_LINE	65536			/* longest line that is accepted */
#define RESP_BULK	(512LL << 20)		/* longest string, as in Redis itself */
#define RESP_ARRAY	(1LL << 20)		/* most members of an array */
#define RESP_DEPTH	8			/* arrays in arrays */

enum resp_kind { RESP_STRING, RESP_ERROR, RESP_INTEGER, RESP_BULK_STRING, RESP_LIST, RESP_NULL };

/**
 * struct resp_value - one value
 * @kind: what it is
 * @number: RESP_INTEGER: its value. RESP_LIST: how many members follow
 * @text: the bytes of strings and errors, in place
 * @depth: in how many arrays it is
 * @last: it is the end of a message
 */
struct resp_value {
	enum resp_kind kind;
	int64_t number;
	struct zp_view text;
	unsigned int depth;
	int last;
};

/* Begin with zeroes. */
struct resp {
	unsigned int depth;
	int64_t left[RESP_DEPTH];
	struct zp_search search;
};

/*
 * The next value; arrays come before their members. 0, ZP_MORE; -EBADMSG,
 * -ERANGE, -EMSGSIZE for what is not allowed. Go on with a view that begins
 * where the cursor is.
 */
int resp_next(struct resp *p, struct zp_cursor *c, struct resp_value *value);

#endif /* EXAMPLES_RESP_H */
