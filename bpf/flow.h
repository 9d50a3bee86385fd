/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A live flow: its progress with each packet, and its end by policy. Layout: crates/abi/src/flow.rs.
 *
 * A flow that was judged under an older policy, or whose rules have a time, is judged again with its original
 * orientation, whichever way the packet goes: an answer is never judged as if it began something. A flow that is denied
 * then is cut: it stays in the table and drops its packets, because without it an answer would be a new flow.
 */
#pragma once

#include "event.h"
#include "guard.h"
#include "passage.h"
#include "policy.h"
#include "tcp.h"

static __always_inline __u32 timeout_of(nic_ref nic, __u32 state)
{
	return word_at(nic->timeouts + (state < PLSD_FLOW_STATES ? state : 0) * sizeof(__u32));
}

/* A flow that is not over and belongs to the NIC that has the slot now. A claimed one wraps around and is over. */
static __always_inline bool is_live(const struct found *found, __u64 now, nic_ref nic)
{
	return found->flow && found->end >= now && FLOW_AT(found->flow)->generation >= nic->since;
}

static __always_inline __u32 first_state(const struct packet *p)
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

/* The state of a flow that lives on after it was cut. */
static __always_inline __u32 resumed_state(__u8 protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return PLSD_FLOW_ESTABLISHED;
	case PROTOCOL_UDP:
		return PLSD_FLOW_UDP_ANSWERED;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return PLSD_FLOW_ICMP;
	default:
		return PLSD_FLOW_OTHER;
	}
}

/* Moves a flow on; true for the one CPU that did. Who leaves the handshake gives its half-open place back. */
static __always_inline bool move_on(flow_ref flow, nic_ref nic, __u32 state, __u32 next)
{
	if (!swap_u32(&flow->state, state, next))
		return false;
	WRITE_ONCE(flow->timeout, timeout_of(nic, next));
	if (tcp_is_half_open(state) && !tcp_is_half_open(next))
		__sync_fetch_and_add(&usage_of(nic->slot)->half_open, -1);
	return true;
}

/* The packet that began the flow, as far as rules ask. */
static __always_inline void original_packet(flow_ref flow, struct packet *p)
{
	bool outbound = flow->direction == PLSD_DIRECTION_OUTBOUND;
	__u16 local = flow->key.local_port, remote = flow->key.remote_port;

	__builtin_memset(p, 0, sizeof(*p));
	p->family = flow->key.family;
	p->protocol = flow->key.protocol;
#pragma unroll
	for (__u32 i = 0; i < 4; i++) {
		p->source[i] = outbound ? flow->key.local[i] : flow->key.remote[i];
		p->destination[i] = outbound ? flow->key.remote[i] : flow->key.local[i];
	}
	if (p->protocol == PROTOCOL_ICMP || p->protocol == PROTOCOL_ICMPV6) {
		p->destination_port = flow->key.query;
		p->icmp_id = local;
		return;
	}
	p->source_port = outbound ? local : remote;
	p->destination_port = outbound ? remote : local;
}

/* Whether the policy has changed, for existing flows too, since it judged the flow. */
static __always_inline bool is_outdated(flow_ref flow, nic_ref nic)
{
	return flow->generation < nic->rejudge;
}

/* Whether the flow's verdict may have changed since it was judged: by policy, or by time. */
static __always_inline bool is_due(flow_ref flow, nic_ref nic)
{
	if (is_outdated(flow, nic))
		return true;
	return flow->recheck != PLSD_NEVER && wall_seconds() >= flow->recheck;
}

static __always_inline void keep_flow(flow_ref flow, nic_ref nic, const struct packet *p, struct verdict *verdict)
{
	__u8 flags = flow->flags & ~(PLSD_FLOW_AUDITED | PLSD_FLOW_FOREIGN | PLSD_FLOW_ENDED_BY_TIME);
	const __u32 *local = flow->direction == PLSD_DIRECTION_OUTBOUND ? p->source : p->destination;

	if (verdict->would)
		flags |= PLSD_FLOW_AUDITED;
	if (!owns(nic, p->family, local))
		flags |= PLSD_FLOW_FOREIGN;
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++) {
		/* A list that keeps its flows had no say: what it decided by stays. */
		if (verdict->rules[i] != PLSD_RULE_NONE)
			flow->rules[i] = verdict->rules[i];
	}
	flow->flags = flags;
	flow->until = verdict->until;
}

