/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Neighbour discovery: solicitations and advertisements of routers and neighbours, redirects. RFC 4861, 4862, 6980,
 * 7527.
 *
 * A message passes without a rule if the link needs it and no router would carry it on: everything else that looks
 * like discovery is either impossible, and dropped, or for the rules. A guarded VM speaks for its own addresses,
 * with its own hardware address. What a message may carry is bounded, or discovery would be a way around every rule.
 */
#pragma once

#include "owned.h"
#include "packet.h"

#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137

#define ND_HOP_LIMIT 255
#define ND_SOLICITED bpf_htonl(0x40000000)
/* What a router has to say fits into the packet that every link carries (RFC 8200, section 5). */
#define ND_ROUTER_BYTES_MAX (1280 - 40 - 8)

#define ND_SOURCE_MAC 1
#define ND_TARGET_MAC 2
#define ND_NONCE 14
/* A hardware address, and the nonce by which a host knows its own question again. */
#define ND_OPTIONS_MAX 2

struct wire_neighbour {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 flags;
	__u32 target[4];
};

struct wire_nd_option {
	__u8 kind;
	__u8 length; /* in units of 8 bytes */
	__u16 mac[3];
};

/* Who a guarded sender is. */
struct speaker {
	__u64 mac;
	__u32 owned;
	__u32 guards;
};

static __always_inline bool speaks_for(const struct speaker *who, const __u32 *address)
{
	return owns_address(who->owned, who->mac, who->guards, 6, (const struct address *)address);
}

/* Whether no router would carry the packet on; every IPv6 subnet of Azure, as most others, is a /64. */
static __always_inline bool stays_on_link(const struct packet *p)
{
	if (is_unspecified(p->source) || is_link_local(p->source) || is_link_local(p->destination) ||
	    is_link_group(p->destination))
		return true;
	return p->source[0] == p->destination[0] && p->source[1] == p->destination[1];
}

/* Whether discovery sends such a message there, in a packet of its own. */
static __always_inline bool is_needed(const struct packet *p, const __u32 *target)
{
	if (p->extension_words || !stays_on_link(p))
		return false;
	switch (p->destination_port) {
	case ND_NEIGHBOUR_SOLICITATION:
		return same_address(p->destination, target) || is_solicited_node(p->destination, target);
	case ND_ROUTER_SOLICITATION:
		return is_all_routers(p->destination) || !is_group_v6(p->destination);
	case ND_REDIRECT:
		return !is_group_v6(p->destination);
	default:
		return is_all_nodes(p->destination) || !is_group_v6(p->destination);
	}
}

/* Bytes of a message's fixed part after the first eight. */
static __always_inline __u32 fixed_part(__u16 type)
{
	switch (type) {
	case ND_ROUTER_SOLICITATION:
		return 0;
	case ND_ROUTER_ADVERTISEMENT:
		return 8;
	case ND_REDIRECT:
		return 32;
	default:
		return 16;
	}
}

/* What only routers say: no guest is one. What a VM receives, the guards of its sender have seen. */
static __always_inline int judge_router(const struct packet *p, const struct speaker *who)
{
	if (who->guards & PLSD_GUARD_ROUTER)
		return PLSD_REASON_ROUTER_MESSAGE;
	if (!is_link_local(p->source))
		return PLSD_REASON_MALFORMED;
	return p->end - p->payload <= ND_ROUTER_BYTES_MAX && is_needed(p, p->source) ? PLSD_REASON_LINK_CONTROL : 0;
}

/* What the options of a solicitation or an advertisement say. */
struct nd_options {
	bool is_broken;
	bool is_strange; /* more or others than it needs */
	bool names_source;
	bool names_other; /* hardware address than the speaker's */
};

/* Reads one option, which is there; false where it is not one that such a message needs. */
static __always_inline bool read_option(const struct wire_nd_option *option, __u32 kind, __u64 mac,
					struct nd_options *found)
{
	if (!option->length)
		found->is_broken = true;
	else if (option->length != 1 || (option->kind != kind && option->kind != ND_NONCE))
		found->is_strange = true;
	if (found->is_broken || found->is_strange)
		return false;
	if (option->kind == ND_NONCE)
		return true;
	found->names_source |= kind == ND_SOURCE_MAC;
	found->names_other |= mac_of((__u32)option->mac[1] << 16 | option->mac[0], option->mac[2]) != mac;
	return true;
}

