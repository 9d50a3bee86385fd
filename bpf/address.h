/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Forms of addresses, as they are on the wire. RFC 1122, 4291, 6890.
 *
 * It says what an address is by itself, never whose it is.
 */
#pragma once

#include "wire.h"

#define IPV4_BROADCAST bpf_htonl(0xffffffff)
#define IPV4_PLATFORM bpf_htonl(0xa83f8110) /* 168.63.129.16 */
#define IPV4_METADATA bpf_htonl(0xa9fea9fe) /* 169.254.169.254 */

/* The first word of link-local addresses that exist: the 54 bits behind fe80::/10 are zero. */
#define IPV6_LINK_LOCAL bpf_htonl(0xfe800000)
/* fe80::1234:5678:9abc, the platform's address on every link. */
#define IPV6_PLATFORM_MIDDLE bpf_htonl(0x00001234)
#define IPV6_PLATFORM_END bpf_htonl(0x56789abc)

static __always_inline bool same_address(const __u32 *a, const __u32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline bool is_loopback_v4(__be32 address)
{
	return (address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

static __always_inline bool is_group_v4(__be32 address)
{
	return (address & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000);
}

static __always_inline bool is_group_v6(const __u32 *address)
{
	return (address[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

/* A group of the link alone: ff02::/16, all of its flags zero. */
static __always_inline bool is_link_group(const __u32 *address)
{
	return (address[0] & bpf_htonl(0xffff0000)) == bpf_htonl(0xff020000);
}

static __always_inline bool is_link_local(const __u32 *address)
{
	return (address[0] & bpf_htonl(0xffc00000)) == IPV6_LINK_LOCAL;
}

static __always_inline bool is_unspecified(const __u32 *address)
{
	return !(address[0] | address[1] | address[2] | address[3]);
}

/* The IPv6 group ff02:<middle>::<end>. */
static __always_inline bool is_group(const __u32 *address, __u32 first, __u32 middle, __u32 end)
{
	return address[0] == bpf_htonl(first) && !address[1] && address[2] == bpf_htonl(middle) &&
	       address[3] == bpf_htonl(end);
}

static __always_inline bool is_all_nodes(const __u32 *address)
{
	return is_group(address, 0xff020000, 0, 1);
}

static __always_inline bool is_all_routers(const __u32 *address)
{
	return is_group(address, 0xff020000, 0, 2);
}

/* The group in which the owner of `target` is asked for: ff02::1:ff00:0/104 and the address's last 24 bits. */
static __always_inline bool is_solicited_node(const __u32 *address, const __u32 *target)
{
	return is_group(address, 0xff020000, 1, bpf_ntohl(target[3]) | 0xff000000);
}

/* Stays inside a host: ::, ::1, and IPv4 addresses written as IPv6 ones (::ffff:0:0/96). */
static __always_inline bool is_internal_v6(const __u32 *address)
{
	if (address[0] | address[1])
		return false;
	return address[2] == bpf_htonl(0xffff) || (!address[2] && !(address[3] & ~bpf_htonl(1)));
}

/*
 * Addresses that no packet on a wire has. Groups and loopback addresses send nothing. A host without an address yet
 * sends from 0.0.0.0 or :: what gives it one (DHCP, neighbour discovery) or names its groups (IGMP, MLD). 240.0.0.0/4
 * is in private use at some and may pass.
 */
static __always_inline bool is_impossible_v4(__be32 source, __be32 destination, __u8 protocol)
{
	if (is_loopback_v4(source) || is_loopback_v4(destination) || !destination)
		return true;
	if (is_group_v4(source) || source == IPV4_BROADCAST)
		return true;
	return !source && protocol != PROTOCOL_UDP && protocol != PROTOCOL_IGMP;
}

static __always_inline bool is_impossible_v6(const __u32 *source, const __u32 *destination, __u8 protocol)
{
	if (is_group_v6(source) || is_internal_v6(destination))
		return true;
	if (!is_internal_v6(source))
		return false;
	return !is_unspecified(source) || protocol != PROTOCOL_ICMPV6;
}

static __always_inline bool is_platform(__u32 family, const __u32 *address)
{
	if (family == 4)
		return address[0] == IPV4_PLATFORM || address[0] == IPV4_METADATA;
	return address[0] == IPV6_LINK_LOCAL && !address[1] && address[2] == IPV6_PLATFORM_MIDDLE &&
	       address[3] == IPV6_PLATFORM_END;
}
