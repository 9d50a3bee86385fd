// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Palisade's kernel program: enforces network security groups at a virtual machine's interface.
 *
 * Entry points only; each header explains its part. The way of a packet:
 *   1. the snapshot in force, then the NIC's descriptor      nic.h       none: drop
 *   2. the Ethernet header, and whose frame it is            guard.h     foreign: drop
 *   3. IP and transport headers                              packet.h    unreadable: drop
 *   4. link control                                          guard.h     pass, or drop what a guest may not say
 *   5. a live flow, judged again if policy or time moved     flow.h      pass, or drop what policy cut
 *   6. an ICMP error about a live flow                       related.h   pass
 *   7. what was denied a moment ago                          denial.h    deny: silent drop
 *   8. the rules, layer by layer                             policy.h    deny: silent drop
 *   9. the rate of new destinations                          pace.h      too fast: drop
 *  10. a new flow                                            begin.h     limit reached: drop
 */
#include "begin.h"
#include "counters.h"
#include "denial.h"
#include "flow.h"
#include "guard.h"
#include "nic.h"
#include "pace.h"
#include "packet.h"
#include "passage.h"
#include "policy.h"
#include "related.h"

/* Whether it is a guard that stops the packet, and not the rules or what it is. */
static __always_inline bool is_guards(int reason)
{
	return reason >= PLSD_REASON_FOREIGN_MAC || reason == PLSD_REASON_VLAN_TAGGED ||
	       reason == PLSD_REASON_UNSUPPORTED_ETHER_TYPE;
}

/* Tells what a guard found, with as much of the packet's name as was read. The verifier checks it once. */
__noinline int tell_guard(struct passage *way, int reason)
{
	struct refusal refusal = {
		.reason = reason,
		.rules = { PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE },
	};

	USES_ARENA();
	if (!way)
		return 0;
	refusal.kind = is_audited(NIC_AT(way->scene.nic)) ? PLSD_EVENT_WOULD_DENY : PLSD_EVENT_DENY;
	refusal.direction = way->scene.direction;
	refusal.tcp_flags = way->packet.tcp_flags;
	refusal.packets = way->size.packets;
	name_packet(&way->packet, way->scene.slot, way->scene.direction, &way->name);
	return tell_refusal(&way->name, &refusal);
}

/* What becomes of a packet that names no flow, its source aside. */
static __always_inline int judge_unnamed(struct __sk_buff *skb, struct passage *way)
{
	__u32 at;
	int reason;

	if (way->packet.fragmented == FRAGMENT_LATER)
		return judge_fragment(way->scene.nic, way->scene.direction, &way->packet);
	at = related_flow(skb, way);
	if (at && standing_of(way, at) == PLSD_REASON_ESTABLISHED)
		return PLSD_REASON_RELATED;
	reason = judge(way, &way->packet, way->scene.direction, BEGINNING);
	if (reason != PLSD_REASON_ALLOWED)
		return reason;
	if (exceeded_pace(way))
		return is_audited(NIC_AT(way->scene.nic)) ? PLSD_REASON_AUDITED : PLSD_REASON_THROTTLED;
	return way->verdict.would ? PLSD_REASON_AUDITED : reason;
}

/* A later fragment, an ICMP error, a message that is no query: packets that name no flow are not forged either. */
static __always_inline int judge_nameless(struct __sk_buff *skb, struct passage *way)
{
	nic_ref nic = NIC_AT(way->scene.nic);
	int against = guard_source(way->scene.direction, nic, &way->packet), reason;

	if (against)
		tell_guard(way, against);
	if (against && !is_audited(nic))
		return against;
	reason = judge_unnamed(skb, way);
	return against && reason < PLSD_REASON_ADMIN_DENY ? PLSD_REASON_AUDITED : reason;
}

static __always_inline bool admits_midstream(nic_ref nic, __u64 now)
{
	return nic->flags & PLSD_NIC_LOOSE_TCP || now < nic->grace_until;
}

