/* SPDX-License-Identifier: MIT */
/*
 * supervise - a consumer that is started again when it crashes
 *
 * Include <zpipe.h>, not this file. The supervisor keeps the reader fd, so the pipe
 * outlives a consumer that dies: the next one opens the same fd and goes on at
 * `consumed`. Nothing is lost, and nothing that was consumed is seen again.
 *
 *	zp_supervise(rfd, &opts, NULL);		in the consumer:
 *						zp_spawned_fd(ZP_ROLE_READER, &fd);
 *						zp_reader_open(&r, fd, NULL);
 *						... process a record ...
 *						zp_consume(r, its length);
 *
 * A consumer that advances after it has processed a record, as it should, can die in
 * between, and its successor is shown that record again. To process it exactly once,
 * keep its stream position with the result, in one write, and when starting compare
 * the last one kept with zp_consumed(): examples/supervise.c.
 */
#ifndef ZPIPE_SUPERVISE_H
#define ZPIPE_SUPERVISE_H

#include <sys/types.h>

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct zp_supervised - what has become of a consumer
 * @pid: the process
 * @running: it was just started; else it has ended with
 * @status: as of waitpid(2)
 * @restarts: consumers started after the first one
 * @consumed: stream position now
 * @delay_ns: how long to wait before the next one is started
 */
struct zp_supervised {
	pid_t pid;
	int running;
	int status;
	unsigned int reserved;
	uint64_t restarts;
	uint64_t consumed;
	uint64_t delay_ns;
};

/* zp_supervise_opts.flags */
#define ZP_SUPERVISE_STDIN	1	/* the reader is the consumer's standard input */

/**
 * struct zp_supervise_opts - what zp_supervise() runs, and how
 * @sz: sizeof(struct zp_supervise_opts)
 * @argv: the consumer, looked for in PATH, and its arguments; ends with NULL
 * @command: or a command line for /bin/sh
 * @run: or a function, called with @arg and the reader fd in a forked child, which
 *	exits with what it returns. With threads in the caller it may only do what
 *	fork(2) allows
 * @event: called with @arg whenever a consumer was started or has ended; a negative
 *	return value ends the supervision, which returns it. NULL for nobody
 * @arg: for @run and @event
 * @flags: ZP_SUPERVISE_STDIN; else a command finds its end with zp_spawned_fd()
 * @stop_fd: when it is readable, end it; nothing is read. 0: SIGTERM does
 * @min_delay_ns: before a consumer is started again that has consumed anything; 0
 *	for 100 ms
 * @max_delay_ns: most; each that dies having consumed nothing doubles the delay; 0
 *	for 10 s
 * @grace_ns: for a consumer to end after SIGTERM, before it gets SIGKILL; 0 for 5 s
 */
struct zp_supervise_opts {
	size_t sz;
	char *const *argv;
	const char *command;
	int (*run)(void *arg, int fd);
	int (*event)(void *arg, const struct zp_supervised *what);
	void *arg;
	unsigned int flags;
	int stop_fd;
	uint64_t min_delay_ns;
	uint64_t max_delay_ns;
	uint64_t grace_ns;
};

/**
 * zp_supervise() - run a consumer until it is done
 * @reader_fd: the reader end; it stays open, and the caller's, who must not have it
 *	open as a handle
 * @opts: one of argv, command and run; what else is 0 is the default
 * @last: out: the last consumer; may be NULL
 *
 * A consumer is done when it exits with 0. Any other status, or a signal, is a crash,
 * after which another one is started. Until then this waits, with SIGTERM blocked in
 * this thread unless there is a stop_fd: in a program with several threads block it
 * in all of them. When told to end, the consumer gets SIGTERM. Other children of the
 * caller are not its affair; SIGCHLD must not be ignored.
 * Source: semantics of a reader fd that outlives its reader; supervisors of services.
 *
 * Return: 0: it is done; ZP_CANCELED: told to end, and the consumer has ended;
 * -EINVAL, -E2BIG, -EOPNOTSUPP: @opts; -EBADF: @reader_fd is not a reader end; what
 * the event function said; what zp_spawn() or fork(2) fail with.
 */
ZP_API int zp_supervise(int reader_fd, const struct zp_supervise_opts *opts,
			struct zp_supervised *last);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_SUPERVISE_H */
