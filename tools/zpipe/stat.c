// SPDX-License-Identifier: MIT
/*
 * stat - every number of one pipe, pool or buffer
 *
 * What fdinfo says and what STAT answers, by the kernel's names; fdinfo is read second, so that
 * both are of the same look at the shared words. The fd is held only for the moment of a look: an
 * end that is closed meanwhile would seem open. Without a target: summary.c.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/zpipe.h>

#include "command.h"
#include "ends.h"
#include "json.h"
#include "machine.h"
#include "summary.h"

struct options {
	const char *target;
	bool json;
	double watch;	/* seconds, or 0 */
	long long count;
};

static const struct argp_option options_of[] = {
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL,
	  "again every SECONDS (1), with the change per second", 0 },
	{ "count", 'n', "N", 0, "with --watch: N times", 0 },
	{ "json", 'j', NULL, 0, "JSON: one object each time", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *end;

	switch (key) {
	case 'w':
		options->watch = 1;
		if (!arg)
			return 0;
		options->watch = strtod(arg, &end);
		if (*end || !(options->watch >= 0.01 && options->watch <= 86400))
			argp_error(state, "--watch takes seconds, from 0.01 to 86400, not '%s'",
				   arg);
		return 0;
	case 'n':
		options->count = parse_number(arg, "number of times");
		if (options->count < 1)
			exit(STATUS_USAGE);
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->target)
			argp_error(state, "'%s' is one argument too many", arg);
		options->target = arg;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (options->count && options->watch <= 0)
			argp_error(state, "--count is for --watch");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A number of an answer: its name, and where it is. */
struct field {
	const char *name;
	size_t offset;
};

/* All that the header has: the Makefile takes them from there. */
static const struct field pipe_fields[] = {
#define FIELD(name) { #name, offsetof(struct zpipe_stat_args, out_##name) },
#include "stat-pipe.h"
#undef FIELD
};

static const struct field pool_fields[] = {
#define FIELD(name) { #name, offsetof(struct zpipe_pool_stat_args, out_##name) },
#include "stat-pool.h"
#undef FIELD
};

/* What says how it is now; all the others only grow. */
static const char *const states[] = {
	"data_pages", "control_bytes", "readers", "posts", "preserved_bytes", "preserved_handles",
	"spare_pages", "segments", "free", "pages", "idle_pages", "idle", "pipes", "committed",
	"waiting", "longest_pause_ns", "longest_writer_wait_ns", "longest_reader_wait_ns",
};

static bool grows(const struct field *field)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!strcmp(field->name, states[i]))
			return false;
	}
	return true;
}

/* One look. */
struct answer {
	struct end end;
	int stat_ret;	/* 0, or why there are no counters */
	const struct field *fields;
	size_t nr_fields;
	union {
		struct zpipe_stat_args pipe;
		struct zpipe_pool_stat_args pool;
	} stat;
	struct timespec when;
};

static uint64_t value_of(const struct answer *answer, const struct field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)&answer->stat + field->offset, sizeof(value));
	return value;
}

static void ask_counters(struct answer *answer, const struct end *end)
{
	const bool pool = end_is(end, "pool");
	int fd;

	memset(&answer->stat, 0, sizeof(answer->stat));
	answer->stat_ret = 0;
	answer->nr_fields = 0;
	fd = end_open(end);
	if (fd < 0) {
		answer->stat_ret = fd;
		return;
	}
	if (ioctl(fd, pool ? ZPIPE_IOC_POOL_STAT : ZPIPE_IOC_STAT, &answer->stat))
		answer->stat_ret = -errno;
	close(fd);
	if (answer->stat_ret)
		return;
	answer->fields = pool ? pool_fields : pipe_fields;
	answer->nr_fields = pool ? sizeof(pool_fields) / sizeof(*pool_fields)
				 : sizeof(pipe_fields) / sizeof(*pipe_fields);
}

