/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Counting, per CPU and slot, and per rule. It decides nothing. Layout: crates/abi/src/counters.rs. */
#pragma once

#include "maps.h"
#include "nic.h"

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

static __always_inline struct plsd_nic_counters *counters_of(__u32 slot)
{
	return bpf_map_lookup_elem(&counters, &slot);
}

static __always_inline void count_packet(__u32 slot, __u32 direction, __u32 reason, const struct size *size)
{
	struct plsd_nic_counters *counts = counters_of(slot);

	if (!counts)
		return;
	direction &= 1;
	counts->reasons[direction * PLSD_REASONS_MAX + (reason & (PLSD_REASONS_MAX - 1))] += size->packets;
	if (reason < PLSD_REASON_ADMIN_DENY)
		counts->bytes[direction] += size->bytes;
}

/* One more of a per-CPU counter of a slot. */
#define COUNT(slot, field)                                                                                             \
	({                                                                                                             \
		struct plsd_nic_counters *counts = counters_of(slot);                                                  \
                                                                                                                       \
		if (counts)                                                                                            \
			counts->field++;                                                                               \
	})

static __always_inline struct plsd_rule_counters __arena *rule_counters(__u32 list, __u32 rule, __u32 rules)
{
	__u32 shard = bpf_get_smp_processor_id() & (PLSD_RULE_COUNTER_SHARDS - 1);

	return IN_ARENA(struct plsd_rule_counters, list + (shard * rules + rule) * sizeof(struct plsd_rule_counters));
}

/* `list` is the offset of a list's counters, `rules` how many it has; rules beyond them are not counted. */
static __always_inline void count_rule(__u32 list, __u32 rule, __u32 rules, bool denied)
{
	if (!list || rule >= rules)
		return;
	if (denied)
		__sync_fetch_and_add(&rule_counters(list, rule, rules)->denied, 1);
	else
		__sync_fetch_and_add(&rule_counters(list, rule, rules)->allowed, 1);
}
