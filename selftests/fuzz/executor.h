/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * executor - runs programs of the fuzzer, in a child that closes all that a program had
 *
 * Where that cannot be (somebody still sleeps, or is nobody special any more), and when a program
 * takes too long, another child goes on. The home of the table of calls, see program.h.
 */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "cover.h"
#include "program.h"

/*
 * What programs need of the machine: small pipes, allocations that can fail and, if wanted, the
 * events of the module. A call that sleeps longer than the limit, in ms, is interrupted.
 */
void executor_prepare(int limit, bool events);
/* Runs a program and says what it has reached; false when it was killed and does not end. */
bool executor_run(const struct program *p, struct cover *cover);
/* And puts the parameters of the module back. */
void executor_stop(void);
/* How many programs were killed. */
unsigned long executor_killed(void);

/* The time since some point in the past. */
uint64_t fuzz_now_ns(void);

#endif
