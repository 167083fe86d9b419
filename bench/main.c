// SPDX-License-Identifier: MIT
/*
 * main - the plan: which systems, modes and sizes, in which order
 *
 * Every cell is calibrated once to the same length. Then all cells run once, all cells run a second
 * time, and so on, so that a machine that is slower for a while is slower for all of them.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "flush.h"
#include "forward.h"
#include "idle.h"
#include "measure.h"
#include "pipeline.h"
#include "preserve.h"
#include "quick.h"
#include "report.h"
#include "tee.h"
#include "views.h"

/* What is compared with each other runs one after the other. */
static const struct bench_system *const systems[] = {
	&sys_zpipe_mapped, &sys_memfd, &sys_pipe, &sys_zpipe_ioctl, &sys_zpipe_guarded,
	&sys_zpipe_rw, &sys_unix, &sys_vmsplice, &sys_memory,
};

static const size_t sizes[] = { 64, 1024, 4096, 65536, 1048576 };

#define NR_SYSTEMS	(sizeof(systems) / sizeof(*systems))
#define NR_SIZES	(sizeof(sizes) / sizeof(*sizes))
#define MAX_CELLS	(NR_SYSTEMS * (2 * NR_SIZES + 3))

#define CAPACITY	(1UL << 20)
#define CAPACITY_LARGE	(4UL << 20)	/* for messages of 1 MiB */

static struct options {
	bool icount;
	bool alone;
	bool idle;
	bool flush;
	bool tee;
	bool forward;
	bool preserve;
	bool views;
	bool pipeline;
	bool quick;
	bool no_header;
	unsigned int reps;
	unsigned int spins;
	double target;			/* nanoseconds */
	const char *csv, *latency, *only, *mode, *kernel;
	size_t size;
} options = { .spins = BENCH_SPINS };

