// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream - how a pipe moves on: what the shared words say, and what follows from it
 *
 * What all verbs share: taking over the words, publishing and advancing for
 * those who do it by ioctl, pausing the writer, and ending a stream whose words
 * lie.
 */
#include <linux/ktime.h>

#include "pipe.h"
#include "stream.h"
#include "wait.h"
#include "zpipe_trace.h"

/**
 * zpipe_stream_accuse_locked - a shared word lies, so the stream is over
 * @pipe: the pipe
 * @role: of the end that owns the word
 *
 * Both ends get EPROTO from here on; when the writer is guilty the reader
 * first gets what was published before.
 */
void zpipe_stream_accuse_locked(struct zpipe_pipe *pipe, u32 role)
{
	lockdep_assert_held(&pipe->pool->lock);
	pipe->guilty = role;
	WRITE_ONCE(pipe->state->guilty, role);
	zpipe_pipe_reject_locked(pipe, 0, pipe->chain.published, -EPROTO);
	zpipe_wait_wake_all_locked(pipe);
}

/**
 * zpipe_stream_detach_locked - the stream goes on without this reader
 * @reader: not the last one
 * @error: what its calls fail with from here on
 *
 * Its words bring it into the kernel at its next call, also at an advance: a
 * reader that was outrun must not trust what it looked at last.
 */
void zpipe_stream_detach_locked(struct zpipe_reader *reader, int error)
{
	struct zpipe_pipe *pipe = reader->pipe;

	lockdep_assert_held(&pipe->pool->lock);
	reader->ended = true;
	reader->error = error;
	reader->open = false;
	zpipe_wait_wake_reader_locked(reader);
	/* Pairs with the reader's barrier between its cursor (C) and these words (D). */
	smp_mb();
	trace_zpipe_complete(pipe->id, reader->cursor.consumed, ZPIPE_ROLE_READER, error);
}

/**
 * zpipe_stream_accuse_reader_locked - a reader's shared word lies
 * @reader: whose
 *
 * The stream is over for it, and for the others only when there is none: they
 * have words of their own.
 */
void zpipe_stream_accuse_reader_locked(struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = reader->pipe;
	const struct zpipe_reader *other;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(other, &pipe->readers, entry) {
		if (other == reader || other->ended)
			continue;
		zpipe_pipe_reject_locked(pipe, 0, pipe->chain.published, -EPROTO);
		zpipe_stream_detach_locked(reader, EPROTO);
		return;
	}
	zpipe_stream_accuse_locked(pipe, ZPIPE_ROLE_READER);
}

/**
 * zpipe_stream_freed_locked - count segments that the chain has given back
 * @pipe: the pipe
 * @slots: how many
 */
void zpipe_stream_freed_locked(struct zpipe_pipe *pipe, u32 slots)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (!slots)
		return;
	pipe->stats.segments_freed += slots;
	trace_zpipe_segment_free(pipe->id, pipe->chain.consumed,
				 (u64)slots << pipe->chain.shift, slots);
}

/**
 * zpipe_stream_zeroed_locked - count bytes of memory that were zeroed for the pipe
 * @pipe: the pipe
 * @position: where the stream stands
 * @bytes: how many
 */
void zpipe_stream_zeroed_locked(struct zpipe_pipe *pipe, u64 position, u64 bytes)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (!bytes)
		return;
	pipe->stats.zeroed += bytes;
	trace_zpipe_copy(pipe->id, position, bytes, ZPIPE_COPY_ZERO);
}

/**
 * zpipe_stream_discard_locked - drop what a reader who is gone will not read
 * @pipe: the pipe; its reader has ended
 *
 * Once the writer has ended too, its unpublished grant goes with it. Not while
 * a read(2) of another thread still copies: it does so as it leaves.
 */
