// SPDX-License-Identifier: GPL-2.0-only
/*
 * tee - more readers on one chain
 *
 * A reader made here is an object of its own, with a page for its cursors and
 * one for what the kernel has to say to it; the one that CREATE made lives in
 * the pipe. See tee.h.
 */
#include <linux/capability.h>
#include <linux/gfp.h>
#include <linux/slab.h>

#include "limits.h"
#include "pipe.h"
#include "preserve.h"
#include "stream.h"
#include "tee.h"
#include "wait.h"

/* Every look goes through all of them. */
#define MAX_READERS	256

/* Its cursor page and its words. */
#define READER_PAGES	2

static void free_reader(struct zpipe_reader *reader)
{
	zpipe_preserve_exit(reader);
	free_page((unsigned long)reader->page);
	free_page((unsigned long)reader->words);
	kfree(reader);
}

static struct zpipe_reader *alloc_reader(struct zpipe_pipe *pipe)
{
	struct zpipe_reader *reader;

	reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	if (!reader)
		return NULL;
	reader->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	reader->words = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!reader->page || !reader->words) {
		free_reader(reader);
		return NULL;
	}
	zpipe_pipe_init_reader(pipe, reader);
	return reader;
}

/* A number that no living reader has: it names the reader's mappings. */
static u32 free_index_locked(const struct zpipe_pipe *pipe)
{
	const struct zpipe_reader *reader;
	u32 index = 1;

	lockdep_assert_held(&pipe->pool->lock);
	/* The list is in the order of the numbers, but for those that were closed. */
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (reader->index == index)
			index++;
	}
	return index;
}

/* Behind the reader with the number before its own. */
static void add_locked(struct zpipe_pipe *pipe, struct zpipe_reader *reader)
{
	struct zpipe_reader *next;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(next, &pipe->readers, entry) {
		if (next->index > reader->index)
			break;
	}
	list_add_tail(&reader->entry, &next->entry);
	pipe->nr_readers++;
}

static int join_locked(struct zpipe_reader *from, struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = from->pipe;
	int ret;

	lockdep_assert_held(&pipe->pool->lock);
	ret = zpipe_stream_look_locked(pipe, from);
	if (ret)
		return ret;
	if (from->ended)
		return -(from->error ?: ESHUTDOWN);
	if (pipe->guilty)
		return -EPROTO;
	if (pipe->nr_readers >= MAX_READERS)
		return -EDQUOT;
	reader->index = free_index_locked(pipe);
	if ((pipe->flags & ZPIPE_F_GUARDED) && reader->index >= ZPIPE_VIEWS)
		return -EDQUOT;
	/* What the other one has only looked at is new to this one (rule R7). */
	reader->cursor.consumed = from->cursor.consumed;
	reader->cursor.examined = from->cursor.consumed;
	WRITE_ONCE(reader->page->examined, reader->cursor.examined);
	WRITE_ONCE(reader->page->consumed, reader->cursor.consumed);
	add_locked(pipe, reader);
	zpipe_wait_share_locked(pipe);
	return 0;
}

/**
 * zpipe_tee_create - another reader, where @from is
 * @from: a reader
 * @args: the call; flags are checked, out_position is set
 *
 * It reads from @from's consumed position on, whatever @from does next.
 *
 * Context: may sleep.
 * Return: the reader, in its pipe's list, or an ERR_PTR(): -EOPNOTSUPP, -EINVAL,
 * -EDQUOT, -ENOMEM, -EPROTO, -ESHUTDOWN, or why @from was detached.
 */
struct zpipe_reader *zpipe_tee_create(struct zpipe_reader *from, struct zpipe_tee_args *args)
{
	bool exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct zpipe_pipe *pipe = from->pipe;
	struct zpipe_reader *reader;
	struct zpipe_user *user;
	int ret;

	if (args->flags & ~(ZPIPE_TEE_F_DETACH | ZPIPE_TEE_F_NONBLOCK))
		return ERR_PTR(-EOPNOTSUPP);
	/* A posted buffer is one reader's. */
	if (pipe->flags & ZPIPE_F_POSTED)
		return ERR_PTR(-EINVAL);
	/* Whoever asks pays, and may be somebody else than who made the pipe. */
	user = zpipe_user_get();
	if (!user)
		return ERR_PTR(-ENOMEM);
	ret = zpipe_user_add_pages(user, READER_PAGES, exempt);
	if (ret)
		goto err_put_user;
	reader = alloc_reader(pipe);
	if (!reader) {
		ret = -ENOMEM;
		goto err_sub_pages;
	}
	reader->user = user;
	reader->may_detach = args->flags & ZPIPE_TEE_F_DETACH;

	zpipe_wait_lock(pipe);
	ret = join_locked(from, reader);
	zpipe_wait_unlock(pipe);
	if (ret)
		goto err_free_reader;
	args->out_index = reader->index;
	args->out_position = reader->cursor.consumed;
	return reader;

err_free_reader:
	free_reader(reader);
err_sub_pages:
	zpipe_user_sub_pages(user, READER_PAGES);
err_put_user:
	zpipe_user_put(user);
	return ERR_PTR(ret);
}

/**
 * zpipe_tee_free - a reader that TEE made has no file any more
 * @reader: not in its pipe's list any more
 */
void zpipe_tee_free(struct zpipe_reader *reader)
{
	zpipe_user_sub_pages(reader->user, READER_PAGES);
	zpipe_user_put(reader->user);
	free_reader(reader);
}

/**
 * zpipe_tee_outrun_locked - the writer needs what slow readers hold
 * @pipe: the pipe
 * @position: that must be consumed before there is memory
 *
 * Detaches those that allow it and are in the way, if any reader remains.
 *
 * Return: whether one was detached, so that looking again is worth it.
 */
bool zpipe_tee_outrun_locked(struct zpipe_pipe *pipe, u64 position)
{
	struct zpipe_reader *reader;
	u32 live = 0;
	bool any = false;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry)
		live += !reader->ended;
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (live < 2)
			break;
		if (reader->ended || !reader->may_detach || reader->cursor.consumed >= position)
			continue;
		zpipe_stream_detach_locked(reader, ENOBUFS);
		live--;
		any = true;
	}
	if (any)
		zpipe_stream_settle_locked(pipe);
	return any;
}
