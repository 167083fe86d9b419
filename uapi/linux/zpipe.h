/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * zpipe - pipes between processes whose memory is mapped into both
 *
 * This header is the manual of the kernel interface: numbers, structs, flags,
 * mmap offsets, errnos, and the ordering contract of the shared words.
 *
 * A pipe is one direction: a writer fd and a reader fd. Bytes are named by
 * their *stream position*, an absolute 64-bit count. Five positions move, and
 * every rule is an inequality over them:
 *
 *	granted >= committed >= published >= examined >= consumed
 *
 *	granted		end of the memory the writer may fill (kernel)
 *	committed	what the writer has filled; private to the writer
 *	published	what the reader may see			(writer page)
 *	examined	what the reader has looked at		(reader page)
 *	consumed	what the reader has given back		(reader page)
 *
 * "held" is published - consumed: memory, bounded by the capacity.
 * "unexamined" is published - examined: what backpressure counts.
 *
 * Errnos, the same for every ioctl (a refused call changes nothing):
 *
 *	EINVAL		understood, but wrong (range, alignment, order)
 *	EOPNOTSUPP	a flag or a reserved bit that this kernel does not know
 *	ENOTTY		not a number of ours
 *	E2BIG		the struct is longer than known and its tail is not zero
 *	EFAULT		bad pointer
 *	EBADF		wrong kind of fd, or the other end's verb
 *	EACCES		a right the mapping does not have
 *	EAGAIN		would block; the wake position is armed
 *	ETIMEDOUT	the deadline passed
 *	EINTR		a signal; every call can be repeated as it was
 *	EMSGSIZE	longer than the pipe can ever hold
 *	ENOBUFS		all memory is the writer's own unpublished bytes, or what
 *			the reader has preserved stands in the way; PRESERVE: the
 *			reader may keep no more; CREATE: the pool has no segment
 *			left to reserve
 *	ESTALE		a handle that was released
 *	EBUSY		the same operation is outstanding; it is untouched
 *	EPROTO		nothing outstanding to advance; a shared word that lies
 *	ESHUTDOWN	this end has completed
 *	EDQUOT, ENOMEM	a per-user limit, or memory
 *	any other	the peer's errno, given to COMPLETE, delivered verbatim
 *
 * read(2) and write(2) copy and behave as on a pipe; they mix with the verbs,
 * and are EBUSY while one of them is outstanding. splice(2) on the reader is a
 * read(2) that copies nothing: the kernel's pipe refers to the pages, which
 * show nothing but these bytes, and keeps them as they are until it lets them
 * go; the writer gets fresh ones in their place. (A page that is pinned, or
 * referred to a thousand times, or posted, is copied.) splice(2) and sendfile(2) on the
 * writer are a write(2) of what the kernel's pipe, or the file, holds, and copy:
 * a module cannot take over a page together with its charge.
 *
 * Every verb first looks at the shared words and wakes whoever waits for what
 * they now say; so do STAT and INFO, closing an fd and unmapping.
 *
 * FLUSH is the one verb that may have done half of its work when it fails:
 * with EAGAIN, ETIMEDOUT or EINTR the bytes *are* published, and only the wait
 * for the paused reader was cut short. Repeating it publishes nothing twice.
 *
 * Sizes: the kernel takes the struct's size from the command. A shorter struct
 * is zero-filled, a longer one must have a zero tail. Fields whose name starts
 * with out_ are written by the kernel on success, and only on success.
 * Deadlines are absolute CLOCK_MONOTONIC nanoseconds; 0 waits for ever.
 *
 * Ordering contract (A to D pair as drawn; "mb" is a full barrier):
 *
 *	writer				reader
 *	------				------
 *	fill the grant
 *	A: store-release published  ->	load-acquire published
 *	   mb				read the bytes
 *	B: load reader_wake_at		C: store examined, then
 *					   store-release consumed
 *	   published >= it: FLUSH	   mb
 *					D: load writer_wake_examined,
 *	ALLOC load-acquires		   load writer_wake_consumed
 *	consumed, then reuses	    <-	   examined or consumed >= it: ADVANCE
 *
 * The kernel's sleeping side stores the wake word, mb, and looks at the cursor
 * again, so A/B pairs with a sleeping reader and C/D with a sleeping writer.
 * Wake words are positions; all ones means nobody waits. Only the kernel
 * writes them: it arms them before it sleeps and clears them when it wakes.
 * reader_wake_at is 0 while something other than bytes waits for the writer
 * (the reader completed, or a cancel is pending): FLUSH tells what.
 *
 * The chain: entry k of the table (k modulo its size) says that the bytes from
 * its start position lie at its offset of the data window, up to the start of
 * entry k + 1. `opened` counts the entries ever opened. Step into entry k only
 * when a load-acquired published is greater than its start (it is final then),
 * and remember an end only when it is no greater than such a published. Map the
 * window twice, back to back, and a run that wraps is still one piece; map the
 * spare region behind that, and every offset is one from the first byte of the
 * window. Check offsets before use: below one window it is a run of up to a
 * window; from two to three windows it is in a spare segment, within which the
 * run ends. Nothing begins in the second turn.
 *
 * Guarded pipes (ZPIPE_F_GUARDED) are for ends that do not trust each other.
 * The flag is immutable, and INFO tells it of a received fd too. What differs:
 *
 *	All positions move by ioctl. Both ends may map every region but the
 *	writer its data read-only only (EACCES), and SHARED is EINVAL: READ,
 *	FLUSH and ADVANCE do the whole operation.
 *
 *	FLUSH, COMPLETE and write(2) seal what they publish: before the reader
 *	hears of a byte, its page is gone from every mapping of the writer, in
 *	every process, and a page that anything else still refers to (a transfer
 *	under way, a registered buffer, a vmsplice) is replaced by a copy. What
 *	a reader was shown does not change until it consumes it.
 *
 *	A page never holds both published and unpublished bytes. FLUSH to a
 *	position inside a page ends the grant (granted becomes that position):
 *	bytes behind it are taken back, the rest of the page reads as zero, and
 *	the next ALLOC begins on another page. After a position at a page's
 *	border the grant goes on. So a flush of few bytes costs a page, and a
 *	view has more spans.
 *
 *	The writer can touch the pages of its grant only, a reader those that
 *	hold published bytes it has not consumed: anything else is SIGBUS. A
 *	reader maps its own view (out_data tells where), which no system call
 *	can pin: O_DIRECT, MSG_ZEROCOPY, vmsplice and ptrace get EFAULT or EIO.
 *	The ordinary write(2) and send(2) from it work.
 *
 * Changelog:
 *	1	first version
 */
