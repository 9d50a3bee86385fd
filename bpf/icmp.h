/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Kinds of ICMP messages: queries and their answers make a flow, errors relate to one. RFC 792, 950, 4443.
 */
#pragma once

#include "packet.h"

enum icmp_kind {
	ICMP_NONE, /* not ICMP of the packet's family */
	ICMP_REQUEST,
	ICMP_REPLY,
	ICMP_ERROR,
	ICMP_OTHER,
};

static __always_inline enum icmp_kind icmp_kind_v4(__u16 type)
{
	switch (type) {
	case 8: /* echo */
	case 13: /* timestamp */
	case 15: /* information */
	case 17: /* address mask */
		return ICMP_REQUEST;
	case 0:
	case 14:
	case 16:
	case 18:
		return ICMP_REPLY;
	case 3: /* destination unreachable */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return ICMP_ERROR;
	default:
		return ICMP_OTHER;
	}
}

static __always_inline enum icmp_kind icmp_kind_v6(__u16 type)
{
	if (type == 128)
		return ICMP_REQUEST;
	if (type == 129)
		return ICMP_REPLY;
	/* Unreachable, packet too big, time exceeded, parameter problem. */
	return type >= 1 && type <= 4 ? ICMP_ERROR : ICMP_OTHER;
}

static __always_inline enum icmp_kind icmp_kind(const struct packet *p)
{
	if (p->family == 4 && p->protocol == PROTOCOL_ICMP)
		return icmp_kind_v4(p->destination_port);
	if (p->family == 6 && p->protocol == PROTOCOL_ICMPV6)
		return icmp_kind_v6(p->destination_port);
	return ICMP_NONE;
}

/* The type of the request that a reply answers. */
static __always_inline __u8 icmp_request_of(const struct packet *p)
{
	if (p->family == 6)
		return 128;
	return p->destination_port == 0 ? 8 : p->destination_port - 1;
}
