// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile - shared words that lie: the liar's own call fails and can be repaired, the peer's call
 * ends the pipe for both
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

#define CAPACITY	(4 * ZT_PAGE)

FIXTURE(hostile)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	int log;
};

/* A thousand bytes are published, two hundred of them consumed, three hundred examined. */
FIXTURE_SETUP(hostile)
{
	self->log = zt_log_mark();
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, CAPACITY)));
	ASSERT_EQ(0, zt_put(&self->p.w, 1000));
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	ASSERT_EQ(0, zt_advance(&self->p.r, 200, 300));
}

FIXTURE_TEARDOWN(hostile)
{
	zt_pipe_close(&self->p);
	EXPECT_TRUE(zt_log_is_clean(self->log));
}

static int advance_shared(struct zt_end *r)
{
	struct zpipe_advance_args args = { .consumed = ZPIPE_KEEP, .examined = ZPIPE_KEEP,
					   .flags = ZPIPE_ADVANCE_F_SHARED };

	return zt_ioctl(r->fd, ZPIPE_IOC_ADVANCE, &args);
}

TEST_F(hostile, writers_own_flush_beyond_granted_eproto_and_repairable)
{
	zt_store_published(&self->p.w, zt_granted(&self->p.w) + 1);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	zt_store_published(&self->p.w, 1000);
	EXPECT_EQ(0, zt_flush(&self->p.w, 1000, 0, NULL));
	EXPECT_EQ(0, zt_take(&self->p.r, 800));
}

TEST_F(hostile, writers_own_alloc_beyond_granted_eproto_and_repairable)
{
	zt_store_published(&self->p.w, ~0ULL);
	EXPECT_EQ(-EPROTO, zt_alloc(&self->p.w, 1000, 1, 1, &self->grant));
	zt_store_published(&self->p.w, 1000);
	EXPECT_EQ(0, zt_alloc(&self->p.w, 1000, 1, 1, &self->grant));
}

TEST_F(hostile, writers_own_published_moved_back_eproto_and_repairable)
{
	zt_store_published(&self->p.w, 999);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	zt_store_published(&self->p.w, 1000);
	EXPECT_EQ(0, zt_flush(&self->p.w, 1000, 0, NULL));
}

TEST_F(hostile, refused_flush_publishes_nothing)
{
	ASSERT_EQ(0, zt_alloc(&self->p.w, 1000, 100, 100, &self->grant));
	zt_store_published(&self->p.w, ~0ULL - 5);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1100, 0, NULL));
	zt_store_published(&self->p.w, 1000);
	EXPECT_EQ(1000, zt_stat(&self->p.w).out_published);
}

TEST_F(hostile, readers_own_consumed_beyond_published_eproto_and_repairable)
{
	zt_store_consumed(&self->p.r, 1001);
	EXPECT_EQ(-EPROTO, advance_shared(&self->p.r));
	zt_store_consumed(&self->p.r, 200);
	EXPECT_EQ(0, advance_shared(&self->p.r));
	EXPECT_EQ(0, zt_take(&self->p.r, 800));
}

