// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Palisade's kernel program: enforces network security groups at a virtual machine's interface.
 *
 * Entry points only; each header explains its part. The way of a packet:
 *   1. the snapshot in force, then the NIC's descriptor      nic.h       none: drop
 *   2. Ethernet type; IP and transport headers               packet.h    unreadable: drop
 *   3. link control                                          guard.h     pass
 *   4. a live flow                                           flow.h      pass
 *   5. an ICMP error about a live flow                       related.h   pass
 *   6. the rules, layer by layer                             policy.h    deny: silent drop
 *   7. a new flow                                            flow.h      table full: drop
 */
#include "counters.h"
#include "flow.h"
#include "guard.h"
#include "nic.h"
#include "packet.h"
#include "policy.h"
#include "related.h"
#include "sweep.h"

/* What is learned of a packet on its way, beside the reason it ends with. */
struct passage {
	struct packet packet;
	struct size size;
	__u32 slot;
};

/* Whether a packet belongs to the flow under its name, or has to be judged. */
static __always_inline bool is_of_flow(const struct plsd_flow *flow, const struct packet *p, bool from_originator,
				       __u64 now, struct plsd_nic_descriptor __arena *nic)
{
	if (!is_live(flow, now, nic))
		return false;
	return p->protocol != PROTOCOL_TCP || !tcp_begins_anew(flow->state, p->tcp_flags, from_originator);
}

/* Steps 4 to 7, for a packet that belongs to the rules. */
static __always_inline int enforce(struct __sk_buff *skb, __u32 direction, struct passage *way,
				   struct plsd_snapshot __arena *snapshot, struct plsd_nic_descriptor __arena *nic)
{
	const struct packet *p = &way->packet;
	struct plsd_flow *flow = 0, fresh;
	__u64 now = bpf_jiffies64(), seen = 0;
	struct flow_name name;
	struct verdict verdict;
	bool nameable = name_flow(p, way->slot, direction, &name);
	int reason;

	if (nameable)
		flow = find_flow(p, &name);
	else if (is_related(skb, p, direction, now, nic))
		return PLSD_REASON_RELATED;
	if (flow) {
		bool from_originator = flow->direction == direction;

		seen = READ_ONCE(flow->last_seen);
		if (is_of_flow(flow, p, from_originator, now, nic)) {
			advance_flow(flow, p, from_originator, &way->size, now, snapshot);
			return PLSD_REASON_ESTABLISHED;
		}
	}
	reason = judge(nic, direction, p, &verdict);
	/* An answer to a query that is unknown begins nothing: the query would have. */
	if (reason != PLSD_REASON_ALLOWED || !nameable || icmp_kind(p) == ICMP_REPLY)
		return reason;
	fresh_flow(&fresh, p, direction, &verdict, &way->size, now, snapshot, nic);
	return begin_flow(flow, seen, p, &name, &fresh);
}

static __always_inline int read_packet(struct __sk_buff *skb, __u32 direction, struct packet *p)
{
	__be16 type;
	__u32 family;
	int reason;

	if (skb->vlan_present)
		return PLSD_REASON_UNSUPPORTED_ETHER_TYPE;
	if (!fetch(skb, ETHERNET_TYPE, &type, sizeof(type)))
		return PLSD_REASON_MALFORMED;
	switch (bpf_ntohs(type)) {
	case ETHERTYPE_IPV4:
		family = 4;
		break;
	case ETHERTYPE_IPV6:
		family = 6;
		break;
	case ETHERTYPE_ARP:
		return PLSD_REASON_LINK_CONTROL;
	default:
		return PLSD_REASON_UNSUPPORTED_ETHER_TYPE;
	}
	reason = parse_ip(skb, ETHERNET_BYTES, family, 0, p);
	if (reason)
		return reason;
	return is_link_control(p, direction) ? PLSD_REASON_LINK_CONTROL : 0;
}

static __always_inline int walk(struct __sk_buff *skb, __u32 direction, struct passage *way)
{
	struct plsd_snapshot __arena *snapshot = active_snapshot();
	struct plsd_nic_descriptor __arena *nic;
	int reason;

	if (!snapshot)
		return PLSD_REASON_NO_POLICY;
	nic = find_nic(snapshot, skb->ifindex);
	if (!nic)
		return PLSD_REASON_NO_DESCRIPTOR;
	way->slot = nic->slot;
	reason = read_packet(skb, direction, &way->packet);
	way->size = size_of_packet(skb, way->packet.payload);
	return reason ? reason : enforce(skb, direction, way, snapshot, nic);
}

static __always_inline int police(struct __sk_buff *skb, __u32 direction)
{
	struct passage way = { .size = { 1, skb->len }, .slot = PLSD_SLOT_UNKNOWN };
	int reason = walk(skb, direction, &way);

	count_packet(way.slot, direction, reason, &way.size);
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

SEC("syscall")
int palisade_sweep(struct plsd_sweep_request *request)
{
	struct plsd_sweep_request work = *request;

	sweep(&work);
	*request = work;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
