// SPDX-License-Identifier: MIT
/*
 * tools - what zpipe doctor finds about tracing, BPF, other programs and completion
 *
 * Pipes work without any of it: there are only notes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "exec.h"

static void check_events(struct doctor *doctor)
{
	static const char events[] = "/sys/kernel/tracing/events/zpipe/zpipe_flush/format";

	if (!doctor->has_module) {
		report(doctor, VERDICT_SKIP, "tracepoints", NULL,
		       "there are none without the module");
		return;
	}
	if (!access(events, R_OK))
		report(doctor, VERDICT_OK, "tracepoints", NULL, "can be read");
	else if (errno == EACCES)
		report(doctor, VERDICT_NOTE, "tracepoints", "trace as root",
		       "/sys/kernel/tracing is for root only");
	else
		report(doctor, VERDICT_NOTE, "tracepoints",
		       "mount -t tracefs nodev /sys/kernel/tracing",
		       "%s is not there: tracing is not mounted, or not in this kernel", events);
}

/* The BPF tools attach to tracepoints: that takes root, or two capabilities. */
static void check_bpf(struct doctor *doctor)
{
	const unsigned long long bpf = 1ULL << 39, perfmon = 1ULL << 38, admin = 1ULL << 21;
	unsigned long long held = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "CapEff:", 7))
			held = strtoull(line + 7, NULL, 16);
	}
	if (f)
		fclose(f);
	if (access("/proc/sys/kernel/unprivileged_bpf_disabled", F_OK))
		report(doctor, VERDICT_NOTE, "bpf", "use the events and zpipe stat instead",
		       "this kernel has no BPF");
	else if (!(held & admin) && (held & (bpf | perfmon)) != (bpf | perfmon))
		report(doctor, VERDICT_NOTE, "bpf", "run zptop and its like as root",
		       "you may not load BPF programs");
	else
		report(doctor, VERDICT_OK, "bpf", NULL, "programs can be loaded");
}

static void check_programs(struct doctor *doctor)
{
	static const struct {
		const char *name;
		const char *needed;
		const char *remedy;
	} programs[] = {
		{ "zptop", "zpipe top and the other BPF tools are missing",
		  "make bpf, then make install" },
		{ "zpipe-bench", "zpipe bench is missing", "make install" },
		{ "zpipe-plot", "zpipe plot is missing", "make install" },
		{ "gnuplot", "zpipe plot draws with it", "apt-get install gnuplot-nox" },
		{ "bpftrace", "the .bt scripts need it", "apt-get install bpftrace" },
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (exec_finds(programs[i].name))
			report(doctor, VERDICT_OK, programs[i].name, NULL, "found");
		else
			report(doctor, VERDICT_NOTE, programs[i].name, programs[i].remedy,
			       "not found; %s", programs[i].needed);
	}
}

/* A file with the name of the command, where bash-completion looks for it. */
static bool has_completion(void)
{
	static const char *const places[] = {
		"/usr/local/share/bash-completion/completions/zpipe",
		"/usr/share/bash-completion/completions/zpipe",
		"/etc/bash_completion.d/zpipe",
	};
	const char *home = getenv("HOME");
	char path[4096];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (!access(places[i], R_OK))
			return true;
	}
	snprintf(path, sizeof(path), "%s/.local/share/bash-completion/completions/zpipe",
		 home ? home : "");
	return !access(path, R_OK);
}

static void check_completion(struct doctor *doctor)
{
	if (!has_completion())
		report(doctor, VERDICT_NOTE, "completion",
		       "make install, or source tools/zpipe/zpipe.bash in ~/.bashrc",
		       "bash does not know the subcommands and options of zpipe");
	else if (access("/usr/share/bash-completion/bash_completion", R_OK))
		report(doctor, VERDICT_NOTE, "completion", "apt-get install bash-completion",
		       "is installed, but what makes bash look for it is not");
	else
		report(doctor, VERDICT_OK, "completion", NULL, "is installed for bash");
}

void check_tools(struct doctor *doctor)
{
	check_events(doctor);
	check_bpf(doctor);
	check_programs(doctor);
	check_completion(doctor);
}
