// SPDX-License-Identifier: MIT
/*
 * port - see port.h
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "port.h"

static int port = -1, kmsg = -1;

static void send_all(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= n;
	}
}

void send_frame(enum wire_type type, const void *data, size_t len)
{
	static char buf[sizeof(struct wire_frame) + WIRE_MAX];
	struct wire_frame frame = { .type = type, .len = len };

	/* One write per frame: each write of the port is one round trip to the host. */
	memcpy(buf, &frame, sizeof(frame));
	memcpy(buf + sizeof(frame), data, len);
	send_all(buf, sizeof(frame) + len);
}

static bool read_all(void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t n = read(port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

bool read_frame(struct wire_frame *frame, void *data)
{
	return read_all(frame, sizeof(*frame)) && frame->len <= WIRE_MAX &&
	       read_all(data, frame->len);
}

void note(enum wire_type type, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (port >= 0)
		send_frame(type, line, n);
	else
		fprintf(stderr, "%s", line);
}

/* Forward what the kernel has logged; records written by programs are not the kernel's word. */
void pump_log(void)
{
	char rec[8192];
	ssize_t n;

	while ((n = read(kmsg, rec, sizeof(rec) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		unsigned long long us;
		unsigned int pri;
		char *text, *end;

		if (n < 0)
			continue;
		rec[n] = 0;
		if (sscanf(rec, "%u,%*u,%llu", &pri, &us) != 2)
			continue;
		text = strchr(rec, ';');
		end = text ? strchr(text, '\n') : NULL;
		/* Of what programs have written only which test runs, see selftests/run.sh. */
		if (!end || (pri >> 3 && strncmp(text, ";selftests: ", 12)))
			continue;
		*end = 0;
		note(WIRE_LOG, "[%5llu.%06llu] %s\n", us / 1000000, us % 1000000, text + 1);
	}
}

void finish(uint32_t status)
{
	pump_log();
	send_frame(WIRE_EXIT, &status, sizeof(status));
	/* The host ends the machine now; this is for the case that it does not. */
	sleep(20);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void fail(const char *what)
{
	note(WIRE_ERR, "vm: guest set-up: %s: %s\n", what, strerror(errno));
	finish(125);
}

int open_log(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg;
}

/* The port appears when the host's control messages have been handled. */
int open_port(void)
{
	for (int tries = 0; tries < 20000; tries++) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *e;
		char path[300];

		while (dir && (e = readdir(dir))) {
			if (strncmp(e->d_name, "vport", 5))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", e->d_name);
			port = open(path, O_RDWR | O_CLOEXEC);
			if (port >= 0) {
				closedir(dir);
				return port;
			}
		}
		if (dir)
			closedir(dir);
		usleep(1000);
	}
	fail("no port to the host");
}
