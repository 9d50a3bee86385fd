//! Clean states of disks, the way back to them, and what was kept of machines that were taken.

mod audit;
pub mod clean_state;
mod difference;
pub mod evidence;
mod meter;
mod revert;
mod table;

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use palisade_recovery::{
    evidence::EvidenceError,
    key::{KeyError, SealCheck},
    revert::RevertError,
    state::{StateError, Store},
};

use crate::exit::Failure;

/// Where clean states are, and whose seal they have.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Folder of clean states and evidence, out of the reach of guests
    #[arg(long, value_name = "DIR", env = "PALISADE_RECOVERY", default_value = "/var/lib/palisade/recovery")]
    store: PathBuf,
    /// Public half of the key that seals
    #[arg(
        long,
        value_name = "FILE",
        env = "PALISADE_SEAL_PUBLIC_KEY",
        default_value = "/etc/palisade/seal.key.pub"
    )]
    public_key: PathBuf,
}

impl StoreArgs {
    fn open(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.store)?)
    }

    fn check(&self) -> Result<SealCheck, Failure> {
        Ok(SealCheck::load(&self.public_key)?)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Who runs this, for what is written down.
fn whoever() -> String {
    std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| user_id())
}

/// The number of the user whom the environment does not name, as under cron and systemd.
fn user_id() -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map_or_else(|_| "unknown".to_owned(), |own| format!("uid {}", own.uid()))
}

/// Bytes as a person types them: 512MiB, 20GiB, 1000000.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (digits, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| text.strip_suffix(unit).map(|digits| (digits, *shift)))
        .unwrap_or((text, 0));
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "not a size (write 512MiB or 20GiB)".into())
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match &error {
            StateError::File(_) | StateError::Tree(_) | StateError::Scan(_) => Self::caused_by(error),
            StateError::Image(image) if image.refusal().is_none() => Self::caused_by(error),
            _ => Self::input(error),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::input(format!("{:#}", anyhow::Error::new(error)))
    }
}

impl From<EvidenceError> for Failure {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::State(error) => error.into(),
            EvidenceError::File(_) => Self::caused_by(error),
            _ => Self::input(error),
        }
    }
}

impl From<RevertError> for Failure {
    fn from(error: RevertError) -> Self {
        match error {
            RevertError::State(error) => error.into(),
            RevertError::Evidence(error) => error.into(),
            RevertError::File(_) | RevertError::Hand { .. } | RevertError::Running { .. } => {
                Self::caused_by(error)
            }
            _ => Self::input(error),
        }
    }
}
