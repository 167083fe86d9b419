// SPDX-License-Identifier: MIT
/*
 * vm_spawn - commands joined by real pipes: those that have never heard of zpipe, and
 * one that has, which is this program again
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "vm.h"

static struct zp_view view;

/* Two fds of a new pipe: where the writer's goes, and where the reader's. */
static int pipe_of(int *wfd, int *rfd, struct zp_create_opts opts)
{
	opts.sz = sizeof(opts);
	return zp_create(&opts, wfd, rfd);
}

/* Let go of the descriptors, which the child has now. */
static pid_t start(struct zp_spawn_opts opts)
{
	pid_t pid = -1;

	opts.sz = sizeof(opts);
	EXPECT_EQ(zp_spawn(&opts, &pid), 0);
	if (opts.stdin_fd)
		close(opts.stdin_fd);
	if (opts.stdout_fd)
		close(opts.stdout_fd);
	return pid;
}

static void unaware(void)
{
	const struct zp_create_opts shapes[] = {
		{ .capacity = 0 }, { .segment_size = 4096, .capacity = 8192 },
		{ .flags = ZP_GUARDED }, { .flags = ZP_CONTIG },
	};
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		int a[2] = { -1, -1 }, b[2] = { -1, -1 }, out = memfd_create("out", MFD_CLOEXEC);
		pid_t pids[3];
		char said[64] = "";
		int k;

		ASSERT_EQ(pipe_of(&a[1], &a[0], shapes[i]), 0);
		ASSERT_EQ(pipe_of(&b[1], &b[0], shapes[i]), 0);
		pids[0] = start((struct zp_spawn_opts){ .command = "seq 1 30000",
							.stdout_fd = a[1] });
		pids[1] = start((struct zp_spawn_opts){ .command = "grep -v 7", .stdin_fd = a[0],
							.stdout_fd = b[1] });
		pids[2] = start((struct zp_spawn_opts){ .command = "cksum", .stdin_fd = b[0],
							.stdout_fd = dup(out) });
		for (k = 0; k < 3; k++)
			EXPECT_EQ(join(pids[k]), 0);
		/* seq 1 30000 | grep -v 7 | cksum */
		EXPECT(pread(out, said, sizeof(said) - 1, 0) > 0);
		if (!EXPECT(!strcmp(said, "2459416056 110722\n")))
			printf("# shape %zu: %s", i, said);
		close(out);
	}
}

/* A child that leaves its input alone ends the writer as a pipe does. */
static void early_end(void)
{
	int wfd = -1, rfd = -1, out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct zp_create_opts small = { .segment_size = 4096, .capacity = 8192 };
	pid_t writer, reader;
	int status;

	ASSERT_EQ(pipe_of(&wfd, &rfd, small), 0);
	writer = start((struct zp_spawn_opts){ .command = "exec yes", .stdout_fd = wfd });
	reader = start((struct zp_spawn_opts){ .command = "head -n 3", .stdin_fd = rfd,
					       .stdout_fd = out });
	EXPECT_EQ(join(reader), 0);
	status = join(writer);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* The same program, started again: adds up the bytes and tells what they were. */
static int aware(void)
{
	struct zp_writer *w;
	struct zp_reader *r;
	uint64_t sum = 0;
	int rfd, wfd;

	if (zp_spawned_fd(ZP_ROLE_READER, &rfd) || zp_spawned_fd(ZP_ROLE_WRITER, &wfd))
		return 80;
	if (zp_reader_open(&r, rfd, NULL) || zp_writer_open(&w, wfd, NULL))
		return 81;
	while (!zp_read(r, &view) && zp_view_len(&view)) {
		const unsigned char *p = view.first.data;
		size_t i;

		for (i = 0; i < view.first.len; i++)
			sum += p[i];
		zp_consume(r, view.first.len);
	}
	if (!(view.flags & ZP_COMPLETED))
		return 82;
	if (zp_put_le(w, 8, sum) || zp_writer_complete(w, 0, 0))
		return 83;
	return 0;
}

static void knows_its_end(void)
{
	char self[] = "/proc/self/exe", word[] = "aware";
	char *const argv[] = { self, word, NULL };
	int a[2] = { -1, -1 }, b[2] = { -1, -1 };
	struct zp_cursor c;
	struct zp_writer *w;
	struct zp_reader *r;
	uint64_t sum = 0;
	pid_t pid;

	ASSERT_EQ(pipe_of(&a[1], &a[0], (struct zp_create_opts){ 0 }), 0);
	ASSERT_EQ(pipe_of(&b[1], &b[0], (struct zp_create_opts){ 0 }), 0);
	pid = start((struct zp_spawn_opts){ .argv = argv, .stdin_fd = a[0], .stdout_fd = b[1] });
	ASSERT_EQ(zp_writer_open(&w, a[1], NULL), 0);
	ASSERT_EQ(zp_reader_open(&r, b[0], NULL), 0);
	ASSERT_EQ(zp_write_flush(w, "abcdefgh", 8, NULL), 0);
	ASSERT_EQ(zp_writer_complete(w, 0, 0), 0);
	ASSERT_EQ(zp_read_min(r, 8, &view), 0);
	zp_cursor_init(&c, &view);
	EXPECT_EQ(zp_cursor_le(&c, 8, &sum), 0);
	EXPECT_EQ(sum, 8 * 'a' + 28);
	ASSERT_EQ(zp_consume_all(r), 0);
	ASSERT_EQ(zp_read(r, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	EXPECT_EQ(join(pid), 0);
	zp_writer_close(w);
	zp_reader_close(r);
}

/* What a child had examined with read(2) is gone; what it had not is there. */
static void killed(void)
{
	int wfd = -1, rfd = -1;
	struct zp_spawn_opts opts = { .sz = sizeof(opts) };
	struct zp_writer *w;
	struct zp_reader *r;
	pid_t pid = -1;

	ASSERT_EQ(pipe_of(&wfd, &rfd, (struct zp_create_opts){ 0 }), 0);
	ASSERT_EQ(zp_writer_open(&w, wfd, NULL), 0);
	ASSERT_EQ(put(w, 100), 0);
	ASSERT_EQ(zp_flush(w), 0);
	opts.command = "head -c 40 >/dev/null; kill -KILL $$";
	opts.stdin_fd = rfd;
	ASSERT_EQ(zp_spawn(&opts, &pid), 0);
	EXPECT(WIFSIGNALED(join(pid)));
	ASSERT_EQ(zp_reader_open(&r, rfd, NULL), 0);
	EXPECT(zp_consumed(r) >= 40);
	zp_reader_close(r);
	zp_writer_close(w);
}

static const struct tap_test tests[] = {
	{ "spawn.commands_that_read_and_write", unaware },
	{ "spawn.reader_that_leaves_early_ends_the_writer", early_end },
	{ "spawn.program_that_maps_its_ends", knows_its_end },
	{ "spawn.reader_fd_outlives_the_child", killed },
};

int main(int argc, char **argv)
{
	int skip = vm_skip();

	if (argc > 1 && !strcmp(argv[1], "aware"))
		return aware();
	return skip ? skip : tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
