/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * buffer - the file of a preserved range
 *
 * It refers to the hold, the hold to the pool: no pipe, no end, no other file.
 */
#ifndef ZPIPE_BUFFER_H
#define ZPIPE_BUFFER_H

#include <linux/fs.h>

#include "types.h"

struct file *zpipe_buffer_create(struct zpipe_end *end, const struct zpipe_export_args *args);
int zpipe_buffer_info(struct zpipe_hold *hold, struct zpipe_info_args *args);
int zpipe_buffer_stat(struct zpipe_hold *hold, struct zpipe_stat_args *args);
int zpipe_buffer_read(struct zpipe_hold *hold, struct zpipe_read_args *args,
		      struct zpipe_span *spans);
struct zpipe_hold *zpipe_buffer_of(struct file *file);
void zpipe_buffer_totals(u64 *nr, u64 *bytes);

#endif /* ZPIPE_BUFFER_H */
