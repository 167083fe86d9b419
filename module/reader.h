/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reader - READ and ADVANCE: snapshots, waiting for bytes, giving them back
 */
#ifndef ZPIPE_READER_H
#define ZPIPE_READER_H

#include <linux/poll.h>
#include <linux/types.h>

#include "types.h"

struct zpipe_park;

/* In args->flags, not from userspace: wait for bytes, whatever is posted, as read(2) does. */
#define ZPIPE_READER_BYTES	(1U << 31)

int zpipe_reader_check_locked(const struct zpipe_reader *reader);
bool zpipe_reader_cancel_locked(struct zpipe_reader *reader);
int zpipe_reader_wait_locked(struct zpipe_reader *reader, struct zpipe_read_args *args,
			     bool nowait, struct zpipe_park *park);
int zpipe_reader_read(struct zpipe_end *end, struct zpipe_read_args *args,
		      struct zpipe_span *spans, bool nowait, struct zpipe_park *park);
void zpipe_reader_stop_read(struct zpipe_end *end, const struct zpipe_read_args *args,
			    struct zpipe_park *park);
void zpipe_reader_unread(struct zpipe_end *end, const struct zpipe_read_args *args);
int zpipe_reader_advance(struct zpipe_end *end, struct zpipe_advance_args *args);
__poll_t zpipe_reader_poll(struct zpipe_reader *reader);

#endif /* ZPIPE_READER_H */
