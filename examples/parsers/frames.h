/* SPDX-License-Identifier: MIT */
/*
 * frames - messages behind their length
 */
#ifndef EXAMPLES_FRAMES_H
#define EXAMPLES_FRAMES_H

#include <zpipe.h>

#define FRAMES_MAX	(1 << 20)	/* longest message that is accepted */

/*
 * The next message, in place: four bytes of length, high byte first, and so many
 * bytes. 0, ZP_MORE; -EMSGSIZE: it is too long, known before it is there.
 */
int frames_next(struct zp_cursor *c, struct zp_view *message);

#endif /* EXAMPLES_FRAMES_H */