/* What stands against a packet before the rules are asked; 0 if nothing. */
static __always_inline int objection(nic_ref nic, const struct packet *p, const struct scene *scene)
{
	int reason = guard_source(scene->direction, nic, p);

	if (reason)
		return reason;
	return is_midstream(p) && !admits_midstream(nic, scene->now) ? PLSD_REASON_MID_STREAM : 0;
}

/* A limit's refusal is told; in audit the packet passes all the same, and nothing remembers it. */
static __always_inline int refuse(nic_ref nic, const struct passage *way, int reason)
{
	struct refusal refusal = {
		.kind = PLSD_EVENT_LIMIT,
		.reason = reason,
		.direction = way->scene.direction,
		.tcp_flags = way->packet.tcp_flags,
		.rules = { PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE },
		.packets = way->size.packets,
	};

	tell_refusal(&way->name, &refusal);
	return is_audited(nic) ? PLSD_REASON_AUDITED : reason;
}

/* Judges a packet that is of no live flow: PLSD_REASON_ALLOWED or the reason to drop. */
static __always_inline int consider(struct passage *way)
{
	nic_ref nic = NIC_AT(way->scene.nic);
	int reason, against = objection(nic, &way->packet, &way->scene);

	if (against && !is_audited(nic)) {
		tell_denial(way, against, PLSD_RULE_NONE, way->size.packets);
		return against;
	}
	reason = recall_denial(way);
	if (reason)
		return reason;
	reason = judge(way, &way->packet, way->scene.direction, BEGINNING);
	if (reason != PLSD_REASON_ALLOWED) {
		remember_denial(way, reason);
		return reason;
	}
	if (!against)
		against = exceeded_pace(way);
	if (against && !is_audited(nic)) {
		tell_denial(way, against, PLSD_RULE_NONE, way->size.packets);
		return against;
	}
	if (!way->verdict.would)
		way->verdict.would = against;
	return reason;
}

/*
 * A packet that is of no live flow: judged, and remembered if allowed. `at` is a flow of its name that is over, found with
 * `seen`; 0 if there is none.
 */
static __always_inline int begin(struct passage *way, __u32 at, __u64 seen)
{
	const struct packet *p = &way->packet;
	int reason = consider(way);

	if (reason != PLSD_REASON_ALLOWED)
		return reason;
	/* An answer to a query that is unknown begins nothing: the query would have. */
	if (icmp_kind(p) != ICMP_REPLY) {
		__u32 state = first_state(p);

		reason = at ? revive_flow(way, state, at, seen) : insert_flow(way, state);
		if (reason != PLSD_REASON_ALLOWED)
			return refuse(NIC_AT(way->scene.nic), way, reason);
	}
	return way->verdict.would ? PLSD_REASON_AUDITED : PLSD_REASON_ALLOWED;
}

/* A packet of a live flow. */
static __always_inline int follow(struct passage *way, __u32 at, bool from_originator)
{
	flow_ref flow = FLOW_AT(at);
	nic_ref nic = NIC_AT(way->scene.nic);
	int reason = standing_of(way, at);
	__u32 state = READ_ONCE(flow->state);

	if (reason != PLSD_REASON_ESTABLISHED) {
		/* Only silence ends the memory of a cut. */
		WRITE_ONCE(flow->last_seen, way->scene.now);
		return reason;
	}
	if (flow->flags & PLSD_FLOW_FOREIGN) {
		reason = guard_source(way->scene.direction, nic, &way->packet);
		if (reason)
			tell_guard(way, reason);
		if (reason && !is_audited(nic))
			return reason;
	}
	advance_flow(flow, nic, &way->packet, from_originator, &way->size, way->scene.now);
	if (way->packet.protocol == PROTOCOL_TCP) {
		tell_half_close(at, state, from_originator);
		tell_close(at, state, &way->size);
	}
	return flow->flags & PLSD_FLOW_AUDITED ? PLSD_REASON_AUDITED : PLSD_REASON_ESTABLISHED;
}

