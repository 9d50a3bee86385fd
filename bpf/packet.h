/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From bytes to a struct packet: what the policy and the flow table need to know of an IP packet.
 *
 * The same code reads a packet and the one that an ICMP error quotes. What contradicts itself or cannot be followed
 * to its transport header is malformed; nothing is guessed. RFC 791, 8200, 1858, 3128, 5095, 7112.
 */
#pragma once

#include "wire.h"

#define EXTENSION_HEADERS_MAX 8

/* The packet is quoted in an ICMP error: it is cut short, and only 8 bytes of its transport header are certain. */
#define QUOTED 1

struct packet {
	__u32 source[4]; /* as on the wire; IPv4 uses the first word */
	__u32 destination[4];
	__u32 payload; /* offset of what follows the transport header */
	__u16 source_port; /* host order; ICMP: 0 */
	__u16 destination_port; /* host order; ICMP: its type */
	__u16 icmp_id;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 hop_limit;
	__u8 fragmented; /* a first fragment, or an atomic one */
	__u8 reserved[5];
};

static __always_inline int parse_tcp(struct __sk_buff *skb, __u32 at, __u32 end, struct packet *p)
{
	struct wire_tcp tcp;
	__u32 length;

	if (at + sizeof(tcp) > end || !fetch(skb, at, &tcp, sizeof(tcp)))
		return PLSD_REASON_MALFORMED;
	length = (tcp.data_offset >> 4) * 4;
	if (length < sizeof(tcp) || at + length > end)
		return PLSD_REASON_MALFORMED;
	p->source_port = bpf_ntohs(tcp.ports.source);
	p->destination_port = bpf_ntohs(tcp.ports.destination);
	p->tcp_flags = tcp.flags;
	p->payload = at + length;
	return 0;
}

static __always_inline int parse_ports(struct __sk_buff *skb, __u32 at, __u32 end, struct packet *p)
{
	struct wire_ports ports;

	if (at + sizeof(ports) > end || !fetch(skb, at, &ports, sizeof(ports)))
		return PLSD_REASON_MALFORMED;
	if (p->protocol == PROTOCOL_UDP && bpf_ntohs(ports.length) < sizeof(ports))
		return PLSD_REASON_MALFORMED;
	p->source_port = bpf_ntohs(ports.source);
	p->destination_port = bpf_ntohs(ports.destination);
	p->payload = at + sizeof(ports);
	return 0;
}

static __always_inline int parse_icmp(struct __sk_buff *skb, __u32 at, __u32 end, struct packet *p)
{
	struct wire_icmp icmp;

	if (at + sizeof(icmp) > end || !fetch(skb, at, &icmp, sizeof(icmp)))
		return PLSD_REASON_MALFORMED;
	p->destination_port = icmp.type;
	p->icmp_id = bpf_ntohs(icmp.id);
	p->payload = at + sizeof(icmp);
	return 0;
}

static __always_inline int parse_transport(struct __sk_buff *skb, __u32 at, __u32 end, __u32 flags, struct packet *p)
{
	p->payload = at;
	switch (p->protocol) {
	case PROTOCOL_TCP:
		return flags & QUOTED ? parse_ports(skb, at, end, p) : parse_tcp(skb, at, end, p);
	case PROTOCOL_UDP:
		return parse_ports(skb, at, end, p);
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return parse_icmp(skb, at, end, p);
	default:
		return at <= end ? 0 : PLSD_REASON_MALFORMED;
	}
}

