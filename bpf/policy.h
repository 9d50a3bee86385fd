/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A NIC's whole policy against one packet: its layers in order, until one denies or none is left.
 *
 * Order of the layers (also of the offsets in the descriptor):
 *   to the VM:   1. admin rules  2. the subnet's NSG  3. the interface's NSG
 *   from the VM: 1. admin rules  2. the interface's NSG  3. the subnet's NSG
 * A miss in the admin layer asks the next one. An NSG ends with rules that match everything, so a miss there can
 * only be a fault, and denies.
 */
#pragma once

#include "classify.h"
#include "nic.h"

struct verdict {
	__u32 asked;
	__u16 rules[PLSD_LAYERS];
};

static __always_inline int deny_reason(__u32 position, __u32 direction)
{
	if (position == 0)
		return PLSD_REASON_ADMIN_DENY;
	if ((position == 1) == (direction == PLSD_DIRECTION_INBOUND))
		return PLSD_REASON_SUBNET_DENY;
	return PLSD_REASON_NETWORK_INTERFACE_DENY;
}

/* PLSD_REASON_ALLOWED or the reason to drop. */
static __always_inline int judge(struct plsd_nic_descriptor __arena *nic, __u32 direction, const struct packet *p,
				 struct verdict *verdict)
{
	__u32 __arena *layers = direction == PLSD_DIRECTION_INBOUND ? nic->inbound : nic->outbound;

	verdict->asked = 0;
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++)
		verdict->rules[i] = PLSD_RULE_NONE;
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++) {
		__u32 blob = layers[i];
		struct match match;
		int found;

		if (!blob)
			continue;
		verdict->asked = i + 1;
		found = classify(blob, p, 0, &match);
		if (found == CLASSIFY_CORRUPT)
			return PLSD_REASON_CORRUPT_POLICY;
		if (found == CLASSIFY_MISS) {
			if (i == 0)
				continue;
			return deny_reason(i, direction);
		}
		verdict->rules[i] = match.rule;
		switch (match.action) {
		case PLSD_ACTION_ALLOW:
			break;
		case PLSD_ACTION_ALWAYS_ALLOW:
			return PLSD_REASON_ALLOWED;
		case PLSD_ACTION_CLOSED:
			return PLSD_REASON_PUBLIC_ADDRESS_CLOSED;
		default:
			return deny_reason(i, direction);
		}
	}
	return PLSD_REASON_ALLOWED;
}
