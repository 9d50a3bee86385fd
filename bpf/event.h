/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Telling user space what happens. A packet never waits for it: what finds no room is lost, and counted.
 *
 * Layout: crates/abi/src/event.rs. The reader polls, so the ring is written without waking anybody.
 */
#pragma once

#include "counters.h"
#include "passage.h"
#include "table.h"

static __always_inline bool is_told(__u32 kind)
{
	return root()->events & 1u << kind;
}

static __always_inline __u64 generation_in_force(void)
{
	return IN_ARENA(struct plsd_snapshot, root()->active)->generation;
}

/* Which of a direction's layers gives this reason. */
static __always_inline __u32 position_of(__u32 reason, __u32 direction)
{
	switch (reason) {
	case PLSD_REASON_ADMIN_DENY:
		return 0;
	case PLSD_REASON_NETWORK_INTERFACE_DENY:
		return direction == PLSD_DIRECTION_INBOUND ? 2 : 1;
	case PLSD_REASON_SUBNET_DENY:
		return direction == PLSD_DIRECTION_INBOUND ? 1 : 2;
	default:
		return 2;
	}
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

/*
 * The rules by which a flow is told: those that it remembers; those that cut it; or, where one would deny that is in audit, that one
 * in the place of its layer.
 */
static __always_inline void tell_rules(struct plsd_event *event, flow_ref flow, __u32 reason,
				       const struct verdict *verdict)
{
	bool cut = event->kind == PLSD_EVENT_CUT, would = event->kind == PLSD_EVENT_WOULD_DENY;
	__u32 position = position_of(reason, flow->direction);

#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++) {
		event->rules[i] = flow->rules[i];
		if (verdict && cut)
			event->rules[i] = verdict->rules[i];
		else if (verdict && would && i == position && verdict->would_rule != PLSD_RULE_NONE)
			event->rules[i] = verdict->would_rule;
	}
}

/*
 * Tells of the flow at `at`; `verdict` is what was said of it just now. Whether there was room. A global function: the verifier checks
 * it once.
 */
__noinline int tell_flow(__u32 at, __u32 kind, __u32 reason, const struct verdict *verdict)
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
	/* Its rules are named by the policy that judged it last. */
	if (kind == PLSD_EVENT_END)
		event->generation = flow->generation;
	event->created = flow->created;
#pragma unroll
	for (__u32 i = 0; i < 2; i++) {
		event->packets[i] = flow->packets[i];
		event->bytes[i] = flow->bytes[i];
	}
	tell_rules(event, flow, reason, verdict);
	event->direction = flow->direction;
	event->state = flow->state;
	event->flags = flow->flags;
	submit(event);
	return 1;
}

/* Whether the end of a flow was told before it leaves the table, and hardly anything has passed since. */
static __always_inline bool is_end_told(flow_ref flow)
{
	__u32 seen = READ_ONCE(flow->key.seen);

	return seen & PLSD_FLOW_END_TOLD && seen / PLSD_FLOW_LATE_PACKET <= PLSD_FLOW_LATE_MAX;
}

/* Tells of a flow that leaves the table, unless that was told when it closed. */
static __always_inline void tell_end(__u32 at)
{
	if (!is_end_told(FLOW_AT(at)))
		tell_flow(at, PLSD_EVENT_END, PLSD_REASON_ESTABLISHED, 0);
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
	__u8 tcp_flags;
	__u8 reserved[4];
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
	event->key.seen = refusal->tcp_flags;
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
