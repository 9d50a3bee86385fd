//! What the agent knows, on disk: for its next start, and for `palisade status` when no agent lives.
//!
//! It holds nothing that enforces: that is pinned in the kernel. Losing it loses the numbers of NICs, and with them their
//! flows; it never opens anything. It outlives its process and need not outlive a loss of power: what it tells of the
//! kernel does not either. After one it tells of a generation that the kernel does not have, or cannot be read; both say
//! that nothing is known. So no change waits for a medium.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Outlives};
use crate::endpoints::{EndpointRecord, Lead, Translation};
use crate::error::{AgentError, Context};
use crate::identity::{Identity, NicId};
use crate::instance::Instance;
use crate::interfaces::matching::MatchProblem;
use crate::load::Problem;
use crate::plan::PolicyDigest;
use crate::slots::Slots;

/// Version of the file's shape; a file of another one is not read.
pub const STATE_VERSION: u32 = 1;
/// The directory belongs to its owner alone; the file needs no more than that.
const FILE_MODE: u32 = 0o644;

/// Everything that is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// [`STATE_VERSION`].
    pub version: u32,
    /// Process id of the agent that wrote it, dead or alive.
    pub pid: u32,
    /// When that agent started, in seconds since 1970.
    pub started: u64,
    /// The pin directory of the datapath that it is about.
    pub pin_dir: PathBuf,
    /// The policy in force, if the datapath has its generation; otherwise one that was about to be.
    pub published: Option<Published>,
    /// The estate that was last accepted.
    pub estate: Option<AcceptedEstate>,
    /// Whether it has rules with a window that are closed because the wall clock was never set.
    #[serde(default)]
    pub windows_closed: bool,
    /// Digest of the estate whose policy was last in force at all its interfaces: [`AcceptedEstate::digest`] once a change
    /// is complete.
    pub enforced: Option<String>,
    /// Why a later one was refused.
    pub refused: Option<Refusal>,
    /// Why the policy of the accepted estate is not in force.
    pub unpublished: Option<Failure>,
    /// NICs that have an interface here.
    pub nics: BTreeMap<NicId, NicRecord>,
    /// Interfaces that drop everything, and why.
    pub closed: BTreeMap<String, ClosedInterface>,
    /// NICs of the estate that have none here.
    pub elsewhere: Vec<NicId>,
    /// What stands between NICs and interfaces.
    pub problems: Vec<MatchProblem>,
    /// Interfaces whose programs could not be attached, and why: there nothing is enforced.
    pub unenforced: BTreeMap<String, String>,
    /// Endpoints of the NICs that are here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointRecord>,
    /// What the kernel was given for them, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<Translation>,
    /// Through what the machines here may have connections: all that the kernel was ever given and that has not ended since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub opened: BTreeSet<Lead>,
    /// By what the NICs of the estate are recognised.
    pub identities: Vec<Identity>,
    /// The server that gives the estate, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerState>,
}

/// How an agent stands to its server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerState {
    /// The server, `HOST:PORT`.
    pub address: String,
    /// The name of this host there.
    pub host: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Since when that is so, in seconds since 1970.
    pub since: u64,
    /// Why there is none, or what the server said last.
    pub error: Option<String>,
    /// The revision whose policy is in force whole; 0 if there is none.
    pub revision: u64,
    /// The revision that was looked at last. If it is another, `refused` or `unpublished` says why.
    pub seen: u64,
}

/// A policy that was published, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its number.
    pub generation: u64,
    /// Its contents.
    pub digest: PolicyDigest,
}

/// An estate that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedEstate {
    /// When it was read, in seconds since 1970.
    pub loaded: u64,
    /// The files it was read from.
    pub files: Vec<PathBuf>,
    /// Digest of their names and contents: [`crate::load::Loaded::digest`].
    pub digest: String,
    /// Warnings, as text.
    pub warnings: Vec<Problem>,
}

/// Why an estate was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The reason in one sentence.
    pub message: String,
    /// Digest of the names and contents of its files.
    pub digest: String,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
}

/// Why a policy could not be put into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The reason in one sentence.
    pub message: String,
}

/// A NIC with an interface here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NicRecord {
    /// Its name.
    pub name: String,
    /// Name of the interface.
    pub interface: String,
    /// Number of the interface.
    pub ifindex: u32,
    /// Its number in the kernel.
    pub slot: u32,
    /// Name of its subnet's NSG.
    pub subnet_nsg: Option<String>,
    /// Name of its own NSG.
    pub nic_nsg: Option<String>,
    /// What of it is in audit, in words: itself, NSGs, rules. What these deny is counted, and passes.
    #[serde(default)]
    pub audit: Vec<String>,
    /// Guards that are off, by the words that turn them off.
    #[serde(default)]
    pub guards_off: Vec<String>,
}

/// An interface that drops everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedInterface {
    /// Its number.
    pub ifindex: u32,
    /// Why.
    pub why: String,
}

impl State {
    /// Numbers of the NICs that are here.
    pub(crate) fn slots(&self) -> Slots {
        self.nics.iter().map(|(id, nic)| (id.clone(), nic.slot)).collect()
    }

    /// Interfaces that it knows to have the programs.
    pub(crate) fn interfaces(&self) -> BTreeSet<u32> {
        let closed = self.closed.values().map(|closed| closed.ifindex);
        self.nics.values().map(|nic| nic.ifindex).chain(closed).collect()
    }

    /// What the instance's agent wrote last; `None` if there is nothing that this version can read.
    ///
    /// # Errors
    /// If the file exists and the system does not give it.
    pub fn read(instance: &Instance) -> Result<Option<Self>, AgentError> {
        let path = instance.state_file();
        match fs::read(&path) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes).ok();
                Ok(state.filter(|state: &Self| state.version == STATE_VERSION))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(|| format!("read {}", path.display())),
        }
    }

    /// Replaces what is on disk.
    pub(crate) fn write(&self, instance: &Instance) -> Result<(), AgentError> {
        let path = instance.state_file();
        let bytes = serde_json::to_vec_pretty(self).expect("the state has text keys only");
        let parts: &[&[u8]] = &[&bytes, b"\n"];
        disk::replace(&path, FILE_MODE, parts, Outlives::Process)
            .context(|| format!("write {}", path.display()))
    }
}
