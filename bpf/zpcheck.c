// SPDX-License-Identifier: MIT
/*
 * zpcheck - say when a pipe breaks a rule that every pipe must keep
 *
 * Attached, it judges each event where it happens, until a command or a signal ends it, and what
 * fdinfo says of each end. With --trace it judges what ftrace has written, with --fdinfo a copy of
 * such a file, where there is no BPF, or later.
 */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "common.h"
#include "scan.h"

/* One thread judges a text. */
#define ADD(variable, value)	((variable) += (uint64_t)(value))

static inline void raise(__u64 *position, __u64 value)
{
	if (value > *position)
		*position = value;
}

#include "zpcheck.h"
#include "zpcheck.skel.h"

static struct {
	struct zb_opts common;
	const char *trace;
	const char *fdinfo;
	bool first;
	bool quiet;
} opts = { .common = { .interval = 1000000000, .pipes = ZB_PIPES } };

static unsigned long violations;
static unsigned long ends;

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Judge what fdinfo says so often (1)", 0 },
	{ "pipe", 'p', "ID", 0, "Only this pipe", 0 },
	{ "first", '1', NULL, 0, "End at the first violation", 0 },
	{ "quiet", 'q', NULL, 0, "Say nothing when nothing is violated", 0 },
	{ "trace", 't', "FILE", 0, "Judge what ftrace has written, - for standard input", 0 },
	{ "fdinfo", 'f', "FILE", 0, "Judge a copy of /proc/PID/fdinfo/FD", 0 },
	{ "max-pipes", 'm', "NUMBER", 0, "Room for so many pipes (16384)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case '1':
		opts.first = true;
		break;
	case 'q':
		opts.quiet = true;
		break;
	case 't':
		opts.trace = arg;
		break;
	case 'f':
		opts.fdinfo = arg;
		break;
	case ARGP_KEY_END:
		if ((opts.trace || opts.fdinfo) && opts.common.command)
			argp_error(state, "--trace and --fdinfo run no command");
		if (opts.trace && opts.fdinfo)
			argp_error(state, "--trace or --fdinfo");
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
	.doc = "Judges every event of every zpipe: granted >= published >= examined >= consumed, "
	       "held <= capacity, live segments. Prints a line for each violation, and exits with "
	       "1 if there was any."
	       "\vUntil COMMAND ends, or until a signal.",
	.children = children,
};

static const char *const events[ZPCHECK_EVENTS] = { ZPCHECK_EVENT_NAMES };
static const char *const rules[ZPCHECK_RULES] = { ZPCHECK_RULE_NAMES };

static int print(void *context, void *data, size_t size)
{
	const struct zpcheck_report *report = data;

	(void)context;
	if (size < sizeof(*report) || report->event >= ZPCHECK_EVENTS ||
	    report->rule >= ZPCHECK_RULES)
		return 0;
	violations++;
	printf("pipe %" PRIu64 ": violated: %s: %" PRIu64 " > %" PRIu64
	       " at zpipe_%s position=%" PRIu64 " length=%" PRIu64 " ret=%d",
	       (uint64_t)report->pipe, rules[report->rule], (uint64_t)report->value,
	       (uint64_t)report->limit, events[report->event], (uint64_t)report->position,
	       (uint64_t)report->length, report->ret);
	if (report->pid)
		printf(" by %.16s/%u", report->comm, report->pid);
	putchar('\n');
	fflush(stdout);
	return 0;
}

static int verdict(uint64_t judged, uint64_t pipes, uint64_t lost)
{
	if (!opts.quiet)
		printf("%" PRIu64 " events of %" PRIu64
		       " new pipes and %lu ends judged, %lu violations\n", judged,
		       pipes, ends, violations);
	zb_lost(lost);
	return violations || lost;
}

/* A pipe that was there before us: what it was granted since is not known otherwise. */
static void found(const struct zb_end *end, void *context)
{
	struct zpcheck_bpf *skel = context;
	struct zpcheck_pipe pipe = {
		.capacity = end->capacity, .grants = 1, .granted = end->granted,
	};

	if (!strcmp(end->role, "writer") || !strcmp(end->role, "reader"))
		bpf_map_update_elem(bpf_map__fd(skel->maps.pipes), &end->pipe, &pipe, BPF_NOEXIST);
}

static void broken(const struct zb_end *end, enum zpcheck_rule rule, uint64_t value,
		   const char *relation, uint64_t limit)
{
	violations++;
	printf("pipe %" PRIu64 ": violated: %s: %" PRIu64 " %s %" PRIu64 " in fdinfo of the %s",
	       end->pipe, rules[rule], value, relation, limit, end->role);
	if (end->pid)
		printf(", fd %d of %s/%d", end->fd, end->comm, end->pid);
	putchar('\n');
	fflush(stdout);
}

static void must(const struct zb_end *end, enum zpcheck_rule rule, uint64_t value, uint64_t limit)
{
	if (value > limit)
		broken(end, rule, value, ">", limit);
}

static void must_be(const struct zb_end *end, enum zpcheck_rule rule, uint64_t value, uint64_t sum)
{
	if (value != sum)
		broken(end, rule, value, "is not", sum);
}

/*
 * All numbers of one fdinfo are of one moment. A reader that has ended keeps its positions, while
 * the writer goes on for the others.
 */
