// SPDX-License-Identifier: MIT
/*
 * fdpass - handing an end to another process
 *
 * One fd per message, with one byte to carry it. What arrives is only an fd:
 * whether it is an end of a pipe is found out by the function that opens it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

/* Room for more than one, so that surplus fds can be closed instead of lost. */
#define MAX_FDS	4

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
};

int zp_send_fd(int sock, int fd)
{
	char byte = 'z';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control = { .bytes = { 0 } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int)),
	};
	struct cmsghdr *cmsg;

	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));

	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int zp_recv_fd(int sock, int *fd)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	unsigned int nr = 0;
	int found = -1;
	ssize_t n;

	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		size_t i, count;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			if (found >= 0)
				close(found);
			memcpy(&found, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			nr++;
		}
	}
	if (nr == 1 && !(msg.msg_flags & MSG_CTRUNC)) {
		*fd = found;
		return 0;
	}
	if (found >= 0)
		close(found);
	return n == 0 ? -ECONNRESET : -EBADMSG;
}
