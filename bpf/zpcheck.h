/* SPDX-License-Identifier: MIT */
/*
 * zpcheck - what must hold for every pipe, told by its events
 *
 * The same function judges in the kernel and over a text of ftrace. Only what is true whatever the
 * order is in which the events of two processors come: one event is compared with itself, with what
 * came before in the same task, or, for events that fire under the lock of the pipe (segment_open,
 * segment_free, pause, resume, wake), with others of these. What is not known is not judged: the
 * bytes of a pipe that was there before, the segments once bytes were forwarded. A segment counts
 * as opened each time it is taken, also where a rollback takes it once more; so no fewer are opened
 * than come free, but the difference is not what is live.
 */
#ifndef ZPCHECK_H
#define ZPCHECK_H

#include "flow.h"

enum zpcheck_event {
	ZPCHECK_CREATE, ZPCHECK_DESTROY, ZPCHECK_ALLOC, ZPCHECK_FLUSH, ZPCHECK_READ,
	ZPCHECK_ADVANCE, ZPCHECK_SEGMENT_OPEN, ZPCHECK_SEGMENT_FREE, ZPCHECK_PAUSE,
	ZPCHECK_RESUME, ZPCHECK_WAKE, ZPCHECK_COPY, ZPCHECK_FORWARD, ZPCHECK_PRESERVE,
	ZPCHECK_RELEASE,
	ZPCHECK_EVENTS
};

#define ZPCHECK_EVENT_NAMES							\
	"create", "destroy", "alloc", "flush", "read", "advance", "segment_open",	\
	"segment_free", "pause", "resume", "wake", "copy", "forward", "preserve", "release"

/* Each is `value <= limit`, but for the last two, where they are equal. */
enum zpcheck_rule {
	ZPCHECK_FINE,
	ZPCHECK_HELD,			/* held <= capacity */
	ZPCHECK_UNEXAMINED,		/* unexamined <= capacity */
	ZPCHECK_PUBLISHED,		/* published <= granted */
	ZPCHECK_CONSUMED,		/* consumed <= granted, and so <= published */
	ZPCHECK_EXAMINED,		/* consumed <= examined */
	ZPCHECK_HELD_POSITION,		/* held <= published */
	ZPCHECK_PUBLISHED_BACK,		/* published before <= published now */
	ZPCHECK_CONSUMED_BACK,		/* consumed before <= consumed now */
	ZPCHECK_FREED,			/* segments freed <= segments opened */
	ZPCHECK_RELEASED,		/* bytes released <= bytes preserved */
	ZPCHECK_KEPT,			/* bytes preserved at the end <= 0 */
	ZPCHECK_EXAMINED_PUBLISHED,	/* examined <= published; of fdinfo, as are the next */
	ZPCHECK_SEGMENTS,		/* each segment is what one of three is */
	ZPCHECK_REFERENCES,		/* and each reference to it is somebody's */
	ZPCHECK_RULES
};

#define ZPCHECK_RULE_NAMES							\
	"", "held <= capacity", "unexamined <= capacity", "published <= granted",	\
	"consumed <= granted", "consumed <= examined", "held <= published",	\
	"published never goes back", "consumed never goes back",			\
	"segments freed <= opened", "released <= preserved",			\
	"nothing is preserved at the end", "examined <= published",			\
	"segments = taken + preserved + free",						\
	"references = chain + preserved + posted + calls"

struct zpcheck_pipe {
	__u64 whole;		/* known since it was made */
	__u64 capacity;		/* 0 while unknown */
	__u64 grants;		/* granted is known */
	__u64 granted;		/* the most there ever was */
	__u64 published;	/* told under the lock */
	__u64 consumed;		/* of the slowest reader, told under the lock */
	__u64 opened;		/* segments; known when the module tells their number */
	__u64 freed;
	__u64 escaped;		/* their number is not told */
	__u64 preserved;	/* bytes, so far */
	__u64 released;
};

/* What the kernel sends for each violation. */
struct zpcheck_report {
	__u64 pipe;
	__u64 position;
	__u64 length;
	__s32 ret;
	__u32 event;
	__u32 rule;
	__u32 pid;
	__u64 value;
	__u64 limit;
	char comm[16];
};

struct zpcheck_verdict {
	__u32 rule;
	__u32 unused;
	__u64 value;
	__u64 limit;
};

/* Positions that only grow; ADD and raise come from whoever includes this. */
#define ZPCHECK_MUST(_rule, _value, _limit) do {				\
	__u64 must_value = (_value), must_limit = (_limit);			\
										\
	if (must_value > must_limit) {						\
		verdict->rule = (_rule);					\
		verdict->value = must_value;					\
		verdict->limit = must_limit;					\
		return;								\
	}									\
} while (0)

#define ZPCHECK_MUST_FIT(_rule, _value)						\
	ZPCHECK_MUST(_rule, _value, pipe->capacity ? pipe->capacity : ~0ULL)
