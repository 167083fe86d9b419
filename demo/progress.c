// SPDX-License-Identifier: MIT
/*
 * progress - how far it is: a bar on a terminal, otherwise a line for each quarter
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define WIDTH	40U

uint64_t demo_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void demo_progress(uint64_t done, uint64_t total, uint64_t started_ns)
{
	static unsigned int quarters;
	const double part = total ? (double)done / (double)total : 1;
	const double seconds = (double)(demo_now() - started_ns) / 1e9;
	const double speed = seconds > 0 ? (double)done / 1e6 / seconds : 0;
	const unsigned int filled = (unsigned int)(part * WIDTH);

	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\r  [%.*s%*s] %3.0f%%  %6.1f MB/s ", (int)filled,
			"########################################", (int)(WIDTH - filled), "",
			part * 100, speed);
		if (done >= total)
			fputc('\n', stderr);
	} else if (part * 4 >= quarters + 1) {
		quarters = (unsigned int)(part * 4);
		fprintf(stderr, "  %3.0f%%  %6.1f MB/s\n", part * 100, speed);
	}
}
