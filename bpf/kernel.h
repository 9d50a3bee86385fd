/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What every part builds on: the kernel's types and helpers, the shared layouts, arena pointers and bounded loops.
 *
 * The names that the headers of Debian 12 (Linux 6.1) do not have yet are given here under our own prefix, so that
 * newer headers do not clash.
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

/* A pointer into the arena. Any value is safe to follow: outside of what was written it reads zeros. */
#define __arena __attribute__((address_space(1)))

/* The arena is mapped at a multiple of 4 GiB, so an offset is the pointer. */
#define IN_ARENA(type, offset) ((type __arena *)(__u64)(offset))

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/*
 * True as long as the loop may go on: the kernel ends it after some millions of turns. It lets the verifier accept
 * a loop without proving its bound; the loop's own condition is the real one.
 */
#define can_loop                                                                                                       \
	({                                                                                                             \
		__label__ stop, next;                                                                                  \
		bool may = true;                                                                                       \
		asm volatile goto("may_goto %l[stop]" : : : : stop);                                                   \
		goto next;                                                                                             \
stop:                                                                                                                  \
		may = false;                                                                                           \
next:;                                                                                                                 \
		may;                                                                                                   \
	})
