//! `palisade status`: what is in force on this host.

use palisade_agent::status::{NicStatus, Status, Traffic, status};

use super::agent::{InstanceArgs, failure};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 1 means that something is not in force: an estate was refused, an interface is open or \
                        has no policy, or a NIC is not enforced."
)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the status.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let status = status(&arguments.instance.places()?).map_err(failure)?;
    match arguments.format.format {
        Format::Json => output::json(&status)?,
        Format::Table => table(&status)?,
    }
    Ok(if is_as_wanted(&status) { Exit::Clean } else { Exit::Found })
}

/// Whether all that should be in force is.
fn is_as_wanted(status: &Status) -> bool {
    status.refused.is_none()
        && status.unpublished.is_none()
        && status.unenforced.is_empty()
        && status.closed.is_empty()
        && status.problems.is_empty()
        && status.nics.iter().all(|nic| nic.attached && nic.in_force)
}

fn table(status: &Status) -> std::io::Result<()> {
    let agent = match (status.agent_running, status.agent_pid) {
        (true, Some(pid)) => format!("running (process {pid})"),
        (true, None) => "starting".to_owned(),
        (false, _) if status.loaded => "not running; the kernel goes on enforcing".to_owned(),
        (false, _) => "not running".to_owned(),
    };
    println!("agent       {agent}");
    println!("generation  {}", status.generation);
    if let Some(refused) = &status.refused {
        println!("refused     {}", refused.message);
        refused.problems.iter().for_each(|problem| println!("            {problem}"));
    }
    if let Some(failure) = &status.unpublished {
        println!("not in force: {}", failure.message);
    }
    status.problems.iter().for_each(|problem| println!("problem     {problem}"));
    for (interface, why) in &status.unenforced {
        println!("OPEN        {interface}: {why}");
    }
    for (interface, closed) in &status.closed {
        println!("closed      {interface}: {}", closed.why);
    }
    if status.dropped_without_policy > 0 {
        println!("dropped     {} packets of interfaces without a policy", status.dropped_without_policy);
    }
    if !status.nics.is_empty() {
        println!();
        let rows: Vec<_> = status.nics.iter().map(row).collect();
        output::table(["NIC", "INTERFACE", "NSGS", "GENERATION", "FLOWS", "IN", "OUT", "DROPPED"], &rows)?;
    }
    if !status.elsewhere.is_empty() {
        println!("\n{} NICs of the estate have no interface on this host", status.elsewhere.len());
    }
    Ok(())
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
