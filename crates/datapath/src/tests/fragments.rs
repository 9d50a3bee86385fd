//! Fragments through the full program: in every order, of both directions of a flow, those that fit no packet, and real
//! ones between two network stacks.

use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::packet::{Extension, IcmpBody, Packet, Station};

use super::{
    interfaces::{ip, veth},
    odd::station,
    rig::{Rig, SLOT, icmp, layer, nic, other, tcp, udp},
};
use crate::{Guards, NicKind, Plane, Watch};

const OPEN: &[&str] = &["allow * * * *"];
const CLOSED: &[&str] = &["deny * * * *"];
/// The peer and the VM, by family.
const PAIRS: [(&str, &str); 2] = [("10.0.0.9", "10.0.0.4"), ("fd00::9", "fd00::4")];
/// Bytes that a datagram of the last test has: three fragments on an Ethernet.
const LONG: usize = 4000;

fn socket(address: &str, port: u16) -> String {
    std::net::SocketAddr::new(address.parse().expect("an address"), port).to_string()
}

/// A datagram in three pieces.
fn pieces(source: &str, destination: &str, port: u16) -> [Packet; 3] {
    let whole = udp(&socket(source, 9), &socket(destination, port)).with_payload([7; 60]);
    whole.fragments(24).expect("it can be cut").try_into().expect("68 bytes are three pieces")
}

