//! Real machines: two QEMU guests on taps in a bridge and a third host beside them, with the real agent at the taps.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use palisade_agent::load::EstateSources;
use palisade_lab::{
    Lifetime,
    hosts::Addresses,
    netns::{
        Namespace,
        registry::{unique_name, write_whole},
    },
    probe::{
        Knock,
        Outcome::{self, Answered, Silence},
        PATIENCE, Transport, knock_all,
        server::Servers,
    },
    vm::{Bench, Guest, GuestImage, HYPERVISOR, Seat, Try},
};
use palisade_net::Family;
use palisade_tests::{agent::Agent, skip, template};

const NETWORK: [&str; 2] = ["10.30.0.0/24", "fd00:30::/64"];
const RULES: [&str; 8] = [
    "in allow tcp from VirtualNetwork to 80",
    "in allow tcp from 10.30.0.100/32 to 22",
    "in allow tcp from fd00:30::64/128 to 22",
    "in allow icmp from 10.30.0.100/32 to *",
    "in allow icmp from fd00:30::64/128 to *",
    "in deny * from * to *",
    "out allow tcp to VirtualNetwork to 80",
    "out deny * to * to *",
];

/// The agent itself: the test runs this program again to have it as a process of its own.
#[test]
fn agent_process() {
    palisade_tests::agent::be_the_agent();
}

#[test]
fn guests_reach_each_other_and_a_third_host_only_as_rules_allow() {
    let Some(image) = image() else { return };
    let seats = [("a", 4), ("b", 5)].map(|(name, last)| Seat { name, addresses: addresses(last) });
    let third = addresses(100);
    let mut bench = Bench::up(&unique_name(), Lifetime::Process, &seats, third).expect("the bench is up");
    let _servers = Servers::start([(bench.third(), "third")]).expect("servers start");
    let estate = bench.stage().folder().join("estate.json");
    let write = |rules: &[&str]| {
        let text = template::of_bench(NETWORK, &seats, rules);
        write_whole(&estate, &text).expect("the estate can be written");
    };
    write(&RULES);
    let sources = EstateSources { paths: vec![estate.clone()], ..EstateSources::default() };
    let mut agent = Agent::new(bench.stage(), HYPERVISOR, sources);
    agent.start();
    agent.wait_until_in_force();
    let mut guests = bench.boot(&image).expect("guests boot");

    let thirds = Family::ALL.map(|family| third.of(family));
    for (index, guest) in guests.iter_mut().enumerate() {
        let other = seats[1 - index];
        let others = Family::ALL.map(|family| other.addresses.of(family));
        for (name, addresses) in [(other.name, others), ("third", thirds)] {
            for address in addresses {
                let page = guest.knock(SocketAddr::new(address, 80)).expect("the guest answers");
                assert!(page.is_some_and(|page| page.contains(&format!("{name} answers"))), "{address}");
            }
        }
        nothing_but_the_first_answers(guest, others, thirds);
    }
    for seat in &seats {
        for family in Family::ALL {
            from_the_third(&bench.third(), seat.addresses.of(family), Silence);
        }
    }

    // The guests run on while rules change.
    write(&[&["in allow tcp from VirtualNetwork to 3389"], &RULES[..]].concat());
    agent.wait_until_in_force();
    for seat in &seats {
        for family in Family::ALL {
            from_the_third(&bench.third(), seat.addresses.of(family), Answered);
        }
    }
    let status = agent.status();
    for nic in &status.nics {
        assert!(nic.inbound.packets > 0 && nic.outbound.packets > 0, "{nic:?}");
        assert!(!nic.inbound.dropped.is_empty() && !nic.outbound.dropped.is_empty(), "{nic:?}");
    }
    for guest in guests {
        guest.shut_down().expect("the guest switches itself off");
    }
}

/// Tries doors from inside a guest: an open one, to see that trying works, and those that no rule opens.
fn nothing_but_the_first_answers(from: &mut Guest, others: [IpAddr; 2], thirds: [IpAddr; 2]) {
    let connect = |at: IpAddr, port: u16| Try::Connect(SocketAddr::new(at, port));
    let mut tries = vec![connect(others[0], 80)];
    tries.extend(others.map(|at| connect(at, 22)));
    tries.extend(thirds.map(|at| connect(at, 443)));
    tries.extend([others, thirds].concat().into_iter().map(Try::Ping));
    let answered = from.try_all(&tries).expect("the guest answers");
    assert!(answered[0] && !answered[1..].contains(&true), "{tries:?} {answered:?}");
}

/// What the third host reaches at a guest; `rdp` is what it gets at the one door that changes.
fn from_the_third(third: &Namespace, to: IpAddr, rdp: Outcome) {
    let doors = [
        (Transport::Tcp, 80, Answered),
        (Transport::Tcp, 22, Answered),
        (Transport::Icmp, 0, Answered),
        (Transport::Tcp, 3389, rdp),
    ];
    let knock =
        |(transport, port, _)| Knock { from: third.clone(), transport, at: SocketAddr::new(to, port) };
    let outcomes = knock_all(&doors.map(knock), PATIENCE * 2).expect("knocking works");
    assert_eq!(outcomes, doors.map(|(_, _, expected)| expected), "{to}");
}

fn addresses(last: u8) -> Addresses {
    Addresses { v4: [10, 30, 0, last].into(), v6: [0xfd00, 0x30, 0, 0, 0, 0, 0, u16::from(last)].into() }
}

/// What the guests boot; nothing, with the reason printed, where none can.
fn image() -> Option<GuestImage> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(target).join("guest");
    let image = match skip::obstacle() {
        Some(reason) => Err(reason),
        None => GuestImage::open(folder).map_err(|reason| reason.to_string()),
    };
    image.map_err(|reason| println!("skipped: {reason}")).ok()
}
