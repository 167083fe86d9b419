// SPDX-License-Identifier: MIT
/*
 * link - what the two sides of a rendezvous share: names and peers
 *
 * Who the peer is says the kernel, as of its connect(2) or listen(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "link.h"

#define ALL_FLAGS	(ZP_PEER_UID | ZP_PEER_GID | ZP_PEER_ANY)

int zp_address_of(struct zp_address *at, const char *path)
{
	size_t len = strlen(path);

	*at = (struct zp_address){ .un.sun_family = AF_UNIX, .abstract = path[0] == '@' };
	/* of these the kernel would make up a name */
	if (len <= at->abstract)
		return -EINVAL;
	if (len >= sizeof(at->un.sun_path))
		return -ENAMETOOLONG;
	memcpy(at->un.sun_path, path, len);
	if (at->abstract)
		at->un.sun_path[0] = '\0';
	/* an abstract name has no NUL at its end, it has this length */
	at->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !at->abstract);
	return 0;
}

int zp_rule_of(struct zp_peer_rule *rule, const struct zp_peer_rule *wanted, bool abstract)
{
	*rule = *wanted;
	if (rule->flags & ~(uint32_t)ALL_FLAGS)
		return -EOPNOTSUPP;
	if (rule->flags & ZP_PEER_ANY && rule->flags != ZP_PEER_ANY)
		return -EINVAL;
	/* nobody has given a permission: then it is what a file of mode 0600 gives */
	if (abstract && !rule->flags && !rule->check) {
		rule->flags = ZP_PEER_UID;
		rule->uid = geteuid();
	}
	return 0;
}

int zp_peer_of(int sock, struct zp_peer *peer)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -errno;
	*peer = (struct zp_peer){ .pid = who.pid, .uid = who.uid, .gid = who.gid };
	return 0;
}

/* Is the peer in the group, by its other memberships? */
static int in_groups(int sock, gid_t gid)
{
	gid_t few[64], *groups = few;
	socklen_t len = sizeof(few), i;
	int ret = 0;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, few, &len)) {
		/* the length that it takes is told */
		if (errno != ERANGE)
			return -errno;
		groups = malloc(len);
		if (!groups)
			return -ENOMEM;
		if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
			free(groups);
			return -EACCES;
		}
	}
	for (i = 0; i < len / sizeof(*groups) && !ret; i++)
		ret = groups[i] == gid;
	if (groups != few)
		free(groups);
	return ret;
}

int zp_rule_check(const struct zp_peer_rule *rule, int sock, const struct zp_peer *peer)
{
	int ret;

	if (rule->flags & ZP_PEER_UID && peer->uid != rule->uid)
		return -EACCES;
	if (rule->flags & ZP_PEER_GID && peer->gid != rule->gid) {
		ret = in_groups(sock, rule->gid);
		if (ret <= 0)
			return ret ? ret : -EACCES;
	}
	if (!rule->check)
		return 0;
	ret = rule->check(rule->arg, peer);
	/* what is no errno cannot be told to anybody */
	return ret < -ZP_MAX_ERRNO ? -EACCES : ZP_MIN(ret, 0);
}
