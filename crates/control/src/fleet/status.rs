//! What a host says of itself: the newest report, and how long it has been heard of.
//!
//! Reports are the host's words and are bounded here before anyone keeps them. They are never sent to other hosts.

use palisade_store::Revision;
use palisade_sync::limits::{NICS_MAX, TEXT_BYTES_MAX};
use serde::{Deserialize, Serialize};

/// What a host has in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// The last revision that its kernel enforces whole.
    pub applied: u64,
    /// Hash of the documents of that revision, hexadecimal.
    pub hash: String,
    /// The revision that it looked at last.
    pub seen: u64,
    /// Why that one is not in force; empty if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Its network interfaces.
    pub nics: Vec<NicStatus>,
}

/// A network interface on its host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NicStatus {
    /// Resource id of the NIC.
    pub id: String,
    /// The interface it was found at; empty if the host has none for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub interface: String,
    /// Why its rules are not enforced there; empty if they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Hash of the policy in force for it, hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
}

/// How a host stands, as one server knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Since when it is connected, in seconds since 1970; `None` if it is not.
    pub connected: Option<u64>,
    /// When it was last heard of, in seconds since 1970.
    pub seen: Option<u64>,
    /// Version of its agent.
    pub version: String,
    /// Where it connected from.
    pub address: String,
    /// Its newest report.
    pub report: Option<HostReport>,
}

impl HostReport {
    /// The report with long texts cut, and interfaces beyond the limit left out.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        // Those that fail first: what is left out must not be what is wrong.
        self.nics.sort_by_key(|nic| nic.error.is_empty());
        self.nics.truncate(NICS_MAX);
        cut(&mut self.error);
        for nic in &mut self.nics {
            [&mut nic.id, &mut nic.interface, &mut nic.error, &mut nic.policy].into_iter().for_each(cut);
        }
        self
    }

    /// Whether `revision`, or a later one, is in force.
    pub fn confirms(&self, revision: Revision) -> bool {
        self.applied >= revision.0 && self.failed_nic().is_none()
    }

    /// Why `revision`, or a later one, was refused; `None` if it was not, or was not looked at yet.
    pub fn refusal(&self, revision: Revision) -> Option<String> {
        if self.seen < revision.0 {
            return None;
        }
        let whole = (!self.error.is_empty()).then(|| self.error.clone());
        whole.or_else(|| {
            self.failed_nic().map(|nic| format!("{} at {}: {}", nic.id, nic.interface, nic.error))
        })
    }

    /// An interface that is there and not enforced. A NIC whose machine is not running has none: nothing passes there.
    fn failed_nic(&self) -> Option<&NicStatus> {
        self.nics.iter().find(|nic| !nic.error.is_empty() && !nic.interface.is_empty())
    }
}

/// Cuts a text to the limit, at the end of a character.
fn cut(text: &mut String) {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.truncate(end);
}
