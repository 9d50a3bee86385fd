//! `palisade status`: what is in force on this host.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use palisade_abi::verdict::Reason;
use palisade_agent::endpoints::EndpointRecord;
use palisade_agent::state::ServerState;
use palisade_agent::status::{NicStatus, Status, Traffic, status};

use super::agent::{InstanceArgs, others};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Limits that drop what rules allow, and what to say of them.
const LIMITS: [(Reason, &str); 4] = [
    (Reason::FlowTableFull, "the flow table was full"),
    (Reason::FlowQuota, "their NIC had as many as it may have"),
    (Reason::HalfOpenQuota, "their NIC had as many half-open connections as it may have"),
    (Reason::Throttled, "their machine was throttled and had no token for a new destination"),
];
/// So many NICs are named in one line.
const NAMES_SHOWN_MAX: usize = 5;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 1 means that something is not in force: nothing is loaded, an estate was refused, an \
                        interface is open or has no policy, a NIC is not enforced, or an endpoint is not in force."
)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the status.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let status = status(&arguments.instance.places()?).map_err(Failure::caused_by)?;
    match arguments.format.format {
        Format::Json => output::json(&status)?,
        Format::Table => table(&status)?,
    }
    Ok(if is_as_wanted(&status) { Exit::Clean } else { Exit::Found })
}

/// Whether all that should be in force is.
fn is_as_wanted(status: &Status) -> bool {
    status.loaded
        && status.refused.is_none()
        && status.unpublished.is_none()
        && status.unenforced.is_empty()
        && status.closed.is_empty()
        && !status.windows_closed
        && status.not_enforced.is_empty()
        && status.problems.is_empty()
        && status.endpoints.iter().all(|endpoint| endpoint.in_force)
        && status.nics.iter().all(|nic| nic.attached && nic.in_force)
}

fn table(status: &Status) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "agent        {}", agent(status))?;
    if let Some(server) = &status.server {
        writeln!(out, "server       {}", contact(server, status.agent_running))?;
        writeln!(out, "revision     {}", revision(server))?;
    }
    writeln!(out, "generation   {}", status.generation)?;
    for (label, text) in findings(status) {
        writeln!(out, "{label:<12} {text}")?;
    }
    if !status.nics.is_empty() {
        let rows: Vec<_> = status.nics.iter().map(row).collect();
        writeln!(out)?;
        output::table(["NIC", "INTERFACE", "NSGS", "GENERATION", "FLOWS", "IN", "OUT", "DROPPED"], &rows)?;
    }
    if !status.endpoints.is_empty() {
        let rows: Vec<_> = status.endpoints.iter().map(endpoint_row).collect();
        writeln!(out)?;
        output::table(["ENDPOINT", "PROTOCOL", "FROM", "AT", "TO", "IN FORCE"], &rows)?;
    }
    if !status.elsewhere.is_empty() {
        writeln!(out, "\n{} NICs of the estate have no interface on this host", status.elsewhere.len())?;
    }
    Ok(())
}

fn endpoint_row(endpoint: &EndpointRecord) -> [String; 6] {
    let name = endpoint.id.rsplit('/').next().unwrap_or_default().to_owned();
    let in_force = if endpoint.in_force { "yes" } else { "no" }.to_owned();
    let nothing = || "-".to_owned();
    let Some(mapping) = &endpoint.mapping else {
        return [name, nothing(), nothing(), nothing(), nothing(), in_force];
    };
    let from = mapping.sources.as_ref().map_or_else(|| "any".to_owned(), |sources| sources.join(", "));
    let at = SocketAddr::new(mapping.frontend, mapping.public_port).to_string();
    let to = SocketAddr::new(mapping.address, mapping.private_port).to_string();
    [name, mapping.protocol.clone(), from, at, to, in_force]
}

fn agent(status: &Status) -> String {
    match (status.agent_running, status.agent_pid) {
        (true, Some(pid)) => format!("running (process {pid})"),
        (true, None) => "starting".to_owned(),
        (false, _) if status.loaded => "not running; the kernel goes on enforcing".to_owned(),
        (false, _) => "not running; nothing is enforced (start it: palisade agent ESTATE)".to_owned(),
    }
}

/// How the agent stands to its server.
fn contact(server: &ServerState, is_running: bool) -> String {
    let ServerState { address, host, .. } = server;
    match (&server.error, server.connected && is_running) {
        (_, true) => format!("{address}, connected as host {host}"),
        (Some(why), false) => format!("{address}, NOT CONNECTED: {why}"),
        (None, false) => format!("{address}, not connected"),
    }
}

