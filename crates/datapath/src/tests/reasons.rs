//! Every reason code, produced once by a packet that deserves it.

use std::collections::BTreeSet;

use palisade_abi::{
    arena::NEVER,
    flow::Direction,
    verdict::{LAYERS, Reason},
};
use palisade_net::{
    AddressSet, Mac, Prefix,
    packet::{self, Arp, Extension, IcmpBody, Quoted},
};

use super::rig::{LOOPBACK, Rig, SLOT, icmp, layer, memories, nic, tcp, udp};
use crate::{Guards, LayerPolicy, Limits, Plane, Sizes, Throttle, Watch};

const CLIENT: &str = "10.0.0.4:1000";
const SERVER: &str = "192.0.2.1:443";
const OPEN: &[&str] = &["allow * * * *"];
const CLOSED: &[&str] = &["deny * * * *"];

#[test]
fn every_reason_can_be_reached() {
    for memory in memories() {
        let rig = || Rig::of(*memory, |_| {});
        let produced = [
            before_publish(rig()),
            unreadable(rig()),
            by_layer(rig()),
            of_flows(rig()),
            of_changes(rig()),
            of_limits(rig()),
            of_identity(rig()),
            of_others_business(rig()),
            full_table(Rig::of(*memory, |config| config.sizes = Sizes { flows: 2, slots: 16 })),
            damaged(rig()),
        ];
        let reached: BTreeSet<Reason> = produced.into_iter().flatten().collect();
        assert_eq!(reached, Reason::ALL.iter().copied().collect());
    }
}

fn before_publish(mut rig: Rig) -> Vec<Reason> {
    let first = rig.outbound(&tcp(CLIENT, SERVER, "S"));
    rig.datapath.publish(&[nic(LOOPBACK + 1, SLOT)]).expect("the policy is published");
    let second = rig.outbound(&tcp(CLIENT, SERVER, "S"));
    assert_eq!((first, second), (Reason::NoPolicy, Reason::NoDescriptor));
    vec![first, second]
}

fn unreadable(mut rig: Rig) -> Vec<Reason> {
    rig.publish(OPEN, OPEN);
    let whole = tcp(CLIENT, SERVER, "S").build().expect("the packet can be written");
    let with_type = |bytes| {
        let mut frame = whole.clone();
        frame[12..14].copy_from_slice(bytes);
        rig.frame(Direction::Outbound, &frame)
    };
    let mut later = tcp(CLIENT, SERVER, "S").with_payload([0; 64]);
    later.fragment = Some((8, true));
    let mut routed = tcp("[fd00::4]:1000", "[2001:db8::1]:443", "S");
    routed.extensions = vec![Extension::Routing { kind: 0, segments_left: 0, data: vec![0; 20] }];
    use Reason::{LaterFragment, LinkControl, Malformed, SourceRoute, UnsupportedEtherType, VlanTagged};
    let found = vec![
        rig.frame(Direction::Outbound, &whole[..40]),
        with_type(&[0x88, 0xcc]),
        with_type(&[0x81, 0]),
        rig.outbound(&later),
        rig.outbound(&routed),
        rig.frame(Direction::Inbound, &question([2; 6], [10, 0, 0, 4])),
    ];
    let expected = [Malformed, UnsupportedEtherType, VlanTagged, LaterFragment, SourceRoute, LinkControl];
    assert_eq!(found, expected);
    rig.publish(CLOSED, CLOSED);
    assert_eq!(rig.outbound(&later), Reason::Fragment);
    [found, vec![Reason::Fragment]].concat()
}

/// An ARP request for the gateway.
fn question(sender: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    let message = Arp {
        operation: 1,
        sender: (Mac(sender), address.into()),
        target: (Mac([0; 6]), [10, 0, 0, 1].into()),
    };
    packet::arp(Mac([2; 6]), Mac([255; 6]), &message)
}

