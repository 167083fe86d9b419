// SPDX-License-Identifier: MIT
/*
 * common - what every loader shares: attaching, stopping, running a command, time
 *
 * Whoever runs a tool without the module, without the rights, or with a module whose tracepoints
 * differ from those that the tool was built for is told so in one sentence. What libbpf says by
 * itself is shown with --verbose only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "common.h"

#define SECTION		"tracepoint/zpipe/"

bool zb_verbose;

static int signals = -1;
static pid_t command;
static bool command_ended;
static int command_status;

int zb_say(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!zb_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

void zb_main(const char *description)
{
	static char version[128];
	sigset_t set;

	snprintf(version, sizeof(version), "%s (zpipe " ZB_VERSION ") - %s",
		 program_invocation_short_name, description);
	argp_program_version = version;
	argp_err_exit_status = ZB_USAGE;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(quiet);

	/* They are read by zb_wait, so that none comes at a bad moment. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signal(SIGPIPE, SIG_DFL);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	if (key != 'v')
		return ARGP_ERR_UNKNOWN;
	zb_verbose = true;
	return 0;
}

static const struct argp_option options[] = {
	{ "verbose", 'v', NULL, 0, "Show what libbpf says", 100 },
	{ 0 }
};

const struct argp zb_argp_child = { .options = options, .parser = parse };

uint64_t zb_number(struct argp_state *state, const char *option, const char *text, uint64_t min,
		   uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < min || value > max)
		argp_error(state, "%s takes a number from %llu to %llu, not '%s'", option,
			   (unsigned long long)min, (unsigned long long)max, text);
	return value;
}

uint64_t zb_seconds(struct argp_state *state, const char *option, const char *text)
{
	double value;
	char *end;

	errno = 0;
	value = strtod(text, &end);
	if (errno || *end || end == text || !(value >= 0.01 && value <= 86400))
		argp_error(state, "%s takes seconds from 0.01 to 86400, not '%s'", option, text);
	return (uint64_t)(value * 1e9);
}

error_t zb_parse(struct zb_opts *opts, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'i':
		opts->interval = zb_seconds(state, "--interval", arg);
		break;
	case 'c':
		opts->count = zb_number(state, "--count", arg, 1, UINT32_MAX);
		break;
	case 'p':
		opts->pipe = zb_number(state, "--pipe", arg, 1, UINT64_MAX);
		break;
	case 'm':
		opts->pipes = zb_number(state, "--max-pipes", arg, 1, 1 << 22);
		break;
	case 'j':
		opts->json = true;
		break;
	case ARGP_KEY_ARGS:
		opts->command = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		if (opts->count && !opts->interval)
			opts->interval = 1000000000;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const char *tracefs(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[64];
	size_t k;

	for (k = 0; k < sizeof(places) / sizeof(*places); k++) {
		snprintf(path, sizeof(path), "%s/events", places[k]);
		if (!access(path, F_OK))
			return places[k];
	}
	return NULL;
}

/* The fields behind the common ones, as `struct zpipe_event` has them. */
static const struct {
	const char *name;
	unsigned int offset, size, is_signed;
} fields[] = {
	{ "pipe", 8, 8, 0 },
	{ "position", 16, 8, 0 },
	{ "length", 24, 8, 0 },
	{ "ret", 32, 4, 1 },
};

static int check_format(const char *event, FILE *file)
{
	const size_t number = sizeof(fields) / sizeof(*fields);
	char line[256], name[64];
	size_t k, found = 0;

	while (fgets(line, sizeof(line), file)) {
		unsigned int offset, size, is_signed;
		char *colon = strchr(line, ';'), *blank;

		if (strncmp(line, "\tfield:", 7) || !colon)
			continue;
		*colon = '\0';
		blank = strrchr(line, ' ');
		if (!blank || sscanf(colon + 1, " offset:%u; size:%u; signed:%u;", &offset, &size,
				     &is_signed) != 3)
			continue;
		snprintf(name, sizeof(name), "%s", blank + 1);
		if (!strncmp(name, "common_", 7))
			continue;
		for (k = 0; k < number; k++) {
			if (strcmp(name, fields[k].name))
				continue;
			if (offset != fields[k].offset || size != fields[k].size ||
			    is_signed != fields[k].is_signed)
				return zb_say("tracepoint %s of the loaded module has its field %s "
					      "at byte %u with %u bytes, not at %u with %u: the "
					      "module and this tool are of different versions",
					      event, name, offset, size, fields[k].offset,
					      fields[k].size);
			found++;
		}
	}
	if (found != number)
		return zb_say("tracepoint %s of the loaded module lacks fields that this tool "
			      "needs: they are of different versions", event);
	return 0;
}

static int check_event(const char *root, const char *event)
{
	char path[128];
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), "%s/events/zpipe/%s/format", root, event);
	file = fopen(path, "re");
	if (!file && errno == ENOENT)
		return zb_say("the loaded module has no tracepoint %s: it is older than this tool",
			      event);
	if (!file)
		return zb_say("cannot read %s: %s", path, strerror(errno));
	ret = check_format(event, file);
	fclose(file);
	return ret;
}

