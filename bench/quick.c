// SPDX-License-Identifier: MIT
/*
 * quick - what a zpipe gains over a pipe here, in a few seconds: zpipe bench
 */
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "quick.h"
#include "report.h"

/* The columns, in the order in which they run. */
static const struct {
	const struct bench_system *system;
	const char *title;
} columns[] = {
	{ &sys_pipe, "pipe(2)" },
	{ &sys_zpipe_rw, "zpipe, copied" },
	{ &sys_zpipe_mapped, "zpipe, mapped" },
};

#define NR_COLUMNS (sizeof(columns) / sizeof(*columns))

bool quick_wants(const struct bench_system *system)
{
	for (size_t i = 0; i < NR_COLUMNS; i++) {
		if (columns[i].system == system)
			return true;
	}
	return false;
}

/* A line of /proc/cpuinfo has this word. */
static bool processor_has(const char *name, const char *word)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, name, strlen(name)) && strstr(line, word);
	if (f)
		fclose(f);
	return found;
}

/* What the reader of the table should know before believing it. */
static void print_notes(void)
{
	if (processor_has("model name", "TCG"))
		puts("The processor is emulated: everything is slow, and not everything by the "
		     "same factor.\nThe columns say how zpipe and pipe compare here, not on "
		     "hardware.");
	else if (processor_has("flags", " hypervisor"))
		puts("The processor is a virtual machine's: what others do on it shows, and a "
		     "sleep and\na wake-up cost more than on hardware.");
	if (measure_processors() < 2)
		puts("There is one processor: both ends take turns, and nobody is quick.");
}

void quick_report(const struct bench_results *results)
{
	size_t message = 0;

	puts("MB/s of messages that one process writes and another reads, every byte touched.\n");
	printf("%8s", "message");
	for (size_t c = 0; c < NR_COLUMNS; c++)
		printf("  %14s", columns[c].title);
	printf("  %14s\n", "mapped/pipe");
	for (size_t i = 0; i < results->nr_cells; i++) {
		const struct bench_cell *pipe, *mapped;

		if (results->cells[i].config.message == message)
			continue;
		message = results->cells[i].config.message;
		printf("%8s", report_size(message));
		for (size_t c = 0; c < NR_COLUMNS; c++) {
			const struct bench_cell *cell =
				report_find(results, "stream", columns[c].system->name, message);

			if (cell)
				printf("  %14.0f", (double)message * 1e3 / report_ns(cell));
			else
				printf("  %14s", "-");
		}
		pipe = report_find(results, "stream", sys_pipe.name, message);
		mapped = report_find(results, "stream", sys_zpipe_mapped.name, message);
		if (pipe && mapped)
			printf("  %13.1fx", report_ns(pipe) / report_ns(mapped));
		putchar('\n');
	}
	putchar('\n');
	print_notes();
}
