// SPDX-License-Identifier: MIT
/*
 * progress - a line on standard error that says how far a copy is
 */
#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "progress.h"

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* Three digits and a unit. */
static const char *short_size(double bytes, char *text, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;
	int digits;

	while (bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(*units)) {
		bytes /= 1024;
		unit++;
	}
	if (unit == 0 || bytes >= 100)
		digits = 0;
	else
		digits = bytes < 10 ? 2 : 1;
	snprintf(text, size, "%.*f%s", digits, bytes, units[unit]);
	return text;
}

static const char *short_time(double seconds, char *text, size_t size)
{
	const unsigned long whole = seconds < 1e8 ? (unsigned long)seconds : 100000000;

	snprintf(text, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
	return text;
}

/*
 * The rate is that since the line before, and at the end that of all; the time that is left
 * follows from that of all, which jumps less.
 */
static void print_line(const struct progress *progress, uint64_t before, double spent, bool last)
{
	const uint64_t done = __atomic_load_n(&progress->done, __ATOMIC_RELAXED);
	const double elapsed = seconds_since(&progress->begin);
	const double seconds = last ? elapsed : elapsed - spent;
	const double moved = (double)(last ? done : done - before);
	char bytes[32], rate[32], took[32], left[32], end[64] = "";

	if (progress->size && done) {
		const double part = (double)done / (double)progress->size;
		const double rest = part < 1 ? elapsed / part - elapsed : 0;

		if (last)
			snprintf(end, sizeof(end), " %3.0f%%", part * 100);
		else
			snprintf(end, sizeof(end), " %3.0f%% ETA %s", part * 100,
				 short_time(rest, left, sizeof(left)));
	}
	fprintf(stderr, "%s%7s %s [%s/s]%s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "",
		short_size((double)done, bytes, sizeof(bytes)),
		short_time(elapsed, took, sizeof(took)),
		short_size(seconds > 0 ? moved / seconds : 0, rate, sizeof(rate)), end,
		last || !isatty(STDERR_FILENO) ? "\n" : "");
}

static void *print_lines(void *arg)
{
	struct progress *progress = arg;
	uint64_t before = 0, now;
	struct timespec until = progress->begin;
	double spent = 0;

	for (;;) {
		const double next = (double)until.tv_nsec / 1e9 + progress->interval;
		int ret;

		until.tv_sec += (time_t)next;
		until.tv_nsec = (long)((next - (double)(time_t)next) * 1e9);
		do
			ret = sem_clockwait(&progress->end, CLOCK_MONOTONIC, &until);
		while (ret && errno == EINTR);
		if (!ret)
			return NULL;
		now = __atomic_load_n(&progress->done, __ATOMIC_RELAXED);
		print_line(progress, before, spent, false);
		before = now;
		spent = seconds_since(&progress->begin);
	}
}

int progress_begin(struct progress *progress)
{
	if (progress->interval <= 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &progress->begin);
	sem_init(&progress->end, 0, 0);
	return pthread_create(&progress->thread, NULL, print_lines, progress);
}

void progress_set(struct progress *progress, uint64_t done)
{
	__atomic_store_n(&progress->done, done, __ATOMIC_RELAXED);
}

void progress_end(struct progress *progress)
{
	if (progress->interval <= 0)
		return;
	sem_post(&progress->end);
	pthread_join(progress->thread, NULL);
	sem_destroy(&progress->end);
	print_line(progress, 0, 0, true);
}
