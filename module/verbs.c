// SPDX-License-Identifier: GPL-2.0-only
/*
 * verbs - what each ioctl does, and what it needs
 *
 * See verbs.h.
 */
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "buffer.h"
#include "compat.h"
#include "ends.h"
#include "file.h"
#include "flush.h"
#include "forward.h"
#include "info.h"
#include "poolfd.h"
#include "post.h"
#include "preserve.h"
#include "reader.h"
#include "types.h"
#include "verbs.h"
#include "writer.h"

static bool is_nowait(const struct file *file)
{
	return file->f_flags & O_NONBLOCK;
}

static struct zpipe_call *call_of(union zpipe_verb_args *args)
{
	return container_of(args, struct zpipe_call, args);
}

/*
 * A handler has made a file: reserve an fd for it, to be written into the
 * answer. It is installed when nothing can fail any more. Takes over the
 * caller's reference.
 */
static int offer_file(union zpipe_verb_args *args, struct file *file)
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

static int do_info(struct file *file, union zpipe_verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_info_get(file->private_data, &args->info);
}

static int do_stat(struct file *file, union zpipe_verb_args *args)
{
	if (args->stat.flags || args->stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_info_stat(file->private_data, &args->stat);
}

static int do_alloc(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_writer_alloc(file->private_data, &args->alloc, is_nowait(file),
				  call_of(args)->park);
}

static void stop_alloc(struct file *file, union zpipe_verb_args *args)
{
	zpipe_writer_stop_alloc(file->private_data, &args->alloc, call_of(args)->park);
}

static int do_flush(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_flush(file->private_data, &args->flush, is_nowait(file),
				  call_of(args)->park);
}

static void stop_flush(struct file *file, union zpipe_verb_args *args)
{
	zpipe_flush_stop(file->private_data, &args->flush, call_of(args)->park);
}

static void undo_read(struct file *file, union zpipe_verb_args *args)
{
	zpipe_reader_unread(file->private_data, &args->read);
}

static void stop_read(struct file *file, union zpipe_verb_args *args)
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

static int do_read(struct file *file, union zpipe_verb_args *args)
{
	struct zpipe_end *end = file->private_data;
	u32 room = args->read.nr_spans;
	struct zpipe_span few[4], *spans;
	int ret;

	/* No view has more spans than the chain has entries. */
	spans = make_spans(few, &args->read.nr_spans, end->pipe->state->table_entries);
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

static void undo_preserve(struct file *file, union zpipe_verb_args *args)
{
	struct zpipe_release_args release = { .handle = args->preserve.out_handle };

	zpipe_preserve_release(file->private_data, &release);
}

static int do_preserve(struct file *file, union zpipe_verb_args *args)
{
	struct zpipe_end *end = file->private_data;
	u32 room = args->preserve.nr_spans;
	struct zpipe_span few[4], *spans;
	int ret;

	spans = make_spans(few, &args->preserve.nr_spans,
			   end->pipe->state->table_entries);
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

static int do_release(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_preserve_release(file->private_data, &args->release);
}

static int do_export(struct file *file, union zpipe_verb_args *args)
{
	int fd = offer_file(args, zpipe_buffer_create(file->private_data, &args->export));

	args->export.out_fd = fd;
	return min(fd, 0);
}

static int do_advance(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_reader_advance(file->private_data, &args->advance);
}

static int do_complete(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_ends_complete(file->private_data, &args->complete);
}

static int do_cancel(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_ends_cancel(file->private_data, &args->cancel);
}

static int do_set(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_ends_set(file->private_data, &args->set);
}

static int do_reset(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_ends_reset(file->private_data, &args->reset);
}

static int do_tee(struct file *file, union zpipe_verb_args *args)
{
	int fd;

	if (args->tee.__reserved)
		return -EOPNOTSUPP;
	fd = offer_file(args, zpipe_file_tee(file->private_data, &args->tee));
	args->tee.out_fd = fd;
	return min(fd, 0);
}

static int do_forward(struct file *file, union zpipe_verb_args *args)
{
	struct fd fd = fdget(args->forward.source_fd);
	struct file *from = fd_file(fd);
	/* It cannot be parked: as an io_uring command it does not wait. */
	bool nowait = is_nowait(file) || call_of(args)->park;
	struct zpipe_end *end = from ? zpipe_file_end(from) : NULL;
	struct zpipe_source source = {
		.reader = end ? end->reader : NULL,
		.hold = from && !end ? zpipe_buffer_of(from) : NULL,
	};
	int ret;

	ret = zpipe_forward(file->private_data, &source, &args->forward, nowait);
	fdput(fd);
	return ret;
}

static int do_post(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_post_add(file->private_data, &args->post);
}

static int do_unpost(struct file *file, union zpipe_verb_args *args)
{
	return zpipe_post_take(file->private_data, &args->unpost);
}

/* Verbs are numbered from this one on. */
#define FIRST	ZPIPE_NR_POOL_CREATE

#define VERB(nr, who, type, last, fn, back, ...)				\
	[ZPIPE_NR_##nr - FIRST] = {						\
		.role = (who),							\
		.min = offsetofend(struct zpipe_##type##_args, last),		\
		.size = sizeof(struct zpipe_##type##_args),			\
		.handler = (fn),						\
		.undo = (back),							\
		##__VA_ARGS__							\
	}

static const struct zpipe_verb verbs[] = {
	VERB(POOL_CREATE, ZPIPE_ROLE_DEVICE, pool_create, out_fd, NULL, NULL),
	VERB(CREATE, ZPIPE_ROLE_DEVICE, create, out_reader_fd, NULL, NULL),
	VERB(INFO, 0, info, flags, do_info, NULL),
	VERB(STAT, 0, stat, __reserved, do_stat, NULL),
	VERB(ALLOC, ZPIPE_ROLE_WRITER, alloc, min, do_alloc, NULL, .stop = stop_alloc),
	VERB(FLUSH, ZPIPE_ROLE_WRITER, flush, position, do_flush, NULL, .stop = stop_flush),
	VERB(READ, ZPIPE_ROLE_READER, read, min, do_read, undo_read, .stop = stop_read),
	VERB(ADVANCE, ZPIPE_ROLE_READER, advance, consumed, do_advance, NULL, .final = true),
	VERB(COMPLETE, 0, complete, error, do_complete, NULL, .mute = true),
	VERB(CANCEL, 0, cancel, what, do_cancel, NULL, .mute = true),
	VERB(SET, 0, set, resume, do_set, NULL, .mute = true),
	VERB(RESET, 0, reset, flags, do_reset, NULL, .final = true),
	VERB(FORWARD, ZPIPE_ROLE_WRITER, forward, position, do_forward, NULL),
	/* Without room for the handle, or the fd, in the answer it would be lost. */
	VERB(PRESERVE, ZPIPE_ROLE_READER, preserve, out_handle, do_preserve, undo_preserve),
	VERB(RELEASE, ZPIPE_ROLE_READER, release, handle, do_release, NULL, .mute = true),
	VERB(EXPORT, ZPIPE_ROLE_READER, export, out_fd, do_export, NULL),
	VERB(TEE, ZPIPE_ROLE_READER, tee, out_fd, do_tee, NULL),
	VERB(POST, ZPIPE_ROLE_READER, post, length, do_post, NULL, .mute = true),
	/* What comes back is known by the answer only: there must be room for it. */
	VERB(UNPOST, ZPIPE_ROLE_READER, unpost, out_status, do_unpost, NULL, .final = true),
};

static int do_pool_info(struct file *file, union zpipe_verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_poolfd_info(file->private_data, &args->info);
}

static int do_pool_stat(struct file *file, union zpipe_verb_args *args)
{
	if (args->pool_stat.flags || args->pool_stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_poolfd_stat(file->private_data, &args->pool_stat);
}

/* What a pool's fd answers; any other verb is for another kind of fd. */
static const struct zpipe_verb pool_verbs[] = {
	VERB(INFO, ZPIPE_ROLE_POOL, info, flags, do_pool_info, NULL),
	VERB(STAT, ZPIPE_ROLE_POOL, pool_stat, __reserved, do_pool_stat, NULL),
};

static int do_buffer_info(struct file *file, union zpipe_verb_args *args)
{
	if (args->info.flags)
		return -EOPNOTSUPP;
	return zpipe_buffer_info(file->private_data, &args->info);
}

static int do_buffer_stat(struct file *file, union zpipe_verb_args *args)
{
	if (args->stat.flags || args->stat.__reserved)
		return -EOPNOTSUPP;
	return zpipe_buffer_stat(file->private_data, &args->stat);
}

static int do_buffer_read(struct file *file, union zpipe_verb_args *args)
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
static const struct zpipe_verb buffer_verbs[] = {
	VERB(INFO, ZPIPE_ROLE_BUFFER, info, flags, do_buffer_info, NULL),
	VERB(STAT, ZPIPE_ROLE_BUFFER, stat, __reserved, do_buffer_stat, NULL),
	VERB(READ, ZPIPE_ROLE_BUFFER, read, min, do_buffer_read, NULL),
};

/* A table has no entry for some of the numbers, and ends with the last it has. */
static const struct zpipe_verb *find(const struct zpipe_verb *table, u32 size, u32 number)
{
	u32 i = number - FIRST;

	if (i >= size || !table[array_index_nospec(i, size)].size)
		return NULL;
	return &table[array_index_nospec(i, size)];
}

/**
 * zpipe_verbs_of_end - look up a verb of an end, or of the device
 * @number: ZPIPE_NR_*
 *
 * Return: the verb, or NULL when there is none of that number.
 */
const struct zpipe_verb *zpipe_verbs_of_end(u32 number)
{
	return find(verbs, ARRAY_SIZE(verbs), number);
}

/**
 * zpipe_verbs_of_pool - look up a verb of a pool's fd
 * @number: ZPIPE_NR_*
 *
 * Return: the verb, or NULL.
 */
const struct zpipe_verb *zpipe_verbs_of_pool(u32 number)
{
	return find(pool_verbs, ARRAY_SIZE(pool_verbs), number);
}

/**
 * zpipe_verbs_of_buffer - look up a verb of a buffer
 * @number: ZPIPE_NR_*
 *
 * Return: the verb, or NULL.
 */
const struct zpipe_verb *zpipe_verbs_of_buffer(u32 number)
{
	return find(buffer_verbs, ARRAY_SIZE(buffer_verbs), number);
}
