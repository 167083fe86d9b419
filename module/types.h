/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types - the objects of zpipe, their locks and who refers to whom
 *
 *	writer file --> zpipe_end --\
 *				     >--> zpipe_pipe --> zpipe_pool --> pages
 *	reader file --> zpipe_end --/			    |
 *	every mapping --> its file			    +--> inode, user
 *
 *	zpipe_reader --> zpipe_handle --\
 *					 >--> zpipe_hold --> zpipe_pool
 *	buffer file --------------------/
 *
 * A file holds its end, the two ends hold the pipe, the pipe holds the pool, and
 * so does the fd of a shared pool.
 * Nothing holds a file, so a pipe cannot be a node in a cycle of passed fds. A
 * mapping needs no bookkeeping: vm_file keeps everything above alive, and PTEs
 * hold their own references on pages.
 *
 * Locks, outermost first:
 *
 *	zpipe_pools_mutex
 *		the list of all pools; see pool.h.
 *	reader->mutex, pipe->write_mutex
 *		one caller of read(2) or splice(2) out, or of write(2) or splice(2)
 *		in, at a time; taken killably, and with O_NONBLOCK only tried. The
 *		one lock that is held across user memory, and outside of the lock
 *		of a kernel's pipe; the peer never takes it.
 *	pool->mutex
 *		which page is where: segment[]; and, in guarded mode, what a
 *		fault may map: hiding something moves the limit under it and then
 *		removes what was mapped before. Faults take it under the mm lock, so
 *		it is never held across a user copy or a page pin.
 *	pool->lock
 *		a spinlock, taken and dropped by zpipe_wait_lock() and _unlock():
 *		slots, and of every pipe of the pool the chain, wake words, end
 *		states, counters. Bounded work only.
 *	wait queue locks
 *
 * Legend of the fields:
 *	I  set before the fds exist, then read-only
 *	L  pool->lock
 *	M  pool->mutex
 *	A  atomic
 *	S  in a page that userspace may read and only the kernel writes; L
 *	U  written by userspace, hostile: read once, checked, then used
 */
#ifndef ZPIPE_TYPES_H
#define ZPIPE_TYPES_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/zpipe.h>

#include "chain.h"
#include "slots.h"

struct zpipe_user;

/**
 * struct zpipe_reader_words - what the kernel has to say to one reader
 * @writer_wake_examined: S, it calls ADVANCE when its examined reaches this
 * @writer_wake_consumed: S, or its consumed this
 * @events: S, not 0: READ has something to say
 */
struct zpipe_reader_words {
	u64 writer_wake_examined;
	u64 writer_wake_consumed;
	u32 events;
};

/**
 * struct zpipe_state - the state region, as userspace sees it
 *
 * What the writer reads at every publish, and what the reader reads at every
 * advance, have cache lines of their own, 128 bytes apart because processors
 * fetch lines in pairs.
 *
 * @magic: ZPIPE_MAGIC
 * @id: the pipe's number
 * @window: bytes of the data window
 * @segment_size: bytes
 * @table_entries: of @table
 * @opened: S, descriptors ever opened
 * @granted: S, end of the open grant
 * @generation: S, times RESET
 * @reader_wake_at: S, the writer calls FLUSH when published reaches it
 * @pause: S, present threshold
 * @sole_reader: S, 1 while @reader is the only one that has not ended
 * @reader: S, the words of the reader that CREATE made
 * @writer_ended: S, 1 when the writer has finished
 * @writer_error: S, and how
 * @reader_ended: S, 1 when the reader has finished
 * @reader_error: S, and how
 * @guilty: S, ZPIPE_ROLE_* of the end whose shared word ended the pipe
 * @table: S, the chain
 */
struct zpipe_state {
	u64 magic;
	u64 id;
	u64 window;
	u32 segment_size;
	u32 table_entries;
	u64 opened __aligned(128);
	u64 granted;
	u64 generation;
	u64 reader_wake_at __aligned(128);
	u64 pause;
	u32 sole_reader;
	struct zpipe_reader_words reader __aligned(128);
	u32 writer_ended __aligned(128);
	s32 writer_error;
	u32 reader_ended;
	s32 reader_error;
	u32 guilty;
	struct zpipe_descriptor table[] __aligned(128);
};

/**
 * struct zpipe_writer_page - U, the writer region
 * @published: stream position
 */
struct zpipe_writer_page {
	u64 published;
};

