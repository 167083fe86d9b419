/* SPDX-License-Identifier: MIT */
/*
 * views.h - searching and parsing in pieces, beside the same on plain memory
 */
#ifndef BENCH_VIEWS_H
#define BENCH_VIEWS_H

#include <stdbool.h>

/*
 * Prints it and returns how many promises were missed; that of the integers is
 * judged when the clock counts instructions.
 */
int views_report(bool icount);

#endif
