// SPDX-License-Identifier: MIT
/*
 * list - one line for each zpipe fd of the processes that the caller may see
 */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/zpipe.h>

#include "command.h"
#include "ends.h"
#include "json.h"
#include "machine.h"

struct options {
	pid_t pid;
	bool one_pipe;
	uint64_t pipe;
	bool json;
	bool look;
};

static const struct argp_option options_of[] = {
	{ "pid", 'p', "PID", 0, "only this process", 0 },
	{ "pipe", 'i', "ID", 0, "only this pipe", 0 },
	{ "look", 'l', NULL, 0, "have the kernel look at the shared words first", 0 },
	{ "json", 'j', NULL, 0, "JSON: an array with one object for each fd", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	long long number;

	switch (key) {
	case 'p':
		number = parse_number(arg, "process id");
		if (number < 1 || number > INT32_MAX)
			exit(STATUS_USAGE);
		options->pid = (pid_t)number;
		return 0;
	case 'i':
		number = parse_number(arg, "number of a pipe");
		if (number < 0)
			exit(STATUS_USAGE);
		options->pipe = (uint64_t)number;
		options->one_pipe = true;
		return 0;
	case 'l':
		options->look = true;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void put_flags(FILE *out, uint64_t flags)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ ZPIPE_F_CONTIG, "contig" },
		{ ZPIPE_F_NONBLOCK, "nonblock" },
		{ ZPIPE_F_GUARDED, "guarded" },
		{ ZPIPE_F_POSTED, "posted" },
	};
	const char *comma = "";

	if (!flags)
		fputc('-', out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & names[i].bit))
			continue;
		fprintf(out, "%s%s", comma, names[i].name);
		flags &= ~names[i].bit;
		comma = ",";
	}
	if (flags)
		fprintf(out, "%s%#" PRIx64, comma, flags);
}

/* Which errno it ended with, or -1 when it goes on; a reader of several has its own. */
static int error_of(const struct end *end, const char *role)
{
	const char *text;
	char name[32];

	snprintf(name, sizeof(name), "%s-ended", role);
	text = end_text(end, name);
	if (end_is_over(end) && end_is(end, role) && (!text || *text == '-'))
		text = end_text(end, "detached");
	return text ? (int)strtol(text, NULL, 10) : -1;
}

/* "writer", or "reader=EPROTO": who has ended, and with which error if with any. */
static void put_ended(FILE *out, const struct end *end)
{
	static const char *const roles[] = { "writer", "reader" };
	const char *comma = "";

	for (size_t i = 0; i < 2; i++) {
		const int number = error_of(end, roles[i]);
		const char *error = number ? strerrorname_np(number) : NULL;

		if (number < 0)
			continue;
		fprintf(out, "%s%s", comma, roles[i]);
		comma = ",";
		if (error)
			fprintf(out, "=%s", error);
		else if (number)
			fprintf(out, "=%d", number);
	}
	if (!*comma)
		fputc('-', out);
}

/* A pipe, pool or buffer in the words of the table. */
struct row {
	char pipe[32];
	char *flags;
	char *ended;
	uint64_t capacity;
	uint64_t held;
	uint64_t unexamined;
	const char *paused;	/* NULL where neither this nor unexamined means anything */
};

static char *describe(void (*put)(FILE *out, const struct end *end), const struct end *end)
{
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	put(f, end);
	return fclose(f) ? NULL : text;
}

static void put_end_flags(FILE *out, const struct end *end)
{
	const char *text = end_text(end, "flags");

	put_flags(out, text ? strtoull(text, NULL, 16) : 0);
}

static void row_of(const struct end *end, struct row *row)
{
	*row = (struct row){ 0 };
	row->flags = describe(put_end_flags, end);
	row->ended = describe(put_ended, end);
	if (end_is(end, "pool")) {
		const uint64_t segment = end_number(end, "segment");
		const uint64_t segments = end_number(end, "segments");

		snprintf(row->pipe, sizeof(row->pipe), "pool:%s", end_text(end, "pool"));
		row->capacity = segments * segment;
		row->held = (segments - end_number(end, "free")) * segment;
		return;
	}
	snprintf(row->pipe, sizeof(row->pipe), "%" PRIu64, end_number(end, "id"));
	if (!end_of_pipe(end)) {
		row->capacity = end_number(end, "length");
		row->held = row->capacity;
		return;
	}
	row->capacity = end_number(end, "capacity");
	row->held = end_held(end);
	row->unexamined = end_unexamined(end);
	row->paused = end_text(end, "paused");
	if (!row->paused)
		row->paused = "?";
}

