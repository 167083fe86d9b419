/* SPDX-License-Identifier: MIT */
/*
 * bench.h - the words of the benchmark: what a system is, what a run of it is, what comes out
 *
 * A system is a way to move bytes from one process to another. Every system's file gives the same
 * eight functions on its `struct bench_link` and includes loops.h, which turns them into the loops
 * below, so that the workload is the same code everywhere and the system is inlined into it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latency.h"

/* The consumer takes what is there, at most this much at a time. */
#define BENCH_STEP	(64UL << 10)

/* Polls before sleeping, where there are two processors: the default of libzpipe. */
#define BENCH_SPINS	500

struct bench_config {
	size_t message;		/* bytes, a multiple of 64 */
	size_t capacity;	/* bytes in flight */
	unsigned int spins;	/* polls before sleeping */
};

/* Every system's link begins with this. One process at a time counts in it: links are forked. */
struct bench_base {
	struct bench_config config;
	uint64_t calls;		/* system calls this side has made to move bytes or to wait */
};

struct bench_link;

/*
 * All functions return 0 or a negative errno. `word` is the next 64-bit word to be sent, `sum` that
 * of the words received.
 */
struct bench_system {
	const char *name;
	size_t link_size;
	bool ring;		/* memory both map: worth a first lap before the clock */
	bool spins;		/* config.spins means something */
	bool zpipe;		/* needs /dev/zpipe */
	bool alone_only;	/* moves nothing between processes */
	size_t grain;		/* memory a message takes is a multiple of this, if given */
	size_t alone_max;	/* most that surely fits unread; 0: capacity / 4 */
	int (*open)(struct bench_link *link);
	void (*close)(struct bench_link *link);
	int (*attach_writer)(struct bench_link *link);
	int (*attach_reader)(struct bench_link *link);
	int (*produce)(struct bench_link *link, uint64_t messages, uint64_t *word);
	int (*consume)(struct bench_link *link, uint64_t messages, uint64_t *sum);
	int (*ping)(struct bench_link *there, struct bench_link *back, uint64_t trips,
		    uint64_t *word, uint64_t *sum);
	int (*pong)(struct bench_link *there, struct bench_link *back, uint64_t trips,
		    uint64_t *word, uint64_t *sum);
	/* Compares what the kernel counted for this link with what the two sides did. */
	int (*verify)(struct bench_link *link, uint64_t calls, uint64_t bytes);
};

extern const struct bench_system sys_zpipe_mapped;
extern const struct bench_system sys_memfd;
extern const struct bench_system sys_memory;
extern const struct bench_system sys_pipe;
extern const struct bench_system sys_zpipe_ioctl;
extern const struct bench_system sys_zpipe_guarded;
extern const struct bench_system sys_zpipe_rw;
extern const struct bench_system sys_unix;
extern const struct bench_system sys_vmsplice;

enum bench_mode {
	BENCH_STREAM,		/* two processes, one direction */
	BENCH_PINGPONG,		/* two processes, one message there and one back */
	BENCH_ALONE,		/* one process, both ends, never sleeping */
};

/* One run. A message of BENCH_PINGPONG is a round trip. */
struct bench_sample {
	double ns;		/* per message */
	double writer_calls;	/* per message */
	double reader_calls;
};

#define BENCH_REPS	5

/* A row of the result: a system in a mode at a size. */
struct bench_cell {
	const struct bench_system *system;
	enum bench_mode mode;
	const char *label;	/* the mode column */
	struct bench_config config;
	uint64_t messages;	/* of a run */
	unsigned int samples;
	struct bench_sample sample[BENCH_REPS];
	struct latency latency;	/* of all runs, where there are round trips */
};

#endif
