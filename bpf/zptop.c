// SPDX-License-Identifier: MIT
/*
 * zptop - what goes through each zpipe now, who sends and who reads, and who is waiting for whom
 *
 * The program in the kernel counts; every interval the tables are read and shown: on a terminal as
 * a table that stays, else as text, JSON or CSV.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "zptop_screen.h"
#include "zptop_show.h"
#include "zptop.skel.h"

enum output { TEXT, JSON, CSV };

static struct {
	struct zb_opts common;
	uint64_t rows;
	enum output output;
	bool batch;
	bool once;
	const char *record;
	struct zptop_choice choice;
} opts = { .common = { .interval = 1000000000, .pipes = ZB_PIPES } };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Show every so often (1)", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many intervals", 0 },
	{ "once", '1', NULL, 0, "Show one table: after an interval, or when COMMAND has ended", 0 },
	{ "sort", 's', "KEY", 0, "rate (the default), messages, segments, held, unexamined, fill, "
	  "paused, waiting, wakes, copies, preserved or pipe", 0 },
	{ "reverse", 'r', NULL, 0, "The smallest first", 0 },
	{ "rows", 'n', "NUMBER", 0, "Show so many rows at most", 0 },
	{ "processes", 'P', NULL, 0, "One row for each process, over all its pipes", 0 },
	{ "pipe", 'p', "ID", 0, "Only this pipe", 0 },
	{ "batch", 'b', NULL, 0, "Print text, also on a terminal", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object for each interval", 0 },
	{ "csv", 'C', NULL, 0, "Print CSV, one line for each pipe and interval", 0 },
	{ "record", 'w', "FILE", 0, "Write CSV to FILE as well, for zpipe plot", 0 },
	{ "max-pipes", 'm', "NUMBER", 0, "Room for so many pipes (16384)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case '1':
		opts.once = true;
		break;
	case 's':
		opts.choice.key = zptop_key(arg);
		if (opts.choice.key < 0)
			argp_error(state, "there is no key '%s'; --help lists them", arg);
		break;
	case 'r':
		opts.choice.reverse = true;
		break;
	case 'n':
		opts.rows = zb_number(state, "--rows", arg, 1, UINT32_MAX);
		break;
	case 'P':
		opts.choice.processes = true;
		break;
	case 'b':
		opts.batch = true;
		break;
	case 'j':
		opts.output = JSON;
		break;
	case 'C':
		opts.output = CSV;
		break;
	case 'w':
		opts.record = arg;
		break;
	default:
		return zb_parse(&opts.common, key, arg, state);
	}
	return 0;
}

static const struct argp_child children[] = { ZB_ARGP_CHILD, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG]...]",
	.doc = "Shows what goes through each zpipe, and who waits for whom."
	       "\vUntil COMMAND ends, until a signal, or until q is pressed.",
	.children = children,
};

static void print(struct zptop_sample *sample, bool first)
{
	switch (opts.output) {
	case JSON:
		zptop_show_json(stdout, sample);
		break;
	case CSV:
		if (first)
			zptop_show_csv_head(stdout);
		zptop_show_csv(stdout, sample);
		break;
	case TEXT:
		zptop_show_text(stdout, sample, opts.choice.processes, opts.rows);
		break;
	}
	fflush(stdout);
}

/* Until the deadline; keys are looked at meanwhile. */
static int pass_time(uint64_t deadline, bool live, struct zptop_sample *sample)
{
	int why;

	do {
		why = zb_wait(deadline, live ? STDIN_FILENO : -1);
		if (why != ZB_READY || !live)
			continue;
		if (!zptop_screen_input(&opts.choice))
			return ZB_STOP;
		zptop_rows_sort(sample, opts.choice.key, opts.choice.reverse);
		zptop_screen_draw(sample, &opts.choice);
	} while (why == ZB_READY);
	return why;
}

static int watch(struct zptop_bpf *skel, struct zptop_rows *all, FILE *record)
{
	struct zptop_sample sample = { 0 };
	uint64_t turn = 0, deadline;
	int why, ret = 0;
	bool live;

	live = opts.output == TEXT && !opts.batch && !opts.once && !opts.common.command &&
	       zptop_screen_begin();
	deadline = zb_now();
	if (live && !zptop_rows_sample(all, &sample))
		zptop_screen_draw(&sample, &opts.choice);
	do {
		/* After a turn longer than an interval the next ones are not in a hurry. */
		deadline += opts.common.interval;
		if (deadline < zb_now())
			deadline = zb_now() + opts.common.interval;
		if (opts.once && opts.common.command)
			deadline = UINT64_MAX / 2;
		why = pass_time(deadline, live, &sample);
		if (live && why == ZB_STOP)
			break;
		ret = zptop_rows_sample(all, &sample);
		if (ret)
			break;
		sample.lost = skel->bss->lost;
		if (record)
			zptop_show_csv(record, &sample);
		zptop_rows_sort(&sample, opts.choice.key, opts.choice.reverse);
		if (live)
			zptop_screen_draw(&sample, &opts.choice);
		else
			print(&sample, !turn);
		turn++;
	} while (why == ZB_TIME && !opts.once && (!opts.common.count || turn < opts.common.count));
	zptop_screen_end();
	zb_lost(skel->bss->lost);
	return ret;
}

int main(int argc, char **argv)
{
	struct zptop_bpf *skel;
	struct zptop_rows *all;
	FILE *record = NULL;
	int ret;

	zb_main("what goes through each zpipe");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zptop_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	bpf_map__set_max_entries(skel->maps.pipes, (uint32_t)opts.common.pipes);
	bpf_map__set_max_entries(skel->maps.ends,
				 (uint32_t)opts.common.pipes * ZPTOP_ENDS_PER_PIPE);
	if (zb_attach(skel->skeleton))
		return 1;
	skel->bss->started = zb_now();
	zb_start(&skel->bss->attached);
	if (opts.record) {
		record = fopen(opts.record, "we");
		if (!record)
			return zb_say("cannot write %s: %s", opts.record, strerror(errno)), 1;
		zptop_show_csv_head(record);
	}
	all = zptop_rows_new(bpf_map__fd(skel->maps.pipes), bpf_map__fd(skel->maps.ends),
			     opts.common.pipes, opts.common.pipe);
	if (!all)
		return zb_say("no memory for %llu pipes", (unsigned long long)opts.common.pipes), 1;
	if (zb_run(opts.common.command))
		return 1;
	ret = watch(skel, all, record);
	if (record && (ferror(record) | fclose(record)))
		ret = zb_say("cannot write %s: %s", opts.record, strerror(errno));
	zptop_rows_free(all);
	zptop_bpf__destroy(skel);
	return ret ? 1 : zb_status();
}
