// SPDX-License-Identifier: MIT
/*
 * count - a child writes lines in place, its parent counts them in place
 *
 * The README shows this program.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

int main(void)
{
	struct zp_writer *w;
	struct zp_reader *r;
	struct zp_span room;
	struct zp_view view;
	int wfd, rfd, n;

	if (zp_create(NULL, &wfd, &rfd))
		return 1;
	if (fork() == 0) {			/* the producer */
		close(rfd);
		zp_writer_open(&w, wfd, NULL);
		for (n = 0; n < 1000; n++) {
			if (zp_alloc(w, 64, &room) < 0)	/* where to write */
				_exit(1);
			zp_commit(w, sprintf(room.data, "line %d\n", n));
			zp_flush(w);		/* the reader may see it */
		}
		zp_writer_complete(w, 0, 0);
		_exit(0);
	}
	close(wfd);				/* the consumer */
	zp_reader_open(&r, rfd, NULL);
	for (n = 0; !zp_read(r, &view) && view.end > view.start; zp_consume(r, view.first.len))
		for (size_t i = 0; i < view.first.len; i++)
			n += ((char *)view.first.data)[i] == '\n';
	zp_reader_close(r);
	wait(NULL);
	return printf("%d lines\n", n) < 0;
}
