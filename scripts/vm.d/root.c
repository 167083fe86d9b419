// SPDX-License-Identifier: MIT
/*
 * root - see root.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "port.h"
#include "root.h"

#define ROOT "/r"

/* Make PATH below the new root, if its file system lets us. */
static void make_path(const char *path, bool is_dir)
{
	char buf[4096];
	int fd;

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	for (char *p = buf + strlen(ROOT) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(buf, 0755);
		*p = '/';
	}
	if (is_dir) {
		mkdir(buf, 0755);
	} else {
		fd = open(buf, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	}
}

static void mount_on(const char *type, const char *path, unsigned long flags, const char *options)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	if (mount(type, buf, type, flags, options))
		fail(path);
}

/* As mount_on, for what a run can do without. */
static void try_mount_on(const char *type, const char *path, const char *options)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	mkdir(buf, 0755);
	if (mount(type, buf, type, 0, options) && errno != ENODEV && errno != ENOENT)
		note(WIRE_ERR, "vm: %s is not mounted: %s\n", path, strerror(errno));
}

static void bind_fd(int fd, const char *path)
{
	char from[64], to[4096];
	struct stat st;

	if (fstat(fd, &st))
		fail(path);
	make_path(path, S_ISDIR(st.st_mode));
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	snprintf(to, sizeof(to), "%s%s", ROOT, path);
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL))
		fail(path);
	close(fd);
}

static int open_below_root(const char *path)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%s%s", ROOT, path);
	return open(buf, O_PATH | O_CLOEXEC);
}

void mount_all(void)
{
	static const char nine[] = "trans=virtio,version=9p2000.L,msize=512000";
	int kept[LIST_MAX], mods = -1, libmods = -1;
	char options[128];

	mkdir(ROOT, 0755);
	snprintf(options, sizeof(options), "%s,cache=loose", nine);
	if (mount("root", ROOT, "9p", MS_RDONLY, options))
		fail("host root");
	for (int i = 0; i < conf.keeps.n; i++) {
		kept[i] = open_below_root(conf.keeps.at[i]);
		if (kept[i] < 0)
			fail(conf.keeps.at[i]);
	}
	if (conf.kmods)
		mods = open_below_root(conf.kmods);
	libmods = open_below_root("/lib/modules");

	mount_on("devtmpfs", "/dev", 0, "mode=0755");
	mount_on("proc", "/proc", 0, NULL);
	mount_on("sysfs", "/sys", 0, NULL);
	mkdir(ROOT "/dev/shm", 01777);
	mkdir(ROOT "/dev/pts", 0755);
	if (symlink("/proc/self/fd", ROOT "/dev/fd") || symlink("fd/0", ROOT "/dev/stdin") ||
	    symlink("fd/1", ROOT "/dev/stdout") || symlink("fd/2", ROOT "/dev/stderr"))
		fail("/dev/fd");
	mount_on("devpts", "/dev/pts", 0, "mode=0620,ptmxmode=0666");
	mount_on("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/var/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mkdir(ROOT "/run/lock", 01777);
	mkdir(ROOT "/run/home", 0700);
	try_mount_on("tracefs", "/sys/kernel/tracing", NULL);
	try_mount_on("debugfs", "/sys/kernel/debug", NULL);
	try_mount_on("cgroup2", "/sys/fs/cgroup", NULL);
	try_mount_on("bpf", "/sys/fs/bpf", NULL);

	for (int i = 0; i < conf.keeps.n; i++)
		bind_fd(kept[i], conf.keeps.at[i]);
	if (mods >= 0 && libmods >= 0)
		bind_fd(mods, "/lib/modules");
	/* Written through at once, so that ending the machine loses nothing. */
	for (int i = 0; i < conf.shares.n; i++) {
		char tag[16], to[4096];

		snprintf(tag, sizeof(tag), "share%d", i);
		snprintf(to, sizeof(to), "%s%s", ROOT, conf.shares.at[i]);
		snprintf(options, sizeof(options), "%s,cache=mmap", nine);
		make_path(conf.shares.at[i], true);
		if (mount(tag, to, "9p", 0, options))
			fail(conf.shares.at[i]);
	}
}

/* What switch_root does: a chroot alone would forbid user namespaces. */
void switch_root(void)
{
	if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switch to host root");
}
