//! `palisade clean-state`: states of disks that are known to be clean, and the way back to them.

use std::{fs, path::PathBuf};

use palisade_recovery::{
    image::Place,
    key::{SealKey, beside},
    state::{Creating, Keep, Kept, Manifest},
};
use serde_json::json;

use super::{StoreArgs, audit, meter::Meter, now, revert, size, table, whoever};
use crate::{
    args::FormatArgs,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make the key that seals, and its public half beside it
    Key(KeyArgs),
    /// Seal the disks of a machine that stands still, and put it on overlays
    Create(CreateArgs),
    /// States there are, the oldest first
    List(ListArgs),
    /// Read every byte of a state; exit code 1 if one is not what was sealed
    Verify(VerifyArgs),
    /// Bring a machine back to a state: isolate it, keep what it was, boot it clean
    Revert(Box<revert::Arguments>),
    /// Delete a state that nothing stands on
    Delete(DeleteArgs),
    /// Delete what need not be kept
    Prune(PruneArgs),
}

/// Options of `key`.
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    /// File of the secret half, which must not be there yet
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

/// Options of `create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The format of a disk is named before it, raw:PATH or qcow2:PATH, or by its extension; it is never guessed from its content.\n\n\
                  Examples:\n  palisade clean-state create web-01 --disk web-01.qcow2 --key /etc/palisade/seal.key\n  palisade clean-state create \
                  web-01 --disk raw:/dev/shm/root.disk --disk data.qcow2 --audit audit.json --quota 500GiB"
)]
pub struct CreateArgs {
    /// Name of the machine
    #[arg(value_name = "MACHINE")]
    machine: String,
    /// Its disks, in their order
    #[arg(long = "disk", value_name = "DISK", required = true, value_parser = disk)]
    disks: Vec<Place>,
    /// Secret half of the key that seals
    #[arg(long, value_name = "FILE", env = "PALISADE_SEAL_KEY", default_value = "/etc/palisade/seal.key")]
    key: PathBuf,
    /// SHA-256 of the policy that holds, to be sealed with it
    #[arg(long, value_name = "HEX")]
    policy_sha256: Option<String>,
    /// Report of a guest audit, to be sealed with it; without it, the disks are audited
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Seal without a report
    #[arg(long, conflicts_with = "audit")]
    no_audit: bool,
    /// Who seals; without it, who runs this
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Bytes that the store and its disks may take, such as 500GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quota: Option<u64>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

fn disk(text: &str) -> Result<Place, String> {
    Place::parse(text).map_err(|refusal| refusal.to_string())
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Name of the state
    #[arg(value_name = "STATE")]
    id: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Options of `delete`.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// Name of the state
    #[arg(value_name = "STATE")]
    id: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// Options of `prune`.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// So many of the newest of each machine stay
    #[arg(long, value_name = "COUNT")]
    keep: Option<usize>,
    /// What is not older stays
    #[arg(long, value_name = "DAYS", required_unless_present = "keep")]
    days: Option<u64>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Key(arguments) => {
            SealKey::create(&arguments.path)?;
            output::line(format_args!(
                "{}\n{}",
                arguments.path.display(),
                beside(&arguments.path).display()
            ))?;
            Ok(Exit::Clean)
        }
        Action::Create(arguments) => create(arguments),
        Action::List(arguments) => list(arguments),
        Action::Verify(arguments) => verify(arguments),
        Action::Revert(arguments) => revert::run(arguments),
        Action::Delete(arguments) => {
            arguments.store.open()?.delete(&arguments.id, &arguments.store.check()?)?;
            Ok(Exit::Clean)
        }
        Action::Prune(arguments) => prune(arguments),
    }
}

fn create(arguments: &CreateArgs) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let key = SealKey::load(&arguments.key)?;
    let report = report(arguments)?;
    let by = arguments.by.clone().unwrap_or_else(whoever);
    let what = Creating {
        machine: &arguments.machine,
        disks: &arguments.disks,
        by: &by,
        now: now(),
        policy_sha256: arguments.policy_sha256.clone(),
        audit: report.as_deref(),
        quota: arguments.quota,
    };
    let meter = Meter::new();
    let manifest = store.create(&what, &key, &|bytes| meter.add(bytes))?;
    meter.end();
    for (disk, place) in manifest.disks.iter().zip(&arguments.disks) {
        if !disk.overlay.ends_with(place.path.file_name().unwrap_or_default()) {
            eprintln!(
                "the machine's disk is now {} (qcow2): change its configuration",
                disk.overlay.display()
            );
        }
    }
    tell(&[manifest], arguments.format.format)
}

/// The report that is sealed: the one that was given, or one of the disks. What cannot be audited is sealed without one, and that is said.
fn report(arguments: &CreateArgs) -> Result<Option<Vec<u8>>, Failure> {
    match &arguments.audit {
        _ if arguments.no_audit => Ok(None),
        Some(path) => {
            let read = fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
            read.map(Some).map_err(Failure::input)
        }
        None => match audit::of_disks(&arguments.disks) {
            Ok(report) => {
                eprintln!("audited: {}", audit::counts(&report));
                Ok(Some(audit::kept(&report)))
            }
            Err(why) => {
                eprintln!("warning: sealed without an audit: {why}");
                Ok(None)
            }
        },
    }
}

fn list(arguments: &ListArgs) -> Result<Exit, Failure> {
    let (store, check) = (arguments.store.open()?, arguments.store.check()?);
    let states = store.ids()?.iter().map(|id| store.state(id, &check)).collect::<Result<Vec<_>, _>>()?;
    tell(&states, arguments.format.format)
}

fn tell(states: &[Manifest], format: Format) -> Result<Exit, Failure> {
    match format {
        Format::Json => output::json(&states)?,
        Format::Table => output::table(table::STATES, &states.iter().map(table::state).collect::<Vec<_>>())?,
    }
    Ok(Exit::Clean)
}

fn verify(arguments: &VerifyArgs) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let manifest = store.state(&arguments.id, &arguments.store.check()?)?;
    let meter = Meter::new();
    let verified = store.verify(&manifest, &|bytes| meter.add(bytes))?;
    meter.end();
    match arguments.format.format {
        Format::Json => output::json(&verified)?,
        Format::Table if verified.is_clean => {
            output::line(format_args!("{}: every byte is what was sealed", verified.id))?;
        }
        Format::Table => verified.problems().iter().try_for_each(output::line)?,
    }
    Ok(if verified.is_clean { Exit::Clean } else { Exit::Found })
}

fn prune(arguments: &PruneArgs) -> Result<Exit, Failure> {
    let keep = Keep { count: arguments.keep, age: arguments.days.map(|days| days.saturating_mul(86_400)) };
    let done = arguments.store.open()?.prune(keep, now(), &arguments.store.check()?)?;
    match arguments.format.format {
        Format::Json => {
            let rows = done.iter().map(|done| match done {
                Kept::Deleted(id) => json!({"state": id, "deleted": true}),
                Kept::InUse(id, path) => json!({"state": id, "deleted": false, "inUse": path}),
            });
            output::json(&rows.collect::<Vec<_>>())?;
        }
        Format::Table => done.iter().try_for_each(|done| match done {
            Kept::Deleted(id) => output::line(format_args!("{id}: deleted")),
            Kept::InUse(id, path) => {
                output::line(format_args!("{id}: kept, {} stands on it", path.display()))
            }
        })?,
    }
    Ok(Exit::Clean)
}
