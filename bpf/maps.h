/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The maps. User space sets the sizes before loading and pins every map under its name here.
 *
 * Flow tables are preallocated hashes and never LRU: a full table refuses the new flow and keeps the old ones.
 */
#pragma once

#include "kernel.h"

struct {
	__uint(type, PLSD_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLSD_ARENA_PAGES);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct plsd_flow_key_v4);
	__type(value, struct plsd_flow);
} flows_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct plsd_flow_key_v6);
	__type(value, struct plsd_flow);
} flows_v6 SEC(".maps");

/* Indexed by slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plsd_nic_counters);
} counters SEC(".maps");

/*
 * Never created: it carries the layouts that live in the arena into the object's type information, where a test
 * compares them with Rust's.
 */
struct layouts {
	struct plsd_root root;
	struct plsd_snapshot snapshot;
	struct plsd_nic_descriptor nic;
	struct plsd_policy_header policy;
	struct plsd_record record;
	struct plsd_grid grid;
	struct plsd_narrow_list narrow_list;
	struct plsd_wide_list wide_list;
	struct plsd_sweep_request sweep;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct layouts);
} layouts SEC(".maps");
