/* SPDX-License-Identifier: MIT */
/*
 * types - constants and structs of libzpipe, and the barriers its inline
 * functions use
 *
 * Include <zpipe.h>, not this file. Two kinds of struct live here. Options and
 * results begin with `sz`, set by the caller to sizeof: they may grow at the
 * end, and zero is always the default of a member that is not there yet.
 * Handles (zp_writer, zp_reader) are allocated by the library, so what lies
 * behind the members shown may grow; the members shown are private, frozen
 * within a soname, and here only because the inline functions need them.
 */
#ifndef ZPIPE_TYPES_H
#define ZPIPE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include <zpipe/probes.h>

#define ZP_VERSION_MAJOR	0
#define ZP_VERSION_MINOR	1
#define ZP_VERSION_PATCH	0

#define ZP_API __attribute__((visibility("default")))

#define zp_likely(x)	__builtin_expect(!!(x), 1)
#define zp_unlikely(x)	__builtin_expect(!!(x), 0)

/*
 * Result flags: positive return values of the writer's calls, and the flags of
 * a view. The numbers are the kernel's ZPIPE_RES_*.
 */
#define ZP_COMPLETED	1	/* the peer has finished */
#define ZP_CANCELED	2	/* a zp_cancel() was used up */
#define ZP_PUSHED	4	/* fewer than min bytes: the writer pushed */
#define ZP_FULL		8	/* fewer than min bytes: the writer waits for memory */
#define ZP_ABORTED	16	/* the last bytes: the next read fails */

/*
 * What a parser says that needs bytes behind those of the view: no flag, and no
 * error, for it has changed nothing and can be called again with a longer view.
 */
#define ZP_MORE		0x100

/* Flags of a call. NOWAIT is the same number for all of them. */
#define ZP_NOWAIT		1	/* -EAGAIN instead of waiting */
#define ZP_FLUSH_NOWAKE		2	/* publish only; zp_publish() is the fast one */
#define ZP_FLUSH_PUSH		4	/* a read with a minimum returns early */
#define ZP_FLUSH_WAIT_EXAMINED	8	/* until the reader looked at it all */
#define ZP_FLUSH_WAIT_CONSUMED	16	/* until it gave it all back */

/* zp_advance(): leave this position where it is. */
#define ZP_KEEP		UINT64_MAX

/* zp_create_opts.pause: never pause the writer. */
#define ZP_NEVER	UINT64_MAX

/* zp_create_opts.flags and zp_info.flags */
#define ZP_CONTIG	1	/* every view is one span, as long as possible */
#define ZP_NONBLOCK	2	/* both fds get O_NONBLOCK */
#define ZP_GUARDED	4	/* published bytes cannot change; not with ZP_CONTIG */
#define ZP_POSTED	8	/* the reader supplies the memory: zp_stream_create() */

/* zp_open_opts.flags */
#define ZP_KEEP_FD	1	/* closing the handle leaves the fd open */

/* zp_writer_complete() flags */
#define ZP_DRAIN	1	/* with an error: what is published is read first */

/* zp_cancel(): whom to interrupt */
/* zp_tee() */
#define ZP_TEE_DETACH	1	/* detach this reader rather than slow the writer down */
#define ZP_TEE_NONBLOCK	2	/* O_NONBLOCK on the new fd */

#define ZP_CANCEL_READ	1
#define ZP_CANCEL_FLUSH	2

/* zp_info.role */
#define ZP_ROLE_WRITER	1
#define ZP_ROLE_READER	2
#define ZP_ROLE_BUFFER	3

/**
 * struct zp_create_opts - what zp_create() makes
 * @sz: sizeof(struct zp_create_opts)
 * @flags: ZP_CONTIG, ZP_NONBLOCK, ZP_GUARDED
 * @segment_size: bytes, a power of two; 0 for the kernel's choice
 * @capacity: bytes the pipe can hold; 0 for the default, 1 MiB
 * @pause: zp_flush() waits once so many bytes are unexamined; 0 for three
 *	quarters of the capacity, ZP_NEVER for never
 * @resume: and returns once fewer than this are; 0 for half of @pause
 * @device: path of the device; NULL for /dev/zpipe. The string is only read
 *	during the call
 * @pool_fd: a pool of zp_pool_create() to share; 0 for memory of its own. Not
 *	with ZP_CONTIG. The fd stays the caller's
 */
struct zp_create_opts {
	size_t sz;
	uint32_t flags;
	uint32_t segment_size;
	uint64_t capacity;
	uint64_t pause;
	uint64_t resume;
	const char *device;
	int32_t pool_fd;
	uint32_t reserved;
};

