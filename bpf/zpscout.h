/* SPDX-License-Identifier: MIT */
/*
 * zpscout - what the program in the kernel and its loader agree on
 */
#ifndef ZPSCOUT_H
#define ZPSCOUT_H

#include <linux/types.h>

/* What carries the bytes. */
enum zpscout_kind {
	ZPSCOUT_PIPE,		/* pipe(2), and named pipes */
	ZPSCOUT_STREAM,		/* AF_UNIX, SOCK_STREAM */
	ZPSCOUT_PACKET,		/* AF_UNIX, SOCK_DGRAM and SOCK_SEQPACKET */
	ZPSCOUT_KINDS
};

enum { ZPSCOUT_IN, ZPSCOUT_OUT, ZPSCOUT_WAYS };

/* Sizes by their power of two; the last is for all that are larger. */
#define ZPSCOUT_SIZES	24

struct zpscout_key {
	__u32 pid;
	__u32 kind;
};

/* One process and one kind, since the tool was attached. IN is read, OUT is written. */
struct zpscout_flow {
	__u64 bytes[ZPSCOUT_WAYS];
	__u64 calls[ZPSCOUT_WAYS];
	__u64 sizes[ZPSCOUT_SIZES];	/* of writes */
	char comm[16];
};

#endif
