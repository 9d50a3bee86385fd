//! Exported rules against the oracle: each table is loaded in a namespace, and the first packets of flows are sent through it.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::{Verdict, generate::estate, oracle};
use palisade_export::{Plain, nftables};
use palisade_lab::{
    Lifetime,
    netns::{
        ip::{Batch, feed_in, load_nft},
        is_installed, obstacle,
        registry::unique_name,
        stage::Stage,
    },
};
use palisade_net::{
    Direction, Flow, Mac, Protocol,
    packet::{Packet, is_link_control},
};
use palisade_tests::tally::Tally;
use serde_json::Value;

const SEEDS: u64 = 12;
const FLOWS: usize = 400;
const MACHINE: Mac = Mac([0x02, 0x50, 0, 0, 0, 1]);

/// Sends one frame a line, in hexadecimal.
const SEND: &str = "import socket, sys\nout = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nout.bind(('outside', 0))\n\
                    for line in sys.stdin: out.send(bytes.fromhex(line))";

/// Notes which frames came so far, by the address that they were sent from. None goes on, so none is remembered as a connection.
const NOTE: &str = "table inet noted\ndelete table inet noted\ntable inet noted {\n  set came { type ether_addr; flags dynamic; size 65535; }\n  \
                    chain prerouting {\n    type filter hook prerouting priority 10;\n    ct state invalid drop\n    \
                    update @came { ether saddr } drop\n  }\n}\n";

#[test]
fn what_nftables_accepts_is_what_the_rules_allow() {
    let Some(stage) = stage() else { return };
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let made = estate::known(seed, FLOWS);
        for direction in Direction::ALL {
            let flows: Vec<&Flow> = made.flows.iter().filter(|flow| is_compared(flow, direction)).collect();
            let frames = frames(&flows);
            let arrive = came(&stage, "", &frames);
            for now in [estate::MOMENTS[0], estate::MOMENTS[3]] {
                let plain = Plain::of(&made.policy, now).expect("everything is known");
                let passed = came(&stage, &seen_on_the_way(&plain, direction), &frames);
                for (place, flow) in flows.iter().enumerate().filter(|(place, _)| arrive.contains(place)) {
                    let allowed = oracle::decide(&made.policy, flow, now).verdict == Verdict::Allow;
                    let told = || format!("seed {seed} at {now}: {flow:?}\n{}", nftables::table(&plain));
                    assert_eq!(passed.contains(&place), allowed, "{}", told());
                    tally.count("verdict", format_args!("{direction} {} {allowed}", flow.source().is_ipv4()));
                }
            }
        }
    }
    println!("{tally}");
    let outcomes = ["Inbound", "Outbound"].into_iter().flat_map(|direction| {
        [(true, true), (true, false), (false, true), (false, false)]
            .map(|(v4, allowed)| format!("{direction} {v4} {allowed}"))
    });
    tally.require("verdict", outcomes, 100);
}

/// Two namespaces, one of which sends to the other.
fn stage() -> Option<Stage> {
    let missing = || (!is_installed("nft")).then(|| "nft is not installed".to_owned());
    if let Some(reason) = obstacle().map(|reason| reason.to_string()).or_else(missing) {
        println!("skipped: {reason}");
        return None;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &["outside", "machine"], |stage| {
        let machine = stage.namespace("machine").name().to_owned();
        Batch::new()
            .line(format!("link add outside type veth peer name machine address {MACHINE} netns {machine}"))
            .line("link set outside up")
            .run_in(&stage.namespace("outside"))?;
        Batch::new().line("link set machine up").run_in(&stage.namespace("machine"))
    });
    Some(stage.expect("namespaces"))
}

/// Flows of a direction whose first packets tell what rules say: not what passes without them, and no message that is part of no flow.
fn is_compared(flow: &Flow, direction: Direction) -> bool {
    let is_dhcp = flow.protocol() == Protocol::UDP
        && [67, 68, 546, 547].contains(&flow.source_port())
        && [67, 68, 546, 547].contains(&flow.destination_port());
    let is_link = flow.protocol() == Protocol::ICMPV6 && matches!(flow.destination_port(), 130..=137 | 143);
    let is_icmp_too_large = flow.protocol().is_icmp() && flow.destination_port() > 255;
    flow.direction() == direction && !is_link_control(flow) && !is_dhcp && !is_link && !is_icmp_too_large
}

/// A frame a flow, from the address that has its place.
fn frames(flows: &[&Flow]) -> String {
    let frame = |(place, flow): (usize, &&Flow)| {
        let [.., high, low] = place.to_be_bytes();
        let packet = Packet::first_of(flow).between(Mac([0x02, 0, 0, 0, high, low]), MACHINE);
        let frame = packet.build().expect("a first packet can be built");
        frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
    };
    flows.iter().enumerate().map(frame).collect()
}

/// The table as it would be if packets to and from the machine were on the way: whoever sends from here may use any address.
fn seen_on_the_way(plain: &Plain, direction: Direction) -> String {
    let hook = match direction {
        Direction::Inbound => "hook input",
        Direction::Outbound => "hook output",
    };
    nftables::table(plain).replace(hook, "hook prerouting")
}

/// Which frames come through a ruleset.
fn came(stage: &Stage, ruleset: &str, frames: &str) -> BTreeSet<usize> {
    let machine = stage.namespace("machine");
    let fresh = format!("flush ruleset\n{NOTE}{ruleset}");
    load_nft(&machine, &fresh).unwrap_or_else(|error| panic!("{:#}\n{fresh}", anyhow::Error::new(error)));
    feed_in(&stage.namespace("outside"), "python3", &["-c", SEND], frames).expect("frames are sent");
    let told = feed_in(&machine, "nft", &["-j", "list", "set", "inet", "noted", "came"], "").expect("a set");
    places(&told)
}

fn places(told: &str) -> BTreeSet<usize> {
    let told: BTreeMap<String, Vec<Value>> = serde_json::from_str(told).expect("JSON");
    let sets = told["nftables"].iter().filter_map(|item| item["set"]["elem"].as_array());
    let address = |element: &Value| {
        let text =
            element.as_str().or_else(|| element["elem"]["val"].as_str()).expect("an address").to_owned();
        let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hex")).collect();
        usize::from(u16::from_be_bytes([bytes[4], bytes[5]]))
    };
    sets.flatten().map(address).collect()
}