/* Notes why a flow is being cut. */
static __always_inline void note_why(flow_ref flow, bool by_time)
{
	if (by_time)
		flow->flags |= PLSD_FLOW_ENDED_BY_TIME;
	else
		flow->flags &= ~PLSD_FLOW_ENDED_BY_TIME;
}

/* Judges a flow again. PLSD_REASON_ESTABLISHED if it goes on. A global function: the verifier checks it once. */
__noinline int rejudge(struct passage *way, __u32 at)
{
	__u32 direction, state, occasion = REJUDGING;
	flow_ref flow = FLOW_AT(at);
	struct verdict *verdict;
	struct packet *p;
	nic_ref nic;
	int reason;

	USES_ARENA();
	if (!way)
		return PLSD_REASON_CORRUPT_POLICY;
	p = &way->original;
	verdict = &way->verdict;
	nic = NIC_AT(way->scene.nic);
	state = flow->state;
	direction = flow->direction & 1;
	original_packet(flow, p);
	if (flow->until != PLSD_NEVER && wall_seconds() >= flow->until)
		occasion = EXPIRED;
	clear_verdict(verdict);
	reason = guard_source(direction, nic, p);
	if (!reason || is_audited(nic)) {
		int judged = judge(way, p, direction, occasion);

		if (reason && !verdict->would)
			verdict->would = reason;
		reason = judged;
	}
	/* A list that had no say does not let the flow live longer either. */
	if (verdict->kept)
		verdict->until = sooner(verdict->until, flow->until);
	flow->recheck = sooner(verdict->recheck, verdict->until);
	if (reason == PLSD_REASON_ALLOWED) {
		bool was_audited = flow->flags & PLSD_FLOW_AUDITED;

		keep_flow(flow, nic, p, verdict);
		if (state == PLSD_FLOW_CUT)
			move_on(flow, nic, state, resumed_state(p->protocol));
		COUNT(nic->slot, flows_rejudged);
		if (verdict->would && !was_audited) {
			COUNT(nic->slot, flows_audited);
			tell_flow(at, PLSD_EVENT_WOULD_DENY, verdict->would, verdict);
		}
		barrier();
		WRITE_ONCE(flow->generation, nic->generation);
		return PLSD_REASON_ESTABLISHED;
	}
	if (state != PLSD_FLOW_CUT) {
		note_why(flow, occasion == EXPIRED || !is_outdated(flow, nic));
		if (!move_on(flow, nic, state, PLSD_FLOW_CUT)) {
			/* Another CPU has moved it on: this packet drops, and the next one asks again. */
			flow->recheck = 0;
			return PLSD_REASON_POLICY_CUT;
		}
		COUNT(nic->slot, flows_cut);
		tell_flow(at, PLSD_EVENT_CUT, reason, verdict);
	}
	barrier();
	WRITE_ONCE(flow->generation, nic->generation);
	return PLSD_REASON_POLICY_CUT;
}

/* PLSD_REASON_ESTABLISHED, or the reason for which a live flow's packets drop. */
static __always_inline int standing_of(struct passage *way, __u32 at)
{
	flow_ref flow = FLOW_AT(at);
	nic_ref nic = NIC_AT(way->scene.nic);
	int reason;

	if (is_due(flow, nic)) {
		reason = rejudge(way, at);
		/* Another CPU may have moved the flow meanwhile. */
		if (reason != PLSD_REASON_ESTABLISHED || READ_ONCE(flow->state) != PLSD_FLOW_CUT)
			return reason;
	}
	return READ_ONCE(flow->state) == PLSD_FLOW_CUT ? PLSD_REASON_POLICY_CUT : PLSD_REASON_ESTABLISHED;
}

/* Notes the flags of a packet that passes: one store for each that is new, and a look for all others. */
static __always_inline void note_flags(flow_ref flow, __u8 flags, bool from_originator)
{
	__u32 seen = from_originator ? flags : (__u32)flags << 8;

	if ((READ_ONCE(flow->key.seen) & seen) != seen)
		__sync_fetch_and_or(&flow->key.seen, seen);
}

