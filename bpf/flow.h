/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The flow table: key of a packet, look-up, progress, begin. Layout: crates/abi/src/flow.rs.
 *
 * Who may change `last_seen`: a packet of a live flow stores the time; who revives an ended flow, or removes it (the
 * sweep), must first win a compare-and-swap on it. The sweep waits a grace period beyond the end, so that no packet
 * that found the flow alive is still at work. A lost race costs a flow entry, never a wrong verdict.
 */
#pragma once

#include "counters.h"
#include "icmp.h"
#include "policy.h"
#include "tcp.h"

#define FLOW_CLAIMED (~0ull)

/* What is common to the keys of both families. */
struct flow_name {
	__u32 slot;
	__u32 ports; /* local, then remote */
	__u32 kind; /* protocol, type and direction of an ICMP query, zero */
	bool outbound;
};

/*
 * The kernel hashes a key in words of 4 bytes. Words are also how it is written: a load that has to wait for several
 * smaller stores costs more than the rest of the key.
 */
#define KEY_PORTS(local, remote) ((__u32)(__u16)(local) | (__u32)(remote) << 16)
#define KEY_KIND(protocol, query, direction) ((__u32)(protocol) | (__u32)(__u8)(query) << 8 | (__u32)(direction) << 16)
#define KEY_WORD(key, field) (*(__u32 *)&(key)->field)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "key words are composed for little-endian hosts");

/* False if the packet belongs to no flow by its kind: an ICMP message that is no query. */
static __always_inline bool name_flow(const struct packet *p, __u32 slot, __u32 direction, struct flow_name *name)
{
	enum icmp_kind kind = icmp_kind(p);

	name->slot = slot;
	name->outbound = direction == PLSD_DIRECTION_OUTBOUND;
	name->ports = 0;
	name->kind = KEY_KIND(p->protocol, 0, 0);
	switch (kind) {
	case ICMP_NONE:
		/* Protocols without ports have zeros there. */
		name->ports = name->outbound ? KEY_PORTS(p->source_port, p->destination_port) :
					       KEY_PORTS(p->destination_port, p->source_port);
		return true;
	case ICMP_REQUEST:
		name->ports = KEY_PORTS(p->icmp_id, 0);
		name->kind = KEY_KIND(p->protocol, p->destination_port, direction);
		return true;
	case ICMP_REPLY:
		name->ports = KEY_PORTS(p->icmp_id, 0);
		name->kind = KEY_KIND(p->protocol, icmp_request_of(p), !direction);
		return true;
	default:
		return false;
	}
}

static __always_inline void key_v4(const struct packet *p, const struct flow_name *name, struct plsd_flow_key_v4 *key)
{
	key->slot = name->slot;
	key->local = name->outbound ? p->source[0] : p->destination[0];
	key->remote = name->outbound ? p->destination[0] : p->source[0];
	KEY_WORD(key, local_port) = name->ports;
	KEY_WORD(key, protocol) = name->kind;
}

static __always_inline void key_v6(const struct packet *p, const struct flow_name *name, struct plsd_flow_key_v6 *key)
{
	const __u32 *local = name->outbound ? p->source : p->destination;
	const __u32 *remote = name->outbound ? p->destination : p->source;

	key->slot = name->slot;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		key->local[i] = local[i];
		key->remote[i] = remote[i];
	}
	KEY_WORD(key, local_port) = name->ports;
	KEY_WORD(key, protocol) = name->kind;
}

static __always_inline struct plsd_flow *find_flow(const struct packet *p, const struct flow_name *name)
{
	if (p->family == 4) {
		struct plsd_flow_key_v4 key;

		key_v4(p, name, &key);
		return bpf_map_lookup_elem(&flows_v4, &key);
	} else {
		struct plsd_flow_key_v6 key;

		key_v6(p, name, &key);
		return bpf_map_lookup_elem(&flows_v6, &key);
	}
}

