// SPDX-License-Identifier: MIT
/*
 * vm_tee - several readers of one stream, against the module
 */
#include <fcntl.h>
#include <signal.h>

#include "vm.h"

#define READERS	4
#define BYTES	(8UL << 20)

static const struct zp_create_opts tiny = {
	.segment_size = 4096, .capacity = 16384, .pause = ZP_NEVER,
};

static void send(struct ends *e, size_t n)
{
	EXPECT_EQ(put(e->w, n), 0);
	EXPECT(zp_flush(e->w) >= 0);
}

static struct zp_reader *open_another(int fd, unsigned int flags)
{
	struct zp_reader *r = NULL;
	int other = -1;

	EXPECT_EQ(zp_tee(fd, flags, &other), 0);
	EXPECT_EQ(zp_reader_open(&r, other, NULL), 0);
	return r;
}

static void both_read(void)
{
	struct ends e = ends_open(tiny);
	struct zp_reader *other;
	struct zp_view a, b;

	send(&e, 100);
	ASSERT_EQ(zp_read(e.r, &a), 0);
	ASSERT_EQ(zp_advance(e.r, 10, 100), 0);
	other = open_another(e.rfd, 0);
	ASSERT_EQ(zp_read(other, &b), 0);
	EXPECT_EQ(b.start, 10);
	EXPECT_EQ(b.end, 100);
	EXPECT_EQ(zp_consume_all(other), 0);
	EXPECT_EQ(zp_try_read(other, &b), -EAGAIN);
	EXPECT_EQ(zp_consumed(e.r), 10);
	EXPECT_EQ(stat_of(e.wfd).readers, 2);
	zp_reader_close(other);
	EXPECT_EQ(stat_of(e.wfd).readers, 1);
	ends_close(&e);
}

static void refused(void)
{
	struct ends e = ends_open(tiny);
	int fd = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(zp_tee(e.wfd, 0, &fd), -EBADF);
	EXPECT_EQ(zp_tee(null, 0, &fd), -EBADF);
	EXPECT_EQ(zp_tee(e.rfd, 1U << 9, &fd), -EOPNOTSUPP);
	EXPECT_EQ(zp_reader_complete(e.r, 0), 0);
	EXPECT_EQ(zp_tee(e.rfd, 0, &fd), -ESHUTDOWN);
	EXPECT_EQ(fd, -1);
	close(null);
	ends_close(&e);
}

/* The one that was detached is told when it advances, not only when it reads. */
static void detached(void)
{
	struct ends e = ends_open(tiny);
	struct zp_reader *slow = open_another(e.rfd, ZP_TEE_DETACH);
	struct zp_view view;

	send(&e, 16384);
	ASSERT_EQ(zp_read(slow, &view), 0);
	ASSERT_EQ(zp_read(e.r, &view), 0);
	EXPECT_EQ(zp_consume_all(e.r), 0);
	send(&e, 4096);
	EXPECT_EQ(zp_consume(slow, 10), -ENOBUFS);
	EXPECT_EQ(zp_read(slow, &view), -ENOBUFS);
	EXPECT_EQ(zp_read(e.r, &view), 0);
	zp_reader_close(slow);
	ends_close(&e);
}

/* A mapped writer pauses for the slowest, whatever the first reader's page says. */
static void pauses_for_the_slowest(void)
{
	struct ends e = ends_open((struct zp_create_opts){
		.segment_size = 4096, .capacity = 65536, .pause = 8192, .resume = 4096,
	});
	struct zp_reader *slow = open_another(e.rfd, 0);
	struct zp_view view;
	int ret = 0, n;

	for (n = 0; n < 16 && !ret; n++) {
		EXPECT_EQ(put(e.w, 4096), 0);
		ret = zp_flush_flags(e.w, ZP_NOWAIT, 0);
		while (zp_try_read(e.r, &view) == 0)
			EXPECT_EQ(zp_consume_all(e.r), 0);
	}
	EXPECT_EQ(ret, -EAGAIN);
	EXPECT(n <= 4);
	ASSERT_EQ(zp_read(slow, &view), 0);
	EXPECT_EQ(zp_consume_all(slow), 0);
	EXPECT_EQ(zp_flush_flags(e.w, ZP_NOWAIT, 0), 0);
	zp_reader_close(slow);
	ends_close(&e);
}

static uint64_t sum_of(const unsigned char *data, size_t len, uint64_t sum)
{
	while (len--)
		sum = sum * 31 + *data++;
	return sum;
}

/* Reads to the end, in a process of its own; 0 when every byte was what was sent. */
static int read_all(struct zp_reader *r, uint64_t want)
{
	uint64_t sum = 0, bytes = 0;
	struct zp_view view;
	int ret;

	while (!(ret = zp_read(r, &view))) {
		for (uint32_t i = 0; i < view.nr_spans; i++) {
			size_t len;
			const void *data = zp_view_span(&view, i, &len);

			sum = sum_of(data, len, sum);
			bytes += len;
		}
		ret = zp_consume_all(r);
		if (ret || view.flags & ZP_COMPLETED)
			break;
	}
	if (ret)
		fprintf(stderr, "# reader: %s at %llu\n", strerror(-ret),
			(unsigned long long)bytes);
	return ret || bytes != BYTES || sum != want;
}

static void stream_to_processes(void)
{
	struct ends e = ends_open((struct zp_create_opts){ .capacity = 1 << 18 });
	struct zp_reader *r[READERS];
	uint64_t sum = 0, left = BYTES;
	pid_t pid[READERS];
	unsigned int i, seed = 1;

	for (i = 0; i < READERS; i++)
		r[i] = open_another(e.rfd, 0);
	/* What is sent is known beforehand, because the readers fork first. */
	for (uint64_t at = 0; at < BYTES; at++) {
		unsigned char byte = (unsigned char)(at * 7 + (at >> 11));

		sum = sum_of(&byte, 1, sum);
	}
	for (i = 0; i < READERS; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			/* An inherited reader that nobody reads would hold the memory. */
			zp_reader_close(e.r);
			for (unsigned int k = i + 1; k < READERS; k++)
				zp_reader_close(r[k]);
			zp_writer_close(e.w);
			alarm(60);
			_exit(read_all(r[i], sum));
		}
		zp_reader_close(r[i]);
	}
	zp_reader_close(e.r);
	while (left) {
		uint64_t n = (seed = seed * 1103515245 + 12345) % 9000 + 1;
		struct zp_span room;

		n = n < left ? n : left;
		ASSERT_EQ(zp_alloc(e.w, (size_t)n, &room), 0);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t at = BYTES - left + k;

			((unsigned char *)room.data)[k] = (unsigned char)(at * 7 + (at >> 11));
		}
		ASSERT_EQ(zp_commit(e.w, (size_t)n), 0);
		ASSERT_EQ(zp_flush(e.w), 0);
		left -= n;
	}
	EXPECT_EQ(zp_writer_complete(e.w, 0, 0), 0);
	for (i = 0; i < READERS; i++) {
		int status = -1;

		ASSERT_EQ(waitpid(pid[i], &status, 0), pid[i]);
		EXPECT_EQ(status, 0);
	}
	zp_writer_close(e.w);
}

static const struct tap_test tests[] = {
	{ "tee.both_read_the_same", both_read },
	{ "tee.refused_calls", refused },
	{ "tee.detached_reader_enobufs", detached },
	{ "tee.writer_pauses_for_the_slowest", pauses_for_the_slowest },
	{ "tee.stream_to_four_processes", stream_to_processes },
};

VM_MAIN(tests)
