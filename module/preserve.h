/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * preserve - ranges that a reader keeps beyond its advance
 *
 * A handle is an index and a generation of the reader's table; what it stands
 * for is a hold, which has a reference on every slot of the range. buffer.c
 * makes files of holds.
 */
#ifndef ZPIPE_PRESERVE_H
#define ZPIPE_PRESERVE_H

#include <linux/types.h>

#include "types.h"

int zpipe_preserve_take(struct zpipe_end *end, struct zpipe_preserve_args *args,
			struct zpipe_span *spans);
int zpipe_preserve_release(struct zpipe_end *end, struct zpipe_release_args *args);
void zpipe_preserve_drop(struct zpipe_reader *reader);
void zpipe_preserve_exit(struct zpipe_reader *reader);
struct zpipe_hold *zpipe_preserve_find(struct zpipe_end *end, u64 handle);
void zpipe_preserve_put(struct zpipe_hold *hold);

#endif /* ZPIPE_PRESERVE_H */
