/* SPDX-License-Identifier: MIT */
/*
 * chunked - the body of an HTTP/1.1 message in chunks (RFC 9112, section 7.1)
 */
#ifndef EXAMPLES_CHUNKED_H
#define EXAMPLES_CHUNKED_H

#include <zpipe.h>

#define CHUNKED_END	1	/* chunked_next(): that was the body */
#define CHUNKED_LINE	4096	/* longest line that is accepted */
#define CHUNKED_TRAILERS 64	/* most lines behind the last chunk */

enum chunked_state { CHUNKED_SIZE, CHUNKED_DATA, CHUNKED_BORDER, CHUNKED_TRAILER, CHUNKED_DONE };

/* Begin with zeroes. */
struct chunked {
	enum chunked_state state;
	uint64_t left;
	unsigned int trailers;
	struct zp_search search;
};

/*
 * The next bytes of the body, as many as there are, in place. 0, ZP_MORE,
 * CHUNKED_END; -EBADMSG, -ERANGE, -EMSGSIZE for what is not allowed. Go on with
 * a view that begins where the cursor is.
 */
int chunked_next(struct chunked *p, struct zp_cursor *c, struct zp_view *piece);

#endif /* EXAMPLES_CHUNKED_H */
