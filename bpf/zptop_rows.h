/* SPDX-License-Identifier: MIT */
/*
 * zptop_rows - what the tables of the kernel say, as rates of the last interval
 */
#ifndef ZPTOP_ROWS_H
#define ZPTOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "zptop.h"

/* One side of a pipe: a process of it, the one that calls most, and how many others. */
struct zptop_who {
	pid_t pid;		/* 0 while nobody is known */
	unsigned int others;
	uint64_t calls;
	char comm[16];
};

/* One pipe. Rates are per second, shares are percent. */
struct zptop_row {
	uint64_t id;
	bool gone;
	struct zptop_who writer;
	struct zptop_who reader;
	struct zptop_pipe total;	/* since it was attached */
	uint64_t delivered;		/* bytes, since it was attached */
	uint64_t capacity;
	uint64_t held;
	uint64_t unexamined;
	uint64_t preserved;
	double bytes;
	double messages;
	double segments;
	double wakes;
	double copied;
	double copies;			/* per byte, of this interval; below 0: nothing delivered */
	double fill;
	double paused;
	double waiting;
	double writer_waiting;
};

/* One process, over all its pipes. */
struct zptop_process {
	pid_t pid;
	char comm[16];
	unsigned int writes_to;		/* pipes */
	unsigned int reads_from;
	uint64_t total_calls;
	double sent;			/* bytes per second */
	double received;
	double paused;			/* of its pipes the worst */
	double waiting;
	uint64_t held;			/* bytes it has not consumed */
};

/* Everything, at one moment. */
struct zptop_sample {
	double time;			/* seconds since 1970 */
	double seconds;			/* how long the interval was */
	uint64_t lost;
	struct zptop_row *rows;
	size_t nr_rows;
	struct zptop_process *processes;
	size_t nr_processes;
	struct zptop_row sum;
};

struct zptop_rows;

/**
 * zptop_rows_new - begin to count
 * @pipes: fd of the table of pipes
 * @ends: fd of the table of ends
 * @room: how many pipes it has room for
 * @only: a pipe, or 0 for all
 *
 * Return: NULL without memory.
 */
struct zptop_rows *zptop_rows_new(int pipes, int ends, size_t room, uint64_t only);

void zptop_rows_free(struct zptop_rows *all);

/**
 * zptop_rows_sample - the tables now, beside those of the call before
 * @all: of zptop_rows_new
 * @sample: overwritten; its memory stays that of @all
 *
 * Pipes that are gone are in it for the last time.
 *
 * Return: 0, or -1 after saying what went wrong.
 */
int zptop_rows_sample(struct zptop_rows *all, struct zptop_sample *sample);

/* What a table can be sorted by. */
extern const char *const zptop_keys[];

/**
 * zptop_key - the number of a key
 * @name: of zptop_keys, or the beginning of one
 *
 * Return: -1: there is none.
 */
int zptop_key(const char *name);

/**
 * zptop_rows_sort - the largest first
 * @sample: whose rows and processes
 * @key: number of a key
 * @reverse: the smallest first
 */
void zptop_rows_sort(struct zptop_sample *sample, int key, bool reverse);

#endif
