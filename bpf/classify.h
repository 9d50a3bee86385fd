/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One rule list against one packet: fields to records, records to bit vectors, first bit of their AND to the rule.
 *
 * The layout is crates/abi/src/policy.rs. The publisher has validated the blob; the marks and bounds that are checked
 * here make damaged memory a drop instead of a verdict. Every access forms its offset first and goes through IN_ARENA
 * once, and every loop has a constant bound, so that the same source serves where the arena is one large array and the
 * kernel knows no may_goto.
 */
#pragma once

#include "packet.h"

/* Results of classify(). */
#define CLASSIFY_MISS 0
#define CLASSIFY_MATCH 1
#define CLASSIFY_CORRUPT (-1)

/* Results of classify_fragment(), beside CLASSIFY_CORRUPT. */
#define FRAGMENT_DENY 0
#define FRAGMENT_ALLOW 1 /* some pair of ports may be allowed by this list */
#define FRAGMENT_MISS 2 /* no rule allows, and some pair of ports may be matched by no rule */
#define FRAGMENT_ALWAYS 3 /* some pair of ports may always be allowed: no other list is asked */

/* No rule, in `shadow_rule`. */
#define MATCH_NONE 0xffffu

/* What a rule list says of a packet. */
struct match {
	__u32 rule;
	__u32 action;
	__u32 shadow_rule; /* the first rule in audit that matches, if it stands before `rule` */
	__u32 shadow_action;
	__u32 recheck; /* the second at which the answer may change by itself */
	__u32 until; /* the second in which `rule` ends */
};

/* Where a packet's records are. */
struct records {
	__u32 source;
	__u32 destination;
	__u32 protocol;
	__u32 port;
	__u32 time;
};

/*
 * The first entry of a grid and of a wide list, as words: the others are found by moving the whole by words, so its
 * alignment must not be that of the 64-bit numbers in it.
 */
struct grid_entry {
	__u32 grid[sizeof(struct plsd_grid) / 4];
	__u32 entry;
};

struct wide_entry {
	__u32 starts[PLSD_LIST_STARTS * sizeof(__u64) / sizeof(__u32)];
	__u32 entry;
};

/* The first word of a record's vector. */
struct record_word {
	struct plsd_record record;
	__u64 bits;
};

#define POLICY(blob) IN_ARENA(struct plsd_policy_header, blob)

/* Position of the lowest bit of `v`, which has one: BPF has no such instruction, so the blob carries a table. */
static __always_inline __u32 lowest_bit(__u32 blob, __u64 v)
{
	__u32 place = (v & -v) * PLSD_BIT_SEQUENCE >> 58;

	return *IN_ARENA(__u8, blob + __builtin_offsetof(struct plsd_policy_header, bit_positions) + place);
}

/*
 * The same for 16 bits. The product's upper four bits are another number for each single bit, and the nibble of the
 * constant at four times that number is the bit's position.
 */
static __always_inline __u32 lowest_word(__u32 v)
{
	__u32 place = (v & -v) * 0x09af0000u >> 26 & 60;

	return 0xcd7ea84fb6935210ull >> place & 15;
}

/* The entry that a list of 32-bit starts leads to: as many starts as are not above the key are passed over. */
static __always_inline __u32 through_narrow_list(__u32 list, __u64 key)
{
	__u32 passed = 0;

	/* Differences of 32-bit numbers: the sign bit compares without a branch, which would be a coin toss. */
#pragma unroll
	for (__u32 i = 0; i < PLSD_LIST_STARTS; i++)
		passed += (IN_ARENA(struct plsd_narrow_list, list)->starts[i] - key - 1) >> 63;
	return IN_ARENA(struct plsd_narrow_list, list + passed * 4)->entries[0];
}

static __always_inline __u32 through_wide_list(__u32 list, __u64 key)
{
	__u32 passed = 0;

#pragma unroll
	for (__u32 i = 0; i < PLSD_LIST_STARTS; i++)
		passed += IN_ARENA(struct plsd_wide_list, list)->starts[i] <= key;
	return IN_ARENA(struct wide_entry, list + passed * 4)->entry;
}

