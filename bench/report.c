// SPDX-License-Identifier: MIT
/*
 * report - what the samples say: a table for people, rows for machines, verdicts
 *
 * Every figure is the median of a cell's runs. A ratio is taken within each round, in which the two
 * cells ran one after the other, and is then the median of those. MB/s are 10^6 bytes per
 * second; under icount there is no time,
 * so the table shows instructions and the rows leave the speed empty.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"

struct spread {
	double median, least, most;
};

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
static struct spread spread_over(double *values, unsigned int n)
{
	struct spread s = { 0, 0, 0 };

	qsort(values, n, sizeof(*values), by_value);
	if (n) {
		s.least = values[0];
		s.most = values[n - 1];
		s.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	}
	return s;
}

static struct spread spread_of(const struct bench_cell *cell,
			       double (*value)(const struct bench_sample *sample))
{
	double values[BENCH_REPS] = { 0 };

	for (unsigned int i = 0; i < cell->samples; i++)
		values[i] = value(&cell->sample[i]);
	return spread_over(values, cell->samples);
}

/* How much longer `a` takes than `b`, round by round; above `base`, where one is given. */
static struct spread ratio_of(const struct bench_cell *a, const struct bench_cell *b,
			      const struct bench_cell *base)
{
	double values[BENCH_REPS] = { 0 };

	for (unsigned int i = 0; i < a->samples; i++) {
		double less = base ? base->sample[i].ns : 0;

		values[i] = (a->sample[i].ns - less) / (b->sample[i].ns - less);
	}
	return spread_over(values, a->samples);
}

static double ns_of(const struct bench_sample *sample)
{
	return sample->ns;
}

double report_ns(const struct bench_cell *cell)
{
	return spread_of(cell, ns_of).median;
}

static double writer_calls_of(const struct bench_sample *sample)
{
	return sample->writer_calls;
}

static double reader_calls_of(const struct bench_sample *sample)
{
	return sample->reader_calls;
}

static double mb_per_s(const struct bench_cell *cell, double ns)
{
	return (double)cell->config.message * 1e3 / ns;
}

const char *report_size(size_t bytes)
{
	static char text[4][24];
	static unsigned int turn;
	char *t = text[turn++ % 4];

	if (bytes >= 1 << 20)
		snprintf(t, sizeof(*text), "%zuMiB", bytes >> 20);
	else if (bytes >= 1 << 10)
		snprintf(t, sizeof(*text), "%zuKiB", bytes >> 10);
	else
		snprintf(t, sizeof(*text), "%zuB", bytes);
	return t;
}

static void print_cell(const struct bench_results *results, const struct bench_cell *cell)
{
	const struct spread ns = spread_of(cell, ns_of);
	const double writer = spread_of(cell, writer_calls_of).median;
	const double reader = spread_of(cell, reader_calls_of).median;

	printf("  %-14s %7s ", cell->system->name, report_size(cell->config.message));
	if (results->icount)
		printf("%11.0f (%.0f..%.0f) instructions", ns.median, ns.least, ns.most);
	else if (cell->mode == BENCH_PINGPONG)
		printf("%9.2f (%.2f..%.2f) us", ns.median / 1e3, ns.least / 1e3, ns.most / 1e3);
	else
		printf("%9.1f (%.1f..%.1f) MB/s %12.0f msg/s", mb_per_s(cell, ns.median),
		       mb_per_s(cell, ns.most), mb_per_s(cell, ns.least), 1e9 / ns.median);
	printf("   calls/msg %.6f + %.6f\n", writer, reader);
}

void report_table(const struct bench_results *results)
{
	const struct bench_cell *last = NULL;

	for (size_t i = 0; i < results->nr_cells; i++) {
		const struct bench_cell *cell = &results->cells[i];

		if (!cell->samples)
			continue;
		if (!last || strcmp(last->label, cell->label))
			printf("%s%s, kernel %s: median of %u (least..most), "
			       "calls of writer + reader\n",
			       last ? "\n" : "", cell->label, results->kernel, cell->samples);
		else if (last->config.message != cell->config.message)
			putchar('\n');
		print_cell(results, cell);
		last = cell;
	}
	putchar('\n');
}

void report_csv(FILE *to, const struct bench_results *results, bool header)
{
	if (header)
		fputs("kernel,mode,system,size,mb_per_s,msgs_per_s,ns_per_msg,syscalls_per_msg,"
		      "instr_per_msg\n", to);
	for (size_t i = 0; i < results->nr_cells; i++) {
		const struct bench_cell *cell = &results->cells[i];
		const double ns = spread_of(cell, ns_of).median;
		const double calls = spread_of(cell, writer_calls_of).median +
				     spread_of(cell, reader_calls_of).median;

		if (!cell->samples)
			continue;
		fprintf(to, "%s,%s,%s,%zu,", results->kernel, cell->label, cell->system->name,
			cell->config.message);
		if (results->icount)
			fprintf(to, ",,,%.6f,%.1f\n", calls, ns);
		else
			fprintf(to, "%.1f,%.0f,%.1f,%.6f,\n", mb_per_s(cell, ns), 1e9 / ns, ns,
				calls);
	}
}

