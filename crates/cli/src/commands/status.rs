//! `palisade status`: what is in force on this host.

use std::io::{self, Write};

use palisade_abi::verdict::Reason;
use palisade_agent::status::{NicStatus, Status, Traffic, status};

use super::agent::{InstanceArgs, others};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// The reason of a packet that was allowed and found no room.
const FULL: &str = Reason::FlowTableFull.name();

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 1 means that something is not in force: nothing is loaded, an estate was refused, an \
                        interface is open or has no policy, or a NIC is not enforced."
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
        && status.nics.iter().all(|nic| nic.attached && nic.in_force)
}

fn table(status: &Status) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "agent        {}", agent(status))?;
    writeln!(out, "generation   {}", status.generation)?;
    for (label, text) in findings(status) {
        writeln!(out, "{label:<12} {text}")?;
    }
    if !status.nics.is_empty() {
        let rows: Vec<_> = status.nics.iter().map(row).collect();
        writeln!(out)?;
        output::table(["NIC", "INTERFACE", "NSGS", "GENERATION", "FLOWS", "IN", "OUT", "DROPPED"], &rows)?;
    }
    if !status.elsewhere.is_empty() {
        writeln!(out, "\n{} NICs of the estate have no interface on this host", status.elsewhere.len())?;
    }
    Ok(())
}

fn agent(status: &Status) -> String {
    match (status.agent_running, status.agent_pid) {
        (true, Some(pid)) => format!("running (process {pid})"),
        (true, None) => "starting".to_owned(),
        (false, _) if status.loaded => "not running; the kernel goes on enforcing".to_owned(),
        (false, _) => "not running; nothing is enforced (start it: palisade agent ESTATE)".to_owned(),
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
    found.extend(status.closed.iter().map(|(name, closed)| ("closed", format!("{name}: {}", closed.why))));
    if status.windows_closed {
        found.push(("clock", "it was never set, so rules with a window allow nothing (set it)".to_owned()));
    }
    found.extend(status.nics.iter().flat_map(marks));
    if status.dropped_without_policy > 0 {
        let text = format!("{} packets of interfaces without a policy", status.dropped_without_policy);
        found.push(("dropped", text));
    }
    let without_room = status.nics.iter().flat_map(|nic| [&nic.inbound, &nic.outbound]);
    let without_room: u64 = without_room.filter_map(|traffic| traffic.dropped.get(FULL)).sum();
    if without_room > 0 {
        found.push((
            "dropped",
            format!("{without_room} packets that began a flow while the flow table was full"),
        ));
    }
    found
}

/// What is not enforced at a NIC though it is attached, because the estate wants it so.
fn marks(nic: &NicStatus) -> Vec<(&'static str, String)> {
    let record = &nic.record;
    let told = |words: &[String]| format!("{}: {}", record.name, words.join(", "));
    let mut marks = Vec::new();
    if !record.audit.is_empty() {
        marks.push(("AUDIT", told(&record.audit)));
    }
    if !record.guards_off.is_empty() {
        marks.push(("guards off", told(&record.guards_off)));
    }
    marks
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
