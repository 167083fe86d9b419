/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flush - FLUSH: publishing, and waiting while the reader has enough to do
 */
#ifndef ZPIPE_FLUSH_H
#define ZPIPE_FLUSH_H

#include <linux/types.h>

#include "types.h"

struct zpipe_park;

int zpipe_flush(struct zpipe_end *end, struct zpipe_flush_args *args, bool nowait,
		struct zpipe_park *park);
void zpipe_flush_stop(struct zpipe_end *end, const struct zpipe_flush_args *args,
		      struct zpipe_park *park);
int zpipe_flush_unpause_locked(struct zpipe_pipe *pipe, bool nowait);

#endif /* ZPIPE_FLUSH_H */
