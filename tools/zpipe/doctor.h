/* SPDX-License-Identifier: MIT */
/*
 * doctor - a finding, and what the checks know of each other
 */
#ifndef ZPIPE_DOCTOR_H
#define ZPIPE_DOCTOR_H

#include <stdbool.h>

#include "json.h"

enum verdict {
	VERDICT_OK,
	VERDICT_NOTE,	/* works, but something is missing or tight */
	VERDICT_BAD,
	VERDICT_SKIP,	/* an earlier finding stands in the way */
};

struct doctor {
	bool json;
	struct json out;
	unsigned int bad;
	bool has_module;
	bool has_device;
};

/* Remedy is NULL where none is needed. */
__attribute__((format(printf, 5, 6)))
void report(struct doctor *doctor, enum verdict verdict, const char *what, const char *remedy,
	    const char *format, ...);

/* What only some tools need: tracing, BPF, other programs, completion. */
void check_tools(struct doctor *doctor);

#endif
