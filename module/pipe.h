/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipe - the life of a pipe: create, look at the cursors, put, free
 *
 * Every verb begins by looking (rule R6): the shared words are read once, in
 * the order of rule R4, checked, taken over, and whoever waits for what they
 * now say is woken.
 */
#ifndef ZPIPE_PIPE_H
#define ZPIPE_PIPE_H

#include <linux/types.h>

#include "types.h"
#include "wait.h"

int zpipe_pipe_init(void);
void zpipe_pipe_exit(void);
struct zpipe_pipe *zpipe_pipe_create(const struct zpipe_create_args *args, struct zpipe_pool *pool);
void zpipe_pipe_init_reader(struct zpipe_pipe *pipe, struct zpipe_reader *reader);
void zpipe_pipe_put(struct zpipe_pipe *pipe);
int zpipe_pipe_thresholds(u64 *pause, u64 *resume, u64 capacity);
void zpipe_pipe_accuse_locked(struct zpipe_pipe *pipe, u32 role);
void zpipe_pipe_detach_locked(struct zpipe_reader *reader, int error);
void zpipe_pipe_accuse_reader_locked(struct zpipe_reader *reader);
void zpipe_pipe_discard_locked(struct zpipe_pipe *pipe);
void zpipe_pipe_freed_locked(struct zpipe_pipe *pipe, u32 slots);
void zpipe_pipe_zeroed_locked(struct zpipe_pipe *pipe, u64 position, u64 bytes);

void zpipe_pipe_offer_locked(struct zpipe_pipe *pipe);
int zpipe_pipe_take_over_locked(struct zpipe_pipe *pipe, const struct zpipe_reader *caller);
void zpipe_pipe_settle_locked(struct zpipe_pipe *pipe);
void zpipe_pipe_publish_locked(struct zpipe_pipe *pipe, u64 position);
void zpipe_pipe_advance_locked(struct zpipe_reader *reader, u64 consumed, u64 examined);
bool zpipe_pipe_pause_locked(struct zpipe_pipe *pipe, bool may_pause);
int zpipe_pipe_reject_locked(struct zpipe_pipe *pipe, u32 verb, u64 position, int ret);

/*
 * Do the words of a pipe with one reader, which goes on, say what is known
 * already? The same words as are taken over, in the same order.
 */
static inline bool zpipe_pipe_is_known_locked(const struct zpipe_pipe *pipe)
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
static inline int zpipe_pipe_look_locked(struct zpipe_pipe *pipe,
					 const struct zpipe_reader *caller)
{
	if (zpipe_pipe_is_known_locked(pipe) && !zpipe_wait_is_reached_locked(pipe))
		return 0;
	return zpipe_pipe_take_over_locked(pipe, caller);
}

/* Pages of both ends besides the data. */
static inline unsigned long zpipe_pipe_control_pages(const struct zpipe_pipe *pipe)
{
	return pipe->state_size / PAGE_SIZE + 2;
}

#endif /* ZPIPE_PIPE_H */
