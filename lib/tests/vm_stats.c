// SPDX-License-Identifier: MIT
/*
 * vm_stats - what zp_stats() says, against prime numbers known beforehand and the kernel's counters
 *
 * Every number that a test expects is a prime of its own, so that none can stand for another.
 */
#include "vm.h"

static struct zp_span room;
static struct zp_view view;
static unsigned char bytes[16384];

static const struct zp_create_opts plain = { .segment_size = 4096, .capacity = 64 * 4096U,
					     .pause = ZP_NEVER };

static struct zp_stats of_writer(struct zp_writer *w)
{
	struct zp_stats stats = { .sz = sizeof(stats) };

	EXPECT_EQ(zp_stats(w, &stats), 0);
	return stats;
}

static struct zp_stats of_reader(struct zp_reader *r)
{
	struct zp_stats stats = { .sz = sizeof(stats) };

	EXPECT_EQ(zp_stats(r, &stats), 0);
	return stats;
}

static void consume(struct zp_reader *r, uint64_t n)
{
	while (n) {
		uint64_t part;

		if (!EXPECT_EQ(zp_try_read(r, &view), 0))
			return;
		part = zp_view_len(&view) < n ? zp_view_len(&view) : n;
		EXPECT_EQ(zp_consume(r, part), 0);
		n -= part;
	}
}

