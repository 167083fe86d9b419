/* SPDX-License-Identifier: MIT */
/*
 * fake_state - what fake.c and fake_alloc.c share
 *
 * Descriptors are kept apart from the table that the library sees, so a test
 * may damage the table without confusing the fake. One lock for everything.
 */
#ifndef ZPIPE_TESTS_FAKE_STATE_H
#define ZPIPE_TESTS_FAKE_STATE_H

#include <pthread.h>

#include "../internal.h"
#include "fake.h"

#define MAX_ENTRIES	1024
#define MAX_SEGMENTS	256
#define PAGE		4096U
#define STATE_SIZE	(8 * PAGE)

/* words, on lines of their own */
#define AT_OPENED	0
#define AT_GRANTED	8
#define AT_READER_WAKE	128
#define AT_PAUSE	136
#define AT_WAKE_EXAMINED 256
#define AT_WAKE_CONSUMED 264
#define AT_EVENTS	384
#define AT_SOLE_READER	388
#define AT_TABLE	512
#define AT_PUBLISHED	64
#define AT_EXAMINED	128
#define AT_CONSUMED	136

struct entry {
	uint64_t start;
	uint64_t offset;
	uint64_t length;
};

struct fake {
	struct fake_opts opts;
	int writer_fd, reader_fd;
	uint64_t window;
	unsigned char *state, *writer, *reader;
	struct entry entries[MAX_ENTRIES];
	uint64_t first, opened, granted;
	bool used[MAX_SEGMENTS];
	uint32_t lifo[MAX_SEGMENTS], nr_free;
	bool cancel_read, cancel_flush, paused, writer_waits;
	bool writer_done, reader_done, drain;
	int writer_error, reader_error;
	uint64_t pushed, examined;
	int fail_next;
	bool overridden;
	struct zpipe_info_args info;
	struct zpipe_alloc_args last_alloc;
	bool lie;
	uint64_t lie_offset, lie_length;
	struct fake_calls calls;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

extern struct fake fake;

static inline void set(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline uint64_t *state_word(uint32_t at)
{
	return (uint64_t *)(void *)(fake.state + at);
}

/* The descriptor of an index, and where it ends. */
static inline struct entry *entry(uint64_t k)
{
	return &fake.entries[k % MAX_ENTRIES];
}

static inline uint64_t end_of(uint64_t k)
{
	return k + 1 < fake.opened ? fake.entries[(k + 1) % MAX_ENTRIES].start : UINT64_MAX;
}

void fake_update_events(void);
int fake_take_failure(void);

#endif /* ZPIPE_TESTS_FAKE_STATE_H */
