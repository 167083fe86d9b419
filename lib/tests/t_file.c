// SPDX-License-Identifier: MIT
/*
 * t_file - handles as files of stdio
 */
#include <errno.h>
#include <stdio.h>

#include "ends.h"
#include "tap.h"

static const struct fake_opts scattered = {
	.policy = FAKE_SCATTER, .nr_segments = 8, .table_entries = 16,
};
static struct zp_view view;

static void both(void)
{
	struct ends e = ends_open(scattered);
	FILE *in, *out;
	char text[64];
	int i;

	ASSERT_EQ(zp_writer_file(e.w, 0, &out), 0);
	ASSERT_EQ(zp_reader_file(e.r, 0, &in), 0);
	for (i = 0; i < 900; i++)
		EXPECT(fprintf(out, "line %d\n", i) > 0);
	EXPECT_EQ(fclose(out), 0);
	for (i = 0; i < 900; i++) {
		int n = -1;

		ASSERT(fgets(text, sizeof(text), in));
		EXPECT_EQ(sscanf(text, "line %d", &n), 1);
		EXPECT_EQ(n, i);
	}
	/* the end, again and again */
	for (i = 0; i < 3; i++) {
		EXPECT(!fgets(text, sizeof(text), in));
		EXPECT(feof(in) && !ferror(in));
	}
	EXPECT_EQ(fclose(in), 0);
	fake_stop();
}

static void left_open(void)
{
	struct ends e = ends_open(scattered);
	FILE *file = NULL;
	char buf[8];

	EXPECT_EQ(zp_writer_file(e.w, 2, &file), -EOPNOTSUPP);
	EXPECT_EQ(file, NULL);
	ASSERT_EQ(zp_writer_file(e.w, ZP_LEAVE_OPEN, &file), 0);
	EXPECT_EQ(fputs("abc", file) >= 0, 1);
	EXPECT_EQ(zp_position(e.w), 0);
	EXPECT_EQ(fflush(file), 0);
	EXPECT_EQ(zp_position(e.w), 3);
	EXPECT_EQ(zp_unflushed(e.w), 0);
	/* the wrong direction */
	EXPECT_EQ(fread(buf, 1, 1, file), 0);
	EXPECT(ferror(file));
	EXPECT_EQ(fclose(file), 0);
	EXPECT_EQ(zp_write(e.w, "def", 3), 0);
	EXPECT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_reader_file(e.r, ZP_LEAVE_OPEN, &file), 0);
	setvbuf(file, NULL, _IONBF, 0);
	/* the other wrong direction, and a place to go to */
	EXPECT_EQ(fputc('x', file), EOF);
	EXPECT(ferror(file));
	clearerr(file);
	EXPECT_EQ(fseek(file, 1, SEEK_SET), -1);
	EXPECT_EQ(fread(buf, 1, 4, file), 4);
	EXPECT(!memcmp(buf, "abcd", 4));
	EXPECT_EQ(fclose(file), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 4);
	EXPECT_EQ(view.end, 6);
	ends_close(&e);
}

static void errors(void)
{
	struct ends e = ends_open(scattered);
	FILE *in, *out;
	char buf[8];

	ASSERT_EQ(zp_reader_file(e.r, ZP_LEAVE_OPEN, &in), 0);
	ASSERT_EQ(zp_writer_file(e.w, ZP_LEAVE_OPEN, &out), 0);
	setvbuf(in, NULL, _IONBF, 0);
	EXPECT(fputs("xyz", out) >= 0);
	EXPECT_EQ(fflush(out), 0);
	/* canceled, usable afterwards, and nothing lost */
	ASSERT_EQ(zp_cancel(e.rfd, ZP_CANCEL_READ), 0);
	errno = 0;
	EXPECT_EQ(fread(buf, 1, 1, in), 0);
	EXPECT(ferror(in));
	EXPECT_EQ(errno, ECANCELED);
	clearerr(in);
	EXPECT_EQ(fread(buf, 1, 3, in), 3);
	EXPECT(!memcmp(buf, "xyz", 3));
	/* nobody reads any more */
	ASSERT_EQ(zp_reader_complete(e.r, 0), 0);
	fputs("x", out);
	errno = 0;
	EXPECT_EQ(fflush(out), EOF);
	EXPECT_EQ(errno, EPIPE);
	/* and this end is over */
	errno = 0;
	EXPECT_EQ(fread(buf, 1, 1, in), 0);
	EXPECT(ferror(in));
	EXPECT_EQ(errno, ESHUTDOWN);
	fclose(in);
	fclose(out);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "file.lines_through_a_pipe", both },
	{ "file.left_open_goes_on_where_it_was", left_open },
	{ "file.errors_are_those_of_stdio", errors },
};

TAP_MAIN(tests)
