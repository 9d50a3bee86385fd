/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From bytes to a struct packet: what the guards, the policy and the flow table need to know of an IP packet.
 *
 * The same code reads a packet and the one that an ICMP error quotes. What contradicts itself or cannot be followed
 * to its transport header is malformed; nothing is guessed. RFC 791, 8200, 1858, 3128, 5095, 7112.
 */
#pragma once

#include "address.h"
#include "options.h"

#define EXTENSION_HEADERS_MAX 8
#define IP_BYTES_MAX 65535

/* The packet is quoted in an ICMP error: it is cut short, and only 8 bytes of its transport header are certain. */
#define QUOTED 1

enum fragment {
	FRAGMENT_NONE, /* a whole packet */
	FRAGMENT_FIRST, /* with its transport header; an IPv6 one may also be the only one */
	FRAGMENT_LATER, /* without: no ports, and the protocol that the first one names */
};

struct packet {
	__u32 source[4]; /* as on the wire; IPv4 uses the first word */
	__u32 destination[4];
	__u32 payload; /* offset of what follows the transport header */
	__u32 end; /* offset of what follows the packet */
	__u16 source_port; /* host order; ICMP: 0 */
	__u16 destination_port; /* host order; ICMP: its type */
	__u16 icmp_id;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 hop_limit;
	__u8 fragmented; /* enum fragment */
	__u8 extension_words; /* of 8 bytes, in IPv6 extension headers; 255 for more */
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

/* Whether a datagram says to be longer than the whole packet that it came in; segments of one are not cut yet. */
static __always_inline bool exceeds_packet(struct __sk_buff *skb, __u32 length, __u32 room, __u32 flags,
					   const struct packet *p)
{
	return length > room && !(flags & QUOTED) && !p->fragmented && !skb->gso_size;
}

static __always_inline int parse_ports(struct __sk_buff *skb, __u32 at, __u32 end, __u32 flags, struct packet *p)
{
	struct wire_ports ports;

	if (at + sizeof(ports) > end || !fetch(skb, at, &ports, sizeof(ports)))
		return PLSD_REASON_MALFORMED;
	if (p->protocol == PROTOCOL_UDP) {
		__u32 length = bpf_ntohs(ports.length);

		if (length < sizeof(ports) || exceeds_packet(skb, length, end - at, flags, p))
			return PLSD_REASON_MALFORMED;
	}
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
	p->end = end;
	if (at > end)
		return PLSD_REASON_MALFORMED;
	if (p->fragmented == FRAGMENT_LATER)
		return 0;
	switch (p->protocol) {
	case PROTOCOL_TCP:
		return flags & QUOTED ? parse_ports(skb, at, end, flags, p) : parse_tcp(skb, at, end, p);
	case PROTOCOL_UDP:
		return parse_ports(skb, at, end, flags, p);
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return parse_icmp(skb, at, end, p);
	default:
		return 0;
	}
}

/* A piece of a packet. */
struct piece {
	__u32 offset; /* of its first byte among all that was cut */
	__u32 length;
	__u32 before; /* bytes that the whole packet has in front of what was cut, and that its length counts */
	bool more; /* others follow */
};

/*
 * Takes note of a piece of a packet; 0 or the reason to drop. Pieces without content, pieces that no other can
 * follow without overlap, and pieces beyond the longest packet come from attackers alone. So does one that would
 * overwrite the flags of a TCP header that was judged (RFC 3128). Of a quoted piece, the length is not known.
 */
static __always_inline int note_fragment(struct packet *p, const struct piece *piece, __u32 flags)
{
	if (p->protocol == PROTOCOL_TCP && piece->offset == 8)
		return PLSD_REASON_MALFORMED;
	if (!(flags & QUOTED)) {
		bool is_all = !piece->offset && !piece->more;

		if ((!piece->length && !is_all) || (piece->more && piece->length % 8))
			return PLSD_REASON_MALFORMED;
		if (piece->before + piece->offset + piece->length > IP_BYTES_MAX)
			return PLSD_REASON_MALFORMED;
	}
	p->fragmented = piece->offset ? FRAGMENT_LATER : FRAGMENT_FIRST;
	return 0;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, __u32 at, __u32 flags, struct packet *p)
{
	struct wire_ipv4 ip;
	__u32 header, total, end = skb->len;
	__u16 fragment;
	int reason;

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
		if (header > sizeof(ip)) {
			reason = walk_options(skb, at + sizeof(ip), header - sizeof(ip));
			if (reason)
				return reason;
		}
	}
	if (is_impossible_v4(ip.source, ip.destination, ip.protocol))
		return PLSD_REASON_MALFORMED;
	p->family = 4;
	p->protocol = ip.protocol;
	p->hop_limit = ip.ttl;
	p->source[0] = ip.source;
	p->destination[0] = ip.destination;
	fragment = bpf_ntohs(ip.fragment);
	if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) {
		struct piece piece = {
			.offset = (fragment & IPV4_FRAGMENT_OFFSET) * 8,
			.length = end - at - header,
			.before = header,
			.more = fragment & IPV4_MORE_FRAGMENTS,
		};

		reason = note_fragment(p, &piece, flags);
		if (reason)
			return reason;
	}
	return parse_transport(skb, at + header, end, flags, p);
}

