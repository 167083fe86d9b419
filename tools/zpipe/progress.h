/* SPDX-License-Identifier: MIT */
/*
 * progress - a line on standard error that says how far a copy is
 *
 * Bytes, time, rate, and, where the size is known, percent and the time that is left. A thread
 * prints it, so that it goes on when nothing moves; the copy itself only counts.
 */
#ifndef ZPIPE_PROGRESS_H
#define ZPIPE_PROGRESS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <time.h>

struct progress {
	uint64_t size;		/* of all; 0: not known */
	double interval;	/* seconds; 0: nobody wants to see it */
	uint64_t done;		/* atomic */
	struct timespec begin;
	pthread_t thread;
	sem_t end;
};

/* Starts the line, if there is to be one: 0 or an errno. */
int progress_begin(struct progress *progress);
/* So many bytes in all have gone. */
void progress_set(struct progress *progress, uint64_t done);
/* The last line, and its end. */
void progress_end(struct progress *progress);

#endif