#ifndef _UAPI_LINUX_ZPIPE_H
#define _UAPI_LINUX_ZPIPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ZPIPE_UAPI_VERSION	1

/* What INFO answers in out_magic and the state page holds: "zpipe\0\0\1". */
#define ZPIPE_MAGIC		0x7a70697065000001ULL

/* Take the default (CREATE), or leave this position alone (ADVANCE, SET). */
#define ZPIPE_DEFAULT		(~0ULL)
#define ZPIPE_KEEP		(~0ULL)

/* A wake word that nobody has armed. */
#define ZPIPE_UNARMED		(~0ULL)

#define ZPIPE_IOC_MAGIC		'z'

/*
 * The numbers. They are never reused.
 */
enum {
	ZPIPE_NR_POOL_CREATE	= 0x80,
	ZPIPE_NR_CREATE		= 0x81,
	ZPIPE_NR_INFO		= 0x82,
	ZPIPE_NR_STAT		= 0x83,
	ZPIPE_NR_ALLOC		= 0x84,
	ZPIPE_NR_FLUSH		= 0x85,
	ZPIPE_NR_READ		= 0x86,
	ZPIPE_NR_ADVANCE	= 0x87,
	ZPIPE_NR_COMPLETE	= 0x88,
	ZPIPE_NR_CANCEL		= 0x89,
	ZPIPE_NR_SET		= 0x8a,
	ZPIPE_NR_RESET		= 0x8b,
	ZPIPE_NR_PRESERVE	= 0x8c,
	ZPIPE_NR_RELEASE	= 0x8d,
	ZPIPE_NR_EXPORT		= 0x8e,
	ZPIPE_NR_FORWARD	= 0x8f,
	ZPIPE_NR_TEE		= 0x90,
	ZPIPE_NR_POST		= 0x91,
	ZPIPE_NR_UNPOST		= 0x92
};

/* mmap offsets: the region in the high bits, the byte in it in the low ones. */
#define ZPIPE_OFF_STATE		0x0000000000000000ULL
#define ZPIPE_OFF_WRITER	0x0000010000000000ULL
#define ZPIPE_OFF_READER	0x0000020000000000ULL
#define ZPIPE_OFF_DATA		0x0000030000000000ULL
#define ZPIPE_OFF_SPARE		0x0000040000000000ULL
#define ZPIPE_OFF_VIEW		0x0000050000000000ULL
#define ZPIPE_OFF_MASK		0xffffff0000000000ULL

/* The view of each reader of a guarded pipe, one after the other. */
#define ZPIPE_VIEW_SPAN		(1ULL << 32)
#define ZPIPE_VIEWS		256

/* Features, INFO's out_features. */
#define ZPIPE_FEAT_CONTIG	(1ULL << 0)	/* ZPIPE_F_CONTIG is known */
#define ZPIPE_FEAT_RW		(1ULL << 1)	/* read(2) and write(2) */
#define ZPIPE_FEAT_PRESERVE	(1ULL << 2)	/* PRESERVE, RELEASE */
#define ZPIPE_FEAT_EXPORT	(1ULL << 3)	/* EXPORT */
#define ZPIPE_FEAT_FORWARD	(1ULL << 4)	/* FORWARD */
#define ZPIPE_FEAT_TEE		(1ULL << 5)	/* TEE */
#define ZPIPE_FEAT_POOL		(1ULL << 6)	/* POOL_CREATE */
#define ZPIPE_FEAT_GUARDED	(1ULL << 7)	/* ZPIPE_F_GUARDED is known */
#define ZPIPE_FEAT_POST		(1ULL << 8)	/* ZPIPE_F_POSTED, POST and UNPOST */
#define ZPIPE_FEAT_URING	(1ULL << 10)	/* IORING_OP_URING_CMD */

/* CREATE flags. */
#define ZPIPE_F_CONTIG		(1U << 0)	/* every view is one span */
#define ZPIPE_F_NONBLOCK	(1U << 1)	/* both fds get O_NONBLOCK */
#define ZPIPE_F_GUARDED		(1U << 2)	/* the ends do not trust each other */
#define ZPIPE_F_POSTED		(1U << 3)	/* the reader supplies the memory: POST */

/* Result flags, any verb's out_flags. */
#define ZPIPE_RES_COMPLETED	(1U << 0)	/* the peer has finished */
#define ZPIPE_RES_CANCELED	(1U << 1)	/* a CANCEL was used up */
#define ZPIPE_RES_PUSHED	(1U << 2)	/* the writer pushed: short read */
#define ZPIPE_RES_FULL		(1U << 3)	/* the writer waits for memory */
#define ZPIPE_RES_ABORTED	(1U << 4)	/* last bytes; the next READ fails */
#define ZPIPE_RES_FINISHED	(1U << 5)	/* a posted buffer waits for UNPOST */

/* Free segments that keep their pages: the default. */
#define ZPIPE_POOL_IDLE		(~0U)

