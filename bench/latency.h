/* SPDX-License-Identifier: MIT */
/*
 * latency.h - how long each of many round trips took
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

/* Sixteen steps to each doubling: a step is at most 6 % wide. */
#define LATENCY_STEPS	16
#define LATENCY_BUCKETS	(40 * LATENCY_STEPS)

struct latency {
	uint64_t nr;
	uint32_t bucket[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);

/* What so many of a thousand took at most, in nanoseconds: a step's upper edge. 0 without any. */
double latency_at(const struct latency *latency, unsigned int of_1000);

#endif