/**
 * struct zpipe_reader_page - U, the reader region, one for each reader
 * @examined: stream position
 * @consumed: stream position; stored after @examined (rule R4)
 */
struct zpipe_reader_page {
	u64 examined;
	u64 consumed;
};

/**
 * struct zpipe_segment - the memory of one slot
 * @payer: of a spare slot: who pays for its pages, because it has preserved a
 *	range that they replace; or NULL for the pool's
 * @foreign: its pages are so many of another pool's, from the front; 0 when
 *	they are a whole segment of its own
 * @page: M, from the front
 */
struct zpipe_segment {
	struct zpipe_user *payer;
	u32 foreign;
	struct page *page[];
};

/**
 * struct zpipe_pool - equally sized segments with one data window
 * @kref: A, of its fd and of each pipe
 * @exempt: I, was made with CAP_SYS_RESOURCE
 * @trimmed: its free segments were trimmed, and none was taken since; a hint
 * @id: I, of a shared one
 * @inode: I, its address_space finds every mapping of the window
 * @user: I, who pays
 * @mutex: see above
 * @lock: see above
 * @shift: I, log2 of the segment size
 * @segment: M, one for each slot, spare ones too; NULL while it has no pages
 * @slots: L
 * @idle: I, free segments that keep their pages
 * @pipes: L, those that use it; in no order, see share.c
 * @hungry: L, of these, those whose writer waits for memory of any of them
 * @nr_hungry: L, how many
 * @views: A, guarded: indexes of readers that have mapped their view, so far;
 *	0: not guarded
 * @pages: A, data pages held
 * @spare_pages: A, of these, in spare slots
 * @replaced: A, pages that somebody still referred to when their turn came
 * @entry: in zpipe_pools; zpipe_pools_mutex
 * @seen: slots.takes when idle.c last looked; zpipe_pools_mutex
 * @shrunk: A, pages that memory pressure took from free segments
 */
struct zpipe_pool {
	struct kref kref;
	bool exempt;
	bool trimmed;
	u64 id;
	struct inode *inode;
	struct zpipe_user *user;
	struct mutex mutex;
	spinlock_t lock;
	u32 shift;
	struct zpipe_segment **segment;
	struct zpipe_slots slots;
	u32 idle;
	struct list_head pipes;
	struct list_head hungry;
	u32 nr_hungry;
	atomic_t views;
	atomic_long_t pages;
	atomic_long_t spare_pages;
	atomic_long_t replaced;
	struct list_head entry;
	u64 seen;
	atomic_long_t shrunk;
};

/* A writer waits for memory of any pipe of its pool. */
enum zpipe_hunger {
	ZPIPE_HUNGER_SLEEP	= 1,	/* asleep */
	ZPIPE_HUNGER_ARMED	= 2,	/* after poll, or EAGAIN */
};

/* L, calls that slept or were parked: how often, and nanoseconds in all and at most. */
struct zpipe_waits {
	u64 nr;
	u64 ns;
	u64 longest;
};

/* L, counters; struct zpipe_stat_args says what each means. */
struct zpipe_stats {
	u64 copied_write;
	u64 copied_read;
	u64 spliced_out;
	u64 spliced_in;
	u64 copied_seal;
	u64 segments_opened;
	u64 segments_freed;
	u64 allocs;
	u64 flushes;
	u64 reads;
	u64 advances;
	u64 forwards;
	u64 forwarded;
	u64 adopted;
	u64 zeroed;
	u64 pauses;
	u64 paused_ns;
	u64 paused_longest;
	struct zpipe_waits writer;
	struct zpipe_waits readers;
	u64 reader_wakes;
	u64 writer_wakes;
	u64 rejects;
};

/*
 * An operation of the writer, or of a reader, in progress; a second one of the
 * same kind is EBUSY.
 */
enum zpipe_busy {
	ZPIPE_BUSY_ALLOC	= 1,
	ZPIPE_BUSY_FLUSH	= 2,
	ZPIPE_BUSY_READ		= 4,
	ZPIPE_BUSY_WRITE2	= 8,	/* write(2), splice(2): excludes ALLOC and FLUSH */
	ZPIPE_BUSY_READ2	= 16,	/* read(2), splice(2): excludes READ and ADVANCE */
	ZPIPE_BUSY_SEAL		= 32,	/* guarded: bytes are about to be published */
	ZPIPE_BUSY_HIDE		= 64,	/* guarded: ... to be consumed */

