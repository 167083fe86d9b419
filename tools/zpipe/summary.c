// SPDX-License-Identifier: MIT
/*
 * summary - all zpipes of the machine in one set of numbers
 *
 * Two sources: what the module says of itself (fdinfo of an fd of the device), which counts what
 * no process holds an fd of, and the sum over the fds of the processes that we may see. Each pipe
 * counts once, whoever holds its ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/kcmp.h>

#include "command.h"
#include "ends.h"
#include "json.h"
#include "machine.h"
#include "summary.h"

struct totals {
	uint64_t processes;
	uint64_t pipes;
	uint64_t writer_fds;
	uint64_t reader_fds;
	uint64_t pool_fds;
	uint64_t buffer_fds;
	uint64_t capacity;
	uint64_t held;
	uint64_t unexamined;
	uint64_t data_pages;
	uint64_t paused;
	uint64_t waiting_readers;
	uint64_t waiting_writers;
	uint64_t ended_writers;
	uint64_t ended_readers;
	uint64_t preserved;
};

static const struct {
	const char *name;
	size_t offset;
} names[] = {
#define TOTAL(_text, _field) { "seen-" _text, offsetof(struct totals, _field) }
	TOTAL("processes", processes),
	TOTAL("pipes", pipes),
	TOTAL("writer-fds", writer_fds),
	TOTAL("reader-fds", reader_fds),
	TOTAL("pool-fds", pool_fds),
	TOTAL("buffer-fds", buffer_fds),
	TOTAL("capacity", capacity),
	TOTAL("held", held),
	TOTAL("unexamined", unexamined),
	TOTAL("data-pages", data_pages),
	TOTAL("paused", paused),
	TOTAL("reader-waits", waiting_readers),
	TOTAL("writer-waits", waiting_writers),
	TOTAL("ended-writers", ended_writers),
	TOTAL("ended-readers", ended_readers),
	TOTAL("preserved", preserved),
#undef TOTAL
};

static const char *const parameters[] = {
	"max_capacity", "max_preserved", "user_pages_soft", "user_pages_hard", "user_pipes",
};

static bool says_yes(const struct end *end, const char *name)
{
	const char *text = end_text(end, name);

	return text && !strcmp(text, "yes");
}

static bool has_ended(const struct end *end, const char *name)
{
	const char *text = end_text(end, name);

	return text && *text != '-';
}

/* Something that counts once, however often it is seen. */
struct seen {
	uint64_t id;
	uint64_t value;
};

static int compare_seen(const void *one, const void *other)
{
	const struct seen *a = one, *b = other;

	return a->id < b->id ? -1 : a->id > b->id;
}

/* How many different ones, and the sum of their values. */
static uint64_t count_distinct(struct seen *seen, size_t nr, uint64_t *sum)
{
	uint64_t distinct = 0;

	qsort(seen, nr, sizeof(*seen), compare_seen);
	for (size_t i = 0; i < nr; i++) {
		if (i && seen[i].id == seen[i - 1].id)
			continue;
		distinct++;
		if (sum)
			*sum += seen[i].value;
	}
	return distinct;
}

/* One open file, held twice: by a child, or after dup(2)? */
static bool same_file(const struct end *a, const struct end *b)
{
	return !syscall(SYS_kcmp, a->pid, b->pid, KCMP_FILE, a->fd, b->fd);
}

/* What a reader preserves, unless the same reader was seen before. */
static uint64_t preserved_by(const struct ends *ends, size_t index)
{
	const struct end *end = &ends->end[index], *other;
	const uint64_t bytes = end_number(end, "preserved");

	for (size_t i = index; bytes && i--;) {
		other = &ends->end[i];
		if (!end_is(other, "reader") || end_number(other, "id") != end_number(end, "id"))
			break;
		if (same_file(end, other))
			return 0;
	}
	return bytes;
}

/* The ends are sorted by pipe: the first of each stands for it. */
static void add_pipe(struct totals *totals, const struct end *end)
{
	totals->pipes++;
	totals->capacity += end_number(end, "capacity");
	totals->paused += says_yes(end, "paused");
	totals->waiting_readers += says_yes(end, "reader-waits");
	totals->waiting_writers += says_yes(end, "writer-waits");
	totals->ended_writers += has_ended(end, "writer-ended");
	totals->ended_readers += has_ended(end, "reader-ended");
	/* A private pool is its pipe's; a shared one would count once for each. */
	if (!end_number(end, "pool"))
		totals->data_pages += end_number(end, "data-pages");
}

