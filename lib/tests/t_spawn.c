// SPDX-License-Identifier: MIT
/*
 * t_spawn - commands and their descriptors
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts plain = { .policy = FAKE_RING };

static char said[4096];

/* Run it and keep what it says on @as (1, 2): its wait status, or what zp_spawn() says. */
static int run(struct zp_spawn_opts opts, int as)
{
	int out = memfd_create("out", MFD_CLOEXEC), status = -1, ret;
	pid_t pid;
	ssize_t n;

	opts.sz = sizeof(opts);
	if (as == 1)
		opts.stdout_fd = out;
	else
		opts.stderr_fd = out;
	ret = zp_spawn(&opts, &pid);
	if (!ret && waitpid(pid, &status, 0) != pid)
		abort();
	n = pread(out, said, sizeof(said) - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
	close(out);
	return ret ? ret : status;
}

static bool says(const char *what)
{
	bool same = !strcmp(said, what);

	if (!same)
		printf("# said: %s\n", said);
	return same;
}

static int file_with(const char *text)
{
	int fd = memfd_create("in", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void commands(void)
{
	char *const argv[] = { "printf", "%s|", "a b", "c", NULL };
	char *const env[] = { "COLOUR=red", "ZPIPE_FD=77", NULL };
	struct zp_spawn_opts opts = { .argv = argv };
	int fd = file_with("one\ntwo\n");

	EXPECT_EQ(run(opts, 1), 0);
	EXPECT(says("a b|c|"));
	opts = (struct zp_spawn_opts){ .command = "cat; echo three; exit 7", .stdin_fd = fd };
	EXPECT_EQ(WEXITSTATUS(run(opts, 1)), 7);
	EXPECT(says("one\ntwo\nthree\n"));
	/* no end is among them, so nobody is told of one */
	opts = (struct zp_spawn_opts){ .command = "echo $COLOUR ${ZPIPE_FD-none} >&2", .env = env };
	EXPECT_EQ(run(opts, 2), 0);
	EXPECT(says("red none\n"));
	EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* In a child: 0 to 2 are files that want to be each other. */
static int crossed(void)
{
	int a = file_with("a"), b = file_with("b"), c = file_with("c"), status = -1;
	struct zp_spawn_opts opts = {
		.sz = sizeof(opts), .stdin_fd = 2, .stdout_fd = a, .stderr_fd = 1,
		.command = "cat; echo out; echo err >&2",
	};
	char buf[16] = "";
	pid_t pid;

	if (dup2(a, 0) || dup2(b, 1) != 1 || dup2(c, 2) != 2)
		return 1;
	if (zp_spawn(&opts, &pid) || waitpid(pid, &status, 0) != pid || status)
		return 2;
	if (pread(a, buf, sizeof(buf), 0) != 5 || strcmp(buf, "cout\n"))
		return 3;
	memset(buf, 0, sizeof(buf));
	if (pread(b, buf, sizeof(buf), 0) != 4 || strcmp(buf, "err\n"))
		return 4;
	/* and they are what they were */
	return pread(2, buf, 1, 0) == 1 && buf[0] == 'c' ? 0 : 5;
}

static void in_the_way(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(crossed());
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 0);
}

static void ends_are_named(void)
{
	struct ends e = ends_open(plain);
	struct zp_spawn_opts opts = { .command = "echo $ZPIPE_FD >&2" };
	int fds[2] = { e.wfd, e.rfd };
	char wanted[32];

	opts.stdin_fd = e.rfd;
	EXPECT_EQ(run(opts, 2), 0);
	EXPECT(says("0\n"));
	opts.stdout_fd = e.wfd;
	EXPECT_EQ(run(opts, 2), 0);
	EXPECT(says("0,1\n"));
	opts.stdin_fd = 0;
	opts.fds = fds + 1;
	opts.nr_fds = 1;
	EXPECT_EQ(run(opts, 2), 0);
	snprintf(wanted, sizeof(wanted), "1,%d\n", e.rfd);
	EXPECT(says(wanted));
	/* it has them, without close-on-exec, and we have not changed */
	opts = (struct zp_spawn_opts){ .fds = fds, .nr_fds = 2 };
	opts.command = "for fd in $(echo $ZPIPE_FD | tr , ' '); do "
		       "readlink /proc/self/fd/$fd; done | wc -l";
	fcntl(e.rfd, F_SETFD, FD_CLOEXEC);
	EXPECT_EQ(run(opts, 1), 0);
	EXPECT(says("2\n"));
	EXPECT(fcntl(e.rfd, F_GETFD) & FD_CLOEXEC);
	ends_close(&e);
}

static void signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct zp_spawn_opts opts = { .command = "kill -PIPE $$; echo alive" };
	sigset_t block, before;
	int status;

	sigaction(SIGPIPE, &ignore, &old);
	sigemptyset(&block);
	sigaddset(&block, SIGPIPE);
	sigprocmask(SIG_BLOCK, &block, &before);
	status = run(opts, 1);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(SIGPIPE, &old, NULL);
	/* a group of its own: the number of the group is that of the child */
	opts.command = "read a b c d group rest < /proc/self/stat; test $group = $$ && echo leads";
	opts.flags = ZP_SPAWN_GROUP;
	EXPECT_EQ(run(opts, 1), 0);
	EXPECT(says("leads\n"));
}

static void refused(void)
{
	char *const argv[] = { "/no/such/program", NULL }, *const empty[] = { NULL };
	struct zp_spawn_opts opts = { .sz = sizeof(opts) };
	int before = dup(0), after, low = 1;
	pid_t pid = 77;

	close(before);
	EXPECT_EQ(zp_spawn(NULL, &pid), -EINVAL);
	EXPECT_EQ(zp_spawn(&opts, &pid), -EINVAL);
	opts.argv = empty;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EINVAL);
	opts.argv = argv;
	opts.command = "true";
	EXPECT_EQ(zp_spawn(&opts, &pid), -EINVAL);
	opts.command = NULL;
	EXPECT_EQ(zp_spawn(&opts, &pid), -ENOENT);
	opts.stdout_fd = 2;
	opts.stdin_fd = 987;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EBADF);
	opts.stdin_fd = -1;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EBADF);
	opts.stdin_fd = 0;
	opts.nr_fds = 1;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EINVAL);
	opts.fds = &low;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EINVAL);
	opts.nr_fds = 0;
	opts.flags = 1U << 30;
	EXPECT_EQ(zp_spawn(&opts, &pid), -EOPNOTSUPP);
	EXPECT_EQ(pid, 77);
	after = dup(0);
	EXPECT_EQ(after, before);
	close(after);
}

