/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is learned of a packet on its way.
 *
 * It lives in a map and not on the stack: there is room, and the verifier does not tell apart all that it may hold, which
 * would multiply what it has to walk. Each CPU has one; a packet program is not interrupted by another one on its CPU.
 */
#pragma once

#include "classify.h"
#include "counters.h"
#include "name.h"
#include "packet.h"

/* Where a packet is being decided. */
struct scene {
	__u64 now; /* tick */
	__u32 nic; /* offset of the descriptor */
	__u32 direction;
	__u32 slot;
	__u32 reserved;
};

/* What the rules say of a packet, or of the one that began its flow. */
struct verdict {
	__u32 recheck;
	__u32 until;
	__u16 rules[PLSD_LAYERS];
	__u16 would_rule; /* the rule that gives it, if one does */
	__u8 would; /* the reason to drop, had the list or rule not been in audit; 0 for none */
	__u8 kept; /* a list that denies had no say, since it keeps the flows that it once admitted */
	__u16 reserved;
};

struct passage {
	struct packet packet;
	struct packet original; /* the one that began a flow which is judged again, or that an ICMP error quotes */
	struct match match; /* what the list asked last said */
	struct verdict verdict;
	struct name name;
	struct size size;
	struct scene scene;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct passage);
} passages SEC(".maps");

static __always_inline struct passage *passage_of_cpu(void)
{
	const __u32 first = 0;

	return bpf_map_lookup_elem(&passages, &first);
}
