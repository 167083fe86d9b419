/* SPDX-License-Identifier: MIT */
/*
 * measure.h - run one cell once
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"

/* Messages one process sends before it receives them, BENCH_ALONE; 0 if not even one fits. */
uint64_t measure_batch(const struct bench_cell *cell);

/*
 * Runs cell->messages of it, and of BENCH_PINGPONG some more, to add to latency what each took.
 * Complains on stderr; 0 or -1.
 */
int measure_once(const struct bench_cell *cell, struct bench_sample *sample,
		 struct latency *latency);

/* Sets cell->messages so that a run takes about `target` nanoseconds. */
int measure_calibrate(struct bench_cell *cell, double target);

int measure_processors(void);

#endif
