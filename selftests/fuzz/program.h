/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * program - programs of the fuzzer: their text, their changes, and their form in C
 *
 * The text has one call a line: `[thread:] name argument...`, or `fork mode lines`, whose next
 * lines are for a child. An argument is a number, or a letter and the number of a slot, and what is
 * to be added: `alloc f0 p0+0x1000 4096 0x10000 0x1 0`. What begins with # is a remark.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>
#include <stdio.h>

#define MOST_CALLS	64
#define MOST_PROGRAM_ARGS	9

/* What a program may say instead of a call. */
#define CALL_FORK	(-1)

struct argument {
	char base;	/* 0; slots f, m, h; positions of an fd g, p, e, c; v: a handle's value */
	uint8_t slot;
	uint64_t offset;
};

struct call {
	int what;	/* index into the table, or CALL_FORK: mode and lines are its arguments */
	int thread;
	struct argument a[MOST_PROGRAM_ARGS];
};

struct program {
	int nr;
	struct call call[MOST_CALLS];
};

/* The table that calls.h has, as the executor sees it. */
struct call_kind {
	const char *name;
	const char *args;
	long (*call)(const uint64_t *a);
};

extern const struct call_kind call_kinds[];
extern const int nr_call_kinds;

/* 0, or the line that is wrong. */
int program_parse(struct program *p, const char *text);
void program_print(const struct program *p, FILE *to);
void program_print_c(const struct program *p, FILE *to);
void program_drop(struct program *p, int at);
/* Another program: a changed, perhaps with something of b. */
void program_mutate(struct program *p, const struct program *b, uint64_t *seed);
int program_has(const struct program *p, const char *name);

uint64_t fuzz_random(uint64_t *seed);

#endif
