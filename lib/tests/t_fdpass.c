// SPDX-License-Identifier: MIT
/*
 * t_fdpass - fds over a Unix socket
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "zpipe.h"

static void passes(void)
{
	int socks[2], fd = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
	EXPECT_EQ(zp_send_fd(socks[0], null), 0);
	ASSERT_EQ(zp_recv_fd(socks[1], &fd), 0);
	EXPECT(fd >= 0 && fd != null);
	EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(S_ISCHR(st.st_mode));
	EXPECT_EQ(zp_send_fd(socks[0], -1), -EBADF);
	close(fd);
	close(null);
	close(socks[0]);
	fd = 77;
	EXPECT_EQ(zp_recv_fd(socks[1], &fd), -ECONNRESET);
	EXPECT_EQ(fd, 77);
	EXPECT_EQ(zp_send_fd(socks[1], 0), -EPIPE);
	close(socks[1]);
	EXPECT_EQ(zp_recv_fd(socks[1], &fd), -EBADF);
}

/* @nr copies of fd 0, or a plain byte */
static void send_many(int sock, int nr)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	memset(&control, 0, sizeof(control));
	if (nr) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE((size_t)nr * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN((size_t)nr * sizeof(int));
	}
	EXPECT_EQ(sendmsg(sock, &msg, 0), 1);
}

static void surplus(void)
{
	int socks[2], fd = 77, before, after, nr;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, socks), 0);
	before = dup(0);
	close(before);
	for (nr = 0; nr <= 8; nr++) {
		if (nr == 1)
			continue;
		send_many(socks[0], nr);
		EXPECT_EQ(zp_recv_fd(socks[1], &fd), -EBADMSG);
		EXPECT_EQ(fd, 77);
	}
	/* none was leaked */
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
	close(socks[0]);
	close(socks[1]);
}

static void deadline(void)
{
	uint64_t now = zp_deadline(0), later = zp_deadline(1000000000);

	EXPECT(now > 0);
	EXPECT(later >= now + 1000000000 && later < now + 60000000000ULL);
	EXPECT_EQ(zp_deadline(UINT64_MAX), INT64_MAX);
	EXPECT_EQ(zp_version(), ZP_VERSION_MAJOR * 10000 + ZP_VERSION_MINOR * 100 +
		  ZP_VERSION_PATCH);
}

static const struct tap_test tests[] = {
	{ "fd.arrives_close_on_exec", passes },
	{ "fd.none_or_too_many_ebadmsg_and_none_leaks", surplus },
	{ "deadline.is_monotonic_and_saturates", deadline },
};

TAP_MAIN(tests)
