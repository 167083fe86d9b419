/* SPDX-License-Identifier: MIT */
/*
 * spawn - a command whose standard input or output is an end of a pipe
 *
 * Include <zpipe.h>, not this file. An end is a file like any other, so a program
 * that has never heard of zpipe reads and writes it with read(2) and write(2), and
 * sees the end of the stream where it expects one. A program that knows zpipe finds
 * out that it has an end, and maps it: the environment variable ZPIPE_FD names the
 * descriptors, as decimal numbers with commas between them, and zp_spawned_fd()
 * reads it.
 *
 *	zp_create(NULL, &wfd, &rfd);
 *	opts.command = "gzip -9 > log.gz";
 *	opts.stdin_fd = rfd;
 *	zp_spawn(&opts, &pid);
 *	close(rfd);			the child's is the only reader now
 *	zp_writer_open(&w, wfd, NULL);
 */
#ifndef ZPIPE_SPAWN_H
#define ZPIPE_SPAWN_H

#include <sys/types.h>

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* zp_spawn_opts.flags */
#define ZP_SPAWN_GROUP	1	/* the child leads a process group of its own */

/**
 * struct zp_spawn_opts - what zp_spawn() starts
 * @sz: sizeof(struct zp_spawn_opts)
 * @argv: the program, looked for in PATH, and its arguments; ends with NULL
 * @command: or instead of it, a command line for /bin/sh
 * @env: its environment, ends with NULL; NULL for the caller's. ZPIPE_FD in it is
 *	replaced
 * @stdin_fd: becomes its standard input; 0: the caller's
 * @stdout_fd: becomes its standard output; 0: the caller's
 * @stderr_fd: becomes its standard error; 0: the caller's
 * @flags: ZP_SPAWN_GROUP
 * @fds: more descriptors, above 2, that it gets under the same numbers
 * @nr_fds: how many
 *
 * All descriptors stay the caller's. Of those named here, the ends of pipes are
 * listed in ZPIPE_FD, in this order. All others that are not close-on-exec are
 * inherited as with exec(2).
 */
struct zp_spawn_opts {
	size_t sz;
	char *const *argv;
	const char *command;
	char *const *env;
	int stdin_fd;
	int stdout_fd;
	int stderr_fd;
	unsigned int flags;
	const int *fds;
	size_t nr_fds;
};

/**
 * zp_spawn() - start a command, joined to ends of pipes
 * @opts: argv or command, and the ends
 * @pid: out: the child, for waitpid(2)
 *
 * The child starts as from a shell: no signal is blocked, and SIGPIPE ends it. Close
 * the ends that are its alone now, or the other side will wait for an end of the
 * stream that does not come. O_NONBLOCK belongs to an end, not to a process, and
 * most programs do not expect it. A child that only writes has finished its stream
 * when it exits, however it does; one that maps the end completes it, or the reader
 * is told of a crash. May be called from any thread.
 * Source: posix_spawn(3), popen(3).
 *
 * Return: 0; -EINVAL, -E2BIG: @opts, not one of argv and command, or one of fds
 * below 3; -EBADF: a descriptor that is not open; what execve(2) fails with, as
 * -ENOENT and -EACCES; -EAGAIN, -ENOMEM, -EMFILE.
 */
ZP_API int zp_spawn(const struct zp_spawn_opts *opts, pid_t *pid);

/**
 * zp_spawned_fd() - an end that whoever started this process gave it
 * @role: ZP_ROLE_WRITER or ZP_ROLE_READER
 * @fd: out: the first that ZPIPE_FD names; open it with zp_writer_open() or
 *	zp_reader_open()
 *
 * Each is asked what it is, whatever the variable says: it may have been inherited
 * without the descriptors.
 *
 * Return: 0; -ENOENT: none; -EINVAL: @role.
 */
ZP_API int zp_spawned_fd(uint32_t role, int *fd);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_SPAWN_H */
