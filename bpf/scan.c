// SPDX-License-Identifier: MIT
/*
 * scan - the ends that processes hold open, as /proc/PID/fdinfo tells
 *
 * What was there before a tool was attached has to be found somehow. Which fds are worth a look is
 * seen from where their links point to: the files of the module are named zpipe-something.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scan.h"

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{ "zpipe-id", offsetof(struct zb_end, pipe) },
	{ "zpipe-capacity", offsetof(struct zb_end, capacity) },
	{ "zpipe-granted", offsetof(struct zb_end, granted) },
	{ "zpipe-published", offsetof(struct zb_end, published) },
	{ "zpipe-examined", offsetof(struct zb_end, examined) },
	{ "zpipe-consumed", offsetof(struct zb_end, consumed) },
	{ "zpipe-preserved", offsetof(struct zb_end, preserved) },
	{ "zpipe-readers", offsetof(struct zb_end, readers) },
	{ "zpipe-segments", offsetof(struct zb_end, segments) },
	{ "zpipe-segments-free", offsetof(struct zb_end, segments_free) },
	{ "zpipe-segments-preserved", offsetof(struct zb_end, segments_preserved) },
	{ "zpipe-segments-taken", offsetof(struct zb_end, segments_taken) },
	{ "zpipe-references", offsetof(struct zb_end, references) },
	{ "zpipe-references-chain", offsetof(struct zb_end, references_chain) },
	{ "zpipe-references-preserved", offsetof(struct zb_end, references_preserved) },
	{ "zpipe-references-posted", offsetof(struct zb_end, references_posted) },
	{ "zpipe-references-calls", offsetof(struct zb_end, references_calls) },
	{ "zpipe-position", offsetof(struct zb_end, position) },
	{ "zpipe-length", offsetof(struct zb_end, length) },
};

static void parse_line(struct zb_end *end, char *line)
{
	char *value = strchr(line, ':');
	size_t k;

	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, "\t ");
	value[strcspn(value, "\n")] = '\0';
	if (!strcmp(line, "zpipe-role"))
		snprintf(end->role, sizeof(end->role), "%s", value);
	else if (!strcmp(line, "zpipe-paused"))
		end->paused = !strcmp(value, "yes");
	else if (!strcmp(line, "zpipe-attached"))
		end->ended = !strcmp(value, "no");
	for (k = 0; k < sizeof(numbers) / sizeof(*numbers); k++) {
		if (!strcmp(line, numbers[k].name))
			*(uint64_t *)((char *)end + numbers[k].at) = strtoull(value, NULL, 10);
	}
}

bool zb_read_end(const char *path, struct zb_end *end)
{
	FILE *file = fopen(path, "re");
	char line[128];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "zpipe-", 6))
			parse_line(end, line);
	}
	fclose(file);
	return end->role[0];
}

static void read_comm(struct zb_end *end)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", end->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(end->comm, sizeof(end->comm), file))
		end->comm[strcspn(end->comm, "\n")] = '\0';
	fclose(file);
}

static unsigned long scan_process(pid_t pid, void (*found)(const struct zb_end *end, void *context),
				  void *context)
{
	unsigned long number = 0;
	struct dirent *entry;
	char path[64], to[64];
	char comm[16] = "";
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	while (fds && (entry = readdir(fds))) {
		struct zb_end end = { .pid = pid, .fd = atoi(entry->d_name) };
		ssize_t length;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		length = readlinkat(dirfd(fds), entry->d_name, to, sizeof(to) - 1);
		if (length < 0)
			continue;
		to[length] = '\0';
		snprintf(end.link, sizeof(end.link), "%.47s", to);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, end.fd);
		if (!strstr(to, "zpipe") || !strcmp(to, "/dev/zpipe") || !zb_read_end(path, &end))
			continue;
		if (!comm[0]) {
			read_comm(&end);
			memcpy(comm, end.comm, sizeof(comm));
		}
		memcpy(end.comm, comm, sizeof(comm));
		found(&end, context);
		number++;
	}
	if (fds)
		closedir(fds);
	return number;
}

unsigned long zb_scan(void (*found)(const struct zb_end *end, void *context), void *context)
{
	unsigned long number = 0;
	struct dirent *entry;
	DIR *processes;

	processes = opendir("/proc");
	while (processes && (entry = readdir(processes))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			number += scan_process(atoi(entry->d_name), found, context);
	}
	if (processes)
		closedir(processes);
	return number;
}

bool zb_still_there(const struct zb_end *end)
{
	char path[64], to[sizeof(end->link)];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", end->pid, end->fd);
	length = readlink(path, to, sizeof(to) - 1);
	if (length < 0)
		return false;
	to[length] = '\0';
	return !strcmp(to, end->link);
}