#define ZPCHECK_MUST_BE_GRANTED(_rule, _value)					\
	ZPCHECK_MUST(_rule, _value, pipe->grants ? pipe->granted : ~0ULL)

/* Is there anything to judge: a pipe was made, bytes were moved. */
static inline int zpcheck_counts(__u32 event, __s32 ret)
{
	return !(event == ZPCHECK_CREATE && ret) &&
	       !(event == ZPCHECK_COPY && (ret == ZB_ADOPT || ret == ZB_ZERO));
}

/**
 * zpcheck_judge - bring a pipe up to date, and say what does not hold
 * @pipe: of the event
 * @event: which
 * @position: its fields
 * @length: ditto
 * @ret: ditto
 * @forwarded: a FORWARD was seen, of whatever pipe
 * @verdict: zero on entry; the first rule that is violated
 */
static inline __attribute__((always_inline))
void zpcheck_judge(struct zpcheck_pipe *pipe, __u32 event, __u64 position, __u64 length, __s32 ret,
		   int forwarded, struct zpcheck_verdict *verdict)
{
	switch (event) {
	case ZPCHECK_CREATE:
		pipe->whole = 1;
		pipe->grants = 1;
		pipe->capacity = length;
		break;
	case ZPCHECK_DESTROY:
		ZPCHECK_MUST(ZPCHECK_HELD_POSITION, length, position);
		ZPCHECK_MUST_FIT(ZPCHECK_HELD, length);
		ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position);
		if (!pipe->whole)
			break;
		if (pipe->preserved > pipe->released)
			ZPCHECK_MUST(ZPCHECK_KEPT, pipe->preserved - pipe->released, 0);
		break;
	case ZPCHECK_ALLOC:
		if (!ret)
			raise(&pipe->granted, position + length);
		break;
	case ZPCHECK_FORWARD:
		if (!ret)
			raise(&pipe->granted, position + length);
		break;
	case ZPCHECK_FLUSH:
		if (ret)
			break;
		ZPCHECK_MUST_FIT(ZPCHECK_UNEXAMINED, length);
		ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position);
		break;
	case ZPCHECK_READ:
	case ZPCHECK_ADVANCE:
		if (ret)
			break;
		ZPCHECK_MUST_FIT(ZPCHECK_HELD, length);
		ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position + length);
		break;
	case ZPCHECK_COPY:
		if (ret == ZB_WRITE || ret == ZB_SPLICE_IN)
			ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position + length);
		break;
	case ZPCHECK_SEGMENT_OPEN:
		raise(&pipe->granted, position + length);
		if (ret <= 0)
			pipe->escaped = 1;	/* this module does not tell how many */
		else
			ADD(pipe->opened, ret);
		break;
	case ZPCHECK_SEGMENT_FREE:
		ZPCHECK_MUST(ZPCHECK_CONSUMED_BACK, pipe->consumed, position);
		pipe->consumed = position;
		ZPCHECK_MUST_BE_GRANTED(ZPCHECK_CONSUMED, position);
		if (ret <= 0) {
			pipe->escaped = 1;
			break;
		}
		ADD(pipe->freed, ret);
		if (pipe->whole && !pipe->escaped && !forwarded)
			ZPCHECK_MUST(ZPCHECK_FREED, pipe->freed, pipe->opened);
		break;
	case ZPCHECK_PAUSE:
		ZPCHECK_MUST_FIT(ZPCHECK_UNEXAMINED, length);
		ZPCHECK_MUST(ZPCHECK_HELD_POSITION, length, position);
		ZPCHECK_MUST(ZPCHECK_EXAMINED, pipe->consumed, position - length);
		/* fallthrough */
	case ZPCHECK_RESUME:
		ZPCHECK_MUST(ZPCHECK_PUBLISHED_BACK, pipe->published, position);
		pipe->published = position;
		ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position);
		break;
	case ZPCHECK_WAKE:
		if (ret == 2) {
			ZPCHECK_MUST(ZPCHECK_PUBLISHED_BACK, pipe->published, position);
			pipe->published = position;
			ZPCHECK_MUST_BE_GRANTED(ZPCHECK_PUBLISHED, position);
		} else {
			ZPCHECK_MUST(ZPCHECK_CONSUMED_BACK, pipe->consumed, position);
			pipe->consumed = position;
			ZPCHECK_MUST_BE_GRANTED(ZPCHECK_CONSUMED, position);
		}
		break;
	case ZPCHECK_PRESERVE:
		if (!ret)
			ADD(pipe->preserved, length);
		break;
	case ZPCHECK_RELEASE:
		if (ret)
			break;
		ADD(pipe->released, length);
		if (pipe->whole)
			ZPCHECK_MUST(ZPCHECK_RELEASED, pipe->released, pipe->preserved);
		break;
	}
}

#endif
