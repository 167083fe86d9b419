/* SPDX-License-Identifier: MIT */
/*
 * fake - a kernel of one pipe, in the place of sys.c
 *
 * The regions are ranges of a memfd at the offsets that INFO tells, so the
 * library maps them as it maps the real ones. The verbs keep the contract of
 * linux/zpipe.h as far as the library can see it, and choose segments as
 * unkindly as it allows. Blocking calls sleep on a condition variable, which
 * is what the two-thread test needs.
 */
#ifndef ZPIPE_TESTS_FAKE_H
#define ZPIPE_TESTS_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/zpipe.h>

#include "zpipe.h"

enum fake_policy {
	FAKE_RING,	/* next segment in ring order */
	FAKE_LIFO,	/* the one freed last */
	FAKE_RANDOM,	/* any */
	FAKE_SCATTER	/* never the next one, if there is another */
};

struct fake_opts {
	uint32_t segment_size;
	uint32_t nr_segments;
	uint32_t table_entries;
	uint64_t pause;
	uint64_t resume;
	enum fake_policy policy;
};

struct fake_calls {
	unsigned int allocs, flushes, reads, advances, completes;
};

void fake_start(const struct fake_opts *opts, int *writer_fd, int *reader_fd);
void fake_stop(void);
void fake_info(struct zpipe_info_args *info);
void fake_override_info(const struct zpipe_info_args *info);
struct fake_calls *fake_calls(void);
void fake_fail_next(int error);
void fake_lie_alloc(uint64_t offset, uint64_t length);
struct zpipe_alloc_args *fake_last_alloc(void);
uint64_t *fake_published(void);
uint64_t *fake_examined(void);
uint64_t *fake_consumed(void);
uint64_t *fake_reader_wake_at(void);
uint64_t *fake_wake_examined(void);
uint64_t *fake_wake_consumed(void);
uint64_t *fake_opened(void);
uint32_t *fake_events(void);
struct zpipe_descriptor *fake_table(void);
unsigned int fake_kept(void);
uint32_t fake_random(void);
void fake_seed(uint32_t seed);

#endif /* ZPIPE_TESTS_FAKE_H */
