/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The options of IPv4 headers: a packet that names its own way is refused, and so is a list that cannot be read to its
 * end. RFC 791, 7126.
 *
 * It does not know what any other option means.
 */
#pragma once

#include "wire.h"

#define IPV4_OPTIONS_MAX 40

#define OPTION_END 0
#define OPTION_NONE 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

/*
 * Walks `length` bytes of options at `at`; 0 or the reason to drop. It goes byte by byte, counting what belongs to the
 * option before: places are constants to the verifier then, and its states few. A global function, checked once.
 */
__noinline int walk_options(struct __sk_buff *skb, __u32 at, __u32 length)
{
	__u8 options[IPV4_OPTIONS_MAX + 1] = {};
	__u32 rest = 0;

	if (!length || length > IPV4_OPTIONS_MAX || !load(skb, at, options, length))
		return PLSD_REASON_MALFORMED;
	for (__u32 i = 0; i < IPV4_OPTIONS_MAX; i++) {
		__u32 size = options[i + 1];

		if (i >= length)
			return 0;
		if (rest) {
			rest--;
			continue;
		}
		if (options[i] == OPTION_END)
			return 0;
		if (options[i] == OPTION_NONE)
			continue;
		if (size < 2 || i + size > length)
			return PLSD_REASON_MALFORMED;
		if (options[i] == OPTION_LOOSE_ROUTE || options[i] == OPTION_STRICT_ROUTE)
			return PLSD_REASON_SOURCE_ROUTE;
		rest = size - 1;
	}
	return 0;
}
