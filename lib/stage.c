// SPDX-License-Identifier: MIT
/*
 * stage - transforms between two pipes, one behind the other
 *
 * The order of a round is what its promises rest on: memory at the output first, so
 * that nothing is looked at which could not go anywhere; then the input, the
 * transform, the flush; and only then the input is consumed.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "internal.h"

/* zp_stage.flags */
#define WAITS_IN	1	/* for the input */
#define WAITS_OUT	2	/* for memory at the output, or its reader to go on */
#define PAUSED		4	/* the last flush would have waited */

/* Both of a stage that is over. */
#define THROUGH		1	/* everything went */
#define REFUSED		2	/* the output's reader has finished */

static int result_of(const struct zp_stage *s)
{
	return s->over < 0 ? s->over : ZP_COMPLETED;
}

/* It cannot go on, and whoever reads the output is told why. */
static int fail(struct zp_stage *s, int error)
{
	s->over = error;
	zp_writer_complete(s->out, -error, ZP_DRAIN);
	return error;
}

static int refuse(struct zp_stage *s, int ret)
{
	s->over = ret < 0 ? ret : REFUSED;
	return result_of(s);
}

static int wait_out(struct zp_stage *s)
{
	s->flags |= WAITS_OUT;
	return -EAGAIN;
}

/* Memory at the output, if its reader keeps up. */
static int get_room(struct zp_stage *s, struct zp_span *room)
{
	int ret;

	if (s->flags & PAUSED) {
		ret = zp_flush_flags(s->out, ZP_NOWAIT, 0);
		if (ret == -EAGAIN)
			return wait_out(s);
		if (ret < 0 || ret & ZP_COMPLETED)
			return refuse(s, ret);
		s->flags &= ~(unsigned int)PAUSED;
	}
	ret = zp_try_alloc(s->out, s->room, room);
	switch (ret) {
	case 0:
		return 0;
	case -EAGAIN:
		return wait_out(s);
	case -ECANCELED:
	case -EINTR:
	case -ENOMEM:
		/* of this moment only */
		return ret;
	}
	return refuse(s, ret);
}

/* Does nothing come behind this view? The writer has finished, so `published` is final. */
static bool is_end(const struct zp_stage *s, const struct zp_view *view)
{
	struct zpipe_stat_args args = { 0 };

	if (!(view->flags & ZP_COMPLETED))
		return false;
	return !zp_view_len(view) ||
	       (!zp_sys_stat(zp_reader_fd(s->in), &args) && args.out_published == view->end);
}

/* What there is to take, if anything: 1 with a view that has to be advanced. */
static int get_input(struct zp_stage *s, struct zp_stage_io *io)
{
	int ret = zp_try_read(s->in, &io->in);

	if (ret == -EAGAIN) {
		/* what the transform holds back may still come */
		io->in = zp_view_of("", 0);
		s->flags |= WAITS_IN;
		return 0;
	}
	if (ret == -EINTR || ret == -ENOMEM)
		return ret;
	if (ret < 0)
		return fail(s, ret);
	if (io->in.flags & ZP_CANCELED) {
		if (zp_view_len(&io->in))
			zp_advance(s->in, io->in.start, io->in.start);
		return -ECANCELED;
	}
	io->end = is_end(s, &io->in);
	return zp_view_len(&io->in) ? 1 : 0;
}

/* What was made goes out: only then is what it was made of consumed. */
static int send(struct zp_stage *s, const struct zp_stage_io *io)
{
	int ret;

	if (!io->made)
		return 0;
	ret = zp_commit(s->out, io->made);
	if (ret)
		return ret;
	ret = zp_flush_flags(s->out, ZP_NOWAIT, 0);
	if (ret == -EAGAIN) {
		s->flags |= PAUSED;
		return 0;
	}
	/* published all the same */
	if (ret == -EINTR || ret == ZP_CANCELED)
		return 0;
	return ret;
}

/* At the end of the input, or where the transform said that it is finished. */
static int finish(struct zp_stage *s, const struct zp_stage_io *io)
{
	int ret = zp_writer_complete(s->out, 0, 0);

	if (ret < 0)
		return refuse(s, ret);
	/* what stands behind is for somebody else */
	if (io->end && io->taken == zp_view_len(&io->in))
		zp_reader_complete(s->in, 0);
	s->over = THROUGH;
	return ZP_COMPLETED;
}

/* Give the input back: what was taken is consumed; of no use is what it took nothing of. */
static int give_back(struct zp_stage *s, const struct zp_stage_io *io, bool useless)
{
	uint64_t consumed = io->in.start + io->taken;

	return zp_advance(s->in, consumed, useless ? io->in.end : consumed);
}