/// Each layer in its place, both directions.
fn by_layer(mut rig: Rig) -> Vec<Reason> {
    use Reason::{AdminDeny, Allowed, NetworkInterfaceDeny, PublicAddressClosed, SubnetDeny};
    let cases: [([&[&str]; LAYERS], Reason, Reason); 8] = [
        ([CLOSED, OPEN, OPEN], AdminDeny, AdminDeny),
        ([OPEN, CLOSED, OPEN], SubnetDeny, NetworkInterfaceDeny),
        ([OPEN, OPEN, CLOSED], NetworkInterfaceDeny, SubnetDeny),
        ([&["always * * * *"], CLOSED, CLOSED], Allowed, Allowed),
        ([&["deny udp * * 53"], OPEN, OPEN], Allowed, Allowed),
        ([OPEN, &["allow udp * * 53"], OPEN], SubnetDeny, NetworkInterfaceDeny),
        ([OPEN, &["closed * * * *"], OPEN], PublicAddressClosed, PublicAddressClosed),
        ([OPEN, OPEN, OPEN], Allowed, Allowed),
    ];
    let mut reached = Vec::new();
    for (layers, inbound, outbound) in cases {
        let mut policy = nic(LOOPBACK, SLOT);
        policy.inbound = layers.map(|rules| Some(layer(rules)));
        policy.outbound = policy.inbound.clone();
        rig.datapath.publish(&[policy]).expect("the policy is published");
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!(rig.inbound(&tcp(SERVER, CLIENT, "S")), inbound, "{layers:?}");
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!(rig.outbound(&tcp(CLIENT, SERVER, "S")), outbound, "{layers:?}");
        reached.extend([inbound, outbound]);
    }
    reached
}

fn of_flows(mut rig: Rig) -> Vec<Reason> {
    rig.publish(CLOSED, OPEN);
    let sent = udp(CLIENT, SERVER);
    let quoted =
        Quoted { source: sent.source, destination: sent.destination, transport: sent.transport.clone() };
    let found = vec![
        rig.outbound(&sent),
        rig.inbound(&udp(SERVER, CLIENT)),
        rig.inbound(&icmp("198.51.100.1", "10.0.0.4", 3, IcmpBody::Error(Some(Box::new(quoted))))),
        rig.outbound(&tcp(CLIENT, SERVER, "A")),
    ];
    assert_eq!(found, [Reason::Allowed, Reason::Established, Reason::Related, Reason::MidStream]);
    found
}

fn of_changes(mut rig: Rig) -> Vec<Reason> {
    rig.publish(CLOSED, OPEN);
    rig.outbound(&udp(CLIENT, SERVER));
    let flush = |rules| Some(LayerPolicy { flush: true, ..layer(rules) });
    rig.publish_with(CLOSED, OPEN, |nic| nic.outbound[2] = flush(CLOSED));
    let cut = rig.outbound(&udp(CLIENT, SERVER));
    rig.publish_with(CLOSED, CLOSED, |nic| nic.audit = true);
    let audited = rig.outbound(&udp(CLIENT, "192.0.2.1:54"));
    assert_eq!((cut, audited), (Reason::PolicyCut, Reason::Audited));
    vec![cut, audited]
}

fn of_limits(mut rig: Rig) -> Vec<Reason> {
    rig.publish_with(OPEN, OPEN, |nic| nic.limits = Limits { flows: 2, half_open: 1 });
    let to = |port: u16| format!("192.0.2.1:{port}");
    let sent = [1, 2].map(|port| rig.outbound(&tcp(CLIENT, &to(port), "S")));
    let more = [3, 4].map(|port| rig.outbound(&udp(CLIENT, &to(port))));
    assert_eq!(
        [sent, more].concat(),
        [Reason::Allowed, Reason::HalfOpenQuota, Reason::Allowed, Reason::FlowQuota]
    );
    rig.publish_with(OPEN, OPEN, |nic| {
        nic.throttle = Some(Throttle { per_second: 1, working_set: 1, until: NEVER });
    });
    let throttled = ["192.0.2.2:1", "192.0.2.3:1"].map(|to| rig.outbound(&udp(CLIENT, to)))[1];
    assert_eq!(throttled, Reason::Throttled);
    vec![sent[1], more[1], throttled]
}

