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
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "buffer.h"
#include "ends.h"
#include "file.h"
#include "forward.h"
#include "info.h"
#include "ioctl.h"
#include "pipe.h"
#include "poolfd.h"
#include "post.h"
#include "preserve.h"
#include "reader.h"
#include "types.h"
#include "wait.h"
#include "writer.h"

/* Any argument struct, on the dispatcher's stack. */
union verb_args {
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
};

struct verb;

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
	union verb_args args;
	struct file *file;
	int fd;
	struct file *end;
	const struct verb *verb;
	void __user *user;
	u32 size;
	struct zpipe_park *park;
};

/* The role of what belongs to neither end. */
#define ZPIPE_ROLE_DEVICE	(~0U)

/**
 * struct verb - an ioctl
 * @number: ZPIPE_NR_*
 * @role: ZPIPE_ROLE_* of the end it belongs to, 0 for either
 * @min: shortest struct that makes sense: up to the end of its last input
 * @size: of the struct this kernel knows
 * @handler: does it
 * @undo: takes it back when the answer cannot be delivered, or NULL
 * @stop: gives it up while it is parked, or NULL when it never is
 */
struct verb {
	u32 number;
	u32 role;
	u32 min;
	u32 size;
	int (*handler)(struct file *file, union verb_args *args);
	void (*undo)(struct file *file, union verb_args *args);
	void (*stop)(struct file *file, union verb_args *args);
};

static bool is_nowait(const struct file *file)
{
	return file->f_flags & O_NONBLOCK;
}

static struct zpipe_call *call_of(union verb_args *args)
{
	return container_of(args, struct zpipe_call, args);
}

/*
 * A handler has made a file: reserve an fd for it, to be written into the
 * answer. It is installed when nothing can fail any more. Takes over the
 * caller's reference.
 */
static int offer_file(union verb_args *args, struct file *file)
{
	struct zpipe_call *call = call_of(args);

	if (IS_ERR(file))
		return PTR_ERR(file);
	call->fd = get_unused_fd_flags(O_CLOEXEC);
	if (call->fd < 0) {
		fput(file);
		return call->fd;
	}
	call->file = file;
	return call->fd;
}

static int do_info(struct file *file, union verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_info_get(file->private_data, &args->info);
}

