/* SPDX-License-Identifier: MIT */
/*
 * model - runs a program of bytes against the chain and a reference beside it
 *
 * The reference knows nothing of descriptors: it is an array that says which
 * stream position each byte of the window holds. Both the unit tests and the
 * fuzzer feed it.
 */
#ifndef ZPIPE_MODEL_H
#define ZPIPE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct model_counts - what a run has seen, so that a test can tell it was not idle
 * @grants: new runs taken
 * @again: plans that had to wait
 * @nobufs: plans that waiting could not help
 * @rollbacks: positions taken back
 * @refused: hostile words refused
 * @bytes: bytes that a reader compared
 * @preserved: bytes that were preserved
 * @budget: preserves refused because no spare slot was left
 */
struct model_counts {
	unsigned long grants;
	unsigned long again;
	unsigned long nobufs;
	unsigned long rollbacks;
	unsigned long refused;
	unsigned long bytes;
	unsigned long preserved;
	unsigned long budget;
};

/* Runs a program; aborts with a message where chain and reference differ. */
void model_run(const uint8_t *program, size_t length, struct model_counts *counts);

#endif /* ZPIPE_MODEL_H */
