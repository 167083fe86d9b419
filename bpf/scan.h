/* SPDX-License-Identifier: MIT */
/*
 * scan - the ends that processes hold open, as /proc/PID/fdinfo tells
 */
#ifndef ZB_SCAN_H
#define ZB_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One fd of one process. A buffer has a position and a length instead of the other numbers. */
struct zb_end {
	uint64_t pipe;
	pid_t pid;
	int fd;
	char role[8];		/* writer, reader, buffer, pool */
	char comm[16];
	uint64_t capacity;
	uint64_t granted;
	uint64_t published;
	uint64_t examined;
	uint64_t consumed;
	uint64_t preserved;
	uint64_t readers;
	uint64_t segments;	/* of the pool: in service, and of these */
	uint64_t segments_free;
	uint64_t segments_preserved;
	uint64_t segments_taken;
	uint64_t references;	/* to its segments, and of these */
	uint64_t references_chain;
	uint64_t references_preserved;
	uint64_t references_posted;
	uint64_t references_calls;
	uint64_t position;
	uint64_t length;
	bool paused;
	bool ended;		/* a reader that holds nothing back; others may go on */
	char link[48];		/* of /proc/PID/fd */
};

/**
 * zb_scan - look at every fd of every process that the caller may see
 * @found: called for each end
 * @context: handed through
 *
 * Reading changes nothing. A process that ends meanwhile is left out.
 *
 * Return: how many were found.
 */
unsigned long zb_scan(void (*found)(const struct zb_end *end, void *context), void *context);

/**
 * zb_read_end - what a copy of /proc/PID/fdinfo/FD says
 * @path: of the copy
 * @end: the result
 *
 * Return: whether it is of a file of zpipe.
 */
bool zb_read_end(const char *path, struct zb_end *end);

/* Is that fd still what it was? */
bool zb_still_there(const struct zb_end *end);

#endif
