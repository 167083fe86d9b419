// SPDX-License-Identifier: MIT
/*
 * ends - reads /proc/PID/fd and /proc/PID/fdinfo
 *
 * Processes and fds come and go meanwhile: what is gone when it is looked at is left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/zpipe.h>

#include "command.h"
#include "ends.h"
#include "machine.h"

#define PREFIX "zpipe-"

/* The text of a small file of /proc, or NULL with errno. */
static char *slurp(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = NULL, *larger;
	ssize_t got;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	for (;;) {
		larger = realloc(text, room);
		if (!larger)
			goto err_free;
		text = larger;
		got = read(fd, text + size, room - size - 1);
		if (got < 0)
			goto err_free;
		size += (size_t)got;
		if (!got)
			break;
		if (size + 1 == room)
			room *= 2;
	}
	close(fd);
	text[size] = '\0';
	return text;

err_free:
	err = errno;
	free(text);
	close(fd);
	errno = err;
	return NULL;
}

static void read_command(struct end *end)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/comm", end->pid);
	text = slurp(path);
	snprintf(end->command, sizeof(end->command), "%s", text ? text : "?");
	free(text);
	end->command[strcspn(end->command, "\n")] = '\0';
	/* A process chooses its name, and would choose it to break a terminal. */
	for (char *c = end->command; *c; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
}

static int add_line(struct end *end, const char *name, const char *value)
{
	struct end_line *lines;

	lines = reallocarray(end->lines, end->nr_lines + 1, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	end->lines = lines;
	end->lines[end->nr_lines++] = (struct end_line){ name, value };
	return 0;
}

/* Cuts the text up in place. */
static int parse_lines(struct end *end)
{
	char *line, *rest = end->text, *value;
	int ret;

	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, PREFIX, strlen(PREFIX)) != 0)
			continue;
		value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = '\0';
		value += strspn(value, " \t");
		ret = add_line(end, line + strlen(PREFIX), value);
		if (ret)
			return ret;
	}
	return 0;
}

/* All but the name of the process. */
static int read_fdinfo(struct end *end, pid_t pid, int fd)
{
	char path[64];
	int ret;

	*end = (struct end){ .pid = pid, .fd = fd };
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	end->text = slurp(path);
	if (!end->text)
		return -errno;
	ret = parse_lines(end);
	if (!ret && !end->nr_lines)
		ret = -ENOENT;
	if (ret) {
		end_free(end);
		return ret;
	}
	end->role = end_text(end, "role");
	if (!end->role)
		end->role = end_text(end, "pool") ? "pool" : "?";
	return 0;
}

int end_read(struct end *end, pid_t pid, int fd)
{
	const int ret = read_fdinfo(end, pid, fd);

	if (!ret)
		read_command(end);
	return ret;
}

void end_free(struct end *end)
{
	free(end->lines);
	free(end->text);
	*end = (struct end){ 0 };
}

