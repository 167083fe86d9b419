// SPDX-License-Identifier: MIT
/*
 * vm_rendezvous - streams whose buffers the reader supplies, and futures, against the module
 */
#include <fcntl.h>
#include <signal.h>

#include "vm.h"

struct pair {
	struct zp_stream_writer *w;
	struct zp_stream_reader *r;
	const unsigned char *memory;
	size_t size;
};

static struct pair open_pair(uint32_t element, uint32_t flags)
{
	struct zp_stream_opts opts = {
		.sz = sizeof(opts), .element_size = element, .memory = 65536, .flags = flags,
	};
	struct pair p = { 0 };
	int wfd = -1, rfd = -1;

	EXPECT_EQ(zp_stream_create(&opts, &wfd, &rfd), 0);
	opts.flags = 0;
	EXPECT_EQ(zp_stream_writer_open(&p.w, wfd, &opts), 0);
	EXPECT_EQ(zp_stream_reader_open(&p.r, rfd, &opts), 0);
	p.memory = zp_stream_memory(p.r, &p.size);
	EXPECT_EQ(p.size, 65536);
	return p;
}

static void close_pair(struct pair *p)
{
	zp_stream_writer_close(p->w);
	zp_stream_reader_close(p->r);
}

static void elements(void)
{
	struct pair p = open_pair(8, 0);
	struct zp_stream_result result;
	struct zp_span room;

	EXPECT_EQ(zp_stream_is_ready_to_write(p.w), 0);
	EXPECT_EQ(zp_stream_start_writing(p.w, 1, ZP_NOWAIT, 0, &room), -EAGAIN);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory + 800, 10, 42), 0);
	EXPECT_EQ(zp_stream_is_ready_to_write(p.w), 1);
	EXPECT_EQ(zp_stream_start_writing(p.w, 11, ZP_NOWAIT, 0, &room), -EMSGSIZE);
	ASSERT_EQ(zp_stream_start_writing(p.w, 0, ZP_NOWAIT, 0, &room), 0);
	EXPECT_EQ(room.len, 10);
	for (uint64_t i = 0; i < 3; i++)
		((uint64_t *)room.data)[i] = 1000 + i;
	EXPECT_EQ(zp_stream_finish_writing(p.w, 11), -EINVAL);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, ZP_NOWAIT, 0), -EAGAIN);
	ASSERT_EQ(zp_stream_finish_writing(p.w, 3), 0);
	ASSERT_EQ(zp_stream_read_result(p.r, &result, ZP_NOWAIT, 0), 0);
	EXPECT_EQ(result.cookie, 42);
	EXPECT_EQ(result.count, 3);
	EXPECT_EQ(result.position, 0);
	EXPECT_EQ(result.status, ZP_STREAM_COMPLETED);
	EXPECT(result.data == p.memory + 800);
	for (uint64_t i = 0; i < 3; i++)
		EXPECT_EQ(((const uint64_t *)result.data)[i], 1000 + i);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 1, 43), 0);
	EXPECT_EQ(zp_stream_finish_writing(p.w, 0), 0);
	ASSERT_EQ(zp_stream_read_result(p.r, &result, 0, 0), 0);
	EXPECT_EQ(result.count, 0);
	EXPECT_EQ(result.position, 3);
	EXPECT_EQ(result.status, ZP_STREAM_COMPLETED);
	close_pair(&p);
}