/* A fragment that is not the first. One that would overwrite the TCP flags of the first is an attack (RFC 3128). */
static __always_inline int later_fragment(__u8 protocol, __u32 offset)
{
	return protocol == PROTOCOL_TCP && offset == 1 ? PLSD_REASON_MALFORMED : PLSD_REASON_FRAGMENT;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, __u32 at, __u32 flags, struct packet *p)
{
	struct wire_ipv4 ip;
	__u32 header, total, end = skb->len;
	__u16 fragment;

	if (!fetch(skb, at, &ip, sizeof(ip)))
		return PLSD_REASON_MALFORMED;
	header = (ip.version_length & 15) * 4;
	if (ip.version_length >> 4 != 4 || header < sizeof(ip))
		return PLSD_REASON_MALFORMED;
	if (!(flags & QUOTED)) {
		total = bpf_ntohs(ip.total_length);
		/* A segmented packet beyond 64 KiB has no length of its own. */
		if (!total && skb->gso_size)
			total = end - at;
		if (total < header || at + total > end)
			return PLSD_REASON_MALFORMED;
		end = at + total;
	}
	p->family = 4;
	p->protocol = ip.protocol;
	p->hop_limit = ip.ttl;
	p->source[0] = ip.source;
	p->destination[0] = ip.destination;
	fragment = bpf_ntohs(ip.fragment);
	if (fragment & IPV4_FRAGMENT_OFFSET)
		return later_fragment(ip.protocol, fragment & IPV4_FRAGMENT_OFFSET);
	p->fragmented = !!(fragment & IPV4_MORE_FRAGMENTS);
	return parse_transport(skb, at + header, end, flags, p);
}

/*
 * Walks the extension headers from `*at`; leaves the protocol in `p` and the transport header's offset in `*at`.
 * ESP and AH are protocols of their own and end the walk.
 */
static __always_inline int skip_extensions(struct __sk_buff *skb, __u32 *at, __u32 end, struct packet *p)
{
	for (int i = 0; i <= EXTENSION_HEADERS_MAX && can_loop; i++) {
		struct wire_extension extension;
		__u8 kind = p->protocol;
		__u32 length = sizeof(extension);
		__u16 detail;

		if (kind != PROTOCOL_HOP_BY_HOP && kind != PROTOCOL_ROUTING && kind != PROTOCOL_FRAGMENT &&
		    kind != PROTOCOL_DESTINATION_OPTIONS)
			return 0;
		if (kind == PROTOCOL_HOP_BY_HOP && i)
			return PLSD_REASON_MALFORMED;
		if (*at + sizeof(extension) > end ||
		    bpf_skb_load_bytes(skb, *at, &extension, sizeof(extension)))
			return PLSD_REASON_MALFORMED;
		detail = bpf_ntohs(extension.detail);
		if (kind == PROTOCOL_ROUTING && !(detail >> 8))
			return PLSD_REASON_MALFORMED;
		if (kind == PROTOCOL_FRAGMENT) {
			if (detail >> 3)
				return later_fragment(extension.next_header, detail >> 3);
			p->fragmented = 1;
		} else {
			length += extension.length * 8;
		}
		p->protocol = extension.next_header;
		*at += length;
	}
	return PLSD_REASON_MALFORMED;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, __u32 at, __u32 flags, struct packet *p)
{
	struct wire_ipv6 ip;
	__u32 payload, end = skb->len;
	int reason;

	if (!fetch(skb, at, &ip, sizeof(ip)) || ip.version_class >> 4 != 6)
		return PLSD_REASON_MALFORMED;
	at += sizeof(ip);
	if (!(flags & QUOTED)) {
		payload = bpf_ntohs(ip.payload_length);
		if (!payload && skb->gso_size)
			payload = end - at;
		if (at + payload > end)
			return PLSD_REASON_MALFORMED;
		end = at + payload;
	}
	p->family = 6;
	p->protocol = ip.next_header;
	p->hop_limit = ip.hop_limit;
	__builtin_memcpy(p->source, ip.source, sizeof(p->source));
	__builtin_memcpy(p->destination, ip.destination, sizeof(p->destination));
	reason = skip_extensions(skb, &at, end, p);
	return reason ? reason : parse_transport(skb, at, end, flags, p);
}

/* Reads the IP packet at `at` into `p`, which the caller has zeroed. Returns 0 or the reason to drop. */
static __always_inline int parse_ip(struct __sk_buff *skb, __u32 at, __u32 family, __u32 flags, struct packet *p)
{
	return family == 4 ? parse_ipv4(skb, at, flags, p) : parse_ipv6(skb, at, flags, p);
}

/*
 * The same for the packet that an ICMP error at `at` quotes. A global function, which the verifier checks once; packets
 * are not parsed by a call, because a return costs as much as a third of the parsing.
 */
__noinline int parse_quoted(struct __sk_buff *skb, __u32 at, __u32 family, struct packet *p)
{
	return p ? parse_ip(skb, at, family, QUOTED, p) : PLSD_REASON_MALFORMED;
}
