// SPDX-License-Identifier: MIT
/*
 * zphold - who holds preserved, teed or exported memory, how much, since when
 *
 * Two sources. The events tell who preserved, exported or teed, when, and by which stack; /proc
 * tells who has the fds now, which also covers what is older than this tool. A reader is asked for
 * its index with INFO, by which the two are joined.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "common.h"
#include "symbols.h"
#include "zphold.h"
#include "zphold.skel.h"
#include "zphold_holders.h"

static struct {
	struct zb_opts common;
	uint64_t least;
	bool stacks;
} opts = { .common = { .interval = 1000000000 }, .stacks = true };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Print every so often (1)", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many intervals", 0 },
	{ "pipe", 'p', "ID", 0, "Only this pipe", 0 },
	{ "least", 'l', "BYTES", 0, "Leave out what is smaller", 0 },
	{ "no-stacks", 'n', NULL, 0, "Do not show the stacks", 0 },
	{ "json", 'j', NULL, 0, "One JSON object for each line", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'l':
		opts.least = zb_number(state, "--least", arg, 0, UINT64_MAX);
		break;
	case 'n':
		opts.stacks = false;
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
	.doc = "Shows who holds preserved, exported and teed memory of zpipes."
	       "\vUntil COMMAND ends, or until a signal.",
	.children = children,
};

/* Stacks, in words. */
struct stack {
	uint32_t pid;
	int32_t id;
	char *text;
};

static struct stack *stacks;
static size_t nr_stacks;
static struct zphold_bpf *skel;

/* While the process lives. */
static int learn(void *context, void *data, size_t size)
{
	const struct zphold_news *news = data;
	uint64_t frames[ZPHOLD_FRAMES] = { 0 };
	struct stack *larger;
	uint32_t id;

	(void)context;
	if (size < sizeof(*news))
		return 0;
	id = (uint32_t)news->stack;
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.stacks), &id, frames))
		return 0;
	larger = reallocarray(stacks, nr_stacks + 1, sizeof(*larger));
	if (!larger)
		return 0;
	stacks = larger;
	stacks[nr_stacks++] = (struct stack){
		.pid = news->pid, .id = news->stack,
		.text = zb_symbols((pid_t)news->pid, frames, ZPHOLD_FRAMES),
	};
	return 0;
}

static const char *stack_of(const struct zphold_since *since)
{
	size_t k;

	for (k = 0; since->stack >= 0 && k < nr_stacks; k++) {
		if (stacks[k].pid == since->pid && stacks[k].id == since->stack)
			return stacks[k].text;
	}
	return NULL;
}

static struct holders now;

static const char *const kinds[] = { "?", "preserved", "exported", "teed" };

struct sums {
	uint64_t bytes[4];
	uint64_t ranges[4];
};

static void put_stack(const char *text)
{
	const char *line = text, *end;

	for (; line && *line; line = end + 1) {
		end = strchrnul(line, '\n');
		printf("%12s%.*s\n", "", (int)(end - line), line);
		if (!*end)
			break;
	}
}

static void put_json_stack(const char *text)
{
	const char *comma = "", *line = text, *end;
	char frame[256];

	printf(",\"stack\":[");
	for (; line && *line; line = end + 1) {
		end = strchrnul(line, '\n');
		snprintf(frame, sizeof(frame), "%.*s", (int)(end - line), line);
		fputs(comma, stdout);
		zb_quote(stdout, frame);
		comma = ",";
		if (!*end)
			break;
	}
	putchar(']');
}