static void refused(void)
{
	struct pair p = open_pair(16, 0);
	struct zp_stream_opts opts = { .sz = sizeof(opts), .element_size = 3 };
	struct zp_stream_reader *r = NULL;
	struct zp_stream_result result;
	int wfd = -1, rfd = -1;

	EXPECT_EQ(zp_stream_create(&opts, &wfd, &rfd), -EINVAL);
	opts.element_size = 8192;
	EXPECT_EQ(zp_stream_create(&opts, &wfd, &rfd), -EINVAL);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory + 1, 1, 1), -EINVAL);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory - 16, 1, 1), -EINVAL);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory + p.size, 1, 1), -EINVAL);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory, 0, 1), -EINVAL);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory, p.size, 1), -EINVAL);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 2, 1), 0);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory + 16, 2, 2), -EBUSY);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory + 32, 2, 1), -EEXIST);
	EXPECT_EQ(zp_stream_cancel_reading(p.r, 9, &result), -ENOENT);
	EXPECT_EQ(zp_stream_finish_writing(p.w, 1), -EINVAL);
	EXPECT_EQ(zp_stream_reader_open(&r, zp_stream_writer_fd(p.w), NULL), -EBADF);

	/* an ordinary pipe is no stream, and a stream no ordinary pipe */
	ASSERT_EQ(zp_create(NULL, &wfd, &rfd), 0);
	EXPECT_EQ(zp_stream_reader_open(&r, rfd, NULL), -EINVAL);
	EXPECT(fcntl(rfd, F_GETFD) >= 0);
	close(wfd);
	close(rfd);
	{
		struct zp_writer *w = NULL;

		EXPECT_EQ(zp_writer_open(&w, zp_stream_writer_fd(p.w), NULL), -EINVAL);
	}
	close_pair(&p);
}

static void canceled(void)
{
	struct pair p = open_pair(1, 0);
	struct zp_stream_result result;
	struct zp_span room;

	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 100, 1), 0);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory + 100, 100, 2), 0);
	ASSERT_EQ(zp_stream_cancel_reading(p.r, 2, &result), 0);
	EXPECT_EQ(result.status, ZP_STREAM_CANCELED);
	EXPECT(result.data == p.memory + 100);
	ASSERT_EQ(zp_stream_start_writing(p.w, 1, 0, 0, &room), 0);
	EXPECT_EQ(zp_stream_cancel_reading(p.r, 1, &result), -EAGAIN);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory, 1, 3), -EBUSY);
	memset(room.data, 'x', 7);
	ASSERT_EQ(zp_stream_finish_writing(p.w, 7), 0);
	ASSERT_EQ(zp_stream_read_result(p.r, &result, ZP_NOWAIT, 0), 0);
	EXPECT_EQ(result.status, ZP_STREAM_COMPLETED);
	EXPECT_EQ(result.count, 7);
	/* a pending read is canceled without an outcome of any buffer */
	EXPECT_EQ(zp_cancel(zp_stream_reader_fd(p.r), ZP_CANCEL_READ), 0);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, 0, 0), -ECANCELED);
	EXPECT_EQ(zp_cancel(zp_stream_writer_fd(p.w), ZP_CANCEL_FLUSH), 0);
	EXPECT_EQ(zp_stream_start_writing(p.w, 1, 0, zp_deadline(MS), &room), -ECANCELED);
	close_pair(&p);
}

static void closes_write(void)
{
	struct pair p = open_pair(1, 0);
	struct zp_stream_result result;
	struct zp_span room;

	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 100, 1), 0);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory + 100, 100, 2), 0);
	ASSERT_EQ(zp_stream_start_writing(p.w, 1, 0, 0, &room), 0);
	ASSERT_EQ(zp_stream_finish_writing(p.w, 5), 0);
	EXPECT_EQ(zp_stream_is_write_closed(p.r), 0);
	ASSERT_EQ(zp_stream_close_write(p.w, 0), 0);
	ASSERT_EQ(zp_stream_close_write(p.w, EIO), 0);
	EXPECT_EQ(zp_stream_finish_writing(p.w, 0), -ESHUTDOWN);
	/* the last data is not lost in the end of the stream */
	EXPECT_EQ(zp_stream_is_write_closed(p.r), 1);
	ASSERT_EQ(zp_stream_read_result(p.r, &result, 0, 0), 0);
	EXPECT_EQ(result.count, 5);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, 0, 0), ZP_COMPLETED);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, 0, 0), ZP_COMPLETED);
	ASSERT_EQ(zp_stream_cancel_reading(p.r, 2, &result), 0);
	EXPECT_EQ(result.status, ZP_STREAM_CANCELED);
	close_pair(&p);
}

