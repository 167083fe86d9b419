/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - zpipe run beside the shell's pipe
 */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

/* Prints it and returns how many promises were missed. */
int pipeline_report(void);

#endif
