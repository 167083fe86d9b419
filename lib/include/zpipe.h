/* SPDX-License-Identifier: MIT */
/*
 * zpipe.h - libzpipe: pipes between processes whose bytes are read in place
 *
 * A pipe has a writer fd and a reader fd; each is opened (mapped) by the
 * process that uses it. Bytes are named by stream positions, 64-bit counts
 * since the pipe was made:
 *
 *	granted >= committed >= published >= examined >= consumed
 *
 *	zpipe/types.h	constants, structs
 *	zpipe/writer.h	zp_alloc, zp_commit, zp_flush, zp_write
 *	zpipe/put.h	integers, text, records, memory in pieces
 *	zpipe/reader.h	zp_read, zp_advance
 *	zpipe/view.h	spans, slices, search, comparison, one piece of many
 *	zpipe/take.h	pieces off the front: bytes, lines, up to a delimiter
 *	zpipe/cursor.h	integers, text, pieces: what parsers read
 *	zpipe/copy.h	from and to files, sockets, memory, other pipes
 *	zpipe/file.h	either end as a FILE of stdio
 *	zpipe/stage.h	transforms between two pipes
 *	zpipe/spawn.h	commands that read or write an end
 *	zpipe/duplex.h	two pipes, for both directions
 *	zpipe/listen.h	links by name: zp_listen, zp_accept, zp_connect
 *	zpipe/supervise.h consumers that are started again when they crash
 *	zpipe/stream.h	rendezvous: the reader supplies the buffers
 *	zpipe/future.h	one value, once
 *
 * Rules that hold everywhere. Functions return 0, a positive set of flags
 * where that is said, or a negative errno; nothing is printed, errno is not
 * set. Positions and lengths are bytes. Deadlines are absolute CLOCK_MONOTONIC
 * nanoseconds, 0 for ever (zp_deadline() makes one). A handle is used by one
 * thread at a time; functions that take an fd may be called by any thread.
 * The memory is shared: the process at the other end can change published
 * bytes while they are read, so copy before you validate, unless you trust it
 * or the pipe is guarded.
 *
 * Guarded pipes (ZP_GUARDED) are for ends that do not trust each other: what a
 * view shows does not change until it is consumed, whatever the writer does,
 * and neither end sees memory that is not its turn (SIGBUS). Everything works
 * the same, but each flush, read and advance is a system call; a flush that
 * does not end at the border of a page wastes the rest of it; and the memory
 * of a view cannot be handed to O_DIRECT, vmsplice or MSG_ZEROCOPY. The choice
 * is made in zp_create(), for good; zp_query() tells it of any fd.
 *
 * A pipe and its mappings are inherited over fork(); fds are close-on-exec.
 */
#ifndef ZPIPE_H
#define ZPIPE_H

#include <zpipe/types.h>
#include <zpipe/view.h>
#include <zpipe/take.h>
#include <zpipe/cursor.h>
#include <zpipe/writer.h>
#include <zpipe/put.h>
#include <zpipe/reader.h>
#include <zpipe/kept.h>
#include <zpipe/copy.h>
#include <zpipe/file.h>
#include <zpipe/stage.h>
#include <zpipe/spawn.h>
#include <zpipe/duplex.h>
#include <zpipe/listen.h>
#include <zpipe/supervise.h>
#include <zpipe/stream.h>
#include <zpipe/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * zp_version() - version of the library at run time
 *
 * Return: major * 10000 + minor * 100 + patch, as ZP_VERSION_* at build time.
 */
ZP_API unsigned int zp_version(void);

/**
 * zp_create() - make a pipe
 * @opts: NULL for the defaults
 * @writer_fd: out: the writer end, close-on-exec, the caller's
 * @reader_fd: out: the reader end, close-on-exec, the caller's
 *
 * Source: pipe2(2); the options are those of PipeOptions.
 *
 * Return: 0; -EINVAL, -E2BIG: @opts; -EOPNOTSUPP: flags that the kernel does
 * not know; -ENOTTY: @opts names another device; -ENOENT, -ENODEV, -ENXIO: the module is
 * not loaded; -EACCES: no right to the device; -EMFILE, -ENFILE; -EDQUOT,
 * -ENOMEM: a per-user limit, or memory.
 */
ZP_API int zp_create(const struct zp_create_opts *opts, int *writer_fd, int *reader_fd);

/**
 * zp_query() - what an fd is, and the geometry of its pipe
 * @fd: any fd; nothing is mapped. A buffer (zp_export()) is no end of a pipe
 * @info: out; info->sz is set by the caller
 *
 * Source: ZPIPE_IOC_INFO, checked as for mapping.
 *
 * Return: 0; -EBADF: not an end of a pipe; -EPROTO: answers that make no sense;
 * -EPROTONOSUPPORT: a later version of the interface; -EINVAL: info->sz.
 */
ZP_API int zp_query(int fd, struct zp_info *info);

/**
 * zp_stat() - positions and counters
 * @fd: either end
 * @stat: out; stat->sz is set by the caller
 *
 * Source: ZPIPE_IOC_STAT.
 *
 * Return: 0; -EBADF: not an fd of zpipe; -EINVAL: stat->sz.
 */
ZP_API int zp_stat(int fd, struct zp_stat *stat);

/**
 * zp_cancel() - return a pending operation, or the next one
 * @fd: either end
 * @what: ZP_CANCEL_READ: a read. ZP_CANCEL_FLUSH: a flush, or an alloc that
 *	waits
 *
 * May be called from any thread or process. One-shot; two cancels before the
 * operation are one. The result has ZP_CANCELED and is no error (zp_alloc(),
 * which would have nothing to return, says -ECANCELED).
 * Source: PipeReader.CancelPendingRead, PipeWriter.CancelPendingFlush.
 *
 * Return: 0; -EBADF: not an fd of zpipe; -EINVAL: @what.
 */
