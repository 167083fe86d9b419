// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl - the dispatcher
 *
 * Arguments are copied from and to user memory here, and never with a lock of
 * the pipe held. The size comes from the command: a shorter struct is
 * zero-filled, a longer one must have a zero tail, and the answer is written for
 * the shorter of the two. A verb that comes through io_uring goes the same way.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "ioctl.h"
#include "pipe.h"
#include "stream.h"
#include "types.h"
#include "verbs.h"
#include "wait.h"

static const struct zpipe_verb *find_verb(unsigned int command)
{
	if (_IOC_TYPE(command) != ZPIPE_IOC_MAGIC ||
	    _IOC_DIR(command) != (_IOC_READ | _IOC_WRITE))
		return NULL;
	return zpipe_verbs_of_end(_IOC_NR(command));
}

/**
 * zpipe_ioctl_is_ours - is this a verb, of whatever kind of fd
 * @command: ioctl command
 *
 * Return: whether it is; on the wrong fd it is EBADF, else ENOTTY.
 */
bool zpipe_ioctl_is_ours(unsigned int command)
{
	return find_verb(command);
}

/*
 * Argument structs are a few words, and most calls bring exactly those that this
 * kernel knows: they are copied two by two, which takes a third of the
 * instructions of a copy of unknown length.
 */
#define MOST_WORDS	8

static bool is_short(u32 size)
{
	return size % sizeof(u64) == 0 && size / sizeof(u64) <= MOST_WORDS;
}

static int load_words(u64 *to, const u64 __user *from, u32 nr)
{
	u32 i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return -EFAULT;
	for (i = 0; i + 1 < nr; i += 2) {
		unsafe_get_user(to[i], &from[i], out_fault);
		unsafe_get_user(to[i + 1], &from[i + 1], out_fault);
	}
	if (i < nr)
		unsafe_get_user(to[i], &from[i], out_fault);
	user_read_access_end();
	return 0;

out_fault:
	user_read_access_end();
	return -EFAULT;
}

