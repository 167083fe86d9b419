/* SPDX-License-Identifier: MIT */
/*
 * forward - what a proxy costs, and that nothing grows with pools and pipes, in instructions
 */
#ifndef BENCH_FORWARD_H
#define BENCH_FORWARD_H

/* Prints it and returns how many promises were missed. Only under icount. */
int forward_report(void);

#endif
