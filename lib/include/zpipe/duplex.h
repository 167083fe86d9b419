/* SPDX-License-Identifier: MIT */
/*
 * duplex - two pipes, for both directions
 *
 * Include <zpipe.h>, not this file. A side of a link is two descriptors in the order
 * of pipe(2): fds[0] is read, fds[1] is written. Opened, it is a plain struct with a
 * reader and a writer, which are used as any other, also by two threads at the same
 * time, one each.
 */
#ifndef ZPIPE_DUPLEX_H
#define ZPIPE_DUPLEX_H

#include <zpipe/spawn.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct zp_duplex - a side of a link, opened
 * @reader: what the other side writes
 * @writer: what the other side reads
 */
struct zp_duplex {
	struct zp_reader *reader;
	struct zp_writer *writer;
};

/**
 * zp_pair() - make two pipes, for both directions
 * @opts: of each of the pipes; NULL for the defaults
 * @a: out: one side: [0] is read, [1] is written; close-on-exec, the caller's
 * @b: out: the other side
 *
 * Source: socketpair(2); the duplex pipes of System.IO.Pipelines.
 *
 * Return: as zp_create(); on failure nothing was made.
 */
ZP_API int zp_pair(const struct zp_create_opts *opts, int a[2], int b[2]);

/**
 * zp_duplex_open() - map both descriptors of a side
 * @d: out
 * @fds: [0] a reader end, [1] a writer end. They are the handles' on success
 *	(unless ZP_KEEP_FD), the caller's on failure
 * @opts: of both; NULL for the defaults
 *
 * Return: as zp_reader_open() and zp_writer_open(); on failure nothing is open.
 */
ZP_API int zp_duplex_open(struct zp_duplex *d, const int fds[2], const struct zp_open_opts *opts);

/**
 * zp_duplex_complete() - finish both directions
 * @d: the side; only close it afterwards
 * @error: 0: what is committed can be read, then the stream ends. An errno
 *	(positive): the other side's calls fail with it
 *
 * To end one direction and go on with the other, use zp_writer_complete() or
 * zp_reader_complete().
 * Source: the duplex pipe has no end of its own; you close it by completing both.
 *
 * Return: 0; the first error of the two, but both are tried.
 */
ZP_API int zp_duplex_complete(struct zp_duplex *d, int error);

/**
 * zp_duplex_close() - close both handles
 * @d: the side; handles that are NULL are left alone, and both are NULL afterwards
 *
 * As zp_writer_close() and zp_reader_close(): without completing it is an abort.
 */
ZP_API void zp_duplex_close(struct zp_duplex *d);

/**
 * zp_duplex_spawn() - a command, and both ends of a conversation with it
 * @d: out: writer: to its standard input; reader: from its standard output
 * @opts: as zp_spawn(), without stdin_fd and stdout_fd
 * @create: of each of the pipes; NULL for the defaults
 * @pid: out: the child, for waitpid(2)
 *
 * Complete the writer when all is said, or most programs never end. One that
 * answers before it has read everything must be read meanwhile: with a thread, or
 * zp_try_read().
 * Source: popen(3) in both directions.
 *
 * Return: as zp_create() and zp_spawn(); on failure nothing was started.
 */
ZP_API int zp_duplex_spawn(struct zp_duplex *d, const struct zp_spawn_opts *opts,
			   const struct zp_create_opts *create, pid_t *pid);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_DUPLEX_H */
