/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Denials that a CPU remembers: a flood of what the rules deny costs one look-up a packet and one event an interval.
 *
 * Each CPU has its own, so that no two write the same one; a packet program is not interrupted by another one on its CPU.
 * A denial counts only under the generation that made it, and is not remembered where time may change it.
 */
#pragma once

#include "event.h"
#include "passage.h"
#include "policy.h"

#define DENIAL_AT(offset) IN_ARENA(struct plsd_denial, offset)

/* Offset of the place for a name's denial on this CPU; 0 if none are remembered. */
static __always_inline __u32 place_of_denial(const struct name *name)
{
	__u32 cpu = bpf_get_smp_processor_id(), mask = root()->denial_mask;

	if (!root()->denials || cpu >= root()->cpus)
		return 0;
	return root()->denials +
	       (cpu * (mask + 1) + ((__u32)(name->hash >> 16) & mask)) * sizeof(struct plsd_denial);
}

/* Tells that a packet was denied. A global function: the verifier checks it once, and its stack is its own. */
__noinline int tell_denial(const struct passage *way, __u32 reason, __u32 rule, __u64 packets)
{
	struct refusal refusal = {
		.kind = PLSD_EVENT_DENY,
		.reason = reason,
		.rules = { PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE, PLSD_RULE_NONE },
		.packets = packets,
	};

	if (!way)
		return 0;
	refusal.direction = way->scene.direction;
	refusal.tcp_flags = way->packet.tcp_flags;
	refusal.rules[position_of(reason, way->scene.direction) & 3] = rule;
	return tell_refusal(&way->name, &refusal);
}

/* The reason for which this packet was denied a moment ago; 0 if that is not known. */
static __always_inline int recall_denial(const struct passage *way)
{
	__u32 at = place_of_denial(&way->name), direction = way->scene.direction;
	struct plsd_denial __arena *denial = DENIAL_AT(at);
	nic_ref nic = NIC_AT(way->scene.nic);
	struct layer layer;

	if (!at || denial->generation != (__u32)nic->generation || denial->direction != direction ||
	    !is_named(at, &way->name))
		return 0;
	denial->packets += way->size.packets;
	layer = layer_of(nic, direction, position_of(denial->reason, direction), BEGINNING);
	count_rule(layer.counters, denial->rule, layer.rules, true);
	if ((__u32)way->scene.now - denial->told > PLSD_DENIAL_TICKS) {
		tell_denial(way, denial->reason, denial->rule, denial->packets);
		denial->told = way->scene.now;
		denial->packets = 0;
	}
	return denial->reason;
}

/* Tells of a denial by the rules, and keeps it in mind. */
static __always_inline void remember_denial(const struct passage *way, __u32 reason)
{
	const struct verdict *verdict = &way->verdict;
	__u32 direction = way->scene.direction, rule = verdict->rules[position_of(reason, direction)];
	__u32 at = place_of_denial(&way->name);
	struct plsd_denial __arena *denial = DENIAL_AT(at);

	tell_denial(way, reason, rule, way->size.packets);
	if (!at || verdict->recheck != PLSD_NEVER || verdict->would)
		return;
	write_name(at, &way->name);
	denial->generation = NIC_AT(way->scene.nic)->generation;
	denial->packets = 0;
	denial->told = way->scene.now;
	denial->rule = rule;
	denial->direction = direction;
	denial->reason = reason;
}
