// SPDX-License-Identifier: MIT
/*
 * vm_listen - pairs of real pipes, found by name, and commands to talk with
 */
#include <signal.h>
#include <sys/socket.h>

#include "../link.h"
#include "vm.h"

#define NAME	"@vm_listen"

static struct zp_view view;

/* Send @n bytes and take back as many, both ways at once, in parts. */
static int talk(struct zp_duplex *d, size_t n)
{
	uint64_t sent = 0, got = 0;

	while (got < n || sent < n) {
		while (sent < n && sent < got + 3000 && !put(d->writer, 100))
			sent += 100;
		/* the other side may have all it wants by now */
		if (zp_flush(d->writer) < 0)
			return 1;
		if (got == n)
			continue;
		if (zp_read(d->reader, &view) || !view_good(&view))
			return 2;
		got += zp_view_len(&view);
		if (zp_consume_all(d->reader))
			return 3;
	}
	return got == n ? 0 : 4;
}

static void both_ways(void)
{
	int a[2], b[2] = { -1, -1 };
	struct zp_duplex d;
	pid_t pid;

	alarm(60);
	ASSERT_EQ(zp_pair(NULL, a, b), 0);
	pid = fork();
	if (!pid) {
		close(a[0]);
		close(a[1]);
		if (zp_duplex_open(&d, b, NULL))
			_exit(10);
		_exit(talk(&d, 100000) ? 11 : -zp_duplex_complete(&d, 0));
	}
	close(b[0]);
	close(b[1]);
	ASSERT_EQ(zp_duplex_open(&d, a, NULL), 0);
	EXPECT_EQ(talk(&d, 100000), 0);
	EXPECT_EQ(join(pid), 0);
	EXPECT_EQ(zp_read(d.reader, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	zp_duplex_close(&d);
	EXPECT(!d.reader && !d.writer);
	zp_duplex_close(&d);
	alarm(0);
}

static void opened_or_not(void)
{
	const struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct zp_create_opts wrong = { .sz = sizeof(wrong), .segment_size = 3 };
	int a[2] = { -1, -1 }, b[2] = { -1, -1 }, swapped[2], none[2] = { 77, 78 };
	int before = dup(0), after;
	struct zp_duplex d = { 0 };

	close(before);
	EXPECT_EQ(zp_pair(&wrong, none, none), -EINVAL);
	EXPECT_EQ(none[0], 77);
	ASSERT_EQ(zp_pair(NULL, a, b), 0);
	swapped[0] = a[1];
	swapped[1] = a[0];
	EXPECT_EQ(zp_duplex_open(&d, swapped, NULL), -EBADF);
	swapped[1] = a[1];
	/* the writer was fine, but its fd is still the caller's */
	EXPECT_EQ(zp_duplex_open(&d, swapped, NULL), -EBADF);
	EXPECT(!d.reader && !d.writer);
	ASSERT_EQ(zp_duplex_open(&d, a, &keep), 0);
	zp_duplex_close(&d);
	ASSERT_EQ(zp_duplex_open(&d, a, NULL), 0);
	/* an abort goes both ways */
	EXPECT_EQ(zp_duplex_complete(&d, ENOTUNIQ), 0);
	zp_duplex_close(&d);
	ASSERT_EQ(zp_duplex_open(&d, b, NULL), 0);
	EXPECT_EQ(zp_read(d.reader, &view), -ENOTUNIQ);
	EXPECT_EQ(zp_write_flush(d.writer, "x", 1, NULL), -ENOTUNIQ);
	zp_duplex_close(&d);
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
}

static void found_by_name(void)
{
	const char *names[] = { NAME, "vm_listen.sock" };
	const struct zp_create_opts guarded = { .sz = sizeof(guarded), .flags = ZP_GUARDED };
	const struct zp_connect_opts insist = { .sz = sizeof(insist), .flags = ZP_CONNECT_GUARDED };
	size_t i, k;

	alarm(120);
	for (i = 0; i < 4; i++) {
		struct zp_listen_opts opts = { .sz = sizeof(opts) };
		const char *name = names[i % 2];
		struct zp_listener *l;
		struct zp_peer peer;
		pid_t pids[5];
		int fds[2], status;

		if (i >= 2)
			opts.create = &guarded;
		ASSERT_EQ(zp_listen(name, &opts, &l), 0);
		for (k = 0; k < 5; k++) {
			pids[k] = fork();
			if (!pids[k]) {
				struct zp_duplex d;

				if (zp_connect(name, i >= 2 ? &insist : NULL, fds) ||
				    zp_duplex_open(&d, fds, NULL))
					_exit(20);
				_exit(talk(&d, 20000) ? 21 : -zp_duplex_complete(&d, 0));
			}
		}
		for (k = 0; k < 5; k++) {
			struct zp_duplex d;

			ASSERT_EQ(zp_accept(l, 0, 0, fds, &peer), 0);
			EXPECT_EQ(peer.uid, geteuid());
			ASSERT_EQ(zp_duplex_open(&d, fds, NULL), 0);
			EXPECT_EQ(talk(&d, 20000), 0);
			EXPECT_EQ(zp_duplex_complete(&d, 0), 0);
			zp_duplex_close(&d);
		}
		for (k = 0; k < 5; k++) {
			EXPECT_EQ(waitpid(pids[k], &status, 0), pids[k]);
			EXPECT_EQ(status, 0);
		}
		zp_listener_close(l);
		EXPECT_EQ(access("vm_listen.sock", F_OK), -1);
	}
	alarm(0);
}

/* What a hostile server has to offer instead of a side of a pair. */
static int offer(const int *fds, unsigned int nr, const struct zp_connect_opts *opts)
{
	const struct zp_answer message = { .magic = ZP_ANSWER_MAGIC };
	int pair[2], got[2] = { 77, 78 }, ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		abort();
	EXPECT_EQ(zp_fds_send(pair[0], &message, sizeof(message), fds, nr), 0);
	ret = zp_connect_finish(pair[1], opts, got);
	if (!ret) {
		close(got[0]);
		close(got[1]);
	} else {
		EXPECT_EQ(got[0], 77);
	}
	close(pair[0]);
	close(pair[1]);
	return ret;
}

static void wrong_descriptors(void)
{
	const struct zp_connect_opts insist = { .sz = sizeof(insist), .flags = ZP_CONNECT_GUARDED };
	struct zp_stream_opts posted = { .sz = sizeof(posted), .memory = 65536 };
	struct zp_create_opts guarded = { .sz = sizeof(guarded), .flags = ZP_GUARDED };
	int a[2] = { -1, -1 }, b[2] = { -1, -1 }, g[2] = { -1, -1 }, h[2] = { -1, -1 };
	int s[2] = { -1, -1 }, pool = -1, file = fileno(tmpfile()), before, after;
	size_t i;

	ASSERT_EQ(zp_pair(NULL, a, b), 0);
	ASSERT_EQ(zp_pair(&guarded, g, h), 0);
	ASSERT_EQ(zp_stream_create(&posted, &s[1], &s[0]), 0);
	ASSERT_EQ(zp_pool_create(NULL, &pool), 0);
	before = dup(0);
	close(before);
	{
		const int wrong[][2] = {
			{ a[1], a[0] }, { a[0], b[0] }, { a[1], b[1] }, { a[0], b[1] },
			{ file, a[1] }, { a[0], file }, { a[0], pool }, { pool, a[1] },
			{ s[0], a[1] }, { a[0], s[1] }, { file, file },
		};

		for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
			EXPECT_EQ(offer(wrong[i], 2, NULL), -EPROTO);
	}
	EXPECT_EQ(offer(a, 1, NULL), -EPROTO);
	EXPECT_EQ(offer(a, 0, NULL), -EPROTO);
	EXPECT_EQ(offer(a, 2, NULL), 0);
	EXPECT_EQ(offer(a, 2, &insist), -EPROTO);
	EXPECT_EQ(offer(g, 2, NULL), 0);
	EXPECT_EQ(offer(g, 2, &insist), 0);
	after = dup(0);
	EXPECT_EQ(after, before);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(g[i]);
		close(h[i]);
		close(s[i]);
	}
	close(pool);
	close(after);
}

/* Clients that are gone before or after they were accepted leave nothing behind. */
static void gone_clients(void)
{
	struct zp_listener *l;
	int before, after, i, fds[2];

	ASSERT_EQ(zp_listen(NAME, NULL, &l), 0);
	before = dup(0);
	close(before);
	for (i = 0; i < 50; i++) {
		struct zp_duplex d;
		int sock = -1;

		ASSERT_EQ(zp_connect_start(NAME, NULL, &sock), 0);
		if (i % 2)
			close(sock);
		if (i % 2) {
			EXPECT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), -ECONNABORTED);
			continue;
		}
		ASSERT_EQ(zp_accept(l, ZP_NOWAIT, 0, fds, NULL), 0);
		/* the answer lies in the socket: with it goes the other side */
		ASSERT_EQ(zp_duplex_open(&d, fds, NULL), 0);
		EXPECT_EQ(zp_try_read(d.reader, &view), -EAGAIN);
		close(sock);
		EXPECT_EQ(zp_write_flush(d.writer, "x", 1, NULL), ZP_COMPLETED);
		EXPECT_EQ(zp_try_read(d.reader, &view), 0);
		EXPECT_EQ(view.flags, ZP_COMPLETED);
		zp_duplex_close(&d);
	}
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
	zp_listener_close(l);
}

