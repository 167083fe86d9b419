// SPDX-License-Identifier: MIT
/*
 * sys_zpipe_guarded - zpipe between ends that do not trust each other
 *
 * Every flush takes its pages away from the writer, every advance takes them away from the reader.
 */
#define LINK_FLAGS	ZPIPE_F_GUARDED
#include "zpipe_ioctl.h"

const struct bench_system sys_zpipe_guarded = {
	.name = "zpipe-guarded",
	.ring = true,
	.zpipe = true,
	.grain = LINK_PAGE,
	.verify = verify,
	BENCH_LOOPS,
};
