// SPDX-License-Identifier: MIT
/*
 * idle - what a pipe costs that nobody uses
 *
 * Makes many of a kind and compares the machine's free memory before and after, which counts
 * everything: the object, its two files, its pages, and what the allocators round up. Pages that
 * wait in the per-processor lists are free too. For a zpipe also what the pipe itself
 * says. A used pipe has moved its capacity and is empty again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "idle.h"
#include "raw.h"
#include "report.h"

#define PIPES		4000
#define USED_PIPES	500
#define MOST_BYTES	16384
#define CAPACITY	(1UL << 20)

/* The sum of what stands behind `name` at the beginning of a line. */
static double numbers_in(const char *path, const char *name)
{
	char line[256], *word;
	double sum = 0;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file)) {
		word = line + strspn(line, " ");
		if (!strncmp(word, name, strlen(name)))
			sum += strtod(word + strlen(name), NULL);
	}
	if (file)
		fclose(file);
	return sum;
}

static double slab_bytes(void)
{
	return numbers_in("/proc/meminfo", "Slab:") * 1024;
}

static double free_bytes(void)
{
	return numbers_in("/proc/meminfo", "MemFree:") * 1024 +
	       numbers_in("/proc/zoneinfo", "count:") * (double)sysconf(_SC_PAGESIZE);
}

static int make_zpipe(struct raw_pipe *pipe)
{
	return raw_create(pipe, 0, 0);
}

static int make_used_zpipe(struct raw_pipe *pipe)
{
	static char bytes[64 << 10];
	int err = raw_create(pipe, 0, 0);

	for (size_t moved = 0; !err && moved < CAPACITY; moved += sizeof(bytes))
		if (write(pipe->writer, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
		    read(pipe->reader, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
			err = -EIO;
	return err;
}

static int make_pipe(struct raw_pipe *pipe)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pipe->reader = fds[0];
	pipe->writer = fds[1];
	return 0;
}

/* What was freed a moment ago is free only when the kernel is sure that nobody looks at it. */
static void settle(void)
{
	sleep(1);
}

/* Bytes per pipe, or -1. */
static double measure(const char *kind, int (*make)(struct raw_pipe *pipe), int nr, bool zpipe)
{
	static struct raw_pipe pipes[PIPES];
	const double free_before = free_bytes(), slab_before = slab_bytes();
	struct zpipe_stat_args stat;
	double used, slab;
	int made = 0, err = 0;

	while (made < nr && !err) {
		err = make(&pipes[made]);
		made += !err;
	}
	used = (free_before - free_bytes()) / nr;
	slab = (slab_bytes() - slab_before) / nr;
	printf("%-13s of %d: memory %.0f, of that slab %.0f bytes each", kind, nr, used, slab);
	if (zpipe && made && !raw_stat(pipes[made - 1].reader, &stat)) {
		const double own = (double)stat.out_control_bytes +
				   (double)stat.out_data_pages * (double)sysconf(_SC_PAGESIZE);

		printf("; STAT: control %llu, data pages %llu",
		       (unsigned long long)stat.out_control_bytes,
		       (unsigned long long)stat.out_data_pages);
		if (own > used)
			used = own;
	}
	printf("%s%s\n", err ? ": " : "", err ? strerror(-err) : "");
	while (made--)
		raw_close(&pipes[made]);
	settle();
	return err ? -1 : used;
}

int idle_report(void)
{
	struct rlimit files = { 3 * PIPES, 3 * PIPES };
	double bytes;

	setrlimit(RLIMIT_NOFILE, &files);
	printf("idle pipes\n");
	bytes = measure("  zpipe", make_zpipe, PIPES, true);
	measure("  pipe", make_pipe, PIPES, false);
	measure("  used zpipe", make_used_zpipe, USED_PIPES, true);
	if (bytes < 0) {
		printf("bytes of an idle pipe: MISS\n");
		return 1;
	}
	return !report_verdict("bytes of an idle pipe", bytes, true, MOST_BYTES);
}
