//! The lab without any policy, and the end of labs: everything reaches everything, and nothing is left behind.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use palisade_lab::matrix::{Matrix, all_probes};
use palisade_lab::netns::obstacle;
use palisade_lab::netns::registry::{self, unique_name};
use palisade_lab::probe::{Knock, Outcome, PATIENCE, Transport, http, knock_all};
use palisade_lab::{Lab, LabError, Lifetime};
use palisade_net::Family;

use crate::{filter_at_web1, lab_or_skip};

fn namespaces_of(lab: &str) -> Vec<String> {
    let prefix = registry::namespace_name(lab, "");
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

#[test]
fn without_policy_every_probe_is_answered() {
    let Some(lab) = lab_or_skip() else { return };
    let servers = lab.serve().expect("servers start");
    let matrix = Matrix::observe(&lab, None, PATIENCE).expect("probing works");
    let failed: Vec<String> = matrix
        .cells()
        .iter()
        .filter(|cell| cell.observed != Outcome::Answered)
        .map(|cell| format!("{}: {}", cell.probe, cell.observed))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(matrix.cells().len(), all_probes().len());
    drop(servers);
    lab.down().expect("the lab goes down");
}

#[test]
fn silence_and_refusal_are_told_apart() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    let statements = "tcp dport { 22, 80 } drop
        udp dport 53 drop
        icmp type echo-request drop
        icmpv6 type echo-request drop
        tcp dport 443 reject with tcp reset";
    filter_at_web1(&lab, statements);
    let [attacker, web1] = ["attacker", "web1"].map(|name| lab.host(name).expect("listed"));
    let doors = [
        (Transport::Tcp, 22, Outcome::Silence),
        (Transport::Tcp, 443, Outcome::Refused),
        (Transport::Tcp, 444, Outcome::Refused),
        (Transport::Tcp, 3389, Outcome::Answered),
        (Transport::Udp, 53, Outcome::Silence),
        (Transport::Udp, 54, Outcome::Refused),
        (Transport::Icmp, 0, Outcome::Silence),
    ];
    for family in Family::ALL {
        let address = web1.address_for(attacker, family);
        let knock = |(transport, port, _)| Knock {
            from: lab.of(attacker),
            transport,
            at: SocketAddr::new(address, port),
        };
        let knocks: Vec<Knock> = doors.iter().copied().map(knock).collect();
        let outcomes = knock_all(&knocks, PATIENCE).expect("knocking works");
        assert_eq!(outcomes, doors.map(|(_, _, outcome)| outcome), "{family}");
    }
}

#[test]
fn the_router_translates_public_addresses_only_on_the_outside() {
    let Some(lab) = lab_or_skip() else { return };
    let _servers = lab.serve().expect("servers start");
    let page = |from: &str, to: &str, family| {
        let (from, to) = (lab.host(from).expect("listed"), lab.host(to).expect("listed"));
        let at = SocketAddr::new(to.address_for(from, family), 80);
        http::fetch(&lab.of(from), at, "/", b"", PATIENCE).expect("the lab works").expect("an answer")
    };
    assert_eq!(page("attacker", "web1", Family::V4), "web1 answers 198.51.100.66, 0 bytes received\n");
    assert_eq!(page("web1", "www", Family::V4), "www answers 198.51.100.10, 0 bytes received\n");
    assert_eq!(page("web1", "www", Family::V6), "www answers 2e00:100::10, 0 bytes received\n");
    assert_eq!(page("db1", "update", Family::V4), "update answers 198.51.100.9, 0 bytes received\n");
    assert_eq!(page("web1", "db1", Family::V6), "db1 answers fd00:20:0:1::4, 0 bytes received\n");
}

#[test]
fn a_name_is_taken_once_and_free_again_after_down() {
    let Some(lab) = lab_or_skip() else { return };
    let name = lab.stage().name().to_owned();
    assert!(matches!(Lab::up(&name, Lifetime::Process), Err(LabError::AlreadyUp { .. })));
    assert!(!namespaces_of(&name).is_empty(), "a refused second lab must not remove the first");
    lab.down().expect("the lab goes down");
    assert_eq!(namespaces_of(&name), Vec::<String>::new());
    assert!(!registry::folder(&name).exists());
    Lab::remove(&name).expect("removing what is not there does nothing");
}

/// Plays the process that ends while it owns a lab; the tests below start it.
#[test]
fn helper_that_is_killed_with_its_lab() {
    let Ok(name) = std::env::var("PALISADE_LAB_VICTIM") else { return };
    let mut lab = Lab::up(&name, Lifetime::Process).expect("the lab comes up");
    let mut child =
        lab.on_hypervisor("sleep").expect("entering works").arg("600").spawn().expect("sleep starts");
    lab.adopt(child.id()).expect("the record is written");
    std::fs::write(lab.stage().folder().join("ready"), child.id().to_string()).expect("writing works");
    child.wait().expect("the child is ours");
}

#[test]
fn a_lab_whose_process_was_killed_is_removed_by_the_next() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let (name, mut victim, sleeper) = start_victim();
    victim.kill().expect("the victim is ours");
    victim.wait().expect("the victim is ours");
    assert!(!namespaces_of(&name).is_empty(), "a killed process removes nothing");

    registry::remove_abandoned().expect("removing works");
    assert_eq!(namespaces_of(&name), Vec::<String>::new());
    wait_for("the end of the adopted process", || !is_running(&sleeper));
}

#[test]
fn removing_a_lab_by_name_stops_the_process_that_runs_it() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let (name, mut victim, sleeper) = start_victim();
    Lab::remove(&name).expect("removing works");
    assert_eq!(namespaces_of(&name), Vec::<String>::new());
    let status = victim.wait().expect("the victim is ours");
    assert_eq!(status.signal(), Some(15), "{status}");
    wait_for("the end of the adopted process", || !is_running(&sleeper));
}

/// Another process with a lab; answers with the lab's name, and the number of a process that the lab adopted.
fn start_victim() -> (String, Child, String) {
    let name = unique_name();
    let program = std::env::current_exe().expect("this test is a program");
    let victim = Command::new(program)
        .args(["--exact", "lab::helper_that_is_killed_with_its_lab"])
        .env("PALISADE_LAB_VICTIM", &name)
        .stdout(Stdio::null())
        .spawn()
        .expect("the victim starts");
    let ready = registry::folder(&name).join("ready");
    let number = || std::fs::read_to_string(&ready).unwrap_or_default();
    wait_for("the victim's lab", || !number().is_empty());
    (name, victim, number())
}

fn is_running(process: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