/**
 * struct zpipe_pool_create_args - make a pool that pipes can share (on /dev/zpipe)
 * @flags: must be 0
 * @segment_size: bytes; a power of two, at most 2 MiB, raised to a page; 0 for
 *	64 KiB
 * @segments: how many, at most 4096; 0 for 16
 * @idle: so many free segments keep their pages while nobody needs them, the
 *	others give them back after a second or two; at most @segments;
 *	ZPIPE_POOL_IDLE for 2
 * @__reserved: must be 0
 * @out_fd: the pool, close-on-exec. It is for CREATE, INFO and POOL_STAT; the
 *	pipes keep the pool alive when it is closed
 * @out_id: the pool's number
 *
 * The pipes of a pool have one data window and are one trust domain: who may
 * write to one of them may write to the memory of all. Each owns one segment
 * of the pool, its reserve, so that no other can starve it; the rest goes to
 * who comes first, within the capacity of each pipe. An ALLOC that finds the
 * pool empty waits for what any of its pipes gives back. One that wants more
 * than a segment depends on the others for that.
 *
 * Pages are charged to the pool's maker, when they are used. A pool counts as
 * one more pipe of its maker's, and beyond the soft page limit it is EDQUOT.
 */
struct zpipe_pool_create_args {
	__u32 flags;
	__u32 segment_size;
	__u32 segments;
	__u32 idle;
	__u32 __reserved;
	__s32 out_fd;
	__u64 out_id;
};

/**
 * struct zpipe_create_args - make a pipe (on /dev/zpipe)
 * @flags: ZPIPE_F_*; GUARDED does not go with CONTIG or POSTED (EINVAL)
 * @segment_size: bytes; a power of two, raised to a page; 0 for the default:
 *	64 KiB, or less where the capacity is below 1 MiB. In a pool, its own
 *	or 0
 * @capacity: bytes the pipe can hold, raised to whole segments; 0 for 1 MiB. In
 *	a pool at most the whole of it, and 0 for the lesser of both
 * @pause: FLUSH waits once this many bytes are unexamined; 0 never;
 *	ZPIPE_DEFAULT for three quarters of the capacity
 * @resume: it returns once fewer than this are; 1 to @pause, 0 counts as 1;
 *	ZPIPE_DEFAULT for half of @pause
 * @pool_fd: -1 for a private pool, or what POOL_CREATE has answered. CONTIG,
 *	POSTED and GUARDED need a private one: EINVAL
 * @__reserved: must be 0
 * @out_writer_fd: the writer end, close-on-exec
 * @out_reader_fd: the reader end, close-on-exec
 * @out_id: the pipe's number in traces, unique until the module is unloaded
 *
 * Beyond the caller's soft page limit a pipe with the default capacity gets
 * two pages instead, as pipe(2) does, and a larger one is EDQUOT. CREATE holds
 * no data memory; ALLOC and write(2) take it as they need it.
 */
struct zpipe_create_args {
	__u32 flags;
	__u32 segment_size;
	__u64 capacity;
	__u64 pause;
	__u64 resume;
	__s32 pool_fd;
	__u32 __reserved;
	__s32 out_writer_fd;
	__s32 out_reader_fd;
	__u64 out_id;
};

/* out_role of INFO. */
#define ZPIPE_ROLE_WRITER	1
#define ZPIPE_ROLE_READER	2
#define ZPIPE_ROLE_BUFFER	3
#define ZPIPE_ROLE_POOL		4	/* only the fields up to out_nr_segments are not 0 */

/**
 * struct zpipe_region - one mmap-able region
 * @offset: what to give mmap(2)
 * @size: bytes, whole pages
 */
struct zpipe_region {
	__u64 offset;
	__u64 size;
};

/**
 * struct zpipe_info_args - geometry of a pipe and where everything is
 * @flags: must be 0
 * @out_role: ZPIPE_ROLE_* of this fd
 * @out_magic: ZPIPE_MAGIC
 * @out_features: ZPIPE_FEAT_*
 * @out_id: the pipe's number, or the pool's
 * @out_version: ZPIPE_UAPI_VERSION of the kernel
 * @out_flags: ZPIPE_F_* of the pipe, immutable
 * @out_capacity: most bytes held
 * @out_window: bytes of the data window, which is the pool's
 * @out_segment_size: bytes
 * @out_nr_segments: segments of the window
 * @out_pause: present threshold, 0 for never
 * @out_resume: present threshold
 * @out_generation: how often the pipe was RESET
 * @out_state: state region: read-only for both ends
 * @out_writer: writer region: the writer end may map it writable
 * @out_reader: reader region: the reader end may map it writable
 * @out_data: data window: the writer end may map it writable; map it twice.
 *	Guarded: where this end finds it
 * @out_opened_at: byte in the state region of `opened` (u64)
 * @out_granted_at: ... of `granted` (u64)
 * @out_reader_wake_at: ... of `reader_wake_at` (u64)
 * @out_pause_at: ... of the pause threshold (u64), same cache line
 * @out_writer_wake_examined_at: ... of `writer_wake_examined` (u64)
 * @out_writer_wake_consumed_at: ... of `writer_wake_consumed` (u64)
 * @out_reader_events_at: ... of the reader's event word (u32): not 0 means
 *	that READ has something to say that cannot wait until the bytes are
 *	used up: a cancel, an abort
 * @out_table_at: ... of the descriptor table
 * @out_table_entries: its length, a power of two
 * @out_published_at: byte in the writer region of `published` (u64)
 * @out_examined_at: byte in the reader region of `examined` (u64)
 * @out_consumed_at: byte in the reader region of `consumed` (u64)
 * @out_granted: the positions now
 * @out_published: ditto
 * @out_examined: ditto
 * @out_consumed: ditto
 * @out_index: the entry of the chain that holds @out_consumed; equal to
 *	`opened` when no entry does yet. A new reader starts here.
 * @out_sole_reader_at: byte in the state region of a word (u32) that is 1 while
 *	the reader region that the writer sees belongs to the only reader that has
 *	not ended, and 0 otherwise: then FLUSH answers with the slowest reader's
 * @out_reader_index: which of the pipe's readers this fd is; 0 is that of CREATE
 * @out_spare: spare region: as @out_data, but map it once, behind the two
 *	turns of the window. Its size is 0 where nothing can be preserved
 * @out_data_at: of a buffer: where in its data region the bytes begin
 * @out_nr_spans: of a buffer: pieces the bytes make there, see EXPORT
 */
