/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The flow table: where a name's flow is, and how a place for it is taken. Layout and rules: crates/abi/src/flow.rs.
 *
 * Two buckets are open to each name, so that buckets fill evenly (Azar et al., Balanced Allocations, 1994). It does not
 * know what a flow means, but when one is over.
 */
#pragma once

#include "name.h"

#define FLOW_AT(offset) IN_ARENA(struct plsd_flow, offset)
#define BUCKETS 2

typedef struct plsd_flow __arena *flow_ref;

/* A way of the table. */
struct place {
	__u32 tag; /* offset of the tag */
	__u32 flow; /* offset of the flow */
};

static __always_inline __u32 tag_of(const struct name *name)
{
	return (__u32)(name->hash >> 32) | 0x80000000;
}

static __always_inline __u32 bucket_of(const struct name *name, __u32 which)
{
	__u32 hash = which ? (__u32)(name->hash * 0xff51afd7ed558ccdull >> 32) : (__u32)name->hash;

	return (__u64)hash * root()->bucket_count >> 32;
}

static __always_inline __u32 offset_of_bucket(__u32 bucket)
{
	return root()->buckets + bucket * sizeof(struct plsd_flow_bucket);
}

static __always_inline struct place place_at(__u32 bucket, __u32 way)
{
	struct place place = {
		.tag = offset_of_bucket(bucket) + (1 + way) * sizeof(__u32),
		.flow = root()->flows + (bucket * PLSD_BUCKET_WAYS + way) * sizeof(struct plsd_flow),
	};

	return place;
}

/* A flow as it was when its name was compared. */
struct found {
	__u64 seen; /* its last_seen */
	__u64 end; /* tick up to which it lives */
	__u32 flow; /* offset; 0 for none */
};

/*
 * The times are read before the name: a flow that is removed, and whose place is given away, in this very moment is over
 * by its own times, and not alive by those of another one.
 */
static __always_inline bool find_in(__u32 bucket, const struct name *name, struct found *found)
{
	__u32 tags = offset_of_bucket(bucket) + sizeof(__u32), tag = tag_of(name);

	for (__u32 way = 0; way < PLSD_BUCKET_WAYS; way++) {
		__u32 flow;

		if (READ_ONCE(*IN_ARENA(__u32, tags + way * sizeof(__u32))) != tag)
			continue;
		flow = root()->flows + (bucket * PLSD_BUCKET_WAYS + way) * sizeof(struct plsd_flow);
		found->seen = READ_ONCE(FLOW_AT(flow)->last_seen);
		found->end = found->seen + READ_ONCE(FLOW_AT(flow)->timeout);
		barrier();
		if (is_named(flow, name)) {
			found->flow = flow;
			return true;
		}
	}
	return false;
}

/* The name's flow, live or not. */
static __always_inline struct found find_flow(const struct name *name)
{
	struct found found = {};

	if (!find_in(bucket_of(name, 0), name, &found))
		find_in(bucket_of(name, 1), name, &found);
	return found;
}

/* Its offset, where speed matters less than what the verifier has to walk. */
__noinline __u32 look_again(const struct name *name)
{
	USES_ARENA();
	return name ? find_flow(name).flow : 0;
}

static __always_inline bool lock_bucket(__u32 bucket)
{
	return lock_word(offset_of_bucket(bucket));
}

static __always_inline void unlock_bucket(__u32 bucket)
{
	unlock_word(offset_of_bucket(bucket));
}

static __always_inline __u32 free_ways(__u32 bucket)
{
	__u32 free = 0;

	/* Without a branch, of which the verifier would walk each combination: a zero alone wraps around. */
	for (__u32 way = 0; way < PLSD_BUCKET_WAYS; way++)
		free += ((__u64)word_at(place_at(bucket, way).tag) - 1) >> 63;
	return free;
}

/* Takes a free way of the bucket, whose tag is TAG_BUSY then; BUCKET_WAYS if there is none. */
static __always_inline __u32 take_free(__u32 bucket)
{
	for (__u32 way = 0; way < PLSD_BUCKET_WAYS; way++) {
		__u32 tag = place_at(bucket, way).tag;

		if (!word_at(tag) && swap_u32(IN_ARENA(__u32, tag), 0, PLSD_TAG_BUSY))
			return way;
	}
	return PLSD_BUCKET_WAYS;
}

/* Takes a free way of the emptier one of the name's buckets. False if both are full. */
__noinline bool take_place(const struct name *name, struct place *place)
{
	__u32 first, second, bucket, way;

	USES_ARENA();
	if (!name || !place)
		return false;
	first = bucket_of(name, 0);
	second = bucket_of(name, 1);
	bucket = free_ways(second) > free_ways(first) ? second : first;
	way = take_free(bucket);
	if (way == PLSD_BUCKET_WAYS) {
		bucket = bucket == first ? second : first;
		way = take_free(bucket);
	}
	*place = place_at(bucket, way);
	return way < PLSD_BUCKET_WAYS;
}

/* Shows the flow that was written at a taken place. */
static __always_inline void show(const struct place *place, const struct name *name)
{
	barrier();
	WRITE_ONCE(*IN_ARENA(__u32, place->tag), tag_of(name));
}
