// SPDX-License-Identifier: MIT
/*
 * zpscout - which processes would gain from zpipe
 *
 * Those that push most bytes through pipe(2) and AF_UNIX. What they would save is worked out from
 * two numbers that are measured at the start, on this machine: what copying a byte costs, and what
 * a system call costs at least.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "common.h"
#include "zpscout.h"
#include "zpscout.skel.h"

/* A mapped pipe enters the kernel about once for each segment of this size. */
#define SEGMENT		65536

static struct {
	struct zb_opts common;
	uint64_t lines;
	uint64_t processes;
	bool sizes;
	bool kretprobe;
} opts = { .lines = 10, .processes = 8192 };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "Print every so often, not only at the end", 0 },
	{ "count", 'c', "NUMBER", 0, "End after so many intervals (of 1 second without -i)", 0 },
	{ "lines", 'n', "NUMBER", 0, "Show so many at most (10)", 0 },
	{ "sizes", 's', NULL, 0, "Show how large the writes were", 0 },
	{ "json", 'j', NULL, 0, "One JSON object for each line", 0 },
	{ "max-processes", 'm', "NUMBER", 0, "Room for so many (8192)", 0 },
	{ "kretprobe", 'k', NULL, 0, "Do not use the kernel's type information", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'n':
		opts.lines = zb_number(state, "--lines", arg, 1, UINT32_MAX);
		break;
	case 's':
		opts.sizes = true;
		break;
	case 'm':
		opts.processes = zb_number(state, "--max-processes", arg, 1, 1 << 22);
		break;
	case 'k':
		opts.kretprobe = true;
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
	.doc = "Finds the processes that push most bytes through pipes and Unix sockets."
	       "\vUntil COMMAND ends, or until a signal. It does not need the module zpipe.",
	.children = children,
};

/* Where the programs belong, and what newer kernels call it. */
static const struct {
	const char *name;
	const char *newer;
} points[] = {
	{ "pipe_write", "anon_pipe_write" },
	{ "pipe_read", "anon_pipe_read" },
	{ "unix_stream_sendmsg", NULL },
	{ "unix_stream_recvmsg", NULL },
	{ "unix_dgram_sendmsg", NULL },
	{ "__unix_dgram_recvmsg", NULL },
};

static bool has_type(const char *function)
{
	return libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FEXIT) > 0;
}

static bool has_symbol(const char *function)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256], name[128];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*s %127s", name) == 1 && !strcmp(name, function);
	if (file)
		fclose(file);
	return found;
}

static struct bpf_program *program_of(const struct zpscout_bpf *skel, const char *kind,
				      const char *function)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", kind, function);
	return bpf_object__find_program_by_name(skel->obj, name);
}

/* One of the two programs of a point is loaded, under the name that the kernel has for it. */
static int choose(const struct zpscout_bpf *skel, size_t point, bool types)
{
	const char *name = points[point].name, *newer = points[point].newer;
	struct bpf_program *fexit = program_of(skel, "exit", name);
	struct bpf_program *probe = program_of(skel, "probe", name);
	bool (*const has)(const char *function) = types ? has_type : has_symbol;

	if (!fexit || !probe)
		return zb_say("there is no program for %s", name);
	bpf_program__set_autoload(fexit, types);
	bpf_program__set_autoload(probe, !types);
	if (has(name))
		return 0;
	if (!newer || !has(newer))
		return zb_say("this kernel has no function %s that can be watched", name);
	if (types)
		return bpf_program__set_attach_target(fexit, 0, newer) ?
			zb_say("cannot attach to %s", newer) : 0;
	bpf_program__set_autoattach(probe, false);
	return 0;
}

/* What the skeleton does not attach by itself: probes of functions that have another name now. */
static int attach_renamed(const struct zpscout_bpf *skel)
{
	struct bpf_program *probe;
	size_t k;

	for (k = 0; k < sizeof(points) / sizeof(*points); k++) {
		probe = program_of(skel, "probe", points[k].name);
		if (!bpf_program__autoload(probe) || bpf_program__autoattach(probe))
			continue;
		if (!bpf_program__attach_kprobe(probe, true, points[k].newer))
			return zb_say("cannot attach to %s: %s", points[k].newer, strerror(errno));
	}
	return 0;
}