/// A piece by hand: what the payload has, at this place.
fn piece(packet: Packet, fragment: (u16, bool), payload: &[u8]) -> Packet {
    Packet { fragment: Some(fragment), ..packet.with_payload(payload) }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn every_order_is_judged_alike() {
    use Reason::{Allowed, Fragment, LaterFragment, SubnetDeny};
    for mut rig in Rig::each() {
        for (rules, port, expected) in [
            (&["allow udp * * 53"][..], 53, [Allowed, LaterFragment, LaterFragment]),
            // Without its first piece the rest is of no use to anyone.
            (&["allow udp * * 53"], 54, [SubnetDeny, LaterFragment, LaterFragment]),
            (&["allow tcp * * 53"], 53, [SubnetDeny, Fragment, Fragment]),
            (CLOSED, 53, [SubnetDeny, Fragment, Fragment]),
        ] {
            rig.publish(rules, CLOSED);
            for (peer, vm) in PAIRS {
                for order in ORDERS {
                    rig.datapath.clear_flows().expect("the flows are removed");
                    let pieces = pieces(peer, vm, port);
                    for index in order {
                        assert_eq!(
                            rig.inbound(&pieces[index]),
                            expected[index],
                            "{order:?} {rules:?} {peer}"
                        );
                    }
                    // A piece may come twice.
                    assert_eq!(rig.inbound(&pieces[1]), expected[1]);
                }
            }
        }
    }
}

#[test]
fn later_pieces_go_by_addresses_and_protocol() {
    let inbound = ["allow udp 10.0.0.9/32 * 53", "allow udp fd00::9/128 * 53", "deny * * * *"];
    for rig in Rig::each_with_rules(&inbound, CLOSED) {
        for (peer, vm, stranger) in [("10.0.0.9", "10.0.0.4", "10.0.0.8"), ("fd00::9", "fd00::4", "fd00::8")]
        {
            assert_eq!(rig.inbound(&pieces(peer, vm, 9)[1]), Reason::LaterFragment);
            assert_eq!(rig.inbound(&pieces(stranger, vm, 53)[1]), Reason::Fragment);
            // What the VM answers passes as its answer would, to nobody else.
            assert_eq!(rig.outbound(&pieces(vm, peer, 9)[1]), Reason::LaterFragment);
            assert_eq!(rig.outbound(&pieces(vm, stranger, 9)[1]), Reason::Fragment);
            for protocol in [1, 6, 50, 58, 132] {
                let later = piece(other(peer, vm, protocol), (8, true), &[0; 16]);
                assert_eq!(rig.inbound(&later), Reason::Fragment, "{protocol}");
            }
        }
        // Destination options in what was cut: the protocol behind them is not known.
        let hidden = piece(other("fd00::9", "fd00::4", 60), (8, true), &[0; 16]);
        assert_eq!(rig.inbound(&hidden), Reason::Fragment);
    }
}

#[test]
fn an_answer_in_pieces_belongs_to_its_flow() {
    for rig in Rig::each_with_rules(CLOSED, &["allow udp * * 53"]) {
        for (peer, vm) in PAIRS {
            let question = udp(&socket(vm, 9), &socket(peer, 53));
            assert_eq!(rig.outbound(&question), Reason::Allowed);
            let whole = udp(&socket(peer, 53), &socket(vm, 9)).with_payload([7; 60]);
            let answer = whole.fragments(32).expect("it can be cut");
            assert_eq!(rig.inbound(&answer[1]), Reason::LaterFragment);
            assert_eq!(rig.inbound(&answer[0]), Reason::Established);
            assert_eq!(rig.inbound(&answer[2]), Reason::LaterFragment);
            // Nobody asked these.
            assert_eq!(rig.inbound(&pieces(peer, vm, 10)[0]), Reason::SubnetDeny);
        }
    }
}

#[test]
fn a_second_first_piece_is_judged_for_itself() {
    for mut rig in Rig::each_with_rules(&["allow udp * * 53", "allow icmp * * 8"], CLOSED) {
        for (peer, vm) in PAIRS {
            let (good, bad) = (pieces(peer, vm, 53), pieces(peer, vm, 54));
            assert_eq!(rig.inbound(&good[0]), Reason::Allowed);
            assert_eq!(rig.inbound(&bad[0]), Reason::SubnetDeny);
            assert_eq!(rig.inbound(&good[0]), Reason::Established);
            // A fragment that is all of its packet is judged as one.
            let atomic = |port| piece(udp(&socket(peer, 9), &socket(vm, port)), (0, false), b"abc");
            rig.datapath.clear_flows().expect("the flows are removed");
            assert_eq!(rig.inbound(&atomic(53)), Reason::Allowed);
            assert_eq!(rig.inbound(&atomic(54)), Reason::SubnetDeny);
        }
        let echo = icmp("10.0.0.9", "10.0.0.4", 8, IcmpBody::Query { id: 3 }).with_payload([1; 60]);
        let reasons = echo.fragments(32).expect("it can be cut").into_iter().map(|piece| rig.inbound(&piece));
        assert_eq!(
            reasons.collect::<Vec<_>>(),
            [Reason::Allowed, Reason::LaterFragment, Reason::LaterFragment]
        );
    }
}

#[test]
fn pieces_that_fit_no_packet_are_dropped() {
    for rig in Rig::each_with_rules(OPEN, OPEN) {
        let dropped = |packet: &Packet| {
            assert_eq!(rig.inbound(packet), Reason::Malformed, "{packet:?}");
            assert_eq!(rig.outbound(packet), Reason::Malformed, "{packet:?}");
        };
        for (peer, vm) in PAIRS {
            let (segment, datagram) = (other(peer, vm, 6), other(peer, vm, 17));
            // RFC 1858 and 3128: a header that goes on in the next piece, and a piece over its flags.
            for length in [8, 16] {
                dropped(&piece(segment.clone(), (0, true), &vec![0x50; length]));
            }
            let header = tcp(&socket(peer, 9), &socket(vm, 80), "S").with_payload([0; 4]);
            assert!(!rig.inbound(&Packet { fragment: Some((0, true)), ..header.clone() }).is_drop());
            dropped(&Packet { tcp_options: vec![1; 8], ..piece(header, (0, true), &[0; 3]) });
            dropped(&piece(segment.clone(), (1, false), &[0; 8]));
            dropped(&piece(segment.clone(), (1, true), &[0; 24]));
            assert_eq!(rig.inbound(&piece(segment, (2, true), &[0; 24])), Reason::LaterFragment);
            dropped(&piece(datagram.clone(), (0, true), &[0; 4]));
            // Nothing, what none can follow, and what reaches beyond the longest packet.
            dropped(&piece(datagram.clone(), (5, true), &[]));
            dropped(&piece(datagram.clone(), (5, false), &[]));
            dropped(&piece(datagram.clone(), (5, true), &[0; 12]));
            dropped(&piece(datagram.clone(), (8191, false), &[0; 8]));
            assert_eq!(rig.inbound(&piece(datagram, (5, false), &[0; 12])), Reason::LaterFragment);
        }
        let six = |protocol, fragment| piece(other("fd00::9", "fd00::4", protocol), fragment, &[0; 16]);
        dropped(&six(44, (0, true)));
        dropped(&six(0, (4, true)));
        let many = vec![Extension::Destination(vec![]); 8];
        dropped(&Packet { extensions: many, ..six(17, (4, true)) });
    }
}

#[test]
fn pieces_in_audit_pass_and_say_so() {
    for mut rig in Rig::each() {
        rig.publish_with(CLOSED, CLOSED, |nic| nic.audit = true);
        let pieces = pieces("10.0.0.9", "10.0.0.4", 53);
        let reasons = pieces.map(|piece| rig.inbound(&piece));
        assert!(reasons.iter().all(|reason| !reason.is_drop()), "{reasons:?}");
        let broken = piece(other("10.0.0.9", "10.0.0.4", 6), (1, false), &[0; 8]);
        assert_eq!(rig.inbound(&broken), Reason::Malformed);
        let frame = pieces_of_a_frame_cut_short();
        assert_eq!(rig.frame(Direction::Inbound, &frame), Reason::Malformed);
    }
}

/// A piece whose frame ends before it does.
fn pieces_of_a_frame_cut_short() -> Vec<u8> {
    let mut frame = pieces("10.0.0.9", "10.0.0.4", 53)[1].build().expect("the packet can be written");
    frame.pop();
    frame
}

/// What the stack in the VM's namespace does: sends back what it is sent, until the channel closes.
fn echo(sockets: &[UdpSocket], stop: &mpsc::Receiver<()>) {
    let mut buffer = vec![0; 2 * LONG];
    while !matches!(stop.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
        for socket in sockets {
            match socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    socket.send_to(&buffer[..length], from).expect("the peer can be reached");
                }
                Err(error) => assert!(is_silence(&error), "{error}"),
            }
        }
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A socket that waits for an answer only so long.
fn bound(address: &str, port: u16) -> UdpSocket {
    let address: IpAddr = address.parse().expect("an address");
    let socket = UdpSocket::bind((address, port)).expect("the address is there");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("the time is not zero");
    socket
}

/// Whether a long datagram comes back whole, if it is sent so often.
fn is_echoed(from: &str, to: &str, port: u16, tries: usize) -> bool {
    let socket = bound(from, 0);
    let (sent, mut buffer) = (vec![0x5a; LONG], vec![0; 2 * LONG]);
    (0..tries).any(|_| {
        socket.send_to(&sent, (to, port)).is_ok()
            && match socket.recv(&mut buffer) {
                Ok(length) => buffer[..length] == sent,
                Err(error) => !is_silence(&error) && panic!("{error}"),
            }
    })
}

/// One open port, under every guard.
fn publish_guarded(rig: &mut Rig, ifindex: u32) {
    let mut policy = nic(ifindex, SLOT);
    let Station { guards, mac, owned } = station(Guards::ALL);
    (policy.guards, policy.mac, policy.owned) = (guards, Some(mac), owned);
    policy.inbound[1] = Some(layer(&["allow udp * * 53", "deny * * * *"]));
    policy.outbound[2] = Some(layer(CLOSED));
    rig.datapath.publish(&[policy]).expect("the policy is published");
}

#[test]
fn long_datagrams_cross_between_two_stacks() {
    for mut rig in Rig::each() {
        let (host, _) = veth();
        // While it is up it looks for others with the link-local address that it made of the hardware address it had first: some time
        // within a second, and a guard rightly takes that for a neighbour's.
        ip(&["link", "set", "vm0", "down"]);
        ip(&["link", "set", "vm0", "address", "00:0d:3a:12:34:56"]);
        publish_guarded(&mut rig, host);
        rig.datapath.attach(host, NicKind::Direct).expect("the interface is there");
        for address in ["10.0.0.1/24", "fd00::1/64"] {
            ip(&["address", "add", address, "dev", "host0", "nodad"]);
        }
        let (stop, stopped) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let vm = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may make namespaces");
            // SAFETY: no arguments, no memory.
            tell.send(unsafe { libc::gettid() }).expect("the test waits");
            gone.recv().expect("the test hands the interface over");
            ip(&["link", "set", "vm0", "up"]);
            for address in ["10.0.0.4/24", "fd00::4/64"] {
                ip(&["address", "add", address, "dev", "vm0", "nodad"]);
            }
            let sockets = ["10.0.0.4", "fd00::4"].map(|address| [53, 54].map(|port| bound(address, port)));
            tell.send(0).expect("the test waits");
            echo(&sockets.into_iter().flatten().collect::<Vec<_>>(), &stopped);
        });
        let thread = told.recv().expect("the thread has begun");
        ip(&["link", "set", "vm0", "netns", &thread.to_string()]);
        go.send(()).expect("the thread waits");
        told.recv().expect("the sockets are there");
        for (from, to) in [("10.0.0.1", "10.0.0.4"), ("fd00::1", "fd00::4")] {
            assert!(is_echoed(from, to, 53, 50), "{to}");
            assert!(!is_echoed(from, to, 54, 5), "{to}");
        }
        drop(stop);
        vm.join().expect("the VM's stack is sound");
        // A real stack says nothing that a guard would stop: ARP, discovery and listener reports among it.
        let said = rig.datapath.counters(SLOT).expect("counters are readable").outbound.reasons;
        assert!(said.contains_key(&Reason::LinkControl), "{said:?}");
        let is_stopped = |reason: &Reason| *reason == Reason::Malformed || *reason >= Reason::VlanTagged;
        assert!(!said.keys().any(is_stopped), "{said:?}");
    }
}
