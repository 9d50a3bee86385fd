/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What every part builds on: the kernel's types and helpers, the shared layouts, and the shared memory.
 *
 * The names that the headers of Debian 12 (Linux 6.1) do not have yet are given here under our own prefix, so that
 * newer headers do not clash. Loops have constant bounds that the verifier can walk: kernels before 6.9 know no other.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "palisade_abi.h"

/* Linux 6.9: enum bpf_map_type, BPF_MAP_TYPE_ARENA. */
#define PLSD_MAP_TYPE_ARENA 33

/* Linux 6.6: enum tcx_action_base. TCX_NEXT leaves the packet to the programs after this one. */
#define PLSD_TCX_NEXT (-1)
#define PLSD_TCX_DROP 2

#ifdef PLSD_MEMORY_ARRAY

/*
 * The memory is one value of an array map; an offset is cut down to it and to the type's alignment, so that the verifier
 * knows both.
 */
#define __arena
#define ARRAY_SLACK 4096
char memory[PLSD_ARRAY_BYTES + ARRAY_SLACK] SEC(".bss.memory");
#define IN_ARENA(type, offset) ((type *)(memory + ((__u32)(offset) & (PLSD_ARRAY_BYTES - _Alignof(type)))))
#define USES_ARENA()

#else

/* A pointer into the arena. Any value is safe to follow: outside of what was written it reads zeros. */
#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, PLSD_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLSD_ARENA_PAGES);
} arena SEC(".maps");

/* The arena is mapped at a multiple of 4 GiB, so an offset is the pointer. */
#define IN_ARENA(type, offset) ((type __arena *)(__u64)(__u32)(offset))

/* Arena pointers are accepted only from a program that names its arena. */
#define USES_ARENA() asm volatile("" : : "r"(&arena))

#endif

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/*
 * The flow table asks of memory order only that the compiler keeps it, with libbpf's barrier(): it is for x86, whose
 * stores are seen in their order.
 */
static __always_inline bool swap_u32(__u32 __arena *at, __u32 old, __u32 new)
{
	return __sync_val_compare_and_swap(at, old, new) == old;
}

static __always_inline bool swap_u64(__u64 __arena *at, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(at, old, new) == old;
}

/* One word of memory. */
static __always_inline __u32 word_at(__u32 offset)
{
	return *IN_ARENA(__u32, offset);
}

/* Takes the lock at an offset. A global function: the verifier checks it once. */
__noinline bool lock_word(__u32 offset)
{
	__u32 __arena *lock = IN_ARENA(__u32, offset);

	USES_ARENA();
	for (__u32 i = 0; i < PLSD_LOCK_TRIES; i++) {
		if (swap_u32(lock, 0, 1))
			return true;
	}
	return false;
}

static __always_inline void unlock_word(__u32 offset)
{
	barrier();
	WRITE_ONCE(*IN_ARENA(__u32, offset), 0);
}

static __always_inline struct plsd_root __arena *root(void)
{
	return IN_ARENA(struct plsd_root, 0);
}

/* Seconds since 1970. */
static __always_inline __u32 wall_seconds(void)
{
	return (bpf_ktime_get_boot_ns() + root()->anchor) / 1000000000;
}