/* What tells that an fd is still the same thing. */
static bool same_thing(const struct end *a, const struct end *b)
{
	const char *name = end_is(a, "pool") ? "pool" : "id";

	return !strcmp(a->role, b->role) && end_number(a, name) == end_number(b, name);
}

/* -ENOENT: it is gone. */
static int look(struct answer *answer, const struct end *end)
{
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &answer->when);
	ask_counters(answer, end);
	ret = end_read(&answer->end, end->pid, end->fd);
	if (ret)
		return -ENOENT;
	if (!same_thing(end, &answer->end)) {
		end_free(&answer->end);
		return -ENOENT;
	}
	return 0;
}

/*
 * STAT names things with underscores, fdinfo with hyphens; and "waits" is of fdinfo: whether it
 * does now.
 */
static void put_name(char *name, size_t size, const char *from)
{
	const size_t length = strlen(from);

	if (length > 6 && !strcmp(from + length - 6, "_waits"))
		snprintf(name, size, "%.*s_count", (int)length - 1, from);
	else
		snprintf(name, size, "%s", from);
	for (; *name; name++) {
		if (*name == '_')
			*name = '-';
	}
}

/* Is a line of fdinfo also a field of the answer? Then the answer, which is fresh, is shown. */
static bool answered(const struct answer *answer, const char *line)
{
	char name[64];

	for (size_t i = 0; i < answer->nr_fields; i++) {
		put_name(name, sizeof(name), answer->fields[i].name);
		if (!strcmp(name, line))
			return true;
	}
	return false;
}

static void show_text(const struct answer *now, const struct answer *before)
{
	double seconds = 0;
	char name[64];

	printf("%-20s %d\n", "pid", now->end.pid);
	printf("%-20s %s\n", "command", now->end.command);
	printf("%-20s %d\n", "fd", now->end.fd);
	if (!end_text(&now->end, "role"))
		printf("%-20s %s\n", "role", now->end.role);
	for (size_t i = 0; i < now->end.nr_lines; i++) {
		const struct end_line *line = &now->end.lines[i];

		if (!answered(now, line->name))
			printf("%-20s %s\n", line->name, line->value);
	}
	if (end_of_pipe(&now->end)) {
		printf("%-20s %" PRIu64 "\n", "held", end_held(&now->end));
		printf("%-20s %" PRIu64 "\n", "unexamined", end_unexamined(&now->end));
	}
	if (before)
		seconds = (double)(now->when.tv_sec - before->when.tv_sec) +
			  (double)(now->when.tv_nsec - before->when.tv_nsec) / 1e9;
	for (size_t i = 0; i < now->nr_fields; i++) {
		const struct field *field = &now->fields[i];

		put_name(name, sizeof(name), field->name);
		printf("%-20s %" PRIu64, name, value_of(now, field));
		if (before && before->nr_fields && grows(field) && seconds > 0)
			printf("  %+.1f/s",
			       (double)(value_of(now, field) - value_of(before, field)) / seconds);
		putchar('\n');
	}
}

static void show_json(const struct answer *now)
{
	struct json json = { .out = stdout };
	char name[64];

	json_begin(&json, NULL, '{');
	json_number(&json, "pid", (uint64_t)now->end.pid);
	json_text(&json, "command", now->end.command);
	json_number(&json, "fd", (uint64_t)now->end.fd);
	json_text(&json, "role", now->end.role);
	for (size_t i = 0; i < now->end.nr_lines; i++) {
		const struct end_line *line = &now->end.lines[i];

		if (!strcmp(line->value, "yes") || !strcmp(line->value, "no"))
			json_bool(&json, line->name, *line->value == 'y');
		else if (!strcmp(line->name, "flags"))
			json_number(&json, "flags", strtoull(line->value, NULL, 16));
		else if (strcmp(line->name, "role") != 0 && !answered(now, line->name))
			json_word(&json, line->name, line->value);
	}
	for (size_t i = 0; i < now->nr_fields; i++) {
		put_name(name, sizeof(name), now->fields[i].name);
		json_number(&json, name, value_of(now, &now->fields[i]));
	}
	json_end(&json, '}');
}

