// SPDX-License-Identifier: MIT
/*
 * exec - subcommands that are programs of their own: top and plot
 *
 * Looked for beside this program first, so that an uninstalled tree runs its own, then in PATH. They
 * get the arguments as they are and this process with its exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static int run(const char *program, const char *package, char **argv)
{
	char path[4096];
	const char *slash;
	ssize_t length;

	argv[0] = (char *)program;
	length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (length > 0) {
		path[length] = '\0';
		slash = strrchr(path, '/');
		if (slash && (size_t)(slash + 1 - path) + strlen(program) < sizeof(path)) {
			memcpy(path + (slash + 1 - path), program, strlen(program) + 1);
			execv(path, argv);
		}
	}
	execvp(program, argv);
	if (errno == ENOENT)
		complain("there is no %s beside zpipe or in PATH; %s", program, package);
	else
		complain("%s: %s", program, strerror(errno));
	return STATUS_FAILED;
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