static void closes_read(void)
{
	struct pair p = open_pair(1, 0);
	struct zp_span room;

	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 100, 1), 0);
	ASSERT_EQ(zp_stream_close_read(p.r, 0), 0);
	EXPECT_EQ(zp_stream_is_ready_to_write(p.w), 1);
	EXPECT_EQ(zp_stream_start_writing(p.w, 1, 0, 0, &room), ZP_COMPLETED);
	EXPECT(!room.data);
	EXPECT_EQ(zp_stream_start_reading(p.r, p.memory + 200, 100, 2), -ESHUTDOWN);
	close_pair(&p);

	p = open_pair(1, 0);
	ASSERT_EQ(zp_stream_close_read(p.r, ENOSPC), 0);
	EXPECT_EQ(zp_stream_start_writing(p.w, 1, 0, 0, &room), -ENOSPC);
	close_pair(&p);
}

static void times_out(void)
{
	struct pair p = open_pair(1, 0);
	struct zp_stream_result result;
	struct zp_span room;

	EXPECT_EQ(zp_stream_start_writing(p.w, 1, 0, zp_deadline(5 * MS), &room), -ETIMEDOUT);
	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 1, 1), 0);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, 0, zp_deadline(5 * MS)), -ETIMEDOUT);
	close_pair(&p);
}

#define ROUNDS	20000UL

/* Four buffers go round between two processes; every number arrives once, in order. */
static void goes_round(void)
{
	struct pair p = open_pair(8, 0);
	uint64_t next = 0;
	unsigned int i;
	pid_t child;

	child = fork();
	if (!child) {
		uint64_t sent = 0;
		unsigned int seed = 7;
		int ret = 0;

		alarm(60);
		while (sent < ROUNDS && !ret) {
			struct zp_span room;
			size_t n = (seed = seed * 1103515245 + 12345) % 9, k;

			ret = zp_stream_start_writing(p.w, 1, 0, 0, &room);
			if (ret)
				break;
			n = n < room.len ? n : room.len;
			n = n < ROUNDS - sent ? n : (size_t)(ROUNDS - sent);
			for (k = 0; k < n; k++)
				((uint64_t *)room.data)[k] = sent++;
			ret = zp_stream_finish_writing(p.w, n);
		}
		_exit(ret || zp_stream_close_write(p.w, 0));
	}
	zp_stream_writer_close(p.w);
	p.w = NULL;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(zp_stream_start_reading(p.r, p.memory + 4096U * i, 7, i), 0);
	for (;;) {
		struct zp_stream_result result;
		int ret = zp_stream_read_result(p.r, &result, 0, 0);

		if (ret) {
			EXPECT_EQ(ret, ZP_COMPLETED);
			break;
		}
		EXPECT_EQ(result.position, next);
		for (size_t k = 0; k < result.count; k++)
			ASSERT_EQ(((const uint64_t *)result.data)[k], next++);
		ASSERT_EQ(zp_stream_start_reading(p.r, result.data, 7, result.cookie), 0);
	}
	EXPECT_EQ(next, ROUNDS);
	EXPECT_EQ(join(child), 0);
	close_pair(&p);
}

static void killed_writer(void)
{
	struct pair p = open_pair(1, 0);
	struct zp_stream_result result;
	pid_t child;

	ASSERT_EQ(zp_stream_start_reading(p.r, p.memory, 100, 1), 0);
	child = fork();
	if (!child) {
		struct zp_span room;

		zp_stream_start_writing(p.w, 1, 0, 0, &room);
		kill(getpid(), SIGKILL);
	}
	zp_stream_writer_close(p.w);
	p.w = NULL;
	waitpid(child, NULL, 0);
	ASSERT_EQ(zp_stream_read_result(p.r, &result, 0, 0), 0);
	EXPECT_EQ(result.status, ZP_STREAM_CANCELED);
	EXPECT_EQ(zp_stream_read_result(p.r, &result, 0, 0), -ECONNRESET);
	close_pair(&p);
}

