// SPDX-License-Identifier: MIT
/*
 * t_listen - names, who may come in, and peers that send nonsense
 *
 * Where a real pair of pipes is needed see vm_listen.c: the fake kernel has one pipe,
 * and no device to make others with.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ends.h"
#include "link.h"
#include "tap.h"

static const struct fake_opts plain = { .policy = FAKE_RING };

/* A folder of its own for each test. */
static char folder[64], path[96];

static void enter(void)
{
	snprintf(folder, sizeof(folder), "/tmp/t_listen.XXXXXX");
	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof(path), "%s/socket", folder);
}

static void leave(void)
{
	/* nothing is left behind */
	EXPECT_EQ(rmdir(folder), 0);
}

static struct zp_listen_opts listen_opts(void)
{
	return (struct zp_listen_opts){ .sz = sizeof(struct zp_listen_opts) };
}

static mode_t mode_of(const char *file)
{
	struct stat st;

	return lstat(file, &st) ? 0 : st.st_mode;
}

static void names(void)
{
	struct zp_listen_opts opts = listen_opts();
	struct zp_listener *l, *other = NULL;
	mode_t old;
	int fd;

	enter();
	old = umask(0777);
	ASSERT_EQ(zp_listen(path, NULL, &l), 0);
	EXPECT_EQ(mode_of(path), S_IFSOCK | 0600);
	EXPECT(fcntl(zp_listener_fd(l), F_GETFD) & FD_CLOEXEC);
	/* one at a time, and the first is not disturbed */
	EXPECT_EQ(zp_listen(path, NULL, &other), -EADDRINUSE);
	EXPECT_EQ(mode_of(path), S_IFSOCK | 0600);
	zp_listener_close(l);
	EXPECT_EQ(mode_of(path), 0);
	opts.mode = 0666;
	ASSERT_EQ(zp_listen(path, &opts, &l), 0);
	EXPECT_EQ(mode_of(path), S_IFSOCK | 0666);
	zp_listener_close(l);
	umask(old);
	/* other files are left alone */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	EXPECT_EQ(zp_listen(path, NULL, &other), -EADDRINUSE);
	EXPECT_EQ(mode_of(path) & S_IFMT, S_IFREG);
	close(fd);
	EXPECT_EQ(unlink(path), 0);
	EXPECT_EQ(other, NULL);
	zp_listener_close(NULL);
	leave();
}

static void stale(void)
{
	struct zp_listener *l, *second;
	struct zp_address at;
	char moved[128];
	int fd;

	enter();
	/* a server that died */
	ASSERT_EQ(zp_address_of(&at, path), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)&at.un, at.len), 0);
	ASSERT_EQ(listen(fd, 1), 0);
	EXPECT_EQ(zp_listen(path, NULL, &l), -EADDRINUSE);
	close(fd);
	ASSERT_EQ(zp_listen(path, NULL, &l), 0);
	/* the file is somebody else's by the time it closes */
	snprintf(moved, sizeof(moved), "%s.moved", path);
	ASSERT_EQ(rename(path, moved), 0);
	ASSERT_EQ(zp_listen(path, NULL, &second), 0);
	zp_listener_close(l);
	EXPECT_EQ(mode_of(path) & S_IFMT, S_IFSOCK);
	zp_listener_close(second);
	EXPECT_EQ(unlink(moved), 0);
	/* somebody who does not let go of the folder */
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	ASSERT_EQ(flock(fd, LOCK_EX), 0);
	EXPECT_EQ(zp_listen(path, NULL, &l), -EBUSY);
	EXPECT_EQ(mode_of(path), 0);
	close(fd);
	leave();
}

#define STARTERS	8

static void *start_one(void *arg)
{
	struct zp_listener **l = arg;

	if (zp_listen(path, NULL, l))
		*l = NULL;
	return NULL;
}

/* Many find the same stale file: one gets the name, and keeps it. */
static void race(void)
{
	int round;

	enter();
	for (round = 0; round < 10; round++) {
		struct zp_listener *l[STARTERS] = { NULL };
		struct zp_address at;
		pthread_t threads[STARTERS];
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), i, nr = 0, sock = -1;

		ASSERT_EQ(zp_address_of(&at, path), 0);
		ASSERT_EQ(bind(fd, (struct sockaddr *)&at.un, at.len), 0);
		close(fd);
		for (i = 0; i < STARTERS; i++)
			pthread_create(&threads[i], NULL, start_one, &l[i]);
		for (i = 0; i < STARTERS; i++)
			pthread_join(threads[i], NULL);
		for (i = 0; i < STARTERS; i++)
			nr += !!l[i];
		EXPECT_EQ(nr, 1);
		EXPECT_EQ(zp_connect_start(path, NULL, &sock), 0);
		close(sock);
		for (i = 0; i < STARTERS; i++)
			zp_listener_close(l[i]);
	}
	leave();
}