TEST_F(hostile, readers_own_examined_beyond_published_eproto_and_repairable)
{
	zt_store_examined(&self->p.r, 1001);
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
	zt_store_examined(&self->p.r, 300);
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(hostile, readers_own_consumed_beyond_examined_eproto_and_repairable)
{
	zt_store_consumed(&self->p.r, 301);
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
	zt_store_consumed(&self->p.r, 200);
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(hostile, readers_own_consumed_moved_back_eproto_and_repairable)
{
	zt_store_consumed(&self->p.r, 199);
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
	zt_store_consumed(&self->p.r, 200);
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
}

/* The writer lied: what was known to be published comes first, then EPROTO on both sides. */
TEST_F(hostile, reader_that_finds_the_writer_lying_gets_the_known_bytes_first)
{
	zt_store_published(&self->p.w, ~0ULL);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(200, self->view.args.out_start);
	EXPECT_EQ(1000, self->view.args.out_end);
	zt_check_view(&self->p.r, &self->view);
	ASSERT_EQ(0, zt_advance(&self->p.r, 1000, 1000));
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(hostile, writer_caught_lying_gets_eproto_for_good)
{
	zt_store_published(&self->p.w, ~0ULL);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &self->view));
	zt_store_published(&self->p.w, 1000);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	EXPECT_EQ(-EPROTO, zt_alloc(&self->p.w, 1000, 1, 1, &self->grant));
}

TEST_F(hostile, writer_caught_lying_while_the_reader_sleeps)
{
	struct zpipe_read_args args = { .min = 900 };
	struct zt_bg bg;

	zt_bg_start(&bg, self->p.r.fd, ZPIPE_IOC_READ, &args);
	zt_await_reader(&self->p.w);
	zt_store_published(&self->p.w, zt_granted(&self->p.w) + 1);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	zt_store_published(&self->p.w, 1000);
	ASSERT_EQ(0, zt_put(&self->p.w, 100));
	EXPECT_EQ(0, zt_bg_join(&bg));
	EXPECT_EQ(1100, args.out_end);
}

TEST_F(hostile, writer_that_finds_the_reader_lying_ends_the_pipe)
{
	zt_store_consumed(&self->p.r, ~0ULL);
	EXPECT_EQ(-EPROTO, zt_alloc(&self->p.w, 1000, CAPACITY, 0, &self->grant));
	zt_store_consumed(&self->p.r, 200);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(hostile, flush_that_finds_examined_beyond_published_ends_the_pipe)
{
	zt_store_examined(&self->p.r, 1ULL << 62);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	zt_store_examined(&self->p.r, 300);
	EXPECT_EQ(-EPROTO, zt_read(&self->p.r, 1, 0, &self->view));
}

TEST_F(hostile, reader_cannot_get_memory_back_that_it_never_had)
{
	ASSERT_EQ(0, zt_put(&self->p.w, CAPACITY - 1000));
	zt_store_examined(&self->p.r, CAPACITY + ZT_PAGE);
	zt_store_consumed(&self->p.r, CAPACITY + ZT_PAGE);
	EXPECT_EQ(-EPROTO, zt_alloc(&self->p.w, CAPACITY, 1, 1, &self->grant));
	EXPECT_GE(CAPACITY / ZT_PAGE, zt_stat(&self->p.w).out_data_pages);
}

TEST_F(hostile, rejects_are_counted)
{
	__u64 before = zt_stat(&self->p.w).out_rejects;

	zt_store_published(&self->p.w, ~0ULL);
	EXPECT_EQ(-EPROTO, zt_flush(&self->p.w, 1000, 0, NULL));
	zt_store_published(&self->p.w, 1000);
	EXPECT_LT(before, zt_stat(&self->p.w).out_rejects);
}

TEST_F(hostile, stat_and_info_survive_any_word)
{
	static const __u64 values[] = { 0, 1, 999, 1001, ZT_PAGE, CAPACITY, CAPACITY + 1,
					1ULL << 31, 1ULL << 32, 1ULL << 62, 1ULL << 63, ~0ULL - 1,
					~0ULL };
	struct zpipe_info_args i;
	size_t a, b;

	for (a = 0; a < sizeof(values) / sizeof(*values); a++) {
		for (b = 0; b < sizeof(values) / sizeof(*values); b++) {
			struct zpipe_stat_args s = { .flags = 0 };

			zt_store_published(&self->p.w, values[a]);
			zt_store_examined(&self->p.r, values[b]);
			zt_store_consumed(&self->p.r, values[(a + b) % 13]);
			zt_ioctl(self->p.w.fd, ZPIPE_IOC_STAT, &s);
			zt_info(self->p.r.fd, &i);
		}
	}
}

/* Every word over every value, on a fresh pipe each, then every verb of both sides. */
TEST_F(hostile, every_verb_survives_every_word)
{
	static const __u64 values[] = { 0, 199, 299, 1001, CAPACITY + 1, 1ULL << 63, ~0ULL };
	size_t v, word;

	for (v = 0; v < sizeof(values) / sizeof(*values); v++) {
		for (word = 0; word < 3; word++) {
			struct pollfd fds[2];
			struct zt_pipe p;
			char buffer[64];

			ASSERT_EQ(0, zt_pipe_open(&p, ZT_ARGS(ZT_PAGE, CAPACITY,
							      .flags = ZPIPE_F_NONBLOCK)));
			ASSERT_EQ(0, zt_put(&p.w, 1000));
			ASSERT_EQ(0, zt_take(&p.r, 300));
			if (word == 0)
				zt_store_published(&p.w, values[v]);
			else if (word == 1)
				zt_store_examined(&p.r, values[v]);
			else
				zt_store_consumed(&p.r, values[v]);
			fds[0] = (struct pollfd){ .fd = p.w.fd, .events = POLLOUT };
			fds[1] = (struct pollfd){ .fd = p.r.fd, .events = POLLIN };
			poll(fds, 2, 0);
			zt_alloc(&p.w, 1000, 1, CAPACITY, &self->grant);
			zt_flush(&p.w, 1000, ZPIPE_FLUSH_F_PUSH, NULL);
			zt_read(&p.r, 1, 0, &self->view);
			zt_advance(&p.r, 400, 400);
			advance_shared(&p.r);
			signal(SIGPIPE, SIG_IGN);
			if (write(p.w.fd, "hello", 5) < -1 || read(p.r.fd, buffer, 64) < -1)
				zt_die("impossible");
			poll(fds, 2, 0);
			zt_complete(&p.w, 0, 0, 0);
			zt_complete(&p.r, 0, 0, 0);
			zt_reset(&p.w, NULL);
			zt_pipe_close(&p);
		}
	}
}

TEST_HARNESS_MAIN
