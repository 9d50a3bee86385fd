//! A large estate: how long a server takes to serve it, what it answers and how much it holds.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_client::{Client, Patience};
use serde_json::json;

use super::{
    Options, Run,
    estate::{self, Ids},
    force::{HOST, INTERFACE, detach, host_with_machine, round},
    gate,
    server::{Server, memory_of},
};
use crate::{
    error::{Context, Error, Result},
    report::Case,
    stats,
};

/// How long an idle process is left alone before its memory counts.
const IDLE: Duration = Duration::from_secs(2);
/// How long an agent may take to be known.
const AGENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Rules of each NSG.
const RULES: usize = 10;

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let (nics, nsgs) = (run.choose(10_000, 2_000), run.choose(1_000, 200));
    (run.tell)(&format!("a server with {nics} NICs and {nsgs} NSGs"));
    let folder = run.folder()?;
    let stage = host_with_machine()?;
    let (instance, options) = (stage.name().to_owned(), run.options);
    stage.namespace("host").enter(|| large(options, folder.path(), &instance, nics, nsgs))?
}

fn large(options: &Options, folder: &Path, instance: &str, nics: usize, nsgs: usize) -> Result<Vec<Case>> {
    let mut server = Server::new(&options.program, &folder.join("data"), &[])?;
    server.start()?;
    let owner = server.owner()?;
    let ids = estate::lay(&owner)?;
    estate::fill(&owner, nsgs, |client, nsg| {
        estate::put(client, &ids.nsg(nsg), &estate::nsg(RULES)).map(drop)
    })?;
    estate::fill(&owner, nics, |client, nic| {
        // The first is on the host with a real agent, the others on hosts that have not joined.
        let tags = match nic {
            0 => json!({ "palisade-host": HOST, "palisade-interface": INTERFACE }),
            _ => json!({ "palisade-host": format!("host-{}", nic % 1_000) }),
        };
        estate::put(client, &ids.nic(nic), &estate::nic(&ids, nic % nsgs, &tags)).map(drop)
    })?;
    server.stop()?;
    let started = server.start()?;
    let asked = effective_rules(&owner, &ids, nics, if options.quick { 50 } else { 200 })?;
    let gate = gate::measure(&owner, &ids, nsgs, if options.quick { 50 } else { 200 })?;
    let mut agent = RealAgent::join(options, folder, instance, &server, &owner)?;
    thread::sleep(IDLE);
    let (of_server, of_agent) = (server.memory()?, agent.memory()?);
    agent.stop(options, instance)?;
    server.stop()?;
    let [median, p99] = [0.5, 0.99].map(|share| stats::quantile(&asked, share));
    let of = |case: Case| case.with("NICs", nics).with("NSGs", nsgs);
    Ok(vec![
        of(Case::new("start/serving", started.as_secs_f64(), "s")).at_most(3.0),
        of(Case::new("start/effective rules", median, "ms")).with("p99", round(p99)).at_most(10.0),
        of(gate),
        of(Case::new("start/memory of the server", round(of_server), "MB")).at_most(300.0),
        of(Case::new("start/memory of an agent", round(of_agent), "MB")).at_most(40.0),
    ])
}

/// Asks for the effective rules of NICs here and there; milliseconds until each answer.
fn effective_rules(owner: &Client, ids: &Ids, nics: usize, rounds: usize) -> Result<Vec<f64>> {
    let one = |round: usize| {
        let path = format!("{}/effectiveNetworkSecurityGroups", ids.nic(round * 7_919 % nics));
        let begun = Instant::now();
        owner.ask(&path, &json!({}), Patience::default(), |_| ())?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    (0..rounds).map(one).collect()
}

/// `palisade agent`, with one machine's interface.
struct RealAgent(Child);

impl RealAgent {
    fn join(
        options: &Options,
        folder: &Path,
        instance: &str,
        server: &Server,
        owner: &Client,
    ) -> Result<Self> {
        let token = owner.create_join_token(Some(HOST), None)?;
        let log =
            std::fs::File::create(folder.join("agent.log")).context(|| "write the agent's log".into())?;
        let child = Command::new(&options.program)
            .args(["agent", "--server", &server.agents().to_string(), "--host-name", HOST])
            .args(["--join-token", token["token"].as_str().unwrap_or_default(), "--instance", instance])
            .arg("--data")
            .arg(folder.join("agent"))
            // The table of flows is taken whole at the start and is the operator's choice, not the agent's own need.
            .args(["--flows", "10000"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context(|| "start an agent".into())?;
        let agent = Self(child);
        let begun = Instant::now();
        while owner.host(HOST).ok().and_then(|host| host["appliedRevision"].as_u64()).unwrap_or(0) == 0 {
            if begun.elapsed() > AGENT_TIMEOUT {
                let said = std::fs::read_to_string(folder.join("agent.log")).unwrap_or_default();
                return Err(Error::Server { what: format!("knows of no agent; the agent said: {said}") });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(agent)
    }

    fn memory(&self) -> Result<f64> {
        memory_of(self.0.id())
    }

    fn stop(&mut self, options: &Options, instance: &str) -> Result<()> {
        self.0.kill().and_then(|()| self.0.wait()).context(|| "stop the agent".into())?;
        detach(&options.program, instance)
    }
}

impl Drop for RealAgent {
    fn drop(&mut self) {
        // It may have been stopped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
