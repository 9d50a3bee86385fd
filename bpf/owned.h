/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Whose an address is: the ranges that a NIC owns, and the link-local addresses that it may give itself. Layout:
 * struct plsd_owned_addresses.
 *
 * A NIC of which no addresses are known owns none.
 */
#pragma once

#include "address.h"
#include "frame.h"

/* Halvings that lead from OWNED_RANGES_MAX ranges to one. */
#define OWNED_STEPS 9

_Static_assert(1 << OWNED_STEPS == PLSD_OWNED_RANGES_MAX, "the search ends at one range");

struct address {
	__u32 words[4];
};

/* The high or the low half of an IPv6 address, in host order. */
static __always_inline __u64 half_of(const __u32 *words)
{
	return (__u64)bpf_ntohl(words[0]) << 32 | bpf_ntohl(words[1]);
}

/* Whether the 128-bit number at `offset` is not above (high, low). */
static __always_inline bool is_at_most(__u32 offset, __u64 high, __u64 low)
{
	__u64 other = *IN_ARENA(__u64, offset);

	return other < high || (other == high && *IN_ARENA(__u64, offset + 8) <= low);
}

static __always_inline bool is_at_least(__u32 offset, __u64 high, __u64 low)
{
	__u64 other = *IN_ARENA(__u64, offset);

	return other > high || (other == high && *IN_ARENA(__u64, offset + 8) >= low);
}

/* Whether one of `count` ranges of two words each holds the address. */
static __always_inline bool holds_v4(__u32 ranges, __u32 count, __u32 address)
{
	__u32 low = 0;

	/* The last range that begins at or before the address. */
	for (__u32 i = 0; i < OWNED_STEPS && count > 1; i++) {
		__u32 half = count / 2;

		if (*IN_ARENA(__u32, ranges + (low + half) * 8) <= address)
			low += half;
		count -= half;
	}
	return count && *IN_ARENA(__u32, ranges + low * 8) <= address &&
	       address <= *IN_ARENA(__u32, ranges + low * 8 + 4);
}

/* The same for ranges of two 128-bit numbers. */
static __always_inline bool holds_v6(__u32 ranges, __u32 count, const __u32 *address)
{
	__u64 high = half_of(address), end = half_of(address + 2);
	__u32 low = 0;

	for (__u32 i = 0; i < OWNED_STEPS && count > 1; i++) {
		__u32 half = count / 2;

		if (is_at_most(ranges + (low + half) * 32, high, end))
			low += half;
		count -= half;
	}
	return count && is_at_most(ranges + low * 32, high, end) && is_at_least(ranges + low * 32 + 16, high, end);
}

/* The interface identifier that RFC 4291 makes of a hardware address. */
static __always_inline bool is_eui64_of(const __u32 *address, __u64 mac)
{
	return address[2] == (((__u32)mac & 0xffffff) ^ 0xff000002) &&
	       address[3] == (0xfe | (__u32)(mac >> 24) << 8);
}

/*
 * Whether an interface identifier may have been drawn at random (RFC 7217, 8981), as most systems do by now: nobody
 * can tell such addresses in advance. One that names a hardware address is that address's; small ones are given by
 * hand, chiefly to routers; and the platform's is the platform's. Those are a NIC's only if its ranges say so.
 */
static __always_inline bool may_be_drawn(const __u32 *address)
{
	bool is_eui64 = address[2] >> 24 == 0xff && (__u8)address[3] == 0xfe;

	return address[2] && !is_eui64 && !is_platform(6, address);
}

/*
 * A VM gives itself link-local addresses that nobody told us. With its MAC address guarded it answers for them under
 * its own name alone, so one that it may have drawn is taken for its own.
 */
static __always_inline bool is_own_link_local(const __u32 *address, __u64 mac, __u32 guards)
{
	if (address[0] != IPV6_LINK_LOCAL || address[1])
		return false;
	return is_eui64_of(address, mac) || (guards & PLSD_GUARD_MAC && may_be_drawn(address));
}

/* A global function: the verifier checks it once. */
__noinline int owns_address(__u32 owned, __u64 mac, __u32 guards, __u32 family, const struct address *address)
{
	struct plsd_owned_addresses __arena *ranges = IN_ARENA(struct plsd_owned_addresses, owned);

	USES_ARENA();
	if (!owned || !address)
		return false;
	if (family == 4)
		return holds_v4(ranges->v4, ranges->v4_count, bpf_ntohl(address->words[0]));
	return holds_v6(ranges->v6, ranges->v6_count, address->words) ||
	       is_own_link_local(address->words, mac, guards);
}

/* Whether the NIC owns the address, which is as on the wire. */
static __always_inline bool owns(nic_ref nic, __u32 family, const __u32 *address)
{
	return owns_address(nic->owned, mac_of_nic(nic), nic->guards, family, (const struct address *)address);
}
