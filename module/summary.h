/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * summary - what the whole module holds, in the fdinfo of an fd of /dev/zpipe
 */
#ifndef ZPIPE_SUMMARY_H
#define ZPIPE_SUMMARY_H

struct file;
struct seq_file;

void zpipe_summary_show(struct seq_file *seq, struct file *file);

#endif /* ZPIPE_SUMMARY_H */