struct zpipe_info_args {
	__u32 flags;
	__u32 out_role;
	__u64 out_magic;
	__u64 out_features;
	__u64 out_id;
	__u32 out_version;
	__u32 out_flags;
	__u64 out_capacity;
	__u64 out_window;
	__u32 out_segment_size;
	__u32 out_nr_segments;
	__u64 out_pause;
	__u64 out_resume;
	__u64 out_generation;
	struct zpipe_region out_state;
	struct zpipe_region out_writer;
	struct zpipe_region out_reader;
	struct zpipe_region out_data;
	__u32 out_opened_at;
	__u32 out_granted_at;
	__u32 out_reader_wake_at;
	__u32 out_pause_at;
	__u32 out_writer_wake_examined_at;
	__u32 out_writer_wake_consumed_at;
	__u32 out_reader_events_at;
	__u32 out_table_at;
	__u32 out_table_entries;
	__u32 out_published_at;
	__u32 out_examined_at;
	__u32 out_consumed_at;
	__u64 out_granted;
	__u64 out_published;
	__u64 out_examined;
	__u64 out_consumed;
	__u64 out_index;
	__u32 out_sole_reader_at;
	__u32 out_reader_index;
	struct zpipe_region out_spare;
	__u32 out_data_at;
	__u32 out_nr_spans;
};

/**
 * struct zpipe_descriptor - one entry of the chain's table (state region)
 * @start: stream position of its first byte
 * @offset: where that byte is in the data window
 */
struct zpipe_descriptor {
	__u64 start;
	__u64 offset;
};

/**
 * struct zpipe_stat_args - positions and counters of a pipe
 * @flags: must be 0
 * @__reserved: must be 0
 * @out_granted: the positions now
 * @out_published: ditto
 * @out_examined: ditto
 * @out_consumed: ditto
 * @out_data_pages: pages of data memory the pipe holds now
 * @out_control_bytes: bytes of kernel memory it holds besides those
 * @out_copied_write: bytes copied by write(2), and by splice(2) in
 * @out_copied_read: bytes copied by read(2), and by splice(2) out where a page
 *	was pinned or posted
 * @out_segments_opened: segments taken into the chain so far
 * @out_segments_freed: segments given back so far
 * @out_allocs: ALLOC calls
 * @out_flushes: FLUSH calls
 * @out_reads: READ calls
 * @out_advances: ADVANCE calls
 * @out_pauses: times the writer was paused
 * @out_paused_ns: nanoseconds it was
 * @out_writer_waits: times the writer slept, for memory or paused
 * @out_writer_wait_ns: nanoseconds it did
 * @out_reader_waits: times this reader slept; of the writer: all readers
 * @out_reader_wait_ns: nanoseconds it did
 * @out_reader_wakes: wake-ups sent to the reader side
 * @out_writer_wakes: wake-ups sent to the writer side
 * @out_rejects: calls refused because of their arguments or a shared word
 * @out_replaced_pages: pages given fresh to a segment because somebody (a
 *	splice, a zero-copy send, a disk) still referred to the old ones
 * @out_readers: readers that have an fd
 * @out_posts: buffers posted and not collected yet
 * @out_spliced_out: bytes that splice(2) took out by page reference
 * @out_spliced_in: bytes that splice(2) and sendfile(2) brought in; they are in
 *	@out_copied_write, too
 * @out_copied_seal: guarded: bytes copied because the writer, or a transfer of
 *	its, still referred to their page when they were published
 * @out_preserved_bytes: what this reader, or of a writer all readers, preserve;
 *	a byte counts for each handle
 * @out_preserved_handles: in so many handles
 * @out_spare_pages: pages of @out_data_pages in spare segments
 * @out_forwards: FORWARD calls
 * @out_forwarded: bytes appended by them
 * @out_adopted_pages: pages of other pools among these, so far
 * @out_zeroed: bytes of memory that were zeroed: of fresh pages, and behind the
 *	last byte of what a guarded pipe published
 * @out_longest_pause_ns: of @out_paused_ns, the longest time
 * @out_longest_writer_wait_ns: of @out_writer_wait_ns
 * @out_longest_reader_wait_ns: of @out_reader_wait_ns
 */
struct zpipe_stat_args {
	__u32 flags;
	__u32 __reserved;
	__u64 out_granted;
	__u64 out_published;
	__u64 out_examined;
	__u64 out_consumed;
	__u64 out_data_pages;
	__u64 out_control_bytes;
	__u64 out_copied_write;
	__u64 out_copied_read;
	__u64 out_segments_opened;
	__u64 out_segments_freed;
	__u64 out_allocs;
	__u64 out_flushes;
	__u64 out_reads;
	__u64 out_advances;
	__u64 out_pauses;
	__u64 out_paused_ns;
	__u64 out_writer_waits;
	__u64 out_writer_wait_ns;
	__u64 out_reader_waits;
	__u64 out_reader_wait_ns;
	__u64 out_reader_wakes;
	__u64 out_writer_wakes;
	__u64 out_rejects;
	__u64 out_replaced_pages;
	__u64 out_readers;
	__u64 out_posts;
	__u64 out_spliced_out;
	__u64 out_spliced_in;
	__u64 out_copied_seal;
	__u64 out_preserved_bytes;
	__u64 out_preserved_handles;
	__u64 out_spare_pages;
	__u64 out_forwards;
	__u64 out_forwarded;
	__u64 out_adopted_pages;
	__u64 out_zeroed;
	__u64 out_longest_pause_ns;
	__u64 out_longest_writer_wait_ns;
	__u64 out_longest_reader_wait_ns;
};

