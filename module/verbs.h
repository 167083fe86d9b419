/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verbs - what each ioctl does, and what it needs
 *
 * Handlers work on arguments that ioctl.c has copied; what they have to say to
 * user memory besides (spans) they copy themselves, without a lock.
 */
#ifndef ZPIPE_VERBS_H
#define ZPIPE_VERBS_H

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/zpipe.h>

struct zpipe_park;

/* Any argument struct, on the dispatcher's stack. */
union zpipe_verb_args {
	struct zpipe_pool_create_args pool_create;
	struct zpipe_create_args create;
	struct zpipe_info_args info;
	struct zpipe_stat_args stat;
	struct zpipe_pool_stat_args pool_stat;
	struct zpipe_alloc_args alloc;
	struct zpipe_flush_args flush;
	struct zpipe_read_args read;
	struct zpipe_advance_args advance;
	struct zpipe_complete_args complete;
	struct zpipe_cancel_args cancel;
	struct zpipe_set_args set;
	struct zpipe_reset_args reset;
	struct zpipe_preserve_args preserve;
	struct zpipe_release_args release;
	struct zpipe_export_args export;
	struct zpipe_tee_args tee;
	struct zpipe_forward_args forward;
	struct zpipe_post_args post;
	struct zpipe_unpost_args unpost;
	u64 words[8];
};

struct zpipe_verb;

/**
 * struct zpipe_call - a verb in progress
 * @args: of the call
 * @file: made by the handler, becomes an fd once the answer is delivered; or NULL
 * @fd: reserved for it
 * @end: the file of the end
 * @verb: which it is
 * @user: where the arguments came from and the answer goes
 * @size: of the struct there
 * @park: how it waits without sleeping, or NULL
 */
struct zpipe_call {
	union zpipe_verb_args args;
	struct file *file;
	int fd;
	struct file *end;
	const struct zpipe_verb *verb;
	void __user *user;
	u32 size;
	struct zpipe_park *park;
};

/* The role of what belongs to neither end. */
#define ZPIPE_ROLE_DEVICE	(~0U)

/**
 * struct zpipe_verb - an ioctl
 * @role: ZPIPE_ROLE_* of the end it belongs to, 0 for either
 * @min: shortest struct that makes sense: up to the end of its last input
 * @size: of the struct this kernel knows
 * @handler: does it
 * @undo: takes it back when the answer cannot be delivered, or NULL
 * @mute: it has no outputs, so there is no answer to deliver
 * @final: it can neither be taken back nor be repeated: the answer's memory is
 *	written to first, as it was
 * @stop: gives it up while it is parked, or NULL when it never is
 */
struct zpipe_verb {
	u32 role;
	u32 min;
	u32 size;
	int (*handler)(struct file *file, union zpipe_verb_args *args);
	void (*undo)(struct file *file, union zpipe_verb_args *args);
	void (*stop)(struct file *file, union zpipe_verb_args *args);
	bool mute;
	bool final;
};

const struct zpipe_verb *zpipe_verbs_of_end(u32 number);
const struct zpipe_verb *zpipe_verbs_of_pool(u32 number);
const struct zpipe_verb *zpipe_verbs_of_buffer(u32 number);

#endif /* ZPIPE_VERBS_H */
