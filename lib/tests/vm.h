/* SPDX-License-Identifier: MIT */
/*
 * vm - both ends of a real pipe, for tests that run with the module loaded
 */
#ifndef ZPIPE_TESTS_VM_H
#define ZPIPE_TESTS_VM_H

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "tap.h"

#define MS	1000000ULL

struct ends {
	int wfd, rfd;
	struct zp_writer *w;
	struct zp_reader *r;
};

/* The handles own the fds. Without the module there is nothing to test. */
static inline struct ends ends_open(struct zp_create_opts opts)
{
	struct ends e;
	int ret;

	opts.sz = sizeof(opts);
	ret = zp_create(&opts, &e.wfd, &e.rfd);
	if (!ret)
		ret = zp_writer_open(&e.w, e.wfd, NULL);
	if (!ret)
		ret = zp_reader_open(&e.r, e.rfd, NULL);
	if (ret) {
		printf("Bail out! cannot make a pipe: %s\n", strerror(-ret));
		exit(1);
	}
	return e;
}

static inline void ends_close(struct ends *e)
{
	zp_writer_close(e->w);
	zp_reader_close(e->r);
}

static inline struct zp_stat stat_of(int fd)
{
	struct zp_stat stat = { .sz = sizeof(stat) };

	EXPECT_EQ(zp_stat(fd, &stat), 0);
	return stat;
}

static inline short poll_now(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec t = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000L,
	};

	nanosleep(&t, NULL);
}

/* 0 if the child left with 0, else its wait status. */
static inline int join(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static inline int vm_skip(void)
{
	if (access("/dev/zpipe", R_OK | W_OK) == 0)
		return 0;
	printf("TAP version 13\n1..0 # SKIP no /dev/zpipe\n");
	return 4;
}

/* clang-format off */
#define VM_MAIN(tests) \
	int main(void) \
	{ \
		int skip = vm_skip(); \
		return skip ? skip : tap_run(tests, sizeof(tests) / sizeof((tests)[0])); \
	}
/* clang-format on */

#endif /* ZPIPE_TESTS_VM_H */
