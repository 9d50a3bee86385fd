//! Answers with real packets of IPv6: a network of 64 bits that is locked out, a pair that is blocked, a throttle, a quarantine with its
//! forensic path. What is of IPv4 is not touched by answers about addresses of IPv6.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use palisade_lab::netns::{ip::Batch, stage::Stage};

use crate::{
    answers::{answer, is_after, ready},
    machine::{FAR_SIX, NEAR_SIX, OPEN_WITHIN, PORT, SILENCE, VM_SIX, connect, connect_to, lives, serve},
    throttle::{Hosts, check, listen, scan},
    up::palisade,
};

/// Another address of the network of `near`.
const NEIGHBOUR: &str = "2001:db8:1::8";
/// Port that answers at `far`.
const OUTSIDE: u16 = 4_001;

fn machine() -> SocketAddr {
    SocketAddr::new(VM_SIX.parse().expect("an address"), PORT)
}

/// A connection of IPv6 to the machine, if it opens.
fn reach(stage: &Stage, from: &str, within: Duration) -> Option<TcpStream> {
    connect_to(stage, from, machine(), within)
}

fn open(stage: &Stage, from: &str) -> TcpStream {
    let mut stream = reach(stage, from, OPEN_WITHIN).expect("the NSG allows it");
    assert!(lives(&mut stream, OPEN_WITHIN), "{from}");
    stream
}

/// Lets `near` speak with another address of its network.
fn move_near(stage: &Stage, from: &str, to: &str) {
    Batch::new()
        .line(format!("address delete {from}/64 dev eth0"))
        .line(format!("address add {to}/64 dev eth0 nodad"))
        .run_in(&stage.namespace("near"))
        .expect("the namespace is there");
}

/// A connection of the machine's to `far`, if it opens.
fn outward(stage: &Stage, within: Duration) -> Option<TcpStream> {
    connect_to(stage, "vm", SocketAddr::new(FAR_SIX.parse().expect("an address"), OUTSIDE), within)
}

/// Answers at `far`, once for each connection.
fn answer_outside(stage: &Stage) {
    let listen = || std::net::TcpListener::bind((FAR_SIX.parse::<IpAddr>().expect("an address"), OUTSIDE));
    let listener =
        stage.namespace("far").enter(listen).expect("the namespace is there").expect("the port is free");
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).collect::<Vec<_>>());
}

fn add(stage: &Stage, words: &[&str]) -> serde_json::Value {
    answer(&palisade(stage, &[words, &["--why", "a test", "--format", "json"]].concat()))
}

#[test]
fn a_network_of_64_bits_is_locked_out_and_a_pair_is_parted() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    answer_outside(&stage);
    let (mut near, mut far) = (open(&stage, "near"), open(&stage, "far"));
    let mut four = connect(&stage, "near", OPEN_WITHIN).expect("the NSG allows it");

    let pair = add(&stage, &["lockouts", "add", FAR_SIX, "--for", "1h", "--vm", "vm1"]);
    assert!(!lives(&mut far, SILENCE), "it is cut when the command returns");
    assert!(reach(&stage, "far", SILENCE).is_none() && outward(&stage, SILENCE).is_none(), "both ways");
    assert!(lives(&mut near, OPEN_WITHIN) && connect(&stage, "far", OPEN_WITHIN).is_some(), "nobody else");
    palisade(&stage, &["lockouts", "remove", pair["name"].as_str().expect("a name")]);
    assert!(outward(&stage, OPEN_WITHIN).is_some());
    drop(open(&stage, "far"));

    let told = add(&stage, &["lockouts", "add", "2001:db8:1::/64", "--for", "12s"]);
    let end = told["properties"]["endTimeUtc"].as_str().expect("it ends").to_owned();
    assert!(!lives(&mut near, SILENCE) && reach(&stage, "near", SILENCE).is_none());
    assert!(lives(&mut four, OPEN_WITHIN), "its other family goes on");
    drop(open(&stage, "far"));
    up.kill();
    move_near(&stage, NEAR_SIX, NEIGHBOUR);
    let mut held = 0;
    while !is_after(&end) {
        held += usize::from(reach(&stage, "near", SILENCE).is_none());
    }
    println!("{held} attempts of a neighbour dropped with nobody there but the kernel");
    assert!(held > 0);
    drop(open(&stage, "near"));
}

#[test]
fn a_throttle_holds_up_a_scan_and_a_quarantine_leaves_the_forensic_path() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    let heard = listen(&stage, Hosts::Six);
    let (mut near, mut far) = (open(&stage, "near"), open(&stage, "far"));
    add(&stage, &["throttles", "add", "vm1", "--rate", "2", "--for", "1h"]);
    let (reached, seconds) = scan(&stage, &heard, Hosts::Six, Duration::from_secs(4));
    check(reached, seconds, 5);
    assert!(lives(&mut near, OPEN_WITHIN) && lives(&mut far, OPEN_WITHIN), "what is established goes on");
    palisade(&stage, &["release", "vm1"]);
    assert_eq!(scan(&stage, &heard, Hosts::Six, Duration::from_millis(300)).0, 50, "it is released");

    add(&stage, &["quarantine", "vm1", "--forensic", &format!("[{FAR_SIX}]:{PORT}")]);
    assert!(!lives(&mut near, SILENCE) && reach(&stage, "near", SILENCE).is_none());
    assert!(lives(&mut far, OPEN_WITHIN), "the forensic path stays open, what lives there too");
    assert_eq!(scan(&stage, &heard, Hosts::Six, Duration::from_millis(200)).0, 0, "nothing leaves");
    assert!(connect(&stage, "far", SILENCE).is_none(), "the path is of one family");
    up.kill();
    assert!(reach(&stage, "near", SILENCE).is_none(), "with everybody dead");
    drop(open(&stage, "far"));
}
