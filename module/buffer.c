// SPDX-License-Identifier: GPL-2.0-only
/*
 * buffer - the file of a preserved range
 *
 * Like a small read-only file. Its slots are held, so their pages do not change
 * while the file is open: nothing here needs a lock. Mapped, it is the pages of
 * each span, one span after the other.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "buffer.h"
#include "ioctl.h"
#include "map.h"
#include "pool.h"
#include "preserve.h"
#include "segment.h"
#include "zpipe_trace.h"

/* Pages that one splice(2) takes at most. */
#define SPLICED		8

/* Buffers that are open, and their bytes. */
static atomic_long_t buffers = ATOMIC_LONG_INIT(0);
static atomic64_t buffered = ATOMIC64_INIT(0);

static u64 pages_of(const struct zpipe_span *span)
{
	return DIV_ROUND_UP_ULL(offset_in_page(span->offset) + span->length, PAGE_SIZE);
}

/* The size of the mapping. */
static u64 all_pages(const struct zpipe_hold *hold)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < hold->nr_spans; i++)
		pages += pages_of(&hold->spans[i]);
	return pages;
}

static vm_fault_t buffer_fault(struct vm_fault *vmf)
{
	struct zpipe_hold *hold = vmf->vma->vm_file->private_data;
	u64 at = vmf->pgoff;
	struct page *page;
	u32 i;

	for (i = 0; i < hold->nr_spans && at >= pages_of(&hold->spans[i]); i++)
		at -= pages_of(&hold->spans[i]);
	if (i == hold->nr_spans)
		return VM_FAULT_SIGBUS;
	at = (hold->spans[i].offset & PAGE_MASK) + (at << PAGE_SHIFT);
	page = zpipe_segment_page(hold->pool, at);
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct buffer_ops = {
	.fault = buffer_fault,
};

static int buffer_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 pages = all_pages(file->private_data);
	int ret;

	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	ret = zpipe_map_restrict(vma, false, VM_MIXEDMAP);
	if (ret)
		return ret;
	vma->vm_ops = &buffer_ops;
	return 0;
}

/* Bytes from @at on, as far as they are in one page; 0 at the end. */
static size_t find_part(const struct zpipe_hold *hold, u64 at, struct page **page, size_t *in_page)
{
	const struct zpipe_span *span = hold->spans;
	u64 offset;

	if (at >= hold->length)
		return 0;
	for (; at >= span->length; span++)
		at -= span->length;
	offset = span->offset + at;
	*page = zpipe_segment_page(hold->pool, offset);
	*in_page = offset_in_page(offset);
	return *page ? min_t(u64, PAGE_SIZE - *in_page, span->length - at) : 0;
}

static ssize_t buffer_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct zpipe_hold *hold = iocb->ki_filp->private_data;
	u64 begin = iocb->ki_pos;
	ssize_t done = 0;

	while (iov_iter_count(to)) {
		size_t in_page, copied, part;
		struct page *page;

		part = find_part(hold, begin + done, &page, &in_page);
		if (!part)
			break;
		part = min(part, iov_iter_count(to));
		copied = copy_page_to_iter(page, in_page, part, to);
		done += copied;
		if (copied < part) {
			done = done ?: -EFAULT;
			break;
		}
		cond_resched();
	}
	if (done > 0) {
		iocb->ki_pos += done;
		trace_zpipe_copy(hold->pipe, hold->position + begin, done, ZPIPE_COPY_READ);
	}
	return done;
}

static void put_lent(struct splice_pipe_desc *desc, unsigned int i)
{
	put_page(desc->pages[i]);
}

