// SPDX-License-Identifier: MIT
/*
 * spawn - a command whose standard input or output is an end of a pipe
 *
 * posix_spawn(3) does the work: it is safe in programs with threads, and says why
 * exec failed. What is left are descriptors that stand in each other's way, and the
 * variable by which a program finds its ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define VARIABLE	"ZPIPE_FD="

extern char **environ;

/**
 * struct spawn - one call
 * @opts: of the caller
 * @actions: what happens to descriptors in the child
 * @attr: its signals and group
 * @moved: duplicates, out of the way of 0 to 2; -1 for none
 * @names: VARIABLE and the ends
 * @len: of it
 * @env: of the child
 */
struct spawn {
	struct zp_spawn_opts opts;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int moved[3];
	char *names;
	size_t len;
	char **env;
};

static bool is_end(int fd)
{
	struct zpipe_info_args info;

	return !zp_map_info(fd, &info);
}

/* The child has the file of @fd as @as: name it, if it is an end. */
static void name_end(struct spawn *s, int fd, int as)
{
	if (!is_end(fd))
		return;
	s->len += (size_t)sprintf(s->names + s->len, "%s%d",
				  s->names[s->len - 1] == '=' ? "" : ",", as);
}

/*
 * @fd becomes @as, one of 0 to 2. One that is below 3 itself could be overwritten
 * before its turn comes.
 */
static int give_standard(struct spawn *s, int fd, int as)
{
	if (!fd)
		return 0;
	if (fd < 3 && fd != as) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -errno;
		s->moved[as] = fd;
	} else if (fcntl(fd, F_GETFD) < 0) {
		return -errno;
	}
	name_end(s, fd, as);
	return -posix_spawn_file_actions_adddup2(&s->actions, fd, as);
}

static int give_others(struct spawn *s)
{
	size_t i;

	for (i = 0; i < s->opts.nr_fds; i++) {
		int fd = s->opts.fds[i], ret;

		if (fd < 3)
			return -EINVAL;
		if (fcntl(fd, F_GETFD) < 0)
			return -errno;
		name_end(s, fd, fd);
		/* onto itself: it loses close-on-exec in the child */
		ret = posix_spawn_file_actions_adddup2(&s->actions, fd, fd);
		if (ret)
			return -ret;
	}
	return 0;
}

/* The caller's, with our variable in the place of another one. */
static int make_env(struct spawn *s)
{
	char *const *from = s->opts.env ? s->opts.env : environ;
	size_t nr = 0, i;

	while (from && from[nr])
		nr++;
	s->env = calloc(nr + 2, sizeof(*s->env));
	if (!s->env)
		return -ENOMEM;
	for (i = 0, nr = 0; from && from[i]; i++) {
		if (strncmp(from[i], VARIABLE, strlen(VARIABLE)) != 0)
			s->env[nr++] = from[i];
	}
	if (s->len > strlen(VARIABLE))
		s->env[nr++] = s->names;
	return 0;
}

static int set_attr(struct spawn *s)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, pipe;
	int ret;

	if (s->opts.flags & ZP_SPAWN_GROUP)
		flags |= POSIX_SPAWN_SETPGROUP;
	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	ret = posix_spawnattr_setsigmask(&s->attr, &none);
	if (!ret)
		ret = posix_spawnattr_setsigdefault(&s->attr, &pipe);
	if (!ret)
		ret = posix_spawnattr_setflags(&s->attr, flags);
	return -ret;
}

static int start(struct spawn *s, pid_t *pid)
{
	char shell[] = "sh", option[] = "-c";
	char *line[] = { shell, option, NULL, NULL };
	int ret;

	ret = give_standard(s, s->opts.stdin_fd, STDIN_FILENO);
	if (!ret)
		ret = give_standard(s, s->opts.stdout_fd, STDOUT_FILENO);
	if (!ret)
		ret = give_standard(s, s->opts.stderr_fd, STDERR_FILENO);
	if (!ret)
		ret = give_others(s);
	if (!ret)
		ret = make_env(s);
	if (!ret)
		ret = set_attr(s);
	if (ret)
		return ret;
	if (s->opts.argv)
		return -posix_spawnp(pid, s->opts.argv[0], &s->actions, &s->attr, s->opts.argv,
				     s->env);
	/* arguments are not const for reasons of history: a copy is simpler than a cast */
	line[2] = strdup(s->opts.command);
	if (!line[2])
		return -ENOMEM;
	ret = -posix_spawn(pid, "/bin/sh", &s->actions, &s->attr, line, s->env);
	free(line[2]);
	return ret;
}

/* A number of at most ten digits and what separates it from the next. */
#define NAME_SIZE	12

static int prepare(struct spawn *s)
{
	const struct zp_spawn_opts *o = &s->opts;
	int ret;

	if (o->flags & ~(unsigned int)ZP_SPAWN_GROUP)
		return -EOPNOTSUPP;
	if (!o->argv == !o->command || (o->argv && !o->argv[0]) || (o->nr_fds && !o->fds) ||
	    o->nr_fds > INT_MAX)
		return -EINVAL;
	s->names = malloc(sizeof(VARIABLE) + (o->nr_fds + 3) * NAME_SIZE);
	if (!s->names)
		return -ENOMEM;
	memcpy(s->names, VARIABLE, sizeof(VARIABLE));
	s->len = strlen(VARIABLE);
	ret = posix_spawn_file_actions_init(&s->actions);
	if (ret)
		goto err_free_names;
	ret = posix_spawnattr_init(&s->attr);
	if (ret)
		goto err_destroy_actions;
	return 0;

err_destroy_actions:
	posix_spawn_file_actions_destroy(&s->actions);
err_free_names:
	free(s->names);
	return -ret;
}

int zp_spawn(const struct zp_spawn_opts *opts, pid_t *pid)
{
	struct spawn s = { .moved = { -1, -1, -1 } };
	int saved = errno, ret, i;

	ret = zp_opts_get(&s.opts, sizeof(s.opts), opts);
	if (!ret)
		ret = prepare(&s);
	if (ret)
		return ret;
	ret = start(&s, pid);
	for (i = 0; i < 3; i++) {
		if (s.moved[i] >= 0)
			close(s.moved[i]);
	}
	free(s.env);
	posix_spawnattr_destroy(&s.attr);
	posix_spawn_file_actions_destroy(&s.actions);
	free(s.names);
	errno = saved;
	return ret;
}

/* The next number of the list, which ends at a NUL: -1 for what is none. */
static int next_fd(const char **at)
{
	unsigned long value = 0;
	const char *p = *at;
	bool good = *p >= '0' && *p <= '9';

	for (; *p && *p != ','; p++) {
		if (*p < '0' || *p > '9' || value > INT_MAX / 10)
			good = false;
		else
			value = value * 10 + (unsigned long)(*p - '0');
	}
	*at = *p ? p + 1 : p;
	return good && value <= INT_MAX ? (int)value : -1;
}

int zp_spawned_fd(uint32_t role, int *fd)
{
	/* changed by nobody that wants it read */
	const char *list = getenv("ZPIPE_FD"); /* NOLINT(concurrency-mt-unsafe) */

	if (role != ZP_ROLE_WRITER && role != ZP_ROLE_READER)
		return -EINVAL;
	while (list && *list) {
		struct zpipe_info_args info;
		int found = next_fd(&list);

		if (found >= 0 && !zp_map_info(found, &info) && info.out_role == role) {
			*fd = found;
			return 0;
		}
	}
	return -ENOENT;
}