/* Kinds are single bits, so that one comparison tells whether an entry is of a kind or a higher one. */
static __always_inline __u32 at_entry(__u32 blob, __u32 entry)
{
	return blob + (entry & ~PLSD_ENTRY_KIND);
}

/* One grid on: the entry of the key's step. */
static __always_inline __u32 through_grid(__u32 grid, __u64 key)
{
	__u32 steps = IN_ARENA(struct plsd_grid, grid)->steps;
	__u64 base = IN_ARENA(struct plsd_grid, grid)->base;
	__u64 at = (key - base) >> IN_ARENA(struct plsd_grid, grid)->shift;

	if (at >= steps) {
		/* Seldom, and kept apart from what is done always. */
		barrier_var(at);
		at = key < base ? steps + 1 : steps;
	}
	return IN_ARENA(struct grid_entry, grid + (__u32)at * 4)->entry;
}

/* The entry behind all grids. No path has more of them than the key has steps; most have one or two. */
static __always_inline __u32 through_grids(__u32 blob, __u32 entry, __u64 key, __u32 bits)
{
	if (entry < PLSD_ENTRY_GRID)
		return entry;
	entry = through_grid(at_entry(blob, entry), key);
	if (entry < PLSD_ENTRY_GRID)
		return entry;
	entry = through_grid(at_entry(blob, entry), key);
#pragma nounroll
	for (__u32 i = 2; i < bits / PLSD_GRID_STEP_BITS && entry >= PLSD_ENTRY_GRID; i++)
		entry = through_grid(at_entry(blob, entry), key);
	return entry;
}

/* The record of a key of up to 32 bits. */
static __always_inline __u32 find_narrow(__u32 blob, __u32 entry, __u32 key, __u32 bits)
{
	entry = through_grids(blob, entry, key, bits);
	if (entry >= PLSD_ENTRY_LIST)
		entry = through_narrow_list(at_entry(blob, entry), key);
	return blob + entry;
}

static __always_inline __u32 find_half(__u32 blob, __u32 entry, const __u32 *half)
{
	__u64 key = bpf_be64_to_cpu(*(const __u64 *)half);

	entry = through_grids(blob, entry, key, 64);
	return entry >= PLSD_ENTRY_LIST ? through_wide_list(at_entry(blob, entry), key) : entry;
}

/* The record of an IPv6 address. */
static __always_inline __u32 find_wide(__u32 blob, __u32 entry, const __u32 *address)
{
	entry = find_half(blob, entry, address);
	if (entry >= PLSD_ENTRY_HALF)
		entry = find_half(blob, *IN_ARENA(__u32, at_entry(blob, entry)), address + 2);
	return blob + entry;
}

static __always_inline void find_addresses(__u32 blob, const struct packet *p, struct records *r)
{
	if (p->family == 4) {
		r->source = find_narrow(blob, POLICY(blob)->addresses[PLSD_ADDRESSES_V4], bpf_ntohl(p->source[0]), 32);
		r->destination = find_narrow(blob, POLICY(blob)->addresses[PLSD_ADDRESSES_V4 + 1],
					     bpf_ntohl(p->destination[0]), 32);
	} else {
		r->source = find_wide(blob, POLICY(blob)->addresses[PLSD_ADDRESSES_V6], p->source);
		r->destination = find_wide(blob, POLICY(blob)->addresses[PLSD_ADDRESSES_V6 + 1], p->destination);
	}
}

static __always_inline __u32 find_protocol(__u32 blob, const struct packet *p)
{
	__u32 protocols = blob + POLICY(blob)->protocols_offset;

	return find_narrow(blob, *IN_ARENA(__u32, protocols + p->protocol * 4), p->destination_port, 16);
}

static __always_inline __u32 find_source_port(__u32 blob, const struct packet *p)
{
	if (p->protocol == PROTOCOL_TCP || p->protocol == PROTOCOL_UDP)
		return find_narrow(blob, POLICY(blob)->source_ports, p->source_port, 16);
	return blob + POLICY(blob)->no_source_port;
}

/*
 * The record of the interval that holds the present, and in `end` where the interval ends. `anchor` is the wall clock
 * minus CLOCK_BOOTTIME, in nanoseconds. A function of its own: few lists know time.
 */
