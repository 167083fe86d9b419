// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpsnoop - hand every event that passes the filters to the loader
 *
 * One program for each event; the loader leaves out those that nobody wants, which then cost
 * nothing.
 */
#include "event.bpf.h"
#include "zpsnoop.h"

#define ROOM	(1 << 22)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, ROOM);
} lines SEC(".maps");

/* Filters; 0 is everybody, every pipe. */
const volatile __u32 only_pid;
const volatile __u64 only_pipe;
const volatile int only_errors;
const volatile __s32 only_error;

/*
 * The loader looks every so often by itself, and is woken only when so many bytes wait: a wake-up
 * for each event would cost more than all the rest.
 */
const volatile __u64 wake_at = ROOM / 4;

/* The errno of an event, or 0: some answer other things in ret. */
static __always_inline __s32 error_of(const struct zpipe_event *event, __u32 verb)
{
	if (event->ret < 0)
		return -event->ret;
	return verb == ZPSNOOP_complete ? event->ret : 0;
}

static __always_inline int pass(const struct zpipe_event *event, __u32 verb)
{
	const __u64 id = bpf_get_current_pid_tgid();
	struct zpsnoop_line *line;

	if (!is_attached())
		return 0;
	if ((only_pid && only_pid != id >> 32) || (only_pipe && only_pipe != event->pipe))
		return 0;
	if (only_errors && !error_of(event, verb))
		return 0;
	if (only_error && only_error != error_of(event, verb))
		return 0;
	line = bpf_ringbuf_reserve(&lines, sizeof(*line), 0);
	if (!line) {
		count_lost();
		return 0;
	}
	line->ns = bpf_ktime_get_ns();
	line->pipe = event->pipe;
	line->position = event->position;
	line->length = event->length;
	line->ret = event->ret;
	line->pid = id >> 32;
	line->tid = (__u32)id;
	line->verb = verb;
	bpf_get_current_comm(line->comm, sizeof(line->comm));
	bpf_ringbuf_submit(line, bpf_ringbuf_query(&lines, BPF_RB_AVAIL_DATA) >= wake_at ?
				 BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return 0;
}

#define EVENT(name)						\
	ON(name)						\
	int on_##name(struct zpipe_event *event)		\
	{							\
		return pass(event, ZPSNOOP_##name);		\
	}

#include "zpsnoop-events.h"