static void judge_end(const struct zb_end *end, void *context)
{
	(void)context;
	if ((strcmp(end->role, "writer") && strcmp(end->role, "reader")) ||
	    (opts.common.pipe && opts.common.pipe != end->pipe))
		return;
	ends++;
	must(end, ZPCHECK_PUBLISHED, end->published, end->granted);
	must(end, ZPCHECK_EXAMINED_PUBLISHED, end->examined, end->published);
	must(end, ZPCHECK_EXAMINED, end->consumed, end->examined);
	if (!end->ended)
		must(end, ZPCHECK_HELD, end->published - end->consumed, end->capacity);
	must_be(end, ZPCHECK_SEGMENTS, end->segments,
		end->segments_taken + end->segments_preserved + end->segments_free);
	must_be(end, ZPCHECK_REFERENCES, end->references,
		end->references_chain + end->references_preserved + end->references_posted +
		end->references_calls);
}

static int watch(struct zpcheck_bpf *skel)
{
	struct ring_buffer *reports;
	uint64_t next;
	int why, ret;

	if (zb_attach(skel->skeleton))
		return 1;
	reports = ring_buffer__new(bpf_map__fd(skel->maps.reports), print, NULL, NULL);
	if (!reports)
		return zb_say("cannot read from the kernel: %s", strerror(errno)), 1;
	zb_start(&skel->bss->attached);
	zb_scan(found, skel);
	if (zb_run(opts.common.command))
		return 1;
	next = zb_now();
	do {
		why = zb_wait(next, ring_buffer__epoll_fd(reports));
		ring_buffer__consume(reports);
		if (why == ZB_TIME) {
			zb_scan(judge_end, NULL);
			next = zb_now() + opts.common.interval;
		}
	} while ((why == ZB_READY || why == ZB_TIME) && !(opts.first && violations));
	ret = verdict(skel->bss->judged, skel->bss->seen, skel->bss->lost);
	ring_buffer__free(reports);
	return ret ? 1 : zb_status();
}

struct traced {
	uint64_t id;
	struct zpcheck_pipe pipe;
};

static int by_id(const void *a, const void *b)
{
	const struct traced *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Made when it is met. */
static struct traced *traced(void **tree, uint64_t id)
{
	struct traced *one = calloc(1, sizeof(*one)), **there;

	if (!one)
		return NULL;
	one->id = id;
	there = tsearch(one, tree, by_id);
	if (!there || *there != one)
		free(one);
	return there ? *there : NULL;
}

/* One line; false: it is not one of our events. */
static bool judge_line(void **tree, const char *line, uint64_t *pipes)
{
	static int forwarded;
	struct zpcheck_verdict is = { 0 };
	struct zpcheck_report report = { 0 };
	unsigned long long id, position, length;
	const char *at = strstr(line, " zpipe_");
	struct traced *one;
	char name[24];
	int ret;
	__u32 event;

	if (!at || sscanf(at, " zpipe_%23[a-z_]: pipe=%llu position=%llu length=%llu ret=%d", name,
			  &id, &position, &length, &ret) != 5)
		return false;
	for (event = 0; event < ZPCHECK_EVENTS && strcmp(name, events[event]); event++)
		;
	if (event == ZPCHECK_EVENTS || (opts.common.pipe && opts.common.pipe != id) ||
	    !zpcheck_counts(event, ret))
		return false;
	one = traced(tree, id);
	if (!one)
		return false;
	forwarded |= event == ZPCHECK_FORWARD && !ret;
	*pipes += event == ZPCHECK_CREATE;
	zpcheck_judge(&one->pipe, event, position, length, ret, forwarded, &is);
	if (is.rule) {
		report = (struct zpcheck_report){
			.pipe = id, .position = position, .length = length, .ret = ret,
			.event = event, .rule = is.rule, .value = is.value, .limit = is.limit,
		};
		print(NULL, &report, sizeof(report));
	}
	return true;
}

static int judge_trace(void)
{
	FILE *file = strcmp(opts.trace, "-") ? fopen(opts.trace, "re") : stdin;
	uint64_t judged = 0, pipes = 0;
	char *line = NULL;
	size_t room = 0;
	void *tree = NULL;

	if (!file)
		return zb_say("cannot read %s: %s", opts.trace, strerror(errno)), 1;
	while (getline(&line, &room, file) >= 0 && !(opts.first && violations))
		judged += judge_line(&tree, line, &pipes);
	free(line);
	if (file != stdin)
		fclose(file);
	tdestroy(tree, free);
	if (!judged)
		return zb_say("there is no event of a zpipe in %s", opts.trace), 1;
	return verdict(judged, pipes, 0);
}

static int judge_copy(void)
{
	struct zb_end end = { 0 };

	if (zb_read_end(opts.fdinfo, &end))
		judge_end(&end, NULL);
	if (!ends)
		return zb_say("there is no end of a zpipe in %s", opts.fdinfo), 1;
	return verdict(0, 0, 0);
}

int main(int argc, char **argv)
{
	struct zpcheck_bpf *skel;
	int ret;

	zb_main("what must hold for every zpipe");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (opts.trace)
		return judge_trace();
	if (opts.fdinfo)
		return judge_copy();
	skel = zpcheck_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	bpf_map__set_max_entries(skel->maps.pipes, (uint32_t)opts.common.pipes);
	skel->rodata->only = opts.common.pipe;
	ret = watch(skel);
	zpcheck_bpf__destroy(skel);
	return ret;
}
