/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl - the dispatcher and the table of verbs
 */
#ifndef ZPIPE_IOCTL_H
#define ZPIPE_IOCTL_H

#include <linux/fs.h>

bool zpipe_ioctl_is_ours(unsigned int command);
long zpipe_ioctl_end(struct file *file, unsigned int command, unsigned long address);
long zpipe_ioctl_buffer(struct file *file, unsigned int command, unsigned long address);

#endif /* ZPIPE_IOCTL_H */
