/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Guards: what a NIC's VM may say beside what rules govern, and link control: what keeps an interface working and is
 * not subject to rules, in Azure as here.
 *
 * The parts are in frame.h (Ethernet), arp.h, neighbour.h and dhcp.h, and owned.h tells whose an address is. Guards
 * hold for what the VM sends. What it receives was guarded where it was sent; only what cannot be right is dropped
 * there too.
 */
#pragma once

#include "arp.h"
#include "dhcp.h"
#include "neighbour.h"

#define MLD_FIRST 130
#define MLD_QUERY 130
#define MLD_LAST 132
#define MLD_REPORT_V2 143
#define MLD_HOP_LIMIT 1
/* MLDv1 has one form; what MLDv2 lists fits into the packet that every link carries. */
#define MLD_V1_BYTES 16
#define MLD_V2_BYTES_MAX (1280 - 40 - 8)

/*
 * Whether a packet from the VM, which begins something, may have the source that it has: 0 or the reason to drop. That
 * of the platform is forged even where sources are not guarded.
 */
static __always_inline int guard_source(__u32 direction, nic_ref nic, const struct packet *p)
{
	__u32 guards = nic->guards;

	if (direction != PLSD_DIRECTION_OUTBOUND)
		return 0;
	if (guards & PLSD_GUARD_PLATFORM && is_platform(p->family, p->source))
		return PLSD_REASON_FORGED_PLATFORM;
	return guards & PLSD_GUARD_SOURCE && !owns(nic, p->family, p->source) ? PLSD_REASON_FOREIGN_SOURCE : 0;
}

static __always_inline bool is_discovery(__u16 type)
{
	return type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT;
}

static __always_inline bool is_listener(__u16 type)
{
	return (type >= MLD_FIRST && type <= MLD_LAST) || type == MLD_REPORT_V2;
}

/*
 * Multicast listeners (RFC 2710, 3810): between hosts of a link, behind at most the router alert that announces them.
 * Receivers drop what has another hop limit, since it may be from anywhere.
 */
static __always_inline int judge_listener(const struct packet *p)
{
	bool is_v2 = p->destination_port == MLD_QUERY || p->destination_port == MLD_REPORT_V2;
	__u32 room = p->end - p->payload;

	if (p->hop_limit != MLD_HOP_LIMIT)
		return PLSD_REASON_MALFORMED;
	if (p->fragmented || p->extension_words > 1 || !is_group_v6(p->destination))
		return 0;
	if (!is_link_local(p->source) && !is_unspecified(p->source))
		return 0;
	return room == MLD_V1_BYTES || (is_v2 && room <= MLD_V2_BYTES_MAX) ? PLSD_REASON_LINK_CONTROL : 0;
}

/* What is said of a packet by its kind; guards of the source come after. */
static __always_inline int judge_kind(struct __sk_buff *skb, __u32 direction, nic_ref nic, const struct packet *p)
{
	__u32 guards = direction == PLSD_DIRECTION_OUTBOUND ? nic->guards : 0;

	if (p->protocol == PROTOCOL_UDP)
		return is_dhcp_port(p) ? judge_dhcp(skb, p, direction, guards, mac_of_nic(nic)) : 0;
	if (p->protocol != PROTOCOL_ICMPV6 || p->family != 6)
		return 0;
	if (is_discovery(p->destination_port))
		return judge_neighbour(skb, p, guards, mac_of_nic(nic), nic->owned);
	return is_listener(p->destination_port) ? judge_listener(p) : 0;
}

/*
 * Link control: PLSD_REASON_LINK_CONTROL passes, 0 is for the rules, anything else is the reason to drop. A sender
 * that has no address yet has no wrong one.
 */
static __always_inline int control(struct __sk_buff *skb, __u32 direction, nic_ref nic, const struct packet *p)
{
	int reason = judge_kind(skb, direction, nic, p), guarded;

	if (reason != PLSD_REASON_LINK_CONTROL || is_unspecified(p->source))
		return reason;
	guarded = guard_source(direction, nic, p);
	return guarded ? guarded : reason;
}