int zp_stage_step(struct zp_stage *s)
{
	struct zp_stage_io io = { .taken = 0 };
	bool shown, idle;
	int said, ret;

	if (s->over)
		return result_of(s);
	s->flags &= ~(unsigned int)(WAITS_IN | WAITS_OUT);
	ret = get_room(s, &io.out);
	if (ret)
		return ret;
	ret = get_input(s, &io);
	if (ret < 0)
		return ret;
	shown = ret;

	said = s->transform(s->state, &io);
	/* a transform that says what cannot be is not believed */
	if (said >= 0 && (io.taken > zp_view_len(&io.in) || io.made > io.out.len))
		said = -EINVAL;
	if (said < 0) {
		io.taken = 0;
		if (shown)
			give_back(s, &io, false);
		return fail(s, said);
	}
	ret = send(s, &io);
	if (ret) {
		io.taken = 0;
		if (shown)
			give_back(s, &io, false);
		return refuse(s, ret);
	}
	idle = !io.taken && !io.made;
	if (shown) {
		ret = give_back(s, &io, idle && said != ZP_STAGE_LATER);
		if (ret < 0)
			return fail(s, ret);
	}
	if (said & ZP_COMPLETED)
		return finish(s, &io);
	if (!idle)
		return 0;
	if (said == ZP_STAGE_LATER)
		return -EAGAIN;
	if (!io.end) {
		s->flags |= WAITS_IN;
		return -EAGAIN;
	}
	return zp_view_len(&io.in) ? fail(s, -EBADMSG) : finish(s, &io);
}

void zp_stage_events(const struct zp_stage *s, short *in, short *out)
{
	*in = s->flags & WAITS_IN ? POLLIN : 0;
	*out = s->flags & WAITS_OUT ? POLLOUT : 0;
}

/* Wait until one of them may go on, or @more, if it is no bad fd, is readable. */
static int wait_for(const struct zp_stage *stages, size_t nr, int more, uint64_t deadline)
{
	struct pollfd *p = calloc(2 * nr + 1, sizeof(*p));
	uint64_t now;
	size_t i;
	int ret = -1;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		const struct zp_stage *s = &stages[i];

		p[2 * i].fd = s->over ? -1 : zp_reader_fd(s->in);
		p[2 * i + 1].fd = s->over ? -1 : zp_writer_fd(s->out);
		zp_stage_events(s, &p[2 * i].events, &p[2 * i + 1].events);
		/* poll(2) would say of these what nobody asked for, again and again */
		if (!p[2 * i].events)
			p[2 * i].fd = -1;
		if (!p[2 * i + 1].events)
			p[2 * i + 1].fd = -1;
	}
	p[2 * nr] = (struct pollfd){ .fd = more, .events = POLLIN };
	if (deadline) {
		now = zp_deadline(0);
		ret = now >= deadline ? 0 :
		      (int)ZP_MIN((deadline - now + 999999) / 1000000, INT_MAX);
	}
	ret = poll(p, 2 * nr + 1, ret);
	if (ret < 0)
		ret = -errno;
	else if (!ret && deadline && zp_deadline(0) >= deadline)
		ret = -ETIMEDOUT;
	free(p);
	return ZP_MIN(ret, 0);
}

int zp_stage_run(struct zp_stage *stages, size_t nr, uint64_t deadline)
{
	for (;;) {
		size_t i, over = 0;
		bool moved = false;
		int ret;

		for (i = 0; i < nr; i++) {
			ret = zp_stage_step(&stages[i]);
			if (!ret)
				moved = true;
			else if (ret < 0 && ret != -EAGAIN)
				return ret;
			else if (stages[i].over == REFUSED)
				return ZP_COMPLETED;
			over += !!stages[i].over;
		}
		if (over == nr)
			return 0;
		if (moved)
			continue;
		ret = wait_for(stages, nr, -1, deadline);
		if (ret)
			return ret;
	}
}

int zp_stage_read(struct zp_stage *stages, size_t nr, struct zp_reader *r, unsigned int flags,
		  uint64_t deadline, struct zp_view *view)
{
	if (flags & ~(unsigned int)ZP_NOWAIT)
		return -EOPNOTSUPP;
	for (;;) {
		bool moved = false;
		size_t i;
		int ret;

		ret = zp_try_read(r, view);
		if (ret != -EAGAIN)
			return ret;
		/* the one nearest to the reader that can; those before it only if it cannot */
		for (i = nr; i-- && !moved;) {
			bool was_over = stages[i].over;

			ret = zp_stage_step(&stages[i]);
			if (ret == -ECANCELED || ret == -EINTR || ret == -ENOMEM)
				return ret;
			/* how it ended is in its output now */
			moved = !ret || (stages[i].over && !was_over);
		}
		if (moved)
			continue;
		if (flags & ZP_NOWAIT)
			return -EAGAIN;
		ret = wait_for(stages, nr, zp_reader_fd(r), deadline);
		if (ret)
			return ret;
	}
}
