//! The agent as a process, the kernel program, and real packets, in network namespaces of the test's own.
//!
//! The namespaces have no names: they end with the test's threads, however these end. Traffic that goes on while policy
//! changes or agents die is the business of the end-to-end tests.

mod endpoint_cuts;
mod endpoints;
mod first_start;
// It serves the tests of the crate itself too, which ask for more.
#[allow(dead_code)]
#[path = "../support/fleet.rs"]
mod fleet;
mod flows;
mod interfaces;
mod macvtap;
mod records;
mod server;
mod stage;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use fleet::wait_for;
use nix::sys::signal::Signal;
use palisade_agent::load::EstateSources;
use palisade_agent::status::Status;
use palisade_agent::{Applied, Options, Tuning, apply_once};
use stage::{AgentProcess, Server, Stage, VM};

const OPEN: u16 = 9000;
const SHUT: u16 = 9001;
/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(2);

/// Makes a stage, or says why there is none.
fn stage() -> Option<Stage> {
    match Stage::new() {
        Ok(stage) => Some(stage),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

/// Sends one datagram from a new port of the host, and says whether the machine answered.
fn answers(stage: &Stage, port: u16, patience: Duration) -> bool {
    let socket = stage.host_socket();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(b"?", SocketAddr::new(VM, port)).unwrap();
    let answered = socket.recv(&mut [0; 8]).is_ok();
    if !answered {
        println!("no answer from port {port}: {:?}", stage.status());
    }
    answered
}

/// Sends to a port until the machine's interface has counted another drop.
fn is_dropped(stage: &Stage, port: u16) {
    let before = drops(&stage.status());
    let socket = stage.host_socket();
    wait_for("a drop to be counted", || {
        socket.send_to(b"?", SocketAddr::new(VM, port)).unwrap();
        (drops(&stage.status()) > before).then_some(())
    });
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 8]).is_err(), "port {port} answered");
}

fn drops(status: &Status) -> u64 {
    status.nics.iter().map(|nic| nic.inbound.dropped.get("SubnetDeny").copied().unwrap_or_default()).sum()
}

/// A machine whose estate lets [`OPEN`] in, enforced by an agent that runs, and what answers in it at both ports.
fn enforced_machine(stage: &Stage) -> (AgentProcess, Server) {
    stage.write_estate(OPEN);
    stage.add_machine();
    stage.raise_machine();
    let agent = stage.start_agent();
    enforced(stage);
    let server = stage.serve(&[OPEN, SHUT]);
    assert!(answers(stage, OPEN, ANSWER));
    (agent, server)
}

/// Waits until the machine's interface is attached and its policy in force.
fn enforced(stage: &Stage) -> Status {
    wait_for("the machine's policy to be in force", || {
        let status = stage.status();
        let done = status.nics.first().is_some_and(|nic| nic.attached && nic.in_force);
        done.then_some(status)
    })
}

#[test]
fn an_interface_that_appears_is_enforced_before_it_is_up() {
    let Some(stage) = stage() else { return };
    stage.write_estate(OPEN);
    let _agent = stage.start_agent();
    wait_for("a policy of no machine to be in force", || (stage.status().generation == 1).then_some(()));
    stage.add_machine();
    let status = enforced(&stage);
    let nic = &status.nics[0];
    assert_eq!((nic.record.interface.as_str(), nic.record.subnet_nsg.as_deref()), ("vm0", Some("web-nsg")));
    assert_eq!((status.agent_running, status.loaded, nic.generation), (true, true, 2));

    stage.raise_machine();
    let _server = stage.serve(&[OPEN, SHUT]);
    assert!(answers(&stage, OPEN, ANSWER));
    is_dropped(&stage, SHUT);
    let nic = stage.status().nics.remove(0);
    assert!(nic.flows > 0 && nic.inbound.packets > 0 && nic.outbound.packets > 0, "{nic:?}");

    stage.remove_machine();
    wait_for("the interface to be forgotten", || stage.status().nics.is_empty().then_some(()));
}

#[test]
fn a_changed_file_is_applied_and_a_broken_one_is_not() {
    let Some(stage) = stage() else { return };
    let (agent, _server) = enforced_machine(&stage);

    stage.write_estate(SHUT);
    wait_for("the change to be in force", || (stage.status().generation == 2).then_some(()));
    assert!(answers(&stage, SHUT, ANSWER));
    is_dropped(&stage, OPEN);

    fs::write(stage.estate_file(), "{").unwrap();
    let refused = wait_for("the broken file to be refused", || stage.status().refused);
    assert_eq!(refused.problems[0].code, "InvalidRequestContent");
    assert_eq!(stage.status().generation, 2);
    assert!(answers(&stage, SHUT, ANSWER));
    is_dropped(&stage, OPEN);

    stage.write_estate(OPEN);
    agent.signal(Signal::SIGHUP);
    wait_for("the repaired file to be in force", || (stage.status().generation == 3).then_some(()));
    assert!(stage.status().refused.is_none());

    assert!(agent.stop().success());
    let status = stage.status();
    assert_eq!((status.agent_running, status.nics[0].attached, status.nics[0].in_force), (false, true, true));
    is_dropped(&stage, SHUT);

    palisade_agent::remove(stage.instance()).unwrap();
    assert!(!stage.instance().pin_dir.exists());
    assert!(!stage.instance().state_dir.exists(), "nothing of it stays");
    assert!(answers(&stage, SHUT, ANSWER), "removing an instance releases its interfaces");
}

#[test]
fn an_estate_can_be_applied_once_and_left_to_the_kernel() {
    let Some(stage) = stage() else { return };
    stage.add_machine();
    stage.raise_machine();
    let sources = EstateSources { paths: vec![stage.estate_file()], ..EstateSources::default() };
    let options = Options {
        instance: stage.instance().clone(),
        sources: sources.into(),
        detach_on_exit: false,
        tuning: Tuning::default(),
    };
    let apply = || apply_once(&options, |event| eprintln!("{event}")).unwrap();
    stage.write_estate(OPEN);
    assert_eq!(apply(), Applied::InForce(1));
    let _server = stage.serve(&[OPEN, SHUT]);
    assert!(answers(&stage, OPEN, ANSWER));
    is_dropped(&stage, SHUT);
    assert_eq!(apply(), Applied::InForce(1), "nothing changed");
    fs::write(stage.estate_file(), "{").unwrap();
    assert_eq!(apply(), Applied::NotInForce);
    assert!(answers(&stage, OPEN, ANSWER));
    stage.write_estate(SHUT);
    assert_eq!(apply(), Applied::InForce(2));
    assert!(answers(&stage, SHUT, ANSWER));
}
