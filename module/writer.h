/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writer - ALLOC and FLUSH: grants, publishing, backpressure
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

int zpipe_writer_check_locked(const struct zpipe_pipe *pipe);
bool zpipe_writer_cancel_locked(struct zpipe_pipe *pipe);
int zpipe_writer_grant(struct zpipe_pipe *pipe, const struct zpipe_alloc_args *args,
		       bool nowait, struct zpipe_park *park, struct zpipe_plan *plan);
int zpipe_writer_unpause_locked(struct zpipe_pipe *pipe, bool nowait);
int zpipe_writer_alloc(struct zpipe_end *end, struct zpipe_alloc_args *args, bool nowait,
		       struct zpipe_park *park);
void zpipe_writer_stop_alloc(struct zpipe_end *end, const struct zpipe_alloc_args *args,
			     struct zpipe_park *park);
int zpipe_writer_flush(struct zpipe_end *end, struct zpipe_flush_args *args, bool nowait,
		       struct zpipe_park *park);
void zpipe_writer_stop_flush(struct zpipe_end *end, const struct zpipe_flush_args *args,
			     struct zpipe_park *park);
__poll_t zpipe_writer_poll(struct zpipe_pipe *pipe);

#endif /* ZPIPE_WRITER_H */
