/* SPDX-License-Identifier: MIT */
/*
 * zpsnoop - what the program in the kernel and its loader agree on
 */
#ifndef ZPSNOOP_H
#define ZPSNOOP_H

#include <linux/types.h>

/* Every event of system zpipe, in the order of module/zpipe_trace.h. */
#define ZPSNOOP_EVENTS(X)								\
	X(create) X(destroy) X(alloc) X(flush) X(read) X(advance)			\
	X(segment_open) X(segment_free) X(pause) X(resume) X(wait_begin) X(wait_end)	\
	X(wake) X(seal) X(copy) X(complete) X(cancel) X(set) X(reset) X(reject) X(tee)	\
	X(forward) X(preserve) X(release) X(export) X(post) X(unpost) X(splice)

enum zpsnoop_verb {
#define ZPSNOOP_VERB(name)	ZPSNOOP_##name,
	ZPSNOOP_EVENTS(ZPSNOOP_VERB)
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