/// Which of the server's states is in force.
fn revision(server: &ServerState) -> String {
    match (server.revision, server.seen) {
        (0, 0) => "the server has given nothing yet".to_owned(),
        (in_force, seen) if in_force == seen => in_force.to_string(),
        (0, seen) => format!("none; {seen} is not in force"),
        (in_force, seen) => format!("{in_force}; {seen} is not in force"),
    }
}

/// What an operator should read before the numbers.
fn findings(status: &Status) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(refused) = &status.refused {
        found.push(("refused", refused.message.clone()));
        found.extend(others(&refused.problems).iter().map(|problem| ("", problem.to_string())));
    }
    found.extend(status.unpublished.iter().map(|failure| ("NOT IN FORCE", failure.message.clone())));
    found.extend(
        status
            .not_enforced
            .iter()
            .map(|nic| ("NOT ENFORCED", format!("{} at {}: {}", nic.nic.resource().name(), nic.at, nic.why))),
    );
    found.extend(status.problems.iter().map(|problem| ("problem", problem.clone())));
    found.extend(status.unenforced.iter().map(|(name, why)| ("OPEN", format!("{name}: {why}"))));
    found.extend(status.endpoints.iter().filter_map(|endpoint| {
        let name = endpoint.id.rsplit('/').next().unwrap_or_default();
        Some(("endpoint", format!("{name} is NOT IN FORCE: {}", endpoint.why.as_ref()?)))
    }));
    found.extend(status.closed.iter().map(|(name, closed)| ("closed", format!("{name}: {}", closed.why))));
    if status.windows_closed {
        found.push(("clock", "it was never set, so rules with a window allow nothing (set it)".to_owned()));
    }
    found.extend(grouped("AUDIT", &status.nics, |nic| &nic.record.audit));
    found.extend(grouped("guards off", &status.nics, |nic| &nic.record.guards_off));
    if status.dropped_without_policy > 0 {
        let text = format!("{} packets of interfaces without a policy", status.dropped_without_policy);
        found.push(("dropped", text));
    }
    let dropped = |reason: Reason| -> u64 {
        let traffic = status.nics.iter().flat_map(|nic| [&nic.inbound, &nic.outbound]);
        traffic.filter_map(|traffic| traffic.dropped.get(reason.name())).sum()
    };
    found.extend(LIMITS.iter().filter_map(|(reason, what)| match dropped(*reason) {
        0 => None,
        packets => Some(("dropped", format!("{packets} packets that began a flow while {what}"))),
    }));
    let untold: u64 = status.nics.iter().map(|nic| nic.events_lost).sum();
    if untold > 0 {
        found.push(("not told", format!("{untold} events of flows, for which the kernel had no room")));
    }
    found
}

/// What the estate wants not to be enforced, with the NICs where it is so: one line for all that are alike.
fn grouped(
    label: &'static str,
    nics: &[NicStatus],
    words: impl Fn(&NicStatus) -> &Vec<String>,
) -> Vec<(&'static str, String)> {
    let mut alike = BTreeMap::<String, Vec<&str>>::new();
    for nic in nics.iter().filter(|nic| !words(nic).is_empty()) {
        alike.entry(words(nic).join(", ")).or_default().push(&nic.record.name);
    }
    let told = |(words, nics): (String, Vec<&str>)| {
        let shown = nics.iter().take(NAMES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
        match nics.len().saturating_sub(NAMES_SHOWN_MAX) {
            0 => (label, format!("{shown}: {words}")),
            more => (label, format!("{shown} and {more} more: {words}")),
        }
    };
    alike.into_iter().map(told).collect()
}

fn row(nic: &NicStatus) -> [String; 8] {
    let nsgs = [("subnet", &nic.record.subnet_nsg), ("nic", &nic.record.nic_nsg)];
    let nsgs = nsgs.iter().filter_map(|(place, name)| Some(format!("{place}:{}", name.as_ref()?)));
    [
        nic.record.name.clone(),
        nic.record.interface.clone(),
        joined(nsgs),
        match (nic.attached, nic.in_force) {
            (true, true) => nic.generation.to_string(),
            (false, _) => "NOT ATTACHED".to_owned(),
            (true, false) => "no policy: closed".to_owned(),
        },
        nic.flows.to_string(),
        passed(&nic.inbound),
        passed(&nic.outbound),
        dropped(&nic.inbound, &nic.outbound),
    ]
}

fn passed(traffic: &Traffic) -> String {
    format!("{} ({} B)", traffic.packets, traffic.bytes)
}

fn dropped(inbound: &Traffic, outbound: &Traffic) -> String {
    let each = |direction: &str, traffic: &Traffic| {
        let all = traffic.dropped.iter().map(|(reason, packets)| format!("{direction} {reason} {packets}"));
        all.collect::<Vec<_>>()
    };
    joined(each("in", inbound).into_iter().chain(each("out", outbound)))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let text = parts.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "-".to_owned() } else { text }
}
