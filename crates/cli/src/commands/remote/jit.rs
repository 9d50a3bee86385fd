//! `palisade jit`: doors of machines that are closed unless somebody was let through one, for a time.
//!
//! A machine is named by the name or the id of its virtual machine, a request by the name that it was given. Every write waits until the
//! hosts concerned have it in force, unless it is told not to.

pub mod door;
pub(super) mod find;
mod policy;

use palisade_client::{Client, Written};
use serde_json::{Value, json};

use super::{
    RequestArgs,
    rows::{self, Column, text},
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Close ports of a machine unless a request opens them
    Policy(policy::Arguments),
    /// Ask for a port of a machine; it is open when this returns, unless somebody else must approve
    Request(RequestDoor),
    /// Approve what somebody else has asked for
    Approve(Named),
    /// End a request, and cut the connections that it let through
    Revoke(Named),
    /// Let what is open stay open for so long from now
    Extend(Extend),
    /// Requests that are open or wait for approval
    List(Of),
    /// All requests that are remembered, the oldest first
    History(Of),
}

/// Options of `request`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade jit request vm1 --port 3389 --for 1h --why 'install the update'\n  palisade jit \
                        request vm1 --port 22 --for 30m --from 192.0.2.0/24 --why audit --ticket CHG-4711"
)]
pub struct RequestDoor {
    /// Virtual machine, by name or id
    #[arg(value_name = "VM")]
    machine: String,
    /// Port, with /tcp or /udp where the policy has both
    #[arg(long = "port", value_name = "PORT", required = true, value_parser = door::port)]
    ports: Vec<door::Port>,
    /// How long, such as 30m or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = door::time)]
    time: door::Time,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Ticket that it belongs to
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Address or prefix to open it to; without it, your address as the server sees it
    #[arg(long = "from", value_name = "PREFIX")]
    sources: Vec<String>,
    /// Good for one connection: the first closes each port to all others, and its end closes it for good
    #[arg(long)]
    once: bool,
    /// Resource group of the policy
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Which request.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Name of the request, as `jit list` prints it
    #[arg(value_name = "REQUEST")]
    name: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Options of `extend`.
#[derive(Debug, clap::Args)]
pub struct Extend {
    /// How long from now, such as 30m or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = door::time)]
    time: door::Time,
    #[command(flatten)]
    named: Named,
}

/// Of which machine.
#[derive(Debug, clap::Args)]
pub struct Of {
    /// Virtual machine, by name or id; without it, all
    #[arg(value_name = "VM")]
    machine: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Policy(arguments) => policy::run(arguments),
        Action::Request(arguments) => request(arguments),
        Action::Approve(named) => verb(named, "approve", &json!({})),
        Action::Revoke(named) => verb(named, "revoke", &json!({})),
        Action::Extend(extend) => {
            verb(&extend.named, "extend", &json!({"duration": extend.time.to_string()}))
        }
        Action::List(of) => list(of, true),
        Action::History(of) => list(of, false),
    }
}

fn request(arguments: &RequestDoor) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let wanted: Vec<u16> = arguments.ports.iter().map(|port| port.number).collect();
    let place = find::policy_of(&client, &arguments.machine, &wanted, arguments.resource_group.as_deref())?;
    let ports = arguments.ports.iter().map(|port| {
        let mut body = json!({"number": port.number, "duration": arguments.time.to_string()});
        if let Some(protocol) = &port.protocol {
            body["protocol"] = protocol.as_str().into();
        }
        if !arguments.sources.is_empty() {
            body["allowedSourceAddressPrefixes"] = json!(arguments.sources);
        }
        body
    });
    let mut body = json!({"virtualMachines": [{"id": place.machine, "ports": ports.collect::<Vec<_>>()}]});
    if arguments.once {
        body["oneUse"] = true.into();
    }
    for (key, value) in [("justification", &arguments.why), ("ticket", &arguments.ticket)] {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    }
    let written = client.act(&format!("{}/initiate", place.policy), &body)?;
    tell(&client, &arguments.write, &written)
}

fn verb(named: &Named, verb: &str, body: &Value) -> Result<Exit, Failure> {
    let client = named.write.client()?;
    let policy = find::policy_with(&client, &named.name)?;
    let written = client.act(&format!("{policy}/requests/{}/{verb}", named.name), body)?;
    tell(&client, &named.write, &written)
}

/// Waits until hosts have it in force, and prints the request.
fn tell(client: &Client, write: &WriteArgs, written: &Written) -> Result<Exit, Failure> {
    let what = format!("putting request {} in force", text(&written.resource, "/name"));
    write.settle(client, &what, &written.warnings, written.operation.as_ref())?;
    match write.form() {
        Format::Json => output::json(&written.resource)?,
        Format::Table => rows::table(COLUMNS, &find::doors(std::slice::from_ref(&written.resource)))?,
    }
    Ok(Exit::Clean)
}

const COLUMNS: [Column; 9] = [
    ("REQUEST", |door| text(door, "/name")),
    ("STATE", |door| text(door, "/state")),
    ("MACHINE", |door| text(door, "/machine")),
    ("PORT", |door| text(door, "/port")),
    ("FROM", |door| text(door, "/from")),
    ("UNTIL", |door| text(door, "/until")),
    ("WHO", |door| text(door, "/requestor")),
    ("APPROVED BY", |door| text(door, "/approver")),
    ("WHY", |door| text(door, "/justification")),
];

fn list(of: &Of, only_alive: bool) -> Result<Exit, Failure> {
    let client = of.request.client()?;
    let requests = find::requests(&client, of.machine.as_deref(), only_alive)?;
    if let (Some(machine), []) = (&of.machine, requests.as_slice()) {
        find::must_be_known(&client, machine)?;
    }
    match of.request.form() {
        Format::Json => output::json(&requests)?,
        Format::Table => rows::table(COLUMNS, &find::doors(&requests))?,
    }
    Ok(Exit::Clean)
}
