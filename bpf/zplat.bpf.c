// SPDX-License-Identifier: GPL-2.0-only
/*
 * zplat - histograms of how long each side waits, and how long bytes are in the pipe
 *
 * The module tells the length of each wait. The time from published to consumed is taken here: each
 * publish that the kernel sees is put in a queue of its pipe, and taken out by the first event that
 * tells of a consumed position behind it. Those that find the queue full are counted apart.
 */
#include "flow.bpf.h"
#include "zplat.h"

const volatile __u64 only;		/* pipe, or 0 for all */
const volatile _Bool each;		/* a histogram for each pipe, too */

/* Publishes of unknown time: the queue was full, or the reader was faster than the event. */
__u64 untimed;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES);
	__type(key, struct zplat_key);
	__type(value, struct zplat_histogram);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES);
	__type(key, __u64);
	__type(value, struct zplat_queue);
} queues SEC(".maps");

static const struct zplat_histogram empty;
static const struct zplat_queue idle;

static __always_inline __u32 log2_of(__u64 value)
{
	__u32 result = 0;

	if (value >> 32) {
		value >>= 32;
		result += 32;
	}
	if (value >> 16) {
		value >>= 16;
		result += 16;
	}
	if (value >> 8) {
		value >>= 8;
		result += 8;
	}
	if (value >> 4) {
		value >>= 4;
		result += 4;
	}
	if (value >> 2) {
		value >>= 2;
		result += 2;
	}
	return result + (value >> 1 ? 1 : 0);
}

/* Not static: the verifier looks at it once, and not at each call. */
__noinline int add_to(__u64 pipe, __u64 kind, __u64 ns)
{
	struct zplat_key key = { .pipe = pipe, .kind = kind };
	struct zplat_histogram *histogram = bpf_map_lookup_elem(&histograms, &key);
	__u32 slot = log2_of(ns);

	if (!histogram) {
		bpf_map_update_elem(&histograms, &key, &empty, BPF_NOEXIST);
		histogram = bpf_map_lookup_elem(&histograms, &key);
		if (!histogram) {
			count_lost();
			return 0;
		}
	}
	if (slot >= ZPLAT_SLOTS)
		slot = ZPLAT_SLOTS - 1;
	ADD(histogram->number, 1);
	ADD(histogram->sum, ns);
	ADD(histogram->slots[slot], 1);
	raise(&histogram->most, ns);
	return 0;
}

static __always_inline void add(__u64 pipe, __u64 kind, __u64 ns)
{
	add_to(0, kind, ns);
	if (each)
		add_to(pipe, kind, ns);
}

static __always_inline _Bool wanted(const struct zpipe_event *event)
{
	return is_attached() && (!only || only == event->pipe);
}

ON(resume)
int on_resume(struct zpipe_event *event)
{
	if (wanted(event))
		add(event->pipe, ZPLAT_PAUSED, event->length);
	return 0;
}

ON(wait_end)
int on_wait_end(struct zpipe_event *event)
{
	if (wanted(event))
		add(event->pipe, event->ret == ROLE_READER ? ZPLAT_READER_WAIT : ZPLAT_WRITER_WAIT,
		    event->length);
	return 0;
}

/* Bytes up to here can be seen from now on. */
static __always_inline void published(const struct zpipe_event *event, __u64 position)
{
	struct zplat_queue *queue;
	__u64 id = event->pipe, pushed;

	if (!wanted(event))
		return;
	queue = bpf_map_lookup_elem(&queues, &id);
	if (!queue) {
		bpf_map_update_elem(&queues, &id, &idle, BPF_NOEXIST);
		queue = bpf_map_lookup_elem(&queues, &id);
		if (!queue) {
			count_lost();
			return;
		}
	}
	/* An event of the same publish came before this one. */
	if (position <= queue->published)
		return;
	queue->published = position;
	pushed = queue->pushed;
	if (position <= queue->consumed || pushed - queue->popped >= ZPLAT_QUEUE) {
		ADD(untimed, 1);
		return;
	}
	queue->at[pushed % ZPLAT_QUEUE].position = position;
	queue->at[pushed % ZPLAT_QUEUE].time = bpf_ktime_get_ns();
	__sync_fetch_and_add(&queue->pushed, 1);
}

/* What consumed() tells each turn of its loop. */
struct departure {
	struct zplat_queue *queue;
	__u64 pipe;
	__u64 position;
	__u64 now;
};

/* Takes the oldest publish out if it is consumed; 1 ends the loop. */
static long depart(__u32 index __attribute__((unused)), struct departure *departure)
{
	struct zplat_queue *queue = departure->queue;
	__u64 popped = *(volatile __u64 *)&queue->popped, time;

	if (popped == *(volatile __u64 *)&queue->pushed ||
	    queue->at[popped % ZPLAT_QUEUE].position > departure->position)
		return 1;
	time = queue->at[popped % ZPLAT_QUEUE].time;
	if (__sync_val_compare_and_swap(&queue->popped, popped, popped + 1) == popped)
		add(departure->pipe, ZPLAT_TRANSIT,
		    departure->now > time ? departure->now - time : 0);
	return 0;
}

/* A reader does not need the bytes up to here any more. */
static __always_inline void consumed(const struct zpipe_event *event, __u64 position)
{
	struct departure departure = { .pipe = event->pipe, .position = position };

	if (!wanted(event))
		return;
	departure.queue = bpf_map_lookup_elem(&queues, &departure.pipe);
	if (!departure.queue)
		return;
	raise(&departure.queue->consumed, position);
	departure.now = bpf_ktime_get_ns();
	bpf_loop(ZPLAT_QUEUE, depart, &departure, 0);
}

ON(flush)
int on_flush(struct zpipe_event *event)
{
	if (is_published(event->ret))
		published(event, event->position);
	return 0;
}

/* A FLUSH that waits has published long before its event comes. */
ON(pause)
int on_pause(struct zpipe_event *event)
{
	published(event, event->position);
	return 0;
}

ON(wake)
int on_wake(struct zpipe_event *event)
{
	if (event->ret == ROLE_READER)
		published(event, event->position);
	return 0;
}

ON(read)
int on_read(struct zpipe_event *event)
{
	if (!event->ret)
		consumed(event, event->position);
	return 0;
}

ON(advance)
int on_advance(struct zpipe_event *event)
{
	if (!event->ret)
		consumed(event, event->position);
	return 0;
}

ON(copy)
int on_copy(struct zpipe_event *event)
{
	if (event->ret == ZB_WRITE || event->ret == ZB_SPLICE_IN)
		published(event, event->position + event->length);
	else if (event->ret == ZB_READ)
		consumed(event, event->position + event->length);
	return 0;
}

ON(splice)
int on_splice(struct zpipe_event *event)
{
	if (event->ret == ROLE_READER)
		consumed(event, event->position + event->length);
	return 0;
}

ON(destroy)
int on_destroy(struct zpipe_event *event)
{
	__u64 id = event->pipe;

	bpf_map_delete_elem(&queues, &id);
	return 0;
}
