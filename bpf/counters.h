/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Counting, per CPU and slot. It decides nothing. Layout: crates/abi/src/counters.rs. */
#pragma once

#include "maps.h"

/* How much a packet counts: a segmented one as the packets and bytes that leave it later. */
struct size {
	__u64 packets;
	__u64 bytes;
};

/* `headers` is the offset of the payload; every segment repeats what stands before it. */
static __always_inline struct size size_of_packet(struct __sk_buff *skb, __u32 headers)
{
	struct size size = { 1, skb->len };

	if (skb->gso_segs > 1) {
		size.packets = skb->gso_segs;
		size.bytes += (size.packets - 1) * headers;
	}
	return size;
}

static __always_inline void count_packet(__u32 slot, __u32 direction, __u32 reason, const struct size *size)
{
	struct plsd_nic_counters *counts = bpf_map_lookup_elem(&counters, &slot);

	if (!counts)
		return;
	direction &= 1;
	counts->reasons[direction * PLSD_REASONS_MAX + (reason & (PLSD_REASONS_MAX - 1))] += size->packets;
	if (reason < PLSD_REASON_ADMIN_DENY) {
		counts->packets[direction] += size->packets;
		counts->bytes[direction] += size->bytes;
	}
}

static __always_inline void count_flows(__u32 slot, __u32 created, __u32 ended)
{
	struct plsd_nic_counters *counts = bpf_map_lookup_elem(&counters, &slot);

	if (!counts)
		return;
	counts->flows_created += created;
	counts->flows_ended += ended;
}
