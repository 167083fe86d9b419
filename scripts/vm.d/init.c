// SPDX-License-Identifier: MIT
/*
 * init - the first process of the guest
 *
 * Brings the guest up, in this order: drivers, the port to the host, what the host wants (conf),
 * the root, the module; runs one command; and takes the module down again. Each has a file of its
 * own, whose header says what it does.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "conf.h"
#include "kernel.h"
#include "module.h"
#include "port.h"
#include "root.h"

int main(void)
{
	uint32_t status;
	int port, kmsg;
	bool module;

	signal(SIGPIPE, SIG_IGN);
	umask(0);
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		fail("/dev");
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	kmsg = open_log();
	load_drivers();
	port = open_port();
	load_conf();
	module = find_module(conf.params);
	pump_log();
	mount_all();
	umask(022);
	switch_root();
	set_up_kernel(conf.icount);
	if (module)
		begin_module();
	start_processors();

	status = run_command(port, kmsg);

	if (module)
		end_module();
	sync();
	finish(status);
}