static void finding(void)
{
	struct ends e = ends_open(plain);
	char list[128];
	int fd = -1;

	unsetenv("ZPIPE_FD");
	EXPECT_EQ(zp_spawned_fd(ZP_ROLE_READER, &fd), -ENOENT);
	snprintf(list, sizeof(list), "0,%d,%d", e.wfd, e.rfd);
	setenv("ZPIPE_FD", list, 1);
	ASSERT_EQ(zp_spawned_fd(ZP_ROLE_READER, &fd), 0);
	EXPECT_EQ(fd, e.rfd);
	ASSERT_EQ(zp_spawned_fd(ZP_ROLE_WRITER, &fd), 0);
	EXPECT_EQ(fd, e.wfd);
	EXPECT_EQ(zp_spawned_fd(ZP_ROLE_BUFFER, &fd), -EINVAL);
	/* what anybody may write into it */
	snprintf(list, sizeof(list), "x,,-%d, %d,%dx,99999999999999999999,2147483648,+%d,%d ",
		 e.rfd, e.rfd, e.rfd, e.rfd, e.rfd);
	setenv("ZPIPE_FD", list, 1);
	fd = 77;
	EXPECT_EQ(zp_spawned_fd(ZP_ROLE_READER, &fd), -ENOENT);
	EXPECT_EQ(fd, 77);
	snprintf(list, sizeof(list), "x,,%d", e.rfd);
	setenv("ZPIPE_FD", list, 1);
	EXPECT_EQ(zp_spawned_fd(ZP_ROLE_READER, &fd), 0);
	EXPECT_EQ(zp_spawned_fd(ZP_ROLE_WRITER, &fd), -ENOENT);
	unsetenv("ZPIPE_FD");
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "spawn.program_or_command_line", commands },
	{ "spawn.descriptors_in_each_others_way", in_the_way },
	{ "spawn.ends_are_named_in_the_environment", ends_are_named },
	{ "spawn.signals_as_from_a_shell", signals },
	{ "spawn.bad_arguments_start_nothing", refused },
	{ "spawned.finds_its_end_and_believes_nothing", finding },
};

TAP_MAIN(tests)
