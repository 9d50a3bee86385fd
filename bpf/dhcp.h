/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A machine's DHCP and DHCPv6. RFC 2131, 8415, 9915.
 *
 * Questions go to everybody on the link, or to the platform; answers are to everybody, from the platform, or about this
 * very NIC. All of them look like what they say they are: ports alone would be a way around every rule. A server
 * elsewhere, which a lease is renewed with, is for the rules to allow.
 */
#pragma once

#include "frame.h"
#include "packet.h"

#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCPV6_CLIENT 546
#define DHCPV6_SERVER 547

#define DHCP_REQUEST 1
#define DHCP_REPLY 2
#define DHCP_COOKIE bpf_htonl(0x63825363)
#define DHCP_MAC_AT 28
#define DHCP_COOKIE_AT 236

/* Message types of clients, and of servers to clients; those of relays are neither. Bit n stands for type n. */
#define DHCPV6_QUESTIONS (1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 11)
#define DHCPV6_ANSWERS (1 << 2 | 1 << 7 | 1 << 10)

struct wire_dhcp {
	__u8 operation;
	__u8 hardware;
	__u8 hardware_length;
	__u8 hops;
};

struct wire_dhcp_mac {
	__u32 start;
	__u16 end;
	__u16 padding;
};

/* Whether a datagram goes to a port of DHCP: only then is the rest looked at. */
static __always_inline bool is_dhcp_port(const struct packet *p)
{
	return (__u16)(p->destination_port - (p->family == 4 ? DHCP_SERVER : DHCPV6_CLIENT)) <= 1;
}

/* Nothing but an answer of a server goes to a client's port, and clients take it from whatever port it comes. */
static __always_inline bool is_from_server(const struct packet *p)
{
	return p->destination_port == (p->family == 4 ? DHCP_CLIENT : DHCPV6_CLIENT);
}

static __always_inline int judge_dhcp_v4(struct __sk_buff *skb, const struct packet *p, bool outbound, __u32 guards,
					 __u64 mac)
{
	struct wire_dhcp start;
	struct wire_dhcp_mac client;
	__u32 cookie;
	bool is_own;

	if (p->payload + DHCP_COOKIE_AT + sizeof(cookie) > p->end ||
	    !load(skb, p->payload, &start, sizeof(start)) ||
	    !load(skb, p->payload + DHCP_MAC_AT, &client, sizeof(client)) ||
	    !load(skb, p->payload + DHCP_COOKIE_AT, &cookie, sizeof(cookie)))
		return 0;
	if (cookie != DHCP_COOKIE || start.operation != (outbound ? DHCP_REQUEST : DHCP_REPLY))
		return 0;
	is_own = start.hardware == 1 && start.hardware_length == 6 && mac_of(client.start, client.end) == mac;
	if (!outbound)
		return p->destination[0] == IPV4_BROADCAST || p->source[0] == IPV4_PLATFORM || (is_own && mac) ?
			       PLSD_REASON_LINK_CONTROL :
			       0;
	if (guards & PLSD_GUARD_MAC && !is_own)
		return PLSD_REASON_FOREIGN_MAC;
	return p->destination[0] == IPV4_BROADCAST || p->destination[0] == IPV4_PLATFORM ? PLSD_REASON_LINK_CONTROL : 0;
}

static __always_inline int judge_dhcp_v6(struct __sk_buff *skb, const struct packet *p, bool outbound)
{
	__u32 types = outbound ? DHCPV6_QUESTIONS : DHCPV6_ANSWERS, start, type;

	/* From the link to the link; the group of all servers and relays is ff02::1:2. */
	if (!is_link_local(p->source) ||
	    !(is_link_local(p->destination) || (outbound && is_group(p->destination, 0xff020000, 0, 0x10002))))
		return 0;
	if (p->payload + sizeof(start) > p->end || !load(skb, p->payload, &start, sizeof(start)))
		return 0;
	type = bpf_ntohl(start) >> 24;
	return type < 32 && types >> type & 1 ? PLSD_REASON_LINK_CONTROL : 0;
}

/*
 * PLSD_REASON_LINK_CONTROL, 0 for a datagram that is for the rules, or the reason to drop. `guards` are those that hold
 * for the sender. A global function: the verifier checks it once.
 */
__noinline int judge_dhcp(struct __sk_buff *skb, const struct packet *p, __u32 direction, __u32 guards, __u64 mac)
{
	bool outbound = direction == PLSD_DIRECTION_OUTBOUND;
	__u16 client, server;

	if (!p)
		return PLSD_REASON_MALFORMED;
	if (guards & PLSD_GUARD_DHCP_SERVER && is_from_server(p))
		return PLSD_REASON_DHCP_SERVER;
	client = outbound ? p->source_port : p->destination_port;
	server = outbound ? p->destination_port : p->source_port;
	if (p->fragmented)
		return 0;
	if (p->family == 4)
		return client == DHCP_CLIENT && server == DHCP_SERVER ?
			       judge_dhcp_v4(skb, p, outbound, guards, mac) :
			       0;
	return client == DHCPV6_CLIENT && server == DHCPV6_SERVER ? judge_dhcp_v6(skb, p, outbound) : 0;
}
