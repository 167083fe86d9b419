/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * copy - read(2) and write(2): where bytes are copied
 */
#ifndef ZPIPE_COPY_H
#define ZPIPE_COPY_H

#include <linux/fs.h>
#include <linux/types.h>

#include "types.h"

struct iov_iter;

ssize_t zpipe_copy_write(struct kiocb *iocb, struct iov_iter *from);
ssize_t zpipe_copy_read(struct kiocb *iocb, struct iov_iter *to);

int zpipe_copy_enter_read(struct zpipe_end *end, bool nowait);
void zpipe_copy_leave_read(struct zpipe_end *end);
int zpipe_copy_look(struct zpipe_reader *reader, u64 *position, struct zpipe_span *span);
void zpipe_copy_consume(struct zpipe_reader *reader, u64 position, u64 copied, u64 spliced);
int zpipe_copy_wait(struct zpipe_reader *reader, bool nowait);

int zpipe_copy_enter_write(struct zpipe_end *end, bool nowait);
void zpipe_copy_leave_write(struct zpipe_end *end);
int zpipe_copy_grant(struct zpipe_pipe *pipe, size_t count, bool nowait, bool whole,
		     struct zpipe_plan *plan);
void zpipe_copy_ungrant(struct zpipe_pipe *pipe, const struct zpipe_plan *plan);
ssize_t zpipe_copy_fill(struct zpipe_pipe *pipe, struct iov_iter *from,
			const struct zpipe_plan *plan, int place);

#endif /* ZPIPE_COPY_H */
