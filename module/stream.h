/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream - how a pipe moves on: what the shared words say, and what follows from it
 *
 * Every verb begins by looking (rule R6): the shared words are read once, in
 * the order of rule R4, checked, taken over, and whoever waits for what they
 * now say is woken.
 */
#ifndef ZPIPE_STREAM_H
#define ZPIPE_STREAM_H

#include <linux/types.h>

#include "types.h"
#include "wait.h"

void zpipe_stream_accuse_locked(struct zpipe_pipe *pipe, u32 role);
void zpipe_stream_detach_locked(struct zpipe_reader *reader, int error);
void zpipe_stream_accuse_reader_locked(struct zpipe_reader *reader);
void zpipe_stream_discard_locked(struct zpipe_pipe *pipe);
void zpipe_stream_freed_locked(struct zpipe_pipe *pipe, u32 slots);
void zpipe_stream_zeroed_locked(struct zpipe_pipe *pipe, u64 position, u64 bytes);
void zpipe_stream_offer_again_locked(struct zpipe_pipe *pipe);
int zpipe_stream_take_over_locked(struct zpipe_pipe *pipe, const struct zpipe_reader *caller);
void zpipe_stream_hear_writer_locked(const struct zpipe_reader *reader);
void zpipe_stream_settle_locked(struct zpipe_pipe *pipe);
void zpipe_stream_publish_locked(struct zpipe_pipe *pipe, u64 position);
void zpipe_stream_advance_locked(struct zpipe_reader *reader, u64 consumed, u64 examined);
void zpipe_stream_arm_resume_locked(struct zpipe_pipe *pipe, bool sleep);
bool zpipe_stream_pause_locked(struct zpipe_pipe *pipe, bool may_pause);

/*
 * Do the words of a pipe with one reader, which goes on, say what is known
 * already? The same words as are taken over, in the same order.
 */
static inline bool zpipe_stream_is_known_locked(const struct zpipe_pipe *pipe)
{
	const struct zpipe_reader *reader;

	reader = list_first_entry(&pipe->readers, struct zpipe_reader, entry);
	if (pipe->nr_readers != 1 || reader->ended)
		return false;
	/* Pairs with the reader's release of consumed (C in uapi/linux/zpipe.h). */
	if (smp_load_acquire(&reader->page->consumed) != reader->cursor.consumed)
		return false;
	/* And with that of examined. */
	if (smp_load_acquire(&reader->page->examined) != reader->cursor.examined)
		return false;
	/* Pairs with the writer's release of published (A). */
	return smp_load_acquire(&pipe->writer_page->published) == pipe->chain.published;
}

/* How every verb begins; most look more than once, and then there is nothing new. */
static inline int zpipe_stream_look_locked(struct zpipe_pipe *pipe,
					   const struct zpipe_reader *caller)
{
	if (zpipe_stream_is_known_locked(pipe) && !zpipe_wait_is_reached_locked(pipe))
		return 0;
	return zpipe_stream_take_over_locked(pipe, caller);
}

/*
 * Tell the readers where memory comes free for others. To be called when the
 * chain's oldest descriptor may be another one than before; does nothing while
 * no writer of the pool waits for any pipe's memory, and none did.
 */
static inline void zpipe_stream_offer_locked(struct zpipe_pipe *pipe)
{
	if (pipe->pool->nr_hungry || pipe->pool_wake != ZPIPE_UNARMED)
		zpipe_stream_offer_again_locked(pipe);
}

#endif /* ZPIPE_STREAM_H */
