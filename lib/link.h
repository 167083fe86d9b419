/* SPDX-License-Identifier: MIT */
/*
 * link - what the two sides of a rendezvous share: names, peers, the message
 */
#ifndef ZPIPE_LINK_H
#define ZPIPE_LINK_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "internal.h"

/* The largest errno there can be. */
#define ZP_MAX_ERRNO	4095

#define ZP_ANSWER_MAGIC	{ 'z', 'p', 'l', '1' }

/**
 * struct zp_answer - what a server says to whoever connects, once
 * @magic: ZP_ANSWER_MAGIC
 * @error: 0, and two descriptors come with it: one to read, one to write; or an errno
 */
struct zp_answer {
	unsigned char magic[4];
	int32_t error;
};

/**
 * struct zp_address - a name
 * @un: for bind(2) and connect(2)
 * @len: of it
 * @abstract: no file
 */
struct zp_address {
	struct sockaddr_un un;
	socklen_t len;
	bool abstract;
};

int zp_address_of(struct zp_address *at, const char *path);
int zp_rule_of(struct zp_peer_rule *rule, const struct zp_peer_rule *wanted, bool abstract);
int zp_rule_check(const struct zp_peer_rule *rule, int sock, const struct zp_peer *peer);
int zp_peer_of(int sock, struct zp_peer *peer);

#endif /* ZPIPE_LINK_H */
