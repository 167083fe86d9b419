/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event - what a program on a tracepoint of zpipe is given, and what all of them need
 *
 * The fields are those of /sys/kernel/tracing/events/zpipe/zpipe_flush/format, the same for each
 * event. The loader compares them with that file before it attaches (common.c), so no type
 * information of the module is needed.
 */
#ifndef ZB_EVENT_BPF_H
#define ZB_EVENT_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* One event of system zpipe. */
struct zpipe_event {
	__u64 common;
	__u64 pipe;
	__u64 position;
	__u64 length;
	__s32 ret;
};

/* Where the programs of a tool are attached. */
#define ON(event)	SEC("tracepoint/zpipe/zpipe_" #event)

/* ret of wait_begin, wait_end, wake; length of complete. */
#define ROLE_WRITER	1
#define ROLE_READER	2

/*
 * Programs are attached one after the other, and what a pause, a wait or a grant began in between
 * would never be seen to end. So nothing counts before the loader sets this, when all are there:
 * see zb_start. The first thing that each program looks at.
 */
__u32 attached;

static __always_inline _Bool is_attached(void)
{
	return *(volatile __u32 *)&attached;
}

/* Events that found no room: every tool shows how many. */
__u64 lost;

static __always_inline void count_lost(void)
{
	__sync_fetch_and_add(&lost, 1);
}

#define ADD(variable, value)	__sync_fetch_and_add(&(variable), (value))

/* Positions only grow, but events of two processors may come out of order. */
static __always_inline void raise(__u64 *position, __u64 value)
{
	__u64 old;
	int k;

	for (k = 0; k < 4; k++) {
		old = *(volatile __u64 *)position;
		if (value <= old || __sync_val_compare_and_swap(position, old, value) == old)
			return;
	}
	count_lost();
}

char LICENSE[] SEC("license") = "GPL";

#endif
