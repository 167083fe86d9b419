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
#include "segment.h"
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

/* What insert_frame() puts next, and how. */
struct frames {
	struct vm_area_struct *vma;
	struct page **pages;
};

static int insert_frame(pte_t *pte, unsigned long address, void *data)
{
	struct frames *frames = data;
	pte_t entry = pfn_pte(page_to_pfn(*frames->pages++), frames->vma->vm_page_prot);

	if (pte_none(*pte))
		set_pte_at(frames->vma->vm_mm, address, pte, pte_mkspecial(entry));
	return 0;
}

/*
 * A guarded reader's mapping knows no pages, only frame numbers: nothing can be
 * pinned through it. Before a page leaves the pool its PTEs are removed here.
 * vmf_insert_pfn() would ask for the cache mode of every page, which for memory
 * of ours is known, at ten times the cost.
 */
static int insert_frames(struct vm_area_struct *vma, unsigned long address,
			 struct page **pages, unsigned long nr)
{
	struct frames frames = { vma, pages };

	return apply_to_page_range(vma->vm_mm, address, nr << PAGE_SHIFT, insert_frame, &frames);
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
	u32 per_segment = zpipe_segment_pages(pool);
	bool spare = ((u64)vmf->pgoff << PAGE_SHIFT & ZPIPE_OFF_MASK) == ZPIPE_OFF_SPARE;
	pgoff_t page = region_page(vmf->pgoff);
	pgoff_t first = page & ~(pgoff_t)(per_segment - 1);
	pgoff_t from = max(first, region_page(vma->vm_pgoff));
	pgoff_t to = min(first + per_segment, region_page(vma->vm_pgoff) + vma_pages(vma));
	u64 index = page >> (pool->shift - PAGE_SHIFT);
	struct zpipe_segment *segment;
	int ret = -EFAULT;

	if (index >= pool->slots.nr)
		return VM_FAULT_SIGBUS;
	if (spare)
		index += pool->slots.nr;
	if (mutex_lock_killable(&pool->mutex))
		return VM_FAULT_SIGBUS;
	segment = pool->segment[index];
	/* Pages of another pool are for readers, and may be fewer than a segment's. */
	if (segment && segment->foreign) {
		to = min(to, first + segment->foreign);
		if (!end_of(vma)->reader || page >= to)
			segment = NULL;
	}
	if (segment)
		ret = insert_pages(vma, vma->vm_start +
				   ((from - region_page(vma->vm_pgoff)) << PAGE_SHIFT),
				   segment->page + (from - first), to - from);
	mutex_unlock(&pool->mutex);
	if (!ret)
		return VM_FAULT_NOPAGE;
	return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct data_ops = {
	.close = map_close,
	.fault = data_fault,
};

/* Pages [from, to) of the window, which the end may map now. */
static int insert_run(struct vm_area_struct *vma, unsigned long address, u64 from, u64 to)
{
	const struct zpipe_end *end = end_of(vma);
	struct zpipe_pool *pool = end->pipe->pool;
	u32 per_segment = zpipe_segment_pages(pool);

	while (from < to) {
		struct zpipe_segment *segment = pool->segment[from / per_segment];
		u32 first = from & (per_segment - 1);
		unsigned long nr = min_t(u64, to - from, per_segment - first);
		int ret;

		if (!segment)
			return -EFAULT;
		if (end->reader)
			ret = insert_frames(vma, address, segment->page + first, nr);
		else
			ret = insert_pages(vma, address, segment->page + first, nr);
		if (ret)
			return ret;
		address += nr << PAGE_SHIFT;
		from += nr;
	}
	return 0;
}

/*
 * Map all that the end may touch from the segment of the fault on, up to a
 * batch: a flush or an advance has taken all of it away, and it is wanted
 * again. Under pool->mutex, so that whoever takes pages away after this finds
 * the PTEs, and a fault after that finds that they may not be there.
 */
static vm_fault_t guarded_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct zpipe_pool *pool = end_of(vma)->pipe->pool;
	u64 begin = region_page(vma->vm_pgoff), page = region_page(vmf->pgoff);
	u64 from = max(begin, round_down(page, zpipe_segment_pages(pool)));
	u64 to = min(begin + vma_pages(vma), zpipe_pool_window(pool) >> PAGE_SHIFT);
	DECLARE_BITMAP(mark, ZPIPE_GUARD_BATCH);
	unsigned long nr = min_t(u64, to - from, ZPIPE_GUARD_BATCH), a, b;
	int ret = -EFAULT;

	if (mutex_lock_killable(&pool->mutex))
		return VM_FAULT_SIGBUS;
	zpipe_guard_mark(end_of(vma), from, nr, mark);
	if (test_bit(page - from, mark)) {
		for_each_set_bitrange(a, b, mark, nr) {
			ret = insert_run(vma, vma->vm_start + ((from + a - begin) << PAGE_SHIFT),
					 from + a, from + b);
			if (ret)
				break;
		}
	}
	mutex_unlock(&pool->mutex);
	if (!ret)
		return VM_FAULT_NOPAGE;
	return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct guarded_ops = {
	.close = map_close,
	.fault = guarded_fault,
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
		fallthrough;
	case ZPIPE_OFF_SPARE:
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

/**
 * zpipe_map_restrict - what holds for every mapping
 * @vma: to set up
 * @may_write: now or later
 * @kind: VM_MIXEDMAP or what else its pages need
 *
 * Refuses what is asked for now, and drops what might be asked for later.
 *
 * Context: under the mm lock.
 * Return: 0, -EINVAL for a private mapping, -EACCES.
 */
int zpipe_map_restrict(struct vm_area_struct *vma, bool may_write, unsigned long kind)
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
	unsigned long kind = VM_MIXEDMAP;
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
	if (region == ZPIPE_OFF_VIEW)
		kind = VM_PFNMAP | VM_IO;
	else if (region == ZPIPE_OFF_DATA && zpipe_is_guarded(end->pipe))
		/* The pages are on no list of recently used ones: do not look there. */
		kind |= VM_SEQ_READ;
	ret = zpipe_map_restrict(vma, owner == end->role, kind);
	if (ret)
		return ret;
	if (region == ZPIPE_OFF_VIEW)
		count_view(end);
	if (region < ZPIPE_OFF_DATA)
		vma->vm_ops = &control_ops;
	else if (region == ZPIPE_OFF_SPARE)
		vma->vm_ops = &data_ops;
	else
		vma->vm_ops = zpipe_is_guarded(end->pipe) ? &guarded_ops : &data_ops;
	return 0;
}
