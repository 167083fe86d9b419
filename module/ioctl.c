// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl - the dispatcher and the table of verbs
 *
 * The only place where arguments are copied from and to user memory, and never
 * with a lock of the pipe held. The size comes from the command: a shorter
 * struct is zero-filled, a longer one must have a zero tail, and the answer is
 * written for the shorter of the two. A verb that comes through io_uring goes
 * the same way.
 */
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "ends.h"
#include "info.h"
#include "ioctl.h"
#include "pipe.h"
#include "reader.h"
#include "types.h"
#include "wait.h"
#include "writer.h"

/* The role of what belongs to neither end. */
#define ZPIPE_ROLE_DEVICE	3

/**
 * struct zpipe_verb - an ioctl
 * @number: ZPIPE_NR_*
 * @role: ZPIPE_ROLE_* of the end it belongs to, 0 for either
 * @min: shortest struct that makes sense: up to the end of its last input
 * @size: of the struct this kernel knows
 * @handler: does it
 * @undo: takes it back when the answer cannot be delivered, or NULL
 * @stop: gives it up while it is parked, or NULL when it never is
 */
struct zpipe_verb {
	u32 number;
	u32 role;
	u32 min;
	u32 size;
	int (*handler)(struct zpipe_call *call);
	void (*undo)(struct zpipe_call *call);
	void (*stop)(struct zpipe_call *call);
};

static bool is_nowait(const struct zpipe_call *call)
{
	return call->file->f_flags & O_NONBLOCK;
}

static struct zpipe_end *end_of(const struct zpipe_call *call)
{
	return call->file->private_data;
}

static int do_info(struct zpipe_call *call)
{
	if (call->args.info.flags)
		return -EOPNOTSUPP;
	return zpipe_info_get(end_of(call), &call->args.info);
}

