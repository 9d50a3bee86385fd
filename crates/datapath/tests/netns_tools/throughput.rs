//! iperf3 both ways over both families: what the datapath counts is what the tool sent and what the interfaces saw.
//!
//! Large sends cross the host as one packet of many segments. The datapath counts what leaves it in the end: as many
//! packets as there are segments, each with its own headers. Interfaces count the large ones, so that the two agree in packets
//! only where segmentation is off.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use palisade_datapath::FlowEntry;

use crate::{
    scene::{CLOSED, Host, Scene, VM},
    shared::wait,
    tool::{self, Background, number_after},
    traffic::udp_to,
};

const PORT: u16 = 5201;
/// Ethernet, IP, TCP with timestamps; Ethernet, IP, UDP.
const TCP_HEADERS: [u64; 2] = [14 + 20 + 32, 14 + 40 + 32];
const UDP_HEADERS: [u64; 2] = [14 + 20 + 8, 14 + 40 + 8];
/// What options may add to a header: those of a SYN, or the gaps that a receiver tells.
const OPTIONS_MAX: u64 = 40;

/// A scene in which iperf3 may reach the machine and nothing else may.
fn scene() -> Option<Scene> {
    if !tool::are_here(&[("iperf3", "iperf3"), ("ethtool", "ethtool")]) {
        return None;
    }
    let mut scene = Scene::open(Host::Bridge)?;
    scene.publish(&["allow tcp * * 5201", "allow udp * * 5201", "deny * * * *"], CLOSED);
    Some(scene)
}

/// A run of iperf3 from the peer to the machine, or with `-R` the other way: its report, and the flows of its data.
fn measure(scene: &Scene, address: IpAddr, arguments: &[&str]) -> (String, Vec<FlowEntry>) {
    let mut command = scene.vm.command("iperf3");
    let server = Background::start(command.args(["-s", "-1", "-p", &PORT.to_string()]));
    wait("iperf3 to listen", || server.listens(PORT));
    let before: Vec<_> = scene.flows_at(PORT).iter().map(|flow| flow.id).collect();
    let mut command = scene.peer.command("iperf3");
    command.args(["-c", &address.to_string(), "-p", &PORT.to_string(), "-J"]).args(arguments);
    let said = tool::run(&mut command);
    assert_eq!(said.code, Some(0), "{}", said.out);
    let new = scene.flows_at(PORT).into_iter().filter(|flow| !before.contains(&flow.id));
    (said.out, new.collect())
}

/// The flow that carried most, and which way: from its originator (the peer) or to it.
fn busiest(flows: &[FlowEntry], is_reverse: bool) -> (u64, u64) {
    let way = usize::from(is_reverse);
    let flow = flows.iter().max_by_key(|flow| flow.bytes[way]).expect("there is one");
    (flow.packets[way], flow.bytes[way])
}

#[test]
fn tcp_counts_are_what_iperf_sent() {
    let Some(scene) = scene() else { return };
    for (address, headers) in VM.addresses().into_iter().zip(TCP_HEADERS) {
        for is_reverse in [false, true] {
            let more: &[&str] = if is_reverse { &["-R"] } else { &[] };
            let (report, flows) = measure(&scene, address, &[&["-n", "30M"], more].concat());
            let of = |sum| number_after(&report, &["\"end\"", sum, "\"bytes\":"]);
            // What was given to the sender's stack, and what its end let out.
            let (given, received) = (of("\"sum_sent\""), of("\"sum_received\""));
            let resent = number_after(&report, &["\"end\"", "\"sum_sent\"", "\"retransmits\":"]);
            let (packets, bytes) = busiest(&flows, is_reverse);
            // Each packet has its headers, some options, and nothing is counted twice or left out.
            let payload = bytes - packets * headers;
            let most = given + (resent + 2) * 1500 + OPTIONS_MAX * packets / 20;
            assert!(
                (received..=most).contains(&payload),
                "{payload} of {given}, {received} arrived: {packets} packets"
            );
            assert!(
                packets >= received / 1460 && packets > 15_000,
                "{packets} packets: segments are counted"
            );
        }
    }
    let counters = scene.counters();
    assert_eq!((counters.inbound.dropped(), counters.outbound.dropped()), (0, 0), "{counters:?}");
}

