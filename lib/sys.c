// SPDX-License-Identifier: MIT
/*
 * sys - the raw calls
 *
 * One function per verb, nothing but the ioctl and its errno. Here too the
 * constants of the public header are held against the kernel's. The host unit
 * tests put their own kernel in the place of this file.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"

_Static_assert(ZP_COMPLETED == ZPIPE_RES_COMPLETED, "result flag");
_Static_assert(ZP_CANCELED == ZPIPE_RES_CANCELED, "result flag");
_Static_assert(ZP_PUSHED == ZPIPE_RES_PUSHED, "result flag");
_Static_assert(ZP_FULL == ZPIPE_RES_FULL, "result flag");
_Static_assert(ZP_ABORTED == ZPIPE_RES_ABORTED, "result flag");
_Static_assert(ZP_NOWAIT == ZPIPE_ALLOC_F_NOWAIT, "call flag");
_Static_assert(ZP_NOWAIT == ZPIPE_FLUSH_F_NOWAIT, "call flag");
_Static_assert(ZP_NOWAIT == ZPIPE_READ_F_NOWAIT, "call flag");
_Static_assert(ZP_NOWAIT == ZPIPE_FORWARD_F_NOWAIT, "call flag");
_Static_assert(ZP_FLUSH_NOWAKE == ZPIPE_FLUSH_F_NOWAKE, "flush flag");
_Static_assert(ZP_FLUSH_PUSH == ZPIPE_FLUSH_F_PUSH, "flush flag");
_Static_assert(ZP_FLUSH_WAIT_EXAMINED == ZPIPE_FLUSH_F_WAIT_EXAMINED, "flush flag");
_Static_assert(ZP_FLUSH_WAIT_CONSUMED == ZPIPE_FLUSH_F_WAIT_CONSUMED, "flush flag");
_Static_assert(ZP_CONTIG == ZPIPE_F_CONTIG, "pipe flag");
_Static_assert(ZP_NONBLOCK == ZPIPE_F_NONBLOCK, "pipe flag");
_Static_assert(ZP_GUARDED == ZPIPE_F_GUARDED, "pipe flag");
_Static_assert(ZP_POSTED == ZPIPE_F_POSTED, "pipe flag");
_Static_assert(ZP_DRAIN == ZPIPE_COMPLETE_F_DRAIN, "complete flag");
_Static_assert(ZP_CANCEL_READ == ZPIPE_CANCEL_READ, "cancel");
_Static_assert(ZP_CANCEL_FLUSH == ZPIPE_CANCEL_FLUSH, "cancel");
_Static_assert(ZP_ROLE_WRITER == ZPIPE_ROLE_WRITER, "role");
_Static_assert(ZP_ROLE_READER == ZPIPE_ROLE_READER, "role");
_Static_assert(ZP_ROLE_BUFFER == ZPIPE_ROLE_BUFFER, "role");
_Static_assert(ZP_KEEP == ZPIPE_KEEP, "keep");

static int call(int fd, unsigned long request, void *args)
{
	int ret = ioctl(fd, request, args);

	return ret < 0 ? -errno : ret;
}

int zp_sys_create(int fd, struct zpipe_create_args *args)
{
	return call(fd, ZPIPE_IOC_CREATE, args);
}

int zp_sys_pool_create(int fd, struct zpipe_pool_create_args *args)
{
	return call(fd, ZPIPE_IOC_POOL_CREATE, args);
}

int zp_sys_pool_stat(int fd, struct zpipe_pool_stat_args *args)
{
	return call(fd, ZPIPE_IOC_POOL_STAT, args);
}

int zp_sys_forward(int fd, struct zpipe_forward_args *args)
{
	return call(fd, ZPIPE_IOC_FORWARD, args);
}

int zp_sys_info(int fd, struct zpipe_info_args *args)
{
	return call(fd, ZPIPE_IOC_INFO, args);
}

int zp_sys_stat(int fd, struct zpipe_stat_args *args)
{
	return call(fd, ZPIPE_IOC_STAT, args);
}

int zp_sys_alloc(int fd, struct zpipe_alloc_args *args)
{
	return call(fd, ZPIPE_IOC_ALLOC, args);
}

int zp_sys_flush(int fd, struct zpipe_flush_args *args)
{
	return call(fd, ZPIPE_IOC_FLUSH, args);
}

int zp_sys_read(int fd, struct zpipe_read_args *args)
{
	return call(fd, ZPIPE_IOC_READ, args);
}

int zp_sys_advance(int fd, struct zpipe_advance_args *args)
{
	return call(fd, ZPIPE_IOC_ADVANCE, args);
}

int zp_sys_complete(int fd, struct zpipe_complete_args *args)
{
	return call(fd, ZPIPE_IOC_COMPLETE, args);
}

int zp_sys_cancel(int fd, struct zpipe_cancel_args *args)
{
	return call(fd, ZPIPE_IOC_CANCEL, args);
}

int zp_sys_set(int fd, struct zpipe_set_args *args)
{
	return call(fd, ZPIPE_IOC_SET, args);
}

int zp_sys_preserve(int fd, struct zpipe_preserve_args *args)
{
	return call(fd, ZPIPE_IOC_PRESERVE, args);
}

int zp_sys_release(int fd, struct zpipe_release_args *args)
{
	return call(fd, ZPIPE_IOC_RELEASE, args);
}

int zp_sys_export(int fd, struct zpipe_export_args *args)
{
	return call(fd, ZPIPE_IOC_EXPORT, args);
}

int zp_sys_tee(int fd, struct zpipe_tee_args *args)
{
	return call(fd, ZPIPE_IOC_TEE, args);
}

int zp_sys_post(int fd, struct zpipe_post_args *args)
{
	return call(fd, ZPIPE_IOC_POST, args);
}

int zp_sys_unpost(int fd, struct zpipe_unpost_args *args)
{
	return call(fd, ZPIPE_IOC_UNPOST, args);
}

int zp_sys_reset(int fd, struct zpipe_reset_args *args)
{
	return call(fd, ZPIPE_IOC_RESET, args);
}
