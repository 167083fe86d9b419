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

#endif /* ZPIPE_COMPAT_H */