static int do_stat(struct file *file, union verb_args *args)
{
	if (args->stat.flags || args->stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_info_stat(file->private_data, &args->stat);
}

static int do_alloc(struct file *file, union verb_args *args)
{
	return zpipe_writer_alloc(file->private_data, &args->alloc, is_nowait(file),
				  call_of(args)->park);
}

static void stop_alloc(struct file *file, union verb_args *args)
{
	zpipe_writer_stop_alloc(file->private_data, &args->alloc, call_of(args)->park);
}

static int do_flush(struct file *file, union verb_args *args)
{
	return zpipe_writer_flush(file->private_data, &args->flush, is_nowait(file),
				  call_of(args)->park);
}

static void stop_flush(struct file *file, union verb_args *args)
{
	zpipe_writer_stop_flush(file->private_data, &args->flush, call_of(args)->park);
}

static void undo_read(struct file *file, union verb_args *args)
{
	zpipe_reader_unread(file->private_data, &args->read);
}

static void stop_read(struct file *file, union verb_args *args)
{
	zpipe_reader_stop_read(file->private_data, &args->read, call_of(args)->park);
}

/*
 * Room for the spans of an answer: *few, four of them, or more, and *nr cut to
 * what is useful.
 */
static struct zpipe_span *make_spans(struct zpipe_span *few, u32 *nr, u32 most)
{
	/* No more than there can be. */
	*nr = min(*nr, most);
	if (*nr <= 4)
		return few;
	return kvmalloc_array(*nr, sizeof(*few), GFP_KERNEL_ACCOUNT);
}

static int copy_spans(u64 user, const struct zpipe_span *spans, u32 room, u32 nr)
{
	return copy_to_user(u64_to_user_ptr(user), spans, min(room, nr) * sizeof(*spans)) ?
	       -EFAULT : 0;
}

static int do_read(struct file *file, union verb_args *args)
{
	struct zpipe_end *end = file->private_data;
	u32 room = args->read.nr_spans;
	struct zpipe_span few[4], *spans;
	int ret;

	/* No view has more spans than the chain has entries. */
	spans = make_spans(few, &args->read.nr_spans, end->pipe->state->table_entries);
	if (!spans) {
		args->read.nr_spans = room;
		return -ENOMEM;
	}
	ret = zpipe_reader_read(end, &args->read, spans, is_nowait(file), call_of(args)->park);
	if (!ret && room) {
		ret = copy_spans(args->read.spans, spans, args->read.nr_spans,
				 args->read.out_nr_spans);
		if (ret)
			undo_read(file, args);
	}
	args->read.nr_spans = room;
	if (spans != few)
		kvfree(spans);
	return ret;
}

static void undo_preserve(struct file *file, union verb_args *args)
{
	struct zpipe_release_args release = { .handle = args->preserve.out_handle };

	zpipe_preserve_release(file->private_data, &release);
}

static int do_preserve(struct file *file, union verb_args *args)
{
	struct zpipe_end *end = file->private_data;
	u32 room = args->preserve.nr_spans;
	struct zpipe_span few[4], *spans;
	int ret;

	spans = make_spans(few, &args->preserve.nr_spans,
			   end->pipe->state->table_entries);
	if (!spans)
		return -ENOMEM;
	ret = zpipe_preserve_take(end, &args->preserve, spans);
	if (!ret && room) {
		ret = copy_spans(args->preserve.spans, spans, args->preserve.nr_spans,
				 args->preserve.out_nr_spans);
		if (ret)
			undo_preserve(file, args);
	}
	args->preserve.nr_spans = room;
	if (spans != few)
		kvfree(spans);
	return ret;
}

static int do_release(struct file *file, union verb_args *args)
{
	return zpipe_preserve_release(file->private_data, &args->release);
}

static int do_export(struct file *file, union verb_args *args)
{
	int fd = offer_file(args, zpipe_buffer_create(file->private_data, &args->export));

	args->export.out_fd = fd;
	return min(fd, 0);
}

static int do_advance(struct file *file, union verb_args *args)
{
	return zpipe_reader_advance(file->private_data, &args->advance);
}

static int do_complete(struct file *file, union verb_args *args)
{
	return zpipe_ends_complete(file->private_data, &args->complete);
}

static int do_cancel(struct file *file, union verb_args *args)
{
	return zpipe_ends_cancel(file->private_data, &args->cancel);
}

static int do_set(struct file *file, union verb_args *args)
{
	return zpipe_ends_set(file->private_data, &args->set);
}

static int do_reset(struct file *file, union verb_args *args)
{
	return zpipe_ends_reset(file->private_data, &args->reset);
}

static int do_tee(struct file *file, union verb_args *args)
{
	int fd;

	if (args->tee.__reserved)
		return -EOPNOTSUPP;
	fd = offer_file(args, zpipe_file_tee(file->private_data, &args->tee));
	args->tee.out_fd = fd;
	return min(fd, 0);
}

static int do_forward(struct file *file, union verb_args *args)
{
	struct file *from = fget(args->forward.source_fd);
	/* It cannot be parked: as an io_uring command it does not wait. */
	bool nowait = is_nowait(file) || call_of(args)->park;
	struct zpipe_end *source = from ? zpipe_file_end(from) : NULL;
	int ret;

	if (source && !source->reader)
		source = NULL;
	ret = zpipe_forward(file->private_data, source, &args->forward, nowait);
	if (from)
		fput(from);
	return ret;
}

static int do_post(struct file *file, union verb_args *args)
{
	return zpipe_post_add(file->private_data, &args->post);
}

static int do_unpost(struct file *file, union verb_args *args)
{
	return zpipe_post_take(file->private_data, &args->unpost);
}

#define VERB(nr, who, type, last, fn, back, ...)				\
	{									\
		.number = ZPIPE_NR_##nr,					\
		.role = (who),							\
		.min = offsetofend(struct zpipe_##type##_args, last),		\
		.size = sizeof(struct zpipe_##type##_args),			\
		.handler = (fn),						\
		.undo = (back),							\
		##__VA_ARGS__							\
	}

static const struct verb verbs[] = {
	VERB(POOL_CREATE, ZPIPE_ROLE_DEVICE, pool_create, out_fd, NULL, NULL),
	VERB(CREATE, ZPIPE_ROLE_DEVICE, create, out_reader_fd, NULL, NULL),
	VERB(INFO, 0, info, flags, do_info, NULL),
	VERB(STAT, 0, stat, __reserved, do_stat, NULL),
	VERB(ALLOC, ZPIPE_ROLE_WRITER, alloc, min, do_alloc, NULL, .stop = stop_alloc),
	VERB(FLUSH, ZPIPE_ROLE_WRITER, flush, position, do_flush, NULL, .stop = stop_flush),
	VERB(READ, ZPIPE_ROLE_READER, read, min, do_read, undo_read, .stop = stop_read),
	VERB(ADVANCE, ZPIPE_ROLE_READER, advance, consumed, do_advance, NULL),
	VERB(COMPLETE, 0, complete, error, do_complete, NULL),
	VERB(CANCEL, 0, cancel, what, do_cancel, NULL),
	VERB(SET, 0, set, resume, do_set, NULL),
	VERB(RESET, 0, reset, flags, do_reset, NULL),
	VERB(FORWARD, ZPIPE_ROLE_WRITER, forward, position, do_forward, NULL),
	/* Without room for the handle, or the fd, in the answer it would be lost. */
	VERB(PRESERVE, ZPIPE_ROLE_READER, preserve, out_handle, do_preserve, undo_preserve),
	VERB(RELEASE, ZPIPE_ROLE_READER, release, handle, do_release, NULL),
	VERB(EXPORT, ZPIPE_ROLE_READER, export, out_fd, do_export, NULL),
	VERB(TEE, ZPIPE_ROLE_READER, tee, out_fd, do_tee, NULL),
	VERB(POST, ZPIPE_ROLE_READER, post, length, do_post, NULL),
	/* What comes back is known by the answer only: there must be room for it. */
	VERB(UNPOST, ZPIPE_ROLE_READER, unpost, out_status, do_unpost, NULL),
};

static int do_pool_info(struct file *file, union verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_poolfd_info(file->private_data, &args->info);
}

static int do_pool_stat(struct file *file, union verb_args *args)
{
	if (args->pool_stat.flags || args->pool_stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_poolfd_stat(file->private_data, &args->pool_stat);
}

/* What a pool's fd answers; any other verb is for another kind of fd. */
static const struct verb pool_verbs[] = {
	VERB(INFO, ZPIPE_ROLE_POOL, info, flags, do_pool_info, NULL),
	VERB(STAT, ZPIPE_ROLE_POOL, pool_stat, __reserved, do_pool_stat, NULL),
};

static int do_buffer_info(struct file *file, union verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_buffer_info(file->private_data, &args->info);
}

static int do_buffer_stat(struct file *file, union verb_args *args)
{
	if (args->stat.flags || args->stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_buffer_stat(file->private_data, &args->stat);
}

static int do_buffer_read(struct file *file, union verb_args *args)
{
	struct zpipe_hold *hold = file->private_data;
	u32 room = args->read.nr_spans;
	struct zpipe_span few[4], *spans;
	int ret;

	spans = make_spans(few, &args->read.nr_spans,
			   zpipe_slots_total(&hold->pool->slots) + 1);
	if (!spans)
		return -ENOMEM;
	ret = zpipe_buffer_read(hold, &args->read, spans);
	if (!ret && room)
		ret = copy_spans(args->read.spans, spans, args->read.nr_spans,
				 args->read.out_nr_spans);
	args->read.nr_spans = room;
	if (spans != few)
		kvfree(spans);
	return ret;
}

/* What a buffer answers; any other verb is for another kind of fd. */
static const struct verb buffer_verbs[] = {
	VERB(INFO, ZPIPE_ROLE_BUFFER, info, flags, do_buffer_info, NULL),
	VERB(STAT, ZPIPE_ROLE_BUFFER, stat, __reserved, do_buffer_stat, NULL),
	VERB(READ, ZPIPE_ROLE_BUFFER, read, min, do_buffer_read, NULL),
};

static const struct verb *find_verb(unsigned int command)
{
	const struct verb *verb;

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

/* The answer of a failed call is not written: out_ fields keep their bytes. */
static int answer(void __user *user, const struct verb *verb, u32 size,
		  const union verb_args *args)
{
	return copy_to_user(user, args, min(size, verb->size)) ? -EFAULT : 0;
}

/* The verb is one of this file's. */
static int begin_verb(struct zpipe_call *call, struct file *file, const struct verb *verb,
		      unsigned int command, void __user *user)
{
	call->file = NULL;
	call->end = file;
	call->verb = verb;
	call->user = user;
	call->size = _IOC_SIZE(command);
	if (call->size < verb->min)
		return -EINVAL;
	return copy_struct_from_user(&call->args, verb->size, user, call->size);
}

static int begin(struct zpipe_call *call, struct file *file, unsigned int command,
		 void __user *user)
{
	struct zpipe_end *end = file->private_data;
	const struct verb *verb = find_verb(command);
	int ret;

	if (!verb)
		return -ENOTTY;
	if (verb->role && verb->role != end->role)
		ret = -EBADF;
	else
		ret = begin_verb(call, file, verb, command, user);
	if (ret) {
		zpipe_wait_lock(end->pipe);
		zpipe_pipe_reject_locked(end->pipe, verb->number, 0, ret);
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
	const struct verb *verb = call->verb;
	int ret;

	ret = verb->handler(call->end, &call->args);
	if (ret)
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
	struct zpipe_call call;
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
	zpipe_pipe_look_locked(pipe, end->reader);
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

/**
 * zpipe_ioctl_pool - f_op->unlocked_ioctl of a pool
 * @file: the pool's
 * @command: ioctl command
 * @address: user pointer
 *
 * Return: 0 or an errno.
 */
long zpipe_ioctl_pool(struct file *file, unsigned int command, unsigned long address)
{
	const struct verb *verb;
	struct zpipe_call call;
	int ret;

	if (!find_verb(command))
		return -ENOTTY;
	for (verb = pool_verbs; verb < pool_verbs + ARRAY_SIZE(pool_verbs); verb++) {
		if (verb->number != _IOC_NR(command))
			continue;
		ret = begin_verb(&call, file, verb, command, (void __user *)address);
		call.park = NULL;
		return ret ?: zpipe_ioctl_run(&call);
	}
	return -EBADF;
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
	const struct verb *verb;
	struct zpipe_call call;
	int ret;

	if (!find_verb(command))
		return -ENOTTY;
	for (verb = buffer_verbs; verb->number != _IOC_NR(command); verb++) {
		if (verb + 1 == buffer_verbs + ARRAY_SIZE(buffer_verbs))
			return -EBADF;
	}
	ret = begin_verb(&call, file, verb, command, (void __user *)address);
	if (ret)
		return ret;
	call.park = NULL;
	return zpipe_ioctl_run(&call);
}