/* Steps 5 to 10, for a packet that belongs to the rules. */
static __always_inline int enforce(struct __sk_buff *skb, struct passage *way)
{
	const struct packet *p = &way->packet;
	__u32 direction = way->scene.direction;
	struct found found;

	if (p->fragmented == FRAGMENT_LATER || !name_flow(p, way->scene.slot, direction, &way->name))
		return judge_nameless(skb, way);
	found = find_flow(&way->name);
	if (is_live(&found, way->scene.now, NIC_AT(way->scene.nic))) {
		flow_ref flow = FLOW_AT(found.flow);
		bool from_originator = flow->direction == direction;

		if (!(p->protocol == PROTOCOL_TCP && tcp_begins_anew(flow->state, p->tcp_flags, from_originator)))
			return follow(way, found.flow, from_originator);
	}
	return begin(way, found.flow, found.seen);
}

static __always_inline int read_packet(struct __sk_buff *skb, struct passage *way)
{
	nic_ref nic = NIC_AT(way->scene.nic);
	__u32 family = 0, at = 0;
	int reason = read_frame(skb, way->scene.direction, nic, &family, &at);

	if (reason)
		return reason;
	if (family == FAMILY_ARP)
		return arp(skb, at, way->scene.direction, nic);
	reason = parse_ip(skb, at, family, 0, &way->packet);
	if (reason)
		return reason;
	return control(skb, way->scene.direction, nic, &way->packet);
}

/* Guards of a NIC in audit stop nothing; what cannot be read or has no policy drops even there. */
static __always_inline int as_audited(nic_ref nic, int reason)
{
	return is_audited(nic) && (is_guards(reason) || reason == PLSD_REASON_FRAGMENT) ? PLSD_REASON_AUDITED : reason;
}

static __always_inline int walk(struct __sk_buff *skb, struct passage *way)
{
	__u32 snapshot = active_snapshot();
	int reason;

	if (!snapshot)
		return PLSD_REASON_NO_POLICY;
	way->scene.nic = find_nic(snapshot, skb->ifindex);
	if (!way->scene.nic)
		return PLSD_REASON_NO_DESCRIPTOR;
	way->scene.slot = NIC_AT(way->scene.nic)->slot;
	reason = read_packet(skb, way);
	way->size = size_of_packet(skb, way->packet.payload);
	if (!reason)
		reason = enforce(skb, way);
	else if (is_guards(reason))
		tell_guard(way, reason);
	return as_audited(NIC_AT(way->scene.nic), reason);
}

static __always_inline int police(struct __sk_buff *skb, __u32 direction)
{
	struct passage *way = passage_of_cpu();
	int reason;

	if (!way)
		return PLSD_TCX_DROP;
	__builtin_memset(&way->packet, 0, sizeof(way->packet));
	way->size = (struct size){ 1, skb->len };
	way->scene = (struct scene){ .now = bpf_jiffies64(), .direction = direction, .slot = PLSD_SLOT_UNKNOWN };
	reason = walk(skb, way);
	count_packet(way->scene.slot, direction, reason, &way->size);
	return reason < PLSD_REASON_ADMIN_DENY ? PLSD_TCX_NEXT : PLSD_TCX_DROP;
}

SEC("tcx/ingress")
int palisade_from_vm(struct __sk_buff *skb)
{
	return police(skb, PLSD_DIRECTION_OUTBOUND);
}

SEC("tcx/egress")
int palisade_to_vm(struct __sk_buff *skb)
{
	return police(skb, PLSD_DIRECTION_INBOUND);
}

/* Tells user space the tick by which flows are dated: no system call does. */
SEC("syscall")
int palisade_clock(struct plsd_clock *clock)
{
	clock->tick = bpf_jiffies64();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
