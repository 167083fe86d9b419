/* SPDX-License-Identifier: MIT */
/*
 * listen - links between processes that know nothing of each other but a name
 *
 * Include <zpipe.h>, not this file. A server listens at the path of a Unix socket;
 * whoever may connect to it gets a side of a new pair of pipes (zp_pair()), the
 * server the other one. The socket is only for that: once it is done the two are
 * joined by the pipes alone.
 *
 *	zp_listen("/run/log.sock", NULL, &l);		zp_connect("/run/log.sock", NULL, fds);
 *	for (;;) {					zp_duplex_open(&d, fds, NULL);
 *		ret = zp_accept(l, 0, 0, fds, NULL);
 *		if (!ret)
 *			... zp_duplex_open(&d, fds, NULL) ...
 *	}
 *
 * A name that begins with '@' is an abstract one, which is no file and goes away with
 * the server: only the kernel's word on who the peer is protects it.
 *
 * The pipes are the server's: made with its options, at its expense. It never waits
 * for a client, nor reads anything from one. A client checks what it was sent before
 * it uses it.
 */
#ifndef ZPIPE_LISTEN_H
#define ZPIPE_LISTEN_H

#include <sys/types.h>

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zp_listener;

/**
 * struct zp_peer - who is at the other side of a socket, as the kernel knows
 * @pid: process that connected, or listens
 * @uid: its effective user
 * @gid: its effective group
 */
struct zp_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* zp_peer_rule.flags; several must all hold */
#define ZP_PEER_UID	1	/* zp_peer_rule.uid, nobody else */
#define ZP_PEER_GID	2	/* a member of zp_peer_rule.gid */
#define ZP_PEER_ANY	4	/* anybody, at an abstract name too */

/**
 * struct zp_peer_rule - who may be the peer
 * @flags: ZP_PEER_*; 0: whoever the permissions of the file let in, or, at an
 *	abstract name, the caller's own effective user
 * @uid: for ZP_PEER_UID
 * @gid: for ZP_PEER_GID
 * @check: called with @arg when the rest holds: 0 if it may, a negative errno if it
 *	may not, which it is told; NULL for no more questions
 * @arg: for @check
 */
struct zp_peer_rule {
	uint32_t flags;
	uid_t uid;
	gid_t gid;
	int (*check)(void *arg, const struct zp_peer *peer);
	void *arg;
};

/**
 * struct zp_listen_opts - how zp_listen() listens
 * @sz: sizeof(struct zp_listen_opts)
 * @peer: who may connect
 * @mode: permission bits of the socket file: who may write may connect; 0 for 0600.
 *	umask does not matter. Not at an abstract name
 * @backlog: connections that wait to be accepted; 0 for the system's limit
 * @create: what zp_accept() makes; NULL for the defaults
 */
struct zp_listen_opts {
	size_t sz;
	struct zp_peer_rule peer;
	unsigned int mode;
	int backlog;
	const struct zp_create_opts *create;
};

/* zp_connect_opts.flags */
#define ZP_CONNECT_GUARDED	1	/* only pipes whose published bytes cannot change */

/**
 * struct zp_connect_opts - how zp_connect() connects
 * @sz: sizeof(struct zp_connect_opts)
 * @peer: who may be the server
 * @flags: ZP_CONNECT_GUARDED
 * @reserved: 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 */
struct zp_connect_opts {
	size_t sz;
	struct zp_peer_rule peer;
	uint32_t flags;
	uint32_t reserved;
	uint64_t deadline;
};

/**
 * zp_listen() - be found under a name
 * @path: a path, or '@' and an abstract name
 * @opts: NULL for the defaults
 * @l: out: the listener
 *
 * A socket file that nobody listens at any more is replaced; any other file is left
 * alone. The folder is locked (flock(2)) for a moment, so that of two that start at
 * the same time one gets the name. In a folder where others may write they may also
 * take the name first.
 *
 * Return: 0; -EADDRINUSE: somebody listens there, or it is no socket; -EINVAL,
 * -E2BIG, -EOPNOTSUPP: @opts, or an empty name; -ENAMETOOLONG: more than 107 bytes;
 * -EBUSY: the folder has been locked for a second; what open(2) of the folder and
 * bind(2) fail with; -ENOMEM.
 */
