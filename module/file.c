// SPDX-License-Identifier: GPL-2.0-only
/*
 * file - /dev/zpipe and the files of the two ends
 *
 * CREATE is here because it makes files: fd numbers are reserved first, then
 * the files are made, then the answer is written, and only then, when nothing
 * can fail any more, are the fds installed.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "copy.h"
#include "ends.h"
#include "fdinfo.h"
#include "file.h"
#include "ioctl.h"
#include "map.h"
#include "pipe.h"
#include "pool.h"
#include "poolfd.h"
#include "post.h"
#include "reader.h"
#include "splice.h"
#include "summary.h"
#include "tee.h"
#include "uring.h"
#include "wait.h"
#include "writer.h"
#include "zpipe_trace.h"

static int end_release(struct inode *inode, struct file *file)
{
	struct zpipe_end *end = file->private_data;

	zpipe_ends_close(end);
	if (end->reader && zpipe_tee_is_extra(end->reader))
		zpipe_tee_free(end->reader);
	zpipe_pipe_put(end->pipe);
	kfree(end);
	return 0;
}

static int end_flush(struct file *file, fl_owner_t id)
{
	zpipe_ends_hook(file->private_data);
	return 0;
}

static __poll_t end_poll(struct file *file, struct poll_table_struct *table)
{
	struct zpipe_end *end = file->private_data;

	if (end->role == ZPIPE_ROLE_READER) {
		poll_wait(file, &end->pipe->reader_poll, table);
		return zpipe_reader_poll(end->reader);
	}
	poll_wait(file, &end->pipe->writer_poll, table);
	return zpipe_writer_poll(end->pipe);
}

static const struct file_operations end_fops = {
	.owner = THIS_MODULE,
	.release = end_release,
	.flush = end_flush,
	.poll = end_poll,
	.unlocked_ioctl = zpipe_ioctl_end,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = zpipe_map_mmap,
	.read_iter = zpipe_copy_read,
	.write_iter = zpipe_copy_write,
	.splice_read = zpipe_splice_read,
	.splice_write = zpipe_splice_write,
	.show_fdinfo = zpipe_fdinfo_show,
	.uring_cmd = zpipe_uring_cmd,
};

/**
 * zpipe_file_end - what end a file is, if it is one
 * @file: any
 *
 * Return: the end, as long as @file lives, or NULL.
 */
struct zpipe_end *zpipe_file_end(struct file *file)
{
	return file->f_op == &end_fops ? file->private_data : NULL;
}

/* Takes over one reference on the pipe, also when it fails. */
static struct file *make_file(struct zpipe_pipe *pipe, struct zpipe_reader *reader, int flags)
{
	u32 role = reader ? ZPIPE_ROLE_READER : ZPIPE_ROLE_WRITER;
	struct zpipe_end *end;
	struct file *file;

	end = kmalloc(sizeof(*end), GFP_KERNEL_ACCOUNT);
	if (!end) {
		zpipe_pipe_put(pipe);
		return ERR_PTR(-ENOMEM);
	}
	end->pipe = pipe;
	end->reader = reader;
	end->role = role;
	file = zpipe_pool_file(pipe->pool, reader ? "zpipe-reader" : "zpipe-writer", flags,
			       &end_fops);
	if (IS_ERR(file)) {
		kfree(end);
		zpipe_pipe_put(pipe);
		return file;
	}
	file->private_data = end;
	return file;
}

static struct file *tee(struct zpipe_end *end, struct zpipe_tee_args *args)
{
	int flags = args->flags & ZPIPE_TEE_F_NONBLOCK ? O_NONBLOCK : 0;
	struct zpipe_pipe *pipe = end->pipe;
	struct zpipe_reader *reader;
	struct file *file;

	reader = zpipe_tee_create(end->reader, args);
	if (IS_ERR(reader))
		return ERR_CAST(reader);
	kref_get(&pipe->kref);
	file = make_file(pipe, reader, flags);
	if (IS_ERR(file)) {
		struct zpipe_end unborn = {
			.pipe = pipe, .reader = reader, .role = ZPIPE_ROLE_READER,
		};

		zpipe_ends_close(&unborn);
		zpipe_tee_free(reader);
	}
	return file;
}

