// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpcheck - judge every event of every pipe where it happens
 *
 * The rules are in zpcheck.h. What is violated goes to the loader, one report for each.
 */
#include "event.bpf.h"
#include "zpcheck.h"

const volatile __u64 only;		/* pipe, or 0 for all */

__u64 judged;				/* events */
__u64 seen;				/* pipes that were made */
int forwarded;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZB_PIPES);
	__type(key, __u64);
	__type(value, struct zpcheck_pipe);
} pipes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} reports SEC(".maps");

static const struct zpcheck_pipe fresh;

static __always_inline void report(const struct zpipe_event *event, __u32 which,
				   const struct zpcheck_verdict *verdict)
{
	struct zpcheck_report *report = bpf_ringbuf_reserve(&reports, sizeof(*report), 0);

	if (!report) {
		count_lost();
		return;
	}
	report->pipe = event->pipe;
	report->position = event->position;
	report->length = event->length;
	report->ret = event->ret;
	report->event = which;
	report->rule = verdict->rule;
	report->pid = bpf_get_current_pid_tgid() >> 32;
	report->value = verdict->value;
	report->limit = verdict->limit;
	bpf_get_current_comm(report->comm, sizeof(report->comm));
	bpf_ringbuf_submit(report, 0);
}

static __always_inline int judge(const struct zpipe_event *event, __u32 which)
{
	struct zpcheck_verdict verdict = {};
	struct zpcheck_pipe *pipe;
	__u64 id = event->pipe;

	if (!is_attached() || (only && only != id))
		return 0;
	if (!zpcheck_counts(which, event->ret))
		return 0;
	pipe = bpf_map_lookup_elem(&pipes, &id);
	/* Buffers are read when their pipe is gone, too. */
	if (!pipe && (which == ZPCHECK_DESTROY ||
		      (which == ZPCHECK_COPY && event->ret == ZB_READ)))
		return 0;
	if (!pipe) {
		bpf_map_update_elem(&pipes, &id, &fresh, BPF_NOEXIST);
		pipe = bpf_map_lookup_elem(&pipes, &id);
		if (!pipe) {
			count_lost();
			return 0;
		}
	}
	if (which == ZPCHECK_CREATE)
		ADD(seen, 1);
	if (which == ZPCHECK_FORWARD && !event->ret)
		forwarded = 1;
	ADD(judged, 1);
	zpcheck_judge(pipe, which, event->position, event->length, event->ret, forwarded, &verdict);
	if (verdict.rule)
		report(event, which, &verdict);
	if (which == ZPCHECK_DESTROY)
		bpf_map_delete_elem(&pipes, &id);
	return 0;
}

#define JUDGE(name, which)						\
	ON(name)							\
	int on_##name(struct zpipe_event *event)			\
	{								\
		return judge(event, which);				\
	}

JUDGE(create, ZPCHECK_CREATE)
JUDGE(destroy, ZPCHECK_DESTROY)
JUDGE(alloc, ZPCHECK_ALLOC)
JUDGE(flush, ZPCHECK_FLUSH)
JUDGE(read, ZPCHECK_READ)
JUDGE(advance, ZPCHECK_ADVANCE)
JUDGE(segment_open, ZPCHECK_SEGMENT_OPEN)
JUDGE(segment_free, ZPCHECK_SEGMENT_FREE)
JUDGE(pause, ZPCHECK_PAUSE)
JUDGE(resume, ZPCHECK_RESUME)
JUDGE(wake, ZPCHECK_WAKE)
JUDGE(copy, ZPCHECK_COPY)
JUDGE(forward, ZPCHECK_FORWARD)
JUDGE(preserve, ZPCHECK_PRESERVE)
JUDGE(release, ZPCHECK_RELEASE)
