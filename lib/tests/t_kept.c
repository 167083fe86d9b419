// SPDX-License-Identifier: MIT
/*
 * t_kept - preserved ranges over the fake kernel: bookkeeping, and how a library
 * built for debugging catches their misuse
 *
 * Built twice, with and without ZP_DEBUG.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ends.h"
#include "tap.h"

static struct zp_view view;

static void sent(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT_EQ(zp_flush(e->w), 0);
}

/* In so many pieces that the first call has no room for them. */
static void many_pieces(void)
{
	struct fake_opts opts = { .policy = FAKE_SCATTER, .nr_segments = 16, .table_entries = 32 };
	struct ends e = ends_open(opts);
	struct zp_kept *kept = NULL;

	sent(&e, 15 * 4096);
	ASSERT_EQ(zp_preserve(e.r, 100, 14 * 4096, &kept), 0);
	EXPECT(zp_kept_view(kept)->nr_spans > 4);
	EXPECT(view_good(zp_kept_view(kept)));
	EXPECT_EQ(fake_kept(), 1);
	EXPECT_EQ(zp_release(kept), 0);
	EXPECT_EQ(fake_kept(), 0);
	ends_close(&e);
}

static void over_the_wrap(void)
{
	struct fake_opts opts = { .policy = FAKE_RING };
	struct ends e = ends_open(opts);
	struct zp_kept *kept = NULL;

	sent(&e, 3 * 4096);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_consume(e.r, 2 * 4096 + 50), 0);
	sent(&e, 4096 + 10);
	ASSERT_EQ(zp_read_min(e.r, 2 * 4096 - 40, &view), 0);
	ASSERT_EQ(zp_preserve(e.r, view.start, zp_view_len(&view), &kept), 0);
	EXPECT_EQ(zp_view_len(zp_kept_view(kept)), 2 * 4096 - 40);
	EXPECT(view_good(zp_kept_view(kept)));
	EXPECT_EQ(zp_release(kept), 0);
	ends_close(&e);
}

static void takes(void)
{
	struct ends e = ends_open((struct fake_opts){ 0 });
	struct zp_kept *kept[3] = { NULL };

	EXPECT_EQ(zp_take(e.r, 10, &kept[0]), -EPROTO);
	sent(&e, 1000);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_take(e.r, 0, &kept[0]), -EINVAL);
	EXPECT_EQ(fake_kept(), 0);
	ASSERT_EQ(zp_take(e.r, 10, &kept[0]), 0);
	EXPECT_EQ(zp_consumed(e.r), 10);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(view.start, 10);
	ASSERT_EQ(zp_take(e.r, 500, &kept[1]), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	ASSERT_EQ(zp_take(e.r, ZP_ALL, &kept[2]), 0);
	EXPECT_EQ(zp_consumed(e.r), 1000);
	EXPECT(view_good(zp_kept_view(kept[0])));
	EXPECT(view_good(zp_kept_view(kept[1])));
	EXPECT(view_good(zp_kept_view(kept[2])));
	EXPECT_EQ(zp_view_len(zp_kept_view(kept[2])), 490);
	EXPECT_EQ(zp_release(kept[1]), 0);
	EXPECT_EQ(zp_release(kept[0]), 0);
	EXPECT_EQ(zp_release(kept[2]), 0);
	EXPECT_EQ(zp_release(NULL), 0);
	EXPECT_EQ(fake_kept(), 0);
	ends_close(&e);
}

#ifdef ZP_DEBUG

static struct zp_kept *released(struct ends *e, struct zp_view *bytes)
{
	struct zp_kept *kept = NULL;

	sent(e, 1000);
	EXPECT_EQ(zp_preserve(e->r, 0, 1000, &kept), 0);
	*bytes = *zp_kept_view(kept);
	EXPECT(view_good(bytes));
	EXPECT_EQ(zp_release(kept), 0);
	return kept;
}

/* Does it end the process, and not by itself? */
static bool dies(void (*crime)(struct zp_kept *kept, const struct zp_view *bytes),
		 struct zp_kept *kept, const struct zp_view *bytes)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		close(2);
		crime(kept, bytes);
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	return status != 0;
}

static void release_it(struct zp_kept *kept, const struct zp_view *bytes)
{
	(void)bytes;
	zp_release(kept);
}

static void view_it(struct zp_kept *kept, const struct zp_view *bytes)
{
	(void)bytes;
	zp_kept_view(kept);
}

static void export_it(struct zp_kept *kept, const struct zp_view *bytes)
{
	int fd;

	(void)bytes;
	zp_export(kept, &fd);
}

static void read_it(struct zp_kept *kept, const struct zp_view *bytes)
{
	(void)kept;
	if (*(const volatile char *)bytes->first.data == 77)
		_exit(0);
}

static void nothing(struct zp_kept *kept, const struct zp_view *bytes)
{
	(void)kept;
	(void)bytes;
}

static void misuse(void)
{
	struct ends e = ends_open((struct fake_opts){ 0 });
	struct zp_view bytes;
	struct zp_kept *kept = released(&e, &bytes);

	EXPECT(!dies(nothing, kept, &bytes));
	EXPECT(dies(release_it, kept, &bytes));
	EXPECT(dies(view_it, kept, &bytes));
	EXPECT(dies(export_it, kept, &bytes));
	EXPECT(dies(read_it, kept, &bytes));
	ends_close(&e);
}

/* Released ranges are remembered, but not for ever. */
static void many(void)
{
	struct ends e = ends_open((struct fake_opts){ 0 });
	int i;

	sent(&e, 1000);
	for (i = 0; i < 10000; i++) {
		struct zp_kept *kept = NULL;

		ASSERT_EQ(zp_preserve(e.r, 5, 100, &kept), 0);
		ASSERT(view_good(zp_kept_view(kept)));
		ASSERT_EQ(zp_release(kept), 0);
	}
	ends_close(&e);
}

#endif

static const struct tap_test tests[] = {
	{ "preserve.many_pieces", many_pieces },
	{ "preserve.over_the_end_of_the_window", over_the_wrap },
	{ "take.keeps_and_consumes", takes },
#ifdef ZP_DEBUG
	{ "debug.use_after_release_dies", misuse },
	{ "debug.ten_thousand_ranges", many },
#endif
};

TAP_MAIN(tests)
