//! A throttled machine with real packets and the real command: a scan gets through at the rate, with everybody dead too; what is
//! established goes on, and after the release all of it passes.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use palisade_lab::netns::{ip::Batch, stage::Stage};
use serde_json::json;

use crate::{
    PATIENCE,
    answers::{answer, ready},
    machine::{OPEN_WITHIN, connect, lives, serve},
    up::palisade,
};

/// Port that nothing but the scan talks to.
const SCANNED: u16 = 4_000;
/// New destinations per second.
const RATE: f64 = 2.0;
const WORKING_SET: usize = 5;

/// What is scanned, by family.
#[derive(Clone, Copy)]
pub enum Hosts {
    Four,
    Six,
}

impl Hosts {
    fn each(self) -> impl Iterator<Item = IpAddr> {
        (100..150).map(move |host: u8| match self {
            Self::Four => Ipv4Addr::new(203, 0, 113, host).into(),
            Self::Six => Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, host.into()).into(),
        })
    }

    const fn unspecified(self) -> IpAddr {
        match self {
            Self::Four => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Six => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// Gives `far` fifty more addresses; a socket that hears what comes to any of them.
pub fn listen(stage: &Stage, hosts: Hosts) -> UdpSocket {
    let mut all = Batch::new();
    for host in hosts.each() {
        all.line(match host {
            IpAddr::V4(host) => format!("address add {host}/32 dev eth0"),
            // Not preferred: `far` goes on speaking with the address that it had.
            IpAddr::V6(host) => format!("address add {host}/128 dev eth0 nodad preferred_lft 0"),
        });
    }
    all.run_in(&stage.namespace("far")).expect("addresses");
    let bind = || UdpSocket::bind((hosts.unspecified(), SCANNED)).expect("the port is free");
    let socket = stage.namespace("far").enter(bind).expect("the namespace is there");
    socket.set_nonblocking(true).expect("it need not wait");
    socket
}

/// Scans for a time from a port of its own; who was reached, and how long it took in seconds.
pub fn scan(stage: &Stage, heard: &UdpSocket, hosts: Hosts, time: Duration) -> (usize, f64) {
    let bind = || UdpSocket::bind((hosts.unspecified(), 0)).expect("a free port");
    let from = stage.namespace("vm").enter(bind).expect("the namespace is there");
    let (begun, mut reached) = (Instant::now(), BTreeSet::new());
    while begun.elapsed() < time {
        for host in hosts.each() {
            from.send_to(host.to_string().as_bytes(), (host, SCANNED)).expect("it is sent");
        }
        std::thread::sleep(Duration::from_millis(20));
        let mut message = [0; 64];
        while let Ok((length, _)) = heard.recv_from(&mut message) {
            reached.insert(message[..length].to_vec());
        }
    }
    (reached.len(), begun.elapsed().as_secs_f64())
}

pub fn check(reached: usize, seconds: f64, saved: usize) {
    println!("{reached} of 50 reached in {seconds:.2} s");
    let earned = (RATE * seconds) as usize;
    assert!(reached <= saved + earned + 1, "{reached} in {seconds} s is too fast");
    assert!(reached + 2 >= saved + earned, "{reached} in {seconds} s is too slow");
}

#[test]
fn a_scan_gets_through_at_the_rate_and_what_is_established_goes_on() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    let heard = listen(&stage, Hosts::Four);
    let mut inbound = connect(&stage, "near", OPEN_WITHIN).expect("the NSG allows it");
    let echo = || {
        let listener = std::net::TcpListener::bind(("203.0.113.9", SCANNED)).expect("the port is free");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("one connection");
            let mut other = stream.try_clone().expect("the same");
            std::io::copy(&mut stream, &mut other)
        });
    };
    stage.namespace("far").enter(echo).expect("the namespace is there");
    let open = || TcpStream::connect(("203.0.113.9", SCANNED)).expect("nothing forbids it");
    let mut outbound = stage.namespace("vm").enter(open).expect("the namespace is there");

    let add =
        ["throttles", "add", "vm1", "--rate", "2", "--for", "1h", "--why", "it scans", "--format", "json"];
    let told = answer(&palisade(&stage, &add));
    assert_eq!(told["properties"]["workingSet"], WORKING_SET);
    let (reached, seconds) = scan(&stage, &heard, Hosts::Four, Duration::from_secs(5));
    check(reached, seconds, WORKING_SET);
    for (way, stream) in [("in", &mut inbound), ("out", &mut outbound)] {
        assert!(lives(stream, OPEN_WITHIN), "what was established goes on: {way}");
    }
    assert!(connect(&stage, "near", OPEN_WITHIN).is_some(), "what comes in is answered");
    let listed = answer(&palisade(&stage, &["throttles", "list", "--format", "json"]));
    assert_eq!(listed[0]["name"], "vm1");
    palisade(&stage, &["release", "vm1"]);
    assert_eq!(scan(&stage, &heard, Hosts::Four, Duration::from_millis(200)).0, 50, "it is released");

    palisade(&stage, &add);
    up.kill();
    let (reached, seconds) = scan(&stage, &heard, Hosts::Four, Duration::from_secs(3));
    check(reached, seconds, WORKING_SET);
}

