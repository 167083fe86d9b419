// SPDX-License-Identifier: MIT
/*
 * main - finds the subcommand and hands over
 *
 * The table below is all that a new subcommand needs besides its own file.
 */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const struct command commands[] = {
	{ "run", "commands joined by zpipes", cmd_run },
	{ "cat", "files to standard output, mapped where it can be", cmd_cat },
	{ "pv", "the same, telling how far it is", cmd_pv },
	{ "send", "standard input to a zpipe recv of the same name", cmd_send },
	{ "recv", "to standard output what a zpipe send sends", cmd_recv },
	{ "bench", "what a zpipe gains over a pipe here (runs zpipe-bench)", cmd_bench },
	{ "list", "pipes, pools and buffers, and the processes that hold them", cmd_list },
	{ "stat", "every number of one pipe; without arguments a summary", cmd_stat },
	{ "top", "live table of pipes (runs zptop)", cmd_top },
	{ "plot", "draw what zptop has recorded (runs zpipe-plot)", cmd_plot },
	{ "doctor", "what is wrong with this machine, and what helps", cmd_doctor },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *argp_program_version = "zpipe " ZPIPE_VERSION;

struct choice {
	int argc;
	char **argv;
};

void complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

long long parse_number(const char *text, const char *what)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < 0) {
		complain("'%s' is no %s", text, what);
		return -1;
	}
	return value;
}

/* The rest of the line belongs to the subcommand. */
static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		choice->argv = &state->argv[state->next - 1];
		choice->argc = state->argc - state->next + 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *add_commands(int key, const char *text, void *input)
{
	char *help = NULL;
	size_t length;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&help, &length);
	if (!f)
		return NULL;
	fputs("Subcommands:\n", f);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\nzpipe SUBCOMMAND --help tells the options of one; zpipe(1) has the rest.", f);
	if (fclose(f)) {
		free(help);
		return NULL;
	}
	return help;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "SUBCOMMAND [ARGUMENT...]",
		.doc = "Make zpipes, use them and look at them.\v",
		.help_filter = add_commands,
	};
	struct choice choice = { 0 };
	static char name[64];

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice))
		return STATUS_USAGE;
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(commands[i].name, choice.argv[0]) != 0)
			continue;
		snprintf(name, sizeof(name), "zpipe %s", commands[i].name);
		program_invocation_name = name;
		choice.argv[0] = name;
		return commands[i].run(choice.argc, choice.argv);
	}
	complain("there is no subcommand '%s'; zpipe --help lists them", choice.argv[0]);
	return STATUS_USAGE;
}
