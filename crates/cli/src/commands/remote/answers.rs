//! `palisade quarantine`, `release`, `lockouts`, `throttles` and `answers`: what is done about alerts, by hand and by itself.
//!
//! Every write waits until the hosts concerned have it in force, unless it is told not to.

mod lockout;
mod path;
mod policy;
mod throttle;

use palisade_client::{Client, Precondition};
use serde_json::{Value, json};

use super::{
    jit::find::{is_named, resource, string},
    rows::{self, Column, text},
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure, output, output::Format};
pub use lockout::{Lockouts, run as lockouts};
pub use policy::{Answers, run as policies};
pub use throttle::{Throttles, run as throttles};

/// Types of what can be isolated, and what people call them.
pub(super) const TARGETS: [(&str, &str); 2] = [
    ("Microsoft.Compute/virtualMachines", "virtual machine"),
    ("Microsoft.Network/networkInterfaces", "network interface"),
];

/// Options of `quarantine`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade quarantine vm1 --forensic 10.9.0.5:22 --why 'it scans the network'\n  palisade \
                        quarantine vm1 --forensic '[2001:db8::5]:22' --forensic 10.9.0.0/28:5985 --why INC-7"
)]
pub struct Isolate {
    /// Virtual machine or network interface, by name or id
    #[arg(value_name = "VM")]
    target: String,
    /// Who may still reach which port of it; without it, what the answer policy says
    #[arg(long = "forensic", value_name = "PREFIX:PORT", value_parser = path::path)]
    forensic: Vec<path::Path>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Resource group of it
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Options of `release`.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// Machine or interface in quarantine or with a throttle, or source, machine or name of a lock-out
    #[arg(value_name = "WHAT")]
    what: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Isolates a machine.
pub fn isolate(arguments: &Isolate) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let target = resource(&client, &arguments.target, arguments.resource_group.as_deref(), &TARGETS)?;
    let target = string(&target, "id");
    let (_, name) = place(&target);
    let id = quarantine_id(&target);
    let mut body = json!({"properties": {"target": {"id": target}, "reason": arguments.why}});
    if !arguments.forensic.is_empty() {
        body["properties"]["forensic"] = arguments.forensic.iter().map(path::Path::body).collect();
    }
    put(&client, &arguments.write, &id, &body, &format!("putting the quarantine of {name} in force"), COLUMNS)
}

/// Writes an answer, waits until hosts have it, and shows it.
fn put<const N: usize>(
    client: &Client,
    write: &WriteArgs,
    id: &str,
    body: &Value,
    what: &str,
    columns: [Column; N],
) -> Result<Exit, Failure> {
    let written = client.put(id, body, Precondition::Always)?;
    write.settle(client, what, &written.warnings, written.operation.as_ref())?;
    match write.form() {
        Format::Json => output::json(&written.resource)?,
        Format::Table => rows::table(columns, std::slice::from_ref(&written.resource))?,
    }
    Ok(Exit::Clean)
}

/// Where the quarantine of a machine or interface is.
pub(super) fn quarantine_id(target: &str) -> String {
    let (group, name) = place(target);
    format!("{group}/providers/Palisade.Network/quarantines/{name}")
}

/// Where the policy stands by which a machine is watched after a revert.
pub(super) fn watch_id(target: &str) -> String {
    let (group, name) = place(target);
    format!("{group}/providers/Palisade.Network/answerPolicies/watch-{name}")
}

/// Frees whatever is named so: machines, sources, lock-outs.
pub fn release(arguments: &Release) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let what = &arguments.what;
    let mut found = named(&client, "quarantines", what)?;
    found.extend(named(&client, "lockouts", what)?);
    found.extend(named(&client, "throttles", what)?);
    remove(&client, what, &found, &arguments.write)
}

/// The quarantines, lock-outs or throttles that are meant by a name, a target or a source.
pub(super) fn named(client: &Client, kind: &str, what: &str) -> Result<Vec<Value>, Failure> {
    let path = format!("/subscriptions/{}/providers/Palisade.Network/{kind}", client.subscription());
    let mut all = client.list(&path)?;
    let source = path::source(what);
    all.retain(|one| {
        let properties = &one["properties"];
        let is_source = source.as_deref().is_some_and(|source| properties["source"] == source);
        is_source
            || is_named(&string(one, "id"), what)
            || is_named(&string(&properties["target"], "id"), what)
    });
    Ok(all)
}

/// Takes them away, and waits until hosts have done so.
fn remove(client: &Client, what: &str, found: &[Value], write: &WriteArgs) -> Result<Exit, Failure> {
    if found.is_empty() {
        return Err(Failure::input(format!(
            "nothing named {what:?} is in quarantine, locked out or throttled (see `palisade lockouts list` and `palisade throttles \
             list`)"
        )));
    }
    for one in found {
        let id = string(one, "id");
        let deleted = client.delete(&id, Precondition::Always)?;
        write.settle(client, &format!("releasing {id}"), &deleted.warnings, deleted.operation.as_ref())?;
    }
    rows::list(write.form(), COLUMNS, found)?;
    Ok(Exit::Clean)
}

/// The group of an id and its last name.
fn place(id: &str) -> (&str, &str) {
    (id.split("/providers/").next().unwrap_or_default(), id.rsplit('/').next().unwrap_or_default())
}

const COLUMNS: [Column; 7] = [
    ("NAME", |one| text(one, "/name")),
    ("SOURCE", |one| text(one, "/properties/source")),
    ("MACHINE", |one| place(&text(one, "/properties/target/id")).1.to_owned()),
    ("FROM", |one| text(one, "/properties/startTimeUtc")),
    ("UNTIL", |one| text(one, "/properties/endTimeUtc")),
    ("POLICY", |one| place(&text(one, "/properties/policy")).1.to_owned()),
    ("WHY", |one| text(one, "/properties/reason")),
];

/// Everything of a kind whose end has not passed; with `all`, what is remembered too.
fn listed(client: &Client, kind: &str, all: bool) -> Result<Vec<Value>, Failure> {
    let path = format!("/subscriptions/{}/providers/Palisade.Network/{kind}", client.subscription());
    let mut found = client.list(&path)?;
    let now =
        palisade_control::time::rfc3339(palisade_control::time::unix_seconds(std::time::SystemTime::now()));
    // Moments of this form are in the order of their texts.
    found.retain(|one| all || text(one, "/properties/endTimeUtc") > now);
    found.sort_by_key(|one| text(one, "/properties/startTimeUtc"));
    Ok(found)
}
