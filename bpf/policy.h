/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A NIC's whole policy against one packet: its layers in order, until one denies or none is left.
 *
 * Order of the layers (also of the offsets in the descriptor):
 *   to the VM:   1. admin rules  2. the subnet's NSG  3. the interface's NSG
 *   from the VM: 1. admin rules  2. the interface's NSG  3. the subnet's NSG
 * A miss in the admin layer asks the next one. An NSG ends with rules that match everything, so a miss there can
 * only be a fault, and denies.
 *
 * A layer in audit is content with everything; what it would have denied is noted. So is, when a flow is judged again,
 * a layer that flows once admitted are kept by.
 */
#pragma once

#include "passage.h"

/* What judging is for. */
enum occasion {
	BEGINNING, /* a new flow, or a packet that can begin none */
	REJUDGING, /* a flow that lists with `flushConnection: false` let live */
	EXPIRED, /* a flow whose rule has ended: every list is asked */
};

/* One layer of a NIC for one direction. */
struct layer {
	__u32 blob;
	__u32 counters;
	__u32 rules;
	bool audit;
	bool keep;
};

static __always_inline int deny_reason(__u32 position, __u32 direction)
{
	if (position == 0)
		return PLSD_REASON_ADMIN_DENY;
	if ((position == 1) == (direction == PLSD_DIRECTION_INBOUND))
		return PLSD_REASON_SUBNET_DENY;
	return PLSD_REASON_NETWORK_INTERFACE_DENY;
}

static __always_inline struct layer layer_of(nic_ref nic, __u32 direction, __u32 i, __u32 occasion)
{
	bool inbound = direction == PLSD_DIRECTION_INBOUND;
	__u32 audit = (inbound ? PLSD_NIC_AUDIT_INBOUND : PLSD_NIC_AUDIT_OUTBOUND) << i;
	__u32 keep = (inbound ? PLSD_NIC_KEEP_INBOUND : PLSD_NIC_KEEP_OUTBOUND) << i;
	struct layer layer = {
		.blob = inbound ? nic->inbound[i] : nic->outbound[i],
		.counters = inbound ? nic->inbound_counters[i] : nic->outbound_counters[i],
		.audit = nic->flags & (audit | PLSD_NIC_AUDIT),
		.keep = occasion == REJUDGING && nic->flags & keep,
	};

	layer.rules = layer.blob ? IN_ARENA(struct plsd_policy_header, layer.blob)->rules : 0;
	return layer;
}

