// SPDX-License-Identifier: MIT
/*
 * join - two unmodified programs, a zpipe between them
 *
 * The programs find an fd that they read(2) and write(2) like that of pipe(2): end of file, SIGPIPE
 * and all. The parent keeps the reader end for the counters, until the second program is gone: then
 * the first must notice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"
#include "join.h"

static pid_t start(char *const program[], int from, int from_as, int to, int to_as)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if ((from < 0 || dup2(from, from_as) >= 0) && (to < 0 || dup2(to, to_as) >= 0))
		execvp(program[0], program);
	fprintf(stderr, "%s: %s\n", program[0], strerror(errno));
	_exit(127);
}

static int shell_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int join_run(char *const first[], char *const second[], int out, struct join_result *result)
{
	int writer, reader, status, statuses[2] = { 0, 0 };
	const uint64_t started = demo_now();
	pid_t pids[2];
	int err;

	err = zp_create(NULL, &writer, &reader);
	if (err)
		return err;
	pids[1] = start(second, reader, STDIN_FILENO, out == STDOUT_FILENO ? -1 : out,
			STDOUT_FILENO);
	pids[0] = pids[1] < 0 ? -1 : start(first, -1, 0, writer, STDOUT_FILENO);
	if (pids[0] < 0)
		err = -errno;
	close(writer);
	if (err)
		close(reader);

	while (pids[0] > 0 || pids[1] > 0) {
		const pid_t pid = wait(&status);

		if (pid < 0)
			break;
		for (int i = 0; i < 2; i++) {
			if (pid != pids[i])
				continue;
			statuses[i] = shell_status(status);
			pids[i] = -1;
			if (i != 1 || err)
				continue;
			result->seconds = (double)(demo_now() - started) / 1e9;
			result->stat.sz = sizeof(result->stat);
			err = zp_stat(reader, &result->stat);
			close(reader);
		}
	}
	result->status = statuses[1] ? statuses[1] : statuses[0];
	return err;
}
