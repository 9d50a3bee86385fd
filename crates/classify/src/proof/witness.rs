//! Looks for a packet that a blob decides wrongly, given a value at which one of its fields is wrong.
//!
//! A field may be wrong where it changes no verdict, because another rule decides. So the search may end without a witness;
//! the blob is refused all the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_net::{AddressSet, Direction, Flow, Protocol, RangeSet};

use super::{Witness, claims::Claim, segments::Field};
use crate::blob::BlobView;

/// Values of one field that are tried.
const TRIES: usize = 4;

/// A packet at the wrong value that the rule would match otherwise, for which the blob's answer is not the rules'.
pub(super) fn find(
    claims: &[Claim<'_>],
    view: &BlobView<'_>,
    direction: Direction,
    (field, rule, value): (Field, usize, u128),
) -> Option<Witness> {
    let claim = &claims[rule];
    let protocols = match field {
        Field::Protocol(protocol) => vec![protocol],
        Field::Fragment(_) => return None,
        Field::NoSourcePort => [Protocol::ICMP, Protocol::ICMPV6, Protocol::ESP].into(),
        _ => {
            let usual = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol::ESP];
            usual.into_iter().chain(claim.named_protocol()).filter(|p| claim.values(*p).is_some()).collect()
        }
    };
    let port = |ports: Vec<u16>| if ports.is_empty() { vec![0] } else { ports };
    let own = value as u16;
    let moments = match field {
        Field::Time => vec![value as u32],
        _ => vec![claim.window.not_before().unwrap_or(0)],
    };
    let source_ports = port(if field == Field::SourcePort { vec![own] } else { firsts(&claim.source_ports) });
    for protocol in protocols {
        let values = claim.values(protocol).map(firsts).unwrap_or_default();
        let values = port(if matches!(field, Field::Protocol(_)) { vec![own] } else { values });
        for (source, destination) in pairs(claim, field, value) {
            for (&from, &to) in source_ports.iter().flat_map(|from| values.iter().map(move |to| (from, to))) {
                let flow = Flow::new(direction, protocol, (source, from), (destination, to))?;
                let wrong = |now: &&u32| is_wrong(claims, view, &flow, **now);
                if let Some(&now) = moments.iter().find(wrong) {
                    return Some(Witness { flow, now });
                }
            }
        }
    }
    None
}

/// Whether the blob's answer differs from the rules': what decides, or what is noted in audit before it.
fn is_wrong(claims: &[Claim<'_>], view: &BlobView<'_>, flow: &Flow, now: u32) -> bool {
    let first = |audit| claims.iter().position(|claim| claim.audit == audit && claim.matches(flow, now));
    let rule = first(false);
    let shadow = first(true).filter(|shadow| rule.is_none_or(|rule| *shadow < rule));
    let found = view.lookup(flow, now);
    found.rule.map(|(rule, _)| rule) != rule || found.shadow.map(|(rule, _)| rule) != shadow
}

/// Pairs of addresses that the rule matches, with the wrong one where an address is wrong.
fn pairs(claim: &Claim<'_>, field: Field, value: u128) -> Vec<(IpAddr, IpAddr)> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::from(value as u32)), IpAddr::from(Ipv6Addr::from(value)));
    let (sources, destinations) = match field {
        Field::SourceV4 => (vec![v4], addresses(&claim.destinations)),
        Field::SourceV6 => (vec![v6], addresses(&claim.destinations)),
        Field::DestinationV4 => (addresses(&claim.sources), vec![v4]),
        Field::DestinationV6 => (addresses(&claim.sources), vec![v6]),
        _ => (addresses(&claim.sources), addresses(&claim.destinations)),
    };
    let pairs = sources.iter().flat_map(|from| destinations.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| from.is_ipv4() == to.is_ipv4()).collect()
}

fn addresses(set: &AddressSet) -> Vec<IpAddr> {
    let v4 = firsts(set.v4()).into_iter().map(|address: u32| Ipv4Addr::from(address).into());
    v4.chain(firsts(set.v6()).into_iter().map(|address: u128| Ipv6Addr::from(address).into())).collect()
}

/// The first values of the first ranges.
fn firsts<T: palisade_net::Number>(set: &RangeSet<T>) -> Vec<T> {
    set.ranges().iter().take(TRIES).map(|&(first, _)| first).collect()
}
