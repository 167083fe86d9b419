/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zpipe_uring - io_uring commands for the zpipe selftests, with liburing
 *
 * A ring, a command on its way with a copy of its arguments, and the checks that zt_ioctl() makes
 * of every call: a refused one changes nothing, none changes its inputs.
 */
#ifndef ZPIPE_URING_H
#define ZPIPE_URING_H

#include <dirent.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "zpipe_test.h"

/* The kinds of rings that treat a command differently. */
#define ZU_PLAIN	0
#define ZU_SQE128	IORING_SETUP_SQE128
#define ZU_DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#define ZU_SQPOLL	IORING_SETUP_SQPOLL

/* Can a command be left waiting without a thread? */
static inline bool zu_parks(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		zt_die("which kernel is this?");
	return major > 6 || (major == 6 && minor >= 8);
}

/* Worker threads of the rings of this process. */
static inline int zu_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	if (!dir)
		zt_die("/proc/self/task: %s", strerror(errno));
	while ((e = readdir(dir))) {
		char path[320], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && !strncmp(name, "iou-wrk", 7))
			n++;
		if (f)
			fclose(f);
	}
	closedir(dir);
	return n;
}

static inline int zu_open(struct io_uring *ring, unsigned int flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 50 };

	return io_uring_queue_init_params(16, ring, &p);
}

static inline struct io_uring_sqe *zu_prep(struct io_uring *ring, int fd, unsigned long cmd,
					   void *args)
{
	struct zpipe_uring_cmd area = { .args = (uintptr_t)args };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		zt_die("the ring is full");
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = cmd;
	sqe->user_data = (uintptr_t)args;
	memcpy(sqe->cmd, &area, sizeof(area));
	return sqe;
}

static inline void zu_go(struct io_uring *ring)
{
	int ret = io_uring_submit(ring);

	if (ret < 0)
		zt_die("io_uring_submit: %s", strerror(-ret));
}

static inline void zu_submit(struct io_uring *ring, int fd, unsigned long cmd, void *args)
{
	zu_prep(ring, fd, cmd, args);
	zu_go(ring);
}

/* The next completion; what it belongs to goes to *data. */
static inline int zu_any(struct io_uring *ring, void **data)
{
	struct __kernel_timespec patience = { .tv_sec = ZT_PATIENCE_MS / 1000 };
	struct io_uring_cqe *cqe;
	int ret;

	do {
		ret = io_uring_wait_cqe_timeout(ring, &cqe, &patience);
	} while (ret == -EINTR);
	if (ret)
		zt_die("a request does not complete: %s", strerror(-ret));
	if (data)
		*data = (void *)(uintptr_t)cqe->user_data;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* The same, which must be that of these arguments. */
static inline int zu_result(struct io_uring *ring, const void *args)
{
	void *data;
	int ret = zu_any(ring, &data);

	if (data != args)
		zt_die("another request has completed, with %d", ret);
	return ret;
}

/* Submit and wait. */
static inline int zu_call(struct io_uring *ring, int fd, unsigned long cmd, void *args)
{
	unsigned char before[512];
	int ret;

	memcpy(before, args, _IOC_SIZE(cmd));
	zu_submit(ring, fd, cmd, args);
	ret = zu_result(ring, args);
	if (ret && memcmp(before, args, _IOC_SIZE(cmd)))
		zt_die("refused command %#lx changed its struct", cmd);
	return ret;
}

/* Nothing has completed after a glance. */
static inline bool zu_waits(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	zt_sleep_ms(ZT_GLANCE_MS);
	/* Lets work that is deferred to this task run. */
	io_uring_submit_and_wait(ring, 0);
	return io_uring_peek_cqe(ring, &cqe) == -EAGAIN;
}

#endif
