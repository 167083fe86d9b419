/* SPDX-License-Identifier: MIT */
/*
 * tee.h - one stream to four readers
 */
#ifndef BENCH_TEE_H
#define BENCH_TEE_H

/* Prints it and returns how many promises were missed. Only under icount. */
int tee_report(void);

#endif
