// SPDX-License-Identifier: GPL-2.0-only
/*
 * zpscout - count what processes send through pipe(2) and AF_UNIX, and receive
 *
 * On the return of the functions that copy, whatever system call leads there; splice(2) does not.
 * It needs no zpipe. Twice: as fexit, where the kernel has type information, and as kretprobe
 * elsewhere, which misses calls while too many of them sleep. The loader chooses.
 */
#include <linux/ptrace.h>

#include "event.bpf.h"
#include <bpf/bpf_tracing.h>

#include "zpscout.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct zpscout_key);
	__type(value, struct zpscout_flow);
} flows SEC(".maps");

/* Not what the tool itself prints. */
const volatile __u32 own_pid;

static const struct zpscout_flow fresh;

static __always_inline struct zpscout_flow *find_or_make(const struct zpscout_key *key)
{
	struct zpscout_flow *flow = bpf_map_lookup_elem(&flows, key);

	if (flow)
		return flow;
	bpf_map_update_elem(&flows, key, &fresh, BPF_NOEXIST);
	flow = bpf_map_lookup_elem(&flows, key);
	if (flow)
		bpf_get_current_comm(flow->comm, sizeof(flow->comm));
	else
		count_lost();
	return flow;
}

static __always_inline __u32 power_of(__u64 size)
{
	__u32 power = 0;
	int k;

	for (k = 0; k < ZPSCOUT_SIZES - 1; k++) {
		if (size >> (k + 1))
			power = k + 1;
	}
	return power;
}

static __always_inline int moved(__u32 kind, __u32 way, __s64 bytes)
{
	const struct zpscout_key key = {
		.pid = bpf_get_current_pid_tgid() >> 32,
		.kind = kind,
	};
	struct zpscout_flow *flow;
	__u32 power;

	if (!is_attached() || bytes <= 0 || key.pid == own_pid)
		return 0;
	flow = find_or_make(&key);
	if (!flow)
		return 0;
	ADD(flow->bytes[way], bytes);
	ADD(flow->calls[way], 1);
	power = power_of(bytes);
	if (way == ZPSCOUT_OUT && power < ZPSCOUT_SIZES)
		ADD(flow->sizes[power], 1);
	return 0;
}

/*
 * A function, under the name of today's kernels; in which word of the context fexit finds its
 * answer, behind its arguments.
 */
#define POINT(function, word, type, kind, way)					\
	SEC("fexit/" #function)							\
	int exit_##function(__u64 *context)					\
	{									\
		return moved(kind, way, (type)context[word]);			\
	}									\
										\
	SEC("kretprobe/" #function)						\
	int probe_##function(struct pt_regs *context)				\
	{									\
		return moved(kind, way, (type)PT_REGS_RC(context));		\
	}

POINT(pipe_write, 2, __s64, ZPSCOUT_PIPE, ZPSCOUT_OUT)
POINT(pipe_read, 2, __s64, ZPSCOUT_PIPE, ZPSCOUT_IN)
POINT(unix_stream_sendmsg, 3, __s32, ZPSCOUT_STREAM, ZPSCOUT_OUT)
POINT(unix_stream_recvmsg, 4, __s32, ZPSCOUT_STREAM, ZPSCOUT_IN)
/* Also called for SOCK_SEQPACKET, the second under this name only. */
POINT(unix_dgram_sendmsg, 3, __s32, ZPSCOUT_PACKET, ZPSCOUT_OUT)
POINT(__unix_dgram_recvmsg, 4, __s32, ZPSCOUT_PACKET, ZPSCOUT_IN)
