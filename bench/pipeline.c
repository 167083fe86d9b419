// SPDX-License-Identifier: MIT
/*
 * pipeline - zpipe run beside the shell's pipe, with the same programs
 *
 * cat FILE into one cat or two, the last of them into /dev/null. From the start of the pipeline to
 * its end, one way and then the other, five times; a ratio is taken within each round.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "pipeline.h"
#include "report.h"

#define ROUNDS	5
/* The programs have to start, too, which is not to be what is measured. */
#define BYTES	(256UL << 20)

/* Nanoseconds; negative when it failed. */
static double time_of(char *const argv[])
{
	const uint64_t begin = clock_ns();
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return -1;
	return (double)(clock_ns() - begin);
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How much quicker zpipe is; negative when something failed. */
static double ratio_of(char *zpipe, char *first, bool three)
{
	char last[] = "cat >/dev/null", middle[] = "cat", by_shell[256];
	char *const run[] = { zpipe, (char *)"run", first, three ? middle : last,
			      three ? last : NULL, NULL };
	char *const shell[] = { (char *)"sh", (char *)"-c", by_shell, NULL };
	double ratio[ROUNDS], ours = 0, its = 0;

	snprintf(by_shell, sizeof(by_shell), "%s %s| %s", first, three ? "| cat " : "", last);
	for (int i = -1; i < ROUNDS; i++) {
		const double a = time_of(shell), b = time_of(run);

		if (a < 0 || b < 0)
			return -1;
		/* The first round warms up. */
		if (i < 0)
			continue;
		ratio[i] = a / b;
		its += a / ROUNDS;
		ours += b / ROUNDS;
	}
	qsort(ratio, ROUNDS, sizeof(*ratio), compare);
	printf("  %d commands: shell %.0f MB/s, zpipe run %.0f MB/s (%.2f..%.2f)\n", three ? 3 : 2,
	       (double)BYTES * 1e3 / its, (double)BYTES * 1e3 / ours, ratio[0], ratio[ROUNDS - 1]);
	return ratio[ROUNDS / 2];
}

/* The command of this build tree, else the one that is installed. */
static void find_zpipe(char *path, size_t size)
{
	char own[4096];
	const ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *end;

	own[length > 0 ? length : 0] = '\0';
	end = strrchr(own, '/');
	snprintf(path, size, "%.*s/../tools/zpipe", end ? (int)(end - own) : 0, own);
	if (access(path, X_OK))
		snprintf(path, size, "zpipe");
}

int pipeline_report(void)
{
	const int fd = memfd_create("bench", 0);
	char zpipe[4200], first[64];
	double two, three;

	if (fd < 0 || ftruncate(fd, (off_t)BYTES)) {
		fprintf(stderr, "bench: pipeline: %s\n", strerror(errno));
		return 1;
	}
	find_zpipe(zpipe, sizeof(zpipe));
	snprintf(first, sizeof(first), "cat /proc/%d/fd/%d", getpid(), fd);
	printf("cat FILE | cat >/dev/null, %s\n", report_size(BYTES));
	fflush(stdout);
	two = ratio_of(zpipe, first, false);
	three = ratio_of(zpipe, first, true);
	close(fd);
	if (two < 0 || three < 0) {
		fprintf(stderr, "bench: pipeline: %s run, or the shell, failed\n", zpipe);
		return 1;
	}
	return !report_verdict("speed zpipe run / shell, cat | cat", two, false, 1) +
	       !report_verdict("speed zpipe run / shell, cat | cat | cat", three, false, 1);
}
