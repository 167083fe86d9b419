/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * post - buffers that the reader supplies and the writer fills in place
 *
 * In a pipe made with ZPIPE_F_POSTED no memory is free for the writer. The
 * reader posts ranges of the data window, in order; a grant is what is left of
 * the oldest. FLUSH finishes the buffer it publishes into, and UNPOST hands
 * finished ones back, in order, with their cookies and byte counts.
 */
#ifndef ZPIPE_POST_H
#define ZPIPE_POST_H

#include <linux/types.h>

#include "types.h"

static inline bool zpipe_post_is_on(const struct zpipe_pipe *pipe)
{
	return pipe->flags & ZPIPE_F_POSTED;
}

void zpipe_post_hold_locked(struct zpipe_pipe *pipe);
void zpipe_post_drop_locked(struct zpipe_pipe *pipe);
int zpipe_post_add(struct zpipe_end *end, const struct zpipe_post_args *args);
int zpipe_post_take(struct zpipe_end *end, struct zpipe_unpost_args *args);

int zpipe_post_plan_locked(struct zpipe_pipe *pipe, u64 position, u64 min,
			   struct zpipe_plan *plan);
void zpipe_post_granted_locked(struct zpipe_pipe *pipe, const struct zpipe_plan *plan);
int zpipe_post_flushed_locked(struct zpipe_pipe *pipe, bool finish);
void zpipe_post_ended_locked(struct zpipe_pipe *pipe);
bool zpipe_post_has_finished_locked(struct zpipe_pipe *pipe);
bool zpipe_post_is_wanted_locked(const struct zpipe_pipe *pipe);

#endif /* ZPIPE_POST_H */
