// SPDX-License-Identifier: MIT
/*
 * vm_stage - transforms between real pipes: what ends, what fails, what is lost
 */
#include <poll.h>

#include "vm.h"

#define TOTAL	200000U

static struct zp_view view;

static const struct zp_create_opts shapes[] = {
	{ .segment_size = 4096, .capacity = 8192 },
	{ .segment_size = 4096, .capacity = 32768, .flags = ZP_CONTIG },
	{ .segment_size = 4096, .capacity = 32768, .flags = ZP_GUARDED },
	{ .segment_size = 65536, .capacity = 1 << 20 },
};

#define NR_SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

/* How transforms of the tests behave, and what they have seen. */
struct state {
	unsigned int calls;
	size_t most;
	uint64_t fail_at, done, finish_at;
	int error, claims;
};

/* Each byte becomes two, in parts of odd sizes. */
static int twice(void *arg, struct zp_stage_io *io)
{
	struct state *s = arg;
	size_t len = io->in.nr_spans ? io->in.first.len : 0, i;
	const unsigned char *p = io->in.first.data;

	s->calls++;
	if (s->most && len > s->most)
		len = s->most;
	if (len > io->out.len / 2)
		len = io->out.len / 2;
	for (i = 0; i < len; i++) {
		if (s->error && s->done + i == s->fail_at)
			return s->error;
		((unsigned char *)io->out.data)[2 * i] = p[i];
		((unsigned char *)io->out.data)[2 * i + 1] = (unsigned char)~p[i];
	}
	s->done += len;
	io->taken = len;
	io->made = 2 * len;
	return s->finish_at && s->done >= s->finish_at ? ZP_COMPLETED : 0;
}

/* And back: takes pairs only. */
static int once(void *arg, struct zp_stage_io *io)
{
	struct state *s = arg;
	uint64_t at = io->in.start;
	unsigned char pair[2];

	s->calls++;
	while (io->made < io->out.len && zp_view_copy(&io->in, at, pair, 2) == 2) {
		if (pair[0] != (unsigned char)~pair[1])
			return -EBADMSG;
		((unsigned char *)io->out.data)[io->made++] = pair[0];
		at += 2;
	}
	io->taken = at - io->in.start;
	return 0;
}

/* Holds everything back until there is nothing more to take. */
static int hold(void *arg, struct zp_stage_io *io)
{
	struct state *s = arg;

	s->calls++;
	io->taken = zp_view_len(&io->in);
	s->done += io->taken;
	if (!io->taken) {
		size_t n = s->done < io->out.len ? (size_t)s->done : io->out.len;

		memset(io->out.data, 'h', n);
		io->made = n;
		s->done -= n;
	}
	return 0;
}

