//! What happens to real packets, as records that a server receives over the protocol: by kind, with what they say; and what is left of
//! them when the agent or the server dies, or when there are more than anybody takes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use palisade_model::calendar::civil_from_days;
use palisade_sync::FlowShape;
use palisade_sync::flows::{FlowLine, LOST};
use palisade_sync::limits::FLOW_WINDOW;

use crate::fleet::{Fleet, estate, wait_for};
use crate::stage::{Stage, VM};
use crate::{ANSWER, OPEN, SHUT, answers, stage};

/// Packets of the flood.
const FLOOD: u64 = 1_000_000;
/// What else is denied at the machine's interface while the flood lasts.
const NOISE: u64 = 200;

/// A server that takes records, and says that it has them.
fn fleet() -> Fleet {
    let fleet = Fleet::start();
    let mut mind = fleet.mind();
    (mind.window, mind.keeps) = (FLOW_WINDOW, true);
    drop(mind);
    fleet
}

/// Every record that arrived, batches that came twice once.
fn records(fleet: &Fleet) -> Vec<(FlowShape, FlowLine)> {
    let batches: BTreeMap<_, _> = fleet
        .mind()
        .flows
        .iter()
        .map(|batch| ((batch.stream.clone(), batch.sequence), batch.clone()))
        .collect();
    let lines = batches.values().flat_map(|batch| {
        batch.check().unwrap();
        batch.lines().map(|(shape, line)| (shape.clone(), line))
    });
    lines.collect()
}

/// Waits for a record about a connection to this port of the machine.
fn told(fleet: &Fleet, kind: &str, port: u16) -> (FlowShape, FlowLine) {
    wait_for(&format!("{kind} of port {port}"), || {
        let found = |(shape, line): &(FlowShape, FlowLine)| {
            shape.kind == kind && line.destination == (VM, port) && shape.protocol == 6
        };
        records(fleet).into_iter().find(found)
    })
}

/// A stage with a machine and an agent of the server, and the token that it joined with.
fn followed(stage: &Stage, fleet: &Fleet) -> (crate::AgentProcess, String) {
    stage.add_machine();
    stage.raise_machine();
    let token = fleet.token().to_string();
    let agent = stage.start_agent_of(&fleet.address(), &token);
    let first = fleet.give(&estate(&["web1-nic"], &format!("{OPEN}-{SHUT}")));
    fleet.in_force(first);
    (agent, token)
}

