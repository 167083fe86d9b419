/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zpipe_trace - the tracepoints
 *
 * One class for everything: pipe, position, length, ret; they are an ABI and
 * append-only: no event, field or place ever changes its meaning or goes away.
 *
 * An event of a verb fires once for each call that reached the verb, after its
 * outcome is known, in the task that called (or that io_uring runs it in), also
 * when it failed: then ret is the negative errno that the call answers. A call
 * that waits fires when it is over. What is refused before it gets that far (the
 * wrong fd, a size that makes no sense, arguments that cannot be read) is a
 * zpipe_reject. A call that a signal cut short has -512 (ERESTARTSYS), and comes
 * again if it is restarted. An answer that cannot be delivered (EFAULT) undoes what was
 * done: after the event of the verb comes that of the undoing, if it has one.
 *
 * pipe is the number that INFO, STAT and fdinfo tell. A position is a stream
 * position, a length is in bytes, unless it says otherwise. Nothing is worked
 * out for an event that nobody listens to.
 *
 * Documentation/tracing.md tells how to use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM zpipe

#if !defined(ZPIPE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ZPIPE_TRACE_H

#include <linux/tracepoint.h>

#ifndef ZPIPE_TRACE_TYPES
#define ZPIPE_TRACE_TYPES
/**
 * enum zpipe_copy_place - what a zpipe_copy event counts; append-only
 * @ZPIPE_COPY_WRITE: write(2) copied in
 * @ZPIPE_COPY_READ: read(2) copied out, of a reader or of a buffer
 * @ZPIPE_COPY_SPLICE_OUT: splice(2) copied out, because the page was pinned or
 *	is a posted one, and could not be lent
 * @ZPIPE_COPY_SPLICE_IN: splice(2) or sendfile(2) copied in
 * @ZPIPE_COPY_SEAL: a guarded pipe copied a page that something still referred
 *	to when it was sealed; length is the stream's bytes in it
 * @ZPIPE_COPY_ADOPT: nothing was copied: FORWARD took these bytes over from
 *	another pool, by reference on their pages
 * @ZPIPE_COPY_ZERO: nothing was copied: bytes of memory that the kernel zeroed
 *	for this pipe, because fresh pages or the rest of a sealed page must show
 *	nothing; position is where the stream stood
 * @ZPIPE_COPY_PIN: as SEAL, and the page was pinned
 *
 * What was copied is all of them but ADOPT and ZERO. STAT counts WRITE and
 * SPLICE_IN as out_copied_write, READ (of a reader) and SPLICE_OUT as
 * out_copied_read, SEAL and PIN as out_copied_seal, ZERO as out_zeroed.
 */