/**
 * struct zpipe_pool_stat_args - what a pool holds (STAT on the pool's fd)
 * @flags: must be 0
 * @__reserved: must be 0
 * @out_segments: segments
 * @out_free: of these, held by nobody
 * @out_pages: data pages it holds now
 * @out_idle_pages: of these, pages of free segments
 * @out_idle: free segments that keep theirs
 * @out_pipes: pipes that use it
 * @out_committed: segments that its pipes hold or have reserved; a forwarded
 *	one counts for each pipe it stands in
 * @out_waiting: pipes whose writer waits for memory of any of them
 * @out_shrunk_pages: pages that memory pressure has taken from free segments
 * @out_replaced_pages: as that of struct zpipe_stat_args
 */
struct zpipe_pool_stat_args {
	__u32 flags;
	__u32 __reserved;
	__u64 out_segments;
	__u64 out_free;
	__u64 out_pages;
	__u64 out_idle_pages;
	__u64 out_idle;
	__u64 out_pipes;
	__u64 out_committed;
	__u64 out_waiting;
	__u64 out_shrunk_pages;
	__u64 out_replaced_pages;
};

#define ZPIPE_ALLOC_F_NOWAIT	(1U << 0)	/* EAGAIN instead of waiting */

/**
 * struct zpipe_alloc_args - take a grant (writer)
 * @position: the committed position: where the writer will go on. Anything
 *	from published to granted; what lies between it and granted is taken
 *	back (rollback)
 * @min: contiguous bytes wanted at least; 0 counts as 1
 * @want: the grant may be longer, up to this, where that is free right now
 * @deadline: when to give up waiting for memory
 * @flags: ZPIPE_ALLOC_F_*
 * @out_flags: COMPLETED: the reader has finished, what is written is dropped.
 *	CANCELED: no grant, @out_length is 0, as with COMPLETED where the reader
 *	supplies the memory (ZPIPE_F_POSTED)
 * @out_offset: of @position in the data window
 * @out_length: bytes of the grant, at least @min (unless CANCELED)
 *
 * A grant that is long enough is answered again without taking memory, so an
 * ALLOC may be repeated. EMSGSIZE: @min is longer than the capacity. ENOBUFS:
 * the memory is all the writer's own unpublished bytes, only a FLUSH or a
 * rollback can help. Only one ALLOC at a time: EBUSY.
 */
struct zpipe_alloc_args {
	__u64 position;
	__u64 min;
	__u64 want;
	__u64 deadline;
	__u32 flags;
	__u32 out_flags;
	__u64 out_offset;
	__u64 out_length;
};

#define ZPIPE_FLUSH_F_NOWAIT	(1U << 0)	/* EAGAIN instead of waiting */
#define ZPIPE_FLUSH_F_NOWAKE	(1U << 1)	/* commit: wake nobody, wait for nothing */
#define ZPIPE_FLUSH_F_PUSH	(1U << 2)	/* a READ with a minimum returns early */
#define ZPIPE_FLUSH_F_WAIT_EXAMINED (1U << 3)	/* until examined >= position; implies PUSH */
#define ZPIPE_FLUSH_F_WAIT_CONSUMED (1U << 4)	/* until consumed >= position; needs PUSH
						 * or a deadline
						 */
#define ZPIPE_FLUSH_F_FINISH	(1U << 5)	/* ZPIPE_F_POSTED: finish the buffer, also
						 * with nothing in it; waits for nothing
						 */

/**
 * struct zpipe_flush_args - publish, wake, and wait while paused (writer)
 * @position: publish up to here; at most granted. What is published already
 *	stays so
 * @deadline: when to give up waiting
 * @flags: ZPIPE_FLUSH_F_*
 * @out_flags: COMPLETED: the reader has finished, stop producing. CANCELED: a
 *	CANCEL was used up; the bytes stay published
 * @out_examined: the reader's position, for the writer's own bookkeeping
 * @out_consumed: ditto
 */
struct zpipe_flush_args {
	__u64 position;
	__u64 deadline;
	__u32 flags;
	__u32 out_flags;
	__u64 out_examined;
	__u64 out_consumed;
};

/**
 * struct zpipe_span - a contiguous piece of the data window
 * @offset: bytes; @offset + @length may pass the window's end, into the second
 *	mapping. In a spare segment it is two windows or more
 * @length: bytes
 */
struct zpipe_span {
	__u64 offset;
	__u64 length;
};

#define ZPIPE_READ_F_NOWAIT	(1U << 0)	/* EAGAIN instead of waiting */
#define ZPIPE_READ_F_SHARED	(1U << 1)	/* the caller moves the words of the
						 * reader page itself: no ADVANCE is owed
						 */
#define ZPIPE_READ_F_REREAD	(1U << 2)	/* what was examined but not consumed is
						 * new: the first READ of a new reader
						 */

/**
 * struct zpipe_read_args - what there is to read, waiting for it (reader)
 * @min: bytes held at least, from consumed; 0 counts as 1. Lifts the pause of
 *	a writer for this read
 * @deadline: when to give up waiting
 * @flags: ZPIPE_READ_F_*
 * @nr_spans: room at @spans, in entries; 0 for none wanted
 * @spans: user pointer to struct zpipe_span; where the bytes are
 * @out_start: consumed
 * @out_end: published
 * @out_flags: COMPLETED: the writer has finished. CANCELED. PUSHED, FULL:
 *	fewer than @min bytes, and why. ABORTED: these are the last bytes of a
 *	writer that failed or died, the next READ says how
 * @out_nr_spans: spans the bytes make; only the first @nr_spans were written
 * @out_index: the entry of the chain that holds @out_start
 *
 * Returns at once when there is anything unexamined and @min is met, when the
 * writer has finished, or when a cancel is pending. FULL: the writer waits for
 * memory, so nothing more comes until some is consumed. Without SHARED the
 * read is outstanding until ADVANCE (a second READ is EBUSY), unless it was
 * CANCELED or empty.
 */
struct zpipe_read_args {
	__u64 min;
	__u64 deadline;
	__u32 flags;
	__u32 nr_spans;
	__u64 spans;
	__u64 out_start;
	__u64 out_end;
	__u32 out_flags;
	__u32 out_nr_spans;
	__u64 out_index;
};

