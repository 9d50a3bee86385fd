//! Interfaces of other kinds than the pair that the other tests have: taps, macvtaps with their directions inverted, and an
//! interface that is moved between bridges under traffic.

use std::{net::SocketAddr, time::Duration};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_datapath::{NicKind, NicPolicy, Plane as _, Watch as _};

use crate::{
    neighbour::{NEIGHBOUR, nic_of},
    scene::{CLOSED, Host, PEER, Scene, VM, layer},
    shared::{link, packets::udp, wait},
    traffic::{Beacon, Echo, Stream},
    wire::{Wire, keep_order, marker},
};

/// UDP 53 passes both ways, and nothing else by itself.
const RULES: &[&str] = &["allow udp * * 53", "deny * * * *"];

/// A datagram between the peer and the neighbour, ports last.
fn datagram(is_from_machine: bool, source: u16, destination: u16) -> Vec<u8> {
    let (from, to) = if is_from_machine { (NEIGHBOUR, PEER) } else { (PEER, NEIGHBOUR) };
    let packet = udp(&format!("{}:{source}", from.v4), &format!("{}:{destination}", to.v4));
    packet.with_payload(*b"a datagram").between(from.mac, to.mac).build().expect("it can be written")
}

/// The neighbour behind an interface of the host's bridge, as the test itself plays it.
fn check(scene: &mut Scene, inside: &Wire, (ifindex, kind): (u32, NicKind)) {
    let mut nic = NicPolicy { kind, ..nic_of(ifindex) };
    (nic.inbound[1], nic.outbound[2]) = (Some(layer(RULES)), Some(layer(RULES)));
    let slot = nic.slot;
    scene.datapath.attach(ifindex, kind).expect("the interface is there");
    scene.datapath.publish(&[nic]).expect("the policy is published");
    let outside = Wire::open(&scene.peer);
    keep_order();

    let [open, shut] = [53, 54].map(|port| datagram(false, 9, port));
    let last = marker(PEER, NEIGHBOUR);
    [&open, &shut, &last].into_iter().for_each(|frame| outside.send(frame));
    let seen = inside.until(|frame| frame == last);
    assert_eq!([seen.contains(&open), seen.contains(&shut)], [true, false]);

    let answer = datagram(true, 53, 9);
    let [open, shut] = [53, 54].map(|port| datagram(true, 1000, port));
    let strange = udp("10.0.0.66:9", &format!("{}:53", PEER.v4)).between(NEIGHBOUR.mac, PEER.mac);
    let strange = strange.build().expect("it can be written");
    let last = marker(NEIGHBOUR, PEER);
    [&answer, &open, &shut, &strange, &last].into_iter().for_each(|frame| inside.send(frame));
    let seen = outside.until(|frame| frame == last);
    let seen = [&answer, &open, &shut, &strange].map(|frame| seen.contains(frame));
    assert_eq!(seen, [true, true, false, false]);

    let counters = scene.datapath.counters(slot).expect("counters are readable");
    let of = |direction, reason| counters.direction(direction).reasons.get(&reason).copied();
    let [inbound, outbound] = [Direction::Inbound, Direction::Outbound];
    assert_eq!(
        (of(inbound, Reason::SubnetDeny), of(outbound, Reason::SubnetDeny)),
        (Some(1), Some(1)),
        "{counters:?}"
    );
    assert_eq!(of(outbound, Reason::ForeignSource), Some(1), "{counters:?}");
    // The last ones tell of themselves: from the peer in the flow of the first, from the machine as a flow of its own.
    let allowed = [inbound, outbound].map(|direction| of(direction, Reason::Allowed));
    let established = [inbound, outbound].map(|direction| of(direction, Reason::Established));
    assert_eq!((allowed, established), ([Some(1), Some(2)], [Some(1); 2]), "{counters:?}");
}

#[test]
fn a_tap_is_enforced() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    let machine = match Wire::tap("tap0") {
        Ok(machine) => machine,
        Err(why) => {
            println!("skipped: no tap can be made: {why}");
            return;
        }
    };
    scene.host.ip("link set tap0 master br0 up");
    check(&mut scene, &machine, (link::index("tap0"), NicKind::Direct));
}

#[test]
fn a_macvtap_is_enforced_from_its_other_side() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    // The device's name is made of the interface's number, and is the whole system's.
    let ifindex = 500_000_000 + std::process::id();
    scene.host.ip(&format!(
        "link add up0 type veth peer name low0\nlink set low0 master br0 up\nlink set up0 up\n\
         link add link up0 name mvt0 index {ifindex} address {} type macvtap\nlink set mvt0 up",
        NEIGHBOUR.mac
    ));
    match Wire::macvtap(ifindex) {
        Ok(machine) => check(&mut scene, &machine, (ifindex, NicKind::Inverted)),
        Err(why) => println!("skipped: the macvtap's device cannot be opened: {why}"),
    }
}

#[test]
fn an_interface_that_moves_between_bridges_is_judged_once_wherever_it_is() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(&["allow udp * * 53", "allow tcp * * 80", "deny * * * *"], CLOSED);
    scene.host.ip("link add br1 type bridge mcast_snooping 0\nlink set br1 up");
    let _servers = [Echo::tcp(&scene.vm, &[80]), Echo::udp(&scene.vm, &[53])];
    let [to, _] = VM.addresses();
    let beacon = Beacon::start(&scene.peer, SocketAddr::new(to, 53), Duration::from_millis(5));
    let stream = Stream::start(&scene.peer, SocketAddr::new(to, 80));
    let seen = || scene.vm.statistic("eth0", "rx_packets") + scene.vm.statistic("eth0", "tx_packets");
    let counted = || {
        let counters = scene.counters();
        assert_eq!((counters.inbound.dropped(), counters.outbound.dropped()), (0, 0), "{counters:?}");
        counters.inbound.packets() + counters.outbound.packets()
    };
    for bridge in ["br1", "br0", "br1", "br0"] {
        // On the way between two bridges there is no way; TCP says again what was lost there.
        scene.host.ip(&format!("link set vm0 master {bridge}\nlink set net0 master {bridge}"));
        beacon.wait_for_answers(10);
        stream.wait_for_more(2);
        assert_eq!(scene.datapath.attached().expect("links are readable").len(), 1);
    }
    println!("{} blocks, none lost", stream.finish());
    drop(beacon.finish());
    assert_eq!(scene.counters().flows_created, 2);
    // Offloads make one packet of several for the interface alone; datagrams are one for both.
    let [seen_before, counted_before] = [seen(), counted()];
    let beacon = Beacon::start(&scene.peer, SocketAddr::new(to, 53), Duration::from_millis(2));
    beacon.wait_for_answers(50);
    beacon.finish_without_loss();
    wait("the counts to agree", || seen() - seen_before == counted() - counted_before);
}