	ZPIPE_BUSY_WRITER	= ZPIPE_BUSY_ALLOC | ZPIPE_BUSY_WRITE2 | ZPIPE_BUSY_SEAL,
};

/**
 * struct zpipe_wake - a wake word and the waiters behind it
 * @sleep: L, position a blocked call waits for
 * @armed: L, least position left behind by poll or an EAGAIN
 *
 * Both are ZPIPE_UNARMED when nobody waits; the shared word is the smaller.
 */
struct zpipe_wake {
	u64 sleep;
	u64 armed;
};

/* Of @hidden: it will never show anything again. */
#define ZPIPE_HIDE_ALL	(~0ULL)

/**
 * struct zpipe_hold - a preserved range; the handle and every export share it
 *
 * The last reference gives the slots back. It refers to the pool and not to
 * the pipe, so it outlives both ends.
 *
 * @kref: A, one for a handle, one for each buffer file
 * @pool: I
 * @pipe: I, number of the pipe it came from
 * @position: I, stream position of its first byte
 * @length: I, in bytes
 * @nr_spans: I, of @spans
 * @spans: I, where the bytes lie, as data offsets; a reference on every slot
 */
struct zpipe_hold {
	struct kref kref;
	struct zpipe_pool *pool;
	u64 pipe;
	u64 position;
	u64 length;
	u32 nr_spans;
	struct zpipe_span spans[];
};

/**
 * struct zpipe_handle - an entry of a reader's table
 * @hold: what it stands for, or NULL while it is free
 * @generation: of the handle given out last; 0 for none yet
 * @next: the next free entry
 */
struct zpipe_handle {
	struct zpipe_hold *hold;
	u32 generation;
	u32 next;
};

/**
 * struct zpipe_handles - what a reader has preserved
 * @entry: L, @room of them
 * @room: L
 * @free: L, the first free entry, or @room or above for none
 * @nr: L, handles
 * @bytes: L, the sum of their lengths
 */
struct zpipe_handles {
	struct zpipe_handle *entry;
	u32 room;
	u32 free;
	u32 nr;
	u64 bytes;
};

/**
 * struct zpipe_reader - one of the readers of a pipe
 * @pipe: I
 * @entry: L, in the pipe's list
 * @page: I, U
 * @words: I, S
 * @user: I, who pays for them; NULL for the reader that CREATE made
 * @said: L, what @page held when it was looked at
 * @cursor: L, accepted from it
 * @hidden: L, and M to move it: guarded, its mapping shows nothing below this
 * @may_detach: I, made with ZPIPE_TEE_F_DETACH
 * @ended: L, it will read no more bytes
 * @cancel: L, its next READ returns CANCELED
 * @open: L, a READ without SHARED waits for its ADVANCE
 * @woken: L, to be woken when the lock is dropped
 * @busy: L, enum zpipe_busy
 * @error: L, why it ended, when it was detached: what its calls fail with
 * @index: I, 0 for the reader that CREATE made; unique among the pipe's
 * @view_end: L, where what the open READ showed ends
 * @want: L, the position that an EAGAIN READ wanted, or 0
 * @wake: L, for published
 * @sleeper: L, the task asleep in READ or read(2)
 * @handles: L, what it has preserved
 * @waits: L, its own part of the pipe's
 * @mutex: see above
 */
struct zpipe_reader {
	struct zpipe_pipe *pipe;
	struct list_head entry;
	struct zpipe_reader_page *page;
	struct zpipe_reader_words *words;
	struct zpipe_user *user;
	struct zpipe_cursor said;
	struct zpipe_cursor cursor;
	u64 hidden;
	bool may_detach;
	bool ended;
	bool cancel;
	bool open;
	bool woken;
	u8 busy;
	int error;
	u32 index;
	u64 view_end;
	u64 want;
	struct zpipe_wake wake;
	struct task_struct *sleeper;
	struct zpipe_handles handles;
	struct zpipe_waits waits;
	struct mutex mutex;
};