/// The estate whose rule ends then, in seconds since 1970.
fn ending(port: u16, at: u64) -> Vec<(String, String)> {
    let mut documents = estate(&["web1-nic"], &port.to_string());
    let (days, second) = (at / 86_400, at % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let (year, month, day) = civil_from_days(days as i64);
    let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    for (_, body) in &mut documents {
        *body = body.replace(r#""access":"Allow","#, &format!(r#""access":"Allow","expiresAt":"{time}","#));
    }
    documents
}

/// Whether the machine still answers on a connection.
fn echoes(connection: &mut TcpStream) -> bool {
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    connection.write_all(b"!").is_ok() && connection.read(&mut [0; 8]).is_ok_and(|length| length > 0)
}

#[test]
fn what_happens_to_connections_arrives_at_the_server() {
    let Some(stage) = stage() else { return };
    let fleet = fleet();
    let (_agent, _) = followed(&stage, &fleet);
    let _echo = stage.serve_tcp(OPEN);
    let place = |port| SocketAddr::new(VM, port);

    let mut live = TcpStream::connect_timeout(&place(OPEN), ANSWER).unwrap();
    assert!(echoes(&mut live));
    let mut short = TcpStream::connect_timeout(&place(OPEN), ANSWER).unwrap();
    assert!(echoes(&mut short));
    let port = short.local_addr().unwrap().port();
    drop(short);
    TcpStream::connect_timeout(&place(SHUT), ANSWER).expect_err("nobody listens there");
    TcpStream::connect_timeout(&place(1), Duration::from_millis(300)).expect_err("the rules deny it");

    let (shape, begin) = told(&fleet, "begin", OPEN);
    assert_eq!((&shape.nic[..], &shape.direction[..], &shape.layer[..]), ("web1-nic", "Inbound", "Subnet"));
    assert_eq!((&shape.rules[0].list[..], &shape.rules[0].rule[..]), ("web-nsg", "securityRules/allow"));
    assert_eq!((begin.tcp_flags, begin.began_ms), ([0x02, 0], Some(begin.time_ms)));
    let (shape, deny) = told(&fleet, "deny", 1);
    assert_eq!(
        (&shape.reason[..], &shape.rules[0].rule[..]),
        ("SubnetDeny", "defaultSecurityRules/DenyAllInBound")
    );
    assert_eq!((deny.tcp_flags, deny.began_ms, deny.packets[0] > 0), ([0x02, 0], None, true));

    // Ends are told as the connections close.
    let (shape, refused) = told(&fleet, "end", SHUT);
    assert_eq!((&shape.state[..], refused.tcp_flags), ("Closed", [0x02, 0x14]));
    assert!(refused.began_ms.is_some_and(|began| began <= refused.time_ms) && refused.packets == [1, 1]);

    // Policy cuts the one that still lives.
    let revision = fleet.give(&estate(&["web1-nic"], &SHUT.to_string()));
    fleet.in_force(revision);
    assert!(!echoes(&mut live));
    let (shape, cut) = told(&fleet, "cut", OPEN);
    assert_eq!((&shape.cause[..], &shape.reason[..], &shape.state[..]), ("policy", "SubnetDeny", "Cut"));
    assert_eq!(&shape.rules[0].rule[..], "defaultSecurityRules/DenyAllInBound");
    assert!(cut.packets[0] > 1 && cut.packets[1] > 1 && cut.tcp_flags[1] & 0x12 == 0x12);
    let began = |source: u16| {
        let all = records(&fleet);
        let of = |line: &FlowLine| line.source.1 == source && line.destination.1 == OPEN;
        all.iter().filter(|(shape, line)| shape.kind == "begin" && of(line)).count()
    };
    assert_eq!(began(port), 1);
}

#[test]
fn the_end_of_a_rules_time_is_told_as_such() {
    let Some(stage) = stage() else { return };
    let fleet = fleet();
    let (_agent, _) = followed(&stage, &fleet);
    let _echo = stage.serve_tcp(OPEN);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let revision = fleet.give(&ending(OPEN, now + 4));
    fleet.in_force(revision);
    let mut live = TcpStream::connect_timeout(&SocketAddr::new(VM, OPEN), ANSWER).unwrap();
    assert!(echoes(&mut live));
    std::thread::sleep(Duration::from_secs(5));
    assert!(!echoes(&mut live));
    let (shape, _) = told(&fleet, "cut", OPEN);
    assert_eq!((&shape.cause[..], &shape.state[..]), ("time", "Cut"));
}

/// Begins so many flows, each from a port of its own; the ports.
fn begin(stage: &Stage, count: usize) -> (Vec<u16>, Vec<UdpSocket>) {
    let sockets: Vec<_> = (0..count).map(|_| stage.host_socket()).collect();
    for socket in &sockets {
        socket.send_to(b"?", SocketAddr::new(VM, OPEN)).unwrap();
    }
    (sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect(), sockets)
}

fn begun(fleet: &Fleet) -> BTreeMap<u16, usize> {
    let mut ports = BTreeMap::new();
    for (shape, line) in records(fleet) {
        if shape.kind == "begin" && line.destination == (VM, OPEN) {
            *ports.entry(line.source.1).or_default() += 1;
        }
    }
    ports
}

#[test]
fn an_outage_is_ridden_out_and_a_killed_agent_loses_what_was_open_at_most() {
    let Some(stage) = stage() else { return };
    let mut fleet = fleet();
    let (agent, token) = followed(&stage, &fleet);
    let _echo = stage.serve(&[OPEN]);
    assert!(answers(&stage, OPEN, ANSWER));
    let (before, _before) = begin(&stage, 50);
    let has = |fleet: &Fleet, ports: &[u16]| {
        let begun = begun(fleet);
        ports.iter().all(|port| begun.contains_key(port))
    };
    wait_for("records before the outage", || has(&fleet, &before).then_some(()));

    fleet.stop();
    let (during, _during) = begin(&stage, 50);
    // A batch is half a second old at most when it goes to the spool.
    std::thread::sleep(Duration::from_millis(1_500));
    agent.signal(Signal::SIGKILL);
    drop(agent);
    // While no agent lives the kernel keeps what it tells.
    let (dead, _dead) = begin(&stage, 50);
    let agent = stage.start_agent_of(&fleet.address(), &token);
    wait_for("the next agent", || stage.status().agent_running.then_some(()));
    fleet.resume();
    wait_for("records of the outage", || (has(&fleet, &during) && has(&fleet, &dead)).then_some(()));

    // The server dies with batches on their way, again and again.
    let mut all = [before, during, dead].concat();
    let mut open = Vec::new();
    for _ in 0..5 {
        let (ports, sockets) = begin(&stage, 50);
        all.extend(ports);
        open.push(sockets);
        std::thread::sleep(Duration::from_millis(450));
        fleet.stop();
        fleet.resume();
    }
    wait_for("everything", || has(&fleet, &all).then_some(()));
    assert!(agent.stop().success());
    let twice: Vec<_> = begun(&fleet).into_iter().filter(|(_, count)| *count > 1).collect();
    assert_eq!(twice, [], "every batch counts once");
}

#[test]
fn a_flood_is_told_as_far_as_it_can_be_and_the_rest_is_counted() {
    let Some(stage) = stage() else { return };
    let fleet = fleet();
    let (_agent, _) = followed(&stage, &fleet);
    let _echo = stage.serve(&[OPEN]);
    assert!(answers(&stage, OPEN, ANSWER));
    // Each datagram is another flow that the rules deny, so none is like one that was denied before.
    let (mut sent, mut socket) = (0, stage.host_socket());
    while sent < FLOOD {
        for port in (1..=u16::MAX).filter(|port| ![OPEN, SHUT].contains(port)) {
            if sent < FLOOD {
                socket.send_to(b"?", SocketAddr::new(VM, port)).unwrap();
                sent += 1;
            }
        }
        socket = stage.host_socket();
    }
    let count = |fleet: &Fleet| {
        let (mut denied, mut lost) = (0, 0);
        for batch in &fleet.mind().flows {
            for (shape, line) in batch.lines() {
                match &shape.kind[..] {
                    LOST => lost += line.packets[0],
                    "deny" => denied += line.packets[0],
                    _ => {}
                }
            }
        }
        (denied, lost)
    };
    let (denied, lost) = wait_for("every packet to be accounted for", || {
        let (denied, lost) = count(&fleet);
        (denied + lost >= FLOOD).then_some((denied, lost))
    });
    println!("of {FLOOD} packets {denied} were told and {lost} counted as lost");
    assert!(denied > 0 && lost > 0 && denied + lost <= FLOOD + NOISE, "{denied} told, {lost} lost");
    assert!(answers(&stage, OPEN, ANSWER));
}
