/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From an interface to its policy, in two steps: the snapshot in force, read once a packet, and the NIC's
 * descriptor in it. Layout: crates/abi/src/arena.rs.
 */
#pragma once

#include "kernel.h"
#include "maps.h"

/* The snapshot in force; 0 if no policy was published or its layout is not this program's. */
static __always_inline struct plsd_snapshot __arena *active_snapshot(void)
{
	struct plsd_root __arena *root = IN_ARENA(struct plsd_root, 0);
	__u32 active;

	/* Arena pointers are accepted only from a program that names its arena. */
	asm volatile("" : : "r"(&arena));
	if (root->magic != PLSD_ARENA_MAGIC || root->version != PLSD_ABI_VERSION)
		return 0;
	active = READ_ONCE(root->active);
	return IN_ARENA(struct plsd_snapshot, active);
}

/* The NIC's descriptor; 0 if the policy does not know the interface. */
static __always_inline struct plsd_nic_descriptor __arena *find_nic(struct plsd_snapshot __arena *snapshot,
								    __u32 ifindex)
{
	struct plsd_nic_descriptor __arena *table = IN_ARENA(struct plsd_nic_descriptor, snapshot->nics_offset);
	__u32 mask = snapshot->nics_mask;

	for (__u32 i = 0; i < PLSD_NIC_PROBES_MAX; i++) {
		struct plsd_nic_descriptor __arena *nic = &table[(ifindex + i) & mask];

		if (nic->ifindex == ifindex)
			return nic;
		if (!nic->ifindex)
			return 0;
	}
	return 0;
}