/// A VM that speaks for another one.
fn of_identity(mut rig: Rig) -> Vec<Reason> {
    let own: AddressSet = ["10.0.0.4/32", "fd00::4/128"]
        .map(|text| text.parse::<Prefix>().expect("a prefix"))
        .into_iter()
        .collect();
    let publish = |rig: &mut Rig, guards| {
        rig.publish_with(OPEN, OPEN, |nic| {
            (nic.guards, nic.mac, nic.owned) = (guards, Some(Mac([2; 6])), own.clone());
        })
    };
    publish(&mut rig, Guards::MAC);
    let frame = udp(CLIENT, SERVER).build().expect("the packet can be written");
    let mut found = vec![rig.frame(Direction::Outbound, &frame)];
    publish(&mut rig, Guards::SOURCE | Guards::NEIGHBOUR);
    let mut advertisement = icmp("fd00::4", "ff02::1", 136, IcmpBody::Other);
    advertisement.hop_limit = 255;
    // Flags are written with the header; the target is another one's address.
    advertisement.payload = "fd00::5".parse::<std::net::Ipv6Addr>().expect("an address").octets().into();
    found.extend([
        rig.outbound(&udp("10.0.0.5:1000", SERVER)),
        rig.frame(Direction::Outbound, &question([2; 6], [10, 0, 0, 5])),
        rig.outbound(&advertisement),
    ]);
    use Reason::{ForeignArp, ForeignMac, ForeignNeighbour, ForeignSource};
    assert_eq!(found, [ForeignMac, ForeignSource, ForeignArp, ForeignNeighbour]);
    found
}

/// A VM that does what only the platform may.
fn of_others_business(mut rig: Rig) -> Vec<Reason> {
    rig.publish(OPEN, OPEN);
    let mut advertisement = icmp("fe80::4", "ff02::1", 134, IcmpBody::Other).with_payload([0; 8]);
    advertisement.hop_limit = 255;
    let found = vec![
        rig.outbound(&udp("10.0.0.4:67", "10.0.0.9:68")),
        rig.outbound(&advertisement),
        rig.outbound(&udp("168.63.129.16:53", SERVER)),
    ];
    assert_eq!(found, [Reason::DhcpServer, Reason::RouterMessage, Reason::ForgedPlatform]);
    found
}

fn full_table(mut rig: Rig) -> Vec<Reason> {
    rig.publish(OPEN, OPEN);
    // One bucket, however few flows were asked for.
    let sent: Vec<Reason> =
        (1..=8).map(|port| rig.outbound(&udp(CLIENT, &format!("192.0.2.1:{port}")))).collect();
    assert_eq!(sent, [[Reason::Allowed; 7].as_slice(), &[Reason::FlowTableFull]].concat());
    // The old flows are not evicted, and a place that is free again is used.
    assert_eq!(rig.inbound(&udp("192.0.2.1:1", CLIENT)), Reason::Established);
    rig.datapath.clear_flows().expect("the flows are removed");
    assert_eq!(rig.outbound(&udp(CLIENT, "192.0.2.1:8")), Reason::Allowed);
    assert_eq!(rig.datapath.counters(SLOT).expect("counters are readable").flows, 1);
    sent
}

/// Damages the published blob behind the publisher's back, in each way that the program checks.
fn damaged(mut rig: Rig) -> Vec<Reason> {
    rig.publish(OPEN, OPEN);
    let published = rig.datapath.observer.published().expect("a policy is published");
    let blob = published.nics[0].outbound[2];
    for word in (blob..).step_by(4).take(12) {
        rig.datapath.clear_flows().expect("the flows are removed");
        let memory = rig.datapath.observer.memory();
        let sound = memory.copy(word, 4);
        memory.write(word, &u32::MAX.to_ne_bytes());
        // The number of classes may be too large, and the reserved word is not read.
        let reason = rig.outbound(&tcp(CLIENT, SERVER, "S"));
        assert!(reason == Reason::CorruptPolicy || reason == Reason::Allowed, "{}: {reason}", word - blob);
        memory.write(word, &sound);
    }
    rig.datapath.clear_flows().expect("the flows are removed");
    rig.datapath.observer.memory().write(blob, &[0; 4]);
    vec![rig.outbound(&tcp(CLIENT, SERVER, "S"))]
}