/* Of all the fds of a pipe one whose process lets us ask, the writer's where there is one. */
static int find_pipe(uint64_t id, struct end *found)
{
	const struct end *best = NULL;
	struct ends ends;
	int ret, fd;

	ret = ends_scan(&ends, 0);
	if (ret)
		return ret;
	for (size_t i = 0; i < ends.nr; i++) {
		const struct end *end = &ends.end[i];

		if (!end_of_pipe(end) || end_number(end, "id") != id)
			continue;
		if (!best)
			best = end;
		fd = end_open(end);
		if (fd < 0)
			continue;
		close(fd);
		best = end;
		break;
	}
	ret = best ? end_read(found, best->pid, best->fd) : -ENOENT;
	if (ret && ends.denied)
		complain("nobody you may see holds pipe %" PRIu64
			 "; %zu processes of other users did not let us look",
			 id, ends.denied);
	else if (ret)
		complain("no process holds pipe %" PRIu64, id);
	ends_free(&ends);
	return ret;
}

/* ID, or PID/FD. */
static int find(const char *target, struct end *found)
{
	const char *slash = strchr(target, '/');
	char head[32];
	long long pid, fd;
	int ret;

	if (!slash) {
		pid = parse_number(target, "number of a pipe, nor PID/FD");
		return pid < 0 ? -EINVAL : find_pipe((uint64_t)pid, found);
	}
	snprintf(head, sizeof(head), "%.*s", (int)(slash - target), target);
	pid = parse_number(head, "process id");
	fd = pid < 0 ? -1 : parse_number(slash + 1, "fd");
	if (fd < 0)
		return -EINVAL;
	if (pid > INT32_MAX || fd > INT32_MAX) {
		complain("'%s' is out of range", target);
		return -EINVAL;
	}
	ret = end_read(found, (pid_t)pid, (int)fd);
	if (!ret)
		return 0;
	if (ret == -EACCES || ret == -EPERM)
		complain("process %lld is not yours; root may look at it", pid);
	else
		complain("process %lld has no fd %lld that is a zpipe", pid, fd);
	return ret;
}

static int show(const struct options *options, const struct end *end)
{
	struct answer now, before = { 0 };
	bool have_before = false;
	const struct timespec pause = {
		.tv_sec = (time_t)options->watch,
		.tv_nsec = (long)((options->watch - (double)(time_t)options->watch) * 1e9),
	};
	int ret = 0;

	for (long long round = 0;; round++) {
		ret = look(&now, end);
		if (ret)
			break;
		if (!round && now.stat_ret)
			complain("no counters, only what fdinfo says: %s",
				 now.stat_ret == -EPERM ? "you may not trace that process" :
							  strerror(-now.stat_ret));
		if (!options->json && options->watch > 0 && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		else if (!options->json && round)
			putchar('\n');
		if (options->json)
			show_json(&now);
		else
			show_text(&now, have_before ? &before : NULL);
		if (have_before)
			end_free(&before.end);
		before = now;
		have_before = true;
		if (fflush(stdout) || options->watch <= 0 || round + 1 == options->count)
			break;
		nanosleep(&pause, NULL);
	}
	if (have_before)
		end_free(&before.end);
	if (ret)
		complain("fd %d of process %d is gone", end->fd, end->pid);
	/* While it is watched, that is how it ends. */
	return ret && !have_before ? STATUS_FAILED : STATUS_OK;
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options_of,
		.parser = parse,
		.args_doc = "[PIPE | PID/FD]",
		.doc = "Every number of a pipe (its number, or an fd of a process), a pool or a "
		       "buffer (an fd). Without argument: a summary of all that you may see.",
	};
	struct options options = { 0 };
	struct end end;
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return STATUS_USAGE;
	if (!machine_has_module())
		return STATUS_FAILED;
	if (!options.target)
		return summary_show(options.json, options.watch, options.count);
	ret = find(options.target, &end);
	if (ret)
		return ret == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
	ret = show(&options, &end);
	end_free(&end);
	return ret;
}
