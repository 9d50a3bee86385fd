/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The maps beside the shared memory, which kernel.h has. User space sets the sizes before loading and pins every map
 * under its name here.
 */
#pragma once

#include "kernel.h"

/* Indexed by slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plsd_nic_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PLSD_EVENT_RING_BYTES);
} events SEC(".maps");

/*
 * Never created: it carries the layouts that live in the shared memory into the object's type information, where a test
 * compares them with Rust's.
 */
struct layouts {
	struct plsd_root root;
	struct plsd_snapshot snapshot;
	struct plsd_nic_descriptor nic;
	struct plsd_owned_addresses owned;
	struct plsd_nic_usage usage;
	struct plsd_throttle throttle;
	struct plsd_nic_pace pace;
	struct plsd_policy_header policy;
	struct plsd_record record;
	struct plsd_grid grid;
	struct plsd_narrow_list narrow_list;
	struct plsd_wide_list wide_list;
	struct plsd_flow flow;
	struct plsd_flow_bucket bucket;
	struct plsd_denial denial;
	struct plsd_event event;
	struct plsd_rule_counters rule;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct layouts);
} layouts SEC(".maps");