static pid_t feed(struct ends *e, size_t total)
{
	pid_t pid = fork();
	size_t at = 0;

	if (pid)
		return pid;
	zp_reader_close(e->r);
	while (at < total) {
		unsigned char buf[777];
		size_t n = total - at < sizeof(buf) ? total - at : sizeof(buf), i;

		for (i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		if (zp_write_flush(e->w, buf, n, NULL))
			_exit(1);
		at += n;
	}
	_exit(zp_writer_complete(e->w, 0, 0) ? 1 : 0);
}

/* Read everything through stages, lazily; the number of bytes, or the error. */
static int64_t drain(struct zp_stage *stages, size_t nr, struct zp_reader *r)
{
	for (;;) {
		int ret = zp_stage_read(stages, nr, r, 0, zp_deadline(20000 * MS), &view);

		if (ret)
			return ret;
		if (!zp_view_len(&view) && view.flags & ZP_COMPLETED)
			return (int64_t)zp_consumed(r);
		if (!view_good(&view))
			return -EILSEQ;
		if (zp_consume(r, 1 + zp_view_len(&view) / 2))
			return -EINVAL;
	}
}

static void chains(void)
{
	size_t i, k;

	for (i = 0; i < NR_SHAPES; i++) {
		for (k = 0; k < NR_SHAPES; k++) {
			struct ends a = ends_open(shapes[i]), b = ends_open(shapes[k]);
			struct ends c = ends_open(shapes[i]);
			struct state s = { .most = k % 2 ? 1000 : 0 };
			struct zp_stage stages[2] = {
				{ .in = a.r, .out = b.w, .transform = twice, .state = &s,
				  .room = 2 },
				{ .in = b.r, .out = c.w, .transform = once, .state = &s },
			};
			pid_t pid = feed(&a, TOTAL);

			zp_writer_close(a.w);
			a.w = NULL;
			if (!EXPECT_EQ(drain(stages, 2, c.r), TOTAL))
				printf("# shapes %zu, %zu\n", i, k);
			EXPECT_EQ(join(pid), 0);
			EXPECT_EQ(zp_stage_step(&stages[0]), ZP_COMPLETED);
			EXPECT_EQ(zp_stage_run(stages, 2, 0), 0);
			EXPECT_EQ(stat_of(b.wfd).rejects, 0);
			ends_close(&a);
			ends_close(&b);
			ends_close(&c);
		}
	}
}

static void eagerly(void)
{
	struct ends a = ends_open(shapes[0]), b = ends_open(shapes[0]), c = ends_open(shapes[0]);
	struct state s = { 0 };
	struct zp_stage stages[2] = {
		{ .in = b.r, .out = c.w, .transform = once, .state = &s },
		{ .in = a.r, .out = b.w, .transform = twice, .state = &s, .room = 2 },
	};
	pid_t from = feed(&a, TOTAL), to;
	uint64_t done;

	to = fork();
	if (!to) {
		zp_writer_close(c.w);
		done = 0;
		while (!zp_read(c.r, &view) && view_good(&view) && zp_view_len(&view)) {
			done = view.end;
			zp_consume_all(c.r);
		}
		_exit(done == TOTAL && view.flags & ZP_COMPLETED ? 0 : 1);
	}
	zp_writer_close(a.w);
	a.w = NULL;
	EXPECT_EQ(zp_stage_run(stages, 2, zp_deadline(20000 * MS)), 0);
	EXPECT_EQ(join(from), 0);
	EXPECT_EQ(join(to), 0);
	ends_close(&a);
	ends_close(&b);
	ends_close(&c);
}

/* Nothing happens before somebody reads, and then no more than it takes. */
static void lazily(void)
{
	struct ends a = ends_open(shapes[3]), b = ends_open(shapes[0]);
	struct state s = { .most = 10 };
	struct zp_stage stage = { .in = a.r, .out = b.w, .transform = twice, .state = &s,
				  .room = 2 };
	short in = 0, out = 0;

	EXPECT_EQ(zp_stage_read(&stage, 1, b.r, 2, 0, &view), -EOPNOTSUPP);
	ASSERT_EQ(put(a.w, 50000), 0);
	ASSERT_EQ(zp_flush(a.w), 0);
	EXPECT_EQ(s.calls, 0);
	ASSERT_EQ(zp_stage_read(&stage, 1, b.r, ZP_NOWAIT, 0, &view), 0);
	EXPECT_EQ(s.calls, 1);
	EXPECT_EQ(zp_view_len(&view), 20);
	EXPECT_EQ(zp_consumed(a.r), 10);
	EXPECT_EQ(zp_consume_all(b.r), 0);
	/* nobody reads: it stops where the reader is to be waited for */
	s.most = 0;
	while (!zp_stage_step(&stage))
		;
	EXPECT_EQ(zp_stage_step(&stage), -EAGAIN);
	zp_stage_events(&stage, &in, &out);
	EXPECT_EQ(out, POLLOUT);
	EXPECT_EQ(in, 0);
	EXPECT(zp_position(b.w) <= 8192 + 20);
	EXPECT_EQ(zp_position(b.w), 2 * zp_consumed(a.r));
	EXPECT_EQ(zp_stage_run(&stage, 1, zp_deadline(10 * MS)), -ETIMEDOUT);
	ends_close(&a);
	ends_close(&b);
	/* no input */
	a = ends_open(shapes[0]);
	b = ends_open(shapes[0]);
	stage = (struct zp_stage){ .in = a.r, .out = b.w, .transform = twice, .state = &s,
				   .room = 2 };
	EXPECT_EQ(zp_stage_read(&stage, 1, b.r, ZP_NOWAIT, 0, &view), -EAGAIN);
	EXPECT_EQ(zp_stage_read(&stage, 1, b.r, 0, zp_deadline(10 * MS), &view), -ETIMEDOUT);
	zp_stage_events(&stage, &in, &out);
	EXPECT_EQ(out, 0);
	EXPECT_EQ(in, POLLIN);
	ASSERT_EQ(zp_cancel(a.rfd, ZP_CANCEL_READ), 0);
	EXPECT_EQ(zp_stage_step(&stage), -ECANCELED);
	ASSERT_EQ(zp_cancel(b.rfd, ZP_CANCEL_READ), 0);
	EXPECT_EQ(zp_stage_read(&stage, 1, b.r, 0, 0, &view), 0);
	EXPECT_EQ(view.flags, ZP_CANCELED);
	/* a transform that waits for more than there is */
	stage.transform = once;
	ASSERT_EQ(put(a.w, 1), 0);
	ASSERT_EQ(zp_flush(a.w), 0);
	EXPECT_EQ(zp_stage_step(&stage), -EAGAIN);
	EXPECT_EQ(stat_of(a.rfd).examined, 1);
	EXPECT_EQ(stat_of(a.rfd).consumed, 0);
	/* and then there is no more */
	ASSERT_EQ(zp_writer_complete(a.w, 0, 0), 0);
	EXPECT_EQ(zp_stage_step(&stage), -EBADMSG);
	EXPECT_EQ(zp_stage_step(&stage), -EBADMSG);
	EXPECT_EQ(zp_read(b.r, &view), -EBADMSG);
	ends_close(&a);
	ends_close(&b);
}

static void held_back(void)
{
	struct ends a = ends_open(shapes[0]), b = ends_open(shapes[0]);
	struct state s = { 0 };
	struct zp_stage stage = { .in = a.r, .out = b.w, .transform = hold, .state = &s };

	ASSERT_EQ(put(a.w, 100), 0);
	ASSERT_EQ(zp_flush(a.w), 0);
	/* taken, then made because there is nothing more for now */
	ASSERT_EQ(zp_stage_read(&stage, 1, b.r, 0, 0, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 100);
	EXPECT_EQ(zp_consume_all(b.r), 0);
	ASSERT_EQ(put(a.w, 200), 0);
	ASSERT_EQ(zp_writer_complete(a.w, 0, 0), 0);
	ASSERT_EQ(zp_stage_read(&stage, 1, b.r, 0, 0, &view), 0);
	EXPECT_EQ(zp_view_len(&view), 200);
	EXPECT_EQ(zp_consume_all(b.r), 0);
	ASSERT_EQ(zp_stage_read(&stage, 1, b.r, 0, 0, &view), 0);
	EXPECT_EQ(view.flags, ZP_COMPLETED);
	ends_close(&a);
	ends_close(&b);
}

static int liar(void *arg, struct zp_stage_io *io)
{
	struct state *s = arg;

	if (s->claims)
		io->taken = zp_view_len(&io->in) + 1;
	else
		io->made = io->out.len + 1;
	return 0;
}

static int later(void *arg, struct zp_stage_io *io)
{
	struct state *s = arg;

	return s->claims ? ZP_STAGE_LATER : once(arg, io);
}

/* It could take something, but not before something else has happened. */
static void not_now(void)
{
	struct ends a = ends_open(shapes[3]), b = ends_open(shapes[3]);
	struct state s = { .claims = 1 };
	struct zp_stage stage = { .in = a.r, .out = b.w, .transform = later, .state = &s };
	short in = 1, out = 1;

	ASSERT_EQ(zp_write(a.w, "x\x87", 2), 0);
	ASSERT_EQ(zp_writer_complete(a.w, 0, 0), 0);
	EXPECT_EQ(zp_stage_step(&stage), -EAGAIN);
	zp_stage_events(&stage, &in, &out);
	EXPECT(!in && !out);
	EXPECT_EQ(stat_of(a.rfd).examined, 0);
	EXPECT_EQ(zp_stage_run(&stage, 1, zp_deadline(10 * MS)), -ETIMEDOUT);
	s.claims = 0;
	EXPECT_EQ(zp_stage_run(&stage, 1, 0), 0);
	EXPECT_EQ(zp_position(b.w), 1);
	ends_close(&a);
	ends_close(&b);
}

/* The transform fails: what was made before comes first, and what was not taken is there. */
static void transform_fails(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		struct ends a = ends_open(shapes[3]), b = ends_open(shapes[3]);
		struct state s = { .most = 1000, .fail_at = 2500, .error = -EILSEQ,
				   .claims = i & 1 };
		struct zp_stage stage = {
			.in = a.r, .out = b.w, .transform = i < 2 ? twice : liar, .state = &s,
		};
		int error = i < 2 ? -EILSEQ : -EINVAL;
		uint64_t good = i < 2 ? 2000 : 0;

		ASSERT_EQ(put(a.w, 5000), 0);
		ASSERT_EQ(zp_flush(a.w), 0);
		EXPECT_EQ(zp_stage_run(&stage, 1, 0), error);
		EXPECT_EQ(zp_stage_run(&stage, 1, 0), error);
		if (good) {
			ASSERT_EQ(zp_read(b.r, &view), 0);
			EXPECT_EQ(zp_view_len(&view), 2 * good);
			EXPECT_EQ(zp_consume_all(b.r), 0);
		}
		EXPECT_EQ(zp_read(b.r, &view), error);
		EXPECT_EQ(zp_consumed(a.r), good);
		ASSERT_EQ(zp_read(a.r, &view), 0);
		EXPECT_EQ(view.start, good);
		EXPECT_EQ(view.end, 5000);
		EXPECT(view_good(&view));
		ends_close(&a);
		ends_close(&b);
	}
}

/* The input fails: its error is that of the output. */
static void input_fails(void)
{
	struct ends a = ends_open(shapes[3]), b = ends_open(shapes[3]), c = ends_open(shapes[3]);
	struct state s = { .most = 1000 };
	struct zp_stage stages[2] = {
		{ .in = a.r, .out = b.w, .transform = twice, .state = &s },
		{ .in = b.r, .out = c.w, .transform = once, .state = &s },
	};

	ASSERT_EQ(put(a.w, 5000), 0);
	ASSERT_EQ(zp_flush(a.w), 0);
	ASSERT_EQ(zp_writer_complete(a.w, ENOTUNIQ, ZP_DRAIN), 0);
	EXPECT_EQ(drain(stages, 2, c.r), -ENOTUNIQ);
	EXPECT_EQ(zp_consumed(c.r), 5000);
	EXPECT_EQ(zp_stage_run(stages, 2, 0), -ENOTUNIQ);
	ends_close(&a);
	ends_close(&b);
	ends_close(&c);
}

/* The destination goes, at every moment: each byte went or is there. */
static void destination_ends(void)
{
	int error, steps;

	for (error = 0; error <= EHOSTDOWN; error += EHOSTDOWN) {
		/* after 5 all is in the output already, and it may end well or not */
		for (steps = 0; steps < 8; steps += steps == 4 ? 2 : 1) {
			struct ends a = ends_open(shapes[3]), b = ends_open(shapes[3]);
			struct state s = { .most = 1000 };
			struct zp_stage stage = {
				.in = a.r, .out = b.w, .transform = twice, .state = &s,
			};
			int i, wanted = error ? -error : ZP_COMPLETED;

			ASSERT_EQ(put(a.w, 5000), 0);
			ASSERT_EQ(zp_writer_complete(a.w, 0, 0), 0);
			for (i = 0; i < steps; i++)
				EXPECT_EQ(zp_stage_step(&stage), i < 5 ? 0 : ZP_COMPLETED);
			EXPECT_EQ(zp_reader_complete(b.r, error), 0);
			if (steps > 5) {
				/* all was through before that */
				EXPECT_EQ(zp_stage_run(&stage, 1, 0), 0);
			} else {
				EXPECT_EQ(zp_stage_run(&stage, 1, 0), wanted);
				EXPECT_EQ(zp_stage_step(&stage), wanted);
				EXPECT_EQ(zp_consumed(a.r), 1000 * (unsigned int)steps);
				ASSERT_EQ(zp_read(a.r, &view), 0);
				EXPECT_EQ(view.end, 5000);
				EXPECT(view_good(&view));
			}
			ends_close(&a);
			ends_close(&b);
		}
	}
}

/* Finished before the input is: the rest is for somebody else. */
static void finished_early(void)
{
	struct ends a = ends_open(shapes[3]), b = ends_open(shapes[3]);
	struct state s = { .most = 1000, .finish_at = 3000 };
	struct zp_stage stage = { .in = a.r, .out = b.w, .transform = twice, .state = &s };

	ASSERT_EQ(put(a.w, 5000), 0);
	ASSERT_EQ(zp_writer_complete(a.w, 0, 0), 0);
	EXPECT_EQ(zp_stage_run(&stage, 1, 0), 0);
	EXPECT_EQ(zp_position(b.w), 6000);
	ASSERT_EQ(zp_read(a.r, &view), 0);
	EXPECT_EQ(view.start, 3000);
	EXPECT_EQ(view.end, 5000);
	ends_close(&a);
	ends_close(&b);
}

static const struct tap_test tests[] = {
	{ "stage.chains_of_every_kind_of_pipe", chains },
	{ "stage.run_until_all_is_through", eagerly },
	{ "stage.lazy_and_never_ahead_of_its_reader", lazily },
	{ "stage.what_is_held_back_comes_when_idle", held_back },
	{ "stage.not_now_is_shown_again", not_now },
	{ "stage.transform_fails_loses_nothing", transform_fails },
	{ "stage.input_fails_and_says_why", input_fails },
	{ "stage.destination_ends_loses_nothing", destination_ends },
	{ "stage.finished_early_leaves_the_rest", finished_early },
};

VM_MAIN(tests)
