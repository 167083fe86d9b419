/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * splice - splice(2), sendfile(2): out by page reference, in by a counted copy
 */
#ifndef ZPIPE_SPLICE_H
#define ZPIPE_SPLICE_H

#include <linux/fs.h>
#include <linux/pipe_fs_i.h>

ssize_t zpipe_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *to,
			  size_t length, unsigned int flags);
ssize_t zpipe_splice_write(struct pipe_inode_info *from, struct file *out, loff_t *pos,
			   size_t length, unsigned int flags);

#endif /* ZPIPE_SPLICE_H */
