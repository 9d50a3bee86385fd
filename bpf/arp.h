/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ARP: requests and replies about IPv4 over Ethernet, and nothing else of its kind. RFC 826, 5227.
 *
 * A guarded VM speaks for itself: its hardware address, its IPv4 addresses. Before it has one it asks from 0.0.0.0
 * whether somebody else has it; whoever may ask so about others' addresses keeps them from taking them. Who is asked is
 * everybody's choice. Bytes behind a message carry nothing but what fills the shortest frame.
 */
#pragma once

#include "owned.h"

#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

struct wire_arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u16 sender_mac[3];
	__u16 sender[2];
	__u16 target_mac[3];
	__u16 target[2];
};

static __always_inline bool is_ipv4_over_ethernet(const struct wire_arp *message)
{
	return message->hardware == bpf_htons(ARP_ETHERNET) && message->protocol == bpf_htons(ETHERTYPE_IPV4) &&
	       message->hardware_length == 6 && message->protocol_length == 4;
}

static __always_inline bool owns_v4(__u32 owned, __u32 guards, const __u16 *words)
{
	struct address address = { .words[0] = (__u32)words[1] << 16 | words[0] };

	return owns_address(owned, 0, guards, 4, &address);
}

/* `guards` are those that hold for the sender. A global function: the verifier checks it once. */
__noinline int judge_arp(struct __sk_buff *skb, __u32 at, __u32 guards, __u64 mac, __u32 owned)
{
	struct wire_arp message;
	bool is_request;

	if (!load(skb, at, &message, sizeof(message)) || skb->len > at + ETHERNET_PAYLOAD_MIN)
		return PLSD_REASON_MALFORMED;
	is_request = message.operation == bpf_htons(ARP_REQUEST);
	if (!is_ipv4_over_ethernet(&message) || (!is_request && message.operation != bpf_htons(ARP_REPLY)))
		return PLSD_REASON_MALFORMED;
	if (!(guards & PLSD_GUARD_NEIGHBOUR))
		return PLSD_REASON_LINK_CONTROL;
	if (mac_of((__u32)message.sender_mac[1] << 16 | message.sender_mac[0], message.sender_mac[2]) != mac)
		return PLSD_REASON_FOREIGN_ARP;
	if (!message.sender[0] && !message.sender[1])
		return is_request && owns_v4(owned, guards, message.target) ? PLSD_REASON_LINK_CONTROL :
									       PLSD_REASON_FOREIGN_ARP;
	return owns_v4(owned, guards, message.sender) ? PLSD_REASON_LINK_CONTROL : PLSD_REASON_FOREIGN_ARP;
}

/* Whether the ARP message at `at` passes: PLSD_REASON_LINK_CONTROL, or the reason to drop. */
static __always_inline int arp(struct __sk_buff *skb, __u32 at, __u32 direction, nic_ref nic)
{
	__u32 guards = direction == PLSD_DIRECTION_OUTBOUND ? nic->guards : 0;

	return judge_arp(skb, at, guards, mac_of_nic(nic), nic->owned);
}
