// SPDX-License-Identifier: MIT
/*
 * zptop_rows - what the tables of the kernel say, as rates of the last interval
 *
 * The tables are read as a whole, a few thousand entries for each call, and compared with what they
 * said the time before. Pipes and processes that were there before the tool are found in /proc; as
 * are ends whose process never calls a verb, as long as that is not too much work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "common.h"
#include "scan.h"
#include "zptop_rows.h"

/* A look at all processes may take that part of the time. */
#define SCAN_SHARE	20

/* Entries come and go while a table is read. */
#define SLACK		64

/* What only /proc knows. */
struct known {
	uint64_t id;
	uint64_t capacity;
	uint64_t preserved;	/* only of the first look: later the events tell */
	uint64_t readers;
	uint64_t counted;
};

struct zptop_rows {
	int pipes;
	int ends;
	uint64_t only;
	size_t room;

	uint64_t *ids;
	struct zptop_pipe *values;
	struct zptop_key *keys;
	struct zptop_end *names;

	struct zptop_row *rows, *before;
	size_t nr_before;
	struct zptop_process *processes;
	uint64_t time;

	struct known *known;
	size_t nr_known, room_known;
	struct known *base;	/* the first look */
	size_t nr_base;
	bool first;
	uint64_t scan_again;
};

void zptop_rows_free(struct zptop_rows *all)
{
	if (!all)
		return;
	free(all->ids);
	free(all->values);
	free(all->keys);
	free(all->names);
	free(all->rows);
	free(all->before);
	free(all->processes);
	free(all->known);
	free(all->base);
	free(all);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static const struct known *find_known(const struct known *known, size_t number, uint64_t id)
{
	static const struct known nothing;
	const struct known *one = NULL;

	if (number)
		one = bsearch(&id, known, number, sizeof(*known), by_id);
	return one ? one : &nothing;
}

/* One entry for each pipe; the fds of a reader that several processes have count once. */
static size_t merge(struct known *known, size_t number)
{
	size_t k, to = 0;

	if (number)
		qsort(known, number, sizeof(*known), by_id);
	for (k = 0; k < number; k++) {
		struct known *sum = to ? &known[to - 1] : NULL, one = known[k];

		if (!sum || sum->id != one.id) {
			known[to++] = one;
		} else if (one.counted && sum->counted < one.readers) {
			sum->counted++;
			sum->preserved += one.preserved;
		}
	}
	return to;
}

/* An end of /proc: the table of ends learns who has it, and that of pipes that there is one. */
static void found(const struct zb_end *end, void *context)
{
	struct zptop_rows *all = context;
	struct zptop_pipe pipe = { .flow = {
		.known = 1, .begin = end->consumed, .capacity = end->capacity,
		.granted = end->granted, .published = end->published,
		.examined = end->examined, .consumed = end->consumed,
	} };
	struct zptop_key key = { .pipe = end->pipe, .pid = (uint64_t)end->pid };
	struct zptop_end who = { 0 }, old;

	if (!strcmp(end->role, "buffer") || (all->only && all->only != end->pipe))
		return;
	who.roles = 1U << (strcmp(end->role, "reader") ? 1 : 2);
	memcpy(who.comm, end->comm, sizeof(who.comm));
	/* A reader that has ended does not tell how much is held: another end does. */
	if (all->first && !end->ended) {
		pipe.paused_since = end->paused ? zb_now() : 0;
		/* Has it gone meanwhile? Then nothing would tell so again. */
		if (!bpf_map_update_elem(all->pipes, &end->pipe, &pipe, BPF_NOEXIST) &&
		    !zb_still_there(end))
			bpf_map_delete_elem(all->pipes, &end->pipe);
	}
	if (bpf_map_update_elem(all->ends, &key, &who, BPF_NOEXIST) == -EEXIST &&
	    !bpf_map_lookup_elem(all->ends, &key, &old) && !(old.roles & who.roles)) {
		old.roles |= who.roles;
		bpf_map_update_elem(all->ends, &key, &old, BPF_EXIST);
	}
	if (all->nr_known == all->room_known) {
		size_t room = all->room_known ? 2 * all->room_known : 256;
		struct known *more = realloc(all->known, room * sizeof(*more));

		if (!more)
			return;
		all->known = more;
		all->room_known = room;
	}
	all->known[all->nr_known++] = (struct known){
		.id = end->pipe, .capacity = end->capacity, .preserved = end->preserved,
		.readers = end->readers, .counted = !strcmp(end->role, "reader"),
	};
}

static void look_at_processes(struct zptop_rows *all)
{
	uint64_t begin = zb_now(), end;

	if (begin < all->scan_again)
		return;
	all->nr_known = 0;
	zb_scan(found, all);
	all->nr_known = merge(all->known, all->nr_known);
	end = zb_now();
	all->scan_again = end + (end - begin) * SCAN_SHARE;
}

struct zptop_rows *zptop_rows_new(int pipes, int ends, size_t room, uint64_t only)
{
	struct zptop_rows *all = calloc(1, sizeof(*all));
	size_t nr_ends = room * ZPTOP_ENDS_PER_PIPE + SLACK;

	if (!all)
		return NULL;
	all->pipes = pipes;
	all->ends = ends;
	all->only = only;
	all->room = room;
	room += SLACK;
	all->ids = calloc(room, sizeof(*all->ids));
	all->values = calloc(room, sizeof(*all->values));
	all->keys = calloc(nr_ends, sizeof(*all->keys));
	all->names = calloc(nr_ends, sizeof(*all->names));
	all->rows = calloc(room, sizeof(*all->rows));
	all->before = calloc(room, sizeof(*all->before));
	all->processes = calloc(nr_ends, sizeof(*all->processes));
	if (!all->ids || !all->values || !all->keys || !all->names || !all->rows || !all->before ||
	    !all->processes) {
		zptop_rows_free(all);
		return NULL;
	}
	all->time = zb_now();
	all->first = true;
	look_at_processes(all);
	all->first = false;
	all->base = all->known;
	all->nr_base = all->nr_known;
	all->known = NULL;
	all->nr_known = all->room_known = 0;
	return all;
}

/* All of a table; how many, or -1. */
static ssize_t read_table(int map, size_t room, void *keys, size_t key_size, void *values,
			  size_t value_size)
{
	uint32_t batch, number;
	void *from = NULL;
	size_t total = 0;
	int ret;

	while (total < room) {
		number = (uint32_t)(room + SLACK - total);
		ret = bpf_map_lookup_batch(map, from, &batch, (char *)keys + total * key_size,
					   (char *)values + total * value_size, &number, NULL);
		if (ret && ret != -ENOENT && ret != -EINTR)
			return zb_say("cannot read the table of the kernel: %s", strerror(-ret));
		if (!ret || ret == -ENOENT)
			total += number;
		if (!ret)
			from = &batch;
		if (ret == -ENOENT)
			break;
	}
	return (ssize_t)total;
}

static uint64_t delivered(const struct zb_flow *flow)
{
	return flow->known && flow->consumed > flow->begin ? flow->consumed - flow->begin : 0;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Including those that still go on. */
static uint64_t paused_ns(const struct zptop_pipe *pipe, uint64_t now)
{
	return pipe->paused_ns + (pipe->paused_since ? minus(now, pipe->paused_since) : 0);
}

static uint64_t waited_ns(const struct zptop_waits *waits, uint64_t now)
{
	if (waits->now <= 0)
		return waits->ns;
	return waits->ns + minus((uint64_t)waits->now * now, waits->since);
}

static double percent(uint64_t part, uint64_t of)
{
	double share = of ? 100.0 * (double)part / (double)of : 0;

	return share < 100 ? share : 100;
}

static void compare(struct zptop_row *row, const struct zptop_row *old, uint64_t then, uint64_t now)
{
	static const struct zptop_pipe nothing;
	const struct zptop_pipe *pipe = &row->total, *was = old ? &old->total : &nothing;
	const struct zb_flow *flow = &pipe->flow;
	double seconds = (double)(now - then) / 1e9;
	uint64_t bytes, copied;

	row->gone = flow->gone;
	row->delivered = delivered(flow);
	row->held = minus(flow->published, flow->consumed);
	row->unexamined = minus(flow->published, flow->examined);
	row->preserved = pipe->preserved > 0 ? (uint64_t)pipe->preserved : 0;
	row->fill = percent(row->held, row->capacity);
	bytes = minus(row->delivered, delivered(&was->flow));
	copied = minus(pipe->copied, was->copied);
	row->bytes = (double)bytes / seconds;
	row->copied = (double)copied / seconds;
	row->copies = bytes ? (double)copied / (double)bytes : -1;
	row->messages = (double)(pipe->flushes + pipe->writes - was->flushes - was->writes) /
			seconds;
	row->segments = (double)(pipe->opened - was->opened) / seconds;
	row->wakes = (double)(pipe->wakes[0] + pipe->wakes[1] - was->wakes[0] - was->wakes[1]) /
		     seconds;
	row->paused = percent(minus(paused_ns(pipe, now), paused_ns(was, then)), now - then);
	row->writer_waiting = percent(minus(waited_ns(&pipe->waits[0], now),
					    waited_ns(&was->waits[0], then)), now - then);
	row->waiting = percent(minus(waited_ns(&pipe->waits[1], now),
				     waited_ns(&was->waits[1], then)), now - then);
}

static void add_who(struct zptop_who *side, const struct zptop_key *key,
		    const struct zptop_end *end)
{
	if (side->pid)
		side->others++;
	if (side->pid && side->calls >= end->calls)
		return;
	side->pid = (pid_t)key->pid;
	side->calls = end->calls;
	memcpy(side->comm, end->comm, sizeof(side->comm));
	side->comm[sizeof(side->comm) - 1] = '\0';
}

static struct zptop_row *find_row(struct zptop_row *rows, size_t number, uint64_t id)
{
	return number ? bsearch(&id, rows, number, sizeof(*rows), by_id) : NULL;
}

static int by_process(const void *a, const void *b)
{
	return ((const struct zptop_process *)a)->pid - ((const struct zptop_process *)b)->pid;
}

/* One entry for each end becomes one for each process. */
static size_t gather(struct zptop_process *processes, size_t number)
{
	size_t k, to = 0;

	if (number)
		qsort(processes, number, sizeof(*processes), by_process);
	for (k = 0; k < number; k++) {
		struct zptop_process *sum = to ? &processes[to - 1] : NULL;
		const struct zptop_process *one = &processes[k];

		if (!sum || sum->pid != one->pid) {
			processes[to++] = *one;
			continue;
		}
		sum->writes_to += one->writes_to;
		sum->reads_from += one->reads_from;
		sum->total_calls += one->total_calls;
		sum->sent += one->sent;
		sum->received += one->received;
		sum->held += one->held;
		if (one->paused > sum->paused)
			sum->paused = one->paused;
		if (one->waiting > sum->waiting)
			sum->waiting = one->waiting;
	}
	return to;
}

/* Who has which end; and what each process does, over all its pipes. */
static void assign(struct zptop_rows *all, struct zptop_sample *sample, size_t nr_ends)
{
	size_t k, number = 0;

	for (k = 0; k < nr_ends; k++) {
		const struct zptop_end *end = &all->names[k];
		struct zptop_process *process;
		struct zptop_row *row;

		row = find_row(sample->rows, sample->nr_rows, all->keys[k].pipe);
		if (!row)
			continue;
		process = &all->processes[number++];
		*process = (struct zptop_process){ .pid = (pid_t)all->keys[k].pid,
						   .total_calls = end->calls };
		memcpy(process->comm, end->comm, sizeof(process->comm));
		process->comm[sizeof(process->comm) - 1] = '\0';
		if (end->roles & (1 << 1)) {
			add_who(&row->writer, &all->keys[k], end);
			process->writes_to = 1;
			process->sent = row->bytes;
			process->paused = row->paused;
		}
		if (end->roles & (1 << 2)) {
			add_who(&row->reader, &all->keys[k], end);
			process->reads_from = 1;
			process->received = row->bytes;
			process->waiting = row->waiting;
			process->held = row->held;
		}
	}
	sample->processes = all->processes;
	sample->nr_processes = gather(all->processes, number);
}

/* Make room for others: what is gone was seen now. */
static void forget(struct zptop_rows *all, const struct zptop_sample *sample, size_t nr_ends)
{
	size_t k;

	for (k = 0; k < sample->nr_rows; k++) {
		if (sample->rows[k].gone)
			bpf_map_delete_elem(all->pipes, &sample->rows[k].id);
	}
	for (k = 0; k < nr_ends; k++) {
		const struct zptop_row *row = find_row(sample->rows, sample->nr_rows,
						       all->keys[k].pipe);

		if (row && row->gone)
			bpf_map_delete_elem(all->ends, &all->keys[k]);
	}
}

static void add_up(struct zptop_sample *sample)
{
	struct zptop_row *sum = &sample->sum;
	size_t k;

	memset(sum, 0, sizeof(*sum));
	for (k = 0; k < sample->nr_rows; k++) {
		const struct zptop_row *row = &sample->rows[k];

		sum->bytes += row->bytes;
		sum->messages += row->messages;
		sum->segments += row->segments;
		sum->wakes += row->wakes;
		sum->copied += row->copied;
		sum->held += row->held;
		sum->unexamined += row->unexamined;
		sum->preserved += row->preserved;
		sum->capacity += row->capacity;
		sum->delivered += row->delivered;
	}
	sum->copies = sum->bytes > 0 ? sum->copied / sum->bytes : -1;
	sum->fill = percent(sum->held, sum->capacity);
}

int zptop_rows_sample(struct zptop_rows *all, struct zptop_sample *sample)
{
	ssize_t nr_pipes, nr_ends;
	struct timespec wall;
	bool unknown = false;
	uint64_t now;
	size_t k;

	nr_pipes = read_table(all->pipes, all->room, all->ids, sizeof(*all->ids), all->values,
			      sizeof(*all->values));
	now = zb_now();
	nr_ends = read_table(all->ends, all->room * ZPTOP_ENDS_PER_PIPE, all->keys,
			     sizeof(*all->keys), all->names, sizeof(*all->names));
	if (nr_pipes < 0 || nr_ends < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &wall);
	sample->time = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
	sample->seconds = (double)(now - all->time) / 1e9;
	if (sample->seconds < 1e-6)
		sample->seconds = 1e-6;

	sample->rows = all->rows;
	sample->nr_rows = 0;
	for (k = 0; k < (size_t)nr_pipes; k++) {
		if (!all->only || all->ids[k] == all->only)
			all->rows[sample->nr_rows++] = (struct zptop_row){
				.id = all->ids[k], .total = all->values[k],
			};
	}
	if (sample->nr_rows)
		qsort(all->rows, sample->nr_rows, sizeof(*all->rows), by_id);
	for (k = 0; k < sample->nr_rows; k++) {
		struct zptop_row *row = &all->rows[k];
		const struct known *base = find_known(all->base, all->nr_base, row->id);

		row->total.preserved += (int64_t)base->preserved;
		row->capacity = row->total.flow.capacity;
		if (!row->capacity)
			row->capacity = base->capacity;
		if (!row->capacity)
			row->capacity = find_known(all->known, all->nr_known, row->id)->capacity;
		compare(row, find_row(all->before, all->nr_before, row->id), all->time, now);
	}
	assign(all, sample, (size_t)nr_ends);
	add_up(sample);
	forget(all, sample, (size_t)nr_ends);

	/* Sorted by number: the caller may sort the other. */
	memcpy(all->before, all->rows, sample->nr_rows * sizeof(*all->rows));
	all->nr_before = sample->nr_rows;
	all->time = now;
	for (k = 0; k < sample->nr_rows && !unknown; k++) {
		const struct zptop_row *row = &all->rows[k];

		unknown = !row->gone && (!row->capacity || !row->writer.pid || !row->reader.pid);
	}
	/* For the next time. */
	if (unknown)
		look_at_processes(all);
	return 0;
}

const char *const zptop_keys[] = {
	"rate", "messages", "segments", "held", "unexamined", "fill", "paused", "waiting", "wakes",
	"copies", "preserved", "pipe", NULL
};

int zptop_key(const char *name)
{
	int k, length = (int)strlen(name);

	for (k = 0; length && zptop_keys[k]; k++) {
		if (!strncmp(name, zptop_keys[k], (size_t)length))
			return k;
	}
	return -1;
}

static double value_of(const struct zptop_row *row, int key)
{
	switch (key) {
	case 0: return row->bytes;
	case 1: return row->messages;
	case 2: return row->segments;
	case 3: return (double)row->held;
	case 4: return (double)row->unexamined;
	case 5: return row->fill;
	case 6: return row->paused;
	case 7: return row->waiting;
	case 8: return row->wakes;
	case 9: return row->copies;
	case 10: return (double)row->preserved;
	default: return -(double)row->id;
	}
}

static double process_value_of(const struct zptop_process *process, int key)
{
	switch (key) {
	case 3: return (double)process->held;
	case 6: return process->paused;
	case 7: return process->waiting;
	case 11: return -(double)process->pid;
	default: return process->sent + process->received;
	}
}

struct order {
	int key;
	int sign;
};

/* What is equal stays in the order of the numbers. */
static int by_order(const void *a, const void *b, void *context)
{
	const struct zptop_row *x = a, *y = b;
	const struct order *order = context;
	double v = value_of(x, order->key), w = value_of(y, order->key);

	if (v > w || v < w)
		return (v > w ? -1 : 1) * order->sign;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int processes_by_order(const void *a, const void *b, void *context)
{
	const struct zptop_process *x = a, *y = b;
	const struct order *order = context;
	double v = process_value_of(x, order->key), w = process_value_of(y, order->key);

	if (v > w || v < w)
		return (v > w ? -1 : 1) * order->sign;
	return x->pid - y->pid;
}

void zptop_rows_sort(struct zptop_sample *sample, int key, bool reverse)
{
	struct order order = { .key = key, .sign = reverse ? -1 : 1 };

	if (sample->nr_rows)
		qsort_r(sample->rows, sample->nr_rows, sizeof(*sample->rows), by_order, &order);
	if (sample->nr_processes)
		qsort_r(sample->processes, sample->nr_processes, sizeof(*sample->processes),
			processes_by_order, &order);
}
