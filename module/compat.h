/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat - the only place that knows kernel versions
 *
 * Debian 12's two stock kernels, 6.1 and 6.12, from one source.
 */
#ifndef ZPIPE_COMPAT_H
#define ZPIPE_COMPAT_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring.h>
#else
#include <linux/io_uring/cmd.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error zpipe needs Linux 6.1 or later
#endif

/* What fdget() has found, or NULL; struct fd became one word. */
#ifndef fd_file
#define fd_file(fd)	((fd).file)
#endif

static inline void zpipe_vma_flags(struct vm_area_struct *vma, unsigned long set,
				   unsigned long clear)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#else
	vm_flags_mod(vma, set, clear);
#endif
}

typedef unsigned long (*zpipe_shrink_fn)(struct shrinker *shrinker, struct shrink_control *control);

/* A shrinker, or NULL without memory. */
static inline struct shrinker *zpipe_shrinker_add(zpipe_shrink_fn count, zpipe_shrink_fn scan)
{
	struct shrinker *shrinker;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (register_shrinker(shrinker, "zpipe")) {
		kfree(shrinker);
		return NULL;
	}
#else
	shrinker = shrinker_alloc(0, "zpipe");
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
#endif
	return shrinker;
}

static inline void zpipe_shrinker_remove(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(shrinker);
	kfree(shrinker);
#else
	shrinker_free(shrinker);
#endif
}

/*
 * io_uring commands: may one be left pending (it can be canceled), is this call
 * a cancellation, where is its area, and - of one that was pending - is its
 * task gone or going, or is this another one.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
static inline bool zpipe_uring_can_park(void)
{
	return false;
}

static inline bool zpipe_uring_is_cancel(unsigned int issue_flags)
{
	return false;
}

static inline const void *zpipe_uring_area(const struct io_uring_cmd *cmd)
{
	return cmd->cmd;
}

static inline void zpipe_uring_mark_cancelable(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
}

static inline bool zpipe_uring_is_orphan(struct io_uring_cmd *cmd)
{
	return true;
}
#else
static inline bool zpipe_uring_can_park(void)
{
	return true;
}

static inline bool zpipe_uring_is_cancel(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_CANCEL;
}

static inline const void *zpipe_uring_area(const struct io_uring_cmd *cmd)
{
	return io_uring_sqe_cmd(cmd->sqe);
}

static inline void zpipe_uring_mark_cancelable(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
}

static inline bool zpipe_uring_is_orphan(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_get_task(cmd) != current ||
	       (current->flags & (PF_EXITING | PF_KTHREAD));
}
#endif

#endif /* ZPIPE_COMPAT_H */
