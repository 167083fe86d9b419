// SPDX-License-Identifier: GPL-2.0-only
/*
 * zphold - remember who preserved, exported and teed what, since when, and by which stack
 *
 * A range is here as long as it has a handle. When a buffer ends is not told by an event: the
 * loader looks whether anybody has an fd of it.
 */
#include "event.bpf.h"
#include "zphold.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZPHOLD_RANGES);
	__type(key, struct zphold_range);
	__type(value, struct zphold_since);
} ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, ZPHOLD_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, ZPHOLD_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

/* Stacks that the loader was told of. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ZPHOLD_STACKS);
	__type(key, struct zphold_news);
	__type(value, __u8);
} known SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} news SEC(".maps");

/* Stacks that could not be kept, and news that the loader was too slow for. */
__u64 lost_stacks;

static __always_inline void tell(__u32 pid, __s32 stack)
{
	struct zphold_news key = { .pid = pid, .stack = stack }, *line;
	const __u8 yes = 1;

	if (bpf_map_lookup_elem(&known, &key))
		return;
	line = bpf_ringbuf_reserve(&news, sizeof(*line), 0);
	if (!line)
		return;
	*line = key;
	bpf_ringbuf_submit(line, 0);
	bpf_map_update_elem(&known, &key, &yes, BPF_ANY);
}

static __always_inline void keep(struct zpipe_event *event, __u64 kind)
{
	const struct zphold_range range = {
		.pipe = event->pipe, .position = event->position, .length = event->length,
		.kind = kind,
	};
	struct zphold_since since = { .handles = 1 }, *old;

	/* Its RELEASE would not be heard. */
	if (!is_attached())
		return;
	old = bpf_map_lookup_elem(&ranges, &range);
	if (old && kind != ZPHOLD_TEE) {
		ADD(old->handles, 1);
		return;
	}
	since.ns = bpf_ktime_get_ns();
	since.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(since.comm, sizeof(since.comm));
	since.stack = bpf_get_stackid(event, &stacks, BPF_F_USER_STACK);
	if (since.stack < 0)
		ADD(lost_stacks, 1);
	else
		tell(since.pid, since.stack);
	if (bpf_map_update_elem(&ranges, &range, &since, BPF_ANY))
		count_lost();
}

ON(preserve)
int on_preserve(struct zpipe_event *event)
{
	if (!event->ret)
		keep(event, ZPHOLD_PRESERVE);
	return 0;
}

ON(export)
int on_export(struct zpipe_event *event)
{
	if (!event->ret)
		keep(event, ZPHOLD_EXPORT);
	return 0;
}

ON(tee)
int on_tee(struct zpipe_event *event)
{
	if (!event->ret)
		keep(event, ZPHOLD_TEE);
	return 0;
}

ON(release)
int on_release(struct zpipe_event *event)
{
	const struct zphold_range range = {
		.pipe = event->pipe, .position = event->position, .length = event->length,
		.kind = ZPHOLD_PRESERVE,
	};
	struct zphold_since *since;

	if (event->ret)
		return 0;
	since = bpf_map_lookup_elem(&ranges, &range);
	/* It may be older than we are. */
	if (!since)
		return 0;
	if (__sync_fetch_and_add(&since->handles, -1) <= 1)
		bpf_map_delete_elem(&ranges, &range);
	return 0;
}