static void talk_with_a_command(void)
{
	struct zp_spawn_opts opts = { .sz = sizeof(opts), .command = "sort -rn" };
	struct zp_duplex d = { 0 };
	char said[64] = "";
	pid_t pid = -1;

	alarm(60);
	ASSERT_EQ(zp_duplex_spawn(&d, &opts, NULL, &pid), 0);
	EXPECT_EQ(zp_printf(d.writer, "%d\n%d\n%d\n", 2, 10, 7), 0);
	EXPECT_EQ(zp_writer_complete(d.writer, 0, 0), 0);
	EXPECT_EQ(zp_read_min(d.reader, 7, &view), 0);
	EXPECT_EQ(zp_view_copy(&view, view.start, said, sizeof(said)), 7);
	EXPECT(!strcmp(said, "10\n7\n2\n"));
	EXPECT_EQ(zp_consume_all(d.reader), 0);
	EXPECT_EQ(zp_read(d.reader, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	EXPECT_EQ(join(pid), 0);
	zp_duplex_close(&d);

	opts.command = NULL;
	EXPECT_EQ(zp_duplex_spawn(&d, &opts, NULL, &pid), -EINVAL);
	opts.command = "cat";
	opts.stdin_fd = 5;
	EXPECT_EQ(zp_duplex_spawn(&d, &opts, NULL, &pid), -EINVAL);
	EXPECT(!d.reader && !d.writer);
	alarm(0);
}

static const struct tap_test tests[] = {
	{ "pair.both_ways_at_once", both_ways },
	{ "duplex.all_or_nothing", opened_or_not },
	{ "listen.clients_get_a_pair", found_by_name },
	{ "connect.wrong_descriptors_are_refused", wrong_descriptors },
	{ "accept.clients_that_are_gone", gone_clients },
	{ "duplex.a_conversation_with_a_command", talk_with_a_command },
};

VM_MAIN(tests)
