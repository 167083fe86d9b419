// SPDX-License-Identifier: MIT
/*
 * zplat - histograms of how long each side of a zpipe waits, and how long bytes are in it
 *
 * The program in the kernel sorts each time into a slot; this prints the slots.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "common.h"
#include "zplat.h"
#include "zplat.skel.h"

#define BAR	40

static struct {
	struct zb_opts common;
	bool each;
} opts = { .common = { .pipes = ZB_PIPES } };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Print every so often, what came since the last time", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many intervals", 0 },
	{ "each", 'e', NULL, 0, "For each pipe, too", 0 },
	{ "pipe", 'p', "ID", 0, "Only this pipe", 0 },
	{ "json", 'j', NULL, 0, "One JSON object for each histogram", 0 },
	{ "max-pipes", 'm', "NUMBER", 0, "Room for so many pipes (16384)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'e':
		opts.each = true;
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
	.doc = "Shows how long the writers of zpipes were paused, how long each side slept, and "
	       "how long bytes took from published to consumed."
	       "\vUntil COMMAND ends, or until a signal.",
	.children = children,
};

static const struct {
	const char *name;
	const char *title;
} kinds[ZPLAT_KINDS] = {
	[ZPLAT_PAUSED] = { "paused", "writer paused" },
	[ZPLAT_WRITER_WAIT] = { "writer_wait", "writer waits" },
	[ZPLAT_READER_WAIT] = { "reader_wait", "reader waits" },
	[ZPLAT_TRANSIT] = { "publish_to_consume", "publish to consume" },
};

/* So much of it is below that: the upper end of the slot, or the longest there was. */
static uint64_t quantile(const struct zplat_histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)histogram->number + 0.5), sum = 0;
	unsigned int k;

	for (k = 0; k < ZPLAT_SLOTS; k++) {
		sum += histogram->slots[k];
		if (sum && sum >= wanted)
			break;
	}
	if (k >= ZPLAT_SLOTS - 1 || 2ULL << k > histogram->most)
		return histogram->most;
	return 2ULL << k;
}

static void show_json(const struct zplat_key *key, const struct zplat_histogram *histogram,
		      uint64_t lost, uint64_t untimed)
{
	const char *comma = "";
	unsigned int k;

	if (key->pipe)
		printf("{\"pipe\":%" PRIu64 ",", (uint64_t)key->pipe);
	else
		printf("{\"pipe\":null,");
	printf("\"kind\":\"%s\",\"count\":%" PRIu64 ",\"sum_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64
	       ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64, kinds[key->kind].name,
	       (uint64_t)histogram->number, (uint64_t)histogram->sum, (uint64_t)histogram->most,
	       quantile(histogram, 0.5), quantile(histogram, 0.99));
	if (key->kind == ZPLAT_TRANSIT && !key->pipe)
		printf(",\"untimed\":%" PRIu64, untimed);
	printf(",\"lost\":%" PRIu64 ",\"slots\":{", lost);
	for (k = 0; k < ZPLAT_SLOTS; k++) {
		if (!histogram->slots[k])
			continue;
		printf("%s\"%llu\":%" PRIu64, comma, k ? 1ULL << k : 0ULL,
		       (uint64_t)histogram->slots[k]);
		comma = ",";
	}
	printf("}}\n");
}

static void show_text(const struct zplat_key *key, const struct zplat_histogram *histogram)
{
	char mean[8], most[8], p50[8], p99[8], from[8], to[8], bar[BAR + 1];
	unsigned int k, first = ZPLAT_SLOTS, last = 0, length;
	uint64_t top = 0;

	if (key->pipe)
		printf("pipe %" PRIu64 ", ", (uint64_t)key->pipe);
	printf("%s: %" PRIu64, kinds[key->kind].title, (uint64_t)histogram->number);
	if (histogram->number)
		printf(", mean %s, half below %s, 99%% below %s, longest %s",
		       zb_time(mean, (double)histogram->sum / (double)histogram->number),
		       zb_time(p50, (double)quantile(histogram, 0.5)),
		       zb_time(p99, (double)quantile(histogram, 0.99)),
		       zb_time(most, (double)histogram->most));
	putchar('\n');
	for (k = 0; k < ZPLAT_SLOTS; k++) {
		if (!histogram->slots[k])
			continue;
		first = first < k ? first : k;
		last = k;
		top = top > histogram->slots[k] ? top : histogram->slots[k];
	}
	for (k = first; k <= last && top; k++) {
		length = (unsigned int)((double)histogram->slots[k] * BAR / (double)top + 0.5);
		memset(bar, '#', length);
		bar[length] = '\0';
		printf("  %7s to %-7s %12" PRIu64 " |%-*s|\n",
		       zb_time(from, k ? (double)(1ULL << k) : 0), zb_time(to, (double)(2ULL << k)),
		       (uint64_t)histogram->slots[k], BAR, bar);
	}
	putchar('\n');
}

