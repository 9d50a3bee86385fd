//! `palisade lockouts`: sources that are kept out for a time, by policies and by hand.

use serde_json::json;

use super::{COLUMNS, TARGETS, listed, named, place, put, remove};
use crate::commands::remote::{
    RequestArgs,
    jit::{
        door,
        find::{resource, string},
    },
    rows,
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Lockouts {
    /// Who is locked out
    List(List),
    /// Lock out a source for a time
    Add(Add),
    /// Let a source in again before its time
    Remove(Remove),
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Those that have ended, too, as far as they are remembered
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade lockouts add 203.0.113.9 --for 1h --why 'guesses passwords'\n  palisade lockouts add \
                        198.51.100.0/24 --for 1d --vm vm1 --why 'orders come from there'"
)]
pub struct Add {
    /// Address or prefix
    #[arg(value_name = "PREFIX")]
    source: String,
    /// How long, such as 30m or 1h; a week at most
    #[arg(long = "for", value_name = "TIME", value_parser = door::time)]
    time: door::Time,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Keep it apart from this machine alone, both ways
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Lock it out of this resource group alone; without it, out of all
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Options of `remove`.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Source, machine or name of the lock-out
    #[arg(value_name = "WHAT")]
    what: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one action.
pub fn run(action: &Lockouts) -> Result<Exit, Failure> {
    match action {
        Lockouts::List(arguments) => list(arguments),
        Lockouts::Add(arguments) => add(arguments),
        Lockouts::Remove(arguments) => {
            let client = arguments.write.client()?;
            let found = named(&client, "lockouts", &arguments.what)?;
            remove(&client, &arguments.what, &found, &arguments.write)
        }
    }
}

fn list(arguments: &List) -> Result<Exit, Failure> {
    let found = listed(&arguments.request.client()?, "lockouts", arguments.all)?;
    rows::list(arguments.request.form(), COLUMNS, &found)?;
    Ok(Exit::Clean)
}

fn add(arguments: &Add) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let group = arguments.resource_group.as_deref();
    let mut properties = json!({
        "source": arguments.source,
        "duration": arguments.time.to_string(),
        "reason": arguments.why,
    });
    let mut scope = format!("/subscriptions/{}", client.subscription());
    if let Some(group) = group {
        scope = format!("{scope}/resourceGroups/{group}");
    }
    if let Some(machine) = &arguments.vm {
        let target = string(&resource(&client, machine, group, &TARGETS)?, "id");
        place(&target).0.clone_into(&mut scope);
        properties["target"] = json!({"id": target});
    }
    let name = &uuid::Uuid::new_v4().simple().to_string()[..12];
    let id = format!("{scope}/providers/Palisade.Network/lockouts/{name}");
    let what = format!("locking out {}", arguments.source);
    put(&client, &arguments.write, &id, &json!({"properties": properties}), &what, COLUMNS)
}
