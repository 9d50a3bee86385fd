//! One machine: a rule, from the request until the kernel enforces it and the operation says so.
//!
//! `palisade up` in a network namespace with an interface that belongs to a machine; everything is real.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use palisade_client::Client;
use palisade_lab::{
    Lifetime,
    netns::{ip::Batch, registry::unique_name, stage::Stage},
};
use serde_json::json;

use super::{Run, estate, server::Server};
use crate::{
    error::{Context, Error, Result},
    report::Case,
    stats,
};

/// The interface of the machine.
pub(super) const INTERFACE: &str = "vm0";
/// The name of the host at its server.
pub(super) const HOST: &str = "bench";
/// How long its agent may take to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    (run.tell)("a rule until it is in force");
    let rounds = run.choose(500, 60);
    let folder = run.folder()?;
    let stage = host_with_machine()?;
    // A pin directory is a host's own, like the namespace.
    let instance = stage.name().to_owned();
    let program = run.options.program.as_path();
    let measured = stage.namespace("host").enter(|| -> Result<(Vec<f64>, f64)> {
        let data = folder.path().join("data");
        let mut server = Server::new(program, &data, &["--host", HOST, "--instance", &instance])?;
        server.start_as("up")?;
        let taken = rules_in_force(&server, rounds)?;
        let memory = server.memory()?;
        server.stop()?;
        detach(program, &instance)?;
        Ok((taken, memory))
    })?;
    let (taken, memory) = measured?;
    let [median, p99] = [0.5, 0.99].map(|share| stats::quantile(&taken, share));
    let case = Case::new("force/rule", median, "ms")
        .with("what", "PUT of one rule until the operation says that the host enforces it")
        .with("rules written", taken.len())
        .with("p99", round(p99))
        .with("memory of server and agent, MB", round(memory))
        .at_most(15.0)
        .goal("p99 at most 60 ms", p99 <= 60.0);
    Ok(vec![case])
}

/// A namespace `host` with a loopback and the interface of one machine.
pub(super) fn host_with_machine() -> Result<Stage> {
    let stage = Stage::up(&unique_name(), Lifetime::Process, &["host", "machine"], |stage| {
        let (host, machine) = (stage.namespace("host"), stage.namespace("machine"));
        let mut wiring = Batch::new();
        wiring.line("link set lo up");
        wiring.line(format!("link add {INTERFACE} type veth peer name eth0 netns {}", machine.name()));
        wiring.line(format!("link set {INTERFACE} up"));
        wiring.run_in(&host)
    });
    Ok(stage?)
}

/// Writes rules one after the other; milliseconds until each was in force.
fn rules_in_force(server: &Server, rounds: usize) -> Result<Vec<f64>> {
    let client = server.owner()?;
    let ids = estate::lay(&client)?;
    estate::put(&client, &ids.nsg(0), &estate::nsg(10))?;
    await_host(&client)?;
    let tags = json!({ "palisade-interface": INTERFACE, "palisade-host": HOST });
    estate::put_in_force(&client, &ids.nic(0), &estate::nic(&ids, 0, &tags))?;
    let one = |round: usize| {
        let begun = Instant::now();
        let written = estate::put(&client, &ids.rule(0, "measured"), &estate::rule(20 + round))?;
        let Some(operation) = &written.operation else {
            return Err(Error::Server {
                what: "says that a rule of a NIC with an interface concerns no host".to_owned(),
            });
        };
        client.wait(operation, palisade_client::Patience::default(), |_| ())?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    (0..rounds).map(one).collect()
}

/// Waits until the machine's own agent has joined.
fn await_host(client: &Client) -> Result<()> {
    let begun = Instant::now();
    while client.host(HOST).is_err() {
        if begun.elapsed() > JOIN_TIMEOUT {
            return Err(Error::Server { what: format!("knows of no host {HOST}") });
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Takes away what `up` leaves in force.
pub(super) fn detach(program: &Path, instance: &str) -> Result<()> {
    let mut command = std::process::Command::new(program);
    let status = command.args(["detach", "--instance", instance]).output();
    status.context(|| "detach the machine's interface".into()).map(drop)
}

/// To a hundredth.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