/* since: NULL when it is older than we are; holder: NULL when nobody was found. */
static void show(unsigned int kind, const struct zphold_range *range, uint64_t bytes,
		 const struct zphold_since *since, const struct holder *holder, struct sums *sums)
{
	const char *text = since ? stack_of(since) : NULL;
	char age[16] = "-";

	sums->bytes[kind] += bytes;
	sums->ranges[kind]++;
	if (bytes < opts.least)
		return;
	if (opts.common.json) {
		printf("{\"kind\":\"%s\",\"pipe\":%" PRIu64 ",\"position\":", kinds[kind],
		       (uint64_t)range->pipe);
		if (range->position == UINT64_MAX)
			printf("null");
		else
			printf("%" PRIu64, (uint64_t)range->position);
		printf(",\"bytes\":%" PRIu64 ",\"handles\":%" PRIu64, bytes,
		       since ? (uint64_t)since->handles : 0);
		if (since) {
			printf(",\"since\":%" PRIu64 ",\"pid\":%u,\"comm\":", (uint64_t)since->ns,
			       since->pid);
			zb_quote(stdout, since->comm);
			if (opts.stacks)
				put_json_stack(text);
		}
		if (holder) {
			printf(",\"holder\":%d,\"holder_fd\":%d,\"fds\":%u,\"holder_comm\":",
			       holder->end.pid, holder->end.fd, holder->fds);
			zb_quote(stdout, holder->end.comm);
		}
		printf("}\n");
		return;
	}
	if (since)
		zb_time(age, (double)(zb_now() - since->ns));
	printf("%-9s %6" PRIu64, kinds[kind], (uint64_t)range->pipe);
	if (range->position == UINT64_MAX)
		printf(" %16s", "-");
	else
		printf(" %16" PRIu64, (uint64_t)range->position);
	printf(" %12" PRIu64 " %6s", bytes, age);
	if (since)
		printf(" %7u %-15.16s", since->pid, since->comm);
	else
		printf(" %7s %-15s", "-", "(before zphold)");
	if (holder)
		printf(" %d/%d%s", holder->end.pid, holder->end.fd, holder->fds > 1 ? " ..." : "");
	else
		printf(" -");
	putchar('\n');
	if (opts.stacks)
		put_stack(text);
}

struct entry {
	struct zphold_range range;
	struct zphold_since since;
	bool late;		/* came while /proc was looked at: for the next time */
};

static int oldest_first(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;

	if (a->range.kind != b->range.kind)
		return a->range.kind < b->range.kind ? -1 : 1;
	return a->since.ns < b->since.ns ? -1 : a->since.ns > b->since.ns;
}

/* A copy of the table, to be sorted, with room for as many again. */
static struct entry *entries(size_t *number)
{
	const int map = bpf_map__fd(skel->maps.ranges);
	struct entry *entry = calloc(2 * ZPHOLD_RANGES, sizeof(*entry));
	struct zphold_range key, next;
	bool more;

	*number = 0;
	if (!entry)
		return NULL;
	more = !bpf_map_get_next_key(map, NULL, &next);
	while (more && *number < ZPHOLD_RANGES) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		entry[*number].range = key;
		if (!bpf_map_lookup_elem(map, &key, &entry[*number].since))
			(*number)++;
	}
	if (*number)
		qsort(entry, *number, sizeof(*entry), oldest_first);
	return entry;
}

static void forget(const struct zphold_range *range)
{
	bpf_map_delete_elem(bpf_map__fd(skel->maps.ranges), range);
}

static bool is_among(const struct zphold_range *range, const struct entry *entry, size_t number)
{
	size_t k;

	for (k = 0; k < number; k++) {
		if (!memcmp(&entry[k].range, range, sizeof(*range)))
			return true;
	}
	return false;
}

/* What came since @begin may be in /proc and not in the copy: it is not older than this tool. */
static void add_late(struct entry *entry, size_t *number, uint64_t begin)
{
	const size_t early = *number;
	struct entry *again;
	size_t nr, k;

	again = entries(&nr);
	for (k = 0; again && k < nr; k++) {
		if (again[k].since.ns < begin || is_among(&again[k].range, entry, early))
			continue;
		again[k].late = true;
		entry[(*number)++] = again[k];
	}
	free(again);
}

/* The length of a tee's entry is the index of the reader, which may have moved on since. */
static bool came_late(const struct entry *entry, size_t number, const struct zphold_range *range)
{
	size_t k;

	for (k = 0; k < number; k++) {
		const struct zphold_range *late = &entry[k].range;

		if (entry[k].late && late->kind == range->kind && late->pipe == range->pipe &&
		    late->length == range->length &&
		    (late->kind == ZPHOLD_TEE || late->position == range->position))
			return true;
	}
	return false;
}

static uint64_t told_to_be_preserved(const struct entry *entry, size_t number, uint64_t pipe)
{
	uint64_t bytes = 0;
	size_t k;

	for (k = 0; k < number; k++) {
		if (entry[k].range.kind == ZPHOLD_PRESERVE && entry[k].range.pipe == pipe)
			bytes += entry[k].range.length * entry[k].since.handles;
	}
	return bytes;
}