/* zp_pool_opts.idle: free segments keep no pages at all. */
#define ZP_POOL_KEEP_NONE	UINT32_MAX

/**
 * struct zp_pool_opts - what zp_pool_create() makes
 * @sz: sizeof(struct zp_pool_opts)
 * @segment_size: bytes, a power of two; 0 for 64 KiB
 * @segments: how many; 0 for 16
 * @idle: free segments that keep their pages while nobody needs them; 0 for the
 *	kernel's choice
 * @reserved: 0
 * @device: path of the device; NULL for /dev/zpipe. The string is only read
 *	during the call
 */
struct zp_pool_opts {
	size_t sz;
	uint32_t segment_size;
	uint32_t segments;
	uint32_t idle;
	uint32_t reserved;
	const char *device;
};

/**
 * struct zp_pool_stat - what a pool holds
 * @sz: sizeof(struct zp_pool_stat), set by the caller
 * @segments: segments
 * @free: of these, held by nobody
 * @pages: pages held now
 * @idle_pages: of these, pages of free segments
 * @idle: free segments that keep theirs
 * @pipes: pipes that use the pool
 * @committed: segments that they hold or have reserved
 * @waiting: pipes whose writer waits for memory of any of them
 * @shrunk_pages: pages that memory pressure has taken from free segments
 * @replaced_pages: as that of struct zp_stat
 */
struct zp_pool_stat {
	size_t sz;
	uint64_t segments;
	uint64_t free;
	uint64_t pages;
	uint64_t idle_pages;
	uint64_t idle;
	uint64_t pipes;
	uint64_t committed;
	uint64_t waiting;
	uint64_t shrunk_pages;
	uint64_t replaced_pages;
};

/**
 * struct zp_open_opts - how zp_writer_open() and zp_reader_open() treat an fd
 * @sz: sizeof(struct zp_open_opts)
 * @flags: ZP_KEEP_FD
 * @spin: how often to look at the peer's cursor before sleeping; 0 for the
 *	default (on when more than one CPU is online), negative for not at all
 */
struct zp_open_opts {
	size_t sz;
	uint32_t flags;
	int32_t spin;
};

/**
 * struct zp_info - what zp_query() tells about an fd
 * @sz: sizeof(struct zp_info), set by the caller
 * @role: ZP_ROLE_*, of the fd
 * @flags: ZP_CONTIG, ZP_NONBLOCK, ZP_GUARDED: as created. Who has received an
 *	fd from somebody it does not trust insists on ZP_GUARDED
 * @id: the pipe's number, as in traces
 * @features: ZPIPE_FEAT_* of linux/zpipe.h
 * @capacity: most bytes the pipe holds
 * @window: bytes of the data window; the longest possible grant
 * @segment_size: bytes
 * @nr_segments: segments in the window
 * @pause: present threshold, bytes; 0 for never
 * @resume: present threshold, bytes
 * @generation: how often the pipe was reset
 * @granted: stream position
 * @published: stream position
 * @examined: stream position
 * @consumed: stream position
 */
struct zp_info {
	size_t sz;
	uint32_t role;
	uint32_t flags;
	uint64_t id;
	uint64_t features;
	uint64_t capacity;
	uint64_t window;
	uint32_t segment_size;
	uint32_t nr_segments;
	uint64_t pause;
	uint64_t resume;
	uint64_t generation;
	uint64_t granted;
	uint64_t published;
	uint64_t examined;
	uint64_t consumed;
};

