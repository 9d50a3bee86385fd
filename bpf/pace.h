/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pace at which a throttled VM finds new destinations (Twycross, Williamson, Implementing and Testing a Virus Throttle, 2003). It
 * begins things freely with the addresses of its working set, those that it began something with last. Any other address costs a
 * token of a bucket, and takes the place of the one that was not used for longest. Layout: struct plsd_throttle, plsd_nic_pace.
 *
 * Asked of a packet that would begin something, after the rules: packets of flows are not held up. The CPUs decide one after the
 * other, so that not one destination too many passes; one that does not get the lock refuses.
 */
#pragma once

#include "passage.h"

#define THROTTLE_AT(offset) IN_ARENA(struct plsd_throttle, offset)
#define PACE_AT(offset) IN_ARENA(struct plsd_nic_pace, offset)

typedef struct plsd_throttle __arena *throttle_ref;
typedef struct plsd_nic_pace __arena *pace_ref;

/* An address as the working set has it. */
struct destination {
	__u64 high;
	__u64 low;
};

static __always_inline struct destination destination_of(const struct packet *p)
{
	struct destination to = { .high = 0, .low = 0xffff0000 | (__u64)p->destination[0] << 32 };

	if (p->family != 4)
		to = (struct destination){ pair(p->destination), pair(p->destination + 2) };
	return to;
}

static __always_inline __u32 turn_at(__u32 pace, __u32 place)
{
	return pace + __builtin_offsetof(struct plsd_nic_pace, turns) + place * sizeof(__u64);
}

static __always_inline __u32 recent_at(__u32 pace, __u32 place)
{
	return pace + __builtin_offsetof(struct plsd_nic_pace, recent) + place * sizeof(struct destination);
}

/* The place of an address in the working set; WORKING_SET_MAX if it is not there. A global function: the verifier checks it once. */
__noinline __u32 recent_place(__u32 pace, __u64 high, __u64 low)
{
	USES_ARENA();
	for (__u32 place = 0; place < PLSD_WORKING_SET_MAX; place++) {
		__u32 at = recent_at(pace, place);

		if (*IN_ARENA(__u64, at) == high && *IN_ARENA(__u64, at + sizeof(__u64)) == low &&
		    *IN_ARENA(__u64, turn_at(pace, place)))
			return place;
	}
	return PLSD_WORKING_SET_MAX;
}

/*
 * The place that was not used for longest, of the first `set`. A turn with its place is one number, and the sign bit chooses the
 * smaller one without a branch, of which the verifier would walk each combination. A global function, too.
 */
__noinline __u32 oldest_place(__u32 pace, __u32 set)
{
	__s64 oldest = ~0ull >> 1;

	USES_ARENA();
	for (__u32 place = 0; place < PLSD_WORKING_SET_MAX && place < set; place++) {
		__s64 ahead = (*IN_ARENA(__u64, turn_at(pace, place)) * PLSD_WORKING_SET_MAX + place) - oldest;
		__s64 is_older = ahead >> 63;

		barrier_var(is_older);
		oldest += ahead & is_older;
	}
	return oldest & (PLSD_WORKING_SET_MAX - 1);
}

static __always_inline void use(__u32 pace, __u32 place)
{
	*IN_ARENA(__u64, turn_at(pace, place)) = ++PACE_AT(pace)->turn;
}

/* Forgets what another throttle has seen. */
static __always_inline void begin_pace(__u32 pace, __u64 since)
{
	PACE_AT(pace)->since = since;
	PACE_AT(pace)->full_at = 0;
	for (__u32 place = 0; place < PLSD_WORKING_SET_MAX; place++)
		*IN_ARENA(__u64, turn_at(pace, place)) = 0;
}

/* Takes a token. The bucket holds as many as the working set has addresses; `full_at` is all that is known of it. */
static __always_inline bool take_token(pace_ref pace, throttle_ref throttle, __u64 now)
{
	__u64 full_at = pace->full_at > now ? pace->full_at : now;

	if (full_at - now > (throttle->working_set - 1) * throttle->interval)
		return false;
	pace->full_at = full_at + throttle->interval;
	return true;
}

/* Whether something may begin with the address. The caller has the lock. */
static __always_inline bool may_begin(__u32 pace, throttle_ref throttle, const struct destination *to)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 place;

	PACE_AT(pace)->asked = now;
	/* A CPU that still sees the policy before does not take it back. */
	if (PACE_AT(pace)->since < throttle->since)
		begin_pace(pace, throttle->since);
	place = recent_place(pace, to->high, to->low);
	if (place >= PLSD_WORKING_SET_MAX) {
		if (!take_token(PACE_AT(pace), throttle, now))
			return false;
		place = oldest_place(pace, throttle->working_set);
		*IN_ARENA(__u64, recent_at(pace, place)) = to->high;
		*IN_ARENA(__u64, recent_at(pace, place) + sizeof(__u64)) = to->low;
	}
	use(pace, place);
	return true;
}

/* Whether the throttle refuses the destination of a packet from the VM. A global function: the verifier checks it once. */
__noinline bool is_too_fast(const struct passage *way)
{
	struct destination to;
	throttle_ref throttle;
	__u32 pace;
	bool may;

	USES_ARENA();
	if (!way || way->scene.slot >= root()->slots)
		return true;
	throttle = THROTTLE_AT(NIC_AT(way->scene.nic)->throttle);
	if (throttle->until != PLSD_NEVER && wall_seconds() >= throttle->until)
		return false;
	pace = root()->paces + way->scene.slot * sizeof(struct plsd_nic_pace);
	to = destination_of(&way->packet);
	if (!lock_word(pace))
		return true;
	may = may_begin(pace, throttle, &to);
	unlock_word(pace);
	return !may;
}

/* What the throttle says against something that begins: PLSD_REASON_THROTTLED, or 0. */
static __always_inline int exceeded_pace(const struct passage *way)
{
	if (!NIC_AT(way->scene.nic)->throttle || way->scene.direction != PLSD_DIRECTION_OUTBOUND)
		return 0;
	return is_too_fast(way) ? PLSD_REASON_THROTTLED : 0;
}
