/* SPDX-License-Identifier: MIT */
/*
 * command - what a subcommand is, and what all of them share
 *
 * One file per subcommand; main.c has the table. A subcommand parses its own arguments with argp,
 * under the name "zpipe NAME", and returns its exit status.
 */
#ifndef ZPIPE_COMMAND_H
#define ZPIPE_COMMAND_H

/* Exit statuses. */
#define STATUS_OK	0
#define STATUS_FAILED	1	/* it was tried, or a check found something */
#define STATUS_USAGE	2	/* the command line is wrong */

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_pv(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_recv(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* "zpipe NAME: " and one sentence, on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number of argv, or -1 with a complaint. */
long long parse_number(const char *text, const char *what);

#endif