static __noinline __u32 find_time(__u32 blob, __u64 anchor, __u32 *end)
{
	__u32 count = POLICY(blob)->times_count, times = blob + POLICY(blob)->times_offset, passed = 0;
	__u64 now = (bpf_ktime_get_boot_ns() + anchor) / 1000000000;

	if (now >= PLSD_TIME_NEVER)
		now = PLSD_TIME_NEVER - 1;
	/* Sign bits again, and here so that the verifier does not follow every outcome. */
#pragma nounroll
	for (__u32 half = PLSD_POLICY_TIMES_MAX; half; half /= 2) {
		__u64 beyond = (__u64)count - passed - half;
		__u64 ahead = now - *IN_ARENA(__u32, times + (passed + half - 1) * 4);

		passed += half & ~(__u32)((__s64)(beyond | ahead) >> 63);
	}
	*end = passed < count ? *IN_ARENA(__u32, times + passed * 4) : PLSD_TIME_NEVER;
	return blob + *IN_ARENA(__u32, blob + POLICY(blob)->time_records_offset + passed * 4);
}

/* Word `word` of a record's vector, which is not zero. */
static __always_inline __u64 word_of(__u32 record, __u32 word)
{
	__u32 rank = IN_ARENA(struct plsd_record, record)->ranks >> (word * 4) & 15;

	return IN_ARENA(struct record_word, record + rank * 8)->bits;
}

/* The words in which some rule may match all fields, and the mark. `plain`: port and time are not looked up. */
static __always_inline __u32 heads_of(const struct records *r, bool plain)
{
	__u32 heads = IN_ARENA(struct plsd_record, r->source)->head & IN_ARENA(struct plsd_record, r->destination)->head &
		      IN_ARENA(struct plsd_record, r->protocol)->head;

	if (plain)
		return heads;
	return heads & IN_ARENA(struct plsd_record, r->port)->head & IN_ARENA(struct plsd_record, r->time)->head;
}

/* The rules of word `word` that match all fields. */
static __always_inline __u64 rules_of(const struct records *r, __u32 word, bool plain)
{
	__u64 rules = word_of(r->source, word) & word_of(r->destination, word) & word_of(r->protocol, word);

	return plain ? rules : rules & word_of(r->port, word) & word_of(r->time, word);
}

static __always_inline __u64 set_word(__u32 blob, __u32 set, __u32 word)
{
	return *IN_ARENA(__u64, blob + POLICY(blob)->sets_offset + (set * POLICY(blob)->words + word) * 8);
}

/* Magic number and version, which stand first, in one comparison. */
static __always_inline bool policy_is_sound(__u32 blob)
{
	return *IN_ARENA(__u64, blob) == ((__u64)PLSD_ABI_VERSION << 32 | PLSD_POLICY_MAGIC);
}

static __always_inline __u32 action_of(__u32 blob, __u32 rule)
{
	return *IN_ARENA(__u8, blob + POLICY(blob)->actions_offset + rule);
}

/* Takes the rules in audit out of `rules`, and notes the first of them. */
static __always_inline __u64 note_audit(__u32 blob, __u64 rules, __u32 word, struct match *out)
{
	__u64 audit = rules & set_word(blob, PLSD_SET_AUDIT, word), decides = rules & ~audit;

	/* Only what stands before the rule that decides: below the lowest bit of the others. */
	if (decides)
		audit &= (decides & -decides) - 1;
	if (audit && out->shadow_rule == MATCH_NONE) {
		out->shadow_rule = word * 64 + lowest_bit(blob, audit);
		out->shadow_action = action_of(blob, out->shadow_rule);
	}
	return decides;
}

