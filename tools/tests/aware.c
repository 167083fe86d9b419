// SPDX-License-Identifier: MIT
/*
 * aware - a program that knows zpipe and finds its ends through ZPIPE_FD
 *
 *	aware [BYTES]	with a writer alone: writes so many; with a reader alone: prints how many
 *			came; with both: forwards. Says on stderr when bytes were copied.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zpipe.h>

static int produce(struct zp_writer *w, uint64_t bytes)
{
	struct zp_span room;
	int ret = 0;

	while (bytes && !ret) {
		ret = zp_alloc(w, 1, &room);
		if (ret)
			break;
		if (room.len > bytes)
			room.len = (size_t)bytes;
		memset(room.data, 'a', room.len);
		bytes -= room.len;
		ret = zp_commit(w, room.len);
		ret = ret ? ret : zp_flush(w);
	}
	return ret ? ret : zp_writer_complete(w, 0, 0);
}

static int consume(struct zp_reader *r, uint64_t *bytes)
{
	struct zp_view view;
	int ret;

	*bytes = 0;
	while (!(ret = zp_read(r, &view)) && zp_view_len(&view)) {
		*bytes += zp_view_len(&view);
		zp_consume_all(r);
	}
	return ret;
}

static uint64_t copies(int fd)
{
	struct zp_stat stat = { .sz = sizeof(stat) };

	return zp_stat(fd, &stat) ? 1 : stat.copied_write + stat.copied_read;
}

int main(int argc, char **argv)
{
	const struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct zp_writer *w = NULL;
	struct zp_reader *r = NULL;
	uint64_t bytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int in, out, ret = 0;

	if (!zp_spawned_fd(ZP_ROLE_WRITER, &out))
		ret = zp_writer_open(&w, out, &keep);
	if (!ret && !zp_spawned_fd(ZP_ROLE_READER, &in))
		ret = zp_reader_open(&r, in, &keep);
	if (ret || (!w && !r)) {
		fprintf(stderr, "aware: no end: %s\n", strerror(-ret));
		return 1;
	}
	if (w && r) {
		ret = zp_copy(w, r, NULL, NULL);
		ret = ret ? ret : zp_writer_complete(w, 0, 0);
	} else if (w) {
		ret = produce(w, bytes);
	} else {
		ret = consume(r, &bytes);
		printf("%" PRIu64 "\n", bytes);
	}
	if (copies(w ? out : in))
		fprintf(stderr, "aware: bytes were copied\n");
	zp_writer_close(w);
	zp_reader_close(r);
	return ret ? 1 : 0;
}
