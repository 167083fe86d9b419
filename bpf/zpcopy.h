/* SPDX-License-Identifier: MIT */
/*
 * zpcopy - what the program in the kernel and its loader agree on
 */
#ifndef ZPCOPY_H
#define ZPCOPY_H

#include "flow.h"

/* One pipe, since the tool was attached, or since the pipe was made. */
struct zpcopy_pipe {
	struct zb_flow flow;
	__u64 spliced;			/* bytes that left by page reference, or were copied so */
	__u64 forwarded;		/* bytes appended by reference */
	__u64 bytes[ZB_PLACES];		/* copied, by place; 0 is for unknown places */
	__u64 copies[ZB_PLACES];	/* events */
};

#endif
