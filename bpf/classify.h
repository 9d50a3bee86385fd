/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One rule list against one packet: fields to classes, classes to bit vectors, first bit of their AND to the rule.
 *
 * The layout is crates/abi/src/policy.rs. The publisher has validated the blob; the checks here make damaged memory
 * a drop instead of a verdict. Arena reads cannot fault, so interval tables are followed unchecked.
 */
#pragma once

#include "packet.h"

/* Results of classify() that are not a match; a match is `rule << 8 | action`. */
#define CLASSIFY_MISS 0xffffffffu
#define CLASSIFY_CORRUPT 0xfffffffeu

#define MATCH_RULE(match) ((match) >> 8)
#define MATCH_ACTION(match) ((match) & 0xff)

/* A class that no table has. */
#define CLASS_CORRUPT 0xffffffffu

struct vectors {
	__u32 summary;
	__u64 __arena *words;
};

/*
 * Position of the lowest bit of `v`, which has one. BPF has no such instruction: count the ones below it. The empty
 * assembly keeps the compiler from recognising this and using a table, which would be a map of its own.
 */
static __always_inline __u32 lowest_bit(__u64 v)
{
	__u64 below = ~v & (v - 1);

	asm volatile("" : "+r"(below));
	below = below - ((below >> 1) & 0x5555555555555555ull);
	below = (below & 0x3333333333333333ull) + ((below >> 2) & 0x3333333333333333ull);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (below * 0x0101010101010101ull) >> 56;
}

/* The intervals among which the search for an address with the root index `bucket` goes on. */
static __always_inline void search_range(__u32 blob, struct plsd_address_table __arena *table, __u32 bucket, __u32 *low,
					 __u32 *high)
{
	*low = 0;
	*high = table->count - 1;
	if (table->root_bits) {
		__u32 __arena *root = IN_ARENA(__u32, blob + table->root_offset);

		*low = root[bucket];
		*high = root[bucket + 1];
	}
}

static __always_inline __u32 class_of_ipv4(__u32 blob, struct plsd_address_table __arena *table, __u32 address)
{
	__u32 __arena *starts = IN_ARENA(__u32, blob + table->starts_offset);
	__u32 low, high;

	search_range(blob, table, (__u64)address >> (32 - table->root_bits), &low, &high);
	for (int i = 0; i < 20 && low < high; i++) {
		__u32 middle = (low + high + 1) / 2;

		if (starts[middle] <= address)
			low = middle;
		else
			high = middle - 1;
	}
	return IN_ARENA(__u16, blob + table->classes_offset)[low];
}

static __always_inline __u32 class_of_ipv6(__u32 blob, struct plsd_address_table __arena *table, const __u32 *address)
{
	__u64 __arena *starts = IN_ARENA(__u64, blob + table->starts_offset);
	__u64 upper = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);
	__u64 lower = (__u64)bpf_ntohl(address[2]) << 32 | bpf_ntohl(address[3]);
	__u32 low, high;

	search_range(blob, table, upper >> 1 >> (63 - table->root_bits), &low, &high);
	for (int i = 0; i < 20 && low < high; i++) {
		__u32 middle = (low + high + 1) / 2;
		__u64 start = starts[2 * middle];

		if (start < upper || (start == upper && starts[2 * middle + 1] <= lower))
			low = middle;
		else
			high = middle - 1;
	}
	return IN_ARENA(__u16, blob + table->classes_offset)[low];
}

static __always_inline __u32 class_of_port(__u32 blob, struct plsd_port_table __arena *table, __u16 port)
{
	__u32 page = IN_ARENA(__u16, blob + table->pages_offset)[port >> 8];

	return IN_ARENA(__u16, blob + table->classes_offset)[page << 8 | (port & 0xff)];
}

static __always_inline __u32 class_of_protocol(__u32 blob, struct plsd_policy_header __arena *policy,
					       const struct packet *p)
{
	__u32 entry = IN_ARENA(__u32, blob + policy->protocol_offset)[p->protocol];

	if (!(entry & PLSD_PROTOCOL_PORT_TABLE))
		return entry;
	entry &= ~PLSD_PROTOCOL_PORT_TABLE;
	if (entry >= policy->size)
		return CLASS_CORRUPT;
	return class_of_port(blob, IN_ARENA(struct plsd_port_table, blob + entry), p->destination_port);
}

/* The vector of a class; false if the class or the vector is not in the blob. */
static __always_inline bool vectors_of(__u32 blob, struct plsd_policy_header __arena *policy,
				       struct plsd_vector_set __arena *set, __u32 class, struct vectors *out)
{
	__u64 summary = set->summaries_offset + (__u64)class * 4;
	__u64 words = set->vectors_offset + (__u64)class * policy->words * 8;

	if (class >= set->classes || summary >= policy->size || words > policy->size)
		return false;
	out->summary = *IN_ARENA(__u32, blob + (__u32)summary);
	out->words = IN_ARENA(__u64, blob + (__u32)words);
	return true;
}

