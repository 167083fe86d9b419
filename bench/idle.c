// SPDX-License-Identifier: MIT
/*
 * idle - what a pipe costs that nobody uses
 *
 * Makes a thousand of a kind and compares the machine's free memory before and after, which counts
 * everything: the object, its two files, its pages, and what the allocators round up. For a zpipe
 * also what the pipe itself says. A used pipe has moved its capacity and is empty again.
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

#define PIPES		1000
#define MOST_BYTES	16384
#define CAPACITY	(1UL << 20)

static double meminfo(const char *name)
{
	char line[128];
	double kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			kib = strtod(line + strlen(name), NULL);
	if (file)
		fclose(file);
	return kib * 1024;
}

static int make_zpipe(struct raw_pipe *pipe)
{
	return raw_create(pipe, 0);
}

static int make_used_zpipe(struct raw_pipe *pipe)
{
	static char bytes[64 << 10];
	int err = raw_create(pipe, 0);

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

/* Bytes per pipe, or -1. */
static double measure(const char *kind, int (*make)(struct raw_pipe *pipe), bool zpipe)
{
	static struct raw_pipe pipes[PIPES];
	const double free_before = meminfo("MemFree:"), slab_before = meminfo("Slab:");
	struct zpipe_stat_args stat;
	double used, slab;
	int made = 0, err = 0;

	while (made < PIPES && !err) {
		err = make(&pipes[made]);
		made += !err;
	}
	used = (free_before - meminfo("MemFree:")) / (made ? made : 1);
	slab = (meminfo("Slab:") - slab_before) / (made ? made : 1);
	printf("%-12s of %d: memory %.0f, of that slab %.0f bytes each", kind, made, used, slab);
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
	return err ? -1 : used;
}

int idle_report(void)
{
	struct rlimit files = { 4 * PIPES, 4 * PIPES };
	double bytes;

	setrlimit(RLIMIT_NOFILE, &files);
	/* The first round fills the caches of the allocators. */
	printf("idle pipes\n");
	measure("  (first)", make_zpipe, true);
	measure("  pipe", make_pipe, false);
	bytes = measure("  zpipe", make_zpipe, true);
	measure("  used zpipe", make_used_zpipe, true);
	if (bytes < 0) {
		printf("bytes of an idle pipe: MISS\n");
		return 1;
	}
	return !report_verdict("bytes of an idle pipe", bytes, true, MOST_BYTES);
}
