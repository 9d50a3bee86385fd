//! ping of both families, small and in many pieces, also where the link's size changes under it.

use std::{net::IpAddr, thread};

use palisade_abi::{flow::Direction, verdict::Reason};

use crate::{
    namespace::Namespace,
    scene::{CLOSED, Host, PEER, Scene, VM},
    tool,
};

/// Echo requests of both families, and nothing else.
const ECHO: &[&str] = &["allow icmp * * 8", "allow 58 * * 128", "deny * * * *"];

/// How many of five came back.
fn pings(from: &Namespace, to: IpAddr, bytes: usize) -> u64 {
    let mut command = from.command("ping");
    command.args([
        "-n",
        "-q",
        "-i",
        "0.01",
        "-c",
        "5",
        "-w",
        "10",
        "-s",
        &bytes.to_string(),
        &to.to_string(),
    ]);
    tool::number_after(&tool::run(&mut command).out, &["packets transmitted,"])
}

/// Whether any of three comes back in a second.
fn is_silent(from: &Namespace, to: IpAddr, bytes: usize) -> bool {
    let mut command = from.command("ping");
    command.args(["-n", "-q", "-i", "0.01", "-c", "3", "-W", "1", "-s", &bytes.to_string(), &to.to_string()]);
    tool::run(&mut command).out.contains("3 packets transmitted, 0 received")
}

/// Does this for each address and size at the same time.
fn at_once<T: Send>(to: &[IpAddr], sizes: &[usize], work: impl Fn(IpAddr, usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let pairs = to.iter().flat_map(|address| sizes.iter().map(move |bytes| (*address, *bytes)));
        let work = &work;
        let runs: Vec<_> = pairs.map(|(address, bytes)| scope.spawn(move || work(address, bytes))).collect();
        runs.into_iter().map(|run| run.join().expect("ping ran")).collect()
    })
}

#[test]
fn pings_pass_whole_and_in_pieces() {
    if !tool::are_here(&[("ping", "iputils-ping")]) {
        return;
    }
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(ECHO, CLOSED);
    let resize = |bytes: u32| {
        for (at, interface) in [(&scene.vm, "eth0"), (&scene.peer, "eth0")] {
            at.ip(&format!("link set {interface} mtu {bytes}"));
        }
        scene.host.ip(&format!("link set vm0 mtu {bytes}\nlink set net0 mtu {bytes}"));
    };
    for mtu in [1500, 1280, 9000] {
        resize(mtu);
        let runs = at_once(&VM.addresses(), &[56, 4000, 60_000], |to, bytes| pings(&scene.peer, to, bytes));
        assert_eq!(runs, [5; 6], "mtu {mtu}");
    }
    let counters = scene.counters();
    // What the machine answers in pieces passes too, though its own rules let nothing out.
    for direction in [&counters.inbound, &counters.outbound] {
        assert_eq!(direction.dropped(), 0, "{counters:?}");
        assert!(direction.reasons[&Reason::LaterFragment] > 500, "{counters:?}");
    }
    // A flow for each run of ping.
    assert_eq!(counters.flows_created, 3 * 6);

    let silent = at_once(&PEER.addresses(), &[56, 20_000], |to, bytes| is_silent(&scene.vm, to, bytes));
    assert_eq!(silent, [true; 4]);
    scene.publish(CLOSED, CLOSED);
    let silent = at_once(&VM.addresses(), &[56, 20_000], |to, bytes| is_silent(&scene.peer, to, bytes));
    assert_eq!(silent, [true; 4]);
    assert!(scene.counted(Direction::Inbound, Reason::Fragment) > 0);
    assert!(scene.counted(Direction::Outbound, Reason::SubnetDeny) > 0);
}
