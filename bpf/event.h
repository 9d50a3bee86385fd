/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Telling user space what happens. A packet never waits for it: what finds no room is lost, and counted.
 *
 * Layout: crates/abi/src/event.rs. The reader polls, so the ring is written without waking anybody.
 */
#pragma once

#include "counters.h"
#include "table.h"

static __always_inline bool is_told(__u32 kind)
{
	return root()->events & 1u << kind;
}

static __always_inline __u64 generation_in_force(void)
{
	return IN_ARENA(struct plsd_snapshot, root()->active)->generation;
}

static __always_inline void submit(struct plsd_event *event)
{
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* An event with all that is the same for each; 0 if there is no room. */
static __always_inline struct plsd_event *reserve_event(__u32 slot, __u32 kind, __u32 reason)
{
	struct plsd_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		COUNT(slot, events_lost);
		return 0;
	}
	event->generation = generation_in_force();
	event->tick = bpf_jiffies64();
	event->kind = kind;
	event->reason = reason;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	return event;
}

/* Tells of the flow at `at`. A global function: the verifier checks it once. */
__noinline int tell_flow(__u32 at, __u32 kind, __u32 reason)
{
	flow_ref flow = FLOW_AT(at);
	struct plsd_event *event;

	USES_ARENA();
	if (!is_told(kind))
		return 0;
	event = reserve_event(flow->key.slot, kind, reason);
	if (!event)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < NAME_WORDS; i++)
		((__u64 *)&event->key)[i] = *IN_ARENA(__u64, at + i * 8);
	event->created = flow->created;
#pragma unroll
	for (__u32 i = 0; i < 2; i++) {
		event->packets[i] = flow->packets[i];
		event->bytes[i] = flow->bytes[i];
	}
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++)
		event->rules[i] = flow->rules[i];
	event->direction = flow->direction;
	event->state = flow->state;
	event->flags = flow->flags;
	submit(event);
	return 0;
}

/* One NIC may not fill the ring alone: true if it has events left in this tick. */
static __always_inline bool has_events_left(__u32 slot)
{
	struct plsd_nic_usage __arena *usage = usage_of(slot);
	__u64 tick = bpf_jiffies64();

	if (usage->event_tick != tick) {
		usage->event_tick = tick;
		usage->events = 0;
	}
	if (usage->events >= PLSD_DENIAL_EVENTS_MAX) {
		COUNT(slot, events_lost);
		return false;
	}
	usage->events++;
	return true;
}

/* What there is to tell of a packet without a flow. */
struct refusal {
	__u8 kind;
	__u8 reason;
	__u8 direction;
	__u8 reserved[5];
	__u16 rules[4]; /* of each layer; the last one is not used */
	__u64 packets;
};

/* Tells of a packet that began no flow. */
__noinline int tell_refusal(const struct name *name, const struct refusal *refusal)
{
	struct plsd_event *event;

	USES_ARENA();
	if (!name || !refusal || !is_told(refusal->kind) || !has_events_left(slot_of(name)))
		return 0;
	event = reserve_event(slot_of(name), refusal->kind, refusal->reason);
	if (!event)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < NAME_WORDS; i++)
		((__u64 *)&event->key)[i] = name->words[i];
	event->created = 0;
	event->packets[0] = refusal->packets;
	event->packets[1] = 0;
	event->bytes[0] = 0;
	event->bytes[1] = 0;
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++)
		event->rules[i] = refusal->rules[i];
	event->direction = refusal->direction;
	event->state = 0;
	event->flags = 0;
	submit(event);
	return 0;
}
