/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipe - the life of a pipe: create, put, free
 */
#ifndef ZPIPE_PIPE_H
#define ZPIPE_PIPE_H

#include <linux/types.h>

#include "types.h"

int zpipe_pipe_init(void);
void zpipe_pipe_exit(void);
struct zpipe_pipe *zpipe_pipe_create(const struct zpipe_create_args *args, struct zpipe_pool *pool);
void zpipe_pipe_init_reader(struct zpipe_pipe *pipe, struct zpipe_reader *reader);
void zpipe_pipe_put(struct zpipe_pipe *pipe);
int zpipe_pipe_thresholds(u64 *pause, u64 *resume, u64 capacity);
int zpipe_pipe_reject_locked(struct zpipe_pipe *pipe, u32 verb, u64 position, int ret);

/* Pages of both ends besides the data. */
static inline unsigned long zpipe_pipe_control_pages(const struct zpipe_pipe *pipe)
{
	return pipe->state_size / PAGE_SIZE + 2;
}

#endif /* ZPIPE_PIPE_H */
