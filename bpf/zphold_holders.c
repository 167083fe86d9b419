// SPDX-License-Identifier: MIT
/*
 * holders - the readers and buffers that processes hold, each once
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/zpipe.h>

#include "zphold_holders.h"

/* Its positions as the shared words have them, and which of the readers it is. */
static int ask(struct zb_end *end, uint32_t *index)
{
	struct zpipe_info_args info = { 0 };
	int pidfd, fd, ret;

	pidfd = (int)syscall(SYS_pidfd_open, end->pid, 0);
	if (pidfd < 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, end->fd, 0);
	close(pidfd);
	if (fd < 0)
		return -1;
	ret = ioctl(fd, ZPIPE_IOC_INFO, &info);
	close(fd);
	if (ret || info.out_id != end->pipe)
		return -1;
	end->published = info.out_published;
	end->consumed = info.out_consumed;
	*index = info.out_reader_index;
	return 0;
}

static bool is_reader(const struct zb_end *end)
{
	return !strcmp(end->role, "reader");
}

static bool is_buffer(const struct zb_end *end)
{
	return !strcmp(end->role, "buffer");
}

/* Of one that has been found by another fd. */
static bool add_fd(struct holders *all, const struct holder *holder)
{
	struct holder *old = is_buffer(&holder->end) ?
		holder_of_buffer(all, holder->end.pipe, holder->end.position, holder->end.length) :
		holder_of_reader(all, holder->end.pipe, holder->index);

	if (old)
		old->fds++;
	return old;
}

static void found(const struct zb_end *end, void *context)
{
	struct holder holder = { .end = *end, .fds = 1 };
	struct holders *all = context;

	if ((!is_buffer(end) && !is_reader(end)) || (all->pipe && all->pipe != end->pipe))
		return;
	if (is_reader(end) && ((end->readers < 2 && !end->preserved) ||
			       ask(&holder.end, &holder.index)))
		return;
	if (add_fd(all, &holder))
		return;
	if (all->nr == all->room) {
		struct holder *larger;

		larger = reallocarray(all->holder, 2 * all->room + 16, sizeof(*larger));
		if (!larger)
			return;
		all->holder = larger;
		all->room = 2 * all->room + 16;
	}
	all->holder[all->nr++] = holder;
}

void holders_find(struct holders *all)
{
	all->nr = 0;
	zb_scan(found, all);
}

struct holder *holder_of_buffer(const struct holders *all, uint64_t pipe, uint64_t position,
				uint64_t length)
{
	size_t k;

	for (k = 0; k < all->nr; k++) {
		struct holder *holder = &all->holder[k];

		if (is_buffer(&holder->end) && holder->end.pipe == pipe &&
		    holder->end.position == position && holder->end.length == length)
			return holder;
	}
	return NULL;
}

struct holder *holder_of_reader(const struct holders *all, uint64_t pipe, uint32_t index)
{
	size_t k;

	for (k = 0; k < all->nr; k++) {
		struct holder *holder = &all->holder[k];

		if (is_reader(&holder->end) && holder->end.pipe == pipe && holder->index == index)
			return holder;
	}
	return NULL;
}

struct holder *holder_that_preserves(const struct holders *all, uint64_t pipe)
{
	size_t k;

	for (k = 0; k < all->nr; k++) {
		struct holder *holder = &all->holder[k];

		if (is_reader(&holder->end) && holder->end.pipe == pipe && holder->end.preserved)
			return holder;
	}
	return NULL;
}

uint64_t holders_preserved(const struct holders *all, uint64_t pipe)
{
	uint64_t bytes = 0;
	size_t k;

	for (k = 0; k < all->nr; k++) {
		if (is_reader(&all->holder[k].end) && all->holder[k].end.pipe == pipe)
			bytes += all->holder[k].end.preserved;
	}
	return bytes;
}
