/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard - guarded mode: who may see which page, and taking pages away
 *
 * A page of a guarded pipe is the writer's from ALLOC until a byte of it is
 * published, then nobody's to write, and the readers' until they have consumed
 * it. Everything here does nothing for a cooperative pipe.
 */
#ifndef ZPIPE_GUARD_H
#define ZPIPE_GUARD_H

#include <linux/types.h>

#include "types.h"

/* Pages that one fault may map: those of the largest segment. */
#define ZPIPE_GUARD_BATCH	512

void zpipe_guard_mark(const struct zpipe_end *end, u64 first, u32 nr, unsigned long *mark);
int zpipe_guard_seal_locked(struct zpipe_pipe *pipe, u64 position);
void zpipe_guard_sealed_locked(struct zpipe_pipe *pipe);
int zpipe_guard_hide_locked(struct zpipe_reader *reader, u64 position);
void zpipe_guard_hide_all(struct zpipe_reader *reader);
void zpipe_guard_hide_dropped(struct zpipe_pipe *pipe);

static inline bool zpipe_is_guarded(const struct zpipe_pipe *pipe)
{
	return pipe->flags & ZPIPE_F_GUARDED;
}

/* Where an end maps the data window. A reader has a view of its own, so that it can be revoked. */
static inline u64 zpipe_guard_data_offset(const struct zpipe_end *end)
{
	if (!zpipe_is_guarded(end->pipe) || !end->reader)
		return ZPIPE_OFF_DATA;
	return ZPIPE_OFF_VIEW + end->reader->index * ZPIPE_VIEW_SPAN;
}

#endif /* ZPIPE_GUARD_H */
