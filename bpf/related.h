/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ICMP errors about a flow of the same NIC (path MTU, unreachable ports) pass without a rule. They neither prolong
 * nor begin a flow.
 *
 * The quoted packet went the other way: the error must go to its sender. RFC 5927 explains why that is checked.
 */
#pragma once

#include "flow.h"

static __always_inline bool same_address(const __u32 *a, const __u32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline bool is_related(struct __sk_buff *skb, const struct packet *error, __u32 direction, __u64 now,
				       struct plsd_nic_descriptor __arena *nic)
{
	struct packet quoted = {};
	struct flow_name name;
	struct plsd_flow *flow;

	if (icmp_kind(error) != ICMP_ERROR || error->fragmented)
		return false;
	if (parse_quoted(skb, error->payload, error->family, &quoted))
		return false;
	if (!same_address(quoted.source, error->destination))
		return false;
	if (!name_flow(&quoted, nic->slot, !direction, &name))
		return false;
	flow = find_flow(&quoted, &name);
	return flow && is_live(flow, now, nic);
}
