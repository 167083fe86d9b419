/* SPDX-License-Identifier: MIT */
/*
 * zplat - what the program in the kernel and its loader agree on
 */
#ifndef ZPLAT_H
#define ZPLAT_H

#include "flow.h"

/* What is timed. */
enum zplat_kind {
	ZPLAT_PAUSED,		/* the writer was paused, whether it slept or not */
	ZPLAT_WRITER_WAIT,	/* it slept: paused, or for memory */
	ZPLAT_READER_WAIT,	/* the reader slept */
	ZPLAT_TRANSIT,		/* from published to consumed */
	ZPLAT_KINDS
};

/* Slot k counts what took 2^k to 2^(k+1) - 1 nanoseconds; the last one all that took longer. */
#define ZPLAT_SLOTS	48

struct zplat_histogram {
	__u64 number;
	__u64 sum;
	__u64 most;
	__u64 slots[ZPLAT_SLOTS];
};

/* Pipe 0 is all of them. */
struct zplat_key {
	__u64 pipe;
	__u64 kind;
};

/* Messages of one pipe on their way whose time is taken. */
#define ZPLAT_QUEUE	64

struct zplat_queue {
	__u64 pushed;
	__u64 popped;
	__u64 published;	/* the last position that was pushed */
	__u64 consumed;
	struct {
		__u64 position;
		__u64 time;
	} at[ZPLAT_QUEUE];
};

#endif
