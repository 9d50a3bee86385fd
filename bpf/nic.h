/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From an interface to its policy, in two steps: the snapshot in force, read once a packet, and the NIC's
 * descriptor in it. Layout: crates/abi/src/arena.rs.
 */
#pragma once

#include "kernel.h"

typedef struct plsd_nic_descriptor __arena *nic_ref;

#define NIC_AT(offset) IN_ARENA(struct plsd_nic_descriptor, offset)

/* Offset of the snapshot in force; 0 if no policy was published or its layout is not this program's. */
static __always_inline __u32 active_snapshot(void)
{
	USES_ARENA();
	if (root()->magic != PLSD_ARENA_MAGIC || root()->version != PLSD_ABI_VERSION)
		return 0;
	return READ_ONCE(root()->active);
}

/* Offset of the NIC's descriptor; 0 if the policy does not know the interface. */
static __always_inline __u32 find_nic(__u32 snapshot, __u32 ifindex)
{
	struct plsd_snapshot __arena *s = IN_ARENA(struct plsd_snapshot, snapshot);
	__u32 table = s->nics_offset, mask = s->nics_mask;

	for (__u32 i = 0; i < PLSD_NIC_PROBES_MAX; i++) {
		__u32 at = table + ((ifindex + i) & mask) * sizeof(struct plsd_nic_descriptor);
		__u32 found = NIC_AT(at)->ifindex;

		if (found == ifindex)
			return at;
		if (!found)
			return 0;
	}
	return 0;
}

static __always_inline struct plsd_nic_usage __arena *usage_of(__u32 slot)
{
	return IN_ARENA(struct plsd_nic_usage, root()->nic_states + slot * sizeof(struct plsd_nic_usage));
}

/* The NIC is in audit: nothing that policy or guards say is enforced there. */
static __always_inline bool is_audited(nic_ref nic)
{
	return nic->flags & PLSD_NIC_AUDIT;
}