/**
 * struct zp_stat - positions and counters of a pipe since it was made
 * @sz: sizeof(struct zp_stat), set by the caller
 * @granted: stream position
 * @published: stream position
 * @examined: stream position
 * @consumed: stream position
 * @data_pages: pages of data memory held now
 * @control_bytes: bytes of kernel memory besides those
 * @copied_write: bytes copied by write(2)
 * @copied_read: bytes copied by read(2)
 * @segments_opened: segments taken into the chain
 * @segments_freed: segments given back
 * @allocs: ALLOC calls; likewise the next three
 * @flushes: FLUSH calls
 * @reads: READ calls
 * @advances: ADVANCE calls
 * @pauses: times the writer was paused
 * @paused_ns: nanoseconds it was
 * @writer_waits: times the writer slept
 * @writer_wait_ns: nanoseconds it did
 * @reader_waits: times this reader slept; of a writer: all readers
 * @reader_wait_ns: nanoseconds it did
 * @reader_wakes: wake-ups sent to the reader side
 * @writer_wakes: wake-ups sent to the writer side
 * @rejects: calls refused because of their arguments or a shared word
 * @replaced_pages: pages given fresh to a segment because somebody (a splice,
 *	a zero-copy send, a disk) still referred to the old ones
 * @readers: readers that have an fd
 * @copied_seal: guarded: bytes copied because the writer still referred to
 *	their page when they were published
 * @spliced_out: bytes that splice(2) took out by page reference
 * @spliced_in: bytes that splice(2) and sendfile(2) brought in, by a copy
 * @preserved_bytes: what this reader, or of a writer all readers, preserve
 * @preserved_handles: in so many calls of zp_preserve()
 * @spare_pages: pages of @data_pages in segments that replace preserved ones
 * @forwards: FORWARD calls
 * @forwarded: bytes appended by them, without a copy
 * @adopted_pages: pages of other pools among these
 * @zeroed: bytes of memory that the kernel zeroed for the pipe
 * @longest_pause_ns: of @paused_ns, the longest time; likewise the next two
 * @longest_writer_wait_ns: of @writer_wait_ns
 * @longest_reader_wait_ns: of @reader_wait_ns
 */
struct zp_stat {
	size_t sz;
	uint64_t granted;
	uint64_t published;
	uint64_t examined;
	uint64_t consumed;
	uint64_t data_pages;
	uint64_t control_bytes;
	uint64_t copied_write;
	uint64_t copied_read;
	uint64_t segments_opened;
	uint64_t segments_freed;
	uint64_t allocs;
	uint64_t flushes;
	uint64_t reads;
	uint64_t advances;
	uint64_t pauses;
	uint64_t paused_ns;
	uint64_t writer_waits;
	uint64_t writer_wait_ns;
	uint64_t reader_waits;
	uint64_t reader_wait_ns;
	uint64_t reader_wakes;
	uint64_t writer_wakes;
	uint64_t rejects;
	uint64_t replaced_pages;
	uint64_t readers;
	uint64_t copied_seal;
	uint64_t spliced_out;
	uint64_t spliced_in;
	uint64_t preserved_bytes;
	uint64_t preserved_handles;
	uint64_t spare_pages;
	uint64_t forwards;
	uint64_t forwarded;
	uint64_t adopted_pages;
	uint64_t zeroed;
	uint64_t longest_pause_ns;
	uint64_t longest_writer_wait_ns;
	uint64_t longest_reader_wait_ns;
};

/**
 * struct zp_stats - what an end has done: zp_stats()
 * @sz: sizeof(struct zp_stats), set by the caller
 * @position: committed (writer), consumed (reader): where the stream is
 * @bytes: writer: bytes committed; reader: bytes consumed. Of these:
 * @mapped: in place, in memory that the caller filled or looked at itself
 * @copied_write: zp_write() copied in
 * @copied_write_flush: zp_write_flush() copied in
 * @forwarded: zp_forward() appended to this writer, or took from this reader
 * @rolled_back: writer: bytes committed and taken back, by zp_rollback() or an
 *	abort; they are in @bytes, and @position is short of them
 * @patched: writer: bytes that zp_patch() overwrote; they are not in @bytes
 * @copied_view: bytes that zp_view_copy() copied out, of all views of this
 *	process; a view does not know its reader
 * @publishes: writer: zp_flush() and zp_publish() calls
 * @allocs: writer: ALLOC calls into the kernel
 * @flushes: writer: FLUSH calls into the kernel
 * @reads: reader: READ calls into the kernel
 * @advances: reader: ADVANCE calls into the kernel
 * @wakes: of @flushes or @advances, those that the peer was waiting for. In a
 *	guarded pipe every one is needed, and this is 0
 * @spins: times a call looked at the peer's cursor before it would wait
 * @spins_won: of these, those after which it need not
 * @pauses: times the writer was paused, whichever end asks
 * @paused_ns: nanoseconds it was
 * @longest_pause_ns: the longest of them
 * @waits: times this end slept in the kernel, for memory, paused, or for bytes
 * @wait_ns: nanoseconds it did
 * @longest_wait_ns: the longest of them
 *
 * Up to @spins_won they count from the opening of the handle, the rest from the
 * making of the pipe, as the kernel has counted it (zp_stat()). @bytes is the sum
 * of @mapped, the two @copied_write and @forwarded.
 */