#[test]
fn it_ends_at_its_time_by_the_kernel_alone() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    let heard = listen(&stage, Hosts::Four);
    let add = ["throttles", "add", "vm1", "--for", "8s", "--why", "it scans", "--format", "json"];
    let told = answer(&palisade(&stage, &add));
    let end = told["properties"]["endTimeUtc"].as_str().expect("it ends").to_owned();
    up.kill();
    assert!(scan(&stage, &heard, Hosts::Four, Duration::from_millis(500)).0 < 10);
    while !crate::answers::is_after(&end) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        scan(&stage, &heard, Hosts::Four, Duration::from_millis(200)).0,
        50,
        "nobody but the kernel is there"
    );
}

/// Asks for Remote Desktop at every host, where nobody answers.
fn seek(stage: &Stage) {
    let seek = || {
        for host in Hosts::Four.each() {
            let _refused =
                TcpStream::connect_timeout(&SocketAddr::new(host, 3_389), Duration::from_millis(100));
        }
    };
    stage.namespace("vm").enter(seek).expect("the namespace is there");
}

/// Makes this step the answer to a scan outward.
fn set_policy(stage: &Stage, step: &str) {
    let policy = stage.folder().join("answers.json");
    let rules = json!([{"alerts": ["PortScanning"], "direction": "Outbound", "step": step}]);
    let throttle = json!({"newDestinationsPerSecond": 2, "workingSet": WORKING_SET, "duration": "PT1H"});
    std::fs::write(&policy, json!({"rules": rules, "throttle": throttle}).to_string())
        .expect("the folder is there");
    palisade(stage, &["answers", "policy", "set", policy.to_str().expect("a path of text")]);
}

#[test]
fn who_scans_outward_is_throttled_by_policy_until_it_is_released() {
    let Some(stage) = ready() else { return };
    let _up = serve(&stage, &["--detect"]);
    let heard = listen(&stage, Hosts::Four);
    set_policy(&stage, "throttle");
    assert_eq!(
        scan(&stage, &heard, Hosts::Four, Duration::from_millis(200)).0,
        50,
        "nothing holds it up yet"
    );

    let begun = Instant::now();
    let throttles = || answer(&palisade(&stage, &["throttles", "list", "--format", "json"]));
    while throttles().as_array().is_some_and(Vec::is_empty) {
        assert!(begun.elapsed() < PATIENCE, "the scan is not answered");
        seek(&stage);
    }
    println!("throttled {:?} after the scan began", begun.elapsed());
    let listed = throttles();
    assert_eq!(listed[0]["properties"]["alert"]["name"], "PortScanning", "{listed}");
    // It is listed when it is stored, and in force a moment later.
    let in_force = || scan(&stage, &heard, Hosts::Four, Duration::from_millis(100)).0 < 50;
    while !in_force() {
        assert!(begun.elapsed() < PATIENCE, "the throttle is not in force");
    }
    // What it reached last it reaches still; of others no more than the rate.
    let (reached, seconds) = scan(&stage, &heard, Hosts::Four, Duration::from_secs(5));
    println!("{reached} of 50 reached in {seconds:.2} s");
    let earned = (RATE * seconds) as usize;
    assert!((earned - 1..=2 * WORKING_SET + earned + 1).contains(&reached), "{reached} in {seconds} s");
    let status = answer(&palisade(&stage, &["status", "--instance", stage.name(), "--format", "json"]));
    let dropped = &status["nics"][0]["outbound"]["dropped"]["Throttled"];
    assert!(dropped.as_u64().is_some_and(|packets| packets > 100), "{status}");
    assert!(connect(&stage, "near", OPEN_WITHIN).is_some(), "what comes in is answered");

    // From here on it is only looked at, so that what follows is not answered again.
    set_policy(&stage, "observe");
    palisade(&stage, &["release", "vm1"]);
    assert_eq!(scan(&stage, &heard, Hosts::Four, Duration::from_millis(200)).0, 50, "it is released");
}
