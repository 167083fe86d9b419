/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * info - what INFO and STAT answer
 */
#ifndef ZPIPE_INFO_H
#define ZPIPE_INFO_H

#include <linux/types.h>

#include "types.h"

/* What this module can do. */
#define ZPIPE_FEATURES	(ZPIPE_FEAT_CONTIG | ZPIPE_FEAT_RW | ZPIPE_FEAT_PRESERVE | \
			 ZPIPE_FEAT_EXPORT | ZPIPE_FEAT_FORWARD | ZPIPE_FEAT_TEE | \
			 ZPIPE_FEAT_POOL | ZPIPE_FEAT_GUARDED | ZPIPE_FEAT_POST | \
			 (IS_ENABLED(CONFIG_IO_URING) ? ZPIPE_FEAT_URING : 0))

int zpipe_info_get(struct zpipe_end *end, struct zpipe_info_args *args);
void zpipe_info_count_locked(struct zpipe_end *end, struct zpipe_stat_args *args);
int zpipe_info_stat(struct zpipe_end *end, struct zpipe_stat_args *args);

#endif /* ZPIPE_INFO_H */
