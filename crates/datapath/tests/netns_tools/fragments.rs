//! Pieces of packets, made by hand, to receivers that put them together: what is allowed arrives whole in whatever order its
//! pieces come, and nothing of what is denied ever does.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::{
    Mac,
    packet::{Content, Extension, Packet, TcpFlags, Transport, parse},
};

use crate::{
    namespace::Namespace,
    scene::{Host, PEER, Scene, Station, VM},
    shared::packets,
    wire::{Wire, keep_order},
};

const RULES: &[&str] = &["allow udp * * 53", "allow tcp * * 80", "deny * * * *"];
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
/// Nobody's: its frames come from the peer's interface, and no stack takes what is answered.
const GHOST: Station = Station { v4: "10.0.0.77", v6: "fd00::77", mac: Mac([0x52, 0x54, 0, 0, 0, 77]) };

fn socket(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

/// What to send, and whether the receiver shall have it.
struct Case {
    name: String,
    pieces: Vec<Packet>,
    arrives: bool,
}

/// Makes cases for one pair of addresses and one port; each has an identification and a text of its own.
struct Maker {
    from: IpAddr,
    to: IpAddr,
    port: u16,
    cases: Vec<Case>,
}

impl Maker {
    /// A datagram of 68 bytes with the case's name in it.
    fn whole(&self, name: &str) -> Packet {
        let identification = 1000 + u32::from(self.port) * 100 + self.cases.len() as u32;
        let text = format!("{name:.<60}");
        let packet = packets::udp(&socket(self.from, 9), &socket(self.to, self.port)).with_payload(text);
        Packet { identification, ..packet }
    }

    fn add(&mut self, name: &str, pieces: Vec<Packet>, arrives: bool) {
        self.cases.push(Case { name: format!("{name:.<60}"), pieces, arrives });
    }

    /// Three pieces of a datagram in an order, some of them perhaps more than once.
    fn ordered(&mut self, order: &[usize]) {
        let name = format!("{order:?} {} {}", self.to, self.port);
        let pieces = self.whole(&name).fragments(24).expect("it can be cut");
        self.add(&name, order.iter().map(|index| pieces[*index].clone()).collect(), true);
    }

    fn all(mut self) -> Vec<Case> {
        ORDERS.iter().for_each(|order| self.ordered(order));
        [&[0, 1, 1, 2][..], &[2, 2, 0, 0, 1], &[1, 1, 1, 0, 2]].iter().for_each(|order| self.ordered(order));
        let small = self.whole("pieces of eight").fragments(8).expect("it can be cut");
        self.add("pieces of eight", small.clone(), true);
        let small = Packet { identification: 7, ..self.whole("backwards") };
        self.add("backwards", small.fragments(8).expect("it can be cut").into_iter().rev().collect(), true);
        self.overlapping();
        self.two_beginnings();
        if self.from.is_ipv6() {
            self.behind_headers();
        }
        self.cases
    }

    /// A piece that says again, and otherwise, what another one has said: the receiver gives all of it up (RFC 5722).
    fn overlapping(&mut self) {
        let pieces = self.whole("overlapping").fragments(24).expect("it can be cut");
        let over = Packet { fragment: Some((4, true)), ..pieces[1].clone().with_payload([b'x'; 24]) };
        self.add("overlapping", vec![pieces[0].clone(), pieces[1].clone(), over, pieces[2].clone()], false);
    }

    /// A second beginning, with the denied port, for the rest of an allowed datagram: it does not arrive, the first does.
    fn two_beginnings(&mut self) {
        let pieces = self.whole("two beginnings").fragments(24).expect("it can be cut");
        let denied = Maker { port: 54, cases: vec![], ..*self }.whole("two beginnings").fragments(24);
        let other =
            Packet { identification: pieces[0].identification, ..denied.expect("it can be cut")[0].clone() };
        self.add(
            "two beginnings",
            vec![pieces[0].clone(), other, pieces[1].clone(), pieces[2].clone()],
            true,
        );
    }

    /// IPv6: a fragment that is all of its packet (RFC 6946), and extension headers in front of the cut.
    fn behind_headers(&mut self) {
        let atomic = Packet { fragment: Some((0, false)), ..self.whole("atomic") };
        self.add("atomic", vec![atomic], true);
        let extensions = vec![Extension::HopByHop(vec![0; 6]), Extension::Destination(vec![0; 6])];
        let behind = Packet { extensions, ..self.whole("behind headers") };
        self.add("behind headers", behind.fragments(24).expect("it can be cut"), true);
    }
}

fn cases(from: Station, to: Station, port: u16) -> Vec<Case> {
    let pairs = from.addresses().into_iter().zip(to.addresses());
    pairs.flat_map(|(from, to)| Maker { from, to, port, cases: vec![] }.all()).collect()
}

/// Sends the cases of both ports, and returns what the receivers got.
fn cross(wire: &Wire, ends: [Station; 2], receiver: &Namespace) {
    let [from, to] = ends;
    let bind = |port: u16| {
        receiver.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))).expect("the port is free")
    };
    let [open, shut] = [53, 54].map(bind);
    open.set_read_timeout(Some(Duration::from_secs(10))).expect("not zero");
    shut.set_nonblocking(true).expect("a socket can be");
    let (allowed, denied) = (cases(from, to, 53), cases(from, to, 54));
    for piece in allowed.iter().chain(&denied).flat_map(|case| &case.pieces) {
        wire.send(&piece.clone().between(from.mac, to.mac).build().expect("it can be written"));
    }
    wire.send(&crate::wire::marker(from, to));
    let mut bytes = [0; 100];
    let mut received = Vec::new();
    loop {
        let length = open.recv(&mut bytes).expect("the last one arrives");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text == "the last one" {
            break;
        }
        received.push(text);
    }
    let expected: Vec<&str> =
        allowed.iter().filter(|case| case.arrives).map(|case| case.name.as_str()).collect();
    assert_eq!(received, expected, "from {}", from.v4);
    assert_eq!(shut.recv(&mut bytes).expect_err("nothing is there").kind(), ErrorKind::WouldBlock);
    assert!(denied.len() > 20 && allowed.len() == denied.len());
}