static const struct argp_option known[] = {
	{ "icount", 'i', NULL, 0, "The clock counts instructions (scripts/vm --icount)", 0 },
	{ "alone", 'a', NULL, 0,
	  "Also one process that is both ends (--icount does so anyway)", 0 },
	{ "idle", 'd', NULL, 0, "Only weigh idle pipes", 0 },
	{ "forward", 'F', NULL, 0, "Only compare forward (with --icount)", 0 },
	{ "flush", 'f', NULL, 0, "Only what each step of a message costs, guarded or not", 0 },
	{ "preserve", 'P', NULL, 0, "Only weigh preserve and release (with --icount)", 0 },
	{ "pipeline", 'p', NULL, 0, "Only compare zpipe run with the shell's pipe", 0 },
	{ "quick", 'q', NULL, 0, "Only compare with pipe(2), in a few seconds: zpipe bench", 0 },
	{ "tee", 'T', NULL, 0, "Only compare tee (with --icount)", 0 },
	{ "views", 'w', NULL, 0, "Only weigh views, cursors and what a message allocates", 0 },
	{ "reps", 'r', "N", 0, "Runs of each cell, at most 5", 0 },
	{ "target", 't', "MS", 0, "Length of a run (300; with --icount 50)", 0 },
	{ "spins", 's', "N", 0, "Polls before sleeping, on two processors (500)", 0 },
	{ "only", 'o', "SYSTEM", 0, "This system only; may be a part of its name", 0 },
	{ "mode", 'm', "MODE", 0, "This mode only", 0 },
	{ "size", 'z', "BYTES", 0, "Messages of this size only", 0 },
	{ "csv", 'c', "FILE", 0, "Write the rows there", 0 },
	{ "latency", 'l', "FILE", 0, "Write percentiles of the round trips there", 0 },
	{ "no-header", 'n', NULL, 0, "... without the line of column names", 0 },
	{ "kernel", 'k', "NAME", 0, "What the kernel column says (its release)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'i':
		options.icount = true;
		break;
	case 'a':
		options.alone = true;
		break;
	case 'd':
		options.idle = true;
		break;
	case 'F':
		options.forward = true;
		break;
	case 'f':
		options.flush = true;
		break;
	case 'P':
		options.preserve = true;
		break;
	case 'T':
		options.tee = true;
		break;
	case 'p':
		options.pipeline = true;
		break;
	case 'q':
		options.quick = true;
		break;
	case 'w':
		options.views = true;
		break;
	case 'r':
		options.reps = (unsigned int)strtoul(arg, NULL, 0);
		if (!options.reps || options.reps > BENCH_REPS)
			argp_error(state, "runs: 1 to %d", BENCH_REPS);
		break;
	case 't':
		options.target = strtod(arg, NULL) * 1e6;
		break;
	case 's':
		options.spins = (unsigned int)strtoul(arg, NULL, 0);
		break;
	case 'o':
		options.only = arg;
		break;
	case 'm':
		options.mode = arg;
		break;
	case 'z':
		options.size = strtoul(arg, NULL, 0);
		break;
	case 'c':
		options.csv = arg;
		break;
	case 'l':
		options.latency = arg;
		break;
	case 'n':
		options.no_header = true;
		break;
	case 'k':
		options.kernel = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void add(struct bench_results *results, const struct bench_system *system,
		enum bench_mode mode, const char *label, size_t message, unsigned int spins)
{
	struct bench_cell *cell = &results->cells[results->nr_cells];

	if ((options.only && !strstr(system->name, options.only)) ||
	    (options.mode && strcmp(options.mode, label)) ||
	    (options.size && options.size != message) ||
	    (system->alone_only && mode != BENCH_ALONE) ||
	    (options.quick && (mode != BENCH_STREAM || !quick_wants(system))) ||
	    (system->zpipe && access("/dev/zpipe", F_OK)))
		return;
	*cell = (struct bench_cell) {
		.system = system,
		.mode = mode,
		.label = label,
		.config = {
			.message = message,
			.capacity = message < CAPACITY ? CAPACITY : CAPACITY_LARGE,
			.spins = spins,
		},
	};
	if (mode != BENCH_ALONE || measure_batch(cell))
		results->nr_cells++;
}

static void plan(struct bench_results *results)
{
	const unsigned int spins = measure_processors() > 1 ? options.spins : 0;
	const bool icount = options.icount;

	for (size_t z = 0; z < NR_SIZES; z++)
		for (size_t s = 0; s < NR_SYSTEMS; s++)
			add(results, systems[s], BENCH_STREAM,
			    icount ? "icount" : "stream", sizes[z],
			    spins);
	for (size_t s = 0; s < NR_SYSTEMS; s++)
		add(results, systems[s], BENCH_PINGPONG,
		    icount ? "icount-pingpong" : "pingpong", 64,
		    spins);
	for (size_t s = 0; s < NR_SYSTEMS && spins; s++)
		if (systems[s]->spins)
			add(results, systems[s], BENCH_PINGPONG, "pingpong-nospin", 64, 0);
	for (size_t z = 0; z < NR_SIZES && (icount || options.alone); z++)
		for (size_t s = 0; s < NR_SYSTEMS; s++)
			add(results, systems[s], BENCH_ALONE,
			    icount ? "icount-1p" : "alone", sizes[z],
			    0);
}

static int run(struct bench_results *results)
{
	for (size_t i = 0; i < results->nr_cells; i++)
		if (measure_calibrate(&results->cells[i], options.target))
			return -1;
	for (unsigned int rep = 0; rep < options.reps; rep++) {
		if (!options.quick)
			fprintf(stderr, "bench: run %u of %u\n", rep + 1, options.reps);
		for (size_t i = 0; i < results->nr_cells; i++) {
			struct bench_cell *cell = &results->cells[i];

			if (measure_once(cell, &cell->sample[cell->samples], &cell->latency))
				return -1;
			cell->samples++;
		}
	}
	return 0;
}

static int write_rows(const char *name, const struct bench_results *results,
		      void (*rows)(FILE *to, const struct bench_results *results, bool header))
{
	FILE *to = fopen(name, "w");

	if (to)
		rows(to, results, !options.no_header);
	if (to && !fclose(to))
		return 0;
	fprintf(stderr, "bench: %s: %s\n", name, strerror(errno));
	return -1;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = known, .parser = parse,
		.doc = "Measures zpipe against its peers, in one run.\v"
		       "Status: 0 when every promise is kept, 1 when one is missed, 2 for an error.",
	};
	static struct bench_cell cells[MAX_CELLS];
	struct bench_results results = { .cells = cells };
	struct utsname machine;
	int missed;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (!options.target)
		options.target = options.quick ? 100e6 : options.icount ? 50e6 : 300e6;
	if (!options.reps)
		options.reps = options.quick ? 3 : BENCH_REPS;
	uname(&machine);
	results.kernel = options.kernel ? options.kernel : machine.release;
	results.icount = options.icount;
	if (options.views)
		return views_report(options.icount) ? 1 : 0;
	if (options.quick && access("/dev/zpipe", F_OK)) {
		fputs("bench: there is no /dev/zpipe: see zpipe doctor\n", stderr);
		return 2;
	}
	if (access("/dev/zpipe", F_OK))
		fputs("bench: no /dev/zpipe: peers only\n", stderr);
	else if (options.pipeline)
		return pipeline_report() ? 1 : 0;
	else if (options.idle)
		return idle_report() ? 1 : 0;
	else if (options.forward)
		return forward_report() ? 1 : 0;
	else if (options.flush)
		return flush_report() ? 2 : 0;
	else if (options.preserve)
		return preserve_report() ? 1 : 0;
	else if (options.tee)
		return tee_report() ? 1 : 0;

	plan(&results);
	if (run(&results))
		return 2;
	if (options.quick) {
		quick_report(&results);
		return 0;
	}
	report_table(&results);
	missed = report_verdicts(&results);
	if (!options.icount && !options.only && !options.mode && !options.size &&
	    !access("/dev/zpipe", F_OK))
		missed += idle_report() + views_report(options.icount) + pipeline_report();
	if (options.icount && !options.only && !options.mode && !options.size &&
	    !access("/dev/zpipe", F_OK))
		missed += tee_report() + forward_report() + preserve_report() +
			  views_report(options.icount);
	if (options.csv && write_rows(options.csv, &results, report_csv))
		return 2;
	if (options.latency && write_rows(options.latency, &results, report_latency))
		return 2;
	return missed ? 1 : 0;
}
