/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cover - which blocks of the module a program has reached
 *
 * A block is a call of __sanitizer_cov_trace_pc in zpipe.ko; kcov notes where such calls return to.
 * Without KCOV in the kernel there are no blocks, and nothing is counted.
 */
#ifndef COVER_H
#define COVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define COVER_MOST	8192
#define COVER_AREAS	4	/* threads of a program, and its child */

struct cover {
	uint64_t bits[COVER_MOST / 64];
};

/* The blocks of a module that is loaded; how many, 0 where there is no kcov, or dies. */
int cover_init(const char *module);
/* Before a program; and in each of its threads. */
void cover_clear(void);
void cover_begin(int area);
/* What all areas have seen. */
void cover_collect(struct cover *to);

int cover_count(const struct cover *c);
/* Without those that run with the module's loading, or that only report a defect. */
int cover_within_reach(const struct cover *c, int *all);
/* How many of a are not in b, and drop those that are. */
int cover_new(const struct cover *a, const struct cover *b, struct cover *fresh);
bool cover_holds(const struct cover *all, const struct cover *part);
void cover_and(struct cover *to, const struct cover *with);
void cover_or(struct cover *to, const struct cover *with);
/* The blocks within reach that are not there: section and offset. */
void cover_print_missing(const struct cover *c, FILE *to);

#endif
