// SPDX-License-Identifier: MIT
/*
 * kernel - see kernel.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "port.h"

int insmod(int fd, const char *options)
{
	return syscall(SYS_finit_module, fd, options, 0);
}

/* /modules.list names the drivers in dependency order. */
void load_drivers(void)
{
	FILE *list = fopen("/modules.list", "r");
	char path[512];

	if (!list)
		fail("modules.list");
	while (fscanf(list, "%511s", path) == 1) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || (insmod(fd, "") && errno != EEXIST))
			fail(path);
		close(fd);
	}
	fclose(list);
}

void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		note(WIRE_ERR, "vm: %s: %s\n", path, strerror(errno));
	close(fd);
}

void set_up_kernel(bool icount)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = 524288 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock >= 0) {
		ioctl(sock, SIOCSIFFLAGS, &lo);
		close(sock);
	}
	if (sethostname("zpipe-vm", 8))
		fail("host name");
	setrlimit(RLIMIT_NOFILE, &files);
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu");
	put("/proc/sys/kernel/sysrq", "1");
	put("/proc/sys/kernel/panic_on_oops", "1");
	put("/proc/sys/kernel/printk_ratelimit", "0");
	/* Virtual time jumps over idle waits with an instruction clock: no watchdog makes sense. */
	put("/proc/sys/kernel/hung_task_timeout_secs", icount ? "0" : "60");
	put("/proc/sys/kernel/hung_task_panic", icount ? "0" : "1");
	if (!icount)
		put("/proc/sys/kernel/softlockup_panic", "1");
}

/*
 * The kernel boots on one processor: it rewrites its own code most while booting, and an emulated
 * processor that runs code while another rewrites it can keep the old instructions for ever.
 */
void start_processors(void)
{
	char path[64];

	for (int cpu = 1; ; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (access(path, F_OK))
			break;
		put(path, "1");
	}
}
