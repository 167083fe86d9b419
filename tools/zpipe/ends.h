/* SPDX-License-Identifier: MIT */
/*
 * ends - the zpipe fds of this machine, as /proc shows them
 *
 * An entry is one fd of one process: an end, a pool, a buffer. Its numbers are what the kernel
 * knew when it was asked; a pipe whose processes move the shared words themselves is looked at
 * only by a call, such as STAT (ends_look()).
 */
#ifndef ZPIPE_ENDS_H
#define ZPIPE_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One "zpipe-NAME: VALUE" line of fdinfo; NAME without the prefix. */
struct end_line {
	const char *name;
	const char *value;
};

struct end {
	pid_t pid;
	int fd;
	char command[32];
	const char *role;	/* as the kernel says it; "pool" for a pool */
	size_t nr_lines;
	struct end_line *lines;	/* all of them, also those this version does not know */
	char *text;		/* what the lines point into */
};

struct ends {
	size_t nr;
	struct end *end;	/* sorted: pipe, role, process, fd */
	size_t denied;		/* processes that did not let us look */
};

/* Of all processes, or of one; 0 or -errno (with a complaint). */
int ends_scan(struct ends *ends, pid_t pid);
void ends_free(struct ends *ends);

/* One fd; -ENOENT: it is no zpipe. */
int end_read(struct end *end, pid_t pid, int fd);
void end_free(struct end *end);

/* The module's own numbers; no lines where it has none, or where we may not open the device. */
void end_of_module(struct end *module);

/* A line's value, or NULL; as a number, or 0. */
const char *end_text(const struct end *end, const char *name);
uint64_t end_number(const struct end *end, const char *name);
bool end_is(const struct end *end, const char *role);
/* Is it one of the two ends of a pipe? */
bool end_of_pipe(const struct end *end);
/* A reader that has completed or was detached, while others may go on. */
bool end_is_over(const struct end *end);
/* Bytes that are not consumed, or not examined, as far as it is up to this end. */
uint64_t end_held(const struct end *end);
uint64_t end_unexamined(const struct end *end);

/*
 * The file itself, as an fd of ours, or -errno: -EPERM where the process may not be traced. It
 * counts as an open end as long as it is held, so: close it at once.
 */
int end_open(const struct end *end);

/* Make the kernel look at the shared words, then read the lines again. 0 or -errno. */
int end_look(struct end *end);

#endif
