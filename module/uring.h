/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uring - io_uring commands: the verbs without a system call, waiting without a task
 */
#ifndef ZPIPE_URING_H
#define ZPIPE_URING_H

struct io_uring_cmd;

int zpipe_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);

#endif /* ZPIPE_URING_H */
