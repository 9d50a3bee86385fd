//! A flow table that is full: new flows are refused, and none that is there makes room for them.

use std::{net::SocketAddr, time::Duration};

use palisade_abi::{event::EventKind, flow::FlowState, verdict::Reason};
use palisade_datapath::{Limits, Plane as _, Sizes, Timeouts};

use crate::{
    flood::Flood,
    scene::{Host, OPEN, Scene, VM},
    shared::{packets::udp, wait},
    traffic::{Beacon, Echo, Stream, udp_to},
    wire::Wire,
};

const FLOWS: u32 = 2048;
const EVERY: Duration = Duration::from_millis(5);

#[test]
fn a_full_table_refuses_and_never_evicts() {
    let sizes = |config: &mut palisade_datapath::Config| config.sizes = Sizes { flows: FLOWS, slots: 16 };
    let Some(mut scene) = Scene::open_with(Host::Bridge, sizes) else { return };
    let _servers = [Echo::tcp(&scene.vm, &[80]), Echo::udp(&scene.vm, &[53])];
    let publish = |scene: &mut Scene, patience_s: u32| {
        scene.publish_with(OPEN, OPEN, |nic| {
            nic.limits = Limits { flows: 100 * FLOWS, half_open: FLOWS };
            nic.timeouts = Timeouts::default().with(FlowState::UdpOpen, patience_s);
        })
    };
    publish(&mut scene, 60);
    scene.datapath.set_events(&[EventKind::Limit]);
    let [v4, v6] = VM.addresses();
    let beacons = [v4, v6].map(|to| Beacon::start(&scene.peer, SocketAddr::new(to, 53), EVERY));
    let streams = [v4, v6].map(|to| Stream::start(&scene.peer, SocketAddr::new(to, 80)));
    beacons.iter().for_each(|beacon| beacon.wait_for_answers(3));
    streams.iter().for_each(|stream| stream.wait_for_more(2));

    let wire = Wire::open(&scene.peer);
    Flood::of(udp("198.18.0.0:1", &format!("{}:9", VM.v4))).send(&wire, 20 * FLOWS);
    let counters = scene.counters();
    let refused = counters.inbound.reasons[&Reason::FlowTableFull];
    assert!(counters.flows >= u64::from(FLOWS) && refused > u64::from(FLOWS), "{counters:?}");
    assert_eq!(counters.flows, scene.datapath.flows().count() as u64);
    assert_eq!(counters.flows_ended(), 0, "{counters:?}");
    let told = scene.events();
    assert!(told.iter().all(|event| event.reason == Reason::FlowTableFull && event.kind == EventKind::Limit));
    assert_eq!(told.len() as u64 + counters.events_lost, refused);

    // What was there before goes on, and nothing new begins.
    beacons.iter().for_each(|beacon| beacon.wait_for_answers(20));
    streams.iter().for_each(|stream| stream.wait_for_more(5));
    let is_answered = |patience| {
        let socket = udp_to(&scene.peer, SocketAddr::new(v4, 53));
        socket.set_read_timeout(Some(patience)).expect("not zero");
        socket.send(b"new").and_then(|_| socket.recv(&mut [0; 8])).is_ok()
    };
    let new: Vec<bool> = (0..20).map(|_| is_answered(Duration::from_millis(10))).collect();
    assert!(new.iter().any(|answered| !answered), "a table that is full to the brim finds no place: {new:?}");

    // Places of flows that are over are given away when they are wanted.
    scene.datapath.clear_flows().expect("the flows are removed");
    let flows = || scene.datapath.flows().count();
    assert!(flows() < FLOWS as usize, "{}", flows());
    wait("something new to be answered", || is_answered(Duration::from_secs(1)));
    let asked = beacons.map(Beacon::finish_without_loss);
    println!("{refused} flows refused; {asked:?} datagrams of others, none lost");
}