/* What /proc tells and no event did. */
static void show_rest(const struct entry *entry, size_t number, struct sums *sums)
{
	struct zphold_range range;
	uint64_t preserved, told;
	size_t i;

	for (i = 0; i < now.nr; i++) {
		const struct holder *holder = &now.holder[i];
		const struct zb_end *end = &holder->end;

		range = (struct zphold_range){ .pipe = end->pipe };
		if (!strcmp(end->role, "buffer")) {
			range.kind = ZPHOLD_EXPORT;
			range.position = end->position;
			range.length = end->length;
			if (!holder->shown && !came_late(entry, number, &range))
				show(ZPHOLD_EXPORT, &range, end->length, NULL, holder, sums);
			continue;
		}
		range.kind = ZPHOLD_TEE;
		range.position = end->consumed;
		range.length = holder->index;
		if (end->readers > 1 && !end->ended && !holder->shown &&
		    !came_late(entry, number, &range))
			show(ZPHOLD_TEE, &range, end->published - end->consumed, NULL, holder,
			     sums);
		/* Once for each pipe: which reader has preserved is not told. */
		if (holder_that_preserves(&now, end->pipe) != holder)
			continue;
		range.position = UINT64_MAX;
		preserved = holders_preserved(&now, end->pipe);
		told = told_to_be_preserved(entry, number, end->pipe);
		if (preserved > told)
			show(ZPHOLD_PRESERVE, &range, preserved - told, NULL, holder, sums);
	}
}

static void print(void)
{
	const uint64_t begin = zb_now();
	struct zphold_range range;
	struct sums sums = { 0 };
	struct holder *holder;
	struct entry *entry;
	size_t number, k;
	char text[16];

	entry = entries(&number);
	if (!entry)
		return;
	now.pipe = opts.common.pipe;
	holders_find(&now);
	add_late(entry, &number, begin);
	if (!opts.common.json)
		printf("%-9s %6s %16s %12s %6s %7s %-15s %s\n", "KIND", "PIPE", "POSITION", "BYTES",
		       "AGE", "PID", "COMMAND", "HELD BY");
	for (k = 0; k < number; k++) {
		const struct zphold_since *since = &entry[k].since;

		range = entry[k].range;
		if (entry[k].late || (opts.common.pipe && opts.common.pipe != range.pipe))
			continue;
		switch (range.kind) {
		case ZPHOLD_PRESERVE:
			show(ZPHOLD_PRESERVE, &range, range.length * since->handles, since,
			     holder_that_preserves(&now, range.pipe), &sums);
			break;
		case ZPHOLD_EXPORT:
			holder = holder_of_buffer(&now, range.pipe, range.position,
						  range.length);
			if (holder) {
				holder->shown = true;
				show(ZPHOLD_EXPORT, &range, range.length, since, holder, &sums);
			} else {
				forget(&range);
			}
			break;
		default:
			holder = holder_of_reader(&now, range.pipe, (uint32_t)range.length);
			if (!holder || holder->end.ended) {
				forget(&range);
				break;
			}
			holder->shown = true;
			range.position = holder->end.consumed;
			show(ZPHOLD_TEE, &range, holder->end.published - holder->end.consumed,
			     since, holder, &sums);
			break;
		}
	}
	show_rest(entry, number, &sums);
	if (!opts.common.json) {
		for (k = ZPHOLD_PRESERVE; k <= ZPHOLD_TEE; k++)
			printf("%s%s: %s in %" PRIu64, k == ZPHOLD_PRESERVE ? "total  " : ", ",
			       kinds[k], zb_size(text, (double)sums.bytes[k]), sums.ranges[k]);
		printf("\n\n");
	}
	fflush(stdout);
	free(entry);
}

int main(int argc, char **argv)
{
	uint64_t deadline, turn = 0;
	struct ring_buffer *ring;
	int why;

	zb_main("who holds memory of zpipes");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zphold_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	if (zb_attach(skel->skeleton))
		return 1;
	zb_start(&skel->bss->attached);
	ring = ring_buffer__new(bpf_map__fd(skel->maps.news), learn, NULL, NULL);
	if (!ring)
		return zb_say("cannot map the ring buffer: %s", strerror(errno)), 1;
	if (zb_run(opts.common.command))
		return 1;
	deadline = zb_now() + opts.common.interval;
	do {
		why = zb_wait(deadline, ring_buffer__epoll_fd(ring));
		ring_buffer__consume(ring);
		if (why == ZB_READY)
			continue;
		print();
		deadline += opts.common.interval;
		turn++;
	} while (why == ZB_READY ||
		 (why == ZB_TIME && (!opts.common.count || turn < opts.common.count)));
	zb_lost(skel->bss->lost);
	if (skel->bss->lost_stacks)
		zb_say("%llu stacks could not be kept",
		       (unsigned long long)skel->bss->lost_stacks);
	ring_buffer__free(ring);
	zphold_bpf__destroy(skel);
	return zb_status();
}
