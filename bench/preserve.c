// SPDX-License-Identifier: MIT
/*
 * preserve - what keeping a message costs, in instructions
 *
 * PRESERVE and RELEASE of 4 KiB, beside the cheapest calls that do anything: a READ and an ADVANCE
 * of the same message. Twice: when the segment is held already, as it is for the second of several
 * messages in it, and when it must be replaced, with memory that is cleared and goes back again.
 * And what a reader would do instead: copy the message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "preserve.h"
#include "raw.h"
#include "report.h"

#define ROUNDS	2000
#define MESSAGE	4096

static int call(int fd, unsigned long request, void *args)
{
	return ioctl(fd, request, args) ? -errno : 0;
}

static int preserve(int fd, uint64_t position, uint64_t *handle)
{
	struct zpipe_preserve_args args = { .position = position, .length = MESSAGE };
	int ret = call(fd, ZPIPE_IOC_PRESERVE, &args);

	*handle = args.out_handle;
	return ret;
}

static int release(int fd, uint64_t handle)
{
	struct zpipe_release_args args = { .handle = handle };

	return call(fd, ZPIPE_IOC_RELEASE, &args);
}

static int preserve_and_release(int fd)
{
	uint64_t handle;
	int ret = preserve(fd, 0, &handle);

	return ret ? ret : release(fd, handle);
}

static int read_and_advance(int fd)
{
	struct zpipe_read_args read = { .flags = ZPIPE_READ_F_REREAD };
	struct zpipe_advance_args advance = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP };
	int ret = call(fd, ZPIPE_IOC_READ, &read);

	return ret ? ret : call(fd, ZPIPE_IOC_ADVANCE, &advance);
}

static int copy(int fd)
{
	static char from[MESSAGE], to[MESSAGE];

	(void)fd;
	memcpy(to, from, sizeof(to));
	__asm__ __volatile__("" : : "r"(to) : "memory");
	return 0;
}

/* Nanoseconds, which are instructions here, of one round; -1 when it failed. */
static double measure(int fd, int (*round)(int fd))
{
	uint64_t begin;
	int i, ret = round(fd);

	begin = clock_ns();
	for (i = 0; i < ROUNDS && !ret; i++)
		ret = round(fd);
	if (ret)
		fprintf(stderr, "bench: preserve: %s\n", strerror(-ret));
	return ret ? -1 : (double)(clock_ns() - begin) / ROUNDS;
}

int preserve_report(void)
{
	static char message[MESSAGE];
	double calls, fresh, held, copied;
	struct raw_pipe pipe = { -1, -1 };
	uint64_t handle;
	int ret;

	ret = raw_create(&pipe, 0, 0);
	if (!ret && write(pipe.writer, message, sizeof(message)) != MESSAGE)
		ret = -EIO;
	if (ret) {
		printf("preserve: %s\n", strerror(-ret));
		return 1;
	}
	calls = measure(pipe.reader, read_and_advance);
	copied = measure(pipe.reader, copy);
	fresh = measure(pipe.reader, preserve_and_release);
	ret = preserve(pipe.reader, 0, &handle);
	held = ret ? -1 : measure(pipe.reader, preserve_and_release);
	raw_close(&pipe);
	if (calls < 0 || fresh < 0 || held < 0)
		return 1;
	printf("preserve and release of 4 KiB: %.0f; in a fresh segment of 64 KiB %.0f\n",
	       held, fresh);
	printf("  read and advance %.0f, copying it %.0f instructions\n", calls, copied);
	return !report_verdict("preserve and release / 2 calls", held / calls, true, 2);
}
