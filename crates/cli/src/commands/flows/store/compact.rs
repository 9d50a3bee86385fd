//! `palisade flows compact`: small files of a store become larger ones, and old ones go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_flowstore::{Retention, compact, retain};
use serde_json::json;

use super::{StoreArgs, failure, threads};
use crate::{args::FormatArgs, args::days, exit::Exit, exit::Failure, output, output::Format};

/// An hour is left alone until it has been over for so long: hosts may still tell of it.
const SETTLED: Duration = Duration::from_secs(300);

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Hours that are not over for five minutes are left alone. One process at a time may compact a store."
)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    /// Remove hours that ended so many days ago
    #[arg(long, value_name = "DAYS", value_parser = days)]
    keep_days: Option<Duration>,
    /// Remove the oldest hours while the store has more bytes
    #[arg(long, value_name = "BYTES")]
    keep_bytes: Option<u64>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Compacts, removes, and says what was done.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let from_ms = arguments.keep_days.map(|age| ms(now.saturating_sub(age)));
    let retention = Retention { from_ms, bytes: arguments.keep_bytes };
    let expired = retain(&store, retention).map_err(failure)?;
    let compacted = compact(&store, ms(now.saturating_sub(SETTLED)), threads()).map_err(failure)?;
    match arguments.format.format {
        Format::Json => output::json(&json!({
            "expired": { "files": expired.removed, "bytes": expired.removed_bytes },
            "compacted": { "files": compacted.removed, "into": compacted.made },
        }))?,
        Format::Table => output::line(format_args!(
            "{} files of old hours are gone ({} bytes); {} small files became {}",
            expired.removed, expired.removed_bytes, compacted.removed, compacted.made
        ))?,
    }
    Ok(Exit::Clean)
}
