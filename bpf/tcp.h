/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TCP as far as a flow must know it: which state follows, and whether a packet begins a new connection.
 *
 *   SynSent -> SynReceived -> Established -> FinOriginator | FinResponder -> TimeWait
 *   a RST leads from everywhere to Closed; a flow met in the middle starts as Established.
 *
 * Sequence numbers are not followed, so a RST may be forged by someone who knows ports and addresses. Whoever sends a
 * genuine one is silent afterwards: when its supposed sender goes on, the flow is established again.
 */
#pragma once

#include "wire.h"

static __always_inline bool tcp_is_syn(__u8 flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

static __always_inline __u32 tcp_first_state(__u8 flags)
{
	if (flags & TCP_RST)
		return PLSD_FLOW_CLOSED;
	if (tcp_is_syn(flags))
		return PLSD_FLOW_SYN_SENT;
	return flags & TCP_FIN ? PLSD_FLOW_FIN_ORIGINATOR : PLSD_FLOW_ESTABLISHED;
}

static __always_inline bool tcp_is_half_open(__u32 state)
{
	return state == PLSD_FLOW_SYN_SENT || state == PLSD_FLOW_SYN_RECEIVED;
}

/*
 * A SYN is a new connection, and judged anew, where the old one is closing or was cut; and where the responder sends it,
 * except that both sides may open at once (RFC 9293, 3.5).
 */
static __always_inline bool tcp_begins_anew(__u32 state, __u8 flags, bool from_originator)
{
	if (!tcp_is_syn(flags))
		return false;
	return state >= PLSD_FLOW_FIN_ORIGINATOR || (!from_originator && state != PLSD_FLOW_SYN_SENT);
}

static __always_inline __u32 tcp_after_fin(__u32 state, bool from_originator)
{
	if (state == (from_originator ? PLSD_FLOW_FIN_RESPONDER : PLSD_FLOW_FIN_ORIGINATOR))
		return PLSD_FLOW_TIME_WAIT;
	if (state >= PLSD_FLOW_FIN_ORIGINATOR)
		return state;
	return from_originator ? PLSD_FLOW_FIN_ORIGINATOR : PLSD_FLOW_FIN_RESPONDER;
}

/* `reset_by_originator` says who sent the RST of a closed flow. */
static __always_inline __u32 tcp_next_state(__u32 state, __u8 flags, bool from_originator, bool reset_by_originator)
{
	if (flags & TCP_RST)
		return PLSD_FLOW_CLOSED;
	if (flags & TCP_FIN)
		return tcp_after_fin(state, from_originator);
	if (state == PLSD_FLOW_CLOSED && from_originator == reset_by_originator && !(flags & TCP_SYN))
		return PLSD_FLOW_ESTABLISHED;
	if (state == PLSD_FLOW_SYN_SENT && !from_originator && (flags & TCP_SYN))
		return PLSD_FLOW_SYN_RECEIVED;
	if (state == PLSD_FLOW_SYN_RECEIVED && (flags & (TCP_SYN | TCP_ACK)) == TCP_ACK)
		return PLSD_FLOW_ESTABLISHED;
	return state;
}