ZP_API int zp_listen(const char *path, const struct zp_listen_opts *opts,
		     struct zp_listener **l);

/**
 * zp_listener_fd() - the socket, for poll(2)
 * @l: the listener
 *
 * POLLIN: zp_accept() would not wait. It is non-blocking. shutdown(2) of it, by any
 * thread, lets nobody in any more and ends every zp_accept().
 *
 * Return: the fd; it stays the listener's.
 */
ZP_API int zp_listener_fd(const struct zp_listener *l);

/**
 * zp_listener_close() - be found no more
 * @l: the listener; NULL is allowed
 *
 * Takes away the socket file, if it is still this listener's. Links that were made
 * go on. After fork() only one process should call it.
 */
ZP_API void zp_listener_close(struct zp_listener *l);

/**
 * zp_accept() - wait for somebody, and make a link
 * @l: the listener; may be used by several threads
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @fds: out: our side, for zp_duplex_open(); close-on-exec, the caller's
 * @peer: out: who it is, also with -EACCES; may be NULL
 *
 * One connection each time. The client may be gone already: its side of the pipes
 * says so.
 * Source: accept(2).
 *
 * Return: 0. After these, call again: -EACCES, or what the check said: somebody who
 * may not was told so; -ECONNABORTED: it went away meanwhile; -EINTR. Else -EAGAIN;
 * -ETIMEDOUT; -ESHUTDOWN: the socket was shut down, and all who had come before that
 * were accepted; -EOPNOTSUPP: @flags; what zp_create() fails with, which the client is
 * told; what accept(2) and sendmsg(2) fail with, as -EMFILE.
 */
ZP_API int zp_accept(struct zp_listener *l, unsigned int flags, uint64_t deadline, int fds[2],
		     struct zp_peer *peer);

/**
 * zp_connect() - find whom a name belongs to, and get a link
 * @path: as for zp_listen()
 * @opts: NULL for the defaults
 * @fds: out: our side, for zp_duplex_open(); close-on-exec, the caller's
 *
 * Source: connect(2).
 *
 * Return: 0; -ENOENT, -ECONNREFUSED: nobody listens there; -EACCES, or another errno
 * of its check: the server does not want this user, or is not who it should be;
 * -EPROTO: what came is no link, or not one that is guarded; -ECONNRESET: nothing
 * came; -ETIMEDOUT; -EINTR; -EPROTOTYPE: a socket of another kind; -ENAMETOOLONG,
 * -EINVAL, -E2BIG, -EOPNOTSUPP: arguments; what the server could not make pipes for.
 */
ZP_API int zp_connect(const char *path, const struct zp_connect_opts *opts, int fds[2]);

/**
 * zp_connect_start() - zp_connect() without waiting: the first half
 * @path: as for zp_listen()
 * @opts: NULL for the defaults; the deadline does not matter
 * @sock: out: wait for POLLIN of it, then zp_connect_finish(); the caller closes it
 *
 * Return: as zp_connect(); -EAGAIN: too many wait to be accepted, try later.
 */
ZP_API int zp_connect_start(const char *path, const struct zp_connect_opts *opts, int *sock);

/**
 * zp_connect_finish() - zp_connect() without waiting: the second half
 * @sock: of zp_connect_start()
 * @opts: as there
 * @fds: out: as zp_connect()
 *
 * Return: as zp_connect(); -EAGAIN: not yet.
 */
ZP_API int zp_connect_finish(int sock, const struct zp_connect_opts *opts, int fds[2]);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_LISTEN_H */
