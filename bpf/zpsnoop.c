// SPDX-License-Identifier: MIT
/*
 * zpsnoop - one line for each event of a zpipe
 *
 * The filters work in the kernel. What the ring buffer had no room for is counted and shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "zpsnoop.h"
#include "zpsnoop.skel.h"

/* How many bytes wait in the kernel at most, and for how long. */
#define MIN_BUFFER	4096
#define MAX_BUFFER	(1U << 30)
#define DELAY_NS	50000000

static struct {
	uint64_t pid;
	uint64_t pipe;
	uint64_t count;
	uint64_t buffer;
	int error;
	bool errors;
	bool json;
	bool chosen[ZPSNOOP_NR];
	bool some;
	char **command;
} opts;

static const char *const names[ZPSNOOP_NR] = {
#define EVENT(name)	#name,
#include "zpsnoop-events.h"
#undef EVENT
};

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "Only what this process does", 0 },
	{ "pipe", 'i', "ID", 0, "Only this pipe", 0 },
	{ "verb", 'e', "EVENT[,EVENT]...", 0, "Only these events; may be repeated", 0 },
	{ "failed", 'x', NULL, 0, "Only what ended with an error", 0 },
	{ "error", 'E', "ERRNO", 0, "Only what ended with this one, by name or number", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many lines", 0 },
	{ "json", 'j', NULL, 0, "One JSON object for each line", 0 },
	{ "buffer", 'b', "BYTES", 0, "Room for what was not yet printed (4194304)", 0 },
	{ 0 }
};

static void choose(struct argp_state *state, char *list)
{
	char *name;
	size_t k;

	while ((name = strsep(&list, ","))) {
		for (k = 0; k < ZPSNOOP_NR && strcmp(name, names[k]); k++)
			;
		if (k < ZPSNOOP_NR)
			opts.chosen[k] = true;
		else
			argp_error(state, "there is no event '%s'", name);
		opts.some = true;
	}
}

static int errno_of(struct argp_state *state, const char *text)
{
	const char *name;
	int k;

	for (k = 1; k < 134; k++) {
		name = strerrorname_np(k);
		if (name && !strcasecmp(name, text))
			return k;
	}
	return (int)zb_number(state, "--error", text, 1, 4095);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'p':
		opts.pid = zb_number(state, "--pid", arg, 1, INT32_MAX);
		break;
	case 'i':
		opts.pipe = zb_number(state, "--pipe", arg, 1, UINT64_MAX);
		break;
	case 'e':
		choose(state, arg);
		break;
	case 'x':
		opts.errors = true;
		break;
	case 'E':
		opts.error = errno_of(state, arg);
		break;
	case 'c':
		opts.count = zb_number(state, "--count", arg, 1, UINT64_MAX);
		break;
	case 'j':
		opts.json = true;
		break;
	case 'b':
		opts.buffer = zb_number(state, "--buffer", arg, MIN_BUFFER, MAX_BUFFER);
		if (opts.buffer & (opts.buffer - 1))
			argp_error(state, "--buffer takes a power of two, not '%s'", arg);
		break;
	case ARGP_KEY_ARGS:
		opts.command = state->argv + state->next;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = { ZB_ARGP_CHILD, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG]...]",
	.doc = "Prints a line for each event of a zpipe."
	       "\vUntil COMMAND ends, or until a signal. zpsnoop(8) explains the events.",
	.children = children,
};

static uint64_t begin;
static uint64_t printed;

static const char *role(int32_t number)
{
	return number == 1 ? "writer" : number == 2 ? "reader" : "?";
}

static const char *error(char *text, size_t size, int number)
{
	const char *name = strerrorname_np(number);

	/* The kernel's own, which no program sees: the call comes again. */
	if (number == 512)
		name = "ERESTARTSYS";
	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%d", number);
	return text;
}

