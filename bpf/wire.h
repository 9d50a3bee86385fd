/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Headers as they are on the wire, and how to read them from a packet. Nothing here judges. */
#pragma once

#include "kernel.h"

#define ETHERNET_SOURCE 6 /* offset */
#define ETHERNET_BYTES 14
#define ETHERNET_PAYLOAD_MIN 46 /* what is shorter is filled up */
#define TAG_BYTES 4

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100 /* 802.1Q */
#define ETHERTYPE_SERVICE_VLAN 0x88a8 /* 802.1ad */

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_IGMP 2
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_DESTINATION_OPTIONS 60

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 0x0001

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* An Ethernet header from the source address on. */
struct wire_ethernet {
	__u32 source_start;
	__u16 source_end;
	__be16 type;
};

struct wire_ipv4 {
	__u8 version_length;
	__u8 service;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct wire_ipv6 {
	__u8 version_class;
	__u8 class_label[3];
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u32 source[4];
	__u32 destination[4];
};

struct wire_extension {
	__u8 next_header;
	__u8 length; /* of the header in units of 8 bytes, beyond the first 8 */
	__be16 detail; /* fragment header: offset and flags; routing header: type, segments left */
	__be32 more;
};

/* The first 8 bytes of every transport header: all that an ICMP error must quote. */
struct wire_ports {
	__be16 source;
	__be16 destination;
	union {
		__be32 sequence; /* TCP */
		__be16 length; /* UDP */
	};
};

struct wire_tcp {
	struct wire_ports ports;
	__be32 acknowledgement;
	__u8 data_offset;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

#define ICMP_BYTES 8

struct wire_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
};

/* Packet pointers may not be moved farther than this without a bound that the verifier knows. */
#define DIRECT_MAX 1024

/*
 * Copies `size` bytes at `at`; a constant, a multiple of 4 or 2 itself. The linear part of a segmented packet may end
 * after the headers or earlier; what lies beyond it is copied by the kernel, and the packet itself is never changed.
 */
static __always_inline bool fetch(struct __sk_buff *skb, __u32 at, void *to, const __u32 size)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;

	if (at <= DIRECT_MAX) {
		const void *from = data + at;

		if (from + size <= end) {
			if (size == sizeof(__u16)) {
				*(__u16 *)to = *(const __u16 *)from;
				return true;
			}
#pragma unroll
			for (__u32 i = 0; i < size / 4; i++)
				((__u32 *)to)[i] = ((const __u32 *)from)[i];
			return true;
		}
	}
	return bpf_skb_load_bytes(skb, at, to, size) == 0;
}

/* The same for what is read seldom, of any size: without the shortcut, which costs the verifier more than it saves. */
static __always_inline bool load(struct __sk_buff *skb, __u32 at, void *to, __u32 size)
{
	return bpf_skb_load_bytes(skb, at, to, size) == 0;
}