/**
 * zpipe_file_tee - ZPIPE_IOC_TEE
 * @end: a reader
 * @args: the call
 *
 * Context: may sleep.
 * Return: the file of another reader, or an ERR_PTR().
 */
struct file *zpipe_file_tee(struct zpipe_end *end, struct zpipe_tee_args *args)
{
	struct file *file = tee(end, args);

	if (IS_ERR(file))
		trace_zpipe_tee(end->pipe->id, 0, 0, PTR_ERR(file));
	else
		trace_zpipe_tee(end->pipe->id, args->out_position, args->out_index, 0);
	return file;
}

/**
 * struct ends - a pipe's two files on their way to the caller
 * @writer: its file
 * @reader: its file
 * @writer_fd: reserved, not installed
 * @reader_fd: ditto
 */
struct ends {
	struct file *writer;
	struct file *reader;
	int writer_fd;
	int reader_fd;
};

static int make_ends(const struct zpipe_create_args *args, struct zpipe_pool *pool,
		     struct ends *ends, u64 *id)
{
	int flags = args->flags & ZPIPE_F_NONBLOCK ? O_NONBLOCK : 0;
	struct zpipe_pipe *pipe;
	int ret;

	pipe = zpipe_pipe_create(args, pool);
	if (IS_ERR(pipe))
		return PTR_ERR(pipe);
	*id = pipe->id;
	if (zpipe_post_is_on(pipe)) {
		zpipe_wait_lock(pipe);
		zpipe_post_hold_locked(pipe);
		zpipe_wait_unlock(pipe);
	}
	ends->writer = make_file(pipe, NULL, flags);
	if (IS_ERR(ends->writer)) {
		ret = PTR_ERR(ends->writer);
		goto err_put_pipe;
	}
	ends->reader = make_file(pipe, &pipe->reader, flags);
	if (IS_ERR(ends->reader)) {
		ret = PTR_ERR(ends->reader);
		goto err_put_writer;
	}
	return 0;

err_put_pipe:
	zpipe_pipe_put(pipe);
	return ret;
err_put_writer:
	fput(ends->writer);
	return ret;
}

static int pool_release(struct inode *inode, struct file *file)
{
	zpipe_pool_put(file->private_data);
	return 0;
}

static const struct file_operations pool_fops = {
	.owner = THIS_MODULE,
	.release = pool_release,
	.unlocked_ioctl = zpipe_ioctl_pool,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = zpipe_poolfd_show,
};

/* The pool that an fd stands for, with a reference; NULL for none; or an ERR_PTR(). */
static struct zpipe_pool *get_pool(int fd)
{
	struct zpipe_pool *pool = ERR_PTR(-EBADF);
	struct file *file;

	if (fd == -1)
		return NULL;
	file = fget(fd);
	if (!file)
		return pool;
	if (file->f_op == &pool_fops) {
		pool = file->private_data;
		kref_get(&pool->kref);
	}
	fput(file);
	return pool;
}