#[test]
fn counts_are_those_of_the_interface_where_nothing_is_segmented_later() {
    let Some(scene) = scene() else { return };
    for at in [&scene.vm, &scene.peer] {
        tool::run(at.command("ethtool").args(["-K", "eth0", "tso", "off", "gso", "off", "gro", "off"]));
    }
    for interface in ["vm0", "net0"] {
        tool::run(
            scene.host.command("ethtool").args(["-K", interface, "tso", "off", "gso", "off", "gro", "off"]),
        );
    }
    let seen = || {
        let of = |name| scene.vm.statistic("eth0", name);
        [of("rx_packets"), of("rx_bytes"), of("tx_packets"), of("tx_bytes")]
    };
    let counted = || {
        let counters = scene.counters();
        let [inbound, outbound] = [counters.inbound, counters.outbound];
        [inbound.packets(), inbound.bytes, outbound.packets(), outbound.bytes]
    };
    // What came before the policy was dropped, and the interface counted what it sent.
    let difference =
        |before: [u64; 4], after: [u64; 4]| [0, 1, 2, 3].map(|index| after[index] - before[index]);
    let (seen_before, counted_before) = at_rest(seen, counted);
    for address in VM.addresses() {
        measure(&scene, address, &["-n", "5M"]);
        measure(&scene, address, &["-n", "5M", "-R"]);
    }
    let both = || (difference(seen_before, seen()), difference(counted_before, counted()));
    wait("the counts to agree", || {
        let (seen, counted) = both();
        seen == counted
    });
    assert!(both().0[0] > 6_000 && both().0[2] > 6_000, "{:?}", both());
}

/// Two readings of the same moment. Each takes a while, in which a machine that just came up may greet its neighbours.
fn at_rest<T: PartialEq>(one: impl Fn() -> T, other: impl Fn() -> T) -> (T, T) {
    let mut read = (one(), other());
    wait("the interface to be quiet", || {
        let before = std::mem::replace(&mut read, (one(), other()));
        read == before
    });
    read
}

#[test]
fn udp_counts_are_what_iperf_sent() {
    let Some(scene) = scene() else { return };
    for (address, headers) in VM.addresses().into_iter().zip(UDP_HEADERS) {
        for is_reverse in [false, true] {
            let more: &[&str] = if is_reverse { &["-R"] } else { &[] };
            let fixed = ["-u", "-b", "100M", "-l", "1200", "-n", "3M"];
            let (report, flows) = measure(&scene, address, &[&fixed[..], more].concat());
            let flows: Vec<_> = flows.into_iter().filter(|flow| flow.id.protocol == 17).collect();
            let sent = number_after(&report, &["\"end\"", "\"streams\"", "\"udp\"", "\"packets\":"]);
            let (packets, bytes) = busiest(&flows, is_reverse);
            // The two ends greet each other with a datagram of four bytes each.
            assert_eq!(
                (packets, bytes),
                (sent + 1, sent * (1200 + headers) + 4 + headers),
                "{address} {report}"
            );
        }
    }
}

/// iperf3 does not send many datagrams with one call; stacks of guests do.
#[test]
fn datagrams_sent_by_one_call_are_counted_one_by_one() {
    const SEGMENT: usize = 1000;
    const SEGMENTS: usize = 40;
    const CALLS: usize = 50;
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(&["allow udp * * 53", "deny * * * *"], CLOSED);
    let receiver = scene.vm.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 53))).expect("the port is free");
    receiver.set_read_timeout(Some(Duration::from_secs(10))).expect("not zero");
    for (address, headers) in VM.addresses().into_iter().zip(UDP_HEADERS) {
        let sender = udp_to(&scene.peer, SocketAddr::new(address, 53));
        segment(&sender, SEGMENT as u16);
        for _ in 0..CALLS {
            sender.send(&[7; SEGMENT * SEGMENTS]).expect("it goes");
            for _ in 0..SEGMENTS {
                assert_eq!(receiver.recv(&mut [0; 2 * SEGMENT]).expect("it arrives"), SEGMENT);
            }
        }
        let port = sender.local_addr().expect("it is bound").port();
        let flow = scene.datapath.flows().find(|flow| flow.id.remote == (flow.id.remote.0, port));
        let flow = flow.expect("it was allowed");
        let packets = (CALLS * SEGMENTS) as u64;
        assert_eq!(
            (flow.packets[0], flow.bytes[0]),
            (packets, packets * (SEGMENT as u64 + headers)),
            "{address}"
        );
    }
}

/// Lets a socket's sends be cut into datagrams of so many bytes, as late as possible (Linux 4.18).
fn segment(socket: &UdpSocket, bytes: u16) {
    let bytes = i32::from(bytes);
    // SAFETY: the value lives during the call and its size is given.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    assert_eq!(outcome, 0, "{}", io::Error::last_os_error());
}
