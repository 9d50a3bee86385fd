//! `palisade store`: copies of a server's store, and the way back.
//!
//! Works on the store itself and asks no server. A SQLite store is one process's at a time; what writes takes the data folder's lock
//! first besides, so that no server of that folder runs meanwhile.

use std::path::{Path, PathBuf};

use palisade_server::Folder;
use palisade_store::{StoreUrl, backup, backup::Destination};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Write all that the store holds to one file; with SQLite no server may run meanwhile
    Backup(BackupArgs),
    /// Fill a store from a backup; no server may run meanwhile
    Restore(RestoreArgs),
    /// Copy one store into another, such as SQLite into etcd; no server may run meanwhile
    Migrate(MigrateArgs),
    /// Whether the store answers, and how much is in it; with SQLite no server may run meanwhile
    Status(StatusArgs),
}

/// Which store.
#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// The server's data folder
    #[arg(long = "data", value_name = "DIR", default_value = super::server::DATA)]
    data_dir: PathBuf,
    /// The server's store: sqlite, or etcd://HOST:PORT,...
    #[arg(long, value_name = "URL", default_value = "sqlite")]
    store: StoreUrl,
}

/// Options of `backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// File to write
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

/// Options of `restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// File that `backup` wrote
    file: PathBuf,
    /// Replace what the store holds; without it, only an empty store is filled
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    /// The store to fill
    #[arg(long, value_name = "URL")]
    to: StoreUrl,
    /// Data folder of the store to fill, if it is another than the first one's
    #[arg(long, value_name = "DIR")]
    to_data: Option<PathBuf>,
    /// Replace what the store holds; without it, only an empty store is filled
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    let runtime = Runtime::new()?;
    match action {
        Action::Backup(arguments) => {
            let StoreArgs { data_dir, store } = existing(&arguments.store)?;
            let header = runtime.block_on(async {
                let store = palisade_store::open(store, data_dir).await.map_err(Failure::caused_by)?;
                backup::backup(&*store, &arguments.file).await.map_err(refused)
            })?;
            let (entries, revision) = (header.entries, header.revision);
            eprintln!("{}: {entries} entries of revision {revision}", arguments.file.display());
        }
        Action::Restore(arguments) => {
            let StoreArgs { data_dir, store } = &arguments.store;
            let header = runtime.block_on(async {
                // Opening a store makes one, which a file that is no backup is no reason for.
                backup::inspect(&arguments.file).await.map_err(refused)?;
                let _lock = locked(store, data_dir)?;
                let store =
                    palisade_store::open_to_restore(store, data_dir).await.map_err(Failure::caused_by)?;
                backup::restore(&arguments.file, &*store, destination(arguments.replace))
                    .await
                    .map_err(refused)
            })?;
            eprintln!("{} entries of revision {} are back", header.entries, header.revision);
        }
        Action::Migrate(arguments) => {
            let StoreArgs { data_dir, store } = existing(&arguments.store)?;
            let to_data = arguments.to_data.as_ref().unwrap_or(data_dir);
            if *store == arguments.to && (is_elsewhere(store) || to_data == data_dir) {
                return Err(Failure::input("both stores are the same one"));
            }
            let lock = locked(store, data_dir)?;
            // One folder may have both in turn: it is locked once.
            let is_locked = lock.is_some() && to_data == data_dir;
            let _other = if is_locked { None } else { locked(&arguments.to, to_data)? };
            let count = runtime.block_on(async {
                let from = palisade_store::open(store, data_dir).await.map_err(Failure::caused_by)?;
                let to = palisade_store::open_to_restore(&arguments.to, to_data)
                    .await
                    .map_err(Failure::caused_by)?;
                backup::migrate(&*from, &*to, destination(arguments.replace)).await.map_err(refused)
            })?;
            eprintln!("{count} entries were copied");
        }
        Action::Status(arguments) => runtime.block_on(status(arguments))?,
    }
    Ok(Exit::Clean)
}

async fn status(arguments: &StatusArgs) -> Result<(), Failure> {
    let StoreArgs { data_dir, store } = existing(&arguments.store)?;
    let store = palisade_store::open(store, data_dir).await.map_err(Failure::caused_by)?;
    let snapshot = store.snapshot("").await.map_err(Failure::caused_by)?;
    let bytes: usize = snapshot.entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum();
    let (name, entries, revision) = (store.describe(), snapshot.entries.len(), snapshot.revision.0);
    match arguments.format.format {
        Format::Json => {
            output::json(
                &json!({ "store": name, "revision": revision, "entries": entries, "bytes": bytes }),
            )?;
        }
        Format::Table => output::line(format_args!(
            "{name} answers: revision {revision}, {entries} entries, {bytes} bytes of keys and values"
        ))?,
    }
    Ok(())
}

/// Opening a store makes one; what is only read must be there.
fn existing(arguments: &StoreArgs) -> Result<&StoreArgs, Failure> {
    if is_elsewhere(&arguments.store) || arguments.data_dir.is_dir() {
        return Ok(arguments);
    }
    Err(Failure::input(format!(
        "there is no data folder {} (name it with --data)",
        arguments.data_dir.display()
    )))
}

/// Keeps servers out of the folder that a store is in.
fn locked(store: &StoreUrl, data_dir: &Path) -> Result<Option<Folder>, Failure> {
    if is_elsewhere(store) {
        return Ok(None);
    }
    Folder::open(data_dir).map(Some).map_err(Failure::input)
}

/// Whether a store is not in a data folder.
const fn is_elsewhere(store: &StoreUrl) -> bool {
    matches!(store, StoreUrl::Etcd(_))
}

const fn destination(replace: bool) -> Destination {
    if replace { Destination::Replaced } else { Destination::Empty }
}

/// A file that is no backup or not there, or a store that is not empty, is bad input; all else is the other side's.
fn refused(error: backup::BackupError) -> Failure {
    use backup::BackupError as Error;
    match error {
        Error::NotValid { .. } | Error::NotEmpty { .. } => Failure::input(error),
        Error::File { error: ref cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
            Failure::input(error)
        }
        error => Failure::caused_by(error),
    }
}
