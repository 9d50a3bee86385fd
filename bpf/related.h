/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ICMP errors about a flow of the same NIC (path MTU, unreachable ports) pass without a rule. They neither prolong
 * nor begin a flow; one about a flow that policy cut is judged like any other packet.
 *
 * The quoted packet went the other way: the error must go to its sender. RFC 5927 explains why that is checked.
 */
#pragma once

#include "flow.h"

/*
 * Offset of the live flow that the packet is an error about; 0 if there is none. An error has no name of its own: the
 * quoted packet's is put there. A global function: the verifier checks it once.
 */
__noinline __u32 related_flow(struct __sk_buff *skb, struct passage *way)
{
	struct packet *quoted;
	struct found found;

	USES_ARENA();
	if (!way || icmp_kind(&way->packet) != ICMP_ERROR || way->packet.fragmented)
		return 0;
	quoted = &way->original;
	__builtin_memset(quoted, 0, sizeof(*quoted));
	if (parse_quoted(skb, way->packet.payload, way->packet.family, quoted) ||
	    quoted->fragmented == FRAGMENT_LATER)
		return 0;
	if (!same_address(quoted->source, way->packet.destination))
		return 0;
	if (!name_flow(quoted, way->scene.slot, !way->scene.direction, &way->name))
		return 0;
	found = find_flow(&way->name);
	return is_live(&found, way->scene.now, NIC_AT(way->scene.nic)) ? found.flow : 0;
}
