/* SPDX-License-Identifier: MIT */
/*
 * common - what every loader shares: attaching, stopping, running a command, time
 *
 * A tool parses its options with argp (zb_argp_child adds the common ones), opens its skeleton,
 * sets its rodata, and calls zb_attach and zb_start. Then it calls zb_wait in a loop. What goes
 * wrong is one sentence on stderr; the caller only has to exit with 1.
 */
#ifndef ZB_COMMON_H
#define ZB_COMMON_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <bpf/libbpf.h>

/* Exit status of a tool that was called wrongly. */
#define ZB_USAGE	2

extern bool zb_verbose;

/**
 * zb_main - first thing in main: version, exit status of argp, signals
 * @description: one line, for --version
 */
void zb_main(const char *description);

/* The options every tool has: put it first in the argp's children. */
extern const struct argp zb_argp_child;
#define ZB_ARGP_CHILD	{ &zb_argp_child, 0, NULL, 0 }

/**
 * zb_say - one sentence on stderr, behind the tool's name
 *
 * Return: -1, to be returned.
 */
int zb_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * zb_number - the value of an option
 * @state: of argp; a bad value ends the program
 * @option: its name, for the sentence
 * @text: what was given
 * @min: the least that is allowed
 * @max: the most
 */
uint64_t zb_number(struct argp_state *state, const char *option, const char *text, uint64_t min,
		   uint64_t max);

/**
 * zb_seconds - the value of an option in seconds, with a fraction; in nanoseconds
 * @state: of argp; a bad value ends the program
 * @option: its name, for the sentence
 * @text: what was given; at least a hundredth, at most a day
 */
uint64_t zb_seconds(struct argp_state *state, const char *option, const char *text);

/**
 * struct zb_opts - the options that most tools have
 * @interval: between two turns, in nanoseconds; 0 for one turn, at the end
 * @count: end after so many turns, or 0
 * @pipe: only this one, or 0
 * @pipes: room for so many
 * @json: print JSON
 * @command: to run, as for zb_run; NULL for none
 */
struct zb_opts {
	uint64_t interval;
	uint64_t count;
	uint64_t pipe;
	uint64_t pipes;
	bool json;
	char **command;
};

/**
 * zb_parse - what a tool's own parser does not know
 * @opts: filled
 * @key: -i, -c, -p, -m, -j, if the tool lists them, or a command
 * @arg: of the option
 * @state: of argp; a bad value ends the program
 *
 * Who counts intervals without saying how long they are gets seconds.
 */
error_t zb_parse(struct zb_opts *opts, int key, char *arg, struct argp_state *state);

/**
 * struct zb_turns - where a tool is that prints every so often, or at the end
 * @deadline: of the turn
 * @number: turns so far
 * @over: the last one has been
 */
struct zb_turns {
	uint64_t deadline;
	uint64_t number;
	bool over;
};

/**
 * zb_turn - sleep until it is time to print
 * @turns: zeroed before the first
 * @opts: the tool's
 *
 * Return: false when the last turn has been: after so many, a signal, or the end of the command.
 */
bool zb_turn(struct zb_turns *turns, const struct zb_opts *opts);

/**
 * zb_check - can this program attach: privileges, module, tracepoints and their fields
 * @object: opened; each of its programs says in its section where it belongs. Those that are not
 *	to be loaded (bpf_program__set_autoload) are left out
 *
 * Return: 0, or -1 after saying what is missing.
 */
int zb_check(const struct bpf_object *object);

/**
 * zb_attach - zb_check, load and attach
 * @skeleton: the tool's skel->skeleton, opened
 *
 * Return: 0, or -1 after saying what went wrong.
 */
int zb_attach(struct bpf_object_skeleton *skeleton);

/**
 * zb_start - all programs are attached: from now on their events count
 * @attached: skel->bss->attached
 */
static inline void zb_start(uint32_t *attached)
{
	__atomic_store_n(attached, 1, __ATOMIC_SEQ_CST);
}

/**
 * zb_run - start a command, now that everything is attached
 * @argv: what to run; NULL or empty for none
 *
 * Return: 0, or -1 after saying why it did not start.
 */
int zb_run(char **argv);

/* Why zb_wait has returned. */
#define ZB_TIME		0	/* it is the deadline */
#define ZB_STOP		1	/* a signal: the tool should end */
#define ZB_ENDED	2	/* the command has ended */
#define ZB_READY	3	/* the fd is readable, or the terminal has another size */

/**
 * zb_wait - sleep until something happens
 * @deadline: of zb_now
 * @fd: wait for this, too; or -1
 */
int zb_wait(uint64_t deadline, int fd);

/**
 * zb_status - what the command has ended with, as a shell would say it; 0 when there was none
 */
int zb_status(void);

/* CLOCK_MONOTONIC nanoseconds: the clock of bpf_ktime_get_ns. */
uint64_t zb_now(void);

/**
 * zb_lost - say how many events the table had no room for
 * @lost: the program's counter
 */
void zb_lost(uint64_t lost);

/**
 * zb_size - bytes in few characters: 17, 4.2K, 13M
 * @text: at least 8 bytes
 * @bytes: how many
 *
 * Return: @text.
 */
char *zb_size(char *text, double bytes);

/**
 * zb_time - nanoseconds in few characters: 17ns, 4.2us, 13ms, 2.0s
 * @text: at least 8 bytes
 * @ns: how many
 *
 * Return: @text.
 */
char *zb_time(char *text, double ns);

/**
 * zb_quote - print a name as a field of a CSV file or of JSON: within quotes, nothing odd in it
 * @file: where to
 * @text: the name
 */
void zb_quote(FILE *file, const char *text);

#endif
