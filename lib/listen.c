// SPDX-License-Identifier: MIT
/*
 * listen - rendezvous by name: the side that is found
 *
 * The answer to a connection is one message, with two descriptors or an errno; then
 * the connection is closed. Nothing is read from a client, so none can keep the
 * server waiting, and the message goes into an empty socket, so it always fits.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "link.h"

#define LOCK_TRIES	100
#define LOCK_PAUSE_NS	10000000L

/**
 * struct zp_listener - a name, and who is let in
 * @fd: the socket
 * @rule: who may connect
 * @create: what is made for each; its device is the listener's
 * @device: copy of the path in @create
 * @file: the socket file: its folder and number, to know it again
 * @path: of it; empty for an abstract name
 */
struct zp_listener {
	int fd;
	struct zp_peer_rule rule;
	struct zp_create_opts create;
	char *device;
	struct {
		dev_t dev;
		ino_t ino;
	} file;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* The folder of a path, locked: an fd, which unlocks it when it is closed. */
static int lock_folder(const char *path)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	char folder[sizeof(((struct zp_listener *)NULL)->path)] = ".";
	const char *slash = strrchr(path, '/');
	int fd, i;

	if (slash) {
		/* of "/name" the slash itself */
		size_t n = slash == path ? 1 : (size_t)(slash - path);

		memcpy(folder, path, n);
		folder[n] = '\0';
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return fd;
		if (errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
	}
	i = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return i;
}

/* Is it the socket file of somebody who is gone? The folder is locked. */
static bool is_stale(const struct zp_address *at)
{
	struct stat st;
	bool refused;
	int fd;

	/* of other files it is said as well that they refuse */
	if (lstat(at->un.sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)&at->un, at->len) && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* The socket's file, with the wanted permissions before anybody can connect. */
static int bind_file(struct zp_listener *l, const struct zp_address *at, mode_t mode)
{
	const struct sockaddr *name = (const struct sockaddr *)&at->un;
	struct stat st;
	int ret;

	/* the file is born with these, less what umask takes away */
	if (fchmod(l->fd, mode))
		return -errno;
	ret = bind(l->fd, name, at->len) ? -errno : 0;
	if (ret == -EADDRINUSE && is_stale(at)) {
		if (unlink(at->un.sun_path))
			return -errno;
		ret = bind(l->fd, name, at->len) ? -errno : 0;
	}
	if (ret)
		return ret;
	memcpy(l->path, at->un.sun_path, sizeof(l->path));
	if (lstat(l->path, &st))
		return -errno;
	l->file.dev = st.st_dev;
	l->file.ino = st.st_ino;
	if ((st.st_mode & 07777) != mode && fchmodat(AT_FDCWD, l->path, mode, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return 0;
}

static int start(struct zp_listener *l, const struct zp_address *at, const struct zp_listen_opts *o)
{
	int backlog = o->backlog ? o->backlog : SOMAXCONN, folder, ret;

	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	if (at->abstract) {
		if (bind(l->fd, (const struct sockaddr *)&at->un, at->len))
			return -errno;
		return listen(l->fd, backlog) ? -errno : 0;
	}
	/* between bind and listen it looks like a stale one */
	folder = lock_folder(at->un.sun_path);
	if (folder < 0)
		return folder;
	ret = bind_file(l, at, o->mode ? o->mode : 0600);
	if (!ret && listen(l->fd, backlog))
		ret = -errno;
	close(folder);
	return ret;
}

/* What the caller may not keep for as long as the listener lives is copied. */
static int keep_opts(struct zp_listener *l, const struct zp_listen_opts *o)
{
	int ret = zp_opts_get(&l->create, sizeof(l->create), o->create);

	if (ret)
		return ret;
	l->create.sz = sizeof(l->create);
	if (l->create.device) {
		l->device = strdup(l->create.device);
		if (!l->device)
			return -ENOMEM;
		l->create.device = l->device;
	}
	return 0;
}

int zp_listen(const char *path, const struct zp_listen_opts *opts, struct zp_listener **listener)
{
	struct zp_listen_opts o;
	struct zp_listener *l;
	struct zp_address at;
	int ret;

	ret = zp_opts_get(&o, sizeof(o), opts);
	if (!ret)
		ret = zp_address_of(&at, path);
	if (ret)
		return ret;
	if (o.mode & ~0777U || (o.mode && at.abstract) || o.backlog < 0)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->fd = -1;
	ret = zp_rule_of(&l->rule, &o.peer, at.abstract);
	if (!ret)
		ret = keep_opts(l, &o);
	if (!ret)
		ret = start(l, &at, &o);
	if (ret)
		zp_listener_close(l);
	else
		*listener = l;
	return ret;
}

int zp_listener_fd(const struct zp_listener *l)
{
	return l->fd;
}

void zp_listener_close(struct zp_listener *l)
{
	struct stat st;
	int saved = errno;

	if (!l)
		return;
	if (l->path[0] && !lstat(l->path, &st) && st.st_dev == l->file.dev &&
	    st.st_ino == l->file.ino)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	free(l->device);
	free(l);
	errno = saved;
}

/* Two descriptors, or why there are none. */
static int answer(int sock, int error, const int *fds)
{
	struct zp_answer message = { .magic = ZP_ANSWER_MAGIC, .error = error };
	int ret = zp_fds_send(sock, &message, sizeof(message), fds, fds ? 2 : 0);

	return ret == -EPIPE || ret == -ECONNRESET ? -ECONNABORTED : ret;
}

/* A connection: let it in, or say why not. */
static int greet(const struct zp_listener *l, int sock, int fds[2], struct zp_peer *peer)
{
	int ours[2], theirs[2], ret;

	ret = zp_peer_of(sock, peer);
	if (!ret)
		ret = zp_rule_check(&l->rule, sock, peer);
	if (!ret)
		ret = zp_pair(&l->create, ours, theirs);
	if (ret) {
		/* whether it hears of it is its own affair */
		answer(sock, -ret, NULL);
		return ret;
	}
	ret = answer(sock, 0, theirs);
	close(theirs[0]);
	close(theirs[1]);
	if (ret) {
		close(ours[0]);
		close(ours[1]);
		return ret;
	}
	fds[0] = ours[0];
	fds[1] = ours[1];
	return 0;
}

/* Nobody will be there any more, other than those who already wait; it stays readable. */
static bool is_shut_down(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP);
}

int zp_accept(struct zp_listener *l, unsigned int flags, uint64_t deadline, int fds[2],
	      struct zp_peer *peer)
{
	struct zp_peer who = { 0 };
	bool last = false;
	int sock, ret;

	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	for (;;) {
		sock = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (sock >= 0)
			break;
		if (errno != EAGAIN)
			return -errno;
		if (last)
			return -ESHUTDOWN;
		/* somebody may have come just before */
		last = is_shut_down(l->fd);
		if (last)
			continue;
		if (flags & ZP_NOWAIT)
			return -EAGAIN;
		ret = zp_await(l->fd, POLLIN, deadline);
		if (ret)
			return ret;
	}
	ret = greet(l, sock, fds, &who);
	close(sock);
	if (peer)
		*peer = who;
	return ret;
}