static __always_inline bool is_extension(__u8 kind)
{
	return kind == PROTOCOL_HOP_BY_HOP || kind == PROTOCOL_ROUTING || kind == PROTOCOL_FRAGMENT ||
	       kind == PROTOCOL_DESTINATION_OPTIONS;
}

/*
 * A routing header that is done is for its receiver alone. One with segments left names hosts that the rules were not
 * asked about; type 0 is deprecated whatever it says (RFC 5095).
 */
static __always_inline bool is_source_route(__u16 detail)
{
	return !(detail >> 8) || detail & 0xff;
}

/* The fragment header at `at`, of a packet whose extension headers begin at `start`. */
static __always_inline int note_fragment_header(struct packet *p, __u32 start, __u32 at, __u32 end, __u16 detail,
						__u32 flags)
{
	struct piece piece = {
		.offset = detail & ~7,
		.length = end - at - sizeof(struct wire_extension),
		.before = at - start,
		.more = detail & IPV6_MORE_FRAGMENTS,
	};

	/* A piece of a piece; and options for every router, which are not in pieces. */
	if (p->fragmented || p->protocol == PROTOCOL_FRAGMENT || p->protocol == PROTOCOL_HOP_BY_HOP)
		return PLSD_REASON_MALFORMED;
	return note_fragment(p, &piece, flags);
}

/*
 * Walks the extension headers from `at`; leaves the protocol in `p` and the transport header's offset in its payload.
 * ESP, AH and all others are protocols and end the walk, and so does a later fragment: of what its first one has in
 * front of the transport header, it knows one number. A global function: the verifier checks it once.
 */
__noinline int walk_extensions(struct __sk_buff *skb, __u32 at, __u32 end, __u32 flags, struct packet *p)
{
	__u32 start = at;

	if (!p)
		return PLSD_REASON_MALFORMED;
	for (__u32 i = 0; i <= EXTENSION_HEADERS_MAX; i++) {
		struct wire_extension extension;
		__u8 kind = p->protocol;
		__u32 length = sizeof(extension), words = (at - start) / 8;
		int reason;

		if (!is_extension(kind) || p->fragmented == FRAGMENT_LATER) {
			p->payload = at;
			p->extension_words = words < 255 ? words : 255;
			return 0;
		}
		if (i == EXTENSION_HEADERS_MAX || (kind == PROTOCOL_HOP_BY_HOP && i))
			return PLSD_REASON_MALFORMED;
		if (at + sizeof(extension) > end || !load(skb, at, &extension, sizeof(extension)))
			return PLSD_REASON_MALFORMED;
		if (kind == PROTOCOL_ROUTING && is_source_route(bpf_ntohs(extension.detail)))
			return PLSD_REASON_SOURCE_ROUTE;
		p->protocol = extension.next_header;
		if (kind == PROTOCOL_FRAGMENT) {
			reason = note_fragment_header(p, start, at, end, bpf_ntohs(extension.detail), flags);
			if (reason)
				return reason;
		} else {
			length += extension.length * 8;
		}
		at += length;
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
	if (is_extension(ip.next_header)) {
		reason = walk_extensions(skb, at, end, flags, p);
		if (reason)
			return reason;
		at = p->payload;
	}
	if (is_impossible_v6(p->source, p->destination, p->protocol))
		return PLSD_REASON_MALFORMED;
	return parse_transport(skb, at, end, flags, p);
}

/*
 * Packets where they seldom are: behind a VLAN tag, in an ICMP error. A global function, which the verifier checks
 * once; the others are not parsed by a call, because a return costs as much as a third of the parsing.
 */
__noinline int parse_apart(struct __sk_buff *skb, __u32 at, __u32 family, __u32 flags, struct packet *p)
{
	if (!p)
		return PLSD_REASON_MALFORMED;
	return family == 4 ? parse_ipv4(skb, at, flags, p) : parse_ipv6(skb, at, flags, p);
}

/* Reads the IP packet at `at` into `p`, which the caller has zeroed. Returns 0 or the reason to drop. */
static __always_inline int parse_ip(struct __sk_buff *skb, __u32 at, __u32 family, __u32 flags, struct packet *p)
{
	if (at != ETHERNET_BYTES || flags)
		return parse_apart(skb, at, family, flags, p);
	return family == 4 ? parse_ipv4(skb, ETHERNET_BYTES, 0, p) : parse_ipv6(skb, ETHERNET_BYTES, 0, p);
}

/* The same for the packet that an ICMP error at `at` quotes. */
static __always_inline int parse_quoted(struct __sk_buff *skb, __u32 at, __u32 family, struct packet *p)
{
	return parse_apart(skb, at, family, QUOTED, p);
}