#define ZPIPE_ADVANCE_F_SHARED	(1U << 0)	/* the words of the reader page are
						 * the positions: only look and wake
						 */

/**
 * struct zpipe_advance_args - give memory back, say what was seen (reader)
 * @consumed: up to here the bytes are the writer's again; ZPIPE_KEEP for none
 * @examined: up to here they were looked at; at least @consumed; ZPIPE_KEEP
 *	for none beyond that. Never moves back: a lower value is accepted and
 *	changes nothing
 * @flags: ZPIPE_ADVANCE_F_*
 * @out_flags: COMPLETED: the writer has finished
 *
 * Positions lie within what the outstanding READ showed, else EINVAL and it
 * stays outstanding. No READ outstanding: EPROTO. Who takes over the fd of a
 * reader that died between READ and ADVANCE gives KEEP twice: that READ is over
 * then, and has consumed nothing.
 */
struct zpipe_advance_args {
	__u64 consumed;
	__u64 examined;
	__u32 flags;
	__u32 out_flags;
};

#define ZPIPE_COMPLETE_F_DRAIN	(1U << 0)	/* with an error: the reader first gets
						 * what was published
						 */

/**
 * struct zpipe_complete_args - finish this end (either)
 * @error: 0 for end of stream; an errno (1 to 4095) aborts, and the peer gets
 *	it from every later call
 * @flags: ZPIPE_COMPLETE_F_*
 * @position: writer, @error 0: publish up to here first; 0 for no more
 *
 * The first call wins, later ones change nothing and succeed. What is not
 * published is dropped. An aborted reader fails at once unless DRAIN.
 */
struct zpipe_complete_args {
	__s32 error;
	__u32 flags;
	__u64 position;
};

#define ZPIPE_CANCEL_READ	1
#define ZPIPE_CANCEL_FLUSH	2

/**
 * struct zpipe_cancel_args - return a pending or the next operation (either)
 * @what: ZPIPE_CANCEL_READ (READ) or ZPIPE_CANCEL_FLUSH (FLUSH, or an ALLOC
 *	that waits)
 * @flags: must be 0
 *
 * One-shot and coalescing; the result has CANCELED and is no error. read(2)
 * and write(2), which have no flags to answer with, fail with ECANCELED when
 * it finds them waiting.
 */
struct zpipe_cancel_args {
	__u32 what;
	__u32 flags;
};

/**
 * struct zpipe_set_args - change the thresholds (either)
 * @flags: must be 0
 * @__reserved: must be 0
 * @pause: bytes, 0 for never; ZPIPE_KEEP leaves it
 * @resume: bytes, 1 to @pause, 0 counts as 1; ZPIPE_KEEP leaves it
 */
struct zpipe_set_args {
	__u32 flags;
	__u32 __reserved;
	__u64 pause;
	__u64 resume;
};

/**
 * struct zpipe_reset_args - use the pipe again (either)
 * @flags: must be 0
 * @__reserved: must be 0
 * @out_generation: how often it was reset, this one included
 * @out_position: where the stream goes on; positions never move back
 *
 * Both ends must have completed, else EBUSY; once the last fd of an end is
 * closed it is ESHUTDOWN. What was not consumed is dropped; thresholds stay.
 */
struct zpipe_reset_args {
	__u32 flags;
	__u32 __reserved;
	__u64 out_generation;
	__u64 out_position;
};

/**
 * struct zpipe_preserve_args - keep a range of the stream (reader)
 * @position: of its first byte; not consumed yet
 * @length: bytes, at least 1; all of them published
 * @flags: must be 0
 * @nr_spans: room at @spans, in entries; 0 for none wanted
 * @spans: user pointer to struct zpipe_span; where the bytes are
 * @out_handle: for RELEASE and EXPORT; never 0
 * @out_nr_spans: spans the bytes make; only the first @nr_spans were written
 * @out_segments: spare segments that went into service for it
 *
 * The bytes stay where they are, and what they are, until RELEASE: after
 * ADVANCE, whatever the writer sends on, and when it is gone. Ranges may
 * overlap and be released in any order; a segment is kept, with all that is in
 * it, as long as a range has a byte there.
 *
 * A preserved segment is lost to the stream, so a spare one takes its place. Its
 * memory is taken here and charged to the caller, not to the writer, whose
 * stream does not become shorter; it goes back after RELEASE. ENOMEM, EDQUOT:
 * there is none for it. ENOBUFS: no spare segment is left (there are as many as
 * the pipe has, or its shared pool), the module's limit of bytes for one reader,
 * or 65536 handles. In a shared pool, too, nobody's stream becomes shorter.
 * While something is preserved, a view of a ZPIPE_F_CONTIG pipe may have more
 * than one span, and an ALLOC of several segments may find no run (ENOBUFS).
 *
 * Handles belong to the reader: they are released when it completes or is
 * closed, and so a RESET finds none. A pipe with posted buffers, whose memory
 * is the reader's anyway, has none either, nor has a guarded one, whose readers
 * are shown pages and not segments: EINVAL.
 */
struct zpipe_preserve_args {
	__u64 position;
	__u64 length;
	__u32 flags;
	__u32 nr_spans;
	__u64 spans;
	__u64 out_handle;
	__u32 out_nr_spans;
	__u32 out_segments;
};

/**
 * struct zpipe_release_args - keep a range no longer (reader)
 * @handle: of PRESERVE
 * @flags: must be 0
 * @__reserved: must be 0
 *
 * ESTALE: it was released before. EINVAL: there never was such a handle.
 */