void report_latency(FILE *to, const struct bench_results *results, bool header)
{
	static const unsigned int of_1000[] = { 500, 750, 900, 950, 990, 999, 1000 };

	if (header)
		fputs("kernel,mode,system,percentile,ns\n", to);
	for (size_t i = 0; i < results->nr_cells; i++) {
		const struct bench_cell *cell = &results->cells[i];

		for (size_t k = 0; cell->latency.nr && k < sizeof(of_1000) / sizeof(*of_1000); k++)
			fprintf(to, "%s,%s,%s,%.1f,%.0f\n", results->kernel, cell->label,
				cell->system->name, of_1000[k] / 10.0,
				latency_at(&cell->latency, of_1000[k]));
	}
}

bool report_verdict(const char *what, double value, bool most, double need)
{
	const bool kept = most ? value <= need : value >= need;

	printf("%s: %.*f (need %s %g) %s\n", what, value < 0.1 ? 6 : 2, value,
	       most ? "at most" : "at least", need, kept ? "ok" : "MISS");
	return kept;
}

const struct bench_cell *report_find(const struct bench_results *results, const char *label,
				     const char *system, size_t message)
{
	for (size_t i = 0; i < results->nr_cells; i++) {
		const struct bench_cell *cell = &results->cells[i];

		if (cell->samples && cell->config.message == message &&
		    !strcmp(cell->label, label) && !strcmp(cell->system->name, system))
			return cell;
	}
	return NULL;
}

/* The promises. The ratio is of speed, or of cost: what the system has over the other. */
struct promise {
	const struct bench_system *system;
	const char *label, *than;
	size_t message;
	bool cost;
	double need;
	bool moving;		/* only what moving costs, above the loops of the workload */
};

static const struct promise promises[] = {
	{ &sys_zpipe_mapped, "stream", "memfd-ring", 64, false, 0.9, false },
	{ &sys_zpipe_mapped, "stream", "memfd-ring", 1024, false, 0.9, false },
	{ &sys_zpipe_mapped, "stream", "memfd-ring", 4096, false, 0.9, false },
	{ &sys_zpipe_mapped, "stream", "memfd-ring", 65536, false, 0.9, false },
	{ &sys_zpipe_mapped, "stream", "memfd-ring", 1048576, false, 0.9, false },
	{ &sys_zpipe_mapped, "stream", "pipe", 64, false, 10, false },
	{ &sys_zpipe_mapped, "stream", "pipe", 65536, false, 3, false },
	{ &sys_zpipe_mapped, "pingpong", "pipe", 64, false, 1, false },
	{ &sys_zpipe_mapped, "icount-1p", "memfd-ring", 64, true, 1.15, false },
	{ &sys_zpipe_guarded, "stream", "pipe", 65536, false, 1, false },
	{ &sys_zpipe_guarded, "stream", "pipe", 1048576, false, 2, false },
	{ &sys_zpipe_guarded, "icount", "pipe", 65536, true, 1, false },
	{ &sys_zpipe_guarded, "icount", "pipe", 1048576, true, 0.5, true },
};

#define MOST_CALLS	0.001	/* per side and message of 64 bytes, exclusive */

int report_verdicts(const struct bench_results *results)
{
	const struct bench_cell *mapped, *than, *loops;
	int missed = 0;
	char what[120];

	for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++) {
		const struct promise *p = &promises[i];
		struct spread ratio;

		mapped = report_find(results, p->label, p->system->name, p->message);
		than = report_find(results, p->label, p->than, p->message);
		loops = p->moving ? report_find(results, "icount-1p", sys_memory.name,
						p->message) : NULL;
		if (!mapped || !than || (p->moving && !loops))
			continue;
		if (loops)
			printf("with the stores and loads of the program, too: %.2f\n",
			       ratio_of(mapped, than, NULL).median);
		ratio = p->cost ? ratio_of(mapped, than, loops) : ratio_of(than, mapped, loops);
		snprintf(what, sizeof(what), "%s %s %s/%s %s%s (%.2f..%.2f)", p->label,
			 p->cost ? "cost" : "speed", mapped->system->name, p->than,
			 report_size(p->message), p->moving ? " moving" : "", ratio.least,
			 ratio.most);
		missed += !report_verdict(what, ratio.median, p->cost, p->need);
	}
	mapped = report_find(results, "stream", sys_zpipe_mapped.name, 64);
	if (mapped) {
		missed += !report_verdict("system calls per 64B message, writer",
					  spread_of(mapped, writer_calls_of).median, true,
					  MOST_CALLS);
		missed += !report_verdict("system calls per 64B message, reader",
					  spread_of(mapped, reader_calls_of).median, true,
					  MOST_CALLS);
	}
	return missed;
}