static int by_key(const void *a, const void *b)
{
	const struct zplat_key *x = a, *y = b;

	if (x->pipe != y->pipe)
		return x->pipe < y->pipe ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* All that are there, in order; how many, or -1. */
static long keys_of(int map, struct zplat_key *keys, size_t room)
{
	struct zplat_key next;
	size_t number = 0;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	for (; more && number < room; number++) {
		keys[number] = next;
		more = !bpf_map_get_next_key(map, &keys[number], &next);
	}
	if (number)
		qsort(keys, number, sizeof(*keys), by_key);
	return (long)number;
}

static void show(const struct zplat_key *key, const struct zplat_histogram *histogram,
		 const struct zplat_bpf *skel)
{
	if (opts.common.json)
		show_json(key, histogram, skel->bss->lost, skel->bss->untimed);
	else
		show_text(key, histogram);
}

/* With intervals each begins at nothing; the others are shown even if nothing came. */
static void print(struct zplat_bpf *skel, struct zplat_key *keys, size_t room)
{
	static const struct zplat_histogram nothing;
	int map = bpf_map__fd(skel->maps.histograms);
	struct zplat_histogram histogram;
	long number = keys_of(map, keys, room), k;
	struct zplat_key all = { 0 };

	for (; all.kind < ZPLAT_KINDS; all.kind++) {
		histogram = nothing;
		bpf_map_lookup_elem(map, &all, &histogram);
		show(&all, &histogram, skel);
	}
	for (k = 0; k < number; k++) {
		if (keys[k].pipe && !bpf_map_lookup_elem(map, &keys[k], &histogram))
			show(&keys[k], &histogram, skel);
		if (opts.common.interval)
			bpf_map_delete_elem(map, &keys[k]);
	}
	if (!opts.common.json && skel->bss->untimed)
		printf("%" PRIu64 " publishes could not be timed: more than %d were on their way, "
		       "or the reader was faster\n\n", (uint64_t)skel->bss->untimed, ZPLAT_QUEUE);
	fflush(stdout);
}

static void watch(struct zplat_bpf *skel, struct zplat_key *keys, size_t room)
{
	struct zb_turns turns = { 0 };

	while (zb_turn(&turns, &opts.common))
		print(skel, keys, room);
	zb_lost(skel->bss->lost);
}

int main(int argc, char **argv)
{
	struct zplat_key *keys;
	struct zplat_bpf *skel;
	size_t room;
	int ret = 1;

	zb_main("histograms of waiting on zpipes");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zplat_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	room = ((opts.each ? opts.common.pipes : 0) + 1) * ZPLAT_KINDS;
	keys = calloc(room, sizeof(*keys));
	if (!keys)
		return zb_say("no memory for %llu pipes", (unsigned long long)opts.common.pipes), 1;
	bpf_map__set_max_entries(skel->maps.histograms, (uint32_t)room);
	bpf_map__set_max_entries(skel->maps.queues, (uint32_t)opts.common.pipes);
	skel->rodata->only = opts.common.pipe;
	skel->rodata->each = opts.each;
	if (!zb_attach(skel->skeleton)) {
		zb_start(&skel->bss->attached);
		if (!zb_run(opts.common.command)) {
			watch(skel, keys, room);
			ret = zb_status();
		}
	}
	free(keys);
	zplat_bpf__destroy(skel);
	return ret;
}
