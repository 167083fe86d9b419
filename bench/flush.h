/* SPDX-License-Identifier: MIT */
/*
 * flush.h - what each step of a message costs, cooperative and guarded
 */
#ifndef BENCH_FLUSH_H
#define BENCH_FLUSH_H

/* Prints a table; 0 or a negative errno. */
int flush_report(void);

#endif
