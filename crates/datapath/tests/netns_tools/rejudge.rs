//! Connections that live long, while their rules change under them fifty times: lists whose changes flush flows and lists
//! whose changes leave them alone.

use std::{net::SocketAddr, time::Duration};

use palisade_abi::{event::EventKind, flow::FlowState, verdict::Reason};
use palisade_datapath::{MemoryChoice, Plane as _};

use crate::{
    scene::{CLOSED, Host, SLOT, Scene, VM},
    shared::wait,
    traffic::{Beacon, Echo, Stream},
};

/// Publishes in a row.
const PUBLISHES: u16 = 50;
const EVERY: Duration = Duration::from_millis(2);
const BASE: [&str; 2] = ["allow tcp * * 80", "allow udp * * 53"];

/// Connections of all kinds from the peer to the machine.
struct Traffic {
    streams: Vec<Stream>,
    beacons: Vec<Beacon>,
}

impl Traffic {
    fn start(scene: &Scene) -> Self {
        let to = |port: u16| VM.addresses().map(|address| SocketAddr::new(address, port));
        Self {
            streams: to(80).map(|to| Stream::start(&scene.peer, to)).into(),
            beacons: to(53).map(|to| Beacon::start(&scene.peer, to, EVERY)).into(),
        }
    }

    /// Waits until each of them has gone on for a while.
    fn go_on(&self) {
        self.streams.iter().for_each(|stream| stream.wait_for_more(3));
        self.beacons.iter().for_each(|beacon| beacon.wait_for_answers(3));
    }
}

/// Publishes lists that differ in what no packet of this test is.
fn publish(scene: &mut Scene, rules: &[&str], number: u16, flush: bool) {
    let other = format!("allow tcp * * {}", 1000 + number);
    let inbound = [&[other.as_str()], rules, &["deny * * * *"]].concat();
    scene.publish_with(&inbound, CLOSED, |nic| {
        let lists = nic.inbound.iter_mut().chain(&mut nic.outbound).flatten();
        lists.for_each(|list| list.flush = flush);
    });
}

/// Whether a new datagram is answered, and a new connection made.
fn is_open(scene: &Scene, patience: Duration) -> [bool; 2] {
    let [to, _] = VM.addresses();
    let socket = crate::traffic::udp_to(&scene.peer, SocketAddr::new(to, 53));
    socket.set_read_timeout(Some(patience)).expect("not zero");
    let answered = socket.send(b"new").and_then(|_| socket.recv(&mut [0; 8]));
    let connect = || std::net::TcpStream::connect_timeout(&SocketAddr::new(to, 80), patience);
    [answered.is_ok(), scene.peer.enter(connect).is_ok()]
}

#[test]
fn flows_that_are_judged_again_go_on_or_end_at_once() {
    for memory in [MemoryChoice::Arena, MemoryChoice::Array] {
        let Some(scene) = Scene::open_with(Host::Bridge, |config| config.memory = memory) else { return };
        println!("memory: {memory:?}");
        change_and_cut(scene);
    }
}

fn change_and_cut(mut scene: Scene) {
    let _servers = [Echo::tcp(&scene.vm, &[80]), Echo::udp(&scene.vm, &[53])];
    publish(&mut scene, &BASE, 0, true);
    scene.datapath.set_events(&[EventKind::Cut]);
    let traffic = Traffic::start(&scene);
    traffic.go_on();
    for number in 1..=PUBLISHES {
        publish(&mut scene, &BASE, number, true);
    }
    traffic.go_on();
    let before = scene.counters();
    assert_eq!(
        (before.inbound.dropped(), before.outbound.dropped(), before.flows_cut),
        (0, 0, 0),
        "{before:?}"
    );
    assert!(before.flows_rejudged >= 4, "{before:?}");

    // Denied: from the moment on that the publish returns, nothing of them passes.
    publish(&mut scene, &BASE[1..], 0, true);
    let passed = || scene.flows_at(80).iter().map(|flow| flow.packets).collect::<Vec<_>>();
    let at_the_cut = passed();
    traffic.beacons.iter().for_each(|beacon| beacon.wait_for_answers(20));
    wait("both streams to be cut", || scene.counters().flows_cut == 2);
    assert_eq!(passed(), at_the_cut);
    let flows = scene.flows_at(80);
    assert!(flows.iter().all(|flow| flow.state == FlowState::Cut) && flows.len() == 2, "{flows:?}");
    let cuts = scene.events();
    assert!(
        cuts.len() == 2 && cuts.iter().all(|cut| cut.flow.local.1 == 80 && cut.flow.slot == SLOT),
        "{cuts:?}"
    );

    // Allowed again soon enough, they go on where they were: TCP repeats what was dropped.
    publish(&mut scene, &BASE, 0, true);
    traffic.go_on();
    let counters = scene.counters();
    let dropped = counters.inbound.reasons.iter().chain(&counters.outbound.reasons);
    let reasons: Vec<_> = dropped.map(|(reason, _)| *reason).filter(|reason| reason.is_drop()).collect();
    assert!(reasons.iter().all(|reason| *reason == Reason::PolicyCut), "{reasons:?}");
    let blocks: Vec<u64> = traffic.streams.into_iter().map(Stream::finish).collect();
    let asked: Vec<usize> = traffic.beacons.into_iter().map(Beacon::finish_without_loss).collect();
    println!("{PUBLISHES} publishes: {blocks:?} blocks and {asked:?} datagrams, none lost");
}

#[test]
fn flows_that_are_kept_live_on() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    let _servers = [Echo::tcp(&scene.vm, &[80]), Echo::udp(&scene.vm, &[53])];
    publish(&mut scene, &BASE, 0, false);
    let traffic = Traffic::start(&scene);
    traffic.go_on();
    for number in 1..=PUBLISHES {
        let rules = if number % 2 == 0 { &BASE[..] } else { &[] };
        publish(&mut scene, rules, number, false);
    }
    publish(&mut scene, &[], 0, false);
    traffic.go_on();
    assert_eq!(is_open(&scene, Duration::from_millis(300)), [false; 2]);
    let counters = scene.counters();
    assert_eq!(
        (counters.flows_cut, counters.flows_rejudged, counters.outbound.dropped()),
        (0, 0, 0),
        "{counters:?}"
    );
    assert_eq!(counters.inbound.dropped(), counters.inbound.reasons[&Reason::SubnetDeny], "{counters:?}");

    // The same list judges them again as soon as it says so.
    let asked: Vec<usize> = traffic.beacons.into_iter().map(Beacon::finish_without_loss).collect();
    publish(&mut scene, &[], 0, true);
    wait("both streams to be cut", || scene.counters().flows_cut >= 2);
    drop(traffic.streams);
    publish(&mut scene, &BASE, 0, true);
    assert_eq!(is_open(&scene, Duration::from_secs(5)), [true; 2]);
    println!("{PUBLISHES} publishes: {asked:?} datagrams, none lost");
}
