/* SPDX-License-Identifier: MIT */
/*
 * flow - how far a pipe has come, as its events tell
 *
 * Used in the kernel and in the loaders. Positions are the largest that any event has named: exact
 * when a verb has just been called, and at the end; behind by up to a segment while both ends stay
 * out of the kernel. Of several readers it is the fastest one's.
 */
#ifndef ZB_FLOW_H
#define ZB_FLOW_H

#include <linux/types.h>

/* Pipes that have a place in the tables, unless an option says otherwise. */
#define ZB_PIPES	16384

struct zb_flow {
	__u64 known;		/* begin is known */
	__u64 begin;		/* consumed when the counting began */
	__u64 capacity;		/* 0 while unknown */
	__u64 granted;
	__u64 published;
	__u64 examined;
	__u64 consumed;
	__u64 gone;		/* the pipe was destroyed */
};

/* The copy event's ret, as enum zpipe_copy_place of the module has it. */
enum zb_place {
	ZB_WRITE	= 1,
	ZB_READ		= 2,
	ZB_SPLICE_OUT	= 3,
	ZB_SPLICE_IN	= 4,
	ZB_SEAL		= 5,
	ZB_ADOPT	= 6,	/* nothing is copied: pages of another pool */
	ZB_ZERO		= 7,	/* nothing is copied: memory that was zeroed */
	ZB_PIN		= 8,
	ZB_PLACES	= 16	/* those from here on are counted together, as 0 */
};

#endif