void zpipe_stream_discard_locked(struct zpipe_pipe *pipe)
{
	const struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (reader->busy & ZPIPE_BUSY_READ2)
			return;
	}
	if (pipe->writer_ended && !(pipe->busy & ZPIPE_BUSY_WRITER))
		zpipe_stream_freed_locked(pipe, zpipe_chain_reset(&pipe->chain));
	else
		zpipe_stream_freed_locked(pipe, zpipe_chain_discard(&pipe->chain));
}

/**
 * zpipe_stream_pause_locked - bring the paused state up to date
 * @pipe: the pipe
 * @may_pause: the writer asks, so it may be paused now
 *
 * Paused from unexamined >= pause until unexamined < resume; a reader that
 * starves does not count (rule R1), nor one that is gone, nor one that would
 * rather be detached than slow the writer down.
 *
 * Return: whether the writer is paused.
 */
bool zpipe_stream_pause_locked(struct zpipe_pipe *pipe, bool may_pause)
{
	bool lifted = !pipe->pause || pipe->reader_ended || pipe->writer_ended || pipe->guilty;
	u64 unexamined = 0;

	lockdep_assert_held(&pipe->pool->lock);
	if (!lifted) {
		const struct zpipe_reader *reader;

		list_for_each_entry(reader, &pipe->readers, entry) {
			if (!reader->ended && !reader->may_detach &&
			    !zpipe_wait_is_starving_locked(reader))
				unexamined = max(unexamined, pipe->chain.published -
						 reader->cursor.examined);
		}
	}
	if (pipe->paused && (lifted || unexamined < pipe->resume)) {
		u64 ns = ktime_get_ns() - pipe->paused_at;

		pipe->paused = false;
		pipe->stats.paused_ns += ns;
		pipe->stats.paused_longest = max(pipe->stats.paused_longest, ns);
		trace_zpipe_resume(pipe->id, pipe->chain.published, ns, 0);
	} else if (!pipe->paused && may_pause && !lifted && unexamined >= pipe->pause) {
		pipe->paused = true;
		pipe->paused_at = ktime_get_ns();
		pipe->stats.pauses++;
		trace_zpipe_pause(pipe->id, pipe->chain.published, unexamined, 0);
	}
	return pipe->paused;
}

/**
 * zpipe_stream_arm_resume_locked - have the reader tell when the pause ends
 * @pipe: the pipe, paused
 * @sleep: as for zpipe_wait_arm_locked()
 */
void zpipe_stream_arm_resume_locked(struct zpipe_pipe *pipe, bool sleep)
{
	zpipe_wait_arm_locked(pipe, &pipe->wake_examined,
			      pipe->chain.published - pipe->resume + 1, sleep);
}

/**
 * zpipe_stream_offer_again_locked - zpipe_stream_offer_locked(), where it may be needed
 * @pipe: the pipe
 */
void zpipe_stream_offer_again_locked(struct zpipe_pipe *pipe)
{
	u64 at = pipe->pool->nr_hungry ? zpipe_chain_boundary(&pipe->chain) : ZPIPE_UNARMED;

	lockdep_assert_held(&pipe->pool->lock);
	if (at == pipe->pool_wake)
		return;
	pipe->pool_wake = at;
	zpipe_wait_share_locked(pipe);
	/* Pairs with the full barrier between C and D, as in zpipe_wait_arm_locked(). */
	smp_mb();
}

/* Whose wait does the present state of the chain end? Seldom anybody's, so out of line. */
static noinline void end_waits_locked(struct zpipe_pipe *pipe)
{
	const struct zpipe_chain *chain = &pipe->chain;

	lockdep_assert_held(&pipe->pool->lock);
	/* Others wait for what has come free: dropping the lock wakes them. */
	if (chain->consumed >= pipe->pool_wake) {
		zpipe_stream_freed_locked(pipe, zpipe_chain_reclaim(&pipe->chain));
		zpipe_stream_offer_locked(pipe);
	}

	zpipe_wait_wake_readers_locked(pipe, chain->published);
	if (pipe->paused)
		zpipe_stream_pause_locked(pipe, false);
	if (chain->examined >= zpipe_wake_at(&pipe->wake_examined) ||
	    chain->consumed >= zpipe_wake_at(&pipe->wake_consumed))
		zpipe_wait_wake_writer_locked(pipe);
	else if (pipe->nr_readers > 1)
		/* One that is there already would call for each of its messages. */
		zpipe_wait_share_locked(pipe);
}