static int set_up(struct zpscout_bpf *skel)
{
	bool types;
	size_t k;
	int ret;

	if (geteuid())
		return zb_say("needs root, to load BPF programs");
	types = !opts.kretprobe && has_type("unix_stream_sendmsg");
	for (k = 0; k < sizeof(points) / sizeof(*points); k++) {
		if (choose(skel, k, types))
			return -1;
	}
	skel->rodata->own_pid = (uint32_t)getpid();
	bpf_map__set_max_entries(skel->maps.flows, (uint32_t)opts.processes);
	ret = bpf_object__load_skeleton(skel->skeleton);
	if (ret)
		return zb_say("the kernel does not load the BPF programs: %s%s", strerror(-ret),
			      zb_verbose ? "" : " (--verbose shows why)");
	ret = bpf_object__attach_skeleton(skel->skeleton);
	if (ret)
		return zb_say("cannot attach to the functions of pipes and sockets: %s%s",
			      strerror(-ret), zb_verbose ? "" : " (--verbose shows why)");
	if (attach_renamed(skel))
		return -1;
	if (!types && !opts.kretprobe)
		zb_say("without type information of the kernel, calls that sleep may be missed");
	return 0;
}

/* Nanoseconds, on this machine. */
static struct {
	double byte;	/* to copy one */
	double call;	/* to enter the kernel and come back */
} cost;

static void measure(void)
{
	static char from[SEGMENT], to[SEGMENT];
	uint64_t begin, now, turns = 0;

	memset(from, 1, sizeof(from));
	begin = zb_now();
	do {
		memcpy(to, from, sizeof(to));
		/* Or it would see that nobody looks at the copy. */
		__asm__ volatile("" : : "r"(to) : "memory");
		turns++;
		now = zb_now();
	} while (now - begin < 20000000);
	cost.byte = (double)(now - begin) / (double)turns / SEGMENT;

	turns = 0;
	begin = zb_now();
	do {
		unsigned int k;

		for (k = 0; k < 64; k++)
			syscall(SYS_getppid);
		turns += 64;
		now = zb_now();
	} while (now - begin < 20000000);
	cost.call = (double)(now - begin) / (double)turns;
}

struct entry {
	struct zpscout_key key;
	struct zpscout_flow flow;
};

static uint64_t bytes_of(const struct entry *entry)
{
	return entry->flow.bytes[ZPSCOUT_IN] + entry->flow.bytes[ZPSCOUT_OUT];
}

static uint64_t calls_of(const struct entry *entry)
{
	return entry->flow.calls[ZPSCOUT_IN] + entry->flow.calls[ZPSCOUT_OUT];
}

/* Each byte of a side is one copy; zpipe makes a call for each segment. */
static uint64_t calls_saved(const struct entry *entry)
{
	const uint64_t needed = bytes_of(entry) / SEGMENT + 1;

	return calls_of(entry) > needed ? calls_of(entry) - needed : 0;
}

static double ns_saved(const struct entry *entry)
{
	return (double)bytes_of(entry) * cost.byte + (double)calls_saved(entry) * cost.call;
}

static int most_first(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;
	const uint64_t x = bytes_of(a), y = bytes_of(b);

	if (x != y)
		return x < y ? 1 : -1;
	return a->key.pid < b->key.pid ? -1 : a->key.pid > b->key.pid;
}

static const char *const kinds[ZPSCOUT_KINDS] = { "pipe", "unix-stream", "unix-packet" };

static void put_sizes(const struct entry *entry)
{
	const char *comma = "";
	char text[16];
	unsigned int k;

	if (!opts.common.json)
		printf("%8sof its writes", "");
	for (k = 0; k < ZPSCOUT_SIZES; k++) {
		if (!entry->flow.sizes[k])
			continue;
		if (opts.common.json)
			printf("%s\"%llu\":%" PRIu64, comma, 1ULL << k,
			       (uint64_t)entry->flow.sizes[k]);
		else
			printf("%s %" PRIu64 " from %s", comma, (uint64_t)entry->flow.sizes[k],
			       zb_size(text, (double)(1ULL << k)));
		comma = ",";
	}
	if (!opts.common.json)
		putchar('\n');
}

