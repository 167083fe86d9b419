/* SPDX-License-Identifier: MIT */
/*
 * preserve.h - what keeping a message costs
 */
#ifndef BENCH_PRESERVE_H
#define BENCH_PRESERVE_H

/* Prints it and returns how many promises were missed. Only under icount. */
int preserve_report(void);

#endif
