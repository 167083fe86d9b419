// SPDX-License-Identifier: MIT
/*
 * copying - all bytes of one side to another, each of them a mapped end of a zpipe or any file
 *
 * What is mapped is copied by the functions of zpipe/copy.h; with no zpipe in it there is an
 * ordinary loop of read(2) and write(2).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "copying.h"

#define BUFFER	(128 << 10)

static int count(void *arg, uint64_t done)
{
	struct copying *copying = arg;

	progress_set(&copying->progress, copying->before + done);
	return 0;
}

/* An fd would block: wait for the one, and if that did not help, the next time for the other. */
static void wait_for(const struct copying *copying, bool output)
{
	const int in = copying->reader ? zp_reader_fd(copying->reader) : copying->in;
	const int out = copying->writer ? zp_writer_fd(copying->writer) : copying->out;
	struct pollfd fd = { .fd = output ? out : in, .events = output ? POLLOUT : POLLIN };

	poll(&fd, 1, -1);
}

/* One part of a file that is no zpipe to one that is none. 1 at the end. */
static int copy_part(const struct copying *copying, char *buffer, uint64_t *done)
{
	ssize_t got = read(copying->in, buffer, BUFFER);
	size_t gone = 0;

	if (got <= 0)
		return got ? -errno : 1;
	while (gone < (size_t)got) {
		const ssize_t n = write(copying->out, buffer + gone, (size_t)got - gone);

		/* What was read is nowhere else: it must go now. */
		if (n < 0 && errno == EAGAIN)
			wait_for(copying, true);
		else if (n < 0 && errno != EINTR)
			return -errno;
		gone += n > 0 ? (size_t)n : 0;
	}
	*done += (uint64_t)got;
	return 0;
}

static int copy_plain(struct copying *copying, uint64_t *done)
{
	char *buffer = malloc(BUFFER);
	int ret = buffer ? 0 : -ENOMEM;

	*done = 0;
	while (!ret) {
		ret = copy_part(copying, buffer, done);
		count(copying, *done);
	}
	free(buffer);
	return ret < 0 ? ret : 0;
}

static int copy_once(struct copying *copying, uint64_t *done)
{
	const struct zp_copy_opts opts = { .sz = sizeof(opts), .progress = count, .arg = copying };

	if (copying->reader && copying->writer)
		return zp_copy(copying->writer, copying->reader, &opts, done);
	if (copying->reader)
		return zp_copy_to_fd(copying->reader, copying->out, &opts, done);
	if (copying->writer)
		return zp_copy_from_fd(copying->writer, copying->in, &opts, done);
	return copy_plain(copying, done);
}

int copying_run(struct copying *copying)
{
	bool output = false;
	uint64_t done;
	int ret;

	do {
		ret = copy_once(copying, &done);
		copying->before += done;
		if (ret == -EAGAIN) {
			wait_for(copying, output);
			output = !output;
		}
	} while (ret == -EINTR || ret == -EAGAIN || ret == -ECANCELED || ret == ZP_CANCELED);
	return ret;
}

int copying_broken(void)
{
	raise(SIGPIPE);
	complain("write error: %s", strerror(EPIPE));
	return -EPIPE;
}
