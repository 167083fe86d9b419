// SPDX-License-Identifier: GPL-2.0-only
/*
 * zptop - count what happens on each pipe, and who does it
 *
 * An entry for each pipe, and one for each process that calls a verb on it. Nothing is sent to the
 * loader, which reads the tables when it wants to show them: so the cost is that of the events,
 * and a mapped pipe has a few for each segment.
 */
#include "flow.bpf.h"
#include "zptop.h"

/* Before it was attached nothing counts. */
__u64 started;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES);
	__type(key, __u64);
	__type(value, struct zptop_pipe);
} pipes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES * ZPTOP_ENDS_PER_PIPE);
	__type(key, struct zptop_key);
	__type(value, struct zptop_end);
} ends SEC(".maps");

static const struct zptop_pipe fresh;

static __always_inline struct zptop_pipe *find(__u64 id)
{
	return is_attached() ? bpf_map_lookup_elem(&pipes, &id) : NULL;
}

static __always_inline struct zptop_pipe *find_or_make(__u64 id)
{
	struct zptop_pipe *pipe = find(id);

	if (pipe || !is_attached())
		return pipe;
	bpf_map_update_elem(&pipes, &id, &fresh, BPF_NOEXIST);
	pipe = find(id);
	if (!pipe)
		count_lost();
	return pipe;
}

/* The caller is a process that has this end. */
static __always_inline void called(__u64 id, __u32 role)
{
	struct zptop_key key = { .pipe = id, .pid = bpf_get_current_pid_tgid() >> 32 };
	struct zptop_end *end = bpf_map_lookup_elem(&ends, &key);

	if (!end) {
		struct zptop_end made = {};

		bpf_get_current_comm(made.comm, sizeof(made.comm));
		bpf_map_update_elem(&ends, &key, &made, BPF_NOEXIST);
		end = bpf_map_lookup_elem(&ends, &key);
		if (!end) {
			count_lost();
			return;
		}
	}
	if (!(end->roles & (1 << role)))
		end->roles |= 1 << role;
	ADD(end->calls, 1);
}

static __always_inline __u64 at_most_since_start(__u64 ns)
{
	__u64 most = bpf_ktime_get_ns() - started;

	return ns < most ? ns : most;
}

ON(create)
int on_create(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = event->ret ? NULL : find_or_make(event->pipe);

	if (pipe)
		flow_create(&pipe->flow, event);
	return 0;
}

ON(destroy)
int on_destroy(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find(event->pipe);

	if (pipe)
		flow_destroy(&pipe->flow, event);
	return 0;
}

ON(alloc)
int on_alloc(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_alloc(&pipe->flow, event);
	called(event->pipe, ROLE_WRITER);
	return 0;
}

ON(flush)
int on_flush(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_flush(&pipe->flow, event);
	if (is_published(event->ret))
		ADD(pipe->flushes, 1);
	called(event->pipe, ROLE_WRITER);
	return 0;
}

ON(read)
int on_read(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_read(&pipe->flow, event);
	called(event->pipe, ROLE_READER);
	return 0;
}

ON(advance)
int on_advance(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_advance(&pipe->flow, event);
	called(event->pipe, ROLE_READER);
	return 0;
}

/* How many segments it was; modules of before that was told have 0. */
static __always_inline __u64 segments(const struct zpipe_event *event)
{
	return event->ret > 0 ? event->ret : 1;
}

ON(segment_open)
int on_segment_open(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_segment_open(&pipe->flow, event);
	ADD(pipe->opened, segments(event));
	return 0;
}

ON(segment_free)
int on_segment_free(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_segment_free(&pipe->flow, event);
	ADD(pipe->freed, segments(event));
	return 0;
}

ON(pause)
int on_pause(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_pause(&pipe->flow, event);
	pipe->paused_since = bpf_ktime_get_ns();
	ADD(pipe->pauses, 1);
	return 0;
}

ON(resume)
int on_resume(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find(event->pipe);

	if (!pipe)
		return 0;
	flow_published(&pipe->flow, event->position);
	pipe->paused_since = 0;
	ADD(pipe->paused_ns, at_most_since_start(event->length));
	return 0;
}

/* 0 for the writer, 1 for the reader. */
static __always_inline __u32 side(const struct zpipe_event *event)
{
	return event->ret == ROLE_READER;
}

ON(wait_begin)
int on_wait_begin(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);
	struct zptop_waits *waits;
	__u64 now;

	if (!pipe)
		return 0;
	waits = &pipe->waits[side(event)];
	now = bpf_ktime_get_ns();
	/* The first one starts the sum again: its end is measured by another clock. */
	if (!__sync_fetch_and_add(&waits->now, 1))
		waits->since = now;
	else
		ADD(waits->since, now);
	called(event->pipe, event->ret == ROLE_READER ? ROLE_READER : ROLE_WRITER);
	return 0;
}

ON(wait_end)
int on_wait_end(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);
	struct zptop_waits *waits;

	if (!pipe)
		return 0;
	waits = &pipe->waits[side(event)];
	ADD(waits->number, 1);
	ADD(waits->ns, at_most_since_start(event->length));
	/* One that began before us is not among them. */
	if (waits->now > 0) {
		ADD(waits->since, event->length - bpf_ktime_get_ns());
		__sync_fetch_and_sub(&waits->now, 1);
	}
	return 0;
}

ON(wake)
int on_wake(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_wake(&pipe->flow, event);
	ADD(pipe->wakes[side(event)], 1);
	return 0;
}

ON(copy)
int on_copy(struct zpipe_event *event)
{
	struct zptop_pipe *pipe;

	if (event->ret == ZB_ADOPT || event->ret == ZB_ZERO)
		return 0;
	/* A buffer may be read when its pipe is gone. */
	pipe = event->ret == ZB_READ ? find(event->pipe) : find_or_make(event->pipe);
	if (!pipe)
		return 0;
	flow_copy(&pipe->flow, event);
	ADD(pipe->copied, event->length);
	if (event->ret == ZB_WRITE) {
		ADD(pipe->writes, 1);
		called(event->pipe, ROLE_WRITER);
	} else if (event->ret == ZB_READ) {
		called(event->pipe, ROLE_READER);
	}
	return 0;
}

ON(splice)
int on_splice(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_splice(&pipe->flow, event);
	if (event->ret == ROLE_READER || event->ret == ROLE_WRITER)
		called(event->pipe, event->ret);
	return 0;
}

ON(preserve)
int on_preserve(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = event->ret ? NULL : find_or_make(event->pipe);

	if (!pipe)
		return 0;
	ADD(pipe->preserved, event->length);
	called(event->pipe, ROLE_READER);
	return 0;
}

ON(release)
int on_release(struct zpipe_event *event)
{
	struct zptop_pipe *pipe = event->ret ? NULL : find(event->pipe);

	if (pipe)
		__sync_fetch_and_sub(&pipe->preserved, event->length);
	return 0;
}
