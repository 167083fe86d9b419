/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * share - pipes of one pool wait for one another's memory
 */
#ifndef ZPIPE_SHARE_H
#define ZPIPE_SHARE_H

#include <linux/types.h>

#include "types.h"

void zpipe_share_wait_locked(struct zpipe_pipe *pipe, bool sleep);
void zpipe_share_reclaim_locked(struct zpipe_pool *pool, const struct zpipe_pipe *self);

#endif /* ZPIPE_SHARE_H */
