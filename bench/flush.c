// SPDX-License-Identifier: MIT
/*
 * flush - what each step of a message costs, cooperative and guarded
 *
 * One process is both ends of a pipe of two messages and moves one message again and again: take a
 * grant, store to every page of it, flush; read, load from every page, advance. The clock is read
 * around each step. In a guarded pipe the flush takes the pages away from the writer and the
 * advance takes them away from the reader, so both touch them with faults: those are the two steps
 * between.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "flush.h"
#include "raw.h"

#define PAGE	4096
#define ROUNDS	64	/* the first half is not counted */

enum step { ALLOC, STORE, FLUSH, READ, LOAD, ADVANCE, STEPS };

static const char *const step_names[STEPS] = {
	"ALLOC", "first store", "FLUSH", "READ", "first load", "ADVANCE",
};

struct both {
	struct raw_pipe pipe;
	unsigned char *writer, *reader;
	uint64_t position;
};

/* Adds what each step of one message took. 0 or -errno. */
static int move_one(struct both *both, size_t length, uint64_t took[STEPS])
{
	struct zpipe_alloc_args alloc = { .position = both->position, .min = length };
	struct zpipe_flush_args flush = { .position = both->position + length };
	struct zpipe_span span = { 0 };
	struct zpipe_read_args read = { .nr_spans = 1, .spans = (uintptr_t)&span };
	struct zpipe_advance_args advance = {
		.consumed = both->position + length, .examined = ZPIPE_KEEP,
	};
	uint64_t at[STEPS + 1];
	unsigned char *byte;

	at[ALLOC] = clock_ns();
	if (ioctl(both->pipe.writer, ZPIPE_IOC_ALLOC, &alloc))
		return -errno;
	at[STORE] = clock_ns();
	byte = both->writer + alloc.out_offset;
	for (size_t i = 0; i < length; i += PAGE)
		__atomic_store_n(&byte[i], 1, __ATOMIC_RELAXED);
	at[FLUSH] = clock_ns();
	if (ioctl(both->pipe.writer, ZPIPE_IOC_FLUSH, &flush))
		return -errno;
	at[READ] = clock_ns();
	if (ioctl(both->pipe.reader, ZPIPE_IOC_READ, &read))
		return -errno;
	at[LOAD] = clock_ns();
	byte = both->reader + span.offset;
	for (size_t i = 0; i < span.length; i += PAGE)
		__atomic_load_n(&byte[i], __ATOMIC_RELAXED);
	at[ADVANCE] = clock_ns();
	if (ioctl(both->pipe.reader, ZPIPE_IOC_ADVANCE, &advance))
		return -errno;
	at[STEPS] = clock_ns();
	for (int i = 0; i < STEPS; i++)
		took[i] += at[i + 1] - at[i];
	both->position += length;
	return 0;
}

static int measure(size_t length, uint32_t flags, double cost[STEPS])
{
	uint64_t took[STEPS] = { 0 };
	struct both both = { .position = 0 };
	int err = raw_create(&both.pipe, 2 * length, flags);

	if (err)
		return err;
	both.writer = raw_map(both.pipe.writer, PROT_READ | PROT_WRITE);
	both.reader = raw_map(both.pipe.reader, PROT_READ);
	if (!both.writer || !both.reader)
		err = -errno;
	for (int round = 0; round < ROUNDS && !err; round++) {
		if (round == ROUNDS / 2)
			memset(took, 0, sizeof(took));
		err = move_one(&both, length, took);
	}
	for (int i = 0; i < STEPS; i++)
		cost[i] = (double)took[i] / (ROUNDS - ROUNDS / 2);
	raw_close(&both.pipe);
	return err;
}

int flush_report(void)
{
	static const size_t sizes[] = { 4096, 65536, 1048576 };
	double cost[2][3][STEPS];
	int err = 0;

	for (int guarded = 0; guarded < 2; guarded++)
		for (int size = 0; size < 3 && !err; size++)
			err = measure(sizes[size], guarded ? ZPIPE_F_GUARDED : 0,
				      cost[guarded][size]);
	if (err) {
		fprintf(stderr, "bench: %s\n", strerror(-err));
		return err;
	}
	printf("ns of each step of a message (--icount: instructions): cooperative, guarded\n");
	printf("%-12s%26s%26s%26s\n", "", "4 KiB", "64 KiB", "1 MiB");
	for (int i = 0; i < STEPS; i++) {
		printf("%-12s", step_names[i]);
		for (int size = 0; size < 3; size++)
			printf("%13.0f%13.0f", cost[0][size][i], cost[1][size][i]);
		putchar('\n');
	}
	return 0;
}
