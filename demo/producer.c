// SPDX-License-Identifier: MIT
/*
 * producer - reads a file straight into grants of the pipe
 *
 * The read(2) is of the file and stores where the consumer will look: no buffer lies in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zpipe.h>

#include "demo.h"

static int fail(struct demo_shared *shared, const char *what, int err)
{
	snprintf(shared->why[PRODUCER], sizeof(*shared->why), "producer: %s: %s", what,
		 err < 0 ? strerror(-err) : "the consumer has finished");
	return -1;
}

int demo_produce(struct demo_shared *shared, int writer_fd, const char *file)
{
	struct zp_writer *writer;
	struct zp_span room;
	ssize_t got;
	int fd, err;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(shared, file, -errno);
	err = zp_writer_open(&writer, writer_fd, NULL);
	if (err)
		return fail(shared, "zp_writer_open", err);

	shared->started_ns = demo_now();
	for (;;) {
		err = zp_alloc(writer, 1, &room);
		if (err)
			return fail(shared, "zp_alloc", err);
		got = read(fd, room.data, room.len);
		if (got < 0)
			return fail(shared, file, -errno);
		if (!got)
			break;
		err = zp_commit(writer, (size_t)got);
		if (!err)
			err = zp_flush(writer);
		if (err)
			return fail(shared, "zp_flush", err);
		/* The consumer keeps the first bytes until it has compared. */
		if (!atomic_load(&shared->producer.known))
			demo_find_pages(&shared->producer, room.data, (size_t)got);
	}
	err = zp_writer_complete(writer, 0, 0);
	if (err)
		return fail(shared, "zp_writer_complete", err);
	zp_writer_close(writer);
	close(fd);
	return 0;
}