/**
 * struct zpipe_pipe - one direction, one writer end, one or more reader ends
 * @kref: A, one for each end
 * @flags: I, ZPIPE_F_*
 * @id: I
 * @pool: I
 * @user: I, who made the pipe and pays for its control pages
 * @in_pool: L, in the pool's pipes
 * @state: I, the state region, @state_size bytes
 * @writer_page: I, U
 * @state_size: I
 * @busy: L, enum zpipe_busy
 * @chain: L
 * @reader: the reader that CREATE made
 * @readers: L, those that have a file, by index
 * @pause: L, threshold, 0 for never
 * @resume: L, threshold
 * @paused: L, unexamined went to @pause and has not come below @resume
 * @paused_at: L, when
 * @nr_readers: L, how many
 * @alloc_slots: L, and for how many slots, when it was a FORWARD
 * @hunger: L, enum zpipe_hunger
 * @wakes: L, enum zpipe_wakes, to be sent when the lock is dropped
 * @grants: L, the writer has used ALLOC: closing without COMPLETE is an abort
 * @writer_ended: L, no more bytes will be published
 * @reader_ended: L, no reader will read more bytes; what is published is dropped
 * @writer_error: L, what the reader gets, once @drain allows
 * @reader_error: L, what the writer gets: how the last of the readers ended
 * @drain: L, the reader first gets what was published
 * @closed_abort: L, the writer died: read(2) sees plain end of file
 * @closed: L, an end has no file any more
 * @guilty: L, ZPIPE_ROLE_* whose shared word lied; the pipe is over
 * @cancel_flush: L, the next FLUSH does
 * @push: L, position up to which READ returns short
 * @alloc_at: L, the position at which an EAGAIN ALLOC wanted memory
 * @alloc_want: L, and how many bytes, or 0
 * @generation: L
 * @wake_published: L, the least of the readers' @wake
 * @wake_examined: L, for examined
 * @wake_consumed: L, for consumed
 * @memory_wait: L, consumed position that an ALLOC without memory waits for,
 *	asleep or after EAGAIN; ZPIPE_UNARMED when none does (rule R2)
 * @hungry: L, in the pool's list while @hunger is not 0
 * @pool_wake: L, consumed position at which memory comes free that a hungry
 *	pipe of the pool waits for; ZPIPE_UNARMED when there is none
 * @sealer: L, guarded: the task that is sealing
 * @posts: L, ZPIPE_F_POSTED: what the reader has posted, in order
 * @nr_posts: L, how many
 * @posts_held: L, the window's slots are held for the reader
 * @post_wanted: L, an ALLOC waits for a post, asleep or after EAGAIN
 * @alloc_sleeper: L, in ALLOC or write(2), for memory
 * @flush_sleeper: L, in FLUSH or write(2), paused or waiting for the reader
 * @reader_poll: whoever polls a reader end
 * @writer_poll: whoever polls the writer end
 * @write_mutex: see above
 * @stats: L
 */
struct zpipe_pipe {
	struct kref kref;
	u32 flags;
	u64 id;
	struct zpipe_pool *pool;
	struct zpipe_user *user;
	struct list_head in_pool;
	struct zpipe_state *state;
	struct zpipe_writer_page *writer_page;
	u32 state_size;
	u8 busy;

	struct zpipe_chain chain;
	struct zpipe_reader reader;
	struct list_head readers;
	u64 pause;
	u64 resume;
	bool paused;
	bool grants;
	bool writer_ended;
	bool reader_ended;
	bool drain;
	bool closed_abort;
	bool closed;
	bool cancel_flush;
	int writer_error;
	int reader_error;
	u32 guilty;
	u32 nr_readers;
	u32 alloc_slots;
	u32 hunger;
	u32 wakes;
	u64 paused_at;
	u64 push;
	u64 alloc_at;
	u64 alloc_want;
	u64 memory_wait;
	struct list_head posts;
	u32 nr_posts;
	bool posts_held;
	bool post_wanted;
	u64 generation;
	u64 wake_published;
	struct zpipe_wake wake_examined;
	struct zpipe_wake wake_consumed;
	struct list_head hungry;
	u64 pool_wake;
	struct task_struct *sealer;
	struct task_struct *alloc_sleeper;
	struct task_struct *flush_sleeper;
	wait_queue_head_t reader_poll;
	wait_queue_head_t writer_poll;
	struct mutex write_mutex;
	struct zpipe_stats stats;
};

/**
 * struct zpipe_end - what a file refers to
 * @pipe: I
 * @reader: I, or NULL for the writer
 * @role: I, ZPIPE_ROLE_*
 */
struct zpipe_end {
	struct zpipe_pipe *pipe;
	struct zpipe_reader *reader;
	u32 role;
};

#endif /* ZPIPE_TYPES_H */
