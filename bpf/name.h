/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The name of a packet's flow: its key as six words, and their hash. Layout: struct plsd_flow_key, whose `seen` is no part
 * of the name.
 *
 * Words are how a key is made, hashed and compared. The hash multiplies each with a secret factor: who does not know the
 * factors cannot aim at the buckets of another one's flow (Carter, Wegman 1979; multilinear).
 */
#pragma once

#include "icmp.h"
#include "nic.h"

#define NAME_WORDS (sizeof(struct plsd_flow_key) / 8)

struct name {
	__u64 words[NAME_WORDS];
	__u64 hash;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "key words are composed for little-endian hosts");
_Static_assert(NAME_WORDS == 6, "the hash has a factor for each word of a key");
_Static_assert(sizeof(struct plsd_flow) == 128, "flows are found by shifting");

/* Words 0 and 1 of a key. */
static __always_inline __u64 name_endpoint(__u32 slot, __u16 local_port, __u16 remote_port)
{
	return slot | (__u64)local_port << 32 | (__u64)remote_port << 48;
}

static __always_inline __u64 name_kind(const struct packet *p, __u8 query, __u32 query_direction)
{
	return p->protocol | (__u32)query << 8 | (query_direction & 1) << 16 | (__u32)p->family << 24;
}

/* False if the packet belongs to no flow by its kind: an ICMP message that is no query. */
static __always_inline bool name_what(const struct packet *p, __u32 slot, __u32 direction, struct name *name)
{
	bool outbound = direction == PLSD_DIRECTION_OUTBOUND;

	switch (icmp_kind(p)) {
	case ICMP_NONE:
		/* Protocols without ports have zeros there. */
		name->words[0] = outbound ? name_endpoint(slot, p->source_port, p->destination_port) :
					    name_endpoint(slot, p->destination_port, p->source_port);
		name->words[1] = name_kind(p, 0, 0);
		return true;
	case ICMP_REQUEST:
		name->words[0] = name_endpoint(slot, p->icmp_id, 0);
		name->words[1] = name_kind(p, p->destination_port, direction);
		return true;
	case ICMP_REPLY:
		name->words[0] = name_endpoint(slot, p->icmp_id, 0);
		name->words[1] = name_kind(p, icmp_request_of(p), !direction);
		return true;
	default:
		return false;
	}
}

static __always_inline __u64 pair(const __u32 *words)
{
	return words[0] | (__u64)words[1] << 32;
}

static __always_inline __u64 mix(__u64 hash)
{
	hash ^= hash >> 29;
	hash *= 0x9e3779b97f4a7c15ull; /* 2^64 divided by the golden ratio */
	return hash ^ hash >> 32;
}

static __always_inline void name_addresses(const struct packet *p, __u32 direction, struct name *name)
{
	bool outbound = direction == PLSD_DIRECTION_OUTBOUND;
	const __u32 *local = outbound ? p->source : p->destination;
	const __u32 *remote = outbound ? p->destination : p->source;

	if (p->family == 4) {
		name->words[2] = local[0];
		name->words[3] = 0;
		name->words[4] = remote[0];
		name->words[5] = 0;
		return;
	}
	name->words[2] = pair(local);
	name->words[3] = pair(local + 2);
	name->words[4] = pair(remote);
	name->words[5] = pair(remote + 2);
}

static __always_inline __u64 hash_of(const struct name *name, __u8 family)
{
	__u64 hash = name->words[0] * root()->hash_keys[0] + name->words[1] * root()->hash_keys[1] +
		     name->words[2] * root()->hash_keys[2] + name->words[4] * root()->hash_keys[4];

	if (family != 4)
		hash += name->words[3] * root()->hash_keys[3] + name->words[5] * root()->hash_keys[5];
	return mix(hash);
}

/* Names the flow that the packet, going in `direction`, belongs to; false if it belongs to none by its kind. */
static __always_inline bool name_flow(const struct packet *p, __u32 slot, __u32 direction, struct name *name)
{
	if (!name_what(p, slot, direction, name))
		return false;
	name_addresses(p, direction, name);
	name->hash = hash_of(name, p->family);
	return true;
}

/* Names a packet for an event alone: as far as it was read, and whether or not it is of a flow. */
static __always_inline void name_packet(const struct packet *p, __u32 slot, __u32 direction, struct name *name)
{
	if (!name_what(p, slot, direction, name)) {
		name->words[0] = slot;
		name->words[1] = name_kind(p, 0, 0);
	}
	name_addresses(p, direction, name);
}

/* Whether the key at `key` is the name. Words 3 and 5 of IPv4 keys are zero, and the family is in word 1. */
static __always_inline bool is_named(__u32 key, const struct name *name)
{
	if (*IN_ARENA(__u64, key) != name->words[0] || *IN_ARENA(__u32, key + 8) != (__u32)name->words[1] ||
	    *IN_ARENA(__u64, key + 16) != name->words[2] || *IN_ARENA(__u64, key + 32) != name->words[4])
		return false;
	if ((name->words[1] >> 24 & 0xff) == 4)
		return true;
	return *IN_ARENA(__u64, key + 24) == name->words[3] && *IN_ARENA(__u64, key + 40) == name->words[5];
}

static __always_inline void write_name(__u32 key, const struct name *name)
{
#pragma unroll
	for (__u32 i = 0; i < NAME_WORDS; i++)
		*IN_ARENA(__u64, key + i * 8) = name->words[i];
}

static __always_inline __u32 slot_of(const struct name *name)
{
	return name->words[0];
}

static __always_inline __u8 family_of(const struct name *name)
{
	return name->words[1] >> 24;
}
