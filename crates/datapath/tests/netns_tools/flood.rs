//! Floods at one NIC beside another one that works: limits hold, the other one notices nothing, what is refused is told or
//! counted, and a denied flood costs no memory and few words.

use std::{net::SocketAddr, time::Duration};

use palisade_abi::{event::EventKind, flow::Direction, verdict::Reason};
use palisade_datapath::{Limits, NicPolicy, Plane as _, Watch as _};
use palisade_net::packet::Packet;

use crate::{
    neighbour::Neighbour,
    scene::{CLOSED, Host, OPEN, PEER, SLOT, Scene, VM, layer, of},
    shared::packets::{tcp, udp},
    traffic::{Beacon, Echo, Stream},
    wire::{Wire, keep_order},
};

const EVERY: Duration = Duration::from_millis(5);
const LIMITS: Limits = Limits { flows: 3000, half_open: 500 };
const FLOOD: u32 = 60_000;
/// Identification of the first packet of a flood.
const ID: u16 = 0x8000;

/// Frames like one IPv4 packet to the machine, each from a source of its own. Sums of their contents are left wrong: nobody
/// minds who drops them.
pub struct Flood {
    frame: Vec<u8>,
    next: u32,
}

impl Flood {
    pub fn of(packet: Packet) -> Self {
        let packet = Packet { identification: ID.into(), ..packet };
        Self { frame: packet.between(PEER.mac, VM.mac).build().expect("it can be written"), next: 0 }
    }

    /// Sends so many more.
    pub fn send(&mut self, wire: &Wire, frames: u32) {
        const IDENTIFICATION: usize = 14 + 4;
        const SOURCE: usize = 14 + 12;
        const SOURCE_PORT: usize = 14 + 20;
        for number in self.next..self.next + frames {
            // Addresses from 198.18.0.0 on, with ports from 1024 on; what the address adds to the header's sum, the
            // identification takes away.
            let high = (number >> 14) as u16;
            self.frame[SOURCE + 2..SOURCE + 4].copy_from_slice(&high.to_be_bytes());
            self.frame[IDENTIFICATION..IDENTIFICATION + 2].copy_from_slice(&(ID - high).to_be_bytes());
            let port = 1024 + (number & 0x3fff) as u16;
            self.frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
            wire.send(&self.frame);
        }
        self.next += frames;
    }
}

fn syn() -> Flood {
    Flood::of(tcp("198.18.0.0:1", &format!("{}:80", VM.v4), "S"))
}

fn datagram(port: u16) -> Flood {
    Flood::of(udp("198.18.0.0:1", &format!("{}:{port}", VM.v4)))
}

/// Exchanges of the peer with a machine: of both kinds, over both families.
struct Steady(Vec<Beacon>, Vec<Stream>);

impl Steady {
    fn start(scene: &Scene, to: [std::net::IpAddr; 2]) -> Self {
        let at = |port: u16| to.map(|address| SocketAddr::new(address, port));
        let beacons: Vec<Beacon> = at(53).map(|to| Beacon::start(&scene.peer, to, EVERY)).into();
        let streams: Vec<Stream> = at(80).map(|to| Stream::start(&scene.peer, to)).into();
        let this = Self(beacons, streams);
        this.go_on();
        this
    }

    fn go_on(&self) {
        self.0.iter().for_each(|beacon| beacon.wait_for_answers(3));
        self.1.iter().for_each(|stream| stream.wait_for_more(2));
    }

    /// Ends it; nothing may have been lost.
    fn finish(self) -> (Vec<usize>, Vec<u64>) {
        self.go_on();
        let Self(beacons, streams) = self;
        (
            beacons.into_iter().map(Beacon::finish_without_loss).collect(),
            streams.into_iter().map(Stream::finish).collect(),
        )
    }
}

/// The policies of the flooded machine and of its neighbour.
fn policies(scene: &Scene, neighbour: &Neighbour, inbound: &[&str], limits: Limits) -> [NicPolicy; 2] {
    let mut nics = [scene.nic.clone(), neighbour.nic.clone()];
    for nic in &mut nics {
        nic.inbound[1] = Some(layer(OPEN));
        nic.outbound[2] = Some(layer(CLOSED));
    }
    nics[0].inbound[1] = Some(layer(inbound));
    nics[0].limits = limits;
    nics
}

