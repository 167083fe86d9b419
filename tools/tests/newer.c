// SPDX-License-Identifier: MIT
/*
 * newer - a module of a later interface: INFO says one version more than it is
 *
 * Loaded into a program (LD_PRELOAD), where it stands before the ioctl(2) of the C library.
 */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/zpipe.h>

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	long ret;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	ret = syscall(SYS_ioctl, fd, request, arg);
	if (!ret && request == ZPIPE_IOC_INFO)
		((struct zpipe_info_args *)arg)->out_version++;
	return (int)ret;
}
