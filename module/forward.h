/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * forward - append bytes of another pipe, or of a buffer, by reference
 */
#ifndef ZPIPE_FORWARD_H
#define ZPIPE_FORWARD_H

#include <linux/types.h>

#include "source.h"
#include "types.h"

int zpipe_forward(struct zpipe_end *end, const struct zpipe_source *source,
		  struct zpipe_forward_args *args, bool nowait);

#endif /* ZPIPE_FORWARD_H */