#[test]
fn a_flood_takes_what_its_nic_may_have_and_no_more() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    let neighbour = Neighbour::join(&mut scene);
    let _servers = [&scene.vm, &neighbour.space].map(|at| [Echo::tcp(at, &[80]), Echo::udp(at, &[53])]);
    scene.datapath.publish(&policies(&scene, &neighbour, OPEN, LIMITS)).expect("the policy is published");
    scene.datapath.set_events(&[EventKind::Limit]);
    let [own, other] = [VM.addresses(), neighbour.who.addresses()].map(|to| Steady::start(&scene, to));
    let wire = Wire::open(&scene.peer);
    let (mut syns, mut datagrams) = (syn(), datagram(9));
    let mut told = [0; 2];
    for _ in 0..20 {
        syns.send(&wire, FLOOD / 40);
        let counters = scene.counters();
        assert!(counters.half_open <= u64::from(LIMITS.half_open), "{counters:?}");
        for event in scene.events() {
            assert_eq!(
                (event.kind, event.reason, event.flow.slot),
                (EventKind::Limit, Reason::HalfOpenQuota, SLOT)
            );
            told[0] += 1;
        }
    }
    for _ in 0..20 {
        datagrams.send(&wire, FLOOD / 40);
        let counters = scene.counters();
        assert!(counters.flows <= u64::from(LIMITS.flows), "{counters:?}");
        told[1] += scene.events().iter().filter(|event| event.reason == Reason::FlowQuota).count() as u64;
    }
    let counters = scene.counters();
    let refused = [Reason::HalfOpenQuota, Reason::FlowQuota].map(|reason| of(&counters.inbound, reason));
    assert!(refused.iter().all(|packets| *packets > u64::from(FLOOD) / 4), "{counters:?}");
    assert!(told.iter().all(|events| *events > 50), "{told:?}");
    assert_eq!(told[0] + told[1] + counters.events_lost, refused[0] + refused[1], "each is told or counted");
    // What was there before lives on in the full NIC, and the other one has not noticed anything.
    println!(
        "{FLOOD} packets refused {refused:?}; own {:?}, other {:?}, none lost",
        own.finish(),
        other.finish()
    );
    let others = scene.datapath.counters(neighbour.nic.slot).expect("counters are readable");
    assert_eq!(
        (others.inbound.dropped(), others.outbound.dropped(), others.events_lost),
        (0, 0, 0),
        "{others:?}"
    );
}

#[test]
fn a_denied_flood_is_told_in_few_words_and_every_loss_is_counted() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(&["allow udp * * 53", "deny * * * *"], CLOSED);
    scene.datapath.set_events(&[EventKind::Deny]);
    let wire = Wire::open(&scene.peer);
    keep_order();
    // One and the same: the first is told, and then the number of them from time to time.
    let same = tcp(&format!("{}:9", PEER.v4), &format!("{}:80", VM.v4), "S").between(PEER.mac, VM.mac);
    let same = same.build().expect("it can be written");
    (0..FLOOD).for_each(|_| wire.send(&same));
    scene.wait_for(Direction::Inbound, Reason::SubnetDeny, FLOOD.into());
    let events = scene.events();
    assert!((1..=4).contains(&events.len()), "{} events", events.len());
    assert!(events.iter().all(|event| event.rules == [None, Some(1), None]), "{events:?}");

    // Each another one: more than is remembered, told as far as there is room.
    let before = scene.counters();
    datagram(9).send(&wire, FLOOD);
    let counters = scene.counters();
    let denied = of(&counters.inbound, Reason::SubnetDeny) - of(&before.inbound, Reason::SubnetDeny);
    let told: u64 = scene.events().iter().map(|event| event.packets[0]).sum();
    assert_eq!(denied, FLOOD.into());
    assert_eq!(told + counters.events_lost - before.events_lost, denied);
    assert!(told > 1000 && counters.events_lost > 1000, "{told} told, {} lost", counters.events_lost);
    assert_eq!((counters.flows, counters.flows_created), (0, 0), "{counters:?}");
    let rules = scene.datapath.rule_counters();
    let inbound =
        rules.iter().find(|counts| counts.direction == Direction::Inbound).expect("the list is in force");
    assert_eq!(inbound.rows[1].denied, 2 * u64::from(FLOOD));
}