static void future_value(void)
{
	char got[100] = "";
	int wfd = -1, rfd = -1;
	size_t n = 0;

	ASSERT_EQ(zp_future_create(64, &wfd, &rfd), 0);
	EXPECT_EQ(zp_future_get(rfd, got, sizeof(got), &n, zp_deadline(MS)), -ETIMEDOUT);
	ASSERT_EQ(zp_future_set(wfd, "forty-two", 10), 0);
	EXPECT_EQ(zp_future_set(wfd, "again", 6), -EALREADY);
	EXPECT_EQ(zp_future_fail(wfd, EIO), -EALREADY);
	close(wfd);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(zp_future_get(rfd, NULL, 0, &n, 0), -EMSGSIZE);
		EXPECT_EQ(n, 10);
		memset(got, 0, sizeof(got));
		ASSERT_EQ(zp_future_get(rfd, got, sizeof(got), &n, 0), 0);
		EXPECT_EQ(strcmp(got, "forty-two"), 0);
	}
	close(rfd);
}

static void future_without_value(void)
{
	int wfd = -1, rfd = -1;
	size_t n = 7;

	ASSERT_EQ(zp_future_create(64, &wfd, &rfd), 0);
	close(wfd);
	EXPECT_EQ(zp_future_get(rfd, NULL, 0, &n, 0), -EPIPE);
	close(rfd);
	/* nothing is a value too */
	ASSERT_EQ(zp_future_create(0, &wfd, &rfd), 0);
	ASSERT_EQ(zp_future_set(wfd, NULL, 0), 0);
	close(wfd);
	EXPECT_EQ(zp_future_get(rfd, NULL, 0, &n, 0), 0);
	EXPECT_EQ(n, 0);
	close(rfd);
	ASSERT_EQ(zp_future_create(64, &wfd, &rfd), 0);
	EXPECT_EQ(zp_future_fail(wfd, -3), -EINVAL);
	ASSERT_EQ(zp_future_fail(wfd, ENOKEY), 0);
	EXPECT_EQ(zp_future_get(rfd, NULL, 0, &n, 0), -ENOKEY);
	EXPECT_EQ(zp_future_set(wfd, "x", 1), -EALREADY);
	close(rfd);
	close(wfd);
	ASSERT_EQ(zp_future_create(64, &wfd, &rfd), 0);
	close(rfd);
	EXPECT_EQ(zp_future_set(wfd, "x", 1), ZP_COMPLETED);
	EXPECT_EQ(zp_future_set(wfd, "x", 10000000), -EMSGSIZE);
	EXPECT_EQ(zp_future_get(wfd, NULL, 0, &n, 0), -EBADF);
	close(wfd);
}

/* Several wait in processes of their own, one of them before there is a value. */
static void future_for_many(void)
{
	pid_t children[4];
	int wfd = -1, rfd = -1;

	ASSERT_EQ(zp_future_create(64, &wfd, &rfd), 0);
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (!children[i]) {
			char got[8] = "";

			close(wfd);
			alarm(60);
			_exit(zp_future_get(rfd, got, sizeof(got), NULL, 0) || strcmp(got, "ok"));
		}
	}
	usleep(20000);
	ASSERT_EQ(zp_future_set(wfd, "ok", 3), 0);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(join(children[i]), 0);
	close(wfd);
	close(rfd);
}

static const struct tap_test tests[] = {
	{ "stream.elements_go_into_the_readers_buffer", elements },
	{ "stream.refused_calls", refused },
	{ "stream.cancel_is_a_request", canceled },
	{ "stream.close_write_keeps_the_last_data", closes_write },
	{ "stream.close_read_is_told_to_the_writer", closes_read },
	{ "stream.deadlines", times_out },
	{ "stream.four_buffers_go_round", goes_round },
	{ "stream.killed_writer_econnreset_after_the_buffer", killed_writer },
	{ "future.value_can_be_got_again", future_value },
	{ "future.no_value_is_not_an_empty_one", future_without_value },
	{ "future.many_wait", future_for_many },
};

VM_MAIN(tests)
