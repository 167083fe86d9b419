// SPDX-License-Identifier: GPL-2.0-only
/*
 * map - mmap: from offset to region, who may write it, and faults
 *
 * Shared mappings only, and what may not be written loses VM_MAYWRITE, so that
 * neither mprotect(2) nor a forced access through ptrace can win it back. No
 * mapping is ever remembered: the file keeps everything alive, and revoking
 * goes through the pool's address_space. Children inherit mappings, as they do
 * any shared memory.
 */
#include <linux/mm.h>

#include "compat.h"
#include "ends.h"
#include "guard.h"
#include "map.h"
#include "pool.h"
#include "tee.h"
#include "wait.h"

static struct zpipe_end *end_of(struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

/* Whose page the reader region is: for the writer, that of the first reader. */
static struct zpipe_reader *reader_of(struct zpipe_end *end)
{
	return end->reader ?: &end->pipe->reader;
}

/* Those of a reader that TEE made follow the state that all share. */
static bool has_own_words(const struct zpipe_end *end)
{
	return end->reader && zpipe_tee_is_extra(end->reader);
}

/* Which page of its region; each reader's view is a region. */
static pgoff_t region_page(pgoff_t pgoff)
{
	u64 offset = (u64)pgoff << PAGE_SHIFT;

	if ((offset & ZPIPE_OFF_MASK) == ZPIPE_OFF_VIEW)
		return (offset & (ZPIPE_VIEW_SPAN - 1)) >> PAGE_SHIFT;
	return (offset & ~ZPIPE_OFF_MASK) >> PAGE_SHIFT;
}

/* An fd may be kept elsewhere although the process that mapped it has died. */
static void map_close(struct vm_area_struct *vma)
{
	zpipe_ends_hook(end_of(vma));
}

static vm_fault_t control_fault(struct vm_fault *vmf)
{
	struct zpipe_end *end = end_of(vmf->vma);
	struct zpipe_pipe *pipe = end->pipe;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	size_t at = offset & ~ZPIPE_OFF_MASK;
	void *address = NULL;

	switch (offset & ZPIPE_OFF_MASK) {
	case ZPIPE_OFF_STATE:
		if (at < pipe->state_size)
			address = (void *)pipe->state + at;
		else if (at == pipe->state_size && has_own_words(end))
			address = end->reader->words;
		break;
	case ZPIPE_OFF_WRITER:
		if (!at)
			address = pipe->writer_page;
		break;
	case ZPIPE_OFF_READER:
		if (!at)
			address = reader_of(end)->page;
		break;
	}
	if (!address)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(address);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct control_ops = {
	.close = map_close,
	.fault = control_fault,
};

/**
 * struct fault_range - what a fault is about to map, in pages of the window
 * @page: where it happened
 * @from: first page
 * @to: behind the last one
 */
struct fault_range {
	pgoff_t page;
	pgoff_t from;
	pgoff_t to;
};

/*
 * Insert nr pages at address; those that are there already stay. The first
 * error other than that ends it.
 */
static int insert_pages(struct vm_area_struct *vma, unsigned long address,
			struct page **pages, unsigned long nr)
{
	while (nr) {
		unsigned long left = nr, done;
		int ret = vm_insert_pages(vma, address, pages, &left);

		if (!ret)
			return 0;
		if (ret != -EBUSY)
			return ret;
		done = nr - left + 1;
		address += done * PAGE_SIZE;
		pages += done;
		nr -= done;
	}
	return 0;
}

/*
 * A guarded reader's mapping knows no pages, only frame numbers: nothing can be
 * pinned through it. Before a page leaves the pool its PTEs are removed here.
 */
static int insert_frames(struct vm_area_struct *vma, unsigned long address,
			 struct page **pages, unsigned long nr)
{
	for (; nr; nr--, address += PAGE_SIZE, pages++) {
		vm_fault_t fault = vmf_insert_pfn(vma, address, page_to_pfn(*pages));

		if (fault != VM_FAULT_NOPAGE)
			return fault & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
	}
	return 0;
}

/* Of the pages [from, to) of a segment, those that the end may map; page must be among them. */
static int insert_marked(struct vm_area_struct *vma, unsigned long address,
			 struct page **pages, const struct fault_range *range)
{
	const struct zpipe_end *end = end_of(vma);
	DECLARE_BITMAP(mark, ZPIPE_GUARD_BATCH);
	unsigned long nr = range->to - range->from, a, b;
	int ret = 0;

	zpipe_guard_mark(end, range->from, nr, mark);
	if (!test_bit(range->page - range->from, mark))
		return -EFAULT;
	for_each_set_bitrange(a, b, mark, nr) {
		if (end->reader)
			ret = insert_frames(vma, address + a * PAGE_SIZE, pages + a, b - a);
		else
			ret = insert_pages(vma, address + a * PAGE_SIZE, pages + a, b - a);
		if (ret)
			break;
	}
	return ret;
}

/*
 * Map the whole segment, as far as the mapping reaches: a fault for each page
 * would cost five times as much. Under pool->mutex, so that a trim that has
 * taken the pages away has also seen the last PTE.
 */
static vm_fault_t data_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct zpipe_pool *pool = end_of(vma)->pipe->pool;
	u32 per_segment = zpipe_pool_segment_pages(pool);
	pgoff_t page = region_page(vmf->pgoff);
	pgoff_t first = page & ~(pgoff_t)(per_segment - 1);
	pgoff_t begin = region_page(vma->vm_pgoff);
	const struct fault_range range = {
		.page = page,
		.from = max(first, begin),
		.to = min(first + per_segment, begin + vma_pages(vma)),
	};
	unsigned long address = vma->vm_start + ((range.from - begin) << PAGE_SHIFT);
	u64 index = page >> (pool->shift - PAGE_SHIFT);
	struct page **pages;
	int ret = -EFAULT;

	if (index >= pool->slots.nr)
		return VM_FAULT_SIGBUS;
	if (mutex_lock_killable(&pool->mutex))
		return VM_FAULT_SIGBUS;
	pages = pool->segment[index].pages;
	if (pages && zpipe_is_guarded(end_of(vma)->pipe))
		ret = insert_marked(vma, address, pages + (range.from - first), &range);
	else if (pages)
		ret = insert_pages(vma, address, pages + (range.from - first),
				   range.to - range.from);
	mutex_unlock(&pool->mutex);
	if (!ret)
		return VM_FAULT_NOPAGE;
	return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct data_ops = {
	.close = map_close,
	.fault = data_fault,
};

/* The permission table: a region's size, and the end that may write to it. */
static int find_region(const struct zpipe_end *end, u64 region, u64 *size, u32 *owner)
{
	const struct zpipe_pipe *pipe = end->pipe;
	bool guarded = zpipe_is_guarded(pipe);

	switch (region) {
	case ZPIPE_OFF_STATE:
		*size = pipe->state_size + (has_own_words(end) ? PAGE_SIZE : 0);
		*owner = 0;
		return 0;
	case ZPIPE_OFF_WRITER:
		*size = PAGE_SIZE;
		*owner = guarded ? 0 : ZPIPE_ROLE_WRITER;
		return 0;
	case ZPIPE_OFF_READER:
		*size = PAGE_SIZE;
		*owner = guarded ? 0 : ZPIPE_ROLE_READER;
		return 0;
	case ZPIPE_OFF_DATA:
		if (guarded && end->reader)
			return -EACCES;
		*size = zpipe_pool_window(pipe->pool);
		*owner = ZPIPE_ROLE_WRITER;
		return 0;
	case ZPIPE_OFF_VIEW:
		if (!guarded)
			return -EINVAL;
		if (!end->reader)
			return -EACCES;
		*size = zpipe_pool_window(pipe->pool);
		*owner = 0;
		return 0;
	}
	return -EINVAL;
}

/* Refuse what is asked for now, and drop what might be asked for later. */
static int restrict_vma(struct vm_area_struct *vma, bool may_write, unsigned long kind)
{
	unsigned long clear = VM_MAYEXEC;

	/* VM_MAYSHARE: VM_SHARED is not set for a shared read-only mapping. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (!may_write) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		clear |= VM_MAYWRITE;
	}
	zpipe_vma_flags(vma, VM_DONTEXPAND | VM_DONTDUMP | kind, clear);
	return 0;
}

/* The pool looks for PTEs there from now on. */
static void count_view(const struct zpipe_end *end)
{
	atomic_t *views = &end->pipe->pool->views;

	zpipe_wait_lock(end->pipe);
	if (atomic_read(views) <= end->reader->index)
		atomic_set(views, end->reader->index + 1);
	zpipe_wait_unlock(end->pipe);
}

/**
 * zpipe_map_mmap - mmap of an end's file
 * @file: the end's
 * @vma: to set up
 *
 * Context: under the mm lock.
 * Return: 0, -EINVAL outside of the regions or for a private mapping, -EACCES.
 */
int zpipe_map_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct zpipe_end *end = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 length = (u64)vma_pages(vma) << PAGE_SHIFT;
	u64 at = (u64)region_page(vma->vm_pgoff) << PAGE_SHIFT;
	u64 region = offset & ZPIPE_OFF_MASK;
	u64 size;
	u32 owner;
	int ret;

	ret = find_region(end, region, &size, &owner);
	if (ret)
		return ret;
	if (region == ZPIPE_OFF_VIEW && offset - at != zpipe_guard_data_offset(end))
		return -EACCES;
	if (at >= size || length > size - at)
		return -EINVAL;
	ret = restrict_vma(vma, owner == end->role,
			   region == ZPIPE_OFF_VIEW ? VM_PFNMAP | VM_IO : VM_MIXEDMAP);
	if (ret)
		return ret;
	if (region == ZPIPE_OFF_VIEW)
		count_view(end);
	vma->vm_ops = region == ZPIPE_OFF_DATA || region == ZPIPE_OFF_VIEW ? &data_ops :
									     &control_ops;
	return 0;
}