static void bad_arguments(void)
{
	struct zp_connect_opts connect = { .sz = sizeof(connect) };
	struct zp_listen_opts opts = listen_opts();
	char longest[200];
	struct zp_listener *l = NULL;
	int fds[2] = { 77, 78 }, before = dup(0), after, sock = 77;

	close(before);
	EXPECT_EQ(zp_listen("", NULL, &l), -EINVAL);
	EXPECT_EQ(zp_listen("@", NULL, &l), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[108] = '\0';
	EXPECT_EQ(zp_listen(longest, NULL, &l), -ENAMETOOLONG);
	EXPECT_EQ(zp_connect(longest, NULL, fds), -ENAMETOOLONG);
	EXPECT_EQ(zp_listen("/no/such/folder/socket", NULL, &l), -ENOENT);
	opts.mode = 01777;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EINVAL);
	opts.mode = 0600;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EINVAL);
	opts.mode = 0;
	opts.backlog = -1;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EINVAL);
	opts.backlog = 0;
	opts.peer.flags = 8;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EOPNOTSUPP);
	opts.peer.flags = ZP_PEER_ANY | ZP_PEER_UID;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EINVAL);
	opts.sz = 3;
	EXPECT_EQ(zp_listen("@x", &opts, &l), -EINVAL);
	EXPECT_EQ(l, NULL);

	EXPECT_EQ(zp_connect("", NULL, fds), -EINVAL);
	EXPECT_EQ(zp_connect("@t_listen nobody", NULL, fds), -ECONNREFUSED);
	EXPECT_EQ(zp_connect("/no/such/socket", NULL, fds), -ENOENT);
	connect.flags = 2;
	EXPECT_EQ(zp_connect("@x", &connect, fds), -EOPNOTSUPP);
	EXPECT_EQ(zp_connect_start("@x", &connect, &sock), -EOPNOTSUPP);
	EXPECT_EQ(zp_connect_finish(-1, &connect, fds), -EOPNOTSUPP);
	connect.flags = 0;
	connect.reserved = 1;
	EXPECT_EQ(zp_connect("@x", &connect, fds), -EOPNOTSUPP);
	EXPECT_EQ(zp_connect_finish(-1, NULL, fds), -EBADF);
	EXPECT_EQ(fds[0], 77);
	EXPECT_EQ(sock, 77);
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
}

static int refuse(void *arg, const struct zp_peer *peer)
{
	EXPECT_EQ(peer->pid, getpid());
	EXPECT_EQ(peer->uid, geteuid());
	return *(int *)arg;
}

/* A listener, somebody who connects, and what both are told. */
static void meet(const struct zp_listen_opts *opts, const struct zp_connect_opts *wanted,
		 int server_says, int client_says)
{
	struct zp_listener *l;
	struct zp_peer peer = { 0 };
	int sock = -1, fds[2], ret;

	ASSERT_EQ(zp_listen("@t_listen", opts, &l), 0);
	ret = zp_connect_start("@t_listen", wanted, &sock);
	if (ret) {
		EXPECT_EQ(ret, client_says);
	} else {
		EXPECT_EQ(zp_connect_finish(sock, wanted, fds), -EAGAIN);
		EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, &peer), server_says);
		EXPECT_EQ(peer.pid, getpid());
		EXPECT_EQ(zp_connect_finish(sock, wanted, fds), client_says);
		/* it is over */
		EXPECT_EQ(zp_connect_finish(sock, wanted, fds), -ECONNRESET);
		close(sock);
	}
	zp_listener_close(l);
}