#[test]
fn datagrams_arrive_whole_or_not_at_all() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(RULES, RULES);
    let [outside, inside] = [Wire::open(&scene.peer), Wire::open(&scene.vm)];
    keep_order();
    cross(&outside, [PEER, VM], &scene.vm);
    cross(&inside, [VM, PEER], &scene.peer);
    let counters = scene.counters();
    for direction in [&counters.inbound, &counters.outbound] {
        let dropped: BTreeSet<Reason> =
            direction.reasons.keys().copied().filter(|reason| reason.is_drop()).collect();
        assert_eq!(dropped, BTreeSet::from([Reason::SubnetDeny]), "{direction:?}");
        assert!(direction.reasons[&Reason::LaterFragment] > 80, "{direction:?}");
    }
    // Where the rules let nothing of the protocol pass, later pieces are dropped too.
    scene.publish(&RULES[1..], &RULES[1..]);
    let before =
        [Direction::Inbound, Direction::Outbound].map(|way| scene.counted(way, Reason::LaterFragment));
    for (wire, from, to) in [(&outside, PEER, VM), (&inside, VM, PEER)] {
        for piece in cases(from, to, 53).iter().flat_map(|case| &case.pieces) {
            wire.send(&piece.clone().between(from.mac, to.mac).build().expect("it can be written"));
        }
    }
    for (way, before) in [Direction::Inbound, Direction::Outbound].into_iter().zip(before) {
        scene.wait_for(way, Reason::Fragment, 80);
        assert_eq!(scene.counted(way, Reason::LaterFragment), before);
    }
}

/// Ports of the ghost that the machine answered with a SYN and an ACK, up to the last one's.
fn answered(wire: &Wire, last: u16) -> BTreeSet<u16> {
    let port_of = |frame: &[u8]| {
        let parsed = parse(frame).ok().filter(|parsed| parsed.destination_mac == GHOST.mac)?;
        let Content::Ip(ip) = parsed.content else { return None };
        match ip.transport {
            Transport::Tcp { destination_port, flags, .. } => {
                assert!(flags.has(TcpFlags::SYN.with(TcpFlags::ACK)), "{flags:?} to {destination_port}");
                Some(destination_port)
            }
            _ => None,
        }
    };
    wire.until(|frame| port_of(frame) == Some(last)).iter().filter_map(|frame| port_of(frame)).collect()
}

#[test]
fn connections_begin_whole_or_not_at_all() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(RULES, RULES);
    let listen =
        |port: u16| scene.vm.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))).expect("it is free");
    let _listeners = [80, 81].map(listen);
    let mac = GHOST.mac;
    scene.vm.ip(&format!(
        "neigh add {} lladdr {mac} dev eth0\nneigh add {} lladdr {mac} dev eth0",
        GHOST.v4, GHOST.v6
    ));
    let wire = Wire::open(&scene.peer);
    keep_order();
    for (from, to) in GHOST.addresses().into_iter().zip(VM.addresses()) {
        let mut port = 40_000;
        let mut good = BTreeSet::new();
        let mut syn = |door: u16| {
            port += 1;
            let packet = packets::tcp(&socket(from, port), &socket(to, door), "S").with_payload([7; 40]);
            (port, Packet { identification: u32::from(port), ..packet })
        };
        let send = |packet: &Packet| {
            wire.send(&packet.clone().between(mac, VM.mac).build().expect("it can be written"));
        };
        for (order, door) in ORDERS.iter().flat_map(|order| [(order, 80), (order, 81)]) {
            let (port, whole) = syn(door);
            let pieces = whole.fragments(24).expect("it can be cut");
            order.iter().for_each(|index| send(&pieces[*index]));
            if door == 80 {
                good.insert(port);
            }
        }
        // Too short for the header that is to be judged (RFC 1858), in both orders.
        for size in [8, 16] {
            let pieces = syn(80).1.fragments(size).expect("it can be cut");
            pieces.iter().for_each(&send);
            let pieces = syn(80).1.fragments(size).expect("it can be cut");
            pieces.iter().rev().for_each(&send);
        }
        // A piece over the flags that were judged (RFC 3128): what is not a SYN would become one.
        let whole = Packet { ..syn(80).1 };
        let pieces = whole.fragments(24).expect("it can be cut");
        let over = Packet { fragment: Some((1, true)), ..pieces[1].clone().with_payload([2; 16]) };
        [&pieces[0], &over, &pieces[2]].into_iter().for_each(send);
        let (last, whole) = syn(80);
        send(&whole);
        assert_eq!(answered(&wire, last), good, "{to}");
    }
    let counters = scene.counters();
    assert_eq!(counters.outbound.dropped(), 0, "{counters:?}");
    assert_eq!(counters.inbound.reasons[&Reason::SubnetDeny], 12, "{counters:?}");
    assert_eq!(counters.inbound.reasons[&Reason::Malformed], 2 * (2 * (1 + 2) + 1), "{counters:?}");
}
