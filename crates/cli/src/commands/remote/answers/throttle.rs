//! `palisade throttles`: machines that find new destinations at no more than a rate, by policies and by hand.

use serde_json::json;

use super::{TARGETS, listed, named, place, put, remove};
use crate::commands::remote::{
    RequestArgs,
    jit::{
        door,
        find::{resource, string},
    },
    rows::{self, Column, text},
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Throttles {
    /// Who is throttled
    List(List),
    /// Let a machine find new destinations at no more than a rate, for a time
    Add(Add),
    /// Let a machine go as fast as it likes again before its time
    Remove(Remove),
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Those that have ended, too, as far as they are kept
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  palisade throttles add vm1 --for 1h --why 'it scans outward'\n  palisade throttles add vm1 --rate 2 \
                        --working-set 16 --for 1d --why INC-7"
)]
pub struct Add {
    /// Virtual machine or network interface, by name or id
    #[arg(value_name = "VM")]
    target: String,
    /// New destinations per second, 1 to 1,000; 1 if it is not given
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// Recent destinations that cost nothing, and new ones that may come at once, 1 to 32; 5 if it is not given
    #[arg(long, value_name = "NUMBER")]
    working_set: Option<u32>,
    /// How long, such as 30m or 1h; a week at most
    #[arg(long = "for", value_name = "TIME", value_parser = door::time)]
    time: door::Time,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Resource group of it
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Options of `remove`.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Machine, interface, or name of the throttle
    #[arg(value_name = "WHAT")]
    what: String,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one action.
pub fn run(action: &Throttles) -> Result<Exit, Failure> {
    match action {
        Throttles::List(arguments) => {
            let found = listed(&arguments.request.client()?, "throttles", arguments.all)?;
            rows::list(arguments.request.form(), COLUMNS, &found)?;
            Ok(Exit::Clean)
        }
        Throttles::Add(arguments) => add(arguments),
        Throttles::Remove(arguments) => {
            let client = arguments.write.client()?;
            let found = named(&client, "throttles", &arguments.what)?;
            remove(&client, &arguments.what, &found, &arguments.write)
        }
    }
}

fn add(arguments: &Add) -> Result<Exit, Failure> {
    let client = arguments.write.client()?;
    let target = resource(&client, &arguments.target, arguments.resource_group.as_deref(), &TARGETS)?;
    let target = string(&target, "id");
    let (group, name) = place(&target);
    let mut properties = json!({
        "target": {"id": target},
        "duration": arguments.time.to_string(),
        "reason": arguments.why,
    });
    for (key, number) in [("newDestinationsPerSecond", arguments.rate), ("workingSet", arguments.working_set)]
    {
        if let Some(number) = number {
            properties[key] = number.into();
        }
    }
    let id = format!("{group}/providers/Palisade.Network/throttles/{name}");
    let body = json!({"properties": properties});
    put(&client, &arguments.write, &id, &body, &format!("throttling {name}"), COLUMNS)
}

const COLUMNS: [Column; 8] = [
    ("NAME", |one| text(one, "/name")),
    ("MACHINE", |one| place(&text(one, "/properties/target/id")).1.to_owned()),
    ("PER SECOND", |one| text(one, "/properties/newDestinationsPerSecond")),
    ("WORKING SET", |one| text(one, "/properties/workingSet")),
    ("FROM", |one| text(one, "/properties/startTimeUtc")),
    ("UNTIL", |one| text(one, "/properties/endTimeUtc")),
    ("POLICY", |one| place(&text(one, "/properties/policy")).1.to_owned()),
    ("WHY", |one| text(one, "/properties/reason")),
];