static void rules(void)
{
	struct zp_create_opts create = { .sz = sizeof(create), .device = "/no/device" };
	struct zp_listen_opts opts = listen_opts();
	struct zp_connect_opts wanted = { .sz = sizeof(wanted) };
	int answer = -EPERM;

	/* who is let in learns that there is no device to make pipes with */
	opts.create = &create;
	meet(&opts, NULL, -ENOENT, -ENOENT);
	opts.peer = (struct zp_peer_rule){ .flags = ZP_PEER_UID, .uid = geteuid() + 1 };
	meet(&opts, NULL, -EACCES, -EACCES);
	opts.peer = (struct zp_peer_rule){ .flags = ZP_PEER_UID | ZP_PEER_GID, .uid = geteuid(),
					   .gid = getegid() };
	meet(&opts, NULL, -ENOENT, -ENOENT);
	opts.peer.gid = 0x7ffffff0;
	meet(&opts, NULL, -EACCES, -EACCES);
	opts.peer = (struct zp_peer_rule){ .check = refuse, .arg = &answer };
	meet(&opts, NULL, -EPERM, -EPERM);
	/* no errno to be had from these */
	answer = -70000;
	meet(&opts, NULL, -EACCES, -EACCES);
	answer = 1;
	meet(&opts, NULL, -ENOENT, -ENOENT);
	/* the server is not who it should be: nothing was asked of it */
	opts.peer = (struct zp_peer_rule){ .flags = ZP_PEER_ANY };
	wanted.peer = (struct zp_peer_rule){ .flags = ZP_PEER_UID, .uid = geteuid() + 1 };
	meet(&opts, &wanted, 0, -EACCES);
}

static void waiting(void)
{
	struct zp_connect_opts soon = { .sz = sizeof(soon) };
	struct zp_listen_opts opts = listen_opts();
	struct zp_listener *l;
	int fds[2], socks[4], nr = 0;

	opts.backlog = 1;
	ASSERT_EQ(zp_listen("@t_listen", &opts, &l), 0);
	EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), -EAGAIN);
	EXPECT_EQ(zp_accept(l, 2, 0, fds, NULL), -EOPNOTSUPP);
	EXPECT_EQ(zp_accept(l, 0, zp_deadline(20000000), fds, NULL), -ETIMEDOUT);
	EXPECT_EQ(zp_accept(l, 0, 1, fds, NULL), -ETIMEDOUT);
	/* nobody answers */
	soon.deadline = zp_deadline(20000000);
	EXPECT_EQ(zp_connect("@t_listen", &soon, fds), -ETIMEDOUT);
	soon.deadline = 1;
	EXPECT_EQ(zp_connect("@t_listen", &soon, fds), -ETIMEDOUT);
	/* nor is there room to wait in */
	while (nr < 4 && !zp_connect_start("@t_listen", NULL, &socks[nr]))
		nr++;
	EXPECT(nr < 4);
	EXPECT_EQ(zp_connect_start("@t_listen", NULL, &socks[3]), -EAGAIN);
	soon.deadline = zp_deadline(20000000);
	EXPECT_EQ(zp_connect("@t_listen", &soon, fds), -ETIMEDOUT);
	while (nr--)
		close(socks[nr]);
	/* the listener goes while somebody waits */
	while (zp_accept(l, ZP_NOWAIT, 0, fds, NULL) != -EAGAIN)
		;
	ASSERT_EQ(zp_connect_start("@t_listen", NULL, &socks[0]), 0);
	zp_listener_close(l);
	EXPECT_EQ(zp_connect_finish(socks[0], NULL, fds), -ECONNRESET);
	close(socks[0]);
}

static void *shut_down(void *arg)
{
	/* the other thread waits by then, or it does not: it makes no difference */
	usleep(50000);
	shutdown(zp_listener_fd(arg), SHUT_RDWR);
	return NULL;
}

/* A socket that is shut down is readable for ever, and there is nobody to accept. */
static void shutdowns(void)
{
	static const int how[] = { SHUT_RDWR, SHUT_RD };
	struct zp_create_opts create = { .sz = sizeof(create), .device = "/no/device" };
	struct zp_listen_opts opts = listen_opts();
	struct zp_listener *l;
	pthread_t thread;
	int fds[2], sock;
	size_t i;

	opts.create = &create;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(zp_listen("@t_listen", &opts, &l), 0);
		ASSERT_EQ(zp_connect_start("@t_listen", NULL, &sock), 0);
		EXPECT_EQ(shutdown(zp_listener_fd(l), how[i]), 0);
		/* who came before is not forgotten */
		EXPECT_EQ(zp_accept(l, 0, 0, fds, NULL), -ENOENT);
		close(sock);
		alarm(20);
		EXPECT_EQ(zp_accept(l, 0, 0, fds, NULL), -ESHUTDOWN);
		EXPECT_EQ(zp_accept(l, 0, zp_deadline(1000000000), fds, NULL), -ESHUTDOWN);
		EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), -ESHUTDOWN);
		alarm(0);
		EXPECT_EQ(zp_connect_start("@t_listen", NULL, &sock), -ECONNREFUSED);
		zp_listener_close(l);
	}
	/* in the other direction there is nothing to shut */
	ASSERT_EQ(zp_listen("@t_listen", NULL, &l), 0);
	shutdown(zp_listener_fd(l), SHUT_WR);
	EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), -EAGAIN);
	alarm(20);
	pthread_create(&thread, NULL, shut_down, l);
	EXPECT_EQ(zp_accept(l, 0, 0, fds, NULL), -ESHUTDOWN);
	pthread_join(thread, NULL);
	alarm(0);
	zp_listener_close(l);
}

