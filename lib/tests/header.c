// SPDX-License-Identifier: MIT
/*
 * header - the public header alone, in every language it promises
 *
 * Compiled as C11, gnu11 and C++17 with all warnings, against the installed
 * copy too; it names every inline function and links with the library.
 */
#include <zpipe.h>

int use(struct zp_writer *w, struct zp_reader *r);

int use(struct zp_writer *w, struct zp_reader *r)
{
	struct zp_frame frame;
	struct zp_stats stats;
	struct zp_span room;
	struct zp_view view, part;
	uint64_t total = 0, number;
	struct zp_cursor c;
	unsigned char byte;
	int64_t integer;
	uint32_t i;
	size_t len;
	int ret;

	stats.sz = sizeof(stats);
	ret = zp_alloc(w, 64, &room);
	if (ret < 0 || zp_try_alloc(w, 64, &room) < 0 || zp_alloc_flags(w, 1, 0, 0, &room) < 0)
		return ret;
	if (zp_commit(w, 64) || zp_write(w, "x", 1) < 0)
		return -1;
	if (zp_put_byte(w, 1) || zp_put_le(w, 4, 1) || zp_put_be(w, 4, 1) ||
	    zp_frame_begin(w, 4, ZP_BIG_ENDIAN, &frame) || zp_frame_drop(w, &frame))
		return -1;
	zp_publish(w);
	ret = zp_flush(w);
	if (!ret)
		ret = zp_flush_flags(w, ZP_NOWAIT, 0);
	if (ret || zp_unflushed(w) || !zp_position(w))
		return ret;

	if (zp_read(r, &view) || zp_examine_all(r))
		return -1;
	if (zp_try_read(r, &view) || zp_consume(r, 1))
		return -1;
	if (zp_read_min(r, 2, &view) || zp_advance(r, view.start, view.end))
		return -1;
	if (zp_read_flags(r, 1, 0, 0, &view))
		return -1;
	for (i = 0; i < view.nr_spans; i++) {
		zp_view_span(&view, i, &len);
		total += len;
	}
	zp_view_peek(&view, 1, &part);
	if (zp_view_take(&view, 1, &part) != 1 || zp_view_skip(&view, 1) != 1)
		return -1;
	part = zp_view_of("", 0);
	if (zp_view_equal(&view, &part))
		return -1;
	zp_cursor_init_memory(&c, "x", 1);
	zp_cursor_init(&c, &view);
	if (zp_cursor_byte(&c, &byte) || zp_cursor_peek(&c) < 0 || zp_cursor_copy(&c, &byte, 1) ||
	    zp_cursor_skip(&c, 1) || zp_cursor_le(&c, 4, &number) || zp_cursor_be(&c, 3, &number) ||
	    zp_cursor_varint(&c, &number) || zp_cursor_uint(&c, &number) ||
	    zp_cursor_int(&c, &integer) || zp_zigzag(number) != integer)
		return -1;
	zp_cursor_final(&c);
	total += zp_cursor_left(&c) + zp_cursor_position(&c);
	ret = zp_stats(w, &stats);
	if (!ret)
		ret = zp_stats(r, &stats);
	if (ret || stats.bytes)
		return -1;
	if (zp_view_data(&view, &len) && total != zp_view_len(&view))
		return -1;
	return zp_consume_all(r) ? -1 : (int)zp_consumed(r);
}

int main(void)
{
	return zp_version() == ZP_VERSION_MAJOR * 10000 + ZP_VERSION_MINOR * 100 +
	       ZP_VERSION_PATCH ? 0 : 1;
}
