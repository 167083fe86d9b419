/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * copy - read(2) and write(2): the only places where bytes are copied
 */
#ifndef ZPIPE_COPY_H
#define ZPIPE_COPY_H

#include <linux/fs.h>

ssize_t zpipe_copy_write(struct kiocb *iocb, struct iov_iter *from);
ssize_t zpipe_copy_read(struct kiocb *iocb, struct iov_iter *to);

#endif /* ZPIPE_COPY_H */
