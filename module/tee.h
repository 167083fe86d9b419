/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tee - more readers on one chain
 *
 * Each reader has its own cursors, wake words, cancel and completion. The
 * slowest holds the memory; one that was made with ZPIPE_TEE_F_DETACH is
 * dropped instead when the writer needs what it holds.
 */
#ifndef ZPIPE_TEE_H
#define ZPIPE_TEE_H

#include <linux/types.h>

#include "types.h"

struct zpipe_reader *zpipe_tee_create(struct zpipe_reader *from, struct zpipe_tee_args *args);
void zpipe_tee_free(struct zpipe_reader *reader);
bool zpipe_tee_outrun_locked(struct zpipe_pipe *pipe, u64 position);

/* Was it made by TEE, and not by CREATE? */
static inline bool zpipe_tee_is_extra(const struct zpipe_reader *reader)
{
	return reader != &reader->pipe->reader;
}

#endif /* ZPIPE_TEE_H */