enum zpipe_copy_place {
	ZPIPE_COPY_WRITE	= 1,
	ZPIPE_COPY_READ		= 2,
	ZPIPE_COPY_SPLICE_OUT	= 3,
	ZPIPE_COPY_SPLICE_IN	= 4,
	ZPIPE_COPY_SEAL		= 5,
	ZPIPE_COPY_ADOPT	= 6,
	ZPIPE_COPY_ZERO		= 7,
	ZPIPE_COPY_PIN		= 8,
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

/**
 * zpipe_create - CREATE is over
 * @pipe: the new pipe; 0 when none was made
 * @position: 0
 * @length: its capacity, or what was asked for
 * @ret: 0, or an errno
 *
 * Which process makes pipes, how many, how large, and why does it fail? A pipe
 * that was made for a call that then failed has its number here, and a destroy
 * follows.
 */
DEFINE_EVENT(zpipe_verb, zpipe_create,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_destroy - the last end of a pipe was closed
 * @pipe: the pipe
 * @position: published, what its writer sent in all
 * @length: held: bytes that no reader has consumed
 * @ret: 0
 *
 * How long did pipes live, how much went through, what was lost at the end? In
 * whatever task drops the last reference.
 */
DEFINE_EVENT(zpipe_verb, zpipe_destroy,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_alloc - ALLOC is over
 * @pipe: the pipe
 * @position: committed position at which memory was wanted
 * @length: of the grant; the minimum when it failed
 * @ret: 0, or an errno
 *
 * How often and how long does the writer enter the kernel for memory? 0 with a
 * length of 0 is a grant that was canceled, or not given since a reader of
 * posted buffers has finished.
 */
DEFINE_EVENT(zpipe_verb, zpipe_alloc,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_flush - FLUSH is over
 * @pipe: the pipe
 * @position: the position to be published
 * @length: unexamined: published bytes that the slowest reader has not looked
 *	at
 * @ret: 0, or an errno
 *
 * How far behind is the reader? With EAGAIN, ETIMEDOUT and EINTR the bytes are
 * published all the same. A mapped writer calls it only to wake or to wait.
 */
DEFINE_EVENT(zpipe_verb, zpipe_flush,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_read - READ is over
 * @pipe: the pipe
 * @position: where the view starts, consumed; 0 when it failed
 * @length: of the view; the minimum when it failed
 * @ret: 0, or an errno
 *
 * How much does a reader find when it has to ask? A mapped reader asks only
 * when it finds nothing.
 */
DEFINE_EVENT(zpipe_verb, zpipe_read,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_advance - ADVANCE is over
 * @pipe: the pipe
 * @position: consumed, as it is now
 * @length: bytes that this reader still holds
 * @ret: 0, or an errno
 *
 * How much memory does the reader keep from the writer? A mapped reader calls
 * it only to wake the writer.
 */
DEFINE_EVENT(zpipe_verb, zpipe_advance,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_segment_open - memory came into the chain
 * @pipe: the pipe
 * @position: stream position of its first byte
 * @length: bytes that the grant, or the adopted piece, has there
 * @ret: segments that were taken
 *
 * How fast is the stream, also while it makes no system call? Segments that a
 * FORWARD within a pool refers to were open before and do not come here.
 */
DEFINE_EVENT(zpipe_verb, zpipe_segment_open,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_segment_free - segments came free
 * @pipe: the pipe
 * @position: consumed
 * @length: their bytes
 * @ret: how many
 *
 * How fast does the reader give memory back? What is preserved, or stands in
 * another chain, comes free later: with the last chain, or with a release.
 */
DEFINE_EVENT(zpipe_verb, zpipe_segment_free,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_pause - the writer was paused
 * @pipe: the pipe
 * @position: published
 * @length: unexamined, which reached the threshold
 * @ret: 0
 *
 * How often is a reader too slow?
 */
DEFINE_EVENT(zpipe_verb, zpipe_pause,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_resume - the writer may go on
 * @pipe: the pipe
 * @position: published
 * @length: nanoseconds that it was paused
 * @ret: 0
 *
 * For how long was it too slow? Also when there is nobody to be slow any more:
 * an end was completed, closed, or found out.
 */
DEFINE_EVENT(zpipe_verb, zpipe_resume,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_wait_begin - a call goes to sleep, or is parked by io_uring
 * @pipe: the pipe
 * @position: the position that it waits for
 * @length: 0
 * @ret: ZPIPE_ROLE_* of the end
 *
 * Who waits, and for what? In the task that waits; a call may wait more than
 * once.
 */
DEFINE_EVENT(zpipe_verb, zpipe_wait_begin,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_wait_end - it sleeps no more
 * @pipe: the pipe
 * @position: the position that it waited for
 * @length: nanoseconds that it waited
 * @ret: ZPIPE_ROLE_* of the end
 *
 * How long do calls wait? Whether what it waited for has come is told by the
 * event of the verb.
 */
DEFINE_EVENT(zpipe_verb, zpipe_wait_end,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_wake - a sleeper, or who polls, is woken because of a position
 * @pipe: the pipe
 * @position: the position that was reached: published for a reader, consumed
 *	for the writer
 * @length: 0
 * @ret: ZPIPE_ROLE_* of the side that is woken
 *
 * Who wakes whom, how often? In the task that wakes. Not for the end of a side,
 * of which everybody hears: see complete.
 */
DEFINE_EVENT(zpipe_verb, zpipe_wake,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_seal - a guarded pipe has taken bytes away from its writer, to publish
 *	them
 * @pipe: the pipe
 * @position: of the first of them
 * @length: how many
 * @ret: 0, or an errno
 *
 * What does the guarded mode work on?
 */
DEFINE_EVENT(zpipe_verb, zpipe_seal,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_copy - bytes were copied, or their memory was touched in their place
 * @pipe: the pipe
 * @position: of the first of them
 * @length: how many
 * @ret: enum zpipe_copy_place
 *
 * Is it really zero copy, and if not, where not?
 */
DEFINE_EVENT(zpipe_verb, zpipe_copy,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_complete - an end is over, or COMPLETE failed
 * @pipe: the pipe
 * @position: published; consumed of a reader that was detached
 * @length: ZPIPE_ROLE_* of the end
 * @ret: the errno that the end completed with, 0 for none; negative when the
 *	call failed and the end goes on
 *
 * How do streams end, and who ends them? Once for each end: by COMPLETE, by its
 * last close, or because a reader was detached. A COMPLETE of an end that is
 * over changes nothing and does not come here.
 */
DEFINE_EVENT(zpipe_verb, zpipe_complete,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_cancel - CANCEL is over
 * @pipe: the pipe
 * @position: published
 * @length: ZPIPE_CANCEL_*: what
 * @ret: 0, or an errno
 *
 * Who interrupts whom?
 */
DEFINE_EVENT(zpipe_verb, zpipe_cancel,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_set - SET is over
 * @pipe: the pipe
 * @position: pause, in bytes
 * @length: resume, in bytes
 * @ret: 0, or an errno
 *
 * Who changes the thresholds, and to what? As they are now, or as they were
 * refused.
 */
DEFINE_EVENT(zpipe_verb, zpipe_set,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_reset - RESET is over
 * @pipe: the pipe
 * @position: where it begins again
 * @length: its generation
 * @ret: 0, or an errno
 *
 * Is a pipe used again, how often?
 */
DEFINE_EVENT(zpipe_verb, zpipe_reset,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_reject - a call was refused because of its arguments, or a shared word
 *	lies
 * @pipe: the pipe
 * @position: the bad position, where there is one
 * @length: ZPIPE_NR_* of the verb; 0: the peer has found the word
 * @ret: the errno
 *
 * Which program is wrong, or hostile? Counted by STAT as out_rejects. The event
 * of the verb comes too, if the call reached it.
 */
DEFINE_EVENT(zpipe_verb, zpipe_reject,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_tee - TEE is over
 * @pipe: the pipe
 * @position: where the new reader begins; 0 when it failed
 * @length: its index; 0 when it failed
 * @ret: 0, or an errno
 *
 * Who else reads along, and from where?
 */
DEFINE_EVENT(zpipe_verb, zpipe_tee,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_forward - FORWARD is over
 * @pipe: the pipe that bytes are appended to
 * @position: committed position at which
 * @length: how many
 * @ret: 0, or an errno
 *
 * What is passed on without a copy? Canceled is 0, and nothing is appended.
 */
DEFINE_EVENT(zpipe_verb, zpipe_forward,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_preserve - PRESERVE is over
 * @pipe: the pipe
 * @position: of the first byte
 * @length: of the range
 * @ret: 0, or an errno
 *
 * Who keeps memory, and how much?
 */
DEFINE_EVENT(zpipe_verb, zpipe_preserve,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_release - a handle was given up, or RELEASE failed
 * @pipe: the pipe
 * @position: of the first byte of its range; 0 when it failed
 * @length: of its range; 0 when it failed
 * @ret: 0, or an errno
 *
 * For how long was it kept? Once for each handle: by RELEASE, or by the end of
 * the reader. Buffers of it may go on.
 */
DEFINE_EVENT(zpipe_verb, zpipe_release,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_export - EXPORT is over
 * @pipe: the pipe
 * @position: of the first byte of the range; 0 when there is no such handle
 * @length: of the range; likewise
 * @ret: 0, or an errno
 *
 * What leaves the pipe for good?
 */
DEFINE_EVENT(zpipe_verb, zpipe_export,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_post - POST is over
 * @pipe: the pipe
 * @position: cookie of the buffer
 * @length: of the buffer
 * @ret: 0, or an errno
 *
 * Does the reader supply memory in time?
 */
DEFINE_EVENT(zpipe_verb, zpipe_post,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_unpost - UNPOST is over
 * @pipe: the pipe
 * @position: cookie of the buffer; the one asked for when it failed
 * @length: bytes that were placed in it; 0 when it failed
 * @ret: 0, or an errno
 *
 * How full do the buffers come back?
 */
DEFINE_EVENT(zpipe_verb, zpipe_unpost,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

/**
 * zpipe_splice - splice(2) or sendfile(2) is over
 * @pipe: the pipe
 * @position: of the first byte that was moved
 * @length: bytes that were moved
 * @ret: ZPIPE_ROLE_* of the end if any was moved; else 0, or an errno
 *
 * What goes to and comes from pipes, sockets and files? What of it was copied,
 * zpipe_copy tells.
 */
DEFINE_EVENT(zpipe_verb, zpipe_splice,
	TP_PROTO(u64 pipe, u64 position, u64 length, s32 ret),
	TP_ARGS(pipe, position, length, ret));

#endif /* ZPIPE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE zpipe_trace
#include <trace/define_trace.h>
