/* SPDX-License-Identifier: MIT */
/*
 * zphold - what the program in the kernel and its loader agree on
 */
#ifndef ZPHOLD_H
#define ZPHOLD_H

#include <linux/types.h>

/* What was kept, and how. */
#define ZPHOLD_PRESERVE	1
#define ZPHOLD_EXPORT	2
#define ZPHOLD_TEE	3

/* Room for so many ranges, stacks, and frames of a stack. */
#define ZPHOLD_RANGES	16384
#define ZPHOLD_STACKS	4096
#define ZPHOLD_FRAMES	32

/* A range of a pipe; of a tee the length is the reader's index. */
struct zphold_range {
	__u64 pipe;
	__u64 position;
	__u64 length;
	__u64 kind;
};

/* By whom. Preserved twice it is one range with two handles, of the first of them. */
struct zphold_since {
	__u64 ns;		/* CLOCK_MONOTONIC */
	__u64 handles;
	__u32 pid;
	__s32 stack;		/* of the map, or a negative errno */
	char comm[16];
};

/* A process whose stack is new: its symbols are looked up while it lives. */
struct zphold_news {
	__u32 pid;
	__s32 stack;
};

#endif
