/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Link control: what keeps an interface working and is not subject to rules, in Azure as here.
 *
 * ARP is decided before an IP packet is read. Of IP: neighbour and router discovery and multicast listener reports
 * (RFC 4861, 2710, 3810), and a machine's DHCP. Hop limits are part of the check: 255 and 1 cannot come from beyond
 * a router, so routed packets of these types are judged by the rules.
 */
#pragma once

#include "packet.h"

#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCPV6_CLIENT 546
#define DHCPV6_SERVER 547
#define IPV4_BROADCAST 0xffffffff
#define IPV4_PLATFORM 0xa83f8110 /* 168.63.129.16 */

#define ND_FIRST 133 /* router solicitation, router and neighbour advertisements */
#define ND_LAST 137 /* redirect */
#define MLD_FIRST 130
#define MLD_LAST 132
#define MLD_REPORT_V2 143

static __always_inline bool is_discovery(const struct packet *p)
{
	__u16 type = p->destination_port;

	if (type >= ND_FIRST && type <= ND_LAST)
		return p->hop_limit == 255;
	if ((type >= MLD_FIRST && type <= MLD_LAST) || type == MLD_REPORT_V2)
		return p->hop_limit == 1;
	return false;
}

/*
 * A machine's DHCP goes to everybody on the link, or to the platform's address. A server elsewhere, which a lease is
 * renewed with, is for the rules to allow: otherwise these ports would be a way around every rule.
 */
static __always_inline bool is_dhcp_server(const struct packet *p)
{
	return p->destination[0] == bpf_htonl(IPV4_BROADCAST) || p->destination[0] == bpf_htonl(IPV4_PLATFORM);
}

static __always_inline bool is_dhcp(const struct packet *p, __u32 direction)
{
	bool outbound = direction == PLSD_DIRECTION_OUTBOUND;
	__u16 client = outbound ? p->source_port : p->destination_port;
	__u16 server = outbound ? p->destination_port : p->source_port;

	if (p->family == 4)
		return client == DHCP_CLIENT && server == DHCP_SERVER && (!outbound || is_dhcp_server(p));
	return client == DHCPV6_CLIENT && server == DHCPV6_SERVER &&
	       (p->source[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline bool is_link_control(const struct packet *p, __u32 direction)
{
	if (p->fragmented)
		return false;
	if (p->protocol == PROTOCOL_UDP)
		return is_dhcp(p, direction);
	return p->family == 6 && p->protocol == PROTOCOL_ICMPV6 && is_discovery(p);
}
