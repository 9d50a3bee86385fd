/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How a flow begins: its place in the table, the limits of its NIC, and the place that a flow leaves which is over.
 *
 * A lost race costs a flow's entry, never a wrong verdict; a limit refuses the new flow and never touches an old one.
 */
#pragma once

#include "flow.h"

/* Tells of and discounts a flow whose place was won by setting last_seen. */
static __always_inline void bury(__u32 at)
{
	flow_ref flow = FLOW_AT(at);
	__u32 slot = flow->key.slot;

	tell_end(at);
	if (slot >= root()->slots)
		return;
	__sync_fetch_and_add(&usage_of(slot)->flows, -1);
	if (tcp_is_half_open(flow->state))
		__sync_fetch_and_add(&usage_of(slot)->half_open, -1);
	COUNT(slot, flows_ended);
}

/* Takes the place of a flow that is over, as the sweep would have. */
static __always_inline bool reclaim_way(struct place place, __u64 now)
{
	flow_ref flow = FLOW_AT(place.flow);
	__u32 tag = word_at(place.tag);
	__u64 seen;

	if (tag <= PLSD_TAG_BUSY)
		return false;
	seen = READ_ONCE(flow->last_seen);
	if (seen == PLSD_FLOW_CLAIMED || seen + flow->timeout + PLSD_SWEEP_GRACE_TICKS >= now)
		return false;
	if (!swap_u64(&flow->last_seen, seen, PLSD_FLOW_CLAIMED))
		return false;
	bury(place.flow);
	barrier();
	WRITE_ONCE(*IN_ARENA(__u32, place.tag), 0);
	return true;
}

/* Frees what is over in a bucket. A global function: the verifier checks it once. */
__noinline int reclaim(__u32 bucket, __u64 now)
{
	int freed = 0;

	USES_ARENA();
	for (__u32 way = 0; way < PLSD_BUCKET_WAYS; way++)
		freed += reclaim_way(place_at(bucket, way), now);
	return freed;
}

static __always_inline bool take_from(__u32 __arena *used, __u32 max)
{
	if (__sync_fetch_and_add(used, 1) < max)
		return true;
	__sync_fetch_and_add(used, -1);
	return false;
}

/* Takes from the NIC's limits what a flow in this state needs. 0 or the reason to refuse. */
static __always_inline int take_limits(nic_ref nic, __u32 state)
{
	struct plsd_nic_usage __arena *usage = usage_of(nic->slot);

	if (!take_from(&usage->flows, nic->flows_max))
		return PLSD_REASON_FLOW_QUOTA;
	if (!tcp_is_half_open(state) || take_from(&usage->half_open, nic->half_open_max))
		return 0;
	__sync_fetch_and_add(&usage->flows, -1);
	return PLSD_REASON_HALF_OPEN_QUOTA;
}

static __always_inline void give_limits(nic_ref nic, __u32 state)
{
	struct plsd_nic_usage __arena *usage = usage_of(nic->slot);

	__sync_fetch_and_add(&usage->flows, -1);
	if (tcp_is_half_open(state))
		__sync_fetch_and_add(&usage->half_open, -1);
}

/* A TCP packet that is no SYN and belongs to no connection that is known. */
static __always_inline bool is_midstream(const struct packet *p)
{
	return p->protocol == PROTOCOL_TCP && !tcp_is_syn(p->tcp_flags);
}

static __always_inline __u8 first_flags(nic_ref nic, const struct passage *way)
{
	const struct packet *p = &way->packet;
	__u8 flags = way->verdict.would ? PLSD_FLOW_AUDITED : 0;

	if (is_midstream(p))
		flags |= PLSD_FLOW_MIDSTREAM;
	if (!owns(nic, p->family, way->scene.direction == PLSD_DIRECTION_OUTBOUND ? p->source : p->destination))
		flags |= PLSD_FLOW_FOREIGN;
	return flags;
}

