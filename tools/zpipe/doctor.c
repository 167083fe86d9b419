// SPDX-License-Identifier: MIT
/*
 * doctor - what is wrong with this machine, and what helps
 *
 * Each check is a function that reports one finding, and a remedy where it is not "ok". They go
 * from what everything needs to what only some tools need (tools.c); when something fails that
 * later ones rest on, these say that they were not tried.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/zpipe.h>

#include "command.h"
#include "doctor.h"
#include "ends.h"
#include "machine.h"

static const char *const words[] = { "ok", "note", "bad", "skip" };

void report(struct doctor *doctor, enum verdict verdict, const char *what, const char *remedy,
	    const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	doctor->bad += verdict == VERDICT_BAD;
	if (doctor->json) {
		json_begin(&doctor->out, NULL, '{');
		json_text(&doctor->out, "check", what);
		json_text(&doctor->out, "verdict", words[verdict]);
		json_text(&doctor->out, "finding", text);
		if (remedy)
			json_text(&doctor->out, "remedy", remedy);
		json_end(&doctor->out, '}');
		return;
	}
	printf("%-4s  %s: %s\n", words[verdict], what, text);
	if (remedy)
		printf("      remedy: %s\n", remedy);
}

static void check_kernel(struct doctor *doctor)
{
	unsigned int major, minor = 0;
	struct utsname name;
	char release[64], *end;

	uname(&name);
	/* uname(2) says what the personality of this process wants to hear */
	machine_line("/proc/sys/kernel/osrelease", release, sizeof(release));
	major = (unsigned int)strtoul(release, &end, 10);
	if (*end == '.')
		minor = (unsigned int)strtoul(end + 1, NULL, 10);
	if (strcmp(name.machine, "x86_64") != 0)
		report(doctor, VERDICT_NOTE, "kernel", "use x86-64 where it matters",
		       "%s: only x86_64 is tested", name.machine);
	else if (major < 6 || (major == 6 && minor < 1))
		report(doctor, VERDICT_BAD, "kernel", "run Linux 6.1 or later",
		       "Linux %s is older than 6.1", release);
	else if (major == 6 && (minor == 1 || minor == 12))
		report(doctor, VERDICT_OK, "kernel", NULL, "Linux %s", release);
	else
		report(doctor, VERDICT_NOTE, "kernel", "6.1 and 6.12 are the tested series",
		       "Linux %s is not one of the tested series", release);
}

static bool installed(const char *release)
{
	static const char *const places[] = { "extra", "updates", "updates/dkms" };
	static const char *const ends[] = { "", ".xz", ".zst", ".gz" };
	char path[512];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (size_t k = 0; k < sizeof(ends) / sizeof(*ends); k++) {
			snprintf(path, sizeof(path), "/lib/modules/%s/%s/zpipe.ko%s", release,
				 places[i], ends[k]);
			if (!access(path, F_OK))
				return true;
		}
	}
	return false;
}

/* "none [integrity] confidentiality": is the first one not in force? */
static bool locked_down(void)
{
	char line[128];

	machine_line("/sys/kernel/security/lockdown", line, sizeof(line));
	return *line && !strstr(line, "[none]");
}

static void check_module(struct doctor *doctor)
{
	char version[64];
	struct utsname name;

	doctor->has_module = !access(MACHINE_MODULE, F_OK);
	if (doctor->has_module) {
		machine_line(MACHINE_MODULE "/version", version, sizeof(version));
		if (strcmp(version, ZPIPE_VERSION) != 0)
			report(doctor, VERDICT_NOTE, "module",
			       "unload it (rmmod zpipe), load that of the tools",
			       "version %s is loaded, the tools are of %s", version, ZPIPE_VERSION);
		else
			report(doctor, VERDICT_OK, "module", NULL, "version %s is loaded",
			       version);
		return;
	}
	uname(&name);
	if (!installed(name.release))
		report(doctor, VERDICT_BAD, "module",
		       "make modules_install && depmod, or DKMS; then modprobe zpipe",
		       "not loaded, and not installed for Linux %s", name.release);
	else if (locked_down())
		report(doctor, VERDICT_BAD, "module",
		       "sign it with a key that the machine trusts, as DKMS does",
		       "not loaded; the kernel is locked down and takes signed modules only");
	else
		report(doctor, VERDICT_BAD, "module",
		       "modprobe zpipe (as root); modules-load.d-zpipe.conf does it at boot",
		       "installed, but not loaded");
}

