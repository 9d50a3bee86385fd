//! `palisade hosts`: the machines that enforce, and what each has in force.

use std::io;

use serde_json::Value;

use super::{
    RequestArgs, ServerArgs,
    rows::{self, Column, NOTHING, first, text},
};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// All hosts; exit code 1 if one does not have its newest state in force
    List(RequestArgs),
    /// One host with its NICs and interfaces
    Show(ShowArgs),
    /// Refuse a host's certificate from now on; what it enforces stays in force
    Revoke(NameArgs),
    /// Forget a host that is gone
    Remove(NameArgs),
}

/// Options of `show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    host: NameArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Which host.
#[derive(Debug, clap::Args)]
pub struct NameArgs {
    /// Name of the host
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::List(request) => list(request),
        Action::Show(arguments) => show(arguments),
        Action::Revoke(host) => {
            host.server.client()?.revoke_host(&host.name)?;
            eprintln!("revoked {}: it is served no more", host.name);
            Ok(Exit::Clean)
        }
        Action::Remove(host) => {
            host.server.client()?.remove_host(&host.name)?;
            eprintln!("forgot {}", host.name);
            Ok(Exit::Clean)
        }
    }
}

fn list(request: &RequestArgs) -> Result<Exit, Failure> {
    let columns: [Column; 7] = [
        ("HOST", |host| text(host, "/name")),
        ("STATE", |host| text(host, "/state")),
        ("WANTED", |host| text(host, "/wantedRevision")),
        ("IN FORCE", |host| text(host, "/appliedRevision")),
        ("NICS", |host| {
            host["nics"].as_array().map_or_else(|| NOTHING.to_owned(), |nics| nics.len().to_string())
        }),
        ("LAST SEEN", |host| text(host, "/lastSeen")),
        ("PROBLEM", problem),
    ];
    let hosts = request.client()?.hosts()?;
    rows::list(request.form(), columns, &hosts)?;
    Ok(if hosts.iter().all(is_in_force) { Exit::Clean } else { Exit::Found })
}

/// A revoked host is not expected to follow.
fn is_in_force(host: &Value) -> bool {
    host["state"] == "Revoked" || host["inForce"] == true
}

/// What is wrong with a host or one of its NICs.
fn problem(host: &Value) -> String {
    let own = first(host, &["/error"]);
    if own != NOTHING {
        return own;
    }
    let nics = host["nics"].as_array().into_iter().flatten();
    nics.map(|nic| text(nic, "/error")).find(|error| error != NOTHING).unwrap_or(own)
}

fn show(arguments: &ShowArgs) -> Result<Exit, Failure> {
    let host = arguments.host.server.client()?.host(&arguments.host.name)?;
    match arguments.format.format {
        Format::Json => output::json(&host)?,
        Format::Table => describe(&host)?,
    }
    Ok(if is_in_force(&host) { Exit::Clean } else { Exit::Found })
}

/// A host for people: itself, its NICs, its interfaces.
fn describe(host: &Value) -> io::Result<()> {
    for (label, pointer) in [
        ("host", "/name"),
        ("state", "/state"),
        ("version", "/version"),
        ("registered", "/registered"),
        ("last seen", "/lastSeen"),
        ("certificate", "/certificate/expires"),
        ("wanted", "/wantedRevision"),
        ("in force", "/appliedRevision"),
        ("problem", "/error"),
    ] {
        output::line(format_args!("{label:<12} {}", text(host, pointer)))?;
    }
    let list = |pointer: &str| host.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    output::line("")?;
    rows::table(
        [
            ("NIC", |nic| text(nic, "/id")),
            ("INTERFACE", |nic| text(nic, "/interface")),
            ("PROBLEM", |nic| text(nic, "/error")),
        ],
        &list("/nics"),
    )?;
    output::line("")?;
    rows::table(
        [
            ("INTERFACE", |one| text(one, "/name")),
            ("ALIAS", |one| text(one, "/alias")),
            ("MACS", |one| text(one, "/macs")),
            ("NOTE", |one| text(one, "/note")),
        ],
        &list("/interfaces"),
    )
}