int zb_check(const struct bpf_object *object)
{
	struct bpf_program *program;
	const char *root = tracefs();
	char path[64];

	if (geteuid())
		return zb_say("needs root, to load BPF programs");
	if (!root)
		return zb_say("no tracefs is mounted: mount -t tracefs none /sys/kernel/tracing");
	snprintf(path, sizeof(path), "%s/events/zpipe", root);
	bpf_object__for_each_program(program, object) {
		const char *section = bpf_program__section_name(program);

		if (!bpf_program__autoload(program) || strncmp(section, SECTION, strlen(SECTION)))
			continue;
		if (access(path, F_OK))
			return zb_say("the module zpipe is not loaded: modprobe zpipe");
		if (check_event(root, section + strlen(SECTION)))
			return -1;
	}
	return 0;
}

int zb_attach(struct bpf_object_skeleton *skeleton)
{
	int ret;

	if (zb_check(*skeleton->obj))
		return -1;
	ret = bpf_object__load_skeleton(skeleton);
	if (ret == -EPERM)
		return zb_say("the kernel does not let this user load BPF programs (CAP_BPF and "
			      "CAP_PERFMON, and no lockdown)");
	if (ret)
		return zb_say("the kernel does not load the BPF programs: %s%s", strerror(-ret),
			      zb_verbose ? "" : " (--verbose shows why)");
	ret = bpf_object__attach_skeleton(skeleton);
	if (ret)
		return zb_say("cannot attach to the tracepoints of zpipe: %s%s", strerror(-ret),
			      zb_verbose ? "" : " (--verbose shows why)");
	return 0;
}

int zb_run(char **argv)
{
	int report[2], error = 0;
	sigset_t none;

	if (!argv || !*argv)
		return 0;
	fflush(NULL);
	if (pipe2(report, O_CLOEXEC))
		return zb_say("cannot run %s: %s", *argv, strerror(errno));
	command = fork();
	if (command < 0)
		return zb_say("cannot run %s: %s", *argv, strerror(errno));
	if (!command) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(*argv, argv);
		error = errno;
		if (write(report[1], &error, sizeof(error)) < 0)
			_exit(126);
		_exit(127);
	}
	close(report[1]);
	/* Ends with the command's start, or tells why there was none. */
	if (read(report[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(report[0]);
	if (!error)
		return 0;
	waitpid(command, NULL, 0);
	command = 0;
	return zb_say("cannot run %s: %s", *argv, strerror(error));
}

static void reap(void)
{
	int status;

	if (!command || command_ended || waitpid(command, &status, WNOHANG) != command)
		return;
	command_ended = true;
	command_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool zb_turn(struct zb_turns *turns, const struct zb_opts *opts)
{
	int why;

	if (turns->over)
		return false;
	if (!turns->number)
		turns->deadline = opts->interval ? zb_now() : UINT64_MAX / 2;
	turns->deadline += opts->interval;
	do {
		why = zb_wait(turns->deadline, -1);
	} while (why == ZB_READY);
	turns->number++;
	turns->over = why != ZB_TIME || turns->number == opts->count;
	return true;
}

int zb_status(void)
{
	return command_status;
}

int zb_wait(uint64_t deadline, int fd)
{
	struct pollfd fds[2] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	struct timespec left;
	uint64_t now;
	int ret;

	for (;;) {
		if (command_ended)
			return ZB_ENDED;
		now = zb_now();
		now = deadline > now ? deadline - now : 0;
		left.tv_sec = (time_t)(now / 1000000000);
		left.tv_nsec = (long)(now % 1000000000);
		ret = ppoll(fds, 2, &left, NULL);
		if (ret < 0)
			return ZB_READY;
		if (!ret)
			return ZB_TIME;
		if (fds[0].revents) {
			while (read(signals, &info, sizeof(info)) == sizeof(info)) {
				if (info.ssi_signo != SIGCHLD)
					return ZB_STOP;
			}
			reap();
			continue;
		}
		/* Nobody is left at the other end: what was to come has come. */
		if (fds[1].revents & (POLLNVAL | POLLERR))
			return ZB_STOP;
		return ZB_READY;
	}
}

uint64_t zb_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void zb_lost(uint64_t lost)
{
	if (lost)
		zb_say("%llu events were lost: the tables had no room", (unsigned long long)lost);
}

static char *scaled(char *text, double value, double step, const char *const *units, size_t number)
{
	size_t k = 0;

	while (k + 1 < number && value >= step - step / 2000) {
		value /= step;
		k++;
	}
	if (k && value < 9.95)
		snprintf(text, 8, "%.1f%s", value, units[k]);
	else
		snprintf(text, 8, "%.0f%s", value < 99999 ? value : 99999, units[k]);
	return text;
}

char *zb_size(char *text, double bytes)
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P" };

	return scaled(text, bytes, 1024, units, sizeof(units) / sizeof(*units));
}

char *zb_time(char *text, double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };

	return scaled(text, ns, 1000, units, sizeof(units) / sizeof(*units));
}

void zb_quote(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		/* Neither needs an escape in one of the two. */
		if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ' || *text == 127)
			fputc('?', file);
		else
			fputc(*text, file);
	}
	fputc('"', file);
}
