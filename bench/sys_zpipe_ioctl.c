// SPDX-License-Identifier: MIT
/*
 * sys_zpipe_ioctl - zpipe without the shared words: what a language without atomics would do
 */
#define LINK_FLAGS	0
#include "zpipe_ioctl.h"

const struct bench_system sys_zpipe_ioctl = {
	.name = "zpipe-ioctl",
	.ring = true,
	.zpipe = true,
	.verify = verify,
	BENCH_LOOPS,
};
