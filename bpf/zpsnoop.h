/* SPDX-License-Identifier: MIT */
/*
 * zpsnoop - what the program in the kernel and its loader agree on
 */
#ifndef ZPSNOOP_H
#define ZPSNOOP_H

#include <linux/types.h>

enum zpsnoop_verb {
#define EVENT(name)	ZPSNOOP_##name,
#include "zpsnoop-events.h"
#undef EVENT
	ZPSNOOP_NR
};

struct zpsnoop_line {
	__u64 ns;		/* CLOCK_MONOTONIC */
	__u64 pipe;
	__u64 position;
	__u64 length;
	__s32 ret;
	__u32 pid;
	__u32 tid;
	__u32 verb;		/* enum zpsnoop_verb */
	char comm[16];
};

#endif
