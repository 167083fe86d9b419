// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace - the one file that instantiates the tracepoints
 */
#include <linux/types.h>

#define CREATE_TRACE_POINTS
#include "zpipe_trace.h"