struct zp_stats {
	size_t sz;
	uint64_t position;
	uint64_t bytes;
	uint64_t mapped;
	uint64_t copied_write;
	uint64_t copied_write_flush;
	uint64_t forwarded;
	uint64_t rolled_back;
	uint64_t patched;
	uint64_t copied_view;
	uint64_t publishes;
	uint64_t allocs;
	uint64_t flushes;
	uint64_t reads;
	uint64_t advances;
	uint64_t wakes;
	uint64_t spins;
	uint64_t spins_won;
	uint64_t pauses;
	uint64_t paused_ns;
	uint64_t longest_pause_ns;
	uint64_t waits;
	uint64_t wait_ns;
	uint64_t longest_wait_ns;
};

/**
 * struct zp_span - a contiguous piece of memory
 * @data: where it is
 * @len: bytes
 *
 * As zp_alloc() gives it, the memory is the caller's to fill until it flushes;
 * as a view shows it, the memory is mapped read-only.
 */
struct zp_span {
	void *data;
	size_t len;
};

/**
 * struct zp_view - bytes of the stream, where they lie
 * @start: stream position of the first byte
 * @end: stream position behind the last
 * @flags: ZP_* result flags
 * @nr_spans: pieces the bytes make; 0 when there are none
 * @first: the first piece
 * @more: private: the pieces after the first, owned by the handle
 * @last: private: length of the last piece, when there is more than one
 *
 * Allocated by the caller, filled by zp_read() or zp_pending(); it does not
 * grow within a soname. It may be copied and sliced freely. It stays good
 * until the call that ends it: for a reader the advance (what was not consumed
 * stays where it is, but its pieces are listed anew by the next read), for a
 * pending view the writer's next call.
 */
struct zp_view {
	uint64_t start;
	uint64_t end;
	uint32_t flags;
	uint32_t nr_spans;
	struct zp_span first;
	const struct zp_span *more;
	size_t last;
};

/**
 * struct zp_writer - a mapped writer end
 * @position: private: committed
 * @limit: private: end of the grant; the room is @limit - @position
 * @pause_limit: private: where to look at the reader's position again
 * @bias: private: address of a position is @bias + position
 * @published: private: the shared word
 * @reader_wake_at: private: the shared word
 * @publishes: private: how often
 * @copied: private: bytes that zp_write() has
 *
 * One thread at a time. Allocated by zp_writer_open(). All members private.
 */
struct zp_writer {
	uint64_t position;
	uint64_t limit;
	uint64_t pause_limit;
	uintptr_t bias;
	uint64_t *published;
	const uint64_t *reader_wake_at;
	uint64_t publishes;
	uint64_t copied;
};

/**
 * struct zp_reader - a mapped reader end
 * @consumed: private: given back
 * @examined: private: looked at
 * @ready: private: up to where the first span can be shown as it is
 * @shown: private: end of the outstanding view plus one; 0 for none
 * @first_end: private: end of the first span
 * @bias: private: address of a position of the first span is @bias + position
 * @expect: private: value of `opened` for which the first span goes on
 * @published: private: the shared word
 * @opened: private: the shared word
 * @granted: private: the shared word
 * @events: private: the shared word
 * @examined_word: private: the shared word
 * @consumed_word: private: the shared word
 * @writer_wake_examined: private: the shared word
 * @writer_wake_consumed: private: the shared word
 * @more: private: spans after the first
 * @last: private: length of the last of them
 * @nr_spans: private: spans of the view
 *
 * One thread at a time. Allocated by zp_reader_open(). All members private.
 */
struct zp_reader {
	uint64_t consumed;
	uint64_t examined;
	uint64_t ready;
	uint64_t shown;
	uint64_t first_end;
	uintptr_t bias;
	uint64_t expect;
	const uint64_t *published;
	const uint64_t *opened;
	const uint64_t *granted;
	const uint32_t *events;
	uint64_t *examined_word;
	uint64_t *consumed_word;
	const uint64_t *writer_wake_examined;
	const uint64_t *writer_wake_consumed;
	const struct zp_span *more;
	size_t last;
	uint32_t nr_spans;
};

/*
 * A full barrier: the "mb" of the ordering contract in linux/zpipe.h. Any
 * locked instruction is one on x86, and cheaper than the mfence compilers emit.
 */
static inline void zp_mb(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("lock; orl $0, (%%rsp)" : : : "memory", "cc");
#elif defined(__i386__)
	__asm__ __volatile__("lock; orl $0, (%%esp)" : : : "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif /* ZPIPE_TYPES_H */
