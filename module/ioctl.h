/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl - the dispatcher
 */
#ifndef ZPIPE_IOCTL_H
#define ZPIPE_IOCTL_H

#include <linux/fs.h>

struct zpipe_call;
struct zpipe_park;

int zpipe_ioctl_verb(struct file *file, unsigned int command, void __user *user);
int zpipe_ioctl_probe(struct file *file, unsigned int command, void __user *user,
		      struct zpipe_park *park, struct zpipe_call **kept);
int zpipe_ioctl_run(struct zpipe_call *call);
void zpipe_ioctl_park(struct zpipe_call *call, struct zpipe_park *park);
void zpipe_ioctl_stop(struct zpipe_call *call);
bool zpipe_ioctl_is_ours(unsigned int command);
long zpipe_ioctl_pool(struct file *file, unsigned int command, unsigned long address);
long zpipe_ioctl_end(struct file *file, unsigned int command, unsigned long address);
long zpipe_ioctl_buffer(struct file *file, unsigned int command, unsigned long address);

#endif /* ZPIPE_IOCTL_H */
