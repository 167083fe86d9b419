// SPDX-License-Identifier: MIT
/*
 * fdpass - handing an end to another process
 *
 * In messages that have bytes to carry them: one fd and one byte for everybody, more
 * for rendezvous.c. What arrives is only an fd: whether it is an end of a pipe is
 * found out by the function that opens it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

/* Room for more than any message of ours has: surplus ones are closed instead of lost. */
#define MAX_FDS	4

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
};

/* One message, or nothing. */
int zp_fds_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	union control control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;

	if (nr) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		if (!cmsg)
			return -EINVAL;
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

/*
 * One message of at most @len bytes and @nr descriptors, both of which are what it
 * had afterwards. More of either is -EBADMSG, and none of the descriptors is open.
 */
int zp_fds_recv(int sock, void *data, size_t *len, int *fds, unsigned int *nr)
{
	struct iovec iov = { .iov_base = data, .iov_len = *len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int got[2 * MAX_FDS];
	struct cmsghdr *cmsg;
	unsigned int found = 0, i;
	ssize_t n;

	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		/* as much as the room for them holds, which is less than this */
		count = ZP_MIN(count, 2 * MAX_FDS - found);
		memcpy(got + found, CMSG_DATA(cmsg), count * sizeof(int));
		found += (unsigned int)count;
	}
	if (found > *nr || msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
		for (i = 0; i < found; i++)
			close(got[i]);
		return -EBADMSG;
	}
	memcpy(fds, got, found * sizeof(int));
	*nr = found;
	*len = (size_t)n;
	return 0;
}

int zp_send_fd(int sock, int fd)
{
	const char byte = 'z';

	return zp_fds_send(sock, &byte, 1, &fd, 1);
}

int zp_recv_fd(int sock, int *fd)
{
	unsigned int nr = 1;
	size_t len = 1;
	char byte;
	int found = -1, ret;

	ret = zp_fds_recv(sock, &byte, &len, &found, &nr);
	if (ret)
		return ret;
	if (nr == 1) {
		*fd = found;
		return 0;
	}
	return len ? -EBADMSG : -ECONNRESET;
}