struct zpipe_release_args {
	__u64 handle;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct zpipe_export_args - make a file of a preserved range (reader)
 * @handle: of PRESERVE; it stays, and may be released at once
 * @flags: must be 0
 * @out_fd: a buffer, close-on-exec
 *
 * The buffer keeps the bytes when the handle, both ends and the pipe are gone,
 * and can be passed on. It is like a small read-only file: read(2), pread(2),
 * lseek(2), always readable for poll(2), and mmap(2), shared and read-only, at
 * out_data of its INFO. The region is the whole pages that the bytes lie in;
 * they begin at out_data_at. Usually that is one piece; where the writer left a
 * segment before its end the next piece begins at another page (out_nr_spans),
 * and READ says where each is. INFO answers positions too: out_consumed is that
 * of the first byte, out_published the one behind the last, out_capacity the
 * length. INFO, STAT and READ are the verbs of a buffer; READ never waits.
 *
 * In a cooperative pipe, who maps a buffer also sees what else the first and
 * the last page hold: bytes of the stream before and behind the range. read(2)
 * never shows more than the range.
 */
struct zpipe_export_args {
	__u64 handle;
	__u32 flags;
	__s32 out_fd;
};

#define ZPIPE_TEE_F_DETACH	(1U << 0)	/* never slow the writer down: see below */
#define ZPIPE_TEE_F_NONBLOCK	(1U << 1)	/* the fd gets O_NONBLOCK */

/**
 * struct zpipe_tee_args - another reader of the same stream (reader)
 * @flags: ZPIPE_TEE_F_*
 * @__reserved: must be 0
 * @out_fd: a reader end, close-on-exec
 * @out_index: which of the pipe's readers it is
 * @out_position: where it begins: this reader's consumed position
 *
 * No byte is copied: both read the same memory, each with cursors, wake words,
 * cancel and completion of its own (INFO on the new fd tells where they are).
 * Memory comes free when the slowest has consumed it, backpressure counts what
 * the slowest has not examined, a FLUSH with a wait flag waits for all, and the
 * writer hears of the end of the last one only. One whose shared word lies is
 * detached with EPROTO as long as there are others.
 *
 * DETACH: rather than to pause the writer or to let it wait for memory, this
 * reader is detached: its calls fail with ENOBUFS. A mapped reader finds out
 * when it advances, and what it has read since the last advance that succeeded
 * may have been overwritten. The last reader is never detached.
 *
 * At most 256 readers: EDQUOT. The two pages it takes are charged to the
 * caller.
 */
struct zpipe_tee_args {
	__u32 flags;
	__u32 __reserved;
	__s32 out_fd;
	__u32 out_index;
	__u64 out_position;
};

#define ZPIPE_FORWARD_F_NOWAIT	(1U << 0)	/* EAGAIN instead of waiting */

/**
 * struct zpipe_forward_args - append bytes that lie elsewhere, without a copy (writer)
 * @source_fd: a reader end of another pipe, or a buffer (see EXPORT)
 * @flags: ZPIPE_FORWARD_F_*
 * @source: stream position there: where the bytes begin
 * @length: how many, at least 1; all of them published there and not consumed, or
 *	all of them the buffer's
 * @position: the committed position here. Anything from published to granted;
 *	what lies between it and granted is taken back, as by ALLOC
 * @deadline: when to give up waiting
 * @out_flags: COMPLETED: the reader has finished, what is appended is dropped.
 *	CANCELED: nothing was appended
 * @out_segments: references on segments that this took
 * @out_position: the new committed position: @position + @length
 *
 * The bytes count as granted and filled: a FLUSH publishes them. The source
 * may consume them, complete or close at once. A buffer can be forwarded any
 * number of times, when its pipe is gone, too.
 *
 * In the same pool a descriptor is appended that refers to the source's
 * segments, and the cost does not depend on the length. From another pool the
 * pages are adopted into free segments of this one: its readers see them, no
 * writer of it does (SIGBUS), and they stay charged to the source's user until
 * the last of both is done with them. A pool never holds more adopted pages
 * than its segments have room for.
 *
 * Each segment that the bytes stand in counts once for each forward, unless it
 * goes on where the one before it stopped. Waits like ALLOC, when the bytes or
 * their segments are more than the pipe can hold now. EMSGSIZE: more than it
 * can ever hold, or than 4 GiB less one byte: forward less. EINVAL: the range,
 * the source is this very pipe, or a buffer of it where it has a pool to itself,
 * this pipe is CONTIG or POSTED, or one of the two is GUARDED. ENOBUFS, as by
 * ALLOC: also when what this pipe's readers preserve stands in the way. EBUSY:
 * somebody has pinned a page of it, for a device; only across pools. Errors of
 * the source reader's own calls, such as ESHUTDOWN, are answered as well.
 */
struct zpipe_forward_args {
	__s32 source_fd;
	__u32 flags;
	__u64 source;
	__u64 length;
	__u64 position;
	__u64 deadline;
	__u32 out_flags;
	__u32 out_segments;
	__u64 out_position;
};

/**
 * struct zpipe_post_args - supply a buffer (reader of a ZPIPE_F_POSTED pipe)
 * @flags: must be 0
 * @__reserved: must be 0
 * @cookie: the reader's name for it; unique among those not collected yet
 * @offset: where in the data window it begins
 * @length: bytes; may pass the window's end, into the second mapping
 *
 * In such a pipe no memory is free for the writer: the window is the reader's,
 * and the reader says where the next bytes go. Buffers are filled in the order
 * in which they were posted. A grant is what is left of the oldest one, so its
 * length bounds what can be committed; ALLOC waits while there is none, and
 * poll says POLLOUT when there is. A minimum that the next buffer does not have
 * is EMSGSIZE.
 *
 * FLUSH finishes the buffer it publishes into, however little of it was used;
 * what is committed behind the flushed position is taken back. With
 * ZPIPE_FLUSH_F_FINISH it finishes one also with nothing in it; when none is
 * posted that is EAGAIN. A writer that needs more than is left of a buffer goes
 * on in the next: then the one it left is finished once all of it is published.
 * READ and poll report a finished buffer (FINISHED, POLLIN) until UNPOST has
 * collected it; read(2) and splice(2) wait for bytes, whatever is posted.
 *
 * EBUSY: a byte of it belongs to a buffer that was not collected. EEXIST: so
 * does the cookie. ENOBUFS: as many buffers are posted as the window has
 * segments. EINVAL: outside of the window, empty, or not such a pipe.
 */
struct zpipe_post_args {
	__u32 flags;
	__u32 __reserved;
	__u64 cookie;
	__u64 offset;
	__u64 length;
};

/* out_status of UNPOST. */
#define ZPIPE_POST_COMPLETED	1	/* the writer has finished it */
#define ZPIPE_POST_CANCELED	2	/* nothing was placed in it */

#define ZPIPE_UNPOST_F_CANCEL	(1U << 0)	/* this one, finished or not */

/**
 * struct zpipe_unpost_args - get a buffer back (reader of a ZPIPE_F_POSTED pipe)
 * @flags: ZPIPE_UNPOST_F_*
 * @__reserved: must be 0
 * @cookie: with CANCEL: which one
 * @out_cookie: which one it was
 * @out_offset: where it begins in the data window
 * @out_start: stream position of its first byte
 * @out_count: bytes placed in it. COMPLETED with 0 is a transfer of nothing
 * @out_status: ZPIPE_POST_*
 * @out_flags: COMPLETED: the writer has finished
 *
 * Without CANCEL: the oldest buffer, if it is finished (EAGAIN: it is not; READ
 * and poll wait for that). Its bytes count as consumed, and its memory can be
 * posted again.
 *
 * CANCEL: a buffer that the writer has not begun comes back at once. One that
 * it has is its until its next FLUSH or ALLOC, or its end: EAGAIN, and the
 * outcome, with the bytes that were placed, is collected like any other. Only
 * then is the buffer the reader's again. A finished one comes back if it is the
 * oldest, else EBUSY: outcomes are collected in order. ENOENT: no such cookie.
 *
 * When the writer has ended nothing is filled any more, and what is still
 * queued can be canceled. When the reader ends all is dropped.
 */
struct zpipe_unpost_args {
	__u32 flags;
	__u32 __reserved;
	__u64 cookie;
	__u64 out_cookie;
	__u64 out_offset;
	__u64 out_start;
	__u64 out_count;
	__u32 out_status;
	__u32 out_flags;
};

#define ZPIPE_IOC_FORWARD	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_FORWARD, struct zpipe_forward_args)
#define ZPIPE_IOC_POOL_CREATE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_POOL_CREATE, \
				      struct zpipe_pool_create_args)
