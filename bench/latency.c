// SPDX-License-Identifier: MIT
/*
 * latency - how long each of many round trips took, as a histogram
 */
#include "latency.h"

/* Values below one doubling's steps have a bucket each. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int doubling, bucket;

	if (ns < LATENCY_STEPS)
		return (unsigned int)ns;
	doubling = 63 - (unsigned int)__builtin_clzll(ns);
	bucket = (doubling - 3) * LATENCY_STEPS;
	bucket += (unsigned int)(ns >> (doubling - 4)) % LATENCY_STEPS;
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static double upper_edge(unsigned int bucket)
{
	uint64_t next = LATENCY_STEPS + bucket % LATENCY_STEPS + 1;

	if (bucket < LATENCY_STEPS)
		return bucket;
	return (double)(next << (bucket / LATENCY_STEPS - 1)) - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->nr++;
	latency->bucket[bucket_of(ns)]++;
}

void latency_merge(struct latency *into, const struct latency *from)
{
	into->nr += from->nr;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

double latency_at(const struct latency *latency, unsigned int of_1000)
{
	uint64_t left = (latency->nr * of_1000 + 999) / 1000;
	unsigned int i = 0;

	if (!latency->nr)
		return 0;
	while (latency->bucket[i] < left)
		left -= latency->bucket[i++];
	return upper_edge(i);
}
