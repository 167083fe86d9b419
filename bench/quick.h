/* SPDX-License-Identifier: MIT */
/*
 * quick.h - what a zpipe gains over a pipe here, in a few seconds: zpipe bench
 */
#ifndef BENCH_QUICK_H
#define BENCH_QUICK_H

#include <stdbool.h>

#include "report.h"

bool quick_wants(const struct bench_system *system);

void quick_report(const struct bench_results *results);

#endif