/* By reference, as splice.c does it: a page that is lent is not used again before it is back. */
static ssize_t buffer_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *to,
				  size_t length, unsigned int flags)
{
	struct page *pages[SPLICED];
	struct partial_page partial[SPLICED];
	struct splice_pipe_desc desc = {
		.pages = pages,
		.partial = partial,
		.nr_pages_max = SPLICED,
		.ops = &nosteal_pipe_buf_ops,
		.spd_release = put_lent,
	};
	u64 at = *pos;
	ssize_t ret;

	while (length && desc.nr_pages < SPLICED) {
		size_t in_page, part;
		struct page *page;

		part = min(find_part(file->private_data, at, &page, &in_page), length);
		if (!part)
			break;
		/* It may be pinned: read(2) can copy it. */
		if (!zpipe_segment_lend(page)) {
			if (!desc.nr_pages)
				return -EINVAL;
			break;
		}
		pages[desc.nr_pages] = page;
		partial[desc.nr_pages].offset = in_page;
		partial[desc.nr_pages].len = part;
		desc.nr_pages++;
		at += part;
		length -= part;
	}
	if (!desc.nr_pages)
		return 0;
	ret = splice_to_pipe(to, &desc);
	if (ret > 0)
		*pos += ret;
	return ret;
}

static loff_t buffer_llseek(struct file *file, loff_t offset, int whence)
{
	struct zpipe_hold *hold = file->private_data;

	return fixed_size_llseek(file, offset, whence, hold->length);
}

static __poll_t buffer_poll(struct file *file, struct poll_table_struct *table)
{
	return EPOLLIN | EPOLLRDNORM;
}

static int buffer_release(struct inode *inode, struct file *file)
{
	struct zpipe_hold *hold = file->private_data;

	atomic_long_dec(&buffers);
	atomic64_sub(hold->length, &buffered);
	zpipe_preserve_put(hold);
	return 0;
}

static void buffer_show_fdinfo(struct seq_file *seq, struct file *file)
{
	const struct zpipe_hold *hold = file->private_data;

	seq_printf(seq, "zpipe-id:\t%llu\n", hold->pipe);
	seq_puts(seq, "zpipe-role:\tbuffer\n");
	seq_printf(seq, "zpipe-position:\t%llu\n", hold->position);
	seq_printf(seq, "zpipe-length:\t%llu\n", hold->length);
	seq_printf(seq, "zpipe-data-pages:\t%llu\n", all_pages(hold));
}

static const struct file_operations buffer_fops = {
	.owner = THIS_MODULE,
	.release = buffer_release,
	.llseek = buffer_llseek,
	.poll = buffer_poll,
	.unlocked_ioctl = zpipe_ioctl_buffer,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = buffer_mmap,
	.read_iter = buffer_read_iter,
	.splice_read = buffer_splice_read,
	.show_fdinfo = buffer_show_fdinfo,
};

/**
 * zpipe_buffer_create - ZPIPE_IOC_EXPORT
 * @end: a reader
 * @args: the call
 *
 * Context: may sleep.
 * Return: the file, or an ERR_PTR(): -ESTALE, -EINVAL, -EOPNOTSUPP, -ENOMEM.
 */
struct file *zpipe_buffer_create(struct zpipe_end *end, const struct zpipe_export_args *args)
{
	struct zpipe_hold *hold;
	struct file *file;

	if (args->flags)
		hold = ERR_PTR(-EOPNOTSUPP);
	else
		hold = zpipe_preserve_find(end, args->handle);
	if (IS_ERR(hold)) {
		trace_zpipe_export(end->pipe->id, 0, 0, PTR_ERR(hold));
		return ERR_CAST(hold);
	}
	file = zpipe_pool_rofile(hold->pool, "zpipe-buffer", &buffer_fops);
	trace_zpipe_export(hold->pipe, hold->position, hold->length, PTR_ERR_OR_ZERO(file));
	if (IS_ERR(file)) {
		zpipe_preserve_put(hold);
		return file;
	}
	file->private_data = hold;
	atomic_long_inc(&buffers);
	atomic64_add(hold->length, &buffered);
	return file;
}

/**
 * zpipe_buffer_of - is this a buffer
 * @file: any
 *
 * Return: its range, as long as the file is held, or NULL.
 */
struct zpipe_hold *zpipe_buffer_of(struct file *file)
{
	return file->f_op == &buffer_fops ? file->private_data : NULL;
}