ZP_API int zp_cancel(int fd, unsigned int what);

/**
 * zp_set_thresholds() - change when the writer pauses
 * @fd: either end
 * @pause: bytes unexamined; 0 leaves it, ZP_NEVER for never
 * @resume: bytes unexamined; 0 leaves it
 *
 * A writer that is not waiting notices with its next segment at the latest.
 * Source: PipeOptions.PauseWriterThreshold and ResumeWriterThreshold.
 *
 * Return: 0; -EBADF: not an fd of zpipe; -EINVAL: @resume above @pause.
 */
ZP_API int zp_set_thresholds(int fd, uint64_t pause, uint64_t resume);

/**
 * zp_pool_create() - memory that several pipes share
 * @opts: NULL for the defaults
 * @pool_fd: out: the pool, close-on-exec; the caller's. Pipes keep the memory
 *	alive when it is closed
 *
 * Give it to zp_create() as zp_create_opts.pool_fd. The pipes of a pool share
 * one data window, so they are one trust domain: who may write to one of them
 * may write to the memory of all. Each has a segment of its own that no other
 * can take, and at most its capacity of the rest. zp_forward() between two of
 * them costs the same for any length. May be called from any thread.
 * Source: the channel factory and its memory pool.
 *
 * Return: 0; -EINVAL, -E2BIG: @opts; -EDQUOT: a limit of the caller's; -ENOMEM,
 * -EMFILE, -ENFILE; what opening the device fails with.
 */
ZP_API int zp_pool_create(const struct zp_pool_opts *opts, int *pool_fd);

/**
 * zp_pool_stat() - what a pool holds
 * @pool_fd: the pool
 * @stat: out; stat->sz is in
 *
 * Return: 0; -EBADF: not a pool of zpipe; -EINVAL: @stat.
 */
ZP_API int zp_pool_stat(int pool_fd, struct zp_pool_stat *stat);

/**
 * zp_tee() - another reader of the same stream
 * @reader_fd: a reader end, also one that a zp_tee() made
 * @flags: ZP_TEE_DETACH: never slow the writer down, see below. ZP_TEE_NONBLOCK:
 *	the new fd gets O_NONBLOCK
 * @fd: out: a reader end, close-on-exec; the caller's
 *
 * It begins where @reader_fd is (its consumed position) and from there on is a
 * reader like any other: open it with zp_reader_open(), in this process or in
 * another one. Nothing is copied; all readers see the same memory. The slowest
 * one holds it and is who the writer pauses for; closing a reader frees what
 * only that one held. The writer hears of the end of the last one.
 *
 * With ZP_TEE_DETACH this reader is detached when the writer needs memory that
 * it holds: its reads and advances fail with -ENOBUFS, and what it looked at
 * since its last successful advance may have been overwritten. The last reader
 * is never detached. May be called from any thread or process.
 * Source: publisher and subscribers of the shared-memory streams; tee(2).
 *
 * Return: 0; -EBADF: not a reader end of zpipe; -ESHUTDOWN: it has completed;
 * -EDQUOT: 256 readers, or the caller's limit of pages; -ENOMEM; -EOPNOTSUPP:
 * an unknown flag.
 */
ZP_API int zp_tee(int reader_fd, unsigned int flags, int *fd);

/**
 * zp_reset() - use a pipe again whose ends have both completed
 * @fd: either end; handles opened before must be closed (ZP_KEEP_FD) first
 *
 * Positions go on, what was not consumed is dropped, thresholds stay.
 * Source: Pipe.Reset.
 *
 * Return: 0; -EBUSY: an end has not completed; -ESHUTDOWN: one was closed;
 * -EBADF: not an fd of zpipe.
 */
ZP_API int zp_reset(int fd);

/**
 * zp_deadline() - a deadline from a timeout
 * @timeout_ns: nanoseconds from now
 *
 * Return: absolute CLOCK_MONOTONIC nanoseconds, never 0.
 */
ZP_API uint64_t zp_deadline(uint64_t timeout_ns);

/**
 * zp_send_fd() - pass an end to another process
 * @sock: a connected Unix socket
 * @fd: the end; it stays open here
 *
 * Source: SCM_RIGHTS, unix(7).
 *
 * Return: 0; negative errno of sendmsg(2).
 */
ZP_API int zp_send_fd(int sock, int fd);

/**
 * zp_recv_fd() - receive what zp_send_fd() sent
 * @sock: a connected Unix socket
 * @fd: out: the fd, close-on-exec, the caller's. Opening it (zp_reader_open(),
 *	zp_writer_open()) checks that it is what it should be
 *
 * Return: 0; -ECONNRESET: the peer closed the socket; -EBADMSG: a message
 * without exactly one fd, or of more than one byte; else the negative errno of recvmsg(2).
 */
ZP_API int zp_recv_fd(int sock, int *fd);

#ifdef __cplusplus
}

static inline int zp_stats(struct zp_writer *end, struct zp_stats *stats)
{
	return zp_writer_stats(end, stats);
}

static inline int zp_stats(struct zp_reader *end, struct zp_stats *stats)
{
	return zp_reader_stats(end, stats);
}
#else
/**
 * zp_stats() - zp_writer_stats() or zp_reader_stats(), whichever end it is
 * @end: a struct zp_writer * or a struct zp_reader *
 * @stats: out: see struct zp_stats; its sz is set by the caller
 *
 * Return: as they do.
 */
#define zp_stats(end, stats)			\
	_Generic((end),				\
		 struct zp_writer *: zp_writer_stats,	\
		 struct zp_reader *: zp_reader_stats)(end, stats)
#endif

#endif /* ZPIPE_H */