static __always_inline long insert_flow(const struct packet *p, const struct flow_name *name,
					const struct plsd_flow *flow)
{
	if (p->family == 4) {
		struct plsd_flow_key_v4 key;

		key_v4(p, name, &key);
		return bpf_map_update_elem(&flows_v4, &key, flow, BPF_NOEXIST);
	} else {
		struct plsd_flow_key_v6 key;

		key_v6(p, name, &key);
		return bpf_map_update_elem(&flows_v6, &key, flow, BPF_NOEXIST);
	}
}

/* A flow that is not over and belongs to the NIC that has the slot now. A claimed one wraps around and is over. */
static __always_inline bool is_live(const struct plsd_flow *flow, __u64 now, struct plsd_nic_descriptor __arena *nic)
{
	return flow->last_seen + flow->timeout >= now && flow->generation >= nic->since;
}

static __always_inline __u8 first_state(const struct packet *p)
{
	switch (p->protocol) {
	case PROTOCOL_TCP:
		return tcp_first_state(p->tcp_flags);
	case PROTOCOL_UDP:
		return PLSD_FLOW_UDP_OPEN;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return PLSD_FLOW_ICMP;
	default:
		return PLSD_FLOW_OTHER;
	}
}

static __always_inline __u32 timeout_of(struct plsd_snapshot __arena *snapshot, __u8 state)
{
	return snapshot->timeouts[state < PLSD_FLOW_STATES ? state : 0];
}

/* Counts a packet of a live flow and moves the flow on. */
static __always_inline void advance_flow(struct plsd_flow *flow, const struct packet *p, bool from_originator,
					 const struct size *size, __u64 now, struct plsd_snapshot __arena *snapshot)
{
	__u8 state = flow->state, next = state;

	if (p->protocol == PROTOCOL_TCP)
		next = tcp_next_state(state, p->tcp_flags, from_originator);
	else if (state == PLSD_FLOW_UDP_OPEN && !from_originator)
		next = PLSD_FLOW_UDP_ANSWERED;
	if (next != state) {
		WRITE_ONCE(flow->state, next);
		WRITE_ONCE(flow->timeout, timeout_of(snapshot, next));
	}
	if (next != state || next < PLSD_FLOW_TIME_WAIT)
		WRITE_ONCE(flow->last_seen, now);
	__sync_fetch_and_add(&flow->packets[!from_originator], size->packets);
	__sync_fetch_and_add(&flow->bytes[!from_originator], size->bytes);
}

static __always_inline void fresh_flow(struct plsd_flow *flow, const struct packet *p, __u32 direction,
				       const struct verdict *verdict, const struct size *size, __u64 now,
				       struct plsd_snapshot __arena *snapshot,
				       struct plsd_nic_descriptor __arena *nic)
{
	__u8 state = first_state(p);

	*flow = (struct plsd_flow){
		.generation = nic->generation,
		.created = now,
		.last_seen = now,
		.packets = { size->packets, 0 },
		.bytes = { size->bytes, 0 },
		.timeout = timeout_of(snapshot, state),
		.rules = { verdict->rules[0], verdict->rules[1], verdict->rules[2] },
		.state = state,
		.direction = direction,
		.layers_asked = verdict->asked,
	};
}

/*
 * Remembers an allowed packet as a flow, in place of `old` where an entry with its key exists. Returns the reason
 * that the packet ends with.
 */
static __always_inline int begin_flow(struct plsd_flow *old, __u64 seen, const struct packet *p,
				      const struct flow_name *name, const struct plsd_flow *flow)
{
	long error;

	if (old) {
		/* Whoever lost this race lets the packet pass without an entry: it was judged, and allowed. */
		if (seen == FLOW_CLAIMED || __sync_val_compare_and_swap(&old->last_seen, seen, flow->last_seen) != seen)
			return PLSD_REASON_ALLOWED;
		*old = *flow;
		count_flows(name->slot, 1, 1);
		return PLSD_REASON_ALLOWED;
	}
	error = insert_flow(p, name, flow);
	/* Another CPU may have begun the same flow just now. */
	if (error && error != -EEXIST)
		return PLSD_REASON_FLOW_TABLE_FULL;
	if (!error)
		count_flows(name->slot, 1, 0);
	return PLSD_REASON_ALLOWED;
}