static int store_words(u64 __user *to, const u64 *from, u32 nr)
{
	u32 i;

	if (!user_write_access_begin(to, nr * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i + 1 < nr; i += 2) {
		unsafe_put_user(from[i], &to[i], out_fault);
		unsafe_put_user(from[i + 1], &to[i + 1], out_fault);
	}
	if (i < nr)
		unsafe_put_user(from[i], &to[i], out_fault);
	user_write_access_end();
	return 0;

out_fault:
	user_write_access_end();
	return -EFAULT;
}

/* The answer of a failed call is not written: out_ fields keep their bytes. */
static int answer(void __user *user, const struct zpipe_verb *verb, u32 size,
		  const union zpipe_verb_args *args)
{
	size = min(size, verb->size);
	if (is_short(size))
		return store_words(user, args->words, size / sizeof(u64));
	return copy_to_user(user, args, size) ? -EFAULT : 0;
}

/* The verb is one of this file's. */
static int begin_verb(struct zpipe_call *call, struct file *file, const struct zpipe_verb *verb,
		      unsigned int command, void __user *user)
{
	call->file = NULL;
	call->end = file;
	call->verb = verb;
	call->user = user;
	call->size = _IOC_SIZE(command);
	if (call->size < verb->min)
		return -EINVAL;
	if (call->size == verb->size && is_short(call->size))
		return load_words(call->args.words, user, call->size / sizeof(u64));
	return copy_struct_from_user(&call->args, verb->size, user, call->size);
}

static __always_inline int begin(struct zpipe_call *call, struct file *file, unsigned int command,
				 void __user *user)
{
	struct zpipe_end *end = file->private_data;
	const struct zpipe_verb *verb = find_verb(command);
	int ret;

	if (!verb)
		return -ENOTTY;
	if (verb->role && verb->role != end->role)
		ret = -EBADF;
	else
		ret = begin_verb(call, file, verb, command, user);
	if (unlikely(ret)) {
		zpipe_wait_lock(end->pipe);
		zpipe_pipe_reject_locked(end->pipe, _IOC_NR(command), 0, ret);
		zpipe_wait_unlock(end->pipe);
	}
	return ret;
}

/**
 * zpipe_ioctl_run - do a verb and answer, or go on with one that is parked
 * @call: the verb; its end's file is held
 *
 * Context: touches user memory; may sleep.
 * Return: 0 or an errno; when its park waits, it is not over.
 */
int zpipe_ioctl_run(struct zpipe_call *call)
{
	const struct zpipe_verb *verb = call->verb;
	int ret;

	if (verb->final) {
		ret = answer(call->user, verb, call->size, &call->args);
		if (ret)
			return ret;
	}
	ret = verb->handler(call->end, &call->args);
	if (ret || verb->mute)
		return ret;
	ret = answer(call->user, verb, call->size, &call->args);
	if (ret && verb->undo)
		verb->undo(call->end, &call->args);
	if (call->file && ret) {
		put_unused_fd(call->fd);
		fput(call->file);
	} else if (call->file) {
		fd_install(call->fd, call->file);
	}
	return ret;
}

/**
 * zpipe_ioctl_verb - a verb from beginning to end
 * @file: of an end
 * @command: ioctl command
 * @user: its argument struct
 *
 * Context: touches user memory; may sleep.
 * Return: 0 or an errno.
 */
int zpipe_ioctl_verb(struct file *file, unsigned int command, void __user *user)
{
	/* All that is used of it is set; zeroes for the largest verb take a while. */
	struct zpipe_call call __uninitialized;
	int ret;

	ret = begin(&call, file, command, user);
	if (ret)
		return ret;
	call.park = NULL;
	return zpipe_ioctl_run(&call);
}

/**
 * zpipe_ioctl_probe - do a verb, but keep it for later when it must wait
 * @file: of an end
 * @command: ioctl command
 * @user: its argument struct
 * @park: a probe
 * @kept: when @park waits: the call, for zpipe_ioctl_run(), or NULL without
 *	memory; may be NULL when it is not wanted
 *
 * Context: touches user memory; may sleep, but waits for nobody.
 * Return: 0 or an errno; when @park waits, it is not over.
 */
int zpipe_ioctl_probe(struct file *file, unsigned int command, void __user *user,
		      struct zpipe_park *park, struct zpipe_call **kept)
{
	struct zpipe_call call;
	int ret;

	ret = begin(&call, file, command, user);
	if (ret)
		return ret;
	call.park = park;
	ret = zpipe_ioctl_run(&call);
	if (park->waits && kept)
		*kept = kmemdup(&call, sizeof(call), GFP_KERNEL_ACCOUNT);
	return ret;
}

/**
 * zpipe_ioctl_park - run a kept call like this from now on
 * @call: kept
 * @park: waits for nothing yet; stays as long as @call
 */
void zpipe_ioctl_park(struct zpipe_call *call, struct zpipe_park *park)
{
	call->park = park;
}

/**
 * zpipe_ioctl_stop - give up a call that is parked, without an answer
 * @call: its park waits
 *
 * Context: any task.
 */
void zpipe_ioctl_stop(struct zpipe_call *call)
{
	call->verb->stop(call->end, &call->args);
}

/* FIONREAD: what read(2) would get. */
static int bytes_held(struct zpipe_end *end, int __user *user)
{
	struct zpipe_pipe *pipe = end->pipe;
	u64 held;

	zpipe_wait_lock(pipe);
	zpipe_stream_look_locked(pipe, end->reader);
	held = pipe->chain.published -
	       (end->reader ? end->reader->cursor.consumed : pipe->chain.consumed);
	zpipe_wait_unlock(pipe);
	return put_user((int)min_t(u64, held, INT_MAX), user);
}

/**
 * zpipe_ioctl_end - f_op->unlocked_ioctl of an end
 * @file: the end's
 * @command: ioctl command
 * @address: user pointer
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
long zpipe_ioctl_end(struct file *file, unsigned int command, unsigned long address)
{
	if (command == FIONREAD)
		return bytes_held(file->private_data, (int __user *)address);
	return zpipe_ioctl_verb(file, command, (void __user *)address);
}

/* A verb of a pool or of a buffer; any other one is for another kind of fd. */
static int run_or_refuse(struct file *file, const struct zpipe_verb *verb, unsigned int command,
			 void __user *user)
{
	struct zpipe_call call;
	int ret;

	if (!zpipe_ioctl_is_ours(command))
		return -ENOTTY;
	if (!verb)
		return -EBADF;
	ret = begin_verb(&call, file, verb, command, user);
	if (ret)
		return ret;
	call.park = NULL;
	return zpipe_ioctl_run(&call);
}

/**
 * zpipe_ioctl_pool - f_op->unlocked_ioctl of a pool
 * @file: the pool's
 * @command: ioctl command
 * @address: user pointer
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
long zpipe_ioctl_pool(struct file *file, unsigned int command, unsigned long address)
{
	return run_or_refuse(file, zpipe_verbs_of_pool(_IOC_NR(command)), command,
			     (void __user *)address);
}

/**
 * zpipe_ioctl_buffer - f_op->unlocked_ioctl of a buffer
 * @file: the buffer's
 * @command: ioctl command
 * @address: user pointer
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
long zpipe_ioctl_buffer(struct file *file, unsigned int command, unsigned long address)
{
	return run_or_refuse(file, zpipe_verbs_of_buffer(_IOC_NR(command)), command,
			     (void __user *)address);
}
