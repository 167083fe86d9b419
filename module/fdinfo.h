/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fdinfo - what /proc/PID/fdinfo says about an end
 */
#ifndef ZPIPE_FDINFO_H
#define ZPIPE_FDINFO_H

#include <linux/seq_file.h>

void zpipe_fdinfo_show(struct seq_file *seq, struct file *file);

#endif /* ZPIPE_FDINFO_H */
