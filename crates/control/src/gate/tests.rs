//! What is covered is covered, and names mean what they mean.

use palisade_analysis::Block;
use palisade_model::ResourceId;
use palisade_net::{AddressSet, Family, PortSet, Protocol, RangeSet};
use proptest::prelude::*;

use super::covered::is_covered;
use super::names::is_named;

/// A block of a small world: four addresses, four ports, two protocols.
fn block() -> impl Strategy<Value = Block> {
    let range = || (0_u32..4, 0_u32..4).prop_map(|(one, other)| (one.min(other), one.max(other)));
    (range(), range(), range(), range(), 1_u8..4).prop_map(|(from, to, from_port, to_port, protocols)| {
        let addresses =
            |range: (u32, u32)| AddressSet::from_ranges([range].into_iter().collect(), RangeSet::empty());
        let port = |value: u32| u16::try_from(value).expect("it is small");
        let ports = |(first, last): (u32, u32)| [(port(first), port(last))].into_iter().collect::<PortSet>();
        let known = [Protocol::TCP, Protocol::UDP];
        let chosen = known.into_iter().enumerate().filter(|(at, _)| protocols >> at & 1 == 1);
        Block {
            family: Family::V4,
            protocols: chosen.map(|(_, protocol)| protocol).collect(),
            sources: addresses(from),
            source_ports: ports(from_port),
            destinations: addresses(to),
            destination_ports: ports(to_port),
        }
    })
}

fn has(block: &Block, packet: (u32, u32, u16, u16, Protocol)) -> bool {
    let (source, destination, source_port, destination_port, protocol) = packet;
    let address = |bits: u32| std::net::Ipv4Addr::from(bits).into();
    block.sources.contains(address(source))
        && block.destinations.contains(address(destination))
        && block.source_ports.contains(source_port)
        && block.destination_ports.contains(destination_port)
        && block.protocols.contains(&protocol)
}

fn packets() -> impl Iterator<Item = (u32, u32, u16, u16, Protocol)> {
    let protocols = [Protocol::TCP, Protocol::UDP];
    (0..4_u32.pow(4)).flat_map(move |bits| {
        let port = |shift: u32| u16::try_from(bits >> shift & 3).expect("two bits");
        protocols.map(|protocol| (bits & 3, bits >> 2 & 3, port(4), port(6), protocol))
    })
}

proptest! {
    #[test]
    fn covered_is_what_every_packet_says(wanted in block(), others in prop::collection::vec(block(), 0..6)) {
        let expected = packets()
            .filter(|packet| has(&wanted, *packet))
            .all(|packet| others.iter().any(|other| has(other, packet)));
        prop_assert_eq!(is_covered(&wanted, &others.iter().collect::<Vec<_>>()), expected);
    }
}

#[test]
fn both_answers_are_given() {
    let whole = |last| Block {
        family: Family::V4,
        protocols: vec![Protocol::TCP],
        sources: AddressSet::from_ranges([(0, last)].into_iter().collect(), RangeSet::empty()),
        source_ports: PortSet::full(),
        destinations: AddressSet::full(),
        destination_ports: PortSet::full(),
    };
    assert!(is_covered(&whole(3), &[&whole(1), &whole(3)]));
    assert!(!is_covered(&whole(3), &[&whole(1), &whole(2)]));
    assert!(!is_covered(&whole(3), &[]));
}

#[test]
fn a_name_is_a_resources_with_its_parents_or_its_id() {
    let subnet =
        ResourceId::new("/subscriptions/s/resourceGroups/g/providers/p/virtualNetworks/Net/subnets/Web");
    for (name, expect) in [
        ("web", true),
        ("net/WEB", true),
        ("other/web", false),
        ("net", false),
        (subnet.as_str(), true),
        ("/subscriptions/s", false),
    ] {
        assert_eq!(is_named(&subnet, name), expect, "{name}");
    }
}
