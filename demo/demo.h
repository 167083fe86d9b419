/* SPDX-License-Identifier: MIT */
/*
 * demo.h - what the processes of the demonstration share
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_PAGES	16	/* whose frames are compared */
#define DEMO_DIGEST	65	/* hexadecimal, with its end */

/* Where the first bytes of the stream lie, as one process sees it. */
struct demo_pages {
	const void *address;
	size_t nr;
	uint64_t frame[DEMO_PAGES];	/* physical page number; 0 where it is hidden from us */
	atomic_bool known;
};

/* Shared by all three processes; the two workers write, the parent shows. */
struct demo_shared {
	struct demo_pages producer, consumer;
	_Atomic uint64_t done;		/* bytes hashed */
	uint64_t started_ns, ended_ns;
	char digest[DEMO_DIGEST];
	char why[2][160];		/* what went wrong, PRODUCER and CONSUMER */
};

enum { PRODUCER, CONSUMER };

/* Each in a process of its own; they take over the fd. 0, or -1 and `why` says it. */
int demo_produce(struct demo_shared *shared, int writer_fd, const char *file);
int demo_consume(struct demo_shared *shared, int reader_fd);

uint64_t demo_now(void);

/* Physical frames behind `length` bytes at `address` of this process. */
void demo_find_pages(struct demo_pages *pages, const void *address, size_t length);

/* How many of the first pages both processes see as one and the same; `compared` were looked at. */
size_t demo_same_pages(const struct demo_shared *shared, size_t *compared);

/* On stderr: a bar on a terminal, otherwise a line for each quarter. */
void demo_progress(uint64_t done, uint64_t total, uint64_t started_ns);

#endif
