/* SPDX-License-Identifier: MIT */
/*
 * idle.h - what a pipe costs that nobody uses
 */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

/* Prints it and returns how many promises were missed. */
int idle_report(void);

#endif