static int create(struct zpipe_create_args *args, struct ends *ends)
{
	struct zpipe_pool *pool;
	int ret;

	if (args->flags & ~(ZPIPE_F_CONTIG | ZPIPE_F_NONBLOCK | ZPIPE_F_GUARDED | ZPIPE_F_POSTED))
		return -EOPNOTSUPP;
	/* Where the bytes go is the reader's choice. */
	if ((args->flags & ZPIPE_F_POSTED) && (args->flags & ZPIPE_F_CONTIG))
		return -EINVAL;
	if (args->__reserved)
		return -EOPNOTSUPP;
	/* Its views have a seam wherever a page was flushed half full, and it owns no buffers. */
	if ((args->flags & ZPIPE_F_GUARDED) && (args->flags & (ZPIPE_F_CONTIG | ZPIPE_F_POSTED)))
		return -EINVAL;
	pool = get_pool(args->pool_fd);
	if (IS_ERR(pool))
		return PTR_ERR(pool);

	ends->writer_fd = get_unused_fd_flags(O_CLOEXEC);
	if (ends->writer_fd < 0) {
		ret = ends->writer_fd;
		goto err_put_pool;
	}
	ends->reader_fd = get_unused_fd_flags(O_CLOEXEC);
	if (ends->reader_fd < 0) {
		ret = ends->reader_fd;
		goto err_put_writer_fd;
	}
	ret = make_ends(args, pool, ends, &args->out_id);
	if (ret)
		goto err_put_reader_fd;
	/* The pipe has its own, if it is a shared one. */
	zpipe_pool_put(pool);
	args->out_writer_fd = ends->writer_fd;
	args->out_reader_fd = ends->reader_fd;
	return 0;

err_put_reader_fd:
	put_unused_fd(ends->reader_fd);
err_put_writer_fd:
	put_unused_fd(ends->writer_fd);
err_put_pool:
	zpipe_pool_put(pool);
	return ret;
}

static long device_pool_create(void __user *user, u32 size)
{
	struct zpipe_pool_create_args args;
	struct file *file;
	int ret;

	if (size < offsetofend(struct zpipe_pool_create_args, out_fd))
		return -EINVAL;
	ret = copy_struct_from_user(&args, sizeof(args), user, size);
	if (ret)
		return ret;
	file = zpipe_poolfd_create(&args, &pool_fops);
	if (IS_ERR(file))
		return PTR_ERR(file);
	args.out_fd = get_unused_fd_flags(O_CLOEXEC);
	if (args.out_fd < 0) {
		fput(file);
		return args.out_fd;
	}
	if (copy_to_user(user, &args, min_t(size_t, size, sizeof(args)))) {
		put_unused_fd(args.out_fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(args.out_fd, file);
	return 0;
}

/*
 * CREATE is over. Before anybody can use the fds, so that this is the first
 * event of its pipe.
 */
static void trace_create(const struct zpipe_end *end, int ret)
{
	trace_zpipe_create(end->pipe->id, 0, zpipe_chain_capacity(&end->pipe->chain), ret);
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	void __user *user = (void __user *)address;
	u32 size = _IOC_SIZE(command);
	struct zpipe_create_args args;
	struct ends ends;
	int ret;

	if (!zpipe_ioctl_is_ours(command))
		return -ENOTTY;
	if (_IOC_NR(command) == ZPIPE_NR_POOL_CREATE)
		return device_pool_create(user, size);
	if (_IOC_NR(command) != ZPIPE_NR_CREATE)
		return -EBADF;
	/* Without room for the fds in the answer they would be lost. */
	if (size < offsetofend(struct zpipe_create_args, out_reader_fd))
		return -EINVAL;
	ret = copy_struct_from_user(&args, sizeof(args), user, size);
	if (ret)
		return ret;
	/* A number that userspace has left there would be taken for the pipe's. */
	args.out_id = 0;
	ret = create(&args, &ends);
	if (ret) {
		trace_zpipe_create(args.out_id, 0, args.capacity, ret);
		return ret;
	}
	if (copy_to_user(user, &args, min_t(size_t, size, sizeof(args))))
		ret = -EFAULT;
	trace_create(ends.writer->private_data, ret);
	if (ret) {
		fput(ends.reader);
		fput(ends.writer);
		put_unused_fd(ends.reader_fd);
		put_unused_fd(ends.writer_fd);
		return ret;
	}
	fd_install(ends.writer_fd, ends.writer);
	fd_install(ends.reader_fd, ends.reader);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = zpipe_summary_show,
};

/* Everybody may open it: every resource it gives is bounded, see limits.c. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zpipe",
	.fops = &device_fops,
	.mode = 0666,
};

/**
 * zpipe_file_init - make /dev/zpipe appear
 *
 * Return: 0 or an errno.
 */
int zpipe_file_init(void)
{
	return misc_register(&device);
}

/**
 * zpipe_file_exit - and go; no file is open any more, or the module would be busy
 */
void zpipe_file_exit(void)
{
	misc_deregister(&device);
}