/* The first rule that all records agree on. `plain`: a list of which no rule has a source port, a window or audit. */
static __always_inline int first_rule(__u32 blob, const struct records *r, bool plain, struct match *out)
{
	__u32 words = heads_of(r, plain) ^ PLSD_RECORD_MARK;

	if (words >> PLSD_POLICY_WORDS_MAX)
		return CLASSIFY_CORRUPT;
#pragma nounroll
	for (__u32 i = 0; i < PLSD_POLICY_WORDS_MAX && words; i++) {
		__u32 word = lowest_word(words);
		__u64 rules = rules_of(r, word, plain);

		if (!plain)
			rules = note_audit(blob, rules, word, out);
		if (rules) {
			out->rule = word * 64 + lowest_bit(blob, rules);
			out->action = action_of(blob, out->rule);
			return out->action <= PLSD_ACTION_CLOSED ? CLASSIFY_MATCH : CLASSIFY_CORRUPT;
		}
		words &= words - 1;
	}
	return CLASSIFY_MISS;
}

/* The same where the list has a source port, a window or audit. */
static __always_inline int first_rule_of_all(__u32 blob, const struct packet *p, struct records *r, __u64 anchor,
					     struct match *out)
{
	int found;

	__u32 flags = POLICY(blob)->flags;

	r->port = flags & PLSD_POLICY_SOURCE_PORTS ? find_source_port(blob, p) : r->protocol;
	r->time = flags & PLSD_POLICY_TIMES ? find_time(blob, anchor, &out->recheck) : r->protocol;
	found = first_rule(blob, r, false, out);
	if (found == CLASSIFY_MATCH && flags & PLSD_POLICY_TIMES)
		out->until = *IN_ARENA(__u32, blob + POLICY(blob)->expires_offset + out->rule * 4);
	return found;
}

/*
 * What the list says of a packet. `recheck`, `until` and the shadow are filled in whatever the result, `rule` and
 * `action` for a match. A global function: the verifier checks it once.
 */
__noinline int classify(__u32 blob, const struct packet *p, __u64 anchor, struct match *out)
{
	struct records r;

	if (!p || !out || !policy_is_sound(blob))
		return CLASSIFY_CORRUPT;
	out->shadow_rule = MATCH_NONE;
	out->recheck = PLSD_TIME_NEVER;
	out->until = PLSD_TIME_NEVER;
	find_addresses(blob, p, &r);
	r.protocol = find_protocol(blob, p);
	if (POLICY(blob)->flags)
		return first_rule_of_all(blob, p, &r, anchor, out);
	return first_rule(blob, &r, true, out);
}

/*
 * What the list says of a fragment that carries no ports. FRAGMENT_DENY is sure: no pair of ports is allowed. The others
 * are possible: a rule that matches some ports is taken to decide one of them, though rules before it may take them all.
 * Rules in audit decide nothing here either.
 */
__noinline int classify_fragment(__u32 blob, const struct packet *p, __u64 anchor)
{
	int answer = FRAGMENT_MISS;
	struct records r;
	__u32 words, end;

	if (!p || !policy_is_sound(blob))
		return CLASSIFY_CORRUPT;
	find_addresses(blob, p, &r);
	r.protocol = blob + *IN_ARENA(__u32, blob + POLICY(blob)->fragments_offset + p->protocol * 4);
	r.port = r.protocol;
	r.time = POLICY(blob)->flags & PLSD_POLICY_TIMES ? find_time(blob, anchor, &end) : r.protocol;
	words = heads_of(&r, false) ^ PLSD_RECORD_MARK;
	if (words >> PLSD_POLICY_WORDS_MAX)
		return CLASSIFY_CORRUPT;
#pragma nounroll
	for (__u32 word = 0; word < PLSD_POLICY_WORDS_MAX; word++) {
		__u64 rules, whole;

		if (!(words >> word & 1))
			continue;
		rules = rules_of(&r, word, false) & ~set_word(blob, PLSD_SET_AUDIT, word);
		whole = rules & set_word(blob, PLSD_SET_WHOLE, word);
		/* Nothing behind the first rule that matches whatever the ports is ever asked. */
		if (whole)
			rules &= (whole & -whole) | ((whole & -whole) - 1);
		if (rules & set_word(blob, PLSD_SET_ALWAYS, word))
			return FRAGMENT_ALWAYS;
		if (rules & set_word(blob, PLSD_SET_ALLOW, word))
			answer = FRAGMENT_ALLOW;
		if (whole)
			return answer == FRAGMENT_ALLOW ? answer : FRAGMENT_DENY;
	}
	return answer;
}
