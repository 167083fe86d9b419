/* SPDX-License-Identifier: MIT */
/*
 * views.h - searching and parsing in pieces, beside the same on plain memory
 */
#ifndef BENCH_VIEWS_H
#define BENCH_VIEWS_H

/* Prints it and returns how many promises were missed. */
int views_report(void);

#endif