/**
 * zpipe_buffer_totals - of all buffers that are open
 * @nr: how many there are
 * @bytes: how many they have
 */
void zpipe_buffer_totals(u64 *nr, u64 *bytes)
{
	*nr = atomic_long_read(&buffers);
	*bytes = atomic64_read(&buffered);
}

/* Where the bytes are in the mapping; pieces that touch there are one. */
static u32 map_spans(const struct zpipe_hold *hold, struct zpipe_span *spans, u32 room)
{
	struct zpipe_span last = {};
	u64 page = 0;
	u32 i, nr = 0;

	for (i = 0; i < hold->nr_spans; i++) {
		const struct zpipe_span *span = &hold->spans[i];
		u64 offset = (page << PAGE_SHIFT) + offset_in_page(span->offset);

		if (nr && last.offset + last.length == offset) {
			last.length += span->length;
		} else {
			nr++;
			last.offset = offset;
			last.length = span->length;
		}
		if (nr <= room)
			spans[nr - 1] = last;
		page += pages_of(span);
	}
	return nr;
}

/**
 * zpipe_buffer_info - INFO of a buffer
 * @hold: its range
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_buffer_info(struct zpipe_hold *hold, struct zpipe_info_args *args)
{
	u64 size = all_pages(hold) << PAGE_SHIFT;
	u64 end = hold->position + hold->length;

	memset(args, 0, sizeof(*args));
	args->out_role = ZPIPE_ROLE_BUFFER;
	args->out_magic = ZPIPE_MAGIC;
	args->out_features = ZPIPE_FEAT_PRESERVE | ZPIPE_FEAT_EXPORT | ZPIPE_FEAT_RW;
	args->out_id = hold->pipe;
	args->out_version = ZPIPE_UAPI_VERSION;
	args->out_capacity = hold->length;
	args->out_window = size;
	args->out_segment_size = 1U << hold->pool->shift;
	args->out_data = (struct zpipe_region){ 0, size };
	args->out_granted = end;
	args->out_published = end;
	args->out_examined = hold->position;
	args->out_consumed = hold->position;
	args->out_data_at = offset_in_page(hold->spans[0].offset);
	args->out_nr_spans = map_spans(hold, NULL, 0);
	return 0;
}

/**
 * zpipe_buffer_stat - STAT of a buffer
 * @hold: its range
 * @args: filled
 *
 * Return: 0.
 */
int zpipe_buffer_stat(struct zpipe_hold *hold, struct zpipe_stat_args *args)
{
	u64 end = hold->position + hold->length;

	memset(args, 0, sizeof(*args));
	args->out_granted = end;
	args->out_published = end;
	args->out_examined = hold->position;
	args->out_consumed = hold->position;
	args->out_data_pages = all_pages(hold);
	args->out_control_bytes = struct_size(hold, spans, hold->nr_spans);
	args->out_preserved_bytes = hold->length;
	return 0;
}

/**
 * zpipe_buffer_read - READ of a buffer: where its bytes are
 * @hold: its range
 * @args: the call
 * @spans: room for args->nr_spans, to be copied out; offsets in the data region
 *
 * Return: 0, -EOPNOTSUPP, or -EMSGSIZE when it has fewer bytes than wanted.
 */
int zpipe_buffer_read(struct zpipe_hold *hold, struct zpipe_read_args *args,
		      struct zpipe_span *spans)
{
	if (args->flags & ~(ZPIPE_READ_F_NOWAIT | ZPIPE_READ_F_SHARED | ZPIPE_READ_F_REREAD))
		return -EOPNOTSUPP;
	if (args->min > hold->length)
		return -EMSGSIZE;
	args->out_start = hold->position;
	args->out_end = hold->position + hold->length;
	args->out_flags = ZPIPE_RES_COMPLETED;
	args->out_nr_spans = map_spans(hold, spans, args->nr_spans);
	args->out_index = 0;
	return 0;
}
