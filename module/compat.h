/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat - the only place that knows kernel versions
 *
 * Debian 12's two stock kernels, 6.1 and 6.12, from one source.
 */
#ifndef ZPIPE_COMPAT_H
#define ZPIPE_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error zpipe needs Linux 6.1 or later
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
 * Splice out by way of read_iter: copies, and is counted so. The older helper
 * would put our own pages into the pipe as page cache, which they are not:
 * reading them there fails, and the bytes are lost. EINVAL is better.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define zpipe_splice_read	NULL
#else
#define zpipe_splice_read	copy_splice_read
#endif

#endif /* ZPIPE_COMPAT_H */