/* What ret means depends on the event. */
static const char *result(char *text, size_t size, const struct zpsnoop_line *line)
{
	static const char *const places[] = {
		"?", "write", "read", "splice-out", "splice-in", "seal", "adopt", "zero", "pin",
	};
	const size_t known = sizeof(places) / sizeof(*places);

	if (line->ret < 0)
		return error(text, size, -line->ret);
	switch (line->verb) {
	case ZPSNOOP_complete:
		if (!line->ret)
			return role((int32_t)line->length);
		snprintf(text, size, "%s ", role((int32_t)line->length));
		error(text + strlen(text), size - strlen(text), line->ret);
		return text;
	case ZPSNOOP_wait_begin:
	case ZPSNOOP_wait_end:
	case ZPSNOOP_wake:
		return role(line->ret);
	case ZPSNOOP_splice:
		return line->ret ? role(line->ret) : "0";
	case ZPSNOOP_copy:
		if ((size_t)line->ret < known)
			return places[line->ret];
		snprintf(text, size, "place-%d", line->ret);
		return text;
	default:
		snprintf(text, size, "%d", line->ret);
		return text;
	}
}

static void print_json(const struct zpsnoop_line *line, const char *what)
{
	printf("{\"time\":%" PRIu64 ",\"pid\":%u,\"tid\":%u,\"comm\":", (uint64_t)line->ns,
	       line->pid, line->tid);
	zb_quote(stdout, line->comm);
	printf(",\"pipe\":%" PRIu64 ",\"event\":\"%s\",\"position\":%" PRIu64
	       ",\"length\":%" PRIu64 ",\"ret\":%d,\"result\":\"%s\"}\n",
	       (uint64_t)line->pipe, names[line->verb], (uint64_t)line->position,
	       (uint64_t)line->length, line->ret, what);
}

static int print(void *context, void *data, size_t size)
{
	const struct zpsnoop_line *line = data;
	double seconds;
	char what[48];

	(void)context;
	if (size < sizeof(*line) || (opts.count && printed == opts.count))
		return 0;
	printed++;
	if (opts.json) {
		print_json(line, result(what, sizeof(what), line));
		return 0;
	}
	seconds = line->ns < begin ? 0 : (double)(line->ns - begin) / 1e9;
	printf("%12.6f %7u %-15.16s %6" PRIu64 " %-12s %20" PRIu64 " %12" PRIu64 " %s\n", seconds,
	       line->pid, line->comm, (uint64_t)line->pipe, names[line->verb],
	       (uint64_t)line->position, (uint64_t)line->length,
	       result(what, sizeof(what), line));
	return 0;
}

static int set_up(struct zpsnoop_bpf *skel)
{
	struct bpf_program *program;
	char name[32];
	size_t k;

	skel->rodata->only_pid = (uint32_t)opts.pid;
	skel->rodata->only_pipe = opts.pipe;
	skel->rodata->only_errors = opts.errors;
	skel->rodata->only_error = opts.error;
	if (opts.buffer) {
		bpf_map__set_max_entries(skel->maps.lines, (uint32_t)opts.buffer);
		skel->rodata->wake_at = opts.buffer / 4;
	}
	for (k = 0; opts.some && k < ZPSNOOP_NR; k++) {
		snprintf(name, sizeof(name), "on_%s", names[k]);
		program = bpf_object__find_program_by_name(skel->obj, name);
		if (!program)
			return zb_say("there is no program for the event %s", names[k]);
		bpf_program__set_autoload(program, opts.chosen[k]);
	}
	return zb_attach(skel->skeleton);
}

int main(int argc, char **argv)
{
	struct zpsnoop_bpf *skel;
	struct ring_buffer *ring;
	int why;

	zb_main("one line for each event of a zpipe");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zpsnoop_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	if (set_up(skel))
		return 1;
	ring = ring_buffer__new(bpf_map__fd(skel->maps.lines), print, NULL, NULL);
	if (!ring)
		return zb_say("cannot map the ring buffer: %s", strerror(errno)), 1;
	zb_start(&skel->bss->attached);
	begin = zb_now();
	if (!opts.json)
		printf("%12s %7s %-15s %6s %-12s %20s %12s %s\n", "SECONDS", "PID", "COMMAND",
		       "PIPE", "EVENT", "POSITION", "LENGTH", "RESULT");
	fflush(stdout);
	if (zb_run(opts.command))
		return 1;
	do {
		why = zb_wait(zb_now() + DELAY_NS, ring_buffer__epoll_fd(ring));
		ring_buffer__consume(ring);
		if (fflush(stdout))
			break;
	} while (why != ZB_STOP && why != ZB_ENDED && (!opts.count || printed < opts.count));
	zb_lost(skel->bss->lost);
	ring_buffer__free(ring);
	zpsnoop_bpf__destroy(skel);
	return zb_status();
}
