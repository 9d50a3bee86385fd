/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TCP as far as a flow must know it: which state follows, and whether a packet begins a new connection.
 *
 *   SynSent -> SynReceived -> Established -> FinOriginator | FinResponder -> TimeWait
 *   a RST leads from everywhere to Closed; a flow met in the middle starts as Established.
 */
#pragma once

#include "wire.h"

static __always_inline bool tcp_is_syn(__u8 flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

static __always_inline __u8 tcp_first_state(__u8 flags)
{
	if (flags & TCP_RST)
		return PLSD_FLOW_CLOSED;
	if (tcp_is_syn(flags))
		return PLSD_FLOW_SYN_SENT;
	return flags & TCP_FIN ? PLSD_FLOW_FIN_ORIGINATOR : PLSD_FLOW_ESTABLISHED;
}

/*
 * A SYN is a new connection, and judged anew, where the old one is closing; and where the responder sends it, except
 * that both sides may open at once (RFC 9293, 3.5).
 */
static __always_inline bool tcp_begins_anew(__u8 state, __u8 flags, bool from_originator)
{
	if (!tcp_is_syn(flags))
		return false;
	return state >= PLSD_FLOW_FIN_ORIGINATOR || (!from_originator && state != PLSD_FLOW_SYN_SENT);
}

static __always_inline __u8 tcp_after_fin(__u8 state, bool from_originator)
{
	if (state == (from_originator ? PLSD_FLOW_FIN_RESPONDER : PLSD_FLOW_FIN_ORIGINATOR))
		return PLSD_FLOW_TIME_WAIT;
	if (state >= PLSD_FLOW_FIN_ORIGINATOR)
		return state;
	return from_originator ? PLSD_FLOW_FIN_ORIGINATOR : PLSD_FLOW_FIN_RESPONDER;
}

static __always_inline __u8 tcp_next_state(__u8 state, __u8 flags, bool from_originator)
{
	if (flags & TCP_RST)
		return PLSD_FLOW_CLOSED;
	if (flags & TCP_FIN)
		return tcp_after_fin(state, from_originator);
	if (state == PLSD_FLOW_SYN_SENT && !from_originator && (flags & TCP_SYN))
		return PLSD_FLOW_SYN_RECEIVED;
	if (state == PLSD_FLOW_SYN_RECEIVED && (flags & (TCP_SYN | TCP_ACK)) == TCP_ACK)
		return PLSD_FLOW_ESTABLISHED;
	return state;
}