/* A pipe holds what the slowest of its readers does. */
static void raise_to(uint64_t *total, uint64_t *most, uint64_t value)
{
	if (value <= *most)
		return;
	*total += value - *most;
	*most = value;
}

static int add_up(struct totals *totals, const struct ends *ends)
{
	uint64_t last = UINT64_MAX, id, held = 0, unexamined = 0;
	struct seen *pids, *pools;
	size_t nr_pools = 0;

	*totals = (struct totals){ 0 };
	pids = calloc(ends->nr + 1, sizeof(*pids));
	pools = calloc(ends->nr + 1, sizeof(*pools));
	if (!pids || !pools) {
		free(pids);
		free(pools);
		return -ENOMEM;
	}
	for (size_t i = 0; i < ends->nr; i++) {
		const struct end *end = &ends->end[i];
		const uint64_t pool = end_number(end, "pool");

		pids[i].id = (uint64_t)end->pid;
		totals->writer_fds += end_is(end, "writer");
		totals->reader_fds += end_is(end, "reader");
		totals->pool_fds += end_is(end, "pool");
		totals->buffer_fds += end_is(end, "buffer");
		totals->preserved += preserved_by(ends, i);
		if (pool)
			pools[nr_pools++] = (struct seen){ pool, end_number(end, "data-pages") };
		if (!end_of_pipe(end))
			continue;
		id = end_number(end, "id");
		if (id != last) {
			add_pipe(totals, end);
			held = unexamined = 0;
		}
		last = id;
		raise_to(&totals->held, &held, end_held(end));
		raise_to(&totals->unexamined, &unexamined, end_unexamined(end));
	}
	totals->processes = count_distinct(pids, ends->nr, NULL);
	count_distinct(pools, nr_pools, &totals->data_pages);
	free(pids);
	free(pools);
	return 0;
}

static uint64_t total_of(const struct totals *totals, size_t index)
{
	uint64_t value;

	memcpy(&value, (const char *)totals + names[index].offset, sizeof(value));
	return value;
}

static void show_text(const struct totals *totals, const struct end *module)
{
	char version[32];

	machine_line(MACHINE_MODULE "/version", version, sizeof(version));
	printf("%-20s %s\n", "module-version", version);
	for (size_t i = 0; i < module->nr_lines; i++) {
		if (strcmp(module->lines[i].name, "role") != 0)
			printf("%-20s %s\n", module->lines[i].name, module->lines[i].value);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		printf("%-20s %" PRIu64 "\n", names[i].name, total_of(totals, i));
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
		const long long value = machine_parameter(parameters[i]);

		if (value >= 0)
			printf("%-20s %lld\n", parameters[i], value);
	}
}

static void show_json(const struct totals *totals, const struct end *module, size_t denied)
{
	struct json json = { .out = stdout };
	char version[32];

	machine_line(MACHINE_MODULE "/version", version, sizeof(version));
	json_begin(&json, NULL, '{');
	json_text(&json, "module-version", version);
	for (size_t i = 0; i < module->nr_lines; i++) {
		if (strcmp(module->lines[i].name, "role") != 0)
			json_word(&json, module->lines[i].name, module->lines[i].value);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_number(&json, names[i].name, total_of(totals, i));
	json_number(&json, "unseen-processes", denied);
	json_begin(&json, "parameters", '{');
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
		const long long value = machine_parameter(parameters[i]);

		if (value >= 0)
			json_number(&json, parameters[i], (uint64_t)value);
	}
	json_end(&json, '}');
	json_end(&json, '}');
}

static int show_once(bool json)
{
	struct totals totals;
	struct end module;
	struct ends ends;

	if (ends_scan(&ends, 0))
		return STATUS_FAILED;
	if (add_up(&totals, &ends)) {
		complain("%s", strerror(ENOMEM));
		ends_free(&ends);
		return STATUS_FAILED;
	}
	end_of_module(&module);
	if (json)
		show_json(&totals, &module, ends.denied);
	else
		show_text(&totals, &module);
	if (ends.denied && !json)
		complain("%zu processes of other users are not counted; root sees them",
			 ends.denied);
	end_free(&module);
	ends_free(&ends);
	return STATUS_OK;
}

int summary_show(bool json, double seconds, long long count)
{
	const struct timespec pause = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	for (long long round = 0;; round++) {
		int status;

		if (!json && seconds > 0 && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		else if (!json && round)
			putchar('\n');
		status = show_once(json);
		if (status || fflush(stdout) || seconds <= 0 || round + 1 == count)
			return status;
		nanosleep(&pause, NULL);
	}
}
