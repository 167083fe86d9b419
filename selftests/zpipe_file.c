// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpipe_file - files, fds that are passed, the kernel log, and numbers that the kernel tells
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "zpipe_test.h"

int zt_file(size_t length)
{
	static unsigned char buffer[1 << 16];
	int fd = memfd_create("zpipe-test", MFD_CLOEXEC);
	size_t at;

	for (at = 0; fd >= 0 && at < length; at += sizeof(buffer)) {
		zt_fill(buffer, at, sizeof(buffer));
		if (pwrite(fd, buffer, sizeof(buffer), at) != (ssize_t)sizeof(buffer))
			zt_die("cannot write a file");
	}
	return fd;
}

int zt_direct_file(void)
{
	const char * const dirs[] = { getenv("ZPIPE_SCRATCH"), "/var/tmp", "/tmp" };
	char name[256];
	size_t k;
	int fd;

	for (k = 0; k < 3; k++) {
		if (!dirs[k])
			continue;
		snprintf(name, sizeof(name), "%s/zpipe-test-XXXXXX", dirs[k]);
		fd = mkstemp(name);
		if (fd < 0)
			continue;
		close(fd);
		fd = open(name, O_RDWR | O_DIRECT | O_CLOEXEC);
		unlink(name);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* How many files this process has open. */
int zt_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		zt_die("/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int zt_send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

int zt_receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* The end of the kernel log; -1 when it cannot be read. */
int zt_log_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Has the kernel complained since the mark? Closes it. */
bool zt_log_is_clean(int mark)
{
	static const char * const bad[] = { "WARNING:", "BUG:", "Oops", "general protection",
					    "KASAN", "blocked for more than", "INFO: lockdep" };
	bool clean = true;
	char line[4096];
	ssize_t n;
	size_t i;

	if (mark < 0)
		return true;
	while ((n = read(mark, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = '\0';
		/* Whose data race that is, scripts/vm.d/scan finds out. */
		if (strstr(line, "BUG: KCSAN:"))
			continue;
		for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			if (strstr(line, bad[i])) {
				fprintf(stderr, "# kernel: %s\n", line);
				clean = false;
			}
		}
	}
	close(mark);
	return clean;
}

long long zt_read_number(const char *path)
{
	long long value = -1;
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	if (fscanf(f, "%lld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

int zt_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

int zt_write_number(const char *path, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	return zt_write_text(path, text);
}

/* The number behind zpipe-@key, or -1. */
long long zt_total(int device, const char *key)
{
	char path[64], word[64], line[256];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", device);
	snprintf(word, sizeof(word), "zpipe-%s:\t", key);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, word, strlen(word)))
			value = strtoll(line + strlen(word), NULL, 10);
	}
	fclose(f);
	return value;
}

struct wanted {
	int device;
	const char *key;
	long long value;
};

static bool is_reached(void *arg)
{
	struct wanted *w = arg;

	return zt_total(w->device, w->key) == w->value;
}

/* Files are released, and memory is freed, a little after close(2). */
bool zt_total_becomes(int device, const char *key, long long value)
{
	struct wanted w = { .device = device, .key = key, .value = value };

	return zt_eventually(is_reached, &w);
}
