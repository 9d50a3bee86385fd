//! Which ICMP messages are queries and which are errors, and what they carry (RFC 792, RFC 950, RFC 4443).
//!
//! A query carries an identifier that its answer repeats, so that both belong to one flow. An error quotes the packet
//! that it is about.

use super::Quoted;
use crate::Family;

/// What an ICMP message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IcmpBody {
    /// A question or its answer.
    Query {
        /// Tells the asker's questions from those of others.
        id: u16,
    },
    /// A report about another packet, if the quote is long and sound enough to tell which.
    Error(Option<Box<Quoted>>),
    /// Neither: router and neighbour discovery, multicast listeners, unknown types.
    Other,
}

impl IcmpBody {
    /// The body of a message of this type that says nothing: identifier 0, no quote.
    pub const fn blank(family: Family, kind: u8) -> Self {
        match Class::of(family, kind) {
            Class::Query => Self::Query { id: 0 },
            Class::Error => Self::Error(None),
            Class::Other => Self::Other,
        }
    }
}

/// What a type stands for.
pub(super) enum Class {
    Query,
    Error,
    Other,
}

impl Class {
    /// The class of an ICMP type of a family.
    pub(super) const fn of(family: Family, kind: u8) -> Self {
        match (family, kind) {
            // Echo, timestamp, information, address mask; each with its reply.
            (Family::V4, 0 | 8 | 13..=18) | (Family::V6, 128 | 129) => Self::Query,
            // Unreachable, time exceeded, parameter problem; for IPv6 also packet too big. Source quench is obsolete (RFC
            // 6633), and a redirect is an order to reroute, not a report.
            (Family::V4, 3 | 11 | 12) | (Family::V6, 1..=4) => Self::Error,
            _ => Self::Other,
        }
    }
}