void end_of_module(struct end *module)
{
	int fd;

	*module = (struct end){ 0 };
	fd = open(MACHINE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (end_read(module, getpid(), fd))
		*module = (struct end){ 0 };
	close(fd);
}

const char *end_text(const struct end *end, const char *name)
{
	for (size_t i = 0; i < end->nr_lines; i++) {
		if (!strcmp(end->lines[i].name, name))
			return end->lines[i].value;
	}
	return NULL;
}

uint64_t end_number(const struct end *end, const char *name)
{
	const char *text = end_text(end, name);

	return text ? strtoull(text, NULL, 10) : 0;
}

bool end_is(const struct end *end, const char *role)
{
	return !strcmp(end->role, role);
}

bool end_of_pipe(const struct end *end)
{
	return end_is(end, "writer") || end_is(end, "reader");
}

bool end_is_over(const struct end *end)
{
	const char *attached = end_text(end, "attached");

	return attached && !strcmp(attached, "no");
}

/* One that is over keeps its positions, and holds nothing back. */
static uint64_t published_since(const struct end *end, const char *position)
{
	return end_is_over(end) ? 0 : end_number(end, "published") - end_number(end, position);
}

uint64_t end_held(const struct end *end)
{
	return published_since(end, "consumed");
}

uint64_t end_unexamined(const struct end *end)
{
	return published_since(end, "examined");
}

int end_open(const struct end *end)
{
	int pidfd, fd, err;

	if (end->pid == getpid()) {
		fd = fcntl(end->fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	pidfd = (int)syscall(SYS_pidfd_open, end->pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, end->fd, 0);
	err = errno;
	close(pidfd);
	return fd < 0 ? -err : fd;
}

int end_look(struct end *end)
{
	struct zpipe_stat_args stat = { 0 };
	const pid_t pid = end->pid;
	const int number = end->fd;
	int fd, ret = 0;

	if (end_of_pipe(end)) {
		fd = end_open(end);
		if (fd < 0)
			return fd;
		if (ioctl(fd, ZPIPE_IOC_STAT, &stat))
			ret = -errno;
		close(fd);
		if (ret)
			return ret;
	}
	end_free(end);
	return end_read(end, pid, number);
}

/* Is the fd one of ours, by the name of its file? Cheaper than to read fdinfo of every fd. */
static bool named_zpipe(const char *path)
{
	static const char name[] = "/" PREFIX;
	char target[64];
	ssize_t length;

	length = readlink(path, target, sizeof(target));
	return length >= (ssize_t)strlen(name) && !strncmp(target, name, strlen(name));
}

static int add_end(struct ends *ends, struct end *end)
{
	struct end *larger;

	if (!(ends->nr & (ends->nr + 1))) {
		larger = reallocarray(ends->end, 2 * (ends->nr + 1), sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		ends->end = larger;
	}
	ends->end[ends->nr++] = *end;
	return 0;
}

static int scan_process(struct ends *ends, pid_t pid)
{
	char path[64];
	struct end end, named = { .pid = pid };
	const struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%.11s", pid, entry->d_name);
		if (!named_zpipe(path))
			continue;
		if (read_fdinfo(&end, pid, (int)strtol(entry->d_name, NULL, 10)))
			continue;
		/* Once, however many it has. */
		if (!named.command[0])
			read_command(&named);
		memcpy(end.command, named.command, sizeof(end.command));
		ret = add_end(ends, &end);
		if (ret) {
			end_free(&end);
			break;
		}
	}
	closedir(dir);
	return ret;
}

/* Pools stand behind the pipes, under their own numbers. */
static int compare(const void *one, const void *other)
{
	const struct end *a = one, *b = other;
	const bool pool_a = end_is(a, "pool"), pool_b = end_is(b, "pool");
	const uint64_t id_a = end_number(a, pool_a ? "pool" : "id");
	const uint64_t id_b = end_number(b, pool_b ? "pool" : "id");
	int order;

	if (pool_a != pool_b)
		return pool_a ? 1 : -1;
	if (id_a != id_b)
		return id_a < id_b ? -1 : 1;
	/* The writer comes first. */
	order = strcmp(b->role, a->role);
	if (order)
		return order;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

static int scan_all(struct ends *ends)
{
	const struct dirent *entry;
	int ret = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir) {
		ret = -errno;
		complain("/proc: %s", strerror(errno));
		return ret;
	}
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		ret = scan_process(ends, (pid_t)strtol(entry->d_name, NULL, 10));
		if (ret == -EACCES || ret == -EPERM)
			ends->denied++;
		if (ret == -ENOMEM)
			break;
		ret = 0;
	}
	closedir(dir);
	if (ret)
		complain("%s", strerror(-ret));
	return ret;
}

int ends_scan(struct ends *ends, pid_t pid)
{
	int ret;

	*ends = (struct ends){ 0 };
	if (pid) {
		ret = scan_process(ends, pid);
		if (ret == -ENOENT || ret == -ESRCH)
			complain("there is no process %d", pid);
		else if (ret)
			complain("process %d: %s", pid, strerror(-ret));
	} else {
		ret = scan_all(ends);
	}
	if (ret) {
		ends_free(ends);
		return ret;
	}
	if (ends->nr)
		qsort(ends->end, ends->nr, sizeof(*ends->end), compare);
	return 0;
}

void ends_free(struct ends *ends)
{
	for (size_t i = 0; i < ends->nr; i++)
		end_free(&ends->end[i]);
	free(ends->end);
	*ends = (struct ends){ 0 };
}
