/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zpipe_trace - the tracepoints
 *
 * One class for everything: pipe, position, length, ret. Each verb fires once,
 * after the outcome is known, also when it failed. Append-only: names, fields
 * and their order are what the tools rely on.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM zpipe

#if !defined(ZPIPE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ZPIPE_TRACE_H

#include <linux/tracepoint.h>

#ifndef ZPIPE_TRACE_TYPES
#define ZPIPE_TRACE_TYPES
/* Where a byte was copied, the copy event's ret. */
enum zpipe_copy_place {
	ZPIPE_COPY_WRITE	= 1,
	ZPIPE_COPY_READ		= 2,
	ZPIPE_COPY_SPLICE_OUT	= 3,
	ZPIPE_COPY_SPLICE_IN	= 4,
	ZPIPE_COPY_SEAL		= 5,
};
#endif

DECLARE_EVENT_CLASS(zpipe_verb,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret),
	TP_STRUCT__entry(
		__field(u64, pipe)
		__field(u64, position)
		__field(u64, length)
		__field(s32, ret)
	),
	TP_fast_assign(
		__entry->pipe = pipe;
		__entry->position = position;
		__entry->length = length;
		__entry->ret = ret;
	),
	TP_printk("pipe=%llu position=%llu length=%llu ret=%d",
		  __entry->pipe, __entry->position, __entry->length, __entry->ret)
);

#define ZPIPE_EVENT(name)							\
	DEFINE_EVENT(zpipe_verb, zpipe_##name,					\
		     TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),	\
		     TP_ARGS(pipe, position, length, ret))

/* A pipe was made: length is its capacity. */
ZPIPE_EVENT(create);
/* The last end was closed: position is published, length what was never read. */
ZPIPE_EVENT(destroy);
/* ALLOC: committed position, length of the grant. */
ZPIPE_EVENT(alloc);
/* FLUSH: published position, bytes that are unexamined. */
ZPIPE_EVENT(flush);
/* READ: where the view starts, its length. */
ZPIPE_EVENT(read);
/* ADVANCE: consumed position, bytes still held. */
ZPIPE_EVENT(advance);
/* Memory came into the chain: its position, its length. */
ZPIPE_EVENT(segment_open);
/* Segments went back to the pool: consumed position, their bytes. */
ZPIPE_EVENT(segment_free);
/* The writer is paused: published position, bytes that are unexamined. */
ZPIPE_EVENT(pause);
/* It may go on: published position, nanoseconds it was paused. */
ZPIPE_EVENT(resume);
/* An end goes to sleep: the position it waits for; ret is its role. */
ZPIPE_EVENT(wait_begin);
/* It woke up: length is nanoseconds; ret is its role. */
ZPIPE_EVENT(wait_end);
/* A side was woken: the position that was reached; ret is its role. */
ZPIPE_EVENT(wake);
/* Bytes were taken away from the writer, to be published: from where, how many. */
ZPIPE_EVENT(seal);
/* Bytes were copied: where from the stream, how many; ret is the place. */
ZPIPE_EVENT(copy);
/* An end completed: published position; length is its role, ret its errno. */
ZPIPE_EVENT(complete);
/* A cancel was asked for: length is what (ZPIPE_CANCEL_*). */
ZPIPE_EVENT(cancel);
/* Thresholds were changed: position is pause, length is resume. */
ZPIPE_EVENT(set);
/* The pipe starts again: position where, length is the generation. */
ZPIPE_EVENT(reset);
/* A call was refused for its arguments or a shared word: length is the verb. */
ZPIPE_EVENT(reject);
/* Another reader: where it begins; length is its index. */
ZPIPE_EVENT(tee);
/* FORWARD: committed position, bytes that were appended. */
ZPIPE_EVENT(forward);
/* PRESERVE: the range. */
ZPIPE_EVENT(preserve);
/* A handle was given up, by RELEASE or the reader's end: its range. */
ZPIPE_EVENT(release);
/* EXPORT of a handle: its range. */
ZPIPE_EVENT(export);
/* A buffer was posted: position is its cookie, its length. */
ZPIPE_EVENT(post);
/* A buffer came back: position is its cookie, length the bytes placed in it. */
ZPIPE_EVENT(unpost);
/* splice(2): where it began, bytes moved; ret is the end's role, or the errno. */
ZPIPE_EVENT(splice);

#endif /* ZPIPE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE zpipe_trace
#include <trace/define_trace.h>
