// SPDX-License-Identifier: MIT
/*
 * zpcopy - every byte copied on a zpipe, by the place that copies it, beside the bytes delivered
 *
 * The program in the kernel counts; this prints what it has counted, every so often or at the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "common.h"
#include "scan.h"
#include "zpcopy.h"
#include "zpcopy.skel.h"

static struct {
	struct zb_opts common;
	bool each;
} opts = { .common = { .pipes = ZB_PIPES } };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Print every so often, not only at the end", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many intervals", 0 },
	{ "each", 'e', NULL, 0, "One block for each pipe", 0 },
	{ "pipe", 'p', "ID", 0, "Only this pipe", 0 },
	{ "json", 'j', NULL, 0, "One JSON object on a line", 0 },
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
	.doc = "Counts the bytes that are copied on zpipes, by place, beside the bytes delivered."
	       "\vUntil COMMAND ends, or until a signal.",
	.children = children,
};

static const char *const places[ZB_PLACES] = {
	[0] = "other", [ZB_WRITE] = "write", [ZB_READ] = "read", [ZB_SPLICE_OUT] = "splice-out",
	[ZB_SPLICE_IN] = "splice-in", [ZB_SEAL] = "seal", [ZB_ADOPT] = "adopted",
	[ZB_ZERO] = "zeroed", [ZB_PIN] = "pinned",
};

static const char *place_name(char *text, size_t size, unsigned int place)
{
	if (places[place])
		snprintf(text, size, "%s", places[place]);
	else
		snprintf(text, size, "place-%u", place);
	return text;
}

static uint64_t delivered(const struct zpcopy_pipe *pipe)
{
	if (!pipe->flow.known || pipe->flow.consumed < pipe->flow.begin)
		return 0;
	return pipe->flow.consumed - pipe->flow.begin;
}

/* A place that is not known is one where something is copied. */
static bool is_copy(unsigned int place)
{
	return place != ZB_ADOPT && place != ZB_ZERO;
}

static uint64_t copied(const struct zpcopy_pipe *pipe)
{
	uint64_t sum = 0;
	unsigned int k;

	for (k = 0; k < ZB_PLACES; k++)
		sum += is_copy(k) ? pipe->bytes[k] : 0;
	return sum;
}

static void show_json(uint64_t id, uint64_t bytes, const struct zpcopy_pipe *pipe, uint64_t lost)
{
	const char *comma = "";
	unsigned int k;
	char name[16];

	if (id)
		printf("{\"pipe\":%" PRIu64 ",", id);
	else
		printf("{\"pipe\":null,");
	printf("\"delivered\":%" PRIu64 ",\"copied\":%" PRIu64 ",\"copies_per_byte\":", bytes,
	       copied(pipe));
	if (bytes)
		printf("%.6f", (double)copied(pipe) / (double)bytes);
	else
		printf("null");
	printf(",\"spliced\":%" PRIu64 ",\"forwarded\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"places\":{", (uint64_t)pipe->spliced, (uint64_t)pipe->forwarded, lost);
	for (k = 0; k < ZB_PLACES; k++) {
		if (!pipe->copies[k])
			continue;
		printf("%s\"%s\":{\"bytes\":%" PRIu64 ",\"copies\":%" PRIu64 "}", comma,
		       place_name(name, sizeof(name), k), (uint64_t)pipe->bytes[k],
		       (uint64_t)pipe->copies[k]);
		comma = ",";
	}
	printf("}}\n");
}

static void line(const char *name, uint64_t bytes, uint64_t copies, uint64_t of)
{
	printf("  %-12s %20" PRIu64, name, bytes);
	if (copies)
		printf(" %12" PRIu64, copies);
	if (of)
		printf(" %*.4f", copies ? 9 : 22, (double)bytes / (double)of);
	putchar('\n');
}

static void show(uint64_t id, uint64_t bytes, const struct zpcopy_pipe *pipe, uint64_t lost)
{
	unsigned int k;
	char name[32];

	if (opts.common.json) {
		show_json(id, bytes, pipe, lost);
		return;
	}
	if (id)
		snprintf(name, sizeof(name), "pipe %" PRIu64, id);
	else
		snprintf(name, sizeof(name), "all pipes");
	printf("%-14s %20s %12s %9s\n", name, "bytes", "copies", "per byte");
	line("delivered", bytes, 0, 0);
	for (k = 0; k < ZB_PLACES; k++) {
		if (pipe->copies[k] && is_copy(k))
			line(place_name(name, sizeof(name), k), pipe->bytes[k], pipe->copies[k],
			     bytes);
	}
	line("copied", copied(pipe), 0, bytes);
	for (k = 0; k < ZB_PLACES; k++) {
		if (pipe->copies[k] && !is_copy(k))
			line(place_name(name, sizeof(name), k), pipe->bytes[k], pipe->copies[k],
			     bytes);
	}
	if (pipe->spliced)
		line("spliced", pipe->spliced, 0, bytes);
	if (pipe->forwarded)
		line("forwarded", pipe->forwarded, 0, bytes);
}

static void add(struct zpcopy_pipe *sum, const struct zpcopy_pipe *pipe)
{
	unsigned int k;

	sum->spliced += pipe->spliced;
	sum->forwarded += pipe->forwarded;
	for (k = 0; k < ZB_PLACES; k++) {
		sum->bytes[k] += pipe->bytes[k];
		sum->copies[k] += pipe->copies[k];
	}
}

/* Those that are gone make room for others, once they were shown. */
static struct zpcopy_pipe gone;
static uint64_t gone_bytes;

static void print(struct zpcopy_bpf *skel)
{
	int map = bpf_map__fd(skel->maps.pipes);
	struct zpcopy_pipe sum = gone, pipe;
	uint64_t key, next, bytes = gone_bytes;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &pipe) ||
		    (opts.common.pipe && opts.common.pipe != key))
			continue;
		add(&sum, &pipe);
		bytes += delivered(&pipe);
		if (opts.each)
			show(key, delivered(&pipe), &pipe, skel->bss->lost);
		if (pipe.flow.gone && !bpf_map_delete_elem(map, &key)) {
			add(&gone, &pipe);
			gone_bytes += delivered(&pipe);
		}
	}
	show(0, bytes, &sum, skel->bss->lost);
	fflush(stdout);
}

/* A pipe that was there before us is counted from where it is. */
static void found(const struct zb_end *end, void *context)
{
	struct zpcopy_bpf *skel = context;
	struct zpcopy_pipe pipe = { .flow = {
		.known = 1, .begin = end->consumed, .capacity = end->capacity,
		.granted = end->granted, .published = end->published,
		.examined = end->examined, .consumed = end->consumed,
	} };

	if (strcmp(end->role, "buffer"))
		bpf_map_update_elem(bpf_map__fd(skel->maps.pipes), &end->pipe, &pipe, BPF_NOEXIST);
}

int main(int argc, char **argv)
{
	struct zpcopy_bpf *skel;
	struct zb_turns turns = { 0 };

	zb_main("bytes copied on zpipes, by place");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zpcopy_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	bpf_map__set_max_entries(skel->maps.pipes, (uint32_t)opts.common.pipes);
	if (zb_attach(skel->skeleton))
		return 1;
	zb_start(&skel->bss->attached);
	zb_scan(found, skel);
	if (zb_run(opts.common.command))
		return 1;

	while (zb_turn(&turns, &opts.common))
		print(skel);
	zb_lost(skel->bss->lost);
	zpcopy_bpf__destroy(skel);
	return zb_status();
}