static int do_stat(struct zpipe_call *call)
{
	if (call->args.stat.flags || call->args.stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_info_stat(end_of(call), &call->args.stat);
}

static int do_alloc(struct zpipe_call *call)
{
	return zpipe_writer_alloc(end_of(call), &call->args.alloc, is_nowait(call), call->park);
}

static void stop_alloc(struct zpipe_call *call)
{
	zpipe_writer_stop_alloc(end_of(call), &call->args.alloc, call->park);
}

static int do_flush(struct zpipe_call *call)
{
	return zpipe_writer_flush(end_of(call), &call->args.flush, is_nowait(call), call->park);
}

static void stop_flush(struct zpipe_call *call)
{
	zpipe_writer_stop_flush(end_of(call), &call->args.flush, call->park);
}

static void undo_read(struct zpipe_call *call)
{
	zpipe_reader_unread(end_of(call), &call->args.read);
}

static void stop_read(struct zpipe_call *call)
{
	zpipe_reader_stop_read(end_of(call), &call->args.read, call->park);
}

static int do_read(struct zpipe_call *call)
{
	struct zpipe_read_args *args = &call->args.read;
	struct zpipe_end *end = end_of(call);
	u32 room = args->nr_spans;
	struct zpipe_span few[4], *spans = few;
	int ret;

	/* No view has more spans than the pipe has segments, and one. */
	args->nr_spans = min(room, end->pipe->pool->slots.nr + 1);
	if (args->nr_spans > ARRAY_SIZE(few)) {
		spans = kvmalloc_array(args->nr_spans, sizeof(*spans), GFP_KERNEL_ACCOUNT);
		if (!spans) {
			args->nr_spans = room;
			return -ENOMEM;
		}
	}
	ret = zpipe_reader_read(end, args, spans, is_nowait(call), call->park);
	if (!ret && room) {
		u32 nr = min(args->nr_spans, args->out_nr_spans);

		if (copy_to_user(u64_to_user_ptr(args->spans), spans, nr * sizeof(*spans))) {
			undo_read(call);
			ret = -EFAULT;
		}
	}
	args->nr_spans = room;
	if (spans != few)
		kvfree(spans);
	return ret;
}

static int do_advance(struct zpipe_call *call)
{
	return zpipe_reader_advance(end_of(call), &call->args.advance);
}

static int do_complete(struct zpipe_call *call)
{
	return zpipe_ends_complete(end_of(call), &call->args.complete);
}

static int do_cancel(struct zpipe_call *call)
{
	return zpipe_ends_cancel(end_of(call), &call->args.cancel);
}

static int do_set(struct zpipe_call *call)
{
	return zpipe_ends_set(end_of(call), &call->args.set);
}

static int do_reset(struct zpipe_call *call)
{
	return zpipe_ends_reset(end_of(call), &call->args.reset);
}

#define VERB(nr, who, type, last, fn, ...)					\
	{									\
		.number = ZPIPE_NR_##nr,					\
		.role = (who),							\
		.min = offsetofend(struct zpipe_##type##_args, last),		\
		.size = sizeof(struct zpipe_##type##_args),			\
		.handler = (fn),						\
		##__VA_ARGS__							\
	}

static const struct zpipe_verb verbs[] = {
	VERB(CREATE, ZPIPE_ROLE_DEVICE, create, out_reader_fd, NULL),
	VERB(INFO, 0, info, flags, do_info),
	VERB(STAT, 0, stat, __reserved, do_stat),
	VERB(ALLOC, ZPIPE_ROLE_WRITER, alloc, min, do_alloc, .stop = stop_alloc),
	VERB(FLUSH, ZPIPE_ROLE_WRITER, flush, position, do_flush, .stop = stop_flush),
	VERB(READ, ZPIPE_ROLE_READER, read, min, do_read, .undo = undo_read, .stop = stop_read),
	VERB(ADVANCE, ZPIPE_ROLE_READER, advance, consumed, do_advance),
	VERB(COMPLETE, 0, complete, error, do_complete),
	VERB(CANCEL, 0, cancel, what, do_cancel),
	VERB(SET, 0, set, resume, do_set),
	VERB(RESET, 0, reset, flags, do_reset),
};

static const struct zpipe_verb *find_verb(unsigned int command)
{
	const struct zpipe_verb *verb;

	if (_IOC_TYPE(command) != ZPIPE_IOC_MAGIC ||
	    _IOC_DIR(command) != (_IOC_READ | _IOC_WRITE))
		return NULL;
	for (verb = verbs; verb < verbs + ARRAY_SIZE(verbs); verb++) {
		if (verb->number == _IOC_NR(command))
			return verb;
	}
	return NULL;
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

/**
 * zpipe_ioctl_begin - find the verb and take over its arguments
 * @call: filled; it does not park
 * @file: of an end; the caller holds it while the call lasts
 * @command: ioctl command
 * @user: its argument struct
 *
 * Context: touches user memory.
 * Return: 0 or an errno.
 */
int zpipe_ioctl_begin(struct zpipe_call *call, struct file *file, unsigned int command,
		      void __user *user)
{
	const struct zpipe_end *end = file->private_data;

	call->file = file;
	call->user = user;
	call->size = _IOC_SIZE(command);
	call->park = NULL;
	call->verb = find_verb(command);
	if (!call->verb)
		return -ENOTTY;
	if (call->verb->role && call->verb->role != end->role)
		return -EBADF;
	if (call->size < call->verb->min)
		return -EINVAL;
	return copy_struct_from_user(&call->args, call->verb->size, user, call->size);
}

/**
 * zpipe_ioctl_run - do it and answer, or go on with it where it was parked
 * @call: begun
 *
 * The answer of a failed call is not written: out_ fields keep their bytes.
 *
 * Context: touches user memory; may sleep.
 * Return: 0 or an errno; when call->park->waits it is not over.
 */
int zpipe_ioctl_run(struct zpipe_call *call)
{
	const struct zpipe_verb *verb = call->verb;
	int ret;

	ret = verb->handler(call);
	if (ret)
		return ret;
	if (copy_to_user(call->user, &call->args, min(call->size, verb->size))) {
		if (verb->undo)
			verb->undo(call);
		return -EFAULT;
	}
	return 0;
}

/**
 * zpipe_ioctl_stop - give up a call that is parked, without an answer
 * @call: call->park->waits
 *
 * Context: any task.
 */
void zpipe_ioctl_stop(struct zpipe_call *call)
{
	call->verb->stop(call);
}

/* FIONREAD: what read(2) would get. */
static int bytes_held(struct zpipe_end *end, int __user *user)
{
	struct zpipe_pipe *pipe = end->pipe;
	u64 held;

	zpipe_wait_lock(pipe);
	zpipe_pipe_look_locked(pipe, end->role);
	held = zpipe_chain_held(&pipe->chain);
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
	struct zpipe_call call;
	int ret;

	if (command == FIONREAD)
		return bytes_held(file->private_data, (int __user *)address);
	ret = zpipe_ioctl_begin(&call, file, command, (void __user *)address);
	return ret ?: zpipe_ioctl_run(&call);
}