static void check_device(struct doctor *doctor)
{
	struct stat st;
	int fd;

	if (!doctor->has_module) {
		report(doctor, VERDICT_SKIP, "device", NULL, "there is none without the module");
		return;
	}
	if (stat(MACHINE_DEVICE, &st)) {
		report(doctor, VERDICT_BAD, "device",
		       "start udev, mount devtmpfs on /dev, or give the container the device",
		       MACHINE_DEVICE " does not exist, although the module is loaded");
		return;
	}
	if (!S_ISCHR(st.st_mode)) {
		report(doctor, VERDICT_BAD, "device", "remove it, then load the module again",
		       MACHINE_DEVICE " is no character device");
		return;
	}
	fd = open(MACHINE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		const int error = errno;
		const char *remedy = "see the error; a container may have to allow the device";

		if (error == EACCES)
			remedy = access(MACHINE_DEVICE, R_OK | W_OK) ?
				 "join the group that owns it, or change the udev rule" :
				 "mount what it is on without the option nodev";
		report(doctor, VERDICT_BAD, "device", remedy,
		       MACHINE_DEVICE " (mode %03o, gid %u) cannot be opened: %s",
		       (unsigned int)st.st_mode & 0777, (unsigned int)st.st_gid, strerror(error));
		return;
	}
	close(fd);
	doctor->has_device = true;
	report(doctor, VERDICT_OK, "device", NULL, MACHINE_DEVICE " can be opened (mode %03o)",
	       (unsigned int)st.st_mode & 0777);
}

/* A pipe of two pages and one byte through it: 0, or -errno. */
static int try_pipe(struct zpipe_info_args *info)
{
	struct zpipe_create_args args = {
		.capacity = 8192,
		.pause = ZPIPE_DEFAULT,
		.resume = ZPIPE_DEFAULT,
		.pool_fd = -1,
	};
	int fd, ret = 0;
	char byte = 'z';

	fd = open(MACHINE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, ZPIPE_IOC_CREATE, &args))
		ret = -errno;
	close(fd);
	if (ret)
		return ret;
	if (write(args.out_writer_fd, &byte, 1) != 1 ||
	    read(args.out_reader_fd, &byte, 1) != 1 ||
	    ioctl(args.out_reader_fd, ZPIPE_IOC_INFO, info))
		ret = -errno;
	close(args.out_writer_fd);
	close(args.out_reader_fd);
	return ret;
}

static void check_pipe(struct doctor *doctor)
{
	struct zpipe_info_args info = { 0 };
	const char *remedy;
	int ret;

	if (!doctor->has_device) {
		report(doctor, VERDICT_SKIP, "pipe", NULL, "no device to make one with");
		return;
	}
	ret = try_pipe(&info);
	switch (ret) {
	case 0:
		break;
	case -EDQUOT:
		remedy = "close pipes (see zpipe list), or raise the module's parameters";
		report(doctor, VERDICT_BAD, "pipe", remedy,
		       "your limit of pipes or pages is used up");
		return;
	case -ENOMEM:
		remedy = "raise memory.max of the cgroup, or give the machine more memory";
		report(doctor, VERDICT_BAD, "pipe", remedy, "there is no memory for a pipe");
		return;
	case -EMFILE:
		remedy = "ulimit -n N";
		report(doctor, VERDICT_BAD, "pipe", remedy, "no fds are left");
		return;
	default:
		remedy = "report it, with the kernel's log";
		report(doctor, VERDICT_BAD, "pipe", remedy, "cannot be made: %s", strerror(-ret));
		return;
	}
	if (info.out_version != ZPIPE_UAPI_VERSION)
		report(doctor, VERDICT_NOTE, "pipe", "use tools and module of one version",
		       "the interface has version %u, the tools know %u", info.out_version,
		       ZPIPE_UAPI_VERSION);
	else
		report(doctor, VERDICT_OK, "pipe", NULL,
		       "one was made and carried a byte (interface %u, features %#llx)",
		       info.out_version, (unsigned long long)info.out_features);
}

static void compare_limit(struct doctor *doctor, const char *what, const char *whose,
			  long long have, const char *parameter)
{
	const long long most = machine_parameter(parameter);
	char remedy[128];

	if (!most)
		report(doctor, VERDICT_OK, what, NULL, "%lld %s, there is no limit", have, whose);
	if (most <= 0)
		return;
	snprintf(remedy, sizeof(remedy), "raise " MACHINE_MODULE "/parameters/%s", parameter);
	if (have > most - most / 10)
		report(doctor, VERDICT_NOTE, what, remedy, "%lld %s, one user may have %lld", have,
		       whose, most);
	else
		report(doctor, VERDICT_OK, what, NULL, "%lld %s, one user may have %lld", have,
		       whose, most);
}

/* The module knows what is ours; an old one does not tell, and all that is seen is counted. */
static void check_limits(struct doctor *doctor)
{
	uint64_t last = UINT64_MAX;
	struct end module;
	struct ends ends;
	long long pipes = 0;

	if (!doctor->has_module) {
		report(doctor, VERDICT_SKIP, "limits", NULL, "the module has them");
		return;
	}
	end_of_module(&module);
	if (end_text(&module, "user-pipes")) {
		compare_limit(doctor, "pipes", "are yours",
			      (long long)end_number(&module, "user-pipes"), "user_pipes");
		compare_limit(doctor, "pages", "are yours",
			      (long long)end_number(&module, "user-pages"), "user_pages_soft");
	} else if (!ends_scan(&ends, 0)) {
		for (size_t i = 0; i < ends.nr; i++) {
			if (end_of_pipe(&ends.end[i]) && end_number(&ends.end[i], "id") != last) {
				last = end_number(&ends.end[i], "id");
				pipes++;
			}
		}
		ends_free(&ends);
		compare_limit(doctor, "pipes", "are seen", pipes, "user_pipes");
	}
	end_free(&module);
}