/* What a server may say that is no server of ours. */
static int lie(size_t len, const struct zp_answer *message, const int *fds, unsigned int nr)
{
	int pair[2], got[2] = { 77, 78 }, before = dup(0), after, ret;

	close(before);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		abort();
	EXPECT_EQ(zp_fds_send(pair[0], message, len, fds, nr), 0);
	close(pair[0]);
	ret = zp_connect_finish(pair[1], NULL, got);
	close(pair[1]);
	EXPECT_EQ(got[0], 77);
	/* whatever came is closed */
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
	return ret;
}

static void lies(void)
{
	struct zp_answer good = { .magic = ZP_ANSWER_MAGIC }, bad = good;
	struct ends e = ends_open(plain);
	unsigned char large[64] = "zpl1";
	int fds[4] = { e.rfd, e.wfd, e.rfd, e.wfd }, error;
	size_t len;

	/* received, they are other numbers, which the fake kernel does not know */
	EXPECT_EQ(lie(sizeof(good), &good, fds, 2), -EPROTO);
	EXPECT_EQ(lie(sizeof(good), &good, fds, 1), -EPROTO);
	EXPECT_EQ(lie(sizeof(good), &good, fds, 0), -EPROTO);
	EXPECT_EQ(lie(sizeof(good), &good, fds, 3), -EPROTO);
	EXPECT_EQ(lie(sizeof(good), &good, fds, 4), -EPROTO);
	for (len = 1; len < sizeof(good); len++) {
		EXPECT_EQ(lie(len, &good, fds, 2), -EPROTO);
		EXPECT_EQ(lie(len, &good, NULL, 0), -EPROTO);
	}
	EXPECT_EQ(lie(sizeof(large), (const void *)large, fds, 2), -EPROTO);
	bad.magic[3] = '2';
	EXPECT_EQ(lie(sizeof(bad), &bad, fds, 2), -EPROTO);
	bad = good;
	bad.error = EDQUOT;
	EXPECT_EQ(lie(sizeof(bad), &bad, NULL, 0), -EDQUOT);
	EXPECT_EQ(lie(sizeof(bad), &bad, fds, 2), -EPROTO);
	for (error = -3; error < 5000; error++) {
		bad.error = error == -3 ? INT32_MIN : error;
		if (error > 0 && error <= 4095 && error != EAGAIN && error != EINTR)
			EXPECT_EQ(lie(sizeof(bad), &bad, NULL, 0), -error);
		else
			EXPECT_EQ(lie(sizeof(bad), &bad, NULL, 0), -EPROTO);
	}
	ends_close(&e);
}

/* Clients that send, leave at once, or connect without end: the server goes on. */
static void rude_clients(void)
{
	struct zp_create_opts create = { .sz = sizeof(create), .device = "/no/device" };
	struct zp_listen_opts opts = listen_opts();
	struct zp_listener *l;
	int fds[2], i, sock, ret;
	char junk[5000] = "";

	opts.create = &create;
	ASSERT_EQ(zp_listen("@t_listen", &opts, &l), 0);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(zp_connect_start("@t_listen", NULL, &sock), 0);
		if (i % 2)
			EXPECT_EQ(send(sock, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
		if (i % 3)
			shutdown(sock, i % 3 == 1 ? SHUT_RD : SHUT_RDWR);
		if (i % 5)
			close(sock);
		ret = zp_accept(l, ZP_NOWAIT, 0, fds, NULL);
		EXPECT_EQ(ret, -ENOENT);
		if (i % 5 == 0)
			close(sock);
	}
	EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), -EAGAIN);
	zp_listener_close(l);
}

static const struct tap_test tests[] = {
	{ "listen.permissions_and_what_is_in_the_way", names },
	{ "listen.stale_sockets_are_replaced", stale },
	{ "listen.of_many_one_gets_the_name", race },
	{ "listen.bad_arguments_change_nothing", bad_arguments },
	{ "accept.rules_say_who_may", rules },
	{ "accept.deadlines_and_nonblocking", waiting },
	{ "accept.ends_when_the_socket_is_shut_down", shutdowns },
	{ "accept.rude_clients_do_not_stop_it", rude_clients },
	{ "connect.servers_that_lie_are_found_out", lies },
};

TAP_MAIN(tests)
