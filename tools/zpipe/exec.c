// SPDX-License-Identifier: MIT
/*
 * exec - subcommands that are programs of their own: top, plot and bench
 *
 * Looked for beside this program first, so that an uninstalled tree runs its own, then in PATH.
 * They get the arguments as they are and this process with its exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exec.h"

/* Where it may be, from the folder of this program: installed beside, in sbin; in a build tree. */
static const char *const places[] = { "", "../sbin/", "../bpf/", "../bench/" };

/* The i-th place where a program may be that belongs to this one. False: there is no more. */
static bool own_place(size_t i, const char *program, char *path, size_t size)
{
	char own[4096];
	ssize_t length;

	length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	while (length > 0 && own[length - 1] != '/')
		length--;
	if (length <= 0 || i >= sizeof(places) / sizeof(*places))
		return false;
	snprintf(path, size, "%.*s%s%s", (int)length, own, places[i], program);
	return true;
}

bool exec_finds(const char *program)
{
	const char *all = getenv("PATH"), *end;
	char path[8192];

	for (size_t i = 0; own_place(i, program, path, sizeof(path)); i++) {
		if (!access(path, X_OK))
			return true;
	}
	for (; all && *all; all = *end ? end + 1 : end) {
		end = strchrnul(all, ':');
		snprintf(path, sizeof(path), "%.*s/%s", (int)(end - all), all, program);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

static int run(const char *program, const char *package, char **argv)
{
	char path[8192];

	argv[0] = (char *)program;
	for (size_t i = 0; own_place(i, program, path, sizeof(path)); i++)
		execv(path, argv);
	execvp(program, argv);
	if (errno == ENOENT)
		complain("there is no %s beside zpipe or in PATH; %s", program, package);
	else
		complain("%s: %s", program, strerror(errno));
	return STATUS_FAILED;
}

/* With an argument more, in front of the others. */
static int run_with(const char *program, const char *package, const char *more, int argc,
		    char **argv)
{
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	int status = STATUS_FAILED;

	if (args) {
		args[1] = (char *)more;
		memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args));
		status = run(program, package, args);
	} else {
		complain("%s", strerror(errno));
	}
	free(args);
	return status;
}

int cmd_bench(int argc, char **argv)
{
	return run_with("zpipe-bench", "make install installs it", "--quick", argc, argv);
}

int cmd_top(int argc, char **argv)
{
	(void)argc;
	return run("zptop", "it is one of the BPF tools, which make bpf builds", argv);
}

int cmd_plot(int argc, char **argv)
{
	(void)argc;
	return run("zpipe-plot", "make install installs it", argv);
}
