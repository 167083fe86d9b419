// SPDX-License-Identifier: MIT
/*
 * epoll - one loop reads from many pipes, edge-triggered
 *
 * The recipe for any event loop: try until -EAGAIN, then wait. The try that
 * failed armed the wake-up, so nothing that comes in between is missed, and
 * while a writer keeps ahead the loop makes no system call for its bytes.
 * Eight children count for a while; the parent adds up what they say.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

#define CHILDREN	8
#define COUNT		100000U

struct source {
	struct zp_reader *r;
	uint64_t sum;
};

static int count(int fd)
{
	struct zp_writer *w;
	struct zp_span room;
	uint32_t n;
	int ret;

	ret = zp_writer_open(&w, fd, NULL);
	for (n = 1; !ret && n <= COUNT; n++) {
		ret = zp_alloc(w, sizeof(n), &room);
		if (ret)
			break;
		memcpy(room.data, &n, sizeof(n));
		zp_commit(w, sizeof(n));
		/* a flush may cover many messages */
		if (n % 16 == 0)
			ret = zp_flush(w);
	}
	if (!ret)
		ret = zp_writer_complete(w, 0, 0);
	return ret;
}

/* Everything there is: 1 at the end of the stream, 0 when empty for now. */
static int drain(struct source *s)
{
	struct zp_view view;
	int ret;

	while ((ret = zp_try_read(s->r, &view)) == 0) {
		uint64_t at = view.start;
		uint32_t n;

		/* a number may lie across two spans, or be there in part only */
		while (zp_view_copy(&view, at, &n, sizeof(n)) == sizeof(n)) {
			s->sum += n;
			at += sizeof(n);
		}
		if (view.start == view.end && view.flags & ZP_COMPLETED)
			return 1;
		ret = zp_advance(s->r, at, view.end);
		if (ret)
			return ret;
	}
	return ret == -EAGAIN ? 0 : ret;
}

static int start_child(struct source *s, int epoll)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = s };
	int wfd, rfd, ret;
	pid_t child;

	ret = zp_create(NULL, &wfd, &rfd);
	if (ret)
		return ret;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		_exit(count(wfd) ? 1 : 0);
	/* or the pipe would not end when the child does */
	close(wfd);
	ret = zp_reader_open(&s->r, rfd, NULL);
	if (ret)
		return ret;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, rfd, &ev) ? -errno : 0;
}

int main(void)
{
	struct source sources[CHILDREN] = { { 0 } };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t sum = 0;
	int i, open, bad = 0, status, ret = 0;

	for (open = 0; open < CHILDREN && !ret; open++)
		ret = start_child(&sources[open], epoll);

	while (!ret && open) {
		struct epoll_event ev[CHILDREN];
		int nr = epoll_wait(epoll, ev, CHILDREN, -1);

		if (nr < 0 && errno != EINTR)
			ret = -errno;
		for (i = 0; i < nr && !ret; i++) {
			struct source *s = ev[i].data.ptr;

			ret = drain(s);
			if (ret != 1)
				continue;
			ret = 0;
			sum += s->sum;
			open--;
			zp_reader_close(s->r);
		}
	}
	if (ret) {
		errno = -ret;
		warn("a pipe");
	}
	while (!ret && wait(&status) > 0)
		bad |= status;
	printf("sum %llu\n", (unsigned long long)sum);
	return ret || bad || sum != (uint64_t)CHILDREN * COUNT * (COUNT + 1) / 2;
}
