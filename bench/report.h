/* SPDX-License-Identifier: MIT */
/*
 * report.h - what the samples say: a table for people, rows for machines, verdicts
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench.h"

struct bench_results {
	const char *kernel;
	bool icount;			/* a nanosecond is an instruction */
	struct bench_cell *cells;
	size_t nr_cells;
};

void report_table(const struct bench_results *results);

/* Prints a line for each promise that these cells can judge; returns how many were missed. */
int report_verdicts(const struct bench_results *results);

void report_csv(FILE *to, const struct bench_results *results, bool header);

/* The percentiles of the round trips. */
void report_latency(FILE *to, const struct bench_results *results, bool header);

/* One such line. `most`: the value may be at most `need`, else it must be at least that. */
bool report_verdict(const char *what, double value, bool most, double need);

/* The cell that was run, or NULL. */
const struct bench_cell *report_find(const struct bench_results *results, const char *label,
				     const char *system, size_t message);

/* Nanoseconds of a message of it. */
double report_ns(const struct bench_cell *cell);

const char *report_size(size_t bytes);

#endif
