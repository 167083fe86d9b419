/* SPDX-License-Identifier: MIT */
/*
 * zptop - what the program in the kernel and its loader agree on
 */
#ifndef ZPTOP_H
#define ZPTOP_H

#include "flow.h"

/* Two ends of each pipe, and some that were handed over or forked. */
#define ZPTOP_ENDS_PER_PIPE	3

/* Sleeps of one side. Now and since say how long those that still sleep have done so. */
struct zptop_waits {
	__u64 number;
	__u64 ns;
	__s64 now;		/* sleepers */
	__u64 since;		/* sum of when they began */
};

/* One pipe, since the tool was attached, or since the pipe was made. */
struct zptop_pipe {
	struct zb_flow flow;
	__u64 flushes;
	__u64 writes;		/* write(2), and parts of them */
	__u64 opened;		/* segments */
	__u64 freed;
	__u64 pauses;
	__u64 paused_ns;
	__u64 paused_since;	/* 0 when it is not */
	__u64 wakes[2];		/* of the writer, of the reader */
	struct zptop_waits waits[2];
	__u64 copied;		/* bytes */
	__s64 preserved;	/* bytes, now */
};

struct zptop_key {
	__u64 pipe;
	__u64 pid;
};

/* One process at one pipe. Roles are bits: 1 << ROLE. */
struct zptop_end {
	__u64 roles;
	__u64 calls;
	char comm[16];
};

#endif
