//! Rows of states and evidence.

use palisade_control::time::rfc3339;
use palisade_recovery::{evidence::Evidence, state::Manifest};

/// Heading of states.
pub const STATES: [&str; 6] = ["STATE", "MACHINE", "SEALED", "BY", "DISKS", "BYTES"];
/// Heading of evidence.
pub const EVIDENCE: [&str; 6] = ["EVIDENCE", "MACHINE", "TAKEN", "BY", "STANDS ON", "FILES"];

/// A row of a state.
pub fn state(manifest: &Manifest) -> [String; 6] {
    [
        manifest.id.clone(),
        manifest.machine.clone(),
        rfc3339(manifest.created),
        manifest.created_by.clone(),
        manifest.disks.len().to_string(),
        manifest.disks.iter().map(|disk| disk.size).sum::<u64>().to_string(),
    ]
}

/// A row of evidence.
pub fn evidence(evidence: &Evidence) -> [String; 6] {
    [
        evidence.id.clone(),
        evidence.machine.clone(),
        rfc3339(evidence.taken),
        evidence.by.clone(),
        evidence.state.clone(),
        evidence.files.len().to_string(),
    ]
}