static void each_way_in_is_told_apart(void)
{
	struct ends e = ends_open(plain);
	struct zp_stats s;
	uint64_t mark;
	int i;

	/* in place: 11 times 997, flushed one by one */
	for (i = 0; i < 11; i++) {
		ASSERT_EQ(put(e.w, 997), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
	}
	/* copied: 7 times 1499, published by one publish */
	for (i = 0; i < 7; i++)
		ASSERT_EQ(zp_write(e.w, bytes, 1499), 0);
	zp_publish(e.w);
	/* copied and flushed; more than one segment: it flushes in between */
	ASSERT_EQ(zp_write_flush(e.w, bytes, 12289, NULL), 0);
	/* committed, changed, and the end taken back */
	mark = zp_position(e.w);
	ASSERT_EQ(put(e.w, 1009), 0);
	ASSERT_EQ(zp_patch(e.w, mark + 5, bytes, 383), 0);
	ASSERT_EQ(zp_rollback(e.w, mark + 1009 - 211), 0);
	ASSERT_EQ(zp_flush(e.w), 0);

	s = of_writer(e.w);
	EXPECT_EQ(s.position, zp_position(e.w));
	EXPECT_EQ(s.mapped, 11 * 997 + 1009);
	EXPECT_EQ(s.copied_write, 7 * 1499);
	EXPECT_EQ(s.copied_write_flush, 12289);
	EXPECT_EQ(s.forwarded, 0);
	EXPECT_EQ(s.patched, 383);
	EXPECT_EQ(s.rolled_back, 211);
	EXPECT_EQ(s.bytes, s.mapped + s.copied_write + s.copied_write_flush);
	EXPECT_EQ(s.position, s.bytes - s.rolled_back);
	EXPECT(s.publishes >= 11 + 1 + 1 + 1);
	EXPECT_EQ(s.position, stat_of(e.wfd).published);
	EXPECT_EQ(s.allocs, stat_of(e.wfd).allocs);
	EXPECT_EQ(s.flushes, stat_of(e.wfd).flushes);
	EXPECT_EQ(s.wakes, 0);
	EXPECT_EQ(s.reads | s.advances, 0);
	/* the kernel has copied nothing of it */
	EXPECT_EQ(stat_of(e.wfd).copied_write, 0);
	ends_close(&e);
}

static void publishes_are_counted_one_by_one(void)
{
	struct ends e = ends_open(plain);
	int i;

	for (i = 0; i < 101; i++) {
		ASSERT_EQ(put(e.w, 3), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
	}
	for (i = 0; i < 53; i++)
		zp_publish(e.w);
	for (i = 0; i < 31; i++)
		ASSERT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	for (i = 0; i < 17; i++)
		ASSERT_EQ(zp_flush_flags(e.w, ZP_FLUSH_PUSH, 0), 0);
	EXPECT_EQ(of_writer(e.w).publishes, 101 + 53 + 31 + 17);
	/* only the last ones needed the kernel */
	EXPECT_EQ(of_writer(e.w).flushes, 17);
	EXPECT_EQ(stat_of(e.wfd).flushes, 17);
	ends_close(&e);
}

static void reader_counts_what_it_gives_back(void)
{
	struct zp_stats s, before;
	struct ends e = ends_open(plain);

	before = of_reader(e.r);
	ASSERT_EQ(put(e.w, 20011), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	consume(e.r, 10007);
	ASSERT_EQ(zp_try_read(e.r, &view), 0);
	EXPECT_EQ(zp_view_copy(&view, view.start, bytes, 2503), 2503);
	EXPECT_EQ(zp_view_copy(&view, view.end + 1, bytes, 2503), 0);
	ASSERT_EQ(zp_consume(e.r, 5003), 0);
	s = of_reader(e.r);
	EXPECT_EQ(s.position, 10007 + 5003);
	EXPECT_EQ(s.bytes, 10007 + 5003);
	EXPECT_EQ(s.mapped, s.bytes);
	EXPECT_EQ(s.position, stat_of(e.rfd).consumed);
	EXPECT_EQ(s.copied_view - before.copied_view, 2503);
	EXPECT_EQ(s.reads, stat_of(e.rfd).reads);
	EXPECT_EQ(s.advances, stat_of(e.rfd).advances);
	EXPECT_EQ(s.publishes | s.allocs | s.flushes | s.copied_write, 0);
	ends_close(&e);
}

static void forwarded_bytes_are_nobodys_copy(void)
{
	struct ends from = ends_open(plain), to = ends_open(plain);
	size_t done;

	ASSERT_EQ(put(from.w, 9001), 0);
	ASSERT_EQ(zp_flush(from.w), 0);
	ASSERT_EQ(put(to.w, 13), 0);
	ASSERT_EQ(zp_try_read(from.r, &view), 0);
	ASSERT_EQ(zp_forward(to.w, from.r, 6007, 0, 0, &done), 0);
	ASSERT_EQ(done, 6007);
	ASSERT_EQ(zp_flush(to.w), 0);
	consume(from.r, 1999);
	EXPECT_EQ(of_writer(to.w).forwarded, 6007);
	EXPECT_EQ(of_writer(to.w).mapped, 13);
	EXPECT_EQ(of_writer(to.w).bytes, 6020);
	EXPECT_EQ(of_writer(to.w).forwarded, stat_of(to.wfd).forwarded);
	EXPECT_EQ(of_reader(from.r).forwarded, 6007);
	EXPECT_EQ(of_reader(from.r).mapped, 1999);
	EXPECT_EQ(of_reader(from.r).bytes, 8006);
	ends_close(&from);
	ends_close(&to);
}

/* A process that consumes all, resting between steps; never returns. */
static void slow_reader(struct ends *e, size_t step)
{
	struct zp_reader *r;

	zp_reader_set_spin(e->r, 0);
	r = e->r;
	while (zp_read(r, &view) == 0 && zp_view_len(&view)) {
		uint64_t n = zp_view_len(&view) < step ? zp_view_len(&view) : step;

		sleep_ms(2);
		if (zp_advance(r, view.start + n, view.start + n))
			_exit(2);
	}
	_exit(0);
}

static void pauses_and_waits_are_those_of_stat(void)
{
	struct ends e = ends_open((struct zp_create_opts){
		.segment_size = 4096, .capacity = 4 * 4096, .pause = 8191, .resume = 4093 });
	struct zp_stats s;
	struct zp_stat k;
	pid_t child;
	int i;

	zp_writer_set_spin(e.w, 0);
	child = fork();
	if (!child)
		slow_reader(&e, 4001);
	for (i = 0; i < 13; i++) {
		int ret = put(e.w, 2999);

		/* the rest of it, once there is memory */
		if (ret == -EAGAIN)
			ret = zp_alloc(e.w, 1, &room);
		EXPECT_EQ(ret, 0);
		EXPECT_EQ(zp_flush(e.w), 0);
	}
	EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	EXPECT_EQ(join(child), 0);
	s = of_writer(e.w);
	k = stat_of(e.wfd);
	EXPECT(s.pauses > 0);
	EXPECT_EQ(s.pauses, k.pauses);
	EXPECT_EQ(s.paused_ns, k.paused_ns);
	EXPECT_EQ(s.longest_pause_ns, k.longest_pause_ns);
	EXPECT(s.longest_pause_ns > 0 && s.longest_pause_ns <= s.paused_ns);
	EXPECT(s.longest_pause_ns * s.pauses >= s.paused_ns);
	EXPECT(s.waits > 0);
	EXPECT_EQ(s.waits, k.writer_waits);
	EXPECT_EQ(s.wait_ns, k.writer_wait_ns);
	EXPECT(s.longest_wait_ns > 0 && s.longest_wait_ns <= s.wait_ns);
	EXPECT(s.longest_wait_ns * s.waits >= s.wait_ns);
	EXPECT_EQ(s.allocs, k.allocs);
	EXPECT_EQ(s.flushes, k.flushes);
	ends_close(&e);
}

/* Does the kernel know a reader that waits? */
static bool reader_waits(int fd)
{
	char path[64], line[128], word[8];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "zpipe-reader-waits: %7s", word) == 1 && !strcmp(word, "yes");
	if (f)
		fclose(f);
	return found;
}

static void every_wake_of_a_sleeper_is_counted(void)
{
	struct ends e = ends_open(plain);
	struct zp_stats s;
	pid_t child;
	int i;

	child = fork();
	if (!child)
		slow_reader(&e, 64);
	for (i = 0; i < 19; i++) {
		struct zp_stat k;

		/* until it sleeps */
		do {
			sleep_ms(5);
			k = stat_of(e.wfd);
		} while (k.consumed != zp_position(e.w) || !reader_waits(e.wfd));
		sleep_ms(20);
		EXPECT_EQ(put(e.w, 61), 0);
		EXPECT_EQ(zp_flush(e.w), 0);
	}
	s = of_writer(e.w);
	EXPECT_EQ(s.wakes, 19);
	EXPECT_EQ(s.flushes, 19);
	EXPECT_EQ(stat_of(e.wfd).reader_wakes, 19);
	EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	EXPECT_EQ(join(child), 0);
	EXPECT(stat_of(e.wfd).reader_waits >= 19);
	EXPECT_EQ(of_reader(e.r).waits, stat_of(e.rfd).reader_waits);
	ends_close(&e);
}

static void each_reader_of_a_tee_has_its_own_waits(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct ends e = ends_open(plain);
	struct zp_reader *other;
	int fd, i;

	ASSERT_EQ(zp_tee(e.rfd, 0, &fd), 0);
	ASSERT_EQ(zp_reader_open(&other, fd, &keep), 0);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(zp_read_flags(e.r, 1, 0, zp_deadline(3 * MS), &view), -ETIMEDOUT);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(zp_read_flags(other, 1, 0, zp_deadline(2 * MS), &view), -ETIMEDOUT);
	EXPECT_EQ(of_reader(e.r).waits, 3);
	EXPECT_EQ(of_reader(other).waits, 5);
	EXPECT(of_reader(e.r).longest_wait_ns >= 1 * MS);
	EXPECT(of_reader(e.r).longest_wait_ns < of_reader(e.r).wait_ns);
	EXPECT_EQ(stat_of(e.wfd).reader_waits, 8);
	EXPECT_EQ(stat_of(e.wfd).reader_wait_ns,
		  of_reader(e.r).wait_ns + of_reader(other).wait_ns);
	zp_reader_close(other);
	close(fd);
	ends_close(&e);
}

static void guarded_ends_call_for_everything(void)
{
	struct ends e = ends_open((struct zp_create_opts){
		.segment_size = 4096, .capacity = 64 * 4096U, .flags = ZP_GUARDED });
	struct zp_stats s;
	int i;

	for (i = 0; i < 23; i++) {
		ASSERT_EQ(put(e.w, 41), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
	}
	s = of_writer(e.w);
	EXPECT_EQ(s.mapped, 23 * 41);
	EXPECT_EQ(s.publishes, 23);
	EXPECT_EQ(s.flushes, 23);
	EXPECT_EQ(s.wakes, 0);
	consume(e.r, 23 * 41);
	EXPECT_EQ(of_reader(e.r).bytes, 23 * 41);
	EXPECT_EQ(of_reader(e.r).reads, stat_of(e.rfd).reads);
	EXPECT_EQ(of_reader(e.r).advances, stat_of(e.rfd).advances);
	ends_close(&e);
}

static void handle_counts_from_its_opening(void)
{
	struct zp_open_opts keep = { .sz = sizeof(keep), .flags = ZP_KEEP_FD };
	struct ends e = ends_open(plain);
	struct zp_writer *w;

	ASSERT_EQ(put(e.w, 5000), 0);
	ASSERT_EQ(zp_flush(e.w), 0);
	ASSERT_EQ(zp_writer_open(&w, e.wfd, &keep), 0);
	EXPECT_EQ(of_writer(w).bytes, 0);
	EXPECT_EQ(of_writer(w).position, 5000);
	ASSERT_EQ(put(w, 37), 0);
	EXPECT_EQ(of_writer(w).bytes, 37);
	EXPECT_EQ(of_writer(w).position, 5037);
	/* an abort takes back what was not flushed */
	ASSERT_EQ(zp_writer_complete(w, EIO, 0), 0);
	EXPECT_EQ(of_writer(w).rolled_back, 37);
	EXPECT_EQ(of_writer(w).position, 5000);
	zp_writer_close(w);
	ends_close(&e);
}

static void short_and_long_structs(void)
{
	struct {
		struct zp_stats stats;
		uint64_t newer;
	} longer = { .stats.sz = sizeof(longer), .newer = ~0ULL };
	struct zp_stats s = { .sz = offsetof(struct zp_stats, mapped), .mapped = 77 };
	struct ends e = ends_open(plain);

	ASSERT_EQ(put(e.w, 29), 0);
	EXPECT_EQ(zp_stats(e.w, &s), 0);
	EXPECT_EQ(s.bytes, 29);
	EXPECT_EQ(s.mapped, 77);
	EXPECT_EQ(zp_stats(e.w, &longer.stats), 0);
	EXPECT_EQ(longer.stats.mapped, 29);
	EXPECT_EQ(longer.newer, 0);
	s.sz = sizeof(s.sz) - 1;
	EXPECT_EQ(zp_stats(e.w, &s), -EINVAL);
	EXPECT_EQ(zp_stats(e.r, &s), -EINVAL);
	ends_close(&e);
}

static const struct tap_test tests[] = {
	{ "stats.each_way_in_is_told_apart", each_way_in_is_told_apart },
	{ "stats.publishes_are_counted_one_by_one", publishes_are_counted_one_by_one },
	{ "stats.reader_counts_what_it_gives_back", reader_counts_what_it_gives_back },
	{ "stats.forwarded_bytes_are_nobodys_copy", forwarded_bytes_are_nobodys_copy },
	{ "stats.pauses_and_waits_are_those_of_stat", pauses_and_waits_are_those_of_stat },
	{ "stats.every_wake_of_a_sleeper_is_counted", every_wake_of_a_sleeper_is_counted },
	{ "stats.each_reader_of_a_tee_has_its_own_waits", each_reader_of_a_tee_has_its_own_waits },
	{ "stats.guarded_ends_call_for_everything", guarded_ends_call_for_everything },
	{ "stats.handle_counts_from_its_opening", handle_counts_from_its_opening },
	{ "stats.short_and_long_structs", short_and_long_structs },
};

VM_MAIN(tests)
