/* SPDX-License-Identifier: MIT */
/*
 * join.h - two unmodified programs, a zpipe between them
 */
#ifndef DEMO_JOIN_H
#define DEMO_JOIN_H

#include <zpipe.h>

struct join_result {
	struct zp_stat stat;
	double seconds;
	int status;		/* of the second, else of the first program, as a shell has it */
};

/*
 * Runs both, the first's standard output being the writer end and the second's standard input the
 * reader end. The second's standard output is `out`. 0, or a negative errno if it did not come to
 * that.
 */
int join_run(char *const first[], char *const second[], int out, struct join_result *result);

#endif