static __always_inline void read_options(struct __sk_buff *skb, const struct packet *p, __u32 at, __u64 mac,
					 struct nd_options *found)
{
	__u32 kind = p->destination_port == ND_NEIGHBOUR_ADVERTISEMENT ? ND_TARGET_MAC : ND_SOURCE_MAC;
	struct wire_nd_option options[ND_OPTIONS_MAX] = {};
	__u32 room = p->end - at;

	found->is_broken = room % sizeof(options[0]);
	found->is_strange = room > sizeof(options);
	if (!room || found->is_broken || found->is_strange)
		return;
	found->is_broken = !load(skb, at, options, room == sizeof(options) ? sizeof(options) : sizeof(options[0]));
	if (!found->is_broken && read_option(&options[0], kind, mac, found) && room == sizeof(options))
		read_option(&options[1], kind, mac, found);
}

/* What RFC 4861 (6.1.1, 7.1.1, 7.1.2) tells a receiver to discard. */
static __always_inline bool is_invalid(const struct packet *p, const struct wire_neighbour *message,
				       const struct nd_options *options)
{
	bool has_source = !is_unspecified(p->source);

	if (options->is_broken || (options->names_source && !has_source))
		return true;
	switch (p->destination_port) {
	case ND_NEIGHBOUR_SOLICITATION:
		return is_group_v6(message->target) ||
		       (!has_source && !is_solicited_node(p->destination, message->target));
	case ND_NEIGHBOUR_ADVERTISEMENT:
		return !has_source || is_group_v6(message->target) ||
		       (is_group_v6(p->destination) && message->flags & ND_SOLICITED);
	default:
		return false;
	}
}

/* Whether a guarded VM speaks for somebody else. To ask for an address from :: is to claim it. */
static __always_inline bool is_foreign(const struct packet *p, const struct wire_neighbour *message,
				       const struct nd_options *options, const struct speaker *who)
{
	bool has_source = !is_unspecified(p->source);
	bool claims = p->destination_port == ND_NEIGHBOUR_ADVERTISEMENT ||
		      (p->destination_port == ND_NEIGHBOUR_SOLICITATION && !has_source);

	if (options->names_other || options->is_strange)
		return true;
	return (has_source && !speaks_for(who, p->source)) || (claims && !speaks_for(who, message->target));
}

/*
 * PLSD_REASON_LINK_CONTROL, 0 for a message that is for the rules, or the reason to drop. `guards` are those that
 * hold for the sender. A global function: the verifier checks it once.
 */
__noinline int judge_neighbour(struct __sk_buff *skb, const struct packet *p, __u32 guards, __u64 mac, __u32 owned)
{
	struct speaker who = { .mac = mac, .owned = owned, .guards = guards };
	struct wire_neighbour message = {};
	struct nd_options options = {};
	__u32 fixed;

	if (!p || p->hop_limit != ND_HOP_LIMIT || p->fragmented)
		return PLSD_REASON_MALFORMED;
	fixed = fixed_part(p->destination_port);
	if (p->payload + fixed > p->end || !load(skb, p->payload - ICMP_BYTES, &message, ICMP_BYTES) ||
	    message.code)
		return PLSD_REASON_MALFORMED;
	if (p->destination_port == ND_ROUTER_ADVERTISEMENT || p->destination_port == ND_REDIRECT)
		return judge_router(p, &who);
	if (fixed && !load(skb, p->payload, message.target, sizeof(message.target)))
		return PLSD_REASON_MALFORMED;
	read_options(skb, p, p->payload + fixed, mac, &options);
	if (is_invalid(p, &message, &options))
		return PLSD_REASON_MALFORMED;
	if (guards & PLSD_GUARD_NEIGHBOUR && is_foreign(p, &message, &options, &who))
		return PLSD_REASON_FOREIGN_NEIGHBOUR;
	return !options.is_strange && is_needed(p, message.target) ? PLSD_REASON_LINK_CONTROL : 0;
}
