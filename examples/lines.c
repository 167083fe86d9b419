// SPDX-License-Identifier: MIT
/*
 * lines - a parser: whole lines are taken, half a line is waited for
 *
 * Copies standard input through a pipe of 16 KiB and prints each line with its
 * number. The reader consumes what it is done with and examines all it saw, so
 * that the next read waits for more; a line longer than the pipe can hold is
 * told by ZP_FULL and is cut. Try: lines < /etc/services
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

/* The pipe is the buffer: read(2) fills the grant itself. */
static int feed(int fd)
{
	struct zp_writer *w;
	struct zp_span room;
	ssize_t n;
	int ret;

	ret = zp_writer_open(&w, fd, NULL);
	if (ret)
		return ret;
	while ((ret = zp_alloc(w, 1, &room)) == 0) {
		n = read(STDIN_FILENO, room.data, room.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* an error here is an error there */
			ret = zp_writer_complete(w, n < 0 ? errno : 0, 0);
			break;
		}
		ret = zp_commit(w, (size_t)n);
		if (!ret)
			ret = zp_flush(w);
		if (ret)
			break;
	}
	zp_writer_close(w);
	/* positive: the reader has left, which is its right */
	return ret < 0 ? ret : 0;
}

/* One span needs no special case: this prints however many there are. */
static int print_line(unsigned long number, const struct zp_view *line)
{
	uint32_t i;

	printf("%6lu  ", number);
	for (i = 0; i < line->nr_spans; i++) {
		size_t len;
		const void *data = zp_view_span(line, i, &len);

		if (fwrite(data, 1, len, stdout) < len)
			return -EIO;
	}
	return putchar('\n') < 0 ? -EIO : 0;
}

static int show(int fd)
{
	unsigned long number = 0;
	struct zp_reader *r;
	struct zp_view view, line;
	int ret;

	ret = zp_reader_open(&r, fd, NULL);
	if (ret)
		return ret;
	while ((ret = zp_read(r, &view)) == 0) {
		uint64_t from = view.start, end;

		while (!ret && zp_view_find(&view, from, "\n", 1, &end) == 0) {
			zp_view_slice(&view, from, end, &line);
			ret = print_line(++number, &line);
			from = end + 1;
		}
		/* no newline will come for the rest: the end, or too long */
		if (!ret && from < view.end && view.flags & (ZP_COMPLETED | ZP_FULL)) {
			zp_view_slice(&view, from, view.end, &line);
			ret = print_line(++number, &line);
			from = view.end;
		}
		if (ret)
			break;
		if (view.start == view.end && view.flags & ZP_COMPLETED)
			break;
		ret = zp_advance(r, from, view.end);
		if (ret)
			break;
	}
	zp_reader_close(r);
	return ret;
}

int main(void)
{
	struct zp_create_opts opts = { .sz = sizeof(opts), .capacity = 16384 };
	int wfd, rfd, status = 0, ret;
	pid_t child;

	ret = zp_create(&opts, &wfd, &rfd);
	if (ret) {
		errno = -ret;
		err(1, "cannot make a pipe");
	}
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		close(rfd);
		_exit(feed(wfd) ? 1 : 0);
	}
	close(wfd);
	ret = show(rfd);
	if (ret) {
		errno = -ret;
		warn("read");
	}
	waitpid(child, &status, 0);
	return ret || status;
}