#define ZPIPE_IOC_POOL_STAT	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_STAT, struct zpipe_pool_stat_args)
#define ZPIPE_IOC_CREATE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_CREATE, struct zpipe_create_args)
#define ZPIPE_IOC_INFO		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_INFO, struct zpipe_info_args)
#define ZPIPE_IOC_STAT		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_STAT, struct zpipe_stat_args)
#define ZPIPE_IOC_ALLOC		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_ALLOC, struct zpipe_alloc_args)
#define ZPIPE_IOC_FLUSH		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_FLUSH, struct zpipe_flush_args)
#define ZPIPE_IOC_READ		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_READ, struct zpipe_read_args)
#define ZPIPE_IOC_ADVANCE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_ADVANCE, struct zpipe_advance_args)
#define ZPIPE_IOC_COMPLETE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_COMPLETE, \
				      struct zpipe_complete_args)
#define ZPIPE_IOC_CANCEL	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_CANCEL, struct zpipe_cancel_args)
#define ZPIPE_IOC_SET		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_SET, struct zpipe_set_args)
#define ZPIPE_IOC_RESET		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_RESET, struct zpipe_reset_args)
#define ZPIPE_IOC_PRESERVE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_PRESERVE, \
				      struct zpipe_preserve_args)
#define ZPIPE_IOC_RELEASE	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_RELEASE, struct zpipe_release_args)
#define ZPIPE_IOC_EXPORT	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_EXPORT, struct zpipe_export_args)
#define ZPIPE_IOC_TEE		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_TEE, struct zpipe_tee_args)
#define ZPIPE_IOC_POST		_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_POST, struct zpipe_post_args)
#define ZPIPE_IOC_UNPOST	_IOWR(ZPIPE_IOC_MAGIC, ZPIPE_NR_UNPOST, struct zpipe_unpost_args)

/**
 * struct zpipe_uring_cmd - the command area of an IORING_OP_URING_CMD
 * @args: user pointer to the argument struct of the verb
 * @__reserved: must be 0
 *
 * Every verb of an end is also a command of io_uring: fd is the end (or its
 * index, with IOSQE_FIXED_FILE), cmd_op the ZPIPE_IOC_* number, and these are
 * the first 16 bytes of the area at `cmd`, in a plain SQE and in one of 128
 * bytes; what follows them there is not looked at. cqe->res is what the ioctl
 * would have answered: 0, or a negative errno. The argument struct, and the
 * spans of a READ, must stay until then; out_ fields are written before.
 * uring_cmd_flags must be 0.
 *
 * ALLOC, FLUSH and READ wait as the ioctl does: not at all with NOWAIT or on
 * an O_NONBLOCK file (EAGAIN at once), else until their deadline, a CANCEL, or
 * the end of the peer. A command that waits is outstanding just like a call
 * that sleeps: a second one of its kind, by whatever way, is EBUSY. It holds
 * the end open although its fd is closed.
 *
 * Linux 6.8 and later: no thread waits. It ends with ECANCELED when the ring
 * is closed, and instead of looking again when the thread that submitted it
 * has exited. io_uring has no way to hand an IORING_OP_ASYNC_CANCEL or a linked
 * timeout on to a command: use CANCEL (as a command, if need be) and the
 * deadline, or submit with IOSQE_ASYNC.
 *
 * Before, or with IOSQE_ASYNC: it sleeps in a worker thread of the ring, and
 * IORING_OP_ASYNC_CANCEL ends it with EINTR, or with ECANCELED when it had not
 * begun. Such workers are limited, see IORING_REGISTER_IOWQ_MAX_WORKERS.
 */
struct zpipe_uring_cmd {
	__u64 args;
	__u64 __reserved;
};

#endif /* _UAPI_LINUX_ZPIPE_H */
