// SPDX-License-Identifier: MIT
/*
 * module - see module.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "module.h"
#include "port.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static int module = -1;
static const char *options = "";

bool find_module(const char *params)
{
	module = open("/zpipe.ko", O_RDONLY | O_CLOEXEC);
	options = params;
	return module >= 0;
}

static void load_module(void)
{
	if (insmod(module, options)) {
		note(WIRE_ERR, "vm: the module does not load: %s\n", strerror(errno));
		finish(125);
	}
}

/* All processes are gone, so a module still in use has lost a reference. */
static void unload_module(void)
{
	for (int tries = 0; tries < 300; tries++) {
		if (!syscall(SYS_delete_module, "zpipe", O_NONBLOCK) || errno == ENOENT)
			return;
		usleep(10000);
	}
	note(WIRE_LOG, "vm: zpipe cannot be unloaded after the last process ended: %s\n",
	     strerror(errno));
}

/* Before the module comes: what booting has left is not of interest, nor are scans at any time. */
static void forget_leaks(void)
{
	put(KMEMLEAK, "scan=off");
	put(KMEMLEAK, "scan");
	put(KMEMLEAK, "clear");
}

/*
 * Each report is a complaint of the kernel's (see scan). An object has to be five seconds old to be
 * one, and what two scans in a row do not find is what no register held by chance.
 */
static void report_leaks(const char *when)
{
	char line[512];
	FILE *f;

	if (access(KMEMLEAK, F_OK))
		return;
	pump_log();
	sleep(6);
	put(KMEMLEAK, "scan");
	put(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "re");
	while (f && fgets(line, sizeof(line), f))
		note(WIRE_LOG, "[    0.000000] %s", line);
	if (f)
		fclose(f);
	note(WIRE_LOG, "[    0.000000] vm, leaks: looked %s\n", when);
	pump_log();
}

/*
 * Buffers of sockets that were read on another processor than they came from are freed there, with
 * the pages they refer to, when the network next has to do there: a datagram for each.
 */
static void free_socket_buffers(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	long cpu, all = sysconf(_SC_NPROCESSORS_ONLN);
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cpu_set_t set;
	char byte = 0;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, length) ||
	    getsockname(fd, (struct sockaddr *)&at, &length))
		all = 0;
	for (cpu = 0; cpu < all; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) ||
		    sendto(fd, &byte, 1, 0, (struct sockaddr *)&at, length) != 1 ||
		    recv(fd, &byte, 1, 0) != 1)
			break;
	}
	if (fd >= 0)
		close(fd);
}

/*
 * kmemleak does not track pages that no slab has. Who has allocated a page is told by its record
 * in page_owner: one for each read, as long as the module is loaded with its name.
 */
static void report_pages(void)
{
	static char record[16384];
	int fd, found = 0, all = 0;
	ssize_t n;

	fd = open("/sys/kernel/debug/page_owner", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	free_socket_buffers();
	/* Fewer pages to look at. */
	put("/proc/sys/vm/drop_caches", "3");
	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		all++;
		/* What a slab or a stack depot takes stays with it; KASAN's shadow is lazy. */
		if (!strstr(record, "[zpipe]") || strstr(record, "slab") ||
		    strstr(record, "depot") || strstr(record, "kasan_"))
			continue;
		if (found++ < 5)
			for (char *line = strtok(record, "\n"); line; line = strtok(NULL, "\n"))
				note(WIRE_LOG, "[    0.000000] vm, pages: %s\n", line);
	}
	close(fd);
	if (found)
		note(WIRE_LOG, "[    0.000000] vm: %d pages of zpipe's are left\n", found);
	note(WIRE_LOG, "[    0.000000] vm, pages: looked at %d\n", all);
}

void begin_module(void)
{
	forget_leaks();
	load_module();
}

void end_module(void)
{
	bool tracked = !access(KMEMLEAK, F_OK);

	report_leaks("after the last process ended");
	report_pages();
	unload_module();
	if (!tracked)
		return;
	load_module();
	unload_module();
	report_leaks("after unloading, loading and unloading");
}
