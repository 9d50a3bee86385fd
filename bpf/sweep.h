/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The sweep: removes flows that are over. User space runs it; packets never wait for it, because a flow that is over
 * is already a miss for them.
 */
#pragma once

#include "flow.h"

struct bpf_map;

/* The slot is the first field of both keys. */
static long sweep_flow(struct bpf_map *map, const __u32 *slot, struct plsd_flow *flow,
		       struct plsd_sweep_request *request)
{
	__u64 seen = READ_ONCE(flow->last_seen);
	bool over = false;

	switch (request->mode) {
	case PLSD_SWEEP_EXPIRED:
		over = seen + flow->timeout + PLSD_SWEEP_GRACE_TICKS < bpf_jiffies64();
		break;
	case PLSD_SWEEP_SLOT:
		over = *slot == request->slot;
		break;
	case PLSD_SWEEP_ALL:
		over = true;
		break;
	}
	if (!over || seen == FLOW_CLAIMED ||
	    __sync_val_compare_and_swap(&flow->last_seen, seen, FLOW_CLAIMED) != seen) {
		request->live++;
		return 0;
	}
	if (bpf_map_delete_elem(map, slot)) {
		/* The kernel was in the way: leave the flow as it was, for the next sweep. */
		WRITE_ONCE(flow->last_seen, seen);
		request->live++;
		return 0;
	}
	request->ended++;
	count_flows(*slot, 0, 1);
	return 0;
}

static __always_inline void sweep(struct plsd_sweep_request *request)
{
	bpf_for_each_map_elem(&flows_v4, sweep_flow, request, 0);
	bpf_for_each_map_elem(&flows_v6, sweep_flow, request, 0);
}