static __always_inline __u32 sooner(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* What a rule's action means at its layer: PLSD_REASON_ALLOWED or the reason to drop. */
static __always_inline int outcome_of(__u32 action, __u32 position, __u32 direction)
{
	switch (action) {
	case PLSD_ACTION_ALLOW:
	case PLSD_ACTION_ALWAYS_ALLOW:
		return PLSD_REASON_ALLOWED;
	case PLSD_ACTION_CLOSED:
		return PLSD_REASON_PUBLIC_ADDRESS_CLOSED;
	default:
		return deny_reason(position, direction);
	}
}

/* Notes what would deny, were it not in audit: the first counts, as it would have been the last to be asked. */
static __always_inline void note_would(struct verdict *verdict, __u32 reason, __u32 rule)
{
	if (verdict->would)
		return;
	verdict->would = reason;
	verdict->would_rule = rule;
}

/* Notes and counts the rule in audit that was met before the deciding one. */
static __always_inline void note_shadow(const struct layer *layer, const struct match *match, __u32 position,
					__u32 direction, struct verdict *verdict)
{
	int outcome;

	if (match->shadow_rule == PLSD_RULE_NONE)
		return;
	outcome = outcome_of(match->shadow_action, position, direction);
	count_rule(layer->counters, match->shadow_rule, layer->rules, outcome != PLSD_REASON_ALLOWED);
	if (outcome != PLSD_REASON_ALLOWED)
		note_would(verdict, outcome, match->shadow_rule);
}

/* Nothing but the times when a verdict may change is carried from list to list. */
static __always_inline void note_times(const struct layer *layer, const struct match *match, bool allowed,
				       struct verdict *verdict)
{
	if (!layer->keep)
		verdict->recheck = sooner(verdict->recheck, match->recheck);
	if (allowed)
		verdict->until = sooner(verdict->until, match->until);
}

static __always_inline void clear_verdict(struct verdict *verdict)
{
	verdict->would = 0;
	verdict->would_rule = PLSD_RULE_NONE;
	verdict->kept = false;
	verdict->recheck = PLSD_NEVER;
	verdict->until = PLSD_NEVER;
#pragma unroll
	for (__u32 i = 0; i < PLSD_LAYERS; i++)
		verdict->rules[i] = PLSD_RULE_NONE;
}

/* What one layer says; PLSD_REASON_ESTABLISHED if it is final that the packet is allowed. */
static __always_inline int ask(struct passage *way, const struct layer *layer, const struct packet *p, __u32 position,
			       __u32 direction, __u32 occasion)
{
	struct verdict *verdict = &way->verdict;
	struct match *match = &way->match;
	int outcome, found = classify(layer->blob, p, root()->anchor, match);
	bool denied;

	if (found == CLASSIFY_CORRUPT)
		return PLSD_REASON_CORRUPT_POLICY;
	note_shadow(layer, match, position, direction, verdict);
	if (found == CLASSIFY_MISS) {
		note_times(layer, match, false, verdict);
		return position == 0 ? PLSD_REASON_ALLOWED : deny_reason(position, direction);
	}
	outcome = outcome_of(match->action, position, direction);
	denied = outcome != PLSD_REASON_ALLOWED;
	note_times(layer, match, !denied, verdict);
	verdict->rules[position] = match->rule;
	if (denied && layer->keep) {
		verdict->kept = true;
		return PLSD_REASON_ALLOWED;
	}
	if (occasion == BEGINNING || denied)
		count_rule(layer->counters, match->rule, layer->rules, denied);
	if (denied && layer->audit) {
		note_would(verdict, outcome, match->rule);
		return PLSD_REASON_ALLOWED;
	}
	return match->action == PLSD_ACTION_ALWAYS_ALLOW ? PLSD_REASON_ESTABLISHED : outcome;
}

/*
 * PLSD_REASON_ALLOWED or the reason to drop, for `p`, a packet of this passage going in `direction`; the rest of the
 * verdict is in the passage then. A global function: the verifier checks it once.
 */
__noinline int judge(struct passage *way, const struct packet *p, __u32 direction, __u32 occasion)
{
	USES_ARENA();
	if (!way || !p)
		return PLSD_REASON_CORRUPT_POLICY;
	clear_verdict(&way->verdict);
	for (__u32 i = 0; i < PLSD_LAYERS; i++) {
		struct layer layer = layer_of(NIC_AT(way->scene.nic), direction, i, occasion);
		int outcome;

		if (!layer.blob)
			continue;
		outcome = ask(way, &layer, p, i, direction, occasion);
		if (outcome == PLSD_REASON_ESTABLISHED)
			break;
		if (outcome != PLSD_REASON_ALLOWED)
			return outcome;
	}
	return PLSD_REASON_ALLOWED;
}

/*
 * Whether some ports exist with which a packet between these addresses would be allowed, as far as one direction goes. A
 * global function: the verifier checks it once.
 */
__noinline int permits_fragment(__u32 at, __u32 direction, const struct packet *p)
{
	USES_ARENA();
	if (!p)
		return false;
	for (__u32 i = 0; i < PLSD_LAYERS; i++) {
		struct layer layer = layer_of(NIC_AT(at), direction, i, BEGINNING);
		int found;

		if (!layer.blob || layer.audit)
			continue;
		found = classify_fragment(layer.blob, p, root()->anchor);
		if (found == FRAGMENT_ALWAYS)
			return true;
		if (found != FRAGMENT_ALLOW && !(found == FRAGMENT_MISS && i == 0))
			return false;
	}
	return true;
}

/*
 * Whether a later fragment may belong to something that the rules allow. It has no ports, so it is asked whether any
 * would do; and since it may belong to an answer, whether any would do for a flow the other way. Without its first
 * fragment, which is judged in full, it is of no use to anyone.
 */
__noinline int judge_fragment(__u32 at, __u32 direction, const struct packet *p)
{
	struct packet reverse;

	if (!p)
		return PLSD_REASON_FRAGMENT;
	if (permits_fragment(at, direction, p))
		return PLSD_REASON_LATER_FRAGMENT;
	__builtin_memcpy(&reverse, p, sizeof(reverse));
	__builtin_memcpy(reverse.source, p->destination, sizeof(reverse.source));
	__builtin_memcpy(reverse.destination, p->source, sizeof(reverse.destination));
	return permits_fragment(at, !direction, &reverse) ? PLSD_REASON_LATER_FRAGMENT : PLSD_REASON_FRAGMENT;
}
