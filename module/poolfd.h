/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * poolfd - a pool that pipes share, and the fd that stands for it
 */
#ifndef ZPIPE_POOLFD_H
#define ZPIPE_POOLFD_H

#include <linux/types.h>

#include "types.h"

struct file *zpipe_poolfd_create(struct zpipe_pool_create_args *args,
				 const struct file_operations *fops);
int zpipe_poolfd_info(struct zpipe_pool *pool, struct zpipe_info_args *args);
int zpipe_poolfd_stat(struct zpipe_pool *pool, struct zpipe_pool_stat_args *args);
void zpipe_poolfd_show(struct seq_file *seq, struct file *file);

#endif /* ZPIPE_POOLFD_H */
