// SPDX-License-Identifier: MIT
/*
 * connect - rendezvous by name: the side that finds
 *
 * What arrives may come from anybody who has got hold of the name: the message is
 * measured, and the descriptors are asked what they are, before the caller sees them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "link.h"

/* A timeout that some machines cannot express: for ever. */
#define FOR_EVER_US	1000000000000ULL

static int get_opts(struct zp_connect_opts *o, const struct zp_connect_opts *opts)
{
	int ret = zp_opts_get(o, sizeof(*o), opts);

	if (ret)
		return ret;
	if (o->flags & ~(uint32_t)ZP_CONNECT_GUARDED || o->reserved)
		return -EOPNOTSUPP;
	return 0;
}

/* A full backlog is waited for in connect(2), which knows only this kind of timeout. */
static int limit(int sock, uint64_t deadline)
{
	uint64_t now = zp_deadline(0), us;
	struct timeval left;

	if (!deadline)
		return 0;
	if (now >= deadline)
		return -ETIMEDOUT;
	us = (deadline - now + 999) / 1000;
	if (us > FOR_EVER_US)
		return 0;
	left.tv_sec = (time_t)(us / 1000000);
	left.tv_usec = (suseconds_t)(us % 1000000);
	return setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) ? -errno : 0;
}

/* A connected socket, whose peer may be one; it is non-blocking from here on. */
static int connect_to(const char *path, const struct zp_connect_opts *o, bool wait)
{
	struct zp_peer_rule rule;
	struct zp_address at;
	struct zp_peer peer;
	int sock, ret;

	ret = zp_address_of(&at, path);
	if (!ret)
		ret = zp_rule_of(&rule, &o->peer, at.abstract);
	if (ret)
		return ret;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
	if (sock < 0)
		return -errno;
	if (wait)
		ret = limit(sock, o->deadline);
	if (!ret && connect(sock, (const struct sockaddr *)&at.un, at.len))
		ret = errno == EAGAIN && wait ? -ETIMEDOUT : -errno;
	if (!ret && wait && fcntl(sock, F_SETFL, O_NONBLOCK))
		ret = -errno;
	if (!ret)
		ret = zp_peer_of(sock, &peer);
	if (!ret)
		ret = zp_rule_check(&rule, sock, &peer);
	if (!ret)
		return sock;
	close(sock);
	return ret;
}

/* Two ends of two pipes, of the wanted kind? */
static bool is_side(const int fds[2], uint32_t flags)
{
	static const uint32_t roles[2] = { ZPIPE_ROLE_READER, ZPIPE_ROLE_WRITER };
	struct zpipe_info_args info[2];
	int i;

	for (i = 0; i < 2; i++) {
		if (zp_map_info(fds[i], &info[i]) || info[i].out_role != roles[i] ||
		    info[i].out_flags & ZPIPE_F_POSTED)
			return false;
		if (flags & ZP_CONNECT_GUARDED && !(info[i].out_flags & ZPIPE_F_GUARDED))
			return false;
	}
	return info[0].out_id != info[1].out_id;
}

static int receive(int sock, const struct zp_connect_opts *o, int fds[2])
{
	static const unsigned char magic[4] = ZP_ANSWER_MAGIC;
	struct zp_answer message = { .error = 0 };
	size_t len = sizeof(message);
	unsigned int nr = 2, i;
	int got[2], ret;

	ret = zp_fds_recv(sock, &message, &len, got, &nr);
	if (ret)
		return ret == -EBADMSG ? -EPROTO : ret;
	if (!len && !nr)
		return -ECONNRESET;
	ret = -EPROTO;
	if (len == sizeof(message) && !memcmp(message.magic, magic, sizeof(magic))) {
		if (!message.error && nr == 2 && is_side(got, o->flags)) {
			fds[0] = got[0];
			fds[1] = got[1];
			return 0;
		}
		if (message.error > 0 && message.error <= ZP_MAX_ERRNO && !nr)
			ret = -message.error;
	}
	for (i = 0; i < nr; i++)
		close(got[i]);
	/* these would say that it is not over */
	return ret == -EAGAIN || ret == -EINTR ? -EPROTO : ret;
}

int zp_connect_start(const char *path, const struct zp_connect_opts *opts, int *sock)
{
	struct zp_connect_opts o;
	int ret;

	ret = get_opts(&o, opts);
	if (!ret)
		ret = connect_to(path, &o, false);
	if (ret < 0)
		return ret;
	*sock = ret;
	return 0;
}

int zp_connect_finish(int sock, const struct zp_connect_opts *opts, int fds[2])
{
	struct zp_connect_opts o;
	int ret = get_opts(&o, opts);

	return ret ? ret : receive(sock, &o, fds);
}

int zp_connect(const char *path, const struct zp_connect_opts *opts, int fds[2])
{
	struct zp_connect_opts o;
	int sock, ret;

	ret = get_opts(&o, opts);
	if (ret)
		return ret;
	sock = connect_to(path, &o, true);
	if (sock < 0)
		return sock;
	do {
		ret = zp_await(sock, POLLIN, o.deadline);
		if (!ret)
			ret = receive(sock, &o, fds);
	} while (ret == -EAGAIN);
	close(sock);
	return ret;
}
