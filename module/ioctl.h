/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl - the dispatcher and the table of verbs
 */
#ifndef ZPIPE_IOCTL_H
#define ZPIPE_IOCTL_H

#include <linux/fs.h>
#include <linux/zpipe.h>

struct zpipe_park;
struct zpipe_verb;

/* Any argument struct. */
union zpipe_args {
	struct zpipe_create_args create;
	struct zpipe_info_args info;
	struct zpipe_stat_args stat;
	struct zpipe_alloc_args alloc;
	struct zpipe_flush_args flush;
	struct zpipe_read_args read;
	struct zpipe_advance_args advance;
	struct zpipe_complete_args complete;
	struct zpipe_cancel_args cancel;
	struct zpipe_set_args set;
	struct zpipe_reset_args reset;
};

/**
 * struct zpipe_call - a verb on its way
 * @file: of the end
 * @verb: which
 * @user: where the arguments came from and the answer goes
 * @size: of the struct there
 * @park: how it waits without sleeping, or NULL
 * @args: its arguments
 */
struct zpipe_call {
	struct file *file;
	const struct zpipe_verb *verb;
	void __user *user;
	u32 size;
	struct zpipe_park *park;
	union zpipe_args args;
};

int zpipe_ioctl_begin(struct zpipe_call *call, struct file *file, unsigned int command,
		      void __user *user);
int zpipe_ioctl_run(struct zpipe_call *call);
void zpipe_ioctl_stop(struct zpipe_call *call);
bool zpipe_ioctl_is_ours(unsigned int command);
long zpipe_ioctl_end(struct file *file, unsigned int command, unsigned long address);

#endif /* ZPIPE_IOCTL_H */
