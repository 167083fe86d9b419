// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpcopy - count every byte that is copied on a zpipe, by the place that copies it
 *
 * One entry for each pipe: how far it has come (flow.bpf.h), and what was copied on the way.
 */
#include "flow.bpf.h"
#include "zpcopy.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES);
	__type(key, __u64);
	__type(value, struct zpcopy_pipe);
} pipes SEC(".maps");

/* Zeroes of that size are too many for the stack of a program. */
static const struct zpcopy_pipe fresh;

static __always_inline struct zpcopy_pipe *find(__u64 id)
{
	return is_attached() ? bpf_map_lookup_elem(&pipes, &id) : NULL;
}

static __always_inline struct zpcopy_pipe *find_or_make(__u64 id)
{
	struct zpcopy_pipe *pipe = find(id);

	if (pipe || !is_attached())
		return pipe;
	bpf_map_update_elem(&pipes, &id, &fresh, BPF_NOEXIST);
	pipe = find(id);
	if (!pipe)
		count_lost();
	return pipe;
}

ON(create)
int on_create(struct zpipe_event *event)
{
	struct zpcopy_pipe *pipe = event->ret ? NULL : find_or_make(event->pipe);

	if (pipe)
		flow_create(&pipe->flow, event);
	return 0;
}

ON(destroy)
int on_destroy(struct zpipe_event *event)
{
	struct zpcopy_pipe *pipe = find(event->pipe);

	if (pipe)
		flow_destroy(&pipe->flow, event);
	return 0;
}

/* The events that only tell how far it has come. */
#define FLOW_EVENT(name)						\
	ON(name)							\
	int on_##name(struct zpipe_event *event)			\
	{								\
		struct zpcopy_pipe *pipe = find_or_make(event->pipe);	\
									\
		if (pipe)						\
			flow_##name(&pipe->flow, event);		\
		return 0;						\
	}

FLOW_EVENT(flush)
FLOW_EVENT(read)
FLOW_EVENT(advance)
FLOW_EVENT(segment_free)

ON(splice)
int on_splice(struct zpipe_event *event)
{
	struct zpcopy_pipe *pipe = find_or_make(event->pipe);

	if (!pipe)
		return 0;
	flow_splice(&pipe->flow, event);
	if (event->ret == ROLE_READER)
		ADD(pipe->spliced, event->length);
	return 0;
}

ON(forward)
int on_forward(struct zpipe_event *event)
{
	struct zpcopy_pipe *pipe = find_or_make(event->pipe);

	if (pipe && !event->ret)
		ADD(pipe->forwarded, event->length);
	return 0;
}

ON(copy)
int on_copy(struct zpipe_event *event)
{
	struct zpcopy_pipe *pipe;
	__u32 place = event->ret;

	/* Somebody reads a buffer whose pipe is gone: that is counted, too. */
	pipe = find_or_make(event->pipe);
	if (!pipe)
		return 0;
	flow_copy(&pipe->flow, event);
	if (place >= ZB_PLACES)
		place = 0;
	ADD(pipe->bytes[place], event->length);
	ADD(pipe->copies[place], 1);
	return 0;
}
