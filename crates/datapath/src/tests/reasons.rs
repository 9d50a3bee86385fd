//! Every reason code, produced once by a packet that deserves it.

use std::{collections::BTreeSet, sync::Mutex};

use palisade_abi::{
    flow::Direction,
    verdict::{LAYERS, Reason},
};
use palisade_net::packet::{self, Arp, IcmpBody, Quoted};

use super::rig::{LOOPBACK, Rig, SLOT, icmp, list, nic, tcp, udp};
use crate::{Plane, Sizes, Watch};

const CLIENT: &str = "10.0.0.4:1000";
const SERVER: &str = "192.0.2.1:443";

#[test]
fn every_reason_can_be_reached() {
    if !super::rig::can_run() {
        return;
    }
    let reached = Mutex::new(BTreeSet::new());
    for produce in [before_publish, unreadable, by_layer, of_flows, full_table, damaged] {
        reached.lock().expect("no test thread panicked").extend(produce());
    }
    let all: BTreeSet<Reason> = Reason::ALL.iter().copied().collect();
    assert_eq!(reached.into_inner().expect("no test thread panicked"), all);
}

fn rig(inbound: &[&str], outbound: &[&str]) -> Rig {
    Rig::with_rules(inbound, outbound).expect("this process may load the program")
}

fn before_publish() -> Vec<Reason> {
    let mut rig = Rig::new().expect("this process may load the program");
    let first = rig.outbound(&tcp(CLIENT, SERVER, "S"));
    rig.datapath.publish(&[nic(LOOPBACK + 1, SLOT)]).expect("the policy is published");
    let second = rig.outbound(&tcp(CLIENT, SERVER, "S"));
    assert_eq!((first, second), (Reason::NoPolicy, Reason::NoDescriptor));
    vec![first, second]
}

fn unreadable() -> Vec<Reason> {
    let rig = rig(&["allow * * * *"], &["allow * * * *"]);
    let whole = tcp(CLIENT, SERVER, "S").build().expect("the packet can be written");
    let mut tagged = whole.clone();
    tagged[12..14].copy_from_slice(&[0x81, 0]);
    let mut later = tcp(CLIENT, SERVER, "S").with_payload([0; 64]);
    later.fragment = Some((8, true));
    let question = Arp {
        operation: 1,
        sender: (palisade_net::Mac([2; 6]), [10, 0, 0, 4].into()),
        target: (palisade_net::Mac([0; 6]), [10, 0, 0, 1].into()),
    };
    let arp = packet::arp(palisade_net::Mac([2; 6]), palisade_net::Mac([255; 6]), &question);
    let found = vec![
        rig.frame(Direction::Outbound, &whole[..40]),
        rig.frame(Direction::Outbound, &tagged),
        rig.outbound(&later),
        rig.frame(Direction::Inbound, &arp),
    ];
    use Reason::{Fragment, LinkControl, Malformed, UnsupportedEtherType};
    assert_eq!(found, [Malformed, UnsupportedEtherType, Fragment, LinkControl]);
    found
}

/// Each layer in its place, both directions.
fn by_layer() -> Vec<Reason> {
    use Reason::{AdminDeny, Allowed, NetworkInterfaceDeny, PublicAddressClosed, SubnetDeny};
    let (allow, deny) = (["allow * * * *"], ["deny * * * *"]);
    let cases: [([&[&str]; LAYERS], Reason, Reason); 8] = [
        ([&deny, &allow, &allow], AdminDeny, AdminDeny),
        ([&allow, &deny, &allow], SubnetDeny, NetworkInterfaceDeny),
        ([&allow, &allow, &deny], NetworkInterfaceDeny, SubnetDeny),
        ([&["always * * * *"], &deny, &deny], Allowed, Allowed),
        ([&["deny udp * * 53"], &allow, &allow], Allowed, Allowed),
        ([&allow, &["allow udp * * 53"], &allow], SubnetDeny, NetworkInterfaceDeny),
        ([&allow, &["closed * * * *"], &allow], PublicAddressClosed, PublicAddressClosed),
        ([&allow, &allow, &allow], Allowed, Allowed),
    ];
    let mut rig = Rig::new().expect("this process may load the program");
    let mut reached = Vec::new();
    for (layers, inbound, outbound) in cases {
        let mut policy = nic(LOOPBACK, SLOT);
        policy.inbound = layers.map(|rules| Some(list(rules)));
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

fn of_flows() -> Vec<Reason> {
    let rig = rig(&["deny * * * *"], &["allow * * * *"]);
    let sent = udp(CLIENT, SERVER);
    let quoted =
        Quoted { source: sent.source, destination: sent.destination, transport: sent.transport.clone() };
    let found = vec![
        rig.outbound(&sent),
        rig.inbound(&udp(SERVER, CLIENT)),
        rig.inbound(&icmp("198.51.100.1", "10.0.0.4", 3, IcmpBody::Error(Some(Box::new(quoted))))),
    ];
    assert_eq!(found, [Reason::Allowed, Reason::Established, Reason::Related]);
    found
}

fn full_table() -> Vec<Reason> {
    let mut rig = Rig::with(|config| config.sizes = Sizes { flows_v4: 2, flows_v6: 2, slots: 16 })
        .expect("this process may load the program");
    rig.publish(&["allow * * * *"], &["allow * * * *"]);
    let sent: Vec<Reason> =
        (1..=3).map(|port| rig.outbound(&udp(CLIENT, &format!("192.0.2.1:{port}")))).collect();
    assert_eq!(sent, [Reason::Allowed, Reason::Allowed, Reason::FlowTableFull]);
    // The old flows are not evicted, and a place that is free again is used.
    assert_eq!(rig.inbound(&udp("192.0.2.1:1", CLIENT)), Reason::Established);
    rig.datapath.clear_flows().expect("the flows are removed");
    assert_eq!(rig.outbound(&udp(CLIENT, "192.0.2.1:3")), Reason::Allowed);
    assert_eq!(rig.datapath.counters(SLOT).expect("counters are readable").flows(), 1);
    sent
}

/// Damages the published blob behind the publisher's back, in each way that the program checks.
fn damaged() -> Vec<Reason> {
    let mut rig = rig(&["allow * * * *"], &["allow * * * *"]);
    let blob = crate::arena::published(rig.datapath.observer.arena()).expect("a policy is published").nics[0]
        .outbound[2];
    for word in (blob..).step_by(4).take(12) {
        rig.datapath.clear_flows().expect("the flows are removed");
        let arena = rig.datapath.observer.arena();
        let sound = arena.copy(word, 4);
        arena.write(word, &u32::MAX.to_ne_bytes());
        // The number of classes may be too large, and the reserved word is not read.
        let reason = rig.outbound(&tcp(CLIENT, SERVER, "S"));
        assert!(reason == Reason::CorruptPolicy || reason == Reason::Allowed, "{}: {reason}", word - blob);
        arena.write(word, &sound);
    }
    rig.datapath.clear_flows().expect("the flows are removed");
    rig.datapath.observer.arena().write(blob, &[0; 4]);
    vec![rig.outbound(&tcp(CLIENT, SERVER, "S"))]
}
