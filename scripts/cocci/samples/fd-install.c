// SPDX-License-Identifier: GPL-2.0-only
// What fd-install.cocci must report, and what not.
static int last(struct file *file, int fd, int __user *user)
{
	if (put_user(fd, user)) {
		put_unused_fd(fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;
}

static int too_early(struct file *file, int fd, int __user *user)
{
	fd_install(fd, file);
	if (put_user(fd, user)) /* caught */
		return -EFAULT;
	return 0;
}
