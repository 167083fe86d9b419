/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl - the dispatcher and the table of an end's verbs
 */
#ifndef ZPIPE_IOCTL_H
#define ZPIPE_IOCTL_H

#include <linux/fs.h>

long zpipe_ioctl_end(struct file *file, unsigned int command, unsigned long address);

#endif /* ZPIPE_IOCTL_H */