static __always_inline void advance_tcp(flow_ref flow, nic_ref nic, const struct packet *p, bool from_originator,
					__u32 state)
{
	bool reset_by_originator = !(flow->flags & PLSD_FLOW_RESET_BY_RESPONDER);
	__u32 next = tcp_next_state(state, p->tcp_flags, from_originator, reset_by_originator);

	if (next == state || !move_on(flow, nic, state, next) || next != PLSD_FLOW_CLOSED)
		return;
	if (from_originator)
		flow->flags &= ~PLSD_FLOW_RESET_BY_RESPONDER;
	else
		flow->flags |= PLSD_FLOW_RESET_BY_RESPONDER;
}

/* Counts a packet of a live flow and moves the flow on. */
static __always_inline void advance_flow(flow_ref flow, nic_ref nic, const struct packet *p, bool from_originator,
					 const struct size *size, __u64 now)
{
	__u32 state = flow->state;

	if (p->protocol == PROTOCOL_TCP) {
		note_flags(flow, p->tcp_flags, from_originator);
		advance_tcp(flow, nic, p, from_originator, state);
	} else if (state == PLSD_FLOW_UDP_OPEN && !from_originator) {
		move_on(flow, nic, state, PLSD_FLOW_UDP_ANSWERED);
	}
	if (flow->state != state || state < PLSD_FLOW_TIME_WAIT || state == PLSD_FLOW_CUT)
		WRITE_ONCE(flow->last_seen, now);
	__sync_fetch_and_add(&flow->packets[!from_originator], size->packets);
	__sync_fetch_and_add(&flow->bytes[!from_originator], size->bytes);
}

/* The first packet after which a TCP connection is over: a RST, or the one that follows both FINs and acknowledges the second. */
static __always_inline bool tcp_closes(__u32 before, __u32 state)
{
	return state == PLSD_FLOW_CLOSED || (before == PLSD_FLOW_TIME_WAIT && state == PLSD_FLOW_TIME_WAIT);
}

/* Notes in a flow that something is told of it; true for the one CPU that tells. */
static __always_inline bool note_told(flow_ref flow, __u32 seen, __u32 what)
{
	return !(seen & what) && swap_u32(&flow->key.seen, seen, seen | what);
}

/* A server may keep its side of a connection for long after the client is done: that it is, is told with the first packet it sends then. */
static __always_inline void tell_half_close(__u32 at, __u32 before, bool from_originator)
{
	flow_ref flow = FLOW_AT(at);
	__u32 seen = READ_ONCE(flow->key.seen);

	if (from_originator || before != PLSD_FLOW_FIN_ORIGINATOR || READ_ONCE(flow->state) != before)
		return;
	if (is_told(PLSD_EVENT_HALF_CLOSE) && note_told(flow, seen, PLSD_FLOW_HALF_CLOSE_TOLD))
		tell_flow(at, PLSD_EVENT_HALF_CLOSE, PLSD_REASON_ESTABLISHED, 0);
}

/*
 * Tells that a TCP connection is over as it closes: what watches connections need not wait until its place is free. What passes
 * afterwards is counted: who goes on after a forged end is told of again. Where nobody listens, or there is no room, the sweep tells.
 */
static __always_inline void tell_close(__u32 at, __u32 before, const struct size *size)
{
	flow_ref flow = FLOW_AT(at);
	__u32 seen = READ_ONCE(flow->key.seen), late = size->packets > 64 ? 64 : size->packets;

	if (seen & PLSD_FLOW_END_TOLD) {
		if (!(seen >> 31))
			__sync_fetch_and_add(&flow->key.seen, late * PLSD_FLOW_LATE_PACKET);
		return;
	}
	if (!is_told(PLSD_EVENT_END) || !tcp_closes(before, READ_ONCE(flow->state)))
		return;
	if (note_told(flow, seen, PLSD_FLOW_END_TOLD) && !tell_flow(at, PLSD_EVENT_END, PLSD_REASON_ESTABLISHED, 0))
		__sync_fetch_and_and(&flow->key.seen, ~PLSD_FLOW_END_TOLD);
}
