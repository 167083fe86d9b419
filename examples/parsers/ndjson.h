/* SPDX-License-Identifier: MIT */
/*
 * ndjson - JSON texts, each on a line of its own
 */
#ifndef EXAMPLES_NDJSON_H
#define EXAMPLES_NDJSON_H

#include <zpipe.h>

#define NDJSON_LINE	(1 << 20)	/* longest line that is accepted */

/* Begin with zeroes. */
struct ndjson {
	struct zp_search search;
};

/*
 * The next text, in place, without white space around it; lines with nothing
 * else are passed over. What is in it is for a JSON parser. 0, ZP_MORE;
 * -EMSGSIZE: the line is too long; -EBADMSG: no JSON text begins like this. Go on
 * with a view that begins where the cursor is. When the stream has ended, what
 * is left behind ZP_MORE is the last line: ndjson_last().
 */
int ndjson_next(struct ndjson *p, struct zp_cursor *c, struct zp_view *text);
int ndjson_last(struct ndjson *p, struct zp_cursor *c, struct zp_view *text);

#endif /* EXAMPLES_NDJSON_H */