static void show(const struct entry *entry, uint64_t elapsed)
{
	const struct zpscout_flow *flow = &entry->flow;
	const double seconds = (double)elapsed / 1e9;
	const char *kind = entry->key.kind < ZPSCOUT_KINDS ? kinds[entry->key.kind] : "?";
	char out[16], in[16], size[16], copied[16];

	if (opts.common.json) {
		printf("{\"pid\":%u,\"comm\":", entry->key.pid);
		zb_quote(stdout, flow->comm);
		printf(",\"kind\":\"%s\",\"written\":%" PRIu64 ",\"writes\":%" PRIu64
		       ",\"read\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"copies_saved\":%" PRIu64
		       ",\"calls_saved\":%" PRIu64 ",\"ns_saved\":%.0f,\"ns\":%" PRIu64
		       ",\"sizes\":{", kind, (uint64_t)flow->bytes[ZPSCOUT_OUT],
		       (uint64_t)flow->calls[ZPSCOUT_OUT], (uint64_t)flow->bytes[ZPSCOUT_IN],
		       (uint64_t)flow->calls[ZPSCOUT_IN], bytes_of(entry), calls_saved(entry),
		       ns_saved(entry), elapsed);
		put_sizes(entry);
		printf("}}\n");
		return;
	}
	printf("%7u %-15.16s %-11s %9s %9s %9.0f %8s %9s %9.0f %7.2f\n", entry->key.pid, flow->comm,
	       kind, zb_size(out, (double)flow->bytes[ZPSCOUT_OUT] / seconds),
	       zb_size(in, (double)flow->bytes[ZPSCOUT_IN] / seconds),
	       (double)calls_of(entry) / seconds,
	       zb_size(size, (double)bytes_of(entry) / (double)calls_of(entry)),
	       zb_size(copied, (double)bytes_of(entry) / seconds),
	       (double)calls_saved(entry) / seconds, ns_saved(entry) / (double)elapsed * 100);
	if (opts.sizes && flow->calls[ZPSCOUT_OUT])
		put_sizes(entry);
}

static void print(const struct zpscout_bpf *skel, uint64_t elapsed)
{
	const int map = bpf_map__fd(skel->maps.flows);
	struct entry *entry = calloc(opts.processes, sizeof(*entry));
	struct zpscout_key next;
	size_t number = 0, k;
	bool more;

	if (!entry)
		return;
	more = !bpf_map_get_next_key(map, NULL, &next);
	while (more && number < opts.processes) {
		entry[number].key = next;
		more = !bpf_map_get_next_key(map, &entry[number].key, &next);
		if (!bpf_map_lookup_elem(map, &entry[number].key, &entry[number].flow))
			number++;
	}
	qsort(entry, number, sizeof(*entry), most_first);
	if (!opts.common.json)
		printf("%7s %-15s %-11s %9s %9s %9s %8s %9s %9s %7s\n", "PID", "COMMAND", "KIND",
		       "WRITE/s", "READ/s", "CALLS/s", "AVERAGE", "-COPY/s", "-CALLS/s", "-CPU%");
	for (k = 0; k < number && k < opts.lines; k++)
		show(&entry[k], elapsed);
	if (!opts.common.json && number > opts.lines)
		printf("and %zu more\n", number - (size_t)opts.lines);
	if (!opts.common.json)
		putchar('\n');
	fflush(stdout);
	free(entry);
}

int main(int argc, char **argv)
{
	struct zpscout_bpf *skel;
	struct zb_turns turns = { 0 };
	uint64_t begin;

	zb_main("which processes would gain from zpipe");
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	skel = zpscout_bpf__open();
	if (!skel)
		return zb_say("cannot open the BPF programs: %s", strerror(errno)), 1;
	measure();
	if (set_up(skel))
		return 1;
	zb_start(&skel->bss->attached);
	begin = zb_now();
	if (zb_run(opts.common.command))
		return 1;
	while (zb_turn(&turns, &opts.common))
		print(skel, zb_now() - begin);
	zb_lost(skel->bss->lost);
	zpscout_bpf__destroy(skel);
	return zb_status();
}
