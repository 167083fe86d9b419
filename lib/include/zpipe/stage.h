/* SPDX-License-Identifier: MIT */
/*
 * stage - transforms between two pipes, one behind the other
 *
 * Include <zpipe.h>, not this file. A stage takes bytes from a reader and makes bytes
 * in a writer, with a function that sees a view of the one and a grant of the other:
 * a codec, a cipher, a parser. It does nothing by itself:
 *
 *	zp_stage_step()	one round, without waiting: for event loops
 *	zp_stage_run()	until all is through: for threads
 *	zp_stage_read()	as much as it takes for somebody to read: lazily, in the
 *			thread of who reads
 *
 * Stages are composed by pipes: what one writes, the next one reads.
 *
 * What happens when something ends or fails, whoever it is:
 *
 *	the input ends	the function is called until it says that it is finished;
 *			then the output ends, and the input is completed
 *	the input fails	the output ends with the same error, behind what was made
 *	the function	the output ends with its error, behind what was made; the
 *	fails		input keeps what the failing call was shown
 *	the output has	the input keeps what it has: each byte of it was either
 *	finished, or	consumed, and what came of it is in the output, or is there
 *	fails		to be read
 *
 * The handles are the caller's, who closes them when the stage is over, and uses
 * neither of them while it goes on.
 */
#ifndef ZPIPE_STAGE_H
#define ZPIPE_STAGE_H

#include <zpipe/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Return value of a transform: see struct zp_stage. */
#define ZP_STAGE_LATER	0x200

/**
 * struct zp_stage_io - one call of a transform
 * @in: what there is to take; empty: nothing for now, what is held back may be made
 *	now
 * @out: room to make something in, at least zp_stage.room bytes
 * @end: nothing comes behind @in
 * @taken: out: bytes taken from the start of @in. What is left is shown again, with
 *	more behind it unless @end
 * @made: out: bytes made in @out
 */
struct zp_stage_io {
	struct zp_view in;
	struct zp_span out;
	int end;
	uint64_t taken;
	size_t made;
};

/**
 * struct zp_stage - a transform between two pipes
 * @in: the reader
 * @out: the writer
 * @transform: called with @state. 0: go on; when it neither takes nor makes anything
 *	it is called again when there is more, or, at the end, is finished.
 *	ZP_COMPLETED: finished, whatever there is behind what it took.
 *	ZP_STAGE_LATER: neither took nor made anything, and can only do so when
 *	another stage has; then it is shown the same again. -EBADMSG, or another
 *	negative errno: this cannot be transformed
 * @state: of the transform
 * @room: bytes of contiguous memory it needs to go on; 0 counts as 1
 * @over: private: 0 or why it is over
 * @flags: private
 *
 * Filled in by the caller, who sets what is private to 0.
 */
struct zp_stage {
	struct zp_reader *in;
	struct zp_writer *out;
	int (*transform)(void *state, struct zp_stage_io *io);
	void *state;
	size_t room;
	int over;
	unsigned int flags;
};

/**
 * zp_stage_step() - one round of a stage, without waiting
 * @stage: the stage
 *
 * After -EAGAIN wait for POLLIN of the reader's fd or POLLOUT of the writer's;
 * zp_stage_events() says which, or neither after ZP_STAGE_LATER.
 *
 * Return: 0: something has moved, call again; ZP_COMPLETED: it is over, because
 * everything is through or because the output's reader has finished; -EAGAIN:
 * nothing moves for now; -ECANCELED: a zp_cancel() of the input was used up. What it
 * fails with: as zp_read(), zp_alloc() and zp_flush(), or what the transform said;
 * -EBADMSG: the input ends in the middle of something. Once it is over or has failed
 * it says the same each time.
 */
ZP_API int zp_stage_step(struct zp_stage *stage);

/**
 * zp_stage_events() - what a stage waits for after -EAGAIN
 * @stage: the stage
 * @in: out: poll(2) events of the reader's fd
 * @out: out: poll(2) events of the writer's fd
 */
ZP_API void zp_stage_events(const struct zp_stage *stage, short *in, short *out);

/**
 * zp_stage_run() - run stages until they are over
 * @stages: the stages, in any order; those joined by pipes in one call
 * @nr: how many
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 *
 * Source: a stage is a function of a reader and a writer.
 *
 * Return: 0: all is through. ZP_COMPLETED: the reader of an output has finished.
 * Negative as zp_stage_step(), of the first that failed; -ETIMEDOUT, -EINTR: nothing
 * is lost, call again; -ENOMEM.
 */
ZP_API int zp_stage_run(struct zp_stage *stages, size_t nr, uint64_t deadline);

/**
 * zp_stage_read() - read what stages make, and run them only as far as that takes
 * @stages: the stages, the one that writes to @r's pipe last
 * @nr: how many
 * @r: the reader behind the last stage
 * @flags: ZP_NOWAIT or 0
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever
 * @view: out: as zp_read()
 *
 * Nothing is taken from the input before somebody reads. What a stage fails with is
 * how its output ends, so it is seen here once everything before it was read.
 * Source: readable channels that start their producer with the first read.
 *
 * Return: as zp_read_flags(); -ENOMEM.
 */
ZP_API int zp_stage_read(struct zp_stage *stages, size_t nr, struct zp_reader *r,
			 unsigned int flags, uint64_t deadline, struct zp_view *view);

#ifdef __cplusplus
}
#endif

#endif /* ZPIPE_STAGE_H */
