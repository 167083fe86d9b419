/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ends - how an end finishes: complete, close, cancel, and reset afterwards
 *
 * Completing twice changes nothing, the first call wins; closing an end that
 * has not completed is a completion of its own kind.
 */
#ifndef ZPIPE_ENDS_H
#define ZPIPE_ENDS_H

#include <linux/types.h>

#include "types.h"

void zpipe_ends_hook(struct zpipe_end *end);
void zpipe_ends_close(struct zpipe_end *end);
int zpipe_ends_complete(struct zpipe_end *end, struct zpipe_complete_args *args);
int zpipe_ends_cancel(struct zpipe_end *end, struct zpipe_cancel_args *args);
int zpipe_ends_set(struct zpipe_end *end, struct zpipe_set_args *args);
int zpipe_ends_reset(struct zpipe_end *end, struct zpipe_reset_args *args);

#endif /* ZPIPE_ENDS_H */
