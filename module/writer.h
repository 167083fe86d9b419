/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writer - ALLOC: grants, and waiting for memory
 */
#ifndef ZPIPE_WRITER_H
#define ZPIPE_WRITER_H

#include <linux/poll.h>
#include <linux/types.h>

#include "types.h"

struct zpipe_park;

/* Not errnos: a reader may complete with any of those. */
#define ZPIPE_GRANT_CANCELED	1
#define ZPIPE_GRANT_ENDED	3	/* nobody will post a buffer any more */
#define ZPIPE_GRANT_WAITS	4	/* what a try answers when there is no memory now */
#define ZPIPE_GRANT_REFUSED	5	/* a try knows why */

/**
 * struct zpipe_request - something that needs memory, and may have to wait
 * @try: does it: 0, ZPIPE_GRANT_WAITS with plan->wait and plan->pool, or an
 *	errno
 * @position: committed position
 * @min: bytes
 * @want: bytes wished for
 * @slots: that forwarded bytes stand in, 0 for a grant
 * @deadline: when to give up waiting
 * @data: of @try
 */
struct zpipe_request {
	int (*try)(struct zpipe_pipe *pipe, struct zpipe_request *request,
		   struct zpipe_plan *plan);
	u64 position;
	u64 min;
	u64 want;
	u32 slots;
	u64 deadline;
	void *data;
};

int zpipe_writer_check_locked(const struct zpipe_pipe *pipe);
int zpipe_writer_enter_locked(struct zpipe_pipe *pipe);
bool zpipe_writer_cancel_locked(struct zpipe_pipe *pipe);
int zpipe_writer_find_room_locked(struct zpipe_pipe *pipe, u64 position, u64 length, u32 slots,
				  struct zpipe_plan *plan);
int zpipe_writer_await_locked(struct zpipe_pipe *pipe, struct zpipe_request *request,
			      bool nowait, struct zpipe_park *park, struct zpipe_plan *plan);
int zpipe_writer_grant_locked(struct zpipe_pipe *pipe, const struct zpipe_alloc_args *args,
			      bool nowait, struct zpipe_park *park, struct zpipe_plan *plan);
int zpipe_writer_alloc(struct zpipe_end *end, struct zpipe_alloc_args *args, bool nowait,
		       struct zpipe_park *park);
void zpipe_writer_stop_alloc(struct zpipe_end *end, const struct zpipe_alloc_args *args,
			     struct zpipe_park *park);
__poll_t zpipe_writer_poll(struct zpipe_pipe *pipe);

#endif /* ZPIPE_WRITER_H */