/* What zp_create() makes when it is not told otherwise. */
#define USUAL_CAPACITY	(1LL << 20)

static void check_capacity(struct doctor *doctor)
{
	const long long most = machine_parameter("max_capacity");

	if (most < 0)
		return;
	if (most < USUAL_CAPACITY)
		report(doctor, VERDICT_NOTE, "capacity",
		       "raise " MACHINE_MODULE "/parameters/max_capacity",
		       "a pipe may hold %lld bytes, less than the usual %lld", most,
		       USUAL_CAPACITY);
	else
		report(doctor, VERDICT_OK, "capacity", NULL, "a pipe may hold %lld MiB",
		       most >> 20);
}

/* The data is mapped twice, and as much more behind it, where what is preserved goes on. */
#define PER_END		(3 * USUAL_CAPACITY)

/* So many ends a process should be able to have. */
#define USUAL_ENDS	64

static void check_addresses(struct doctor *doctor)
{
	struct rlimit space;

	if (getrlimit(RLIMIT_AS, &space))
		return;
	if (space.rlim_cur == RLIM_INFINITY)
		report(doctor, VERDICT_OK, "addresses", NULL, "a process may map what it likes");
	else if (space.rlim_cur < (rlim_t)(USUAL_ENDS * PER_END))
		report(doctor, VERDICT_NOTE, "addresses", "ulimit -v unlimited",
		       "a process may map %llu MiB, an end of a usual pipe takes %lld",
		       (unsigned long long)space.rlim_cur >> 20, PER_END >> 20);
	else
		report(doctor, VERDICT_OK, "addresses", NULL, "a process may map %llu MiB",
		       (unsigned long long)space.rlim_cur >> 20);
}

static void check_fds(struct doctor *doctor)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	if (files.rlim_cur < 256)
		report(doctor, VERDICT_NOTE, "fds", "ulimit -n 1024",
		       "a process may have %llu, a pipe takes two",
		       (unsigned long long)files.rlim_cur);
	else
		report(doctor, VERDICT_OK, "fds", NULL, "a process may have %llu",
		       (unsigned long long)files.rlim_cur);
}

static void check_processors(struct doctor *doctor)
{
	const long nr = sysconf(_SC_NPROCESSORS_ONLN);

	if (nr > 1)
		report(doctor, VERDICT_OK, "processors", NULL, "%ld", nr);
	else
		report(doctor, VERDICT_NOTE, "processors", "give the machine a second one",
		       "only one: both ends take turns, and nobody spins before it sleeps");
}

/* kB of a line of /proc/meminfo, or a number of pages. */
static unsigned long long memory_of(const char *name)
{
	unsigned long long value = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		const size_t length = strlen(name);

		if (!strncmp(line, name, length) && line[length] == ':')
			value = strtoull(line + length + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return value;
}

/* Pipes live in ordinary pages: what is set aside for huge ones they cannot get. */
static void check_hugepages(struct doctor *doctor)
{
	const unsigned long long size = memory_of("Hugepagesize") >> 10;
	const unsigned long long total = memory_of("MemTotal") >> 10;
	const unsigned long long unused = memory_of("HugePages_Free") * size;

	if (!memory_of("HugePages_Total"))
		report(doctor, VERDICT_OK, "hugepages", NULL, "none are reserved; pipes use none");
	else if (unused > total / 4)
		report(doctor, VERDICT_NOTE, "hugepages",
		       "reserve fewer (sysctl vm.nr_hugepages) if memory is short",
		       "%llu of %llu MiB wait for users of huge pages, which pipes are not", unused,
		       total);
	else
		report(doctor, VERDICT_OK, "hugepages", NULL,
		       "%llu MiB are reserved and unused; pipes use none", unused);
}

static void (*const checks[])(struct doctor *doctor) = {
	check_kernel,	 check_module, check_device, check_pipe, check_limits,	   check_capacity,
	check_addresses, check_fds,    check_hugepages, check_processors, check_tools,
};

static const struct argp_option options_of[] = {
	{ "json", 'j', NULL, 0, "JSON: an array with one object for each finding", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case 'j':
		doctor->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options_of,
		.parser = parse,
		.doc = "Check what zpipe needs here. Exits with 1 when something is bad.",
	};
	struct doctor doctor = { .out = { .out = stdout } };

	if (argp_parse(&argp, argc, argv, 0, NULL, &doctor))
		return STATUS_USAGE;
	if (doctor.json)
		json_begin(&doctor.out, NULL, '[');
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i](&doctor);
	if (doctor.json)
		json_end(&doctor.out, ']');
	return doctor.bad ? STATUS_FAILED : STATUS_OK;
}
