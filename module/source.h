/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * source - where a FORWARD takes its bytes from: a reader, or a buffer
 *
 * A reader's bytes lie in its pipe's chain as long as it has not consumed them;
 * a buffer's in the slots that its hold keeps, which do not change.
 */
#ifndef ZPIPE_SOURCE_H
#define ZPIPE_SOURCE_H

#include <linux/types.h>

#include "types.h"

/**
 * struct zpipe_source - one of the two; its file is held by the caller
 * @reader: a reader, or NULL
 * @hold: a buffer's range, or NULL
 */
struct zpipe_source {
	struct zpipe_reader *reader;
	struct zpipe_hold *hold;
};

/**
 * struct zpipe_walk - on the way through a range
 * @at: stream position of the next piece
 * @end: of the range
 * @k: a descriptor of the reader's, or a span of the buffer's
 * @skip: bytes of that span that lie before @at
 */
struct zpipe_walk {
	u64 at;
	u64 end;
	u64 k;
	u64 skip;
};

/* Whose slots the bytes stand in; there as long as the source's file is held. */
static inline struct zpipe_pool *zpipe_source_pool(const struct zpipe_source *source)
{
	return source->reader ? source->reader->pipe->pool : source->hold->pool;
}

void zpipe_source_lock(const struct zpipe_source *source)
	__acquires(&zpipe_source_pool(source)->lock);
void zpipe_source_unlock(const struct zpipe_source *source)
	__releases(&zpipe_source_pool(source)->lock);
int zpipe_source_check_locked(const struct zpipe_source *source, u64 position, u64 length);
void zpipe_source_walk_locked(const struct zpipe_source *source, u64 from, u64 to,
			      struct zpipe_walk *walk);
bool zpipe_source_piece_locked(const struct zpipe_source *source, struct zpipe_walk *walk,
			       struct zpipe_span *piece);

#endif /* ZPIPE_SOURCE_H */