static __always_inline void wake_reached_locked(struct zpipe_pipe *pipe)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (unlikely(zpipe_wait_is_reached_locked(pipe)))
		end_waits_locked(pipe);
}

/* A writer with a bad word: 0, or -EPROTO when it is the writer that calls. */
static int look_at_writer_locked(struct zpipe_pipe *pipe, const struct zpipe_reader *caller,
				 u64 published)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->writer_ended || pipe->guilty ||
	    !zpipe_chain_accept_writer(&pipe->chain, published))
		return 0;
	if (!caller)
		return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_FLUSH, published, -EPROTO);
	zpipe_stream_accuse_locked(pipe, ZPIPE_ROLE_WRITER);
	return 0;
}

/* Does what the reader says count? Not while its read(2) copies, see below. */
static bool is_heard_locked(const struct zpipe_reader *reader)
{
	return !reader->ended && !(reader->busy & ZPIPE_BUSY_READ2) &&
	       reader->pipe->guilty != ZPIPE_ROLE_READER;
}

/* Read a reader's words, once. */
static void load_cursor(struct zpipe_reader *reader)
{
	/* Pairs with the reader's release of consumed (C in uapi/linux/zpipe.h). */
	reader->said.consumed = smp_load_acquire(&reader->page->consumed);
	/* And with that of examined: the reader stores it first, so it is loaded second. */
	reader->said.examined = smp_load_acquire(&reader->page->examined);
}

/* 0, or -EPROTO when it is the caller whose word is bad. */
static int look_at_reader_locked(struct zpipe_reader *reader, const struct zpipe_reader *caller)
{
	struct zpipe_pipe *pipe = reader->pipe;
	u64 was = reader->cursor.examined;

	lockdep_assert_held(&pipe->pool->lock);
	if (!is_heard_locked(reader))
		return 0;
	if (zpipe_chain_accept_reader(&pipe->chain, &reader->cursor, reader->said.consumed,
				      reader->said.examined)) {
		if (reader == caller)
			return zpipe_pipe_reject_locked(pipe, ZPIPE_NR_ADVANCE,
							reader->said.consumed, -EPROTO);
		zpipe_stream_accuse_reader_locked(reader);
	}
	if (reader->cursor.examined != was)
		reader->want = 0;
	return 0;
}

/**
 * zpipe_stream_settle_locked - the slowest of the readers is what counts
 * @pipe: the pipe
 *
 * One that has ended still holds what its read(2) is copying. A new reader may
 * have to examine again what all others have; that does not count.
 */
void zpipe_stream_settle_locked(struct zpipe_pipe *pipe)
{
	struct zpipe_cursor slowest = { pipe->chain.published, pipe->chain.published };
	const struct zpipe_reader *reader;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->reader_ended) {
		zpipe_stream_discard_locked(pipe);
		return;
	}
	reader = list_first_entry(&pipe->readers, struct zpipe_reader, entry);
	if (likely(pipe->nr_readers == 1 && !reader->ended)) {
		slowest = reader->cursor;
		goto out_settle;
	}
	list_for_each_entry(reader, &pipe->readers, entry) {
		if (reader->ended && !(reader->busy & ZPIPE_BUSY_READ2))
			continue;
		slowest.consumed = min(slowest.consumed, reader->cursor.consumed);
		slowest.examined = min(slowest.examined, reader->cursor.examined);
	}
out_settle:
	slowest.examined = max(slowest.examined, pipe->chain.examined);
	zpipe_chain_settle(&pipe->chain, &slowest);
}

