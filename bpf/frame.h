/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The Ethernet header: whose frame it is, which protocol it carries, and VLAN tags. IEEE 802.3, 802.1Q.
 *
 * The outermost tag may stand in the frame or beside it, where the kernel has put it on receipt. Behind one tag a NIC
 * without that guard is looked; behind two, never.
 */
#pragma once

#include "nic.h"
#include "wire.h"

/* What read_frame() says where other packets have 4 or 6. */
#define FAMILY_ARP ETHERTYPE_ARP

/* A hardware address as a number: the first byte on the wire is the lowest. */
static __always_inline __u64 mac_of(__u32 start, __u16 end)
{
	return (__u64)end << 32 | start;
}

static __always_inline __u64 mac_of_nic(nic_ref nic)
{
	return mac_of(*(__u32 __arena *)nic->mac, nic->mac[2]);
}

static __always_inline bool is_tag(__be16 type)
{
	return type == bpf_htons(ETHERTYPE_VLAN) || type == bpf_htons(ETHERTYPE_SERVICE_VLAN);
}

/* Looks behind the tag of a frame that has one: moves `at`, where the tag stood in the frame, and `type`. */
static __always_inline int skip_tag(struct __sk_buff *skb, __u32 guards, __be16 *type, __u32 *at)
{
	if (guards & PLSD_GUARD_VLAN)
		return PLSD_REASON_VLAN_TAGGED;
	if (!is_tag(*type))
		return 0;
	if (skb->vlan_present)
		return PLSD_REASON_VLAN_TAGGED;
	if (!fetch(skb, ETHERNET_BYTES + TAG_BYTES - sizeof(*type), type, sizeof(*type)))
		return PLSD_REASON_MALFORMED;
	*at = ETHERNET_BYTES + TAG_BYTES;
	return is_tag(*type) ? PLSD_REASON_VLAN_TAGGED : 0;
}

/*
 * Reads the Ethernet header: 0 with what the frame carries in `family` (4, 6 or FAMILY_ARP) and the offset of that in
 * `at`, or the reason that the frame ends with.
 */
static __always_inline int read_frame(struct __sk_buff *skb, __u32 direction, nic_ref nic, __u32 *family, __u32 *at)
{
	__u32 guards = nic->guards;
	struct wire_ethernet ethernet;
	int reason;

	*at = ETHERNET_BYTES;
	if (!fetch(skb, ETHERNET_SOURCE, &ethernet, sizeof(ethernet)))
		return PLSD_REASON_MALFORMED;
	if (guards & PLSD_GUARD_MAC && direction == PLSD_DIRECTION_OUTBOUND &&
	    mac_of(ethernet.source_start, ethernet.source_end) != mac_of_nic(nic))
		return PLSD_REASON_FOREIGN_MAC;
	if (skb->vlan_present || is_tag(ethernet.type)) {
		reason = skip_tag(skb, guards, &ethernet.type, at);
		if (reason)
			return reason;
	}
	switch (bpf_ntohs(ethernet.type)) {
	case ETHERTYPE_IPV4:
		*family = 4;
		return 0;
	case ETHERTYPE_IPV6:
		*family = 6;
		return 0;
	case ETHERTYPE_ARP:
		*family = FAMILY_ARP;
		return 0;
	default:
		/* The rules know nothing of such a frame. */
		return guards & PLSD_GUARD_ETHER_TYPE ? PLSD_REASON_UNSUPPORTED_ETHER_TYPE : PLSD_REASON_LINK_CONTROL;
	}
}
