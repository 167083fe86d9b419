/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * map - mmap: from offset to region, who may write it, and faults
 */
#ifndef ZPIPE_MAP_H
#define ZPIPE_MAP_H

#include <linux/fs.h>
#include <linux/mm_types.h>

int zpipe_map_restrict(struct vm_area_struct *vma, bool may_write, unsigned long kind);
int zpipe_map_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* ZPIPE_MAP_H */