/**
 * zpipe_stream_take_over_locked - take over what the shared words say
 * @pipe: the pipe
 * @caller: the reader whose call this is, NULL for the writer
 *
 * The words are loaded consumed first, published last, as the two sides store
 * them the other way round (rule R4). A word that has ended its service - the
 * end has completed, or was found out - is not read any more, and while
 * read(2) copies, only its end moves consumed: a word scribbled meanwhile must
 * not free what is being copied. In a guarded pipe only the kernel writes the
 * words, and knows what they say.
 *
 * Return: 0, or -EPROTO when the caller's own word is bad; it may mend it and
 * call again. The peer's bad word ends the pipe for both.
 */
int zpipe_stream_take_over_locked(struct zpipe_pipe *pipe, const struct zpipe_reader *caller)
{
	struct zpipe_reader *reader;
	u64 published;
	int ret = 0;

	lockdep_assert_held(&pipe->pool->lock);
	if (pipe->flags & ZPIPE_F_GUARDED)
		goto out_settle;
	list_for_each_entry(reader, &pipe->readers, entry)
		load_cursor(reader);
	/* Pairs with the writer's release of published (A in uapi/linux/zpipe.h). */
	published = smp_load_acquire(&pipe->writer_page->published);
	ret = look_at_writer_locked(pipe, caller, published);
	if (!ret) {
		list_for_each_entry(reader, &pipe->readers, entry)
			ret = ret ?: look_at_reader_locked(reader, caller);
	}
out_settle:
	zpipe_stream_settle_locked(pipe);
	wake_reached_locked(pipe);
	return ret;
}

/**
 * zpipe_stream_hear_writer_locked - take over what the writer says, and nothing else
 * @reader: whose call this is; it has loaded what it wants of its words before (rule R4)
 *
 * For who needs no memory of this pipe. Nobody waits for that: the ends wake
 * each other, and the next look finds whoever is woken by a lie.
 */
void zpipe_stream_hear_writer_locked(const struct zpipe_reader *reader)
{
	struct zpipe_pipe *pipe = reader->pipe;

	lockdep_assert_held(&pipe->pool->lock);
	/* Pairs with the writer's release of published (A in uapi/linux/zpipe.h). */
	look_at_writer_locked(pipe, reader, smp_load_acquire(&pipe->writer_page->published));
}

/**
 * zpipe_stream_publish_locked - publish for a writer who does it by system call
 * @pipe: the pipe, looked at
 * @position: at most zpipe_chain_limit(); at or below published it changes nothing
 *
 * Wakes nobody.
 */
void zpipe_stream_publish_locked(struct zpipe_pipe *pipe, u64 position)
{
	lockdep_assert_held(&pipe->pool->lock);
	if (position <= pipe->chain.published)
		return;
	zpipe_chain_publish(&pipe->chain, position);
	/* Pairs with the reader's load-acquire of published (A). */
	smp_store_release(&pipe->writer_page->published, position);
	if (pipe->reader_ended)
		zpipe_stream_discard_locked(pipe);
}

/**
 * zpipe_stream_advance_locked - advance for a reader who does it by system call
 * @reader: the reader; its pipe was looked at
 * @consumed: at least the present one, at most @examined
 * @examined: at most published; a lower one than before changes nothing
 *
 * Wakes the writer where it waits for that.
 */
void zpipe_stream_advance_locked(struct zpipe_reader *reader, u64 consumed, u64 examined)
{
	struct zpipe_pipe *pipe = reader->pipe;

	lockdep_assert_held(&pipe->pool->lock);
	reader->want = 0;
	reader->cursor.examined = max(reader->cursor.examined, examined);
	reader->cursor.consumed = consumed;
	WRITE_ONCE(reader->page->examined, reader->cursor.examined);
	/* Pairs with the writer's load-acquire of consumed (C). */
	smp_store_release(&reader->page->consumed, consumed);
	zpipe_stream_settle_locked(pipe);
	wake_reached_locked(pipe);
}
