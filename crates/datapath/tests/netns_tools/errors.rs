//! Errors of a router on the way: they reach the machine if they are about something that it was allowed to send.

use std::{net::SocketAddr, time::Duration};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::packet::{IcmpBody, Packet, Quoted, Transport};

use crate::{
    scene::{FAR, Host, PEER, Scene, VM},
    shared::packets,
    tool,
    traffic::{Beacon, Echo, Stream},
    wire::Wire,
};

/// Nothing may come in by itself.
const SHUT: &[&str] = &["deny * * * *"];
const OUTBOUND: &[&str] =
    &["allow tcp * * 80", "allow icmp * * 8", "allow 58 * * 128", "allow udp * * 53", "deny * * * *"];
/// What the far network carries.
const NARROW: u64 = 1300;

/// What the machine believes of the way to an address.
fn path_mtu(scene: &Scene, to: &str) -> String {
    let mut command = scene.vm.command("ip");
    tool::run(command.args(["route", "get", to])).out
}

#[test]
fn the_way_may_be_narrower_than_the_link() {
    let Some(mut scene) = Scene::open(Host::Router) else { return };
    scene.publish(SHUT, OUTBOUND);
    for (network, metric) in [("10.9.0.0/24", 0), ("fd09::/64", 256)] {
        scene.host.ip(&format!("route replace {network} dev net0 metric {metric} mtu lock {NARROW}"));
    }
    let _server = Echo::tcp(&scene.peer, &[80]);
    for (address, text) in FAR.addresses().into_iter().zip([FAR.v4, FAR.v6]) {
        let before = scene.counted(Direction::Inbound, Reason::Related);
        // Its segments fill the machine's link: the router has to say that they do not fit.
        let stream = Stream::start(&scene.vm, SocketAddr::new(address, 80));
        stream.wait_for_more(20);
        stream.finish();
        assert!(scene.counted(Direction::Inbound, Reason::Related) > before, "{address}");
        let route = path_mtu(&scene, text);
        assert!(route.contains(&format!("mtu {NARROW}")), "{route}");
    }
    let counters = scene.counters();
    assert_eq!((counters.inbound.dropped(), counters.outbound.dropped()), (0, 0), "{counters:?}");
}

#[test]
fn a_way_that_ends_too_soon_says_where() {
    if !tool::are_here(&[("ping", "iputils-ping")]) {
        return;
    }
    let Some(mut scene) = Scene::open(Host::Router) else { return };
    scene.publish(SHUT, OUTBOUND);
    for (to, router) in [(FAR.v4, "10.0.0.1"), (FAR.v6, "fd00::1")] {
        let mut command = scene.vm.command("ping");
        command.args(["-n", "-c", "3", "-i", "0.01", "-W", "2", "-t", "1", to]);
        let said = tool::run(&mut command).out;
        let hop = said.lines().filter(|line| line.contains(router) && line.contains("ime")).count();
        assert_eq!(hop, 3, "{said}");
    }
    assert_eq!(scene.counted(Direction::Inbound, Reason::Related), 6);
}

#[test]
fn errors_about_nothing_do_not_arrive() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(&["allow udp * * 53", "deny * * * *"], &["allow udp * * 53", "deny * * * *"]);
    let _echo = Echo::udp(&scene.peer, &[53]);
    let [wire, sink] = [Wire::open(&scene.peer), Wire::open(&scene.vm)];
    crate::wire::keep_order();
    let [v4, v6] = PEER.addresses();
    let beacon = Beacon::start(&scene.vm, SocketAddr::new(v4, 53), Duration::from_millis(5));
    beacon.wait_for_answers(3);
    let beacon_v6 = Beacon::start(&scene.vm, SocketAddr::new(v6, 53), Duration::from_millis(5));
    beacon_v6.wait_for_answers(3);
    let flow = scene.datapath.flows().find(|flow| flow.id.local.0.is_ipv4()).expect("it was answered");
    let flow_v6 = scene.datapath.flows().find(|flow| flow.id.local.0.is_ipv6()).expect("it was answered");
    let quote = |flow: &palisade_datapath::FlowEntry, port: u16| Quoted {
        source: flow.id.local.0,
        destination: flow.id.remote.0,
        transport: Transport::Udp { source_port: flow.id.local.1, destination_port: port },
    };
    // Unreachable and too big: one of each about the flow, and one about a port that it does not go to.
    let errors = [(3, 4, &flow, PEER.v4, VM.v4), (2, 0, &flow_v6, PEER.v6, VM.v6)];
    let frame = |(kind, code, flow, from, to): (u8, u8, _, &str, &str), port| {
        let error = packets::icmp(from, to, kind, IcmpBody::Error(Some(Box::new(quote(flow, port)))));
        let Transport::Icmp { family, kind, body, .. } = error.transport else { unreachable!("it is ICMP") };
        let error = Packet { transport: Transport::Icmp { family, kind, code, body }, ..error };
        error.between(PEER.mac, VM.mac).build().expect("it can be written")
    };
    for error in errors {
        wire.send(&frame(error, 53));
        wire.send(&frame(error, 54));
    }
    let marker = crate::wire::marker(PEER, VM);
    wire.send(&marker);
    let seen = sink.until(|seen| seen == marker);
    for error in errors {
        assert!(seen.contains(&frame(error, 53)), "an error about a flow arrives");
        assert!(!seen.contains(&frame(error, 54)), "an error about nothing does not");
    }
    assert_eq!(scene.counted(Direction::Inbound, Reason::Related), 2);
    assert_eq!(scene.counted(Direction::Inbound, Reason::SubnetDeny), 2);
    beacon.finish_without_loss();
    beacon_v6.finish_without_loss();
}
