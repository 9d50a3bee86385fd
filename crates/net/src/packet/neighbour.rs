//! Neighbour discovery: the model of `bpf/neighbour.h` (RFC 4861, 4862, 6980, 7527).
//!
//! A message passes without a rule if the link needs it and no router would carry it on. Everything else that looks like
//! discovery is either impossible, and refused, or for the rules.

use std::net::Ipv6Addr;

use super::{
    Fragment, Ip, ParseError, Refusal, Station,
    address::{ALL_NODES, ALL_ROUTERS, solicited_node},
    guard::Guards,
};
use crate::Direction;

pub(super) const ROUTER_SOLICITATION: u8 = 133;
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
pub(super) const NEIGHBOUR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
pub(super) const REDIRECT: u8 = 137;

/// Hop limit of discovery: no router has passed the message on.
pub(super) const HOP_LIMIT: u8 = 255;
/// What a router has to say fits into the packet that every link carries (RFC 8200, section 5).
pub(super) const ROUTER_BYTES_MAX: usize = 1280 - 40 - 8;

/// Bytes of an option that a hardware address or a nonce fills.
pub(super) const OPTION_BYTES: usize = 8;
pub(super) const OPTION_SOURCE_MAC: u8 = 1;
pub(super) const OPTION_TARGET_MAC: u8 = 2;
pub(super) const OPTION_NONCE: u8 = 14;
/// A hardware address, and the nonce by which a host knows its own question again.
const OPTIONS_MAX: usize = 2;
/// An advertisement that answers, in the first byte of its flags.
const SOLICITED: u8 = 0x40;

/// Whether an ICMPv6 type is one of discovery.
pub(super) const fn is_discovery(kind: u8) -> bool {
    matches!(kind, ROUTER_SOLICITATION..=REDIRECT)
}

/// A message of discovery.
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) flags: u8,
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    /// What follows the first eight bytes.
    pub(super) body: &'a [u8],
}

/// Whether the message passes without a rule.
pub(super) fn judge(
    station: &Station,
    ip: &Ip,
    message: &Message<'_>,
    direction: Direction,
) -> Result<bool, Refusal> {
    let invalid = Refusal::from(ParseError::Malformed("a message of discovery that receivers discard"));
    let guards = station.of_sender(direction);
    let Some((fixed, list)) = message.body.split_at_checked(fixed_part(message.kind)) else {
        return Err(invalid);
    };
    if ip.hop_limit != HOP_LIMIT || ip.fragment != Fragment::None || message.code != 0 {
        return Err(invalid);
    }
    let is_plain = ip.extensions == 0;
    if matches!(message.kind, ROUTER_ADVERTISEMENT | REDIRECT) {
        if guards.contains(Guards::ROUTER) {
            return Err(Refusal::RouterMessage);
        }
        if !message.source.is_unicast_link_local() {
            return Err(invalid);
        }
        return Ok(is_plain
            && message.body.len() <= ROUTER_BYTES_MAX
            && is_needed(message.kind, message.source, message.destination, message.source));
    }
    let target = fixed.first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |bytes| Ipv6Addr::from(*bytes));
    let options = Options::read(message.kind, list, station.mac.0);
    if message.is_invalid(target, &options) {
        return Err(invalid);
    }
    if guards.contains(Guards::NEIGHBOUR) && message.is_foreign(target, &options, station) {
        return Err(Refusal::ForeignNeighbour);
    }
    let is_usual = is_plain && !options.are_strange;
    Ok(is_usual && is_needed(message.kind, message.source, message.destination, target))
}

/// Whether discovery sends a message of this type there, on its own link. Every IPv6 subnet of Azure, as most others, is
/// a /64.
pub(super) fn is_needed(kind: u8, source: Ipv6Addr, destination: Ipv6Addr, target: Ipv6Addr) -> bool {
    let is_link_group = destination.segments()[0] == 0xff02;
    let stays_on_link = source.is_unspecified()
        || source.is_unicast_link_local()
        || destination.is_unicast_link_local()
        || is_link_group
        || source.segments()[..4] == destination.segments()[..4];
    let is_single = !destination.is_multicast();
    stays_on_link
        && match kind {
            NEIGHBOUR_SOLICITATION => destination == target || destination == solicited_node(target),
            ROUTER_SOLICITATION => is_single || destination == ALL_ROUTERS,
            REDIRECT => is_single,
            _ => is_single || destination == ALL_NODES,
        }
}

/// Whom a solicitation to `destination` asks for: that neighbour, or one of those whom a group of solicitations is of.
pub(super) fn target_of(destination: Ipv6Addr) -> Ipv6Addr {
    if !destination.is_multicast() {
        return destination;
    }
    let [.., a, b, c] = destination.octets();
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, a.into(), u16::from_be_bytes([b, c]))
}

/// Bytes of a message's fixed part after the first eight.
const fn fixed_part(kind: u8) -> usize {
    match kind {
        ROUTER_SOLICITATION => 0,
        ROUTER_ADVERTISEMENT => 8,
        REDIRECT => 32,
        _ => 16,
    }
}

/// What the options of a solicitation or an advertisement say.
#[derive(Default)]
struct Options {
    are_broken: bool,
    /// More or others than it needs.
    are_strange: bool,
    name_source: bool,
    /// A hardware address that is not the NIC's.
    name_other: bool,
}

impl Options {
    fn read(kind: u8, list: &[u8], mac: [u8; 6]) -> Self {
        let mut found = Self {
            are_broken: !list.len().is_multiple_of(OPTION_BYTES),
            are_strange: list.len() > OPTIONS_MAX * OPTION_BYTES,
            ..Self::default()
        };
        let own = if kind == NEIGHBOUR_ADVERTISEMENT { OPTION_TARGET_MAC } else { OPTION_SOURCE_MAC };
        for option in list.chunks_exact(OPTION_BYTES) {
            if found.are_broken || found.are_strange {
                break;
            }
            match *option {
                [_, 0, ..] => found.are_broken = true,
                [OPTION_NONCE, 1, ..] => {}
                [kind, 1, ref address @ ..] if kind == own => {
                    found.name_source |= own == OPTION_SOURCE_MAC;
                    found.name_other |= *address != mac;
                }
                _ => found.are_strange = true,
            }
        }
        found
    }
}

impl Message<'_> {
    /// What RFC 4861 (6.1.1, 7.1.1, 7.1.2) tells a receiver to discard.
    fn is_invalid(&self, target: Ipv6Addr, options: &Options) -> bool {
        let has_source = !self.source.is_unspecified();
        options.are_broken
            || (options.name_source && !has_source)
            || match self.kind {
                NEIGHBOUR_SOLICITATION => {
                    target.is_multicast() || (!has_source && self.destination != solicited_node(target))
                }
                NEIGHBOUR_ADVERTISEMENT => {
                    let answers_all = self.destination.is_multicast() && self.flags & SOLICITED != 0;
                    !has_source || target.is_multicast() || answers_all
                }
                _ => false,
            }
    }

    /// Whether a guarded VM speaks for somebody else. To ask for an address from `::` is to claim it.
    fn is_foreign(&self, target: Ipv6Addr, options: &Options, station: &Station) -> bool {
        let has_source = !self.source.is_unspecified();
        let claims = match self.kind {
            NEIGHBOUR_ADVERTISEMENT => true,
            NEIGHBOUR_SOLICITATION => !has_source,
            _ => false,
        };
        options.name_other
            || options.are_strange
            || (has_source && !station.owns_v6(self.source))
            || (claims && !station.owns_v6(target))
    }
}