/* Everything of a flow but its key and last_seen. */
static __always_inline void write_flow(__u32 at, const struct passage *way, __u32 state)
{
	flow_ref flow = FLOW_AT(at);
	nic_ref nic = NIC_AT(way->scene.nic);

	flow->key.seen = way->packet.tcp_flags;
	flow->generation = nic->generation;
	flow->packets[0] = way->size.packets;
	flow->packets[1] = 0;
	flow->bytes[0] = way->size.bytes;
	flow->bytes[1] = 0;
	flow->created = way->scene.now;
	flow->recheck = sooner(way->verdict.recheck, way->verdict.until);
	flow->until = way->verdict.until;
	flow->timeout = timeout_of(nic, state);
	WRITE_ONCE(flow->state, state);
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++)
		flow->rules[i] = way->verdict.rules[i];
	flow->direction = way->scene.direction;
	flow->flags = first_flags(nic, way);
}

static __always_inline void tell_begin(__u32 at, const struct passage *way)
{
	__u32 slot = way->scene.slot;

	COUNT(slot, flows_created);
	tell_flow(at, PLSD_EVENT_BEGIN, PLSD_REASON_ALLOWED, 0);
	if (!way->verdict.would)
		return;
	COUNT(slot, flows_audited);
	tell_flow(at, PLSD_EVENT_WOULD_DENY, way->verdict.would, &way->verdict);
}

/* Puts the flow into the table, whose first bucket the caller has locked. PLSD_REASON_ALLOWED or the reason to drop. */
static __always_inline int insert_locked(const struct passage *way, __u32 state, __u32 *at)
{
	const struct name *name = &way->name;
	struct place place = {};

	/* Another CPU may have begun the same flow just now: then this packet is its second. */
	*at = 0;
	if (look_again(name))
		return PLSD_REASON_ALLOWED;
	if (!take_place(name, &place) &&
	    !(reclaim(bucket_of(name, 0), way->scene.now) + reclaim(bucket_of(name, 1), way->scene.now) > 0 &&
	      take_place(name, &place)))
		return PLSD_REASON_FLOW_TABLE_FULL;
	write_name(place.flow, name);
	write_flow(place.flow, way, state);
	WRITE_ONCE(FLOW_AT(place.flow)->last_seen, way->scene.now);
	show(&place, name);
	*at = place.flow;
	return PLSD_REASON_ALLOWED;
}

/* Remembers a flow that was not there. A global function: the verifier checks it once. */
__noinline int insert_flow(const struct passage *way, __u32 state)
{
	nic_ref nic;
	__u32 bucket, at;
	int reason;

	USES_ARENA();
	if (!way)
		return PLSD_REASON_FLOW_TABLE_FULL;
	nic = NIC_AT(way->scene.nic);
	bucket = bucket_of(&way->name, 0);
	reason = take_limits(nic, state);
	if (reason == PLSD_REASON_FLOW_QUOTA && reclaim(bucket, way->scene.now))
		reason = take_limits(nic, state);
	if (reason)
		return reason;
	if (!lock_bucket(bucket)) {
		give_limits(nic, state);
		return PLSD_REASON_FLOW_TABLE_FULL;
	}
	reason = insert_locked(way, state, &at);
	unlock_bucket(bucket);
	if (at)
		tell_begin(at, way);
	else
		give_limits(nic, state);
	return reason;
}

/*
 * Begins a flow in place of one with its name that is over, or that a SYN replaces; `seen` is the last_seen it was found
 * with. Whoever loses the race for it lets the packet pass without an entry: it was judged, and allowed.
 */
__noinline int revive_flow(const struct passage *way, __u32 state, __u32 at, __u64 seen)
{
	flow_ref flow = FLOW_AT(at);
	struct plsd_nic_usage __arena *usage;
	nic_ref nic;

	USES_ARENA();
	if (!way)
		return PLSD_REASON_FLOW_TABLE_FULL;
	nic = NIC_AT(way->scene.nic);
	usage = usage_of(nic->slot);
	if (tcp_is_half_open(state) && !take_from(&usage->half_open, nic->half_open_max))
		return PLSD_REASON_HALF_OPEN_QUOTA;
	if (seen == PLSD_FLOW_CLAIMED || !swap_u64(&flow->last_seen, seen, way->scene.now)) {
		if (tcp_is_half_open(state))
			__sync_fetch_and_add(&usage->half_open, -1);
		return PLSD_REASON_ALLOWED;
	}
	tell_end(at);
	COUNT(nic->slot, flows_ended);
	if (tcp_is_half_open(flow->state))
		__sync_fetch_and_add(&usage->half_open, -1);
	write_flow(at, way, state);
	tell_begin(at, way);
	return PLSD_REASON_ALLOWED;
}