static __always_inline bool policy_is_sound(struct plsd_policy_header __arena *policy)
{
	return policy->magic == PLSD_POLICY_MAGIC && policy->version == PLSD_ABI_VERSION &&
	       policy->size <= PLSD_POLICY_BYTES_MAX && policy->rules <= PLSD_POLICY_RULES_MAX &&
	       policy->words <= PLSD_POLICY_WORDS_MAX && policy->actions_offset < policy->size &&
	       policy->protocol_offset < policy->size;
}

static __always_inline __u32 match_of(__u32 blob, struct plsd_policy_header __arena *policy, __u32 rule)
{
	__u8 action;

	if (rule >= policy->rules)
		return CLASSIFY_CORRUPT;
	action = IN_ARENA(__u8, blob + policy->actions_offset)[rule];
	return action <= PLSD_ACTION_CLOSED ? rule << 8 | action : CLASSIFY_CORRUPT;
}

static __always_inline __u32 first_match(__u32 blob, struct plsd_policy_header __arena *policy,
					 const struct vectors *v)
{
	__u32 candidates = v[0].summary & v[1].summary & v[2].summary & v[3].summary;

	for (int i = 0; i < 17 && candidates; i++) {
		__u32 word = lowest_bit(candidates);
		__u64 rules = v[0].words[word] & v[1].words[word] & v[2].words[word] & v[3].words[word];

		if (rules)
			return match_of(blob, policy, word * 64 + lowest_bit(rules));
		candidates &= candidates - 1;
	}
	return CLASSIFY_MISS;
}

/* The first rule of the blob that matches, with its action. A global function: the verifier checks it once. */
static __always_inline __u32 classify_packet(__u32 blob, const struct packet *p)
{
	struct plsd_policy_header __arena *policy = IN_ARENA(struct plsd_policy_header, blob);
	struct plsd_address_table __arena *source, *destination;
	__u32 source_class, destination_class, port_class = 0;
	struct vectors v[4];

	if (!p || !policy_is_sound(policy))
		return CLASSIFY_CORRUPT;
	source = &policy->addresses[p->family == 4 ? PLSD_ADDRESSES_V4 : PLSD_ADDRESSES_V6];
	destination = source + 1;
	if (p->family == 4) {
		source_class = class_of_ipv4(blob, source, bpf_ntohl(p->source[0]));
		destination_class = class_of_ipv4(blob, destination, bpf_ntohl(p->destination[0]));
	} else {
		source_class = class_of_ipv6(blob, source, p->source);
		destination_class = class_of_ipv6(blob, destination, p->destination);
	}
	if (!vectors_of(blob, policy, &source->vectors, source_class, &v[0]) ||
	    !vectors_of(blob, policy, &destination->vectors, destination_class, &v[1]) ||
	    !vectors_of(blob, policy, &policy->protocol_vectors, class_of_protocol(blob, policy, p), &v[2]))
		return CLASSIFY_CORRUPT;
	v[3] = v[2];
	if (policy->has_source_ports) {
		if (p->protocol == PROTOCOL_TCP || p->protocol == PROTOCOL_UDP)
			port_class = class_of_port(blob, &policy->source_ports, p->source_port);
		if (!vectors_of(blob, policy, &policy->source_port_vectors, port_class, &v[3]))
			return CLASSIFY_CORRUPT;
	}
	return first_match(blob, policy, v);
}

#define CLASSIFY_MATCH 0

/* What a list says of a packet. */
struct match {
	__u32 rule;
	__u32 action;
	__u32 shadow_rule; /* the first rule in audit before the deciding one, or PLSD_RULE_NONE */
	__u32 shadow_action;
	__u32 recheck; /* second at which the answer may change */
	__u32 until; /* second at which the rule ends to hold */
};

/* The first rule of the blob that matches, with its action. A global function: the verifier checks it once. */
__noinline int classify(__u32 blob, const struct packet *p, __u64 anchor, struct match *out)
{
	__u32 found;

	USES_ARENA();
	asm volatile("" : : "r"(anchor));
	if (!p || !out)
		return CLASSIFY_CORRUPT;
	found = classify_packet(blob, p);
	out->rule = MATCH_RULE(found);
	out->action = MATCH_ACTION(found);
	out->shadow_rule = PLSD_RULE_NONE;
	out->shadow_action = 0;
	out->recheck = PLSD_NEVER;
	out->until = PLSD_NEVER;
	return found >= CLASSIFY_CORRUPT ? found : CLASSIFY_MATCH;
}

#define FRAGMENT_ALLOW 1
#define FRAGMENT_MISS 2
#define FRAGMENT_ALWAYS 3

__noinline int classify_fragment(__u32 blob, const struct packet *p, __u64 anchor)
{
	asm volatile("" : : "r"(anchor), "r"(blob), "r"(p));
	return 0;
}