static void row_free(struct row *row)
{
	free(row->flags);
	free(row->ended);
}

static void show_table(const struct ends *ends)
{
	struct row row;

	printf("%7s %-15s %5s %-6s %8s %-8s %10s %10s %10s %-6s %s\n", "PID", "COMMAND", "FD",
	       "ROLE", "PIPE", "FLAGS", "CAPACITY", "HELD", "UNEXAMINED", "PAUSED", "ENDED");
	for (size_t i = 0; i < ends->nr; i++) {
		const struct end *end = &ends->end[i];

		row_of(end, &row);
		printf("%7d %-15s %5d %-6s %8s %-8s %10" PRIu64 " %10" PRIu64, end->pid,
		       end->command, end->fd, end->role, row.pipe, row.flags ? row.flags : "?",
		       row.capacity, row.held);
		if (row.paused)
			printf(" %10" PRIu64 " %-6s", row.unexamined, row.paused);
		else
			printf(" %10s %-6s", "-", "-");
		printf(" %s\n", row.ended ? row.ended : "?");
		row_free(&row);
	}
}

/* Everything, by the kernel's names, and what the table works out of it. */
static void show_json(const struct ends *ends)
{
	struct json json = { .out = stdout };
	struct row row;

	json_begin(&json, NULL, '[');
	for (size_t i = 0; i < ends->nr; i++) {
		const struct end *end = &ends->end[i];

		row_of(end, &row);
		json_begin(&json, NULL, '{');
		json_number(&json, "pid", (uint64_t)end->pid);
		json_text(&json, "command", end->command);
		json_number(&json, "fd", (uint64_t)end->fd);
		json_text(&json, "role", end->role);
		for (size_t k = 0; k < end->nr_lines; k++) {
			const struct end_line *line = &end->lines[k];

			if (!strcmp(line->name, "flags"))
				json_text(&json, "flags", row.flags ? row.flags : "?");
			else if (!strcmp(line->value, "yes") || !strcmp(line->value, "no"))
				json_bool(&json, line->name, *line->value == 'y');
			else if (strcmp(line->name, "role") != 0)
				json_word(&json, line->name, line->value);
		}
		if (row.paused) {
			json_number(&json, "held", row.held);
			json_number(&json, "unexamined", row.unexamined);
			json_text(&json, "ended", row.ended ? row.ended : "?");
		}
		json_end(&json, '}');
		row_free(&row);
	}
	json_end(&json, ']');
}

/* Leaves only what was asked for, looked at if that was asked for; counts who refused. */
static size_t choose(struct ends *ends, const struct options *options)
{
	size_t kept = 0, refused = 0;
	int ret;

	for (size_t i = 0; i < ends->nr; i++) {
		struct end *end = &ends->end[i];

		if (options->one_pipe &&
		    (end_is(end, "pool") || end_number(end, "id") != options->pipe)) {
			end_free(end);
			continue;
		}
		if (options->look) {
			ret = end_look(end);
			if (!end->nr_lines)
				continue;
			refused += ret < 0;
		}
		ends->end[kept++] = *end;
	}
	ends->nr = kept;
	return refused;
}

int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options_of,
		.parser = parse,
		.doc = "One line for each zpipe fd of the processes that you may see.",
	};
	struct options options = { 0 };
	int status = STATUS_OK;
	struct ends ends;
	size_t refused;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return STATUS_USAGE;
	if (!machine_has_module())
		return STATUS_FAILED;
	if (ends_scan(&ends, options.pid))
		return STATUS_FAILED;
	refused = choose(&ends, &options);
	if (options.json)
		show_json(&ends);
	else
		show_table(&ends);
	if (ends.denied)
		complain("%zu processes of other users are not shown; root sees them", ends.denied);
	if (refused)
		complain("%zu fds could not be looked at; they show what the kernel knew", refused);
	if (options.one_pipe && !ends.nr) {
		complain("nobody you may see holds pipe %" PRIu64, options.pipe);
		status = STATUS_FAILED;
	}
	ends_free(&ends);
	return status;
}
