/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow - how far a pipe has come, as its events tell: the half in the kernel
 *
 * flow_<event>() brings a struct zb_flow up to date. Each is called by the tool's own program on
 * that event, which has looked up or made the entry of the pipe.
 */
#ifndef ZB_FLOW_BPF_H
#define ZB_FLOW_BPF_H

#include "event.bpf.h"
#include "flow.h"

#define EINTR		4
#define EAGAIN		11
#define ETIMEDOUT	110
#define ECANCELED	125
#define ERESTARTSYS	512

/* The first event of a pipe that was there before us tells where it is. */
static __always_inline void flow_begin(struct zb_flow *flow, __u64 consumed)
{
	if (flow->known)
		return;
	flow->begin = consumed;
	flow->known = 1;
}

static __always_inline void flow_published(struct zb_flow *flow, __u64 published)
{
	raise(&flow->published, published);
}

static __always_inline void flow_consumed(struct zb_flow *flow, __u64 consumed)
{
	flow_begin(flow, consumed);
	raise(&flow->consumed, consumed);
	raise(&flow->examined, consumed);
}

static __always_inline void flow_create(struct zb_flow *flow, const struct zpipe_event *event)
{
	flow->capacity = event->length;
	flow_begin(flow, 0);
}

static __always_inline void flow_destroy(struct zb_flow *flow, const struct zpipe_event *event)
{
	flow_published(flow, event->position);
	flow_consumed(flow, event->position - event->length);
	flow->gone = 1;
}

static __always_inline void flow_alloc(struct zb_flow *flow, const struct zpipe_event *event)
{
	if (event->ret)
		return;
	/* Who stays out of the kernel has published what it asks for more behind. */
	flow_published(flow, event->position);
	raise(&flow->granted, event->position + event->length);
}

/* Did it publish? It has, too, when only the wait behind that was cut short. */
static __always_inline int is_published(int ret)
{
	return !ret || ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EINTR || ret == -ECANCELED ||
	       ret == -ERESTARTSYS;
}

static __always_inline void flow_flush(struct zb_flow *flow, const struct zpipe_event *event)
{
	if (!is_published(event->ret))
		return;
	flow_published(flow, event->position);
	if (event->length <= event->position)
		raise(&flow->examined, event->position - event->length);
}

static __always_inline void flow_read(struct zb_flow *flow, const struct zpipe_event *event)
{
	if (event->ret)
		return;
	flow_consumed(flow, event->position);
	flow_published(flow, event->position + event->length);
}

static __always_inline void flow_advance(struct zb_flow *flow, const struct zpipe_event *event)
{
	flow_read(flow, event);
}

static __always_inline void flow_segment_open(struct zb_flow *flow,
					      const struct zpipe_event *event)
{
	raise(&flow->granted, event->position + event->length);
}

static __always_inline void flow_segment_free(struct zb_flow *flow,
					      const struct zpipe_event *event)
{
	flow_consumed(flow, event->position);
}

static __always_inline void flow_pause(struct zb_flow *flow, const struct zpipe_event *event)
{
	flow_published(flow, event->position);
	if (event->length <= event->position)
		raise(&flow->examined, event->position - event->length);
}

static __always_inline void flow_wake(struct zb_flow *flow, const struct zpipe_event *event)
{
	if (event->ret == ROLE_READER)
		flow_published(flow, event->position);
	else
		flow_consumed(flow, event->position);
}

static __always_inline void flow_copy(struct zb_flow *flow, const struct zpipe_event *event)
{
	switch (event->ret) {
	case ZB_WRITE:
	case ZB_SPLICE_IN:
		flow_published(flow, event->position + event->length);
		break;
	case ZB_READ:
	case ZB_SPLICE_OUT:
		flow_begin(flow, event->position);
		flow_consumed(flow, event->position + event->length);
		break;
	}
}

/* Those that went by reference; ret is the role of the end, unless it failed. */
static __always_inline void flow_splice(struct zb_flow *flow, const struct zpipe_event *event)
{
	if (event->ret == ROLE_WRITER) {
		flow_published(flow, event->position + event->length);
	} else if (event->ret == ROLE_READER) {
		flow_begin(flow, event->position);
		flow_consumed(flow, event->position + event->length);
	}
}

#endif
